// Exactly which cells reach a cell, where they are not all cells of a box: dilation leaves holes, strides
// longer than their window too, and paths that meet again leave odd shapes.

import { range, runs } from "./arrays.js";
import { MIXING } from "./cone.js";
import { axisOf, lineOf, placesRead, positionsAlong, readShape, samplesAlong, tapsOf } from "./windows.js";

/** @import { Box, Cell, Operation, Scene, Stage } from "./scene.js" */

/** @type {WeakMap<Scene, { stage: number, row: number, col: number, seen: Map<number, Uint8Array> }>} */
const lastSeen = new WeakMap();

/**
 * For every stage that reaches a cell over steps that may leave holes, the cells that do, row by row,
 * whatever their channels. Empty where boxes say all.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @returns {Map<number, Uint8Array>} of the place that was asked for last it is kept: not to be changed
 */
export function cellsSeen(scene, cell) {
  const { stage, row, col } = cell;
  const last = lastSeen.get(scene);
  if (last?.stage === stage && last.row === row && last.col === col) return last.seen;
  const seen = workedOut(scene, cell);
  lastSeen.set(scene, { stage, row, col, seen });
  return seen;
}

/**
 * @param {Scene} scene
 * @param {Cell} cell
 */
function workedOut(scene, cell) {
  /** @type {Map<number, Uint8Array>} */
  const marks = new Map();
  if (!mayHaveHoles(scene)[cell.stage]) return marks;
  const own = grid(scene.stages[cell.stage]);
  own[cell.row * scene.stages[cell.stage].shape[1] + cell.col] = 1;
  marks.set(cell.stage, own);
  for (let s = cell.stage; s > 0; s--) {
    const stage = scene.stages[s];
    const marked = marks.get(s);
    // Which cells Python read is not known here: boxes are all that can be shown.
    if (!marked || !knowsCells(stage.op)) continue;
    stage.reads.forEach((source, input) => {
      const read = marks.get(source) ?? grid(scene.stages[source]);
      marks.set(source, read);
      markRead(scene, stage, input, marked, read);
    });
  }
  return marks;
}

/** @type {WeakMap<Scene, boolean[]>} */
const withHoles = new WeakMap();

/**
 * For each stage whether a step on a way to it may leave holes.
 *
 * @param {Scene} scene
 */
function mayHaveHoles(scene) {
  const kept = withHoles.get(scene);
  if (kept) return kept;
  /** @type {boolean[]} */
  const holes = [];
  for (const { op, reads } of scene.stages) {
    holes.push(knowsCells(op) && (leavesHoles(op) || reads.some((s) => holes[s])));
  }
  withHoles.set(scene, holes);
  return holes;
}

/**
 * Whether it is known which cells an operation reads.
 *
 * @param {Operation} op
 */
function knowsCells({ type }) {
  return type !== "given" && !MIXING.includes(type);
}

/**
 * @param {Operation} op
 */
function leavesHoles(op) {
  if (["move", "merge", "sample"].includes(op.type)) return true;
  return [op.rows, op.cols].some((axis) => {
    if (!axis) return false;
    const { kernel, stride, dilation } = axisOf(axis);
    return (dilation > 1 && kernel > 1) || (op.type !== "transposed" && stride > kernel);
  });
}

/**
 * @param {Stage} stage
 */
function grid({ shape }) {
  return new Uint8Array(shape[0] * shape[1]);
}

/**
 * Mark the cells of an input that some cells of a stage are made from.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} input
 * @param {Uint8Array} marked
 * @param {Uint8Array} read
 */
function markRead(scene, stage, input, marked, read) {
  const channels = scene.stages[stage.reads[input]].shape[2];
  const { op } = stage;
  const [rows, cols, filters] = stage.shape;
  const moved = op.type === "move" || (op.type === "merge" && op.maps[input]) ? pixelsMoved(scene, stage, input) : null;
  const [, width, depth] = op.rows ? readShape(scene, stage) : [0, 0, 0];
  if (op.rows && depth === channels) {
    markWindows(stage, marked, read, width);
    return;
  }
  // What works number by number at one depth reads the cell at its own place.
  const alike = !op.rows && !moved && op.type !== "sample" && op.type !== "softmax" && channels === filters;
  for (let pixel = 0; pixel < rows * cols; pixel++) {
    if (!marked[pixel]) continue;
    if (alike) read[pixel] = 1;
    else if (op.rows) {
      for (const tap of tapsOf(stage, { row: Math.floor(pixel / cols), col: pixel % cols })) {
        if (!tap.inside) continue;
        const first = (tap.row * width + tap.col) * depth;
        // A map that was flattened is read as another shape: a pixel there may be several here.
        for (let n = Math.floor(first / channels); n * channels < first + depth; n++) read[n] = 1;
      }
    } else if (op.type === "sample") {
      for (const [row] of samplesAlong(scene, op, 0, Math.floor(pixel / cols))) {
        for (const [col] of samplesAlong(scene, op, 1, pixel % cols)) {
          if (row >= 0 && col >= 0) read[Math.floor(((row * op.along[1].size + col) * filters) / channels)] = 1;
        }
      }
    } else if (moved) {
      for (const at of moved[pixel]) read[at] = 1;
    } else {
      const own = range(filters).map((channel) => pixel * filters + channel);
      const places = op.type !== "softmax" ? own : op.step === 1 ? lineOf(op, own[0]) : own.flatMap((n) => lineOf(op, n));
      for (const at of places) read[Math.floor(at / channels)] = 1;
    }
  }
}

/** @type {WeakMap<Stage, Map<number, number[][]>>} */
const pixels = new WeakMap();

/**
 * For each pixel of a stage that moves numbers those of an input that they come from, worked out once.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} input
 */
function pixelsMoved(scene, stage, input) {
  const kept = pixels.get(stage) ?? new Map();
  pixels.set(stage, kept);
  if (!kept.has(input)) {
    const place = placesRead(scene, stage);
    const channels = scene.stages[stage.reads[input]].shape[2];
    const [rows, cols, filters] = stage.shape;
    kept.set(input, range(rows * cols).map((pixel) => {
      /** @type {Set<number>} */
      const read = new Set();
      for (let n = pixel * filters; n < (pixel + 1) * filters; n++) {
        const at = place(n, input);
        if (at >= 0) read.add(Math.floor(at / channels));
      }
      return [...read];
    }));
  }
  return kept.get(input);
}

/**
 * Mark what windows read: along each row first, then down, since a window reads some rows times some columns.
 *
 * @param {Stage} stage
 * @param {Uint8Array} marked
 * @param {Uint8Array} read
 * @param {number} width of what is read
 */
function markWindows(stage, marked, read, width) {
  const [down, across] = cellsAlong(stage);
  const cols = across.length;
  const along = new Uint8Array(width);
  down.forEach((rows, row) => {
    along.fill(0);
    for (let col = 0; col < cols; col++) if (marked[row * cols + col]) for (const at of across[col]) along[at] = 1;
    for (let col = 0; col < width; col++) if (along[col]) for (const at of rows) read[at * width + col] = 1;
  });
}

/** @type {WeakMap<Stage, [number[][], number[][]]>} */
const alongAxes = new WeakMap();

/**
 * The rows that each row of a stage reads, and the columns that each column does.
 *
 * @param {Stage} stage
 */
function cellsAlong(stage) {
  const kept = alongAxes.get(stage);
  if (kept) return kept;
  const along = (/** @type {0 | 1} */ axis) =>
    range(stage.shape[axis]).map((n) => positionsAlong(stage, axis, n).filter(({ inside }) => inside).map(({ at }) => at));
  /** @type {[number[][], number[][]]} */
  const both = [along(0), along(1)];
  alongAxes.set(stage, both);
  return both;
}

/**
 * Whether a box holds other cells than those that are marked.
 *
 * @param {Uint8Array} marks
 * @param {Box} box
 * @param {number} cols
 */
export function hasHoles(marks, { top, bottom, left, right }, cols) {
  for (let row = top; row <= bottom; row++) {
    for (let col = left; col <= right; col++) if (!marks[row * cols + col]) return true;
  }
  return false;
}

/**
 * The borders of marked cells as lines between cell corners: [x, y, x, y] each.
 *
 * @param {Uint8Array} marks
 * @param {number} rows
 * @param {number} cols
 */
export function borders(marks, rows, cols) {
  /** @type {(row: number, col: number) => boolean} */
  const at = (row, col) => row >= 0 && col >= 0 && row < rows && col < cols && marks[row * cols + col] === 1;
  const across = range(rows + 1).flatMap((row) =>
    runs(range(cols).filter((col) => at(row - 1, col) !== at(row, col))).map(([first, last]) => [first, row, last + 1, row]),
  );
  const down = range(cols + 1).flatMap((col) =>
    runs(range(rows).filter((row) => at(row, col - 1) !== at(row, col))).map(([first, last]) => [col, first, col, last + 1]),
  );
  return [...across, ...down];
}
