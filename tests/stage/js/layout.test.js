// Columns do not overlap, cells of a map are whole pixels, and what belongs together has one heading.

import assert from "node:assert/strict";
import { test } from "node:test";

import { layOut } from "../../../cnnviz/stage/js/layout.js";
import { axis, counting, sceneWith } from "./scenes.js";

const conv = (/** @type {number[]} */ shape) => ({ shape, op: { type: "conv", rows: axis(28, 3), cols: axis(28, 3) } });
const relu = (/** @type {number[]} */ shape) => ({ shape, op: { type: "activation", name: "relu", arguments: {} } });
const STAGES = [
  { shape: [28, 28, 1], op: { type: "input" } },
  conv([26, 26, 16]),
  relu([26, 26, 16]),
  conv([24, 24, 40]),
  conv([1, 1, 10]),
];

test("a layout for every size", () => {
  const scene = sceneWith(STAGES, counting(784));
  for (const zoom of [1, 2, 3]) {
    const { heads, columns, rects, width, height } = layOut(scene, [1, 2, 3, 4], zoom);
    assert.deepEqual(heads.map(({ stages }) => stages), [[1, 2], [3], [4]]);
    assert.equal(rects.length, 16 + 16 + 40 + 10);
    for (const rect of rects) {
      assert.ok(rect.x >= 0 && rect.x + rect.width <= width && rect.y + rect.height <= height);
      if (rect.rows > 1) assert.equal((rect.width / rect.cols) % 1, 0);
    }
    columns.slice(1).forEach((column, n) => assert.ok(column.x >= columns[n].x + columns[n].width));
    const apart = rects.every((a, i) =>
      rects.slice(i + 1).every((b) =>
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y));
    assert.ok(apart);
  }
});
