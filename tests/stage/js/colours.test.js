// Colours at the ends and in the middle of a scale; scales by map, by layer and over the network.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Colours, Scales } from "../../../cnnviz/stage/js/colours.js";
import { sceneWith } from "./scenes.js";

const header = {
  palettes: { light: { positive: ["#ffffff", "#0000ff"], signed: ["#ff0000", "#ffffff", "#0000ff"] } },
  /** @type {Record<string, Record<string, [number, number]>>} */
  lightness: { light: { positive: [100, 30], signed: [100, 30] } },
  black_above: 49.4,
  themes: { light: { ink: "#222222" } },
};

test("a scale's ends have their palette's colours, and what lies beyond has them too", () => {
  const colours = new Colours(header);
  const [signed, positive] = [{ kind: "signed", limit: 2 }, { kind: "positive", limit: 2 }];
  assert.deepEqual([-9, -2, 0, 1, 2, Infinity].map((v) => colours.css(v, signed)),
    ["rgb(255,0,0)", "rgb(255,0,0)", "rgb(255,255,255)", "rgb(128,128,255)", "rgb(0,0,255)", "rgb(0,0,255)"]);
  assert.equal(colours.css(NaN, signed), colours.css(0, signed));
  assert.equal(colours.css(0, positive), "rgb(255,255,255)");
  assert.equal(colours.inkOn(0, positive), "#000");
  assert.equal(colours.inkOn(2, positive), "#fff");
  assert.equal(colours.around.ink, "#222222");
});

test("one scale for a map, a layer, or the network; probabilities and pixels have their own", () => {
  const stages = [
    { shape: [1, 2, 2], op: { type: "input" } },
    { shape: [1, 2, 2], op: { type: "activation", name: "linear", arguments: {} } },
    { shape: [1, 2, 2], op: { type: "affine", form: "x*a+b", a: "a", b: "b" } },
    { shape: [1, 2, 2], op: { type: "softmax", count: 2, step: 1, log: false } },
  ];
  const arrays = { a: Float32Array.of(-4), b: Float32Array.of(0) };
  const scene = sceneWith(stages, Float32Array.of(0.5, 1, 0.25, 0), arrays);
  const scales = new Scales(scene, scene.valuesOf(0));
  assert.deepEqual(scales.of(0, 0, "layer"), { kind: "ink", limit: 1 });
  assert.deepEqual(scales.of(1, 0, "map"), { kind: "positive", limit: 0.5 });
  assert.deepEqual(scales.of(1, 0, "layer"), { kind: "positive", limit: 1 });
  assert.deepEqual(scales.of(1, 0, "network"), { kind: "positive", limit: 4 });
  assert.deepEqual(scales.of(2, 1, "layer"), { kind: "signed", limit: 4 });
  assert.deepEqual(scales.of(3, 0, "network"), { kind: "positive", limit: 1 });
});
