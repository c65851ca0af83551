// Changes to a network and its image, as plain data in the order in which they are made; intervention.py says
// what each kind does, and refuses the same ones.

import { copyOf } from "./far_numbers.js";
import { lengthOf } from "./windows.js";

/** @import { Scene, Stage } from "./scene.js" */

/**
 * One change: of a stage's "values", of "weights" in an array, a "channel" set to 0, or the image's "shift".
 *
 * @typedef {{ kind: string, [what: string]: any }} Change
 */

/**
 * Changes by what they are about.
 *
 * @typedef {object} Changes
 * @property {Map<string, Float32Array>} arrays those with other numbers in them, whole
 * @property {Map<number, Change[]>} edits what is set in a stage's numbers, by the stage
 * @property {[number, number][]} shifts of the images, in rows and columns
 */

/** Of them in one list: more than anybody makes by hand. */
export const MOST = 200;
const LARGEST = 3.4028234663852886e38;

/**
 * Changes, checked against a scene; an Error for one that does not fit it.
 *
 * @param {Scene} scene
 * @param {Change[]} changes
 * @returns {Changes}
 */
export function readChanges(scene, changes) {
  if (!Array.isArray(changes) || changes.length > MOST) throw new Error(`changes must be a list of at most ${MOST}`);
  /** @type {Changes} */
  const read = { arrays: new Map(), edits: new Map(), shifts: [] };
  for (const change of changes) {
    const kind = change && typeof change === "object" ? change.kind : null;
    if (kind === "weights") changeWeights(scene, change, read.arrays);
    else if (kind === "shift") read.shifts.push([whole(change.rows, "rows"), whole(change.cols, "cols")]);
    else if (kind === "values" || kind === "channel") {
      const stage = stageNamed(scene, change.stage);
      if (kind === "values") numbersOf(change, lengthOf(stage));
      else place(change.channel, "channel", stage.shape[2]);
      read.edits.set(stage.index, [...(read.edits.get(stage.index) ?? []), change]);
    } else throw new Error(`kind must be "values", "weights", "channel" or "shift", got ${brief(kind)}`);
  }
  return read;
}

/**
 * A scene with the weights that changes leave it; itself if they leave all.
 *
 * @param {Scene} scene
 * @param {Change[]} changes
 * @returns {Scene}
 */
export function changedScene(scene, changes) {
  const { arrays } = readChanges(scene, changes);
  return arrays.size ? scene.withArrays(arrays) : scene;
}

/**
 * Make the changes of a stage's numbers, in these.
 *
 * @param {Stage} stage
 * @param {Float32Array} numbers
 * @param {Change[]} edits
 */
export function edit({ shape }, numbers, edits) {
  for (const { kind, at, values, channel } of edits) {
    if (kind === "values") at.forEach((/** @type {number} */ n, /** @type {number} */ i) => (numbers[n] = values[i]));
    else for (let n = channel; n < numbers.length; n += shape[2]) numbers[n] = 0;
  }
}

/**
 * An image moved by whole pixels: what leaves it is lost, what comes in is 0.
 *
 * @param {number[]} shape
 * @param {Float32Array} image
 * @param {number} rows
 * @param {number} cols
 */
export function shifted([height, width, channels], image, rows, cols) {
  const moved = new Float32Array(image.length);
  for (let row = Math.max(rows, 0); row < Math.min(height, height + rows); row++) {
    const [first, end] = [Math.max(-cols, 0), Math.min(width, width - cols)];
    if (first >= end) continue;
    const from = (row - rows) * width;
    const part = image.subarray((from + first) * channels, (from + end) * channels);
    moved.set(part, (row * width + first + cols) * channels);
  }
  return moved;
}

/**
 * @param {Scene} scene
 * @param {Change} change
 * @param {Map<string, Float32Array>} arrays
 */
function changeWeights(scene, change, arrays) {
  const { array } = change;
  if (!scene.header.weights?.includes(array)) throw new Error(`there are no weights called ${brief(array)}`);
  const numbers = arrays.get(array) ?? copyOf(scene.data(array));
  const { at, values } = numbersOf(change, numbers.length);
  at.forEach((n, i) => (numbers[n] = values[i]));
  arrays.set(array, numbers);
}

/**
 * @param {Scene} scene
 * @param {any} name
 */
function stageNamed(scene, name) {
  const stage = scene.stages.find((stage) => stage.name === name);
  if (!stage) throw new Error(`there is no stage called ${brief(name)}`);
  return stage;
}

/**
 * @param {Change} change
 * @param {number} size of what is changed
 * @returns {{ at: number[], values: number[] }}
 */
function numbersOf({ at, values }, size) {
  if (!Array.isArray(at) || !Array.isArray(values) || at.length !== values.length || !at.length) {
    throw new Error("at and values must be lists of one length, with at least one number each");
  }
  for (const n of at) place(n, "at", size);
  for (const value of values) {
    if (typeof value !== "number" || !(Math.abs(value) <= LARGEST)) {
      throw new Error(`values must be finite numbers within float32's range, got ${brief(value)}`);
    }
  }
  return { at, values };
}

/**
 * @param {any} value
 * @param {string} name
 * @param {number} size
 */
function place(value, name, size) {
  if (!Number.isInteger(value) || value < 0 || value >= size) {
    throw new Error(`${name} must be a whole number from 0 to ${size - 1}, got ${brief(value)}`);
  }
}

/**
 * @param {any} value
 * @param {string} name
 */
function whole(value, name) {
  if (!Number.isSafeInteger(value)) throw new Error(`${name} must be a whole number, got ${brief(value)}`);
  return value;
}

/**
 * What was asked for, as far as it fits a sentence.
 *
 * @param {any} value
 */
function brief(value) {
  const text = (typeof value === "number" ? String(value) : JSON.stringify(value)) ?? "nothing";
  return text.length <= 40 ? text : `${text.slice(0, 40)}...`;
}
