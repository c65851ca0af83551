// The browser's Back inside a stage: out of the receipt or the zoom that was opened last, before it leaves the page.
// Whatever goes deeper makes an entry in the history; whoever steps out by other ways takes it along.

/** @import { View } from "./view.js" */

const LEVELS = { network: 0, layer: 1, cell: 2 };
let views = 0;

/**
 * @param {View} view
 */
export function goingBack(view) {
  return new GoingBack(view);
}

class GoingBack {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    views += 1;
    this.key = views;
    /** How deep it was, and at which address, before each entry. @type {{ depth: number, address: string }[]} */
    this.entries = [];
    /** Steps back that are on their way because the stage is there already. */
    this.own = 0;
    /** Whether the browser steps back now. */
    this.going = false;
    this.last = this.depth;
    this.popped = (/** @type {PopStateEvent} */ event) => this.went(event);
    window.addEventListener("popstate", this.popped, true);
  }

  /** Levels that Escape would step back. */
  get depth() {
    return LEVELS[this.view.zoom] + this.view.trail.length;
  }

  /** The learner looked at something else. */
  walked() {
    const [was, now] = [this.last, this.depth];
    this.last = now;
    if (now > was) this.push(was);
    else if (now < was) this.drop(now);
  }

  /** A step of a walk, or a state that came, leads where the learner did not go. */
  updated() {
    this.last = this.depth;
  }

  /** @param {number} depth before */
  push(depth) {
    const mark = (/** @type {number} */ place) => ({ stage: this.key, place });
    history.replaceState({ ...history.state, ...mark(this.entries.length) }, "");
    this.entries.push({ depth, address: location.href });
    history.pushState(mark(this.entries.length), "");
  }

  /** @param {number} depth now */
  drop(depth) {
    const { entries, key } = this;
    const { stage, place } = history.state ?? {};
    // Where something else came after it, its entries stay.
    if (this.going || stage !== key || place !== entries.length) return;
    const taken = entries.findLastIndex((entry) => entry.depth < depth || entry.address !== location.href) + 1;
    if (taken === entries.length) return;
    this.own += 1;
    history.go(taken - entries.length);
    entries.length = taken;
  }

  /** @param {PopStateEvent} event */
  went(event) {
    const { stage, place } = event.state ?? {};
    if (stage !== this.key || !this.view.root.isConnected) return;
    const left = this.entries.splice(place);
    // To the page around nothing happened, where its address is what it was.
    if ((this.own || left.length) && left.every(({ address }) => address === location.href)) event.stopImmediatePropagation();
    if (this.own) this.own -= 1;
    else if (left.length) this.backTo(left[0].depth);
  }

  /** @param {number} depth */
  backTo(depth) {
    this.going = true;
    while (this.depth > depth && this.view.back());
    this.going = false;
  }

  destroy() {
    window.removeEventListener("popstate", this.popped, true);
  }
}
