// Numbers of a network that is too large to be sent whole: what has come of them, and where the holes are.
//
// Such a stage's array, or one of weights, is as long as any other, so that all that reads numbers reads these
// too; a number that has not come is a hole, a NaN with bits of its own. An array begins when it is first read,
// and may be let go again: what is read of it then is asked for once more.

/** @import { Scene, Stage } from "./scene.js" */

/**
 * Places in a flat array: [first, step, count] each.
 *
 * @typedef {[number, number, number][]} Places
 */

/** The bits of a hole: a quiet NaN that no arithmetic makes. */
const HOLE = 0x7fc0c0de;

/** @type {WeakMap<Float32Array, Uint32Array>} the bits of arrays that may have holes */
const bits = new WeakMap();
/** @type {WeakMap<Float32Array[], FarNumbers>} */
const behind = new WeakMap();
/** Counts what came, so that it is known what was not read for longest. */
let clock = 0;

/**
 * Whether the number at a place of an array has not come.
 *
 * @param {Float32Array} array
 * @param {number} place
 */
export function isHole(array, place) {
  return bits.get(array)?.[place] === HOLE;
}

/**
 * A copy to write into, which has the same holes.
 *
 * @param {Float32Array} array
 */
export function copyOf(array) {
  const own = bits.get(array);
  if (!own) return Float32Array.from(array);
  const copy = own.slice();
  const numbers = new Float32Array(copy.buffer);
  bits.set(numbers, copy);
  return numbers;
}

/**
 * The far numbers behind a stage-by-stage list of them; null of one that is all here.
 *
 * @param {Float32Array[]} values
 */
export function farOf(values) {
  return behind.get(values) ?? null;
}

/**
 * Whether all numbers of a map are here.
 *
 * @param {Float32Array[]} values
 * @param {Stage} stage
 * @param {number} channel
 */
export function isHere(values, { index }, channel) {
  return behind.get(values)?.parts[index].has(channel) ?? true;
}

/**
 * A map's numbers, row by row: of one that is here.
 *
 * @param {Float32Array[]} values
 * @param {Stage} stage
 * @param {number} channel
 * @returns {(n: number) => number}
 */
export function mapOf(values, { index, shape }, channel) {
  const far = behind.get(values);
  if (far) return far.parts[index].map(channel);
  const [numbers, channels] = [values[index], shape[2]];
  return (n) => numbers[n * channels + channel];
}

/** An array of which some may be here. */
export class FarArray {
  /**
   * @param {number} length
   * @param {Float32Array | null} [array] whole
   */
  constructor(length, array = null) {
    this.length = length;
    /** @type {Float32Array | null} */
    this.array = array;
    this.used = clock;
  }

  /** With holes; it begins when somebody reads it. */
  get data() {
    this.used = clock;
    if (this.array) return this.array;
    const holes = new Uint32Array(this.length).fill(HOLE);
    this.array = new Float32Array(holes.buffer);
    bits.set(this.array, holes);
    return this.array;
  }

  /** Bytes that it takes, and could be without. */
  get bytes() {
    return this.array && bits.has(this.array) ? 4 * this.length : 0;
  }

  /**
   * @param {Places} places
   * @param {Float32Array} numbers
   */
  put(places, numbers) {
    clock += 1;
    const { data } = this;
    // As bits, since a NaN's may be lost otherwise.
    const [to, from] = [data, numbers].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
    let n = 0;
    for (const [first, step, count] of places) {
      if (step === 1) to.set(from.subarray(n, n + count), first);
      else for (let i = 0; i < count; i++) to[first + i * step] = from[n + i];
      n += count;
    }
  }

  letGo() {
    this.array = null;
  }
}

/** A stage's numbers, map by map. */
export class FarStage extends FarArray {
  /**
   * @param {Stage} stage
   * @param {import("./channels.js").Extent[] | null} extents of its channels; null is not known yet
   * @param {Float32Array | null} [array] whole
   */
  constructor({ index, shape: [rows, cols, channels] }, extents, array = null) {
    super(rows * cols * channels, array);
    this.index = index;
    this.cells = rows * cols;
    this.channels = channels;
    this.extents = extents ?? Array.from({ length: channels }, () => ({ low: 0, size: 0, activity: 0 }));
    /** Which maps are whole in the array. */
    this.maps = new Uint8Array(channels);
    /** @type {Map<number, Float32Array>} maps, each for itself as long as there is no array: most stages show a few */
    this.apart = new Map();
  }

  /** With holes; it begins when somebody reads it. */
  get data() {
    const begins = !this.array;
    const data = super.data;
    if (begins) {
      for (const [channel, numbers] of this.apart) this.put(this.placesOf(channel), numbers);
      this.apart.clear();
    }
    return data;
  }

  /**
   * A map's numbers, row by row, where they are here.
   *
   * @param {number} channel
   * @returns {(n: number) => number}
   */
  map(channel) {
    const own = this.apart.get(channel);
    if (own) return (n) => own[n];
    const { data, channels } = this;
    return (n) => data[n * channels + channel];
  }

  get bytes() {
    return super.bytes + 4 * this.cells * this.apart.size;
  }

  /** @param {number} channel */
  has(channel) {
    return this.maps[channel] === 1 || this.apart.has(channel) || (this.array !== null && !bits.has(this.array));
  }

  /** Whether all its numbers are here. */
  get whole() {
    return Boolean(this.array) && (!bits.has(/** @type {Float32Array} */ (this.array)) || this.maps.every(Boolean));
  }

  /**
   * Where a map's numbers are.
   *
   * @param {number} channel
   * @returns {Places}
   */
  placesOf(channel) {
    return [[channel, this.channels, this.cells]];
  }

  /**
   * @param {Places} places
   * @param {Float32Array} numbers
   */
  put(places, numbers) {
    const maps = places.every(([first, step, count]) => first < this.channels && step === this.channels && count === this.cells);
    if (!this.array && maps) {
      this.used = clock += 1;
      places.forEach(([channel], n) => this.apart.set(channel, numbers.slice(n * this.cells, (n + 1) * this.cells)));
      return;
    }
    super.put(places, numbers);
    for (const [first, step, count] of places) {
      if (step === 1 && count === this.length) this.maps.fill(1);
      else if (step === this.channels && count === this.cells) this.maps[first] = 1;
    }
  }

  letGo() {
    super.letGo();
    this.maps.fill(0);
    this.apart.clear();
  }
}

/** The numbers of all stages for one image with some changes. */
export class FarNumbers {
  /**
   * @param {Scene} scene
   * @param {FarStage[]} parts
   * @param {import("./asking.js").About} about what they are of
   * @param {boolean} known whether the extents and the output are
   */
  constructor(scene, parts, about, known) {
    this.parts = parts;
    this.about = about;
    this.known = known;
    /** @type {Float32Array[]} */
    this.values = [];
    for (const stage of scene.stages) {
      Object.defineProperty(this.values, stage.index, { get: () => parts[stage.index].data, enumerable: true });
    }
    behind.set(this.values, this);
  }
}

/**
 * Places, in order, as few steps as can be.
 *
 * @param {number[]} places rising
 * @returns {Places}
 */
export function stepsOf(places) {
  /** @type {Places} */
  const steps = [];
  for (let n = 0; n < places.length; ) {
    const first = places[n];
    const step = n + 1 < places.length ? places[n + 1] - first : 1;
    let count = 1;
    while (n + count < places.length && places[n + count] === first + count * step) count++;
    steps.push([first, step, count]);
    n += count;
  }
  return steps;
}

/**
 * The extents of all channels, as they are sent, stage by stage.
 *
 * @param {{ shape: number[] }[]} stages
 * @param {Float32Array} numbers
 */
export function extentsFrom(stages, numbers) {
  let n = 0;
  return stages.map(({ shape }) => Array.from({ length: shape[2] }, () => ({ low: numbers[n++], size: numbers[n++], activity: numbers[n++] })));
}
