// An image as bytes, 0 to 255, as it is drawn, opened and written in links, and as the numbers of the first input.

/** @import { Scene } from "./scene.js" */

/**
 * @param {Scene} scene
 * @param {ArrayLike<number>} bytes
 */
export function numbersOf({ stages, picture }, bytes) {
  const channels = stages[0].shape[2];
  return Float32Array.from(bytes, (byte, n) => {
    const share = byte / 255;
    return picture ? (share - picture.offset[n % channels]) / picture.factor[n % channels] : share;
  });
}

/**
 * The bytes that `numbersOf` makes such numbers of.
 *
 * @param {Scene} scene
 * @param {ArrayLike<number>} numbers
 */
export function bytesOf({ stages, picture }, numbers) {
  const channels = stages[0].shape[2];
  const share = (/** @type {number} */ value, /** @type {number} */ n) =>
    picture ? value * picture.factor[n % channels] + picture.offset[n % channels] : value;
  return Uint8Array.from(Uint8ClampedArray.from(numbers, (value, n) => 255 * share(value, n)));
}
