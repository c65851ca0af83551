// The window slides over its input and fills the map, step by step: stride, padding and holes included.

import { largestAt, range } from "./arrays.js";
import { canvasOf, closest, offer, pixelRatio, reducedMotion, sharesAt, sized } from "./dom.js";
import { saveFile } from "./files.js";
import { formed, formOf, number, powerText, signed } from "./numbers.js";
import { Panel } from "./panel.js";
import { largestOf, receiptOf } from "./receipt.js";
import { record } from "./recording.js";
import { cellAt } from "./scene.js";
import { axisOf, readShape, tapsOf } from "./windows.js";
import { channelName, positionText, stageName } from "./words.js";

/** @import { View } from "./view.js" */

const WINDOWED = ["conv", "transposed", "pool"];
const SIDE = 250;
const BARE = { before: 0, after: 0 };

/** @type {(name: string) => string} */
const figure = (name) => `<figure><canvas class="cv-slide-${name}" role="img"></canvas><figcaption></figcaption></figure>`;
const PANEL = `
<div class="cv-play">
  <div class="cv-playbar">
    <label class="cv-field"><span>Layer</span><select data-pick="stage"></select></label>
    <label class="cv-field"><span>Input channel</span><select data-pick="from"></select></label>
    <label class="cv-field"><span>Output channel</span><select data-pick="to"></select></label>
    <button type="button" class="cv-button" data-do="run"></button>
    <label class="cv-field"><span>Speed</span><select data-pick="speed"><option value="4">4 a second</option>
      <option value="16">16 a second</option><option value="60">60 a second</option></select></label>
    <button type="button" class="cv-button" data-do="gif">Save as GIF</button>
    <button type="button" class="cv-button" data-do="close">Close</button>
  </div>
  <label class="cv-scrub"><span class="cv-stepname"></span><input type="range" min="0" value="0" aria-label="Step"></label>
  <div class="cv-slides">
    ${["in", "kernel", "out"].map(figure).join("")}
    <p class="cv-sliding"></p>
  </div>
</div>`;

/**
 * @param {View} view
 */
export function playing(view) {
  return windowed(view.scene).length ? new Player(view) : null;
}

/** The stages that have a window to slide: those that are shown. */
function windowed(scene) {
  return scene.stages.filter((stage) => WINDOWED.includes(stage.op.type) && scene.shows(stage));
}

export class Player extends Panel {
  /**
   * @param {View} view
   */
  constructor(view) {
    super(view, "Play", "cv-openplay");
    this.still = reducedMotion();
  }

  show() {
    const { view } = this;
    super.show();
    this.panel = view.part("panel");
    this.panel.innerHTML = PANEL;
    this.find = (selector) => this.panel.querySelector(selector);
    const stages = this.offer();
    const pinned = view.pinned && this.windowBehind(view.pinned);
    if (pinned) this.choose(pinned.stage, pinned.channel, pinned.row * view.scene.stages[pinned.stage].shape[1] + pinned.col);
    else this.choose(stages[0].index);
    this.listen();
    this.running = !this.still.matches;
    this.hovering = false;
    this.writeButton();
    this.last = performance.now();
    this.tick = this.tick.bind(this);
    this.frame = requestAnimationFrame(this.tick);
  }

  /** Open because the page asks for it, without a click. */
  play() {
    this.show();
  }

  offer() {
    const stages = windowed(this.view.scene);
    offer(this.find("[data-pick=stage]"), stages.map((stage) => [stage.index, stageName(stage)]));
    return stages;
  }

  /** The windowed cell behind a cell, through activation and normalisation; null if there is none. */
  windowBehind(cell) {
    const { scene } = this.view;
    let at = cell;
    while (["activation", "affine"].includes(scene.stages[at.stage].op.type)) {
      at = { ...at, stage: scene.stages[at.stage].reads[0] };
    }
    return windowed(scene).includes(scene.stages[at.stage]) ? at : null;
  }

  close() {
    if (!this.open) return;
    this.recording = false;
    cancelAnimationFrame(this.frame);
    super.close();
  }

  destroy() {
    cancelAnimationFrame(this.frame);
  }

  updated() {
    if (!this.open) return;
    const { scene } = this.view;
    if (scene.plan === this.scene.plan) {
      this.drawAll();
      return;
    }
    // Another network: the same place in it, if there is one.
    const stages = this.offer();
    const same = stages.find(({ name, shape }) => name === this.stage.name && shape.join() === this.stage.shape.join());
    if (same) this.choose(same.index, this.channel, this.step);
    else if (stages.length) this.choose(stages[0].index);
    else this.close();
  }

  // What is played ----------------------------------------------------------------------------------

  choose(s, channel = this.liveliest(s), step = 0) {
    const { scene } = this.view;
    this.stage = scene.stages[s];
    this.channel = channel;
    this.step = step;
    const [, , channels] = readShape(scene, this.stage);
    const [rows, cols, filters] = this.stage.shape;
    this.steps = rows * cols;
    const { type, groups = 1 } = this.stage.op;
    const per = channels / groups;
    this.from = type === "pool" ? channel : this.telling(Math.floor(channel / (filters / groups)) * per, per, channels);
    this.find("[data-pick=stage]").value = s;
    offer(this.find("[data-pick=from]"), range(channels).map((i) => [i, String(i)]), this.from);
    offer(this.find("[data-pick=to]"), range(filters).map((i) => [i, String(i)]), channel);
    this.find("[data-pick=from]").disabled = type === "pool" || per === 1;
    this.find(".cv-scrub input").max = this.steps - 1;
    this.drawAll();
  }

  /** The output channel to begin with: the one with the largest value, since many are blank after ReLU. */
  liveliest(s) {
    return largestAt(this.view.values[s]) % this.view.scene.stages[s].shape[2];
  }

  /** The input channel to begin with: the one whose numbers and weights are largest, since many are blank. */
  telling(first, per, channels) {
    const { view, stage } = this;
    const x = view.values[stage.reads[0]];
    const sums = new Float64Array(per);
    for (let n = first; n < x.length; n += channels) {
      for (let k = 0; k < per; k++) sums[k] += Math.abs(x[n + k]);
    }
    const middle = { stage: stage.index, row: stage.shape[0] >> 1, col: stage.shape[1] >> 1, channel: this.channel };
    const { groups } = receiptOf(view.scene, view.values, middle);
    const sizes = groups.map(({ terms }, k) => sums[k] * terms.reduce((sum, { weight }) => sum + Math.abs(weight.value), 0));
    return first + largestAt(sizes);
  }

  listen() {
    const { panel } = this;
    panel.onchange = (event) => {
      const pick = event.target.dataset.pick;
      const value = Number(event.target.value);
      if (pick === "stage") this.choose(value);
      if (pick === "to") this.choose(this.stage.index, value, this.step);
      if (pick === "from") {
        this.from = value;
        this.drawAll();
      }
    };
    this.find(".cv-scrub input").oninput = (event) => this.go(Number(event.target.value));
    panel.onclick = (event) => {
      const action = closest(event, "[data-do]")?.dataset.do;
      if (action === "close") this.close();
      if (action === "gif") this.save(event.target);
      if (action === "run") {
        this.running = !this.running;
        if (this.running && this.step === this.steps - 1) this.go(0);
        this.writeButton();
      }
    };
    // Under the pointer it waits, so that it can be looked at.
    for (const figure of panel.querySelectorAll("figure")) {
      figure.onpointerenter = () => (this.hovering = true);
      figure.onpointerleave = () => (this.hovering = false);
    }
    this.find(".cv-slide-out").onclick = (event) => {
      const [rows, cols] = this.stage.shape;
      const [across, down] = sharesAt(event, event.currentTarget);
      this.go(Math.min(rows - 1, Math.floor(down * rows)) * cols + Math.min(cols - 1, Math.floor(across * cols)));
    };
  }

  get speed() {
    return Number(this.find("[data-pick=speed]").value);
  }

  /** Every step into a GIF, which the browser keeps; another click meanwhile calls it off. */
  async save(button) {
    if (this.recording) {
      this.recording = false;
      return;
    }
    const { step, running, stage, channel } = this;
    const name = button.textContent;
    this.running = false;
    this.recording = true;
    const content = await record(this, (share) => {
      button.textContent = `${Math.round(100 * share)} %, stop`;
      return this.recording && this.stage === stage && this.channel === channel;
    });
    this.recording = false;
    if (!this.open) return;
    button.textContent = name;
    this.running = running;
    this.go(step);
    if (!content) return;
    const file = `cnnviz-${stage.name.replace(/[^\w-]+/g, "-")}-channel-${channel}.gif`;
    saveFile(new Blob([content], { type: "image/gif" }), file);
    this.view.say("GIF saved.");
  }

  writeButton() {
    this.find("[data-do=run]").textContent = this.running ? "Pause" : "Run";
  }

  tick(now) {
    if (!this.open || !this.panel.isConnected) return;
    this.frame = requestAnimationFrame(this.tick);
    const wait = 1000 / this.speed;
    if (!this.running || this.hovering || this.recording) {
      this.last = now;
      return;
    }
    const due = Math.floor((now - this.last) / wait);
    if (due < 1) return;
    this.last += due * wait;
    const next = Math.min(this.steps - 1, this.step + due);
    if (next === this.steps - 1) {
      this.running = false;
      this.writeButton();
    }
    this.go(next);
  }

  go(step) {
    const first = step > this.step ? this.step + 1 : 0;
    if (step < this.step) this.clearOut();
    this.fillOut(first, step);
    this.step = step;
    this.drawStep();
  }

  // Drawing -----------------------------------------------------------------------------------------

  get cell() {
    return cellAt(this.stage, this.step * this.stage.shape[2] + this.channel);
  }

  /** Everything anew: another layer, another channel, other numbers. */
  drawAll() {
    const { view, stage } = this;
    this.scene = view.scene;
    const [height, width, channels] = readShape(view.scene, stage);
    // What a transposed convolution reads has no padding: its window writes.
    const [rows, cols] = stage.op.type === "transposed" ? [BARE, BARE] : [axisOf(stage.op.rows), axisOf(stage.op.cols)];
    this.top = rows.before;
    this.left = cols.before;
    this.inRows = height + rows.before + rows.after;
    this.inCols = width + cols.before + cols.after;
    const source = view.scene.stages[stage.reads[0]];
    this.inScale = view.scales.of(source.index, 0, "layer");
    this.outScale = view.scales.of(stage.index, 0, "layer");
    const x = view.values[source.index];
    this.inCell = Math.max(4, Math.floor(SIDE / Math.max(this.inRows, this.inCols)));
    this.input = sized(canvasOf(0, 0), this.inCols * this.inCell, this.inRows * this.inCell);
    const context = this.input.getContext("2d");
    for (let r = 0; r < this.inRows; r++) {
      for (let c = 0; c < this.inCols; c++) {
        const [row, col] = [r - this.top, c - this.left];
        const inside = row >= 0 && col >= 0 && row < height && col < width;
        if (inside) context.fillStyle = view.colours.css(x[(row * width + col) * channels + this.from], this.inScale);
        else context.fillStyle = hatch(context, view.colours.around);
        context.fillRect(c * this.inCell, r * this.inCell, this.inCell, this.inCell);
      }
    }
    sized(this.find(".cv-slide-in"), this.input.width / pixelRatio(), this.input.height / pixelRatio());
    const [outRows, outCols] = stage.shape;
    this.outCell = Math.max(4, Math.floor(SIDE / Math.max(outRows, outCols, this.inRows)));
    sized(this.find(".cv-slide-out"), outCols * this.outCell, outRows * this.outCell);
    const pads = this.inRows > height || this.inCols > width ? ", padding hatched" : "";
    this.caption("in", `${stageName(source)}, ${channelName(source, this.from)}${pads}`);
    this.caption("out", `${stageName(stage)}, channel ${this.channel}`);
    this.drawKernel();
    this.clearOut();
    this.fillOut(0, this.step);
    this.drawStep();
  }

  caption(name, words) {
    const canvas = this.find(`.cv-slide-${name}`);
    canvas.setAttribute("aria-label", words);
    canvas.nextElementSibling.textContent = words;
  }

  drawKernel() {
    const canvas = this.find(".cv-slide-kernel");
    canvas.parentElement.hidden = this.stage.op.type === "pool";
    if (canvas.parentElement.hidden) return;
    const group = this.groupOf(receiptOf(this.scene, this.view.values, this.cell));
    const limit = largestOf([group], (term) => term.weight.value);
    const scale = { kind: "signed", limit };
    const size = Math.min(38, Math.floor(150 / group.cols));
    sized(canvas, group.cols * size, group.rows * size);
    const form = formOf(limit, 3);
    const context = canvas.getContext("2d");
    context.font = `9.5px ${getComputedStyle(this.view.root).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    group.terms.forEach((term, t) => {
      const [x, y] = [(t % group.cols) * size, Math.floor(t / group.cols) * size];
      context.fillStyle = this.view.colours.css(term.weight.value, scale);
      context.fillRect(x, y, size - 1, size - 1);
      if (size < 30) return;
      context.fillStyle = this.view.colours.inkOn(term.weight.value, scale);
      context.fillText(formed(term.weight.value, form, true), x + size / 2, y + size / 2);
    });
    const unit = size < 30 ? "" : powerText(form);
    this.caption("kernel", `kernel ${this.from} → ${this.channel}${unit && `, ${unit}`}`);
  }

  groupOf(receipt) {
    return receipt.groups.find((group) => group.channel === this.from) ?? receipt.groups[0];
  }

  clearOut() {
    const canvas = this.find(".cv-slide-out");
    const context = canvas.getContext("2d");
    context.fillStyle = this.view.colours.around.panel;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  fillOut(first, last) {
    const [, cols, channels] = this.stage.shape;
    const values = this.view.values[this.stage.index];
    const context = this.find(".cv-slide-out").getContext("2d");
    // The cell before was framed; paint it again without.
    for (let n = Math.max(0, first - 1); n <= last; n++) {
      context.fillStyle = this.view.colours.css(values[n * channels + this.channel], this.outScale);
      context.fillRect((n % cols) * this.outCell, Math.floor(n / cols) * this.outCell, this.outCell, this.outCell);
    }
  }

  drawStep() {
    const { view, stage, cell } = this;
    const { around } = view.colours;
    const context = this.find(".cv-slide-in").getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.input, 0, 0);
    context.setTransform(pixelRatio(), 0, 0, pixelRatio(), 0, 0);
    const path = new Path2D();
    for (const tap of tapsOf(stage, cell)) {
      if (!Number.isInteger(tap.row) || !Number.isInteger(tap.col)) continue;
      const [x, y] = [(tap.col + this.left) * this.inCell, (tap.row + this.top) * this.inCell];
      path.rect(x + 0.5, y + 0.5, this.inCell - 1, this.inCell - 1);
    }
    stroke(context, path, around.background, 3);
    stroke(context, path, around.accent, 1.5);
    const frame = new Path2D();
    frame.rect(cell.col * this.outCell + 1, cell.row * this.outCell + 1, this.outCell - 2, this.outCell - 2);
    stroke(this.find(".cv-slide-out").getContext("2d"), frame, around.ink, 1.5);
    this.find(".cv-scrub input").value = this.step;
    this.find(".cv-stepname").textContent = `step ${this.step + 1} of ${this.steps}`;
    this.find(".cv-sliding").innerHTML = this.words(receiptOf(this.scene, view.values, cell));
  }

  words(receipt) {
    const at = positionText(receipt.stage, receipt.cell);
    const value = `<b>${number(receipt.value)}</b>`;
    if (receipt.type === "max") return `${at}: the largest of ${receipt.groups[0].terms.length} cells = ${value}`;
    if (receipt.type === "mean") return `${at}: the mean of ${receipt.count} cells = ${value}`;
    const group = this.groupOf(receipt);
    const rest = receipt.groups.length > 1 ? `; all ${receipt.groups.length} channels <b>${signed(receipt.sum)}</b>` : "";
    const bias = receipt.bias ? ` + bias <b>${number(receipt.bias.value)}</b>` : "";
    return `${at}: this channel’s products add up to <b>${signed(group.sum)}</b>${rest}${bias} = ${value}`;
  }
}

function stroke(context, path, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

/** A pattern for cells that are not there. */
function hatch(context, around) {
  const tile = canvasOf(6, 6);
  const brush = tile.getContext("2d");
  brush.fillStyle = around.panel;
  brush.fillRect(0, 0, 6, 6);
  brush.strokeStyle = around.muted;
  brush.beginPath();
  brush.moveTo(0, 6);
  brush.lineTo(6, 0);
  brush.stroke();
  return context.createPattern(tile, "repeat");
}
