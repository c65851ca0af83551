// The columns of a network: what only finishes a layer is folded into its column, and a block that is closed is one
// column. Blocks are found in Python (stage_blocks.py); what is open is in the stage's state.

import { maximum } from "./arrays.js";

/** @import { Scene } from "./scene.js" */

/**
 * What stands in one column: a run of stages that finish one another, or a closed block.
 *
 * @typedef {object} Item
 * @property {number[]} stages
 * @property {number} shown the stage whose maps it shows
 * @property {Block | null} block that is closed
 * @property {Block[]} around the open blocks that it is in, the outermost first
 */

/**
 * Stages that are one column until they are opened, as stage_blocks.py describes them.
 *
 * @typedef {object} Block
 * @property {string} name
 * @property {string} caption
 * @property {string} what
 * @property {number[]} stages
 * @property {number} layers
 * @property {number | null} within the number of the block around it
 */

/** @typedef {{ slot: number, row: number }} Place of an item: how far right, and how far down among branches */

/**
 * Stages in runs that belong together: what only finishes a layer (an activation, a normalisation) is folded
 * into its column, unless the layer is unfolded.
 *
 * @param {Scene} scene
 * @param {number[]} shown
 * @param {string[]} open names of layers that are unfolded
 * @returns {number[][]}
 */
export function groupsOf(scene, shown, open) {
  /** @type {Map<number, number[]>} */
  const groupOf = new Map();
  for (const s of shown) {
    const { finishes, reads } = scene.stages[s];
    const before = finishes ? groupOf.get(reads[0]) : undefined;
    if (before && !open.includes(scene.stages[before[0]].layer)) {
      before.push(s);
      groupOf.set(s, before);
    } else groupOf.set(s, [s]);
  }
  return [...new Set(groupOf.values())];
}

/** @type {WeakMap<Block[], Block[][]>} */
const known = new WeakMap();

/**
 * The blocks that a stage is in, the outermost first.
 *
 * @param {Scene} scene
 * @param {number} s
 * @returns {Block[]}
 */
export function blocksAround(scene, s) {
  const { blocks } = scene;
  let around = known.get(blocks);
  if (!around) {
    around = scene.stages.map(() => /** @type {Block[]} */ ([]));
    // A block stands after the one around it.
    for (const block of blocks) for (const stage of block.stages) around[stage].push(block);
    known.set(blocks, around);
  }
  return around[s];
}

/**
 * A block and those around it, the outermost first.
 *
 * @param {Scene} scene
 * @param {Block} block
 * @returns {Block[]}
 */
export function blocksTo({ blocks }, block) {
  const { within } = block;
  return within === null ? [block] : [...blocksTo(/** @type {Scene} */ ({ blocks }), blocks[within]), block];
}

/**
 * What is open, with no more blocks than the one that was opened last and those around it: others would take its
 * room. A name that is no block's is a layer's, or closes all blocks if it is "".
 *
 * @param {Scene} scene
 * @param {string[]} open
 */
export function onOneWay(scene, open) {
  const named = new Map(scene.blocks.map((block) => [block.name, block]));
  const last = open.filter((name) => !name || named.has(name)).at(-1);
  const block = last ? named.get(last) : undefined;
  const layers = open.filter((name) => name && !named.has(name));
  return [...layers, ...(block ? blocksTo(scene, block).map(({ name }) => name) : [])];
}

/**
 * The columns: of each closed block one, of what is in no closed block one for each group.
 *
 * @param {Scene} scene
 * @param {number[][]} groups
 * @param {string[]} open names of blocks that are open
 * @returns {Item[]}
 */
export function columnsOf(scene, groups, open) {
  /** @type {Map<Block | number[], Item>} */
  const items = new Map();
  for (const group of groups) {
    const all = blocksAround(scene, group[0]);
    const shut = all.findIndex(({ name }) => !open.includes(name));
    const block = shut < 0 ? null : all[shut];
    const last = group[group.length - 1];
    const before = block && items.get(block);
    if (before) {
      before.stages.push(...group);
      before.shown = Math.max(before.shown, last);
    } else items.set(block ?? group, { stages: [...group], shown: last, block, around: shut < 0 ? all : all.slice(0, shut) });
  }
  return [...items.values()];
}

/**
 * The items that each reads, by their numbers, through stages that have no column.
 *
 * @param {Scene} scene
 * @param {Item[]} items
 * @returns {number[][]}
 */
export function sourcesOf(scene, items) {
  const itemOf = new Map(items.flatMap(({ stages }, i) => stages.map((s) => /** @type {[number, number]} */ ([s, i]))));
  /** @type {(s: number) => number[]} */
  const follow = (s) => scene.stages[s].reads.flatMap((/** @type {number} */ read) => {
    const item = itemOf.get(read);
    return item === undefined ? follow(read) : [item];
  });
  return items.map(({ stages }, i) => [...new Set(stages.flatMap(follow))].filter((source) => source !== i));
}

/**
 * Where items stand: right of all that they read; branches lie under each other, the longest on top, and keep
 * their rows as far as they go.
 *
 * @param {number[][]} sources of each item
 * @returns {Place[]}
 */
export function placesOf(sources) {
  const slots = longest(sources);
  /** @type {number[][]} */
  const readers = sources.map(() => []);
  sources.forEach((each, i) => each.forEach((source) => readers[source].push(i)));
  const ahead = longest(readers);
  const rows = sources.map(() => 0);
  /** @type {Set<string>} rows that are taken, by the slot */
  const taken = new Set();
  const order = sources.map((_, i) => i).sort((a, b) => slots[a] - slots[b] || ahead[b] - ahead[a] || a - b);
  for (const i of order) {
    // A branch keeps its row; where branches meet again they meet on top.
    const [from] = sources[i].length === 1 ? sources[i] : [];
    let row = from === undefined ? 0 : rows[from];
    while (taken.has(`${slots[i]},${row}`)) row++;
    rows[i] = row;
    taken.add(`${slots[i]},${row}`);
    // Its way to what reads it is kept free.
    if (!row || !readers[i].length) continue;
    const end = maximum(readers[i].map((reader) => slots[reader]));
    for (let slot = slots[i] + 1; slot < end; slot++) taken.add(`${slot},${row}`);
  }
  return slots.map((slot, i) => ({ slot, row: rows[i] }));
}

/**
 * The longest way from what has no sources to each; a circle, which blocks could make, is not walked on.
 *
 * @param {number[][]} sources
 */
function longest(sources) {
  /** @type {number[]} */
  const far = [];
  /** @type {Set<number>} */
  const walked = new Set();
  const of = (/** @type {number} */ i) => {
    if (far[i] === undefined && !walked.has(i)) {
      walked.add(i);
      far[i] = maximum(sources[i].map((source) => of(source) + 1), 0);
    }
    return far[i] ?? 0;
  };
  sources.forEach((_, i) => of(i));
  return far;
}
