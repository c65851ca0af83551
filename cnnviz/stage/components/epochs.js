// A run of training, epoch by epoch: it plays from before training to its end, and follows the pointer and the slider.
// Above it the steps of a walk, forth and back: each is a run, a measure and an epoch. Python brings another run.
// All numbers and their texts come from Python; here they are only placed.

import { clip, maximum, range } from "../js/arrays.js";
import { floatsOf } from "../js/base64.js";
import { Colours } from "../js/colours.js";

/** @import { Component } from "../js/dom.js" */

const [LEFT, RIGHT, TOP, BOTTOM] = [58, 12, 8, 26];
/** What takes the arrow keys itself. */
const TAKES = "input, select, textarea, [contenteditable], [role]";
/** How long what Python says of another step than the one that was asked for is old, in milliseconds. */
const LATE = 3000;
/** Milliseconds on an epoch: the first ones change most. */
const pause = (epoch) => 220 + 1100 / (1 + epoch) ** 1.5;

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Epochs(root);
  root.view.tell = (name, value) => component.setTriggerValue(name, value);
  root.view.show(component.data);
}

class Epochs {
  constructor(root) {
    this.root = root;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    /** @type {(name: string, value: number) => void} */
    this.tell = () => {};
    this.kept = this.last = this.step = 0;
    /** @type {number | null} the step that Python is asked for */
    this.asked = null;
    /** @type {number | null} */
    this.over = null;
    this.timer = 0;
    this.width = this.height = 0;
    /** @type {((epoch: number) => string) | null} */
    this.lines = null;
    this.svg = this.find("svg");
    this.slider = this.find("input");
    this.slider.oninput = () => {
      this.stop();
      this.put(Number(this.slider.value));
    };
    this.slider.onchange = () => this.keep(Number(this.slider.value));
    this.find(".play").onclick = () => this.turn();
    this.svg.onpointermove = (event) => {
      this.stop();
      this.over = this.under(event);
      this.paint();
    };
    this.svg.onpointerleave = () => {
      this.over = null;
      this.paint();
    };
    this.svg.onclick = (event) => this.keep(this.under(event));
    this.find(".back").onclick = () => this.goTo(this.step - 1);
    this.find(".next").onclick = () => this.goTo(this.step + 1);
    this.find(".resume").onclick = () => this.goTo(this.step);
    this.keyed = (event) => this.pressed(event);
    document.addEventListener("keydown", this.keyed);
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  show(data) {
    const other = data.key !== this.key;
    this.data = data;
    this.key = data.key;
    this.last = data.epochs;
    this.slider.max = String(this.last);
    this.colours = new Colours(data, data.theme);
    this.weights = floatsOf(data.kernels.numbers);
    this.lines = null; // Those of another run may have fewer epochs.
    this.build();
    const late = this.asked !== null && data.step !== this.asked;
    if (!late) {
      this.asked = null;
      this.step = data.step;
    }
    const moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (other && data.plays && moves) this.play();
    else if (!this.timer && !late) this.put(data.epoch);
    else this.put(this.kept);
    this.label();
    this.draw();
  }

  // The walk -----------------------------------------------------------------------------------------

  goTo(step) {
    const { steps } = this.data;
    if (step < 0 || step >= steps.length) return;
    this.step = this.asked = step;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.asked = null), LATE);
    this.stop();
    this.over = null;
    if (steps[step].here) this.put(steps[step].epoch);
    this.write();
    this.tell("step", step);
  }

  write() {
    const { steps } = this.data;
    // Of runs that stand alone there is no walk.
    this.find(".steps").hidden = !steps.length;
    if (!steps.length) return;
    const { title, say, epoch, here } = steps[this.step];
    this.find("h2").textContent = title;
    if (this.find(".say").textContent !== say) this.find(".say").textContent = say;
    this.find(".steps .place").textContent = `${this.step + 1} of ${steps.length}`;
    this.find(".back").disabled = this.step === 0;
    this.find(".next").disabled = this.step === steps.length - 1;
    this.find(".resume").hidden = this.asked !== null || Boolean(this.timer) || (here && this.kept === epoch);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!this.root.isConnected) document.removeEventListener("keydown", this.keyed);
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const target = event.composedPath()[0];
    const element = target instanceof Element ? target : document.body;
    const here = element === document.body || this.root.contains(element);
    if (!by || !here || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (element.closest(TAKES)) return;
    event.preventDefault();
    this.goTo(this.step + by);
  }

  build() {
    const { shares, kernels, curves } = this.data;
    this.find(".answer figcaption").textContent = shares.title;
    this.find(".bars").innerHTML = range(shares.rows[0].length)
      .map((k) => `<div class="bar"><span>${k}</span><i></i><span></span></div>`)
      .join("");
    this.find(".kernels figcaption").textContent = kernels.title;
    this.tiles = range(kernels.count).map(() => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [kernels.cols, kernels.rows];
      return canvas;
    });
    this.find(".tiles").replaceChildren(...this.tiles);
    const legend = this.find(".curves figcaption");
    legend.replaceChildren(
      ...curves.map(({ name }, k) => {
        const entry = document.createElement("span");
        entry.innerHTML = `<i class="key c${k}"></i>`;
        entry.append(`${name}\u2003`);
        return entry;
      }),
      this.data.caption,
    );
  }

  get at() {
    return this.over ?? this.kept;
  }

  put(epoch) {
    this.kept = clip(epoch, 0, this.last);
    this.write();
    this.paint();
  }

  keep(epoch) {
    this.stop();
    this.over = null;
    this.put(epoch);
    this.tell("epoch", this.kept);
  }

  // Playing ------------------------------------------------------------------------------------------

  turn() {
    if (this.timer) this.keep(this.kept);
    else this.play(this.kept < this.last ? this.kept : 0);
  }

  play(from = 0) {
    this.over = null;
    this.put(from);
    this.go();
  }

  go() {
    this.timer = window.setTimeout(() => {
      if (this.root.isConnected) this.put(this.kept + 1);
      if (this.root.isConnected && this.kept < this.last) this.go();
      else this.stop();
    }, pause(this.kept));
    this.label();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.label();
  }

  label() {
    this.find(".play").textContent = this.timer ? "Pause" : "Play";
    this.write();
  }

  // What is seen -------------------------------------------------------------------------------------

  x(epoch) {
    return LEFT + ((this.width - LEFT - RIGHT) * epoch) / this.last;
  }

  /** A share of the height, from the best at the top, as Python gives it. */
  y(place) {
    return TOP + (this.height - TOP - BOTTOM) * place;
  }

  under(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * this.width;
    return clip(Math.round(((x - LEFT) / (this.width - LEFT - RIGHT)) * this.last), 0, this.last);
  }

  draw() {
    [this.width, this.height] = [this.svg.clientWidth, this.svg.clientHeight];
    if (!this.width || !this.data) return;
    const { ticks, curves, alt } = this.data;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("aria-label", alt);
    const grid = ticks.map(
      ({ place, text }) =>
        `<line class="grid" x1="${LEFT}" x2="${this.width - RIGHT}" y1="${this.y(place)}" y2="${this.y(place)}"/>` +
        `<text x="${LEFT - 6}" y="${this.y(place) + 4}" text-anchor="end">${text}</text>`,
    );
    const epochs = [0, Math.round(this.last / 4), Math.round(this.last / 2), Math.round((3 * this.last) / 4), this.last];
    const feet = epochs.map((n) => `<text x="${this.x(n)}" y="${this.height - 6}" text-anchor="middle">${n}</text>`);
    const line = (places, to = this.last) =>
      range(to + 1)
        .filter((n) => places[n] !== null)
        .map((n) => `${this.x(n)},${this.y(places[n])}`)
        .join(" ");
    this.lines = (epoch) =>
      curves
        .map(
          ({ places, low, high }, k) =>
            `<polygon class="band c${k}" points="${line(low)} ${line(high).split(" ").reverse().join(" ")}"/>
            <polyline class="line to-come c${k}" points="${line(places)}"/>
            <polyline class="line c${k}" points="${line(places, epoch)}"/>
            ${places[epoch] === null ? "" : this.mark(epoch, k, places[epoch], low[epoch], high[epoch])}`,
        )
        .join("");
    this.frame = grid.join("") + feet.join("");
    this.paint();
  }

  mark(epoch, k, place, low, high) {
    const [x, y] = [this.x(epoch), this.y(place)];
    const bar =
      low === null
        ? ""
        : `<path class="whisker c${k}" d="M${x - 4} ${this.y(low)}h8M${x - 4} ${this.y(high)}h8M${x} ${this.y(low)}V${this.y(high)}"/>`;
    return `${bar}<circle class="dot c${k}" cx="${x}" cy="${y}" r="4"/>`;
  }

  paint() {
    if (!this.lines) return;
    const { data, at } = this;
    this.find(".now").innerHTML = data.said[at];
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", this.find(".now").textContent);
    const cursor = `<line class="cursor" x1="${this.x(at)}" x2="${this.x(at)}" y1="${TOP}" y2="${this.height - BOTTOM}"/>`;
    this.svg.innerHTML = this.frame + cursor + this.lines(at);
    const row = data.shares.places[at];
    const shares = data.shares.rows[row];
    const top = shares.indexOf(maximum(shares));
    this.find(".bars").childNodes.forEach((bar, k) => {
      bar.className = `bar${k === top ? " top" : ""}${k === data.shares.label ? " right" : ""}`;
      bar.children[1].style.setProperty("--share", String(shares[k]));
      bar.children[2].textContent = data.shares.texts[row][k];
    });
    const { rows, cols, count, scale } = data.kernels;
    this.tiles.forEach((canvas, k) => {
      const context = canvas.getContext("2d");
      const value = (n) => this.weights[(row * rows * cols + n) * count + k];
      context.putImageData(this.colours.picture(context, rows, cols, value, scale), 0, 0);
    });
  }
}
