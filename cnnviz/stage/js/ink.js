// What an image is painted with: paper is like its edge, ink as unlike the image as can be.

import { largestAt, range } from "./arrays.js";

/** @import { Picture } from "./scene.js" */

/** The corners of the cube of all colours: of equally good ones the first is taken. */
const COLOURS = ["#000000", "#ffffff", "#ff0000", "#0000ff", "#00ff00", "#ff00ff", "#00ffff", "#ffff00"];
/** Pixels of a picture that are enough to know its colours. */
const LOOKED_AT = 5000;

/**
 * The numbers of paper in each channel: the median along the image's edge.
 *
 * @param {number[]} shape
 * @param {ArrayLike<number>} image
 */
export function paperOf([height, width, channels], image) {
  const edge = range(height * width).filter((n) => n < width || n >= width * (height - 1) || n % width === 0 || n % width === width - 1);
  return range(channels).map((k) => {
    const numbers = edge.map((n) => image[n * channels + k]).sort((a, b) => a - b);
    return numbers[numbers.length >> 1];
  });
}

/**
 * The numbers of ink on paper in each channel: the end of the scale that is farther from the paper's.
 *
 * @param {number[]} paper
 * @param {number} low
 * @param {number} high
 */
export function inkOn(paper, low, high) {
  return paper.map((value) => (value - low > high - value ? low : high));
}

/**
 * The colour that is farthest from what is nearest to it in a picture.
 *
 * @param {ArrayLike<number>} image
 * @param {Picture} picture
 */
export function colourUnlike(image, picture) {
  const corners = COLOURS.map((colour) => sharesOf(colour, picture));
  const nearest = corners.map(() => Infinity);
  const step = 3 * Math.ceil(image.length / 3 / LOOKED_AT);
  for (let n = 0; n < image.length; n += step) {
    const shares = [0, 1, 2].map((k) => image[n + k] * picture.factor[k] + picture.offset[k]);
    corners.forEach((corner, i) => (nearest[i] = Math.min(nearest[i], corner.reduce((sum, share, k) => sum + (share - shares[k]) ** 2, 0))));
  }
  return COLOURS[largestAt(nearest)];
}

/**
 * A colour as the numbers of a picture's channels.
 *
 * @param {string} colour "#rrggbb"
 * @param {Picture} picture
 */
export function numbersOfColour(colour, picture) {
  return sharesOf(colour, picture).map((share, k) => Math.fround((share - picture.offset[k]) / picture.factor[k]));
}

/** What each channel has of full brightness. @param {string} colour @param {Picture} picture */
function sharesOf(colour, { channels }) {
  const shares = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  return [0, 1, 2].map((k) => shares[channels.indexOf(k)]);
}
