// The whole network at once: the image at the left, a column for each layer, the prediction at the right,
// and between them what feeds what.

import { Bars } from "./bars.js";
import { boxOf } from "./cone.js";
import { closest } from "./dom.js";
import { groupsOf, layOut } from "./layout.js";
import { Surface } from "./surface.js";
import { escapeHtml, plural, shapeText, stageName } from "./words.js";

/** @import { Column } from "./layout.js" */
/** @import { Mark, Style } from "./surface.js" */
/** @import { View } from "./view.js" */

export class NetworkView {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    this.element = element;
    element.classList.add("cv-network");
    element.innerHTML = `<svg class="cv-links" aria-hidden="true"></svg><div class="cv-maps"></div>
      <svg class="cv-links cv-trail" aria-hidden="true"><polyline></polyline></svg><div class="cv-heads"></div><div class="cv-slot"></div><div class="cv-outs"></div>`;
    /** Beside the image, below it: what changes it. */
    this.slot = /** @type {HTMLElement} */ (element.querySelector(".cv-slot"));
    this.maps = new Surface(element.querySelector(".cv-maps"));
    view.answer(this.maps);
    this.bars = new Bars(view, element.querySelector(".cv-outs"));
    element.addEventListener("focusin", (event) => view.focusGot(event));
    element.addEventListener("focusout", () => view.leave());
    element.addEventListener("click", (event) => {
      const head = closest(event, "[data-open]");
      if (head) view.zoomTo("layer", Number(head.dataset.open));
    });
    /** @type {string} what is laid out */
    this.laidOut = "";
  }

  /** The stages that are seen, each alone or folded into a column: the prediction's are its bars. */
  arrange() {
    const { scene } = this.view;
    const { stages } = scene;
    this.bars.begin();
    const shown = stages.filter((stage) => scene.shows(stage)).map((stage) => stage.index);
    const groups = groupsOf(scene, shown, this.view.open);
    const last = groups.at(-1);
    // The last group is the bars, whole if it is folded.
    this.ending = this.bars.shown && last?.at(-1) === scene.output.index && !this.bars.ranked ? groups.pop() : null;
    /** @type {Map<number, number>} the stage in whose column each is seen */
    this.seenAs = new Map(groups.flatMap((group) => group.map((s) => [s, group[group.length - 1]])));
    for (const s of this.ending ?? []) this.seenAs.set(s, scene.output.index);
    return groups;
  }

  /** @param {{ width: number, height: number, type: number, stacked: boolean }} room */
  layOut(room) {
    const { view } = this;
    const { scene } = view;
    const key = JSON.stringify([scene.plan.header.key, room, view.open]);
    if (this.laidOut === key) return;
    this.laidOut = key;
    const groups = this.arrange();
    const bars = this.bars.shown ? this.bars.width(room.type) : 0;
    const most = (stage, count) => view.liveliest(stage, count);
    this.layout = layOut(scene, groups, { ...room, bars }, most);
    const { rects, width, height, columns } = this.layout;
    const end = this.bars.shown ? this.layout.bars.y + this.bars.least(room.type) : 0;
    const deep = room.stacked ? Math.max(height, end) : Math.min(room.height, Math.max(height, end));
    this.element.dataset.stacked = room.stacked ? "yes" : "";
    this.maps.place(rects, width, deep);
    // More layers than there is room for, however small: they can be scrolled to.
    this.element.dataset.wide = width > room.width + 1 ? "yes" : "";
    this.element.style.setProperty("--deep", `${deep}px`);
    this.columns = columns;
    this.columnOf = new Map(columns.flatMap((column) => column.stages.map((s) => [s, column])));
    this.bars.place(this.layout.bars, deep - this.layout.bars.y, room.type, this.ending);
    this.writeHeads();
    const [image] = columns;
    const free = image && scene.stages[image.shown].op.type === "input";
    this.slot.hidden = !free;
    // Below the image, or beside it where layers lie under each other.
    const beside = room.stacked && free;
    if (free) {
      Object.assign(this.slot.style, {
        left: `${image.x + (beside ? image.width + 12 : 0)}px`,
        top: `${image.y + (beside ? 0 : image.height + 8)}px`,
        width: `${beside ? 110 : image.width}px`,
      });
    }
    this.painted = false;
  }

  writeHeads() {
    const { stacked } = this.element.dataset;
    const ends = stacked ? this.columns.map(() => this.layout.width) : [...this.columns.slice(1).map(({ x }) => x), this.layout.bars.x];
    const heads = this.columns.map((column, i) => {
      const { x, y, left } = column;
      const more = left ? `<span class="cv-left" style="left:${x}px;top:${y + column.height + 4}px">+ ${left.toLocaleString("en-GB")} maps</span>` : "";
      return `<div class="cv-head" style="left:${x - 2}px;width:${ends[i] - x - 2}px;bottom:calc(100% - ${y - (stacked ? 2 : 4)}px)">${this.head(column.stages)}</div>${more}`;
    });
    this.element.querySelector(".cv-heads").innerHTML = heads.join("");
    this.drawLinks();
  }

  /** A column's heading: a button that goes into the layer, and whose keys walk its cells. */
  head(group) {
    const { scene } = this.view;
    const stages = group.map((s) => scene.stages[s]);
    const [first] = stages;
    const last = stages.at(-1);
    const what = stages.map(({ label }) => label).join(", ");
    const words = describe(scene, stages);
    const sees = first.op.type === "input" ? "" : `, receptive field ${fieldOf(first)}`;
    const absent = this.view.leftOut(last.index) ? ", left out of this file" : "";
    const name = `${first.layer}: ${what}, ${shapeText(last)}${sees}${absent}`;
    return `<button type="button" class="cv-col" data-stage="${last.index}" data-open="${last.index}" title="${escapeHtml(words + absent)}"
      aria-label="${escapeHtml(name)}" aria-describedby="cv-keys"><b>${escapeHtml(first.layer)}</b>
      <span>${escapeHtml(what)}</span><span>${absent ? "left out" : shapeText(last)}</span></button>`;
  }

  drawLinks() {
    const svg = /** @type {SVGElement} */ (this.element.querySelector(".cv-links"));
    const { links, bars } = this.layout;
    const ends = this.bars.shown && this.ending ? sourcesOfBars(this.view.scene, this.ending, this.columnOf) : [];
    const room = { x: bars.x, y: bars.y, width: 0, height: this.bars.height };
    const all = [...links, ...ends.map((from) => ({ from, to: /** @type {Column} */ (/** @type {unknown} */ (room)), lane: 0 }))];
    svg.innerHTML = all.map(({ from, to, lane }) => (lane ? over(from, to, lane) : ribbon(from, to))).join("");
  }

  /** Redraw the maps of these stages. */
  draw(painted) {
    const { view } = this;
    this.maps.draw(view.pictures.at, view.colours.around.line, this.painted ? painted : null);
    this.painted = true;
    this.bars.draw();
    for (const head of this.element.querySelectorAll("[data-open]")) {
      const last = Number(/** @type {HTMLElement} */ (head).dataset.open);
      const group = this.columnOf.get(last)?.stages ?? this.ending ?? [last];
      head.classList.toggle("cv-changed", group.some((s) => view.changed.has(s)));
    }
  }

  /**
   * @param {Mark[]} marks
   * @param {Record<string, Style>} styles
   */
  mark(marks, styles) {
    this.maps.clear();
    const { stages } = this.view.scene;
    // To outline the whole of every map before would say no more than that everything is seen.
    const telling = marks.filter(({ stage, style, box, channels }) => {
      const [rows, cols] = stages[stage].shape;
      const whole = box && box.top === 0 && box.left === 0 && box.bottom === rows - 1 && box.right === cols - 1;
      return style !== "seen" || stage === 0 || !whole || channels?.includes(0);
    });
    this.drawPath();
    this.maps.mark(telling.map((mark) => ({ ...mark, stage: this.seenAs.get(mark.stage) ?? mark.stage })), styles);
    this.bars.mark(marks.filter((mark) => this.seenAs.get(mark.stage) === this.view.scene.output.index || mark.stage === this.view.scene.output.index));
  }

  /** A line along the way that was walked. */
  drawPath() {
    const points = this.view.trail.map((cell) => {
      const rect = this.maps.byStage.get(this.seenAs.get(cell.stage) ?? cell.stage)?.[cell.channel];
      if (!rect) return null;
      const [x, y, w, h] = this.maps.boxOf(rect, boxOf(cell));
      return `${x + w / 2},${y + h / 2}`;
    });
    const line = this.element.querySelector(".cv-trail polyline");
    const drawn = points.filter(Boolean);
    line.setAttribute("points", drawn.length > 1 ? drawn.join(" ") : "");
  }

  /** Where a cell is on the screen, in the window's pixels; null if it is not drawn. */
  placeOf(cell) {
    const s = this.seenAs.get(cell.stage) ?? cell.stage;
    const rect = this.maps.byStage.get(s)?.[cell.channel];
    if (!rect) return s === this.view.scene.output.index ? this.bars.placeOf(cell.channel) : null;
    const box = this.maps.base.getBoundingClientRect();
    const [x, y, w, h] = this.maps.boxOf(rect, boxOf(cell));
    return new DOMRect(box.left + x, box.top + y, w, h);
  }

  /** Where a stage's column is on the screen. */
  areaOf(s) {
    const column = this.columnOf?.get(s);
    const box = this.maps.base.getBoundingClientRect();
    return column ? new DOMRect(box.left + column.x, box.top + column.y, column.width, column.height) : null;
  }
}

/** What a group of stages is, in words, for those who point at its name. */
function describe(scene, stages) {
  const [first] = stages;
  const last = stages.at(-1);
  const params = stages.filter((stage) => stage.params).map((stage) => `${plural(stage.params, "parameter")} in ${stage.name}`);
  const far = first.reads.length > 1 || (first.reads.length === 1 && first.reads[0] !== first.index - 1);
  const from = far ? `reads ${first.reads.map((s) => stageName(scene.stages[s])).join(", ")}` : "";
  const hidden = first.hidden.length ? `${first.hidden.join(", ")}: passed on unchanged, not shown` : "";
  const field = first.op.type === "input" ? "" : `one cell sees ${fieldOf(first)} pixels of the input along each side (its receptive field)`;
  return [
    `${first.layer}: ${stages.map(({ label }) => label).join(", ")}, ${shapeText(last)}`,
    field,
    params.join(", ") || "no parameters",
    from,
    first.shared ? `shares the weights of ${first.shared}` : "",
    hidden,
  ].filter(Boolean).join("\n");
}

/** The columns that the bars are made from. */
function sourcesOfBars(scene, group, columnOf) {
  const columns = scene.stages[group[0]].reads.map((s) => columnOf.get(s)).filter(Boolean);
  return [...new Set(columns)];
}

/** The band between two columns: everything of the one goes into the other. */
function ribbon(from, to) {
  const [x1, x2] = [from.x + from.width + 2, to.x - 2];
  const middle = (x1 + x2) / 2;
  const [a, b] = [from.y + from.height, to.y + to.height];
  return `<path class="cv-ribbon" d="M${x1} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${x2} ${to.y}V${b}C${middle} ${b} ${middle} ${a} ${x1} ${a}Z"/>`;
}

/** A line over the columns between. */
function over(from, to, lane) {
  const y = 4 + 9 * (lane - 1);
  const [x1, x2] = [from.x + from.width / 2, to.x + to.width / 2];
  return `<path class="cv-skip" d="M${x1} ${from.y - 2}V${y + 6}Q${x1} ${y} ${x1 + 6} ${y}H${x2 - 6}Q${x2} ${y} ${x2} ${y + 6}V${to.y - 2}"/>`;
}

/** The side of a receptive field; behind global pooling that meets other paths, of these and of all. */
function fieldOf({ rf, rf_local: local }) {
  return local ? `${local} (with global pooling ${rf})` : rf;
}
