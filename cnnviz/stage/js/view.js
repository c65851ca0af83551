// The stage: what is shown and chosen, how near, and what the pointer and the keys do.

import { boxOfAll, clip, largestAt, largestFirst } from "./arrays.js";
import { Asking } from "./asking.js";
import { fromAddress, toAddress } from "./base64.js";
import { blocksTo, onOneWay } from "./blocks.js";
import { CellView } from "./cell_view.js";
import { activityOf } from "./channels.js";
import { changedScene } from "./changes.js";
import { Colours, Scales } from "./colours.js";
import { boxOf, channelMask } from "./cone.js";
import { closest, focusIn, NARROW, offer, reducedMotion } from "./dom.js";
import { farOf, isHere, isHole } from "./far_numbers.js";
import { History } from "./history.js";
import { numbersOf } from "./image_bytes.js";
import { RemoteEngine } from "./remote_engine.js";
import { LayerView } from "./layer_view.js";
import { missingOf } from "./missing.js";
import { NetworkView } from "./network_view.js";
import { number, probability } from "./numbers.js";
import { outlinesOf, outlineStyles, seenWords } from "./outlines.js";
import { ReceiptPanel } from "./receipt_panel.js";
import { cellAt, cellIndex, isProbability, isVector, sameCell } from "./scene.js";
import { cellsOf, emptyState, fitting, nameOf } from "./stage_state.js";
import { Strip } from "./strip.js";
import { Pictures } from "./surface.js";
import { dress, themeAround, watchTheme } from "./theme.js";
import { Tooltip } from "./tooltip.js";
import { whoComputes } from "./who_computes.js";
import { wholeOf } from "./windows.js";
import { escapeHtml, stageName, withArticle } from "./words.js";

const TEMPLATE = `
<div class="cv-bar">
  <div class="cv-title"><b class="cv-what"></b> <span class="cv-verdict"></span></div>
  <div class="cv-controls">
    <label class="cv-field cv-items" hidden><span>Image</span><select></select></label>
    <label class="cv-field"><span>Colours</span>
      <select class="cv-range">
        <option value="map">by map</option>
        <option value="layer" selected>by layer</option>
        <option value="network">by network</option>
      </select></label>
    <span class="cv-tools"></span>
  </div>
</div>
<p class="cv-said" role="status" hidden><span></span> <button type="button" class="cv-plain">Close</button></p>
<div class="cv-body">
  <div class="cv-main">
    <nav class="cv-way" aria-label="How near" hidden><ol></ol><button type="button" class="cv-plain" data-out>Zoom out <kbd>Esc</kbd></button></nav>
    <div class="cv-strip" hidden></div>
    <div class="cv-room">
      <div class="cv-level" data-level="network"></div>
      <div class="cv-level" data-level="layer" hidden></div>
      <div class="cv-level" data-level="cell" hidden></div>
    </div>
    <div class="cv-key"><span class="cv-legend"></span><span class="cv-by"></span><span class="cv-edits" hidden></span></div>
  </div>
  <div class="cv-aside"><section class="cv-receipt" aria-label="Receipt"></section><div class="cv-panel" hidden></div></div>
</div>
<div class="cv-tip" hidden></div>
<p class="cv-unseen" id="cv-keys">Arrow keys walk the cells, Page Up and Page Down the channels, or digits choose one; L goes to
the largest cell of the map, Enter opens the receipt, plus goes nearer, minus and Escape step back, G asks for another layer.</p>
<div class="cv-live cv-unseen" aria-live="polite" role="status"></div>`;

/** From this width on the receipt stands beside the network, else below it. */
const BESIDE = 1120;

/** Under this width a guided walk and a receipt below the network do not stand beside each other. */
const TIGHT = 860;

/** The height of a row that is tapped, in pixels. */
const FINGER = 26;

let lastUsed = null;

/** @import { Theme } from "./theme.js" */
/** @import { Cell, Scene, Stage } from "./scene.js" */
/** @import { Change, State } from "./stage_state.js" */
/** @import { Mark } from "./surface.js" */

/**
 * Where a view runs, and what else it can do there.
 *
 * @typedef {object} Host
 * @property {((view: View) => any)[]} [extensions] each may answer to what the view calls on it, or be null
 * @property {(name: string, value: unknown) => void} [ask] ask Python
 * @property {boolean} [answers] whether it answers what is asked for as "numbers" too
 * @property {() => Theme} [theme]
 * @property {unknown} [state] that a link left
 * @property {(header: any) => unknown} [stateOf] that a host left in the header
 * @property {(state: State) => string} [link] to a state
 * @property {number} [longestLink] how many letters of one can be opened
 * @property {(state: State) => void} [remember]
 * @property {(root: HTMLElement) => number} [height] that the stage may have
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
    /** As it came, and as it is with changed weights. */
    this.plain = this.scene = scene;
    this.colours = new Colours(this.scene.header);
    this.item = 0;
    this.range = "layer";
    /** @type {"network" | "layer" | "cell"} how near */
    this.zoom = "network";
    /** The stage that is looked at closely where no cell is chosen. */
    this.near = 0;
    /** @type {string[]} layers that are unfolded and blocks that are open, the one that was opened last at the end */
    this.open = [];
    /** Of a receipt's terms that do not all fit: "ranked" or "laid out". */
    this.order = "ranked";
    /** @type {Cell[]} the way down to the cell whose receipt is open */
    this.trail = [];
    /** @type {Cell | null} */
    this.hover = null;
    /** @type {Map<number, Cell>} where the keys were, by the stage */
    this.cursors = new Map();
    /** @type {any[]} */
    this.extensions = [];
    /** The room for all of it; before it was on a page, of a usual one. */
    this.size = { width: NARROW, height: 600 };
    /** @type {import("./playing.js").Player | null} while it plays */
    this.player = null;
    /** @type {State["play"]} what a state wants to be played */
    this.play = null;
    /** @type {WeakMap<EventTarget, import("./surface.js").Surface>} by the canvas that answers for it */
    this.surfaces = new WeakMap();
    /** @type {Set<number>} stages that were painted and not drawn yet */
    this.unseen = new Set();
    /** @type {Set<string>} levels that show older numbers */
    this.stale = new Set();
    /** @type {Float32Array[] | null} numbers in place of the scene's, while somebody draws */
    this.shown = null;
    /** @type {Float32Array[] | null} the numbers before a change by hand */
    this.before = null;
    /** @type {Set<number>} stages whose numbers are not what they were before it */
    this.changed = new Set();
    /** @type {Change[]} */
    this.changes = [];
    /** @type {State["walk"]} where a guided walk is */
    this.guided = null;
    /** @type {Change[]} those of the changes that a step of it lends */
    this.lent = [];
    this.history = new History(this);
    /** @type {{ title: string, pixels: Uint8Array } | null} an image that was drawn or opened: a byte for each number */
    this.image = null;
    this.engine = scene.computable ? new RemoteEngine(scene) : null;
    /** Where there is Python to ask for numbers that are not here, or for what follows from a change. */
    this.asking = host.answers ? this.newAsking() : null;
    /** @type {(() => void)[]} what waits for numbers */
    this.awaited = [];
    /** Multiply-adds that the page does in a millisecond, once that is known. @type {number | null} */
    this.rate = null;
    /** Who computed what is shown: "page", "python", or "" as long as nothing was changed. */
    this.computedBy = "";
    /** Of a change, and of the one whose numbers are on the screen. */
    this.turn = this.shownTurn = 0;
    /** @type {WeakMap<object, Float32Array[]>} the numbers of own images without changes */
    this.known = new WeakMap();
    /** @type {(() => number) | null} its height, while it is alone on the screen */
    this.slide = null;
    /** Whether the host has built its element anew since. */
    this.seated = false;
    /** @type {Mark[]} outlines that are there whatever is pointed at */
    this.extraMarks = [];
    /** @type {((stage: Stage, cell: Cell, value: number) => string) | null} what TensorFlow says of a cell */
    this.authority = null;
    root.classList.add("cv");
    root.innerHTML = TEMPLATE;
    /** @type {(name: string) => any} */
    this.part = (name) => root.querySelector(`.cv-${name}`);
    this.followTheme();
    this.pictures = this.newPictures(scene);
    this.receipt = new ReceiptPanel(this);
    const level = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-level="${name}"]`));
    this.network = new NetworkView(this, level("network"));
    this.levels = { network: this.network, layer: new LayerView(this, level("layer")), cell: new CellView(this, level("cell")) };
    this.strip = new Strip(this, this.part("strip"));
    this.tooltip = new Tooltip(this);
    const left = host.state ?? host.stateOf?.(scene.header);
    this.restore(left ?? scene.header.start);
    this.listen();
    this.show();
    this.extensions = (host.extensions ?? []).map((extend) => extend(this)).filter(Boolean);
    if (this.pinned) this.receipt.show();
    if (this.asked) {
      const { changes, image } = this.asked;
      this.change(changes, image && { title: image.title, pixels: fromAddress(image.pixels) });
      for (const extension of this.extensions) extension.updated?.();
    } else if (!this.isKnown()) this.change([]);
    if (scene.header.host.left_out) this.tell([this.part("said").querySelector("span").textContent, scene.header.host.left_out].filter(Boolean).join(" "));
    if (scene.header.start.play) for (const extension of this.extensions) extension.play?.();
    requestAnimationFrame(() => measure("cnnviz:first-draw", began));
  }

  // What is shown ---------------------------------------------------------------------------------

  get values() {
    return this.shown ?? this.plain.valuesOf(this.item);
  }

  // Numbers of a large network come when they are to be seen; of any other network all are here.

  /** Whether it is known what the image comes to: it is not where it is still to be computed. */
  isKnown(values = this.values) {
    return farOf(values)?.known ?? true;
  }

  /** How active each channel of a stage is; known of what is not here too. */
  activity(stage) {
    return activityOf(stage, this.values);
  }

  /** The channels that are most active, so many, in their own order. */
  liveliest(stage, count) {
    return largestFirst(this.activity(stage), count).sort((a, b) => a - b);
  }

  /** Whether something that a cell's receipt shows is not here; it is asked for, and `came` shows it. */
  needs(cell) {
    if (!this.scene.header.far && !farOf(this.values)) return false;
    const missing = missingOf(this.scene, this.values, cell);
    for (const [what, places] of missing) this.asking?.want(what, places);
    return missing.length > 0;
  }

  /**
   * The maps that are on the screen now, but for inputs.
   *
   * @returns {[stage: number, channel: number][]}
   */
  inSight() {
    const rects = [...(this.level.maps?.rects ?? []), ...(this.zoom === "network" ? [] : this.strip.maps.rects)];
    return rects.flatMap(({ stage, channel, colours }) => (colours || this.plain.stages[stage].op.type === "input" ? [] : [[stage, channel]]));
  }

  /** Whether a stage's numbers are not here, and nobody can be asked for them. */
  leftOut(s) {
    const part = farOf(this.values)?.parts[s];
    return Boolean(part && !this.asking && !part.whole);
  }

  /** Whether something of a stage is not here; all of it is asked for. */
  needsAll(s) {
    const part = farOf(this.values)?.parts[s];
    if (!part || part.whole) return false;
    this.asking?.want(s, [[0, 1, part.length]]);
    return true;
  }

  /** A cell's receipt can be shown: true when it can, false when it cannot be. */
  ready(cell) {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.needs(cell)) resolve(true);
        else if (!this.asking) resolve(false);
        else this.awaited.push(look);
      };
      look();
    });
  }

  newAsking() {
    return new Asking(this, (question) => this.host.ask?.("numbers", { key: this.plain.key, question }));
  }

  newPictures(scene) {
    return new Pictures(scene, this.colours, (s, channel) => {
      const part = farOf(this.values)?.parts[s];
      if (part) this.asking?.want(s, part.placesOf(channel));
    });
  }

  /** Numbers came that were asked for: of these stages, and perhaps of weights. */
  came(stages, weights) {
    const began = performance.now();
    if (weights && this.changes.length) this.scene = changedScene(this.plain, this.changes);
    for (const s of stages) this.unseen.add(s);
    if (this.zoom === "layer" && this.levels.layer.waits) this.arrange();
    this.receipt.show();
    this.drawLevel();
    this.refresh();
    this.tooltip.again();
    for (const extension of this.extensions) extension.numbersCame?.();
    for (const look of this.awaited.splice(0)) look();
    requestAnimationFrame(() => measure("cnnviz:came", began));
  }

  /** The cell that is looked at: under the pointer or the keys, else the one that is played, or whose receipt is open. */
  get active() {
    return this.hover ?? this.player?.cell ?? this.pinned;
  }

  get pinned() {
    return this.trail[this.trail.length - 1] ?? null;
  }

  valueOf(cell) {
    return this.values[cell.stage][cellIndex(this.scene.stages[cell.stage], cell)];
  }

  /** The blocks that are open, the one that was opened last at the end. */
  get openBlocks() {
    const named = new Map(this.scene.blocks.map((block) => [block.name, block]));
    return this.open.flatMap((name) => named.get(name) ?? []);
  }

  /** Open a block and all around it, and close others, or close it with all that is open inside of it. */
  openBlock(name) {
    const block = this.scene.blocks.find((each) => each.name === name);
    if (!block) return;
    const closes = this.open.includes(name);
    const around = blocksTo(this.scene, block);
    this.open = onOneWay(this.scene, [...this.open, (closes ? around.at(-2) : block)?.name ?? ""]);
    this.hover = null;
    this.tooltip.hide();
    const from = this.network.areaOf(block.stages[0]);
    this.again();
    const next = [...this.network.element.querySelectorAll(".cv-frame, .cv-block")].find((each) => /** @type {HTMLElement} */ (each).dataset.block === name);
    /** @type {HTMLElement | undefined} */ (next)?.focus({ preventScroll: true });
    if (!closes) this.network.unfold(block, from);
    const words = block.what ? `${block.caption}, ${block.what},` : block.caption;
    this.say(closes ? `${words} closed.` : `${words} open: ${this.network.columns.filter(({ around }) => around.includes(block)).length} columns.`);
    this.host.remember?.(this.state());
  }

  /** The stage that is looked at closely: the one that is played, the receipt's, else the one that was zoomed to. */
  get lookedAt() {
    return this.player?.stage.index ?? this.pinned?.stage ?? this.near;
  }

  get level() {
    return this.levels[this.zoom];
  }

  /** Draw everything that differs from what is on the screen. */
  show() {
    this.writeItems();
    this.arrange();
    this.repaint();
  }

  /** How high the stage may be, as far as that is known: the screen, where it is alone on it. */
  get heightHere() {
    return this.slide ? this.slide() : this.host.height?.(this.root);
  }

  /** Give everything its room; where there is none, as off the page, the one that it had, until it is seen again. */
  arrange() {
    const { root } = this;
    root.dataset.aside = this.panelOwner ? "panel" : this.pinned ? "receipt" : "";
    if (root.clientWidth) {
      const width = root.clientWidth;
      root.dataset.room = width >= BESIDE ? "beside" : width >= NARROW ? "below" : "narrow";
      root.dataset.tight = width < TIGHT ? "yes" : "";
      this.size = { width, height: this.heightHere ?? 600 };
    } else this.sizeWas = "";
    const { width, height } = this.size;
    const type = (this.type = clip(Math.min(width / 116, height / 44), 11, 20));
    root.style.setProperty("--height", `${height}px`);
    root.style.setProperty("--type", `${type}px`);
    const near = this.zoom !== "network";
    this.part("strip").hidden = !near;
    this.part("way").hidden = !near;
    this.part("panel").hidden = !this.panelOwner;
    this.part("receipt").hidden = Boolean(this.panelOwner);
    for (const [name, level] of Object.entries(this.levels)) level.element.hidden = name !== this.zoom;
    this.writeWay();
    const { clientWidth, clientHeight } = this.part("room");
    const room = { width: clientWidth || width, height: clientHeight || height, type, stacked: width < NARROW };
    // The strip needs to know the columns, whatever is seen of them.
    this.network.layOut(near ? (this.networkRoom ?? room) : room);
    if (near) this.level.layOut(room);
    else this.networkRoom = room;
  }

  /** How many rows of a list an element has room for, below and beside each other; it gets their height. */
  rowsIn(element) {
    // A finger needs more than a pointer.
    const row = Math.max(Math.ceil(1.9 * this.type), window.matchMedia("(pointer: coarse)").matches ? FINGER : 0);
    element.style.setProperty("--line", `${row}px`);
    const columns = Math.max(1, Math.floor((element.clientWidth + 12) / (25 * this.type + 12)));
    return Math.floor(element.clientHeight / row) * columns;
  }

  /** Where one is: the network, the layer, the cell. */
  writeWay() {
    const { scene } = this;
    const stage = scene.stages[this.lookedAt];
    const places = /** @type {[string, string][]} */ ([["network", "Network"]]);
    if (this.zoom !== "network") places.push(["layer", stageName(stage)]);
    if (this.zoom === "cell") places.push(["cell", "one cell"]);
    this.part("way").querySelector("ol").innerHTML = places.map(([level, name]) =>
      `<li><button type="button" data-level-to="${level}" ${level === this.zoom ? 'aria-current="true"' : ""}>${escapeHtml(name)}</button></li>`).join("");
  }

  /** Only the numbers changed: repaint what did, and the receipt. */
  repaint() {
    this.scales = new Scales(this.scene, this.values);
    this.writeTitle();
    this.redraw();
  }

  /** The same numbers, in other colours. */
  redraw() {
    const painted = this.pictures.paint(this.values, this.scales, this.range);
    for (const s of painted) this.unseen.add(s);
    this.receipt.show();
    this.drawLevel();
    this.refresh();
    this.tooltip.again();
  }

  /** Draw what is seen of the stages that were painted since. */
  drawLevel() {
    this.level.draw(this.stale.has(this.zoom) ? null : this.unseen);
    this.stale = new Set(Object.keys(this.levels).filter((name) => name !== this.zoom && (this.stale.has(name) || this.unseen.size)));
    this.unseen = new Set();
    if (this.zoom !== "network") this.strip.draw();
  }

  /** The host built its element anew, on another page maybe: what was asked there is answered no more. */
  seat(host) {
    this.seated = false;
    this.asking?.forget();
    this.history.seat(host);
    for (const extension of this.extensions) extension.seat?.(host);
  }

  /** Take another scene of the same or another network, keeping what is looked at where it can be. */
  update(next) {
    const began = performance.now();
    const { scene } = this;
    const { seated } = this;
    if (seated) this.seat(next.header.host);
    const start = JSON.stringify(next.header.start) === JSON.stringify(scene.header.start) ? null : next.header.start;
    if (next.plan === scene.plan && next.key === scene.key && !start) {
      scene.header.host = next.header.host;
      scene.latest = next.numbers;
      this.history.follow();
      // What is to be seen and is not here is asked for anew, and so is what follows from changes.
      if (seated) {
        this.again();
        if (this.turn > this.shownTurn) this.compute(this.turn).catch((error) => this.say(error.message));
      }
      requestAnimationFrame(() => this.resizedTo());
      if (next.header.host.numbers) this.asking?.take(next.header.host.numbers, next.numbers);
      for (const extension of this.extensions) extension.answered?.();
      return;
    }
    this.asking?.forget();
    this.awaited = [];
    const same = next.plan === scene.plan || next.plan.header.key === scene.plan.header.key;
    const kept = this.history.leave(next, same);
    this.scene = next;
    this.item = 0;
    this.plain = next;
    if (!same || next.key !== scene.key) {
      this.engine?.close();
      this.engine = next.computable ? new RemoteEngine(next) : null;
    }
    [this.changes, this.image, this.shown, this.before, this.changed] = [[], null, null, null, new Set()];
    this.colours.header = next.header;
    if (same) {
      this.pictures.scene = next;
      if (start) {
        this.restore(start);
        this.show();
      } else this.repaint();
    } else {
      const alike = JSON.stringify(next.header.stages) === JSON.stringify(scene.header.stages);
      if (!alike || start) [this.trail, this.zoom, this.near] = [[], "network", 0];
      this.hover = null;
      if (!alike) this.cursors.clear();
      this.pictures = this.newPictures(next);
      this.stale = new Set(Object.keys(this.levels));
      if (start) this.restore(start);
      this.show();
    }
    if (kept.length) this.change(kept);
    this.history.follow();
    for (const extension of this.extensions) extension.updated?.();
    requestAnimationFrame(() => {
      // The page around may have another head now.
      this.resizedTo();
      measure("cnnviz:update", began);
    });
  }

  /** Outlines, tooltip, legend and bars for the cell that is looked at. */
  refresh() {
    const cell = this.active;
    const styles = outlineStyles(this.colours.around);
    const marks = this.marksOf(cell);
    this.level.mark(marks, styles);
    if (this.zoom !== "network") this.strip.mark(marks, styles);
    this.receipt.mark(cell);
    this.player?.write();
    this.writeKey(cell);
  }

  /** The outlines that belong to a cell, or to none, and those that are always there. */
  marksOf(cell) {
    const way = this.trail.map((each) => ({
      stage: each.stage,
      channels: channelMask(this.scene.stages[each.stage], [each.channel]),
      box: boxOf(each),
      style: "path",
    }));
    return [...this.extraMarks, ...(cell ? this.outlinesOf(cell) : []), ...way];
  }

  /** A cell's outlines, worked out once as long as nothing else is looked at. */
  outlinesOf(cell) {
    const { scene } = this;
    if (this.outlined?.scene !== scene || !sameCell(this.outlined.cell, cell)) this.outlined = { scene, cell, marks: outlinesOf(scene, cell) };
    return this.outlined.marks;
  }

  // Choosing --------------------------------------------------------------------------------------

  /**
   * Other changes, or another image in place of the scene's: everything behind them is computed here.
   *
   * @param {Change[]} changes
   * @param {{ title: string, pixels: Uint8Array } | null} [image]
   */
  change(changes, image = this.image) {
    this.changes = changes;
    this.image = image;
    this.scene = changedScene(this.plain, changes);
    this.extraMarks = changes.flatMap((change) => changedMark(this.plain, change));
    this.turn += 1;
    for (const extension of this.extensions) extension.changed?.();
    if (!changes.length && !image && this.isKnown(this.plain.valuesOf(this.item))) {
      this.shown = this.before = null;
      this.changed = new Set();
      this.shownTurn = this.turn;
      this.computedBy = "";
      this.repaint();
      return;
    }
    this.compute(this.turn).catch((error) => this.say(error.message));
  }

  /** The learner's own changes, without those that a step of a guided walk lends. */
  get own() {
    if (!this.lent.length) return this.changes;
    const lent = new Set(this.lent.map((change) => JSON.stringify(change)));
    return this.changes.filter((change) => !lent.has(JSON.stringify(change)));
  }

  /** The numbers of each input, before any change. */
  get inputs() {
    const { plain, image } = this;
    const inputs = plain.stages.filter(({ op }) => op.type === "input").map(({ index }) => plain.valuesOf(this.item)[index]);
    if (image) inputs[0] = numbersOf(plain, image.pixels);
    return inputs;
  }

  /**
   * What follows from the changes, computed in the page or by Python; of answers that come while the pointer moves
   * on, the ones that are not overtaken are shown, in their order.
   *
   * @param {number} turn
   */
  async compute(turn) {
    const { plain, changes, image, item } = this;
    let before = image ? this.known.get(image) : plain.valuesOf(item);
    if (!before || !this.isKnown(before)) {
      const computed = await this.computeOne([], image, null);
      if (!computed) return;
      before = computed.values;
      if (image) this.known.set(image, before);
      else plain.values.set(item, before);
    }
    const computed = changes.length ? await this.computeOne(changes, image, before) : { values: before, changed: [] };
    if (!computed || turn <= this.shownTurn || plain !== this.plain) return;
    this.shownTurn = turn;
    this.shown = image || changes.length ? computed.values : null;
    this.before = changes.length ? before : null;
    this.changed = new Set(computed.changed);
    this.repaint();
    for (const extension of this.extensions) extension.computed?.();
  }

  /** One image with changes, by whoever is quick enough; null where a later one overtook it, or nobody can. */
  async computeOne(changes, image, before) {
    const { engine, asking, inputs, item, rate } = this;
    const all = changes.length === 0;
    const { who, work, milliseconds } = whoComputes(this.plain, { changes, image: image || all, python: Boolean(asking), page: Boolean(engine), rate });
    if (!who) {
      if (this.plain.header.far) this.tell("This file does not hold all weights of the network, so that nothing can be changed in it.");
      return null;
    }
    const long = who === "page" && milliseconds > 1000;
    if (long) this.tell(`Computing in this page: some ${Math.ceil(milliseconds / 1000)} seconds.`);
    const began = performance.now();
    const given = image && { title: image.title, pixels: toAddress(image.pixels) };
    const computed = who === "python"
      ? await /** @type {Asking} */ (asking).compute({ item, image: given, changes }, before)
      : await /** @type {RemoteEngine} */ (engine).compute(inputs, changes);
    if (long) this.tell("");
    if (!computed) return null;
    this.computedBy = who;
    const taken = performance.now() - began;
    // What takes no time says nothing of how fast the page is.
    if (who === "page" && work > 1e6) this.rate = work / taken;
    measure(`cnnviz:computed-by-${who}`, began);
    return computed;
  }

  /** Look at a cell, or at none; `began` is when the pointer moved, if it was `pointed` at. */
  look(cell, began = performance.now(), pointed = false) {
    if (sameCell(cell, this.hover) || (!cell && !this.hover)) return;
    // What slid under a pointer that rests is not what somebody points at.
    if (cell && pointed && this.player?.resting) return;
    this.hover = cell;
    if (cell) this.cursors.set(cell.stage, cell);
    if (cell && this.zoom === "layer") this.levels.layer.bring(cell);
    this.refresh();
    if (!pointed) this.announce(cell);
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

  /** One level back, out of the zoom first, then up the way; true if there was one. */
  back() {
    if (this.player) {
      this.player.close();
      return true;
    }
    if (this.zoom === "cell") this.zoomTo("layer", this.lookedAt);
    else if (this.zoom === "layer") this.zoomTo("network");
    else if (this.trail.length) this.walk(this.trail.slice(0, -1));
    else if (this.openBlocks.length) this.openBlock(this.openBlocks.at(-1)?.name);
    else return false;
    return true;
  }

  /** Nearer to the cell or the stage that is looked at; true if there is anything nearer. */
  forth(cell = this.active) {
    if (this.zoom === "network") this.zoomTo("layer", cell?.stage ?? this.lookedAt);
    else if (this.zoom === "layer" && cell) {
      if (!sameCell(cell, this.pinned)) this.walk([cell]);
      this.zoomTo("cell");
    } else return false;
    return true;
  }

  /**
   * @param {"network" | "layer" | "cell"} level
   * @param {number} [s] the stage, where it is not the receipt's
   */
  zoomTo(level, s = this.lookedAt) {
    if (this.player?.zooming(level, s)) return;
    const from = this.level.areaOf(s) ?? null;
    const inwards = level !== "network";
    if (s !== this.pinned?.stage && this.network.seenAs.get(this.pinned?.stage) !== this.network.seenAs.get(s)) this.trail = [];
    this.near = s;
    this.zoom = level;
    this.hover = null;
    this.tooltip.hide();
    this.again();
    this.moveEye(inwards ? from : this.network.areaOf(s), inwards);
    this.say(level === "network" ? "The whole network." : `${stageName(this.scene.stages[this.lookedAt])}, ${level === "cell" ? "one cell" : "large"}.`);
    this.host.remember?.(this.state());
    for (const extension of this.extensions) extension.walked?.();
  }

  /** Let what is seen now grow out of, or shrink into, the place that it had before. */
  moveEye(place, inwards) {
    if (!place || reducedMotion().matches) return;
    const { element } = this.level;
    const room = element.getBoundingClientRect();
    if (!room.width || !place.width) return;
    const scale = inwards ? Math.max(0.15, place.width / room.width) : Math.min(4, room.width / place.width);
    const [x, y] = inwards
      ? [place.left - room.left, place.top - room.top]
      : [(room.left - place.left) * scale, (room.top - place.top) * scale];
    const start = { transformOrigin: "0 0", transform: `translate(${x}px, ${y}px) scale(${scale})`, opacity: 0.2 };
    element.animate([start, { transformOrigin: "0 0", transform: "none", opacity: 1 }], { duration: 220, easing: "ease-out" });
  }

  walk(trail) {
    this.trail = trail;
    this.hover = null;
    this.tooltip.hide();
    if (this.pinned) this.near = this.pinned.stage;
    else if (this.zoom === "cell") this.zoom = "layer";
    if (this.pinned) this.panelOwner?.close();
    this.again();
    if (this.pinned) {
      this.cursors.set(this.pinned.stage, this.pinned);
      this.announce(this.pinned, true);
      this.bringIntoSight();
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
    this.again();
    this.bringIntoSight();
  }

  /** The receipt is back. */
  closePanel() {
    this.panelOwner = null;
    this.again();
  }

  /** The same numbers in other places: the receipt is written once it is known how much room it has. */
  again() {
    const focused = this.focused();
    this.arrange();
    this.receipt.show();
    this.drawLevel();
    this.refresh();
    if (focused?.dataset.stage && !this.focused()) this.focusColumn(Number(focused.dataset.stage));
  }

  /** The element of the view that has the focus, and is seen. */
  focused() {
    const active = focusIn(this.root);
    return this.root.contains(active) && active?.offsetParent ? active : null;
  }

  /** What was written anew lost the focus: its successor gets it, else the receipt. */
  focusColumn(s) {
    const selectors = [s, this.network.seenAs.get(s), this.lookedAt].map((each) => `[data-stage="${each}"]`);
    const found = selectors.map((each) => /** @type {HTMLElement | null} */ (this.level.element.querySelector(each))).find(Boolean);
    if (found) found.focus({ preventScroll: true });
    else if (this.pinned) this.receipt.focusHead();
  }

  /** What was opened on a narrow window is in sight: the page around is scrolled to the stage. */
  bringIntoSight() {
    if (this.root.dataset.room !== "narrow") return;
    const { top, bottom } = this.root.getBoundingClientRect();
    if (bottom > window.innerHeight || top < 0) this.root.scrollIntoView({ block: "end" });
  }

  pick(item) {
    const began = performance.now();
    this.panelOwner?.close();
    const before = this.history.now;
    this.history.set({ changes: this.history.keptWithOther(true), image: null, item: this.scene.items[item].key });
    this.history.keep(before, "");
    requestAnimationFrame(() => measure("cnnviz:pick-digit", began));
  }

  // State that a link carries -----------------------------------------------------------------------

  /** @returns {State} */
  state() {
    const { scene } = this;
    return {
      ...emptyState(),
      model: scene.header.model.name,
      item: scene.items[this.item].key,
      range: /** @type {any} */ (this.range),
      zoom: this.zoom,
      layer: this.zoom === "network" ? "" : scene.stages[this.near].name,
      path: this.trail.map((cell) => nameOf(scene, cell)),
      open: this.open,
      changes: this.own,
      image: this.image && { title: this.image.title, pixels: toAddress(this.image.pixels) },
      walk: this.guided,
      play: this.player?.named ?? null,
      channels: this.levels.layer.pages.order,
      first: { network: 0, layer: this.levels.layer.pages.of(scene.stages[this.lookedAt]).first, cell: this.levels.cell.first }[this.zoom],
      order: /** @type {any} */ (this.order),
    };
  }

  /** Go to a state of the same image from what is seen now, with the eye kept where it is or led to where it goes. */
  goTo(given) {
    const [level, left, before] = [this.level, this.lookedAt, JSON.stringify(this.changes)];
    this.panelOwner?.close();
    this.restore(given);
    const inwards = this.zoom !== "network";
    const place = inwards ? (level.areaOf(this.lookedAt) ?? null) : null;
    this.hover = null;
    this.tooltip.hide();
    this.stale.add(this.zoom);
    // A change that is taken back is drawn at once, on the level that is looked at then.
    this.arrange();
    const changes = this.asked?.changes ?? [];
    if (JSON.stringify(changes) !== before) this.change(changes);
    this.redraw();
    if (this.level !== level) this.moveEye(inwards ? place : this.network.areaOf(left), inwards);
    if (this.pinned) this.cursors.set(this.pinned.stage, this.pinned);
    this.host.remember?.(this.state());
    for (const extension of this.extensions) extension.updated?.();
  }

  /** Take over a state as far as it fits, and say what does not. */
  restore(given) {
    if (!given) return;
    const { scene } = this;
    const { state, said } = fitting(given, scene);
    const item = scene.items.findIndex(({ key }) => key === state.item);
    if (item >= 0) this.item = item;
    this.range = state.range;
    this.part("range").value = this.range;
    this.zoom = state.zoom;
    this.open = onOneWay(scene, state.open);
    this.trail = cellsOf(state, scene);
    this.guided = state.walk;
    this.near = this.pinned?.stage ?? scene.stages.find(({ name }) => name === state.layer)?.index ?? 0;
    this.play = state.play;
    this.order = state.order;
    this.levels.layer.restored(state, this.near, this.pinned);
    this.levels.cell.restored(state, this.pinned);
    for (const extension of this.extensions) extension.restored?.(state.play);
    this.asked = (this.engine || this.asking) && (state.changes.length || state.image) ? state : null;
    this.tell(said.join(" "));
  }

  /** Take over a state that came while another is shown: what is looked at, the image and the changes. */
  take(given) {
    this.hover = null;
    this.restore(given);
    const { changes, image } = this.asked ?? { changes: [], image: null };
    this.writeItems();
    this.stale = new Set(Object.keys(this.levels));
    this.arrange();
    this.change(changes, image && { title: image.title, pixels: fromAddress(image.pixels) });
    this.redraw();
    for (const extension of this.extensions) extension.updated?.();
    for (const extension of this.extensions) extension.walked?.();
    this.host.remember?.(this.state());
  }

  /** Tell the reader something that cannot be seen otherwise; "" takes it away. */
  tell(words) {
    const line = this.part("said");
    line.hidden = !words;
    line.querySelector("span").textContent = words;
  }

  /** Keys come here where nothing has the focus. */
  use() {
    lastUsed = this;
  }

  /** Whether this is the view of the page that was used last, or the only one. */
  isLastUsed() {
    return lastUsed === this || lastUsed === null;
  }

  // Words -----------------------------------------------------------------------------------------

  writeTitle() {
    const item = this.scene.items[this.item];
    const { scene } = this;
    const { output, classes } = scene;
    const probabilities = this.values[output.index];
    this.part("by").textContent = { page: "computed in this page", python: "computed by Python" }[this.computedBy] ?? "";
    this.part("what").textContent = this.image?.title ?? item.title;
    const best = largestAt(probabilities);
    const judged = item.label !== null && !this.image;
    const right = judged ? (item.label === best ? " ✓" : ` ✗ (it is ${withArticle(classes[item.label])})`) : "";
    const now = probability(probabilities[best]);
    const known = !isHole(probabilities, 0);
    const rows = scene.outputs.filter(isProbability);
    if (rows.length > 1) {
      this.part("verdict").textContent = known ? `predicted ${rows.map((stage) => this.verdictOn(stage)).join(", ")}` : "";
      return;
    }
    this.part("verdict").textContent = !scene.predicts || !known ? "" : this.before
      ? verdictOf(classes, this.before[output.index], probabilities)
      : `predicted ${classes[best]} with ${now}${right}`;
  }

  /** Of one of several outputs what is likeliest. */
  verdictOn(stage) {
    const values = this.values[stage.index];
    const best = largestAt(values);
    return `${stage.layer} ${this.scene.className(stage, best)} with ${probability(values[best])}`;
  }

  writeItems() {
    const field = this.part("items");
    field.hidden = this.scene.items.length < 2;
    offer(field.querySelector("select"), this.scene.items.map(({ title }, i) => [i, title]), this.item);
  }

  writeKey(cell) {
    const shown = cell ?? { stage: this.zoom === "network" ? (this.network.columns[1] ?? this.network.columns[0])?.shown ?? 0 : this.lookedAt, channel: 0 };
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
    this.part("said").querySelector("button").onclick = () => (this.part("said").hidden = true);
    this.part("way").addEventListener("click", (event) => {
      const at = closest(event, "[data-level-to], [data-out]");
      if (at?.dataset.out !== undefined) this.back();
      else if (at) this.zoomTo(/** @type {any} */ (at.dataset.levelTo));
    });
    // A pinch, which a touchpad sends as a wheel with Control.
    this.part("room").addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      if (performance.now() - (this.pinched ?? -Infinity) < 400) return;
      this.pinched = performance.now();
      if (event.deltaY < 0) this.forth(this.hover ?? undefined);
      else this.back();
    }, { passive: false });
    this.part("items").querySelector("select").addEventListener("change", (event) => {
      this.pick(Number(event.target.value));
    });
    root.addEventListener("keydown", (event) => this.pressed(event));
    // Escape, plus, minus and the turning of pages are heard where nothing has the focus, as after a click, by the view that was used last.
    root.addEventListener("pointerdown", () => this.use());
    root.addEventListener("focusin", () => this.use());
    this.escaped = (event) => {
      const nowhere = document.activeElement === document.body || document.activeElement === null;
      if (["Escape", "+", "-", "PageUp", "PageDown"].includes(event.key) && lastUsed === this && root.isConnected && nowhere && !event.defaultPrevented) this.pressed(event);
    };
    document.addEventListener("keydown", this.escaped);
    root.addEventListener("click", (event) => {
      // Empty space: nothing that answers by itself or is read is under the pointer.
      const taken = "button, select, input, label, a, canvas, .cv-panel, .cv-edits, .cv-receipt, .cv-form, .cv-laid, .cv-whole, .cv-said";
      if (closest(event, taken)) return;
      if (!String(window.getSelection?.() ?? "")) this.back();
    });
    this.resized = () => this.resizedTo();
    this.resizing = new ResizeObserver(this.resized);
    this.resizing.observe(root);
    window.addEventListener("resize", this.resized);
    pinching(this.part("room"), (nearer) => (nearer ? this.forth(this.hover ?? undefined) : this.back()));
  }

  resizedTo() {
    // It left the page, or is hidden.
    if (!this.root.clientWidth) return;
    const size = `${this.root.clientWidth} ${this.heightHere ?? 0}`;
    if (size === this.sizeWas || !this.scales) return;
    this.sizeWas = size;
    this.networkRoom = null;
    this.stale = new Set(Object.keys(this.levels));
    this.arrange();
    this.redraw();
  }

  // The pointer on maps ---------------------------------------------------------------------------

  /** The cell of a map that an event happened on, or null. */
  cellFrom(event) {
    const surface = this.surfaces.get(event.composedPath()[0]);
    if (!surface) return null;
    const box = surface.base.getBoundingClientRect();
    return surface.cellAt(event.clientX - box.left, event.clientY - box.top);
  }

  /** Where an event happened on the map that a cell was pressed on, in rows and columns; null beside it, unless that is asked for. */
  placeFrom(event, cell, beside = false) {
    const surface = this.level.maps;
    const rects = surface?.byStage.get(cell.stage) ?? [];
    const rect = cell.colours ? rects.find((each) => each?.colours) : rects[cell.channel];
    if (!rect) return null;
    const box = surface.base.getBoundingClientRect();
    const row = ((event.clientY - box.top - rect.y) / rect.height) * rect.rows;
    const col = ((event.clientX - box.left - rect.x) / rect.width) * rect.cols;
    const inside = row >= -1 && col >= -1 && row <= rect.rows + 1 && col <= rect.cols + 1;
    return inside || beside ? [row, col] : null;
  }

  /** Let the maps of a surface answer the pointer. */
  answer(surface) {
    const canvas = surface.over;
    this.surfaces.set(canvas, surface);
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      this.pointAt(this.cellFrom(event), event);
    });
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("click", (event) => this.clicked(this.cellFrom(event)));
  }

  /** The pointer is on a cell, or beside all of them. */
  pointAt(cell, event) {
    this.look(cell, event.timeStamp, true);
    // Under a stroke it would cover what is painted.
    if (cell && !event.buttons && sameCell(cell, this.hover)) this.tooltip.show(cell, event.clientX, event.clientY);
    else this.tooltip.hide();
  }

  /** A click goes in: to the receipt, then to the layer, then to the cell; beside everything it goes out. */
  clicked(cell) {
    if (this.player?.clicked(cell)) return;
    if (!cell) {
      this.back();
      return;
    }
    const again = this.pinned && cell.stage === this.pinned.stage && cell.channel === this.pinned.channel;
    if (this.zoom === "network" && again) this.forth(cell);
    else if (this.zoom === "layer" && cell.stage === this.lookedAt) this.forth(cell);
    else this.pin(cell);
  }

  leave() {
    this.tooltip.hide();
    this.look(null);
  }

  /** A column got the focus: its cell is looked at. */
  focusGot(event) {
    const column = closest(event, "[data-stage]");
    if (!column || !column.matches(":focus-visible")) return;
    const cell = this.cursorOf(this.scene.stages[Number(column.dataset.stage)]);
    this.look(cell);
    this.tooltip.showAt(cell);
  }

  pressed(event) {
    if (event.key === "Escape") {
      const taken = ["escape", "", "leave"].some((way) => (way ? this.extensions.some((each) => each[way]?.()) : this.back()));
      if (taken) {
        event.preventDefault();
        event.stopPropagation();
      }
      return;
    }
    if ((event.key === "+" || event.key === "-") && !closest(event, "input, select") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      // On the receipt it is its own cell, not the factor that the pointer happens to rest on.
      if (event.key === "+") this.forth((closest(event, ".cv-receipt") && this.pinned) || undefined);
      else this.back();
      return;
    }
    if (this.zoom === "layer" && this.levels.layer.pressed(event)) return;
    if (this.zoom === "cell" && this.levels.cell.pressed(event)) return;
    const column = closest(event, "[data-stage]");
    if (!column || event.ctrlKey || event.metaKey || event.altKey) return;
    // A block is opened by its own button.
    if (column.dataset.block && event.key === "Enter") return;
    const stage = this.scene.stages[Number(column.dataset.stage)];
    const cell = this.cursorOf(stage);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pin(cell);
      return;
    }
    if (event.key.toLowerCase() === "l") {
      event.preventDefault();
      this.toLargest(cell, event.timeStamp);
      return;
    }
    const next = moved(cell, event, stage);
    if (!next) return;
    event.preventDefault();
    this.look(next, event.timeStamp);
    this.tooltip.showAt(next);
  }

  /** Look at the largest cell of a map, once the map is here and nothing else was looked at meanwhile. */
  toLargest({ stage: s, row, col, channel }, began, only = false) {
    const map = { stage: s, row, col, channel };
    const { hover } = this;
    const look = () => {
      if (this.hover !== hover) return;
      if (isHere(this.values, this.scene.stages[s], channel)) {
        const cell = this.largestOn(map, only);
        this.look(cell, began);
        this.tooltip.showAt(cell);
      } else if (this.asking) {
        this.pictures.want(s, channel);
        this.awaited.push(look);
      } else this.say("Its numbers were left out of this file.");
    };
    look();
  }

  /** Where the keys are on a stage: where they were, else its middle, or the likeliest class. */
  cursorOf(stage) {
    if (this.cursors.has(stage.index)) return this.cursors.get(stage.index);
    const [height, width] = stage.shape;
    const channel = isVector(stage) ? largestAt(this.values[stage.index]) : 0;
    return { stage: stage.index, row: height >> 1, col: width >> 1, channel };
  }

  /** The cell of a cell's map that is largest, whatever its sign; of a vector the largest of all, unless it is `only` its own. */
  largestOn({ stage: s, channel }, only = false) {
    const stage = this.scene.stages[s];
    const channels = stage.shape[2];
    const values = this.values[s];
    let best = channel;
    for (let n = channel; n < values.length; n += channels) if (Math.abs(values[n]) > Math.abs(values[best])) best = n;
    return isVector(stage) && !only ? { stage: s, row: 0, col: 0, channel: largestAt(values) } : cellAt(stage, best);
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
    this.retheme = apply;
    this.stopTheme = watchTheme(apply);
  }

  destroy() {
    document.removeEventListener("keydown", this.escaped);
    this.resizing.disconnect();
    window.removeEventListener("resize", this.resized);
    this.stopTheme();
    if (lastUsed === this) lastUsed = null;
    this.engine?.close();
    for (const extension of this.extensions) extension.destroy?.();
    this.root.replaceChildren();
  }
}

/**
 * The prediction before and after, in words: what it does not care about is said as clearly as what it does.
 *
 * @param {string[]} classes
 * @param {Float32Array} before
 * @param {Float32Array} after
 */
function verdictOf(classes, before, after) {
  const [was, is] = [largestAt(before), largestAt(after)];
  const [old, now] = [probability(before[was]), probability(after[is])];
  if (was !== is) return `now ${classes[is]} with ${now}; before ${classes[was]} with ${old}`;
  return old === now ? `still ${classes[is]}: ${now}, as before` : `still ${classes[is]}: ${old} before, ${now} now`;
}

/** Where a change was made: the box around the cells, or the whole map that is off. */
function changedMark(scene, change) {
  const stage = scene.stages.find(({ name }) => name === change.stage);
  if (!stage) return [];
  const [height, width, channels] = stage.shape;
  if (change.kind === "channel") return [{ stage: stage.index, channels: channelMask(stage, [change.channel]), box: wholeOf(stage.shape), style: "changed" }];
  const pixels = new Set(change.at.map((n) => Math.floor(n / channels)));
  return [{ stage: stage.index, channels: null, box: boxOfAll(height, width, (n) => pixels.has(n)), style: "changed" }];
}

/** Tell of a pinch of two fingers on an element, once it is wide enough. */
function pinching(element, pinched) {
  /** @type {Map<number, PointerEvent>} */
  const fingers = new Map();
  let began = 0;
  const apart = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) began = apart();
  });
  element.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event);
    if (fingers.size !== 2 || !began) return;
    const share = apart() / began;
    if (share < 1.3 && share > 0.75) return;
    began = 0;
    pinched(share > 1);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    element.addEventListener(end, (event) => fingers.delete(event.pointerId));
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

