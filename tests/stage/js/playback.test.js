// Which steps are played of many, and that a playback keeps its time, waits, and ends.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Playback, SPEEDS, stepsShown } from "../../../cnnviz/stage/js/playback.js";

test("few steps are all shown", () => {
  assert.deepEqual(stepsShown(4, 2, 100), [0, 1, 2, 3]);
  assert.deepEqual(stepsShown(1, 0, 60), [0]);
});

test("of many a stretch is shown one by one, the others in leaps, and never more than asked for", () => {
  for (const most of [60, 100]) {
    for (const count of [most + 1, 144, 676, 12544, 50176]) {
      for (const at of [0, 1, Math.floor(count / 3), count - 2, count - 1]) {
        const steps = stepsShown(count, at, most);
        const gaps = steps.slice(1).map((step, n) => step - steps[n]);
        assert.ok(steps.length <= most, `${steps.length} of ${count} at ${at}`);
        assert.ok(steps.length > 0.6 * most);
        assert.deepEqual([steps[0], steps.at(-1)], [0, count - 1]);
        assert.ok(gaps.every((gap) => gap > 0));
        assert.ok(steps.includes(at));
        const close = steps.slice(steps.indexOf(Math.min(at, count - 0.6 * most)));
        assert.ok(close.slice(0, 0.6 * most).every((step, n) => step === close[0] + n));
      }
    }
  }
});

/** A playback whose frames are asked for by hand. */
function played(count, held = () => false) {
  /** @type {number[]} */
  const moves = [];
  /** @type {((now: number) => void) | null} */
  let next = null;
  const playback = new Playback({ moved: () => moves.push(playback.at), held, frame: (run) => (next = run) });
  playback.begin(count, 0);
  const at = (/** @type {number} */ now) => {
    const run = next;
    next = null;
    run?.(now);
    return next !== null;
  };
  return { playback, moves, at };
}

test("it goes so many steps a second, makes up for slow frames, and ends at the last", () => {
  const { playback, moves, at } = played(12);
  const wait = 1000 / SPEEDS[1];
  playback.play();
  assert.ok(at(0));
  at(wait - 1);
  assert.deepEqual(moves, []);
  at(wait);
  at(3.5 * wait);
  assert.deepEqual(moves, [1, 3]);
  at(4 * wait);
  assert.deepEqual(moves, [1, 3, 4]);
  at(40 * wait);
  assert.deepEqual(moves, [1, 3, 4, 5], "a window that was hidden for long goes on where it was");
  at(46 * wait);
  assert.equal(playback.at, 11);
  assert.ok(!playback.running);
  assert.ok(!at(60 * wait), "no frame is asked for any more");
  playback.play();
  assert.deepEqual([playback.at, playback.running], [0, true], "played again it begins again");
});

test("frames that take longer than a pause go on all the same, one step each", () => {
  const { playback, moves, at } = played(4);
  playback.play();
  for (let now = 0; at(now); now += 3000);
  assert.deepEqual(moves, [1, 2, 3]);
});

test("held it waits, and does not hurry afterwards", () => {
  let held = false;
  const { playback, moves, at } = played(50, () => held);
  playback.play();
  at(0);
  held = true;
  for (let now = 100; now < 900; now += 100) at(now);
  assert.deepEqual(moves, []);
  held = false;
  at(900);
  assert.ok(moves.length <= 1);
});

test("a place that is chosen stands, and one step is nothing to play", () => {
  const { playback, at } = played(5);
  playback.play();
  playback.choose(9);
  assert.deepEqual([playback.at, playback.running], [4, false]);
  playback.choose(-3);
  assert.equal(playback.at, 0);
  assert.ok(!at(1000));
  playback.begin(1, 0);
  playback.play();
  assert.ok(!playback.running);
});
