// Reads the bytes that scene.py packs, and works out what they leave out.

import { computeStage } from "./forward.js";

const TYPES = { f4: Float32Array, i4: Int32Array, i2: Int16Array };

export class Scene {
  constructor(bytes) {
    // Typed arrays must start at a multiple of their size, which the host's buffer need not.
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.byteLength);
    const magic = String.fromCharCode(...aligned.subarray(0, 8));
    if (magic !== "cnnviz01") throw new Error(`not a cnnviz scene: it starts with ${magic}`);
    const length = view.getUint32(8, true);
    this.header = JSON.parse(new TextDecoder().decode(aligned.subarray(16, 16 + length)));
    this.buffer = aligned.buffer;
    this.start = aligned.byteOffset + 16 + length;
    this.stages = this.header.stages.map((stage, index) => ({ ...stage, index }));
    this.items = this.header.items;
    this.classes = this.header.classes;
    this.arrays = new Map();
    for (const [name, [offset, count, type, shape]] of Object.entries(this.header.arrays)) {
      this.arrays.set(name, { name, shape, data: this.read([offset, count, type]) });
    }
    this.layerNumber = new Map(this.header.layers.map((name, i) => [name, i]));
    this.readers = this.stages.map(() => []);
    for (const stage of this.stages) {
      for (const source of new Set(stage.reads)) this.readers[source].push(stage.index);
    }
    this.values = new Map();
    this.body = aligned.subarray(16 + length);
    /** The scene that came last with these numbers: it may say more of them. */
    this.latest = this;
  }

  /** Whether another scene differs in nothing but what the host says, and in arrays of its own. */
  sameNumbers(other) {
    const text = ({ header }) => JSON.stringify({ ...header, host: null });
    return (
      other.body.length >= this.own &&
      text(this) === text(other) &&
      this.body.subarray(0, this.own).every((byte, n) => byte === other.body[n])
    );
  }

  /** The length of what does not belong to the host. */
  get own() {
    return this.header.host?.from ?? this.body.length;
  }

  read([offset, count, type]) {
    return new TYPES[type](this.buffer, this.start + offset, count);
  }

  data(name) {
    return this.arrays.get(name).data;
  }

  /** Every stage's numbers for one image: what was sent, and the rest derived in float32. */
  valuesOf(item) {
    if (this.values.has(item)) return this.values.get(item);
    const tensors = this.items[item].tensors;
    const values = [];
    for (const stage of this.stages) {
      const sent = tensors[stage.index];
      values.push(sent ? this.read(sent) : computeStage(this, stage, values));
    }
    this.values.set(item, values);
    return values;
  }

  /** The whole network from an image, computed here. */
  forward(image) {
    const values = [];
    for (const stage of this.stages) {
      values.push(stage.op.type === "input" ? image : computeStage(this, stage, values));
    }
    return values;
  }

  get output() {
    return this.stages[this.stages.length - 1];
  }
}

/** A cell's place in its stage's numbers. */
export function cellIndex(stage, { row, col, channel }) {
  const [, width, channels] = stage.shape;
  return (row * width + col) * channels + channel;
}

/** The cell at a place. */
export function cellAt(stage, index) {
  const [, width, channels] = stage.shape;
  const pixel = Math.floor(index / channels);
  return {
    stage: stage.index,
    row: Math.floor(pixel / width),
    col: pixel % width,
    channel: index % channels,
  };
}

export function sameCell(a, b) {
  return Boolean(
    a && b && a.stage === b.stage && a.row === b.row && a.col === b.col && a.channel === b.channel,
  );
}

/** Whether the stage is one row of units rather than maps. */
export function isVector(stage) {
  return stage.shape[0] === 1 && stage.shape[1] === 1;
}
