// What a cell feeds is the inverse of what its readers are made from, for every kind of reader.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fedUnits, feedingChannels, seenBox } from "../../../cnnviz/stage/js/cone.js";
import { borders, cellsSeen, hasHoles } from "../../../cnnviz/stage/js/holes.js";
import { receiptOf } from "../../../cnnviz/stage/js/receipt.js";
import { cellAt } from "../../../cnnviz/stage/js/scene.js";
import { tapsOf } from "../../../cnnviz/stage/js/windows.js";
import { axis, counting, sceneWith } from "./scenes.js";

const INPUT = { shape: [6, 5, 4], op: { type: "input" } };
const [ROWS, COLS] = [axis(6, 3, { stride: 2, before: 1, after: 1 }), axis(5, 2, { dilation: 2 })];
const LARGER = { rows: axis(12, 2, { stride: 2 }), cols: axis(10, 2, { stride: 2 }) };
const ALONG = [
  { size: 6, taps: 2, cells: "rows", weights: "halves" },
  { size: 5, taps: 2, cells: "cols", weights: "one" },
];
const SAMPLED = {
  rows: Int32Array.of(0, 1, 2, 3, 5, 6),
  cols: Int32Array.of(1, 2, 4, 4),
  halves: new Float32Array(6).fill(0.5),
  one: Float32Array.of(1, 0, 0.25, 0),
};
const READERS = {
  conv: { shape: [3, 3, 2], op: { type: "conv", rows: ROWS, cols: COLS, groups: 1, kernel: "k" } },
  groups: { shape: [3, 3, 6], op: { type: "conv", rows: ROWS, cols: COLS, groups: 2, kernel: "k" } },
  pool: { shape: [3, 3, 4], op: { type: "pool", mode: "max", rows: ROWS, cols: axis(5, 3) } },
  transposed: { shape: [12, 10, 2], op: { type: "transposed", ...LARGER, kernel: "k" } },
  softmax: { shape: [6, 5, 4], op: { type: "softmax", count: 4, step: 1 } },
  sample: { shape: [3, 2, 4], op: { type: "sample", fill: 0, along: ALONG } },
  turned: { shape: [5, 6, 4], op: { type: "move", from: "turned" } },
  activation: { shape: [6, 5, 4], op: { type: "activation", name: "relu", arguments: {} } },
};
const turned = Int32Array.from({ length: 120 }, (_, n) => {
  const [row, col, channel] = [Math.floor(n / 24), Math.floor(n / 4) % 6, n % 4];
  return (col * 5 + row) * 4 + channel + 1;
});

for (const [name, reader] of Object.entries(READERS)) {
  test(`what feeds and what is fed agree: ${name}`, () => {
    const scene = sceneWith([INPUT, reader], counting(120), { k: new Float32Array(200).fill(1), turned, ...SAMPLED });
    const values = scene.valuesOf(0);
    const fed = new Set();
    for (let n = 0; n < 120; n++) {
      const { rows, cols, channels } = fedUnits(scene, cellAt(scene.stages[0], n), scene.stages[1]);
      for (const row of rows) for (const col of cols) for (const k of channels) fed.add([n, row, col, k].join());
    }
    const read = new Set();
    const [height, width, depth] = reader.shape;
    for (let u = 0; u < height * width * depth; u++) {
      const unit = cellAt(scene.stages[1], u);
      const terms = receiptOf(scene, values, unit).groups.flatMap((group) => group.terms);
      const channels = feedingChannels(scene, unit).get(0);
      for (const { from } of terms) {
        if (!from) continue;
        read.add([(from.row * 5 + from.col) * 4 + from.channel, unit.row, unit.col, unit.channel].join());
        assert.ok(channels?.[from.channel]);
      }
    }
    assert.deepEqual([...fed].sort(), [...read].sort());
  });
}

test("a box is looked up for a cell's own row and column", () => {
  const table = (/** @type {number[]} */ ...ends) => Int16Array.from(ends);
  const stages = [INPUT, READERS.pool];
  const arrays = { k: new Float32Array(1), down: table(0, 1, 1, 3, 3, 5), across: table(0, 2, 1, 3, 2, 4) };
  const scene = sceneWith(stages, counting(120), arrays);
  const [down, across] = ["down", "across"].map((name) => scene.plan.header.arrays[name].slice(0, 3));
  scene.header.fields = { "1,0": [[...down, 3, 1, 1], [...across, 1, 3, 1]] };
  const cell = { stage: 1, row: 2, col: 1, channel: 0 };
  assert.deepEqual(seenBox(scene, cell, scene.stages[0]), { top: 3, bottom: 5, left: 1, right: 3 });
  assert.deepEqual(seenBox(scene, cell, scene.stages[1]), { top: 2, bottom: 2, left: 1, right: 1 });
});

test("dilation leaves holes, and a window without does not", () => {
  const scene = sceneWith([INPUT, READERS.conv], counting(120), { k: new Float32Array(200) });
  const seen = cellsSeen(scene, { stage: 1, row: 1, col: 1, channel: 0 }).get(0);
  assert.ok(seen);
  assert.deepEqual([...seen].flatMap((on, n) => (on ? [n] : [])), [6, 8, 11, 13, 16, 18]);
  assert.ok(hasHoles(seen, { top: 1, bottom: 3, left: 1, right: 3 }, 5));
  assert.ok(!hasHoles(seen, { top: 1, bottom: 3, left: 3, right: 3 }, 5));
  const plain = sceneWith([INPUT, READERS.pool], counting(120));
  assert.equal(cellsSeen(plain, { stage: 1, row: 1, col: 1, channel: 0 }).size, 0);
});

test("through two layers exactly the cells of their windows are seen, whichever place was asked for before", () => {
  const [down, across] = [axis(3, 2, { dilation: 2 }), axis(3, 3, { before: 1, after: 1 })];
  const second = { shape: [1, 3, 2], op: { type: "conv", rows: down, cols: across, groups: 1, kernel: "k" } };
  const scene = sceneWith([INPUT, READERS.conv, second], counting(120), { k: new Float32Array(200) });
  const inside = (/** @type {number} */ s, /** @type {{ row: number, col: number }} */ cell) =>
    tapsOf(scene.stages[s], cell).filter((tap) => tap.inside);
  for (const col of [0, 1, 2, 1, 0]) {
    const cell = { stage: 2, row: 0, col, channel: 1 };
    const read = new Set(inside(2, cell).flatMap((tap) => inside(1, tap)).map((tap) => tap.row * 5 + tap.col));
    const seen = cellsSeen(scene, cell).get(0) ?? [];
    assert.deepEqual([...seen].flatMap((on, n) => (on ? [n] : [])), [...read].sort((a, b) => a - b));
    assert.equal(cellsSeen(scene, { ...cell, channel: 0 }).get(0), seen);
  }
});

test("borders run around every marked cell, in as few lines as there are sides", () => {
  const lines = borders(Uint8Array.of(1, 1, 0, 0, 0, 1), 2, 3);
  const expected = [[0, 0, 2, 0], [0, 1, 3, 1], [2, 2, 3, 2], [0, 0, 0, 1], [2, 0, 2, 2], [3, 1, 3, 2]];
  assert.deepEqual(lines.map(String).sort(), expected.map(String).sort());
});
