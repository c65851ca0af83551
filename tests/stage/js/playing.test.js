// What a played window comes to in words, against sums worked out here; and where it lies, padding included.

import assert from "node:assert/strict";
import { test } from "node:test";

import { arithmetic } from "../../../cnnviz/stage/js/playing.js";
import { receiptOf } from "../../../cnnviz/stage/js/receipt.js";
import { windowBoxes } from "../../../cnnviz/stage/js/windows.js";
import { axis, counting, sceneWith } from "./scenes.js";

/** A 4x4 image of two channels, a convolution to two, and a pool. */
function small({ options = {}, bias = [0.5, -1.25] } = {}) {
  const at = axis(4, 3, options);
  const kernel = counting(3 * 3 * 2 * 2).map((n) => (n - 17) / 64);
  const input = { shape: [4, 4, 2], op: { type: "input" } };
  const conv = { shape: [at[6], at[6], 2], op: { type: "conv", rows: at, cols: at, groups: 1, kernel: "kernel", bias: "bias" } };
  const half = axis(at[6], 2, { stride: 2 });
  const pooled = (/** @type {string} */ mode) => ({ shape: [half[6], half[6], 2], reads: [1], op: { type: "pool", mode, rows: half, cols: half } });
  return sceneWith([input, conv, pooled("max"), pooled("mean")], counting(32).map((n) => n / 8), { kernel, bias: Float32Array.from(bias) });
}

/** @type {(text: string) => number[]} the numbers that are written in bold */
const written = (text) => [...text.matchAll(/<(.*?)>/g)].map(([, digits]) => Number(digits.replace("−", "-")));
const strong = (/** @type {string} */ text) => `<${text}>`;

test("a convolution says its maps, cells and products, and what is written adds up", () => {
  const scene = small();
  const values = scene.valuesOf(0);
  for (const channel of [0, 1]) {
    for (const [row, col] of [[0, 0], [1, 1]]) {
      const cell = { stage: 1, row, col, channel };
      const words = arithmetic(receiptOf(scene, values, cell), 10, strong);
      assert.match(words, /^2 maps × 9 cells = 18 products, sum <\S+> \+ bias <\S+> = <\S+>$/);
      const [sum, bias, value] = written(words);
      const exact = values[1][(row * 2 + col) * 2 + channel];
      assert.ok(Math.abs(value - exact) <= 0.005 + 1e-6 * Math.abs(exact));
      assert.ok(Math.abs(sum + bias - value) < 1e-9, words);
      assert.equal(bias, [0.5, -1.25][channel]);
    }
  }
});

test("sums that rounding would make wrong are written finer", () => {
  const scene = small({ bias: [0.123456, 0.005] });
  const values = scene.valuesOf(0);
  for (const channel of [0, 1]) {
    const [sum, bias, value] = written(arithmetic(receiptOf(scene, values, { stage: 1, row: 0, col: 1, channel }), 1000, strong));
    const decimals = String(value).split(".")[1]?.length ?? 0;
    assert.ok(Math.abs(sum + bias - value) < 0.51 * 10 ** -decimals, [sum, bias, value].join());
  }
});

test("padding is counted, a pool reads one map", () => {
  const scene = small({ options: { before: 1, after: 1 } });
  const values = scene.valuesOf(0);
  const at = (/** @type {number} */ stage) => arithmetic(receiptOf(scene, values, { stage, row: 0, col: 0, channel: 1 }), 10);
  assert.match(at(1), /^2 maps × 9 cells \(5 on padding\) = 18 products/);
  assert.match(at(2), /^the largest of 4 cells of one map = /);
  assert.match(at(3), /^the mean of 4 cells of one map = /);
});

test("a window reaches over the edge, and lies apart where it is dilated", () => {
  const boxes = (/** @type {any} */ options, /** @type {number} */ row) => {
    const at = axis(8, 3, options);
    const stage = { op: { type: "conv", rows: at, cols: at } };
    return windowBoxes(/** @type {any} */ (stage), { row, col: 0 });
  };
  assert.deepEqual(boxes({}, 2), [{ top: 2, bottom: 4, left: 0, right: 2 }]);
  assert.deepEqual(boxes({ before: 1, after: 1 }, 0), [{ top: -1, bottom: 1, left: -1, right: 1 }]);
  const apart = boxes({ dilation: 2, before: 2, after: 2 }, 0);
  assert.equal(apart.length, 9);
  assert.deepEqual(apart[0], { top: -2, bottom: -2, left: -2, right: -2 });
});

test("a transposed convolution's window is the cells that it reads, and no others", () => {
  // As Python sends it: the axes of the convolution that it transposes, 5 cells to 2 by a stride of 2.
  const at = axis(5, 3, { stride: 2 });
  const stage = { op: { type: "transposed", rows: at, cols: at } };
  assert.deepEqual(windowBoxes(/** @type {any} */ (stage), { row: 2, col: 2 }), [{ top: 0, bottom: 1, left: 0, right: 1 }]);
  assert.deepEqual(windowBoxes(/** @type {any} */ (stage), { row: 1, col: 4 }), [{ top: 0, bottom: 0, left: 1, right: 1 }]);
});
