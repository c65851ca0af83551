// What is computed along axes of arrays that Python names: products, reductions, norms, rows of a table, and a
// layer at each step of a sequence.

import { lengthOf } from "./windows.js";

/** @import { Operation, Scene, Stage } from "./scene.js" */

/** @typedef {[length: number, ...steps: number[]]} Along an axis, and how far a step along it goes in some arrays */

/**
 * The places in an array of all combinations of steps along some axes, the last axis fastest.
 *
 * @param {Along[]} axes
 * @param {number} array which of the arrays
 */
export function placesAlong(axes, array) {
  let places = [0];
  for (const [length, ...steps] of axes) {
    places = places.flatMap((place) => Array.from({ length }, (_, i) => place + i * steps[array]));
  }
  return Int32Array.from(places);
}

/**
 * What a contraction multiplies: an input by its number, an array by its name.
 *
 * @param {Scene} scene
 * @param {number | string} operand
 * @param {Float32Array[]} inputs
 */
function operandOf(scene, operand, inputs) {
  return typeof operand === "number" ? inputs[operand] : scene.data(operand);
}

/** @type {WeakMap<Operation, Record<string, Int32Array>>} */
const kept = new WeakMap();

/**
 * The places of an operation along its axes, worked out once: `out` or `kept` by the unit, `over` by the term.
 *
 * @param {Operation} op
 * @param {string} axes
 * @param {number} array
 */
export function placesOf(op, axes, array) {
  const known = kept.get(op) ?? {};
  kept.set(op, known);
  return (known[`${axes} ${array}`] ??= placesAlong(op[axes], array));
}

/**
 * Sums of products of two arrays.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 */
export function contract(scene, { op }, inputs, out) {
  const [a, b] = [operandOf(scene, op.first, inputs), operandOf(scene, op.second, inputs)];
  const [startA, startB] = [placesOf(op, "out", 0), placesOf(op, "out", 1)];
  const [stepA, stepB] = [placesOf(op, "over", 0), placesOf(op, "over", 1)];
  const bias = op.bias ? scene.data(op.bias) : null;
  const biasAt = placesOf(op, "out", 2);
  const { scale = 1 } = op;
  for (let n = 0; n < out.length; n++) {
    let sum = 0;
    for (let t = 0; t < stepA.length; t++) sum += a[startA[n] + stepA[t]] * b[startB[n] + stepB[t]];
    out[n] = sum * scale + (bias ? bias[biasAt[n]] : 0);
  }
}

/**
 * One number of all along some axes.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 */
export function reduce(scene, { op }, [x], out) {
  const [starts, steps] = [placesOf(op, "kept", 0), placesOf(op, "over", 0)];
  const make = REDUCTIONS[op.mode];
  const numbers = new Float64Array(steps.length);
  for (let n = 0; n < out.length; n++) {
    for (let t = 0; t < steps.length; t++) numbers[t] = x[starts[n] + steps[t]];
    out[n] = make(numbers);
  }
}

/** @type {(numbers: Float64Array) => number} */
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/**
 * The ways of reducing that Python may name.
 *
 * @type {Record<string, (numbers: Float64Array) => number>}
 */
export const REDUCTIONS = {
  sum,
  mean: (numbers) => sum(numbers) / numbers.length,
  max: (numbers) => numbers.reduce((a, b) => Math.max(a, b), -Infinity),
  min: (numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity),
  var(numbers) {
    const mean = sum(numbers) / numbers.length;
    return sum(numbers.map((x) => (x - mean) ** 2)) / numbers.length;
  },
  threshold: (numbers) => supportOf(numbers).threshold,
};

/**
 * What Keras's sparsemax takes off each of these numbers, as `sparsemax_threshold` in cnnviz.ops: the mean of the
 * partial sums of the largest numbers, less 1 in all; and how fast it grows with each.
 *
 * @param {ArrayLike<number>} numbers
 */
export function supportOf(numbers) {
  // NaN is first; of equals the first counts as larger.
  const rank = (/** @type {number} */ x) => (Number.isNaN(x) ? Infinity : x);
  const order = Array.from(numbers, (_, t) => t).sort((a, b) => (rank(numbers[b]) > rank(numbers[a]) ? 1 : rank(numbers[b]) < rank(numbers[a]) ? -1 : 0));
  let partial = 0;
  const sums = order.map((t) => (partial += numbers[t]));
  const held = order.map((t, i) => numbers[t] - (sums[i] - 1) / (i + 1) > 0);
  const count = held.filter(Boolean).length;
  const total = sums.reduce((all, each, i) => (held[i] ? all + each : all), 0);
  const slopes = new Array(order.length).fill(0);
  let holding = 0;
  for (let i = order.length - 1; i >= 0; i--) {
    holding += held[i] ? 1 : 0;
    slopes[order[i]] = holding / Math.max(count, 1);
  }
  return { threshold: (total - 1) / count, slopes };
}

/**
 * The least length that Keras's UnitNormalization divides by.
 */
const SHORTEST = 1e-12;

/**
 * What numbers that share their statistics have in common, in double precision.
 *
 * @param {Operation} op
 * @param {Float32Array} x
 * @param {number} start the place of the first of them
 */
export function statisticsOf(op, x, start) {
  const steps = placesOf(op, "over", 0);
  let mean = 0;
  if (op.mean) {
    for (const step of steps) mean += x[start + step];
    mean /= steps.length;
  }
  let squares = 0;
  for (const step of steps) squares += (x[start + step] - mean) ** 2;
  const variance = squares / op.shares;
  // Without an epsilon, it is the length that is divided by.
  const inverse = op.epsilon === null ? Math.min(1 / Math.sqrt(variance), 1 / SHORTEST) : 1 / Math.sqrt(variance + op.epsilon);
  return { mean, variance, inverse };
}

/**
 * A number's scale and shift, by its group's statistics and its own weights.
 *
 * @param {Scene} scene
 * @param {Operation} op
 * @param {{ mean: number, inverse: number }} statistics
 * @param {number} at its place in the weights
 */
export function normalScale(scene, op, { mean, inverse }, at) {
  const scale = inverse * (op.gain ? scene.data(op.gain)[at] : 1);
  const beta = op.shift ? scene.data(op.shift)[at] : 0;
  return { scale, shift: op.centres ? beta - mean * scale : beta };
}

/**
 * Each number by the statistics of those around it.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 */
export function normalize(scene, { op }, [x], out) {
  const [starts, weights] = [placesOf(op, "kept", 0), placesOf(op, "kept", 1)];
  const [steps, weightSteps] = [placesOf(op, "over", 0), placesOf(op, "over", 1)];
  for (let g = 0; g < starts.length; g++) {
    const statistics = statisticsOf(op, x, starts[g]);
    for (let t = 0; t < steps.length; t++) {
      const { scale, shift } = normalScale(scene, op, statistics, weights[g] + weightSteps[t]);
      const n = starts[g] + steps[t];
      out[n] = x[n] * scale + shift;
    }
  }
}

/**
 * Rows of a table, by whole numbers.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 */
export function lookup(scene, { op, name }, [x], out) {
  const table = scene.data(op.table);
  for (let n = 0; n < out.length; n++) {
    const row = Math.trunc(x[Math.floor(n / op.width)]);
    if (!(row >= 0 && row < op.entries)) throw new Error(`${name} has the rows 0 to ${op.entries - 1}, got ${x[Math.floor(n / op.width)]}`);
    out[n] = table[row * op.width + (n % op.width)];
  }
}

/**
 * The stage of a layer at one step of a sequence, in a scene of it and what it reads there.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @returns {{ scene: Scene, stage: Stage, source: number, size: number }} with how many numbers it reads and has
 */
export function atOneStep(scene, stage) {
  const { op, source, shape } = stage.op;
  const read = /** @type {Stage} */ ({ ...stage, index: 0, reads: [], op: { type: "input" }, shape: source });
  const own = /** @type {Stage} */ ({ ...stage, index: 1, reads: [0], op, shape });
  const inner = Object.assign(Object.create(Object.getPrototypeOf(scene)), scene, { stages: [read, own] });
  return { scene: inner, stage: own, source: lengthOf(read), size: lengthOf(own) };
}
