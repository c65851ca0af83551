// Contributions are ranked by size whatever their sign, and what is shown, folded and added makes the receipt's total.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MEANINGS, channelsOf, contributionsOf, positionsOf, ranked, totalOf } from "../../../cnnviz/stage/js/contributions.js";
import { receiptOf } from "../../../cnnviz/stage/js/receipt.js";
import { axis, sceneWith } from "./scenes.js";

const INPUT = { shape: [2, 2, 2], op: { type: "input" } };
const IMAGE = Float32Array.of(1, 2, 3, 0, 5, 6, 7, 8);

/** @type {(op: object, shape: number[], arrays?: object, reads?: number[], image?: Float32Array) => any} */
function explained(op, shape, arrays = {}, reads = [0], image = IMAGE) {
  const scene = sceneWith([INPUT, { shape, op, reads }], image, /** @type {any} */ (arrays));
  return receiptOf(scene, scene.valuesOf(0), { stage: 1, row: 0, col: 0, channel: 0 });
}

const WINDOW = { rows: axis(2, 2, { before: 1, after: 1 }), cols: axis(2, 2) };
const SIDE = { rows: axis(2, 2), cols: axis(2, 2) };

test("a sum's factors are ranked by size, negative ones as much, and fold to the receipt's total", () => {
  const k = Float32Array.of(0.1, -1, 2, 3, -1.3, 0.7, 0.5, 0.25);
  const receipt = explained({ type: "conv", ...SIDE, groups: 1, kernel: "k", bias: "b" }, [1, 1, 1], { k, b: Float32Array.of(0.3) });
  const ranking = contributionsOf(receipt, { most: 3 });
  const all = [...ranking.shown, ...ranking.folded];
  assert.deepEqual(all.map(({ product }) => Math.abs(product)), all.map(({ product }) => Math.abs(product)).sort((a, b) => b - a));
  assert.deepEqual([ranking.kind, ranking.adds, ranking.shown.length], ["sum", true, 2]);
  // 6.5 and 6 of 21.3: 6 is the product of 3 and 2.
  assert.deepEqual(ranking.shown.map(({ from, weight }) => [from?.row, from?.channel, weight?.index]), [[1, 0, 4], [0, 0, 2]]);
  assert.ok(ranking.shown[0].product < 0);
  const shares = all.reduce((sum, { share }) => sum + share, 0);
  assert.ok(Math.abs(shares - 1) < 1e-12);
  assert.equal(ranking.shown[0].ofSum, null);
  assert.equal(totalOf(ranking), receipt.total);
  assert.equal(ranking.bias, Math.fround(0.3));
  const folded = ranking.folded.reduce((sum, { product }) => sum + product, 0);
  assert.ok(Math.abs(ranking.rest - folded) <= 8 * 2 ** -24 * ranking.magnitude);
});

test("equal contributions stay in reading order, and padding comes last", () => {
  const k = new Float32Array(8).fill(1);
  const ones = { type: "conv", ...WINDOW, groups: 1, kernel: "k" };
  const scene = sceneWith([INPUT, { shape: [3, 1, 1], op: ones }], new Float32Array(8).fill(2), { k });
  const receipt = receiptOf(scene, scene.valuesOf(0), { stage: 1, row: 0, col: 0, channel: 0 });
  const { shown, folded } = contributionsOf(receipt, { part: 1 });
  assert.deepEqual(shown.map(({ group, term }) => [group, term]), [[0, 2], [0, 3], [1, 2], [1, 3]]);
  assert.ok(folded.every(({ from, product }) => from === null && product === 0));
  assert.ok(shown.every(({ share, ofSum }) => share === 0.25 && ofSum === 0.25));
});

test("channels and positions are sums of the same products", () => {
  const k = Float32Array.of(0.1, -1, 2, 3, -1.3, 0.7, 0.5, 0.25);
  const receipt = explained({ type: "conv", ...SIDE, groups: 1, kernel: "k" }, [1, 1, 1], { k });
  const channels = channelsOf(receipt, { part: 1 });
  assert.deepEqual(channels?.shown.map(({ channel, product }) => [channel, product]), [[1, receipt.groups[1].sum], [0, receipt.groups[0].sum]]);
  assert.equal(totalOf(/** @type {any} */ (channels)), receipt.total);
  const positions = positionsOf(receipt, { part: 1 });
  assert.deepEqual(positions?.shown.map(({ row, col }) => [row, col]), [[0, 1], [1, 1], [1, 0], [0, 0]]);
  assert.equal(totalOf(/** @type {any} */ (positions)), receipt.total);
});

test("every kind of arithmetic says what a contribution is, and adds up where it says so", () => {
  const two = Float32Array.of(2, 0.3);
  const line = { type: "activation", name: "tanh", arguments: {} };
  const expected = {
    sum: [
      explained({ type: "pool", mode: "mean", ...SIDE }, [1, 1, 2]),
      explained({ type: "merge", mode: "add", maps: [null, null] }, [2, 2, 2], {}, [0, 0]),
      explained({ type: "merge", mode: "subtract", maps: [null, null] }, [2, 2, 2], {}, [0, 0]),
      explained({ type: "merge", mode: "average", maps: [null, null, null] }, [2, 2, 2], {}, [0, 0, 0]),
    ],
    winner: [
      explained({ type: "pool", mode: "max", ...SIDE }, [1, 1, 2]),
      explained({ type: "pool", mode: "max", ...SIDE }, [1, 1, 2], {}, [0], IMAGE.map((x) => -x)),
      explained({ type: "merge", mode: "minimum", maps: [null, "last"] }, [2, 2, 2], { last: new Int32Array(8).fill(3) }, [0, 0]),
      explained({ type: "pool", mode: "max", ...SIDE }, [1, 1, 2], {}, [0], Float32Array.of(-1, 0, -2, 0, 0, 0, 0, 0)),
    ],
    passes: [
      explained({ type: "affine", form: "x*a+b", a: "two", b: "two" }, [2, 2, 2], { two }),
      explained({ type: "affine", form: "(x-a)/b", a: "two", b: "two" }, [2, 2, 2], { two }),
      explained(line, [2, 2, 2]),
      explained({ type: "move", from: "from" }, [2, 2, 2], { from: Int32Array.of(4, 1, 1, 1, 1, 1, 1, 1) }),
    ],
    nothing: [explained({ type: "move", from: "from" }, [2, 2, 2], { from: new Int32Array(8) })],
    competes: [explained({ type: "softmax", count: 2, step: 1, log: false }, [2, 2, 2])],
    product: [explained({ type: "merge", mode: "multiply", maps: [null, null] }, [2, 2, 2], {}, [0, 0])],
  };
  for (const [kind, receipts] of Object.entries(expected)) {
    for (const receipt of receipts) {
      const ranking = contributionsOf(receipt);
      assert.equal(ranking.kind, kind);
      assert.ok(MEANINGS[ranking.kind]);
      if (ranking.adds) assert.equal(totalOf(ranking), receipt.total, `${receipt.type} ${receipt.mode}`);
      if (kind === "winner") assert.deepEqual([ranking.shown.length, ranking.shown[0].share, ranking.rest], [1, 1, 0]);
    }
  }
  const unknown = contributionsOf(/** @type {any} */ ({ type: "sorted", value: 3, groups: [] }));
  assert.deepEqual([unknown.kind, unknown.shown, unknown.total], ["unknown", [], 3]);
});

test("a softmax ranks all that compete, the own one among them", () => {
  const { shown, folded, rest } = contributionsOf(explained({ type: "softmax", count: 2, step: 1, log: true }, [2, 2, 2]), { most: 1 });
  assert.deepEqual([shown[0].term, folded[0].term], [1, 0]);
  assert.ok(Math.abs(shown[0].product - 1 / (1 + Math.exp(-1))) < 1e-7);
  assert.ok(Math.abs(rest - folded[0].product) < 1e-7);
});

test("numbers that are no numbers come first, and sums of nothing have no shares", () => {
  const sum = { kind: /** @type {const} */ ("sum"), adds: true, sum: 0, bias: 0, total: 0 };
  const { shown, folded } = ranked([{ product: 1 }, { product: NaN }], sum);
  assert.deepEqual([shown.map(({ product }) => product), folded.map(({ product }) => product)], [[NaN], [1]]);
  const nothing = ranked([{ product: 0 }, { product: -0 }], sum);
  assert.deepEqual([nothing.shown, nothing.folded.map(({ share }) => share)], [[], [0, 0]]);
});

test("of an operation on one number that number is what it is made of; of a sum and a smallest all are weighed", () => {
  const terms = [{ from: {}, x: 1 }, { from: {}, x: 2 }];
  const read = (/** @type {object} */ receipt) => {
    const { kind, shown, folded } = contributionsOf(/** @type {any} */ (receipt), { part: 1 });
    return [kind, [...shown, ...folded].map(({ product }) => product)];
  };
  assert.deepEqual(read({ type: "merge", mode: "absolute", total: 1, groups: [{ terms: terms.slice(0, 1) }] }), ["passes", [1]]);
  assert.deepEqual(read({ type: "sum", total: 3, groups: [{ terms }] }), ["sum", [2, 1]]);
  assert.deepEqual(read({ type: "min", total: 1, winner: 0, groups: [{ terms }] }), ["winner", [1, 0]]);
});
