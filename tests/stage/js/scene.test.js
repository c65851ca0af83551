// Parts are read as they are packed, wherever they start; what is left out of a scene is derived.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Part, Scene, cellAt, cellIndex, sameCell } from "../../../cnnviz/stage/js/scene.js";
import { counting, partOf, sceneWith } from "./scenes.js";

test("a part is read from the middle of a buffer", () => {
  const bytes = partOf({ word: "Zürich" }, { a: Int16Array.of(1, -2, 3), b: Float32Array.of(0.5, -0.25) });
  const around = new Uint8Array(bytes.length + 3);
  around.set(bytes, 3);
  const part = new Part(around.subarray(3));
  assert.equal(part.header.word, "Zürich");
  assert.deepEqual([...part.read(part.header.arrays.a)], [1, -2, 3]);
  assert.deepEqual([...part.read(part.header.arrays.b)], [0.5, -0.25]);
  assert.equal(part.end, bytes.length);
});

test("other bytes are refused", () => {
  assert.throws(() => new Part(new Uint8Array(32)), /not a part of a cnnviz scene/);
});

test("a cell and its place are each other's inverse", () => {
  const stage = /** @type {any} */ ({ index: 2, shape: [3, 4, 5] });
  for (let n = 0; n < 60; n++) assert.equal(cellIndex(stage, cellAt(stage, n)), n);
  assert.ok(sameCell(cellAt(stage, 7), cellAt(stage, 7)));
  assert.ok(!sameCell(cellAt(stage, 7), cellAt(stage, 8)));
  assert.ok(!sameCell(null, null));
});

const RELU = [
  { shape: [2, 2, 1], op: { type: "input" } },
  { shape: [2, 2, 1], op: { type: "activation", name: "relu", arguments: {} } },
];

test("a stage that was not sent is computed, once", () => {
  const scene = sceneWith(RELU, Float32Array.of(-1, 2, -3, 4));
  assert.deepEqual([...scene.valuesOf(0)[1]], [0, 2, 0, 4]);
  assert.equal(scene.valuesOf(0), scene.valuesOf(0));
  assert.deepEqual([...scene.forward(Float32Array.of(5, -5, 0, 1))[1]], [5, 0, 0, 1]);
});

test("numbers that are those of the base are its very arrays", () => {
  const base = sceneWith(RELU, counting(4));
  const again = new Part(partOf({ items: [{ tensors: {} }], classes: [], host: {}, start: {}, key: "l" }));
  const scene = new Scene(base.plan, again, base);
  assert.equal(scene.valuesOf(0)[0], base.valuesOf(0)[0]);
  assert.equal(scene.valuesOf(0)[1], base.valuesOf(0)[1]);
});

test("an array that nobody sent is said by name", () => {
  assert.throws(() => sceneWith(RELU, counting(4)).data("conv/kernel"), /no array is called conv\/kernel/);
});
