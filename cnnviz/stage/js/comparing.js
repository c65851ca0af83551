// TensorFlow's number for the cell whose receipt is open: a process of its own computes it.

import { exact, number } from "./numbers.js";
import { cellIndex } from "./scene.js";
import { escapeHtml } from "./words.js";

/** @import { View } from "./view.js" */

const WAIT = 1200;
const REST = 500; // Milliseconds that a receipt is on the screen before it is worth a process.

/**
 * @param {View} view
 */
export function comparing(view) {
  return view.host.ask ? new Comparing(view) : null;
}

class Comparing {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.count = 0;
    view.authority = (stage, cell, value) => this.words(stage, cell, value);
    this.seen = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
      this.walked();
    });
    this.seen.observe(view.part("receipt"));
  }

  get answer() {
    return this.view.scene.header.host?.tensorflow;
  }

  /** The cell whose receipt is open, as Python finds it: of a large network only its numbers come. */
  get cell() {
    const { pinned, scene } = this.view;
    if (!pinned || !scene.header.far) return null;
    const stage = scene.stages[pinned.stage];
    return [stage.layer, cellIndex(stage, pinned)];
  }

  /** Whether what came says something of the cell. */
  get answers() {
    const { answer } = this;
    return answer !== undefined && (typeof answer === "string" || !this.cell || String(answer.cell) === String(this.cell));
  }

  get wanted() {
    return this.visible && this.view.pinned && !this.answers && !this.waiting && !this.view.before;
  }

  walked() {
    clearTimeout(this.resting);
    if (this.wanted) this.resting = setTimeout(() => this.wanted && this.ask(), REST);
  }

  ask() {
    this.count += 1;
    const of = this.view.scene.key;
    this.waiting = true;
    this.view.host.ask("compare", { of, count: this.count, cell: this.cell });
  }

  /** Only what the host says is new; the numbers are those on the screen. */
  answered() {
    // What came may be other numbers that were asked for, in place of these.
    if (this.answer === undefined && this.waiting) return;
    this.waiting = false;
    const line = this.view.part("authority");
    const last = this.view.receipt.steps?.at(-1);
    if (line && last) line.innerHTML = this.view.receipt.authority(last);
    clearTimeout(this.timer);
    if (this.answer === "running") this.timer = setTimeout(() => this.ask(), WAIT);
  }

  /** The page around may be another one, which was not asked. */
  seat() {
    this.waiting = false;
  }

  /** Other numbers came: an answer to the last question would not be about them. */
  updated() {
    this.waiting = false;
    this.walked();
    if (this.answer !== undefined) this.answered();
  }

  destroy() {
    this.seen.disconnect();
    clearTimeout(this.resting);
    clearTimeout(this.timer);
  }

  /** What stands beside the receipt; "" leaves it to the recorded comparison. */
  words(stage, cell, value) {
    if (this.view.before) return "TensorFlow knows only the network as it was";
    if (this.view.shown) return "TensorFlow is asked when the pen is lifted";
    const { answer, cell: own } = this;
    if (this.waiting || answer === "running") return `<span class="cv-passing">TensorFlow is being asked, in a process of its own …</span>`;
    if (!answer || typeof answer === "string") return "";
    if (!this.answers) return "";
    const place = answer.numbers[`${stage.part === "before" ? "before" : "output"} ${stage.layer}`];
    if (!place || stage.part === "depthwise") return "";
    const other = this.view.scene.latest.read(place)[own ? 0 : cellIndex(stage, cell)];
    const difference = Math.abs(value - other);
    return `TensorFlow <b>${escapeHtml(exact(other))}</b> difference <b>${difference === 0 ? "0" : number(difference, 2)}</b>`;
  }
}
