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
    let [r, g, b, sum] = [-1, -1, -1, [0, 0, 0, 0]];
    for (let n = 0; n < data.length; n += 4) {
      if (data[n] !== r || data[n + 1] !== g || data[n + 2] !== b) {
        [r, g, b] = [data[n], data[n + 1], data[n + 2]];
        const key = keyOf(r, g, b);
        sum = sums.get(key) ?? [0, 0, 0, 0];
        sums.set(key, sum);
      }
      sum[0] += 1;
      sum[1] += r;
      sum[2] += g;
      sum[3] += b;
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
    const { before, clear } = this;
    // One pixel if nothing is other than before.
    const box = boxOfAll(this.height, this.width, (n) => now[n] !== before?.[n]) ?? ONE;
    const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
    const pixels = new Uint8Array(width * height);
    for (let row = 0, n = 0; row < height; row++) {
      let place = (box.top + row) * this.width + box.left;
      for (let col = 0; col < width; col++, n++, place++) pixels[n] = before?.[place] === now[place] ? clear : now[place];
    }
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
    // Neighbours are mostly of one colour, which is then looked up once.
    const words = new Uint32Array(data.buffer, data.byteOffset, places.length);
    let found = 0;
    for (let n = 0; n < places.length; n++) {
      if (!n || words[n] !== words[n - 1]) {
        const [r, g, b] = [data[4 * n], data[4 * n + 1], data[4 * n + 2]];
        const key = keyOf(r, g, b);
        if (this.nearest[key] < 0) this.nearest[key] = this.closest(r, g, b);
        found = this.nearest[key];
      }
      places[n] = found;
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
  // No code has more than 12 bits, and there are at most as many as pixels, with one to clear and the ends.
  const out = new Uint8Array(2 * pixels.length + 16);
  let length = 0;
  const keys = new Int32Array(HASH);
  const codes = new Uint16Array(HASH);
  let [held, bits, size, next] = [0, 0, 9, END + 1];
  const write = (/** @type {number} */ code) => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>>= 8) out[length++] = held & 255;
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
  if (bits) out[length++] = held & 255;
  const blocks = new Uint8Array(length + Math.ceil(length / 255) + 1);
  for (let from = 0, to = 0; from < length; from += 255) {
    const part = out.subarray(from, Math.min(from + 255, length));
    blocks[to] = part.length;
    blocks.set(part, to + 1);
    to += part.length + 1;
  }
  return blocks;
}
