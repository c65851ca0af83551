// What reaches a cell and what it reaches: boxes from cnnviz.receptive_field's tables, channels and
// fed cells from the stages' own operations.

import { axisOf, locate } from "./forward.js";
import { cellAt, cellIndex, isVector } from "./scene.js";

/** The cells of stage `earlier` that reach a cell: {top, bottom, left, right}, ends included, or null. */
export function seenBox(scene, cell, earlier) {
  const stage = scene.stages[cell.stage];
  const unit = scene.layerNumber.get(stage.layer);
  const origin = scene.layerNumber.get(earlier.layer);
  const [height, width] = earlier.shape;
  const whole = { top: 0, bottom: height - 1, left: 0, right: width - 1 };
  if (unit === origin) return isVector(earlier) ? whole : own(cell);
  const tables = scene.header.fields[`${unit},${origin}`];
  if (!tables) return null;
  if (tables.length !== 2) return whole;
  const [top, bottom] = lookUp(scene, tables[0], stage, cell);
  const [left, right] = lookUp(scene, tables[1], stage, cell);
  return top > bottom || left > right ? null : { top, bottom, left, right };
}

function own({ row, col }) {
  return { top: row, bottom: row, left: col, right: col };
}

function lookUp(scene, [offset, count, type, h, w, c], stage, cell) {
  const table = scene.read([offset, count, type]);
  const row = h === 1 ? 0 : cell.row;
  const col = w === 1 ? 0 : cell.col;
  const channel = c === 1 ? 0 : cell.channel;
  const place = 2 * ((row * w + col) * c + channel);
  return [table[place], table[place + 1]];
}

/** For every stage that reaches a cell, which of its channels do: a Map of Uint8Array. */
export function feedingChannels(scene, cell) {
  const marks = new Map([[cell.stage, oneOf(scene.stages[cell.stage].shape[2], cell.channel)]]);
  for (let s = cell.stage; s > 0; s--) {
    if (!marks.has(s)) continue;
    const stage = scene.stages[s];
    stage.reads.forEach((source, input) => {
      const known = marks.get(source) ?? new Uint8Array(scene.stages[source].shape[2]);
      markRead(scene, stage, input, marks.get(s), known);
      marks.set(source, known);
    });
  }
  return marks;
}

function oneOf(length, place) {
  const mark = new Uint8Array(length);
  mark[place] = 1;
  return mark;
}

function markRead(scene, stage, input, marked, known) {
  const { type, groups, axis } = stage.op;
  const channels = known.length;
  if (type === "move") {
    const pairs = movedChannels(scene, stage)[input];
    for (const [from, to] of pairs) if (marked[to]) known[from] = 1;
  } else if (type === "conv" && groups > 1) {
    const filters = marked.length / groups;
    marked.forEach((on, f) => {
      const group = Math.floor(f / filters);
      if (on) known.fill(1, (group * channels) / groups, ((group + 1) * channels) / groups);
    });
  } else if (type === "conv" || type === "transposed" || (type === "softmax" && axis === 2)) {
    known.fill(1);
  } else if (channels === 1) {
    known[0] = 1;
  } else if (channels !== marked.length) {
    known.fill(1);
  } else {
    marked.forEach((on, k) => (known[k] |= on));
  }
}

/** For each input of a stage that only moves numbers, the pairs (channel from, channel to). */
function movedChannels(scene, stage) {
  if (stage.moved) return stage.moved;
  const from = scene.data(stage.op.from);
  const inputs = stage.reads.map((source) => lengthOf(scene.stages[source]));
  const sets = inputs.map(() => new Set());
  for (let n = 0; n < from.length; n++) {
    const source = locate(from[n], inputs);
    if (!source) continue;
    const channels = scene.stages[stage.reads[source.input]].shape[2];
    sets[source.input].add(`${source.index % channels},${n % stage.shape[2]}`);
  }
  stage.moved = sets.map((set) => [...set].map((pair) => pair.split(",").map(Number)));
  return stage.moved;
}

function lengthOf(stage) {
  return { length: stage.shape[0] * stage.shape[1] * stage.shape[2] };
}

/** The units of a reader that a cell feeds: their rows, columns and channels. */
export function fedUnits(scene, cell, reader) {
  const op = reader.op;
  const [height, width, channels] = reader.shape;
  const source = scene.stages[cell.stage];
  const every = (n) => Array.from({ length: n }, (_, i) => i);
  const like = { rows: [cell.row], cols: [cell.col], channels: [cell.channel] };
  if (op.type === "conv" || op.type === "transposed" || op.type === "pool") {
    // A flattened map that is read whole has the shape that the window says.
    const flat = cellIndex(source, cell);
    const transposed = op.type === "transposed";
    const readWidth = op.cols[transposed ? 6 : 0];
    const readHeight = op.rows[transposed ? 6 : 0];
    const depth = lengthOf(source).length / (readWidth * readHeight);
    const pixel = Math.floor(flat / depth);
    const channel = flat % depth;
    const along = transposed ? reach : readersAlong;
    const rows = along(axisOf(op.rows), Math.floor(pixel / readWidth));
    const cols = along(axisOf(op.cols), pixel % readWidth);
    if (op.type === "pool") return { rows, cols, channels: [channel] };
    if (!op.groups || op.groups === 1) return { rows, cols, channels: every(channels) };
    const group = Math.floor(channel / (depth / op.groups));
    const size = channels / op.groups;
    return { rows, cols, channels: every(size).map((i) => group * size + i) };
  }
  if (op.type === "softmax") {
    return {
      rows: op.axis === 0 ? every(height) : like.rows,
      cols: op.axis === 1 ? every(width) : like.cols,
      channels: op.axis === 2 ? every(channels) : like.channels,
    };
  }
  if (op.type === "move") {
    const flat = cellIndex(source, cell);
    const inputs = reader.reads.map((s) => lengthOf(scene.stages[s]));
    const cells = [];
    scene.data(op.from).forEach((place, n) => {
      const found = locate(place, inputs);
      if (found && found.index === flat && reader.reads[found.input] === cell.stage) {
        cells.push(cellAt(reader, n));
      }
    });
    return product(cells);
  }
  if (op.type === "merge") {
    const flat = cellIndex(source, cell);
    const name = op.maps[reader.reads.indexOf(cell.stage)];
    if (!name) return like;
    const cells = [];
    scene.data(name).forEach((place, n) => place === flat && cells.push(cellAt(reader, n)));
    return product(cells);
  }
  return like;
}

function product(cells) {
  const sorted = (key) => [...new Set(cells.map((cell) => cell[key]))].sort((a, b) => a - b);
  return { rows: sorted("row"), cols: sorted("col"), channels: sorted("channel") };
}

/** The windows along an axis that read position i. */
function readersAlong(axis, i) {
  const found = [];
  for (let u = 0; u < axis.out; u++) {
    const offset = i + axis.before - u * axis.stride;
    if (offset >= 0 && offset % axis.dilation === 0 && offset / axis.dilation < axis.kernel) found.push(u);
  }
  return found;
}

/** The positions along an axis that window u reads. */
function reach(axis, u) {
  const found = [];
  for (let t = 0; t < axis.kernel; t++) {
    const i = u * axis.stride - axis.before + t * axis.dilation;
    if (i >= 0 && i < axis.size) found.push(i);
  }
  return found;
}
