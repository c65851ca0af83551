// Small scenes for the tests, packed as cnnviz/stage/parts.py packs them.

import { Part, Scene } from "../../../cnnviz/stage/js/scene.js";

/**
 * A header and arrays by name as the bytes of a part; the header names the arrays as plan.py does.
 *
 * @param {object} header
 * @param {Record<string, Float32Array | Int32Array | Int16Array>} [arrays]
 */
export function partOf(header, arrays = {}) {
  const places = {};
  const body = [];
  for (const [name, array] of Object.entries(arrays)) {
    const type = { Float32Array: "f4", Int32Array: "i4", Int16Array: "i2" }[array.constructor.name];
    places[name] = [body.length, array.length, type, [array.length]];
    for (const byte of new Uint8Array(array.buffer)) body.push(byte);
    while (body.length % 8) body.push(0);
  }
  let text = JSON.stringify({ arrays: places, ...header });
  text += " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  const head = new TextEncoder().encode(text);
  const bytes = new Uint8Array(16 + head.length + body.length);
  bytes.set(new TextEncoder().encode("cnnviz02"));
  new DataView(bytes.buffer).setUint32(8, head.length, true);
  new DataView(bytes.buffer).setUint32(12, body.length, true);
  bytes.set(head, 16);
  bytes.set(body, 16 + head.length);
  return bytes;
}

/**
 * A scene of some stages, each {shape, reads, op, ...}, on one image.
 *
 * @param {any[]} stages
 * @param {Float32Array} image
 * @param {Record<string, Float32Array | Int32Array | Int16Array>} [arrays]
 * @param {object} [header]
 */
export function sceneWith(stages, image, arrays = {}, header = {}) {
  const described = stages.map((stage, n) => ({
    name: `stage ${n}`,
    layer: `layer ${n}`,
    label: stage.op.type,
    part: "output",
    reads: n ? [n - 1] : [],
    ...stage,
  }));
  const layers = described.map(({ layer }) => layer);
  const plan = new Part(partOf({ stages: described, layers, fields: {}, alike: {}, read_as: {}, ...header }, arrays));
  const classes = ["cat", "dog", "cow", "hen"];
  const numbers = partOf({ items: [], classes, host: {}, start: {}, key: "k" }, { image });
  const part = new Part(numbers);
  part.header.items = [{ title: "image", label: null, key: "", code: "", tensors: { 0: part.header.arrays.image } }];
  part.header.arrays = {};
  return new Scene(plan, part);
}

/**
 * An axis as Python sends it.
 *
 * @param {number} size
 * @param {number} kernel
 * @param {{ stride?: number, dilation?: number, before?: number, after?: number }} [options]
 */
export function axis(size, kernel, { stride = 1, dilation = 1, before = 0, after = 0 } = {}) {
  const out = Math.floor((size + before + after - (kernel - 1) * dilation - 1) / stride) + 1;
  return [size, kernel, stride, dilation, before, after, out];
}

/** Numbers 0, 1, 2, ... */
export const counting = (/** @type {number} */ length) => Float32Array.from({ length }, (_, n) => n);
