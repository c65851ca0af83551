// An activation function, its slope, and the numbers that a layer puts into it: the point on the curve is dragged, or
// moved by the arrow keys. All numbers were computed by Python, at the places where the point can stand.

import { clip, maximum, minimum, range } from "../js/arrays.js";
import { floatsOf } from "../js/base64.js";
import { sharesAt } from "../js/dom.js";
import { Keeping } from "../js/keeping.js";
import { number, signed } from "../js/numbers.js";

/** Heights of the panels, and what lies above each for its name. */
const PANELS = { function: 112, slope: 72, numbers: 56 };
const HEAD = 28;
const FOOT = 18;
const LEFT = 34;

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Curve(root);
  root.view.keeping.tell = (place) => component.setTriggerValue("kept", place);
  root.view.show(component.data);
  return () => root.view.sizes.disconnect();
}

class Curve {
  constructor(root) {
    this.root = root;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    this.keeping = new Keeping();
    this.plot = this.find(".plot");
    this.sizes = new ResizeObserver(() => this.data && this.build());
    this.listen();
  }

  show(data) {
    this.sizes.observe(this.plot);
    const old = this.keeping.isOld(data.place);
    if (!old && !this.held) this.place = data.place;
    if (data.key === this.data?.key) {
      this.paint();
      return;
    }
    this.data = data;
    this.places = floatsOf(data.places);
    this.values = floatsOf(data.values);
    this.slopes = floatsOf(data.slopes);
    this.own = data.own ? floatsOf(data.own) : null;
    this.root.style.setProperty("--slope", data.slope_colour);
    this.build();
  }

  build() {
    const width = this.plot.clientWidth;
    if (!width) return;
    this.width = width;
    const made = (name, attributes, text = "") => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
      element.textContent = text;
      return svg.appendChild(element);
    };
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const { name, own_name: own, layer, bins } = this.data;
    let top = 0;
    /** @type {Record<string, (value: number) => number>} where a value lies */
    this.at = {};
    const panel = (kind, low, high, words) => {
      const [from, height] = [top + HEAD, PANELS[kind]];
      made("text", { x: LEFT + 8, y: from - 9 }, words);
      this.at[kind] = (value) => from + height - ((value - low) / (high - low || 1)) * height;
      top = from + height;
    };
    const axis = (kind, value) => {
      const y = this.at[kind](value);
      made("line", { class: "axis", x1: LEFT, x2: width, y1: y, y2: y });
      made("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, number(value, 2));
    };
    const seen = [...this.values, ...(this.own ?? [])];
    panel("function", Math.min(0, minimum(seen)), maximum(seen), `${name}: what comes out${this.own ? `; dashed, ${own}, with which ${layer} was trained` : ""}`);
    axis("function", 0);
    axis("function", maximum(seen));
    if (this.own) made("path", { class: "own", d: this.line("function", this.own) });
    made("path", { class: "function", d: this.line("function", this.values) });
    panel("slope", Math.min(0, minimum([...this.slopes])), Math.max(1, maximum([...this.slopes])), "its slope: how much of the gradient comes back through it");
    axis("slope", 0);
    axis("slope", 1);
    made("path", { class: "slope", d: this.line("slope", this.slopes) });
    panel("numbers", 0, maximum(bins.counts) || 1, `the numbers of ${layer} that go in, on this digit`);
    bins.counts.forEach((count, n) => {
      const [from, to] = [bins.edges[n], bins.edges[n + 1]].map((z) => this.xOf(z));
      const y = this.at.numbers(count);
      made("rect", { x: from, y, width: Math.max(to - from - 1, 0.5), height: this.at.numbers(0) - y, fill: bins.colours[n] });
    });
    axis("numbers", 0);
    const ends = [this.places[0], 0, this.places[this.places.length - 1]];
    ends.forEach((z, n) => made("text", { x: this.xOf(z), y: top + 15, "text-anchor": ["start", "middle", "end"][n] }, number(z, 2)));
    svg.setAttribute("viewBox", `0 0 ${width} ${top + FOOT}`);
    this.line_at = made("line", { class: "at", y1: HEAD, y2: top });
    this.dots = ["function", "slope"].map((kind) => made("circle", { class: `dot ${kind}`, r: kind === "function" ? 8 : 6 }));
    this.plot.replaceChildren(svg);
    this.plot.setAttribute("aria-valuemin", String(this.places[0]));
    this.plot.setAttribute("aria-valuemax", String(this.places[this.places.length - 1]));
    this.paint();
  }

  line(kind, values) {
    return `M${[...values].map((value, n) => `${this.xOf(this.places[n]).toFixed(1)},${this.at[kind](value).toFixed(1)}`).join("L")}`;
  }

  xOf(z) {
    const [first, last] = [this.places[0], this.places[this.places.length - 1]];
    return LEFT + ((z - first) / (last - first)) * (this.width - LEFT);
  }

  paint() {
    if (!this.dots) return;
    const [z, value, slope] = [this.places, this.values, this.slopes].map((numbers) => numbers[this.place]);
    const x = this.xOf(z);
    for (const end of ["x1", "x2"]) this.line_at.setAttribute(end, String(x));
    [value, slope].forEach((each, n) => {
      this.dots[n].setAttribute("cx", String(x));
      this.dots[n].setAttribute("cy", String(this.at[n ? "slope" : "function"](each)));
    });
    const said = `${signed(z, 3)} → ${number(value, 3)}, slope ${number(slope, 3)}`;
    this.find(".shown").textContent = said;
    this.find(".words").textContent = this.words(slope);
    this.plot.setAttribute("aria-valuenow", String(z));
    this.plot.setAttribute("aria-valuetext", said);
  }

  words(slope) {
    if (slope === 0) return "Nothing comes back through it: the weights that made this number learn nothing from it.";
    if (slope === 1) return "The gradient comes back through it whole.";
    const share = `The gradient comes back through it ${number(slope, 3)} times as large.`;
    return Math.abs(slope) < this.data.flat ? `${share} The curve is almost flat here: it is saturated.` : share;
  }

  // What the learner does ----------------------------------------------------------------------

  listen() {
    const move = (event) => {
      const [across] = sharesAt(event, this.plot);
      const z = this.places[0] + ((across * this.width - LEFT) / (this.width - LEFT)) * (this.places[this.places.length - 1] - this.places[0]);
      this.go(range(this.places.length).reduce((best, n) => (Math.abs(this.places[n] - z) < Math.abs(this.places[best] - z) ? n : best), 0));
    };
    this.plot.onpointerdown = (event) => {
      this.held = true;
      this.plot.setPointerCapture(event.pointerId);
      move(event);
    };
    this.plot.onpointermove = (event) => this.held && move(event);
    this.plot.onpointerup = this.plot.onpointercancel = () => {
      this.held = false;
      this.send();
    };
    this.plot.onkeydown = (event) => {
      const end = this.places.length - 1;
      const to = {
        ArrowLeft: this.place - 1,
        ArrowDown: this.place - 1,
        ArrowRight: this.place + 1,
        ArrowUp: this.place + 1,
        PageDown: this.place - 10,
        PageUp: this.place + 10,
        Home: 0,
        End: end,
      }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.go(clip(to, 0, end));
      this.send();
    };
  }

  go(place) {
    this.place = place;
    this.paint();
  }

  send() {
    this.keeping.send(() => this.place);
  }
}
