// The window slides over all maps that go into a layer, and fills one of those that come out: on the layer,
// large, with its kernels beside and the sum in words below.

import { largestAt } from "./arrays.js";
import { FINISHING } from "./cone.js";
import { button, closest, focusIn, offer } from "./dom.js";
import { isHere } from "./far_numbers.js";
import { saveFile } from "./files.js";
import { finer, formed, formOf, rounded } from "./numbers.js";
import { MOST, Playback, stepsShown } from "./playback.js";
import { PlayControls } from "./play_controls.js";
import { receiptOf } from "./receipt.js";
import { MOST_FRAMES, record } from "./recording.js";
import { cellAt } from "./scene.js";
import { channelName, escapeHtml, plural, positionText, stageName } from "./words.js";

/** @import { Receipt } from "./receipt.js" */
/** @import { Cell } from "./scene.js" */
/** @import { State } from "./stage_state.js" */
/** @import { View } from "./view.js" */

const WINDOWED = ["conv", "transposed", "pool"];
/** So many more windows than are played are not worth leaving out. */
const FEW_MORE = 1.25 * MOST;

const BAR = `
<p class="cv-sliding"></p>
<div class="cv-playbar">
  <select data-pick="most" aria-label="How many windows"></select>
  <select data-pick="channel" aria-label="Output channel"></select>
  <button type="button" class="cv-button" data-do="gif" title="Save what is played as a GIF">GIF</button>
  <button type="button" class="cv-button" data-do="close">Close</button>
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

export class Player {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.open = false;
    this.recording = false;
    this.all = false;
    /** @type {number[]} the windows that are played, by their place in the map */
    this.windows = [0];
    this.button = button("Play", () => (this.open ? this.close() : this.show()), "cv-openplay");
    this.button.setAttribute("aria-pressed", "false");
    view.part("tools").append(this.button);
    /** Whether the pointer was not moved since it runs. */
    this.resting = false;
    // A browser also tells of a pointer that rests, when something else comes under it.
    view.root.addEventListener("pointermove", ({ movementX, movementY }) => (this.resting &&= !movementX && !movementY), true);
    this.playback = new Playback({
      moved: () => this.moved(),
      turned: () => this.turned(),
      held: () => view.hover !== null || this.recording,
    });
    this.bar = this.makeBar();
    this.restored(view.play);
  }

  makeBar() {
    const bar = document.createElement("div");
    bar.className = "cv-play";
    bar.hidden = true;
    bar.setAttribute("role", "group");
    bar.innerHTML = BAR;
    this.find = (selector) => bar.querySelector(selector);
    const row = this.find(".cv-playbar");
    this.controls = new PlayControls(row, this.playback, () => this.placeWords(), () => this.chosen());
    bar.addEventListener("keydown", (event) => this.controls.pressed(event, (rows) => this.beside(rows)));
    row.addEventListener("change", (event) => {
      const value = Number(event.target.value);
      if (event.target.dataset.pick === "channel") this.choose(this.stage.index, value, this.window);
      if (event.target.dataset.pick === "most") {
        this.all = value > MOST;
        this.choose(this.stage.index, this.channel, this.window);
      }
    });
    row.addEventListener("click", (event) => {
      const action = closest(event, "[data-do]")?.dataset.do;
      if (action === "close") this.close();
      if (action === "gif") this.save();
    });
    this.view.part("key").before(bar);
    return bar;
  }

  // Where it is -------------------------------------------------------------------------------------

  /** The window that is read now, by its place in the map that comes out. */
  get window() {
    return this.windows[this.playback.at];
  }

  /** The cell that is written now. */
  get cell() {
    return this.cellOf(this.window);
  }

  cellOf(window) {
    return cellAt(this.stage, window * this.stage.shape[2] + this.channel);
  }

  /**
   * What a link says of it.
   *
   * @returns {[string, number, number]}
   */
  get named() {
    return [this.stage.name, this.channel, this.window];
  }

  /**
   * The windowed stage behind a stage, through activation and normalisation; null if there is none.
   *
   * @param {number} s
   */
  behind(s) {
    const { scene } = this.view;
    while (FINISHING.includes(scene.stages[s].op.type)) [s] = scene.stages[s].reads;
    return windowed(scene).includes(scene.stages[s]) ? s : null;
  }

  /**
   * Where to begin: the pinned cell, else where most happens in what is looked at, or in the first layer.
   *
   * @returns {Cell}
   */
  start() {
    const { view } = this;
    const { pinned } = view;
    const behind = pinned && this.behind(pinned.stage);
    if (behind !== null) return { ...pinned, stage: behind };
    const near = view.zoom === "network" ? null : this.behind(view.lookedAt);
    return this.liveliest(near ?? windowed(view.scene)[0].index);
  }

  /** The cell with the largest value of a stage: many channels are blank after ReLU. */
  liveliest(s) {
    const { view } = this;
    const stage = view.scene.stages[s];
    const [channel] = view.liveliest(stage, 1);
    // Of a map that is not here the place is not known.
    if (!isHere(view.values, stage, channel)) return { stage: s, row: stage.shape[0] >> 1, col: stage.shape[1] >> 1, channel };
    return cellAt(stage, largestAt(view.values[s]));
  }

  // Opening and closing -----------------------------------------------------------------------------

  show(cell = this.start(), running = true) {
    const { view } = this;
    const focused = focusIn(this.button) === this.button;
    if (view.zoom !== "layer" || view.lookedAt !== cell.stage) view.zoomTo("layer", cell.stage);
    this.turn(true);
    this.chooseAt(cell);
    if (running) this.run();
    if (focused) this.find(this.find(".play").disabled ? ".place" : ".play").focus({ preventScroll: true });
  }

  /** Unless the reader asks for no motion. */
  run() {
    if (!this.controls.still.matches) this.playback.play();
  }

  /** Open because the page asks for it, without a click. */
  play() {
    this.show();
  }

  /** It runs or stands: whoever starts it looks at what runs, wherever the pointer rests. */
  turned() {
    this.resting = this.playback.running;
    if (this.resting) this.view.leave();
    this.write();
  }

  turn(open) {
    this.open = open;
    this.bar.hidden = !open;
    this.view.player = open ? this : null;
    // Where the receipt does not stand beside the maps, it leaves them its room.
    this.view.root.toggleAttribute("data-playing", open);
    this.button.setAttribute("aria-pressed", String(open));
  }

  close() {
    if (!this.open) return;
    const focused = this.bar.contains(focusIn(this.bar));
    this.playback.pause();
    this.recording = false;
    this.turn(false);
    this.redraw();
    if (focused) this.button.focus({ preventScroll: true });
    this.view.host.remember?.(this.view.state());
  }

  /**
   * A state was taken over: what it plays stands where it says, once everything else is drawn.
   *
   * @param {State["play"]} play
   */
  restored(play) {
    if (!play && !this.open) return;
    queueMicrotask(() => {
      if (!play) {
        this.close();
        return;
      }
      const [name, channel, step] = play;
      const stage = windowed(this.view.scene).find((each) => each.name === name);
      if (stage) this.show({ ...cellAt(stage, step * stage.shape[2]), channel }, false);
    });
  }

  destroy() {
    this.controls.destroy();
  }

  // What the view tells -----------------------------------------------------------------------------

  /** Another layer is looked at: it is played there, if it has a window; true if so. */
  zooming(level, s) {
    const behind = level === "layer" ? this.behind(s) : null;
    if (behind === null) {
      this.close();
      return false;
    }
    if (behind === this.stage.index) return true;
    const { view } = this;
    if (view.pinned && this.behind(view.pinned.stage) !== behind) view.trail = [];
    view.leave();
    this.chooseAt(this.liveliest(behind));
    return true;
  }

  /** A click on a map that comes out: the window goes there; true if that was it. */
  clicked(cell) {
    if (cell?.stage !== this.stage.index) return false;
    this.playback.pause();
    this.chooseAt(cell);
    this.chosen();
    return true;
  }

  /** Another receipt was opened. */
  walked() {
    if (this.open && this.view.pinned && !this.recording) this.close();
  }

  /** Other numbers, or another network: the same place in it, if there is one. */
  updated() {
    if (!this.open) return;
    const { scene } = this.view;
    const same = windowed(scene).find(({ name, shape }) => name === this.stage.name && shape.join() === this.stage.shape.join());
    if (same) this.choose(same.index, this.channel, this.window);
    else this.close();
  }

  /** Numbers came that were asked for. */
  numbersCame() {
    this.write();
  }

  // Moving ------------------------------------------------------------------------------------------

  chooseAt({ stage, row, col, channel }) {
    this.choose(stage, channel, row * this.view.scene.stages[stage].shape[1] + col);
  }

  /** Play a channel of a stage, from one of its windows: those that follow it are all played. */
  choose(s, channel, window) {
    const { view } = this;
    this.stage = view.scene.stages[s];
    this.channel = channel;
    const [rows, cols, filters] = this.stage.shape;
    const count = rows * cols;
    this.windows = stepsShown(count, window, this.all || count <= FEW_MORE ? count : MOST);
    this.playback.begin(this.windows.length, this.windows.indexOf(window));
    this.bar.setAttribute("aria-label", `Playing ${stageName(this.stage)}`);
    offer(this.find("[data-pick=channel]"), Array.from({ length: filters }, (_, k) => [k, channelName(this.stage, k)]), channel);
    const most = this.find("[data-pick=most]");
    most.hidden = count <= FEW_MORE;
    offer(most, [[MOST, `about ${MOST} of them`], [count, `all ${count.toLocaleString("en-GB")}`]], this.all ? count : MOST);
    most.title = "One by one from where it begins; of the others every few, and the last";
    view.near = s;
    // Every window of the map is shown, one after the other.
    for (const read of this.stage.reads) view.needsAll(read);
    // First, since the bar takes its room from the maps.
    this.write();
    this.redraw();
  }

  /** Arrange anew, and draw whole what was filled only as far as the window came. */
  redraw() {
    this.view.stale.add("layer");
    this.view.again();
  }

  /** The place of the window so many rows below, among those that are played. */
  beside(rows) {
    const wanted = this.window + rows * this.stage.shape[1];
    return largestAt(this.windows.map((window) => -Math.abs(window - wanted)));
  }

  moved() {
    this.view.levels.layer.drawPlayed();
    this.view.refresh();
  }

  /** Somebody went to a window: it is said, and kept. */
  chosen() {
    this.view.say(this.sentence(this.view.receipt.heading(this.cell)));
    this.view.host.remember?.(this.view.state());
  }

  // Words -------------------------------------------------------------------------------------------

  placeWords() {
    if (!this.stage) return "";
    const [rows, cols] = this.stage.shape;
    return `window ${(this.window + 1).toLocaleString("en-GB")} of ${(rows * cols).toLocaleString("en-GB")}`;
  }

  write() {
    if (!this.open) return;
    this.controls.write();
    this.find(".cv-sliding").innerHTML = this.sentence(`<b>${escapeHtml(positionText(this.stage, this.cell))}</b>`, (text) => `<b>${text}</b>`);
  }

  /**
   * @param {string} place
   * @param {(text: string) => string} [strong]
   * @param {Cell} [cell]
   */
  sentence(place, strong, cell = this.cell) {
    const { view } = this;
    if (view.needs(cell)) return `${place}: ${view.asking ? "its numbers are on their way" : "its numbers were left out of this file"}`;
    // One scale for the whole layer, so that the numbers keep their decimals.
    const { limit } = view.scales.of(cell.stage, 0, "layer");
    return `${place}: ${arithmetic(receiptOf(view.scene, view.values, cell), limit, strong)}`;
  }

  // Saving ------------------------------------------------------------------------------------------

  /** What is seen as a GIF, which the browser makes; another click meanwhile calls it off. */
  async save() {
    if (this.recording) {
      this.recording = false;
      return;
    }
    const { view, stage, channel, windows, playback } = this;
    const { at, running } = playback;
    const button = this.find("[data-do=gif]");
    const name = button.textContent;
    playback.pause();
    this.recording = true;
    const layer = view.levels.layer;
    const { laidOut } = layer;
    // A film of its own: fewer windows, unless all are wanted.
    const shown = this.all ? windows : stepsShown(stage.shape[0] * stage.shape[1], this.window, MOST_FRAMES);
    const stepTo = (step) => {
      view.hover = null;
      this.windows = shown;
      playback.begin(shown.length, step);
      this.moved();
    };
    const { around } = view.colours;
    const content = await record({
      ...layer.extent(),
      count: shown.length,
      speed: playback.speed,
      colours: { background: around.background, ink: around.ink },
      font: getComputedStyle(view.root).fontFamily,
      words: (step) => this.sentence(positionText(stage, this.cellOf(shown[step])), undefined, this.cellOf(shown[step])),
      draw: (pen, step) => {
        stepTo(step);
        layer.copyTo(pen, around.muted);
      },
    }, (share) => {
      button.textContent = `${Math.round(100 * share)} %, stop`;
      return this.recording && this.open && this.stage === stage && this.channel === channel && layer.laidOut === laidOut;
    });
    this.recording = false;
    button.textContent = name;
    if (!this.open || this.stage !== stage || this.channel !== channel) return;
    this.windows = windows;
    playback.begin(windows.length, at);
    this.moved();
    if (running) playback.play();
    if (!content) return;
    const file = `cnnviz-${stage.name.replace(/[^\w-]+/g, "-")}-channel-${channel}.gif`;
    saveFile(new Blob([content], { type: "image/gif" }), file);
    view.say(`GIF saved, ${plural(shown.length, "frame")}.`);
  }
}

/**
 * What a window comes to, in words: how many maps and cells are read, and the sum; with so many decimals that
 * whoever adds up what is written gets what is written.
 *
 * @param {Receipt} receipt
 * @param {number} limit the largest magnitude that is written beside it
 * @param {(text: string) => string} [strong]
 */
export function arithmetic(receipt, limit, strong = (text) => text) {
  const { groups, type, bias, value, sum = 0 } = receipt;
  const [{ terms }] = groups;
  const inside = terms.filter((term) => term.from).length;
  const result = receipt.total ?? value;
  const addends = type === "weighted" ? [sum, ...(bias ? [bias.value] : [])] : [result];
  const adds = (form) => formed(addends.map((each) => rounded(each, form)).reduce((a, b) => a + b, 0), form) === formed(result, form);
  const form = finer(formOf(limit, 4, [-99, 99]), adds);
  const written = (number) => strong(formed(number, form));
  const outside = terms.length - inside;
  const padding = outside ? ` (${outside} on padding)` : "";
  if (type === "max") return `the largest of ${plural(inside, "cell")} of one map = ${written(value)}`;
  if (type === "mean") return `the mean of ${plural(inside, "cell")} of one map = ${written(value)}`;
  // The kernel of a transposed convolution meets only some cells of what it reads.
  const cells = receipt.stage.op.type === "transposed" ? inside : terms.length;
  const products = `${plural(groups.length, "map")} × ${plural(cells, "cell")}${cells === terms.length ? padding : ""} = ${plural(groups.length * cells, "product")}`;
  const added = bias ? `sum ${written(sum)} + bias ${written(bias.value)}` : "sum";
  return `${products}, ${added} = ${written(value)}`;
}
