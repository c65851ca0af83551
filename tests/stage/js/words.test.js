// Cells are called as `cnnviz.explain` calls them: a sequence has rows and channels, and no columns.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cellName, layerCalled, placeText, shapeText, withArticle } from "../../../cnnviz/stage/js/words.js";
import { counting, sceneWith } from "./scenes.js";

test("a cell of a sequence has a row and a channel", () => {
  const op = { type: "activation", name: "relu", arguments: {} };
  const named = { name: "relu", layer: "relu", shape: [6, 1, 4], axes: 2, op };
  const scene = sceneWith([{ shape: [6, 1, 4], axes: 2, op: { type: "input" } }, named], counting(24));
  const [, stage] = scene.stages;
  const cell = { stage: 1, row: 4, col: 0, channel: 3 };
  assert.equal(placeText(stage, cell), "row 4, channel 3");
  assert.equal(cellName(scene, cell), "relu (4) channel 3");
  assert.equal(shapeText(stage), "6×4");
});

test("a cell of a map has a column too, and the channel only where there are several", () => {
  const scene = sceneWith([{ shape: [6, 1, 4], axes: 3, op: { type: "input" } }, { shape: [6, 4, 1], axes: 3, op: { type: "input" } }], counting(24));
  assert.equal(placeText(scene.stages[0], { row: 4, col: 0, channel: 3 }), "row 4, column 0, channel 3");
  assert.equal(placeText(scene.stages[1], { row: 4, col: 2, channel: 0 }), "row 4, column 2");
});

test("an 8 has its own article", () => {
  assert.deepEqual(["7", "8", "11", "dog", "apple"].map(withArticle), ["a 7", "an 8", "an 11", "a dog", "an apple"]);
});

const NAMES = ["input", "conv2d", "conv2d_1", "block/conv", "Conv", "7"];

test("a number counts from 0, a line of the list is itself, and else a name or a part of it is meant", () => {
  /** @type {[string, string | null][]} */
  const cases = [
    ["0", "input"], ["2", "conv2d_1"], ["2 conv2d_1", "conv2d_1"], ["5", "7"], ["6", null], ["", null],
    ["conv2d", "conv2d"], ["conv", "Conv"], ["CONV2", "conv2d"], ["k/c", "block/conv"], ["dense", null], ["-1", null],
  ];
  for (const [text, name] of cases) assert.equal(layerCalled(NAMES, text), name, text);
});
