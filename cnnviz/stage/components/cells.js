// A grid of numbers: they are dragged, or typed; arrow keys move, Enter or leaving a cell commits, and what is not a number is refused in words.
// A table that is pasted fills the cells from the one it is pasted into.

import { clip, maximum } from "../js/arrays.js";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i;
const PIXELS_A_STEP = 6;
const BETWEEN = 120; // Milliseconds between two texts that Python gets while a number is dragged.
const FEW = 25; // Up to so many cells, Tab goes through them all; beyond, into the grid and out of it.

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.grid ??= new Grid(root);
  root.grid.show(component.data, (text) => component.setTriggerValue("typed", text));
}

class Grid {
  constructor(root) {
    this.cells = root.querySelector(".cells");
    this.status = root.querySelector("p");
    this.button = root.querySelector("button");
    this.label = root.querySelector(".label");
    this.sent = []; // Texts that Python has not answered yet.
    this.button.onclick = () => {
      if (this.text() === this.first) return;
      this.values = parse(this.first);
      this.say("");
      this.paint();
      this.send("");
    };
  }

  show({ text, first, label, low, high, step }, send) {
    this.first = join(parse(first));
    this.limits = { low, high };
    this.step = step;
    this.deliver = send;
    this.label.textContent = label;
    this.cells.setAttribute("aria-label", label);
    const place = this.sent.indexOf(join(parse(text)));
    if (this.waiting || (place >= 0 && place < this.sent.length - 1)) {
      this.sent.splice(0, place + 1); // An answer to something older than what is shown.
      return;
    }
    this.sent = [];
    const before = this.values;
    this.values = parse(text);
    if (this.values.length !== before?.length || this.values[0].length !== before[0].length) {
      this.build();
      this.say("");
    }
    this.paint();
  }

  build() {
    const columns = this.values[0].length;
    const many = this.values.length * columns > FEW;
    this.cells.classList.toggle("many", columns > 7);
    this.cells.style.setProperty("--columns", columns);
    this.cells.replaceChildren();
    this.inputs = this.values.map((row, r) =>
      row.map((_, c) => {
        const input = document.createElement("input");
        Object.assign(input, { type: "text", autocomplete: "off", spellcheck: false, enterKeyHint: "done" });
        if (this.limits.low >= 0) input.inputMode = "decimal"; // Some of its keyboards lack a minus.
        input.tabIndex = many && (r || c) ? -1 : 0;
        input.setAttribute("aria-label", `row ${r}, column ${c}`);
        input.onfocus = () => {
          if (many) this.inputs.flat().forEach((other) => (other.tabIndex = other === input ? 0 : -1));
          input.select();
        };
        input.onblur = () => this.commit(r, c);
        // A press that goes nowhere begins to type; one that is dragged changes the number.
        input.onmousedown = (event) => this.active(input) || event.preventDefault();
        input.onpointerdown = (event) => this.active(input) || event.button || this.drag(event, r, c);
        input.onkeydown = (event) => this.key(event, r, c);
        input.onpaste = (event) => this.paste(event, r, c);
        this.cells.append(input);
        return input;
      }),
    );
  }

  paint() {
    const start = parse(this.first);
    this.inputs.forEach((row, r) =>
      row.forEach((input, c) => {
        const value = this.values[r][c];
        // What is being typed is left alone.
        if (!this.active(input) || Number(input.dataset.shown) !== value) input.value = write(value);
        input.dataset.shown = value;
        input.removeAttribute("aria-invalid");
        const changed = value !== start[r]?.[c];
        input.classList.toggle("changed", changed);
        input.title = changed ? `at first ${write(start[r][c])}` : "";
      }),
    );
    this.button.setAttribute("aria-disabled", this.text() === this.first);
  }

  active(input) {
    return input.getRootNode().activeElement === input;
  }

  /** Follow a pressed pointer: to the right or up is more, one step after so many pixels. */
  drag(event, r, c) {
    const input = this.inputs[r][c];
    const first = this.values[r][c];
    let moved = false;
    input.onpointermove = (next) => {
      const steps = Math.trunc((next.clientX - event.clientX - (next.clientY - event.clientY)) / PIXELS_A_STEP);
      if (!moved && !steps) return;
      if (!moved) input.setPointerCapture(event.pointerId);
      moved = true;
      const value = clip(Number((first + steps * this.step).toPrecision(12)), this.limits.low, this.limits.high);
      if (value === this.values[r][c]) return;
      this.values[r][c] = value;
      this.say("");
      this.paint();
      this.waiting ??= setTimeout(() => this.sendWaiting(), BETWEEN);
    };
    input.onpointerup = input.onpointercancel = (next) => {
      input.onpointermove = input.onpointerup = input.onpointercancel = null;
      if (this.waiting) this.sendWaiting();
      if (!moved && next.type === "pointerup") input.focus();
    };
  }

  sendWaiting() {
    clearTimeout(this.waiting);
    this.waiting = null;
    this.send(this.text());
  }

  key(event, r, c) {
    const input = this.inputs[r][c];
    const { selectionStart: from, selectionEnd: to, value } = input;
    const all = from === 0 && to === value.length;
    const moves = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: all || (from === to && from === 0) ? [0, -1] : null,
      ArrowRight: all || (from === to && to === value.length) ? [0, 1] : null,
    };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (moves[event.key] && !event.shiftKey) {
      event.preventDefault();
      const [down, right] = moves[event.key];
      this.inputs[r + down]?.[c + right]?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.commit(r, c);
      input.select();
    } else if (event.key === "Escape") {
      this.restore(r, c);
      input.select();
      this.say("");
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      const now = read(input.value) ?? this.values[r][c];
      const next = now + (event.key === "PageUp" ? this.step : -this.step);
      input.value = write(Number(next.toPrecision(12)));
      this.commit(r, c);
      input.select();
    }
  }

  commit(r, c) {
    const input = this.inputs[r]?.[c];
    // A cell shows four digits of its number, and keeps the rest until something else is typed.
    if (!input?.isConnected || input.value === write(this.values[r][c])) return;
    const value = read(input.value);
    const wrong = this.wrong(input.value, value);
    if (wrong) {
      input.setAttribute("aria-invalid", "true");
      this.say(`${wrong} The cell keeps ${write(this.values[r][c])}.`);
    } else if (value !== this.values[r][c]) {
      this.take([[r, c, value]]);
      return;
    }
    if (!this.active(input)) this.restore(r, c);
  }

  restore(r, c) {
    this.inputs[r][c].value = write(this.values[r][c]);
    this.inputs[r][c].removeAttribute("aria-invalid");
  }

  paste(event, r, c) {
    const pasted = event.clipboardData.getData("text").trim();
    const rows = pasted.split(/[\r\n;]+/).map((row) => row.trim().split(/[\s,]+/));
    if (rows.length === 1 && rows[0].length === 1) return; // One word is typed, and judged when it is committed.
    event.preventDefault();
    const cells = rows.flatMap((row, i) => row.map((word, j) => [r + i, c + j, word]));
    const outside = cells.find(([i, j]) => !this.inputs[i]?.[j]);
    const bad = cells.map(([, , word]) => this.wrong(word, read(word))).find(Boolean);
    if (outside || bad) {
      const size = `${rows.length} × ${maximum(rows.map((row) => row.length))}`;
      this.say(`${bad || `The ${size} numbers do not fit from this cell on.`} Nothing was pasted.`);
      return;
    }
    this.take(cells.map(([i, j, word]) => [i, j, read(word)]));
    this.inputs[r][c].value = write(this.values[r][c]);
    this.say(`${cells.length} cells were pasted.`);
  }

  wrong(words, value) {
    const short = words.trim().slice(0, 20);
    if (value === null) return short ? `“${short}” is not a number.` : "A cell needs a number.";
    const { low, high } = this.limits;
    if (value < low) return `${short} is below ${write(low)}, the smallest allowed.`;
    if (value > high) return `${short} is above ${write(high)}, the largest allowed.`;
    return "";
  }

  take(changes) {
    for (const [r, c, value] of changes) this.values[r][c] = value;
    this.say("");
    this.paint();
    this.send(this.text());
  }

  send(text) {
    this.sent.push(text || this.first);
    this.deliver(text);
  }

  say(words) {
    this.status.textContent = words;
  }

  text() {
    return join(this.values);
  }
}

function join(values) {
  return values.map((row) => row.map(plain).join(",")).join(";");
}

function parse(text) {
  return text.split(";").map((row) => row.split(",").map(Number));
}

// A number as typed: a comma may be the decimal sign, and a minus sign a long one.
function read(words) {
  const plainly = words.trim().replace("−", "-").replace(",", ".");
  if (!NUMBER.test(plainly)) return null;
  const value = Number(plainly);
  return Number.isFinite(value) ? value || 0 : null;
}

function plain(value) {
  return String(value).replace("e+", "e");
}

function write(value) {
  return plain(Number(value.toPrecision(4))).replace("-", "−");
}
