// What a button opens in place of the receipt, and closes: one such panel at a time. The network stays.

import { button } from "./dom.js";

/** @import { View } from "./view.js" */

export class Panel {
  /**
   * @param {View} view
   * @param {string} name the button's
   * @param {string} className
   */
  constructor(view, name, className) {
    this.view = view;
    this.open = false;
    this.button = button(name, () => (this.open ? this.close() : this.show()), className);
    this.button.setAttribute("aria-pressed", "false");
    view.part("tools").append(this.button);
  }

  show() {
    this.view.openPanel(this);
    this.turn(true);
  }

  close() {
    this.turn(false);
    this.view.part("panel").replaceChildren();
    this.view.closePanel();
    this.button.focus({ preventScroll: true });
  }

  /**
   * @param {boolean} open
   */
  turn(open) {
    this.open = open;
    this.button.setAttribute("aria-pressed", String(open));
  }

  escape() {
    if (!this.open) return false;
    this.close();
    return true;
  }
}
