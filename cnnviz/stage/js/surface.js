// A canvas with maps on it, and one over it for outlines: moving the pointer redraws only the latter.

import { sameNumbers } from "./arrays.js";
import { canvasOf, pixelRatio, sized } from "./dom.js";
import { farOf, isHere, mapOf } from "./far_numbers.js";
import { borders } from "./holes.js";

/** @import { Colours, Scales } from "./colours.js" */
/** @import { Rect } from "./layout.js" */
/** @import { Box, Scene } from "./scene.js" */

/**
 * What is outlined on the maps of a stage.
 *
 * @typedef {object} Mark
 * @property {number} stage
 * @property {Uint8Array | null} channels a mask; null is all
 * @property {Box | null} box
 * @property {Uint8Array | null} [cells] those of the box that are meant; null is all
 * @property {string} style a name
 * @property {number[][]} [borders] those of the cells, once they are known
 */

/** Where a map's picture is. @typedef {{ image: HTMLCanvasElement, x: number, y: number }} Picture */

/** @typedef {{ stroke: string, width: number, outside: number, halo?: string, dash?: number[] }} Style of outlines */

/** Pixels of the device along a canvas: browsers draw 32,767 or more. */
const LONGEST = 32_000;

export class Surface {
  constructor(host) {
    this.base = canvasOf(0, 0);
    this.over = canvasOf(0, 0);
    this.base.className = "cv-base";
    this.over.className = "cv-over";
    for (const canvas of [this.base, this.over]) canvas.setAttribute("aria-hidden", "true");
    host.append(this.base, this.over);
    this.rects = [];
    this.byStage = new Map();
    this.marked = false;
  }

  /**
   * Lay out maps.
   *
   * @param {Rect[]} rects
   * @param {number} width
   * @param {number} height
   */
  place(rects, width, height) {
    this.rects = rects;
    this.byStage = new Map();
    for (const rect of rects) {
      if (!this.byStage.has(rect.stage)) this.byStage.set(rect.stage, []);
      this.byStage.get(rect.stage)[rect.channel] = rect;
    }
    this.width = Math.ceil(width);
    this.height = Math.ceil(height);
    // A canvas that is longer than browsers can draw would stay blank.
    this.ratio = Math.min(pixelRatio(), LONGEST / Math.max(1, this.width, this.height));
    for (const canvas of [this.base, this.over]) sized(canvas, this.width, this.height, this.ratio);
    this.marked = false;
  }

  /**
   * Draw the maps of some stages, or of all; where there is no picture, lines on nothing.
   *
   * @param {(stage: number, channel: number) => Picture | null} pictures
   * @param {string} frame a colour
   * @param {Set<number> | null} [stages]
   */
  draw(pictures, frame, stages = null) {
    const context = this.base.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.imageSmoothingEnabled = false;
    /** @type {CanvasPattern | null} */
    let lines = null;
    const hatched = () => (lines ??= hatch(context, frame, this.ratio));
    for (const rect of this.rects) {
      if (stages && !stages.has(rect.stage)) continue;
      const picture = pictures(rect.stage, rect.channel);
      if (rect.around) {
        const [top, bottom, left, right] = rect.around;
        context.fillStyle = hatched();
        context.fillRect(rect.x - left, rect.y - top, rect.width + left + right, rect.height + top + bottom);
      }
      if (rect.thumbnail) context.save();
      if (rect.thumbnail) roundOff(context, rect);
      context.fillStyle = frame;
      context.fillRect(rect.x - 1, rect.y - 1, rect.width + 2, rect.height + 2);
      if (picture) context.drawImage(picture.image, picture.x, picture.y, rect.cols, rect.rows, rect.x, rect.y, rect.width, rect.height);
      else {
        context.clearRect(rect.x, rect.y, rect.width, rect.height);
        context.fillStyle = hatched();
        context.fillRect(rect.x, rect.y, rect.width, rect.height);
      }
      if (rect.thumbnail) context.restore();
    }
  }

  /**
   * Draw one map as far as it is filled: its first `count` cells, row by row, and blank paper behind them.
   *
   * @param {Rect} rect
   * @param {number} count
   * @param {(stage: number, channel: number) => Picture | null} pictures
   * @param {string} paper a colour
   */
  fill(rect, count, pictures, paper) {
    const context = this.base.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.imageSmoothingEnabled = false;
    context.fillStyle = paper;
    context.fillRect(rect.x, rect.y, rect.width, rect.height);
    const picture = pictures(rect.stage, rect.channel);
    if (!picture) return;
    const { image, x, y } = picture;
    const [w, h] = [rect.width / rect.cols, rect.height / rect.rows];
    const [whole, part] = [Math.floor(count / rect.cols), count % rect.cols];
    if (whole) context.drawImage(image, x, y, rect.cols, whole, rect.x, rect.y, rect.width, whole * h);
    if (part) context.drawImage(image, x, y + whole, part, 1, rect.x, rect.y + whole * h, part * w, h);
  }

  /** The cell at a point of the canvas, or null. */
  cellAt(x, y) {
    for (const rect of this.rects) {
      const dx = x - rect.x;
      const dy = y - rect.y;
      if (dx < 0 || dy < 0 || dx >= rect.width || dy >= rect.height) continue;
      return {
        stage: rect.stage,
        channel: rect.colours ? 0 : rect.channel,
        colours: rect.colours,
        row: Math.min(rect.rows - 1, Math.floor((dy / rect.height) * rect.rows)),
        col: Math.min(rect.cols - 1, Math.floor((dx / rect.width) * rect.cols)),
      };
    }
    return null;
  }

  /** The rectangle of a box of cells on one map. */
  boxOf(rect, { top, bottom, left, right }) {
    const w = rect.width / rect.cols;
    const h = rect.height / rect.rows;
    return [rect.x + left * w, rect.y + top * h, (right - left + 1) * w, (bottom - top + 1) * h];
  }

  clear() {
    if (!this.marked) return;
    const context = this.over.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.over.width, this.over.height);
    this.marked = false;
  }

  /**
   * Outline boxes. Styles are drawn in their order, each as one path over a halo that keeps it visible on any
   * colour.
   *
   * @param {Mark[]} marks
   * @param {Record<string, Style>} styles
   */
  mark(marks, styles) {
    const context = this.over.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const [name, style] of Object.entries(styles)) {
      const path = new Path2D();
      let any = false;
      for (const mark of marks) {
        if (mark.style !== name || !mark.box) continue;
        const rects = this.byStage.get(mark.stage);
        if (!rects) continue;
        rects.forEach((rect, channel) => {
          if (!rect || (mark.channels && !rect.colours && !mark.channels[channel])) return;
          any = true;
          const [x, y, w, h] = this.boxOf(rect, mark.box);
          const grow = style.outside;
          if (mark.cells && !rect.thumbnail) this.outline(path, rect, mark);
          else path.rect(x - grow, y - grow, w + 2 * grow, h + 2 * grow);
        });
      }
      if (!any) continue;
      this.marked = true;
      if (style.halo) {
        context.strokeStyle = style.halo;
        context.lineWidth = style.width + 2;
        context.stroke(path);
      }
      context.strokeStyle = style.stroke;
      context.lineWidth = style.width;
      context.setLineDash(style.dash ?? []);
      context.stroke(path);
      context.setLineDash([]);
    }
  }

  /** The borders of a mark's cells on one map. */
  outline(path, rect, mark) {
    mark.borders ??= borders(mark.cells, rect.rows, rect.cols);
    const [w, h] = [rect.width / rect.cols, rect.height / rect.rows];
    for (const [x1, y1, x2, y2] of mark.borders) {
      path.moveTo(rect.x + x1 * w, rect.y + y1 * h);
      path.lineTo(rect.x + x2 * w, rect.y + y2 * h);
    }
  }
}

/** A picture whose cells are too small to be read is one: it is smooth, and its corners are round. */
function roundOff(context, { x, y, width, height }) {
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.clearRect(x - 1, y - 1, width + 2, height + 2);
  context.beginPath();
  context.roundRect(x - 1, y - 1, width + 2, height + 2, Math.min(7, width / 4, height / 4));
  context.clip();
}

/** Lines on nothing, for cells that are not there. */
function hatch(context, colour, ratio) {
  const side = 6 * ratio;
  const tile = canvasOf(side, side);
  const brush = tile.getContext("2d");
  brush.strokeStyle = colour;
  brush.lineWidth = ratio;
  brush.beginPath();
  for (const shift of [-side, 0, side]) {
    brush.moveTo(shift, side);
    brush.lineTo(shift + side, 0);
  }
  brush.stroke();
  const pattern = context.createPattern(tile, "repeat");
  // The tile is in the device's pixels, what it fills in the page's.
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/** Pixels of the maps of a far network that stay drawn: 80 MB of them. */
const MOST_PIXELS = 20e6;

/** Every map, a device pixel for a cell, drawn when it is first shown: a stage's side by side in one canvas. */
export class Pictures {
  /**
   * @param {Scene} scene
   * @param {Colours} colours
   * @param {(stage: number, channel: number) => void} [want] a map that is to be shown and is not here
   */
  constructor(scene, colours, want = () => {}) {
    this.scene = scene;
    this.colours = colours;
    this.want = want;
    this.sheets = scene.stages.map((stage) => {
      const [, width] = stage.shape;
      // A colour picture lies behind its planes.
      const channels = scene.pictureCount(stage);
      const across = Math.max(1, Math.min(channels, Math.floor(4096 / width)));
      return { across, key: "", source: /** @type {any} */ (undefined), drawn: new Uint8Array(channels), sheet: /** @type {HTMLCanvasElement | null} */ (null) };
    });
    /** @type {Map<string, HTMLCanvasElement>} of a far network each map's own, the one that was shown last at the end */
    this.apart = new Map();
    this.pixels = 0;
    /** @type {Float32Array[]} */
    this.values = [];
    /** @type {Scales | null} */
    this.scales = null;
    this.range = "";
    this.at = this.at.bind(this);
  }

  /**
   * Take other numbers and scales; returns the stages that look otherwise.
   *
   * @param {Float32Array[]} values
   * @param {Scales} scales
   * @param {string} range
   */
  paint(values, scales, range) {
    Object.assign(this, { values, scales, range });
    const far = farOf(values);
    const painted = new Set();
    this.sheets.forEach((sheet, s) => {
      const limits = scales.of(s, 0, range);
      const key = [this.colours.theme, range, limits.kind, limits.limit].join();
      const source = far?.parts[s] ?? values[s];
      const asBefore = sheet.key === key && (source === sheet.source || (!far && sameNumbers(sheet.source, values[s])));
      sheet.source = source;
      if (asBefore) return;
      sheet.key = key;
      sheet.drawn.fill(0);
      painted.add(s);
    });
    return painted;
  }

  /**
   * The picture of a map, or of the whole image in its colours; null of a map that is not here, which is asked for.
   *
   * @param {number} s
   * @param {number} channel
   * @returns {Picture | null}
   */
  at(s, channel) {
    const stage = this.scene.stages[s];
    const { drawn } = this.sheets[s];
    if (!drawn[channel] && !isHere(this.values, stage, channel)) {
      this.want(s, channel);
      return null;
    }
    const place = this.placeOf(stage, channel);
    if (!drawn[channel]) this.fill(stage, channel, place);
    drawn[channel] = 1;
    return place;
  }

  /** Where a map's picture is kept. */
  placeOf(stage, channel) {
    const [height, width] = stage.shape;
    const { sheets, apart } = this;
    const one = sheets[stage.index];
    if (!farOf(this.values)) {
      one.sheet ??= canvasOf(one.across * width, Math.ceil(one.drawn.length / one.across) * height);
      return { image: one.sheet, x: (channel % one.across) * width, y: Math.floor(channel / one.across) * height };
    }
    const key = `${stage.index},${channel}`;
    let image = apart.get(key);
    if (image) apart.delete(key);
    else {
      image = canvasOf(width, height);
      one.drawn[channel] = 0;
      this.pixels += width * height;
    }
    apart.set(key, image);
    for (const [old, unseen] of apart) {
      if (this.pixels <= MOST_PIXELS || old === key) break;
      const [s, k] = old.split(",").map(Number);
      this.sheets[s].drawn[k] = 0;
      apart.delete(old);
      this.pixels -= unseen.width * unseen.height;
    }
    return { image, x: 0, y: 0 };
  }

  fill(stage, channel, { image, x, y }) {
    const { values, scales, range } = this;
    const [height, width, channels] = stage.shape;
    const context = image.getContext("2d");
    const picture = channel < channels
      ? this.colours.picture(context, height, width, mapOf(values, stage, channel), scales.of(stage.index, channel, range))
      : this.colours.photograph(context, height, width, values[stage.index], this.scene.picture);
    context.putImageData(picture, x, y);
  }
}
