// The receipt of one cell: every factor, where it came from, and how they add up, in float32.

import { maximum, minimum } from "./arrays.js";
import { activationOf, argumentsOf, affineOf, affinePlace, f, mergeOf, slopesOf } from "./forward.js";
import { NOTHING } from "./numbers.js";
import { cellAt, cellIndex } from "./scene.js";
import { atOneStep, normalScale, placesOf, REDUCTIONS, statisticsOf } from "./tensors.js";
import { differsWhereInfinite, sampleByDifferences } from "./windowed.js";
import { lineOf, placesRead, readShape, samplesAlong, tapsOf } from "./windows.js";

/** @import { Cell, Scene, Stage } from "./scene.js" */

/**
 * One number of an array that the plan names.
 *
 * @typedef {{ name: string, index: number, value: number, from?: Cell | null }} Weight one that is derived has no
 * name; a number that was read, which another one is multiplied by, is `from` a cell
 */

/**
 * @typedef {object} Term
 * @property {Cell | null} from the cell that it came from; null is padding
 * @property {number} x
 * @property {Weight} [weight]
 * @property {number} [product]
 * @property {number} [power] e to the x less the largest, of a softmax
 */

/**
 * The terms of one channel that was read.
 *
 * @typedef {{ channel: number | null, rows: number, cols: number, terms: Term[], sum?: number }} Group
 */

/**
 * A receipt, or one step of it: what kind of arithmetic it is, and what goes into it.
 *
 * @typedef {object} Details
 * @property {string} type
 * @property {Stage} [stage] as it is at one step of a sequence
 * @property {Group[]} [groups]
 * @property {Float32Array} [products] of all terms, group by group, where these are many
 * @property {{ w?: number, p?: number }} [limits] the largest magnitudes of weights and products
 * @property {number} [total] what the terms come to in float32
 * @property {number} [sum] what the products come to before the bias; what a softmax divides by
 * @property {Weight | null} [bias]
 * @property {string} [form] of an affine step, with its numbers a and b
 * @property {number} [a]
 * @property {number} [b]
 * @property {number} [place] of these in their arrays
 * @property {{ mean: number, variance: number, count: number }} [statistics] that these come from, of so many cells
 * @property {string} [name] of an activation
 * @property {number} [slope]
 * @property {boolean} [log] whether a softmax is a log-softmax
 * @property {number} [most] the largest logit
 * @property {number} [self] which term of a softmax is the cell's own
 * @property {string} [mode] of a merge
 * @property {number} [winner] which term is the largest
 * @property {number} [count] of the cells that a mean is over
 */

/**
 * @typedef {Details & { cell: Cell, stage: Stage, value: number, groups: Group[], residual: number }} Receipt
 * `value` is what the network computed, `residual` its difference from the total.
 */

/**
 * What a cell was computed from.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @returns {Receipt}
 */
export function receiptOf(scene, values, cell) {
  const stage = scene.stages[cell.stage];
  const index = cellIndex(stage, cell);
  const value = values[cell.stage][index];
  const details = DETAILS[stage.op.type](scene, values, stage, cell, index);
  const residual = details.total === undefined ? 0 : f(value - details.total);
  return { cell, stage, value, groups: [], ...details, residual };
}

/**
 * The largest magnitude of some number of the terms, and no less than what a colour scale needs.
 *
 * @param {Group[]} groups
 * @param {(term: Term) => number} value
 */
export function largestOf(groups, value) {
  return maximum(groups.flatMap(({ terms }) => terms.map((term) => Math.abs(value(term)))), NOTHING);
}

/**
 * By the operations of the stages.
 *
 * @type {Record<string, (scene: Scene, values: Float32Array[], stage: Stage, cell: Cell, index: number) => Details>}
 */
export const DETAILS = {
  input: () => ({ type: "input" }),
  // Python gave the number, and this page knows no operation that does: it is not taken apart.
  given: () => ({ type: "given" }),
  conv: weighted,
  transposed: weighted,
  pool,
  sample(scene, values, stage, { row, col, channel }) {
    const [down, across] = [samplesAlong(scene, stage.op, 0, row), samplesAlong(scene, stage.op, 1, col)];
    const [width, channels] = [stage.op.along[1].size, stage.shape[2]];
    let sum = 0;
    const place = (/** @type {number} */ r, /** @type {number} */ c) => (r * width + c) * channels + channel;
    if (stage.op.mode === "max") {
      const cells = down.flatMap(([r]) => across.map(([c]) => termAt(scene, values, stage.reads[0], place(r, c))));
      return largest({ channel, rows: down.length, cols: across.length, terms: cells });
    }
    const terms = down.flatMap(([r, a]) =>
      across.map(([c, b]) => {
        const weight = { name: "", index: -1, value: f(a * b) };
        const read = r < 0 || c < 0 ? { from: null, x: stage.op.fill } : termAt(scene, values, stage.reads[0], place(r, c));
        const product = f(read.x * weight.value);
        sum = f(sum + product);
        return { ...read, weight, product };
      }),
    );
    const x = values[stage.reads[0]];
    const total = differsWhereInfinite(stage.op, x) ? f(sampleByDifferences(scene, stage.op, x, channels, row, col, channel)) : sum;
    return { type: "sampled", groups: [{ channel, rows: down.length, cols: across.length, terms, sum }], sum, total };
  },
  affine(scene, values, stage, cell, index) {
    const term = termAt(scene, values, stage.reads[0], index);
    const all = [scene.data(stage.op.a), scene.data(stage.op.b)];
    const place = affinePlace(stage.op, all[0].length, index);
    const [a, b] = all.map((array) => array[place]);
    const total = affineOf(stage.op.form, term.x, a, b);
    return { type: "affine", form: stage.op.form, groups: [column([term])], a, b, place, total };
  },
  activation(scene, values, stage, cell, index) {
    const term = termAt(scene, values, stage.reads[0], index);
    const { name, arguments: given } = stage.op;
    const slope = slopesOf(scene, stage.op)?.(index);
    const total = f(activationOf(name, given, term.x, slope));
    return { type: "activation", name, groups: [column([term])], slope, total };
  },
  softmax(scene, values, stage, cell, index) {
    const line = lineOf(stage.op, index);
    const terms = line.map((place) => termAt(scene, values, stage.reads[0], place));
    const most = maximum(terms.map((term) => term.x));
    const powers = terms.map((term) => (term.power = f(Math.exp(term.x - most))));
    const sum = f(powers.reduce((a, b) => a + b, 0));
    const self = line.indexOf(index);
    const total = stage.op.log ? f(terms[self].x - most - Math.log(sum)) : f(powers[self] / sum);
    return { type: "softmax", log: stage.op.log, most, sum, self, groups: [{ ...column(terms), sum }], total };
  },
  move(scene, values, stage, cell, index) {
    const place = placesRead(scene, stage);
    const terms = stage.reads.flatMap((read, input) => {
      const at = place(index, input);
      return at < 0 ? [] : [termAt(scene, values, read, at)];
    });
    const [term = { from: null, x: f(stage.op.fill ?? 0) }] = terms;
    return { type: "move", groups: [column([term])], total: term.x };
  },
  merge(scene, values, stage, cell, index) {
    const place = placesRead(scene, stage);
    const given = stage.op.arguments ?? stage.reads.map((_, input) => input);
    const numbers = argumentsOf(scene, stage, stage.reads.map((read) => values[read]));
    const terms = numbers.map((number, i) =>
      typeof given[i] === "number" ? termAt(scene, values, stage.reads[given[i]], place(index, given[i])) : { from: null, x: number(index) },
    );
    const total = f(mergeOf(stage.op.mode, terms.map((term) => term.x)));
    return { type: "merge", mode: stage.op.mode, groups: [column(terms)], total };
  },
  contract: contracted,
  reduce(scene, values, stage, cell, index) {
    const start = placesOf(stage.op, "kept", 0)[index];
    const terms = [...placesOf(stage.op, "over", 0)].map((step) => termAt(scene, values, stage.reads[0], start + step));
    const group = column(terms);
    const { mode } = stage.op;
    const numbers = terms.map((term) => term.x);
    if (mode === "max" || mode === "min") return largest(group, mode === "min");
    if (mode === "threshold") return { type: "threshold", groups: [group], count: terms.length, total: f(REDUCTIONS.threshold(Float64Array.from(numbers))) };
    if (mode === "var") return { type: "variance", groups: [group], count: terms.length, total: f(REDUCTIONS.var(Float64Array.from(numbers))) };
    const sum = numbers.reduce((total, x) => f(total + x), 0);
    const total = mode === "mean" ? f(sum / terms.length) : sum;
    return { type: mode, groups: [{ ...group, sum }], count: terms.length, total };
  },
  normalize(scene, values, stage, cell, index) {
    const { op } = stage;
    const [starts, steps] = [placesOf(op, "kept", 0), placesOf(op, "over", 0)];
    const x = values[stage.reads[0]];
    const [g, t] = memberOf(starts, steps, index);
    const statistics = statisticsOf(op, x, starts[g]);
    const { scale, shift } = normalScale(scene, op, statistics, placesOf(op, "kept", 1)[g] + placesOf(op, "over", 1)[t]);
    const term = termAt(scene, values, stage.reads[0], index);
    const [a, b] = [f(scale), f(shift)];
    const said = { mean: f(statistics.mean), variance: f(statistics.variance), count: steps.length };
    return { type: "affine", form: "x*a+b", groups: [column([term])], a, b, statistics: said, total: affineOf("x*a+b", term.x, a, b) };
  },
  lookup(scene, values, stage, cell, index) {
    const { op } = stage;
    const term = termAt(scene, values, stage.reads[0], Math.floor(index / op.width));
    const place = Math.trunc(term.x) * op.width + (index % op.width);
    const weight = { name: op.table, index: place, value: scene.data(op.table)[place] };
    return { type: "lookup", groups: [column([{ ...term, weight }])], total: weight.value };
  },
  each(scene, values, stage, cell, index) {
    const one = atOneStep(scene, stage);
    const step = Math.floor(index / one.size);
    const read = values[stage.reads[0]].subarray(step * one.source, (step + 1) * one.source);
    const own = values[stage.index].subarray(step * one.size, (step + 1) * one.size);
    const inside = cellAt(one.stage, index % one.size);
    const details = DETAILS[one.stage.op.type](one.scene, [read, own], one.stage, inside, index % one.size);
    const outside = (/** @type {Term} */ term) => {
      const place = term.from && step * one.source + cellIndex(one.scene.stages[0], term.from);
      return place === null ? term : { ...term, from: cellAt(scene.stages[stage.reads[0]], place) };
    };
    const groups = details.groups?.map((group) => ({ ...group, terms: group.terms.map(outside) }));
    return { ...details, groups, stage: { ...stage, op: one.stage.op } };
  },
};

/**
 * Which group, and which of its members, a place is.
 *
 * @param {Int32Array} starts
 * @param {Int32Array} steps
 * @param {number} index
 */
function memberOf(starts, steps, index) {
  const places = new Map([...steps].map((step, t) => [step, t]));
  const g = starts.findIndex((start) => places.has(index - start));
  return [g, places.get(index - starts[g]) ?? 0];
}

/**
 * The largest term of a group, or the smallest.
 *
 * @param {Group} group
 * @param {boolean} [smallest]
 * @returns {Details}
 */
function largest(group, smallest = false) {
  const numbers = group.terms.flatMap((term) => (term.from ? [term.x] : []));
  const total = smallest ? minimum(numbers) : maximum(numbers);
  const winner = group.terms.findIndex((term) => term.from && Object.is(term.x, total));
  return { type: smallest ? "min" : "max", groups: [group], winner, total };
}

/**
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Stage} stage
 * @param {Cell} cell
 * @param {number} index
 * @returns {Details}
 */
function contracted(scene, values, { op, reads }, cell, index) {
  /** @type {(operand: number | string, array: number, t: number) => { from: Cell | null, x: number, name: string, index: number }} */
  const numberOf = (operand, array, t) => {
    const place = placesOf(op, "out", array)[index] + placesOf(op, "over", array)[t];
    if (typeof operand === "number") return { ...termAt(scene, values, reads[operand], place), name: "", index: -1 };
    return { from: null, x: scene.data(operand)[place], name: operand, index: place };
  };
  let total = 0;
  const groups = [...placesOf(op, "over", 0)].map((_, t) => {
    const both = [numberOf(op.first, 0, t), numberOf(op.second, 1, t)];
    // What is read comes first, and what it is multiplied by, another number that was read perhaps, behind it.
    const [factor, other] = both[0].from ? both : both.reverse();
    const weight = { name: other.name, index: other.index, value: f(other.x * (op.scale ?? 1)), from: other.from };
    const product = f(factor.x * weight.value);
    total = f(total + product);
    const term = { from: factor.from, x: factor.x, weight, product };
    return { channel: factor.from?.channel ?? null, rows: 1, cols: 1, terms: [term], sum: product };
  });
  if (!op.bias) return { type: "contracted", groups, sum: total, bias: null, total };
  const place = placesOf(op, "out", 2)[index];
  const bias = { name: op.bias, index: place, value: scene.data(op.bias)[place] };
  return { type: "contracted", groups, sum: total, bias, total: f(total + bias.value) };
}

/**
 * Terms that have no place in a window, one below the other.
 *
 * @param {Term[]} terms
 * @returns {Group}
 */
function column(terms) {
  return { channel: null, rows: terms.length, cols: 1, terms };
}

/** @type {Term} */
const PADDING = { from: null, x: 0 };

/**
 * The number at a place of a stage.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {number} s
 * @param {number} place
 * @returns {Term}
 */
function termAt(scene, values, s, place) {
  return { from: cellAt(scene.stages[s], place), x: values[s][place] };
}

/**
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Stage} stage
 * @param {Cell} cell
 * @returns {Details}
 */
function weighted(scene, values, stage, cell) {
  const transposed = stage.op.type === "transposed";
  const [, width, channels] = readShape(scene, stage);
  const filters = stage.shape[2];
  const groupCount = stage.op.groups ?? 1;
  const perGroup = channels / groupCount;
  const first = Math.floor(cell.channel / (filters / groupCount)) * perGroup;
  const kernel = scene.data(stage.op.kernel);
  const [source] = stage.reads;
  const taps = tapsOf(stage, cell);
  const kernelWidth = stage.op.cols[1];
  const x = values[source];
  const count = taps.length;
  const places = taps.map(({ row, col, inside }) => (inside ? (row * width + col) * channels + first : -1));
  const weightAt = (/** @type {number} */ t, /** @type {number} */ k) => {
    const position = taps[t].i * kernelWidth + taps[t].j;
    return transposed ? (position * filters + cell.channel) * channels + k : (position * perGroup + k) * filters + cell.channel;
  };
  const products = new Float32Array(perGroup * count);
  const groups = [];
  const limits = { w: NOTHING, p: NOTHING };
  let total = 0;
  for (let k = 0; k < perGroup; k++) {
    let sum = 0;
    for (let t = 0; t < count; t++) {
      limits.w = Math.max(limits.w, Math.abs(kernel[weightAt(t, k)]));
      if (places[t] < 0) continue;
      products[k * count + t] = x[places[t] + k] * kernel[weightAt(t, k)];
      limits.p = Math.max(limits.p, Math.abs(products[k * count + t]));
      sum = f(sum + products[k * count + t]);
    }
    groups.push(lazily({ channel: first + k, rows: stage.op.rows[1], cols: kernelWidth, sum }, () => taps.map((_, t) => {
      const index = weightAt(t, k);
      const weight = { name: stage.op.kernel, index, value: kernel[index] };
      if (places[t] < 0) return { ...PADDING, weight, product: 0 };
      return { ...termAt(scene, values, source, places[t] + k), weight, product: products[k * count + t] };
    })));
    total = f(total + sum);
  }
  if (!stage.op.bias) return { type: "weighted", groups, products, limits, sum: total, bias: null, total };
  const value = scene.data(stage.op.bias)[cell.channel];
  const bias = { name: stage.op.bias, index: cell.channel, value };
  return { type: "weighted", groups, products, limits, sum: total, bias, total: f(total + value) };
}

/**
 * A group whose terms are made when they are asked for: of tens of thousands only a few are shown.
 *
 * @param {Omit<Group, "terms">} group
 * @param {() => Term[]} make
 * @returns {Group}
 */
function lazily(group, make) {
  /** @type {Term[] | null} */
  let terms = null;
  return {
    ...group,
    get terms() {
      return (terms ??= make());
    },
  };
}

/**
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Stage} stage
 * @param {Cell} cell
 * @returns {Details}
 */
function pool(scene, values, stage, cell) {
  const channels = stage.shape[2];
  const width = stage.op.cols[0];
  const terms = tapsOf(stage, cell).map(({ row, col, inside }) =>
    inside ? termAt(scene, values, stage.reads[0], (row * width + col) * channels + cell.channel) : PADDING,
  );
  const live = terms.filter((term) => term.from);
  /** @type {Group} */
  const group = { channel: cell.channel, rows: stage.op.rows[1], cols: stage.op.cols[1], terms };
  if (stage.op.mode === "max") {
    return largest(group);
  }
  const sum = live.reduce((sum, term) => f(sum + term.x), 0);
  return { type: "mean", groups: [{ ...group, sum }], count: live.length, total: f(sum / live.length) };
}
