// What is played as a GIF: every step as it is drawn on the page, with its words below.

import { maximum } from "./arrays.js";
import { canvasOf } from "./dom.js";
import { Gif, paletteOf } from "./gif.js";

/** Frames, unless somebody asks for all. */
export const MOST_FRAMES = 60;
const MARGIN = 16;
const SIZE = 13;
const LINE = 19;
const NARROWEST = 320;
const LAST = 200; // Hundredths of a second that the last step stands.
const SHORTEST = 2; // Viewers slow down what is shorter.
const TURN = 40; // Milliseconds until the page may do something else.

/**
 * @typedef {object} Film
 * @property {number} width of the picture, in CSS pixels
 * @property {number} height
 * @property {number} count of its steps
 * @property {(pen: CanvasRenderingContext2D, step: number) => void} draw
 * @property {(step: number) => string} words
 * @property {number} speed steps a second
 * @property {{ background: string, ink: string }} colours
 * @property {string} font the family
 */

/**
 * Play all steps into a file.
 *
 * @param {Film} film
 * @param {(share: number) => boolean} told hears the share that is done, and says whether to go on
 */
export async function record(film, told) {
  const { count } = film;
  const drawn = sheetOf(film);
  const some = [0, 1, 2, 3].map((n) => drawn(Math.floor(((count - 1) * n) / 3)));
  const gif = new Gif(some[0].width, some[0].height, paletteOf(some));
  const hundredths = Math.max(SHORTEST, Math.round(100 / film.speed));
  let since = performance.now();
  for (let step = 0; step < count; step++) {
    gif.add(drawn(step), step === count - 1 ? LAST : hundredths);
    if (performance.now() - since < TURN) continue;
    await new Promise((go) => setTimeout(go));
    if (!told((step + 1) / count)) return null;
    since = performance.now();
  }
  return gif.bytes();
}

/**
 * A sheet of paper on which every step is drawn.
 *
 * @param {Film} film
 * @returns {(step: number) => ImageData}
 */
function sheetOf({ width, height, count, draw, words, colours, font }) {
  const wide = Math.ceil(Math.max(width, NARROWEST));
  const canvas = canvasOf(wide + 2 * MARGIN, 1);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  const letters = () => {
    pen.font = `${SIZE}px ${font}`;
    pen.textAlign = "left";
    pen.textBaseline = "top";
  };
  letters();
  const said = Array.from({ length: count }, (_, step) => linesOf(pen, words(step), wide));
  canvas.height = Math.ceil(height) + 2 * MARGIN + 8 + LINE * maximum(said.map((lines) => lines.length), 1);
  return (step) => {
    pen.fillStyle = colours.background;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.save();
    pen.translate(MARGIN, MARGIN);
    draw(pen, step);
    pen.restore();
    letters();
    pen.fillStyle = colours.ink;
    said[step].forEach((line, n) => pen.fillText(line, MARGIN, MARGIN + height + 8 + n * LINE));
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  };
}

/**
 * A text in lines that are at most so wide.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {number} width
 */
function linesOf(pen, text, width) {
  if (pen.measureText(text).width <= width) return [text];
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
