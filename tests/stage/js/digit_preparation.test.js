// A drawn bar is brought into MNIST's frame wherever and however large it is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { prepareDigit } from "../../../cnnviz/stage/js/digit_preparation.js";

const SIDE = 112;

/** @type {(top: number, left: number, height: number, width: number) => Uint8Array | null} */
function bar(top, left, height, width) {
  const data = new Float64Array(SIDE * SIDE);
  for (let r = top; r < top + height; r++) data.fill(1, r * SIDE + left, r * SIDE + left + width);
  return prepareDigit({ rows: SIDE, cols: SIDE, data });
}

test("a bar is centred and twenty pixels tall, wherever it is drawn", () => {
  for (const [top, left, height] of [[20, 30, 60], [40, 80, 40], [5, 12, 90]]) {
    const digit = bar(top, left, height, 8);
    assert.ok(digit);
    const rows = Array.from({ length: 28 }, (_, r) => Math.max(...digit.subarray(28 * r, 28 * (r + 1))));
    assert.equal(rows.filter((most) => most > 20).length, 20);
    assert.equal(Math.max(...digit), 255);
    let [sum, down, across] = [0, 0, 0];
    digit.forEach((ink, n) => {
      sum += ink;
      down += ink * Math.floor(n / 28);
      across += ink * (n % 28);
    });
    assert.ok(Math.abs(down / sum - 14) <= 0.6 && Math.abs(across / sum - 14) <= 0.6);
  }
});

test("a speck beside a digit, and a pad without ink", () => {
  const data = new Float64Array(SIDE * SIDE);
  for (let r = 20; r < 80; r++) data.fill(1, r * SIDE + 40, r * SIDE + 48);
  data[100 * SIDE + 100] = 1;
  assert.deepEqual(prepareDigit({ rows: SIDE, cols: SIDE, data }), bar(20, 40, 60, 8));
  assert.equal(bar(0, 0, 0, 0), null);
});

test("specks beside what runs along the edge are framed, none of them being too light beside the others", () => {
  const data = new Float64Array(100 * 100);
  for (let r = 0; r < 100; r++) data.fill(1, r * 100, r * 100 + 10);
  for (let r = 5; r < 95; r += 10) {
    for (let c = 20; c < 95; c += 16) for (const n of [0, 1, 100, 101]) data[r * 100 + c + n] = 1;
  }
  assert.ok(prepareDigit({ rows: 100, cols: 100, data }));
});
