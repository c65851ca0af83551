// The network computed in the page: all of it once, and after a change only what lies behind it.

import { boxAround, boxOfAll } from "./arrays.js";
import { edit, readChanges, shifted } from "./changes.js";
import { computeBox } from "./forward.js";
import { fedBox, lengthOf, wholeOf } from "./windows.js";

/** @import { Change, Changes } from "./changes.js" */
/** @import { Box, Scene, Stage } from "./scene.js" */

/**
 * What came out: every stage's numbers, by the stage, and the stages whose numbers are not the plain
 * network's. Nobody may write into the numbers: what did not change is shared with the next answer.
 *
 * @typedef {{ values: Float32Array[], changed: number[] }} Computed
 */

/** Computes a scene's network, and keeps what it computed last. */
export class Engine {
  /**
   * @param {Scene} scene
   */
  constructor(scene) {
    this.scene = scene;
    /** @type {Pass | null} the last image without changes */
    this.plain = null;
    /** @type {Pass | null} */
    this.last = null;
  }

  /**
   * Every stage's numbers for an image, with changes made on the way.
   *
   * @param {Float32Array | Float32Array[]} image the numbers of the first input, or of each
   * @param {Change[]} [changes]
   * @returns {Computed}
   */
  compute(image, changes = []) {
    const images = Array.isArray(image) ? image : [image];
    const inputs = this.scene.stages.filter((stage) => stage.op.type === "input");
    if (images.length !== inputs.length || inputs.some((stage, i) => images[i].length !== lengthOf(stage))) {
      const wanted = inputs.map(({ shape }) => shape.join("×")).join(" and ");
      throw new Error(`the image must have ${wanted} numbers, got ${images.map((each) => each.length).join(" and ")}`);
    }
    const read = readChanges(this.scene, changes);
    const plain = new Pass(this.scene, images, NO_CHANGES, this.plain);
    const none = !read.arrays.size && !read.edits.size && !read.shifts.length;
    const last = none ? plain : new Pass(this.scene, images, read, nearest(images, this.last, plain));
    [this.plain, this.last] = [plain, last];
    return { values: last.values, changed: none ? [] : last.apartFrom(plain) };
  }
}

/** @type {Changes} */
const NO_CHANGES = { arrays: new Map(), edits: new Map(), shifts: [] };

/**
 * Where to begin: at the last pass, unless its image is another one and not just painted on.
 *
 * @param {Float32Array[]} images
 * @param {Pass | null} last
 * @param {Pass} plain
 */
function nearest(images, last, plain) {
  if (!last) return plain;
  const painted = images.every((image, i) => {
    let count = 0;
    for (let n = 0; n < image.length; n++) count += Number(image[n] !== last.images[i][n]);
    return count <= image.length / 8;
  });
  return painted ? last : plain;
}

/** One forward pass, made from another one where there is one. */
class Pass {
  /**
   * @param {Scene} scene
   * @param {Float32Array[]} images
   * @param {Changes} changes
   * @param {Pass | null} before
   */
  constructor(scene, images, { arrays, edits, shifts }, before) {
    this.images = images;
    /** @type {Map<number, string>} what is set by hand, by the stage, to be compared */
    this.edits = new Map([...edits].map(([s, list]) => [s, JSON.stringify(list)]));
    /** @type {Scene} with the changed weights */
    this.scene = arrays.size ? scene.withArrays(arrays) : scene;
    /** @type {Float32Array[]} as the operations gave them */
    this.raw = [];
    /** @type {Float32Array[]} as they are after what was set by hand */
    this.values = [];
    /** @type {(Box | null)[]} where they are not what they were */
    const boxes = [];
    const differing = before ? differingArrays(this.scene, before.scene) : new Set();
    const left = images.slice();
    for (const stage of scene.stages) {
      const s = stage.index;
      const isInput = stage.op.type === "input";
      const raw = isInput
        ? shifts.reduce((image, [rows, cols]) => shifted(stage.shape, image, rows, cols), /** @type {Float32Array} */ (left.shift()))
        : this.computed(stage, before, boxes, differing);
      const list = edits.get(s);
      let values = raw;
      if (list) edit(stage, (values = raw.slice()), list);
      const asBefore = before && !isInput && raw === before.raw[s] && this.edits.get(s) === before.edits.get(s);
      const whole = wholeOf(stage.shape);
      const box = !before ? whole : asBefore ? null : differingBox(stage.shape, before.values[s], values);
      this.raw.push(raw);
      this.values.push(before && !box ? before.values[s] : values);
      boxes.push(box);
    }
  }

  /**
   * The stages whose numbers are not another pass's; those of the others are the same arrays from now on.
   *
   * @param {Pass} other
   */
  apartFrom(other) {
    return this.scene.stages.filter(({ index: s, shape }) => {
      if (differingBox(shape, other.values[s], this.values[s])) return true;
      if (this.raw[s] === this.values[s]) this.raw[s] = other.values[s];
      this.values[s] = other.values[s];
      return false;
    }).map((stage) => stage.index);
  }

  /**
   * A stage's numbers before anything is set by hand.
   *
   * @param {Stage} stage
   * @param {Pass | null} before
   * @param {(Box | null)[]} boxes where the stages before it are not what they were
   * @param {Set<string>} differing arrays
   */
  computed(stage, before, boxes, differing) {
    const length = lengthOf(stage);
    if (!before) return this.fill(stage, new Float32Array(length), wholeOf(stage.shape));
    const own = differing.size > 0 && namesIn(stage.op).some((name) => differing.has(name));
    const box = own ? wholeOf(stage.shape) : stage.reads.reduce(
      (/** @type {Box | null} */ found, source, input) => {
        const from = boxes[source];
        return from ? boxAround(found, fedBox(this.scene, stage, input, from)) : found;
      },
      null,
    );
    const old = before.raw[stage.index];
    if (!box) return old;
    const raw = this.fill(stage, old.slice(), box);
    return differingBox(stage.shape, old, raw) ? raw : old;
  }

  /**
   * @param {Stage} stage
   * @param {Float32Array} out
   * @param {Box} box
   */
  fill(stage, out, box) {
    computeBox(this.scene, stage, this.values, out, box);
    return out;
  }
}

/**
 * The names of the arrays in which two scenes of one network differ.
 *
 * @param {Scene} scene
 * @param {Scene} before
 */
function differingArrays(scene, before) {
  const names = new Set();
  if (scene.arrays === before.arrays) return names;
  for (const [name, { data }] of scene.arrays) {
    const old = before.data(name);
    if (old !== data && data.some((/** @type {number} */ x, /** @type {number} */ n) => !Object.is(x, old[n]))) names.add(name);
  }
  return names;
}

/**
 * All texts in an operation: the arrays that it names are among them.
 *
 * @param {any} op
 * @returns {string[]}
 */
function namesIn(op) {
  if (typeof op === "string") return [op];
  return op && typeof op === "object" ? Object.values(op).flatMap(namesIn) : [];
}

/**
 * The smallest box of a map around all cells in which two differ; null if none do.
 *
 * @param {number[]} shape
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @returns {Box | null}
 */
function differingBox([height, width, channels], a, b) {
  if (a === b) return null;
  return boxOfAll(height, width, (cell) => {
    for (let n = cell * channels; n < (cell + 1) * channels; n++) if (!Object.is(a[n], b[n])) return true;
    return false;
  });
}
