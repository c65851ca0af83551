// The channels of a wide layer: in which order, on which page, and which one is looked for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { activityOf, channelsCalled, extentsOf, kernelsOf, pageOf, weightOfInputs, weightsOf, whichOfThem } from "../../../cnnviz/stage/js/channels.js";
import { axis, counting, sceneWith } from "./scenes.js";

test("activity is the largest magnitude of a channel, and NaN is more than any", () => {
  const stage = /** @type {any} */ ({ index: 0, shape: [1, 2, 3] });
  const values = [Float32Array.of(1, -5, 0, 2, 4, NaN)];
  assert.deepEqual(activityOf(stage, values), [2, 5, Infinity]);
  assert.deepEqual(extentsOf(stage, values), [{ low: 0, size: 2, activity: 2 }, { low: -5, size: 5, activity: 5 }, { low: 0, size: 0, activity: Infinity }]);
});

test("what fits stands by number, else the most active come first unless that is not wanted", () => {
  const activity = () => [1, 9, 3, 9, 5];
  const of = (/** @type {number} */ most, /** @type {any} */ by, /** @type {number} */ place, /** @type {() => number[]} */ sizes, /** @type {number} */ wanted = undefined) => {
    const { channels, first, order } = pageOf(5, most, by, place, sizes, wanted);
    return [channels.join(), first, order];
  };
  assert.deepEqual(of(5, "by activity", 3, activity), ["0,1,2,3,4", 0, "by number"]);
  assert.deepEqual(of(2, "as fits", 0, activity), ["1,3", 0, "by activity"]);
  assert.deepEqual(of(2, "by number", 2, activity), ["2,3", 2, "by number"]);
  // The last page is full, and a place beyond the end is on it.
  assert.deepEqual(of(2, "by activity", 99, activity), ["2,0", 3, "by activity"]);
  assert.deepEqual(of(2, "by activity", 0, activity, 4), ["4,2", 2, "by activity"]);
});

test("channels are called by number, range or name", () => {
  const names = ["tabby cat", "cat", "dog"];
  for (const [words, found] of /** @type {[string, any][]} */ ([
    ["37", [37, 37]], ["channel 7", [7, 7]], ["#3", [3, 3]], ["30-40", [30, 40]], ["channels 40 – 30", [30, 40]], ["90-900", [90, 99]],
    ["100", null], ["", null], ["no such", null],
  ])) assert.deepEqual(channelsCalled(words, 100), found, words);
  assert.deepEqual(channelsCalled("Cat", 3, names), [1, 1]);
  assert.deepEqual(channelsCalled("ca", 3, names), [1, 1]);
  assert.deepEqual(channelsCalled("tab", 3, names), [0, 0]);
});

test("kernels and inputs are weighed by the magnitudes of the weights", () => {
  const input = { shape: [2, 2, 4], op: { type: "input" } };
  const op = { type: "conv", rows: axis(2, 1), cols: axis(2, 2), groups: 2, kernel: "k" };
  const k = counting(8).map((x) => (x % 3 ? x : -x));
  const scene = sceneWith([input, { shape: [2, 1, 2], op }], counting(16), { k });
  const [source, stage] = scene.stages;
  // The second filter reads the channels 2 and 3: weights 1, 5 and -3, 7.
  const kernels = kernelsOf(scene, stage, 1);
  assert.deepEqual([kernels.first, kernels.count, kernels.rows, kernels.cols], [2, 2, 1, 2]);
  assert.deepEqual([...weightsOf(kernels)], [6, 10]);
  assert.deepEqual([...(weightOfInputs(scene, stage, source, 1) ?? [])], [0, 0, 6, 10]);
});

test("it is said which channels that go in are shown, and not that they weigh what they do not", () => {
  const words = (/** @type {number[] | null} */ weights) => whichOfThem(weights && Float64Array.from(weights), 3, "channel 7");
  assert.equal(words(null), "the 3 most active");
  assert.equal(words([1, 2, 0, 3]), "the 3 that weigh most for channel 7");
  assert.equal(words([0, 0, 1, 0]), "the one that channel 7 comes from, and 2 others");
  assert.equal(words([NaN, 0, 1, 0]), "the 2 that channel 7 comes from, and 1 other");
  assert.equal(words([0, 0, 0, 0]), "3 that weigh nothing for channel 7");
});
