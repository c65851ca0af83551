// Operations along axes, worked out by hand, with what is infinite or no number; agreement with the engine is
// tested from Python.

import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeOf } from "../../../cnnviz/stage/js/forward.js";
import { receiptOf } from "../../../cnnviz/stage/js/receipt.js";
import { placesAlong } from "../../../cnnviz/stage/js/tensors.js";
import { counting, sceneWith } from "./scenes.js";

const INPUT = { shape: [2, 1, 3], op: { type: "input" } };

/** A scene of one operation on the numbers 0 to 5, in two rows of three. */
function sceneOf(op, shape, { arrays = {}, image = counting(6), reads = [0] } = {}) {
  return sceneWith([INPUT, { shape, op, reads }], image, /** @type {any} */ (arrays));
}

/** What it computes, and what the receipts of its numbers add up to. */
function computed(op, shape, more = {}) {
  const scene = sceneOf(op, shape, more);
  const values = scene.valuesOf(0);
  const totals = [];
  for (let row = 0; row < shape[0]; row++) {
    for (let channel = 0; channel < shape[2]; channel++) {
      totals.push(receiptOf(scene, values, { stage: 1, row, col: 0, channel }).total);
    }
  }
  assert.deepEqual(totals, [...values[1]]);
  return totals;
}

test("places along axes go on as the flat arrays do", () => {
  assert.deepEqual([...placesAlong([[2, 3, 1], [3, 1, 0]], 0)], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...placesAlong([[2, 3, 1], [3, 1, 0]], 1)], [0, 0, 0, 1, 1, 1]);
  assert.deepEqual([...placesAlong([], 0)], [0]);
});

test("a contraction sums products over the axes that are not in its result", () => {
  const op = { type: "contract", first: 0, second: "k", bias: "b", out: [[2, 3, 0, 0], [2, 0, 1, 1]], over: [[3, 1, 2, 0]] };
  const arrays = { k: Float32Array.of(1, 0, 10, 1, 100, 0), b: Float32Array.of(0.5, -1) };
  assert.deepEqual(computed(op, [2, 1, 2], { arrays }), [210.5, 0, 543.5, 3]);
  const square = { type: "contract", first: 0, second: 0, out: [[2, 3, 3]], over: [[3, 1, 1]], scale: 0.5 };
  assert.deepEqual(computed(square, [1, 1, 2]), [2.5, 25]);
  const image = Float32Array.of(NaN, 1, 2, Infinity, 1, 1);
  assert.deepEqual(computed(op, [2, 1, 2], { arrays, image }), [NaN, NaN, Infinity, NaN]);
});

test("a number that was read and is multiplied by another one says where both came from", () => {
  const op = { type: "contract", first: 0, second: 0, out: [[2, 3, 0]], over: [[3, 1, 1]] };
  const scene = sceneOf(op, [1, 1, 2]);
  const { groups } = receiptOf(scene, scene.valuesOf(0), { stage: 1, row: 0, col: 0, channel: 1 });
  const [term] = groups[2].terms;
  assert.deepEqual([term.from?.row, term.from?.channel, term.weight?.from?.row, term.product], [1, 2, 0, 10]);
});

test("reductions make one number of all along some axes", () => {
  const along = { over: [[3, 1]], kept: [[2, 3]] };
  const modes = ["sum", "mean", "max", "min", "var"];
  const found = modes.map((mode) => computed({ type: "reduce", mode, ...along }, [1, 1, 2]));
  assert.deepEqual(found.map((each) => each.map((x) => Math.round(x * 1000) / 1000)), [[3, 12], [1, 4], [2, 5], [0, 3], [0.667, 0.667]]);
  const image = Float32Array.of(NaN, 1, 2, -Infinity, 1, 1);
  assert.deepEqual(computed({ type: "reduce", mode: "max", ...along }, [1, 1, 2], { image }), [NaN, 1]);
  assert.deepEqual(computed({ type: "reduce", mode: "min", ...along }, [1, 1, 2], { image }), [NaN, -Infinity]);
});

test("a number is normalised by those that share its statistics", () => {
  const along = { over: [[3, 1, 1]], kept: [[2, 3, 0]] };
  const layer = { type: "normalize", ...along, mean: true, centres: true, shares: 3, epsilon: 1 / 3, gain: "g", shift: "b" };
  const arrays = { g: Float32Array.of(1, 2, 3), b: Float32Array.of(0, 0.5, 0) };
  assert.deepEqual(computed(layer, [2, 1, 3], { arrays }), [-1, 0.5, 3, -1, 0.5, 3]);
  const unit = { type: "normalize", ...along, mean: false, centres: false, shares: 1, epsilon: null, gain: null, shift: null };
  const image = Float32Array.of(3, 0, 4, 0, 0, 0);
  const found = computed(unit, [2, 1, 3], { image }).map((x) => Math.round(x * 1e5) / 1e5);
  assert.deepEqual(found, [0.6, 0, 0.8, 0, 0, 0]);
});

test("rows of a table are looked up by whole numbers, and no others", () => {
  const op = { type: "lookup", table: "t", entries: 2, width: 2 };
  const arrays = { t: Float32Array.of(1, 2, 3, 4) };
  const image = Float32Array.of(0, 1, 1.9, 0, 1, 0);
  assert.deepEqual(computed(op, [6, 1, 2], { arrays, image }), [1, 2, 3, 4, 3, 4, 1, 2, 3, 4, 1, 2]);
  for (const wrong of [2, -1, NaN]) {
    const scene = sceneOf(op, [6, 1, 2], { arrays, image: Float32Array.of(0, 0, wrong, 0, 0, 0) });
    assert.throws(() => scene.valuesOf(0), /has the rows 0 to 1, got/);
  }
});

test("a layer at each step of a sequence computes its step alone", () => {
  const inner = { type: "contract", first: 0, second: "k", out: [[2, 0, 1]], over: [[3, 1, 2]] };
  const op = { type: "each", steps: 2, source: [1, 1, 3], shape: [1, 1, 2], op: inner };
  const arrays = { k: Float32Array.of(1, 0, 10, 1, 100, 0) };
  assert.deepEqual(computed(op, [2, 1, 2], { arrays }), [210, 1, 543, 4]);
  const scene = sceneOf(op, [2, 1, 2], { arrays });
  const { groups } = receiptOf(scene, scene.valuesOf(0), { stage: 1, row: 1, col: 0, channel: 0 });
  assert.deepEqual(groups.map(({ terms }) => [terms[0].from?.row, terms[0].x]), [[1, 3], [1, 4], [1, 5]]);
});

test("a merge takes numbers and arrays beside what it reads", () => {
  const op = { type: "merge", mode: "subtract", maps: [null], arguments: [{ value: 10 }, 0] };
  assert.deepEqual(computed(op, [2, 1, 3]), [10, 9, 8, 7, 6, 5]);
  const arrays = { a: Float32Array.of(1, 2), map: Int32Array.of(0, 0, 0, 1, 1, 1) };
  const power = { type: "merge", mode: "power", maps: [null], arguments: [0, { array: "a", map: "map" }] };
  assert.deepEqual(computed(power, [2, 1, 3], { arrays }), [0, 1, 2, 9, 16, 25]);
});

test("what padding holds is said", () => {
  const op = { type: "move", from: "f", fill: 0.5 };
  assert.deepEqual(computed(op, [1, 1, 3], { arrays: { f: Int32Array.of(6, 0, 1) } }), [5, 0.5, 0]);
});

test("the largest of a window of any cells", () => {
  const along = ["rows", "cols"].map((axis) => ({ size: axis === "rows" ? 2 : 1, taps: 2, cells: axis, weights: `${axis}_weights` }));
  const arrays = { rows: Int32Array.of(0, 1), rows_weights: Float32Array.of(0.5, 0.5), cols: Int32Array.of(0, -1), cols_weights: Float32Array.of(1, 0) };
  assert.deepEqual(computed({ type: "sample", mode: "max", fill: 0, along }, [1, 1, 3], { arrays }), [3, 4, 5]);
});

test("operations cell by cell are NumPy's, halves and zeros and what is no number too", () => {
  const cases = {
    round: [[0.5, 0], [1.5, 2], [2.5, 2], [-0.5, -0], [-1.5, -2], [1e20, 1e20], [NaN, NaN]],
    mod: [[5, 3, 2], [-5, 3, 1], [5, -3, -1], [5, Infinity, 5], [-5, Infinity, Infinity], [1, 0, NaN]],
    floor_divide: [[-5, 3, -2], [1, 0, Infinity]],
    power: [[1, NaN, 1], [-1, Infinity, 1], [0, 0, 1], [-8, 2, 64]],
    not_equal: [[NaN, NaN, 1], [0, -0, 0]],
    equal: [[NaN, NaN, 0]],
    logical_and: [[NaN, 1, 1], [0, 1, 0]],
    logical_or: [[0, 0, 0], [NaN, 0, 1]],
    logical_not: [[NaN, 0], [0, 1]],
    where: [[NaN, 1, 2, 1], [0, 1, 2, 2]],
    clip: [[5, 0, 1, 1], [NaN, 0, 1, NaN]],
    sign: [[-3, -1], [NaN, NaN]],
    reciprocal: [[0, Infinity]],
    sqrt: [[-1, NaN]],
    add_scaled: [[1, 2, 0.5, 2]],
  };
  for (const [name, rows] of Object.entries(cases)) {
    for (const row of rows) assert.ok(Object.is(mergeOf(name, row.slice(0, -1)), row.at(-1)), `${name} ${row}`);
  }
  assert.ok(Math.abs(mergeOf("erf", [0.5]) - 0.5204998778130465) < 1e-15);
  assert.ok(Math.abs(mergeOf("erf", [3]) - 0.9999779095030014) < 1e-15);
  assert.equal(mergeOf("erf", [1e-20]), 1e-20 * (2 / Math.sqrt(Math.PI)));
});
