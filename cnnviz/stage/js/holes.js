// Exactly which cells reach a cell, where they are not all cells of a box: dilation leaves holes, strides
// longer than their window too, and paths that meet again leave odd shapes.

import { axisOf, locate, readShape } from "./forward.js";
import { tapsOf } from "./receipt.js";

/**
 * For every stage that reaches a cell over steps that may leave holes, the cells that do: a Map of
 * Uint8Array, row by row, whatever their channels. Empty where boxes say all.
 */
export function cellsSeen(scene, cell) {
  if (!mayHaveHoles(scene)[cell.stage]) return new Map();
  const marks = new Map([[cell.stage, grid(scene.stages[cell.stage])]]);
  marks.get(cell.stage)[cell.row * scene.stages[cell.stage].shape[1] + cell.col] = 1;
  for (let s = cell.stage; s > 0; s--) {
    const stage = scene.stages[s];
    if (!marks.has(s)) continue;
    stage.reads.forEach((source, input) => {
      if (!marks.has(source)) marks.set(source, grid(scene.stages[source]));
      markRead(scene, stage, input, marks.get(s), marks.get(source));
    });
  }
  return marks;
}

/** For each stage whether a step on a way to it may leave holes. */
function mayHaveHoles(scene) {
  if (scene.holes) return scene.holes;
  scene.holes = [];
  for (const { op, reads } of scene.stages) scene.holes.push(leavesHoles(op) || reads.some((s) => scene.holes[s]));
  return scene.holes;
}

function leavesHoles(op) {
  if (op.type === "move" || op.type === "merge") return true;
  return [op.rows, op.cols].some((axis) => {
    if (!axis) return false;
    const { kernel, stride, dilation } = axisOf(axis);
    return (dilation > 1 && kernel > 1) || (op.type !== "transposed" && stride > kernel);
  });
}

function grid({ shape }) {
  return new Uint8Array(shape[0] * shape[1]);
}

function markRead(scene, stage, input, marked, known) {
  const source = scene.stages[stage.reads[input]];
  const channels = source.shape[2];
  const { op } = stage;
  const [rows, cols, filters] = stage.shape;
  const from = op.type === "move" ? scene.data(op.from) : null;
  const inputs = from && stage.reads.map((s) => ({ length: scene.stages[s].shape.reduce((a, b) => a * b) }));
  const places = op.type === "merge" && op.maps[input] ? scene.data(op.maps[input]) : null;
  const [, width, depth] = op.rows ? readShape(scene, stage) : [];
  for (let pixel = 0; pixel < rows * cols; pixel++) {
    if (!marked[pixel]) continue;
    if (op.rows) {
      for (const tap of tapsOf(stage, { row: Math.floor(pixel / cols), col: pixel % cols })) {
        if (!tap.inside) continue;
        const first = (tap.row * width + tap.col) * depth;
        // A map that was flattened is read as another shape: a pixel there may be several here.
        for (let n = Math.floor(first / channels); n * channels < first + depth; n++) known[n] = 1;
      }
    } else if (from || places) {
      for (let n = pixel * filters; n < (pixel + 1) * filters; n++) {
        const found = from ? locate(from[n], inputs) : { input, index: places[n] };
        if (found && found.input === input) known[Math.floor(found.index / channels)] = 1;
      }
    } else if (op.type === "softmax" && op.axis !== 2) {
      for (let n = 0; n < rows * cols; n++) {
        const same = op.axis === 0 ? n % cols === pixel % cols : Math.floor(n / cols) === Math.floor(pixel / cols);
        if (same) known[n] = 1;
      }
    } else {
      known[pixel] = 1;
    }
  }
}

/** Whether a box holds other cells than those that are marked. */
export function hasHoles(marks, { top, bottom, left, right }, cols) {
  for (let row = top; row <= bottom; row++) {
    for (let col = left; col <= right; col++) if (!marks[row * cols + col]) return true;
  }
  return false;
}

/** The borders of marked cells as lines between cell corners: [x, y, x, y] each. */
export function borders(marks, rows, cols) {
  const at = (row, col) => row >= 0 && col >= 0 && row < rows && col < cols && marks[row * cols + col] === 1;
  const lines = [];
  for (let row = 0; row <= rows; row++) {
    for (let col = 0, start = null; col <= cols; col++) {
      const edge = col < cols && at(row - 1, col) !== at(row, col);
      if (edge) start ??= col;
      else if (start !== null) {
        lines.push([start, row, col, row]);
        start = null;
      }
    }
  }
  for (let col = 0; col <= cols; col++) {
    for (let row = 0, start = null; row <= rows; row++) {
      const edge = row < rows && at(row, col - 1) !== at(row, col);
      if (edge) start ??= row;
      else if (start !== null) {
        lines.push([col, start, col, row]);
        start = null;
      }
    }
  }
  return lines;
}
