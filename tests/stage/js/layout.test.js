// The whole network fits its room; cells are large enough to be seen; what belongs together is one column.

import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, groupsOf } from "../../../cnnviz/stage/js/blocks.js";
import { largestGrid, layOut } from "../../../cnnviz/stage/js/layout.js";
import { axis, counting, sceneWith } from "./scenes.js";

const conv = (/** @type {number[]} */ shape, reads = undefined) => ({
  shape,
  op: { type: "conv", rows: axis(28, 3), cols: axis(28, 3) },
  ...(reads && { reads }),
});
const relu = (/** @type {number[]} */ shape) => ({ shape, finishes: true, op: { type: "activation", name: "relu", arguments: {} } });
const sum = (/** @type {number[]} */ shape, /** @type {number[]} */ reads) => ({ shape, reads, op: { type: "merge", mode: "add" } });
const STAGES = [
  { shape: [28, 28, 1], op: { type: "input" } },
  conv([26, 26, 16]),
  relu([26, 26, 16]),
  conv([24, 24, 40]),
  conv([1, 1, 10]),
];
const ALL = [0, 1, 2, 3, 4];
const first = (/** @type {any} */ _stage, /** @type {number} */ count) => Array.from({ length: count }, (_, k) => k);

test("a layer and what finishes it are one column, unless it is unfolded", () => {
  const scene = sceneWith(STAGES, counting(784));
  assert.deepEqual(groupsOf(scene, ALL, []), [[0], [1, 2], [3], [4]]);
  assert.deepEqual(groupsOf(scene, ALL, ["layer 1"]), [[0], [1], [2], [3], [4]]);
});

test("everything is inside the room and nothing lies on anything else", () => {
  const scene = sceneWith(STAGES, counting(784));
  const items = columnsOf(scene, groupsOf(scene, ALL, []), []);
  for (const room of [[900, 380, 11], [600, 300, 11], [1800, 900, 16], [330, 600, 11]]) {
    const [width, height, type] = room;
    const layout = layOut(scene, items, { width, height, type, bars: 0 }, first);
    assert.deepEqual(layout.columns.map(({ shown }) => shown), [0, 2, 3, 4]);
    for (const { x, y, width: w, height: h } of layout.rects) {
      assert.ok(x >= 0 && y >= 0 && y + h <= height + 0.01, `${room}`);
      assert.ok(x + w <= layout.width + 0.01);
    }
    const apart = layout.rects.every((a, i) =>
      layout.rects.slice(i + 1).every((b) =>
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y));
    assert.ok(apart);
  }
});

test("where there is room for all maps no cell is under a pixel and a half, else the liveliest are shown", () => {
  const scene = sceneWith(STAGES, counting(784));
  const items = columnsOf(scene, groupsOf(scene, ALL, []), []);
  const roomy = layOut(scene, items, { width: 900, height: 380, type: 11, bars: 0 }, first);
  assert.ok(roomy.width <= 900);
  assert.ok(roomy.rects.every(({ width, cols }) => width / cols >= 1.5));
  assert.equal(roomy.rects.length, 1 + 16 + 40 + 10);
  const tight = layOut(scene, items, { width: 300, height: 200, type: 11, bars: 0 }, first);
  assert.ok(tight.rects.length < 67);
  for (const { shown, left } of tight.columns) {
    const maps = tight.rects.filter(({ stage }) => stage === shown).length;
    assert.equal(maps + left, scene.stages[shown].shape[2]);
  }
});

test("what skips columns runs above them, each line in a lane of its own", () => {
  const stages = [
    { shape: [8, 8, 2], op: { type: "input" } },
    conv([8, 8, 2]),
    conv([8, 8, 2]),
    sum([8, 8, 2], [0, 2]),
    conv([8, 8, 2]),
    sum([8, 8, 2], [1, 4]),
  ];
  const scene = sceneWith(stages, counting(128));
  const { links } = layOut(scene, columnsOf(scene, groupsOf(scene, [0, 1, 2, 3, 4, 5], []), []), { width: 900, height: 300, type: 11, bars: 0 }, first);
  const named = links.map(({ from, to, lane }) => [from.shown, to.shown, lane]);
  assert.deepEqual(named, [[0, 1, 0], [1, 2, 0], [0, 3, 1], [2, 3, 0], [3, 4, 0], [1, 5, 2], [4, 5, 0]]);
});

test("the largest grid fits its box", () => {
  for (const shape of [[26, 26, 16], [7, 7, 512], [1, 1, 10], [100, 1, 8], [224, 224, 3]]) {
    for (const [width, height] of [[300, 300], [800, 100], [60, 500]]) {
      const { cell, across } = largestGrid(/** @type {any} */ ({ shape }), width, height);
      const down = Math.ceil(shape[2] / across);
      assert.ok(cell > 0.1 && across * (shape[1] * cell + 2) - 2 <= width + 1e-9, `${shape} ${width} ${cell}`);
      assert.ok(down * (shape[0] * cell + 2) - 2 <= height + 1e-9, `${shape} ${height} ${cell}`);
    }
  }
});
