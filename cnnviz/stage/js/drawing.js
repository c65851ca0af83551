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
    this.before = this.view.history.now;
    this.drawn = false;
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
      this.putBack();
      this.close();
    }
  }

  follow(digit, began, panel) {
    this.complete(panel);
    this.began = digit ? began : 0;
    if (digit) this.present(digit);
    else this.putBack();
    this.drawn = Boolean(digit);
    if (!digit) this.say(!this.pad || this.pad.blank ? "Draw a digit from 0 to 9." : "There is too little ink for a digit.");
  }

  present(digit) {
    this.view.change(this.view.history.keptWithOther(false), { title: "your drawing", pixels: Uint8Array.from(digit) });
  }

  /** The image from before the drawing, with what was painted on it. */
  putBack() {
    const { history } = this.view;
    const painted = this.before.changes.filter((change) => history.isOfImage(change, false));
    if (this.drawn) history.set({ ...this.before, changes: [...painted, ...history.keptWithOther(false)] });
    this.drawn = false;
  }

  /** What was drawn is a step that can be undone. */
  settle() {
    const { drawn, before } = this;
    this.drawn = false;
    if (drawn) this.view.history.push(before);
    this.before = this.view.history.now;
  }

  close() {
    this.settle();
    super.close();
  }

  // While it is drawn, a step of undo or redo is a stroke.

  get undoable() {
    return Boolean(this.pad?.past.length);
  }

  get redoable() {
    return Boolean(this.pad?.future.length);
  }

  undo() {
    return this.pad.undo();
  }

  redo() {
    return this.pad.redo();
  }

  /** The network's answer to the drawing is on the screen. */
  computed() {
    if (!this.open || !this.pad?.digit) return;
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
    this.view.history.wrote();
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

  /** The page around may be another one, which has seen no drawing of this pad. */
  seat({ drawn }) {
    this.version = this.answeredTo = drawn ?? 0;
  }

  /** Whether numbers that come are of what was drawn here. @param {import("./scene.js").Scene} next */
  answeredBy(next) {
    return (next.header.host?.drawn ?? 0) !== this.answeredTo;
  }

  /** A digit that was drawn here came back from the page around: more may have been drawn meanwhile. */
  updated() {
    const own = this.came !== this.answeredTo;
    this.answeredTo = this.came;
    const more = this.open && own && !this.view.image && this.pad.digit && (this.pad.stroke || this.came !== this.version);
    if (more) this.present(this.pad.digit);
  }
}
