import assert from "node:assert/strict";
import test from "node:test";

import { colourUnlike, inkOn, numbersOfColour, paperOf } from "../../../cnnviz/stage/js/ink.js";

/** Pictures in -1..1 whose channels are blue, green, red. */
const picture = { planes: ["blue", "green", "red"], channels: [2, 1, 0], factor: [0.5, 0.5, 0.5], offset: [0.5, 0.5, 0.5], said: "" };
/** Pixels of shares of red, green and blue as the numbers of such a picture. */
const pixels = (...colours) => colours.flatMap((shares) => [2, 1, 0].map((k) => 2 * shares[k] - 1));

test("paper is what the edge is like, whatever is written on it or touches it", () => {
  const image = new Float32Array(5 * 6 * 2);
  image.fill(0.9);
  for (const n of [14, 15, 28, 29, 30, 31]) image[n] = 0;
  assert.deepEqual(paperOf([5, 6, 2], image), [0.9, 0.9].map(Math.fround));
  assert.deepEqual(paperOf([1, 1, 2], [3, 4]), [3, 4]);
});

test("ink is dark on light paper and light on dark", () => {
  assert.deepEqual(inkOn([0, 0.9, -1], 0, 1), [1, 0, 1]);
  assert.deepEqual(inkOn([0.2], -1, 1), [-1]);
});

test("a picture's ink is a colour that it does not have", () => {
  const [white, red, blue] = [[1, 1, 1], [0.9, 0.1, 0.1], [0.1, 0.3, 0.9]];
  assert.equal(colourUnlike(pixels(white, red), picture), "#0000ff");
  assert.equal(colourUnlike(pixels(white, blue), picture), "#ff0000");
  assert.equal(colourUnlike(pixels([0, 0, 0]), picture), "#ffffff");
});

test("a colour comes into the channels that hold it, on the network's scale", () => {
  assert.deepEqual(numbersOfColour("#ff0033", picture).map((n) => Number(n.toFixed(6))), [-0.6, -1, 1]);
});
