// The receipt of the pinned cell, beside the network: what decided first, what the rest adds, what follows.

import { largestAt, maximum } from "./arrays.js";
import { FINISHING } from "./cone.js";
import { contributionsOf } from "./contributions.js";
import { closest, focusIn } from "./dom.js";
import { agreeing, exact, formed, formOf, number, powerText, probability, signed } from "./numbers.js";
import { largestOf, receiptOf } from "./receipt.js";
import { factorForms, STEPS } from "./receipt_steps.js";
import { cellIndex, isVector, sameCell } from "./scene.js";
import { readShape } from "./windows.js";
import { cellName, escapeHtml, placeText, plural, shortPlace, stageName } from "./words.js";

/** @import { Weight } from "./receipt.js" */
/** @import { View } from "./view.js" */

/** More cells of a grid are not drawn one by one: their map is in the network. */
const MANY = 2500;
/** More rows of a list are not written, however large the screen. */
const MOST_ROWS = 60;
/** Kinds of arithmetic whose factors are listed. */
const LISTED = ["weighted", "contracted", "sampled", "max", "mean", "softmax", "merge"];

export class ReceiptPanel {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.element = view.part("receipt");
    /** @type {import("./receipt.js").Receipt[]} */
    this.steps = [];
    /** @type {((weight: Weight, at: HTMLElement) => boolean) | null} answers a click on a kernel's cell */
    this.editWeight = null;
    this.answer(this.element);
    this.element.addEventListener("click", (event) => this.clickedAround(event));
    this.element.addEventListener("keydown", (event) => {
      const open = event.key === "Escape" && this.element.querySelector("details[open]");
      if (!open) return;
      open.open = false;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Write the receipt anew; the focus stays in it if it was. */
  show() {
    const focused = this.element.contains(focusIn(this.element));
    this.lit = null;
    const { pinned } = this.view;
    this.steps = pinned && !this.view.needs(pinned) ? this.chain(pinned) : [];
    this.write();
    if (focused && focusIn(this.element) === null) this.focusHead();
  }

  focusHead() {
    this.element.querySelector("h2, .cv-start").focus({ preventScroll: true });
  }

  write() {
    const { view } = this;
    this.element.dataset.pinned = view.pinned ? "yes" : "";
    if (!view.pinned) {
      this.invite();
      return;
    }
    if (!this.steps.length) {
      this.await();
      return;
    }
    const last = this.steps[this.steps.length - 1];
    const [first, ...finishing] = this.steps;
    this.element.innerHTML = `
      ${this.crumbs()}
      <div class="cv-rhead"><h2 tabindex="-1"></h2><span class="cv-rvalue">${number(last.value)}</span></div>
      <div class="cv-steps">${this.step(first, 0)}${finishing.map((step, i) => this.step(step, i + 1)).join("")}</div>
      <div class="cv-ranked"></div>
      <p class="cv-readout">${this.hint()}</p>
      <span class="cv-ractions"></span>
      <div class="cv-proof">${this.proof(last)}</div>`;
    this.element.querySelector("h2").textContent = this.heading(view.pinned);
    this.foldCrumbs();
    /** @type {((holder: HTMLElement) => void) | null} lists something else in place of the factors */
    this.upward = null;
    for (const extension of view.extensions) extension.receiptShown?.(this);
    // Last, when it is known how much room is left.
    const holder = this.element.querySelector(".cv-ranked");
    if (this.upward) this.upward(holder);
    else this.rank();
    this.listTerms(this.element);
  }

  /** The factors that add most, as many as fit; the others together in the last row. */
  rank() {
    const holder = this.element.querySelector(".cv-ranked");
    const step = this.steps[0];
    const listed = LISTED.includes(step.type);
    holder.hidden = !listed;
    if (!listed) return;
    const fit = Math.max(2, Math.min(MOST_ROWS, this.view.rowsIn(holder)));
    const count = step.groups.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
    const ranking = contributionsOf(step, { most: count <= fit ? count : fit - 1, part: 1 });
    const { shown, left } = ranking;
    const largest = Math.abs(shown[0]?.product) || 1;
    const forms = this.formsOf(shown);
    const { colours } = this.view;
    const rows = shown.map((each) => {
      const name = this.termName(step, each);
      const width = `${Math.min(100, (100 * Math.abs(each.product)) / largest) || 0}%`;
      const colour = each.product < 0 ? colours.around.negative : colours.around.positive;
      const own = step.winner === each.term || step.self === each.term;
      const key = `0.${each.group}.${each.term}`;
      const inside = `<i style="width:${width};background:${colour}"></i><span class="cv-rowname">${escapeHtml(name)}</span>
        <span class="cv-rowsum">${this.product(each, forms)}</span><span class="cv-rowshare">${shareText(step, ranking, each.share)}</span>`;
      if (!each.from) return `<div class="cv-row cv-rest" data-term="${key}">${inside}</div>`;
      return `<button type="button" tabindex="-1" class="cv-row${own ? " cv-won" : ""}" data-term="${key}" data-role="x"
        aria-label="${escapeHtml(`${name}: ${this.product(each, forms)}`)}">${inside}</button>`;
    });
    if (!shown.length) rows.push(`<div class="cv-row cv-rest"><i></i><span class="cv-rowname">nothing goes in but zeros</span></div>`);
    else if (left) rows.push(this.restRow(step, ranking, forms));
    holder.dataset.kind = step.type;
    holder.innerHTML = rows.join("");
  }

  restRow(step, ranking, forms) {
    const { left, leftShare, rest, adds } = ranking;
    return `<div class="cv-row cv-rest"><i></i><span class="cv-rowname">${plural(left, "other")}</span>
      <span class="cv-rowsum">${adds && forms.p ? signedForm(rest, forms.p) : ""}</span><span class="cv-rowshare">${shareText(step, ranking, leftShare)}</span></div>`;
  }

  /** How the numbers of a list are written: one form for each column. */
  formsOf(terms) {
    if (!terms.length) return {};
    const limit = (of) => maximum(terms.map((term) => Math.abs(of(term))), 0) || 1;
    if (!terms[0].weight) return { x: formOf(limit((term) => term.x), 4) };
    return factorForms(terms, formOf(limit((term) => term.product), 3, [-3, 7]));
  }

  product(term, forms) {
    if (term.weight) {
      const [x, w] = [formed(term.x, forms.x), formed(term.weight.value, forms.w)];
      return `${powered(x, forms.x)} × ${powered(w, forms.w)} = ${signedForm(term.product, forms.p)}`;
    }
    return powered(formed(term.x, forms.x), forms.x);
  }

  termName(step, term) {
    const { scene } = this.view;
    if (step.type === "softmax") return `logit ${step.stage === scene.output ? scene.classes[term.term] : term.term}`;
    if (!term.from) return "padding";
    const source = scene.stages[term.from.stage];
    if (isVector(source)) return cellName(scene, term.from);
    const several = new Set(step.stage.reads).size > 1 ? `${stageName(source)} ` : "";
    return several + shortPlace(source, term.from);
  }

  /** Every step with all its words and numbers, for where there is room for nothing but it. */
  whole() {
    return this.steps.map((step, i) => this.step(step, i)).join("");
  }

  /** What to do first, where nothing is pinned. */
  invite() {
    const { scene, values } = this.view;
    const { output } = scene;
    const scores = values[output.index];
    const channel = isVector(output) ? largestAt(scores) : 0;
    const cell = { stage: output.index, row: output.shape[0] >> 1, col: output.shape[1] >> 1, channel };
    const { predicts } = scene;
    const name = predicts ? `${scene.classes[channel]}, ${probability(scores[channel])}` : cellName(scene, cell);
    this.element.innerHTML = `<p class="cv-invite">Click any number for its receipt: what it was computed from.
      Follow a factor down, layer by layer, until the pixels. Click a layer’s name to see it large.</p>
      <button type="button" class="cv-button cv-start">${predicts ? "Why " : "Receipt of "}${escapeHtml(name)}${predicts ? "?" : ""}</button>`;
    this.element.querySelector(".cv-start").onclick = () => {
      this.view.pin(cell);
      this.focusHead();
    };
  }

  /** Its numbers are on their way, or nobody has them. */
  await() {
    const { view } = this;
    const words = view.asking
      ? "Python is asked for its numbers …"
      : "The numbers of this receipt were left out of this file, which would be too large with them.";
    this.element.innerHTML = `${this.crumbs()}<div class="cv-rhead"><h2 tabindex="-1"></h2></div><p class="cv-readout${view.asking ? " cv-passing" : ""}" data-left-out>${words}</p>`;
    this.element.querySelector("h2").textContent = this.heading(view.pinned);
    this.foldCrumbs();
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
    const { trail } = this.view;
    return `<nav class="cv-crumbs" aria-label="The way down"${trail.length > 1 ? "" : " data-one"}><ol>${this.way(trail.length <= 5 ? 5 : 3)}</ol>
      <button type="button" class="cv-plain" data-back>${trail.length > 1 ? "Back" : "Close"}</button></nav>`;
  }

  /** Of a way that does not fit the beginning, and as much of its end as does. */
  foldCrumbs() {
    const list = /** @type {HTMLElement} */ (this.element.querySelector(".cv-crumbs ol"));
    for (let last = 2; last > 0 && list.scrollHeight > list.clientHeight + 1; last--) list.innerHTML = this.way(last);
  }

  /** The way down: where it began, and so many of its last cells. @param {number} last */
  way(last) {
    const { trail, scene } = this.view;
    const shown = trail.map((cell, i) => ({ cell, i })).filter(({ i }) => i === 0 || i >= trail.length - last);
    return shown.map(({ cell, i }, n) => {
      const here = i === trail.length - 1;
      const name = escapeHtml(cellName(scene, cell));
      const left = n && shown[n - 1].i !== i - 1 ? `<li>… ${i - shown[n - 1].i - 1}</li>` : "";
      return `${left}<li><button type="button" data-crumb="${i}" ${here ? 'aria-current="true"' : ""}>${name}</button></li>`;
    }).join("");
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
    return `<section class="cv-step">${STEPS[step.type](this, step, i)}</section>`;
  }

  /** What a step comes to; a number that was set by hand is not what was computed, and says so. */
  outcome(step, i, result = this.byHand(step) ? step.total : step.value) {
    return `<b>${number(result)}</b>${this.setByHand(step)}`;
  }

  setByHand(step) {
    return this.byHand(step) ? `, <b class="cv-byhand">set to ${number(step.value)} by hand</b>` : "";
  }

  /** Whether a number was set by hand: its channel is off, or it was painted. */
  byHand({ stage, cell }) {
    const index = cellIndex(stage, cell);
    return this.view.changes.some((change) =>
      (change.kind === "channel" && change.stage === stage.name && change.channel === cell.channel) ||
      (change.kind === "values" && change.stage === stage.name && change.at.includes(index)));
  }

  /** The weight of an element that can be turned. */
  weightOf(element) {
    if (element.dataset.turn === "bias") return this.steps[0].bias;
    return this.termOf(element.dataset.term).term.weight;
  }

  largestWeight() {
    const step = this.steps[0];
    return step.groups.length ? largestOf(step.groups, (term) => term.weight?.value ?? 0) : Math.abs(step.bias?.value ?? 1);
  }

  /** A grid of cells with their colours, and their numbers if these fit; `role` says which part of a term they show. */
  grid(step, i, group, g, role, textual = true) {
    const { colours } = this.view;
    if (group.terms.length > MANY) return `<span class="cv-small">${plural(group.terms.length, "cell")}, too many to list</span>`;
    const scale = this.scaleOf(step, role);
    const written = formOf(scale.limit);
    const power = textual ? powerText(written) : "";
    const cells = group.terms.map((term, t) => {
      const value = { x: term.x, w: term.weight?.value, p: term.product }[role];
      const key = `${i}.${g}.${t}`;
      if (role === "x" && !term.from) return `<span class="cv-cell cv-pad0" data-term="${key}">${textual ? (term.x ? formed(term.x, written) : "pad") : ""}</span>`;
      const text = textual ? formed(value, written, scale.kind === "signed") : "";
      const style = `background:${colours.css(value, scale)};color:${colours.inkOn(value, scale)}`;
      const won = step.winner === t ? " cv-won" : "";
      if (role === "w" && term.weight.name) {
        return `<button type="button" tabindex="-1" class="cv-cell cv-turn" data-turn data-term="${key}" data-role="w"
          aria-label="weight ${number(value)}: drag it up or down, or press Enter to type" style="${style}">${text}</button>`;
      }
      if (role !== "x") return `<span class="cv-cell" data-term="${key}" data-role="${role}" style="${style}">${text}</span>`;
      const label = `${this.heading(term.from)}: ${number(value)}`;
      return `<button type="button" tabindex="-1" class="cv-cell${won}" data-term="${key}" data-role="x"
        aria-label="${escapeHtml(label)}" style="${style}">${text}</button>`;
    });
    const name = { x: "input", w: "kernel", p: "products" }[role];
    return `<span class="cv-grid" role="group" aria-label="${name}"
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
    if (this.byHand(last)) {
      const computed = last.total === undefined ? "" : `computed <b>${exact(last.total)}</b>, `;
      return `<span>${computed}set to <b>${value}</b> by hand</span>`;
    }
    const total = last.total === undefined ? "" : `<span>adds up to <b>${exact(last.total)}</b></span>
      <span>rounding left over <b>${last.residual === 0 ? "0" : number(last.residual, 3)}</b></span>`;
    const engine = view.shown || view.plain.items[view.item].computed ? "this page" : "NumPy";
    return `<span>${engine} <b>${value}</b></span>${total}<span class="cv-authority">${this.authority(last)}</span>${howExact(view.scene, last)}`;
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

  mark(cell) {
    this.light(cell && this.keyOf(cell), false);
  }

  /** Which term of the receipt a cell is, "step.group.term"; "" if it is none. */
  keyOf(cell) {
    for (const [i, { groups, stage }] of this.steps.entries()) {
      const [source] = stage.reads;
      // A group is a channel, as long as what is read is drawn as it is read.
      const apart = groups.length > 1 && source !== undefined && stage.op.rows && readShape(this.view.scene, stage)[2] === this.view.scene.stages[source].shape[2];
      for (const [g, group] of groups.entries()) {
        if (apart && (cell.stage !== source || group.channel !== cell.channel)) continue;
        const t = group.terms.findIndex(({ from }) => sameCell(from, cell));
        if (t >= 0) return `${i}.${g}.${t}`;
      }
    }
    return "";
  }

  /** Which term the keys come to first: the class's own logit, the cell that won, the largest. */
  listTerms(element) {
    const first = element.querySelector(".cv-won[data-term]") ?? element.querySelector("button[data-term]");
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
    const around = this.view.root;
    around.querySelectorAll(".cv-hot").forEach((element) => element.classList.remove("cv-hot"));
    if (!key) return;
    const sum = key.split(".").slice(0, 2).join(".");
    around.querySelectorAll(`[data-term="${key}"], [data-sum="${sum}"]`).forEach((element) => element.classList.add("cv-hot"));
  }

  describe(key) {
    const { term } = this.termOf(key);
    if (!term.from) return "padding: not part of the input";
    const where = escapeHtml(this.heading(term.from));
    if (!term.weight) return `${where}: <b>${number(term.x, 5)}</b>`;
    const [x, weight] = agreeing([term.x, term.weight.value], term.product, ([x, w]) => x * w, 5);
    return `${where}: <b>${x}</b> × <b>${weight}</b> = <b>${signed(term.product, 5)}</b>`;
  }

  /** Let an element's terms answer the pointer and the keys, wherever they are drawn. */
  answer(element) {
    const { view } = this;
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
      const at = termAt(event);
      if (at) this.clicked(at);
    });
    element.addEventListener("keydown", (event) => this.pressed(event, element));
    element.addEventListener("focusin", (event) => {
      if (event.target.matches(":focus-visible")) look(termAt(event));
    });
    element.addEventListener("focusout", () => view.look(null));
  }

  clickedAround(event) {
    const { view } = this;
    const at = closest(event, "[data-crumb], [data-back]");
    const { crumb, back } = at?.dataset ?? {};
    if (crumb) view.walk(view.trail.slice(0, Number(crumb) + 1));
    if (back !== undefined) view.walk(view.trail.slice(0, -1));
    if (crumb || back !== undefined) this.focusHead();
  }

  clicked(at) {
    const { term } = this.termOf(at.dataset.term);
    if (at.dataset.role === "w" && term.weight.name && this.editWeight?.(term.weight, at)) return;
    if (!term.from) return;
    this.view.follow(term.from);
    this.focusHead();
  }

  /** Arrow keys walk the inputs of a receipt, in the order of its list or by the shape of their grid; from its head to the first. */
  pressed(event, element) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = closest(event, "button[data-term]");
    let next = step > 0 && event.target.matches?.("h2") && element.querySelector('[data-term][tabindex="0"]');
    if (at && step) {
      const all = [...element.querySelectorAll("button[data-term]")];
      const grid = at.matches(".cv-cell") && (event.key === "ArrowUp" || event.key === "ArrowDown");
      const far = grid ? this.termOf(at.dataset.term).group.cols : 1;
      next = all[all.indexOf(at) + step * far] ?? (step > 0 ? all.at(-1) : all[0]);
      at.tabIndex = -1;
      next.tabIndex = 0;
    }
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

/** A number in a form, with its power of ten behind it. */
function powered(text, form) {
  const power = powerText(form);
  return power ? `${text}${power}` : text;
}

/** A share of the magnitudes; of a softmax it is a probability. */
function shareText(step, { kind }, share) {
  if (step.type === "softmax") return step.log ? "" : probability(share);
  if (kind !== "sum" || Number.isNaN(share)) return "";
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** The same with its sign. */
function signedForm(value, form) {
  return powered(formed(value, form, true), form);
}

/** How far this page and Python were found to lie apart, as the record that came with the page says it. */
function howExact({ header }, { stage }) {
  const { date, commit, networks, operations } = header.agreement ?? {};
  if (!operations) return "";
  const all = /** @type {[string, { cases: number, largest: number }][]} */ (Object.entries(operations));
  const count = (n) => n.toLocaleString("en-GB");
  const cases = all.reduce((sum, [, each]) => sum + each.cases, 0);
  const worst = all.reduce((a, b) => (b[1].largest > a[1].largest ? b : a));
  const share = (x) => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)} %`;
  const own = operations[stage.op.type];
  const here = own ? ` Of “${escapeHtml(stage.op.type)}”, as here, it was ${share(own.largest)} over ${count(own.cases)}.` : "";
  return `<details class="cv-exact"><summary>How exact?</summary><p>On ${escapeHtml(date)} this page’s engine was held against Python’s
    (commit ${escapeHtml(commit)}): ${count(networks)} generated networks with layers of every class, each also after changes, ${count(cases)} results.
    No number was further off than two float32 evaluations may be; the worst was ${share(worst[1].largest)} of that bound (“${escapeHtml(worst[0])}”).${here}</p></details>`;
}
