// Taps of windows and their inverse, over many geometries; places that are moved and merged.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, lengthOf, placesRead, readShape, tapsAlong, tapsOf } from "../../../cnnviz/stage/js/windows.js";
import { axis, counting, sceneWith } from "./scenes.js";

test("a window's taps are those of its definition, without what is padding", () => {
  assert.deepEqual(tapsAlong(axisOf(axis(5, 3, { before: 1, after: 1 })), 0), [[1, 0], [2, 1]]);
  assert.deepEqual(tapsAlong(axisOf(axis(9, 2, { stride: 3, dilation: 2 })), 1), [[0, 3], [1, 5]]);
});

test("the taps of a unit, in two dimensions and transposed", () => {
  const rows = axis(4, 2, { stride: 2 });
  const conv = /** @type {any} */ ({ op: { type: "conv", rows, cols: rows } });
  const inside = tapsOf(conv, { row: 1, col: 0 }).filter((tap) => tap.inside);
  assert.deepEqual(inside.map(({ row, col }) => [row, col]), [[2, 0], [2, 1], [3, 0], [3, 1]]);
  // The same axes the other way round: every cell of the larger side is reached from the one window over it.
  const transposed = /** @type {any} */ ({ op: { type: "transposed", rows, cols: rows } });
  for (let row = 0; row < 4; row++) {
    for (let col = 0; col < 4; col++) {
      const [tap, ...others] = tapsOf(transposed, { row, col }).filter((found) => found.inside);
      assert.deepEqual([tap.row, tap.col, others.length], [row >> 1, col >> 1, 0]);
    }
  }
});

test("what a flattened map's reader reads has the map's shape", () => {
  const op = { type: "conv", rows: axis(3, 3), cols: axis(2, 2), groups: 1 };
  const scene = sceneWith([{ shape: [1, 1, 24], op: { type: "input" } }, { shape: [1, 1, 5], op }], counting(24));
  assert.deepEqual(readShape(scene, scene.stages[1]), [3, 2, 4]);
  assert.equal(lengthOf(scene.stages[0]), 24);
});

test("numbers that are moved come from one of the inputs, or from padding", () => {
  const stages = [
    { shape: [1, 2, 1], op: { type: "input" } },
    { shape: [1, 2, 1], op: { type: "activation", name: "linear", arguments: {} } },
    { shape: [1, 4, 1], reads: [0, 1], op: { type: "move", from: "from" } },
    { shape: [1, 2, 2], reads: [0, 2], op: { type: "merge", mode: "add", maps: ["map", null] } },
  ];
  const arrays = { from: Int32Array.of(2, 0, 3, 4), map: Int32Array.of(0, 0, 1, 1) };
  const scene = sceneWith(stages, Float32Array.of(5, 7), arrays);
  const place = placesRead(scene, scene.stages[2]);
  assert.deepEqual([0, 1, 2, 3].map((n) => [place(n, 0), place(n, 1)]), [[1, -1], [-1, -1], [-1, 0], [-1, 1]]);
  const merged = placesRead(scene, scene.stages[3]);
  assert.deepEqual([0, 1, 2, 3].map((n) => [merged(n, 0), merged(n, 1)]), [[0, 0], [0, 1], [1, 2], [1, 3]]);
  assert.deepEqual([...scene.valuesOf(0)[2]], [7, 0, 5, 7]);
  assert.deepEqual([...scene.valuesOf(0)[3]], [12, 5, 12, 14]);
});
