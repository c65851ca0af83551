// Forward and backward are each other's transpose, and secants split a difference exactly, for every operation.

import assert from "node:assert/strict";
import { test } from "node:test";

import { differentiable, jacobianVector, vectorJacobian } from "../../../cnnviz/stage/js/jacobians.js";
import { axis, sceneWith } from "./scenes.js";

const SHAPE = [4, 5, 4];
const SIZE = 80;
const WINDOW = { rows: axis(4, 3, { stride: 2, before: 1, after: 1 }), cols: axis(5, 2, { dilation: 2 }) };
const POOLED = { rows: axis(4, 2, { stride: 2 }), cols: axis(5, 3, { before: 1 }) };
const WHOLE = { rows: axis(4, 4), cols: axis(5, 5) };
const LARGER = { rows: axis(8, 2, { stride: 2 }), cols: axis(6, 2) };
const ALONG = [
  { size: 4, taps: 2, cells: "rows", weights: "halves" },
  { size: 5, taps: 2, cells: "cols", weights: "shares" },
];

/** @type {(seed: number) => () => number} numbers between -1 and 1 that are the same in every run */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

/** @type {(length: number, seed: number) => Float32Array} */
const random = (length, seed) => {
  const next = randomOf(seed);
  return Float32Array.from({ length }, next);
};

const ARRAYS = {
  k: random(400, 1),
  b: random(4, 2),
  b3: random(3, 2),
  b6: random(6, 2),
  a: Float32Array.of(0.5, -2, 1.5, 3),
  alpha: random(SIZE, 3),
  turned: Int32Array.from({ length: SIZE }, (_, n) => (n % 7 ? ((n * 3) % SIZE) + 1 : 0)),
  spread: Int32Array.from({ length: SIZE }, (_, n) => n % 4),
  rows: Int32Array.of(0, 1, 2, 3, 3, 4),
  cols: Int32Array.of(1, 2, 4, 4),
  halves: new Float32Array(6).fill(0.5),
  shares: Float32Array.of(1, 0, 0.25, 0.75),
};

// Axes as length, and how far a step along them goes in both arrays and in the bias.
const ROWS_BY_WEIGHTS = { out: [[4, 20, 0, 0], [5, 4, 0, 0], [3, 0, 1, 1]], over: [[4, 1, 3, 0]] };
const ROWS_BY_ROWS = { out: [[4, 20, 0, 0], [4, 0, 20, 0], [5, 4, 4, 0]], over: [[4, 1, 1, 0]] };
const OVER_COLUMNS = { over: [[5, 4]], kept: [[4, 20], [4, 1]] };
const NORM = { over: [[4, 1, 1]], kept: [[4, 20, 0], [5, 4, 0]] };

/** @type {Record<string, { shape: number[], op: any, reads?: number[] }>} */
const STAGES = {
  conv: { shape: [2, 3, 6], op: { type: "conv", ...WINDOW, groups: 2, kernel: "k", bias: "b6" } },
  transposed: { shape: [8, 6, 3], op: { type: "transposed", ...LARGER, kernel: "k", bias: "b3" } },
  "max pool": { shape: [2, 4, 4], op: { type: "pool", mode: "max", ties: "rows", ...POOLED } },
  "max by columns": { shape: [2, 4, 4], op: { type: "pool", mode: "max", ties: "columns", ...POOLED } },
  "global max": { shape: [1, 1, 4], op: { type: "pool", mode: "max", ties: "shared", ...WHOLE } },
  "mean pool": { shape: [2, 4, 4], op: { type: "pool", mode: "mean", ...POOLED } },
  sample: { shape: [3, 2, 4], op: { type: "sample", fill: 0.5, along: ALONG } },
  affine: { shape: SHAPE, op: { type: "affine", form: "x*a+b", a: "a", b: "b" } },
  normalised: { shape: SHAPE, op: { type: "affine", form: "(x-a)/b", a: "b", b: "a" } },
  relu: { shape: SHAPE, op: { type: "activation", name: "relu", arguments: {} } },
  tanh: { shape: SHAPE, op: { type: "activation", name: "tanh", arguments: {} } },
  prelu: { shape: SHAPE, op: { type: "activation", name: "prelu", arguments: { alpha: "alpha" } } },
  softmax: { shape: SHAPE, op: { type: "softmax", count: 5, step: 4, log: false } },
  "log softmax": { shape: SHAPE, op: { type: "softmax", count: 4, step: 1, log: true } },
  move: { shape: SHAPE, op: { type: "move", from: "turned" } },
  add: { shape: SHAPE, reads: [0, 1], op: { type: "merge", mode: "add", maps: [null, null] } },
  subtract: { shape: SHAPE, reads: [0, 1], op: { type: "merge", mode: "subtract", maps: ["spread", null] } },
  average: { shape: SHAPE, reads: [0, 1, 0], op: { type: "merge", mode: "average", maps: [null, null, null] } },
  multiply: { shape: SHAPE, reads: [0, 1, 0], op: { type: "merge", mode: "multiply", maps: [null, null, "spread"] } },
  maximum: { shape: SHAPE, reads: [1, 0, 0], op: { type: "merge", mode: "maximum", maps: [null, null, "spread"] } },
  minimum: { shape: SHAPE, reads: [1, 0], op: { type: "merge", mode: "minimum", maps: [null, "spread"] } },
  power: { shape: SHAPE, op: { type: "merge", mode: "power", maps: [null], arguments: [0, { value: 3 }] } },
  clip: { shape: SHAPE, op: { type: "merge", mode: "clip", maps: [null], arguments: [0, { value: -0.5 }, { value: 0.25 }] } },
  where: { shape: SHAPE, reads: [0, 1], op: { type: "merge", mode: "where", maps: [null, null], arguments: [{ array: "a", map: "spread" }, 1, 0] } },
  "add an array": { shape: SHAPE, op: { type: "merge", mode: "add", maps: [null], arguments: [0, { array: "alpha" }] } },
  "arc tangent of two": { shape: SHAPE, reads: [0, 1], op: { type: "merge", mode: "arctan2", maps: [null, null] } },
  "largest samples": { shape: [3, 2, 4], op: { type: "sample", mode: "max", fill: 0, along: ALONG } },
  "products with weights": { shape: [4, 5, 3], op: { type: "contract", first: 0, second: "k", bias: "b3", scale: 0.5, ...ROWS_BY_WEIGHTS } },
  "products of two": { shape: [4, 4, 5], reads: [0, 1], op: { type: "contract", first: 0, second: 1, ...ROWS_BY_ROWS } },
  "products with itself": { shape: [4, 4, 5], reads: [1, 1], op: { type: "contract", first: 0, second: 1, ...ROWS_BY_ROWS } },
  sum: { shape: [4, 1, 4], op: { type: "reduce", mode: "sum", ...OVER_COLUMNS } },
  mean: { shape: [4, 1, 4], op: { type: "reduce", mode: "mean", ...OVER_COLUMNS } },
  largest: { shape: [4, 1, 4], op: { type: "reduce", mode: "max", ...OVER_COLUMNS } },
  smallest: { shape: [4, 1, 4], op: { type: "reduce", mode: "min", ...OVER_COLUMNS } },
  variance: { shape: [4, 1, 4], op: { type: "reduce", mode: "var", ...OVER_COLUMNS } },
  "layer norm": { shape: SHAPE, op: { type: "normalize", ...NORM, mean: true, centres: true, shares: 4, epsilon: 1e-3, gain: "a", shift: "b" } },
  "root mean square": { shape: SHAPE, op: { type: "normalize", ...NORM, mean: false, centres: false, shares: 4, epsilon: 1e-3, gain: "a", shift: null } },
  "unit length": { shape: SHAPE, op: { type: "normalize", ...NORM, mean: false, centres: false, shares: 1, epsilon: null, gain: null, shift: null } },
  "tanh at each step": { shape: SHAPE, op: { type: "each", steps: 4, source: [1, 5, 4], shape: [1, 5, 4], op: { type: "activation", name: "tanh", arguments: {} } } },
  "dense at each step": { shape: [4, 5, 3], op: { type: "each", steps: 4, source: [1, 5, 4], shape: [1, 5, 3], op: { type: "conv", rows: axis(1, 1), cols: axis(5, 1), groups: 1, kernel: "k", bias: "b3" } } },
};

/** A scene of an input, a bent copy of it, and the stage. */
const sceneOf = (/** @type {any} */ stage) => {
  const bent = { shape: SHAPE, op: { type: "activation", name: "sigmoid", arguments: {} } };
  return sceneWith([{ shape: SHAPE, op: { type: "input" } }, bent, { reads: [0], ...stage }], random(SIZE, 5), ARRAYS);
};

/** @type {(a: ArrayLike<number>, b: ArrayLike<number>) => number} */
const dot = (a, b) => Array.from(a).reduce((sum, x, n) => sum + x * b[n], 0);

for (const [name, stage] of Object.entries(STAGES)) {
  test(`forward and backward are each other's transpose: ${name}`, () => {
    const scene = sceneOf(stage);
    const values = scene.valuesOf(0);
    const last = scene.stages[2];
    const grad = random(values[2].length, 6);
    const tangents = [random(SIZE, 7), random(SIZE, 8)];
    const forward = jacobianVector(scene, last, values, tangents);
    const backs = vectorJacobian(scene, last, values, grad);
    assert.ok(forward && backs && differentiable(last.op));
    const back = backs.reduce((sum, each, i) => sum + dot(each, tangents[last.reads[i]]), 0);
    const size = dot(grad.map(Math.abs), forward.map(Math.abs));
    // Each number of the one side is rounded to float32 once.
    assert.ok(Math.abs(dot(grad, forward) - back) <= 2 ** -23 * (size + 1), `${dot(grad, forward)} and ${back}`);
  });

  test(`secants split the whole difference from another image: ${name}`, () => {
    const scene = sceneOf(stage);
    const last = scene.stages[2];
    const here = scene.forward(random(SIZE, 5));
    const there = scene.forward(random(SIZE, 9).map((x, n) => (n % 3 ? x : here[0][n])));
    const grad = random(here[2].length, 6);
    const backs = vectorJacobian(scene, last, here, grad, there);
    const split = (/** @type {Float64Array[]} */ all) =>
      all.reduce((sum, each, i) => sum + dot(each, here[last.reads[i]].map((x, n) => x - there[last.reads[i]][n])), 0);
    const whole = dot(grad, Float64Array.from(here[2], (x, n) => x - there[2][n]));
    const terms = here[2].reduce((sum, x, n) => sum + Math.abs(x) + Math.abs(there[2][n]), 0) + SIZE;
    // Both outputs are rounded to float32, and so are the differences of the inputs here.
    assert.ok(Math.abs(split(/** @type {any} */ (backs)) - whole) <= 2 ** -22 * 10 * terms);
  });
}

test("of equal numbers the first wins, or all share", () => {
  const image = new Float32Array(SIZE).fill(2);
  const backOf = (/** @type {string} */ name) => {
    const scene = sceneOf(STAGES[name]);
    const values = scene.forward(image);
    return vectorJacobian(scene, scene.stages[2], values, new Float32Array(values[2].length).fill(1))?.[0];
  };
  assert.deepEqual(backOf("global max"), new Float64Array(SIZE).fill(1 / 20));
  // Two windows begin there or in the padding before it.
  assert.equal(backOf("max pool")?.[0], 2);
  assert.equal(backOf("max pool")?.[20], 0);
});

test("the first of equal numbers is found by rows or by columns", () => {
  const image = new Float32Array(SIZE);
  // In the windows of the first row the largest of channel 0 are at row 0, column 2, and at row 1, column 1.
  image[8] = image[24] = 1;
  const backOf = (/** @type {string} */ name) => {
    const scene = sceneOf(STAGES[name]);
    const values = scene.forward(image);
    const grad = new Float32Array(values[2].length);
    grad[4] = 1;
    return vectorJacobian(scene, scene.stages[2], values, grad)?.[0];
  };
  assert.deepEqual([backOf("max pool"), backOf("max by columns")].map((back) => back?.indexOf(1)), [8, 24]);
});

test("infinite weights make NaN of a gradient of 0, as in Python", () => {
  const scene = sceneWith(
    [{ shape: [1, 1, 2], op: { type: "input" } }, { shape: [1, 1, 2], op: { type: "conv", rows: axis(1, 1), cols: axis(1, 1), groups: 1, kernel: "k" } }],
    Float32Array.of(1, 1),
    { k: Float32Array.of(Infinity, 1, 2, 3) },
  );
  const back = vectorJacobian(scene, scene.stages[1], scene.valuesOf(0), new Float32Array(2));
  assert.deepEqual([...(back?.[0] ?? [])], [NaN, 0]);
});

test("an operation that is not known gives nothing, and says so", () => {
  const scene = sceneOf(STAGES.relu);
  const others = [
    { type: "given" },
    { type: "pool", mode: "median" },
    { type: "merge", mode: "median" },
    { type: "reduce", mode: "median" },
    { type: "each", op: { type: "given" } },
    { type: "activation", name: "sine" },
  ];
  for (const op of others) {
    const stage = { ...scene.stages[2], op };
    assert.equal(differentiable(op), false);
    assert.equal(vectorJacobian(scene, stage, scene.valuesOf(0), new Float32Array(SIZE)), null);
    assert.equal(jacobianVector(scene, stage, scene.valuesOf(0), [new Float32Array(SIZE)]), null);
  }
  assert.equal(jacobianVector(scene, scene.stages[2], scene.valuesOf(0), [null]), null);
});
