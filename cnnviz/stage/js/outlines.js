// The outlines that belong to a cell: what it sees, what it is made from, what it feeds, and how they look.

import { runs } from "./arrays.js";
import { boxOf, channelMask, feedingChannels, fedUnits, localBox, seenBox } from "./cone.js";
import { cellsSeen, hasHoles } from "./holes.js";
import { isVector } from "./scene.js";

/** @import { Cell, Scene } from "./scene.js" */
/** @import { Mark, Style } from "./surface.js" */

/**
 * How outlines look, by the name of their style, in the order in which they are drawn.
 *
 * @param {Record<string, string>} around the theme's colours around the data
 * @returns {Record<string, Style>}
 */
export function outlineStyles(around) {
  return {
    seen: { stroke: around.accent, width: 1, outside: 0.5, halo: halo(around, 0.55) },
    fed: { stroke: around.ink, width: 1, outside: 0.5, dash: [2, 2], halo: halo(around, 0.7) },
    read: { stroke: around.accent, width: 1.75, outside: 1, halo: halo(around, 0.9) },
    path: { stroke: around.accent, width: 2, outside: 1, halo: around.background },
    changed: { stroke: around.accent, width: 1, outside: 0.5, dash: [3, 2] },
    cell: { stroke: around.ink, width: 1.75, outside: 1.25, halo: around.background },
  };
}

/**
 * @param {Record<string, string>} around
 * @param {number} share how opaque it is
 */
function halo(around, share) {
  const alpha = Math.round(255 * share).toString(16).padStart(2, "0");
  return around.background + alpha;
}

/**
 * The outlines that belong to a cell: itself, what it sees on every stage before, what it feeds.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 */
export function outlinesOf(scene, cell) {
  /** @type {Mark[]} */
  const marks = [];
  const { stages } = scene;
  const reads = stages[cell.stage].reads;
  const exactly = cellsSeen(scene, cell);
  for (const [s, channels] of feedingChannels(scene, cell)) {
    if (s === cell.stage) continue;
    const box = seenBox(scene, cell, stages[s]);
    if (!box) continue;
    const style = reads.includes(s) ? "read" : "seen";
    const cells = exactly.get(s);
    const holes = cells && hasHoles(cells, box, stages[s].shape[1]);
    marks.push({ stage: s, channels, box, style, cells: holes ? cells : null });
  }
  for (const s of scene.readers[cell.stage]) {
    const units = fedUnits(scene, cell, stages[s]);
    const channels = channelMask(stages[s], units.channels);
    for (const [top, bottom] of runs(units.rows)) {
      for (const [left, right] of runs(units.cols)) {
        marks.push({ stage: s, channels, box: { top, bottom, left, right }, style: "fed" });
      }
    }
  }
  const own = channelMask(stages[cell.stage], [cell.channel]);
  marks.push({ stage: cell.stage, channels: own, box: boxOf(cell), style: "cell" });
  return marks;
}

/**
 * What a cell sees on the network's first input, in words; "" if nothing.
 *
 * @param {Scene} scene
 * @param {Cell} cell
 */
export function seenWords(scene, cell) {
  const input = scene.stages.find((stage) => stage.op.type === "input");
  if (cell.stage === input.index) return "";
  const box = seenBox(scene, cell, input);
  if (!box || isVector(input)) return "";
  const [height, width] = [box.bottom - box.top + 1, box.right - box.left + 1];
  const all = height === input.shape[0] && width === input.shape[1];
  const cells = cellsSeen(scene, cell).get(input.index);
  if (input.axes === 2) {
    if (height === input.shape[0]) return `sees the whole sequence, ${height} rows`;
    return height === 1 ? `sees row ${box.top} of the sequence` : `sees ${height} rows of the sequence, ${box.top}–${box.bottom}`;
  }
  const local = localBox(scene, cell, input);
  if (local && (local.top > box.top || local.bottom < box.bottom || local.left > box.left || local.right < box.right)) {
    const [rows, cols] = [local.bottom - local.top + 1, local.right - local.left + 1];
    const rest = all ? "the whole image" : `${height}×${width}`;
    return `sees ${rows}×${cols} pixels, rows ${local.top}–${local.bottom}, columns ${local.left}–${local.right}, and through global pooling ${rest}`;
  }
  const ends = `rows ${box.top}–${box.bottom}, columns ${box.left}–${box.right}`;
  if (cells && hasHoles(cells, box, input.shape[1])) {
    return `sees ${cells.reduce((a, b) => a + b)} pixels with holes between, ${ends}`;
  }
  if (all) return `sees the whole image, ${height}×${width}`;
  return `sees ${height}×${width} pixels, ${ends}`;
}
