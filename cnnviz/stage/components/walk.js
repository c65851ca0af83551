// Shows a walk of cnnviz.animate: grids, the window on them, a step's arithmetic; plays it, and steps through it.
// All texts, numbers and colours come with the data; here they are placed.

import { clip } from "../js/arrays.js";
import { canvasOf, reducedMotion, sized } from "../js/dom.js";
import { saveFile } from "../js/files.js";
import { arrange, draw } from "../js/walk_drawing.js";

const SPEEDS = [4, 8, 16]; // Steps a second.

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.player ??= new Player(root);
  root.player.show(component.data, (step) => component.setTriggerValue("step", step));
  return () => root.player.pause();
}

class Player {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.still = reducedMotion();
    this.speed = 0;
    this.step = 0;
    this.filling = false; // Whether the output is drawn as far as the steps have come, and not whole.
    this.told = null; // The step that Python was told of and has not answered yet.
    const find = (name) => root.querySelector(`.${name}`);
    this.parts = Object.fromEntries(
      ["words", "result", "play", "back", "on", "speed", "count", "png", "caption"].map((name) => [name, find(name)]),
    );
    this.range = root.querySelector("input");
    this.parts.play.onclick = () => (this.timer ? this.pause() : this.play());
    this.parts.back.onclick = () => this.choose(this.step - 1);
    this.parts.on.onclick = () => this.choose(this.step + 1);
    this.parts.speed.onclick = () => {
      this.speed = (this.speed + 1) % SPEEDS.length;
      if (this.timer) this.run();
      this.label();
    };
    this.parts.png.onclick = () => this.save();
    this.range.oninput = () => {
      this.pause();
      this.filling = true;
      this.go(Number(this.range.value));
    };
    this.range.onchange = () => this.tell();
    this.canvas.onpointermove = (event) => this.point(event);
    this.canvas.onpointerenter = () => (this.over = true);
    this.canvas.onpointerleave = () => {
      this.over = false;
      this.preview = null;
      this.paint();
    };
    this.canvas.onclick = (event) => {
      const under = this.at(event);
      if (under !== null) {
        this.filling = false;
        this.choose(under);
      } else if (this.timer) this.pause();
    };
    root.onkeydown = (event) => this.key(event);
    this.sizes = new ResizeObserver(() => this.paint());
    this.sizes.observe(root);
    this.still.addEventListener("change", () => {
      this.pause();
      this.label();
    });
  }

  show(data, deliver) {
    this.deliver = deliver;
    this.root.setAttribute("aria-label", data.label);
    this.parts.caption.textContent = data.caption;
    const { scene, step, start } = data; // No step is the one it opens at.
    const last = scene.steps.length - 1;
    if (this.scene?.key === scene.key) {
      // The address may lead to another step; Python's answer to a step that was chosen here brings nothing new.
      if (this.given !== step && this.told === null) this.go(step ?? start);
      if ((step ?? start) === this.told) this.told = null;
      this.given = step;
      return;
    }
    const stays = this.scene?.operation === scene.operation && this.step !== this.start;
    this.scene = scene;
    this.start = start;
    this.given = step;
    this.told = null;
    this.step = Math.min(step ?? (stays ? this.step : start), last);
    this.preview = null;
    this.range.max = last;
    this.byPlace = new Map();
    const side = scene.backwards ? (s) => s.sources[0] : (s) => s.target;
    scene.steps.forEach((s, k) => this.byPlace.set(`${side(s)} ${s.row} ${s.col}`, k));
    this.paint();
    // Letters of the page's own may come later than the picture.
    document.fonts?.ready.then(() => this.paint());
  }

  // Moving ----------------------------------------------------------------------------------------

  play() {
    if (this.still.matches) return;
    // If no step has been chosen yet, it plays from the beginning.
    const fresh = !this.filling && this.step === this.start;
    this.filling = true;
    if (fresh || this.step >= this.scene.steps.length - 1) this.go(0);
    else this.paint();
    this.run();
    this.label();
  }

  run() {
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      if (this.over) return; // Under the pointer it waits.
      if (this.step < this.scene.steps.length - 1) this.go(this.step + 1);
      else this.pause();
    }, 1000 / SPEEDS[this.speed]);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.label();
  }

  go(step) {
    const last = this.scene.steps.length - 1;
    this.step = clip(step, 0, last);
    if (this.step === last) this.filling = false;
    this.paint();
  }

  choose(step) {
    this.pause();
    this.preview = null;
    this.go(step);
    this.tell();
  }

  tell() {
    this.told = this.step;
    this.deliver(this.step);
  }

  key(event) {
    if (event.target === this.range && event.key !== "Escape") return;
    const width = this.scene.backwards ? this.scene.inputs[0].cols : this.scene.outputs[0].cols;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
    if (moves[event.key] && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.choose(this.step + moves[event.key]);
    } else if (event.key === "Escape" && this.timer) this.pause();
  }

  point(event) {
    const under = this.at(event);
    if (under === this.preview) return;
    this.preview = under;
    this.canvas.style.cursor = under === null ? "" : "pointer";
    this.paint();
  }

  // The step whose cell on the small side is under the pointer.
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const places = this.scene.backwards ? this.layout.inputs : this.layout.outputs;
    for (const [k, place] of places.entries()) {
      const col = Math.floor((event.clientX - box.left - place.x) / place.cell) - place.grid.before[1];
      const row = Math.floor((event.clientY - box.top - place.y) / place.cell) - place.grid.before[0];
      const under = this.byPlace.get(`${k} ${row} ${col}`);
      if (under !== undefined) return under;
    }
    return null;
  }

  label() {
    const { play, back, on, speed, count } = this.parts;
    const last = this.scene ? this.scene.steps.length - 1 : 0;
    const set = (element, words) => element.textContent !== words && (element.textContent = words);
    set(play, this.timer ? "Pause" : "Play");
    play.disabled = this.still.matches || last < 1;
    play.title = this.still.matches ? "Your device asks for no motion; go step by step" : "";
    back.disabled = this.step <= 0;
    on.disabled = this.step >= last;
    set(speed, `${SPEEDS[this.speed]} a second`);
    speed.setAttribute("aria-label", `Speed: ${SPEEDS[this.speed]} steps a second; another`);
    speed.disabled = play.disabled;
    set(count, `step ${this.step + 1} of ${last + 1}`);
    this.range.value = this.step;
    this.range.setAttribute("aria-valuetext", `step ${this.step + 1} of ${last + 1}`);
  }

  // Drawing ---------------------------------------------------------------------------------------

  paint() {
    if (!this.scene || !this.root.clientWidth) return;
    this.label();
    const shown = this.preview ?? this.step;
    const step = this.scene.steps[shown];
    this.layout = arrange(this.scene, this.root.clientWidth, this.rem());
    const { width, height } = this.layout;
    this.draw(sized(this.canvas, width, height).getContext("2d"), step);
    this.parts.words.textContent = step.words;
    this.parts.result.textContent = step.result;
    const place = this.scene.backwards ? "Input" : "Output";
    const words = `Step ${shown + 1} of ${this.scene.steps.length}. ${place} row ${step.row}, column ${step.col}: ${step.words} ${step.result}`;
    this.canvas.setAttribute("aria-label", words);
  }

  // The last step whose outputs are shown.
  filled() {
    return this.filling ? this.step : this.scene.steps.length - 1;
  }

  rem() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  }

  save() {
    const [dots, margin] = [3, 24];
    const [width, height] = [this.layout.width + 2 * margin, this.layout.height + 2 * margin];
    const copy = sized(canvasOf(0, 0), width, height, dots);
    const pen = copy.getContext("2d");
    pen.fillStyle = this.scene.colours.background;
    pen.fillRect(0, 0, width, height);
    pen.translate(margin, margin);
    this.draw(pen, this.scene.steps[this.step]);
    copy.toBlob((blob) => saveFile(blob, `cnnviz-${this.scene.operation.replaceAll("_", "-")}.png`));
  }

  draw(pen, step) {
    draw(pen, this.scene, this.layout, step, this.filled(), getComputedStyle(this.root).fontFamily);
  }
}
