// The ways out of a number: down to the factor that adds most, all the way to the pixels that made it, and up
// to what it feeds, with how much of the prediction hangs on it.

import { largestAt } from "./arrays.js";
import { ablation, Gradient, influence } from "./backward.js";
import { button, closest, reducedMotion } from "./dom.js";
import { farOf } from "./far_numbers.js";
import { number, probability, signed } from "./numbers.js";
import { cellKey, cellOfKey, isVector, sameCell } from "./scene.js";
import { feeds, follow, scoreOf, toPixels } from "./tracing.js";
import { cellName, escapeHtml, plural, shortPlace, stageName } from "./words.js";

/** @import { View } from "./view.js" */

/** Milliseconds that each step of the way to the pixels stays. */
const PACE = 420;

/** Why a way ends where it does. */
const ENDS = {
  pixel: "Here the way ends: a pixel with ink.",
  paper: "Here the way ends: a pixel of paper.",
  "same on blank paper": "Here the way ends: this number would be the same on blank paper.",
  "only bias": "Here the way ends: nothing that goes in adds anything, only the bias is left.",
  padding: "Here the way ends: on padding.",
  unknown: "Here the way ends: how this number was made is not known to this page.",
};

/**
 * @param {View} view
 */
export function directing(view) {
  return new Directing(view);
}

class Directing {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.up = false;
    view.root.addEventListener("keydown", (event) => this.keyed(event));
    view.receipt.element.addEventListener("click", (event) => {
      const fed = closest(event, "[data-up]");
      if (!fed) return;
      view.pin(cellOfKey(fed.dataset.up));
      view.receipt.focusHead();
    });
  }

  receiptShown(panel) {
    const { view } = this;
    const actions = panel.element.querySelector(".cv-ractions");
    const isInput = view.scene.stages[view.pinned.stage].op.type === "input";
    const ways = document.createElement("span");
    ways.className = "cv-ways";
    if (!isInput) {
      ways.append(this.way("Follow the largest", "F", () => this.followLargest()), this.way("To the pixels", "P", () => this.walkDown()));
    }
    if (view.scene.readers[view.pinned.stage].length) {
      const turn = this.way(this.up ? "What it is made of" : "What it feeds", "U", () => this.turn());
      turn.setAttribute("aria-pressed", String(this.up));
      ways.append(turn);
    }
    actions.prepend(ways);
    if (this.up && view.scene.readers[view.pinned.stage].length) panel.upward = (holder) => this.writeUp(holder);
  }

  way(words, key, run) {
    const made = button(words, run);
    made.insertAdjacentHTML("beforeend", ` <kbd>${key}</kbd>`);
    made.setAttribute("aria-keyshortcuts", key);
    return made;
  }

  keyed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || closest(event, "input, select, textarea, .cv-pad")) return;
    const { view } = this;
    const run = { f: () => this.followLargest(), p: () => this.walkDown(), u: () => this.turn() }[event.key.toLowerCase()];
    if (!run || !view.pinned) return;
    event.preventDefault();
    run();
  }

  // Down --------------------------------------------------------------------------------------------

  /** One step, through what only finishes a layer: its receipt tells of that too. */
  followLargest() {
    const { view } = this;
    this.stop();
    let at = view.pinned;
    let step = follow(view.scene, view.values, at);
    while (step?.to && this.within(step.to, at)) {
      at = step.to;
      step = follow(view.scene, view.values, at);
    }
    if (step?.to) view.follow(step.to);
    else if (step) view.say(ENDS[step.reason] ?? ENDS["only bias"]);
    view.receipt.focusHead();
  }

  /** Whether a cell is told of in the receipt of another one: the same cell earlier in the same column. */
  within(cell, from) {
    const { seenAs } = this.view.network;
    return seenAs.get(cell.stage) === seenAs.get(from.stage) && this.view.scene.stages[from.stage].op.type !== "softmax";
  }

  /** All the way, a step at a time, until it ends or somebody touches anything. */
  walkDown() {
    const { view } = this;
    this.stop();
    const start = view.pinned;
    if (farOf(view.values)) {
      this.walkFar(start);
      return;
    }
    const { steps, end, at } = toPixels(view.scene, view.values, start);
    const cells = [start, ...steps.map(({ to }) => to)];
    // Of a column's cells the last is the one whose receipt tells of all.
    const way = cells.filter((cell, i) => i > 0 && (sameCell(cell, at) || !this.within(cell, cells[i - 1])));
    const trail = view.trail.slice();
    const ended = () => view.say(`${ENDS[end]} ${cellName(view.scene, at)}: ${number(view.valueOf(at))}.`);
    if (reducedMotion().matches) {
      view.walk([...trail, ...way]);
      ended();
      return;
    }
    const next = () => {
      const cell = way.shift();
      if (!cell) {
        this.walking = null;
        ended();
        return;
      }
      trail.push(cell);
      this.ours = true;
      view.walk(trail.slice());
      this.ours = false;
      this.walking = setTimeout(next, PACE);
    };
    next();
  }

  /** All the way where numbers come as they are seen: each step is taken when its receipt is there. */
  async walkFar(start) {
    const { view } = this;
    let at = start;
    this.walking = -1;
    for (;;) {
      if (!(await view.ready(at)) || this.walking === null) return;
      const step = follow(view.scene, view.values, at);
      if (!step?.to) {
        this.walking = null;
        view.say(`${ENDS[step?.reason] ?? ENDS["only bias"]} ${cellName(view.scene, at)}: ${number(view.valueOf(at))}.`);
        return;
      }
      const inside = this.within(step.to, at);
      at = step.to;
      if (inside) continue;
      this.ours = true;
      view.walk([...view.trail, at]);
      this.ours = false;
      if (!reducedMotion().matches) await new Promise((resume) => setTimeout(resume, PACE));
    }
  }

  stop() {
    clearTimeout(this.walking);
    this.walking = null;
  }

  /** Somebody went another way. */
  walked() {
    if (!this.ours) this.stop();
  }

  destroy() {
    this.stop();
  }

  escape() {
    if (!this.walking) return false;
    this.stop();
    return true;
  }

  // Up ----------------------------------------------------------------------------------------------

  turn() {
    this.up = !this.up;
    this.view.receipt.show();
    this.view.refresh();
    this.view.receipt.focusHead();
  }

  /** In place of the factors: how much of the prediction hangs on the cell, and what it feeds, as much as fits. */
  writeUp(holder) {
    if (farOf(this.view.values)) {
      const fed = this.view.scene.readers[this.view.pinned.stage].map((s) => escapeHtml(stageName(this.view.scene.stages[s])));
      holder.innerHTML = `<p class="cv-hangs">It feeds ${fed.join(" and ")}. How much of the prediction hangs on it is not worked out in the page for a network of this size: in Python, <code>run.gradient</code> says it.</p>`;
      return;
    }
    const hangs = this.influenceWords(this.view.pinned);
    holder.dataset.kind = "feeds";
    for (let most = Math.max(2, this.view.rowsIn(holder)); most > 0; most--) {
      holder.innerHTML = hangs + this.fedWords(most);
      if (holder.scrollHeight <= holder.clientHeight) return;
    }
  }

  fedWords(most) {
    const { scene, values, pinned } = this.view;
    const parts = feeds(scene, values, pinned, { most, part: 1 }).map(({ stage, count, fed }) => {
      if (!fed) return `<p class="cv-uphead">${escapeHtml(stageName(stage))}: not known what it adds to ${plural(count, "cell")}</p>`;
      const list = fed.shown.map((each) => this.fedRow(each));
      const more = fed.folded.length ? `<div class="cv-row cv-rest"><i></i><span class="cv-rowname">${plural(fed.folded.length, "other")}</span></div>` : "";
      const some = count - fed.shown.length - fed.folded.length;
      const nothing = some ? `, to ${some.toLocaleString("en-GB")} of which it adds nothing now` : "";
      return `<p class="cv-uphead">It feeds ${plural(count, "cell")} of ${escapeHtml(stageName(stage))}${nothing}</p>${list.join("")}${more}`;
    });
    return parts.join("");
  }

  fedRow({ to, weight, product }) {
    const { scene, colours } = this.view;
    const colour = product < 0 ? colours.around.negative : colours.around.positive;
    const stage = scene.stages[to.stage];
    const name = isVector(stage) ? cellName(scene, to) : shortPlace(stage, to);
    return `<button type="button" tabindex="-1" class="cv-row" data-up="${cellKey(to)}"><i style="width:16px;background:${colour}"></i>
      <span class="cv-rowname">${escapeHtml(name)}</span><span class="cv-rowsum">× ${number(weight, 3)} = ${signed(product, 3)}</span></button>`;
  }

  /** The two measures, each called what it is. */
  influenceWords(cell) {
    const { view } = this;
    const { scene, values } = view;
    const { output, classes } = scene;
    if (!scene.predicts || !view.network.bars || cell.stage >= output.index) return "";
    const channel = largestAt(values[output.index]);
    const likely = { stage: output.index, row: 0, col: 0, channel };
    const score = scoreOf(scene, likely);
    // One pass for both: the way to the probability leads through the score.
    const both = ablation(scene, values, cell, output.index);
    const ablate = (_scene, _values, _cell, { stage, channel }) =>
      both && /** @type {[number, number]} */ (both.map((numbers) => numbers[stage][channel]));
    const name = classes[channel] ?? channel;
    const lines = [];
    if (!sameCell(score, cell)) {
      const { product, after, before } = influence(scene, values, cell, score, this.gradientOf(score), ablate);
      if (product !== null) lines.push(`gradient × value <b>${signed(product, 3)}</b> (to first order)`);
      if (after !== null) lines.push(`set to 0: <b>${number(before)}</b> becomes <b>${number(after)}</b>`);
      if (lines.length) lines[0] = `Of the logit ${escapeHtml(name)}: ${lines[0]}`;
    }
    const { before, after } = influence(scene, values, cell, likely, this.gradientOf(likely), ablate);
    const whose = lines.length ? "its probability" : `The probability of ${escapeHtml(name)}`;
    if (after !== null) lines.push(`${whose}, set to 0: <b>${probability(before)}</b> becomes <b>${probability(after)}</b>`);
    return lines.length ? `<p class="cv-hangs">${lines.join("; ")}</p>` : "";
  }

  /** A target's gradient, worked out once for the numbers that are shown. */
  gradientOf(target) {
    const key = [target.stage, target.channel].join();
    if (this.gradients?.values !== this.view.values) this.gradients = { values: this.view.values, known: new Map() };
    const { known } = this.gradients;
    if (!known.has(key)) known.set(key, new Gradient(this.view.scene, this.view.values, target));
    return known.get(key);
  }
}

