// Which of a stage's channels come first: the liveliest, those that weigh most, those that somebody looks for.

import { largestFirst, range } from "./arrays.js";
import { farOf } from "./far_numbers.js";
import { axisOf, readShape } from "./windows.js";
import { plural } from "./words.js";

/** @import { Scene, Stage } from "./scene.js" */

/**
 * What is known of a channel: its lowest number, 0 at most, its largest finite magnitude, and how active it is: the
 * largest magnitude of all, where NaN is more than any number.
 *
 * @typedef {{ low: number, size: number, activity: number }} Extent
 */

/** @type {WeakMap<Float32Array, Extent[]>} */
const measured = new WeakMap();

/**
 * Each channel's extent, measured once; of a stage whose numbers are not here Python's, which are the same (`extents_of`
 * in scene.py).
 *
 * @param {Stage} stage
 * @param {Float32Array[]} all numbers, by the stage
 */
export function extentsOf(stage, all) {
  const far = farOf(all);
  if (far) return far.parts[stage.index].extents;
  const values = all[stage.index];
  const kept = measured.get(values);
  if (kept) return kept;
  const channels = stage.shape[2];
  const extents = Array.from({ length: channels }, () => ({ low: 0, size: 0, activity: 0 }));
  for (let n = 0; n < values.length; n++) {
    const extent = extents[n % channels];
    const value = values[n];
    if (value < extent.low) extent.low = value;
    const magnitude = Number.isNaN(value) ? Infinity : Math.abs(value);
    if (magnitude > extent.activity) extent.activity = magnitude;
    if (magnitude > extent.size && magnitude !== Infinity) extent.size = magnitude;
  }
  measured.set(values, extents);
  return extents;
}

/**
 * How active each channel of a stage is.
 *
 * @param {Stage} stage
 * @param {Float32Array[]} all
 */
export function activityOf(stage, all) {
  return extentsOf(stage, all).map(({ activity }) => activity);
}

/** @typedef {"as fits" | "by activity" | "by number"} ChannelOrder where all fit, "as fits" is by number, else by activity */

/**
 * The channels that are shown of a stage: those of one page, in their order.
 *
 * @typedef {{ channels: number[], first: number, count: number, order: "by activity" | "by number" }} Page
 */

/**
 * The page of a stage's channels that a place in their order is on.
 *
 * @param {number} count of the channels
 * @param {number} most that fit
 * @param {ChannelOrder} order
 * @param {number} first the place
 * @param {() => ArrayLike<number>} activity by the channel
 * @param {number} [wanted] a channel whose page it is in place of that
 * @returns {Page}
 */
export function pageOf(count, most, order, first, activity, wanted) {
  if (count <= most) return { channels: range(count), first: 0, count, order: "by number" };
  const chosen = order === "as fits" ? "by activity" : order;
  const all = chosen === "by activity" ? largestFirst(activity(), count) : range(count);
  const at = wanted === undefined ? first : all.indexOf(wanted);
  // The last page is as full as the others.
  const start = Math.min(Math.floor(Math.max(0, Math.min(at, count - 1)) / most) * most, count - most);
  return { channels: all.slice(start, start + most), first: start, count, order: chosen };
}

/**
 * Which of all channels stand on a page, in words: channels are counted from 0, places in an order from 1.
 *
 * @param {boolean} byNumber
 * @param {number} first place, from 0
 * @param {number} shown
 * @param {number} count of all
 */
export function pageWords(byNumber, first, shown, count) {
  const from = byNumber ? first : first + 1;
  const [a, b, all] = [from, from + shown - 1, count].map((n) => n.toLocaleString("en-GB"));
  return `${byNumber ? "channels" : "places"} ${a}–${b} of ${all}`;
}

/**
 * The channels that somebody looks for: "37", "channel 37", "30-40" or, where they have names, the start of one;
 * null if there are none.
 *
 * @param {string} words
 * @param {number} count
 * @param {string[]} [names]
 * @returns {[first: number, last: number] | null}
 */
export function channelsCalled(words, count, names = []) {
  const wanted = words.trim().toLowerCase();
  const range = /^\D*?(\d+)\s*(?:[-–—]|to|\.\.)\s*(\d+)$/.exec(wanted);
  const one = /^(?:channel|unit|class|map)?\s*#?(\d+)$/.exec(wanted);
  const last = (/** @type {string} */ text) => Math.min(Number(text), count - 1);
  if (range && Number(range[1]) < count) return [Math.min(last(range[1]), last(range[2])), Math.max(last(range[1]), last(range[2]))];
  if (one && Number(one[1]) < count) return [Number(one[1]), Number(one[1])];
  if (!wanted) return null;
  const lower = names.map((name) => name.toLowerCase());
  const found = [lower.indexOf(wanted), lower.findIndex((name) => name.startsWith(wanted)), lower.findIndex((name) => name.includes(wanted))];
  const at = found.find((n) => n >= 0);
  return at === undefined ? null : [at, at];
}

/**
 * The kernels of one channel of a stage: of each channel that it reads, from `first` on, `rows`×`cols` weights.
 *
 * @typedef {{ first: number, count: number, rows: number, cols: number, weight: (k: number, position: number) => number }} Kernels
 */

/**
 * @param {Scene} scene
 * @param {Stage} stage a convolution or a transposed one
 * @param {number} channel
 * @returns {Kernels}
 */
export function kernelsOf(scene, stage, channel) {
  const { op, shape } = stage;
  const [rows, cols] = [axisOf(op.rows).kernel, axisOf(op.cols).kernel];
  const channels = readShape(scene, stage)[2];
  const [groups, filters] = [op.groups ?? 1, shape[2]];
  const count = channels / groups;
  const kernel = scene.data(op.kernel);
  const weight = op.type === "transposed"
    ? (/** @type {number} */ k, /** @type {number} */ position) => kernel[(position * filters + channel) * channels + k]
    : (/** @type {number} */ k, /** @type {number} */ position) => kernel[(position * count + k) * filters + channel];
  return { first: Math.floor(channel / (filters / groups)) * count, count, rows, cols, weight };
}

/**
 * How much each kernel weighs: the sum of the magnitudes of its weights.
 *
 * @param {Kernels} kernels
 */
export function weightsOf({ count, rows, cols, weight }) {
  return Float64Array.from({ length: count }, (_, k) => {
    let sum = 0;
    for (let position = 0; position < rows * cols; position++) sum += Math.abs(weight(k, position));
    return sum;
  });
}

/**
 * How much each channel of what a stage reads weighs for one of its own; null where that is not known.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Stage} source
 * @param {number} channel
 */
export function weightOfInputs(scene, stage, source, channel) {
  const [, , count] = source.shape;
  if (["conv", "transposed"].includes(stage.op.type)) {
    if (readShape(scene, stage)[2] !== count) return null;
    const kernels = kernelsOf(scene, stage, channel);
    const weights = new Float64Array(count);
    weights.set(weightsOf(kernels), kernels.first);
    return weights;
  }
  if (stage.shape[2] !== count) return null;
  return Float64Array.from({ length: count }, (_, k) => Number(k === channel));
}

/**
 * Which of the channels that go in are shown, in words: few may weigh anything, as for a pool, and the rest is beside them.
 *
 * @param {Float64Array | null} weights of all of them; null where those that are most active are shown
 * @param {number} most that are shown
 * @param {string} name of the channel that they weigh for
 */
export function whichOfThem(weights, most, name) {
  if (!weights) return `the ${most} most active`;
  const count = weights.filter((weight) => weight !== 0).length;
  if (count >= most) return `the ${most} that weigh most for ${name}`;
  const others = most - count;
  if (!count) return `${most} that weigh nothing for ${name}`;
  return `${count === 1 ? "the one" : `the ${count}`} that ${name} comes from, and ${plural(others, "other")}`;
}
