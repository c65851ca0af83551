// Where everything of the network goes, so that the whole of it stands in a given room.

import { maximum, range } from "./arrays.js";
import { FINISHING } from "./cone.js";
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
 * @property {number[]} [around] room for padding above, below, left and right of it
 */

/**
 * A run of stages that finish one another, seen as the last of them; `left` channels have no map.
 *
 * @typedef {{ stages: number[], shown: number, x: number, y: number, width: number, height: number, left: number }} Column
 */

/** @typedef {{ from: Column, to: Column, lane: number }} Link lane 0 joins neighbours, others run above the names */

/**
 * The room that there is. `type` is the size of the smallest letters; `bars` the width of the prediction at
 * the end, or 0. In a `stacked` room layers lie under each other, as high as that takes.
 *
 * @typedef {{ width: number, height: number, type: number, bars: number, stacked?: boolean }} Room
 */

/** @typedef {{ columns: Column[], rects: Rect[], links: Link[], bars: { x: number, y: number }, width: number, height: number }} Layout */

/** No cell of a map is smaller at scale 1, and in tight rooms not smaller than SMALLEST of it. */
const LEAST_CELL = 1.5;
const SMALLEST = 2 / 3;
const GAP = { map: 2, column: 10 };
const LANE = 9;
/** Of maps that cannot all be drawn, the sides tried: thumbnails. */
const THUMBNAILS = [64, 48, 36, 28, 22];

/**
 * Stages in runs that belong together: what only finishes a layer (an activation, a normalisation) is folded
 * into its column, unless the layer is unfolded.
 *
 * @param {Scene} scene
 * @param {number[]} shown
 * @param {string[]} open names of layers that are unfolded
 * @returns {number[][]}
 */
export function groupsOf(scene, shown, open) {
  /** @type {number[][]} */
  const groups = [];
  for (const s of shown) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const unfolded = last && open.includes(scene.stages[last[0]].layer);
    if (last && before !== undefined && !unfolded && finishes(scene, s, before)) last.push(s);
    else groups.push([s]);
  }
  return groups;
}

/**
 * Whether a stage only finishes what the one before it began, at the same shape, and nothing else reads that.
 *
 * @param {Scene} scene
 * @param {number} s
 * @param {number} before
 */
function finishes(scene, s, before) {
  const stage = scene.stages[s];
  const { shape, op } = scene.stages[before];
  return (
    stage.reads.length === 1 &&
    stage.reads[0] === before &&
    op.type !== "input" &&
    scene.readers[before].length === 1 &&
    [...FINISHING, "softmax"].includes(stage.op.type) &&
    stage.shape.every((n, i) => n === shape[i])
  );
}

/**
 * The whole network in a room: cells as large as it allows, and where it does not allow all maps of a
 * layer, those that `liveliest` names first.
 *
 * @param {Scene} scene
 * @param {number[][]} groups
 * @param {Room} room
 * @param {(stage: Stage, count: number) => number[]} liveliest the channels to show of a stage, so many
 * @returns {Layout}
 */
export function layOut(scene, groups, room, liveliest) {
  if (room.stacked) return stack(scene, groups, room, liveliest);
  const stages = groups.map((group) => scene.stages[group[group.length - 1]]);
  const lanes = lanesOf(scene, groups);
  const top = LANE * maximum(lanes.map(({ lane }) => lane), 0) + headHeight(room.type);
  const height = Math.max(60, room.height - top - 2);
  const width = room.width - (room.bars ? room.bars + GAP.column : 0);
  const least = 4.8 * room.type;
  // Cells of whole and half pixels; a few large steps down are enough to find what fits.
  /** @type {Block[] | null} */
  let chosen = null;
  for (let scale = 4; !chosen && scale >= SMALLEST; scale *= 0.97) {
    const shapes = stages.map((stage) => blockOf(scene, stage, cellOf(stage, scale), height));
    if (total(shapes, least) <= width) chosen = shapes;
  }
  const small = (/** @type {number} */ side) => stages.map((stage) => thumbnailsOf(scene, stage, side, height));
  const side = chosen ? 0 : (THUMBNAILS.find((each) => total(small(each), least) <= width) ?? THUMBNAILS[THUMBNAILS.length - 1]);
  const shapes = chosen ?? small(side);
  // What room is left goes between the columns, as far as they still belong together.
  const spare = Math.max(0, width - total(shapes, least)) / Math.max(1, shapes.length - (room.bars ? 0 : 1));
  const gap = GAP.column + Math.min(spare, 3 * GAP.column);
  /** @type {Column[]} */
  const columns = [];
  /** @type {Rect[]} */
  const rects = [];
  let x = 1;
  groups.forEach((group, i) => {
    const { cell, across, count, height: tall } = shapes[i];
    const stage = stages[i];
    const wide = Math.max(least, shapes[i].width);
    const column = { stages: group, shown: stage.index, x, y: top, width: wide, height: tall, left: stage.shape[2] - count };
    columns.push(column);
    rects.push(...mapsOf(scene, stage, { x, y: top, cell, across }, count < stage.shape[2] ? liveliest(stage, count) : null));
    x += wide + gap;
  });
  const links = lanes.map(({ from, to, lane }) => ({ from: columns[from], to: columns[to], lane }));
  const deepest = maximum(columns.map((column) => column.y + column.height), 0);
  const end = room.bars ? x + room.bars : x - gap;
  return { columns, rects, links, bars: { x, y: top }, width: end, height: deepest + 2 };
}

/**
 * A band for each layer, one under the other: for a window that is no wider than some maps.
 *
 * @param {Scene} scene
 * @param {number[][]} groups
 * @param {Room} room
 * @param {(stage: Stage, count: number) => number[]} liveliest
 * @returns {Layout}
 */
function stack(scene, groups, { width, type, bars }, liveliest) {
  /** @type {Column[]} */
  const columns = [];
  /** @type {Rect[]} */
  const rects = [];
  const line = Math.ceil(1.9 * type);
  let y = line;
  for (const group of groups) {
    const stage = scene.stages[group[group.length - 1]];
    const [rows, cols, channels] = stage.shape;
    const images = scene.pictureCount(stage);
    // Cells as large as lets all maps stand in two rows, but no smaller than can be seen.
    const half = Math.ceil(images / 2);
    const wanted = (width - 2 - half * GAP.map) / (half * cols);
    const largest = (stage.op.type === "input" ? 84 : 44) / Math.max(rows, cols);
    const cell = isVector(stage) ? 12 : Math.max(Math.min(LEAST_CELL, (width - 2) / cols), Math.min(largest, Math.floor(2 * wanted) / 2));
    const across = Math.max(1, Math.min(images, Math.floor((width - 2 + GAP.map) / (cols * cell + GAP.map))));
    const tall = rows * cell + GAP.map;
    const count = Math.min(images, across * Math.max(1, Math.floor(3.4 * line * 4 / tall)));
    const down = Math.ceil(count / across);
    const left = Math.max(0, channels - count);
    columns.push({ stages: group, shown: stage.index, x: 1, y, width: across * (cols * cell + GAP.map) - GAP.map, height: down * tall - GAP.map, left });
    rects.push(...mapsOf(scene, stage, { x: 1, y, cell, across }, left ? liveliest(stage, count) : null));
    y += down * tall + (left ? line : 0) + line + 4;
  }
  const end = bars ? y : y - line - 4;
  return { columns, rects, links: [], bars: { x: 1, y }, width, height: end };
}

/** Names, what a layer does and its shape: three lines. @param {number} type */
function headHeight(type) {
  return Math.round(3 * 1.25 * type) + 8;
}

/** @typedef {{ cell: number, across: number, count: number, width: number, height: number }} Block of a stage's maps */

/**
 * @param {Block[]} blocks
 * @param {number} least
 */
function total(blocks, least) {
  return blocks.reduce((sum, { width }) => sum + Math.max(least, width) + GAP.column, 2 - GAP.column);
}

/**
 * The side of a cell: small maps have larger ones, so that they can be seen, and the image has the largest.
 *
 * @param {Stage} stage
 * @param {number} scale 1 is the smallest that is allowed, for a map of 26 cells
 */
function cellOf(stage, scale) {
  if (isVector(stage)) return Math.min(22, Math.max(7, 9 * scale));
  const longest = Math.max(stage.shape[0], stage.shape[1]);
  const side = LEAST_CELL * scale * Math.sqrt(26 * longest);
  const wanted = stage.op.type === "input" ? Math.max(2 * side, 84) / longest : side / longest;
  return Math.max(LEAST_CELL * Math.min(scale, 1), Math.floor(2 * wanted) / 2);
}

/**
 * Maps in as few files as the height allows.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} cell
 * @param {number} height
 * @returns {Block}
 */
function blockOf(scene, stage, cell, height) {
  const [rows, cols, channels] = stage.shape;
  const count = scene.pictureCount(stage);
  const [wide, tall] = [cols * cell + GAP.map, rows * cell + GAP.map];
  const down = Math.max(1, Math.floor((height + GAP.map) / tall));
  const across = Math.ceil(count / down);
  return { cell, across, count: channels, width: across * wide - GAP.map, height: Math.ceil(count / across) * tall - GAP.map };
}

/**
 * As many maps of a given side as the height allows, in one file.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} side
 * @param {number} height
 * @returns {Block}
 */
function thumbnailsOf(scene, stage, side, height) {
  const [rows, cols, channels] = stage.shape;
  if (isVector(stage)) {
    const cell = 8;
    const count = Math.min(channels, Math.max(1, Math.floor((height + GAP.map) / (cell + GAP.map))));
    return { cell, across: 1, count, width: cell, height: count * (cell + GAP.map) - GAP.map };
  }
  const cell = (stage.op.type === "input" ? 2 * side : side) / Math.max(rows, cols);
  const tall = rows * cell + GAP.map;
  const most = Math.max(1, Math.floor((height + GAP.map) / tall));
  const count = Math.min(scene.pictureCount(stage), most);
  return { cell, across: 1, count, width: cols * cell, height: count * tall - GAP.map };
}

/**
 * The maps of a stage in a grid.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {{ x: number, y: number, cell: number, across: number }} place
 * @param {number[] | null} [channels] those that have maps; null is all
 * @returns {Rect[]}
 */
export function mapsOf(scene, stage, { x, y, cell, across }, channels = null) {
  const [rows, cols, depth] = stage.shape;
  const [width, height] = [cols * cell, rows * cell];
  const colours = scene.inColours(stage);
  const order = channels ?? (colours ? [depth, ...range(depth)] : range(depth));
  return order.map((channel, n) => ({
    stage: stage.index,
    channel,
    x: x + (n % across) * (width + GAP.map),
    y: y + Math.floor(n / across) * (height + GAP.map),
    width,
    height,
    rows,
    cols,
    ...(colours && channel === depth ? { colours: true } : {}),
  }));
}

/**
 * A stage's maps as large as a box allows: the side of a cell, and how many files.
 *
 * @param {Stage} stage
 * @param {number} width
 * @param {number} height
 * @param {number} [count] of maps
 */
export function largestGrid({ shape: [rows, cols, channels] }, width, height, count = channels) {
  let best = { cell: 0, across: 1 };
  for (let across = 1; across <= count; across++) {
    const down = Math.ceil(count / across);
    const cell = Math.min((width - (across - 1) * GAP.map) / (across * cols), (height - (down - 1) * GAP.map) / (down * rows));
    if (cell > best.cell) best = { cell, across };
  }
  const { cell, across } = best;
  return { cell: cell > 3 ? Math.floor(cell) : Math.max(0.1, Math.floor(4 * cell) / 4), across };
}

/**
 * What feeds what, by the places of the groups: neighbours are joined directly, what skips columns runs
 * above them, each in a lane that is free where it runs.
 *
 * @param {Scene} scene
 * @param {number[][]} groups
 * @returns {{ from: number, to: number, lane: number }[]}
 */
function lanesOf(scene, groups) {
  const groupOf = new Map(groups.flatMap((group, i) => group.map((s) => [s, i])));
  /** @type {number[][]} */
  const taken = [];
  return groups.flatMap(([first], to) => {
    const sources = new Set(sourcesOf(scene, first, groupOf));
    return [...sources].map((from) => {
      if (to - from <= 1) return { from, to, lane: 0 };
      let lane = 1;
      while (taken[lane]?.some((column) => column > from && column < to)) lane++;
      (taken[lane] ??= []).push(...range(to - from - 1).map((n) => from + n + 1));
      return { from, to, lane };
    });
  });
}

/**
 * The groups that a stage reads, through stages that have no column.
 *
 * @param {Scene} scene
 * @param {number} s
 * @param {Map<number, number>} groupOf
 * @returns {number[]}
 */
function sourcesOf(scene, s, groupOf) {
  return scene.stages[s].reads.flatMap((read) => {
    const group = groupOf.get(read);
    return group === undefined ? sourcesOf(scene, read, groupOf) : [group];
  });
}
