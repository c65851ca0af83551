// Which factors of a receipt decide: its contributions, the largest first, whatever their sign, the rest folded.

import { largestFirst } from "./arrays.js";
import { f } from "./forward.js";

/** @import { Details, Receipt, Term } from "./receipt.js" */

/**
 * What "contribution" means for each kind of arithmetic, in words that always hold.
 */
export const MEANINGS = {
  sum: "what each factor adds to the sum; a negative one takes away",
  winner: "one number is taken as it is; the others add nothing",
  passes: "one number goes in, and all that comes out is made of it, but for a shift",
  competes: "each number's share of the sum of the exponentials: they compete for 1",
  product: "each number multiplies the others: all of the product hangs on every one",
  nothing: "nothing went in",
  unknown: "this page does not know how the number was made",
};

/** @typedef {keyof typeof MEANINGS} Kind */

/**
 * What something adds to a number.
 *
 * @typedef {object} Share
 * @property {number} product what it adds: x times the weight for a factor of a sum, the share for a softmax
 * @property {number} share its magnitude over the sum of all magnitudes, bias left out: 0 to 1; NaN where numbers
 *   are not finite
 * @property {number | null} ofSum the product over the sum of all products, where none has the other sign: only
 *   then are they parts of a whole
 */

/**
 * What a factor adds; `group` and `term` are its place in the receipt.
 *
 * @typedef {Term & Share & { product: number, group: number, term: number }} Contribution
 */

/**
 * What a whole channel of the input adds.
 *
 * @typedef {Share & { channel: number | null, group: number }} ChannelContribution
 */

/**
 * What one place of the window adds, in all channels together; `term` is its place in each group.
 *
 * @typedef {Share & { row: number, col: number, term: number, inside: boolean }} PositionContribution
 */

/**
 * The largest first, of equal ones the first in reading order. `shown` are the fewest that hold half of all
 * magnitudes, or as many as were asked for at most; `folded` are the others, and `rest` is what they add.
 *
 * @template T
 * @typedef {object} Ranking
 * @property {Kind} kind
 * @property {boolean} adds whether the products, with `bias`, add up to the total
 * @property {T[]} shown
 * @property {T[]} folded
 * @property {number} left how many these are
 * @property {number} leftShare the sum of their shares
 * @property {number} rest what is left of `sum`: in it is also how the receipt's own float32 additions were
 *   rounded, so that `f(shown products + rest)` is the receipt's sum to the bit
 * @property {number} sum of all products, as the receipt has it
 * @property {number} bias what is added behind them; `f(sum + bias)` is the total
 * @property {number} total
 * @property {number} magnitude the sum of the products' magnitudes, of which shares are parts
 */

/**
 * How many are shown: those that hold `part` of all magnitudes, `most` at most.
 *
 * @typedef {{ most?: number, part?: number }} Few
 */

/**
 * The contributions of a receipt's factors.
 *
 * @param {Receipt} receipt
 * @param {Few} [few]
 * @returns {Ranking<Contribution>}
 */
export function contributionsOf(receipt, few) {
  const { kind, adds = false, bias = 0, sum, weigh, only } = (READINGS[receipt.type] ?? READINGS.given)(receipt);
  const whole = { kind, adds, sum, bias, total: receipt.total ?? receipt.value };
  const { products, groups } = receipt;
  if (products) {
    const size = products.length / groups.length;
    const entryOf = (/** @type {number} */ n) => {
      const [group, term] = [Math.floor(n / size), n % size];
      return { ...groups[group].terms[term], group, term };
    };
    return rankedOf(Float64Array.from(products), entryOf, whole, few);
  }
  const entries = groups.flatMap(({ terms }, group) =>
    terms.map((term, t) => ({ ...term, product: weigh(term, t), group, term: t })),
  );
  if (only === undefined) return ranked(entries, whole, few);
  const [shown, folded] = [true, false].map((is) =>
    entries.filter(({ term }) => (term === only) === is).map((entry) => ({ ...entry, share: Number(is), ofSum: Number(is) })),
  );
  return { ...whole, shown, folded, left: folded.length, leftShare: 0, rest: 0, magnitude: Math.abs(sum) };
}

/**
 * What each channel of the input adds to a weighted sum; null for other receipts.
 *
 * @param {Receipt} receipt
 * @param {Few} [few]
 * @returns {Ranking<ChannelContribution> | null}
 */
export function channelsOf(receipt, few) {
  if (receipt.type !== "weighted") return null;
  const entries = receipt.groups.map(({ channel, sum = 0 }, group) => ({ channel, group, product: sum }));
  return ranked(entries, whole(receipt), few);
}

/**
 * What each position of the window adds to a weighted sum, in all channels together; null for other receipts.
 *
 * @param {Receipt} receipt
 * @param {Few} [few]
 * @returns {Ranking<PositionContribution> | null}
 */
export function positionsOf(receipt, few) {
  if (receipt.type !== "weighted") return null;
  const { terms, cols } = receipt.groups[0];
  const entries = terms.map(({ from }, term) => ({
    row: Math.floor(term / cols),
    col: term % cols,
    term,
    inside: from !== null,
    product: receipt.groups.reduce((sum, group) => sum + (group.terms[term].product ?? 0), 0),
  }));
  return ranked(entries, whole(receipt), few);
}

/**
 * @typedef {object} Reading
 * @property {Kind} kind
 * @property {boolean} [adds]
 * @property {number} [bias]
 * @property {number} sum
 * @property {(term: Term, t: number) => number} weigh what a term adds
 * @property {number} [only] the one term that counts, be it 0
 */

/**
 * By the types of receipts: how their terms are to be read.
 *
 * @type {Record<string, (receipt: Receipt) => Reading>}
 */
const READINGS = {
  input: ({ value }) => ({ kind: "nothing", sum: value, weigh: () => 0 }),
  given: ({ value }) => ({ kind: "unknown", sum: value, weigh: () => NaN }),
  weighted: (receipt) => ({ ...whole(receipt), weigh: ({ product = 0 }) => product }),
  contracted: (receipt) => ({ ...whole(receipt), weigh: ({ product = 0 }) => product }),
  sampled: ({ total = 0 }) => ({ kind: "sum", adds: true, sum: total, weigh: ({ product = 0 }) => product }),
  mean: ({ total = 0, count = 1 }) => ({ kind: "sum", adds: true, sum: total, weigh: ({ x }) => x / count }),
  sum: ({ total = 0 }) => ({ kind: "sum", adds: true, sum: total, weigh: ({ x }) => x }),
  max: ({ total = 0, winner }) => taken(total, winner),
  min: ({ total = 0, winner }) => taken(total, winner),
  affine({ total = 0, form, a = 1, b = 0, groups }) {
    const [{ x }] = groups[0].terms;
    const sum = form === "x*a+b" ? f(x * a) : f(x / b);
    return { kind: "passes", adds: true, bias: form === "x*a+b" ? b : total - sum, sum, weigh: () => sum, only: 0 };
  },
  activation: ({ total = 0 }) => ({ kind: "passes", adds: true, sum: total, weigh: () => total, only: 0 }),
  softmax: ({ sum = 1 }) => ({ kind: "competes", sum: 1, weigh: ({ power = 0 }) => power / sum }),
  move: ({ total = 0, groups }) => ({
    kind: groups[0].terms[0].from ? "passes" : "nothing",
    adds: true,
    sum: total,
    weigh: () => total,
    only: groups[0].terms[0].from ? 0 : undefined,
  }),
  merge({ mode = "", total = 0, groups }) {
    const { terms } = groups[0];
    if (terms.length === 1) return { kind: "passes", adds: true, sum: total, weigh: () => total, only: 0 };
    const factor = ADDING[mode];
    if (factor) return { kind: "sum", adds: true, sum: total, weigh: ({ x }, t) => x * factor(t, terms.length) };
    if (mode === "multiply") return { kind: "product", sum: total, weigh: () => total };
    if (mode !== "maximum" && mode !== "minimum") return READINGS.given(/** @type {Receipt} */ ({ value: total }));
    return taken(total, terms.findIndex(({ x }) => Object.is(x, total) || x === total));
  },
};

/**
 * The merges that add: what an input's number is multiplied by, by its place and how many there are.
 *
 * @type {Record<string, (input: number, count: number) => number>}
 */
const ADDING = {
  add: () => 1,
  subtract: (input) => (input ? -1 : 1),
  average: (_, count) => 1 / count,
};

/**
 * @param {number} total
 * @param {number} [winner]
 * @returns {Reading}
 */
function taken(total, winner) {
  return { kind: "winner", adds: true, sum: total, weigh: (_, t) => (t === winner ? total : 0), only: winner };
}

/**
 * A weighted sum as the receipt has it.
 *
 * @param {Details} receipt
 */
function whole({ sum = 0, bias, total = 0 }) {
  return { kind: /** @type {Kind} */ ("sum"), adds: true, sum, bias: bias?.value ?? 0, total };
}

/**
 * @template {{ product: number }} T
 * @param {T[]} entries in reading order
 * @param {{ kind: Kind, adds: boolean, sum: number, bias: number, total: number }} receipt
 * @param {Few} [few]
 * @returns {Ranking<T & Share>}
 */
export function ranked(entries, receipt, few) {
  return rankedOf(Float64Array.from(entries, ({ product }) => product), (n) => entries[n], receipt, few);
}

/**
 * The same of entries that are made when they are asked for: those that are folded are not, as long as nobody asks.
 *
 * @template {object} T
 * @param {Float64Array} products in reading order
 * @param {(n: number) => T} entryOf
 * @param {{ kind: Kind, adds: boolean, sum: number, bias: number, total: number }} receipt
 * @param {Few} [few]
 * @returns {Ranking<T & Share>}
 */
function rankedOf(products, entryOf, receipt, { most = 8, part = 0.5 } = {}) {
  const sizes = products.map((product) => (Number.isNaN(product) ? Infinity : Math.abs(product)));
  const magnitude = sizes.reduce((a, b) => a + b, 0);
  const sum = products.reduce((a, b) => a + b, 0);
  const signs = new Set();
  for (const product of products) if (product !== 0) signs.add(Math.sign(product));
  const entry = (/** @type {number} */ n) => ({
    .../** @type {any} */ (entryOf(n)),
    product: products[n],
    share: magnitude ? sizes[n] / magnitude : 0,
    ofSum: signs.size === 1 ? products[n] / sum : null,
  });
  const first = largestOf(sizes, most);
  let [count, held] = [0, 0];
  while (count < first.length && held < part && sizes[first[count]] > 0) held += magnitude ? sizes[first[count++]] / magnitude : 0;
  const shown = first.slice(0, count).map(entry);
  const rest = receipt.sum - shown.reduce((all, { product }) => all + product, 0);
  /** @type {(T & Share)[] | null} */
  let folded = null;
  return {
    ...receipt,
    shown,
    get folded() {
      return (folded ??= largestOf(sizes, sizes.length).slice(count).map(entry));
    },
    left: sizes.length - count,
    leftShare: Math.max(0, 1 - held),
    rest,
    magnitude,
  };
}

/**
 * The places of the largest, so many, the largest first; of equal ones the first comes first.
 *
 * @param {Float64Array} sizes
 * @param {number} most
 */
function largestOf(sizes, most) {
  if (most > 100) return largestFirst(sizes, most);
  /** @type {number[]} */
  const first = [];
  for (let n = 0; n < sizes.length && most > 0; n++) {
    if (first.length >= most && sizes[n] <= sizes[first[most - 1]]) continue;
    let at = first.length;
    while (at && sizes[first[at - 1]] < sizes[n]) at--;
    first.splice(at, 0, n);
    if (first.length > most) first.pop();
  }
  return first;
}

/**
 * The total that a ranking's parts come to, rounded as the receipt rounds.
 *
 * @param {Ranking<Share>} ranking
 */
export function totalOf({ shown, rest, bias }) {
  const sum = shown.reduce((all, { product }) => all + product, 0) + rest;
  return f(f(sum) + bias);
}
