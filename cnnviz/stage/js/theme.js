// Light or dark: what the page around says.

import { canvasOf } from "./dom.js";

/** @typedef {"light" | "dark"} Theme */

/**
 * The theme of the Streamlit app around.
 *
 * @returns {Theme}
 */
export function appTheme() {
  const app = document.querySelector(".stApp");
  return app && getComputedStyle(app).colorScheme.startsWith("dark") ? "dark" : "light";
}

/**
 * Call when the theme of the page around, or of the app, may be another; returns what ends it.
 *
 * @param {() => void} changed
 */
export function watchTheme(changed) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(changed);
  dark.addEventListener("change", changed);
  for (const element of [document.documentElement, document.body, document.querySelector(".stApp")]) {
    if (element) observer.observe(element, { attributes: true });
  }
  return () => {
    dark.removeEventListener("change", changed);
    observer.disconnect();
  };
}

/**
 * The theme of any page, from the first background that is not clear around an element.
 *
 * @param {Element} element
 * @returns {Theme}
 */
export function themeAround(element) {
  /** @type {any} */
  let node = element;
  for (; node; node = node.parentElement ?? node.getRootNode()?.host ?? null) {
    const [red, green, blue, alpha] = bytesOf(getComputedStyle(node).backgroundColor);
    if (alpha) return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128 ? "dark" : "light";
  }
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/**
 * Any colour of CSS as red, green, blue and opacity, 0 to 255: a browser writes it as it was said, rgb() or oklch().
 *
 * @param {string} colour
 */
function bytesOf(colour) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvasOf(1, 1).getContext("2d"));
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/**
 * Give an element the colours around the data as custom properties.
 *
 * @param {HTMLElement} element
 * @param {Record<string, string>} around
 */
export function dress(element, around) {
  for (const [name, colour] of Object.entries(around)) element.style.setProperty(`--${name}`, colour);
}
