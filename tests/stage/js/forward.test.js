// Small cases that can be worked out by hand; agreement with the engine is tested from Python.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ACTIVATIONS, activationOf, affineOf, mergeOf } from "../../../cnnviz/stage/js/forward.js";
import { lineOf } from "../../../cnnviz/stage/js/windows.js";
import { axis, counting, sceneWith } from "./scenes.js";

const INPUT = { shape: [3, 3, 1], op: { type: "input" } };

/** @type {(op: object, shape: number[], arrays?: Record<string, Float32Array>) => number[]} */
const computed = (op, shape, arrays) => [...sceneWith([INPUT, { shape, op }], counting(9), arrays).valuesOf(0)[1]];

test("a convolution is the sum of products, and its bias", () => {
  const op = { type: "conv", rows: axis(3, 2), cols: axis(3, 2), groups: 1, kernel: "k", bias: "b" };
  const arrays = { k: Float32Array.of(1, 10, 100, 1000), b: Float32Array.of(0.5) };
  assert.deepEqual(computed(op, [2, 2, 1], arrays), [4310.5, 5421.5, 7643.5, 8754.5]);
});

test("a transposed convolution spreads every cell", () => {
  const rows = axis(4, 2, { stride: 2 });
  const op = { type: "transposed", rows, cols: rows, kernel: "k" };
  const image = { shape: [2, 2, 1], op: { type: "input" } };
  const scene = sceneWith([image, { shape: [4, 4, 1], op }], Float32Array.of(1, 2, 3, 4), {
    k: Float32Array.of(1, 10, 100, 1000),
  });
  assert.deepEqual([...scene.valuesOf(0)[1]], [1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000]);
});

test("pools do not count padding", () => {
  const rows = axis(3, 2, { stride: 2, after: 1 });
  assert.deepEqual(computed({ type: "pool", mode: "mean", rows, cols: rows }, [2, 2, 1]), [2, 3.5, 6.5, 8]);
  assert.deepEqual(computed({ type: "pool", mode: "max", rows, cols: rows }, [2, 2, 1]), [4, 5, 7, 8]);
});

test("a sampled number is a sum of cells, each with its row's weight times its column's", () => {
  const along = ["rows", "cols"].map((axis) => ({ size: 3, taps: 2, cells: axis, weights: `${axis}_weights` }));
  const arrays = { rows: Int32Array.of(0, 1), rows_weights: Float32Array.of(0.5, 0.5), cols: Int32Array.of(2, 3), cols_weights: Float32Array.of(0.25, 0.75) };
  // Rows 0 and 1 of column 2 hold 2 and 5; column 3 is outside.
  assert.deepEqual(computed({ type: "sample", fill: 8, along }, [1, 1, 1], /** @type {any} */ (arrays)), [0.25 * 3.5 + 0.75 * 8]);
});

test("a softmax adds up to one along its own axis, however large the logits", () => {
  const scene = sceneWith([INPUT, { shape: [3, 3, 1], op: { type: "softmax", count: 3, step: 3, log: false } }],
    Float32Array.of(0, 1000, -5, 1, 1000, 2, 2, 1000, 900));
  const [, y] = scene.valuesOf(0);
  for (let col = 0; col < 3; col++) assert.ok(Math.abs(y[col] + y[col + 3] + y[col + 6] - 1) < 1e-6);
  assert.deepEqual(lineOf({ type: "softmax", count: 3, step: 3 }, 4), [1, 4, 7]);
  assert.deepEqual(lineOf({ type: "softmax", count: 3, step: 1 }, 4), [3, 4, 5]);
});

test("each step of a normalisation is rounded", () => {
  assert.equal(affineOf("x*a+b", 3, 0.1, 1), Math.fround(Math.fround(3 * 0.1) + 1));
  assert.equal(affineOf("(x-a)/b", 3, 1, 0.3), Math.fround(2 / 0.3));
});

test("activations with what is not their default", () => {
  const bent = { negative_slope: 0.5, max_value: 6, threshold: 1 };
  assert.deepEqual([-1, 0.5, 3, 9].map((x) => activationOf("relu", bent, x)), [-1, -0.25, 3, 6]);
  assert.equal(activationOf("prelu", {}, -2, 0.25), -0.5);
  assert.equal(activationOf("elu", { alpha: 2 }, -Infinity), -2);
  // The one activation without defaults.
  const needed = { threshold: { threshold: 0, default_value: 2 } };
  for (const name of Object.keys(ACTIVATIONS)) {
    assert.ok(Number.isFinite(activationOf(name, needed[name] ?? {}, -1.5, 0.1)), name);
  }
});

test("merges of three", () => {
  const modes = ["add", "multiply", "average", "maximum", "minimum"];
  assert.deepEqual(modes.map((mode) => mergeOf(mode, [1, 2, 6])), [9, 12, 3, 6, 1]);
  assert.equal(mergeOf("subtract", [1, 3]), -2);
});

test("what is not known is said by name", () => {
  assert.throws(() => activationOf("relu9", {}, 1), /unknown activation relu9/);
  assert.throws(() => mergeOf("dot", [1]), /unknown merge dot/);
  assert.throws(() => computed({ type: "attention" }, [3, 3, 1]), /does not compute stage 1: its operation is attention/);
});
