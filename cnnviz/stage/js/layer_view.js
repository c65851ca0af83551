// One layer, large: the maps that go in, the kernels of one channel, the maps that come out.

import { maximum } from "./arrays.js";
import { boxOf } from "./cone.js";
import { canvasOf, sized } from "./dom.js";
import { largestGrid, mapsOf } from "./layout.js";
import { largestOf, receiptOf } from "./receipt.js";
import { Surface } from "./surface.js";
import { axisOf, readShape, windowBoxes } from "./windows.js";
import { channelName, escapeHtml, plural, shapeText, stageName } from "./words.js";

/** @import { Mark, Style } from "./surface.js" */
/** @import { Cell, Stage } from "./scene.js" */
/** @import { View } from "./view.js" */

const GAP = 22;

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
    this.titles.addEventListener("focusin", (event) => view.focusGot(event));
    this.titles.addEventListener("focusout", () => view.leave());
  }

  /** The stage that is shown: the one of the group that the receipt is about, or its last. */
  get stage() {
    return this.view.scene.stages[this.view.lookedAt];
  }

  /** @param {{ width: number, height: number, type: number }} room */
  layOut({ width, height, type }) {
    const { scene } = this.view;
    const { stage } = this;
    const key = JSON.stringify([scene.plan.header.key, stage.index, width, height, type]);
    if (this.laidOut === key) return;
    this.laidOut = key;
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
    sources.forEach((source, i) => {
      // Padding has its room around each map, so that the window is seen to reach over the edge.
      const [top, bottom, left, right] = paddingOf(scene, stage, source);
      const padded = { ...source, shape: /** @type {Stage["shape"]} */ ([source.shape[0] + top + bottom, source.shape[1] + left + right, source.shape[2]]) };
      const grid = largestGrid(padded, each - (i ? GAP / 2 : 0), before.height, scene.pictureCount(source));
      const x = before.x + i * each + (i ? GAP / 2 : 0);
      const { cell } = grid;
      for (const rect of mapsOf(scene, padded, { x, y: before.y, ...grid })) {
        const [rows, cols] = source.shape;
        rects.push({ ...rect, rows, cols, x: rect.x + left * cell, y: rect.y + top * cell, width: cols * cell, height: rows * cell,
          ...(padded.shape.join() === source.shape.join() ? {} : { around: [top, bottom, left, right].map((n) => n * cell) }) });
      }
      titles.push(this.title(source, x, before.y - line, each - GAP / 2, `in: ${stageName(source)}, ${shapeText(source)}`));
      if (!i) this.grid = grid;
    });
    const grid = largestGrid(stage, after.width, after.height, scene.pictureCount(stage));
    rects.push(...mapsOf(scene, stage, { x: after.x, y: after.y, ...grid }));
    const word = sources.length ? "out: " : "";
    titles.push(this.title(stage, after.x, after.y - line, after.width, `${word}${stageName(stage)}, ${shapeText(stage)}`));
    this.kernelRoom = kernels;
    this.line = line;
    this.titles.innerHTML = `${titles.join("")}<span class="cv-kerneltitle" style="left:${kernels.x}px;top:${kernels.y - line}px;width:${kernels.width}px"></span>`;
    this.maps.place(rects, width, height);
    this.painted = false;
    this.kernelShown = "";
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
    const { groups } = receiptOf(view.scene, view.values, own);
    const [{ rows, cols }] = groups;
    const { width, height, x, y } = this.kernelRoom;
    const shape = /** @type {[number, number, number]} */ ([rows, cols, groups.length]);
    const { cell: size, across } = largestGrid(/** @type {Stage} */ ({ shape }), width, height);
    const side = Math.min(size, 34);
    const scale = { kind: "signed", limit: largestOf(groups, (term) => term.weight.value) };
    const down = Math.ceil(groups.length / across);
    const canvas = sized(this.kernels, across * (cols * side + 2), down * (rows * side + 2));
    Object.assign(canvas.style, { left: `${x}px`, top: `${y}px` });
    const context = canvas.getContext("2d");
    groups.forEach(({ terms }, k) => {
      const [left, top] = [(k % across) * (cols * side + 2), Math.floor(k / across) * (rows * side + 2)];
      terms.forEach((term, t) => {
        context.fillStyle = view.colours.css(term.weight.value, scale);
        context.fillRect(left + (t % cols) * side, top + Math.floor(t / cols) * side, side, side);
      });
    });
    const words = `${channelName(stage, own.channel)}: ${plural(groups.length, "kernel")} ${rows}×${cols}`;
    title.textContent = words;
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
