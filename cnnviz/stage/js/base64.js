// Bytes as text and back, without a request: a page on disk may fetch nothing.

/**
 * @param {Uint8Array} bytes
 */
export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/**
 * @param {string} text
 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/**
 * The float32 numbers that a text's bytes are.
 *
 * @param {string} text
 */
export function floatsOf(text) {
  return new Float32Array(fromBase64(text).buffer);
}

/**
 * Bytes as text for addresses, without padding.
 *
 * @param {Uint8Array} bytes
 */
export function toAddress(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * @param {string} text
 */
export function fromAddress(text) {
  return fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
}
