// The receipt of the pinned cell as it is read: every factor, every partial sum, and what follows.

import { largestAt } from "./arrays.js";
import { closest, scrolling } from "./dom.js";
import { agreeing, exact, formed, formOf, number, powerText, probability, signed } from "./numbers.js";
import { largestOf, receiptOf } from "./receipt.js";
import { STEPS } from "./receipt_steps.js";
import { cellKey, isVector } from "./scene.js";
import { Surface } from "./surface.js";
import { cellName, channelName, escapeHtml, placeText, plural, stageName } from "./words.js";

/** @import { Weight } from "./receipt.js" */
/** @import { View } from "./view.js" */

/** So many pixels at the top of a page may lie under a header that stays. */
const COVERED = 64;
/** More cells of a grid are not drawn one by one: their map is in the overview. */
const MANY = 2500;
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

  /** Go to where a receipt begins: its name and its value come into sight and get the focus. */
  toHead() {
    this.focusHead();
    const head = this.element.querySelector(".cv-rhead") ?? this.element;
    const top = this.element.getBoundingClientRect().top;
    if (top >= COVERED && head.getBoundingClientRect().bottom <= window.innerHeight) return;
    this.element.scrollIntoView({ block: "start", behavior: scrolling() });
  }

  write() {
    const { view } = this;
    this.local = null;
    this.steps = view.pinned ? this.chain(view.pinned) : [];
    if (!view.pinned) {
      this.invite();
      return;
    }
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

  /** Beside a value that was set by hand: what was computed. */
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
    const name = predicts ? `${scene.classes[channel]}, ${probability(scores[channel])}` : cellName(scene, cell);
    this.element.innerHTML = `<p class="cv-invite">Point at any cell to see what it sees and what it feeds.
      Click it for its receipt, then follow any factor one layer down, until the pixels.
      <button type="button" class="cv-button cv-start">Start at ${predicts ? "the prediction: " : ""}${escapeHtml(name)}</button></p>`;
    this.element.querySelector(".cv-start").onclick = () => {
      this.view.pin(cell);
      this.toHead();
    };
  }

  /** The receipts from the last sum or choice up to the cell; the steps that only finish it are told with it. */
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
    return `${stageName(stage)}, ${placeText(stage, cell)}`;
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
    return `<section class="cv-step" data-step="${i}">${STEPS[step.type](this, step, i)}</section>`;
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
  grid(step, i, group, g, role, form = null) {
    const { colours } = this.view;
    if (group.terms.length > MANY) return `<span class="cv-small">${plural(group.terms.length, "cell")}, too many to list</span>`;
    const tiny = group.cols > 6;
    const scale = this.scaleOf(step, role);
    const written = form ?? formOf(scale.limit);
    const power = tiny ? "" : powerText(written);
    const cells = group.terms.map((term, t) => {
      const value = { x: term.x, w: term.weight?.value, p: term.product }[role];
      const key = `${i}.${g}.${t}`;
      if (role === "x" && !term.from) return `<span class="cv-cell cv-pad0" data-term="${key}">${tiny ? "" : term.x ? formed(term.x, written) : "pad"}</span>`;
      const text = tiny ? "" : formed(value, written, scale.kind === "signed");
      const style = `background:${colours.css(value, scale)};color:${colours.inkOn(value, scale)}`;
      const won = step.winner === t ? " cv-won" : "";
      if (role !== "x") return `<span class="cv-cell" data-term="${key}" data-role="${role}" style="${style}">${text}</span>`;
      const label = `${this.heading(term.from)}: ${number(value)}`;
      return `<button type="button" tabindex="-1" class="cv-cell${won}" data-term="${key}" data-role="x"
        aria-label="${escapeHtml(label)}" style="${style}">${text}</button>`;
    });
    const name = { x: "input", w: "kernel", p: "products" }[role];
    return `<span class="cv-grid${tiny ? " cv-tiny" : ""}" role="group" aria-label="${name}"
      style="--cols:${group.cols}">${cells.join("")}</span>${power ? `<small class="cv-power">${power}</small>` : ""}`;
  }

  scaleOf(step, role) {
    const { view } = this;
    if (role === "x") {
      const source = step.groups[0].terms.find((term) => term.from)?.from.stage ?? step.stage.reads[0];
      return view.scales.of(source, 0, "layer");
    }
    step.limits ??= {};
    step.limits[role] ??= largestOf(step.groups, (term) => (role === "w" ? term.weight.value : term.product));
    return { kind: "signed", limit: step.limits[role] };
  }

  proof(last) {
    const { view } = this;
    const value = exact(last.value);
    if (this.undoOf(last)) {
      const computed = last.total === undefined ? "" : `computed <b>${exact(last.total)}</b>, `;
      return `<span>${computed}set to <b>${value}</b> by hand</span>`;
    }
    const total = last.total === undefined ? "" : `<span>adds up to <b>${exact(last.total)}</b></span>
      <span>rounding left over <b>${last.residual === 0 ? "0" : number(last.residual, 3)}</b></span>`;
    const engine = view.engine ?? "NumPy";
    return `<span>${engine} <b>${value}</b></span>${total}<span class="cv-authority">${this.authority(last)}</span>`;
  }

  /** What is known of TensorFlow's number for this cell, or for this layer. */
  authority({ stage, cell, value }) {
    const words = this.view.authority?.(stage, cell, value);
    if (words) return words;
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
    holder.hidden = isVector(stage);
    if (holder.hidden) return;
    const size = Math.max(1, Math.floor(174 / Math.max(rows, cols)));
    const rect = { stage: cell.stage, channel: cell.channel, x: 3, y: 3, width: cols * size, height: rows * size, rows, cols };
    holder.innerHTML = `<div class="cv-map"></div><p></p>`;
    holder.querySelector("p").textContent = `${stageName(stage)}${stage.shape[2] > 1 ? `, ${channelName(stage, cell.channel)}` : ""}`;
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
    this.light((cell && this.byCell?.get(cellKey(cell))) ?? null, false);
  }

  listTerms() {
    this.byCell = new Map();
    this.steps.forEach((step, i) =>
      step.groups.forEach((group, g) =>
        group.terms.forEach((term, t) => {
          const key = term.from && cellKey(term.from);
          if (key && !this.byCell.has(key)) this.byCell.set(key, `${i}.${g}.${t}`);
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
    if (!key) return;
    const sum = key.split(".").slice(0, 2).join(".");
    const partners = this.element.querySelectorAll(`[data-term="${key}"], [data-sum="${sum}"]`);
    partners.forEach((element) => element.classList.add("cv-hot"));
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
    const look = (at, ...how) => {
      if (!at) return;
      view.look(this.termOf(at.dataset.term).term.from, ...how);
      this.light(at.dataset.term);
    };
    element.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "touch") look(termAt(event), event.timeStamp, true);
    });
    element.addEventListener("pointerout", (event) => {
      if (!termAt(event) || event.relatedTarget?.closest?.("[data-term]")) return;
      view.look(null);
      this.light(null);
    });
    element.addEventListener("click", (event) => {
      const at = closest(event, "[data-crumb], [data-back], [data-undo], [data-all], [data-term]");
      const { crumb, back, undo, all, term } = at?.dataset ?? {};
      if (crumb) view.walk(view.trail.slice(0, Number(crumb) + 1));
      if (back !== undefined) view.back();
      if (crumb || back !== undefined) this.toHead();
      if (undo) this.undoOf(this.steps[Number(undo)])();
      if (all !== undefined) {
        this.all = true;
        this.show();
      }
      if (term) this.clicked(at);
    });
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("focusin", (event) => {
      if (event.target.matches(":focus-visible")) look(termAt(event));
    });
    element.addEventListener("focusout", () => view.look(null));
  }

  clicked(at) {
    const { term } = this.termOf(at.dataset.term);
    if (at.dataset.role === "w" && term.weight.name && this.editWeight?.(term.weight, at)) return;
    if (!term.from) return;
    this.view.follow(term.from);
    this.toHead();
  }

  /** Arrow keys walk the inputs of a receipt, in reading order or by the shape of their grid; from its head to the first. */
  pressed(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = closest(event, "button[data-term]");
    let next = step > 0 && event.target.matches?.("h2") && this.element.querySelector('[data-term][tabindex="0"]');
    if (at && step) {
      const all = [...this.element.querySelectorAll("button[data-term]")];
      const far = event.key === "ArrowUp" || event.key === "ArrowDown" ? this.termOf(at.dataset.term).group.cols : 1;
      next = all[all.indexOf(at) + step * far] ?? (step > 0 ? all.at(-1) : all[0]);
      at.tabIndex = -1;
      next.tabIndex = 0;
    }
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}
