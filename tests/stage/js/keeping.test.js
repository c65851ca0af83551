// What a learner keeps is told when they rest, and late answers are known.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Keeping } from "../../../cnnviz/stage/js/keeping.js";

test("of many changes only the last is told, when the learner rests", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const keeping = new Keeping();
  const told = [];
  keeping.tell = (kept) => told.push(kept);
  for (const row of [1, 2, 3]) {
    keeping.send(() => ({ row }));
    t.mock.timers.tick(100);
  }
  assert.deepEqual(told, []);
  t.mock.timers.tick(1000);
  assert.deepEqual(told, [{ row: 3 }]);
});

test("an answer to something older is known, and what comes from elsewhere is not held for one", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const keeping = new Keeping();
  for (const row of [1, 2]) {
    keeping.send(() => ({ row }));
    t.mock.timers.tick(1000);
  }
  assert.equal(keeping.isOld({ row: 1 }), true);
  assert.equal(keeping.isOld({ row: 2 }), false);
  assert.equal(keeping.isOld({ row: 1 }), false);
});
