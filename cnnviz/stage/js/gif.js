// A GIF from pictures of one size: at most 255 colours, and of each picture only what changed.
// Source: GIF89a specification (CompuServe, 1990), with the looping extension that all viewers know.

import { boxOfAll, minimum } from "./arrays.js";

const CLEAR = 256;
const END = 257;
const LARGEST = 4096;
const HASH = 16384;
const ONE = { left: 0, right: 0, top: 0, bottom: 0 };

/** @typedef {Pick<ImageData, "data">} Picture */

/**
 * Colours for some pictures: the most frequent, by five bits a channel, each bin's mean.
 *
 * @param {Picture[]} images
 */
export function paletteOf(images) {
  /** @type {Map<number, number[]>} */
  const sums = new Map();
  for (const { data } of images) {
    for (let n = 0; n < data.length; n += 4) {
      const key = keyOf(data[n], data[n + 1], data[n + 2]);
      const sum = sums.get(key) ?? [0, 0, 0, 0];
      sums.set(key, sum);
      sum[0] += 1;
      for (let k = 0; k < 3; k++) sum[k + 1] += data[n + k];
    }
  }
  const frequent = [...sums.values()].sort((a, b) => b[0] - a[0]).slice(0, 255);
  return frequent.map(([count, ...rgb]) => rgb.map((sum) => Math.round(sum / count)));
}

/**
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
function keyOf(r, g, b) {
  return ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
}

export class Gif {
  /**
   * @param {number} width
   * @param {number} height
   * @param {number[][]} palette
   */
  constructor(width, height, palette) {
    this.width = width;
    this.height = height;
    this.palette = palette;
    this.clear = palette.length;
    this.nearest = new Int16Array(1 << 15).fill(-1);
    this.parts = [this.start()];
    /** @type {Uint8Array | null} the picture before, as places in the palette */
    this.before = null;
  }

  /**
   * Add a picture that stands for so many hundredths of a second.
   *
   * @param {Picture} picture
   * @param {number} hundredths
   */
  add({ data }, hundredths) {
    const now = this.indices(data);
    const { before } = this;
    // One pixel if nothing is other than before.
    const box = boxOfAll(this.height, this.width, (n) => now[n] !== before?.[n]) ?? ONE;
    const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
    const pixels = new Uint8Array(width * height).map((_, n) => {
      const place = (box.top + Math.floor(n / width)) * this.width + box.left + (n % width);
      return before?.[place] === now[place] ? this.clear : now[place];
    });
    this.before = now;
    const control = [0x21, 0xf9, 4, 0x05, ...word(hundredths), this.clear, 0];
    const head = [...control, 0x2c, ...[box.left, box.top, width, height].flatMap(word), 0, 8];
    this.parts.push(Uint8Array.from(head), compressed(pixels));
  }

  /** The file. */
  bytes() {
    const parts = [...this.parts, Uint8Array.of(0x3b)];
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let place = 0;
    for (const part of parts) {
      whole.set(part, place);
      place += part.length;
    }
    return whole;
  }

  start() {
    const head = [...text("GIF89a"), ...word(this.width), ...word(this.height), 0xf7, 0, 0];
    for (let n = 0; n < 256; n++) head.push(...(this.palette[n] ?? [0, 0, 0]));
    return Uint8Array.from([...head, 0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0]);
  }

  /**
   * @param {Uint8ClampedArray} data
   */
  indices(data) {
    const places = new Uint8Array(data.length / 4);
    for (let n = 0, at = 0; n < places.length; n++, at += 4) {
      const key = keyOf(data[at], data[at + 1], data[at + 2]);
      if (this.nearest[key] < 0) this.nearest[key] = this.closest(data[at], data[at + 1], data[at + 2]);
      places[n] = this.nearest[key];
    }
    return places;
  }

  /**
   * @param {number} r
   * @param {number} g
   * @param {number} b
   */
  closest(r, g, b) {
    const distances = this.palette.map(([x, y, z]) => (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2);
    return distances.indexOf(minimum(distances));
  }
}

/**
 * @param {string} words
 */
function text(words) {
  return [...words].map((c) => c.charCodeAt(0));
}

/**
 * @param {number} value
 */
function word(value) {
  return [value & 255, value >> 8];
}

/**
 * LZW with eight-bit pixels, in blocks of at most 255 bytes.
 *
 * @param {Uint8Array} pixels
 */
function compressed(pixels) {
  /** @type {number[]} */
  const out = [];
  const keys = new Int32Array(HASH);
  const codes = new Uint16Array(HASH);
  let [held, bits, size, next] = [0, 0, 9, END + 1];
  const write = (/** @type {number} */ code) => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>>= 8) out.push(held & 255);
  };
  write(CLEAR);
  let prefix = pixels[0];
  for (let n = 1; n < pixels.length; n++) {
    const key = (prefix << 8) + pixels[n] + 1;
    let place = (key * 40503) & (HASH - 1);
    while (keys[place] && keys[place] !== key) place = (place + 1) & (HASH - 1);
    if (keys[place]) {
      prefix = codes[place];
      continue;
    }
    write(prefix);
    prefix = pixels[n];
    if (next === LARGEST) {
      write(CLEAR);
      keys.fill(0);
      [size, next] = [9, END + 1];
      continue;
    }
    if (next === 1 << size) size += 1;
    keys[place] = key;
    codes[place] = next++;
  }
  write(prefix);
  write(END);
  if (bits) out.push(held & 255);
  const blocks = new Uint8Array(out.length + Math.ceil(out.length / 255) + 1);
  for (let from = 0, to = 0; from < out.length; from += 255) {
    const part = out.slice(from, from + 255);
    blocks[to] = part.length;
    blocks.set(part, to + 1);
    to += part.length + 1;
  }
  return blocks;
}
