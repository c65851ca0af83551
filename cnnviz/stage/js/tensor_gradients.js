// How a small change goes through what is computed along axes: products, reductions, norms. Secants lie between
// the numbers of another image, the reference, and these; where there is none, it is these, and they are slopes.

import { largestAt, maximum } from "./arrays.js";
import { placesOf, statisticsOf, supportOf } from "./tensors.js";
import { allFinite } from "./windowed.js";

/** @import { Numbers, Secants } from "./jacobians.js" */
/** @import { Operation, Scene, Stage } from "./scene.js" */

/**
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Numbers} grad
 * @param {Float64Array[]} grads
 * @param {Secants} [secants]
 */
export function contractBack(scene, { op }, inputs, grad, grads, secants) {
  const [startA, startB] = [placesOf(op, "out", 0), placesOf(op, "out", 1)];
  const [stepA, stepB] = [placesOf(op, "over", 0), placesOf(op, "over", 1)];
  const operands = [op.first, op.second];
  const [a, b] = operands.map((each) => (typeof each === "number" ? inputs[each] : scene.data(each)));
  const [fromA, fromB] = operands.map((each) => (typeof each === "number" ? (secants?.inputs[each] ?? inputs[each]) : scene.data(each)));
  const [backA, backB] = operands.map((each) => (typeof each === "number" ? grads[each] : null));
  const sparse = [a, b, fromA, fromB].every(allFinite);
  for (let n = 0; n < grad.length; n++) {
    if (grad[n] === 0 && sparse) continue;
    const back = grad[n] * (op.scale ?? 1);
    for (let t = 0; t < stepA.length; t++) {
      const [i, j] = [startA[n] + stepA[t], startB[n] + stepB[t]];
      // The difference of two products is that of each factor times the mean of the other.
      if (backA) backA[i] += (back * (b[j] + fromB[j])) / 2;
      if (backB) backB[j] += (back * (a[i] + fromA[i])) / 2;
    }
  }
}

/**
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array[]} changes
 * @param {Float32Array} out
 */
export function contractForward(scene, { op }, inputs, changes, out) {
  const [startA, startB] = [placesOf(op, "out", 0), placesOf(op, "out", 1)];
  const [stepA, stepB] = [placesOf(op, "over", 0), placesOf(op, "over", 1)];
  const [a, b] = [op.first, op.second].map((each) => (typeof each === "number" ? inputs[each] : scene.data(each)));
  const [ofA, ofB] = [op.first, op.second].map((each) => (typeof each === "number" ? changes[each] : null));
  for (let n = 0; n < out.length; n++) {
    let sum = 0;
    for (let t = 0; t < stepA.length; t++) {
      const [i, j] = [startA[n] + stepA[t], startB[n] + stepB[t]];
      sum += (ofA ? ofA[i] * b[j] : 0) + (ofB ? a[i] * ofB[j] : 0);
    }
    out[n] = sum * (op.scale ?? 1);
  }
}

/**
 * How fast each reduction grows with each of its numbers; of equals that are the largest each has its share, as in
 * TensorFlow. With those of a reference, the secants.
 *
 * @type {Record<string, (numbers: number[], from: number[] | null) => number[]>}
 */
export const REDUCTION_SLOPES = {
  sum: (numbers) => numbers.map(() => 1),
  mean: (numbers) => numbers.map(() => 1 / numbers.length),
  max: (numbers, from) => (from ? toWinner(numbers, from) : toAllLargest(numbers)),
  min: (numbers, from) => REDUCTION_SLOPES.max(numbers.map((x) => -x), from && from.map((x) => -x)),
  var(numbers, from) {
    const apart = (/** @type {number[]} */ all) => {
      const mean = all.reduce((a, b) => a + b, 0) / all.length;
      return all.map((x) => x - mean);
    };
    const [here, there] = [apart(numbers), apart(from ?? numbers)];
    return here.map((distance, t) => (distance + there[t]) / numbers.length);
  },
  threshold(numbers, from) {
    const here = supportOf(numbers);
    if (!from) return here.slopes;
    const there = supportOf(from);
    // Between both it goes in straight pieces and jumps: the mean of the slopes, and of the rest each its share.
    const apart = numbers.map((x, t) => x - from[t]);
    const slopes = here.slopes.map((slope, t) => (slope + there.slopes[t]) / 2);
    const rest = slopes.reduce((left, slope, t) => left - slope * apart[t], here.threshold - there.threshold);
    const squares = apart.reduce((sum, each) => sum + each * each, 0);
    return squares ? slopes.map((slope, t) => slope + (rest * apart[t]) / squares) : slopes;
  },
};

/** @param {number[]} numbers */
function toAllLargest(numbers) {
  const most = maximum(numbers);
  if (Number.isNaN(most)) return numbers.map(() => NaN);
  const count = numbers.filter((x) => x === most).length;
  return numbers.map((x) => (x === most ? 1 / count : 0));
}

/**
 * All of the difference to the largest or, if that is not what differs, to the reference's.
 *
 * @param {number[]} numbers
 * @param {number[]} from
 */
function toWinner(numbers, from) {
  const [here, there] = [largestAt(numbers), largestAt(from)];
  const winner = numbers[here] === from[here] ? there : here;
  const apart = numbers[winner] - from[winner];
  return numbers.map((_, t) => (t === winner ? (apart ? (numbers[here] - from[there]) / apart : 1) : 0));
}

/**
 * For each number that a reduction makes: its place, those that it is made of, and how fast it grows with each.
 *
 * @param {Operation} op
 * @param {Float32Array} x
 * @param {Float32Array | undefined} before
 * @param {Numbers | null} wanted those with a 0 here are left out
 * @param {(n: number, places: number[], slopes: number[]) => void} give
 */
export function eachReduced(op, x, before, wanted, give) {
  const [starts, steps] = [placesOf(op, "kept", 0), placesOf(op, "over", 0)];
  // NaN comes back to all that share, whatever came.
  const all = !wanted || !allFinite(x);
  for (let n = 0; n < starts.length; n++) {
    if (!all && wanted[n] === 0) continue;
    const places = Array.from(steps, (step) => starts[n] + step);
    const from = before ? places.map((place) => before[place]) : null;
    give(n, places, REDUCTION_SLOPES[op.mode](places.map((place) => x[place]), from));
  }
}

/**
 * A number acts on its own result, through the mean on all of its group, and through the variance on all.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Numbers} grad
 * @param {Float64Array[]} grads
 * @param {Secants} [secants]
 */
export function normalizeBack(scene, { op }, [x], grad, [back], secants) {
  const [before] = secants?.inputs ?? [x];
  eachNormalised(scene, op, x, before, (places, gains, here, there, slope) => {
    const scale = (here.inverse + there.inverse) / 2;
    const coming = places.map((place, t) => grad[place] * gains[t]);
    const mean = op.centres ? coming.reduce((a, b) => a + b, 0) / places.length : 0;
    const along = coming.reduce((sum, each, t) => sum + (each * (here.centred[t] + there.centred[t])) / 2, 0);
    places.forEach((place, t) => {
      back[place] += (coming[t] - mean) * scale + (along * slope * (here.apart[t] + there.apart[t])) / op.shares;
    });
  });
}

/**
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array[]} changes
 * @param {Float32Array} out
 */
export function normalizeForward(scene, { op }, [x], [change], out) {
  eachNormalised(scene, op, x, x, (places, gains, here, _, slope) => {
    const coming = places.map((place) => change[place]);
    const mean = op.centres ? coming.reduce((a, b) => a + b, 0) / places.length : 0;
    const along = (2 * coming.reduce((sum, each, t) => sum + each * here.apart[t], 0)) / op.shares;
    places.forEach((place, t) => {
      out[place] = gains[t] * ((coming[t] - mean) * here.inverse + here.centred[t] * slope * along);
    });
  });
}

/**
 * Each group that shares its statistics: its places, the gains there, and of these numbers and the reference's what
 * they are off their mean, the part of that which is scaled, and the scale; then how that grows with the variance.
 *
 * @typedef {{ inverse: number, apart: number[], centred: number[] }} Side
 *
 * @param {Scene} scene
 * @param {Operation} op
 * @param {Float32Array} x
 * @param {Float32Array} before
 * @param {(places: number[], gains: number[], here: Side, there: Side, slope: number) => void} give
 */
function eachNormalised(scene, op, x, before, give) {
  const [starts, weights] = [placesOf(op, "kept", 0), placesOf(op, "kept", 1)];
  const [steps, weightSteps] = [placesOf(op, "over", 0), placesOf(op, "over", 1)];
  const gain = op.gain ? scene.data(op.gain) : null;
  for (let g = 0; g < starts.length; g++) {
    const places = Array.from(steps, (step) => starts[g] + step);
    const gains = places.map((_, t) => (gain ? gain[weights[g] + weightSteps[t]] : 1));
    const [here, there] = [x, before].map((numbers) => {
      const { mean, variance, inverse } = statisticsOf(op, numbers, starts[g]);
      const apart = places.map((place) => numbers[place] - mean);
      return { variance, inverse, apart, centred: op.centres ? apart : places.map((place) => numbers[place]) };
    });
    const grown = here.variance - there.variance;
    const slope = grown ? (here.inverse - there.inverse) / grown : -(here.inverse ** 3) / 2;
    give(places, gains, here, there, slope);
  }
}
