// What stands beside the stage while a network trains: how it goes, its batch, its gradients, its weights, and the
// walk's card. It asks for the next picture once it has drawn one, so that they come as fast as they can be shown
// and no faster.

import { maximum, sameNumbers } from "../js/arrays.js";
import { Colours } from "../js/colours.js";
import { fromBase64 } from "../js/base64.js";
import { canvasOf, closest, NARROW, offer, sized } from "../js/dom.js";
import { saveFile } from "../js/files.js";
import { number, signed } from "../js/numbers.js";
import { Part } from "../js/scene.js";
import { themeAround, watchTheme } from "../js/theme.js";
import { counted, drawCurve } from "../js/training_curves.js";
import { drawDigit, drawField } from "../js/training_pictures.js";
import { escapeHtml } from "../js/words.js";

/** Milliseconds from one picture to the question for the next; and until it is asked again where none came. */
const PAUSE = 60;
const LOST = 4000;
const TILE = 28;

/** @import { Component } from "../js/dom.js" */
/** @import { Point } from "../js/training_curves.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".training");
  root.panel ??= new Panel(root);
  root.panel.tell = (/** @type {object[]} */ commands) => setTriggerValue("command", commands);
  root.panel.next = (/** @type {number} */ count) => setStateValue("tick", count);
  root.panel.take(data);
  return () => root.panel.stop();
}

class Panel {
  /**
   * @param {HTMLElement} root
   */
  constructor(root) {
    this.root = root;
    this.count = 0;
    this.scrubbing = false;
    /** @type {Uint8Array | null} */
    this.data = null;
    /**
     * What was asked for and not heard yet. All of it goes out each time: of two questions that come shortly after one
     * another Streamlit keeps the later alone.
     *
     * @type {{ n: number }[]}
     */
    this.asked = [];
    this.number = 0;
    /** @type {(commands: object[]) => void} */
    this.tell = () => {};
    /** @type {(count: number) => void} */
    this.next = () => {};
    root.addEventListener("click", (event) => this.clicked(event));
    this.slider = this.part("input");
    this.slider.addEventListener("input", () => {
      this.scrubbing = true;
      this.part("output").textContent = `step ${this.slider.value}`;
    });
    this.slider.addEventListener("change", () => {
      this.scrubbing = false;
      this.ask("show", { step: Number(this.slider.value) });
    });
    this.choose("weights", (value) => ({ name: value }));
    this.choose("channel", (value) => ({ channel: Math.round(Number(value)) }));
    this.choose("field", (value) => ({ layer: value }));
    this.keyed = (/** @type {KeyboardEvent} */ event) => this.walk(event);
    this.part(".grid").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.moveIn(event));
    // On a small screen the stage comes first, and what is folded below the curves is opened where it is wanted.
    if (window.innerWidth < NARROW) for (const each of root.querySelectorAll("details")) each.open = false;
    this.saved = 0;
    // The curves are as wide as there is room, and what is drawn in them has a size of its own.
    this.sizes = new ResizeObserver(() => this.header && this.drawCurves());
    this.part("dialog").addEventListener("close", () => this.ask("close"));
  }

  /**
   * @param {string} what
   * @param {object} [more]
   */
  ask(what, more = {}) {
    this.number += 1;
    this.asked.push({ n: this.number, do: what, ...more });
    this.tell(this.asked);
  }

  /**
   * @param {string} selector
   * @returns {any}
   */
  part(selector) {
    return this.root.querySelector(selector);
  }

  /**
   * Ask when something else is chosen.
   *
   * @param {string} name
   * @param {(value: string) => object} more
   */
  choose(name, more) {
    const field = this.part(`[data-choose="${name}"]`);
    field.addEventListener("change", () => this.ask(name, more(field.value)));
  }

  /**
   * @param {Uint8Array} data
   */
  take(data) {
    this.stopTheme?.();
    this.stopTheme = watchTheme(() => this.draw());
    this.sizes.observe(this.part(".curve"));
    document.addEventListener("keydown", this.keyed);
    // Streamlit brings the same bytes again when a question goes out.
    if (!this.data || !sameNumbers(this.data, data)) {
      this.data = data;
      this.came = new Part(data);
      this.header = this.came.header;
      this.colours = new Colours(this.header);
      this.draw();
    }
    clearTimeout(this.waiting);
    // A notebook loses nothing, and does not say what it has heard.
    const { moves, patience, heard = this.number } = this.header;
    this.asked = this.asked.filter(({ n }) => n > heard);
    this.number = Math.max(this.number, heard);
    if (moves) this.askSoon(Math.max(PAUSE, patience));
  }

  askSoon(/** @type {number} */ pause) {
    this.waiting = setTimeout(() => {
      this.count += 1;
      this.next(this.count);
      this.askSoon(LOST);
    }, pause);
  }

  stop() {
    clearTimeout(this.waiting);
    this.stopTheme?.();
    this.sizes.disconnect();
    document.removeEventListener("keydown", this.keyed);
  }

  /**
   * @param {Event} event
   */
  clicked(event) {
    const weight = closest(event, ".kernel button");
    if (weight) this.ask("receipt", { at: JSON.parse(weight.dataset.at ?? "[]") });
    const button = closest(event, "[data-do]");
    if (button) this.ask(button.dataset.do ?? "");
    const start = closest(event, "[data-run]");
    if (start) this.ask("start", { run: Number(start.dataset.run) });
    const to = closest(event, "[data-to]");
    if (to) this.ask("walk", { to: to.dataset.to });
  }

  /** The arrow keys go from step to step of the walk, from its card and from nowhere, as on the stage. */
  walk(/** @type {KeyboardEvent} */ event) {
    const { walk } = this.header;
    const way = { ArrowLeft: "back", ArrowRight: "next" }[event.key];
    if (!walk || !way || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const at = event.composedPath()[0];
    if (at !== document.body && at !== document.documentElement && !this.part(".walk").contains(at)) return;
    event.preventDefault();
    if (walk[way]) this.ask("walk", { to: walk[way] });
  }

  /** Arrow keys go from weight to weight, and over a kernel's edge to the next one. */
  moveIn(/** @type {KeyboardEvent} */ event) {
    const { shape } = this.header.weights;
    const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -shape[1], ArrowDown: shape[1] };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const all = [...this.root.querySelectorAll(".kernel button")];
    const place = all.indexOf(/** @type {Element} */ (event.target)) + way;
    const to = /** @type {HTMLElement | undefined} */ (all[place]);
    if (!to) return;
    for (const each of all) /** @type {HTMLElement} */ (each).tabIndex = each === to ? 0 : -1;
    to.focus();
  }

  draw() {
    const { header } = this;
    this.colours.theme = themeAround(this.root);
    this.part(".said").textContent = header.said;
    for (const button of this.root.querySelectorAll("[data-do]")) {
      const name = /** @type {HTMLElement} */ (button).dataset.do ?? "";
      const offered = header.offers[name];
      /** @type {HTMLButtonElement} */ (button).disabled = !offered;
      // Where nobody could ever do it there is no button: in a notebook the run is Python's.
      /** @type {HTMLElement} */ (button).hidden = offered === undefined || (name === "watch" && !offered);
    }
    this.part(".files").hidden = !("use" in header.offers);
    this.part('[data-do="play"]').textContent = header.playing ? "Pause" : "Play";
    this.part('[data-do="watch"]').textContent = header.watching ? "Stop watching" : "Watch the run that is on";
    this.part('[data-do="leave"]').textContent = header.waits ? "Give up the place" : "End the run";
    if (!this.scrubbing) {
      this.slider.max = Math.max(header.steps, 1);
      this.slider.value = header.step;
      this.slider.disabled = !header.steps;
      this.part("output").textContent = `step ${header.step.toLocaleString("en")}`;
    }
    this.drawCurves();
    this.drawGradients();
    this.drawBatch();
    this.drawWeights();
    this.drawDigit();
    this.drawField();
    this.drawWalk();
    this.drawReceipt();
    this.save();
  }

  /** A file that was asked for, once. */
  save() {
    const { file } = this.header;
    if (!file || file.count === this.saved) return;
    this.saved = file.count;
    saveFile(new Blob([fromBase64(file.content)]), file.name);
  }

  drawCurves() {
    const { steps, step, measures, together, heldOutSaid } = this.header;
    const [training, held] = [this.points("training"), this.points("heldOut")];
    for (const figure of this.root.querySelectorAll(".curve")) drawCurve(figure, { steps, step, training, held, measures });
    const each = together > 1 ? `; each point is the mean of ${together} steps` : "";
    const coloured = heldOutSaid ? ` <span style="color:var(--st-primary-color)">Coloured</span>: ${escapeHtml(heldOutSaid)}.` : "";
    this.part(".key").innerHTML = `Grey: the batch of each step${each}.${coloured}`;
  }

  points(/** @type {string} */ name) {
    const flat = this.came.read(this.header[name]);
    /** @type {Point[]} */
    const points = [];
    for (let n = 0; n < flat.length; n += 3) points.push([flat[n], flat[n + 1], flat[n + 2]]);
    return points;
  }

  /** Why something is not known of the step that is shown. */
  get none() {
    return this.header.step ? "Of this step only the weights were kept." : "Known after the first step.";
  }

  drawGradients() {
    const { gradients, silent } = this.header;
    const { none } = this;
    const finite = gradients.map((/** @type {any} */ [, size]) => size ?? 0);
    const most = maximum(finite) || 1;
    this.part(".gradients tbody").innerHTML = gradients
      .map(
        (/** @type {any} */ [name, size, words]) =>
          `<tr><th scope="row">${escapeHtml(name)}</th><td><i style="width:${(100 * (size ?? 0)) / most}%"></i></td><td>${escapeHtml(words)}</td></tr>`,
      )
      .join("");
    const dead = silent.filter((/** @type {any} */ [, count]) => count);
    this.part(".silent").textContent = !gradients.length
      ? none
      : !silent.length
        ? ""
        : dead.length
          ? `Silent, 0 for every image of the batch: ${dead.map((/** @type {any} */ [name, count, all]) => `${count} of ${all} channels of ${name}`).join(", ")}.`
          : "No channel behind a ReLU is 0 for every image of the batch.";
  }

  drawBatch() {
    const { batch } = this.header;
    const canvas = this.part(".batch canvas");
    canvas.hidden = !batch;
    if (!batch) {
      this.part(".batch .note").textContent = this.none;
      return;
    }
    const { labels, answers } = batch;
    const pixels = this.came.read(batch.images);
    const across = 8;
    const down = Math.ceil(labels.length / across);
    const [wide, high] = [TILE + 6, TILE + 20];
    sized(canvas, across * wide, down * high);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(this.root);
    const [ink, accent] = [style.color, style.getPropertyValue("--st-primary-color")];
    context.font = `11px ${style.fontFamily}`;
    context.textAlign = "center";
    context.clearRect(0, 0, across * wide, down * high);
    labels.forEach((/** @type {number} */ label, /** @type {number} */ n) => {
      const [x, y] = [(n % across) * wide + 2, Math.floor(n / across) * high + 2];
      const tile = canvasOf(TILE, TILE);
      const drawing = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
      drawing.putImageData(this.colours.picture(drawing, TILE, TILE, (p) => pixels[n * TILE * TILE + p], { kind: "ink", limit: 255 }), 0, 0);
      context.drawImage(tile, x, y);
      const wrong = answers[n] !== label;
      context.strokeStyle = accent;
      context.lineWidth = 2;
      if (wrong) context.strokeRect(x, y, TILE, TILE);
      context.fillStyle = wrong ? accent : ink;
      context.fillText(wrong ? `${label} not ${answers[n]}` : `${label}`, x + TILE / 2, y + TILE + 12, wide - 2);
    });
    const right = labels.filter((/** @type {number} */ label, /** @type {number} */ n) => answers[n] === label).length;
    const some = labels.length === batch.size ? "" : `${labels.length} of its `;
    const words = `${some}${counted(batch.size, "image")}, ${right} answered right before the step.`;
    canvas.setAttribute("aria-label", words);
    this.part(".batch .note").textContent = `${words} Under each: its label, and what it was taken for where that was wrong.`;
  }

  drawWeights() {
    const { weights, offers, step } = this.header;
    this.part(".kernels").hidden = !weights;
    if (!weights) return;
    const { names, name, window: sides, shape, inputs, channel } = weights;
    this.offered("weights", names, name);
    const from = this.part('[data-choose="channel"]');
    this.part(".input").hidden = inputs < 2;
    from.max = inputs - 1;
    // What is being typed is not written over.
    if (!from.matches(":focus")) from.value = channel;
    const [rows, cols, count] = shape;
    const grid = this.part(".grid");
    grid.setAttribute("aria-label", `Weights ${name}`);
    const of = `${name} ${shape} ${channel}`;
    if (grid.dataset.of !== of) {
      grid.dataset.of = of;
      grid.innerHTML = Array.from({ length: count }, (_, k) => {
        const cells = Array.from({ length: rows * cols }, (_, n) => {
          const at = [...[Math.floor(n / cols), n % cols].slice(0, sides.length), ...(inputs ? [channel] : []), k];
          return `<button type="button" tabindex="${k || n ? -1 : 0}" data-at="[${at}]"></button>`;
        });
        return `<div class="kernel" style="grid-template-columns:repeat(${cols},auto)">${cells.join("")}</div>`;
      }).join("");
    }
    const values = this.came.read(weights.array);
    const limit = maximum(values.map((value) => Math.abs(value) || 0)) || 1;
    const scale = { kind: "signed", limit };
    grid.querySelectorAll("button").forEach((/** @type {HTMLElement} */ cell, /** @type {number} */ place) => {
      const [k, n] = [Math.floor(place / (rows * cols)), place % (rows * cols)];
      const value = values[n * count + k];
      cell.style.background = this.colours.css(value, scale);
      cell.title = `${name}[${JSON.parse(cell.dataset.at ?? "[]").join(", ")}]: ${signed(value, 3)}`;
      cell.setAttribute("aria-label", cell.title);
    });
    const hint = !("keras" in offers)
      ? ""
      : step
        ? " Click one: how this step changed it."
        : " After a step, a click on one says how it was changed.";
    this.part(".kernels .note").textContent = `${counted(count * rows * cols, "weight")} on one scale to ±${number(limit, 3)}; blue is positive.${hint}`;
  }

  /** Fill a select where its options are others, and choose one. */
  offered(/** @type {string} */ name, /** @type {string[]} */ options, /** @type {string} */ chosen) {
    const select = this.part(`[data-choose="${name}"]`);
    if (select.dataset.of !== options.join()) {
      select.dataset.of = options.join();
      offer(select, options.map((each) => [each, each]));
    }
    select.value = chosen;
  }

  drawDigit() {
    const { digit } = this.header;
    const place = this.part(".digit");
    place.hidden = !digit;
    if (!digit) return;
    drawDigit(place.querySelector("canvas"), place.querySelector(".tiles"), this.came, digit, this.colours);
    place.querySelector(".note").textContent = `${digit.words}.`;
    place.querySelector(".of").textContent = `The ${digit.maps.shape[2]} maps of ${digit.maps.layer}, on one scale to ${number(digit.maps.scale.limit, 3)}.`;
  }

  drawField() {
    const { field, step } = this.header;
    const place = this.part(".field");
    place.hidden = !field;
    if (!field) return;
    this.offered("field", field.layers, field.layer);
    drawField(place.querySelector("canvas"), this.came, field, this.colours, getComputedStyle(this.root).color);
    const when = field.step === step ? "" : ` After step ${field.step.toLocaleString("en")}.`;
    place.querySelector(".note").textContent = `${field.words}${when}`;
  }

  drawWalk() {
    const { walk, first } = this.header;
    const card = this.part(".walk");
    card.hidden = !walk;
    const begins = this.part('[data-by="first"]');
    begins.hidden = Boolean(walk) || !first;
    if (first) [begins.dataset.to, begins.textContent] = [first.name, first.title];
    if (!walk) return;
    card.setAttribute("aria-label", first.title);
    const head = card.querySelector("h3");
    if (head.textContent !== walk.title) head.textContent = walk.title;
    const text = walk.say.map((/** @type {string} */ each) => `<p>${escapeHtml(each)}</p>`).join("");
    card.querySelector(".walktext").innerHTML = text;
    card.dataset.shown = String(walk.shown);
    const runs = card.querySelector(".runs");
    if (runs.dataset.of !== walk.runs.join()) {
      runs.dataset.of = walk.runs.join();
      runs.replaceChildren(
        ...walk.runs.map((/** @type {string} */ words, /** @type {number} */ n) => {
          const button = Object.assign(document.createElement("button"), { type: "button", textContent: `▶ ${words}` });
          button.dataset.run = String(n);
          button.title = `Start ${words}: ${counted(walk.until, "step")}`;
          button.setAttribute("aria-label", button.title);
          return button;
        }),
      );
    }
    for (const button of runs.children) button.disabled = Boolean(this.header.watching);
    for (const by of ["back", "next"]) {
      const button = card.querySelector(`[data-by="${by}"]`);
      button.disabled = !walk[by];
      button.dataset.to = walk[by] ?? "";
    }
    card.querySelector(".walknav span").textContent = walk.place;
  }

  drawReceipt() {
    const dialog = this.part("dialog");
    const { receipt } = this.header;
    const place = this.part(".receipt");
    if ((place.dataset.of ?? "") !== (receipt?.title ?? "")) {
      place.dataset.of = receipt?.title ?? "";
      place.innerHTML = receipt?.html ?? "";
    }
    if (receipt && !dialog.open) dialog.showModal();
    if (!receipt && dialog.open) dialog.close();
  }
}
