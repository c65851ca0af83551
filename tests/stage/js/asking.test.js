import assert from "node:assert/strict";
import test from "node:test";

import { Asking } from "../../../cnnviz/stage/js/asking.js";

const stage = { index: 0, shape: [1, 1, 1] };
const shown = () => ({ plain: { stages: [stage], items: [{ key: "a" }] }, inSight: () => [], values: [] });

test("what is forgotten is answered with nothing, and the next question is asked", async () => {
  const sent = [];
  const asking = new Asking(/** @type {any} */ (shown()), (question) => sent.push(question));
  const about = { item: 0, image: null, changes: [] };
  const first = asking.compute(about, null);
  const second = asking.compute(about, null);
  assert.deepEqual(sent.map(({ count }) => count), [1]);
  asking.forget();
  assert.deepEqual(await Promise.all([first, second]), [null, null]);
  asking.compute(about, null);
  assert.deepEqual(sent.map(({ count }) => count), [1, 2]);
});
