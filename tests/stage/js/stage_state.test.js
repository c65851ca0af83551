// A state is held against the scene that it is for: what fits is taken, what does not is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyState, fitting, linkOf, stateOfLink } from "../../../cnnviz/stage/js/stage_state.js";
import { counting, sceneWith } from "./scenes.js";

const scene = sceneWith(
  [
    { shape: [2, 2, 1], op: { type: "input" } },
    { shape: [2, 2, 3], op: { type: "conv" } },
  ],
  counting(4),
  { "stage/kernel": counting(3) },
  { model: { name: "tiny" }, weights: ["stage/kernel"] },
);
scene.items[0].key = "7";

const ODD = { toString: 1, valueOf: 1 };

const WHOLE = {
  version: 1,
  model: "tiny",
  item: "7",
  range: "map",
  zoom: "cell",
  layer: "stage 1",
  path: [["stage 1", 1, 1, 2], ["stage 0", 0, 1, 0]],
  changes: [
    { kind: "shift", rows: -1, cols: 2 },
    { kind: "values", stage: "stage 0", at: [3], values: [0.5] },
    { kind: "weights", array: "stage/kernel", at: [0, 2], values: [1, -1] },
    { kind: "channel", stage: "stage 1", channel: 1 },
  ],
  image: { title: "your drawing", pixels: "AAAA_w" },
  open: ["stage 1"],
  order: "laid out",
  channels: "by number",
  first: 1,
  play: ["stage 1", 2, 3],
  walk: ["from pixel to answer", 3],
};

test("a state that fits is taken as it is, and through a link", () => {
  assert.deepEqual(fitting(WHOLE, scene), { state: WHOLE, said: [] });
  assert.deepEqual(fitting(stateOfLink(linkOf(/** @type {any} */ (WHOLE))), scene), { state: WHOLE, said: [] });
});

test("nothing is the state in which a stage opens", () => {
  for (const nothing of [null, undefined, 3, "text", [], {}, { path: null, changes: 3, walk: "x" }, { version: ODD, item: ODD, model: ODD }]) {
    assert.deepEqual(fitting(nothing, scene), { state: { ...emptyState(), model: "tiny" }, said: [] });
  }
});

test("what does not fit is left out, and said", () => {
  const cases = /** @type {[object, string][]} */ ([
    [{ version: 2 }, "newer cnnviz"],
    [{ model: "other" }, "from the network other; here is tiny"],
    [{ item: "8" }, "The image 8 is not in this view."],
    [{ path: [["stage 1", 2, 0, 0]] }, "A cell that was looked at is not in this network."],
    [{ path: [["stage 1", 0, 0.5, 0]] }, "A cell that was looked at"],
    [{ changes: [{ kind: "values", stage: "stage 0", at: [4], values: [0] }] }, "1 of the changes does not fit this network and is left out."],
    [{ changes: [{ kind: "values", stage: "stage 0", at: [], values: [] }] }, "1 of the changes"],
    [{ changes: [{ kind: "values", stage: "stage 0", at: [0], values: [1e39] }] }, "1 of the changes"],
    [{ changes: [{ kind: "weights", array: "none", at: [0], values: [0] }, { kind: "channel", stage: "stage 1", channel: 3 }] }, "2 of the changes do not fit this network and are left out."],
    [{ changes: [{ kind: "shift", rows: 0.5, cols: 0 }] }, "1 of the changes"],
    [{ changes: [{ kind: "__proto__" }, null] }, "2 of the changes"],
    [{ image: { title: "x", pixels: "AAAA" } }, "The image that was drawn or opened does not fit"],
    [{ image: { title: "x", pixels: "<b>aaa" } }, "The image that was drawn or opened does not fit"],
  ]);
  for (const [given, words] of cases) {
    const { state, said } = fitting(given, scene);
    assert.deepEqual(state, { ...emptyState(), model: "tiny" });
    assert.equal(said.length, 1);
    assert.ok(said[0].includes(words), said[0]);
  }
});

test("a path is followed as far as it goes, and a zoom needs something to be near to", () => {
  const { state } = fitting({ zoom: "cell", path: [["stage 1", 0, 0, 0], ["gone", 0, 0, 0]] }, scene);
  assert.deepEqual([state.zoom, state.path], ["cell", [["stage 1", 0, 0, 0]]]);
  assert.equal(fitting({ zoom: "cell", layer: "stage 1" }, scene).state.zoom, "layer");
  assert.equal(fitting({ zoom: "layer" }, scene).state.zoom, "network");
});
