// What reaches a cell and what it reaches: boxes from cnnviz.receptive_field's tables, channels and
// fed cells from the stages' own operations.

import { boxAround, range } from "./arrays.js";
import { cellAt, cellIndex, cellKey, isVector } from "./scene.js";
import { placesOf } from "./tensors.js";
import { axisOf, lengthOf, lineOf, placesRead, readShape, samplesAlong, tapsAlong, wholeOf } from "./windows.js";

/** @import { Axis } from "./windows.js" */
/** @import { Box, Cell, Scene, Stage } from "./scene.js" */

/** Operations that only finish what a layer began, number by number. */
export const FINISHING = ["affine", "activation"];

/** What may read any cell of what is before it: the page knows no nearer bound. */
export const MIXING = ["contract", "reduce", "normalize", "lookup", "each"];

/**
 * The cells of stage `earlier` that reach a cell; null if none do.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @param {Stage} earlier
 * @returns {Box | null}
 */
export function seenBox(scene, cell, earlier) {
  const stage = scene.stages[cell.stage];
  if (isStep(stage) || (isStep(earlier) && earlier.layer === stage.layer)) return seenByStep(scene, cell, earlier);
  const { fields, alike, read_as: readAs } = scene.header;
  const origin = /** @type {number} */ (scene.layerNumber.get(earlier.layer));
  let unit = /** @type {number} */ (scene.layerNumber.get(stage.layer));
  // What works cell by cell sees what its input sees.
  while (unit !== origin && unit in alike) unit = alike[unit];
  const whole = wholeOf(earlier.shape);
  if (unit === origin) return isVector(earlier) || MIXING.includes(stage.op.type) ? whole : boxOf(cell);
  return boxIn(scene, fields[`${unit},${readAs[origin] ?? origin}`], cell, whole);
}

/**
 * What a cell sees of an input over the paths that pass no global pooling, where others do: behind a
 * squeeze-and-excitation. Null where all paths are alike.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @param {Stage} input
 */
export function localBox(scene, cell, input) {
  const stage = scene.stages[cell.stage];
  const { local, alike, read_as: readAs } = scene.header;
  if (!local || isStep(stage)) return null;
  const origin = /** @type {number} */ (scene.layerNumber.get(input.layer));
  let unit = /** @type {number} */ (scene.layerNumber.get(stage.layer));
  while (unit !== origin && unit in alike) unit = alike[unit];
  return boxIn(scene, local[`${unit},${readAs[origin] ?? origin}`] ?? local[`${unit},${origin}`], cell, wholeOf(input.shape));
}

/**
 * A unit's box in the tables of its layer.
 *
 * @param {Scene} scene
 * @param {[number, number, string, number, number, number][] | undefined} tables
 * @param {Cell} cell
 * @param {Box} whole
 * @returns {Box | null}
 */
function boxIn(scene, tables, cell, whole) {
  if (!tables) return null;
  if (tables.length !== 2) return whole;
  const [top, bottom] = lookUp(scene, tables[0], cell);
  const [left, right] = lookUp(scene, tables[1], cell);
  return top > bottom || left > right ? null : { top, bottom, left, right };
}

/**
 * Whether a stage is a step within a layer, whose cells are not the layer's.
 *
 * @param {Stage} stage
 */
function isStep({ part }) {
  return !["output", "before", "depthwise"].includes(part);
}

/**
 * What a step within a layer sees: what those cells see that it was computed from.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @param {Stage} earlier
 * @returns {Box | null}
 */
function seenByStep(scene, cell, earlier) {
  const { layer } = scene.stages[cell.stage];
  /** @type {Box | null} */
  let seen = null;
  for (const [s, marks] of readWithin(scene, cell)) {
    const inside = scene.stages[s].layer === layer;
    if (inside && s !== earlier.index) continue;
    const pixels = new Set();
    for (let n = 0; n < marks.length; n++) {
      if (!marks[n]) continue;
      const read = cellAt(scene.stages[s], n);
      const pixel = `${read.row},${read.col}`;
      if (pixels.has(pixel)) continue;
      pixels.add(pixel);
      const box = inside || s === earlier.index ? boxOf(read) : seenBox(scene, read, earlier);
      seen = boxAround(seen, box);
    }
  }
  return seen;
}

/** @type {WeakMap<Scene, { key: string, read: Map<number, Uint8Array> }>} the cell that was asked for last */
const lastRead = new WeakMap();

/**
 * The numbers that a cell of a layer of many steps was computed from: of its steps, and of what the layer reads.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @returns {Map<number, Uint8Array>} by the stage
 */
function readWithin(scene, cell) {
  const key = cellKey(cell);
  const kept = lastRead.get(scene);
  if (kept?.key === key) return kept.read;
  const stage = scene.stages[cell.stage];
  const own = new Uint8Array(lengthOf(stage));
  own[cellIndex(stage, cell)] = 1;
  /** @type {Map<number, Uint8Array>} */
  const read = new Map([[cell.stage, own]]);
  for (let s = cell.stage; s >= 0 && scene.stages[s].layer === stage.layer; s--) {
    const marks = read.get(s);
    if (!marks) continue;
    scene.stages[s].reads.forEach((source, input) => {
      const from = read.get(source) ?? new Uint8Array(lengthOf(scene.stages[source]));
      read.set(source, from);
      const places = placesOfStep(scene, scene.stages[s], input);
      for (let n = 0; n < marks.length; n++) if (marks[n]) places(n, from);
    });
  }
  read.delete(cell.stage);
  lastRead.set(scene, { key, read });
  return read;
}

/**
 * Marks, in an input of a step, what its n-th number is made from.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} input
 * @returns {(n: number, marks: Uint8Array) => void}
 */
function placesOfStep(scene, stage, input) {
  const { op } = stage;
  if (op.type === "contract" || op.type === "reduce") {
    const arrays = op.type === "reduce" ? [0] : [op.first, op.second].flatMap((each, array) => (each === input ? [array] : []));
    const sides = arrays.map((array) => [placesOf(op, op.type === "reduce" ? "kept" : "out", array), placesOf(op, "over", array)]);
    return (n, marks) => {
      for (const [starts, steps] of sides) for (const step of steps) marks[starts[n] + step] = 1;
    };
  }
  if (op.type === "softmax") return (n, marks) => lineOf(op, n).forEach((at) => (marks[at] = 1));
  const place = placesRead(scene, stage);
  return (n, marks) => void (marks[place(n, input)] = 1);
}

/**
 * The box of one cell.
 *
 * @param {Cell} cell
 * @returns {Box}
 */
export function boxOf({ row, col }) {
  return { top: row, bottom: row, left: col, right: col };
}

/**
 * A unit's first and last cell in a table, whose axes of length 1 are the same for all units.
 *
 * @param {Scene} scene
 * @param {[number, number, string, number, number, number]} table
 * @param {Cell} cell
 */
function lookUp(scene, [offset, count, type, h, w, c], cell) {
  const table = scene.plan.read([offset, count, type]);
  const row = h === 1 ? 0 : cell.row;
  const col = w === 1 ? 0 : cell.col;
  const channel = c === 1 ? 0 : cell.channel;
  const place = 2 * ((row * w + col) * c + channel);
  return [table[place], table[place + 1]];
}

/**
 * For every stage that reaches a cell, which of its channels do.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @returns {Map<number, Uint8Array>}
 */
export function feedingChannels(scene, cell) {
  const marks = new Map([[cell.stage, channelMask(scene.stages[cell.stage], [cell.channel])]]);
  for (let s = cell.stage; s > 0; s--) {
    const marked = marks.get(s);
    if (!marked) continue;
    const stage = scene.stages[s];
    stage.reads.forEach((source, input) => {
      const read = marks.get(source) ?? channelMask(scene.stages[source], []);
      markRead(scene, stage, input, marked, read);
      marks.set(source, read);
    });
  }
  return marks;
}

/**
 * Some of a stage's channels as a mask.
 *
 * @param {Stage} stage
 * @param {number[]} channels
 */
export function channelMask(stage, channels) {
  const mask = new Uint8Array(stage.shape[2]);
  for (const channel of channels) mask[channel] = 1;
  return mask;
}

/**
 * Mark the channels of an input that some channels of a stage are made from.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {number} input
 * @param {Uint8Array} marked
 * @param {Uint8Array} read
 */
function markRead(scene, stage, input, marked, read) {
  const { type, groups, step } = stage.op;
  const channels = read.length;
  const all = ["conv", "transposed", "given", ...MIXING].includes(type) || step === 1;
  if (type === "move") {
    for (const [from, to] of movedChannels(scene, stage)[input]) if (marked[to]) read[from] = 1;
  } else if (type === "conv" && groups > 1 && readShape(scene, stage)[2] === channels) {
    const filters = marked.length / groups;
    marked.forEach((on, f) => {
      const group = Math.floor(f / filters);
      if (on) read.fill(1, (group * channels) / groups, ((group + 1) * channels) / groups);
    });
  } else if (all || marked.length % channels) {
    read.fill(1);
  } else {
    // A vector's unit is a channel of the map that was flattened, which is drawn as the map.
    marked.forEach((on, k) => (read[k % channels] |= on));
  }
}

/** @type {WeakMap<Stage, [number, number][][]>} */
const moved = new WeakMap();

/**
 * For each input of a stage that only moves numbers, the pairs (channel from, channel to).
 *
 * @param {Scene} scene
 * @param {Stage} stage
 */
function movedChannels(scene, stage) {
  const kept = moved.get(stage);
  if (kept) return kept;
  const place = placesRead(scene, stage);
  const [to, count] = [stage.shape[2], lengthOf(stage)];
  const pairs = stage.reads.map((source, input) => {
    const from = scene.stages[source].shape[2];
    const moves = new Set();
    for (let n = 0; n < count; n++) {
      const at = place(n, input);
      if (at >= 0) moves.add((at % from) * to + (n % to));
    }
    return [...moves].map((pair) => /** @type {[number, number]} */ ([Math.floor(pair / to), pair % to]));
  });
  moved.set(stage, pairs);
  return pairs;
}

/**
 * The units of a reader that a cell feeds: their rows, columns and channels.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 * @param {Stage} reader
 */
export function fedUnits(scene, cell, reader) {
  const { op } = reader;
  const [height, width, channels] = reader.shape;
  const flat = cellIndex(scene.stages[cell.stage], cell);
  if (op.rows) {
    // A flattened map that is read whole has the shape that the window says.
    const [, readWidth, depth] = readShape(scene, reader);
    const pixel = Math.floor(flat / depth);
    const channel = flat % depth;
    const along = op.type === "transposed" ? reached : readersAlong;
    const rows = along(axisOf(op.rows), Math.floor(pixel / readWidth));
    const cols = along(axisOf(op.cols), pixel % readWidth);
    if (op.type === "pool") return { rows, cols, channels: [channel] };
    const size = channels / (op.groups ?? 1);
    const group = Math.floor((channel * (op.groups ?? 1)) / depth);
    return { rows, cols, channels: range(size).map((i) => group * size + i) };
  }
  if (op.type === "sample") {
    const reads = (/** @type {number} */ axis, /** @type {number} */ u, /** @type {number} */ at) =>
      samplesAlong(scene, op, axis, u).some(([i]) => i === at);
    // The channels are the source's, and so are the rows and the columns, unless a layer between is hidden.
    const pixel = Math.floor(flat / channels);
    const [row, col] = [Math.floor(pixel / op.along[1].size), pixel % op.along[1].size];
    return {
      rows: range(height).filter((u) => reads(0, u, row)),
      cols: range(width).filter((u) => reads(1, u, col)),
      channels: [flat % channels],
    };
  }
  if (op.type === "given" || MIXING.includes(op.type)) return { rows: range(height), cols: range(width), channels: range(channels) };
  const cells = fedPlaces(scene, cell.stage, flat, reader).map((n) => cellAt(reader, n));
  const sorted = (/** @type {"row" | "col" | "channel"} */ key) =>
    [...new Set(cells.map((fed) => fed[key]))].sort((a, b) => a - b);
  return { rows: sorted("row"), cols: sorted("col"), channels: sorted("channel") };
}

/**
 * The places, in a reader without a window, of the numbers that a stage's number goes into.
 *
 * @param {Scene} scene
 * @param {number} s
 * @param {number} flat
 * @param {Stage} reader
 */
function fedPlaces(scene, s, flat, reader) {
  const { op, reads } = reader;
  if (op.type === "softmax") return lineOf(op, flat);
  const inputs = reads.flatMap((source, input) => (source === s ? [input] : []));
  if (op.type !== "move" && !(op.type === "merge" && inputs.some((input) => op.maps[input]))) return [flat];
  return [...new Set(inputs.flatMap((input) => [...placesFed(scene, reader, input)(flat)]))];
}

/** @type {WeakMap<Stage, Map<number, (flat: number) => Int32Array>>} */
const fed = new WeakMap();

/**
 * Where each number of an input goes to in a reader, sorted out once: there may be a million places to look through.
 *
 * @param {Scene} scene
 * @param {Stage} reader
 * @param {number} input
 * @returns {(flat: number) => Int32Array}
 */
function placesFed(scene, reader, input) {
  const kept = fed.get(reader) ?? new Map();
  fed.set(reader, kept);
  if (!kept.has(input)) {
    const place = placesRead(scene, reader);
    const length = lengthOf(scene.stages[reader.reads[input]]);
    const from = Int32Array.from({ length: lengthOf(reader) }, (_, n) => place(n, input));
    const ends = new Int32Array(length + 1);
    for (const flat of from) if (flat >= 0) ends[flat + 1] += 1;
    for (let flat = 0; flat < length; flat++) ends[flat + 1] += ends[flat];
    const next = ends.slice();
    const places = new Int32Array(ends[length]);
    from.forEach((flat, n) => {
      if (flat >= 0) places[next[flat]++] = n;
    });
    kept.set(input, (/** @type {number} */ flat) => places.subarray(ends[flat], ends[flat + 1]));
  }
  return kept.get(input);
}

/**
 * The windows along an axis that read position i.
 *
 * @param {Axis} axis
 * @param {number} i
 */
function readersAlong(axis, i) {
  return range(axis.out).filter((u) => tapsAlong(axis, u).some(([, read]) => read === i));
}

/**
 * The positions along an axis that window u reads.
 *
 * @param {Axis} axis
 * @param {number} u
 */
function reached(axis, u) {
  return tapsAlong(axis, u).map(([, i]) => i);
}
