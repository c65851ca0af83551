// Which cells of a window a pooled number changes with, and how much: by slopes, and by secants.

import { maximum, range } from "./arrays.js";
import { winnersShare } from "./merge_gradients.js";
import { axisOf, samplesAlong, tapsAlong } from "./windows.js";

/** @import { Numbers, Secants } from "./jacobians.js" */
/** @import { Scene, Stage } from "./scene.js" */

/**
 * Every number of a pooling that is asked for: its place, the cells that it changes with, each `channel` further
 * than the pixel that is given, and how much with each.
 *
 * @param {Stage} stage
 * @param {Float32Array} x
 * @param {Numbers | null} wanted those with a 0 here are left out; null asks for all
 * @param {(n: number, pixels: number[], channel: number, share: number) => void} give
 */
export function eachPooled(stage, x, wanted, give) {
  const { rowTaps, colTaps } = tapsOfAll(stage);
  const channels = stage.shape[2];
  const { mode, ties, cols } = stage.op;
  // NaN in a map goes to all that share, whatever came back.
  const all = !wanted || (mode === "max" && ties === "shared");
  rowTaps.forEach((down, r) =>
    colTaps.forEach((along, c) => {
      const at = (/** @type {number} */ row, /** @type {number} */ col) => (row * cols[0] + col) * channels;
      const pixels = ties === "columns"
        ? along.flatMap(([, col]) => down.map(([, row]) => at(row, col)))
        : down.flatMap(([, row]) => along.map(([, col]) => at(row, col)));
      for (let k = 0; k < channels; k++) {
        const n = (r * colTaps.length + c) * channels + k;
        if (!all && wanted[n] === 0) continue;
        if (mode === "mean") give(n, pixels, k, 1 / pixels.length);
        else if (ties === "shared") largestOfAll(x, pixels, k, (some, share) => give(n, some, k, share));
        else give(n, firstLargest(x, pixels, k), k, 1);
      }
    }),
  );
}

/**
 * The pixel with the largest number of a channel, the first of equals or the first NaN; none of none.
 *
 * @param {Float32Array} x
 * @param {number[]} pixels
 * @param {number} k
 */
function firstLargest(x, pixels, k) {
  let best = pixels[0];
  for (const pixel of pixels) if (!(x[pixel + k] <= x[best + k]) && !Number.isNaN(x[best + k])) best = pixel;
  return pixels.length ? [best] : [];
}

/**
 * All that are the largest, which share equally, as in TensorFlow's reductions; NaN in a map makes all NaN.
 *
 * @param {Float32Array} x
 * @param {number[]} pixels
 * @param {number} k
 * @param {(some: number[], share: number) => void} give
 */
function largestOfAll(x, pixels, k, give) {
  const most = maximum(pixels.map((pixel) => x[pixel + k]));
  const some = Number.isNaN(most) ? pixels : pixels.filter((pixel) => x[pixel + k] === most);
  give(some, Number.isNaN(most) ? NaN : 1 / some.length);
}

/**
 * By secants, for each window of a maximum pooling: all of the difference to the winner or, if that is not what
 * differs, to the reference's.
 *
 * @param {Stage} stage
 * @param {Float32Array} x
 * @param {Numbers} grad
 * @param {Float64Array} back
 * @param {Secants} secants
 */
export function toWinners(stage, x, grad, back, { inputs: [before], from, to }) {
  const { op } = stage;
  const first = { ...stage, op: { ...op, ties: op.ties === "shared" ? "rows" : op.ties } };
  const places = (/** @type {Float32Array} */ numbers) => {
    const found = new Int32Array(grad.length).fill(-1);
    eachPooled(first, numbers, grad, (n, [pixel], channel) => (found[n] = pixel + channel));
    return found;
  };
  splitAmongWinners(places(x), places(before), x, grad, back, { inputs: [before], from, to });
}

/**
 * All of each difference to the number that was chosen or, if that is not what differs, to the reference's choice.
 *
 * @param {Int32Array} here the place of what was chosen; -1 is none
 * @param {Int32Array} there of the reference
 * @param {Float32Array} x
 * @param {Numbers} grad
 * @param {Float64Array} back
 * @param {Secants} secants
 */
export function splitAmongWinners(here, there, x, grad, back, { inputs: [before], from, to }) {
  here.forEach((place, n) => {
    if (place < 0) return;
    const [winner, share] = winnersShare(x, before, place, there[n], grad[n], to[n] - from[n]);
    back[winner] += share;
  });
}

/**
 * Of samples of which the largest is taken, the place of each unit's: the first of equals, column by column, or the
 * first NaN.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Float32Array} x
 */
export function sampledWinners(scene, stage, x) {
  const { op } = stage;
  const [height, width, channels] = stage.shape;
  const wins = (/** @type {number} */ a, /** @type {number} */ b) => a > b || (Number.isNaN(a) && !Number.isNaN(b));
  const first = (/** @type {number[]} */ places) =>
    places.reduce((best, place) => (best < 0 || wins(x[place], x[best]) ? place : best), -1);
  const [down, across] = samplesOfAll(scene, stage);
  const found = new Int32Array(height * width * channels);
  for (let n = 0; n < found.length; n++) {
    const [row, col] = [Math.floor(n / channels / width), Math.floor(n / channels) % width];
    found[n] = first(across[col].map(([c]) =>
      first(down[row].map(([r]) => (r * op.along[1].size + c) * channels + (n % channels)))));
  }
  return found;
}

/**
 * The taps of every window of a stage along the rows and the columns.
 *
 * @param {Stage} stage
 */
export function tapsOfAll({ op }) {
  const [rowTaps, colTaps] = [axisOf(op.rows), axisOf(op.cols)].map((axis) =>
    range(axis.out).map((u) => tapsAlong(axis, u)),
  );
  return { rowTaps, colTaps };
}

/**
 * The samples of every row of a stage and of every column, without those on padding: [place, share] each.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 */
export function samplesOfAll(scene, { op, shape }) {
  return [0, 1].map((axis) => range(shape[axis]).map((u) => samplesAlong(scene, op, axis, u).filter(([i]) => i >= 0)));
}
