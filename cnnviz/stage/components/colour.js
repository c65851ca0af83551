// A photograph's three planes through a 1x1 convolution: three weights to be dragged, and the map that they make.
// The bytes of the photograph come from Python once; everything else is worked out here, at once.

import { clip, maximum, minimum, range } from "../js/arrays.js";
import { fromBase64 } from "../js/base64.js";
import { Colours } from "../js/colours.js";
import { sharesAt } from "../js/dom.js";
import { Keeping } from "../js/keeping.js";
import { agreeing, number } from "../js/numbers.js";

/** @import { Component } from "../js/dom.js" */

const PLANES = ["red", "green", "blue"];

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new ColourMixing(root);
  root.view.keeping.tell = (kept) => component.setTriggerValue("kept", kept);
  root.view.show(component.data);
}

class ColourMixing {
  constructor(root) {
    this.root = root;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    this.keeping = new Keeping();
    this.build();
  }

  show(data) {
    const old = this.keeping.isOld(data.kept);
    if (!old) {
      this.weights = [...data.kept.weights];
      this.row = data.kept.row;
      this.col = data.kept.col;
      this.relu = data.kept.relu;
    }
    if (data.key !== this.key) {
      this.key = data.key;
      this.rows = data.rows;
      this.cols = data.cols;
      this.bytes = fromBase64(data.photograph);
      this.colours = new Colours(data, data.theme);
      this.presets = data.presets;
      this.choices();
      this.draw(this.find(".whole canvas"), (n, k) => this.bytes[3 * n + k]);
      this.planes.forEach(({ canvas }, p) => this.draw(canvas, (n, k) => (k === p ? this.bytes[3 * n + k] : 0)));
    }
    this.paint();
  }

  /** What the layer makes of the n-th pixel. */
  mixed(n) {
    let sum = 0;
    for (let p = 0; p < 3; p++) sum += (this.weights[p] * this.bytes[3 * n + p]) / 255;
    return this.relu ? Math.max(sum, 0) : sum;
  }

  build() {
    this.planes = PLANES.map((name, p) => {
      const figure = document.createElement("figure");
      figure.innerHTML =
        `<figcaption>${p ? "+ " : ""}${name} ×&nbsp;<output></output></figcaption><div class="pad"><canvas></canvas><i class="mark"></i></div>` +
        `<input type="range" min="-1" max="1" step="any" aria-label="weight of ${name}">`;
      const slider = figure.querySelector("input");
      slider.oninput = () => {
        this.weights[p] = Math.round(100 * slider.valueAsNumber) / 100;
        this.paint();
        this.send();
      };
      this.find(".planes").append(figure);
      return { canvas: figure.querySelector("canvas"), output: figure.querySelector("output"), slider };
    });
    const pads = [...this.root.querySelectorAll(".pad")];
    for (const pad of pads) {
      const to = (event) => {
        const [across, down] = sharesAt(event, pad);
        this.go(Math.floor(down * this.rows), Math.floor(across * this.cols));
      };
      pad.onpointermove = (event) => {
        if (event.pointerType !== "touch") to(event);
      };
      pad.onclick = (event) => {
        to(event);
        this.say();
        this.send();
      };
    }
    pads[0].onkeydown = (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      this.go(this.row + step[0], this.col + step[1]);
      this.say();
      this.send();
    };
    pads[0].setAttribute("aria-label", "The photograph. Arrow keys move the pixel whose sum is written below.");
  }

  choices() {
    const buttons = Object.entries(this.presets).map(([name, weights]) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.onclick = () => {
        this.weights = [...weights];
        this.paint();
        this.say();
        this.send();
      };
      return button;
    });
    const relu = document.createElement("label");
    relu.innerHTML = '<input type="checkbox"> ReLU: below 0 is 0';
    relu.querySelector("input").onchange = (event) => {
      this.relu = /** @type {HTMLInputElement} */ (event.target).checked;
      this.paint();
      this.say();
      this.send();
    };
    this.buttons = buttons;
    this.find(".choices").replaceChildren(...buttons, relu);
  }

  /**
   * A picture of bytes, a device pixel each.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {(n: number, k: number) => number} at
   */
  draw(canvas, at) {
    Object.assign(canvas, { width: this.cols, height: this.rows });
    const context = canvas.getContext("2d");
    const image = context.createImageData(this.cols, this.rows);
    for (let n = 0; n < this.rows * this.cols; n++) {
      for (let k = 0; k < 3; k++) image.data[4 * n + k] = at(n, k);
      image.data[4 * n + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  paint() {
    const values = range(this.rows * this.cols).map((n) => this.mixed(n));
    const [low, high] = [minimum(values), maximum(values)];
    const canvas = this.find(".result canvas");
    const [bar, ends] = [this.find(".bar"), this.root.querySelectorAll(".ends span")];
    if (low < 0) {
      // With both signs it is no picture any more: the colours of numbers, white at 0.
      const scale = { kind: "signed", limit: Math.max(-low, high) };
      Object.assign(canvas, { width: this.cols, height: this.rows });
      const context = canvas.getContext("2d");
      context.putImageData(this.colours.picture(context, this.rows, this.cols, (n) => values[n], scale), 0, 0);
      bar.style.background = this.colours.gradient(scale);
      [ends[0].textContent, ends[1].textContent] = [number(-scale.limit, 3), `+${number(scale.limit, 3)}`];
    } else {
      const white = Math.max(high, 1);
      this.draw(canvas, (n) => Math.round((255 * values[n]) / white));
      bar.style.background = "linear-gradient(to right, #000, #fff)";
      [ends[0].textContent, ends[1].textContent] = ["0", number(white, 3)];
    }
    this.find(".result figcaption").textContent = `= ${this.relu ? "after ReLU" : "one map"}`;
    this.planes.forEach(({ output, slider }, p) => {
      output.textContent = number(this.weights[p], 3);
      if (slider.valueAsNumber !== this.weights[p]) slider.value = String(this.weights[p]);
      slider.setAttribute("aria-valuetext", number(this.weights[p], 3));
    });
    this.find(".choices input").checked = this.relu;
    Object.values(this.presets).forEach((weights, n) => {
      this.buttons[n].setAttribute("aria-pressed", String(weights.every((weight, p) => weight === this.weights[p])));
    });
    this.point();
  }

  /** The sum of the pixel pointed at, written out; where it is, on each picture. */
  point() {
    const n = this.row * this.cols + this.col;
    const shares = range(3).map((p) => this.bytes[3 * n + p] / 255);
    const total = (values) => values.slice(3).reduce((sum, weight, p) => sum + weight * values[p], 0);
    const result = total([...shares, ...this.weights]);
    const words = agreeing([...shares, ...this.weights], result, total, 3);
    const terms = PLANES.map((name, p) => `<span class="${name}">${words[3 + p]} · ${words[p]}</span>`);
    const then = this.relu ? `, and behind the ReLU <b>${number(Math.max(result, 0), 3)}</b>` : "";
    this.find(".sum").innerHTML =
      `<span>row ${this.row}, column ${this.col}:</span> ${terms.join(" + ")} = <b>${number(result, 3)}</b>${then}`;
    for (const mark of this.root.querySelectorAll(".mark")) {
      Object.assign(mark.style, { left: `${(100 * (this.col + 0.5)) / this.cols}%`, top: `${(100 * (this.row + 0.5)) / this.rows}%` });
    }
  }

  go(row, col) {
    this.row = clip(row, 0, this.rows - 1);
    this.col = clip(col, 0, this.cols - 1);
    this.point();
  }

  say() {
    this.find(".said").textContent = this.find(".sum").textContent;
  }

  send() {
    this.keeping.send(() => ({ weights: this.weights, row: this.row, col: this.col, relu: this.relu }));
  }
}
