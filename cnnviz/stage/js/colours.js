// Colours of numbers: the stops that cnnviz.colours decides, as look-up tables; and the scales of stages.

import { clip, maximum } from "./arrays.js";
import { extentsOf } from "./channels.js";

/** @import { Extent } from "./channels.js" */
/** @import { Picture, Scene, Stage } from "./scene.js" */
/** @import { Theme } from "./theme.js" */

/**
 * How numbers become colours, as `Scale` in cnnviz.colours: a palette, and the magnitude at which it ends.
 *
 * @typedef {{ kind: string, limit: number }} Scale
 */

const STEPS = 1024;

export class Colours {
  /**
   * @param {object} header
   * @param {Record<string, Record<string, string[]>>} header.palettes by theme and name, "#rrggbb"
   * @param {Record<string, Record<string, [number, number]>>} header.lightness theirs, at zero and at the end
   * @param {number} header.black_above the lightness on which black reads better than white
   * @param {Record<string, Record<string, string>>} [header.themes] the colours around the data
   * @param {Theme} [theme]
   */
  constructor(header, theme = "light") {
    this.header = header;
    this.theme = theme;
    /** @type {Map<string, Uint32Array>} */
    this.tables = new Map();
  }

  /** The colours around the data. */
  get around() {
    return this.header.themes?.[this.theme] ?? {};
  }

  /**
   * A palette of the current theme as packed RGBA, STEPS + 1 of them.
   *
   * @param {string} name
   */
  table(name) {
    const key = `${this.theme}.${name}`;
    let table = this.tables.get(key);
    if (table) return table;
    const stops = this.header.palettes[this.theme][name].map(channels);
    table = new Uint32Array(STEPS + 1);
    for (let n = 0; n <= STEPS; n++) {
      const place = (n / STEPS) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      const [r, g, b] = [0, 1, 2].map((k) =>
        Math.round(stops[low][k] + (place - low) * (stops[low + 1][k] - stops[low][k])),
      );
      table[n] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
    this.tables.set(key, table);
    return table;
  }

  /**
   * @param {number} value
   * @param {Scale} scale
   */
  css(value, scale) {
    const packed = this.table(scale.kind)[placeOf(value, scale)];
    return `rgb(${[0, 8, 16].map((shift) => (packed >> shift) & 255).join(",")})`;
  }

  /**
   * Black or white, whichever reads better on a value's colour: at least 4.5 to 1 (WCAG 2.2, 1.4.3).
   *
   * @param {number} value
   * @param {Scale} scale
   */
  inkOn(value, scale) {
    const [low, end] = this.header.lightness[this.theme][scale.kind];
    const lightness = low + Math.min(Math.abs(value) / scale.limit, 1) * (end - low);
    return lightness > this.header.black_above ? "#000" : "#fff";
  }

  /**
   * Style an element as a cell: a value's colour behind, ink on it.
   *
   * @param {HTMLElement} element
   * @param {number} value
   * @param {Scale} scale
   */
  tint(element, value, scale) {
    element.style.backgroundColor = this.css(value, scale);
    element.style.color = this.inkOn(value, scale);
  }

  /**
   * Numbers as a picture, a device pixel each.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} rows
   * @param {number} cols
   * @param {(n: number) => number} at the n-th number, row by row
   * @param {Scale} scale
   */
  picture(context, rows, cols, at, scale) {
    const table = this.table(scale.kind);
    const image = context.createImageData(cols, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let n = 0; n < pixels.length; n++) pixels[n] = table[placeOf(at(n), scale)];
    return image;
  }

  /**
   * Numbers in three channels as a picture in its own colours, a device pixel each.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} rows
   * @param {number} cols
   * @param {Float32Array} values
   * @param {Picture} picture
   */
  photograph(context, rows, cols, values, { channels, factor, offset }) {
    const image = context.createImageData(cols, rows);
    for (let n = 0; n < rows * cols; n++) {
      channels.forEach((channel, colour) => {
        image.data[4 * n + colour] = 255 * (values[3 * n + channel] * factor[channel] + offset[channel]);
      });
      image.data[4 * n + 3] = 255;
    }
    return image;
  }

  /**
   * A scale's palette as a CSS gradient.
   *
   * @param {Scale} scale
   */
  gradient(scale) {
    const stops = this.header.palettes[this.theme][scale.kind];
    return `linear-gradient(to right, ${stops.filter((_, i) => i % 4 === 0).join(", ")})`;
  }
}

/**
 * A number's place in its palette's table; what is no number is drawn as zero.
 *
 * @param {number} value
 * @param {Scale} scale
 * @returns {number}
 */
function placeOf(value, { kind, limit }) {
  const share = kind === "signed" ? (value / limit + 1) / 2 : value / limit;
  const place = Math.round(clip(share, 0, 1) * STEPS);
  return Number.isNaN(place) ? placeOf(0, { kind, limit }) : place;
}

/**
 * @param {string} hex
 */
function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** The scales of every stage, for one image: by map, by layer, or over the whole network. */
export class Scales {
  /**
   * @param {Scene} scene
   * @param {Float32Array[]} values
   */
  constructor(scene, values) {
    this.scene = scene;
    /** @type {(stage: Stage) => boolean} */
    const bars = (stage) => stage.op.type === "input" || stage.op.type === "softmax";
    this.extents = scene.stages.map((stage) => extentsOf(stage, values));
    this.signs = scene.stages.map((stage, s) => this.extents[s].some((extent) => extent.low < 0));
    const shared = scene.stages.filter((stage) => !bars(stage)).map((stage) => stage.index);
    this.network = maximum(shared.map((s) => largest(this.extents[s])), 0) || 1;
    this.apart = scene.stages.map(bars);
  }

  /**
   * @param {number} s
   * @param {number} channel
   * @param {string} range "map", "layer" or "network"
   * @returns {Scale}
   */
  of(s, channel, range) {
    const stage = this.scene.stages[s];
    const { picture } = this.scene;
    // A grey picture in another scale than 0 to 1.
    if (s === 0 && picture && !picture.planes.length && !picture.said) return { kind: "ink", limit: 1 / picture.factor[0] };
    const unit = stage.op.type === "input" && largest(this.extents[s]) <= 1 && !this.signs[s];
    if (unit) return { kind: stage.planes ? "positive" : "ink", limit: 1 };
    const kind = this.signs[s] ? "signed" : "positive";
    if (stage.op.type === "softmax" && !stage.op.log) return { kind, limit: 1 };
    if (range === "network" && !this.apart[s]) return { kind, limit: this.network };
    if (range === "map") return { kind, limit: this.extents[s][channel].size || 1 };
    return { kind, limit: largest(this.extents[s]) || 1 };
  }
}

/**
 * @param {Extent[]} extents
 */
function largest(extents) {
  return maximum(extents.map((extent) => extent.size), 0);
}
