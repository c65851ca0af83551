// The engine computes after a change what it would have computed anew, and says what has changed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shifted } from "../../../cnnviz/stage/js/changes.js";
import { Engine } from "../../../cnnviz/stage/js/engine.js";
import { axis, counting, sceneWith } from "./scenes.js";

/** Numbers that look random, the same each time. */
function randomFrom(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

const INPUT = { shape: [7, 6, 2], op: { type: "input" } };

/** A network with every operation whose box is not all of it, and a branch. */
function network(seed) {
  const random = randomFrom(seed);
  const whole = (most) => Math.floor(random() * most);
  const numbers = (length) => Float32Array.from({ length }, () => (random() < 0.2 ? 0 : 4 * random() - 2));
  const rows = axis(7, 1 + whole(3), { stride: 1 + whole(2), dilation: 1 + whole(2), before: whole(2), after: whole(3) });
  const cols = axis(6, 1 + whole(2), { stride: 1 + whole(3), dilation: 1 + whole(2), before: whole(2), after: whole(2) });
  const [height, width] = [rows[6], cols[6]];
  const groups = 1 + whole(2);
  const conv = { type: "conv", rows, cols, groups, kernel: "conv/kernel", bias: "conv/bias" };
  const size = height * width * 4;
  const [down, across] = [axis(height, 1, { stride: 1, before: 1, after: 1 }), axis(width, Math.min(2, width))];
  const pool = { type: "pool", mode: random() < 0.5 ? "max" : "mean", rows: axis(height, Math.min(2, height)), cols: across };
  const back = { type: "transposed", rows, cols, kernel: "back/kernel" };
  const along = [height, width].map((size, a) => ({ size, taps: 2, cells: `cells${a}`, weights: `shares${a}` }));
  const cells = (length) => Int32Array.from({ length: 2 * length }, () => whole(length + 1) - 1);
  const stages = [
    INPUT,
    { shape: [height, width, 4], op: conv },
    { shape: [height, width, 4], op: { type: "activation", name: "relu", arguments: {} } },
    { shape: [height, width, 4], op: { type: "affine", form: "x*a+b", a: "bn/a", b: "bn/b", epsilon: 0.1,
      parts: { mean: "bn/mean", variance: "bn/variance", gamma: "bn/gamma" } } },
    { shape: [pool.rows[6], across[6], 4], op: pool },
    { shape: [height, width, 4], op: { type: "sample", fill: 0.5, along }, reads: [3] },
    { shape: [height, width, 4], op: { type: "merge", mode: "add", maps: [null, null] }, reads: [2, 5] },
    { shape: [7, 6, 3], op: back, reads: [6] },
    { shape: [height + 2, width, 2], op: { type: "conv", rows: down, cols: axis(width, 1), groups: 1, kernel: "one/kernel" }, reads: [6] },
    { shape: [height, width, 4], op: { type: "softmax", count: 4, step: 1, log: false }, reads: [6] },
    { shape: [1, 1, size], op: { type: "move", from: "from" } },
    { shape: [1, 1, 3], op: { type: "conv", rows: axis(height, height), cols: axis(width, width), groups: 1, kernel: "end/kernel" } },
  ];
  const arrays = {
    "conv/kernel": numbers((rows[1] * cols[1] * 2 * 4) / groups), "conv/bias": numbers(4),
    "bn/a": numbers(4), "bn/b": numbers(4), "bn/mean": numbers(4), "bn/variance": Float32Array.of(1, 2, 3, 4), "bn/gamma": numbers(4),
    cells0: cells(height), shares0: numbers(2 * height), cells1: cells(width), shares1: numbers(2 * width),
    "back/kernel": numbers(rows[1] * cols[1] * 3 * 4), "one/kernel": numbers(8), "end/kernel": numbers(3 * size),
    from: Int32Array.from({ length: size }, () => whole(size + 1)),
  };
  const weights = Object.keys(arrays).filter((name) => name.includes("/") && !/[ab]$/.test(name));
  const images = [numbers(84), numbers(84)];
  const scene = sceneWith(stages, images[0], arrays, { weights });
  const some = (length) => Array.from({ length: 1 + whole(3) }, () => whole(length));
  const set = (length) => {
    const at = some(length);
    return { at, values: at.map(() => Math.fround(3 * random() - 1)) };
  };
  const change = () => {
    const stage = scene.stages[whole(scene.stages.length)];
    const array = weights[whole(weights.length)];
    return [
      { kind: "values", stage: stage.name, ...set(stage.shape[0] * stage.shape[1] * stage.shape[2]) },
      { kind: "channel", stage: stage.name, channel: whole(stage.shape[2]) },
      { kind: "weights", array, ...set(arrays[array].length) },
      { kind: "shift", rows: whole(5) - 2, cols: whole(20) - 10 },
    ][whole(4)];
  };
  return { scene, images, change, whole };
}

test("after any changes the numbers are those of a computation from nothing", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { scene, images, change, whole } = network(seed);
    const engine = new Engine(scene);
    let changes = [];
    for (let step = 0; step < 12; step++) {
      if (whole(4) === 0) images[whole(2)] = images[0].map((x, n) => (n === whole(84) ? 1 : x));
      if (whole(4) === 0) changes = changes.slice(1);
      else changes = [...changes, change()];
      const image = images[whole(3) === 0 ? 1 : 0];
      const { values, changed } = engine.compute(image, changes);
      assert.deepEqual(values, new Engine(scene).compute(image, changes).values, `seed ${seed}, step ${step}`);
      const plain = new Engine(scene).compute(image).values;
      const differ = scene.stages.filter(({ index }) => values[index].some((x, n) => !Object.is(x, plain[index][n])));
      assert.deepEqual(changed, differ.map(({ index }) => index));
    }
  }
});

test("what was answered stays as it is, and what did not change is shared", () => {
  const { scene, images } = network(3);
  const engine = new Engine(scene);
  const before = engine.compute(images[0]).values;
  const kept = before.map((each) => each.slice());
  const at = [...counting(84)];
  const after = engine.compute(images[0], [{ kind: "values", stage: "stage 1", at: [0], values: [90] }]).values;
  engine.compute(images[0], [{ kind: "values", stage: "stage 0", at, values: at }]);
  assert.deepEqual(before, kept);
  assert.equal(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
});

test("NaN and infinity go through as they are", () => {
  const rows = axis(3, 3, { before: 1, after: 1 });
  const stages = [
    { shape: [3, 3, 1], op: { type: "input" } },
    { shape: [3, 3, 1], op: { type: "conv", rows, cols: rows, groups: 1, kernel: "k/kernel" } },
    { shape: [3, 3, 1], op: { type: "pool", mode: "max", rows, cols: rows } },
  ];
  const kernel = new Float32Array(9);
  kernel[4] = 1;
  const scene = sceneWith(stages, counting(9), { "k/kernel": kernel }, { weights: ["k/kernel"] });
  const engine = new Engine(scene);
  engine.compute(counting(9));
  const [, conv, most] = engine.compute(Float32Array.of(NaN, 1, 2, 3, 4, 5, 6, 7, Infinity)).values;
  // Whatever is 0 is left out, but not what is 0 times NaN.
  assert.deepEqual([...conv], [NaN, NaN, 2, NaN, NaN, NaN, 6, NaN, Infinity]);
  assert.deepEqual([...most].map(Number.isNaN), [true, true, true, true, true, true, true, true, true]);
  kernel[0] = Infinity;
  const [, wide] = new Engine(sceneWith(stages, counting(9), { "k/kernel": kernel })).compute(counting(9)).values;
  // 0 times an infinite weight is NaN, padding too.
  assert.deepEqual([...wide].map(Number.isNaN), [true, true, true, true, true, false, true, false, false]);
});

test("a moved image has 0 where it came from, and loses what leaves it", () => {
  assert.deepEqual([...shifted([2, 3, 1], Float32Array.of(1, 2, 3, 4, 5, 6), 1, -1)], [0, 0, 0, 2, 3, 0]);
  assert.deepEqual([...shifted([2, 2, 1], Float32Array.of(1, 2, 3, 4), 0, 2)], [0, 0, 0, 0]);
  assert.deepEqual([...shifted([2, 2, 2], counting(8), -1, 0)], [4, 5, 6, 7, 0, 0, 0, 0]);
});

test("what does not fit is refused in a sentence, and the engine goes on", () => {
  const { scene, images } = network(2);
  const engine = new Engine(scene);
  const refused = (changes, message) => assert.throws(() => engine.compute(images[0], changes), message);
  refused([{ kind: "weights", array: "cells0", at: [0], values: [1] }], /there are no weights called "cells0"/);
  refused([{ kind: "values", stage: "stage 0", at: [0], values: [NaN] }], /finite numbers within float32's range, got NaN/);
  assert.throws(() => engine.compute(counting(3)), /the image must have 7×6×2 numbers, got 3/);
  assert.equal(engine.compute(images[0]).changed.length, 0);
});
