// On paper: the stage is laid out anew for the sheet, since what is drawn on a canvas does not wrap.

/** @import { View } from "./view.js" */

/** What an A4 page with narrow margins holds beside and below each other, in pixels. */
const WIDTH = 690;
const HEIGHT = 560;
/** One cell leaves room for what stands below. */
const HEIGHT_OF_CELL = 480;

/**
 * @param {View} view
 */
export function printing(view) {
  return new Printing(view);
}

class Printing {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.theme = view.host.theme;
    this.before = () => this.turn(true);
    this.after = () => this.turn(false);
    window.addEventListener("beforeprint", this.before);
    window.addEventListener("afterprint", this.after);
  }

  /** @param {boolean} on */
  turn(on) {
    const { view } = this;
    if (on && !view.root.clientWidth) return;
    view.root.toggleAttribute("data-paper", on);
    view.host.theme = on ? () => "light" : this.theme;
    view.retheme();
    view.root.style.width = on ? `${WIDTH}px` : "";
    view.slide = on ? () => (view.state().zoom === "cell" ? HEIGHT_OF_CELL : HEIGHT) : null;
    view.resizedTo();
    if (!on) return;
    for (const canvas of view.root.querySelectorAll("canvas")) if (canvas.width && canvas.height) asPixels(canvas);
  }

  destroy() {
    window.removeEventListener("beforeprint", this.before);
    window.removeEventListener("afterprint", this.after);
  }
}

/**
 * Let a canvas be printed as its pixels: one that was drawn since it was sized is printed as its strokes, smoothed.
 *
 * @param {HTMLCanvasElement} canvas
 */
function asPixels(canvas) {
  const context = canvas.getContext("2d");
  context.getImageData(0, 0, 1, 1);
  context.clearRect(0, 0, 0.01, 0.01);
  context.getImageData(0, 0, 1, 1);
}
