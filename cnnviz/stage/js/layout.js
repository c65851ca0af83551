// Where each column and each map of the overview goes.

import { maximum, range } from "./arrays.js";
import { isVector } from "./scene.js";

/** @import { Scene, Stage } from "./scene.js" */

/**
 * One map of a stage in CSS pixels, with the cells that it has.
 *
 * @typedef {object} Rect
 * @property {number} stage
 * @property {number} channel
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {number} rows
 * @property {number} cols
 * @property {boolean} [colours] whether it is the whole picture in its colours, behind its planes
 */

/**
 * `room` is how wide a column's own heading may be, for the last of a group.
 *
 * @typedef {{ stage: number, x: number, y: number, width: number, height: number, room?: number }} Column
 */

/** @typedef {{ stages: number[], x: number, width: number }} Head over a run of columns */

const GAP = { map: 3, column: 9, group: 20 };
const HEAD = 70;
const TALL = 510;
const NARROWEST = 104;
/** A column's scale is written below it. */
const LABEL = 40;
/** A sequence's channels stand beside each other, so many in a row. */
const STRIP = { width: 12, across: 24 };

/**
 * Columns in topological order, a heading over each run of columns that belong together (a layer, its
 * activation, its normalisation).
 *
 * @param {Scene} scene
 * @param {number[]} shown the stages that have columns
 * @param {number} zoom the pixels of a cell of the largest map
 */
export function layOut(scene, shown, zoom) {
  const largest = maximum(shown.flatMap((s) => scene.stages[s].shape.slice(0, 2)));
  const target = Math.min(120, Math.min(40, Math.max(26, largest)) * zoom);
  /** @type {number[][]} */
  const groups = [];
  for (const s of shown) {
    const last = groups[groups.length - 1];
    if (last && follows(scene, s, last[last.length - 1])) last.push(s);
    else groups.push([s]);
  }
  /** @type {Column[]} */
  const columns = [];
  /** @type {Rect[]} */
  const rects = [];
  /** @type {Head[]} */
  const heads = [];
  let x = 0;
  let height = 0;
  for (const group of groups) {
    const start = x;
    for (const s of group) {
      const column = columnOf(scene.stages[s], target);
      columns.push({ stage: s, x, y: HEAD, width: column.width, height: column.height });
      for (const rect of column.rects) rects.push({ ...rect, stage: s, x: x + rect.x + 1, y: HEAD + rect.y + 1 });
      x += column.width + GAP.column;
      height = Math.max(height, column.height);
    }
    x = Math.max(x - GAP.column, start + NARROWEST);
    columns[columns.length - 1].room = x - columns[columns.length - 1].x;
    heads.push({ stages: group, x: start, width: x - start });
    x += GAP.group;
  }
  return { heads, columns, rects, width: Math.max(0, x - GAP.group) + 2, height: HEAD + height + 20 };
}

/**
 * Whether a stage only finishes what the one before it began, at the same shape.
 *
 * @param {Scene} scene
 * @param {number} s
 * @param {number} before
 */
function follows(scene, s, before) {
  const stage = scene.stages[s];
  const { shape } = scene.stages[before];
  return (
    stage.reads.length === 1 &&
    stage.reads[0] === before &&
    ["activation", "affine", "softmax"].includes(stage.op.type) &&
    stage.shape.every((n, i) => n === shape[i])
  );
}

/**
 * @param {Stage} stage
 * @param {number} target the pixels of the longest side
 */
function columnOf(stage, target) {
  const [rows, cols, channels] = stage.shape;
  const vector = isVector(stage);
  const longest = Math.max(rows, cols);
  // Whole pixels for a cell, so that no cell is drawn wider than its neighbour.
  const cell = vector ? Math.min(22, target) : cellSize(longest, target);
  const strips = cols === 1 && !vector;
  const [width, height] = [strips ? Math.max(cell, STRIP.width) : cols * cell, rows * cell];
  const fit = Math.max(1, Math.floor((TALL + GAP.map) / (height + GAP.map)));
  const across = Math.max(Math.ceil(channels / fit), strips ? Math.min(channels, STRIP.across) : 1);
  const down = Math.ceil(channels / across);
  const rects = range(channels).map((channel) => {
    const place = { x: (channel % across) * (width + GAP.map), y: Math.floor(channel / across) * (height + GAP.map) };
    return { channel, ...place, width, height, rows, cols };
  });
  return { rects, width: Math.max(LABEL, across * (width + GAP.map) - GAP.map), height: down * (height + GAP.map) - GAP.map };
}

/**
 * @param {number} longest
 * @param {number} target
 */
function cellSize(longest, target) {
  if (longest > target) return target / longest;
  const nearest = Math.round(target / longest);
  return nearest * longest > 1.1 * target ? nearest - 1 : nearest;
}
