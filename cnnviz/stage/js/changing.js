// Changing what is seen: painting on the image, moving it, turning a weight, switching a channel off. The page
// computes what follows while the pointer moves; every change is listed, and can be taken back.

import { button, closest } from "./dom.js";
import { colourUnlike, inkOn, numbersOfColour, paperOf } from "./ink.js";
import { number } from "./numbers.js";
import { isVector } from "./scene.js";
import { valuesChange } from "./stage_state.js";
import { measure } from "./view.js";
import { channelName, escapeHtml, plural } from "./words.js";

/** @import { Weight } from "./receipt.js" */
/** @import { Cell } from "./scene.js" */
/** @import { Change } from "./stage_state.js" */
/** @import { View } from "./view.js" */

/** What a press on the image does. */
const TOOLS = /** @type {const} */ ([
  ["look", "Look", "Point and click to look"],
  ["paint", "Paint", "Paint ink on the image"],
  ["erase", "Erase", "Erase ink from the image"],
  ["move", "Move", "Drag the image over its paper"],
]);
/** How far around the pointer is painted, in cells: as MNIST's digits are written, and where more is to be covered. */
const BRUSH = 1.3;
/** The same as a share of a picture's side, where that is more: in grey, and in colours, which few thin lines change. */
const BRUSHES = { grey: BRUSH / 28, colours: 0.1 };
/** Pixels that a weight is dragged for the largest weight of its receipt. */
const TURN = 80;

/**
 * @param {View} view
 */
export function changing(view) {
  return view.engine || view.asking ? new Changing(view) : null;
}

class Changing {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.tool = "look";
    this.history = view.history;
    this.listing = false;
    /** What is painted on a picture in colours. */
    this.ink = document.createElement("input");
    this.inkChosen = false;
    this.tools = document.createElement("div");
    this.tools.className = "cv-pentools";
    this.tools.setAttribute("role", "group");
    this.tools.setAttribute("aria-label", "What a press on the image does");
    for (const [tool, name, words] of TOOLS) {
      const each = button(name, () => this.take(tool));
      each.dataset.tool = tool;
      each.title = words;
      this.tools.append(tool === "paint" ? this.inking(each) : each);
    }
    view.network.slot.append(this.tools);
    this.bar = view.part("edits");
    this.bar.addEventListener("click", (event) => this.pressedBar(event));
    this.seat(view.scene.header.host);
    view.receipt.editWeight = (weight, at) => this.openForm(weight, at);
    view.root.addEventListener("pointerdown", (event) => this.down(event), true);
    view.root.addEventListener("click", (event) => this.swallow(event), true);
    view.root.addEventListener("keydown", (event) => this.keyed(event), true);
    this.suggestInk();
    this.write();
  }

  /** The button that paints, and the colour beside it. @param {HTMLElement} paint */
  inking(paint) {
    const element = document.createElement("span");
    element.className = "cv-inking";
    element.append(paint, this.ink);
    this.ink.type = "color";
    this.ink.title = "The colour to paint in";
    this.ink.setAttribute("aria-label", this.ink.title);
    this.ink.oninput = () => {
      this.inkChosen = true;
      this.take("paint");
    };
    return element;
  }

  /** The page around says what the image is for. */
  seat(host) {
    this.take(host?.tool ?? "look");
  }

  /** @param {string} tool */
  take(tool) {
    this.tool = tool;
    this.view.root.dataset.tool = tool;
    for (const each of this.tools.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each.dataset.tool === tool));
  }

  /** Ink that shows on the image, unless another was chosen. */
  suggestInk() {
    const { scene, inputs } = this.view;
    this.ink.hidden = !scene.picture;
    if (scene.picture && !this.inkChosen) this.ink.value = colourUnlike(inputs[0], scene.picture);
  }

  /** The numbers that a stroke leaves in each channel: of ink, or of the paper that is under it. */
  strokeOn(stage) {
    const { view, tool } = this;
    const { picture } = view.scene;
    if (tool === "paint" && picture && stage.index === 0) return numbersOfColour(this.ink.value, picture);
    const paper = paperOf(stage.shape, stage.index ? view.plain.valuesOf(view.item)[stage.index] : view.inputs[0]);
    const { kind, limit } = view.scales.of(stage.index, 0, "layer");
    return tool === "paint" ? inkOn(paper, kind === "signed" ? -limit : 0, limit) : paper;
  }

  /** How far around the pointer an image is painted, in cells. */
  brushOn({ index, shape }) {
    const [height, width] = shape;
    const share = this.view.scene.picture && index === 0 ? BRUSHES.colours : BRUSHES.grey;
    return Math.max(BRUSH, share * Math.min(height, width));
  }

  /** What a change leads to is on the screen. */
  computed() {
    const { history } = this.view;
    if (history.began) measure("cnnviz:change", history.began);
    history.began = 0;
    history.computed();
  }

  /** There is another step to undo or redo. */
  stepped() {
    this.write();
  }

  /** Other numbers came, or another image: what was changed goes on. */
  updated() {
    this.suggestInk();
    this.history.share();
    this.write();
  }

  // The pointer on the image ------------------------------------------------------------------------

  /** @param {Cell | null} cell */
  onImage(cell) {
    return cell !== null && this.view.scene.stages[cell.stage].op.type === "input" && !isVector(this.view.scene.stages[cell.stage]);
  }

  down(event) {
    // After a finger's stroke there was no click that could be swallowed.
    this.drew = false;
    if (event.button !== 0) return;
    const turned = closest(event, "[data-turn]");
    if (turned) {
      this.turn(event, turned);
      return;
    }
    const cell = this.tool === "look" ? null : this.view.cellFrom(event);
    if (!cell || !this.onImage(cell)) return;
    event.preventDefault();
    event.stopPropagation();
    this.drew = true;
    this.view.leave();
    const before = this.history.now;
    const draw = this.tool === "move" ? this.moving(event, cell) : this.painting(cell);
    draw(event);
    this.follow(event, draw, () => this.history.keep(before, { paint: "Painted", erase: "Erased", move: "Moved" }[this.tool]));
  }

  /** What follows a press until it ends. */
  follow(event, moved, ended) {
    const id = event.pointerId;
    const move = (next) => {
      if (next.pointerId !== id) return;
      for (const each of next.getCoalescedEvents?.() ?? [next]) moved(each);
    };
    const end = (next) => {
      if (next.pointerId !== id) return;
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      this.flush();
      ended();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  /** Changes under way, at most once a frame. */
  soon(changes) {
    this.next = changes;
    this.pending ??= requestAnimationFrame(() => this.flush());
  }

  /** Changes that are not done yet. @param {Change[]} changes */
  set(changes) {
    this.history.set({ ...this.history.now, changes });
  }

  flush() {
    if (this.pending) cancelAnimationFrame(this.pending);
    this.pending = null;
    if (this.next) this.set(this.next);
    this.next = null;
  }

  /** A stroke on the image: one change, however long it is. */
  painting(first) {
    const { view } = this;
    const { changes } = view;
    const stage = view.scene.stages[first.stage];
    const values = view.values[stage.index];
    const [numbers, brush] = [this.strokeOn(stage), this.brushOn(stage)];
    /** @type {Map<number, number>} */
    const stroke = new Map();
    let last = null;
    return (event) => {
      const at = view.placeFrom(event, first);
      if (!at) return;
      for (const [row, col] of between(last ?? at, at)) this.dab(stage, values, numbers, brush, stroke, row, col);
      last = at;
      if (!stroke.size) return;
      const cells = [...stroke.keys()];
      const change = /** @type {Change} */ ({ kind: "values", stage: stage.name, at: cells, values: cells.map((n) => stroke.get(n)) });
      this.soon([...changes, change]);
    };
  }

  /** The cells around a place, the nearer the more. */
  dab(stage, values, numbers, brush, stroke, row, col) {
    const [height, width, channels] = stage.shape;
    for (let r = Math.max(0, Math.floor(row - brush)); r <= Math.min(height - 1, row + brush); r++) {
      for (let c = Math.max(0, Math.floor(col - brush)); c <= Math.min(width - 1, col + brush); c++) {
        const share = Math.min(1, Math.max(0, brush + 0.5 - Math.hypot(r + 0.5 - row, c + 0.5 - col)));
        for (let k = 0; share > 0 && k < channels; k++) {
          const n = (r * width + c) * channels + k;
          const old = stroke.get(n) ?? values[n];
          const next = Math.fround(old + share * (numbers[k] - old));
          if (Math.abs(numbers[k] - next) < Math.abs(numbers[k] - old)) stroke.set(n, next);
        }
      }
    }
  }

  /** The image under the pointer, moved over its paper by whole pixels. */
  moving(event, first) {
    const { view } = this;
    const { changes } = view;
    const start = view.placeFrom(event, first);
    return (next) => {
      const at = view.placeFrom(next, first, true);
      if (at && start) this.soon(shiftedBy(changes, Math.round(at[0] - start[0]), Math.round(at[1] - start[1])));
    };
  }

  // Weights -----------------------------------------------------------------------------------------

  /** Drag a weight up and down; a press without a drag lets it be typed. */
  turn(event, element) {
    const { view } = this;
    const weight = view.receipt.weightOf(element);
    if (!weight?.name) return;
    event.preventDefault();
    this.drew = true;
    const before = this.history.now;
    const { changes } = view;
    const unit = view.receipt.largestWeight() / TURN;
    let moved = false;
    this.follow(
      event,
      (next) => {
        const by = event.clientY - next.clientY;
        moved ||= Math.abs(by) > 3;
        if (moved) this.soon(this.weightSet(changes, weight, weight.value + by * unit));
      },
      () => {
        if (moved) this.history.keep(before, "Weight changed");
        else this.openForm(weight, element);
      },
    );
  }

  /** Changes with one weight at a new value; an earlier value of the same weight goes. */
  weightSet(changes, { name, index }, value) {
    const kept = changes.filter((each) => !(each.kind === "weights" && each.array === name && each.at.length === 1 && each.at[0] === index));
    return [...kept, /** @type {Change} */ ({ kind: "weights", array: name, at: [index], values: [Math.fround(value)] })];
  }

  /** A small form beside what is typed: the network follows each key. */
  openForm(weight, at) {
    if (!weight.name || !this.view.scene.header.weights.includes(weight.name)) return false;
    const before = this.history.now;
    const { changes } = this.view;
    this.form?.remove();
    const form = document.createElement("form");
    form.className = "cv-form";
    form.innerHTML = `<label>${escapeHtml(weightName(this.view.scene, weight))} <input class="cv-entry" type="number" step="0.05"
      value="${Number(weight.value.toPrecision(6))}"></label><button class="cv-button">Set</button>`;
    const input = form.querySelector("input");
    const shut = (keep) => {
      form.remove();
      this.form = null;
      if (keep) this.history.keep(before, "Weight changed");
      else this.set(changes);
    };
    input.oninput = () => Number.isFinite(input.valueAsNumber) && this.set(this.weightSet(changes, weight, input.valueAsNumber));
    form.onsubmit = (event) => {
      event.preventDefault();
      shut(true);
    };
    form.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      shut(false);
    };
    const place = at.getBoundingClientRect();
    const root = this.view.root.getBoundingClientRect();
    form.style.left = `${Math.max(0, Math.min(place.left - root.left, root.width - 280))}px`;
    form.style.top = `${Math.min(place.bottom - root.top + 4, root.height - 50)}px`;
    this.view.root.append(form);
    this.form = form;
    this.shut = shut;
    input.select();
    return true;
  }

  walked() {
    if (this.form) this.shut(true);
  }

  escape() {
    if (this.form) {
      this.shut(false);
      return true;
    }
    if (this.listing) {
      this.listing = false;
      this.write();
      return true;
    }
    if (this.tool !== "look") {
      this.take("look");
      return true;
    }
    return false;
  }

  /** A press that drew is no click. */
  swallow(event) {
    if (!this.drew) return;
    this.drew = false;
    event.stopPropagation();
    event.preventDefault();
  }

  keyed(event) {
    if (event.defaultPrevented || closest(event, "input, select, textarea, .cv-pad")) return;
    const { view } = this;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey) this.history.redo();
      else this.history.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const column = closest(event, "[data-stage]");
    if (!column) return;
    const stage = view.scene.stages[Number(column.dataset.stage)];
    const cell = view.cursorOf(stage);
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    let done = true;
    if (event.key.toLowerCase() === "x" && stage.op.type !== "input") this.switchChannel(cell);
    else if (this.onImage(cell) && (this.tool === "paint" || this.tool === "erase") && event.key === " ") this.paintCell(cell);
    else if (this.onImage(cell) && this.tool === "move" && step) this.moveBy(step);
    else done = false;
    if (!done) return;
    view.tooltip.hide();
    event.preventDefault();
    event.stopPropagation();
  }

  paintCell(cell) {
    const { view } = this;
    const stage = view.scene.stages[cell.stage];
    const numbers = this.strokeOn(stage);
    const cells = numbers.map((_, channel) => ({ ...cell, channel }));
    this.history.commit([...view.changes, valuesChange(view.scene, cells, numbers)], this.tool === "paint" ? "Painted" : "Erased");
  }

  moveBy([rows, cols]) {
    this.history.commit(shiftedBy(this.view.changes, rows, cols), "Moved");
  }

  // Channels ----------------------------------------------------------------------------------------

  /** The switch of a cell's channel, if it is off. */
  offOf(cell) {
    const { name } = this.view.scene.stages[cell.stage];
    return this.view.changes.find((each) => each.kind === "channel" && each.stage === name && each.channel === cell.channel);
  }

  switchChannel(cell) {
    const { view } = this;
    const off = this.offOf(cell);
    const stage = view.scene.stages[cell.stage];
    const changes = off ? view.changes.filter((each) => each !== off) : [...view.changes, /** @type {Change} */ ({ kind: "channel", stage: stage.name, channel: cell.channel })];
    this.history.commit(changes, `${channelName(stage, cell.channel)} ${off ? "on" : "off"}`);
  }

  /** Offer named kernels of the size of those that are shown, for all inputs of their channel. */
  kernelsShown(select, stage, cell, words) {
    const { view } = this;
    const { kernel, type } = stage.op;
    const names = type === "conv" && view.plain.header.weights.includes(kernel) ? Object.keys(namedFor(view.plain, kernel)) : [];
    select.hidden = !names.length;
    if (select.hidden) return;
    const swapped = view.changes.find((each) => nameOfSwap(view.plain, each, kernel, cell.channel));
    const name = swapped && nameOfSwap(view.plain, swapped, kernel, cell.channel);
    select.setAttribute("aria-label", `Kernels of ${channelName(stage, cell.channel)}: as learned, or one of the named ones`);
    select.replaceChildren(new Option(words, ""), ...names.map((each) => new Option(each, each, false, each === name)));
    select.onchange = () => {
      const rest = view.changes.filter((each) => each !== swapped);
      if (!select.value) this.history.commit(rest, "Kernel as it was learned");
      else this.history.commit([...rest, swappedFor(view.plain, kernel, cell.channel, select.value)], `Kernel swapped for ${select.value}`);
    };
  }

  receiptShown(panel) {
    const { view } = this;
    const cell = view.pinned;
    const stage = view.scene.stages[cell.stage];
    if (stage.op.type === "input") return;
    const actions = panel.element.querySelector(".cv-ractions");
    const words = isVector(stage) ? "unit" : "channel";
    actions.append(button(`Switch ${words} ${cell.channel} ${this.offOf(cell) ? "on" : "off"}`, () => this.switchChannel(cell)));
  }

  // The list ----------------------------------------------------------------------------------------

  pressedBar(event) {
    const at = closest(event, "[data-undo], [data-redo], [data-reset], [data-list], [data-drop]");
    const { undo, redo, reset, list, drop } = at?.dataset ?? {};
    if (undo !== undefined) this.history.undo();
    if (redo !== undefined) this.history.redo();
    if (reset !== undefined) this.history.takeBack();
    if (list !== undefined) this.listing = !this.listing;
    if (drop !== undefined) this.history.commit(this.view.changes.filter((_, i) => i !== Number(drop)), "Taken back");
    this.write();
  }

  write() {
    const { view, bar, history } = this;
    const { changes, image } = view;
    const own = Boolean(image) || history.own;
    const count = changes.length + (own ? 1 : 0);
    bar.hidden = !count && !history.undoable && !history.redoable;
    if (!changes.length) this.listing = false;
    const rows = changes.map((change, i) => `<li><span>${escapeHtml(changeWords(view.scene, change))}</span>
      <button type="button" class="cv-plain" data-drop="${i}" aria-label="Take back: ${escapeHtml(changeWords(view.scene, change))}">take back</button></li>`);
    const list = this.listing ? `<ol class="cv-changes">${rows.join("")}</ol>` : "";
    const number = changes.length
      ? `<button type="button" class="cv-plain" data-list aria-expanded="${this.listing}">${plural(changes.length, "change")}</button>`
      : `<span>${own ? "an image of your own" : "no change"}</span>`;
    bar.innerHTML = `${list}${number}
      <button type="button" class="cv-plain" data-undo ${history.undoable ? "" : "disabled"}>Undo</button>
      <button type="button" class="cv-plain" data-redo ${history.redoable ? "" : "disabled"}>Redo</button>
      <button type="button" class="cv-plain" data-reset ${count ? "" : "disabled"}>Take all back</button>`;
  }
}

/**
 * Changes with the image moved further: shifts in a row are one, and none if they lead back.
 *
 * @param {Change[]} changes
 * @param {number} rows
 * @param {number} cols
 * @returns {Change[]}
 */
function shiftedBy(changes, rows, cols) {
  const last = changes.at(-1);
  const before = last?.kind === "shift" ? last : { rows: 0, cols: 0 };
  const rest = last?.kind === "shift" ? changes.slice(0, -1) : changes;
  const [down, across] = [before.rows + rows, before.cols + cols];
  return down || across ? [...rest, { kind: "shift", rows: down, cols: across }] : rest;
}

/**
 * Places on the way from one to another, not more than half a cell apart.
 *
 * @param {number[]} from
 * @param {number[]} to
 */
function between(from, to) {
  const [r1, c1, r2, c2] = [...from, ...to];
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(r2 - r1, c2 - c1)));
  return Array.from({ length: steps }, (_, i) => [r1 + ((r2 - r1) * (i + 1)) / steps, c1 + ((c2 - c1) * (i + 1)) / steps]);
}

/** The named kernels of the size of an array's. */
function namedFor(scene, array) {
  const [rows, cols] = scene.shapeOf(array);
  return scene.header.kernels?.[`${rows}x${cols}`] ?? {};
}

/**
 * All kernels of a channel set to a named one, shared among the inputs so that the sum stays as large.
 *
 * @returns {Change}
 */
function swappedFor(scene, array, channel, name) {
  const numbers = namedFor(scene, array)[name];
  const filters = scene.shapeOf(array).at(-1);
  const inputs = scene.data(array).length / numbers.length / filters;
  const at = numbers.flatMap((_, tap) => Array.from({ length: inputs }, (_, k) => (tap * inputs + k) * filters + channel));
  return { kind: "weights", array, at, values: at.map((_, n) => Math.fround(numbers[Math.floor(n / inputs)] / inputs)) };
}

/** The name of the kernel that a change puts in place of a channel's; undefined if it does not do that. */
function nameOfSwap(scene, change, array, channel) {
  if (change.kind !== "weights" || change.array !== array || change.at.length < 2) return undefined;
  const text = JSON.stringify(change);
  return Object.keys(namedFor(scene, array)).find((name) => JSON.stringify(swappedFor(scene, array, channel, name)) === text);
}

/** A weight's name with its place in its array. @param {any} scene @param {Weight} weight */
function weightName(scene, { name, index }) {
  const shape = scene.shapeOf(name);
  const place = shape.map((size, axis) => {
    const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Math.floor(index / step) % size;
  });
  return `${name} [${place.join(", ")}]`;
}

/** A change in words. */
function changeWords(scene, change) {
  if (change.kind === "shift") {
    const parts = [
      change.rows && `${plural(Math.abs(change.rows), "pixel")} ${change.rows < 0 ? "up" : "down"}`,
      change.cols && `${plural(Math.abs(change.cols), "pixel")} to the ${change.cols < 0 ? "left" : "right"}`,
    ];
    return `the image moved ${parts.filter(Boolean).join(" and ")}`;
  }
  if (change.kind === "channel") return `${change.stage}: channel ${change.channel} off`;
  if (change.kind === "weights") {
    if (change.at.length > 1) {
      const channel = change.at[0] % scene.shapeOf(change.array).at(-1);
      const name = nameOfSwap(scene, change, change.array, channel);
      return `${change.array}: ${name ? `channel ${channel} is ${name}` : plural(change.at.length, "number")}`;
    }
    return `${weightName(scene, { name: change.array, index: change.at[0], value: 0 })} = ${number(change.values[0])}`;
  }
  const channels = scene.stages.find(({ name }) => name === change.stage).shape[2];
  return `${change.stage}: ${plural(new Set(change.at.map((n) => Math.floor(n / channels))).size, "cell")} painted`;
}
