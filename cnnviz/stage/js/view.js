// The live view: what is shown and chosen, and what the pointer and the keys do.

import { clip, largestAt } from "./arrays.js";
import { Colours, Scales } from "./colours.js";
import { closest, offer } from "./dom.js";
import { number, probability } from "./numbers.js";
import { outlinesOf, outlineStyles, seenWords } from "./outlines.js";
import { Overview } from "./overview.js";
import { ReceiptPanel } from "./receipt_panel.js";
import { cellIndex, isVector, sameCell } from "./scene.js";
import { Pictures } from "./surface.js";
import { dress, themeAround, watchTheme } from "./theme.js";
import { Tooltip } from "./tooltip.js";
import { stageName } from "./words.js";

const TEMPLATE = `
<div class="cv-bar">
  <div class="cv-title"><b class="cv-what"></b> <span class="cv-verdict"></span></div>
  <div class="cv-controls">
    <label class="cv-field cv-items" hidden><span>Image</span><select></select></label>
    <label class="cv-field"><span>Colour scale</span>
      <select class="cv-range">
        <option value="map">this map</option>
        <option value="layer" selected>this layer</option>
        <option value="network">whole network</option>
      </select></label>
    <label class="cv-field"><span>Size</span>
      <select class="cv-zoom"><option value="1">small</option><option value="2" selected>medium</option>
      <option value="3">large</option></select></label>
    <span class="cv-tools"></span>
  </div>
</div>
<div class="cv-panel"></div>
<div class="cv-stagearea"></div>
<div class="cv-key"><span class="cv-legend"></span><span class="cv-hint"></span></div>
<div class="cv-receipt"></div>
<div class="cv-tip" hidden></div>
<p class="cv-unseen" id="cv-keys">Arrow keys walk the cells, Page Up and Page Down the channels, Enter opens
the receipt, Escape steps back.</p>
<div class="cv-live cv-unseen" aria-live="polite" role="status"></div>`;

let lastUsed = null;

/** @import { Theme } from "./theme.js" */
/** @import { Cell, Scene, Stage } from "./scene.js" */
/** @import { Receipt } from "./receipt.js" */
/** @import { Mark } from "./surface.js" */

/**
 * Where a view runs, and what else it can do there.
 *
 * @typedef {object} Host
 * @property {"explorer" | "file" | "notebook"} [kind]
 * @property {((view: View) => any)[]} [extensions] each may answer to what the view calls on it, or be null
 * @property {(name: string, value: unknown) => void} [ask] ask Python
 * @property {() => Theme} [theme]
 * @property {Record<string, string>} [state] that a link left
 * @property {(header: any) => Record<string, string> | null} [stateOf] that a host left in the header
 * @property {(state: Record<string, string>) => string} [link] to a state
 * @property {(state: Record<string, string>) => void} [remember]
 */

export class View {
  /**
   * Show a scene in an element.
   *
   * @param {HTMLElement} root
   * @param {Scene} scene
   * @param {Host} [host]
   */
  constructor(root, scene, host = {}) {
    const began = performance.now();
    this.root = root;
    this.host = host;
    this.scene = scene;
    this.colours = new Colours(this.scene.header);
    this.item = 0;
    this.range = "layer";
    this.zoom = 2;
    /** @type {Cell[]} the way down to the cell whose receipt is open */
    this.trail = [];
    /** @type {Cell | null} */
    this.hover = null;
    /** @type {Map<number, Cell>} where the keys were, by the stage */
    this.cursors = new Map();
    /** @type {any[]} */
    this.extensions = [];
    /** @type {Float32Array[] | null} numbers in place of the scene's, while somebody draws */
    this.shown = null;
    /** @type {Float32Array[] | null} the numbers before a change by hand */
    this.before = null;
    /** @type {Mark[]} outlines that are there whatever is pointed at */
    this.extraMarks = [];
    /** @type {string | null} what is shown in place of the image, and what computed its numbers */
    this.titleNow = this.engine = null;
    /** @type {((stage: Stage, cell: Cell, value: number) => string) | null} what TensorFlow says of a cell */
    this.authority = null;
    /** @type {((step: Receipt) => (() => void) | null) | null} a function that undoes a change by hand */
    this.undoOf = null;
    root.classList.add("cv");
    root.innerHTML = TEMPLATE;
    /** @type {(name: string) => any} */
    this.part = (name) => root.querySelector(`.cv-${name}`);
    this.followTheme();
    this.pictures = new Pictures(this.scene, this.colours);
    this.overview = new Overview(this);
    this.tooltip = new Tooltip(this);
    this.receipt = new ReceiptPanel(this);
    this.listen();
    const left = host.state ?? host.stateOf?.(scene.header);
    this.restore(left ?? scene.header.start);
    this.show();
    this.extensions = (host.extensions ?? []).map((extend) => extend(this)).filter(Boolean);
    if (!host.ask) this.part("hint").textContent = "Drawing and changing numbers need Python: run cnnviz explore.";
    if (this.pinned) {
      this.receipt.show();
      // What a link left open is brought into sight; a page that pins a cell begins with the first layer.
      if (left) this.overview.reveal(this.pinned, true);
    }
    if (scene.header.start.play) for (const extension of this.extensions) extension.play?.();
    requestAnimationFrame(() => measure("cnnviz:first-draw", began));
  }

  // What is shown ---------------------------------------------------------------------------------

  get values() {
    return this.shown ?? this.scene.valuesOf(this.item);
  }

  /** The cell that is looked at: under the pointer or the keys, else the one whose receipt is open. */
  get active() {
    return this.hover ?? this.pinned;
  }

  get pinned() {
    return this.trail[this.trail.length - 1] ?? null;
  }

  valueOf(cell) {
    return this.values[cell.stage][cellIndex(this.scene.stages[cell.stage], cell)];
  }

  /** Draw everything that differs from what is on the screen. */
  show() {
    this.overview.layOut();
    this.writeItems();
    this.repaint();
  }

  /** Only the numbers changed: repaint what did, and the receipt. */
  repaint() {
    this.scales = new Scales(this.scene, this.values);
    this.writeTitle();
    this.redraw();
  }

  /** The same numbers, in other colours. */
  redraw() {
    this.overview.draw(this.pictures.paint(this.values, this.scales, this.range));
    this.receipt.show();
    this.refresh();
  }

  /** Take another scene of the same or another network, keeping what is looked at where it can be. */
  update(next) {
    const began = performance.now();
    const { scene } = this;
    const start = JSON.stringify(next.header.start) === JSON.stringify(scene.header.start) ? null : next.header.start;
    if (next.plan === scene.plan && next.key === scene.key && !start) {
      scene.header.host = next.header.host;
      scene.latest = next.numbers;
      for (const extension of this.extensions) extension.answered?.();
      return;
    }
    this.scene = next;
    this.item = 0;
    this.shown = null;
    this.colours.header = next.header;
    if (next.plan === scene.plan || next.plan.header.key === scene.plan.header.key) {
      this.pictures.scene = next;
      if (start) this.restore(start);
      this.repaint();
    } else {
      const alike = JSON.stringify(next.header.stages) === JSON.stringify(scene.header.stages);
      if (!alike || start) this.trail = [];
      this.hover = null;
      if (!alike) this.cursors.clear();
      this.pictures = new Pictures(next, this.colours);
      this.overview.rebuild();
      if (start) this.restore(start);
      this.show();
    }
    for (const extension of this.extensions) extension.updated?.();
    requestAnimationFrame(() => measure("cnnviz:update", began));
  }

  /** Outlines, tooltip, legend and bars for the cell that is looked at. */
  refresh() {
    const cell = this.active;
    this.overview.mark(this.marksOf(cell), outlineStyles(this.colours.around));
    this.receipt.mark(cell);
    this.writeKey(cell);
  }

  /** The same, once before the next frame. */
  refreshSoon() {
    this.refreshing ??= requestAnimationFrame(() => {
      this.refreshing = null;
      if (this.scales) this.refresh();
    });
  }

  /** The outlines that belong to a cell, or to none, and those that are always there. */
  marksOf(cell) {
    return cell ? [...this.extraMarks, ...outlinesOf(this.scene, cell)] : [...this.extraMarks];
  }

  // Choosing --------------------------------------------------------------------------------------

  /** Look at a cell, or at none; `began` is when the pointer moved. */
  look(cell, began = performance.now(), quiet = false) {
    if (sameCell(cell, this.hover) || (!cell && !this.hover)) return;
    this.hover = cell;
    if (cell) this.cursors.set(cell.stage, cell);
    this.refresh();
    if (!quiet) this.announce(cell);
    if (cell) measure("cnnviz:hover", began);
  }

  /** Open a cell's receipt: the start of a trail. */
  pin(cell) {
    this.walk([cell]);
  }

  /** Follow a factor to the cell that it came from: one step down. */
  follow(cell) {
    if (!sameCell(cell, this.pinned)) this.walk([...this.trail, cell]);
  }

  /** One level back; true if there was one. */
  back() {
    if (!this.trail.length) return false;
    this.walk(this.trail.slice(0, -1));
    return true;
  }

  walk(trail) {
    this.trail = trail;
    this.hover = null;
    this.tooltip.hide();
    this.receipt.show();
    this.refresh();
    if (this.pinned) {
      this.overview.reveal(this.pinned);
      this.cursors.set(this.pinned.stage, this.pinned);
      this.announce(this.pinned, true);
    } else {
      this.say("Receipt closed.");
    }
    this.host.remember?.(this.state());
    for (const extension of this.extensions) extension.walked?.();
  }

  /** One panel at a time: the pad, or the sliding window. */
  openPanel(owner) {
    if (this.panelOwner !== owner) this.panelOwner?.close();
    this.panelOwner = owner;
  }

  pick(item) {
    const began = performance.now();
    this.item = item;
    this.shown = null;
    this.repaint();
    this.host.remember?.(this.state());
    requestAnimationFrame(() => measure("cnnviz:pick-digit", began));
  }

  // State that a link carries -----------------------------------------------------------------------

  state() {
    const cells = this.trail.map((cell) =>
      [this.scene.stages[cell.stage].name, cell.row, cell.col, cell.channel].join("~"),
    );
    return { item: this.scene.items[this.item].key, range: this.range, trail: cells.join("!") };
  }

  restore(state) {
    if (!state) return;
    const item = this.scene.items.findIndex(({ key }) => key === state.item);
    if (item >= 0) this.item = item;
    if (["map", "layer", "network"].includes(state.range)) this.range = state.range;
    this.part("range").value = this.range;
    const trail = [];
    for (const text of (state.trail ?? "").split("!").filter(Boolean)) {
      const [name, ...place] = text.split("~");
      const stage = this.scene.stages.find((candidate) => candidate.name === name);
      const [row, col, channel] = place.map(Number);
      const fits = stage && [row, col, channel].every((n, i) => Number.isInteger(n) && n >= 0 && n < stage.shape[i]);
      if (!fits) break;
      trail.push({ stage: stage.index, row, col, channel });
    }
    this.trail = trail;
  }

  // Words -----------------------------------------------------------------------------------------

  writeTitle() {
    const item = this.scene.items[this.item];
    const { output, classes } = this.scene;
    const probabilities = this.values[output.index];
    this.part("what").textContent = this.titleNow ?? item.title;
    const best = largestAt(probabilities);
    const judged = item.label !== null && !this.titleNow;
    const right = judged ? (item.label === best ? " ✓" : ` ✗ (it is a ${classes[item.label]})`) : "";
    const predicts = isVector(output) && output.op.type === "softmax" && !output.op.log;
    const verdict = predicts ? `predicted ${classes[best]} with ${probability(probabilities[best])}${right}` : "";
    this.part("verdict").textContent = verdict;
  }

  writeItems() {
    const field = this.part("items");
    field.hidden = this.scene.items.length < 2;
    offer(field.querySelector("select"), this.scene.items.map(({ title }, i) => [i, title]), this.item);
  }

  writeKey(cell) {
    const shown = cell ?? { stage: this.overview.firstShown, channel: 0 };
    const stage = this.scene.stages[shown.stage];
    const scale = this.scales.of(shown.stage, shown.channel, this.range);
    const end = number(scale.limit, 3);
    const [low, high] = scale.kind === "signed" ? ["−", "+"].map((sign) => sign + end) : ["0", end];
    const extent = { map: "this map", layer: "this layer", network: "the whole network" }[this.range];
    const fixed = scale.kind === "ink" || stage.op.type === "softmax";
    const about = fixed ? stageName(stage) : `${stageName(stage)}, one scale for ${extent}`;
    const key = [scale.kind, scale.limit, about, this.colours.theme].join();
    if (key === this.keyShown) return;
    this.keyShown = key;
    this.part("legend").innerHTML =
      `<span>${low}</span><i style="background:${this.colours.gradient(scale)}"></i><span>${high}</span>` +
      `<span class="cv-about"></span>`;
    this.part("about").textContent = about;
  }

  /** Say a cell in words, for those who do not see it. */
  announce(cell, opened = false) {
    if (!cell) return;
    const sees = seenWords(this.scene, cell);
    const words = `${this.receipt.heading(cell)}: ${number(this.valueOf(cell))}${sees ? `, ${sees}` : ""}.`;
    this.say(opened ? `Receipt of ${words}` : words);
  }

  say(words) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.part("live").textContent = words), 120);
  }

  // Events ----------------------------------------------------------------------------------------

  listen() {
    const { root } = this;
    this.part("range").addEventListener("change", (event) => {
      this.range = event.target.value;
      this.redraw();
      this.host.remember?.(this.state());
    });
    this.part("zoom").addEventListener("change", (event) => {
      this.zoom = Number(event.target.value);
      this.overview.rebuild();
      this.show();
    });
    this.part("items").querySelector("select").addEventListener("change", (event) => {
      this.pick(Number(event.target.value));
    });
    root.addEventListener("keydown", (event) => this.pressed(event));
    // Escape is heard wherever the focus is, by the view that was used last.
    root.addEventListener("pointerdown", () => (lastUsed = this));
    root.addEventListener("focusin", () => (lastUsed = this));
    this.escaped = (event) => {
      const nowhere = document.activeElement === document.body || document.activeElement === null;
      if (event.key === "Escape" && lastUsed === this && nowhere && !event.defaultPrevented) this.pressed(event);
    };
    document.addEventListener("keydown", this.escaped);
    root.addEventListener("click", (event) => {
      // Empty space: nothing that answers by itself or is read is under the pointer.
      const taken = "button, select, input, label, a, canvas, .cv-panel, .cv-edits, .cv-step, .cv-form, .cv-readout";
      if (closest(event, taken)) return;
      if (!String(window.getSelection?.() ?? "")) this.back();
    });
    this.resizing = new ResizeObserver(() => this.overview.resized());
    this.resizing.observe(root);
  }

  pressed(event) {
    if (event.key === "Escape") {
      const taken = this.extensions.some((extension) => extension.escape?.()) || this.back();
      if (taken) {
        event.preventDefault();
        event.stopPropagation();
      }
      return;
    }
    const column = closest(event, "[data-stage]");
    if (!column || event.ctrlKey || event.metaKey || event.altKey) return;
    const stage = this.scene.stages[Number(column.dataset.stage)];
    const cell = this.cursorOf(stage);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pin(cell);
      return;
    }
    const next = moved(cell, event, stage);
    if (!next) return;
    event.preventDefault();
    this.look(next, event.timeStamp);
    this.overview.reveal(next);
    this.tooltip.showAt(next);
  }

  /** Where the keys are on a stage: where they were, else its middle, or the likeliest class. */
  cursorOf(stage) {
    if (this.cursors.has(stage.index)) return this.cursors.get(stage.index);
    const [height, width] = stage.shape;
    const channel = isVector(stage) ? largestAt(this.values[stage.index]) : 0;
    return { stage: stage.index, row: height >> 1, col: width >> 1, channel };
  }

  /** Follow the theme of the page around: its colours say whether it is dark. */
  followTheme() {
    const apply = () => {
      const theme = this.host.theme?.() ?? themeAround(this.root);
      if (theme === this.colours.theme && this.root.dataset.theme) return;
      this.colours.theme = theme;
      this.root.dataset.theme = theme;
      dress(this.root, this.colours.around);
      if (this.scales) {
        this.keyShown = null;
        this.redraw();
      }
    };
    apply();
    this.stopTheme = watchTheme(apply);
  }

  destroy() {
    document.removeEventListener("keydown", this.escaped);
    this.resizing.disconnect();
    this.stopTheme();
    for (const extension of this.extensions) extension.destroy?.();
    this.root.replaceChildren();
  }
}

/** The cell that a key leads to from another; null for keys that lead nowhere. */
function moved(cell, { key, shiftKey }, stage) {
  const [height, width] = stage.shape;
  const next = { ...cell };
  const vector = isVector(stage);
  const [rowStep, colStep] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] ?? [];
  if (rowStep !== undefined && (vector || shiftKey)) next.channel += rowStep + colStep;
  else if (rowStep !== undefined) [next.row, next.col] = [cell.row + rowStep, cell.col + colStep];
  else if (key === "PageDown") next.channel += 1;
  else if (key === "PageUp") next.channel -= 1;
  else if (key === "Home") [next.row, next.col] = [0, 0];
  else if (key === "End") [next.row, next.col] = [height - 1, width - 1];
  else return null;
  const [row, col, channel] = [next.row, next.col, next.channel].map((n, i) => clip(n, 0, stage.shape[i] - 1));
  return { ...next, row, col, channel };
}

export function measure(name, start) {
  performance.measure(name, { start, end: performance.now() });
}

