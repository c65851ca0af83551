// Drawing in the live view: the maps and the prediction follow the pen; NumPy's numbers come when it is lifted.

import { closest } from "./dom.js";
import { Pad } from "./pad.js";
import { Panel } from "./panel.js";
import { measure } from "./view.js";

/** @import { View } from "./view.js" */

const BUTTONS = `
<button type="button" class="cv-button" data-do="use" hidden>Use on every page</button>
<button type="button" class="cv-button" data-do="close">Back to the digit</button>
<p class="cv-engine"></p>`;

/**
 * @param {View} view
 */
export function drawing(view) {
  const { host } = view;
  if (!host.ask || view.scene.stages[0].shape.join() !== "28,28,1") return null;
  return new Drawing(view);
}

class Drawing extends Panel {
  /**
   * @param {View} view
   */
  constructor(view) {
    super(view, "Draw", "cv-opendraw");
    this.version = 0;
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
      lifted: () => this.send(),
      verdict: () => this.verdict(),
    });
    this.pad.canvas.focus({ preventScroll: true });
  }

  /** Add the live view's buttons to the pad, when the pad first draws itself. */
  complete(panel) {
    if (this.engine?.isConnected) return;
    panel.querySelector(".cv-padkeys").insertAdjacentHTML("beforebegin", BUTTONS);
    this.engine = panel.querySelector(".cv-engine");
    this.use = panel.querySelector('[data-do="use"]');
    this.use.hidden = !this.view.scene.header.host?.choose;
  }

  close() {
    if (!this.open) return;
    super.close();
    this.forget();
    this.takeBack();
    this.view.repaint();
  }

  clicked(action) {
    if (action === "close") this.close();
    if (action === "use") this.view.host.ask("use", { of: this.of, version: this.version });
  }

  /** The browser's own numbers, until NumPy's are there. */
  follow(digit, began, panel) {
    this.complete(panel);
    this.use.disabled = !digit;
    this.forget();
    if (!digit) {
      this.say(!this.pad || this.pad.blank ? "Draw a digit from 0 to 9." : "There is too little ink for a digit.");
    } else if (!this.view.scene.computable) {
      this.say("A layer of this network is computed by Python alone: its numbers come when you lift the pen.");
    } else {
      this.view.shown = this.view.scene.forward(Float32Array.from(digit, (v) => v / 255));
      this.view.titleNow = "your drawing";
      this.view.engine = "this browser";
      this.say("Computed in this browser while you draw; NumPy follows when you lift the pen.");
    }
    this.view.repaint();
    if (digit) measure("cnnviz:draw", began);
  }

  forget() {
    this.view.shown = this.view.titleNow = this.view.engine = null;
  }

  verdict() {
    const words = this.view.part("verdict").textContent;
    return words && `${words[0].toUpperCase()}${words.slice(1)}.`;
  }

  say(words) {
    if (this.engine.textContent !== words) this.engine.textContent = words;
  }

  /** Tell Python, if it was asked, that the drawing is over. */
  takeBack() {
    if (this.asked) this.view.host.ask("drawing", null);
    this.asked = false;
  }

  send() {
    this.version += 1;
    if (this.pad.blank) {
      this.takeBack();
      return;
    }
    this.asked = true;
    this.of = this.view.scene.header.host?.item;
    this.view.host.ask("drawing", { of: this.of, version: this.version, ...this.pad.pixels() });
  }

  /** Python answered: its numbers replace the browser's, unless the pen has moved on. */
  updated() {
    if (!this.open) return;
    const { item, drawing: answer } = this.view.scene.header.host ?? {};
    if (this.asked && item !== this.of) {
      // Another digit was picked meanwhile, or this one is in use on every page.
      this.asked = false;
      this.close();
      return;
    }
    if (!answer || answer.version !== this.version || this.pad.stroke) {
      if (!this.pad.blank) this.pad.redraw();
      return;
    }
    this.forget();
    this.say(answer.error ?? "Computed by NumPy.");
    const bytes = Uint8Array.from(this.view.values[0], (v) => Math.round(255 * v));
    if (!answer.error) this.pad.showPrepared(bytes);
    this.view.repaint();
  }
}
