// Ways through the network from one number: down to what made it, as far as the pixels, and up to what it feeds.
//
// What ink brings to a number is its difference from what it is on blank paper, where the whole input is 0. A number
// that differs is made of one at least that differs, so that a way down along the differences ends on a pixel that is
// not 0. At each step the whole difference is split exactly among what the number was made of: by the weights where
// that is a sum, by secants elsewhere. What comes down so to the pixels adds up to the difference of the target.
//
// Source: DeepLIFT's rescale rule, with the blank image as reference, as for MNIST there (Shrikumar, Greenside and
// Kundaje, "Learning important features through propagating activation differences", ICML 2017, sections 3.2 and 3.5).

import { Gradient } from "./backward.js";
import { fedUnits } from "./cone.js";
import { contributionsOf, ranked } from "./contributions.js";
import { computeStage } from "./forward.js";
import { differentiable, jacobianVector, vectorJacobian } from "./jacobians.js";
import { receiptOf } from "./receipt.js";
import { cellAt, cellIndex } from "./scene.js";
import { lengthOf } from "./windows.js";

/** @import { Contribution, Few, Ranking, Share } from "./contributions.js" */
/** @import { Cell, Scene, Stage } from "./scene.js" */

/**
 * Why a step goes where it goes.
 *
 * "adds most": of all factors it adds most in the direction of the cell's own sign. "pulls most": no factor has that
 * direction, which is all the bias's; of those against it this one is the largest. "only factor": one number goes
 * in. "winner": it was chosen from several. "own score": from a probability to the score of the same class.
 * "multiplies": the largest number of a product. Where there is no step: "only bias": all that goes in
 * adds 0. "same on blank paper": ink brings nothing to it. "padding": nothing went in. "unknown": this page does not know how the number was made.
 *
 * @typedef {"adds most" | "pulls most" | "only factor" | "winner" | "own score" | "multiplies" | "only bias" | "padding"
 *   | "same on blank paper" | "unknown"} Reason
 */

/**
 * A step from a cell to one that it was made from; `to` is null where there is none to go to.
 *
 * @typedef {object} Step
 * @property {Cell} cell
 * @property {Cell | null} to
 * @property {Reason} reason
 * @property {Contribution | null} contribution of the factor that is followed
 */

/**
 * The factor that adds most to a cell: the largest product in the direction of the cell's own sign. Null at a pixel.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @returns {Step | null}
 */
export function follow(scene, values, cell) {
  const receipt = receiptOf(scene, values, cell);
  if (receipt.type === "input") return null;
  const { kind, shown, folded } = contributionsOf(receipt);
  const all = [...shown, ...folded];
  const step = (/** @type {Reason} */ reason, /** @type {Contribution | null} */ contribution = null) =>
    ({ cell, to: contribution?.from ?? null, reason, contribution });
  if (kind === "unknown") return step("unknown");
  if (kind === "nothing") return step("padding");
  if (kind === "competes") return step("own score", all.find(({ term }) => term === receipt.self));
  if (kind === "passes") return step("only factor", all[0]);
  if (kind === "winner") return step("winner", all[0]);
  if (kind === "product") return step("multiplies", all.reduce((a, b) => (Math.abs(b.x) > Math.abs(a.x) ? b : a)));
  const adding = all.filter(({ from, product }) => from && product !== 0);
  if (!adding.length) return step("only bias");
  const along = adding.find(({ product }) => !(product * Math.sign(receipt.value) <= 0));
  return along ? step("adds most", along) : step("pulls most", adding[0]);
}

/** @type {WeakMap<Scene, (Float32Array | null)[]>} */
const blanks = new WeakMap();

/**
 * Every stage's numbers on blank paper, where the whole input is 0; null where this page cannot compute them.
 * Computed once for a scene: changed weights make another one.
 *
 * @param {Scene} scene
 * @returns {(Float32Array | null)[]}
 */
export function blankPaper(scene) {
  const kept = blanks.get(scene);
  if (kept) return kept;
  /** @type {(Float32Array | null)[]} */
  const blank = [];
  blanks.set(scene, blank);
  for (const stage of scene.stages) {
    const missing = stage.op.type === "given" || stage.reads.some((source) => !blank[source]);
    if (stage.op.type === "input") blank.push(new Float32Array(lengthOf(stage)));
    else blank.push(missing ? null : computeStage(scene, stage, /** @type {Float32Array[]} */ (blank)));
  }
  return blank;
}

/**
 * A step on the way to the pixels.
 *
 * @typedef {object} PathStep
 * @property {Cell} cell
 * @property {Cell | null} to
 * @property {Reason | "brings most"} reason "brings most": through this factor ink brings most in the direction of the
 *   path, or, where none brings anything in it, against it
 * @property {number | null} brings what ink brings to the cell through `to`
 * @property {number | null} share its magnitude over those of all factors; both are null where the step is that of
 *   `follow`, and at a softmax
 */

/**
 * Why a path ends: on a pixel that is not 0; on one that is ("paper"), if it began there; at a number that ink brings
 * nothing to, since it is the same on blank paper; or at one whose making is not known, or that is padding.
 *
 * @typedef {"pixel" | "paper" | "same on blank paper" | "only bias" | "padding" | "unknown"} End
 */

/**
 * The way from a cell down to a pixel, a step at a time.
 *
 * It looks for what made the cell differ from what it is on blank paper, in the direction in which it does; the
 * direction turns at each negative weight. Each step goes to the factor through which ink brings most in this
 * direction; where none brings anything in it, to the one through which it brings most against it; of equal ones to
 * the first in rows, columns and channels. From a probability it goes to the score of its own class, and on to what
 * raises that. Where it is not known what ink brings, it goes as `follow` does, and behind that in the direction of
 * the next cell.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {(Float32Array | null)[]} [blank] as `blankPaper` gives it, computed as the values were
 * @returns {{ steps: PathStep[], end: End, at: Cell }} `at` is where it ends
 */
export function toPixels(scene, values, cell, blank = blankPaper(scene)) {
  /** @type {PathStep[]} */
  const steps = [];
  let at = cell;
  let direction = directionAt(scene, values, cell, blank);
  while (scene.stages[at.stage].op.type !== "input") {
    const { op, reads } = scene.stages[at.stage];
    const known = blank[at.stage] && reads.every((source) => blank[source]) && differentiable(op);
    const splits = known && op.type !== "softmax";
    const { slope, ...step } = splits ? downhill(scene, values, at, blank, direction) : followed(scene, values, at);
    if (!step.to) return { steps, end: /** @type {End} */ (step.reason), at };
    steps.push(step);
    at = step.to;
    if (slope) direction *= Math.sign(slope);
    else direction = op.type === "softmax" ? 1 : directionAt(scene, values, at, blank);
  }
  return { steps, end: numberAt(scene, values, at) === 0 ? "paper" : "pixel", at };
}

/**
 * Whether a number is more or less than on blank paper, or, where that is not known, than 0.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {(Float32Array | null)[]} blank
 */
function directionAt(scene, values, cell, blank) {
  const numbers = blank[cell.stage];
  return Math.sign(numberAt(scene, values, cell) - (numbers?.[cellIndex(scene.stages[cell.stage], cell)] ?? 0));
}

/**
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 */
function numberAt(scene, values, cell) {
  return values[cell.stage][cellIndex(scene.stages[cell.stage], cell)];
}

/**
 * A step where it is not known what pixels bring, or does not matter.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @returns {PathStep & { slope: number }}
 */
function followed(scene, values, cell) {
  const { to, reason } = /** @type {Step} */ (follow(scene, values, cell));
  return { cell, to, reason, brings: null, share: null, slope: 0 };
}

/**
 * The step along what ink brings.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {(Float32Array | null)[]} blank
 * @param {number} direction
 * @returns {PathStep & { slope: number }} the slope is that of the cell with the one that it goes to
 */
function downhill(scene, values, cell, blank, direction) {
  let [magnitude, most, slope] = [0, 0, 0];
  let agrees = false;
  /** @type {Cell | null} */
  let to = null;
  for (const [source, slopes] of slopesOf(scene, values, cell, blank)) {
    const from = /** @type {Float32Array} */ (blank[source]);
    for (let n = 0; n < slopes.length; n++) {
      if (!slopes[n]) continue;
      const brings = slopes[n] * (values[source][n] - from[n]);
      if (!brings) continue;
      magnitude += Math.abs(brings);
      const along = brings * direction > 0;
      if (along === agrees ? Math.abs(brings) <= Math.abs(most) : agrees) continue;
      [to, most, slope, agrees] = [cellAt(scene.stages[source], n), brings, slopes[n], along];
    }
  }
  if (!to) return { cell, to, reason: "same on blank paper", brings: 0, share: null, slope };
  const { type, mode } = scene.stages[cell.stage].op;
  const chosen = ["max", "maximum", "minimum"].includes(mode) ? "winner" : "brings most";
  const reason = ["affine", "activation", "move"].includes(type) ? "only factor" : chosen;
  return { cell, to, reason, brings: most, share: Math.abs(most) / magnitude, slope };
}

/**
 * How a cell changes with each number of the stages that it reads, between blank paper and here, by these stages.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {(Float32Array | null)[]} blank
 */
function slopesOf(scene, values, cell, blank) {
  const stage = scene.stages[cell.stage];
  const grad = new Float64Array(lengthOf(stage));
  grad[cellIndex(stage, cell)] = 1;
  const backs = vectorJacobian(scene, stage, values, grad, blank) ?? [];
  /** @type {Map<number, Float64Array>} */
  const slopes = new Map();
  backs.forEach((back, input) => {
    const before = slopes.get(stage.reads[input]);
    slopes.set(stage.reads[input], before ? before.map((slope, n) => slope + back[n]) : back);
  });
  return slopes;
}

/**
 * @param {number} sum
 */
function sumOf(sum) {
  return { kind: /** @type {const} */ ("sum"), adds: true, sum, bias: 0, total: sum };
}

/**
 * What the ink of one pixel brings to a number, in all its channels.
 *
 * @typedef {{ stage: number, row: number, col: number, product: number }} PixelShare
 */

/**
 * The pixels that decided a number: what the ink of each brings to it, the largest first; of a probability, to the
 * score of its class.
 *
 * `sum` is what all bring, the number's difference from blank paper; `bias` what it is on blank paper, `total` the
 * number, `of` its cell. `carried` has what every number of an input brings, by the inputs' stages. Null where an
 * operation between is not known, or the page cannot compute it.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} target
 * @param {(Float32Array | null)[]} [blank] as `blankPaper` gives it, computed as the values were
 * @param {Few} [few]
 * @returns {(Ranking<PixelShare & Share> & { carried: Map<number, Float32Array>, of: Cell }) | null}
 */
export function decidingPixels(scene, values, target, blank = blankPaper(scene), few = { most: 40 }) {
  const of = scoreOf(scene, target);
  const secants = new Gradient(scene, values, of, blank);
  const onBlank = blank[of.stage]?.[cellIndex(scene.stages[of.stage], of)];
  /** @type {Map<number, Float32Array>} */
  const carried = new Map();
  /** @type {PixelShare[]} */
  const entries = [];
  for (const { index, shape, op } of scene.stages) {
    if (op.type !== "input") continue;
    const slopes = secants.wrt(index);
    if (!slopes || onBlank === undefined) return null;
    const products = values[index].map((x, n) => (x === 0 ? 0 : slopes[n] * x));
    carried.set(index, products);
    const [height, width, channels] = shape;
    for (let pixel = 0; pixel < height * width; pixel++) {
      const product = products.subarray(pixel * channels, (pixel + 1) * channels).reduce((a, b) => a + b, 0);
      if (product) entries.push({ stage: index, row: Math.floor(pixel / width), col: pixel % width, product });
    }
  }
  const total = numberAt(scene, values, of);
  const all = { ...sumOf(total - /** @type {number} */ (onBlank)), bias: /** @type {number} */ (onBlank), total };
  return { ...ranked(entries, all, few), carried, of };
}

/**
 * The score that a probability is made of, of its own class; any other cell is its own.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 */
export function scoreOf(scene, cell) {
  const { op, reads } = scene.stages[cell.stage];
  if (op.type !== "softmax") return cell;
  return cellAt(scene.stages[reads[0]], cellIndex(scene.stages[cell.stage], cell));
}

/**
 * A cell that another one feeds.
 *
 * @typedef {{ to: Cell, weight: number, product: number }} Fed `weight` is how much it changes with the cell, the
 *   product this times the cell: what the cell adds, exactly where the stage is linear
 */

/**
 * The cells that a cell feeds, stage by stage of those that read it: what it adds to each, the largest first.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {Few} [few]
 * @returns {{ stage: Stage, count: number, fed: Ranking<Fed & Share> | null }[]} `count` cells read it, to some of
 *   which it may add nothing and which are then not in `fed`; null where it is not known what it adds
 */
export function feeds(scene, values, cell, few) {
  const source = scene.stages[cell.stage];
  const place = cellIndex(source, cell);
  const x = values[cell.stage][place];
  return scene.readers[cell.stage].map((index) => {
    const stage = scene.stages[index];
    const { rows, cols, channels } = fedUnits(scene, cell, stage);
    const count = rows.length * cols.length * channels.length;
    /** @type {Float32Array[]} */
    const tangents = [];
    for (const s of stage.reads) tangents[s] = new Float32Array(values[s].length);
    tangents[cell.stage][place] = 1;
    const slopes = jacobianVector(scene, stage, values, tangents);
    if (!slopes) return { stage, count, fed: null };
    /** @type {Fed[]} */
    const entries = [];
    slopes.forEach((weight, n) => {
      if (weight) entries.push({ to: cellAt(stage, n), weight, product: weight * x });
    });
    const sum = entries.reduce((all, { product }) => all + product, 0);
    return { stage, count, fed: ranked(entries, { ...sumOf(sum), adds: false }, few) };
  });
}
