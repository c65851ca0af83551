// The gradient of one number, what a cell means for it, and that what is not known is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Gradient, ablated, influence, roleOf } from "../../../cnnviz/stage/js/backward.js";
import { axis, sceneWith } from "./scenes.js";

const ONE = { rows: axis(1, 1), cols: axis(1, 1) };
const dense = (/** @type {number} */ units, /** @type {string} */ kernel, /** @type {number[]} */ reads) =>
  ({ shape: [1, 1, units], reads, op: { type: "conv", ...ONE, groups: 1, kernel } });
const RELU = { type: "activation", name: "relu", arguments: {} };
const SOFTMAX = { type: "softmax", count: 2, step: 1, log: false };

/** Two pixels, two hidden units, one of which is off, a sum with the pixels, two scores and a softmax. */
const STAGES = [
  { shape: [1, 1, 2], op: { type: "input" } },
  dense(2, "k", [0]),
  { shape: [1, 1, 2], reads: [1], op: RELU },
  { shape: [1, 1, 2], reads: [2, 0], op: { type: "merge", mode: "add", maps: [null, null] } },
  dense(2, "w", [3]),
  { shape: [1, 1, 2], reads: [4], op: SOFTMAX },
];
const ARRAYS = { k: Float32Array.of(1, -1, 2, -3), w: Float32Array.of(2, 1, 4, -1) };
const scene = sceneWith(STAGES, Float32Array.of(1, 3), ARRAYS);
const values = scene.forward(Float32Array.of(1, 3));
const cell = (/** @type {number} */ stage, /** @type {number} */ channel) => ({ stage, row: 0, col: 0, channel });

test("a gradient sums over all ways, and is 0 where there is none", () => {
  const gradient = new Gradient(scene, values, cell(4, 0));
  // Score 0 is 2 (relu(x0 + 2 x1) + x0) + 4 (relu(-x0 - 3 x1) + x1), and its second unit is off.
  assert.deepEqual([...(gradient.wrt(0) ?? [])], [4, 8]);
  assert.deepEqual([...(gradient.wrt(1) ?? [])], [2, 0]);
  assert.deepEqual([...(gradient.wrt(3) ?? [])], [2, 4]);
  assert.deepEqual([...(gradient.wrt(4) ?? [])], [1, 0]);
  assert.deepEqual([...(gradient.wrt(5) ?? [])], [0, 0]);
  assert.deepEqual([gradient.at(cell(0, 1)), gradient.at(cell(5, 0)), gradient.opaque], [8, 0, []]);
});

test("what lies behind an operation that is not known is not known, and nothing else", () => {
  const given = STAGES.map((stage, n) => (n === 2 ? { ...stage, op: { type: "given" } } : stage));
  const blind = sceneWith(given, Float32Array.of(1, 3), ARRAYS);
  const gradient = new Gradient(blind, values, cell(4, 0));
  assert.deepEqual([0, 1, 2, 3].map((s) => gradient.wrt(s) && 1), [null, null, 1, 1]);
  assert.equal(gradient.at(cell(0, 0)), null);
  assert.deepEqual(gradient.opaque.map(({ index }) => index), [2]);
  assert.equal(ablated(blind, values, cell(1, 0), cell(4, 0)), null);
  const { product, change, after } = influence(blind, values, cell(1, 0), cell(4, 0));
  assert.deepEqual([product, change, after], [null, null, null]);
});

test("a layer that stops gradients stops no secants", () => {
  const stopped = STAGES.map((stage, n) => (n === 3 ? { ...stage, blocked: [1] } : stage));
  const half = sceneWith(stopped, Float32Array.of(1, 3), ARRAYS);
  assert.deepEqual([...(new Gradient(half, values, cell(4, 0)).wrt(0) ?? [])], [2, 4]);
  const blank = half.forward(new Float32Array(2));
  assert.deepEqual([...(new Gradient(half, values, cell(4, 0), blank).wrt(0) ?? [])], [4, 8]);
});

test("gradient times value and the true change are two things", () => {
  const asked = influence(scene, values, cell(1, 0), cell(4, 0));
  assert.deepEqual([asked.of, asked.value, asked.gradient, asked.product, asked.change], ["logit", 7, 2, 14, -14]);
  const probability = influence(scene, values, cell(1, 0), cell(5, 0));
  assert.equal(probability.of, "probability");
  // The other score is 8 - 3 = 5: 28 against 5 before, 14 against -2 after, so that hardly anything changes.
  assert.ok(Math.abs(probability.product ?? 1) < 1e-6 && Math.abs(probability.change ?? 1) < 1e-6);
  const off = influence(scene, values, cell(1, 1), cell(4, 0));
  assert.deepEqual([off.product, off.change], [-0, 0]);
});

test("a cell may be set to another number, and the engine may be another", () => {
  assert.deepEqual(ablated(scene, values, cell(0, 0), cell(4, 0), 2), [28, 32]);
  assert.deepEqual(ablated(scene, values, cell(5, 0), cell(4, 0)), [28, 28]);
  const asked = influence(scene, values, cell(0, 0), cell(4, 0), undefined, () => [1, 5]);
  assert.deepEqual([asked.before, asked.after, asked.change], [1, 5, 4]);
});

test("a number is a probability, a logit, or just a number", () => {
  assert.deepEqual([5, 4, 3].map((stage) => roleOf(scene, cell(stage, 0))), ["probability", "logit", "number"]);
  const logs = STAGES.map((stage, n) => (n === 5 ? { ...stage, op: { ...SOFTMAX, log: true } } : stage));
  assert.equal(roleOf(sceneWith(logs, Float32Array.of(1, 3), ARRAYS), cell(5, 0)), "log-probability");
});
