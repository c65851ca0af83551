// The numbers of a large network: where the holes are, what is asked for, what is let go, and who computes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Asking } from "../../../cnnviz/stage/js/asking.js";
import { readChanges } from "../../../cnnviz/stage/js/changes.js";
import { extentsOf } from "../../../cnnviz/stage/js/channels.js";
import { farOf, isHere, isHole, mapOf, stepsOf } from "../../../cnnviz/stage/js/far_numbers.js";
import { missingOf } from "../../../cnnviz/stage/js/missing.js";
import { Part, Scene } from "../../../cnnviz/stage/js/scene.js";
import { whoComputes, workBehind } from "../../../cnnviz/stage/js/who_computes.js";
import { axis, counting, partOf } from "./scenes.js";

const CONV = { type: "conv", kernel: "k", bias: "b", rows: axis(4, 3), cols: axis(4, 3) };
const STAGES = [
  { shape: [4, 4, 2], op: { type: "input" }, work: 32 },
  { shape: [2, 2, 3], op: CONV, work: 216 },
  { shape: [2, 2, 3], op: { type: "activation", name: "relu", arguments: {} }, work: 12 },
];

/** A far scene: the input has come, of the others and of the kernel only how large they are. */
function farScene() {
  const stages = STAGES.map((stage, n) => ({ name: `stage ${n}`, layer: `layer ${n}`, part: "output", reads: n ? [n - 1] : [], ...stage }));
  const plan = new Part(partOf({ far: true, stages, layers: [], fields: {}, alike: {}, read_as: {}, weights: ["k", "b"] }, { b: counting(3) }));
  plan.header.arrays.k = [null, 54, "f4", [3, 3, 2, 3]];
  const extents = Float32Array.from([[0, 31], [0, 30], [-1, 5], [0, 2], [-3, 3], [0, 5], [0, 2], [0, 0]].flatMap(([low, size]) => [low, size, size]));
  const numbers = new Part(partOf({ items: [], classes: [], host: {}, start: {}, key: "k" }, { image: counting(32), extents }));
  const { image, extents: place } = numbers.header.arrays;
  numbers.header.items = [{ title: "image", label: null, key: "0", code: "", tensors: { 0: image }, extents: place }];
  numbers.header.arrays = {};
  return new Scene(plan, numbers);
}

/** A view as far as it asks; `sent` are its questions. */
function asks(scene = farScene()) {
  const sent = /** @type {any[]} */ ([]);
  const came = /** @type {any[]} */ ([]);
  const shown = {
    plain: scene,
    values: scene.valuesOf(0),
    before: null,
    inSight: () => /** @type {[number, number][]} */ ([[1, 0]]),
    came: (/** @type {Set<number>} */ stages, /** @type {boolean} */ weights) => came.push([[...stages], weights]),
    tell: (/** @type {string} */ words) => came.push(words),
  };
  return { shown, sent, came, asking: new Asking(shown, (question) => sent.push(question)) };
}

/** What Python answers: the numbers that are asked for are their places. */
function answerTo(question, more = {}) {
  const arrays = {};
  const numbers = question.numbers.map(([what, places], n) => {
    arrays[n] = Float32Array.from(places.flatMap(([first, step, count]) => Array.from({ length: count }, (_, i) => first + i * step)));
    return [what, places, n];
  });
  const part = new Part(partOf({}, { ...arrays, ...more }));
  const place = part.header.arrays;
  return { part, place, answer: { count: question.count, numbers: numbers.map(([what, places, n]) => [what, places, place[n]]) } };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a number that has not come is a hole, and its channel's extent is known", () => {
  const scene = farScene();
  const values = scene.valuesOf(0);
  assert.equal(scene.valuesOf(0), values);
  assert.ok(isHole(values[1], 0) && Number.isNaN(values[1][0]));
  assert.ok(!isHole(values[0], 5) && values[0][5] === 5);
  assert.ok(isHere(values, scene.stages[0], 0) && !isHere(values, scene.stages[1], 0));
  assert.deepEqual(extentsOf(scene.stages[1], values), [{ low: -1, size: 5, activity: 5 }, { low: 0, size: 2, activity: 2 }, { low: -3, size: 3, activity: 3 }]);
  assert.ok(!scene.computable);
});

test("a map that came alone is read as a map and as part of its stage", () => {
  const scene = farScene();
  const values = scene.valuesOf(0);
  const part = /** @type {any} */ (farOf(values)).parts[1];
  part.put(part.placesOf(1), Float32Array.of(7, 8, 9, 10));
  assert.ok(isHere(values, scene.stages[1], 1) && !isHere(values, scene.stages[1], 0));
  assert.equal(part.array, null);
  assert.deepEqual([0, 1, 2, 3].map(mapOf(values, scene.stages[1], 1)), [7, 8, 9, 10]);
  assert.deepEqual([values[1][1], values[1][4]], [7, 8]);
  assert.ok(isHole(values[1], 0) && isHere(values, scene.stages[1], 1));
  part.letGo();
  assert.ok(!isHere(values, scene.stages[1], 1) && isHole(values[1], 1));
});

test("a NaN that the network computed is no hole", () => {
  const part = /** @type {any} */ (farOf(farScene().valuesOf(0))).parts[1];
  part.put([[0, 1, 12]], new Float32Array(12).fill(NaN));
  assert.ok(part.whole && !isHole(part.data, 3));
});

test("places are said in as few steps as can be", () => {
  assert.deepEqual(stepsOf([1, 4, 7, 8, 9]), [[1, 3, 3], [8, 1, 2]]);
  assert.deepEqual(stepsOf([5]), [[5, 1, 1]]);
});

test("a receipt asks for its patch in full depth, its kernel, and its own number, and then for nothing", async () => {
  const { shown, sent, came, asking } = asks();
  const cell = { stage: 2, row: 1, col: 0, channel: 2 };
  const missing = missingOf(shown.plain, shown.values, cell);
  assert.deepEqual(missing, [[2, [[8, 1, 1]]], [1, [[8, 1, 1]]], ["k", [[2, 3, 18]]]]);
  for (const [what, places] of missing) asking.want(what, places);
  for (const [what, places] of missing) asking.want(what, places);
  await soon();
  assert.equal(sent.length, 1);
  assert.deepEqual(sent[0], { count: 1, of: { item: "0", image: null, changes: [] }, all: false, numbers: missing });
  const { answer, part } = answerTo(sent[0]);
  asking.take(/** @type {any} */ ({ ...answer, count: 99 }), part);
  assert.equal(came.length, 0);
  asking.take(/** @type {any} */ (answer), part);
  assert.deepEqual(came, [[[2, 1], true]]);
  assert.deepEqual(missingOf(shown.plain, shown.values, cell), []);
  assert.equal(shown.plain.data("k")[5], 5);
});

test("what a change comes to shares what is not changed, and comes with what is in sight", async () => {
  const { shown, sent, asking } = asks();
  const change = /** @type {any} */ ({ kind: "channel", stage: "stage 2", channel: 0 });
  const about = { item: 0, image: null, changes: [change] };
  const overtaken = asking.compute(about, shown.values);
  const waits = asking.compute(about, shown.values);
  const last = asking.compute({ ...about, changes: [change, change] }, shown.values);
  assert.equal(await waits, null);
  assert.deepEqual([sent.length, sent[0].all, sent[0].numbers], [1, true, [[1, [[0, 3, 4]]]]]);
  const extents = new Float32Array(24).fill(1);
  const { answer, part, place } = answerTo(sent[0], { extents, output: counting(12) });
  asking.take(/** @type {any} */ ({ ...answer, all: { extents: place.extents, tensors: { 2: place.output }, changed: [2] } }), part);
  const computed = /** @type {any} */ (await overtaken);
  assert.deepEqual(computed.changed, [2]);
  const [far, before] = [farOf(computed.values), farOf(shown.values)];
  assert.equal(far?.parts[1], before?.parts[1]);
  assert.notEqual(far?.parts[2], before?.parts[2]);
  assert.equal(computed.values[2][7], 7);
  assert.equal(sent.length, 2);
  asking.take(/** @type {any} */ ({ count: 2, numbers: [], error: "no" }), part);
  await assert.rejects(last, /no/);
});

test("weights that are changed keep the holes of the others", () => {
  const scene = farScene();
  const { arrays } = readChanges(scene, [{ kind: "weights", array: "k", at: [4], values: [2] }]);
  const changed = /** @type {Float32Array} */ (arrays.get("k"));
  assert.ok(changed[4] === 2 && isHole(changed, 5) && isHole(scene.data("k"), 4));
});

test("who computes follows from the work behind a change and from how fast the page is", () => {
  const scene = farScene();
  const off = { kind: "channel", stage: "stage 1", channel: 0 };
  assert.equal(workBehind(scene, /** @type {any} */ ([off]), null), 12);
  assert.equal(workBehind(scene, /** @type {any} */ ([{ kind: "weights", array: "b", at: [0], values: [1] }]), null), 228);
  assert.equal(workBehind(scene, [], {}), 228);
  const given = { changes: /** @type {any} */ ([]), image: {}, python: true, page: true };
  assert.equal(whoComputes(scene, given).who, "page");
  assert.equal(whoComputes(scene, { ...given, rate: 1 }).who, "page");
  scene.stages[1].work = 20e6;
  assert.equal(whoComputes(scene, given).who, "python");
  assert.equal(whoComputes(scene, { ...given, python: false }).who, "page");
  assert.equal(whoComputes(scene, { ...given, rate: 1e6 }).who, "page");
  assert.equal(whoComputes(scene, { ...given, page: false }).who, "python");
  assert.equal(whoComputes(scene, { ...given, page: false, python: false }).who, "");
});
