// The stage as a slide: alone on the screen, with the step's sentences large; arrow keys go on as ever.

import { button } from "./dom.js";

/** @import { View } from "./view.js" */

/** What takes the letter itself. */
const TAKES = "input, select, textarea, [contenteditable]";
/** Around the stage, in pixels. */
const MARGIN = 16;

/**
 * @param {View} view
 */
export function presenting(view) {
  return new Presenting(view);
}

class Presenting {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.button = button("Present", () => this.turn(), "cv-present");
    this.button.title = "Alone on the screen, for a projector (S)";
    this.button.setAttribute("aria-keyshortcuts", "S");
    view.part("tools").append(this.button);
    this.end = button("Leave", () => this.turn(false), "cv-leave");
    this.end.hidden = true;
    view.root.append(this.end);
    this.keyed = (/** @type {KeyboardEvent} */ event) => this.pressed(event);
    this.left = () => {
      if (this.whole && !document.fullscreenElement) this.turn(false);
    };
    document.addEventListener("keydown", this.keyed);
    document.addEventListener("fullscreenchange", this.left);
    this.button.setAttribute("aria-pressed", "false");
  }

  get on() {
    return this.view.slide !== null;
  }

  /** @param {boolean} [on] */
  async turn(on = !this.on) {
    const { view } = this;
    const { root } = view;
    if (on === this.on) return;
    view.slide = on ? () => window.innerHeight - 2 * MARGIN : null;
    root.toggleAttribute("data-slide", on);
    if (on) {
      // Where the screen is not to be had whole, the window is.
      this.whole = await root.requestFullscreen?.().then(() => true, () => false);
      if (!this.on && this.whole) await document.exitFullscreen();
    } else {
      if (this.whole && document.fullscreenElement) await document.exitFullscreen();
      this.whole = false;
    }
    this.mark(this.on);
  }

  mark(on) {
    const { view } = this;
    this.button.setAttribute("aria-pressed", String(on));
    this.end.hidden = !on;
    view.resizedTo();
    view.say(on ? "The stage alone. S or Escape leads back." : "Back on the page.");
    (on ? this.end : this.button).focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key.toLowerCase() !== "s" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.composedPath()[0];
    const element = target instanceof Element ? target : document.body;
    if (element.closest(TAKES) || !(this.on || this.view.root.contains(element) || this.view.isLastUsed())) return;
    event.preventDefault();
    this.turn();
  }

  /** Escape, where the browser did not take it. */
  escape() {
    if (!this.on || this.view.zoom !== "network" || this.view.pinned) return false;
    this.turn(false);
    return true;
  }

  destroy() {
    document.removeEventListener("keydown", this.keyed);
    document.removeEventListener("fullscreenchange", this.left);
  }
}
