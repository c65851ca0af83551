// The gradient of one number with respect to the numbers of every stage before it, by reverse mode; and what
// one cell means for that number: gradient times value, and the true change without it.

import { sameNumbers } from "./arrays.js";
import { computeStage } from "./forward.js";
import { vectorJacobian } from "./jacobians.js";
import { cellIndex } from "./scene.js";
import { lengthOf } from "./windows.js";

/** @import { Cell, Scene, Stage } from "./scene.js" */

/** How one number changes, to first order, with each number that it depends on. */
export class Gradient {
  /**
   * @param {Scene} scene
   * @param {Float32Array[]} values
   * @param {Cell} target a logit, a probability, or any other cell
   * @param {(Float32Array | null)[]} [reference] the values of another image: then it holds secants in place of
   *   slopes, see jacobians.js
   */
  constructor(scene, values, target, reference) {
    this.scene = scene;
    this.target = target;
    /** @type {Map<number, Float32Array | null>} of the stages that the target depends on; null is not known */
    this.known = new Map();
    /** @type {Stage[]} those through which nothing is known to come back */
    this.opaque = [];
    const seed = new Float64Array(lengthOf(scene.stages[target.stage]));
    seed[cellIndex(scene.stages[target.stage], target)] = 1;
    /** @type {Map<number, Float64Array | null>} */
    const sums = new Map([[target.stage, seed]]);
    for (let s = target.stage; s >= 0; s--) {
      const sum = sums.get(s);
      if (sum === undefined) continue;
      const stage = scene.stages[s];
      const backs = sum && vectorJacobian(scene, stage, values, sum, reference);
      if (sum && !backs && stage.reads.length) this.opaque.unshift(stage);
      stage.reads.forEach((source, input) => {
        // A layer that stops gradients stops no secants: it passes numbers on as they are.
        if (!reference && stage.blocked?.includes(input)) return;
        sums.set(source, added(sums.get(source), backs && backs[input]));
      });
      this.known.set(s, sum && Float32Array.from(sum));
      sums.delete(s);
    }
  }

  /**
   * With respect to every number of a stage: zeros where the target does not depend on it; null if it is not
   * known, since it comes through an operation whose slopes this page does not know.
   *
   * @param {number} stage
   */
  wrt(stage) {
    const gradient = this.known.get(stage);
    return gradient === undefined ? new Float32Array(lengthOf(this.scene.stages[stage])) : gradient;
  }

  /**
   * With respect to one cell.
   *
   * @param {Cell} cell
   */
  at(cell) {
    const gradient = this.known.get(cell.stage);
    return gradient ? gradient[cellIndex(this.scene.stages[cell.stage], cell)] : gradient === null ? null : 0;
  }
}

/**
 * @param {Float64Array | null | undefined} sum
 * @param {Float64Array | null} more
 */
function added(sum, more) {
  if (sum === undefined || !more) return more;
  if (sum) for (let n = 0; n < sum.length; n++) sum[n] += more[n];
  return sum;
}

/**
 * What a number is in a network: a probability is what a softmax gives, a logit what it reads.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 */
export function roleOf(scene, { stage }) {
  const isSoftmax = (/** @type {number} */ s) => scene.stages[s].op.type === "softmax";
  if (isSoftmax(stage)) return scene.stages[stage].op.log ? "log-probability" : "probability";
  return scene.readers[stage].some(isSoftmax) ? "logit" : "number";
}

/**
 * How much of a number hangs on one cell, by two measures that need not agree.
 *
 * @typedef {object} Influence
 * @property {"logit" | "probability" | "log-probability" | "number"} of
 * @property {number} value of the cell
 * @property {number | null} gradient of the target with respect to the cell; null is not known
 * @property {number | null} product gradient times value: to first order what the cell brings to the target
 * @property {number | null} before the target
 * @property {number | null} after the target when the cell is 0 and all behind it computed anew
 * @property {number | null} change after less before: the cell's ablation; null if this page cannot compute it
 */

/**
 * How much a target hangs on a cell: gradient times value (Shrikumar, Greenside and Kundaje, "Learning
 * important features through propagating activation differences", 2017, who call it gradient * input), and its
 * ablation, the true change of the target when the cell is set to 0 (occlusion, after Zeiler and Fergus, 2014).
 * If all between were linear, the change would be the product's negative.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {Cell} target
 * @param {Gradient} [gradient] of the target, where it is known already
 * @param {(scene: Scene, values: Float32Array[], cell: Cell, target: Cell) => [number, number] | null} [ablate]
 *   the target before and after
 * @returns {Influence}
 */
export function influence(scene, values, cell, target, gradient = new Gradient(scene, values, target), ablate = ablated) {
  const value = values[cell.stage][cellIndex(scene.stages[cell.stage], cell)];
  const slope = gradient.at(cell);
  const [before, after] = ablate(scene, values, cell, target) ?? [null, null];
  return {
    of: roleOf(scene, target),
    value,
    gradient: slope,
    product: slope === null ? null : slope * value,
    before,
    after,
    change: before === null || after === null ? null : after - before,
  };
}

/**
 * The target before and after a cell is set to another number, both computed here from the same numbers; null
 * where a stage between is only given.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {Cell} target
 * @param {number} [number]
 * @returns {[number, number] | null}
 */
export function ablated(scene, values, cell, target, number = 0) {
  const both = ablation(scene, values, cell, target.stage, number);
  if (!both) return null;
  const place = cellIndex(scene.stages[target.stage], target);
  return [both[0][target.stage][place], both[1][target.stage][place]];
}

/**
 * The same of all numbers up to a stage.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {number} last
 * @param {number} [number]
 * @returns {[Float32Array[], Float32Array[]] | null}
 */
export function ablation(scene, values, cell, last, number = 0) {
  const changed = values[cell.stage].slice();
  changed[cellIndex(scene.stages[cell.stage], cell)] = number;
  const leading = leadingTo(scene, last);
  const [before, after] = [values.slice(), values.slice()];
  after[cell.stage] = changed;
  for (const stage of scene.stages.slice(cell.stage + 1, last + 1)) {
    if (!leading.has(stage.index) || !stage.reads.some((source) => after[source] !== before[source])) continue;
    if (stage.op.type === "given") return null;
    before[stage.index] = computeStage(scene, stage, before);
    const moved = computeStage(scene, stage, after);
    after[stage.index] = sameNumbers(moved, before[stage.index]) ? before[stage.index] : moved;
  }
  return [before, after];
}

/**
 * The stages that lead to one, itself among them.
 *
 * @param {Scene} scene
 * @param {number} last
 */
function leadingTo(scene, last) {
  const found = new Set([last]);
  for (let s = last; s > 0; s--) {
    if (found.has(s)) scene.stages[s].reads.forEach((source) => found.add(source));
  }
  return found;
}
