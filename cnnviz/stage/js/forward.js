// What each kind of stage computes, in float32. Sums run in double precision and round once.

import { clip, maximum, minimum, range } from "./arrays.js";
import { axisOf, lineOf, placesRead, readShape, samplesAlong, tapsAlong } from "./windows.js";

/** @import { Scene, Stage } from "./scene.js" */

export const f = Math.fround;

/**
 * One stage's output from the outputs of the stages before it.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} values
 */
export function computeStage(scene, stage, values) {
  const compute = OPERATIONS[stage.op.type];
  if (!compute) throw new Error(`this page does not compute ${stage.name}: its operation is ${stage.op.type}`);
  const [height, width, channels] = stage.shape;
  const out = new Float32Array(height * width * channels);
  compute(scene, stage, stage.reads.map((source) => values[source]), out);
  return out;
}

/** @typedef {(scene: Scene, stage: Stage, inputs: Float32Array[], out: Float32Array) => void} Compute */

/**
 * The operations that Python may name; each fills the numbers of its stage. Missing are "input", whose
 * numbers are the image's, and "given", whose numbers only Python computes.
 *
 * @type {Record<string, Compute>}
 */
export const OPERATIONS = {
  conv(scene, stage, [x], out) {
    const { rows, cols, rowTaps, colTaps } = windowsOf(stage);
    const [, width, channels] = readShape(scene, stage);
    const filters = stage.shape[2];
    const { groups } = stage.op;
    const perGroup = channels / groups;
    const filtersPerGroup = filters / groups;
    const kernel = scene.data(stage.op.kernel);
    const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
    const sums = new Float64Array(filters);
    for (let r = 0; r < rows.out; r++) {
      for (let c = 0; c < cols.out; c++) {
        if (bias) sums.set(bias);
        else sums.fill(0);
        for (const [i, row] of rowTaps[r]) {
          for (const [j, col] of colTaps[c]) {
            const pixel = (row * width + col) * channels;
            const tap = (i * cols.kernel + j) * perGroup;
            for (let g = 0; g < groups; g++) {
              for (let k = 0; k < perGroup; k++) {
                const value = x[pixel + g * perGroup + k];
                if (value === 0) continue;
                const weights = (tap + k) * filters;
                const last = (g + 1) * filtersPerGroup;
                for (let n = g * filtersPerGroup; n < last; n++) sums[n] += value * kernel[weights + n];
              }
            }
          }
        }
        out.set(sums, (r * cols.out + c) * filters);
      }
    }
  },

  transposed(scene, stage, [x], out) {
    const { cols, rowTaps, colTaps } = windowsOf(stage);
    const [height, width, channels] = readShape(scene, stage);
    const filters = stage.shape[2];
    const kernel = scene.data(stage.op.kernel);
    const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
    const sums = new Float64Array(out.length);
    if (bias) sums.forEach((_, n) => (sums[n] = bias[n % filters]));
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        const pixel = (r * width + c) * channels;
        for (const [i, row] of rowTaps[r]) {
          for (const [j, col] of colTaps[c]) {
            for (let n = 0; n < filters; n++) {
              const weights = ((i * cols.kernel + j) * filters + n) * channels;
              let sum = 0;
              for (let k = 0; k < channels; k++) sum += x[pixel + k] * kernel[weights + k];
              sums[(row * cols.size + col) * filters + n] += sum;
            }
          }
        }
      }
    }
    out.set(sums);
  },

  pool(scene, stage, [x], out) {
    const { rows, cols, rowTaps, colTaps } = windowsOf(stage);
    const channels = stage.shape[2];
    const largest = stage.op.mode === "max";
    for (let r = 0; r < rows.out; r++) {
      for (let c = 0; c < cols.out; c++) {
        for (let k = 0; k < channels; k++) {
          let most = -Infinity;
          let sum = 0;
          for (const [, row] of rowTaps[r]) {
            for (const [, col] of colTaps[c]) {
              const value = x[(row * cols.size + col) * channels + k];
              if (value > most || Number.isNaN(value)) most = value;
              sum += value;
            }
          }
          const count = rowTaps[r].length * colTaps[c].length;
          out[(r * cols.out + c) * channels + k] = largest ? most : sum / count;
        }
      }
    }
  },

  sample(scene, { op, shape }, [x], out) {
    const [height, width, channels] = shape;
    const sourceWidth = op.along[1].size;
    const across = range(width).map((c) => samplesAlong(scene, op, 1, c));
    for (let r = 0; r < height; r++) {
      const down = samplesAlong(scene, op, 0, r);
      for (let c = 0; c < width; c++) {
        for (let k = 0; k < channels; k++) {
          let sum = 0;
          for (const [row, a] of down) {
            for (const [col, b] of across[c]) {
              sum += a * b * (row < 0 || col < 0 ? op.fill : x[(row * sourceWidth + col) * channels + k]);
            }
          }
          out[(r * width + c) * channels + k] = sum;
        }
      }
    }
  },

  affine(scene, { op }, [x], out) {
    const [a, b] = [scene.data(op.a), scene.data(op.b)];
    for (let n = 0; n < out.length; n++) {
      const i = affinePlace(op, a.length, n);
      out[n] = affineOf(op.form, x[n], a[i], b[i]);
    }
  },

  activation(scene, { op }, [x], out) {
    const { name, arguments: given } = op;
    const slopes = name === "prelu" ? scene.data(given.alpha) : null;
    for (let n = 0; n < out.length; n++) out[n] = activationOf(name, given, x[n], slopes?.[n]);
  },

  softmax(scene, { op }, [x], out) {
    const done = new Uint8Array(out.length);
    for (let n = 0; n < out.length; n++) {
      if (done[n]) continue;
      const line = lineOf(op, n);
      const most = maximum(line.map((i) => x[i]));
      const sum = line.reduce((total, i) => total + Math.exp(x[i] - most), 0);
      for (const i of line) {
        out[i] = op.log ? x[i] - most - Math.log(sum) : Math.exp(x[i] - most) / sum;
        done[i] = 1;
      }
    }
  },

  move(scene, stage, inputs, out) {
    const place = placesRead(scene, stage);
    inputs.forEach((x, input) => {
      for (let n = 0; n < out.length; n++) {
        const from = place(n, input);
        if (from >= 0) out[n] = x[from];
      }
    });
  },

  merge(scene, stage, inputs, out) {
    const place = placesRead(scene, stage);
    for (let n = 0; n < out.length; n++) {
      out[n] = mergeOf(stage.op.mode, inputs.map((x, input) => x[place(n, input)]));
    }
  },
};

/**
 * The two axes of a windowed stage, and the taps of every window along each.
 *
 * @param {Stage} stage
 */
function windowsOf({ op }) {
  const [rows, cols] = [axisOf(op.rows), axisOf(op.cols)];
  const [rowTaps, colTaps] = [rows, cols].map((axis) => range(axis.out).map((u) => tapsAlong(axis, u)));
  return { rows, cols, rowTaps, colTaps };
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
 * One activation of one number.
 *
 * @param {string} name
 * @param {Record<string, any>} given the arguments that are not defaults
 * @param {number} x
 * @param {number} [slope] of this cell, for "prelu"
 */
export function activationOf(name, given, x, slope) {
  const compute = ACTIVATIONS[name];
  if (!compute) throw new Error(`unknown activation ${name}`);
  return compute(x, given, slope);
}

/** @type {(z: number) => number} */
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
/** @type {(z: number) => number} */
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
/** @type {(z: number) => number} */
const hardSigmoid = (z) => clip(z / 6 + 0.5, 0, 1);

/**
 * The activations that Python may name, with Keras's definitions and defaults.
 *
 * @type {Record<string, (x: number, given: Record<string, any>, slope?: number) => number>}
 */
export const ACTIVATIONS = {
  linear: (x) => x,
  relu(x, { threshold = 0, max_value: most, negative_slope: slope }) {
    let y = threshold ? (x > threshold ? x : 0) : Math.max(x, 0);
    if (most != null) y = clip(y, 0, f(most));
    return slope ? f(y + f(f(slope) * Math.min(f(x - f(threshold)), 0))) : y;
  },
  relu6: (x) => clip(x, 0, 6),
  leaky_relu: (x, { negative_slope: slope = 0.2 }) => (x > 0 ? x : f(f(slope) * x)),
  prelu: (x, _, slope = 0) => (x > 0 ? x : f(slope * x)),
  elu: (x, { alpha = 1 }) => (x > 0 ? x : alpha * Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  celu: (x, { alpha = 1 }) => Math.max(x, 0) + alpha * Math.expm1(Math.min(x, 0) / alpha),
  gelu: (x, { approximate }) =>
    approximate
      ? x * sigmoid(Math.sqrt(8 / Math.PI) * (x + 0.044715 * x ** 3))
      : 0.5 * x * erfc(-x * Math.SQRT1_2),
  silu: (x) => x * sigmoid(x),
  hard_silu: (x) => x * hardSigmoid(x),
  hard_sigmoid: hardSigmoid,
  mish: (x) => x * Math.tanh(softplus(x)),
  sigmoid,
  tanh: Math.tanh,
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  exponential: Math.exp,
  hard_tanh: (x) => clip(x, -1, 1),
  hard_shrink: (x, { threshold = 0.5 }) => (Math.abs(x) > f(threshold) ? x : 0),
  soft_shrink(x, { threshold = 0.5 }) {
    const least = f(threshold);
    return x > least ? f(x - least) : x < -least ? f(x + least) : 0;
  },
  threshold: (x, { threshold, default_value: rest }) => (x > f(threshold) ? x : f(rest)),
  tanh_shrink: (x) => x - Math.tanh(x),
  squareplus: (x, { b = 4 }) => (x + Math.sqrt(x * x + b)) / 2,
  sparse_plus: (x) => (x < 1 ? Math.max(x + 1, 0) ** 2 / 4 : x),
  sparse_sigmoid: (x) => clip((x + 1) / 2, 0, 1),
  log_sigmoid: (x) => -softplus(-x),
};

/**
 * The complementary error function, by Lentz's continued fraction or the Taylor series of erf.
 *
 * @param {number} x
 */
function erfc(x) {
  const z = Math.abs(x);
  let result;
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 100; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    result = 1 - (2 / Math.sqrt(Math.PI)) * sum;
  } else {
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
    result = Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  }
  return x >= 0 ? result : 2 - result;
}

/**
 * Several numbers as Keras's merging layers join them, rounded at each step.
 *
 * @param {string} mode
 * @param {number[]} numbers
 */
export function mergeOf(mode, numbers) {
  const join = MERGES[mode];
  if (!join) throw new Error(`unknown merge ${mode}`);
  return join(numbers);
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
};
