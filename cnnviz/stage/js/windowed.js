// What windows compute: convolutions, pooling, and samples between cells, of a whole stage or of a box of it.

import { samplesAlong, axisOf, readShape } from "./windows.js";

/** @import { Box, Operation, Scene, Stage } from "./scene.js" */

/** @type {WeakMap<Float32Array, boolean>} */
const known = new WeakMap();

/**
 * Whether all weights are finite: then a factor of 0 adds nothing, and is left out.
 *
 * @param {Float32Array} weights
 */
export function allFinite(weights) {
  let finite = known.get(weights);
  if (finite === undefined) known.set(weights, (finite = weights.every(Number.isFinite)));
  return finite;
}

/**
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 * @param {Box} box
 */
export function convolve(scene, stage, [x], out, { top, bottom, left, right }) {
  const [rows, cols] = [axisOf(stage.op.rows), axisOf(stage.op.cols)];
  const channels = readShape(scene, stage)[2];
  const filters = stage.shape[2];
  const { groups } = stage.op;
  const kernel = scene.data(stage.op.kernel);
  const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
  // A factor of 0 is left out, and so is padding, unless a weight is infinite: then it makes NaN.
  const sparse = allFinite(kernel);
  const [perGroup, made] = [channels / groups, filters / groups];
  const most = rows.kernel * cols.kernel * perGroup;
  const [factors, weights] = [new Float64Array(most), new Int32Array(most)];
  const sums = new Float64Array(filters);
  for (let r = top; r <= bottom; r++) {
    for (let c = left; c <= right; c++) {
      if (bias) sums.set(bias);
      else sums.fill(0);
      for (let g = 0; g < groups; g++) {
        let count = 0;
        for (let i = 0, row = r * rows.stride - rows.before; i < rows.kernel; i++, row += rows.dilation) {
          const inRow = row >= 0 && row < rows.size;
          if (!inRow && sparse) continue;
          for (let j = 0, col = c * cols.stride - cols.before; j < cols.kernel; j++, col += cols.dilation) {
            const inside = inRow && col >= 0 && col < cols.size;
            if (!inside && sparse) continue;
            const first = (row * cols.size + col) * channels + g * perGroup;
            const tap = (i * cols.kernel + j) * perGroup;
            for (let k = 0; k < perGroup; k++) {
              const value = inside ? x[first + k] : 0;
              if (value === 0 && sparse) continue;
              factors[count] = value;
              weights[count] = (tap + k) * filters;
              count++;
            }
          }
        }
        addProducts(sums, g * made, (g + 1) * made, kernel, factors, weights, count);
      }
      out.set(sums, (r * cols.out + c) * filters);
    }
  }
}

/**
 * Add, to the sums of some filters, each factor times the filter's weight; the factors four at a time.
 *
 * @param {Float64Array} sums
 * @param {number} first
 * @param {number} end
 * @param {Float32Array} kernel
 * @param {Float64Array} factors
 * @param {Int32Array} weights where those of the factors begin in the kernel
 * @param {number} count
 */
function addProducts(sums, first, end, kernel, factors, weights, count) {
  const whole = count - (count % 4);
  for (let m = 0; m < whole; m += 4) {
    const [a, b, c, d] = [factors[m], factors[m + 1], factors[m + 2], factors[m + 3]];
    const [i, j, k, l] = [weights[m], weights[m + 1], weights[m + 2], weights[m + 3]];
    for (let n = first; n < end; n++) {
      sums[n] += a * kernel[i + n] + b * kernel[j + n] + c * kernel[k + n] + d * kernel[l + n];
    }
  }
  for (let m = whole; m < count; m++) {
    const [factor, start] = [factors[m], weights[m]];
    for (let n = first; n < end; n++) sums[n] += factor * kernel[start + n];
  }
}

/**
 * A convolution the other way round: each cell of the result adds up what the cells stamp on it.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 * @param {Box} box
 */
export function transpose(scene, stage, [x], out, { top, bottom, left, right }) {
  const [rows, cols] = [axisOf(stage.op.rows), axisOf(stage.op.cols)];
  const channels = readShape(scene, stage)[2];
  const filters = stage.shape[2];
  const kernel = scene.data(stage.op.kernel);
  const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
  const sums = new Float64Array(filters);
  for (let r = top; r <= bottom; r++) {
    for (let c = left; c <= right; c++) {
      if (bias) sums.set(bias);
      else sums.fill(0);
      for (let i = 0; i < rows.kernel; i++) {
        const row = (r + rows.before - i * rows.dilation) / rows.stride;
        if (!Number.isInteger(row) || row < 0 || row >= rows.out) continue;
        for (let j = 0; j < cols.kernel; j++) {
          const col = (c + cols.before - j * cols.dilation) / cols.stride;
          if (!Number.isInteger(col) || col < 0 || col >= cols.out) continue;
          const first = (row * cols.out + col) * channels;
          let weights = (i * cols.kernel + j) * filters * channels;
          for (let n = 0; n < filters; n++, weights += channels) {
            let sum = 0;
            for (let k = 0; k < channels; k++) sum += x[first + k] * kernel[weights + k];
            sums[n] += sum;
          }
        }
      }
      out.set(sums, (r * cols.size + c) * filters);
    }
  }
}

/**
 * The largest number of each window, or the mean, of which padding is no part.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 * @param {Box} box
 */
export function pool(scene, { op, shape }, [x], out, { top, bottom, left, right }) {
  const [rows, cols] = [axisOf(op.rows), axisOf(op.cols)];
  const channels = shape[2];
  const largest = op.mode === "max";
  for (let r = top; r <= bottom; r++) {
    for (let c = left; c <= right; c++) {
      for (let k = 0; k < channels; k++) {
        let most = -Infinity;
        let sum = 0;
        let count = 0;
        for (let i = 0, row = r * rows.stride - rows.before; i < rows.kernel; i++, row += rows.dilation) {
          if (row < 0 || row >= rows.size) continue;
          for (let j = 0, col = c * cols.stride - cols.before; j < cols.kernel; j++, col += cols.dilation) {
            if (col < 0 || col >= cols.size) continue;
            const value = x[(row * cols.size + col) * channels + k];
            if (value > most || Number.isNaN(value)) most = value;
            sum += value;
            count++;
          }
        }
        out[(r * cols.out + c) * channels + k] = largest ? most : sum / count;
      }
    }
  }
}

/**
 * A sum of a few cells of the same channel, or the largest of them, whose places and weights lie in tables.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array[]} inputs
 * @param {Float32Array} out
 * @param {Box} box
 */
export function sample(scene, { op, shape }, [x], out, { top, bottom, left, right }) {
  const [, width, channels] = shape;
  const sourceWidth = op.along[1].size;
  if (differsWhereInfinite(op, x)) {
    for (let r = top; r <= bottom; r++) {
      for (let c = left; c <= right; c++) {
        for (let k = 0; k < channels; k++) out[(r * width + c) * channels + k] = sampleByDifferences(scene, op, x, channels, r, c, k);
      }
    }
    return;
  }
  const across = Array.from({ length: width }, (_, c) => (c < left || c > right ? [] : samplesAlong(scene, op, 1, c)));
  for (let r = top; r <= bottom; r++) {
    const down = samplesAlong(scene, op, 0, r);
    for (let c = left; c <= right; c++) {
      for (let k = 0; k < channels; k++) {
        let most = -Infinity;
        let sum = 0;
        for (const [row, a] of down) {
          for (const [col, b] of across[c]) {
            const value = row < 0 || col < 0 ? op.fill : x[(row * sourceWidth + col) * channels + k];
            if (value > most || Number.isNaN(value)) most = value;
            sum += a * b * value;
          }
        }
        out[(r * width + c) * channels + k] = op.mode === "max" ? most : sum;
      }
    }
  }
}

/**
 * Whether samples are to be taken step by step, as Python does: between infinite cells a difference is NaN.
 *
 * @param {Operation} op
 * @param {Float32Array} x
 */
export function differsWhereInfinite(op, x) {
  return op.along.some((/** @type {any} */ axis) => axis.differences) && !x.every(Number.isFinite);
}

/**
 * One sample, columns first: a share of the difference of two cells, or a weighted sum.
 *
 * @param {Scene} scene
 * @param {Operation} op
 * @param {Float32Array} x
 * @param {number} channels
 * @param {number} r
 * @param {number} c
 * @param {number} k
 */
export function sampleByDifferences(scene, op, x, channels, r, c, k) {
  const inside = (/** @type {number} */ axis, /** @type {number} */ i) => i >= 0 && i < op.along[axis].size;
  const cell = (/** @type {number} */ row, /** @type {number} */ col) =>
    inside(0, row) && inside(1, col) ? x[(row * op.along[1].size + col) * channels + k] : op.fill;
  /** @type {(axis: number, u: number, read: (i: number) => number) => number} */
  const along = (axis, u, read) => {
    const { taps, cells, weights, differences } = op.along[axis];
    const [places, shares] = [scene.data(cells), scene.data(weights)];
    const first = u * taps;
    if (differences) {
      const lower = read(places[first]);
      return lower + (read(places[first + 1]) - lower) * shares[first + 1];
    }
    let sum = 0;
    for (let t = first; t < first + taps; t++) if (shares[t]) sum += shares[t] * read(places[t]);
    return sum;
  };
  return along(0, r, (row) => along(1, c, (col) => cell(row, col)));
}
