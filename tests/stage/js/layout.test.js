// The whole network fits its room; cells are large enough to be seen; what belongs together is one column.

import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, groupsOf, placesOf, sourcesOf } from "../../../cnnviz/stage/js/blocks.js";
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

const IDENTITY = { type: "activation", name: "relu", arguments: {} };
/** An image, a block of two blocks one of which has two branches, and an end. */
const BLOCKED = [
  { shape: [8, 8, 2], op: { type: "input" } },
  conv([8, 8, 2]),
  conv([8, 8, 2], [1]),
  conv([8, 8, 2], [1]),
  sum([8, 8, 2], [2, 3]),
  { shape: [8, 8, 2], finishes: true, op: IDENTITY },
  conv([8, 8, 2]),
  sum([8, 8, 2], [5, 6]),
  conv([1, 1, 10]),
];
const BLOCKS = [
  { name: "whole", caption: "whole", what: "", stages: [1, 2, 3, 4, 5, 6, 7], layers: 7, within: null },
  { name: "first", caption: "first", what: "residual block", stages: [2, 3, 4, 5], layers: 4, within: 0 },
];
const blocked = () => sceneWith(BLOCKED, counting(128), {}, { blocks: BLOCKS });
const columns = (/** @type {any} */ scene, /** @type {string[]} */ open) =>
  columnsOf(scene, groupsOf(scene, BLOCKED.map((_, s) => s), open), open);

test("a closed block is one column that shows its output, an open one all that is in it", () => {
  const scene = blocked();
  const shown = (/** @type {string[]} */ open) => columns(scene, open).map((item) => [item.shown, item.block?.name ?? "", item.around.length]);
  assert.deepEqual(shown([]), [[0, "", 0], [7, "whole", 0], [8, "", 0]]);
  // What is open inside of a closed block is not seen.
  assert.deepEqual(shown(["first"]), shown([]));
  assert.deepEqual(shown(["whole"]), [[0, "", 0], [1, "", 1], [5, "first", 1], [6, "", 1], [7, "", 1], [8, "", 0]]);
  assert.deepEqual(shown(["whole", "first"]).slice(2, 5), [[2, "", 2], [3, "", 2], [5, "", 2]]);
});

test("every stage is in one column, and columns feed each other as their stages do", () => {
  const scene = blocked();
  for (const open of [[], ["whole"], ["whole", "first"]]) {
    const items = columns(scene, open);
    assert.deepEqual(items.flatMap(({ stages }) => stages).sort((a, b) => a - b), BLOCKED.map((_, s) => s));
    const sources = sourcesOf(scene, items);
    const itemOf = (/** @type {number} */ s) => items.findIndex(({ stages }) => stages.includes(s));
    for (const stage of scene.stages) {
      for (const read of stage.reads) {
        const [from, to] = [itemOf(read), itemOf(stage.index)];
        assert.equal(sources[to].includes(from), from !== to);
      }
    }
  }
});

test("branches stand under each other and never on each other, skips run above", () => {
  const scene = blocked();
  const items = columns(scene, ["whole", "first"]);
  const room = { width: 900, height: 500, type: 11, bars: 0 };
  const { columns: placed, rects, links, frames } = layOut(scene, items, room, first);
  const [a, b] = [2, 3].map((s) => placed.find(({ shown }) => shown === s));
  assert.equal(a?.slot, b?.slot);
  assert.deepEqual([a?.row, b?.row], [0, 1]);
  assert.ok((a?.y ?? 0) + (a?.height ?? 0) < (b?.y ?? 0));
  for (const { x, y, width, height } of rects) assert.ok(x + width <= room.width && y + height <= room.height);
  assert.deepEqual(links.filter(({ lane }) => lane).map(({ from, to }) => [from.shown, to.shown]), [[5, 7]]);
  assert.deepEqual(frames.map(({ block }) => block.name), ["whole", "first"]);
  assert.ok(frames[0].x <= frames[1].x && frames[1].x + frames[1].width <= frames[0].x + frames[0].width);
});

test("where two images lie under each other in a low room, neither is deeper than its row", () => {
  const [side, channels] = [64, 3];
  const input = { shape: [side, side, channels], reads: [], op: { type: "input" } };
  const stages = [input, input, conv([62, 62, 40], [0]), conv([62, 62, 40], [1]), sum([62, 62, 40], [2, 3])];
  const scene = sceneWith(stages, counting(side * side * channels));
  const items = columnsOf(scene, groupsOf(scene, ALL, []), []);
  for (const height of [230, 300, 500]) {
    const { columns, rects } = layOut(scene, items, { width: 900, height, type: 11, bars: 0 }, first);
    assert.deepEqual(columns.map(({ row }) => row), [0, 1, 0, 1, 0]);
    assert.ok(rects.every(({ y, height: deep }) => y + deep <= height), `${height}`);
    const below = columns[1].y;
    assert.ok(rects.every(({ stage, y, height: deep }) => ![0, 2].includes(stage) || y + deep < below));
  }
});

test("of a picture in colours all that is left out is counted, its planes too", () => {
  const picture = { planes: ["red", "green", "blue"], channels: [0, 1, 2], factor: [1, 1, 1], offset: [0, 0, 0], said: "" };
  const scene = sceneWith([{ shape: [64, 64, 3], op: { type: "input" } }, ...[8, 16, 32, 64].map((n) => conv([64, 64, n]))], counting(64 * 64 * 3));
  scene.picture = picture;
  const layout = layOut(scene, columnsOf(scene, groupsOf(scene, ALL, []), []), { width: 700, height: 330, type: 11, bars: 0 }, first);
  const [image] = layout.columns;
  assert.ok(image.left > 0);
  assert.equal(layout.rects.filter(({ stage }) => stage === 0).length + image.left, 4);
});

test("a branch keeps its row as far as it goes, and nothing stands in its way", () => {
  // 0 forks into 1 2 3 and 4, which meet in 5.
  const places = placesOf([[], [0], [1], [2], [0], [3, 4]]);
  assert.deepEqual(places.map(({ slot, row }) => [slot, row]), [[0, 0], [1, 0], [2, 0], [3, 0], [1, 1], [4, 0]]);
  // Two inputs, each with a tower of its own.
  const towers = placesOf([[], [], [0], [1], [2], [3], [4, 5]]);
  assert.deepEqual(towers.map(({ row }) => row), [0, 1, 0, 1, 0, 1, 0]);
  // A circle ends.
  assert.equal(placesOf([[1], [0]]).length, 2);
});

test("what is outside of the open block is slim where there is no room, and all fits", () => {
  const many = Array.from({ length: 16 }, () => conv([28, 28, 64]));
  const blocks = [{ name: "b", caption: "b", what: "", stages: [4, 5, 6, 7], layers: 4, within: null }];
  const scene = sceneWith([{ shape: [28, 28, 1], op: { type: "input" } }, ...many], counting(784), {}, { blocks });
  const items = columnsOf(scene, groupsOf(scene, Array.from({ length: 17 }, (_, s) => s), ["b"]), ["b"]);
  const layout = layOut(scene, items, { width: 900, height: 500, type: 11, bars: 0 }, first, scene.blocks[0]);
  assert.ok(layout.width <= 900);
  assert.deepEqual(layout.columns.filter(({ slim }) => !slim).map(({ shown }) => shown), [4, 5, 6, 7]);
});

test("a sequence is a band, whichever way it lies, and a map of too small cells says that it is a thumbnail", () => {
  for (const shape of [[128, 1, 4], [1, 128, 4]]) {
    const scene = sceneWith([{ shape, axes: 2, op: { type: "input" } }, conv(shape)], counting(512));
    const { rects } = layOut(scene, columnsOf(scene, [[0], [1]], []), { width: 900, height: 500, type: 11, bars: 0 }, first);
    assert.ok(rects.every(({ width, height }) => Math.min(width, height) >= 11), `${shape}`);
  }
  const large = sceneWith([{ shape: [224, 224, 3], op: { type: "input" } }, ...Array.from({ length: 9 }, () => conv([112, 112, 64]))], counting(150528));
  const { rects } = layOut(large, columnsOf(large, groupsOf(large, Array.from({ length: 10 }, (_, s) => s), []), []), { width: 800, height: 500, type: 11, bars: 0 }, first);
  for (const rect of rects) assert.equal(Boolean(rect.thumbnail), rect.width / rect.cols < 1.5);
  assert.ok(rects.some(({ thumbnail }) => thumbnail));
});

test("columns get as narrow as it takes to stand in the room, with what changes the image below it", () => {
  const depth = 9;
  const scene = sceneWith([{ shape: [64, 64, 3], op: { type: "input" } }, ...Array.from({ length: depth }, () => conv([64, 64, 40]))], counting(64 * 64 * 3));
  const items = columnsOf(scene, groupsOf(scene, Array.from({ length: depth + 1 }, (_, s) => s), []), []);
  for (const width of [660, 760, 1200]) {
    const layout = layOut(scene, items, { width, height: 560, type: 11, bars: 143 }, first);
    const [image, next] = layout.columns;
    assert.ok(layout.width <= width, `${layout.width} of ${width}`);
    assert.ok(layout.tools && layout.tools.x + layout.tools.width <= next.x && layout.tools.y > image.y + image.height);
  }
});
