// Pictures of a training: the effective field of a layer's middle on the learner's digit, the digit and its maps.

import { canvasOf, sized } from "./dom.js";

/** @import { Colours, Scale } from "./colours.js" */
/** @import { Part, Place } from "./scene.js" */

/** @typedef {{ shape: number[], array: Place, scale: Scale }} Values numbers, row by row, and how they are coloured */
/** @typedef {Values & { layers: string[], layer: string, words: string, box: [[number, number], [number, number]], image: Values }} Field */
/** @typedef {{ image: Values, words: string, maps: Values & { layer: string } }} Digit */

/** Pixels of the page that one of an image takes. */
const LARGE = 4;
/** How large the smallest map is drawn. */
const MAP = 48;
/** How strong the digit is drawn around what counts on it. */
const FAINT = 0.3;

/**
 * A field over its image, with the outline of all that can reach the unit.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Part} part
 * @param {Field} field
 * @param {Colours} colours
 * @param {string} outline
 */
export function drawField(canvas, part, field, colours, outline) {
  const [[top, bottom], [left, right]] = field.box;
  const [x, y, width, height] = [left, top, right - left + 1, bottom - top + 1].map((pixels) => pixels * LARGE);
  const values = part.read(field.array);
  const context = drawn(canvas, (n) => values[n], field.shape, field.scale, colours, LARGE);
  const pixels = part.read(field.image.array);
  const digit = canvasOf(0, 0);
  drawn(digit, (n) => pixels[n], field.image.shape, field.image.scale, colours, LARGE);
  context.globalAlpha = FAINT;
  context.drawImage(digit, 0, 0, field.shape[1] * LARGE, field.shape[0] * LARGE);
  context.globalAlpha = 1;
  context.strokeStyle = outline;
  context.lineWidth = 1.5;
  context.strokeRect(x, y, width, height);
  canvas.setAttribute("aria-label", field.words);
}

/**
 * The digit, and a canvas for each of its maps, all on one scale.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} tiles
 * @param {Part} part
 * @param {Digit} digit
 * @param {Colours} colours
 */
export function drawDigit(canvas, tiles, part, { image, maps, words }, colours) {
  const pixels = part.read(image.array);
  drawn(canvas, (n) => pixels[n], image.shape, image.scale, colours, LARGE);
  canvas.setAttribute("aria-label", words);
  const [rows, cols, count] = maps.shape;
  const values = part.read(maps.array);
  const size = Math.max(1, Math.round(MAP / Math.max(rows, cols)));
  while (tiles.children.length > count) tiles.lastElementChild?.remove();
  for (let k = 0; k < count; k++) {
    const tile = /** @type {HTMLCanvasElement} */ (tiles.children[k] ?? tiles.appendChild(canvasOf(0, 0)));
    drawn(tile, (n) => values[n * count + k], maps.shape, maps.scale, colours, size);
  }
  tiles.setAttribute("aria-label", `${count} maps of ${maps.layer}`);
}

/**
 * Numbers in a canvas, each so many pixels of the page wide.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {(n: number) => number} at the n-th number, row by row
 * @param {number[]} shape rows and columns in front
 * @param {Scale} scale
 * @param {Colours} colours
 * @param {number} size
 */
function drawn(canvas, at, [rows, cols], scale, colours, size) {
  const small = canvasOf(cols, rows);
  const pen = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
  pen.putImageData(colours.picture(pen, rows, cols, at, scale), 0, 0);
  const context = /** @type {CanvasRenderingContext2D} */ (sized(canvas, cols * size, rows * size).getContext("2d"));
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, cols * size, rows * size);
  return context;
}
