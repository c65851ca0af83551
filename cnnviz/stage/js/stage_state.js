// The state of the stage as plain data: what a link, a saved file, a walk, a notebook and a lesson say.
// stage_state.py says what each entry means, and reads and writes the same; a test holds the two together.

import { MOST, readChanges } from "./changes.js";
import { cellIndex } from "./scene.js";

/** @import { Scene } from "./scene.js" */

/** @typedef {[stage: string, row: number, col: number, channel: number]} CellName */

/**
 * @typedef {{ kind: "values", stage: string, at: number[], values: number[] }
 *   | { kind: "weights", array: string, at: number[], values: number[] }
 *   | { kind: "channel", stage: string, channel: number }
 *   | { kind: "shift", rows: number, cols: number }} Change
 */

/**
 * @typedef {object} State
 * @property {number} version
 * @property {string} model
 * @property {string} item
 * @property {"map" | "layer" | "network"} range
 * @property {"network" | "layer" | "cell"} zoom
 * @property {string} layer
 * @property {CellName[]} path
 * @property {Change[]} changes
 * @property {{ title: string, pixels: string } | null} image
 * @property {string[]} open
 * @property {"ranked" | "laid out"} order
 * @property {import("./channels.js").ChannelOrder} channels
 * @property {number} first
 * @property {[stage: string, channel: number, step: number] | null} play
 * @property {[name: string, step: number] | null} walk
 */

const VERSION = 1;

const CHOICES = { range: ["layer", "map", "network"], zoom: ["network", "layer", "cell"], order: ["ranked", "laid out"], channels: ["as fits", "by activity", "by number"] };

/** @returns {State} the state in which a stage opens */
export function emptyState() {
  return {
    version: VERSION,
    model: "",
    item: "",
    range: "layer",
    zoom: "network",
    layer: "",
    path: [],
    changes: [],
    image: null,
    open: [],
    order: "ranked",
    channels: "as fits",
    first: 0,
    play: null,
    walk: null,
  };
}

/**
 * A number that reads back as the same float32, with as few digits as that takes.
 *
 * @param {number} value
 */
function shortest(value) {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return String(rounded);
  }
  return String(value);
}

/** @param {string} name */
const escaped = (name) => name.replace(/[%~!]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
/** @param {string} text */
const plain = (text) => text.replace(/%(25|7e|21)/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
/** @param {(string | number)[]} parts */
const joined = (parts) => parts.map((part) => (typeof part === "number" ? shortest(part) : escaped(part))).join("~");
/** @param {string} text */
const parted = (text) => text.split("~").map(plain);
/** @param {string} text */
const listed = (text) => (text ? text.split("!") : []);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** A number as JSON has it; null is what is none, which fits nowhere. @param {string} [text] */
const numeric = (text = "") => {
  const value = text.length <= 40 && NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : null;
};

/** @param {Change} change */
function changeText(change) {
  switch (change.kind) {
    case "values":
      return joined(["values", change.stage, ...change.at.flatMap((at, i) => [at, change.values[i]])]);
    case "weights":
      return joined(["weights", change.array, ...change.at.flatMap((at, i) => [at, change.values[i]])]);
    case "channel":
      return joined(["channel", change.stage, change.channel]);
    default:
      return joined(["shift", change.rows, change.cols]);
  }
}

/** @param {string} text */
function changeRead(text) {
  const [kind, ...rest] = parted(text);
  const [first = ""] = rest;
  const numbers = rest.slice(1).map(numeric);
  const [at, values] = [0, 1].map((odd) => numbers.filter((_, i) => i % 2 === odd));
  if (kind === "values") return { kind, stage: first, at, values };
  if (kind === "weights") return { kind, array: first, at, values };
  if (kind === "channel") return { kind, stage: first, channel: numbers[0] ?? null };
  if (kind === "shift") return { kind, rows: numeric(first), cols: numbers[0] ?? null };
  return { kind };
}

/**
 * How each entry is written in a link, and read from one.
 *
 * @type {Record<string, [(value: any) => string, (text: string) => any]>}
 */
const TEXTS = {
  version: [String, numeric],
  first: [String, numeric],
  path: [(cells) => cells.map(joined).join("!"), (text) => listed(text).map(named)],
  changes: [(changes) => changes.map(changeText).join("!"), (text) => listed(text).map(changeRead)],
  image: [
    ({ title, pixels }) => joined([title, pixels]),
    (text) => (([title, pixels = ""]) => ({ title, pixels }))(parted(text)),
  ],
  open: [(names) => names.map(escaped).join("!"), (text) => listed(text).map(plain)],
  play: [joined, named],
  walk: [joined, named],
};

/**
 * @param {string} text
 * @returns {(string | number | null)[]}
 */
function named(text) {
  const [name, ...numbers] = parted(text);
  return [name, ...numbers.map(numeric)];
}

/**
 * A state as the text of a link: only what is not as it opens.
 *
 * @param {State} state
 */
export function linkOf(state) {
  const opens = /** @type {Record<string, any>} */ (emptyState());
  const link = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (key !== "version" && JSON.stringify(value) === JSON.stringify(opens[key])) continue;
    link.set(key, entryText(key, value));
  }
  return link.toString();
}

/**
 * What a link says, not yet held against a network. Links without a version had a `trail` for a path.
 *
 * @param {string} text
 * @returns {Record<string, any>}
 */
export function stateOfLink(text) {
  const opens = emptyState();
  /** @type {Record<string, any>} */
  const state = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const entry = key === "trail" ? "path" : key;
    if (entry in opens) state[entry] = entryOf(entry, value);
  }
  return state;
}

/**
 * One entry as a link says it.
 *
 * @param {string} key
 * @param {any} value
 */
export function entryText(key, value) {
  return (TEXTS[key]?.[0] ?? String)(value);
}

/**
 * What a link says of one entry.
 *
 * @param {string} key
 * @param {string} text
 * @returns {any}
 */
export function entryOf(key, text) {
  return (TEXTS[key]?.[1] ?? String)(text);
}

/**
 * A state as far as a scene has what it names, and in words what it has not.
 *
 * @param {unknown} given plain data from anywhere
 * @param {Scene} scene
 * @returns {{ state: State, said: string[] }}
 */
export function fitting(given, scene) {
  const state = emptyState();
  /** @type {string[]} */
  const said = [];
  const found = /** @type {Record<string, any>} */ (given !== null && typeof given === "object" ? given : {});
  const model = scene.header.model.name;
  // What JSON holds may have words of its own for how it is turned into a number or a text.
  if (typeof found.version === "number" && found.version > VERSION) {
    said.push(
      `This was saved by a newer cnnviz (version ${Math.floor(found.version)} of the stage's state; ` +
        `this one reads up to ${VERSION}), so that some of it may be missing.`,
    );
  }
  if (typeof found.model === "string" && found.model && found.model !== model) {
    said.push(`This was saved from the network ${found.model.slice(0, 60)}; here is ${model}.`);
  }
  state.model = model;
  for (const [key, choices] of Object.entries(CHOICES)) {
    if (choices.includes(found[key])) /** @type {Record<string, any>} */ (state)[key] = found[key];
  }
  const known = scene.items.some(({ key }) => key === found.item);
  if (known) state.item = found.item;
  else if (typeof found.item === "string" && found.item && !found.image) said.push(`The image ${found.item.slice(0, 40)} is not in this view.`);
  const stages = new Map(scene.stages.map((stage) => [stage.name, stage]));
  if (stages.has(found.layer)) state.layer = found.layer;
  const path = list(found.path).map((cell) => cellOf(cell, stages));
  const missing = path.indexOf(null);
  state.path = /** @type {CellName[]} */ (missing < 0 ? path : path.slice(0, missing));
  if (missing >= 0) said.push("A cell that was looked at is not in this network.");
  const changes = list(found.changes).map((change) => changeOf(change, scene));
  state.changes = changes.filter((change) => change !== null);
  const lost = changes.length - state.changes.length;
  if (lost) said.push(`${lost} of the changes ${lost === 1 ? "does" : "do"} not fit this network and ${lost === 1 ? "is" : "are"} left out.`);
  state.image = imageOf(found.image, scene);
  if (found.image && !state.image) said.push("The image that was drawn or opened does not fit this network's input.");
  state.open = list(found.open).filter((name) => typeof name === "string" && name.length <= 200);
  if (whole(found.first, 2 ** 24)) state.first = found.first;
  const [name, channel, step] = Array.isArray(found.play) ? found.play : [];
  const played = stages.get(name);
  if (played && whole(channel, played.shape[2]) && whole(step, played.shape[0] * played.shape[1])) state.play = [name, channel, step];
  const [walk, at] = Array.isArray(found.walk) ? found.walk : [];
  if (typeof walk === "string" && walk && walk.length <= 80 && whole(at, 1000)) state.walk = [walk, at];
  if (state.zoom === "cell" && !state.path.length) state.zoom = state.layer ? "layer" : "network";
  if (state.zoom === "layer" && !state.layer && !state.path.length) state.zoom = "network";
  return { state, said };
}

/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value.slice(0, MOST) : []);
/** @param {unknown} value @param {number} end @returns {value is number} */
const whole = (value, end) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < end;

/**
 * @param {any} cell
 * @param {Map<string, { shape: number[] }>} stages
 * @returns {CellName | null}
 */
function cellOf(cell, stages) {
  if (!Array.isArray(cell) || cell.length !== 4) return null;
  const [name, ...place] = cell;
  const stage = stages.get(name);
  return stage && place.every((n, axis) => whole(n, stage.shape[axis])) ? [name, place[0], place[1], place[2]] : null;
}

/**
 * @param {any} change
 * @param {Scene} scene
 * @returns {Change | null}
 */
function changeOf(change, scene) {
  try {
    readChanges(scene, [change]);
  } catch {
    return null;
  }
  const { kind, stage, array, at, values, channel, rows, cols } = change;
  if (kind === "channel") return { kind, stage, channel };
  if (kind === "shift") return { kind, rows, cols };
  const numbers = { at: [...at], values: values.map(Math.fround) };
  return kind === "values" ? { kind, stage, ...numbers } : { kind, array, ...numbers };
}

/**
 * @param {any} image
 * @param {Scene} scene
 * @returns {{ title: string, pixels: string } | null}
 */
function imageOf(image, scene) {
  const { title, pixels } = image ?? {};
  if (typeof title !== "string" || typeof pixels !== "string" || !/^[\w-]*$/.test(pixels)) return null;
  const [height, width, channels] = scene.stages[0].shape;
  return pixels.length === Math.ceil((4 * height * width * channels) / 3) ? { title: title.slice(0, 80), pixels } : null;
}

/**
 * The cells of a path as the view knows them.
 *
 * @param {State} state that fits the scene
 * @param {Scene} scene
 */
export function cellsOf({ path }, scene) {
  const number = new Map(scene.stages.map((stage) => [stage.name, stage.index]));
  return path.map(([name, row, col, channel]) => ({ stage: /** @type {number} */ (number.get(name)), row, col, channel }));
}

/**
 * @param {Scene} scene
 * @param {{ stage: number, row: number, col: number, channel: number }} cell
 * @returns {CellName}
 */
export function nameOf(scene, { stage, row, col, channel }) {
  return [scene.stages[stage].name, row, col, channel];
}

/**
 * Cells of one stage with new numbers, as a change.
 *
 * @param {Scene} scene
 * @param {{ stage: number, row: number, col: number, channel: number }[]} cells
 * @param {number[]} values
 * @returns {Change}
 */
export function valuesChange(scene, cells, values) {
  const stage = scene.stages[cells[0].stage];
  return { kind: "values", stage: stage.name, at: cells.map((cell) => cellIndex(stage, cell)), values };
}
