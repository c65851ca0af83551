// The receipt of the pinned cell as it is read: every factor, every partial sum, and what follows.

import { largestAt } from "./arrays.js";
import { closest, scrolling } from "./dom.js";
import { activationOf, mergeOf } from "./forward.js";
import { agreeing, beside, bracketed, digitsFor, exact, number, probability, signed } from "./numbers.js";
import { receiptOf } from "./receipt.js";
import { isVector } from "./scene.js";
import { Surface } from "./surface.js";
import { cellName, escapeHtml, plural, stageName } from "./words.js";

/** @import { Weight } from "./receipt.js" */
/** @import { View } from "./view.js" */

const CARDS = 32;
/** So many pixels at the top of a page may lie under a header that stays. */
const COVERED = 64;
const FINISHING = ["affine", "activation"];

export class ReceiptPanel {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.element = view.part("receipt");
    this.all = false;
    /** @type {((weight: Weight, at: HTMLElement) => boolean) | null} answers a click on a kernel's cell */
    this.editWeight = null;
    this.listen();
  }

  /** Write the receipt anew; the focus stays in it if it was. */
  show() {
    const focused = this.element.contains(this.element.getRootNode().activeElement);
    this.lit = null;
    this.write();
    if (focused && this.element.getRootNode().activeElement === null) this.focusHead();
  }

  focusHead() {
    this.element.querySelector("h2, .cv-start").focus({ preventScroll: true });
  }

  /** To where another receipt begins: its name and its value in sight, and the focus there. */
  toHead() {
    this.focusHead();
    const head = this.element.querySelector(".cv-rhead") ?? this.element;
    const top = this.element.getBoundingClientRect().top;
    if (top >= COVERED && head.getBoundingClientRect().bottom <= window.innerHeight) return;
    this.element.scrollIntoView({ block: "start", behavior: scrolling() });
  }

  write() {
    const { view } = this;
    if (!view.pinned) {
      this.steps = [];
      this.local = null;
      this.invite();
      return;
    }
    this.steps = this.chain(view.pinned);
    const last = this.steps[this.steps.length - 1];
    this.element.innerHTML = `
      ${this.crumbs()}
      <div class="cv-rhead"><h2 tabindex="-1"></h2><span class="cv-rvalue">${number(last.value)}</span>${this.instead(last)}
        <span class="cv-ractions"></span></div>
      <div class="cv-rbody"><div class="cv-local"></div>
        <div class="cv-steps"><p class="cv-readout">${this.hint()}</p>
        ${this.steps.map((step, i) => this.step(step, i)).join("")}
        <div class="cv-proof">${this.proof(last)}</div></div></div>`;
    this.element.querySelector("h2").textContent = this.heading(view.pinned);
    this.enlarge();
    this.listTerms();
    for (const extension of view.extensions) extension.receiptShown?.(this);
  }

  /** Beside the value: what it would be, had it not been set by hand. */
  instead(last) {
    if (!this.undoOf(last)) return "";
    return `<span class="cv-instead">computed <b>${number(last.total)}</b>${this.setByHand(last, this.steps.length - 1)}</span>`;
  }

  /** What to do first, where nothing is pinned. */
  invite() {
    const { scene, values } = this.view;
    const { output } = scene;
    const scores = values[output.index];
    const channel = isVector(output) ? largestAt(scores) : 0;
    const cell = { stage: output.index, row: output.shape[0] >> 1, col: output.shape[1] >> 1, channel };
    const predicts = isVector(output) && output.op.type === "softmax";
    const name = predicts
      ? `${scene.classes[channel]}, ${probability(scores[channel])}`
      : cellName(scene, cell);
    this.element.innerHTML = `<p class="cv-invite">Point at any cell to see what it sees and what it feeds.
      Click it for its receipt, then follow any factor one layer down, until the pixels.
      <button type="button" class="cv-button cv-start">Start at ${predicts ? "the prediction: " : ""}${escapeHtml(name)}</button></p>`;
    this.element.querySelector(".cv-start").onclick = () => {
      this.view.pin(cell);
      this.toHead();
    };
  }

  /** The receipts from the last sum or choice to the cell: what only finishes it is told in one go. */
  chain(cell) {
    const { scene, values } = this.view;
    const steps = [receiptOf(scene, values, cell)];
    while (FINISHING.includes(steps[0].type)) {
      steps.unshift(receiptOf(scene, values, steps[0].groups[0].terms[0].from));
    }
    return steps[0].type === "input" && steps.length > 1 ? steps.slice(1) : steps;
  }

  heading(cell) {
    const { scene } = this.view;
    const stage = scene.stages[cell.stage];
    if (isVector(stage)) return cellName(scene, cell);
    const channel = stage.shape[2] > 1 ? `, channel ${cell.channel}` : "";
    return `${stageName(stage)}, row ${cell.row}, column ${cell.col}${channel}`;
  }

  crumbs() {
    const { trail, scene } = this.view;
    const parts = trail.map((cell, i) => {
      const here = i === trail.length - 1;
      const name = escapeHtml(cellName(scene, cell));
      return `<li><button type="button" data-crumb="${i}" ${here ? 'aria-current="true"' : ""}>${name}</button></li>`;
    });
    return `<nav class="cv-crumbs" aria-label="The way down"><ol>${parts.join("")}</ol>
      <button type="button" class="cv-plain" data-back>${trail.length > 1 ? "Back" : "Close"} <kbd>Esc</kbd></button></nav>`;
  }

  hint() {
    const type = this.steps[0].type;
    if (type === "input") return "A pixel: here the way down ends.";
    if (type === "given") return "Not taken apart: here the way down ends.";
    if (type === "weighted") return "Point at a factor to see its partner; click an input to go one layer down.";
    return "Click an input to go one layer down.";
  }

  // The steps ---------------------------------------------------------------------------------------

  step(step, i) {
    const body = STEPS[step.type].call(this, step, i);
    return `<section class="cv-step" data-step="${i}">${body}</section>`;
  }

  /** What a step comes to; a channel that is set to 0 by hand says so, and offers the way back. */
  outcome(step, i, result = this.undoOf(step) ? step.total : step.value) {
    return `<b>${number(result)}</b>${this.setByHand(step, i)}`;
  }

  setByHand(step, i) {
    if (!this.undoOf(step)) return "";
    return `, <b class="cv-byhand">set to ${number(step.value)} by hand</b>
      <button type="button" class="cv-button cv-undo" data-undo="${i}">Undo</button>`;
  }

  undoOf(step) {
    return this.view.undoOf?.(step) ?? null;
  }

  /** A grid of cells with their colours; `role` says which part of a term they show. */
  grid(step, i, group, g, role, words = null) {
    const { colours } = this.view;
    const tiny = group.cols > 6;
    const scale = this.scaleOf(step, role);
    const cells = group.terms.map((term, t) => {
      const value = { x: term.x, w: term.weight?.value, p: term.product }[role];
      const key = `${i}.${g}.${t}`;
      if (role === "x" && !term.from) return `<span class="cv-cell cv-pad0" data-term="${key}">${tiny ? "" : "pad"}</span>`;
      const text = words ?? (tiny ? "" : beside(value, scale.limit, scale.kind === "signed"));
      const style = `background:${colours.css(value, scale)};color:${colours.inkOn(value, scale)}`;
      const won = step.winner === t ? " cv-won" : "";
      if (role !== "x") return `<span class="cv-cell" data-term="${key}" data-role="${role}" style="${style}">${text}</span>`;
      const label = `${this.heading(term.from)}: ${number(value)}`;
      return `<button type="button" tabindex="-1" class="cv-cell${won}" data-term="${key}" data-role="x"
        aria-label="${escapeHtml(label)}" style="${style}">${text}</button>`;
    });
    const name = { x: "input", w: "kernel", p: "products" }[role];
    return `<span class="cv-grid${tiny ? " cv-tiny" : ""}" role="group" aria-label="${name}"
      style="--cols:${group.cols}">${cells.join("")}</span>`;
  }

  scaleOf(step, role) {
    const { view } = this;
    if (role === "x") {
      const source = step.groups[0].terms.find((term) => term.from)?.from.stage ?? step.stage.reads[0];
      return view.scales.of(source, 0, "layer");
    }
    step.limits ??= {};
    step.limits[role] ??= Math.max(
      1e-12,
      ...step.groups.flatMap((group) => group.terms.map((t) => Math.abs(role === "w" ? t.weight.value : t.product))),
    );
    return { kind: "signed", limit: step.limits[role] };
  }

  cards(step, i) {
    const shown = this.all ? step.groups : step.groups.slice(0, CARDS);
    const together = (all) => all.reduce((a, b) => a + b);
    const digits = digitsFor(step.groups.map(({ sum }) => sum), step.sum, together);
    const single = step.groups[0].terms.length === 1;
    const cards = shown.map((group, g) => {
      const name = step.groups.length > 1 || group.channel ? `channel ${group.channel}` : "";
      const texts = single ? factors(group.terms[0], digits) : {};
      const sum = single ? "" : `<b class="cv-sum" data-sum="${i}.${g}"><i>Σ</i> ${signed(group.sum, digits)}</b>`;
      return `<div class="cv-card"><span class="cv-ch">${name}</span>
        ${this.grid(step, i, group, g, "x", texts.x)}<i>×</i>${this.grid(step, i, group, g, "w", texts.w)}<i>=</i>
        ${this.grid(step, i, group, g, "p", texts.p)}${sum}</div>`;
    });
    const more = step.groups.length - shown.length;
    const button = more > 0
      ? `<button type="button" class="cv-button" data-all>Show the other ${plural(more, "channel")}</button>`
      : "";
    const { cols } = step.groups[0];
    const one = single ? " cv-single" : "";
    // Three grids of cells and the signs between them: as many cards beside each other as there is room for.
    const width = 3 * cols * (cols > 6 ? 9 : 34) + 48;
    return `<div class="cv-cards${one}" style="--card:${width}px">${cards.join("")}</div>${button}`;
  }

  proof(last) {
    const { view } = this;
    const value = exact(last.value);
    if (this.undoOf(last)) return `<span>computed <b>${exact(last.total)}</b>, set to <b>${value}</b> by hand</span>`;
    const total = last.total === undefined ? "" : `<span>adds up to <b>${exact(last.total)}</b></span>
      <span>rounding left over <b>${last.residual === 0 ? "0" : number(last.residual, 3)}</b></span>`;
    const engine = view.engine ?? "NumPy";
    return `<span>${engine} <b>${value}</b></span>${total}<span class="cv-authority">${this.authority(last)}</span>`;
  }

  /** What is known of TensorFlow's number for this cell, or for this layer. */
  authority({ stage, cell, value }) {
    const known = this.view.authority?.(stage, cell, value);
    if (known) return known;
    const { recorded } = this.view.scene.header;
    const difference = recorded.layers?.[stage.layer];
    if (difference === undefined) return "no comparison with TensorFlow is recorded for this network";
    const part = stage.part === "output" ? "" : "’s output";
    return `largest difference from TensorFlow recorded for this layer${part}, over ${recorded.images.toLocaleString(
      "en-GB",
    )} images: <b>${number(difference, 2)}</b>`;
  }

  // The map that the cell is on, enlarged -----------------------------------------------------------

  enlarge() {
    const { view } = this;
    const holder = this.element.querySelector(".cv-local");
    const cell = view.pinned;
    const stage = view.scene.stages[cell.stage];
    const [rows, cols] = stage.shape;
    this.local = null;
    if (isVector(stage)) {
      holder.hidden = true;
      return;
    }
    const size = Math.max(1, Math.floor(174 / Math.max(rows, cols)));
    const rect = { stage: cell.stage, channel: cell.channel, x: 3, y: 3, width: cols * size, height: rows * size, rows, cols };
    holder.innerHTML = `<div class="cv-map"></div><p></p>`;
    holder.querySelector("p").textContent = `${stageName(stage)}${stage.shape[2] > 1 ? `, channel ${cell.channel}` : ""}`;
    this.local = new Surface(holder.querySelector(".cv-map"));
    this.local.place([rect], cols * size + 6, rows * size + 6);
    this.local.draw(view.pictures.at, view.colours.around.line);
    view.overview.answer(this.local);
  }

  mark(cell) {
    if (this.local) {
      const { around } = this.view.colours;
      this.local.clear();
      const styles = {
        seen: { stroke: around.accent, width: 1.5, outside: 0.5, halo: around.background },
        cell: { stroke: around.ink, width: 2, outside: 1, halo: around.background },
      };
      const marks = this.view.marksOf(cell).map((mark) => (mark.style === "cell" ? mark : { ...mark, style: "seen" }));
      const own = this.view.marksOf(this.view.pinned).filter(({ style }) => style === "cell");
      this.local.mark([...marks, ...own], styles);
    }
    const terms = cell && this.byCell?.get([cell.stage, cell.row, cell.col, cell.channel].join());
    this.light(terms ?? null, false);
  }

  listTerms() {
    this.byCell = new Map();
    this.steps.forEach((step, i) =>
      step.groups.forEach((group, g) =>
        group.terms.forEach((term, t) => {
          if (!term.from) return;
          const { stage, row, col, channel } = term.from;
          const key = [stage, row, col, channel].join();
          if (!this.byCell.has(key)) this.byCell.set(key, `${i}.${g}.${t}`);
        }),
      ),
    );
    // The one that decides, if one does: the class's own logit, the cell that won.
    const deciding = this.element.querySelector(".cv-own button[data-term], .cv-won[data-term]");
    const first = deciding ?? this.element.querySelector("button[data-term]");
    if (first) first.tabIndex = 0;
  }

  // Pointing ----------------------------------------------------------------------------------------

  termOf(key) {
    const [i, g, t] = key.split(".").map(Number);
    return { step: this.steps[i], group: this.steps[i].groups[g], term: this.steps[i].groups[g].terms[t] };
  }

  /** Light up a term everywhere it stands: input, kernel, product, sum. */
  light(key, words = true) {
    const readout = this.element.querySelector(".cv-readout");
    if (readout && words) readout.innerHTML = key ? this.describe(key) : this.hint();
    if (key === this.lit) return;
    this.lit = key;
    this.element.querySelectorAll(".cv-hot").forEach((element) => element.classList.remove("cv-hot"));
    if (key) {
      this.element.querySelectorAll(`[data-term="${key}"]`).forEach((element) => element.classList.add("cv-hot"));
      const sum = key.split(".").slice(0, 2).join(".");
      this.element.querySelector(`[data-sum="${sum}"]`)?.classList.add("cv-hot");
    }
  }

  describe(key) {
    const { term } = this.termOf(key);
    if (!term.from) return "padding: not part of the input";
    const where = escapeHtml(this.heading(term.from));
    if (!term.weight) return `${where}: <b>${number(term.x, 5)}</b>`;
    const [x, weight] = agreeing([term.x, term.weight.value], term.product, ([x, w]) => x * w, 5);
    return `${where}: <b>${x}</b> × <b>${weight}</b> = <b>${signed(term.product, 5)}</b>`;
  }

  listen() {
    const { element, view } = this;
    const termAt = (event) => closest(event, "[data-term]");
    element.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      const at = termAt(event);
      if (!at) return;
      const { term } = this.termOf(at.dataset.term);
      view.look(term.from, event.timeStamp, true);
      this.light(at.dataset.term);
    });
    element.addEventListener("pointerout", (event) => {
      if (!termAt(event) || event.relatedTarget?.closest?.("[data-term]")) return;
      view.look(null);
      this.light(null);
    });
    element.addEventListener("click", (event) => {
      const crumb = closest(event, "[data-crumb]");
      if (crumb) view.walk(view.trail.slice(0, Number(crumb.dataset.crumb) + 1));
      if (closest(event, "[data-back]")) view.back();
      if (closest(event, "[data-crumb], [data-back]")) this.toHead();
      const undo = closest(event, "[data-undo]");
      if (undo) this.undoOf(this.steps[Number(undo.dataset.undo)])();
      if (closest(event, "[data-all]")) {
        this.all = true;
        this.show();
      }
      const at = termAt(event);
      if (at) this.clicked(at);
    });
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("focusin", (event) => {
      const at = termAt(event);
      if (!at || !at.matches(":focus-visible")) return;
      const { term } = this.termOf(at.dataset.term);
      view.look(term.from);
      this.light(at.dataset.term);
    });
    element.addEventListener("focusout", () => view.look(null));
  }

  clicked(at) {
    const { term } = this.termOf(at.dataset.term);
    if (at.dataset.role === "w" && this.editWeight?.(term.weight, at)) return;
    if (!term.from) return;
    this.view.follow(term.from);
    this.toHead();
  }

  /** Arrow keys walk the inputs of a receipt, in reading order or by the shape of their grid; from its head to the first. */
  pressed(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const first = step > 0 && event.target.matches?.("h2") && this.element.querySelector('[data-term][tabindex="0"]');
    if (first) {
      event.preventDefault();
      first.focus();
      return;
    }
    const at = closest(event, "button[data-term]");
    if (!at || !step) return;
    event.preventDefault();
    const all = [...this.element.querySelectorAll("button[data-term]")];
    const { group } = this.termOf(at.dataset.term);
    const far = event.key === "ArrowUp" || event.key === "ArrowDown" ? group.cols : 1;
    const next = all[all.indexOf(at) + step * far] ?? (step > 0 ? all[all.length - 1] : all[0]);
    at.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

// How each kind of step reads ------------------------------------------------------------------------

/** A step's t-th number, which can be followed to the cell it came from. */
function numberButton(i, t, text, label) {
  return `<button type="button" tabindex="-1" class="cv-number" data-term="${i}.0.${t}" data-role="x"
    aria-label="${escapeHtml(label)}">${text}</button>`;
}

/** A step's only number. */
function link(panel, i, text) {
  const { term } = panel.termOf(`${i}.0.0`);
  return numberButton(i, 0, text, term.from ? `${panel.heading(term.from)}: ${text}` : text);
}

/** The one product of a channel: what is written multiplies to what is written. */
function factors({ x, weight, product }, digits) {
  const [a, b] = agreeing([x, weight.value], product, ([a, b]) => a * b, digits);
  return { x: a, w: weight.value > 0 ? `+${b}` : b, p: signed(product, digits) };
}

const STEPS = {
  input(step) {
    const byte = step.value * 255;
    const whole = Math.abs(byte - Math.round(byte)) < 1e-3 && step.value >= 0 && step.value <= 1;
    const note = whole ? ` = ${Math.round(byte)}/255, where 0 is paper and 1 is ink` : "";
    return `<p class="cv-line">pixel <b>${number(step.value)}</b>${note}</p>`;
  },

  given(step, i) {
    return `<h3>${escapeHtml(stageName(step.stage))}: not taken apart</h3>
      <p class="cv-line">computed by Python: ${this.outcome(step, i)}</p>
      <p class="cv-small">This page knows no operation for a ${escapeHtml(step.stage.kind)} layer, so it shows Python's numbers.</p>`;
  },

  weighted(step, i) {
    const [group] = step.groups;
    const count = step.groups.length;
    const patch = group.terms.length === 1 ? "one cell" : `a patch of ${group.rows}×${group.cols}`;
    const channels = count > 1 ? ` in each of ${count} channels` : "";
    const parts = step.bias ? [step.sum, step.bias.value] : [step.sum];
    const [sum, added] = agreeing(parts, step.total, (all) => all.reduce((a, b) => a + b));
    const bias = step.bias
      ? ` <i>+</i> bias <b class="cv-bias" data-bias>${bracketed(added)}</b> <i>=</i> ${this.outcome(step, i, step.total)}`
      : this.setByHand(step, i);
    const sums = count > 1 ? `the ${count} sums together` : "sum";
    const sign = step.sum > 0 ? "+" : "";
    return `<h3>${escapeHtml(stageName(step.stage))}: ${patch}${channels}, times the kernel</h3>
      ${this.cards(step, i)}
      <p class="cv-line">${sums} <b>${sign}${sum}</b>${bias}</p>`;
  },

  affine(step, i) {
    const { scene } = this.view;
    const { parts, epsilon } = step.stage.op;
    const given = [step.groups[0].terms[0].x, step.a, step.b];
    const texts = agreeing(given, step.total, ([x, a, b]) => (step.form === "x*a+b" ? x * a + b : (x - a) / b));
    const x = link(this, i, bracketed(texts[0]));
    const [a, b] = texts.slice(1).map(bracketed);
    const sum = step.form === "x*a+b"
      ? `${x} <i>×</i> scale <b>${a}</b> <i>+</i> shift <b>${b}</b>`
      : `(${x} <i>−</i> mean <b>${a}</b>) <i>/</i> deviation <b>${b}</b>`;
    let words = "";
    if (parts) {
      const at = (name) => (parts[name] ? scene.data(parts[name])[step.cell.channel] : { gamma: 1, beta: 0 }[name]);
      const [gamma, beta, mean, variance] = ["gamma", "beta", "mean", "variance"].map(at);
      const scale = agreeing([gamma, variance], step.a, ([g, v]) => g / Math.sqrt(v + epsilon));
      const shift = agreeing([beta, mean, step.a], step.b, ([b, m, s]) => b - m * s);
      words = `<p class="cv-small">scale = γ / √(variance + ε) = ${scale[0]} / √(${scale[1]} + ${number(epsilon, 1)})
        = ${number(step.a)}; shift = β − mean × scale = ${shift[0]} − ${bracketed(shift[1])} × ${bracketed(shift[2])} = ${number(step.b)}</p>`;
    }
    return `<h3>${escapeHtml(stageName(step.stage))}: a scale and a shift for the channel</h3>
      <p class="cv-line">${sum} <i>=</i> ${this.outcome(step, i)}</p>${words}`;
  },

  activation(step, i) {
    const x = step.groups[0].terms[0].x;
    const plainRelu = step.name === "relu" && !Object.keys(step.stage.op.arguments).length;
    const label = escapeHtml(step.stage.label);
    const formula = plainRelu ? `${label}: the larger of 0 and` : `${label} of`;
    const note = plainRelu && x < 0 ? " <span>negative, so nothing passes</span>" : "";
    const { name, arguments: given } = step.stage.op;
    const [text] = agreeing([x], step.total, ([z]) => activationOf(name, given, z, step.slope));
    return `<p class="cv-line">${formula} ${link(this, i, text)} <i>=</i> ${this.outcome(step, i)}${note}</p>`;
  },

  max(step, i) {
    const winner = step.groups[0].terms[step.winner];
    const where = winner?.from ? ` at row ${winner.from.row}, column ${winner.from.col}` : "";
    return `<h3>${escapeHtml(stageName(step.stage))}: the largest of ${step.groups[0].terms.length} cells, in one channel</h3>
      <div class="cv-cards cv-one"><div class="cv-card">${this.grid(step, i, step.groups[0], 0, "x")}
      <i>→</i><b class="cv-sum">${number(step.total)}</b></div></div>
      <p class="cv-line">the largest${where} is ${this.outcome(step, i)}</p>`;
  },

  mean(step, i) {
    return `<h3>${escapeHtml(stageName(step.stage))}: the mean of ${plural(step.count, "cell")}, in one channel</h3>
      <div class="cv-cards cv-one"><div class="cv-card">${this.grid(step, i, step.groups[0], 0, "x")}</div></div>
      <p class="cv-line">sum <b>${agreeing([step.groups[0].sum], step.total, ([sum]) => sum / step.count)[0]}</b>
      <i>/</i> <b>${step.count}</b> <i>=</i> ${this.outcome(step, i)}</p>`;
  },

  softmax(step, i) {
    const { scene, colours } = this.view;
    const names = step.stage === scene.output ? scene.classes : null;
    const own = step.groups[0].terms[step.self];
    const [x, most, power, sum] = step.log
      ? agreeing([own.x, step.most, own.power, step.sum], step.total, ([x, most, , sum]) => x - most - Math.log(sum))
      : agreeing([own.x, step.most, own.power, step.sum], step.total, ([, , power, sum]) => power / sum);
    const rows = step.groups[0].terms.map((term, t) => {
      const share = term.power / step.sum;
      const itself = t === step.self;
      const name = names?.[t] ?? t;
      return `<tr class="${itself ? "cv-own" : ""}"><th scope="row">${escapeHtml(name)}</th>
        <td>${numberButton(i, t, number(term.x), `logit ${name}: ${number(term.x)}`)}</td>
        <td>${itself && !step.log ? power : number(term.power)}</td><td>${step.log ? "" : probability(share)}</td>
        <td class="cv-spark"><i style="width:${100 * share}%;background:${colours.around.positive}"></i></td></tr>`;
    });
    const shift = `x ${step.most < 0 ? "+" : "−"} ${number(Math.abs(step.most))}`;
    const line = step.log
      ? `${x} <i>−</i> ${bracketed(most)} <i>−</i> log <b>${sum}</b>`
      : `<b>${power}</b> <i>/</i> <b>${sum}</b>`;
    return `<h3>Softmax: each exponential over the sum of them all</h3>
      <table class="cv-table"><thead><tr><th scope="col">${names ? "class" : "unit"}</th><th scope="col">logit x</th>
      <th scope="col">e to the (${shift})</th><th scope="col">share</th><td></td></tr></thead><tbody>${rows.join("")}</tbody>
      <tfoot><tr><th scope="row">sum</th><td></td><td>${sum}</td><td></td><td></td></tr></tfoot></table>
      <p class="cv-line">${line} <i>=</i> ${this.outcome(step, i)}</p>
      <p class="cv-small">The largest logit is taken off first, which changes no share and keeps e to the x small.</p>`;
  },

  merge(step, i) {
    const sign = { add: "+", subtract: "−", multiply: "×", average: "+", maximum: ",", minimum: "," }[step.mode];
    const { terms } = step.groups[0];
    const texts = agreeing(terms.map(({ x }) => x), step.total, (all) => mergeOf(step.mode, all));
    const numbers = terms.map((term, t) => numberButton(i, t, bracketed(texts[t]), this.heading(term.from)));
    const joined = numbers.join(` <i>${sign}</i> `);
    const whole = {
      average: `(${joined}) <i>/</i> ${numbers.length}`,
      maximum: `the largest of ${joined}`,
      minimum: `the smallest of ${joined}`,
    }[step.mode] ?? joined;
    return `<h3>${escapeHtml(stageName(step.stage))}: cell by cell</h3>
      <p class="cv-line">${whole} <i>=</i> ${this.outcome(step, i)}</p>`;
  },

  move(step, i) {
    const [term] = step.groups[0].terms;
    const line = term.from
      ? `copied from ${escapeHtml(this.heading(term.from))}: ${link(this, i, number(term.x))}${this.setByHand(step, i)}`
      : "padding: <b>0</b>, read from nowhere";
    return `<h3>${escapeHtml(stageName(step.stage))}: numbers are moved, not changed</h3><p class="cv-line">${line}</p>`;
  },
};

