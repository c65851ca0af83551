// Small helpers for the page: elements, events, canvases.

/**
 * What Streamlit hands to a component's `show`, which may return a function that ends what it began.
 *
 * @typedef {object} Component
 * @property {any} data from Python
 * @property {any} parentElement the shadow root with the component's HTML, or its element
 * @property {(name: string, value: unknown) => void} setStateValue
 * @property {(name: string, value: unknown) => void} setTriggerValue
 */

/**
 * A button of the view.
 *
 * @param {string} text
 * @param {(button: HTMLButtonElement) => void} run
 * @param {string} [className] a class beside "cv-button"
 */
export function button(text, run, className = "") {
  const element = document.createElement("button");
  element.type = "button";
  element.className = `cv-button ${className}`.trim();
  element.textContent = text;
  element.onclick = () => run(element);
  return element;
}

/**
 * The element that an event happened in, by a selector.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(event, selector) {
  return event.target instanceof Element ? event.target.closest(selector) : null;
}

/**
 * What has the focus in the tree that an element is in; null if nothing there has it.
 *
 * @param {Node} element
 */
export function focusIn(element) {
  return /** @type {HTMLElement | null} */ (/** @type {Document} */ (element.getRootNode()).activeElement);
}

/**
 * An element with a style sheet.
 *
 * @param {string} css
 */
export function sheetOf(css) {
  return Object.assign(document.createElement("style"), { textContent: css });
}

/**
 * A canvas of so many pixels, which is on no page yet.
 *
 * @param {number} width
 * @param {number} height
 */
export function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/**
 * Where an event happened in an element: from 0 to 1, from its left and from its top.
 *
 * @param {MouseEvent} event
 * @param {Element} element
 */
export function sharesAt(event, element) {
  const box = element.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

/**
 * Fill a select with options.
 *
 * @param {HTMLSelectElement} select
 * @param {[value: number | string, text: string][]} options
 * @param {number | string} [chosen] a value
 */
export function offer(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, String(value), false, value === chosen)));
}

/** Whether the reader asks for no motion: a query that can also be listened to. */
export function reducedMotion() {
  return window.matchMedia("(prefers-reduced-motion: reduce)");
}

/** How many of the device's pixels are one CSS pixel. */
export function pixelRatio() {
  return window.devicePixelRatio || 1;
}

/**
 * Give a canvas a size in CSS pixels, with the device's pixels behind it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @param {number} [ratio]
 */
export function sized(canvas, width, height, ratio = pixelRatio()) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.getContext("2d")?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return canvas;
}

/** So many pixels at the top of the explorer lie under a bar that stays. */
const COVERED = 64;
/** Below this width things of the stage stand one under the other. */
export const NARROW = 620;

/**
 * The height from an element's top to the end of the window, as the page is when it is not scrolled; one far
 * down a page, or narrow, gets most of a window, to which the page is scrolled.
 *
 * @param {HTMLElement} element
 */
export function roomBelow(element) {
  /** @type {Element | null} */
  let scroller = element.parentElement;
  const root = element.getRootNode();
  if (!scroller && root instanceof ShadowRoot) scroller = root.host;
  const scrolls = (/** @type {Element} */ node) => /auto|scroll/.test(getComputedStyle(node).overflowY);
  while (scroller && !scrolls(scroller)) {
    const above = scroller.getRootNode();
    scroller = scroller.parentElement ?? (above instanceof ShadowRoot ? above.host : null);
  }
  const [top, scrolled] = scroller ? [scroller.getBoundingClientRect().top, scroller.scrollTop] : [0, window.scrollY];
  const all = scroller?.clientHeight || window.innerHeight;
  const left = all - (element.getBoundingClientRect().top - top + scrolled) - 14;
  if (element.clientWidth < NARROW) return Math.round(Math.max(left, all - COVERED));
  return Math.round(left > 0.55 * all ? left : Math.max(Math.min(0.86 * all, 620), 420));
}
