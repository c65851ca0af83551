// Reads the parts that Python packs, a network's plan and the numbers of images, and works out what they
// leave out.

import { extentsFrom, FarArray, FarNumbers, FarStage } from "./far_numbers.js";
import { computeStage, scaleAndShift } from "./forward.js";

/**
 * What a stage computes, as `Stage.op` in stages.py says it: a type, with that type's own options. Arrays are
 * named; `Scene.data` has them.
 *
 * @typedef {{ type: string, [option: string]: any }} Operation
 */

/**
 * One column of the view, as plan.py describes it.
 *
 * @typedef {object} Stage
 * @property {number} index its number among the stages
 * @property {string} name
 * @property {string} layer
 * @property {string} kind the layer's class
 * @property {"output" | "before" | "depthwise"} part what it is of the layer
 * @property {string} label
 * @property {[number, number, number]} shape rows, columns and channels, as drawn
 * @property {number} axes of the layer's output: 1 is a vector, 2 a sequence, 3 maps
 * @property {number[]} reads the stages that it reads
 * @property {Operation} op
 * @property {number} params
 * @property {number} [work] multiply-adds that computing it takes
 * @property {string | null} shared the layer whose weights it has
 * @property {string[]} hidden the layers before it that are not shown
 * @property {number[]} [blocked] which of its inputs no gradient goes back to, since it or a layer between lets none through
 * @property {boolean} exact whether the browser computes the same bits
 * @property {boolean} finishes whether it only finishes what the stage that it reads began
 * @property {string} rf the side of its receptive field, in words
 * @property {string | null} [rf_local] the same over paths without global pooling, where such paths meet others
 * @property {string[]} [planes] the planes of a colour picture that its channels hold
 */

/**
 * How the first input is drawn as the colour picture that it came from, as `InputPicture` in
 * input_pictures.py: each number times its channel's factor, plus its offset, is 0 to 1.
 *
 * @typedef {object} Picture
 * @property {string[]} planes what each channel holds; none of a grey picture
 * @property {number[]} channels which channels hold red, green and blue; of a grey picture the only one
 * @property {number[]} factor by channel
 * @property {number[]} offset by channel
 * @property {string} said what was done to the numbers
 */

/**
 * A place in a channel of a stage; one that was pointed at on the whole picture in its `colours` is in the first.
 *
 * @typedef {{ stage: number, row: number, col: number, channel: number, colours?: boolean }} Cell
 */

/** @typedef {{ top: number, bottom: number, left: number, right: number }} Box the ends included */

/** @typedef {[offset: number, count: number, type: string, shape?: number[]]} Place of an array in a part */

/**
 * What is said of an image: `tensors` are the places of its numbers, by the stage; of a network that is too large to
 * be sent whole only of those that came along, and `extents` those of all channels.
 *
 * @typedef {object} Item
 * @property {string} title
 * @property {number | null} label
 * @property {string} key
 * @property {string} code
 * @property {Record<string, Place>} tensors
 * @property {Place} [extents]
 * @property {boolean} [computed] whether only the inputs came, and this page computes the rest
 */

/** @type {Record<string, typeof Float32Array | typeof Int32Array | typeof Int16Array>} */
const TYPES = { f4: Float32Array, i4: Int32Array, i2: Int16Array };

/** A header and the arrays that it names, as parts.py packs them; `end` is where the next part starts. */
export class Part {
  /**
   * @param {Uint8Array} bytes
   * @param {number} [start]
   */
  constructor(bytes, start = 0) {
    // Typed arrays must start at a multiple of their size, which the host's buffer need not.
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const view = new DataView(aligned.buffer, aligned.byteOffset + start);
    const magic = String.fromCharCode(...aligned.subarray(start, start + 8));
    if (magic !== "cnnviz02") throw new Error(`not a part of a cnnviz scene: it starts with ${magic}`);
    const [text, body] = [view.getUint32(8, true), view.getUint32(12, true)];
    /** @type {any} */
    this.header = JSON.parse(new TextDecoder().decode(aligned.subarray(start + 16, start + 16 + text)));
    this.buffer = /** @type {ArrayBuffer} */ (aligned.buffer);
    this.place = aligned.byteOffset + start + 16 + text;
    this.start = start;
    this.end = start + 16 + text + body;
    this.bytes = aligned;
  }

  /**
   * @param {Place} place
   */
  read([offset, count, type]) {
    return new TYPES[type](this.buffer, this.place + offset, count);
  }
}

/**
 * The scene that both parts, one behind the other, make.
 *
 * @param {Uint8Array} bytes
 */
export function sceneOf(bytes) {
  const plan = new Part(bytes);
  return new Scene(plan, new Part(plan.bytes, plan.end));
}

export class Scene {
  /**
   * @param {Part} plan
   * @param {Part} numbers
   * @param {Scene | null} [base] the scene that has the numbers, where none were sent again
   */
  constructor(plan, numbers, base = null) {
    this.plan = plan;
    this.numbers = numbers;
    this.base = base;
    const { host, start, items, classes, key, picture, planes } = numbers.header;
    this.header = { ...plan.header, host, start };
    this.key = key;
    /** @type {Stage[]} */
    this.stages = this.header.stages.map((/** @type {object} */ stage, /** @type {number} */ index) => ({
      ...stage,
      index,
      planes: planes?.[index],
    }));
    /** @type {Picture | null} */
    this.picture = picture ?? null;
    /** @type {Item[]} */
    this.items = items;
    /** @type {string[]} */
    this.classes = classes;
    /** @type {Map<string, { shape: number[], data: any }>} */
    this.arrays = new Map();
    for (const part of [plan, numbers]) {
      for (const [name, place] of Object.entries(part.header.arrays)) {
        const [offset, length, , shape] = place;
        this.arrays.set(name, offset === null ? Object.assign(new FarArray(length), { shape }) : { shape, data: part.read(place) });
      }
    }
    /** @type {Map<string, number>} */
    this.layerNumber = new Map(this.header.layers.map((/** @type {string} */ name, /** @type {number} */ i) => [name, i]));
    /** @type {import("./blocks.js").Block[]} each after the one around it */
    this.blocks = this.header.blocks ?? [];
    /** @type {number[][]} which stages read each */
    this.readers = this.stages.map(() => []);
    for (const stage of this.stages) {
      for (const source of new Set(stage.reads)) this.readers[source].push(stage.index);
    }
    /** @type {Map<number, Float32Array[]>} */
    this.values = new Map();
    /** The numbers that came last with this content: their host may say more. */
    this.latest = numbers;
  }

  /**
   * The array that an operation names.
   *
   * @param {string} name
   */
  data(name) {
    const array = this.arrays.get(name);
    if (!array) throw new Error(`no array is called ${name}`);
    return array.data;
  }

  /**
   * The scene with other numbers in some of its arrays, and in those that follow from them.
   *
   * @param {Map<string, Float32Array>} changed
   * @returns {Scene}
   */
  withArrays(changed) {
    const arrays = new Map(this.arrays);
    for (const [name, data] of changed) arrays.set(name, { shape: this.shapeOf(name), data });
    for (const { op } of this.stages) {
      if (!op.parts || !Object.values(op.parts).some((name) => changed.has(name))) continue;
      const partOf = (/** @type {string} */ name) => op.parts[name] && arrays.get(op.parts[name])?.data;
      const [mean, variance, gamma, beta] = ["mean", "variance", "gamma", "beta"].map(partOf);
      const { scale, shift } = scaleAndShift(mean, variance, gamma, beta, op.epsilon);
      arrays.set(op.a, { shape: this.shapeOf(op.a), data: scale });
      arrays.set(op.b, { shape: this.shapeOf(op.b), data: shift });
    }
    return Object.assign(Object.create(Scene.prototype), this, { arrays, values: new Map() });
  }

  /**
   * @param {string} name
   */
  shapeOf(name) {
    return this.arrays.get(name)?.shape ?? [];
  }

  /**
   * Every stage's numbers for one image: what was sent, and the rest derived in float32.
   *
   * @param {number} item
   * @returns {Float32Array[]}
   */
  valuesOf(item) {
    const kept = this.values.get(item);
    if (kept) return kept;
    if (this.base) return this.base.valuesOf(item);
    const { tensors } = this.items[item];
    if (this.header.far) return this.farValuesOf(item);
    /** @type {Float32Array[]} */
    const values = [];
    for (const stage of this.stages) {
      const place = tensors[stage.index];
      values.push(place ? /** @type {Float32Array} */ (this.numbers.read(place)) : computeStage(this, stage, values));
    }
    this.values.set(item, values);
    return values;
  }

  /**
   * The numbers of an image of a network that is too large to be sent whole: what came of them.
   *
   * @param {number} item
   */
  farValuesOf(item) {
    const { tensors, extents } = this.items[item];
    const read = (/** @type {Place} */ place) => /** @type {Float32Array} */ (this.numbers.read(place));
    const all = extents ? extentsFrom(this.stages, read(extents)) : null;
    const parts = this.stages.map((stage) => {
      const place = tensors[stage.index];
      return new FarStage(stage, all?.[stage.index] ?? null, place ? read(place) : null);
    });
    const { values } = new FarNumbers(this, parts, { item, image: null, changes: [] }, Boolean(all));
    this.values.set(item, values);
    return values;
  }

  /** Whether this page can compute the whole network: no layer's numbers are only given, and all weights are here. */
  get computable() {
    const here = [...this.arrays.values()].every((array) => !(array instanceof FarArray));
    return here && this.stages.every((stage) => stage.op.type !== "given");
  }

  /**
   * The whole network from an image, computed here.
   *
   * @param {Float32Array} image
   */
  forward(image) {
    /** @type {Float32Array[]} */
    const values = [];
    for (const stage of this.stages) {
      values.push(stage.op.type === "input" ? image : computeStage(this, stage, values));
    }
    return values;
  }

  /**
   * How many pictures a stage is drawn as: the image in its colours lies before its planes.
   *
   * @param {Stage} stage
   */
  pictureCount(stage) {
    return stage.shape[2] + Number(this.inColours(stage));
  }

  /**
   * Whether a stage is drawn as a colour picture too.
   *
   * @param {Stage} stage
   */
  inColours({ index }) {
    return Boolean(this.picture?.planes.length) && index === 0;
  }

  /** Whether the output is one row of probabilities. */
  get predicts() {
    return isProbability(this.output);
  }

  /** The stages that are the network's outputs; the last stage is one. @returns {Stage[]} */
  get outputs() {
    return (this.header.outputs ?? [this.output.index]).map((/** @type {number} */ s) => this.stages[s]);
  }

  /**
   * The name of a class, of an output whose classes have names; else its number.
   *
   * @param {Stage} stage
   * @param {number} channel
   */
  className({ index }, channel) {
    return String((index === this.output.index ? this.classes[channel] : undefined) ?? channel);
  }

  get output() {
    return this.stages[this.stages.length - 1];
  }

  /**
   * Whether a stage has a column, a row of bars or, as an input, a place at the side.
   *
   * @param {Stage} stage
   * @returns {boolean}
   */
  shows(stage) {
    const { shown } = this.header;
    return !shown || shown.includes(stage.layer);
  }
}

/**
 * A cell's place in its stage's numbers.
 *
 * @param {Stage} stage
 * @param {{ row: number, col: number, channel: number }} cell
 */
export function cellIndex(stage, { row, col, channel }) {
  const [, width, channels] = stage.shape;
  return (row * width + col) * channels + channel;
}

/**
 * The cell at a place.
 *
 * @param {Stage} stage
 * @param {number} index
 * @returns {Cell}
 */
export function cellAt(stage, index) {
  const [, width, channels] = stage.shape;
  const pixel = Math.floor(index / channels);
  return { stage: stage.index, row: Math.floor(pixel / width), col: pixel % width, channel: index % channels };
}

/**
 * A text that stands for a cell.
 *
 * @param {Cell} cell
 */
export function cellKey({ stage, row, col, channel }) {
  return [stage, row, col, channel].join();
}

/**
 * The cell that a text stands for.
 *
 * @param {string} key
 * @returns {Cell}
 */
export function cellOfKey(key) {
  const [stage, row, col, channel] = key.split(",").map(Number);
  return { stage, row, col, channel };
}

/**
 * @param {Cell | null} a
 * @param {Cell | null} b
 */
export function sameCell(a, b) {
  return a !== null && b !== null && cellKey(a) === cellKey(b);
}

/**
 * Whether the stage is one row of probabilities.
 *
 * @param {Stage} stage
 */
export function isProbability(stage) {
  return isVector(stage) && stage.op.type === "softmax" && !stage.op.log;
}

/**
 * Whether the stage is one row of units rather than maps.
 *
 * @param {Stage} stage
 */
export function isVector(stage) {
  return stage.shape[0] === 1 && stage.shape[1] === 1;
}
