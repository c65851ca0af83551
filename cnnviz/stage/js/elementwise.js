// Keras's operations cell by cell, as functions of their arguments: NumPy's, in the order of its call.

const f = Math.fround;

/** @type {(holds: boolean) => number} */
const truth = Number;

/**
 * By their function in keras.ops; true is 1 and false is 0.
 *
 * @type {Record<string, (numbers: number[]) => number>}
 */
export const ELEMENTWISE = {
  add_scaled: ([a, b, scale]) => f(a + f(b * scale)),
  divide: ([a, b]) => a / b,
  true_divide: ([a, b]) => a / b,
  // NumPy's power of 1 is 1, whatever the exponent.
  power: ([a, b]) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  floor_divide: ([a, b]) => Math.floor(f(a / b)),
  mod([a, b]) {
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  arctan2: ([a, b]) => Math.atan2(a, b),
  greater: ([a, b]) => truth(a > b),
  greater_equal: ([a, b]) => truth(a >= b),
  less: ([a, b]) => truth(a < b),
  less_equal: ([a, b]) => truth(a <= b),
  equal: ([a, b]) => truth(a === b),
  not_equal: ([a, b]) => truth(a !== b),
  logical_and: ([a, b]) => truth(a !== 0 && b !== 0),
  logical_or: ([a, b]) => truth(a !== 0 || b !== 0),
  logical_not: ([x]) => truth(x === 0),
  where: ([condition, a, b]) => (condition !== 0 ? a : b),
  negative: ([x]) => -x,
  absolute: ([x]) => Math.abs(x),
  sign: ([x]) => Math.sign(x),
  floor: ([x]) => Math.floor(x),
  ceil: ([x]) => Math.ceil(x),
  trunc: ([x]) => Math.trunc(x),
  // A half goes to the even side.
  round: ([x]) => (x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  clip: ([x, low, high]) => Math.min(Math.max(x, low), high),
  square: ([x]) => x * x,
  reciprocal: ([x]) => 1 / x,
  sqrt: ([x]) => Math.sqrt(x),
  rsqrt: ([x]) => 1 / Math.sqrt(x),
  exp: ([x]) => Math.exp(x),
  expm1: ([x]) => Math.expm1(x),
  log: ([x]) => Math.log(x),
  log2: ([x]) => Math.log2(x),
  log10: ([x]) => Math.log10(x),
  log1p: ([x]) => Math.log1p(x),
  sin: ([x]) => Math.sin(x),
  cos: ([x]) => Math.cos(x),
  tan: ([x]) => Math.tan(x),
  arcsin: ([x]) => Math.asin(x),
  arccos: ([x]) => Math.acos(x),
  arctan: ([x]) => Math.atan(x),
  sinh: ([x]) => Math.sinh(x),
  cosh: ([x]) => Math.cosh(x),
  erf: ([x]) => (Math.abs(x) < 2.5 ? erfSeries(x) : 1 - erfc(x)),
};

/**
 * The error function near 0, by its Taylor series.
 *
 * @param {number} x
 */
function erfSeries(x) {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/**
 * The complementary error function, by Lentz's continued fraction or the Taylor series of erf.
 *
 * @param {number} x
 */
export function erfc(x) {
  const z = Math.abs(x);
  if (z < 2.5) return 1 - erfSeries(x);
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  const result = Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  return x >= 0 ? result : x < 0 ? 2 - result : NaN;
}
