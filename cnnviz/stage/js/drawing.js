// Drawing a digit in place of the image: maps and prediction follow the pen, and the digit stays when it is lifted.

import { closest } from "./dom.js";
import { Pad } from "./pad.js";
import { Panel } from "./panel.js";
import { measure } from "./view.js";

/** @import { View } from "./view.js" */

const BUTTONS = `
<button type="button" class="cv-button" data-do="keep">Done</button>
<button type="button" class="cv-button" data-do="close">Back to the digit</button>
<p class="cv-engine" role="status"></p>`;

/**
 * @param {View} view
 */
export function drawing(view) {
  if (!view.engine || view.scene.stages[0].shape.join() !== "28,28,1") return null;
  return new Drawing(view);
}

class Drawing extends Panel {
  /**
   * @param {View} view
   */
  constructor(view) {
    super(view, "Draw", "cv-opendraw");
    /** How many drawings were sent to Python, and which of them the numbers that came last are of. */
    this.version = this.answeredTo = this.came;
  }

  show() {
    super.show();
    const panel = document.createElement("div");
    panel.className = "cv-draw";
    panel.addEventListener("click", (event) => this.clicked(closest(event, "[data-do]")?.dataset.do));
    this.view.part("panel").replaceChildren(panel);
    this.pad = new Pad(panel, {
      colours: () => this.view.colours,
      changed: (digit, began) => this.follow(digit, began, panel),
      lifted: () => this.lifted(),
      verdict: () => this.verdict(),
    });
    this.pad.canvas.focus({ preventScroll: true });
  }

  /** Add the view's buttons to the pad, when the pad first draws itself. */
  complete(panel) {
    if (this.engine?.isConnected) return;
    panel.querySelector(".cv-padkeys").insertAdjacentHTML("beforebegin", BUTTONS);
    this.engine = panel.querySelector(".cv-engine");
  }

  clicked(action) {
    if (action === "keep") this.close();
    if (action === "close") {
      this.close();
      this.view.change(this.view.changes, null);
    }
  }

  follow(digit, began, panel) {
    this.complete(panel);
    this.began = digit ? began : 0;
    if (digit) this.present(digit);
    // All strokes were taken back: the digit from before is there again.
    else if (this.drawn) this.view.change(this.view.changes, null);
    this.drawn = Boolean(digit);
    if (!digit) this.say(!this.pad || this.pad.blank ? "Draw a digit from 0 to 9." : "There is too little ink for a digit.");
  }

  present(digit) {
    this.view.change(this.view.changes, { title: "your drawing", pixels: Uint8Array.from(digit) });
  }

  /** The network's answer to the drawing is on the screen. */
  computed() {
    if (!this.open || !this.view.image) return;
    this.say(this.verdict());
    if (this.began) measure("cnnviz:draw", this.began);
    this.began = 0;
  }

  /** The pages around get the digit, and the link. */
  lifted() {
    const { host } = this.view.scene.header;
    if (host?.choose && this.pad.digit) {
      this.version += 1;
      this.view.host.ask("drawing", { version: this.version, ...this.pad.pixels() });
    }
    this.view.host.remember?.(this.view.state());
  }

  verdict() {
    const words = this.view.part("verdict").textContent;
    return words && `${words[0].toUpperCase()}${words.slice(1)}.`;
  }

  say(words) {
    if (this.engine.textContent !== words) this.engine.textContent = words;
  }

  get came() {
    return this.view.scene.header.host?.drawn ?? 0;
  }

  /** The same numbers: if the page has the drawing now, it was its digit already. */
  answered() {
    const own = this.came !== this.answeredTo;
    this.answeredTo = this.came;
    if (own && this.came === this.version && !this.pad?.stroke) this.view.change(this.view.changes, null);
  }

  /** Another digit came: then the pad is done, unless it is one that was drawn on it, from the page around. */
  updated() {
    const own = this.came !== this.answeredTo;
    this.answeredTo = this.came;
    if (!this.open || this.view.image) return;
    if (!own) this.close();
    // More was drawn meanwhile.
    else if (this.pad.digit && (this.pad.stroke || this.came !== this.version)) this.present(this.pad.digit);
  }
}
