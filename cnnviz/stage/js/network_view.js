// The whole network at once: the image at the left, a column for each layer, the prediction at the right,
// and between them what feeds what.

import { maximum, minimum } from "./arrays.js";
import { columnsOf, groupsOf } from "./blocks.js";
import { Bars } from "./bars.js";
import { boxOf } from "./cone.js";
import { closest, reducedMotion } from "./dom.js";
import { frameHeight, layOut } from "./layout.js";
import { isVector } from "./scene.js";
import { Surface } from "./surface.js";
import { escapeHtml, plural, shapeText, stageName } from "./words.js";

/** @import { Block, Item } from "./blocks.js" */
/** @import { Column } from "./layout.js" */
/** @import { Mark, Style } from "./surface.js" */
/** @import { View } from "./view.js" */

const BETWEEN_BARS = 10;

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
      <svg class="cv-links cv-trail" aria-hidden="true"><polyline></polyline></svg><div class="cv-heads"></div><div class="cv-slot"></div><div class="cv-outputs"></div>`;
    /** Beside the image, below it: what changes it. */
    this.slot = /** @type {HTMLElement} */ (element.querySelector(".cv-slot"));
    this.maps = new Surface(element.querySelector(".cv-maps"));
    view.answer(this.maps);
    /** @type {Bars[]} of each output that is a row of classes; the last is the network's */
    this.outputs = [];
    element.addEventListener("focusin", (event) => view.focusGot(event));
    element.addEventListener("focusout", () => view.leave());
    element.addEventListener("click", (event) => {
      const block = closest(event, "[data-block]");
      const head = closest(event, "[data-open]");
      if (block) view.openBlock(String(block.dataset.block));
      else if (head) view.zoomTo("layer", Number(head.dataset.open));
    });
    /** @type {string} what is laid out */
    this.laidOut = "";
  }

  /** The stages that are seen, each alone, folded into a column or in a closed block: predictions are bars. */
  arrange() {
    const { scene, open } = this.view;
    const shown = scene.stages.filter((stage) => scene.shows(stage)).map((stage) => stage.index);
    const groups = groupsOf(scene, shown, open);
    const home = /** @type {HTMLElement} */ (this.element.querySelector(".cv-outputs"));
    const predicting = scene.outputs.filter((stage) => Bars.suit(scene, stage));
    while (this.outputs.length > predicting.length) this.outputs.pop()?.element.remove();
    while (this.outputs.length < predicting.length) {
      const element = home.appendChild(Object.assign(document.createElement("div"), { className: "cv-outs" }));
      this.outputs.push(new Bars(this.view, element));
    }
    /** @type {Map<number, number>} the stage that ends the run of each, and shows it where that is seen */
    this.seenAs = new Map(groups.flatMap((group) => group.map((s) => [s, group[group.length - 1]])));
    // The group of an output is its bars, whole if it is folded.
    const left = groups.filter((group) => {
      const n = predicting.findIndex(({ index }) => index === group[group.length - 1]);
      if (n >= 0) this.outputs[n].begin(predicting[n], group);
      return n < 0;
    });
    return columnsOf(scene, left, open);
  }

  /** The bars of the network's last output, if it has any. @returns {Bars | undefined} */
  get bars() {
    return this.outputs.find(({ stage }) => stage === this.view.scene.output);
  }

  /** @param {{ width: number, height: number, type: number, stacked: boolean }} room */
  layOut(room) {
    const { view } = this;
    const { scene } = view;
    const key = JSON.stringify([scene.plan.header.key, room, view.open]);
    if (this.laidOut === key) return;
    this.laidOut = key;
    const items = this.arrange();
    const { outputs } = this;
    const bars = maximum(outputs.map((each) => each.width(room.type)), 0);
    const focus = view.openBlocks.at(-1) ?? null;
    this.layout = layOut(scene, items, { ...room, bars }, (stage, count) => view.liveliest(stage, count), focus);
    const { rects, width, height, columns } = this.layout;
    const least = outputs.reduce((sum, each) => sum + each.least(room.type), 0) + this.headsOfBars(room.type);
    const end = outputs.length ? this.layout.bars.y + least : 0;
    const deep = room.stacked ? Math.max(height, end) : Math.min(room.height, Math.max(height, end));
    this.element.dataset.stacked = room.stacked ? "yes" : "";
    this.element.dataset.names = this.layout.wraps ? "wrapped" : "";
    this.maps.place(rects, width, deep);
    // More layers than there is room for, however small: they can be scrolled to.
    this.element.dataset.wide = width > room.width + 1 ? "yes" : "";
    this.element.style.setProperty("--deep", `${deep}px`);
    this.columns = columns;
    this.columnOf = new Map(columns.flatMap((column) => column.stages.map((s) => [s, column])));
    this.placeBars(deep, room.type);
    this.writeHeads(room.type);
    this.element.dataset.low = this.layout.low ? "yes" : "";
    const { tools } = this.layout;
    this.slot.hidden = !tools;
    if (tools) Object.assign(this.slot.style, { left: `${tools.x}px`, top: `${tools.y}px`, width: `${tools.width}px` });
    this.painted = false;
  }

  /** The room for the heads of all bars but the first, whose head stands where those of the columns do. */
  headsOfBars(type) {
    return Math.max(0, this.outputs.length - 1) * (Math.round(3 * 1.25 * type) + BETWEEN_BARS);
  }

  /** The outputs' bars under each other, each as high as it has rows. */
  placeBars(deep, type) {
    const { x, y } = this.layout.bars;
    const { outputs } = this;
    const free = deep - y - this.headsOfBars(type);
    const rows = outputs.reduce((sum, { most }) => sum + most, 0);
    let at = y;
    for (const bars of outputs) {
      bars.place({ x, y: at }, outputs.length > 1 ? (free * bars.most) / rows : free, type);
      at += bars.height + this.headsOfBars(type) / Math.max(1, outputs.length - 1);
    }
  }

  writeHeads(type) {
    const { stacked } = this.element.dataset;
    const { columns, layout } = this;
    const heads = columns.map((column) => {
      const { x, y, left, slim, slot, row, shown, around } = column;
      const kind = isVector(this.view.scene.stages[shown]) ? "unit" : "map";
      const rest = `+ ${layout.wraps ? left.toLocaleString("en-GB") : plural(left, kind)}`;
      // Up to the next column, but not over the frame of the block that it is in.
      const walls = layout.frames.filter(({ block }) => around.includes(block)).map((frame) => frame.x + frame.width + 6);
      const right = stacked ? layout.width : minimum([...columns.filter((each) => each.slot > slot).map((each) => each.x), ...walls, layout.bars.x]);
      const name = slim ? this.head(column).replace("<br>", " ") : this.head(column);
      if (slim) return `<div class="cv-head cv-slim" data-column="${column.shown}" style="left:${x - 2}px;width:${column.width + 4}px;top:${y + column.height + 6}px">${name}</div>`;
      const more = left ? `<span class="cv-left" title="${plural(left, `more ${kind}`)}" style="left:${x}px;top:${y + column.height + 4}px">${rest}</span>` : "";
      const place = stacked ? `bottom:calc(100% - ${y - 2}px)` : `bottom:calc(100% - ${y - 4}px)`;
      return `<div class="cv-head" data-column="${column.shown}" data-row="${row}" style="left:${x - 2}px;width:${right - x - 6}px;${place}">${name}</div>${more}`;
    });
    const frames = layout.frames.map(({ block, x, y, width }) =>
      `<button type="button" class="cv-frame" data-block="${escapeHtml(block.name)}" aria-expanded="true" title="${escapeHtml(`Close ${blockWords(block)}`)}"
        style="left:${x - 3}px;top:${y}px;min-width:${width + 6}px;height:${frameHeight(type) - 3}px"><b>${escapeHtml(block.caption)}</b> <span>${escapeHtml(block.what)}</span></button>`);
    this.element.querySelector(".cv-heads").innerHTML = [...heads, ...frames].join("");
    this.drawLinks();
  }

  /**
   * A column's heading: a button that goes into the layer or opens the block, and whose keys walk its cells.
   *
   * @param {Item} item
   */
  head({ stages: numbers, block, around, shown }) {
    const { scene } = this.view;
    const stages = numbers.map((s) => scene.stages[s]);
    const [first] = stages;
    const last = scene.stages[shown];
    // Inside of an opened nested model its name goes without saying.
    const folder = around.map(({ caption, what }) => (what === "nested model" ? `${caption}/` : "")).join("");
    const short = (/** @type {string} */ name) => (folder && name.startsWith(folder) ? name.slice(folder.length) : name);
    if (block) {
      const what = block.what.replace(" with squeeze-and-excitation", " + SE") || plural(block.layers, "layer");
      const much = [block.what && plural(block.layers, "layer"), last.rf !== "1" && (last.rf_local ? `field ${last.rf_local} + all` : `field ${last.rf}`)].filter(Boolean);
      const absent = this.view.leftOut(last.index) ? ", left out of this file" : "";
      const label = `${blockWords(block)}, ${plural(block.layers, "layer")}, ${shapeText(last)}, receptive field ${fieldOf(last)}${absent}. Open it`;
      return `<button type="button" class="cv-col cv-block" data-stage="${shown}" data-block="${escapeHtml(block.name)}" aria-expanded="false"
        title="${escapeHtml(`${describeBlock(scene, block, last)}${absent}`)}" aria-label="${escapeHtml(label)}" aria-describedby="cv-keys"><b>${this.name(short(block.caption))}</b>
        <span>${escapeHtml(what)}</span><span class="cv-size">${absent ? "left out" : this.shape(last)}</span>${much.map((words) => `<span>${words}</span>`).join("")}</button>`;
    }
    const what = stages.map(({ label }) => label).join(", ");
    const words = describe(scene, stages);
    const sees = first.op.type === "input" ? "" : `, receptive field ${fieldOf(first)}`;
    const absent = this.view.leftOut(last.index) ? ", left out of this file" : "";
    const name = `${first.layer}: ${what}, ${shapeText(last)}${sees}${absent}`;
    return `<button type="button" class="cv-col" data-stage="${last.index}" data-open="${last.index}" title="${escapeHtml(words + absent)}"
      aria-label="${escapeHtml(name)}" aria-describedby="cv-keys"><b>${this.name(short(first.layer))}</b>
      <span>${escapeHtml(what)}</span><span class="cv-size">${absent ? "left out" : this.shape(last)}</span></button>`;
  }

  /** @param {import("./scene.js").Stage} stage */
  shape(stage) {
    return this.element.dataset.names ? shapeText(stage).replace(/×/g, "×<wbr>") : shapeText(stage);
  }

  /** @param {string} name */
  name(name) {
    return this.element.dataset.names ? breakable(name) : escapeHtml(name);
  }

  drawLinks() {
    const svg = /** @type {SVGElement} */ (this.element.querySelector(".cv-links"));
    const { links, frames, bars, height } = this.layout;
    const room = (/** @type {Bars} */ each) => /** @type {Column} */ (/** @type {unknown} */ ({ x: bars.x, y: each.top, width: 0, height: each.height }));
    const stacked = this.element.dataset.stacked === "yes";
    // Where layers lie under each other, what feeds what goes without saying.
    const ends = stacked ? [] : this.outputs.flatMap((each) => sourcesOfBars(this.view.scene, each.group, this.columnOf).map((from) => ({ from, to: room(each), lane: 0, along: false })));
    const around = stacked ? [] : frames.map(({ x, y, width }) => `<rect class="cv-around" x="${x - 3}" y="${y}" width="${width + 6}" height="${Math.max(0, height - y + 1)}" rx="5"/>`);
    const lines = [...links, ...ends].map(({ from, to, lane, along }) => (lane ? over(from, to, lane) : along ? below(from, to) : ribbon(from, to)));
    svg.innerHTML = [...around, ...lines].join("");
  }

  /** Redraw the maps of these stages. */
  draw(painted) {
    const { view } = this;
    this.maps.draw(view.pictures.at, view.colours.around.line, this.painted ? painted : null);
    this.painted = true;
    for (const bars of this.outputs) bars.draw();
    for (const head of /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll(".cv-col"))) {
      const last = Number(head.dataset.stage);
      const group = this.columnOf.get(last)?.stages ?? this.outputs.find(({ stage }) => stage.index === last)?.group ?? [last];
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
    const seen = telling.map((mark) => this.seen(mark));
    this.maps.mark(seen.filter((mark) => mark !== null), styles);
    for (const bars of this.outputs) bars.mark(marks.filter((mark) => this.seenAs.get(mark.stage) === bars.stage.index));
    // What is inside of a closed block is marked on the whole of it.
    const within = new Map(telling.flatMap((mark, i) => (seen[i] ? [] : [[this.columnOf.get(mark.stage)?.shown, mark.style]])));
    for (const head of /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll(".cv-head"))) {
      head.dataset.mark = within.get(Number(head.dataset.column)) ?? "";
    }
  }

  /** A mark as it is seen on the maps that are there; null if its stage is inside of a closed block. @param {Mark} mark */
  seen(mark) {
    const stage = this.seenAs.get(mark.stage) ?? mark.stage;
    const column = this.columnOf.get(mark.stage);
    return column?.block && column.shown !== stage ? null : { ...mark, stage };
  }

  /** A line along the way that was walked. */
  drawPath() {
    const line = this.element.querySelector(".cv-trail polyline");
    if (this.view.trail.length < 2) {
      line.setAttribute("points", "");
      return;
    }
    const origin = this.maps.base.getBoundingClientRect();
    const points = this.view.trail.map((cell) => {
      const bars = this.outputs.find(({ stage }) => stage.index === this.seenAs.get(cell.stage));
      if (bars) {
        const row = bars.placeOf(cell.channel);
        return row && `${row.left - origin.left},${row.top - origin.top + row.height / 2}`;
      }
      const rect = this.maps.byStage.get(this.seenAs.get(cell.stage) ?? cell.stage)?.[cell.channel];
      const column = this.columnOf.get(cell.stage);
      if (!rect) return column?.block ? `${column.x + column.width / 2},${column.y + column.height / 2}` : null;
      const [x, y, w, h] = this.maps.boxOf(rect, boxOf(cell));
      return `${x + w / 2},${y + h / 2}`;
    });
    const drawn = points.filter(Boolean);
    line.setAttribute("points", drawn.join(" "));
  }

  /** Where a cell is on the screen, in the window's pixels; null if it is not drawn. */
  placeOf(cell) {
    const s = this.seenAs.get(cell.stage) ?? cell.stage;
    const rect = this.maps.byStage.get(s)?.[cell.channel];
    const bars = this.outputs.find(({ stage }) => stage.index === s);
    if (bars) return bars.placeOf(cell.channel);
    if (!rect) return this.columnOf.get(cell.stage)?.block ? this.areaOf(cell.stage) : null;
    const box = this.maps.base.getBoundingClientRect();
    const [x, y, w, h] = this.maps.boxOf(rect, boxOf(cell));
    return new DOMRect(box.left + x, box.top + y, w, h);
  }

  /** Let the columns of a block that was opened come out of the place where it stood. */
  unfold(block, from) {
    if (!from || reducedMotion().matches) return;
    const [left] = this.layout.frames.filter((frame) => frame.block === block);
    if (!left) return;
    const { x } = this.maps.base.getBoundingClientRect();
    const inset = `inset(0 ${Math.max(0, this.maps.width - (from.right - x))}px 0 ${Math.max(0, from.left - x)}px)`;
    for (const part of this.element.querySelectorAll(".cv-maps, .cv-heads")) {
      part.animate([{ clipPath: inset, opacity: 0.3 }, { clipPath: "inset(-100px 0 -100px 0)", opacity: 1 }], { duration: 220, easing: "ease-out" });
    }
  }

  /** Where a stage's column is on the screen. */
  areaOf(s) {
    const column = this.columnOf?.get(s);
    const box = this.maps.base.getBoundingClientRect();
    return column ? new DOMRect(box.left + column.x, box.top + column.y, column.width, column.height) : null;
  }
}

/** A name that may be broken where its words end. @param {string} name */
function breakable(name) {
  return escapeHtml(name).replace(/_(?!\d)|(?<=[/.])/g, (end) => `${end}<wbr>`).replace(" – ", "<br>– ");
}

/** @param {Block} block */
function blockWords({ caption, what }) {
  return what ? `${caption}, ${what}` : caption;
}

/** What a closed block is, in words, for those who point at its name. */
function describeBlock(scene, block, last) {
  const params = block.stages.reduce((sum, s) => sum + scene.stages[s].params, 0);
  return [
    `${blockWords(block)}: ${plural(block.layers, "layer")}, ${shapeText(last)}`,
    `one cell sees ${fieldOf(last)} pixels of the input along each side (its receptive field)`,
    params ? plural(params, "parameter") : "no parameters",
    "Click to open it",
  ].join("\n");
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

/** A line along a free row, to where branches meet again. */
function below(from, to) {
  const [x1, x2] = [from.x + from.width + 2, to.x - 2];
  const y = from.y + from.height / 2;
  const end = to.y + Math.min(y - to.y, to.height) - 2;
  return `<path class="cv-skip" d="M${x1} ${y}H${x2 - 10}Q${x2 - 5} ${y} ${x2 - 5} ${Math.min(y, end)}H${x2}"/>`;
}

/** A line over the columns between. */
function over(from, to, lane) {
  const y = 4 + 9 * (lane - 1);
  const [x1, x2] = [from.x + from.width / 2, to.x + to.width / 2];
  return `<path class="cv-skip" d="M${x1} ${from.y - 2}V${y + 6}Q${x1} ${y} ${x1 + 6} ${y}H${x2 - 6}Q${x2} ${y} ${x2} ${y + 6}V${to.y - 2}"/>`;
}

/** The side of a receptive field; behind global pooling that meets other paths, of these and of all. @param {import("./scene.js").Stage} stage */
function fieldOf({ rf, rf_local: local }) {
  return local ? `${local} (with global pooling ${rf})` : rf;
}
