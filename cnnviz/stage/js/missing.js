// What a cell's receipt still needs of a network whose numbers come as they are seen.

import { isHole, stepsOf } from "./far_numbers.js";
import { FINISHING } from "./cone.js";
import { receiptOf } from "./receipt.js";
import { cellIndex } from "./scene.js";
import { lengthOf, readShape, tapsOf } from "./windows.js";

/** @import { Places } from "./far_numbers.js" */
/** @import { Cell, Scene, Stage } from "./scene.js" */

/** What is computed from more of a stage than a receipt has terms for. */
const WHOLE = ["normalize", "each"];

/**
 * Places of stages and arrays that have not come and that a cell's receipt shows, its own steps included.
 *
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @returns {[number | string, Places][]}
 */
export function missingOf(scene, values, cell) {
  /** @type {[number | string, Places][]} */
  const missing = [];
  const add = (/** @type {number | string} */ what, /** @type {Places} */ places) => {
    const array = typeof what === "number" ? values[what] : scene.data(what);
    if (places.some((place) => hasHole(array, place))) missing.push([what, places]);
  };
  add(cell.stage, [[cellIndex(scene.stages[cell.stage], cell), 1, 1]]);
  for (let at = cell; ; ) {
    const stage = scene.stages[at.stage];
    const { type } = stage.op;
    if (type === "conv" || type === "transposed") addWeighted(scene, stage, at, add);
    else {
      if (WHOLE.includes(type)) for (const read of stage.reads) add(read, [[0, 1, lengthOf(scene.stages[read])]]);
      addTerms(scene, values, at, add);
    }
    if (!FINISHING.includes(type)) return missing;
    const [term] = receiptOf(scene, values, at).groups[0].terms;
    if (!term.from) return missing;
    at = term.from;
  }
}

/**
 * @param {Float32Array} array
 * @param {Places[0]} place
 */
function hasHole(array, [first, step, count]) {
  for (let n = 0; n < count; n++) if (isHole(array, first + n * step)) return true;
  return false;
}

/**
 * A window in its full depth, and the kernel of the channel.
 *
 * @param {Scene} scene
 * @param {Stage} stage
 * @param {Cell} cell
 * @param {(what: number | string, places: Places) => void} add
 */
function addWeighted(scene, stage, cell, add) {
  const { op, shape: [, , filters] } = stage;
  const [, width, channels] = readShape(scene, stage);
  const groups = op.groups ?? 1;
  const perGroup = channels / groups;
  const first = Math.floor(cell.channel / (filters / groups)) * perGroup;
  const inside = tapsOf(stage, cell).filter((tap) => tap.inside);
  add(stage.reads[0], inside.map((tap) => [(tap.row * width + tap.col) * channels + first, 1, perGroup]));
  const taps = op.rows[1] * op.cols[1];
  add(op.kernel, op.type === "transposed"
    ? Array.from({ length: taps }, (_, tap) => [(tap * filters + cell.channel) * channels, 1, channels])
    : [[cell.channel, filters, taps * perGroup]]);
  if (op.bias) add(op.bias, [[cell.channel, 1, 1]]);
}

/**
 * @param {Scene} scene
 * @param {Float32Array[]} values
 * @param {Cell} cell
 * @param {(what: number | string, places: Places) => void} add
 */
function addTerms(scene, values, cell, add) {
  const { groups, bias } = receiptOf(scene, values, cell);
  /** @type {Map<number | string, number[]>} */
  const places = new Map();
  const note = (/** @type {number | string} */ what, /** @type {number} */ place) => {
    if (!places.has(what)) places.set(what, []);
    places.get(what)?.push(place);
  };
  for (const { from, weight } of groups.flatMap(({ terms }) => terms)) {
    for (const each of [from, weight?.from]) if (each) note(each.stage, cellIndex(scene.stages[each.stage], each));
    if (weight?.name) note(weight.name, weight.index);
  }
  if (bias?.name) note(bias.name, bias.index);
  for (const [what, all] of places) add(what, stepsOf([...new Set(all)].sort((a, b) => a - b)));
}
