// The pad on a page of its own: probabilities and one layer's maps follow the pen, and show the page's digit before;
// Python gets what is drawn, or which of the images that are no digit was picked.

import { maximum, sameNumbers } from "../js/arrays.js";
import { fromBase64 } from "../js/base64.js";
import { Colours } from "../js/colours.js";
import { canvasOf } from "../js/dom.js";
import { numbersOf } from "../js/image_bytes.js";
import { number, probability } from "../js/numbers.js";
import { Pad } from "../js/pad.js";
import { sceneOf } from "../js/scene.js";
import { appTheme, dress, watchTheme } from "../js/theme.js";
import { stageName } from "../js/words.js";

const PAUSE = 600; // Milliseconds after the last stroke until the drawing counts as done.
const GAP = 6;

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".trying");
  root.page ??= new Page(root);
  root.page.tell = (drawing) => setTriggerValue("drawing", drawing);
  root.page.pick = (name) => setTriggerValue("picked", name);
  root.page.take(data);
  return () => root.page.stop();
}

class Page {
  constructor(root) {
    this.root = root;
    /** @type {(drawing: object) => void} */
    this.tell = () => {};
    /** @type {(name: string) => void} */
    this.pick = () => {};
    /** The image that is shown where nothing is drawn, and what it is called. */
    this.shown = { title: "", pixels: new Uint8Array() };
    this.drawn = false;
    this.part = (name) => root.querySelector(`.trying-${name}`);
    this.sizes = new ResizeObserver(() => this.paintMaps());
  }

  /** A network, as a scene, and the page's digit. */
  take(data) {
    this.stopTheme?.();
    this.stopTheme = watchTheme(() => this.followTheme());
    this.sizes.observe(this.part("maps"));
    if (sameNumbers(this.data, data)) return; // A rerun of the page brings the same bytes again.
    this.data = data;
    this.scene = sceneOf(data);
    const { title, digit } = this.scene.header.host;
    this.shown = { title, pixels: fromBase64(digit) };
    // Another digit than the one on the pad was chosen.
    if (this.pad?.digit && !sameNumbers(this.pad.digit, this.shown.pixels)) this.drawn = false;
    this.colours = new Colours(this.scene.header);
    this.stage = this.scene.stages.find(({ op, shape }) => op.type === "activation" && shape[2] > 1);
    this.theme = null;
    this.followTheme();
    if (this.pad) {
      this.say();
      return;
    }
    this.pad = new Pad(this.part("pad"), {
      colours: () => this.colours,
      changed: (digit) => this.follow(digit),
      lifted: () => this.sendSoon(),
      verdict: () => this.part("verdict").textContent,
    });
    // Whoever goes on to something else has done drawing.
    this.pad.canvas.addEventListener("blur", () => this.sending && this.send());
    this.say();
  }

  /** Buttons for images that are no digit: each is answered at once, and becomes the page's digit. */
  offer() {
    const place = this.part("odd");
    place.querySelectorAll("button").forEach((button) => button.remove());
    this.odd = this.scene.header.host.odd.map(({ name, digit }) => {
      const pixels = fromBase64(digit);
      const button = Object.assign(document.createElement("button"), { type: "button" });
      const canvas = canvasOf(28, 28);
      const context = canvas.getContext("2d");
      context.putImageData(this.colours.picture(context, 28, 28, (n) => pixels[n], { kind: "ink", limit: 255 }), 0, 0);
      button.append(canvas, name);
      button.onclick = () => {
        this.wait();
        this.drawn = false;
        this.shown = { title: name, pixels };
        this.say();
        this.pick(name);
      };
      place.append(button);
      return { button, pixels };
    });
  }

  stop() {
    this.stopTheme();
    this.sizes.disconnect();
  }

  followTheme() {
    const theme = appTheme();
    if (theme === this.theme) return;
    this.theme = this.colours.theme = theme;
    dress(this.root, this.colours.around);
    this.offer();
    this.pad?.repaint();
    if (this.pad) this.say();
  }

  /** What is on the pad; what is shown before, as long as nothing is drawn. */
  follow(digit) {
    if (!this.pad) return;
    if (this.pad.stroke) this.wait();
    this.drawn = Boolean(digit);
    this.say();
  }

  say() {
    const { pad } = this;
    const digit = this.drawn ? pad.digit : this.shown.pixels;
    for (const { button, pixels } of this.odd) button.setAttribute("aria-pressed", String(sameNumbers(pixels, digit)));
    if (!this.drawn) pad.showPrepared(digit);
    this.values = this.scene.forward(numbersOf(this.scene, digit));
    const shares = this.values[this.scene.output.index];
    const little = !this.drawn && !pad.blank && !pad.digit ? "There is too little ink for a digit. " : "";
    this.part("verdict").innerHTML = little + this.verdict(shares);
    const most = maximum(shares);
    this.part("bars").innerHTML = [...shares]
      .map((share, k) => `<li data-first="${share === most}"><span>${this.scene.classes[k]}</span><i style="width:${100 * share}%"></i><span>${probability(share)}</span></li>`)
      .join("");
    this.values = this.values[this.stage.index];
    this.paintMaps();
  }

  verdict(probabilities) {
    const { classes, header } = this.scene;
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    const [first, second] = order.map((k) => `<b>${classes[k]}</b> with ${probability(probabilities[k])}`);
    const unsure = probabilities[order[0]] < header.host.sure ? " It is unsure." : "";
    const what = this.drawn ? "your drawing" : this.shown.title;
    return `Of ${what} the network says ${first}, then ${second}.${unsure}`;
  }

  /** The maps of one layer side by side, on one scale from zero. */
  paintMaps() {
    const box = this.part("maps");
    box.hidden = !this.values;
    if (!this.values) return;
    const [rows, cols, channels] = this.stage.shape;
    const across = box.clientWidth > 560 ? 16 : 8;
    const down = Math.ceil(channels / across);
    const canvas = box.querySelector("canvas");
    canvas.width = across * (cols + GAP) - GAP + 2;
    canvas.height = down * (rows + GAP) - GAP + 2;
    const most = this.values.reduce((a, b) => Math.max(a, b), 0);
    const scale = { kind: "positive", limit: most || 1 };
    const context = canvas.getContext("2d");
    context.strokeStyle = this.colours.around.line;
    for (let k = 0; k < channels; k++) {
      const [x, y] = [1 + (k % across) * (cols + GAP), 1 + Math.floor(k / across) * (rows + GAP)];
      context.putImageData(this.colours.picture(context, rows, cols, (n) => this.values[n * channels + k], scale), x, y);
      context.strokeRect(x - 0.5, y - 0.5, cols + 1, rows + 1);
    }
    canvas.setAttribute("aria-label", `${channels} maps of ${stageName(this.stage)}; the largest value is ${number(most, 3)}`);
    this.part("legend").innerHTML =
      `<span>The maps of ${stageName(this.stage)}, on one scale</span><span>0</span>` +
      `<i style="background:${this.colours.gradient(scale)}"></i><span>${number(most, 3)}</span>`;
  }

  /** When the pen has rested for a moment, what is drawn becomes the digit of all pages. */
  sendSoon() {
    this.wait();
    if (this.pad.digit || this.pad.blank) this.sending = setTimeout(() => this.send(), PAUSE);
  }

  send() {
    this.wait();
    this.tell(this.pad.blank ? { cleared: true } : this.pad.pixels());
  }

  wait() {
    clearTimeout(this.sending);
    this.sending = null;
  }
}
