// The slopes of Keras's operations cell by cell, as `elementwise_rules` in Python says them: at the border of a
// clip they are 1, and what goes up and down in steps has none.

import { ELEMENTWISE } from "./elementwise.js";

/** @type {(holds: boolean) => number} */
const truth = Number;
const none = (/** @type {number} */ y, /** @type {number[]} */ ...numbers) => numbers.map(() => 0);
const quotient = (/** @type {number} */ y, /** @type {number} */ a, /** @type {number} */ b) => [1 / b, -a / b / b];

/**
 * By the function in keras.ops: how fast the result, which comes first, grows with each argument.
 *
 * @type {Record<string, (y: number, ...numbers: number[]) => number[]>}
 */
export const ELEMENTWISE_SLOPES = {
  add: () => [1, 1],
  subtract: () => [1, -1],
  multiply: (y, a, b) => [b, a],
  maximum: (y, a, b) => [truth(a >= b), truth(!(a >= b))],
  minimum: (y, a, b) => [truth(a <= b), truth(!(a <= b))],
  add_scaled: (y, a, b, scale) => [1, scale, b],
  divide: quotient,
  true_divide: quotient,
  power: (y, a, b) => [b === 0 ? 0 : b * ELEMENTWISE.power([a, b - 1]), a > 0 ? y * Math.log(a) : 0],
  floor_divide: none,
  mod: (y, a, b) => [1, -Math.floor(a / b)],
  arctan2: (y, a, b) => [b / (a * a + b * b), -a / (a * a + b * b)],
  greater: none,
  greater_equal: none,
  less: none,
  less_equal: none,
  equal: none,
  not_equal: none,
  logical_and: none,
  logical_or: none,
  logical_not: none,
  where: (y, condition) => [0, truth(condition !== 0), truth(condition === 0)],
  negative: () => [-1],
  absolute: (y, x) => [Math.sign(x)],
  sign: none,
  floor: none,
  ceil: none,
  trunc: none,
  round: none,
  clip: (y, x, low, high) => [truth(x >= low && x <= high), 0, 0],
  square: (y, x) => [2 * x],
  reciprocal: (y, x) => [-1 / (x * x)],
  sqrt: (y) => [0.5 / y],
  rsqrt: (y, x) => [(-0.5 * y) / x],
  exp: (y) => [y],
  expm1: (y, x) => [Math.exp(x)],
  log: (y, x) => [1 / x],
  log2: (y, x) => [1 / x / Math.LN2],
  log10: (y, x) => [1 / x / Math.LN10],
  log1p: (y, x) => [1 / (1 + x)],
  sin: (y, x) => [Math.cos(x)],
  cos: (y, x) => [-Math.sin(x)],
  tan: (y) => [1 + y * y],
  arcsin: (y, x) => [1 / Math.sqrt(1 - x * x)],
  arccos: (y, x) => [-1 / Math.sqrt(1 - x * x)],
  arctan: (y, x) => [1 / (1 + x * x)],
  sinh: (y, x) => [Math.cosh(x)],
  cosh: (y, x) => [Math.sinh(x)],
  erf: (y, x) => [(Math.exp(-x * x) * 2) / Math.sqrt(Math.PI)],
};
