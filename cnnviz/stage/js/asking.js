// Asks Python for numbers of a large network as they are to be seen, and takes in what comes: one question at a
// time, which holds all that is wanted then. answers.py says what a question and an answer are.

import { extentsFrom, farOf, FarNumbers, FarStage } from "./far_numbers.js";

/** @import { Places } from "./far_numbers.js" */
/** @import { Part, Scene } from "./scene.js" */
/** @import { Change } from "./stage_state.js" */

/**
 * What is known of the view that asks.
 *
 * @typedef {object} Shown
 * @property {Scene} plain
 * @property {Float32Array[]} values
 * @property {Float32Array[] | null} before
 * @property {() => [stage: number, channel: number][]} inSight the maps on the screen
 * @property {(stages: Set<number>, weights: boolean) => void} came
 * @property {(words: string) => void} tell
 */

/**
 * A question on its way: for what `far` lacks, or, where that is null, for all that `about` comes to.
 *
 * @typedef {{ count: number, far: FarNumbers | null, about: About, before: Float32Array[] | null,
 *   resolve?: (computed: Found | null) => void, reject?: (error: Error) => void }} Waiting
 */

/** @typedef {{ values: Float32Array[], changed: number[] }} Found */

/** Bytes of numbers that stay in the page. */
const MOST = 160e6;
/** Numbers in one question: what is seen comes in parts, the first of them soon. */
const AT_ONCE = 1e6;

/**
 * What one image with some changes comes to.
 *
 * @typedef {{ item: number, image: { title: string, pixels: string } | null, changes: Change[] }} About
 */

/**
 * @typedef {object} Answer
 * @property {number} count the question's
 * @property {string} [error]
 * @property {[number | string, Places, any][]} numbers what, where, and their place in the part
 * @property {{ extents: any, tensors: Record<string, any>, changed: number[] }} [all] that the image comes to
 */

export class Asking {
  /**
   * @param {Shown} view
   * @param {(question: unknown) => void} send
   */
  constructor(view, send) {
    this.view = view;
    this.send = send;
    this.count = 0;
    /** @type {Map<number | string, Map<string, Places>>} stages and arrays, and what of them */
    this.wanted = new Map();
    /** @type {Waiting | null} */
    this.waiting = null;
    /** @type {Omit<Waiting, "count"> | null} what is to be computed next */
    this.next = null;
  }

  /**
   * Some numbers are to be seen; asked once, however often they are wanted.
   *
   * @param {number | string} what a stage, or an array by its name
   * @param {Places} places
   */
  want(what, places) {
    if (!this.wanted.has(what)) this.wanted.set(what, new Map());
    this.wanted.get(what)?.set(JSON.stringify(places), places);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.proceed());
  }

  /**
   * The numbers of an image with changes, computed by Python, with those among them that are in sight; null where
   * a later question overtook this one.
   *
   * @param {About} about
   * @param {Float32Array[] | null} before the same image's without changes, which share what is not changed
   * @returns {Promise<Found | null>}
   */
  compute(about, before) {
    return new Promise((resolve, reject) => {
      this.next?.resolve?.(null);
      this.next = { far: null, about, before, resolve, reject };
      this.proceed();
    });
  }

  /** Other numbers are shown, or the page around is another one: what was asked for is answered no more. */
  forget() {
    clearTimeout(this.soon);
    for (const each of [this.waiting, this.next]) each?.resolve?.(null);
    this.waiting = this.next = null;
    this.wanted.clear();
  }

  proceed() {
    if (this.waiting) return;
    const { view, next } = this;
    if (next) {
      this.next = null;
      this.wanted.clear();
      const { stages } = view.plain;
      this.ask(next, view.inSight().map(([s, channel]) => {
        const [rows, cols, channels] = stages[s].shape;
        return [s, [[channel, channels, rows * cols]]];
      }));
      return;
    }
    const far = farOf(view.values);
    if (!this.wanted.size || !far?.known) return;
    /** @type {[number | string, Places][]} */
    const numbers = [];
    let count = 0;
    for (const [what, wants] of this.wanted) {
      for (const [key, places] of wants) {
        if (count > AT_ONCE) break;
        numbers.push([what, places]);
        count += places.reduce((sum, [, , each]) => sum + each, 0);
        wants.delete(key);
      }
      if (!wants.size) this.wanted.delete(what);
    }
    this.ask({ far, about: /** @type {About} */ (far.about), before: null }, numbers);
  }

  /**
   * @param {Omit<Waiting, "count">} waiting
   * @param {[number | string, Places][]} numbers
   */
  ask(waiting, numbers) {
    this.count += 1;
    this.waiting = { count: this.count, ...waiting };
    const { about, far } = waiting;
    const item = this.view.plain.items[about.item].key;
    this.send({ count: this.count, of: { ...about, item }, all: !far, numbers: joined(numbers) });
  }

  /**
   * @param {Answer} answer
   * @param {Part} part that holds its numbers
   */
  take(answer, part) {
    const { waiting, view } = this;
    if (answer.count !== waiting?.count) return;
    this.waiting = null;
    const { about, resolve, reject } = waiting;
    if (answer.error) {
      if (reject) reject(new Error(answer.error));
      else view.tell(answer.error);
      this.proceed();
      return;
    }
    const far = waiting.far ?? this.farFrom(answer, part, about, waiting.before);
    /** @type {Set<number>} */
    const stages = new Set();
    let arrays = false;
    for (const [what, places, place] of answer.numbers) {
      const numbers = /** @type {Float32Array} */ (part.read(place));
      if (typeof what === "number") {
        far.parts[what].put(places, numbers);
        stages.add(what);
      } else {
        /** @type {any} */ (view.plain.arrays.get(what)).put(places, numbers);
        arrays = true;
      }
    }
    this.letGo(far);
    if (resolve) resolve({ values: far.values, changed: answer.all?.changed ?? [] });
    else if (farOf(view.values) === far) view.came(stages, arrays);
    this.proceed();
  }

  /**
   * @param {Answer} answer
   * @param {Part} part
   * @param {About} about
   * @param {Float32Array[] | null} before
   */
  farFrom({ all: sent }, part, about, before) {
    const { plain } = this.view;
    const { extents, tensors, changed } = /** @type {NonNullable<Answer["all"]>} */ (sent);
    const all = extentsFrom(plain.stages, /** @type {Float32Array} */ (part.read(extents)));
    const far = before && farOf(before);
    const parts = plain.stages.map((stage) => {
      const s = stage.index;
      if (before && !changed.includes(s)) return far?.parts[s] ?? new FarStage(stage, all[s], before[s]);
      const place = tensors[s];
      return new FarStage(stage, all[s], place ? /** @type {Float32Array} */ (part.read(place)).slice() : null);
    });
    return new FarNumbers(plain, parts, about, true);
  }

  /**
   * What was not read for longest goes where there is too much.
   *
   * @param {FarNumbers} latest
   */
  letGo(latest) {
    const { view } = this;
    const lists = [view.values, view.before, ...view.plain.values.values()].map((values) => values && farOf(values)?.parts);
    const arrays = [...view.plain.arrays.values()].filter((each) => "letGo" in each);
    const all = new Set([...latest.parts, ...lists.flatMap((parts) => parts ?? []), ...arrays]);
    const held = /** @type {FarStage[]} */ ([...all]).filter((each) => each.bytes);
    let total = held.reduce((sum, { bytes }) => sum + bytes, 0);
    held.sort((a, b) => a.used - b.used);
    for (const each of held) {
      if (total <= MOST) break;
      total -= each.bytes;
      each.letGo();
    }
  }
}

/**
 * Places of the same stage or array together.
 *
 * @param {[number | string, Places][]} numbers
 * @returns {[number | string, Places][]}
 */
function joined(numbers) {
  /** @type {Map<number | string, Map<string, Places[0]>>} */
  const byName = new Map();
  for (const [what, places] of numbers) {
    if (!byName.has(what)) byName.set(what, new Map());
    for (const place of places) byName.get(what)?.set(place.join(), place);
  }
  return [...byName].map(([what, places]) => [what, [...places.values()]]);
}
