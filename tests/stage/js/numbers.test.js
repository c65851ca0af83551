// Numbers and words as they are written; that numbers are written as Python does is tested from Python.

import assert from "node:assert/strict";
import { test } from "node:test";

import { boxOfAll, largestAt, largestFirst, runs, sameNumbers } from "../../../cnnviz/stage/js/arrays.js";
import { fromBase64, toBase64 } from "../../../cnnviz/stage/js/base64.js";
import { agreeing, bracketed, decimal, exact, finer, formed, formOf, number, powerText, rounded, roundEven } from "../../../cnnviz/stage/js/numbers.js";
import { cellName, escapeHtml, plural, shapeText } from "../../../cnnviz/stage/js/words.js";
import { counting, sceneWith } from "./scenes.js";

test("what is no number, and what is just below 1", () => {
  assert.deepEqual([null, undefined, NaN, -Infinity].map((v) => number(v)), ["–", "–", "NaN", "−Infinity"]);
  assert.equal(number(0.99996), "0.999960");
  assert.equal(number(1 - 2 ** -24), "0.99999994");
  assert.equal(number(2e-7), "2.00e−7");
});

test("who works an equation out from what is written gets what is written", () => {
  const read = (/** @type {string} */ text) => Number(text.replace("−", "-").replace(",", ""));
  for (let n = 1; n < 500; n++) {
    const [a, b] = [Math.sin(n) * 10 ** (n % 4), Math.cos(3 * n)];
    const [x, y] = agreeing([a, b], a * b, ([p, q]) => p * q).map(read);
    assert.equal(number(x * y), number(a * b));
  }
});

test("signs, brackets, halves", () => {
  assert.deepEqual([decimal(-0.001, 2, true), decimal(1.5, 1, true), decimal(-1.5, 1)], ["0.00", "+1.5", "−1.5"]);
  assert.deepEqual(["−1", "1"].map(bracketed), ["(−1)", "1"]);
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5].map(roundEven), [0, 2, 2, 0, -2]);
  assert.equal(exact(Math.fround(0.1)), "0.100000001");
});

test("counts, shapes and text for HTML", () => {
  assert.deepEqual([plural(1, "cell"), plural(12345, "cell")], ["1 cell", "12,345 cells"]);
  assert.equal(escapeHtml(`<a href="x">&'`), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
});

test("cells by what they are", () => {
  const stages = [
    { name: "input", shape: [2, 2, 1], op: { type: "input" } },
    { name: "conv", layer: "conv", shape: [2, 2, 3], op: { type: "conv" } },
    { name: "dense", shape: [1, 1, 4], op: { type: "conv" } },
    { name: "dense softmax", shape: [1, 1, 4], op: { type: "softmax" } },
  ];
  const scene = sceneWith(stages, counting(4));
  const names = [0, 1, 2, 3].map((stage) => cellName(scene, { stage, row: 0, col: 0, channel: stage && 2 }));
  assert.deepEqual(names, ["input (0, 0)", "conv (0, 0) channel 2", "logit cow", "probability of cow"]);
  assert.deepEqual(scene.stages.map(shapeText), ["2×2×1", "2×2×3", "4", "4"]);
});

test("boxes and runs", () => {
  const marked = [3, 5, 9];
  assert.deepEqual(boxOfAll(4, 3, (n) => marked.includes(n)), { top: 1, bottom: 3, left: 0, right: 2 });
  assert.deepEqual(boxOfAll(1, 2, (n) => n === 1), { top: 0, bottom: 0, left: 1, right: 1 });
  assert.equal(boxOfAll(2, 2, () => false), null);
  assert.deepEqual(runs([0, 1, 4, 6, 7, 8]), [[0, 1], [4, 4], [6, 8]]);
  assert.deepEqual(runs([]), []);
});

test("arrays and bytes", () => {
  assert.equal(largestAt([1, 5, 5, 2]), 1);
  assert.equal(largestAt(counting(300_000)), 299_999);
  assert.ok(sameNumbers(counting(3), [0, 1, 2]) && !sameNumbers(undefined, [0]) && !sameNumbers([0, 1], [0]));
  const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

test("the largest numbers, of equal ones the first", () => {
  assert.deepEqual(largestFirst(Float32Array.of(1, 3, 2, 3, 0), 3), [1, 3, 2]);
  assert.deepEqual(largestFirst([1], 3), [0]);
});

test("one digit is enough for a number of any size", () => {
  assert.deepEqual([1e-5, 1.001e-5, 0.5, 3].map((value) => number(value, 1)), ["1e−5", "1e−5", "0.5", "3"]);
});

test("a column has one number of decimals, and no cell more than six characters and a sign", () => {
  for (let n = 0; n < 400; n++) {
    const limit = 1.17 ** (n - 160);
    const form = formOf(limit);
    for (const share of [1, -1, 0.5, -1e-3, 0]) {
      const text = formed(share * limit, form, true);
      assert.ok(text.length <= 7, text);
      assert.equal(text.split(".")[1]?.length ?? 0, form.decimals);
    }
    assert.ok(Math.abs(rounded(limit, form) - limit) <= 0.5001e-3 * limit, `${limit} as ${formed(limit, form)}`);
  }
  assert.equal(powerText(formOf(0.0213)), "×10⁻²");
  assert.equal(powerText(formOf(0)), "");
});

test("a form gets as many decimals more as it takes", () => {
  const form = finer(formOf(0.3), (finer) => Math.abs(rounded(1 / 3, finer) - 1 / 3) < 1e-6);
  assert.equal(formed(1 / 3, form), "0.333333");
});
