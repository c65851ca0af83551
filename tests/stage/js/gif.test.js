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
  /** @type {(next: ReturnType<typeof picture>) => number[]} left, top, width and height as the file says them */
  const boxOf = (next) => {
    gif.add(next, 5);
    const head = gif.parts[gif.parts.length - 2];
    return [9, 11, 13, 15].map((at) => head[at] + 256 * head[at + 1]);
  };
  assert.deepEqual(boxOf(blank), [0, 0, 4, 3]);
  assert.deepEqual(boxOf(picture(0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 0, 0)), [1, 1, 2, 2]);
  assert.deepEqual(boxOf(blank), [1, 1, 2, 2]);
  const size = gif.bytes().length;
  assert.deepEqual(boxOf(blank), [0, 0, 1, 1]);
  assert.ok(gif.bytes().length - size < 40);
});
