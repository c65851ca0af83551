// Names of stages and cells in words, counts, and text made safe for HTML.

import { isVector } from "./scene.js";

/** @import { Cell, Scene, Stage } from "./scene.js" */

/**
 * @param {number} count
 * @param {string} word
 */
export function plural(count, word) {
  return `${count.toLocaleString("en-GB")} ${word}${count === 1 ? "" : "s"}`;
}

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/**
 * @param {unknown} text
 */
export function escapeHtml(text) {
  return String(text).replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

/**
 * A text without line breaks and other marks that do not print, as `one_line` in Python: names come from files.
 *
 * @param {string} text
 */
export function oneLine(text) {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

/**
 * A text as a Python literal, whatever it holds.
 *
 * @param {string} text
 */
export function quoted(text) {
  const escaped = (/** @type {string} */ c) => `\\U${c.codePointAt(0)?.toString(16).padStart(8, "0")}`;
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/**
 * A cell in words, as a crumb or a heading: "conv2d_3 ReLU (4, 5) channel 7".
 *
 * @param {Scene} scene
 * @param {Cell} cell
 */
export function cellName(scene, cell) {
  const stage = scene.stages[cell.stage];
  const { output, classes } = scene;
  const name = stageName(stage);
  const place = `${name} (${stage.axes === 2 ? cell.row : `${cell.row}, ${cell.col}`})`;
  if (stage.op.type === "input") return stage.shape[2] > 1 ? `${place} ${channelName(stage, cell.channel)}` : place;
  const softmax = output.op.type === "softmax";
  if (stage === output && softmax) return `probability of ${classes[cell.channel] ?? cell.channel}`;
  // What a last softmax reads.
  if (softmax && output.reads[0] === stage.index) return `logit ${classes[cell.channel] ?? cell.channel}`;
  if (isVector(stage)) return `${name} unit ${cell.channel}`;
  return `${place} ${channelName(stage, cell.channel)}`;
}

/**
 * A channel in words: the plane of a colour picture that it holds, else its number.
 *
 * @param {Stage} stage
 * @param {number} channel
 */
export function channelName(stage, channel) {
  return stage.planes?.[channel] ?? `channel ${channel}`;
}

/**
 * Where on its map a cell is: "row 4, column 5"; a sequence has rows only.
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number }} cell
 */
export function positionText(stage, { row, col }) {
  return stage.axes === 2 ? `row ${row}` : `row ${row}, column ${col}`;
}

/**
 * The same with the channel, if there are several.
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number, channel: number }} cell
 */
export function placeText(stage, cell) {
  const position = positionText(stage, cell);
  return stage.shape[2] > 1 ? `${position}, ${channelName(stage, cell.channel)}` : position;
}

/**
 * The same in few letters, where the stage is said already: "channel 3 (4,5)".
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number, channel: number }} cell
 */
export function shortPlace(stage, cell) {
  const place = stage.axes === 2 ? `row ${cell.row}` : `(${cell.row},${cell.col})`;
  return stage.shape[2] > 1 ? `${channelName(stage, cell.channel)} ${place}` : place;
}

/**
 * A stage's layer, and what it is of it.
 *
 * @param {Stage} stage
 */
export function stageName(stage) {
  if (stage.op.type === "activation" && stage.name !== stage.layer) return `${stage.layer} ${stage.label}`;
  return stage.name;
}

/**
 * @param {Stage} stage
 */
export function shapeText(stage) {
  if (stage.axes === 1 || isVector(stage)) return `${stage.shape[2]}`;
  return (stage.axes === 2 ? [stage.shape[0], stage.shape[2]] : stage.shape).join("×");
}

/**
 * A digit or a class with "a" or "an" before it, as `cnnviz.numbers.with_article` has it.
 *
 * @param {string} name
 */
export function withArticle(name) {
  return `${/^[aeiou8]|^1[18]$/i.test(name) ? "an" : "a"} ${name}`;
}

/**
 * The layer that is meant: by its number, counted from 0, or by its name or a part of it, the first that has it; null
 * if there is none.
 *
 * @param {string[]} names
 * @param {string} text "12", "conv2d_3", "12 conv2d_3"
 */
export function layerCalled(names, text) {
  const listed = names.findIndex((name, n) => text === `${n} ${name}`);
  if (listed >= 0) return names[listed];
  if (/^\d+$/.test(text)) return names[Number(text)] ?? null;
  const wanted = text.toLowerCase();
  const matches = [(/** @type {string} */ name) => name === wanted, (/** @type {string} */ name) => name.startsWith(wanted), (/** @type {string} */ name) => name.includes(wanted)];
  for (const fits of matches) {
    const found = wanted ? names.find((name) => fits(name.toLowerCase())) : undefined;
    if (found !== undefined) return found;
  }
  return null;
}
