// The receipt of one cell: every factor, where it came from, and how they add up, in float32.

import { activationOf, affineOf, axisOf, f, lineOf, locate, mergeOf, readShape } from "./forward.js";
import { cellAt, cellIndex } from "./scene.js";

/**
 * What a cell was computed from.
 *
 * `groups` hold the terms, one group for each channel that was read: {channel, rows, cols, terms, sum}. A
 * term has `from` (the cell it came from; null is padding), `x`, and where there is one its `weight`
 * {name, index, value} and `product`. `total` is what the terms add up to in float32, `value` what the
 * network computed, `residual` their difference.
 */
export function receiptOf(scene, values, cell) {
  const stage = scene.stages[cell.stage];
  const index = cellIndex(stage, cell);
  const value = values[cell.stage][index];
  const found = { cell, stage, value, groups: [], ...DETAILS[stage.op.type](scene, values, stage, cell, index) };
  found.residual = found.total === undefined ? 0 : f(value - found.total);
  return found;
}

const DETAILS = {
  input: () => ({ type: "input" }),
  conv: weighted,
  transposed: weighted,
  pool,
  affine(scene, values, stage, cell, index) {
    const [term] = plain(scene, values, stage, [index]);
    const a = scene.data(stage.op.a);
    const b = scene.data(stage.op.b);
    const k = index % a.length;
    const total = affineOf(stage.op.form, term.x, a[k], b[k]);
    return { type: "affine", form: stage.op.form, groups: [single(term)], a: a[k], b: b[k], total };
  },
  activation(scene, values, stage, cell, index) {
    const [term] = plain(scene, values, stage, [index]);
    const { name, arguments: given } = stage.op;
    const slope = name === "prelu" ? scene.data(given.alpha)[index] : null;
    const total = f(activationOf(name, given, term.x, slope));
    return { type: "activation", name, groups: [single(term)], slope, total };
  },
  softmax(scene, values, stage, cell, index) {
    const line = lineOf(stage.shape, stage.op.axis, index);
    const terms = plain(scene, values, stage, line);
    const most = Math.max(...terms.map((term) => term.x));
    for (const term of terms) term.power = f(Math.exp(term.x - most));
    const sum = f(terms.reduce((total, term) => total + term.power, 0));
    const self = line.indexOf(index);
    const own = terms[self];
    const total = stage.op.log ? f(own.x - most - Math.log(sum)) : f(own.power / sum);
    const groups = [{ channel: null, rows: terms.length, cols: 1, terms, sum }];
    return { type: "softmax", log: stage.op.log, most, sum, self, groups, total };
  },
  move(scene, values, stage, cell, index) {
    const inputs = stage.reads.map((source) => values[source]);
    const source = locate(scene.data(stage.op.from)[index], inputs);
    if (!source) return { type: "move", groups: [single({ from: null, x: 0 })], total: 0 };
    const read = stage.reads[source.input];
    const x = values[read][source.index];
    const term = { from: cellAt(scene.stages[read], source.index), x };
    return { type: "move", groups: [single(term)], total: x };
  },
  merge(scene, values, stage, cell, index) {
    const terms = stage.reads.map((read, i) => {
      const name = stage.op.maps[i];
      const place = name ? scene.data(name)[index] : index;
      return { from: cellAt(scene.stages[read], place), x: values[read][place] };
    });
    const total = mergeOf(stage.op.mode, terms.map((term) => term.x));
    const groups = [{ channel: null, rows: terms.length, cols: 1, terms }];
    return { type: "merge", mode: stage.op.mode, groups, total };
  },
};

function single(term) {
  return { channel: null, rows: 1, cols: 1, terms: [term] };
}

function plain(scene, values, stage, places) {
  const source = scene.stages[stage.reads[0]];
  return places.map((place) => ({ from: cellAt(source, place), x: values[source.index][place] }));
}

/** The taps of a windowed stage at a unit, row by row: the position that each reads, or null. */
export function tapsOf(stage, { row, col }) {
  const rows = axisOf(stage.op.rows);
  const cols = axisOf(stage.op.cols);
  const transposed = stage.op.type === "transposed";
  const at = (axis, u, t) => {
    if (!transposed) {
      const i = u * axis.stride - axis.before + t * axis.dilation;
      return { i, inside: i >= 0 && i < axis.size };
    }
    const steps = u + axis.before - t * axis.dilation;
    const i = steps / axis.stride;
    return { i, inside: Number.isInteger(i) && i >= 0 && i < axis.out };
  };
  const taps = [];
  for (let i = 0; i < rows.kernel; i++) {
    const r = at(rows, row, i);
    for (let j = 0; j < cols.kernel; j++) {
      const c = at(cols, col, j);
      taps.push({ i, j, row: r.i, col: c.i, inside: r.inside && c.inside });
    }
  }
  return taps;
}

function weighted(scene, values, stage, cell) {
  const transposed = stage.op.type === "transposed";
  const [, width, channels] = readShape(scene, stage);
  const filters = stage.shape[2];
  const groupCount = stage.op.groups ?? 1;
  const perGroup = channels / groupCount;
  const first = Math.floor(cell.channel / (filters / groupCount)) * perGroup;
  const kernel = scene.data(stage.op.kernel);
  const source = scene.stages[stage.reads[0]];
  const x = values[source.index];
  const taps = tapsOf(stage, cell);
  const kernelWidth = stage.op.cols[1];
  const groups = [];
  let total = 0;
  for (let k = 0; k < perGroup; k++) {
    let sum = 0;
    const terms = taps.map((tap) => {
      const position = tap.i * kernelWidth + tap.j;
      const place = transposed
        ? (position * filters + cell.channel) * channels + k
        : (position * perGroup + k) * filters + cell.channel;
      const weight = { name: stage.op.kernel, index: place, value: kernel[place] };
      if (!tap.inside) return { from: null, x: 0, weight, product: 0, tap };
      const read = (tap.row * width + tap.col) * channels + first + k;
      const product = f(x[read] * weight.value);
      sum = f(sum + product);
      return { from: cellAt(source, read), x: x[read], weight, product, tap };
    });
    const group = { channel: first + k, rows: stage.op.rows[1], cols: kernelWidth, terms, sum };
    groups.push(group);
    total = f(total + sum);
  }
  let bias = null;
  if (stage.op.bias) {
    bias = { name: stage.op.bias, index: cell.channel, value: scene.data(stage.op.bias)[cell.channel] };
  }
  const sum = total;
  return { type: "weighted", groups, sum, bias, total: bias ? f(sum + bias.value) : sum };
}

function pool(scene, values, stage, cell) {
  const source = scene.stages[stage.reads[0]];
  const channels = stage.shape[2];
  const x = values[source.index];
  const width = stage.op.cols[0];
  const terms = tapsOf(stage, cell).map((tap) => {
    if (!tap.inside) return { from: null, x: null, tap };
    const read = (tap.row * width + tap.col) * channels + cell.channel;
    return { from: cellAt(source, read), x: x[read], tap };
  });
  const live = terms.filter((term) => term.from);
  const group = { channel: cell.channel, rows: stage.op.rows[1], cols: stage.op.cols[1], terms };
  if (stage.op.mode === "max") {
    const total = Math.max(...live.map((term) => term.x));
    const winner = terms.findIndex((term) => term.x === total);
    return { type: "max", groups: [group], winner, total };
  }
  group.sum = live.reduce((sum, term) => f(sum + term.x), 0);
  return { type: "mean", groups: [group], count: live.length, total: f(group.sum / live.length) };
}
