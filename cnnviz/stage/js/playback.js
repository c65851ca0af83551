// Playing steps one after the other: which steps, where it is, and its clock. It knows no page.

import { clip, range } from "./arrays.js";

/** Steps a second. */
export const SPEEDS = [4, 8, 16, 60];
/** Of many steps so many are played, but for a quarter more: what is left out would be hardly worth saying. */
export const MOST = 100;
/** The share of them that lies close together. */
const CLOSE = 0.6;
/** After a longer pause, as in a hidden window, nothing is made up for: it goes one step on, however slow the frames are. */
const AWAY = 1000;

/**
 * Which steps to show of many, in their order: from one on, a stretch of them one by one; of all others every
 * n-th, and the last.
 *
 * @param {number} count
 * @param {number} at where the stretch begins; with fewer steps behind it than that takes, it begins earlier
 * @param {number} most
 */
export function stepsShown(count, at, most) {
  if (count <= most) return range(count);
  const close = Math.floor(CLOSE * most);
  const first = clip(at, 0, count - close);
  // Two more than that, since both parts outside are rounded up.
  const apart = Math.ceil((count - close) / Math.max(1, most - close - 2));
  const steps = range(Math.ceil(first / apart)).map((n) => n * apart);
  steps.push(...range(close).map((n) => first + n));
  for (let step = first + close - 1 + apart; step < count - 1; step += apart) steps.push(step);
  if (steps.at(-1) !== count - 1) steps.push(count - 1);
  return steps;
}

/**
 * What has places to go through, and how it is told of them.
 *
 * @typedef {object} Listener
 * @property {() => void} moved it is at another place
 * @property {() => void} [turned] it runs or stands, or has another speed
 * @property {() => boolean} [held] whether it waits for a while: under the pointer it can be looked at
 * @property {(run: (now: number) => void) => void} [frame] asks to be called at the next frame
 */

export class Playback {
  /**
   * @param {Listener} listener
   */
  constructor({ moved, turned = () => {}, held = () => false, frame = (run) => void requestAnimationFrame(run) }) {
    this.moved = moved;
    this.turned = turned;
    this.held = held;
    this.frame = frame;
    this.count = 1;
    this.at = 0;
    this.running = false;
    this.speedAt = 1;
    /** @type {number | null} when the place that it is at was due */
    this.due = null;
    this.asked = false;
    this.tick = this.tick.bind(this);
  }

  get last() {
    return this.count - 1;
  }

  /** Steps a second. */
  get speed() {
    return SPEEDS[this.speedAt];
  }

  /**
   * Other steps: so many, at one of them.
   *
   * @param {number} count
   * @param {number} at
   */
  begin(count, at) {
    this.count = count;
    this.at = clip(at, 0, this.last);
  }

  /**
   * @param {number} at
   */
  go(at) {
    this.at = clip(at, 0, this.last);
    if (this.at === this.last) this.pause();
    this.moved();
  }

  /** Go to a place that somebody chose: there it stands. */
  choose(/** @type {number} */ at) {
    this.pause();
    this.go(at);
  }

  /** From where it is, or again from the start. */
  play() {
    if (this.last < 1) return;
    if (this.at === this.last) this.go(0);
    this.running = true;
    this.due = null;
    this.turned();
    this.next();
  }

  pause() {
    if (!this.running) return;
    this.running = false;
    this.turned();
  }

  toggle() {
    if (this.running) this.pause();
    else this.play();
  }

  faster() {
    this.speedAt = (this.speedAt + 1) % SPEEDS.length;
    this.due = null;
    this.turned();
  }

  next() {
    if (this.asked) return;
    this.asked = true;
    this.frame(this.tick);
  }

  /**
   * @param {number} now in milliseconds
   */
  tick(now) {
    this.asked = false;
    if (!this.running) return;
    const wait = 1000 / this.speed;
    if (this.due === null || this.held()) this.due = now;
    else if (now - this.due > AWAY) this.due = now - wait;
    const steps = Math.floor((now - this.due) / wait);
    if (steps > 0) {
      this.due += steps * wait;
      this.go(this.at + steps);
    }
    if (this.running) this.next();
  }
}
