// Where windows lie on what they read, and where numbers come from that are only moved or merged.

import { maximum, minimum, range } from "./arrays.js";

/** @import { Box, Operation, Scene, Stage } from "./scene.js" */

/**
 * An axis of a window, as `Axis` in cnnviz.ops.padding.
 *
 * @typedef {object} Axis
 * @property {number} size cells that are read from
 * @property {number} kernel
 * @property {number} stride
 * @property {number} dilation
 * @property {number} before padding
 * @property {number} after padding
 * @property {number} out windows
 */

/**
 * An axis as Python sends it.
 *
 * @param {number[]} sent
 * @returns {Axis}
 */
export function axisOf([size, kernel, stride, dilation, before, after, out]) {
  return { size, kernel, stride, dilation, before, after, out };
}

/**
 * The shape of what a windowed stage reads: rows and columns from its axes, and the channels.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @returns {[number, number, number]}
 */
export function readShape(scene, stage) {
  const { rows, cols, type } = stage.op;
  // The axes of a transposed convolution are those of the one that it transposes: it reads that one's output.
  const at = type === "transposed" ? 6 : 0;
  const [height, width] = [rows[at], cols[at]];
  return [height, width, lengthOf(scene.stages[stage.reads[0]]) / (height * width)];
}

/**
 * How many numbers a stage has.
 *
 * @param {{ shape: number[] }} stage
 */
export function lengthOf({ shape }) {
  return shape[0] * shape[1] * shape[2];
}

/**
 * The box of all cells of a map.
 *
 * @param {number[]} shape
 * @returns {Box}
 */
export function wholeOf([height, width]) {
  return { top: 0, bottom: height - 1, left: 0, right: width - 1 };
}

/**
 * The taps of a window along an axis that are not padding: [tap, position] each.
 *
 * @param {Axis} axis
 * @param {number} u which window
 */
export function tapsAlong(axis, u) {
  /** @type {[number, number][]} */
  const taps = [];
  for (let t = 0; t < axis.kernel; t++) {
    const i = u * axis.stride - axis.before + t * axis.dilation;
    if (i >= 0 && i < axis.size) taps.push([t, i]);
  }
  return taps;
}

/**
 * A tap of a window: which of the kernel's cells, and the position that it reads, if that is inside.
 *
 * @typedef {{ i: number, j: number, row: number, col: number, inside: boolean }} Tap
 */

/**
 * The taps of a windowed stage along its rows (axis 0) or its columns, at a unit's row or column: the position that
 * each reads, if that is inside.
 *
 * @param {Stage} stage
 * @param {0 | 1} axis
 * @param {number} u
 */
export function positionsAlong({ op }, axis, u) {
  const { kernel, stride, dilation, before, size, out } = axisOf(axis ? op.cols : op.rows);
  return range(kernel).map((t) => {
    if (op.type !== "transposed") {
      const at = u * stride - before + t * dilation;
      return { at, inside: at >= 0 && at < size };
    }
    const at = (u + before - t * dilation) / stride;
    return { at, inside: Number.isInteger(at) && at >= 0 && at < out };
  });
}

/**
 * The taps of a windowed stage at a unit, row by row.
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number }} unit
 * @returns {Tap[]}
 */
export function tapsOf(stage, { row, col }) {
  const cols = positionsAlong(stage, 1, col);
  return positionsAlong(stage, 0, row).flatMap((r, i) =>
    cols.map((c, j) => ({ i, j, row: r.at, col: c.at, inside: r.inside && c.inside })));
}

/**
 * What a unit of a sampling stage reads along the rows (axis 0) or the columns: [position, weight] each, the
 * position -1 outside.
 *
 * @param {Scene} scene
 * @param {Operation} op
 * @param {number} axis
 * @param {number} u
 * @returns {[number, number][]}
 */
export function samplesAlong(scene, { along }, axis, u) {
  const { size, taps, cells, weights } = along[axis];
  const [positions, shares] = [scene.data(cells), scene.data(weights)];
  return range(taps).flatMap((t) => {
    const [i, weight] = [positions[u * taps + t], shares[u * taps + t]];
    return weight ? [/** @type {[number, number]} */ ([i >= 0 && i < size ? i : -1, weight])] : [];
  });
}

/**
 * The places, in a stage's numbers, that one softmax runs over: those of a cell's line.
 *
 * @param {Operation} op
 * @param {number} index the cell's place
 */
export function lineOf({ count, step }, index) {
  const first = index - (Math.floor(index / step) % count) * step;
  return range(count).map((i) => first + i * step);
}

/**
 * Of a stage without a window: which of an input's numbers its n-th is made from; -1 is none.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @returns {(n: number, input: number) => number}
 */
export function placesRead(scene, { op, reads }) {
  if (op.type === "merge") {
    const maps = op.maps.map((/** @type {string | null} */ name) => name && scene.data(name));
    return (n, input) => (maps[input] ? maps[input][n] : n);
  }
  if (op.type !== "move") return (n) => n;
  // The table counts through all inputs, one after the other, from 1; 0 is padding.
  const from = scene.data(op.from);
  const lengths = reads.map((source) => lengthOf(scene.stages[source]));
  const starts = lengths.map((_, input) => lengths.slice(0, input).reduce((a, b) => a + b, 1));
  return (n, input) => {
    const place = from[n] - starts[input];
    return place >= 0 && place < lengths[input] ? place : -1;
  };
}

/**
 * The box of a stage's cells that are made from a box of an input's, or a larger one.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} input
 * @param {Box} box
 * @returns {Box | null}
 */
export function fedBox(scene, stage, input, box) {
  const { op, shape } = stage;
  const read = scene.stages[stage.reads[input]].shape;
  const own = (/** @type {number[]} */ [rows, cols]) => read[0] === rows && read[1] === cols;
  if (op.rows && own(readShape(scene, stage))) {
    const [rows, cols] = [axisOf(op.rows), axisOf(op.cols)];
    const along = op.type === "transposed" ? stamped : reading;
    const [[top, bottom], [left, right]] = [along(rows, box.top, box.bottom), along(cols, box.left, box.right)];
    return top > bottom || left > right ? null : { top, bottom, left, right };
  }
  const cellwise = op.type === "affine" || op.type === "activation" || (op.type === "merge" && !op.maps[input]);
  if (cellwise && own(shape) && read[2] === shape[2]) return box;
  return wholeOf(shape);
}

/**
 * The first and the last window along an axis that reach positions first to last.
 *
 * @param {Axis} axis
 * @param {number} first
 * @param {number} last
 */
function reading({ kernel, stride, dilation, before, out }, first, last) {
  const start = Math.ceil((first + before - (kernel - 1) * dilation) / stride);
  return [Math.max(start, 0), Math.min(Math.floor((last + before) / stride), out - 1)];
}

/**
 * The same of a transposed convolution.
 *
 * @param {Axis} axis
 * @param {number} first
 * @param {number} last
 */
function stamped({ size, kernel, stride, dilation, before }, first, last) {
  const end = last * stride - before + (kernel - 1) * dilation;
  return [Math.max(first * stride - before, 0), Math.min(end, size - 1)];
}

/**
 * What a window lies on as boxes, padding included: one, or one for each tap where they lie apart.
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number }} unit
 * @returns {Box[]}
 */
export function windowBoxes(stage, unit) {
  const there = (/** @type {Tap} */ tap) =>
    stage.op.type === "transposed" ? tap.inside : Number.isInteger(tap.row) && Number.isInteger(tap.col);
  const taps = tapsOf(stage, unit).filter(there);
  if (!taps.length) return [];
  const [rows, cols] = [taps.map(({ row }) => row), taps.map(({ col }) => col)];
  const box = { top: minimum(rows), bottom: maximum(rows), left: minimum(cols), right: maximum(cols) };
  const area = (box.bottom - box.top + 1) * (box.right - box.left + 1);
  if (area === taps.length) return [box];
  return taps.map(({ row, col }) => ({ top: row, bottom: row, left: col, right: col }));
}
