// How a small change goes through one stage: forward it is the Jacobian times a vector (tangents), backward a
// vector times the Jacobian (gradients). Sums run in double precision. An operation that is not among these
// has slopes that this page does not know, and null stands for what it would give.
//
// Backward there may be secants in place of slopes: between the numbers of another image, the reference, and
// these. They split the whole difference from the reference exactly among what made it, where slopes say what
// a small change would do. These are the multipliers of DeepLIFT's rescale rule (Shrikumar, Greenside and
// Kundaje, "Learning important features through propagating activation differences", ICML 2017).

import { maximum } from "./arrays.js";
import { ACTIVATION_GRADIENTS } from "./activation_gradients.js";
import { ELEMENTWISE_SLOPES } from "./elementwise_gradients.js";
import { affinePlace, computeStage, slopesOf } from "./forward.js";
import { MERGE_GRADIENTS, eachMerged, mergeBack, sourcesOf } from "./merge_gradients.js";
import { eachPooled, sampledWinners, samplesOfAll, splitAmongWinners, tapsOfAll, toWinners } from "./pool_gradients.js";
import { contractBack, contractForward, eachReduced, normalizeBack, normalizeForward, REDUCTION_SLOPES } from "./tensor_gradients.js";
import { atOneStep } from "./tensors.js";
import { allFinite } from "./windowed.js";
import { lineOf, placesRead, readShape } from "./windows.js";

/** @import { Operation, Scene, Stage } from "./scene.js" */

/** @typedef {Float32Array | Float64Array} Numbers */

/**
 * Whether this page knows the slopes of an operation: a mode of which nothing is said here makes another one of it.
 *
 * @param {Operation} op
 * @returns {boolean}
 */
export function differentiable({ type, mode, name, op }) {
  if (type === "activation") return name in ACTIVATION_GRADIENTS;
  if (type === "merge") return mode in MERGE_GRADIENTS || mode in ELEMENTWISE_SLOPES;
  if (type === "pool") return mode === "max" || mode === "mean";
  if (type === "reduce") return mode in REDUCTION_SLOPES;
  if (type === "each") return differentiable(op);
  return type in VECTOR_JACOBIANS && (!mode || (type === "sample" && mode === "max"));
}

/**
 * Of one stage: what it read and gave for the reference, and what it gives here.
 *
 * @typedef {{ inputs: Float32Array[], from: Float32Array, to: Float32Array }} Secants
 */

/**
 * The vector-Jacobian product of a stage: from the gradient with respect to what it gave to those with
 * respect to what it read, one for each of its inputs; null if its slopes are not known.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} values
 * @param {Numbers} grad
 * @param {(Float32Array | null)[]} [reference] another image's values, for secants
 */
export function vectorJacobian(scene, stage, values, grad, reference) {
  if (!differentiable(stage.op)) return null;
  const inputs = stage.reads.map((source) => values[source]);
  const secants = reference && secantsOf(stage, values, reference);
  if (secants === null) return null;
  const grads = inputs.map((x) => new Float64Array(x.length));
  VECTOR_JACOBIANS[stage.op.type](scene, stage, inputs, grad, grads, secants);
  return grads;
}

/**
 * @param {Stage} stage
 * @param {Float32Array[]} values
 * @param {(Float32Array | null)[]} reference
 * @returns {Secants | null}
 */
function secantsOf({ index, reads }, values, reference) {
  const inputs = reads.map((source) => reference[source]);
  const from = reference[index];
  if (!from || inputs.some((input) => !input)) return null;
  return { inputs: /** @type {Float32Array[]} */ (inputs), from, to: values[index] };
}

/**
 * The Jacobian-vector product of a stage: how what it gives changes, to first order, when what it reads changes
 * by `tangents` (by the stages, as values are); null if its slopes, or how an input changes, are not known.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} values
 * @param {(Float32Array | null)[]} tangents
 */
export function jacobianVector(scene, stage, values, tangents) {
  const { op, reads, shape } = stage;
  const changes = reads.map((source) => tangents[source]);
  if (!differentiable(op) || changes.some((change) => !change)) return null;
  const product = JACOBIAN_VECTORS[op.type];
  if (!product || op.mode === "mean" || op.mode === "sum" || (op.type === "sample" && !op.mode)) {
    // It is linear but for what it adds.
    const linear = { ...stage, op: { ...op, bias: null, fill: 0 } };
    return computeStage(scene, linear, /** @type {Float32Array[]} */ (tangents));
  }
  const out = new Float32Array(shape[0] * shape[1] * shape[2]);
  const inputs = reads.map((source) => values[source]);
  product(scene, stage, inputs, /** @type {Float32Array[]} */ (changes), out);
  return out;
}

/**
 * By the types of operations. The gradients with respect to the inputs, `grads`, begin as zeros.
 *
 * @type {Record<string, (scene: Scene, stage: Stage, inputs: Float32Array[], grad: Numbers, grads: Float64Array[],
 *   secants?: Secants) => void>}
 */
const VECTOR_JACOBIANS = {
  conv(scene, stage, _, grad, [back]) {
    const { rowTaps, colTaps } = tapsOfAll(stage);
    const [, width, channels] = readShape(scene, stage);
    const filters = stage.shape[2];
    const { groups } = stage.op;
    const [perGroup, made] = [channels / groups, filters / groups];
    const kernel = scene.data(stage.op.kernel);
    const across = stage.op.cols[1];
    const sparse = allFinite(kernel);
    rowTaps.forEach((down, r) =>
      colTaps.forEach((along, c) => {
        const unit = (r * colTaps.length + c) * filters;
        if (sparse && allZero(grad, unit, filters)) return;
        for (const [i, row] of down) {
          for (const [j, col] of along) {
            const pixel = (row * width + col) * channels;
            const tap = (i * across + j) * perGroup;
            for (let g = 0; g < groups; g++) {
              for (let k = 0; k < perGroup; k++) {
                const weights = (tap + k) * filters;
                let sum = 0;
                for (let n = g * made; n < (g + 1) * made; n++) sum += grad[unit + n] * kernel[weights + n];
                back[pixel + g * perGroup + k] += sum;
              }
            }
          }
        }
      }),
    );
  },

  transposed(scene, stage, _, grad, [back]) {
    const { rowTaps, colTaps } = tapsOfAll(stage);
    const [height, width, channels] = readShape(scene, stage);
    const filters = stage.shape[2];
    const kernel = scene.data(stage.op.kernel);
    const [size, across] = stage.op.cols;
    const sparse = allFinite(kernel);
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        const pixel = (r * width + c) * channels;
        for (const [i, row] of rowTaps[r]) {
          for (const [j, col] of colTaps[c]) {
            const unit = (row * size + col) * filters;
            if (sparse && allZero(grad, unit, filters)) continue;
            for (let n = 0; n < filters; n++) {
              const weights = ((i * across + j) * filters + n) * channels;
              for (let k = 0; k < channels; k++) back[pixel + k] += grad[unit + n] * kernel[weights + k];
            }
          }
        }
      }
    }
  },

  pool(_, stage, [x], grad, [back], secants) {
    const apart = secants && stage.op.mode === "max";
    if (apart) toWinners(stage, x, grad, back, secants);
    else eachPooled(stage, x, grad, (n, pixels, channel, share) => {
      for (const pixel of pixels) back[pixel + channel] += grad[n] * share;
    });
  },

  sample(scene, stage, [x], grad, [back], secants) {
    const { op, shape } = stage;
    if (op.mode) {
      const here = sampledWinners(scene, stage, x);
      if (secants) splitAmongWinners(here, sampledWinners(scene, stage, secants.inputs[0]), x, grad, back, secants);
      else here.forEach((place, n) => (back[place] += grad[n]));
      return;
    }
    const [height, width, channels] = shape;
    const [down, across] = samplesOfAll(scene, stage);
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        for (const [row, a] of down[r]) {
          for (const [col, b] of across[c]) {
            const [from, to] = [(r * width + c) * channels, (row * op.along[1].size + col) * channels];
            for (let k = 0; k < channels; k++) back[to + k] += a * b * grad[from + k];
          }
        }
      }
    }
  },

  affine: (scene, stage, _, grad, [back]) => scaled(scene, stage, grad, back),

  activation(scene, stage, [x], grad, [back], secants) {
    bent(scene, stage, x, grad, back);
    if (!secants) return;
    const { inputs, from, to } = secants;
    for (let n = 0; n < x.length; n++) {
      const apart = x[n] - inputs[0][n];
      if (apart) back[n] = grad[n] && (grad[n] * (to[n] - from[n])) / apart;
    }
  },

  softmax(_, { op }, [x], grad, [back], secants) {
    if (secants) {
      eachLine(op, x, (line) => softmaxSecants(op, line, x, grad, back, secants));
      return;
    }
    eachLine(op, x, (line, shares) => {
      const total = line.reduce((sum, n, i) => sum + (op.log ? 1 : shares[i]) * grad[n], 0);
      line.forEach((n, i) => (back[n] = op.log ? grad[n] - shares[i] * total : shares[i] * (grad[n] - total)));
    });
  },

  move(scene, stage, _, grad, grads) {
    const place = placesRead(scene, stage);
    grads.forEach((back, input) => {
      for (let n = 0; n < grad.length; n++) {
        const from = place(n, input);
        if (from >= 0) back[from] += grad[n];
      }
    });
  },

  merge(scene, stage, inputs, grad, grads, secants) {
    const sources = sourcesOf(stage);
    eachMerged(scene, stage, inputs, (n, places, numbers, shares) => {
      const from = secants && numbers.map((x, i) => (sources[i] === null ? x : secants.inputs[sources[i]][places[i]]));
      mergeBack(stage.op, numbers, grad[n], shares, from);
      places.forEach((place, i) => {
        if (sources[i] !== null) grads[sources[i]][place] += shares[i];
      });
    });
  },

  contract: contractBack,
  normalize: normalizeBack,

  reduce(_, { op }, [x], grad, [back], secants) {
    eachReduced(op, x, secants?.inputs[0], grad, (n, places, slopes) =>
      places.forEach((place, t) => (back[place] += grad[n] * slopes[t])));
  },

  // Which row of a table is read goes up and down in steps; between two rows lies a difference.
  lookup(_, { op }, [x], grad, [back], secants) {
    if (!secants) return;
    const { inputs, from, to } = secants;
    grad.forEach((each, n) => {
      const i = Math.floor(n / op.width);
      if (x[i] !== inputs[0][i]) back[i] += (each * (to[n] - from[n])) / (x[i] - inputs[0][i]);
    });
  },

  each(scene, stage, [x], grad, [back], secants) {
    eachStep(scene, stage, (inner, own, read, made) => {
      const values = [x.subarray(...read), EMPTY];
      const { inputs: [before], from, to } = secants ?? { inputs: [EMPTY], from: EMPTY, to: EMPTY };
      const reference = secants && [before.subarray(...read), from.subarray(...made)];
      if (secants) values[1] = to.subarray(...made);
      const [found] = vectorJacobian(inner, own, values, grad.subarray(...made), reference) ?? [];
      if (found) back.set(found, read[0]);
    });
  },
};

/**
 * The operations that are not linear, or whose inputs join in more ways than one; `changes` are the tangents of
 * the inputs.
 *
 * @type {Record<string, (scene: Scene, stage: Stage, inputs: Float32Array[], changes: Float32Array[], out: Float32Array) => void>}
 */
const JACOBIAN_VECTORS = {
  pool(_, stage, [x], [change], out) {
    eachPooled(stage, x, null, (n, pixels, channel, share) => {
      let sum = 0;
      for (const pixel of pixels) sum += change[pixel + channel] * share;
      out[n] = sum;
    });
  },

  affine: (scene, stage, _, [change], out) => scaled(scene, stage, change, out),

  activation: (scene, stage, [x], [change], out) => bent(scene, stage, x, change, out),

  softmax(_, { op }, [x], [change], out) {
    eachLine(op, x, (line, shares) => {
      const mean = line.reduce((sum, n, i) => sum + shares[i] * change[n], 0);
      line.forEach((n, i) => (out[n] = (op.log ? 1 : shares[i]) * (change[n] - mean)));
    });
  },

  merge(scene, stage, inputs, changes, out) {
    const sources = sourcesOf(stage);
    eachMerged(scene, stage, inputs, (n, places, numbers, shares) => {
      mergeBack(stage.op, numbers, 1, shares);
      let sum = 0;
      places.forEach((place, i) => {
        if (sources[i] !== null && shares[i]) sum += shares[i] * changes[sources[i]][place];
      });
      out[n] = sum;
    });
  },

  contract: contractForward,
  normalize: normalizeForward,

  sample(scene, stage, [x], [change], out) {
    sampledWinners(scene, stage, x).forEach((place, n) => (out[n] = change[place]));
  },

  reduce(_, { op }, [x], [change], out) {
    eachReduced(op, x, undefined, null, (n, places, slopes) => {
      out[n] = places.reduce((sum, place, t) => sum + (slopes[t] && slopes[t] * change[place]), 0);
    });
  },

  lookup() {},

  each(scene, stage, [x], [change], out) {
    eachStep(scene, stage, (inner, own, read, made) => {
      const found = jacobianVector(inner, own, [x.subarray(...read), EMPTY], [change.subarray(...read), EMPTY]);
      if (found) out.set(found, made[0]);
    });
  },
};

const EMPTY = new Float32Array(0);

/**
 * A layer at each step of a sequence, and from where to where the step reads and writes.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {(inner: Scene, own: Stage, read: [number, number], made: [number, number]) => void} give
 */
function eachStep(scene, stage, give) {
  const { scene: inner, stage: own, source, size } = atOneStep(scene, stage);
  for (let step = 0; step < stage.op.steps; step++) {
    give(inner, own, [step * source, (step + 1) * source], [step * size, (step + 1) * size]);
  }
}

/**
 * Of one line of a softmax: the difference of each power by its secant, and those of the shares, which are powers
 * over their sum, by those of both.
 *
 * @param {Operation} op
 * @param {number[]} line
 * @param {Float32Array} x
 * @param {Numbers} grad
 * @param {Float64Array} back
 * @param {Secants} secants
 */
function softmaxSecants(op, line, x, grad, back, { inputs: [before] }) {
  const most = maximum(line.map((n) => Math.max(x[n], before[n])));
  const [here, there] = [x, before].map((numbers) => line.map((n) => Math.exp(numbers[n] - most)));
  const [sum, sumBefore] = [here, there].map((powers) => powers.reduce((a, b) => a + b, 0));
  const growth = here.map((power, i) => {
    const apart = x[line[i]] - before[line[i]];
    return apart ? (power - there[i]) / apart : power;
  });
  if (op.log) {
    const total = line.reduce((all, n) => all + grad[n], 0);
    const grown = sum - sumBefore;
    const byLog = grown ? (Math.log(sum) - Math.log(sumBefore)) / grown : 1 / sum;
    line.forEach((n, i) => (back[n] = grad[n] - total * byLog * growth[i]));
    return;
  }
  const [ratio, ratioBefore] = [1 / sum, 1 / sumBefore];
  const byRatio = line.reduce((all, n, i) => all + (grad[n] * (here[i] + there[i])) / 2, 0) * -ratio * ratioBefore;
  line.forEach((n, i) => (back[n] = growth[i] * ((grad[n] * (ratio + ratioBefore)) / 2 + byRatio)));
}

/**
 * Every line of a softmax, and the shares of its numbers.
 *
 * @param {Operation} op
 * @param {Float32Array} x
 * @param {(line: number[], shares: number[]) => void} give
 */
function eachLine(op, x, give) {
  const done = new Uint8Array(x.length);
  for (let n = 0; n < x.length; n++) {
    if (done[n]) continue;
    const line = lineOf(op, n);
    for (const i of line) done[i] = 1;
    const most = maximum(line.map((i) => x[i]));
    const powers = line.map((i) => Math.exp(x[i] - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    give(line, powers.map((power) => power / sum));
  }
}

/**
 * Of an affine stage: each number times its scale, forward as backward.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Numbers} numbers
 * @param {Numbers} out
 */
function scaled(scene, { op }, numbers, out) {
  const [a, b] = [scene.data(op.a), scene.data(op.b)];
  const product = op.form === "x*a+b";
  for (let n = 0; n < out.length; n++) {
    const i = affinePlace(op, a.length, n);
    out[n] = product ? numbers[n] * a[i] : numbers[n] / b[i];
  }
}

/**
 * Of an activation: each number times the slope at its x, forward as backward.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array} x
 * @param {Numbers} numbers
 * @param {Numbers} out
 */
function bent(scene, { op }, x, numbers, out) {
  const gradient = ACTIVATION_GRADIENTS[op.name];
  const slope = slopesOf(scene, /** @type {any} */ (op));
  for (let n = 0; n < out.length; n++) out[n] = gradient(x[n], numbers[n], op.arguments, slope?.(n) ?? 0);
}

/**
 * @param {Numbers} numbers
 * @param {number} start
 * @param {number} count
 */
function allZero(numbers, start, count) {
  for (let n = start; n < start + count; n++) if (numbers[n] !== 0) return false;
  return true;
}
