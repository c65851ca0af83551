// A picture that is dragged by whole pixels, by pointer or arrow keys. It comes from Python, which hears how far it was moved.

import { clip } from "../js/arrays.js";
import { Keeping } from "../js/keeping.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Moving(root);
  root.view.keeping.tell = (kept) => component.setTriggerValue("kept", kept);
  root.view.show(component.data);
}

class Moving {
  constructor(root) {
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    this.pad = this.find(".pad");
    this.image = this.find("img");
    this.keeping = new Keeping();
    this.held = null; // Where the pointer took hold of it, and how far it was moved then.
    this.listen();
  }

  show({ picture, rows, cols, reach, kept, name }) {
    const old = this.keeping.isOld(kept);
    this.rows = rows;
    this.cols = cols;
    this.reach = reach;
    this.name = name;
    if (this.image.src !== picture) this.image.src = picture;
    if (!old && !this.held) this.kept = kept;
    this.paint();
  }

  listen() {
    this.pad.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.pad.setPointerCapture(event.pointerId);
      this.held = { x: event.clientX, y: event.clientY, ...this.kept };
    });
    this.pad.addEventListener("pointermove", (event) => {
      if (!this.held) return;
      const cell = this.pad.clientWidth / this.cols;
      const by = (from, to) => Math.round((to - from) / cell);
      this.go(this.held.down + by(this.held.y, event.clientY), this.held.right + by(this.held.x, event.clientX));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.pad.addEventListener(end, () => {
        const { held } = this;
        this.held = null;
        if (held && (held.down !== this.kept.down || held.right !== this.kept.right)) this.keep();
      });
    }
    this.pad.addEventListener("keydown", (event) => {
      const { down, right } = this.kept;
      const to = {
        ArrowUp: [down - 1, right],
        ArrowDown: [down + 1, right],
        ArrowLeft: [down, right - 1],
        ArrowRight: [down, right + 1],
        Home: [0, 0],
      }[event.key];
      if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.go(to[0], to[1]);
      this.keep();
    });
    this.find("button").addEventListener("click", () => {
      this.go(0, 0);
      this.keep();
      this.pad.focus({ preventScroll: true });
    });
  }

  go(down, right) {
    const within = (move) => clip(move, -this.reach, this.reach) || 0;
    this.kept = { down: within(down), right: within(right) };
    this.paint();
  }

  paint() {
    const { down, right } = this.kept;
    this.image.style.translate = `${(100 * right) / this.cols}% ${(100 * down) / this.rows}%`;
    this.find(".shown").textContent = this.words() || "Drag it";
    this.find("button").hidden = !down && !right;
    this.pad.setAttribute("aria-label", `${this.name}, moved: ${this.words() || "not at all"}. Arrow keys move it by a pixel, Home puts it back.`);
  }

  words() {
    const { down, right } = this.kept;
    const parts = [
      down ? `${Math.abs(down)} ${down > 0 ? "down" : "up"}` : "",
      right ? `${Math.abs(right)} to the ${right > 0 ? "right" : "left"}` : "",
    ];
    return parts.filter(Boolean).join(", ");
  }

  keep() {
    this.find(".said").textContent = this.words() || "back in its place";
    this.keeping.send(() => this.kept);
  }
}
