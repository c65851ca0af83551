// Ways down end on pixels that are not blank, or say why not; what pixels carry adds up; and ways up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { blankPaper, decidingPixels, feeds, follow, toPixels } from "../../../cnnviz/stage/js/tracing.js";
import { axis, sceneWith } from "./scenes.js";

const INPUT = { shape: [3, 3, 1], op: { type: "input" } };
const SLIDING = { rows: axis(3, 2), cols: axis(3, 2) };
const CONV = { shape: [2, 2, 2], op: { type: "conv", ...SLIDING, groups: 1, kernel: "k", bias: "b" } };
const RELU = { shape: [2, 2, 2], op: { type: "activation", name: "relu", arguments: {} } };
const POOL = { shape: [1, 1, 2], op: { type: "pool", mode: "max", ties: "rows", rows: axis(2, 2), cols: axis(2, 2) } };
const DENSE = { shape: [1, 1, 2], op: { type: "conv", rows: axis(1, 1), cols: axis(1, 1), groups: 1, kernel: "w", bias: "c" } };
const SOFTMAX = { shape: [1, 1, 2], op: { type: "softmax", count: 2, step: 1, log: false } };
const ARRAYS = {
  // The first filter looks for ink at the lower right, the second for paper.
  k: Float32Array.of(0, -1, 0, -1, 0, -1, 2, -1),
  b: Float32Array.of(0.5, 3),
  w: Float32Array.of(1, -1, -2, 1),
  c: Float32Array.of(0.25, 0),
};
const IMAGE = Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0.5);
const GIVEN = { shape: [3, 3, 1], op: { type: "given" } };
const STAGES = [INPUT, CONV, RELU, POOL, DENSE, SOFTMAX];
const cell = (/** @type {number} */ stage, channel = 0, row = 0, col = 0) => ({ stage, row, col, channel });
const at = (/** @type {any} */ found) => found && [found.stage, found.row, found.col, found.channel];

/** @type {(image?: Float32Array, stages?: any[]) => [any, Float32Array[]]} */
function sceneOf(image = IMAGE, stages = STAGES) {
  const scene = sceneWith(stages, image, ARRAYS);
  return [scene, scene.valuesOf(0)];
}

test("the largest factor of the own sign is followed, and a pixel ends it", () => {
  const [scene, values] = sceneOf();
  const steps = [5, 4, 3].map((stage) => follow(scene, values, cell(stage)));
  assert.deepEqual(steps.map((step) => step?.reason), ["own score", "adds most", "winner"]);
  assert.deepEqual(steps.map((step) => at(step?.to)), [[4, 0, 0, 0], [3, 0, 0, 1], [2, 0, 0, 0]]);
  assert.equal(follow(scene, values, cell(1))?.contribution?.product, 2);
  assert.deepEqual([follow(scene, values, cell(2))?.reason, at(follow(scene, values, cell(1))?.to)], ["only factor", [0, 1, 1, 0]]);
  assert.equal(follow(scene, values, cell(0)), null);
});

test("where only a bias is left, or all factors pull the other way, that is said", () => {
  const [blank, nothing] = sceneOf(new Float32Array(9));
  assert.deepEqual([follow(blank, nothing, cell(1))?.reason, follow(blank, nothing, cell(1))?.to], ["only bias", null]);
  const [scene, values] = sceneOf();
  // 3 less 1 is the bias's doing.
  const step = follow(scene, values, cell(1, 1));
  assert.deepEqual([step?.reason, step?.contribution?.product], ["pulls most", -1]);
  const dark = sceneWith([INPUT, GIVEN], IMAGE);
  assert.equal(follow(dark, [IMAGE, IMAGE], cell(1))?.reason, "unknown");
});

test("a path goes to the ink, and says what ink brings through each step", () => {
  const [scene, values] = sceneOf();
  const { steps, end, at: last } = toPixels(scene, values, cell(5));
  assert.equal(end, "pixel");
  assert.deepEqual(at(last), [0, 1, 1, 0]);
  assert.deepEqual(steps.map(({ reason }) => reason), ["own score", "brings most", "winner", "only factor", "brings most"]);
  assert.deepEqual(steps.map(({ cell }) => cell.stage), [5, 4, 3, 2, 1]);
  assert.deepEqual(steps.map(({ brings }) => brings), [null, 2, 2, 2, 2]);
  steps.forEach((step, n) => assert.deepEqual(step.to, steps[n + 1]?.cell ?? last));
});

test("the direction of a path turns at each negative weight", () => {
  const one = { rows: axis(1, 1), cols: axis(1, 1) };
  const dense = (/** @type {string} */ kernel) => ({ shape: [1, 1, 1], op: { type: "conv", ...one, groups: 1, kernel } });
  const pixels = { shape: [1, 1, 2], op: { type: "input" } };
  const arrays = { k: Float32Array.of(-2, 3), minus: Float32Array.of(-1) };
  const scene = sceneWith([pixels, dense("k"), dense("minus")], Float32Array.of(2, 1), arrays);
  // The score is 4 - 3: what makes it positive is the first pixel, and what pulls the number before down.
  const { steps, at: last } = toPixels(scene, scene.valuesOf(0), cell(2));
  assert.deepEqual(steps.map(({ brings, share }) => [brings, share]), [[1, 1], [-4, 4 / 7]]);
  assert.deepEqual(at(last), [0, 0, 0, 0]);
});

test("a path does not go to blank paper: it stops where ink brings nothing", () => {
  const [scene, values] = sceneOf(new Float32Array(9));
  assert.deepEqual(toPixels(scene, values, cell(4)), { steps: [], end: "same on blank paper", at: cell(4) });
  assert.deepEqual(toPixels(scene, values, cell(0)).end, "paper");
  const [inked, numbers] = sceneOf();
  assert.equal(toPixels(inked, numbers, cell(0, 0, 1, 1)).end, "pixel");
  // A window beside the ink: it is what it is on blank paper.
  const wide = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0);
  const [beside, few] = sceneOf(wide);
  assert.equal(toPixels(beside, few, cell(1, 0, 1, 1)).end, "same on blank paper");
});

test("where it is not known what ink brings, a path goes on as follow does, and stops where it must", () => {
  const given = { shape: [2, 2, 2], op: { type: "given" } };
  const [, values] = sceneOf();
  const blind = sceneWith([INPUT, CONV, given, POOL, DENSE, SOFTMAX], IMAGE, ARRAYS);
  const { steps, end, at: last } = toPixels(blind, values, cell(5));
  assert.deepEqual([end, last.stage, steps.length], ["unknown", 2, 3]);
  assert.ok(blankPaper(blind)[2] === null && blankPaper(blind)[5] === null && blankPaper(blind)[1]);
  assert.equal(decidingPixels(blind, values, cell(5)), null);
});

test("what pixels carry adds up to the difference from blank paper", () => {
  const [scene, values] = sceneOf();
  const decided = decidingPixels(scene, values, cell(5));
  assert.ok(decided);
  assert.deepEqual(at(decided.of), [4, 0, 0, 0]);
  const blank = /** @type {Float32Array} */ (blankPaper(scene)[4]);
  assert.deepEqual([decided.total, decided.bias], [values[4][0], blank[0]]);
  const carried = [...(decided.carried.get(0) ?? [])];
  assert.equal(carried.reduce((a, b) => a + b, 0), values[4][0] - blank[0]);
  assert.deepEqual(carried.flatMap((x, n) => (x ? [n] : [])), [4, 8].filter((n) => carried[n]));
  assert.deepEqual([decided.shown[0].row, decided.shown[0].col], [1, 1]);
});

test("a cell feeds its readers what they take of it", () => {
  const [scene, values] = sceneOf();
  const [pixel] = feeds(scene, values, cell(0, 0, 1, 1), { part: 1 });
  assert.deepEqual([pixel.stage.index, pixel.count], [1, 8]);
  const others = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([row, col]) => [[1, row, col, 1], -1]);
  assert.deepEqual(pixel.fed?.shown.map(({ to, product }) => [at(to), product]), [[[1, 0, 0, 0], 2], ...others]);
  const [loser] = feeds(scene, values, cell(2, 1, 1, 1));
  assert.deepEqual([loser.count, loser.fed?.shown.length, loser.fed?.folded.length], [1, 0, 0]);
  const [score] = feeds(scene, values, cell(3, 1));
  assert.deepEqual(score.fed?.shown.map(({ to, weight, product }) => [to.channel, weight, product]), [[0, -2, -4]]);
  assert.deepEqual(feeds(scene, values, cell(5)), []);
  const [blind] = feeds(sceneWith([INPUT, GIVEN], IMAGE), values, cell(0));
  assert.deepEqual([blind.count, blind.fed], [9, null]);
});
