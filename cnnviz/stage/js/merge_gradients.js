// The slopes and the secants of merges: what comes back to each of the numbers that are joined.

import { largestAt, maximum, minimum } from "./arrays.js";
import { ELEMENTWISE_SLOPES } from "./elementwise_gradients.js";
import { argumentsOf, mergeBy } from "./forward.js";
import { placesRead } from "./windows.js";

/** @import { Scene, Stage } from "./scene.js" */

/**
 * The gradients of merges, by their modes: what comes back to each number, put into `grads`.
 *
 * @type {Record<string, (numbers: number[], grad: number, grads: number[]) => void>}
 */
export const MERGE_GRADIENTS = {
  add: (numbers, grad, grads) => grads.fill(grad),
  subtract: (numbers, grad, grads) => void ([grads[0], grads[1]] = [grad, -grad]),
  average: (numbers, grad, grads) => grads.fill(grad / numbers.length),
  multiply(numbers, grad, grads) {
    numbers.forEach((_, i) => (grads[i] = numbers.reduce((all, x, k) => (k === i ? all : all * x), grad)));
  },
  maximum: (numbers, grad, grads) => toExtreme(numbers, grad, grads, maximum, (a, b) => a >= b),
  minimum: (numbers, grad, grads) => toExtreme(numbers, grad, grads, minimum, (a, b) => a <= b),
};

/**
 * All to the extreme, the first of equals: from the last number back, each against the extreme of those before.
 *
 * @param {number[]} numbers
 * @param {number} grad
 * @param {number[]} grads
 * @param {(numbers: number[]) => number} extreme
 * @param {(a: number, b: number) => boolean} wins
 */
function toExtreme(numbers, grad, grads, extreme, wins) {
  let left = true;
  for (let i = numbers.length - 1; i > 0; i--) {
    const earlier = wins(extreme(numbers.slice(0, i)), numbers[i]);
    grads[i] = left && !earlier ? grad : 0;
    left &&= earlier;
  }
  grads[0] = left ? grad : 0;
}

/**
 * By secants: those whose slopes are not the same everywhere; `from` are the reference's numbers.
 *
 * @type {Record<string, (numbers: number[], from: number[], grad: number, grads: number[]) => void>}
 */
const MERGE_SECANTS = {
  multiply(numbers, from, grad, grads) {
    // ab less a'b' is (a - a')(b + b')/2 + (b - b')(a + a')/2; of more than two factors, the last of all before it.
    let left = grad;
    for (let i = numbers.length - 1; i > 0; i--) {
      const [before, earlier] = [numbers, from].map((all) => all.slice(0, i).reduce((a, b) => a * b));
      grads[i] = (left * (before + earlier)) / 2;
      left *= (numbers[i] + from[i]) / 2;
    }
    grads[0] = left;
  },
  maximum: (numbers, from, grad, grads) => toWinner(numbers, from, grad, grads, largestAt),
  minimum: (numbers, from, grad, grads) =>
    toWinner(numbers, from, grad, grads, (all) => largestAt(all.map((x) => -x))),
};

/**
 * Of numbers of which one is chosen.
 *
 * @param {number[]} numbers
 * @param {number[]} from
 * @param {number} grad
 * @param {number[]} grads
 * @param {(numbers: number[]) => number} winnerAt
 */
function toWinner(numbers, from, grad, grads, winnerAt) {
  const [here, there] = [winnerAt(numbers), winnerAt(from)];
  const [winner, share] = winnersShare(numbers, from, here, there, grad, numbers[here] - from[there]);
  grads.fill(0);
  grads[winner] = share;
}

/**
 * All of the difference goes to the number that was chosen or, if that is not what differs, to the reference's choice.
 *
 * @param {ArrayLike<number>} numbers
 * @param {ArrayLike<number>} from the reference's
 * @param {number} here the place of what was chosen
 * @param {number} there of the reference
 * @param {number} grad
 * @param {number} change of what comes out
 * @returns {[place: number, grad: number]}
 */
export function winnersShare(numbers, from, here, there, grad, change) {
  const winner = numbers[here] === from[here] ? there : here;
  const apart = numbers[winner] - from[winner];
  return [winner, apart ? (grad * change) / apart : grad];
}

/**
 * What comes back to each of the numbers that are joined, put into `grads`; with those of a reference, by secants.
 *
 * @param {import("./scene.js").Operation} op
 * @param {number[]} numbers
 * @param {number} grad
 * @param {number[]} grads
 * @param {number[]} [from]
 */
export function mergeBack({ mode, arguments: given }, numbers, grad, grads, from) {
  const linear = ["add", "subtract", "average"].includes(mode);
  if (from && mode in MERGE_SECANTS) MERGE_SECANTS[mode](numbers, from, grad, grads);
  else if (from && !linear) inTurn(mergeBy(mode), numbers, from, grad, grads);
  else if (mode in MERGE_GRADIENTS && !given) MERGE_GRADIENTS[mode](numbers, grad, grads);
  else {
    const slopes = ELEMENTWISE_SLOPES[mode](mergeBy(mode)(numbers), ...numbers);
    slopes.forEach((slope, i) => (grads[i] = grad * slope));
  }
}

/**
 * The difference from the reference split exactly: the numbers change one after the other, from the first to the
 * last and the other way round, and each has the mean of what its own change brings.
 *
 * @param {(numbers: number[]) => number} join
 * @param {number[]} numbers
 * @param {number[]} from
 * @param {number} grad
 * @param {number[]} grads
 */
function inTurn(join, numbers, from, grad, grads) {
  grads.fill(0);
  const order = numbers.map((_, i) => i);
  for (const way of [order, [...order].reverse()]) {
    const now = from.slice();
    let before = join(now);
    for (const i of way) {
      const apart = numbers[i] - from[i];
      if (!apart) continue;
      now[i] = numbers[i];
      const after = join(now);
      grads[i] += (grad * (after - before)) / apart / 2;
      before = after;
    }
  }
}

/**
 * Every number of a merge: its place, and for each argument of the merge the place and the number there; `shares` is
 * room for as many numbers.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {(n: number, places: number[], numbers: number[], shares: number[]) => void} give
 */
export function eachMerged(scene, stage, inputs, give) {
  const place = placesRead(scene, stage);
  const taken = argumentsOf(scene, stage, inputs);
  const sources = sourcesOf(stage);
  const [places, numbers, shares] = [0, 1, 2].map(() => taken.map(() => 0));
  const count = stage.shape[0] * stage.shape[1] * stage.shape[2];
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < taken.length; i++) {
      const source = sources[i];
      places[i] = source === null ? -1 : place(n, source);
      numbers[i] = taken[i](n);
    }
    give(n, places, numbers, shares);
  }
}

/**
 * For each argument of a merge the input that it is read from; null is a constant.
 *
 * @param {Stage} stage
 * @returns {(number | null)[]}
 */
export function sourcesOf({ op, reads }) {
  const given = op.arguments ?? reads.map((_, input) => input);
  return given.map((/** @type {any} */ each) => (typeof each === "number" ? each : null));
}
