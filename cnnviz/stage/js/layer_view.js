// One layer, large: the maps that go in, the kernels of one channel, the maps that come out.

import { largestFirst, maximum } from "./arrays.js";
import { ChannelPages } from "./channel_pages.js";
import { kernelsOf, pageOf, weightOfInputs, weightsOf, whichOfThem } from "./channels.js";
import { boxOf } from "./cone.js";
import { canvasOf, sized } from "./dom.js";
import { largestGrid, mapsOf, sidesOf } from "./layout.js";
import { NOTHING } from "./numbers.js";
import { isVector, sameCell } from "./scene.js";
import { Surface } from "./surface.js";
import { axisOf, readShape, windowBoxes } from "./windows.js";
import { channelName, escapeHtml, plural, shapeText, stageName } from "./words.js";

/** @import { Mark, Style } from "./surface.js" */
/** @import { Cell, Stage } from "./scene.js" */
/** @import { View } from "./view.js" */

const GAP = 22;
/** Between maps. */
const MAPS = 2;
/** No map has shorter sides where not all fit, and no cell of a kernel. */
const LEAST = { map: 40, cell: 1.5, unit: 16, band: 14, kernel: 5 };

export class LayerView {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    this.element = element;
    element.innerHTML = `<div class="cv-maps"></div><div class="cv-titles"></div>`;
    this.maps = new Surface(element.querySelector(".cv-maps"));
    view.answer(this.maps);
    /** @type {Cell | null} whose kernel is awaited, to say which maps weigh most */
    this.waits = null;
    this.kernels = canvasOf(0, 0);
    this.kernels.className = "cv-kernels";
    this.kernels.setAttribute("role", "img");
    element.append(this.kernels);
    this.titles = element.querySelector(".cv-titles");
    /** @type {HTMLSelectElement} what the kernels that are shown can be swapped for */
    this.swap = document.createElement("select");
    this.swap.className = "cv-swap";
    this.swap.hidden = true;
    element.append(this.swap);
    this.pages = new ChannelPages(view, element);
    this.titles.addEventListener("focusin", (event) => view.focusGot(event));
    this.titles.addEventListener("focusout", () => view.leave());
  }

  /** The stage that is shown: the one of the group that the receipt is about, or its last. */
  get stage() {
    return this.view.scene.stages[this.view.lookedAt];
  }

  /** @param {{ width: number, height: number, type: number }} room */
  layOut({ width, height, type }) {
    const { view, stage } = this;
    const { scene } = view;
    const chosen = view.player?.stage === stage ? view.player.cell : view.pinned?.stage === stage.index ? view.pinned : null;
    // A receipt that is opened shows the page that its map is on.
    const wanted = chosen && !sameCell(chosen, this.chosen) ? chosen.channel : undefined;
    this.chosen = chosen;
    const { order, first } = this.pages.of(stage);
    const image = [view.item, view.image?.title, view.range];
    const key = JSON.stringify([scene.plan.header.key, stage.index, width, height, type, order, first, chosen?.channel, image]);
    const came = this.waits && !view.needs(this.waits);
    if (this.laidOut === key && !came) return;
    this.laidOut = key;
    this.waits = null;
    const sources = [...new Set(stage.reads)].map((s) => scene.stages[s]);
    const line = Math.ceil(1.7 * type);
    const stacked = width < 560;
    this.weighted = ["conv", "transposed"].includes(stage.op.type);
    // The shares of the room: what goes in, the kernels, what comes out.
    const shares = !sources.length ? [0, 0, 1] : this.weighted ? [0.36, 0.2, 0.44] : [0.46, 0, 0.54];
    const long = (stacked ? height : width) - 2 * GAP - 2;
    /** @type {{ x: number, y: number, width: number, height: number }[]} */
    const parts = [];
    let at = 0;
    for (const share of shares) {
      const size = share * long;
      parts.push(stacked ? { x: 1, y: at + line, width: width - 2, height: size - line } : { x: at + 1, y: line, width: size, height: height - line - 2 });
      at += size + (share ? GAP : 0);
    }
    const [before, kernels, after] = parts;
    const each = before.width / Math.max(1, sources.length);
    const rects = [];
    const titles = [];
    // What comes out: a page of it, with its own line where not all fits.
    const count = stage.shape[2];
    const fits = mostMaps(stage, after.width, after.height);
    const bar = fits < count ? this.pages.height(after.width, type) : 0;
    const most = bar ? mostMaps(stage, after.width, after.height - bar) : count;
    const page = pageOf(count, most, order, first, () => view.activity(stage), wanted);
    this.page = page;
    const shown = page.channels;
    if (!shown.includes(view.cursorOf(stage).channel)) view.cursors.set(stage.index, { ...view.cursorOf(stage), channel: shown[0] });
    const own = chosen?.channel ?? shown[0];
    sources.forEach((source, i) => {
      const x = before.x + i * each + (i ? GAP / 2 : 0);
      const room = { x, y: before.y, width: each - (i ? GAP / 2 : 0), height: before.height };
      const { words, found, grid } = this.inputs(source, room, chosen ?? { ...view.cursorOf(stage), channel: own });
      rects.push(...found);
      titles.push(this.title(source, x, before.y - line, each - GAP / 2, `in: ${stageName(source)}, ${shapeText(source)}${words}`));
      if (!i) this.grid = grid;
    });
    const paged = shown.length < count;
    const tiling = tilesOf(stage, after.width, after.height - bar, paged ? shown.length : scene.pictureCount(stage));
    rects.push(...placed(scene, stage, { ...after, y: after.y + bar }, tiling, paged ? shown : null));
    const word = sources.length ? "out: " : "";
    titles.push(this.title(stage, after.x, after.y - line, after.width, `${word}${stageName(stage)}, ${shapeText(stage)}`));
    this.pages.show(stage, page, { x: after.x, y: after.y, width: after.width, height: bar });
    this.kernelRoom = kernels;
    this.line = line;
    this.titles.innerHTML = `${titles.join("")}<span class="cv-kerneltitle" style="left:${kernels.x}px;top:${kernels.y - line}px;width:${kernels.width}px"></span>`;
    this.maps.place(rects, width, height);
    this.painted = false;
    this.kernelShown = "";
  }

  /** The maps that go in; where not all fit, those that weigh most for one channel that comes out. */
  inputs(source, { x, y, width, height }, cell) {
    const { view, stage } = this;
    const { scene } = view;
    // Padding has its room around each map, so that the window is seen to reach over the edge.
    const [top, bottom, left, right] = paddingOf(scene, stage, source);
    const padded = { ...source, shape: /** @type {Stage["shape"]} */ ([source.shape[0] + top + bottom, source.shape[1] + left + right, source.shape[2]]) };
    const count = source.shape[2];
    const most = mostMaps(padded, width, height);
    const all = most >= count;
    const { channel } = cell;
    // Until its kernel is here, those that are most active.
    if (!all && this.weighted && view.needs(cell)) this.waits = cell;
    const weights = all || this.waits ? null : weightOfInputs(scene, stage, source, channel);
    const channels = all ? null : largestFirst(weights ?? view.activity(source), most);
    const grid = tilesOf(padded, width, height, channels?.length ?? scene.pictureCount(source));
    const size = [grid.width / padded.shape[1], grid.height / padded.shape[0]];
    const found = placed(scene, padded, { x, y }, grid, channels).map((rect) => {
      const [rows, cols] = source.shape;
      const around = padded.shape.join() === source.shape.join() ? {} : { around: [top * size[1], bottom * size[1], left * size[0], right * size[0]] };
      return { ...rect, rows, cols, x: rect.x + left * size[0], y: rect.y + top * size[1], width: cols * size[0], height: rows * size[1], ...around };
    });
    const words = all ? "" : `: ${whichOfThem(weights, most, channelName(stage, channel))}`;
    return { words, found, grid };
  }

  /** A state was taken over: its page is shown, whatever map its receipt is of. */
  restored(state, stage, pinned) {
    const first = state.zoom === "layer" ? state.first : 0;
    this.pages.restore({ ...state, first }, stage);
    this.chosen = first ? pinned : null;
  }

  /** A cell that is looked at has its map on the page. */
  bring(cell) {
    const { stage, page } = this;
    if (cell.stage !== stage.index || !page || page.channels.includes(cell.channel)) return;
    this.pages.goTo(stage, page, cell.channel);
  }

  /** The page of the stage that is shown; true if a key turned it. */
  pressed(event) {
    return this.pages.pressed(event, this.stage, this.page);
  }

  title(stage, x, y, width, words) {
    return `<button type="button" class="cv-maptitle" data-stage="${stage.index}" aria-describedby="cv-keys"
      style="left:${x}px;top:${y}px;max-width:${width}px">${escapeHtml(words)}</button>`;
  }

  draw(painted) {
    const { view } = this;
    this.maps.draw(view.pictures.at, view.colours.around.line, this.painted ? painted : null);
    this.painted = true;
    this.drawPlayed();
    this.kernelShown = "";
    this.drawKernels(view.active);
  }

  /** Of the map that is played only what has been written so far. */
  drawPlayed() {
    const { player, pictures, colours } = this.view;
    const rect = player && this.maps.byStage.get(player.stage.index)?.[player.channel];
    if (rect) this.maps.fill(rect, player.window + 1, pictures.at, colours.around.panel);
  }

  /**
   * The kernels of the channel that is looked at, each at the place of the map that it is for.
   *
   * @param {Cell | null} cell
   */
  drawKernels(cell) {
    const { view, stage } = this;
    const own = cell?.stage === stage.index ? cell : view.pinned?.stage === stage.index ? view.pinned : view.cursorOf(stage);
    const needs = this.weighted && view.needs(own);
    const key = needs ? "" : this.weighted ? `${own.channel}` : "none";
    if (key && key === this.kernelShown) return;
    this.kernelShown = key;
    this.kernels.hidden = !this.weighted;
    this.swap.hidden = true;
    const title = /** @type {HTMLElement} */ (this.titles.querySelector(".cv-kerneltitle"));
    title.textContent = needs ? `${channelName(stage, own.channel)}: ${view.asking ? "its kernels are asked for" : "its kernels were left out"}` : "";
    title.hidden = false;
    if (!this.weighted || needs) return;
    const kernels = kernelsOf(view.scene, stage, own.channel);
    const { rows, cols, count, weight } = kernels;
    const { width, height, x, y } = this.kernelRoom;
    // The strongest, where not all can be seen.
    const most = Math.max(1, Math.floor(width / (cols * LEAST.kernel + MAPS))) * Math.max(1, Math.floor(height / (rows * LEAST.kernel + MAPS)));
    const weights = weightsOf(kernels);
    const shown = largestFirst(count > most ? weights : new Uint8Array(count), most);
    const { cell: size, across } = largestGrid(/** @type {Stage} */ ({ shape: [rows, cols, shown.length] }), width, height);
    const side = Math.min(size, 34);
    const limit = maximum(shown.flatMap((k) => Array.from({ length: rows * cols }, (_, at) => Math.abs(weight(k, at)))), NOTHING);
    const scale = { kind: "signed", limit };
    const down = Math.ceil(shown.length / across);
    const canvas = sized(this.kernels, across * (cols * side + MAPS), down * (rows * side + MAPS));
    Object.assign(canvas.style, { left: `${x}px`, top: `${y}px` });
    const context = canvas.getContext("2d");
    shown.forEach((k, n) => {
      const [left, top] = [(n % across) * (cols * side + MAPS), Math.floor(n / across) * (rows * side + MAPS)];
      for (let at = 0; at < rows * cols; at++) {
        context.fillStyle = view.colours.css(weight(k, at), scale);
        context.fillRect(left + (at % cols) * side, top + Math.floor(at / cols) * side, side, side);
      }
    });
    const whole = weights.reduce((a, b) => a + b, 0);
    const rest = whole ? 1 - shown.reduce((sum, k) => sum + weights[k], 0) / whole : 0;
    const some = shown.length < count
      ? `, the ${shown.length} strongest; the other ${(count - shown.length).toLocaleString("en-GB")} have ${(100 * rest).toFixed(0)} % of the weight`
      : "";
    const words = `${channelName(stage, own.channel)}: ${plural(count, "kernel")} ${rows}×${cols}${some}`;
    title.textContent = title.title = words;
    canvas.setAttribute("aria-label", words);
    Object.assign(this.swap.style, { left: `${x}px`, top: `${y - this.line}px`, height: `${this.line - 2}px`, maxWidth: `${width}px` });
    for (const extension of view.extensions) extension.kernelsShown?.(this.swap, stage, own, words);
    // The choice says what the title would.
    title.hidden = !this.swap.hidden;
  }

  /**
   * @param {Mark[]} marks
   * @param {Record<string, Style>} styles
   */
  mark(marks, styles) {
    this.maps.clear();
    this.maps.mark(this.withPadding(marks), styles);
    this.drawKernels(this.view.active);
  }

  /** What a cell of this layer reads with the padding that it reads too. */
  withPadding(marks) {
    const { stage, view } = this;
    const { active } = view;
    const [source] = stage.reads;
    if (active?.stage !== stage.index || !paddingOf(view.scene, stage, view.scene.stages[source] ?? stage).some(Boolean)) return marks;
    return marks.flatMap((mark) =>
      mark.style === "read" && mark.stage === source ? windowBoxes(stage, active).map((box) => ({ ...mark, box, cells: null })) : [mark]);
  }

  /** How far what is seen here reaches, in CSS pixels. */
  extent() {
    const kernels = this.kernels.hidden ? [0, 0] : [this.kernels.offsetLeft + this.kernels.offsetWidth, this.kernels.offsetTop + this.kernels.offsetHeight];
    const right = [...this.titles.children].map((title) => /** @type {HTMLElement} */ (title).offsetLeft + title.clientWidth);
    return {
      width: Math.ceil(maximum([...this.maps.rects.map((rect) => rect.x + rect.width + 1), ...right, kernels[0]])),
      height: Math.ceil(maximum([...this.maps.rects.map((rect) => rect.y + rect.height + 1), kernels[1]])),
    };
  }

  /** Draw what is seen here on another canvas. */
  copyTo(pen, muted) {
    for (const canvas of [this.maps.base, this.maps.over, this.kernels]) {
      if (canvas.hidden || !canvas.width) continue;
      pen.drawImage(canvas, canvas.offsetLeft, canvas.offsetTop, parseFloat(canvas.style.width), parseFloat(canvas.style.height));
    }
    pen.fillStyle = muted;
    pen.textBaseline = "middle";
    for (const title of /** @type {Iterable<HTMLElement>} */ (this.titles.children)) {
      pen.font = `${getComputedStyle(title).fontSize} ${getComputedStyle(title).fontFamily}`;
      pen.fillText(title.textContent, title.offsetLeft, title.offsetTop + title.offsetHeight / 2, title.offsetWidth + 1);
    }
  }

  /** Where a stage's maps are on the screen. */
  areaOf() {
    return this.maps.base.getBoundingClientRect();
  }

  placeOf(cell) {
    const rect = this.maps.byStage.get(cell.stage)?.[cell.channel];
    if (!rect) return null;
    const box = this.maps.base.getBoundingClientRect();
    const [x, y, w, h] = this.maps.boxOf(rect, boxOf(cell));
    return new DOMRect(box.left + x, box.top + y, w, h);
  }
}

/** The rows above and below a map that are padding, and the columns left and right, where its maps are read as they are drawn. */
function paddingOf(scene, stage, source) {
  const { op } = stage;
  if (!["conv", "pool"].includes(op.type) || source.index !== stage.reads[0]) return [0, 0, 0, 0];
  const [height, width] = readShape(scene, stage);
  if (height !== source.shape[0] || width !== source.shape[1]) return [0, 0, 0, 0];
  const [rows, cols] = [axisOf(op.rows), axisOf(op.cols)];
  return [rows.before, rows.after, cols.before, cols.after];
}

/**
 * How many maps of a stage fit, none of them smaller than can be seen.
 *
 * @param {Stage} stage
 * @param {number} width
 * @param {number} height
 */
function mostMaps(stage, width, height) {
  const [rows, cols] = stage.shape;
  const cell = isVector(stage) ? LEAST.unit : Math.max(LEAST.cell, LEAST.map / Math.max(rows, cols));
  const [wide, tall] = sidesOf(stage, cell, isVector(stage) ? 0 : LEAST.band);
  return Math.max(1, Math.floor((width + MAPS) / (wide + MAPS))) * Math.max(1, Math.floor((height + MAPS) / (tall + MAPS)));
}

/**
 * So many maps of a stage, as large as a room allows.
 *
 * @param {Stage} stage
 * @param {number} width
 * @param {number} height
 * @param {number} count
 */
function tilesOf(stage, width, height, count) {
  const [rows, cols] = stage.shape;
  if ((rows === 1) === (cols === 1)) {
    const { cell, across } = largestGrid(stage, width, height, count);
    return { cell, across, width: cols * cell, height: rows * cell };
  }
  // A sequence runs down or across, and is a band of some width: bands lie beside each other, in so many files.
  const down = cols === 1;
  const [length, room, other] = down ? [rows, height, width] : [cols, width, height];
  let best = { cell: 0, beside: 1 };
  for (let beside = 1; beside <= count; beside++) {
    if ((other + MAPS) / beside - MAPS < LEAST.band) break;
    const cell = ((room + MAPS) / Math.ceil(count / beside) - MAPS) / length;
    if (cell > best.cell) best = { cell, beside };
  }
  const cell = Math.max(0.1, best.cell > 3 ? Math.floor(best.cell) : best.cell);
  const band = Math.max(1, Math.min(Math.floor((other + MAPS) / best.beside - MAPS), Math.max(cell, 3 * LEAST.band)));
  return down
    ? { cell, across: best.beside, width: band, height: rows * cell }
    : { cell, across: Math.ceil(count / best.beside), width: cols * cell, height: band };
}

/**
 * Maps in their tiles.
 *
 * @param {import("./scene.js").Scene} scene
 * @param {Stage} stage
 * @param {{ x: number, y: number }} corner
 * @param {{ cell: number, across: number, width: number, height: number }} tiles
 * @param {number[] | null} channels
 */
function placed(scene, stage, { x, y }, { cell, across, width, height }, channels) {
  return mapsOf(scene, stage, { x, y, cell, across }, channels).map((rect, n) => ({
    ...rect,
    x: x + (n % across) * (width + MAPS),
    y: y + Math.floor(n / across) * (height + MAPS),
    width,
    height,
  }));
}
