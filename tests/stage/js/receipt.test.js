// A receipt's terms, where they came from, and that they add up to what the network computed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { largestOf, receiptOf } from "../../../cnnviz/stage/js/receipt.js";
import { axis, counting, sceneWith } from "./scenes.js";

const INPUT = { shape: [3, 3, 2], op: { type: "input" } };

/** @type {(op: object, shape: number[], at: [number, number, number], image?: Float32Array, arrays?: object) => any} */
function explained(op, shape, [row, col, channel], image = counting(18), arrays = {}) {
  const scene = sceneWith([INPUT, { shape, op }], image, /** @type {any} */ (arrays));
  return receiptOf(scene, scene.valuesOf(0), { stage: 1, row, col, channel });
}

test("a weighted sum has a group for each channel, and padding comes from nowhere", () => {
  const rows = axis(3, 3, { before: 1, after: 1 });
  const op = { type: "conv", rows, cols: rows, groups: 1, kernel: "k", bias: "b" };
  const arrays = { k: counting(18), b: Float32Array.of(7) };
  const receipt = explained(op, [3, 3, 1], [0, 0, 0], counting(18), arrays);
  assert.equal(receipt.groups.length, 2);
  for (const { channel, terms, sum } of receipt.groups) {
    assert.equal(terms.filter((term) => term.from === null).length, 5);
    assert.equal(sum, terms.reduce((total, term) => total + term.product, 0));
    for (const { from, x } of terms) if (from) assert.equal(x, (from.row * 3 + from.col) * 2 + channel);
  }
  assert.equal(receipt.total, receipt.sum + 7);
  assert.equal(receipt.residual, 0);
  assert.deepEqual(receipt.bias, { name: "b", index: 0, value: 7 });
});

test("groups read their own channels only", () => {
  const op = { type: "conv", rows: axis(3, 1), cols: axis(3, 1), groups: 2, kernel: "k" };
  const receipt = explained(op, [3, 3, 2], [1, 1, 1], counting(18), { k: Float32Array.of(2, 3) });
  assert.deepEqual(receipt.groups.map(({ channel }) => channel), [1]);
  assert.equal(receipt.value, 9 * 3);
});

test("the largest cell wins, and never a padded one", () => {
  const rows = axis(3, 2, { stride: 2, before: 1 });
  const image = counting(18).map((n) => -n);
  const receipt = explained({ type: "pool", mode: "max", rows, cols: rows }, [2, 2, 2], [0, 0, 0], image);
  assert.equal(receipt.groups[0].terms[receipt.winner].from.row, 0);
  assert.equal(receipt.value, receipt.total);
});

test("a window may be as large as a photograph", () => {
  const side = 400;
  const image = Float32Array.from({ length: side * side }, (_, n) => n % 1009);
  const [rows, input] = [axis(side, side), { shape: [side, side, 1], op: { type: "input" } }];
  const whole = { shape: [1, 1, 1], op: { type: "pool", mode: "max", rows, cols: rows } };
  const scene = sceneWith([input, whole], image);
  const { total, winner, groups } = receiptOf(scene, scene.valuesOf(0), { stage: 1, row: 0, col: 0, channel: 0 });
  assert.deepEqual([total, winner, largestOf(groups, (term) => term.x)], [1008, 1008, 1008]);
});

test("a mean is over the cells that are there", () => {
  const rows = axis(3, 2, { stride: 2, after: 1 });
  const receipt = explained({ type: "pool", mode: "mean", rows, cols: rows }, [2, 2, 2], [1, 1, 0]);
  assert.deepEqual([receipt.count, receipt.total], [1, 16]);
});

test("a softmax knows its own term, and the powers' sum", () => {
  const receipt = explained({ type: "softmax", count: 2, step: 1, log: false }, [3, 3, 2], [1, 2, 1]);
  assert.equal(receipt.self, 1);
  assert.ok(Math.abs(receipt.groups[0].terms[1].power / receipt.sum - receipt.value) < 1e-7);
});

test("a number that is only moved says from where, or that it is padding", () => {
  const from = Int32Array.from({ length: 18 }, (_, n) => (n ? n : 0));
  const op = { type: "move", from: "from" };
  assert.deepEqual(explained(op, [3, 3, 2], [0, 0, 0], counting(18), { from }).groups[0].terms[0], { from: null, x: 0 });
  const moved = explained(op, [3, 3, 2], [0, 1, 0], counting(18), { from });
  assert.deepEqual(moved.groups[0].terms[0].from, { stage: 0, row: 0, col: 0, channel: 1 });
  assert.equal(moved.total, 1);
});
