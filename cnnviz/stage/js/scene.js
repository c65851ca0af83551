// Reads the parts that Python packs, a network's plan and the numbers of images, and works out what they
// leave out.

import { computeStage } from "./forward.js";

const TYPES = { f4: Float32Array, i4: Int32Array, i2: Int16Array };

/** A header and the arrays that it names, as parts.py packs them; `end` is where the next part starts. */
export class Part {
  constructor(bytes, start = 0) {
    // Typed arrays must start at a multiple of their size, which the host's buffer need not.
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const view = new DataView(aligned.buffer, aligned.byteOffset + start);
    const magic = String.fromCharCode(...aligned.subarray(start, start + 8));
    if (magic !== "cnnviz02") throw new Error(`not a part of a cnnviz scene: it starts with ${magic}`);
    const [text, body] = [view.getUint32(8, true), view.getUint32(12, true)];
    this.header = JSON.parse(new TextDecoder().decode(aligned.subarray(start + 16, start + 16 + text)));
    this.buffer = aligned.buffer;
    this.place = aligned.byteOffset + start + 16 + text;
    this.end = start + 16 + text + body;
    this.bytes = aligned;
  }

  read([offset, count, type]) {
    return new TYPES[type](this.buffer, this.place + offset, count);
  }
}

/** The scene that both parts, one behind the other, make. */
export function sceneOf(bytes) {
  const plan = new Part(bytes);
  return new Scene(plan, new Part(plan.bytes, plan.end));
}

export class Scene {
  /** Numbers that were sent as differences need `base`, the scene from which they differ. */
  constructor(plan, numbers, base = null) {
    this.plan = plan;
    this.numbers = numbers;
    this.base = base;
    const { host, start, items, classes, key } = numbers.header;
    this.header = { ...plan.header, host, start };
    this.key = key;
    this.stages = this.header.stages.map((stage, index) => ({ ...stage, index }));
    this.items = items;
    this.classes = classes;
    this.arrays = new Map();
    for (const part of [plan, numbers]) {
      for (const [name, [offset, count, type, shape]] of Object.entries(part.header.arrays)) {
        this.arrays.set(name, { name, shape, data: part.read([offset, count, type]) });
      }
    }
    this.layerNumber = new Map(this.header.layers.map((name, i) => [name, i]));
    this.readers = this.stages.map(() => []);
    for (const stage of this.stages) {
      for (const source of new Set(stage.reads)) this.readers[source].push(stage.index);
    }
    this.values = new Map();
    /** The numbers that came last with this content: their host may say more. */
    this.latest = numbers;
  }

  /** An array of the plan. */
  read(place) {
    return this.plan.read(place);
  }

  data(name) {
    return this.arrays.get(name).data;
  }

  /** Every stage's numbers for one image: what was sent, and the rest derived in float32. */
  valuesOf(item) {
    if (this.values.has(item)) return this.values.get(item);
    const { tensors } = this.items[item];
    const before = this.base?.valuesOf(0);
    const changed = new Set(Object.keys(this.numbers.header.arrays));
    const values = [];
    for (const stage of this.stages) {
      const s = stage.index;
      if (tensors[s]) values.push(this.numbers.read(tensors[s]));
      else if (before && this.asBefore(stage, before, values, changed)) values.push(before[s]);
      else values.push(computeStage(this, stage, values));
    }
    this.values.set(item, values);
    return values;
  }

  /** Whether a stage that was not sent is the base's: it was sent there, or is derived from the same. */
  asBefore({ index, reads, op }, before, values, changed) {
    if (this.base.items[0].tensors[index]) return true;
    return reads.every((s) => values[s] === before[s]) && !Object.values(op).some((name) => changed.has(name));
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

  /** Whether a stage has a column, a row of bars or, as an input, a place at the side. */
  shows(stage) {
    const { shown } = this.header;
    return !shown || shown.includes(stage.layer);
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
