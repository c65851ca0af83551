// Where everything of the network goes, so that the whole of it stands in a given room.

import { maximum, minimum, range } from "./arrays.js";
import { placesOf, sourcesOf } from "./blocks.js";
import { isVector } from "./scene.js";

/** @import { Block, Item, Place } from "./blocks.js" */
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
 * @property {boolean} [thumbnail] whether its cells are too small to be read
 * @property {number[]} [around] room for padding above, below, left and right of it
 */

/**
 * An item where it stands; `left` channels have no map. A `slim` one makes room for the block that is open.
 *
 * @typedef {Item & Place & { x: number, y: number, width: number, height: number, left: number, slim: boolean }} Column
 */

/**
 * What feeds what. Lane 0 joins neighbours, `along` says that the way between them in their row is free; others
 * run above the names.
 *
 * @typedef {{ from: Column, to: Column, lane: number, along: boolean }} Link
 */

/** @typedef {{ block: Block, x: number, y: number, width: number }} Frame over the columns of an open block */

/**
 * The room that there is. `type` is the size of the smallest letters; `bars` the width of the prediction at
 * the end, or 0. In a `stacked` room layers lie under each other, as high as that takes.
 *
 * @typedef {{ width: number, height: number, type: number, bars: number, stacked?: boolean }} Room
 */

/**
 * @typedef {object} Layout
 * @property {Column[]} columns
 * @property {Rect[]} rects
 * @property {Link[]} links
 * @property {Frame[]} frames
 * @property {{ x: number, y: number }} bars
 * @property {number} width
 * @property {number} height
 * @property {boolean} wraps whether names may take two lines
 * @property {boolean} [low] whether names must be short
 * @property {{ x: number, y: number, width: number } | null} tools where what changes the image is
 */

/** No cell of a map is smaller at scale 1, and in tight rooms not smaller than SMALLEST of it. */
export const LEAST_CELL = 1.5;
const SMALLEST = 2 / 3;
const GAP = { map: 2, column: 10, slim: 4 };
const LANE = 9;
/** Of maps that cannot all be drawn, the sides tried, as long as MANY lie under each other, or the side is usual. */
const THUMBNAILS = [160, 128, 104, 84, 72, 64, 56, 48, 42, 36, 28, 22];
const LAST_THUMBNAIL = THUMBNAILS[THUMBNAILS.length - 1];
const MANY = 6;
const USUAL = 64;
/** The width of a column's name, as a share of the letters. */
const LEAST_NAME = 4.8;
const WISHED_NAME = 7.5;
/** Under this width names cannot be read well; where nothing else helps they are as narrow as this. */
const CROWDED_NAME = 5.8;
const TIGHT_NAME = 3.6;
/**
 * What changes an image: its size in pixels where it stands beside the image and layers lie under each other, and as
 * shares of the letters, how high it is below the image and how wide, how much wider with a colour to paint in, how
 * wide beside it where the room is low, and how high below it where columns are narrow, one under the other.
 */
const TOOLS = { width: 110, height: 60, below: 5.5, across: 6.8, ink: 2, beside: 4.6, one: 9.4 };
/** Under this height, as a share of the letters, names of blocks are short and what changes an image is beside it. */
const LOW = 34;
/** The width of a column that makes room for others. */
const SLIM = 14;
/** A sequence is drawn as bands: of so many channels at most so wide, as a share of the letters. */
const BANDS = [[2, 2.4], [16, 1.2], [Infinity, 0.5]];

/**
 * The whole network in a room: cells as large as it allows, and where it does not allow all maps of a
 * layer, those that `liveliest` names first. Where an open block leaves too little room, columns outside of
 * `focus` become slim.
 *
 * @param {Scene} scene
 * @param {Item[]} items
 * @param {Room} room
 * @param {(stage: Stage, count: number) => number[]} liveliest the channels to show of a stage, so many
 * @param {Block | null} [focus] the block that was opened last
 * @param {boolean} [beside] whether what changes the image is to stand beside it, as below it is no room
 * @returns {Layout}
 */
export function layOut(scene, items, room, liveliest, focus = null, beside = false) {
  if (room.stacked) return stack(scene, items, room, liveliest);
  const { type } = room;
  const sources = sourcesOf(scene, items);
  const places = placesOf(sources);
  const slots = maximum(places.map(({ slot }) => slot), -1) + 1;
  const lanes = lanesOf(items, sources, places);
  // How many rows each slot has, those included through which a branch only passes.
  const down = range(slots).map((slot) => {
    const own = places.filter((each) => each.slot === slot);
    const passing = lanes.filter(({ from, to, along }) => along && places[from].slot < slot && slot < places[to].slot);
    return 1 + maximum([...own, ...passing.map(({ from }) => places[from])].map(({ row }) => row), 0);
  });
  const depth = maximum(items.map(({ around }) => around.length), 0);
  const wraps = wrapsNames(scene, items, down);
  const low = beside || (scene.blocks.length > 0 && room.height < LOW * type);
  const head = headHeight(type, wraps ? (scene.blocks.length && !low ? 9 : 5) : 3) + depth * frameHeight(type);
  const top = LANE * maximum(lanes.map(({ lane }) => lane), 0) + head;
  const height = Math.max(60, room.height - top - 2);
  const width = room.width - (room.bars ? room.bars + GAP.column : 0);
  const stages = items.map(({ shown }) => scene.stages[shown]);
  let across = low ? 0 : TOOLS.across + (scene.picture ? TOOLS.ink : 0);
  const heights = () => places.map(({ slot }, i) => {
    const below = isChangeable(stages[i], i) && !low ? (across ? TOOLS.below : TOOLS.one) * type : 0;
    return Math.max(30, (height - below - (down[slot] - 1) * (head + 4)) / down[slot]);
  });
  let tall = heights();
  /** @type {boolean[]} */
  let slim = items.map(() => false);
  // Names get what room there is, but no column less than a short name takes.
  const fullSlots = () => new Set(places.flatMap(({ slot }, i) => (slim[i] ? [] : [slot])));
  const gaps = () => range(slots).map((slot) => (fullSlots().has(slot) ? GAP.column : GAP.slim));
  const narrowest = () => {
    const full = fullSlots().size;
    const free = width - 6 * type - (slots - full) * (SLIM + GAP.slim);
    return Math.max(LEAST_NAME, wraps ? Math.min(WISHED_NAME, (free / full - GAP.column) / type) : 0) * type;
  };
  let name = narrowest();
  const least = (/** @type {number} */ i) => (slim[i] ? SLIM : isChangeable(stages[i], i) ? Math.max(name, across * type) : name);
  const aside = (/** @type {number} */ i) => (low && !slim[i] && isChangeable(stages[i], i) ? TOOLS.beside * type + 8 : 0);
  const widths = (/** @type {Grid[]} */ grids) =>
    range(slots).map((slot) => maximum(grids.map((grid, i) => (places[i].slot === slot ? Math.max(least(i), grid.width + aside(i)) : 0)), 0));
  const total = (/** @type {Grid[]} */ grids) => [...widths(grids), ...gaps().slice(1)].reduce((sum, each) => sum + each, 2 + GAP.column);
  const small = (/** @type {number} */ side) => stages.map((stage, i) => thumbnailsOf(scene, stage, slim[i] ? SLIM : side, tall[i], type, slim[i]));
  // Cells of whole and half pixels; a few large steps down are enough to find what fits.
  /** @type {Grid[] | null} */
  let grids = null;
  for (let scale = 4; !grids && scale >= SMALLEST; scale *= 0.97) {
    const tried = stages.map((stage, i) => gridOf(scene, stage, cellOf(stage, scale), tall[i], type));
    const low = tried.every((grid, i) => grid.height <= tall[i] || (scale < 1 && down[places[i].slot] === 1));
    if (low && total(tried) <= width) grids = tried;
  }
  if (!grids) {
    const sides = THUMBNAILS.filter((side) => side <= USUAL || side * MANY <= height);
    const fitting = () => sides.find((each) => total(small(each)) <= width);
    let side = fitting();
    if (focus && (side === undefined || name < CROWDED_NAME * type)) {
      slim = items.map(({ around }) => !around.includes(focus));
      name = narrowest();
      side = fitting();
    }
    if (side === undefined) {
      across = 0;
      tall = heights();
      side = fitting();
    }
    if (side === undefined) {
      const full = fullSlots().size;
      const free = width - 2 - GAP.column - (slots - full) * (SLIM + GAP.slim);
      name = Math.max(TIGHT_NAME * type, Math.min(name, free / full - GAP.column));
      side = fitting();
    }
    grids = small(side ?? LAST_THUMBNAIL);
    // Room that is left is for more files of maps.
    for (let files = 2; files <= 3; files++) {
      const more = stages.map((stage, i) => (slim[i] ? /** @type {Grid[]} */ (grids)[i] : thumbnailsOf(scene, stage, side ?? LAST_THUMBNAIL, tall[i], type, false, files)));
      if (total(more) <= width) grids = more;
    }
  }
  const chosen = grids;
  const wide = widths(chosen);
  // What room is left goes between the columns, as far as they still belong together.
  const spare = Math.max(0, width - total(chosen)) / Math.max(1, slots - (room.bars ? 0 : 1));
  const between = gaps().map((each) => each + Math.min(spare, 3 * GAP.column));
  const starts = range(slots).map((slot) => 1 + wide.slice(0, slot).reduce((sum, each, n) => sum + each + between[n], 0));
  /** @type {Rect[]} */
  const rects = [];
  const columns = items.map((item, i) => {
    const { cell, across, count, height: deep, band } = chosen[i];
    const { slot, row } = places[i];
    const [x, y] = [starts[slot], top + row * (tall[i] + head + 4)];
    const [stage, pictures] = [stages[i], scene.pictureCount(stages[i])];
    rects.push(...mapsOf(scene, stage, { x, y, cell, across, band }, count < pictures ? chosenOf(scene, stage, count, liveliest) : null));
    return { ...item, ...places[i], x, y, width: Math.max(least(i), chosen[i].width + aside(i)), height: deep, left: Math.max(0, pictures - count), slim: slim[i] };
  });
  const links = lanes.map(({ from, to, ...link }) => ({ ...link, from: columns[from], to: columns[to] }));
  const deepest = maximum(columns.map((column) => column.y + column.height + (column.left && !column.slim ? 1.4 * type : 0)), 0);
  const x = slots ? starts[slots - 1] + wide[slots - 1] + between[slots - 1] : 1;
  const end = room.bars ? x + room.bars : x - between[slots - 1];
  const frames = framesOf(columns, (block, { x: left, y, width: across }, d) =>
    ({ block, x: left, y: y - head + d * frameHeight(type), width: across }));
  const [image] = columns;
  const below = image && image.y + image.height + 8 + (image.left ? 1.5 * type : 0);
  const place = low ? { x: image?.x + chosen[0]?.width + 8, y: image?.y, width: TOOLS.beside * type } : { x: image?.x, y: below, width: image?.width };
  const tools = image && !image.slim && isChangeable(stages[0], 0) ? place : null;
  if (tools && !low && below + (across ? TOOLS.below : TOOLS.one) * type - 8 > room.height) return layOut(scene, items, room, liveliest, focus, true);
  return { columns, rects, links, frames, bars: { x, y: top }, width: end, height: deepest + 2, wraps, low, tools };
}

/**
 * A band for each layer, one under the other: for a window that is no wider than some maps.
 *
 * @param {Scene} scene
 * @param {Item[]} items
 * @param {Room} room
 * @param {(stage: Stage, count: number) => number[]} liveliest
 * @returns {Layout}
 */
function stack(scene, items, { width, type, bars }, liveliest) {
  /** @type {Column[]} */
  const columns = [];
  /** @type {Rect[]} */
  const rects = [];
  /** @type {Map<Block, Frame>} */
  const frames = new Map();
  const line = Math.ceil(1.9 * type);
  let y = line;
  items.forEach((item, i) => {
    item.around.forEach((block, d) => {
      if (frames.has(block)) return;
      frames.set(block, { block, x: 1 + 8 * d, y: y - line, width: width - 2 - 8 * d });
      y += line + 4;
    });
    const x = 1 + 8 * item.around.length;
    const stage = scene.stages[item.shown];
    const changeable = isChangeable(stage, i);
    const room = width - x - 1 - (changeable ? TOOLS.width + 12 : 0);
    const [rows, cols] = stage.shape;
    const images = scene.pictureCount(stage);
    // Cells as large as lets all maps stand in two rows, but no smaller than can be seen.
    const half = Math.ceil(images / 2);
    const wanted = (room - half * GAP.map) / (half * cols);
    const largest = (stage.op.type === "input" ? 84 : 44) / Math.max(rows, cols);
    // Where there are blocks, large maps are thumbnails here too.
    const smallest = scene.blocks.length ? Math.min(LEAST_CELL, largest) : LEAST_CELL;
    const cell = isVector(stage) ? 12 : Math.max(Math.min(smallest, room / cols), Math.min(largest, Math.floor(2 * wanted) / 2));
    const band = bandOf(stage, type);
    const [wide, tall] = sidesOf(stage, cell, band);
    const across = Math.max(1, Math.min(images, Math.floor((room + GAP.map) / (wide + GAP.map))));
    const most = Math.max(1, Math.floor((scene.blocks.length ? 6 : 13.6) * line / (tall + GAP.map)));
    const count = Math.min(images, across * most);
    const down = Math.ceil(count / across);
    const left = images - count;
    const high = down * (tall + GAP.map) - GAP.map;
    const size = { width: across * (wide + GAP.map) - GAP.map, height: changeable ? Math.max(high, TOOLS.height) : high };
    columns.push({ ...item, slot: i, row: 0, x, y, ...size, left, slim: false });
    rects.push(...mapsOf(scene, stage, { x, y, cell, across, band }, left ? chosenOf(scene, stage, count, liveliest) : null));
    y += size.height + GAP.map + (left ? line : 0) + line + 4;
  });
  const end = bars ? y : y - line - 4;
  const [image] = columns;
  const shown = image && isChangeable(scene.stages[image.shown], 0);
  const tools = shown ? { x: image.x + image.width + 12, y: image.y, width: TOOLS.width } : null;
  return { columns, rects, links: [], frames: [...frames.values()], bars: { x: 1, y }, width, height: end, wraps: false, tools };
}

/**
 * Whether there is room for what changes it: the network's image, which is the first column.
 *
 * @param {Stage} stage
 * @param {number} i the number of its column
 */
function isChangeable(stage, i) {
  return i === 0 && stage.op.type === "input" && !isVector(stage);
}

/**
 * A frame over the columns of each open block, and of a block's branches over their rows.
 *
 * @param {Column[]} columns
 * @param {(block: Block, box: { x: number, y: number, width: number }, depth: number) => Frame} frame
 */
function framesOf(columns, frame) {
  const blocks = new Set(columns.flatMap(({ around }) => around));
  return [...blocks].map((block) => {
    const inside = columns.filter(({ around }) => around.includes(block));
    const x = minimum(inside.map((column) => column.x));
    const width = maximum(inside.map((column) => column.x + column.width)) - x;
    return frame(block, { x, y: minimum(inside.map(({ y }) => y)), width }, inside[0].around.indexOf(block));
  });
}

/**
 * Whether names may take two lines: where columns stand for much, or are narrow, as those of sequences and branches.
 *
 * @param {Scene} scene
 * @param {Item[]} items
 * @param {number[]} down how many rows each slot has
 */
function wrapsNames(scene, items, down) {
  return scene.blocks.length > 0 || maximum(down, 1) > 1 || items.some(({ shown }) => scene.stages[shown].axes === 2);
}

/**
 * Names, what a layer does and its shape: three lines; where names take more, also how much is in a block.
 *
 * @param {number} type
 * @param {number} lines
 */
function headHeight(type, lines) {
  return Math.round(lines * 1.25 * type) + 8;
}

/** The line that names an open block. @param {number} type */
export function frameHeight(type) {
  return Math.round(1.8 * type);
}

/** @typedef {{ cell: number, across: number, count: number, width: number, height: number, band: number }} Grid of a stage's maps */

/**
 * The width of a band of a sequence; 0 for what is none.
 *
 * @param {Stage} stage
 * @param {number} type
 */
function bandOf({ shape: [rows, cols, channels] }, type) {
  if ((rows === 1) === (cols === 1)) return 0;
  const [, share] = BANDS.find(([most]) => channels <= most) ?? BANDS[0];
  return Math.round(share * type);
}

/**
 * The width and the height of a map: a sequence is a band, no hairline.
 *
 * @param {{ shape: number[] }} stage
 * @param {number} cell
 * @param {number} [band]
 */
export function sidesOf({ shape: [rows, cols] }, cell, band = 0) {
  return [cols === 1 ? Math.max(cell, band) : cols * cell, rows === 1 ? Math.max(cell, band) : rows * cell];
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
 * @param {number} type
 * @returns {Grid}
 */
function gridOf(scene, stage, cell, height, type) {
  const count = scene.pictureCount(stage);
  const band = bandOf(stage, type);
  const [wide, tall] = sidesOf(stage, cell, band).map((side) => side + GAP.map);
  const down = Math.max(1, Math.floor((height + GAP.map) / tall));
  const across = Math.ceil(count / down);
  return { cell, across, band, count, width: across * wide - GAP.map, height: Math.ceil(count / across) * tall - GAP.map };
}

/**
 * As many maps of a given side as the height allows, in so many files. A slim column has one, and its name below it.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} side
 * @param {number} height
 * @param {number} type
 * @param {boolean} slim
 * @param {number} [files]
 * @returns {Grid}
 */
function thumbnailsOf(scene, stage, side, height, type, slim, files = 1) {
  const [rows, cols] = stage.shape;
  const twice = stage.op.type === "input" && !slim ? 2 : 1;
  // Below them there is room to say how many are left.
  const deep = height - 1.6 * type;
  // Where branches lie under each other there may be less room than for one.
  const longest = Math.min(twice * side, Math.max(deep, LAST_THUMBNAIL));
  const cell = isVector(stage) ? Math.min(8, side) : longest / Math.max(rows, cols);
  const band = Math.min(side, bandOf(stage, type));
  const [wide, tall] = sidesOf(stage, cell, band).map((each) => each + GAP.map);
  const down = slim ? 1 : Math.max(1, Math.floor((deep + GAP.map) / tall));
  // Bands of a sequence and cells of a vector are narrow: as many lie beside each other as one map is wide.
  const beside = files * (slim || cols !== 1 ? 1 : Math.max(1, Math.floor((isVector(stage) ? side / 2 : side) / wide)));
  const count = Math.min(scene.pictureCount(stage), down * beside);
  const across = Math.ceil(count / down);
  return { cell, across, band, count, width: across * wide - GAP.map, height: Math.ceil(count / across) * tall - GAP.map };
}

/**
 * The maps of a stage where not all are shown: of an image its colours first, else the liveliest.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} count
 * @param {(stage: Stage, count: number) => number[]} liveliest
 */
function chosenOf(scene, stage, count, liveliest) {
  const depth = stage.shape[2];
  return scene.inColours(stage) ? [depth, ...range(Math.min(depth, count - 1))] : liveliest(stage, count);
}

/**
 * The maps of a stage in a grid.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {{ x: number, y: number, cell: number, across: number, band?: number }} place `band` is the width of a sequence
 * @param {number[] | null} [channels] those that have maps; null is all
 * @returns {Rect[]}
 */
export function mapsOf(scene, stage, { x, y, cell, across, band = 0 }, channels = null) {
  const [rows, cols, depth] = stage.shape;
  const [width, height] = sidesOf(stage, cell, band);
  const thumbnail = Math.min(width / cols, height / rows) < LEAST_CELL - 1e-9;
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
    ...(thumbnail ? { thumbnail } : {}),
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
 * What feeds what, by the numbers of the items: neighbours are joined directly, a branch below others along its
 * row, and what else skips columns runs above them, each in a lane that is free where it runs.
 *
 * @param {Item[]} items
 * @param {number[][]} sources
 * @param {Place[]} places
 * @returns {{ from: number, to: number, lane: number, along: boolean }[]}
 */
function lanesOf(items, sources, places) {
  /** @type {number[][]} */
  const taken = [];
  return items.flatMap((_, to) => sources[to].map((from) => {
    const [{ slot: start, row }, { slot: end }] = [places[from], places[to]];
    if (end - start <= 1 || row) return { from, to, lane: 0, along: end - start > 1 };
    let lane = 1;
    while (taken[lane]?.some((slot) => slot > start && slot < end)) lane++;
    (taken[lane] ??= []).push(...range(end - start - 1).map((n) => start + n + 1));
    return { from, to, lane, along: false };
  }));
}
