import assert from "node:assert/strict";
import test from "node:test";

import { bytesOf, numbersOf } from "../../../cnnviz/stage/js/image_bytes.js";

const bytes = Array.from({ length: 256 }, (_, n) => n);
const scene = (picture) => /** @type {any} */ ({ stages: [{ shape: [2, 64, 2] }], picture });

test("bytes come back from the numbers that they are, whatever the network's scale", () => {
  for (const picture of [null, { factor: [0.5, 1 / 255], offset: [0.5, 0.4] }]) {
    assert.deepEqual([...bytesOf(scene(picture), numbersOf(scene(picture), bytes))], bytes);
  }
});

test("what no byte says is cut off", () => {
  assert.deepEqual([...bytesOf(scene(null), [-1, 2, 0.5])], [0, 255, 128]);
});
