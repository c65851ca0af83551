// Small functions of plain numbers and arrays of them.

/** @import { Box } from "./scene.js" */

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * The largest of some numbers, however many there are, and of a start; NaN if one is.
 *
 * @param {ArrayLike<number>} values
 * @param {number} [start]
 */
export function maximum(values, start = -Infinity) {
  let most = start;
  for (let n = 0; n < values.length; n++) most = Math.max(most, values[n]);
  return most;
}

/**
 * The smallest of some numbers, however many there are; NaN if one is.
 *
 * @param {ArrayLike<number>} values
 */
export function minimum(values) {
  let least = Infinity;
  for (let n = 0; n < values.length; n++) least = Math.min(least, values[n]);
  return least;
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
 * The places of the largest numbers, the largest first; of equal ones the first comes first.
 *
 * @param {ArrayLike<number>} values
 * @param {number} count
 */
export function largestFirst(values, count) {
  const places = range(values.length);
  return places.sort((a, b) => values[b] - values[a] || a - b).slice(0, count);
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
 * Sorted whole numbers as runs without gaps: [first, last] each.
 *
 * @param {number[]} numbers
 */
export function runs(numbers) {
  /** @type {[number, number][]} */
  const joined = [];
  for (const n of numbers) {
    const last = joined.at(-1);
    if (last?.[1] === n - 1) last[1] = n;
    else joined.push([n, n]);
  }
  return joined;
}

/**
 * The smallest box that holds all cells of a grid for which something is so; null if there are none.
 *
 * @param {number} rows
 * @param {number} cols
 * @param {(n: number) => boolean} holds of the n-th cell, row by row
 * @returns {Box | null}
 */
export function boxOfAll(rows, cols, holds) {
  const box = { top: rows, bottom: -1, left: cols, right: -1 };
  for (let row = 0, n = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, n++) {
      if (!holds(n)) continue;
      box.top = Math.min(box.top, row);
      box.bottom = row;
      box.left = Math.min(box.left, col);
      box.right = Math.max(box.right, col);
    }
  }
  return box.bottom < 0 ? null : box;
}

/**
 * The smallest box around two; none is around nothing.
 *
 * @param {Box | null} a
 * @param {Box | null} b
 * @returns {Box | null}
 */
export function boxAround(a, b) {
  if (!a || !b) return a ?? b;
  return {
    top: Math.min(a.top, b.top),
    bottom: Math.max(a.bottom, b.bottom),
    left: Math.min(a.left, b.left),
    right: Math.max(a.right, b.right),
  };
}

/**
 * The whole numbers from 0 to below `count`.
 *
 * @param {number} count
 */
export function range(count) {
  return Array.from({ length: count }, (_, n) => n);
}
