// Shows a walk of cnnviz.animate: grids, the window on them, a step's arithmetic; plays it, steps through it,
// saves it. All texts, numbers and colours come with the data; here they are placed.

import { canvasOf, closest, sized } from "../js/dom.js";
import { saveFile } from "../js/files.js";
import { Playback, stepsShown } from "../js/playback.js";
import { PlayControls } from "../js/play_controls.js";
import { MOST_FRAMES, record } from "../js/recording.js";
import { arrange, draw } from "../js/walk_drawing.js";

/** @import { Component } from "../js/dom.js" */

const PNG = { dots: 3, margin: 24 };

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.player ??= new Player(root);
  root.player.show(component.data, (step) => component.setTriggerValue("step", step));
  return () => root.player.playback.pause();
}

class Player {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.filling = false; // Whether the output is drawn as far as the steps have come, and not whole.
    this.told = null; // The step that Python was told of and has not answered yet.
    this.recording = false;
    const find = (name) => root.querySelector(`.${name}`);
    this.parts = Object.fromEntries(["words", "result", "caption", "tools"].map((name) => [name, find(name)]));
    this.playback = new Playback({
      moved: () => this.moved(),
      turned: () => this.turned(),
      held: () => this.over || this.recording,
    });
    this.playback.speedAt = 0; // There are numbers to be read.
    this.controls = new PlayControls(this.parts.tools, this.playback, (at) => this.placeWords(at), () => this.tell());
    this.controls.range.addEventListener("input", () => {
      this.filling = this.playback.at < this.playback.last;
      this.paint();
    });
    this.parts.tools.addEventListener("click", (event) => {
      const action = closest(event, "[data-do]")?.dataset.do;
      if (action === "png") this.savePng();
      if (action === "gif" || action === "whole") this.saveGif(event.target, action === "whole");
    });
    this.canvas.onpointermove = (event) => this.point(event);
    this.canvas.onpointerenter = () => (this.over = true);
    this.canvas.onpointerleave = () => {
      this.over = false;
      this.preview = null;
      this.paint();
    };
    this.canvas.onclick = (event) => {
      const under = this.at(event);
      if (under === null) this.playback.pause();
      else {
        this.filling = false;
        this.preview = null;
        this.controls.choose(under);
      }
    };
    root.onkeydown = (event) => {
      if (event.key === "Escape") this.playback.pause();
      else this.controls.pressed(event, (rows) => this.playback.at + rows * this.width);
    };
    this.sizes = new ResizeObserver(() => this.paint());
    this.sizes.observe(root);
  }

  get step() {
    return this.playback.at;
  }

  /** Steps in a row. */
  get width() {
    return this.scene.backwards ? this.scene.inputs[0].cols : this.scene.outputs[0].cols;
  }

  show(data, deliver) {
    this.deliver = deliver;
    this.root.setAttribute("aria-label", data.label);
    this.parts.caption.textContent = data.caption;
    const { scene, step, start } = data; // No step is the one it opens at.
    if (this.scene?.key === scene.key) {
      // The address may lead to another step; Python's answer to a step that was chosen here brings nothing new.
      if (this.given !== step && this.told === null) this.playback.go(step ?? start);
      if ((step ?? start) === this.told) this.told = null;
      this.given = step;
      return;
    }
    const stays = this.scene?.operation === scene.operation && this.step !== this.start;
    this.scene = scene;
    this.start = start;
    this.given = step;
    this.told = null;
    this.recording = false;
    this.preview = null;
    this.byPlace = new Map();
    const side = scene.backwards ? (s) => s.sources[0] : (s) => s.target;
    scene.steps.forEach((s, k) => this.byPlace.set(`${side(s)} ${s.row} ${s.col}`, k));
    const whole = this.root.querySelector("[data-do=whole]");
    whole.hidden = scene.steps.length <= MOST_FRAMES;
    whole.textContent = `all ${scene.steps.length.toLocaleString("en-GB")} steps`;
    this.playback.begin(scene.steps.length, step ?? (stays ? this.step : start));
    this.paint();
    // Letters of the page's own may come later than the picture.
    document.fonts?.ready.then(() => this.paint());
  }

  // Moving ----------------------------------------------------------------------------------------

  moved() {
    if (this.step === this.playback.last) this.filling = false;
    this.paint();
  }

  /** It runs or stands: if no step has been chosen yet, it plays from the beginning. */
  turned() {
    const { playback } = this;
    if (playback.running && !this.filling) {
      if (this.step === this.start) playback.begin(playback.count, 0);
      this.filling = true;
      this.paint();
    }
    this.controls.write();
  }

  tell() {
    this.told = this.step;
    this.deliver(this.step);
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

  placeWords(at) {
    return this.scene ? `step ${at + 1} of ${this.scene.steps.length}` : "";
  }

  // Drawing ---------------------------------------------------------------------------------------

  paint() {
    if (!this.scene || !this.root.clientWidth) return;
    this.controls.write();
    const shown = this.preview ?? this.step;
    const step = this.scene.steps[shown];
    this.layout = arrange(this.scene, this.root.clientWidth, this.rem());
    const { width, height } = this.layout;
    this.draw(sized(this.canvas, width, height).getContext("2d"), shown, this.filled());
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

  get font() {
    return getComputedStyle(this.root).fontFamily;
  }

  draw(pen, step, filled) {
    draw(pen, this.scene, this.layout, this.scene.steps[step], filled, this.font);
  }

  // Saving ----------------------------------------------------------------------------------------

  fileName(ending) {
    return `cnnviz-${this.scene.operation.replaceAll("_", "-")}.${ending}`;
  }

  savePng() {
    const { dots, margin } = PNG;
    const [width, height] = [this.layout.width + 2 * margin, this.layout.height + 2 * margin];
    const copy = sized(canvasOf(0, 0), width, height, dots);
    const pen = copy.getContext("2d");
    pen.fillStyle = this.scene.colours.background;
    pen.fillRect(0, 0, width, height);
    pen.translate(margin, margin);
    this.draw(pen, this.step, this.filled());
    copy.toBlob((blob) => saveFile(blob, this.fileName("png")));
  }

  /** Of many steps some, from the first on as it plays, unless all are asked for; another click meanwhile calls it off. */
  async saveGif(button, whole) {
    if (this.recording) {
      this.recording = false;
      return;
    }
    const { scene, layout } = this;
    const words = button.textContent;
    const count = scene.steps.length;
    const shown = stepsShown(count, 0, whole ? count : MOST_FRAMES);
    this.recording = true;
    const film = {
      width: layout.width,
      height: layout.height,
      count: shown.length,
      speed: this.playback.speed,
      colours: scene.colours,
      font: this.font,
      words: (at) => [scene.steps[shown[at]].words, scene.steps[shown[at]].result].join(" "),
      draw: (pen, at) => draw(pen, scene, layout, scene.steps[shown[at]], shown[at], film.font),
    };
    const content = await record(film, (share) => {
      button.textContent = `${Math.round(100 * share)} %, stop`;
      return this.recording;
    });
    this.recording = false;
    button.textContent = words;
    if (content) saveFile(new Blob([content], { type: "image/gif" }), this.fileName("gif"));
  }
}
