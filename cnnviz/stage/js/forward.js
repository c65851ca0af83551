// What each kind of stage computes, in float32. Sums run in double precision and round once.

import { clip, maximum, minimum } from "./arrays.js";
import { ELEMENTWISE, erfc } from "./elementwise.js";
import { atOneStep, contract, lookup, normalize, reduce } from "./tensors.js";
import { convolve, pool, sample, transpose } from "./windowed.js";
import { lengthOf, placesRead, wholeOf } from "./windows.js";

/** @import { Box, Scene, Stage } from "./scene.js" */

export const f = Math.fround;

/**
 * One stage's output from the outputs of the stages before it.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} values
 */
export function computeStage(scene, stage, values) {
  const out = new Float32Array(lengthOf(stage));
  computeBox(scene, stage, values, out, wholeOf(stage.shape));
  return out;
}

/**
 * The same for the cells of a box alone: the others stay as they are in `out`. Each number is computed in the
 * same way, whatever the box. An operation that has no use for the box computes all.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} values
 * @param {Float32Array} out
 * @param {Box} box
 */
export function computeBox(scene, stage, values, out, box) {
  const compute = OPERATIONS[stage.op.type];
  if (!compute) throw new Error(`this page does not compute ${stage.name}: its operation is ${stage.op.type}`);
  compute(scene, stage, stage.reads.map((source) => values[source]), out, box);
}

/** @typedef {(scene: Scene, stage: Stage, inputs: Float32Array[], out: Float32Array, box: Box) => void} Compute */

/**
 * The operations that Python may name; each fills the numbers of its stage. Missing are "input", whose
 * numbers are the image's, and "given", whose numbers only Python computes.
 *
 * @type {Record<string, Compute>}
 */
export const OPERATIONS = {
  conv: convolve,
  transposed: transpose,
  pool,
  sample,

  affine(scene, { op, shape }, [x], out, box) {
    const [a, b] = [scene.data(op.a), scene.data(op.b)];
    const form = op.form === "x*a+b";
    const [repeat, count] = [op.repeat ?? 1, a.length];
    inRows(shape, box, (first, end) => {
      for (let n = first; n < end; n++) {
        const i = repeat === 1 ? n % count : Math.floor(n / repeat) % count;
        out[n] = form ? f(x[n] * a[i]) + b[i] : f(x[n] - a[i]) / b[i];
      }
    });
  },

  activation(scene, { op, shape }, [x], out, box) {
    const compute = activationBy(op.name, op.arguments);
    const slope = slopesOf(scene, op);
    inRows(shape, box, (first, end) => {
      for (let n = first; n < end; n++) out[n] = compute(x[n], slope?.(n));
    });
  },

  softmax(scene, { op }, [x], out) {
    const { count, step } = op;
    const length = count * step;
    for (let block = 0; block < out.length; block += length) {
      for (let first = block; first < block + step; first++) {
        let most = -Infinity;
        for (let i = first; i < first + length; i += step) most = Math.max(most, x[i]);
        let sum = 0;
        for (let i = first; i < first + length; i += step) sum += Math.exp(x[i] - most);
        const log = Math.log(sum);
        for (let i = first; i < first + length; i += step) {
          out[i] = op.log ? x[i] - most - log : Math.exp(x[i] - most) / sum;
        }
      }
    }
  },

  move(scene, stage, inputs, out) {
    // The table counts through all inputs, one after the other, from 1; 0 is padding.
    const from = scene.data(stage.op.from);
    out.fill(stage.op.fill ?? 0);
    let start = 1;
    for (const x of inputs) {
      for (let n = 0; n < out.length; n++) {
        const place = from[n] - start;
        if (place >= 0 && place < x.length) out[n] = x[place];
      }
      start += x.length;
    }
  },

  merge(scene, stage, inputs, out, box) {
    const join = mergeBy(stage.op.mode);
    const taken = argumentsOf(scene, stage, inputs);
    const numbers = new Array(taken.length).fill(0);
    inRows(stage.shape, box, (first, end) => {
      for (let n = first; n < end; n++) {
        for (let i = 0; i < numbers.length; i++) numbers[i] = taken[i](n);
        out[n] = join(numbers);
      }
    });
  },

  contract,
  reduce,
  normalize,
  lookup,

  each(scene, stage, [x], out) {
    const { steps } = stage.op;
    const { scene: inner, stage: own, source, size } = atOneStep(scene, stage);
    for (let step = 0; step < steps; step++) {
      const read = x.subarray(step * source, (step + 1) * source);
      out.set(computeStage(inner, own, [read]), step * size);
    }
  },
};

/**
 * What a merge joins, in order: functions of the place in the result.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @returns {((n: number) => number)[]}
 */
export function argumentsOf(scene, stage, inputs) {
  const place = placesRead(scene, stage);
  const given = stage.op.arguments ?? inputs.map((_, input) => input);
  return given.map((/** @type {any} */ each) => {
    if (typeof each === "number") {
      const x = inputs[each];
      return stage.op.maps[each] ? (/** @type {number} */ n) => x[place(n, each)] : (/** @type {number} */ n) => x[n];
    }
    const value = f(each.value);
    if (!each.array) return () => value;
    const [numbers, map] = [scene.data(each.array), each.map && scene.data(each.map)];
    return (/** @type {number} */ n) => numbers[map ? map[n] : n];
  });
}

/**
 * The places of a box's numbers, a row at a time: from the first to before the end.
 *
 * @param {number[]} shape
 * @param {Box} box
 * @param {(first: number, end: number) => void} run
 */
function inRows([, width, channels], { top, bottom, left, right }, run) {
  for (let row = top; row <= bottom; row++) {
    run((row * width + left) * channels, (row * width + right + 1) * channels);
  }
}

/**
 * Which of its `count` scales and shifts an affine stage's n-th number has; `repeat` neighbours share one.
 *
 * @param {Record<string, any>} op
 * @param {number} count
 * @param {number} n
 */
export function affinePlace({ repeat = 1 }, count, n) {
  return Math.floor(n / repeat) % count;
}

/**
 * x*a + b or (x - a)/b, each step rounded to float32 as NumPy rounds it.
 *
 * @param {string} form
 * @param {number} x
 * @param {number} a
 * @param {number} b
 */
export function affineOf(form, x, a, b) {
  return form === "x*a+b" ? f(f(x * a) + b) : f(f(x - a) / b);
}

/**
 * The scale and shift of a batch normalisation, each step rounded to float32 as NumPy rounds it.
 *
 * @param {Float32Array} mean
 * @param {Float32Array} variance
 * @param {Float32Array | undefined} gamma
 * @param {Float32Array | undefined} beta
 * @param {number} epsilon
 */
export function scaleAndShift(mean, variance, gamma, beta, epsilon) {
  const scale = variance.map((each, k) => f(1 / f(Math.sqrt(f(each + f(epsilon))))) * (gamma ? gamma[k] : 1));
  const shift = mean.map((each, k) => (beta ? beta[k] - f(each * scale[k]) : -each * scale[k]));
  return { scale, shift };
}

/**
 * Of an activation with slopes of its own that of its n-th number, else nothing. Neighbours may share one: by
 * a table, or each of the last axes' cells has its own.
 *
 * @param {Scene} scene
 * @param {Record<string, any>} op
 * @returns {((n: number) => number) | null}
 */
export function slopesOf(scene, { name, arguments: given, from }) {
  if (name !== "prelu") return null;
  const [slopes, places] = [scene.data(given.alpha), from && scene.data(from)];
  return (n) => slopes[places ? places[n] : n % slopes.length];
}

/**
 * One activation of one number.
 *
 * @param {string} name
 * @param {Record<string, any>} given the arguments that are not defaults
 * @param {number} x
 * @param {number} [slope] of this cell, for "prelu"
 */
export function activationOf(name, given, x, slope) {
  return activationBy(name, given)(x, slope);
}

/**
 * An activation with its arguments, as a function of one number.
 *
 * @param {string} name
 * @param {Record<string, any>} given
 * @returns {(x: number, slope?: number) => number}
 */
function activationBy(name, given) {
  const make = ACTIVATIONS[name];
  if (!make) throw new Error(`unknown activation ${name}`);
  return make(given);
}

/** @type {(z: number) => number} */
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
/** @type {(z: number) => number} */
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
/** @type {(z: number) => number} */
const hardSigmoid = (z) => clip(z / 6 + 0.5, 0, 1);

/**
 * The activations that Python may name, with Keras's definitions and defaults; of their arguments, functions
 * of a number.
 *
 * @type {Record<string, (given: Record<string, any>) => (x: number, slope?: number) => number>}
 */
export const ACTIVATIONS = {
  linear: () => (x) => x,
  relu({ threshold = 0, max_value: most, negative_slope: slope }) {
    if (!threshold && most == null && !slope) return (x) => Math.max(x, 0);
    return (x) => {
      let y = threshold ? (x > threshold ? x : 0) : Math.max(x, 0);
      if (most != null) y = clip(y, 0, f(most));
      return slope ? f(y + f(f(slope) * Math.min(f(x - f(threshold)), 0))) : y;
    };
  },
  relu6: () => (x) => clip(x, 0, 6),
  leaky_relu: ({ negative_slope: slope = 0.2 }) => (x) => (x > 0 ? x : f(f(slope) * x)),
  prelu: () => (x, slope = 0) => (x > 0 ? x : f(slope * x)),
  elu: ({ alpha = 1 }) => (x) => (x > 0 ? x : alpha * Math.expm1(x)),
  selu: () => (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  celu: ({ alpha = 1 }) => (x) => Math.max(x, 0) + alpha * Math.expm1(Math.min(x, 0) / alpha),
  gelu: ({ approximate }) =>
    approximate
      ? (x) => x * sigmoid(Math.sqrt(8 / Math.PI) * (x + 0.044715 * x ** 3))
      : (x) => 0.5 * x * erfc(-x * Math.SQRT1_2),
  silu: () => (x) => x * sigmoid(x),
  hard_silu: () => (x) => x * hardSigmoid(x),
  hard_sigmoid: () => hardSigmoid,
  mish: () => (x) => x * Math.tanh(softplus(x)),
  sigmoid: () => sigmoid,
  tanh: () => Math.tanh,
  softplus: () => softplus,
  softsign: () => (x) => x / (1 + Math.abs(x)),
  exponential: () => Math.exp,
  hard_tanh: () => (x) => clip(x, -1, 1),
  hard_shrink: ({ threshold = 0.5 }) => (x) => (Math.abs(x) > f(threshold) ? x : 0),
  soft_shrink({ threshold = 0.5 }) {
    const least = f(threshold);
    return (x) => (x > least ? f(x - least) : x < -least ? f(x + least) : 0);
  },
  threshold: ({ threshold, default_value: rest }) => (x) => (x > f(threshold) ? x : f(rest)),
  tanh_shrink: () => (x) => x - Math.tanh(x),
  squareplus: ({ b = 4 }) => (x) => (x + Math.sqrt(x * x + b)) / 2,
  sparse_plus: () => (x) => (x < 1 ? Math.max(x + 1, 0) ** 2 / 4 : x),
  sparse_sigmoid: () => (x) => clip((x + 1) / 2, 0, 1),
  log_sigmoid: () => (x) => -softplus(-x),
};

/**
 * Several numbers as Keras's merging layers join them, rounded at each step.
 *
 * @param {string} mode
 * @param {number[]} numbers
 */
export function mergeOf(mode, numbers) {
  return mergeBy(mode)(numbers);
}

/**
 * @param {string} mode
 */
export function mergeBy(mode) {
  const join = MERGES[mode];
  if (!join) throw new Error(`unknown merge ${mode}`);
  return join;
}

/** @type {(numbers: number[]) => number} */
const sum = (numbers) => numbers.reduce((a, b) => f(a + b));

/**
 * The ways of merging that Python may name.
 *
 * @type {Record<string, (numbers: number[]) => number>}
 */
export const MERGES = {
  add: sum,
  subtract: ([a, b]) => f(a - b),
  multiply: (numbers) => numbers.reduce((a, b) => f(a * b)),
  average: (numbers) => f(sum(numbers) / numbers.length),
  maximum: (numbers) => maximum(numbers),
  minimum,
  ...ELEMENTWISE,
};
