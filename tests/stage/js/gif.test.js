// What is written of a picture is only what changed; that the file can be read is tested from Python.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Gif, paletteOf } from "../../../cnnviz/stage/js/gif.js";

/** @type {(...greys: number[]) => { data: Uint8ClampedArray<ArrayBuffer>, colorSpace: any }} */
const picture = (...greys) => ({
  data: Uint8ClampedArray.from(greys.flatMap((grey) => [grey, grey, grey, 255])),
  colorSpace: "srgb",
});

test("the palette has the most frequent colours first, each the mean of those that are alike", () => {
  assert.deepEqual(paletteOf([picture(200, 0, 2, 1, 4, 3)]), [[2, 2, 2], [200, 200, 200]]);
  const many = picture(...Array.from({ length: 32 }, (_, n) => 8 * n));
  assert.equal(paletteOf([many]).length, 32);
});

test("the box of what changed is as small as it can be", () => {
  const gif = new Gif(4, 3, [[0, 0, 0], [255, 255, 255]]);
  const blank = picture(...Array(12).fill(0));
  gif.add(blank, 5);
  const now = gif.indices(picture(0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 0, 0).data);
  assert.deepEqual(gif.changed(now), { left: 1, top: 1, width: 2, height: 2 });
  assert.deepEqual(gif.changed(gif.indices(blank.data)), { left: 0, top: 0, width: 1, height: 1 });
  const size = gif.bytes().length;
  gif.add(blank, 5);
  assert.ok(gif.bytes().length - size < 40);
});
