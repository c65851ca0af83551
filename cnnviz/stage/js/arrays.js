// What is asked of plain numbers and arrays of them in several places.

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * Where the largest of some numbers is, the first of several.
 *
 * @param {ArrayLike<number>} values
 */
export function largestAt(values) {
  let best = 0;
  for (let n = 1; n < values.length; n++) if (values[n] > values[best]) best = n;
  return best;
}

/**
 * Whether two arrays hold the same, number by number.
 *
 * @param {ArrayLike<number> | undefined} a
 * @param {ArrayLike<number>} b
 */
export function sameNumbers(a, b) {
  if (a === b) return true;
  if (!a || a.length !== b.length) return false;
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return false;
  return true;
}

/**
 * The whole numbers from 0 to below `count`.
 *
 * @param {number} count
 */
export function range(count) {
  return Array.from({ length: count }, (_, n) => n);
}
