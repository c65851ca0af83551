// The picture of the network: the image at the left, a column of maps for each stage, the prediction.

import { largestAt, largestFirst, range } from "./arrays.js";
import { boxOf } from "./cone.js";
import { closest, scrolling } from "./dom.js";
import { layOut } from "./layout.js";
import { number, probability } from "./numbers.js";
import { isVector } from "./scene.js";
import { Surface } from "./surface.js";
import { escapeHtml, plural, shapeText, stageName } from "./words.js";

/** @import { View } from "./view.js" */

const MOST_BARS = 20;
// Of more classes only the likeliest have bars, beside a column of them all.
const LIKELIEST = 10;

export class Overview {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.area = view.part("stagearea");
    this.area.innerHTML = `
      <div class="cv-side cv-in"><div class="cv-sidehead"></div><div class="cv-map"></div></div>
      <div class="cv-window"><button type="button" class="cv-button cv-more" hidden></button>
        <div class="cv-scroll"><div class="cv-strip"></div></div></div>
      <div class="cv-side cv-outs"><div class="cv-sidehead"></div><div class="cv-bars"></div><p class="cv-few"></p></div>`;
    this.input = new Surface(this.area.querySelector(".cv-in .cv-map"));
    this.strip = this.area.querySelector(".cv-strip");
    this.scroll = this.area.querySelector(".cv-scroll");
    this.more = this.area.querySelector(".cv-more");
    this.more.onclick = () => this.scrollOn();
    this.maps = new Surface(this.strip);
    for (const surface of [this.input, this.maps]) this.answer(surface);
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.area.addEventListener("focusin", (event) => this.focused(event));
    this.area.addEventListener("focusout", () => this.leave());
    this.bars = this.area.querySelector(".cv-bars");
    this.listenToBars();
  }

  get firstShown() {
    return this.shown[0] ?? 0;
  }

  rebuild() {
    this.laidOut = null;
  }

  resized() {
    this.showMore();
    if (this.sideSize() !== this.side) {
      this.rebuild();
      this.view.show();
    }
  }

  scrolled() {
    this.view.tooltip.hide();
    this.showMore();
  }

  /** Maps fade out at the edge where there are more of them, and a button there says how many layers. */
  showMore() {
    const { scrollLeft, clientWidth, scrollWidth } = this.scroll;
    this.maps.expose(scrollLeft, clientWidth);
    this.view.refreshSoon();
    const right = scrollLeft + clientWidth;
    const more = right < scrollWidth - 4;
    this.scroll.dataset.more = more ? "yes" : "";
    const left = (this.heads ?? []).filter(({ x, width }) => x + width / 2 > right).length;
    const focused = this.area.getRootNode().activeElement === this.more;
    this.more.hidden = !more;
    if (more) this.more.innerHTML = `${plural(Math.max(1, left), "more layer")} <span aria-hidden="true">→</span>`;
    else if (focused) [...this.strip.querySelectorAll(".cv-col")].pop()?.focus({ preventScroll: true });
  }

  /** To the first layer that is not all in sight, or as far as there is anything. */
  scrollOn() {
    const { scrollLeft, clientWidth } = this.scroll;
    const next = this.heads.find(({ x, width }) => x + width > scrollLeft + clientWidth + 4);
    const left = next && next.x > scrollLeft + 4 ? next.x : scrollLeft + 0.8 * clientWidth;
    this.slideTo(left);
  }

  slideTo(left, atOnce = false) {
    this.scroll.scrollTo({ left, behavior: atOnce ? "auto" : scrolling() });
  }

  sideSize() {
    const width = this.view.root.clientWidth;
    return width < 560 ? 84 : width < 1500 ? 140 : 168;
  }

  layOut() {
    const { scene, zoom } = this.view;
    if (this.laidOut === scene.header.key + zoom) return;
    this.laidOut = scene.header.key + zoom;
    this.side = this.sideSize();
    const { stages, output } = scene;
    const few = output.shape[2] <= MOST_BARS;
    const predicts = isVector(output) && (few || output.op.type === "softmax");
    this.hasBars = predicts && !scene.header.cut && scene.shows(output);
    this.ranked = this.hasBars && !few;
    this.shown = stages
      .filter((stage) => scene.shows(stage) && stage.index !== 0 && !(this.hasBars && few && stage === output))
      .map((stage) => stage.index);
    this.area.querySelector(".cv-in").hidden = !scene.shows(stages[0]);
    this.placeInput(stages[0]);
    const layout = layOut(scene, this.shown, zoom);
    this.strip.querySelectorAll(".cv-head, .cv-col, .cv-limit").forEach((element) => element.remove());
    this.strip.style.width = `${layout.width}px`;
    this.strip.style.height = `${layout.height}px`;
    this.heads = layout.heads;
    this.maps.place(layout.rects, layout.width, layout.height);
    this.writeHeads(layout);
    this.writeBars();
    this.painted = false;
    this.showMore();
  }

  placeInput(stage) {
    const [rows, cols, channels] = stage.shape;
    const cell = Math.max(1, Math.floor(this.side / Math.max(rows, cols)));
    const colours = this.view.scene.picture !== null;
    // A colour picture, and under it its planes with their names.
    const step = rows * cell + (colours ? 16 : 4);
    const rects = range(channels + (colours ? 1 : 0)).map((channel) => ({
      stage: stage.index,
      channel,
      x: 2,
      y: 2 + (colours ? (channel + 1) % (channels + 1) : channel) * step,
      width: cols * cell,
      height: rows * cell,
      rows,
      cols,
      colours: channel === channels,
    }));
    this.input.place(rects, cols * cell + 4, rects.length * step);
    this.writePlanes(stage, rects);
    this.area.querySelector(".cv-in .cv-sidehead").innerHTML = this.headOf([stage.index]) + this.button(stage);
  }

  /** The names of a colour picture's planes, above each. */
  writePlanes(stage, rects) {
    const map = this.area.querySelector(".cv-in .cv-map");
    map.querySelectorAll(".cv-limit").forEach((element) => element.remove());
    if (!stage.planes) return;
    const names = rects.filter(({ colours }) => !colours).map(
      ({ channel, x, y }) => `<span class="cv-limit" style="left:${x}px;top:${y - 15}px">${stage.planes[channel]}</span>`,
    );
    map.insertAdjacentHTML("beforeend", names.join(""));
  }

  headOf(group) {
    const { scene } = this.view;
    const stages = group.map((s) => scene.stages[s]);
    const [first] = stages;
    const params = stages.filter((stage) => stage.params).map((stage) => stage.params.toLocaleString("en-GB"));
    const facts = `${shapeText(first)} · RF ${first.rf}`;
    const field = `Receptive field ${first.rf}: the side, in pixels, of the part of the input that one cell can see`;
    const owned = stages.filter((stage) => stage.params).map(({ name, params }) => `${plural(params, "parameter")} in ${name}`);
    // An activation that stands apart, as the bars do, is not the whole of its layer.
    const apart = scene.stages.some((stage) => stage.layer === first.layer && stage.params);
    const none = apart ? `the layer's ${first.label}` : "no params";
    const count = params.length ? `${params.join(" + ")} params` : none;
    const far = first.reads.length > 1 || (first.reads.length === 1 && first.reads[0] !== first.index - 1);
    const from = far ? `reads ${first.reads.map((s) => stageName(scene.stages[s])).join(", ")}` : "";
    const hidden = first.hidden.length ? `${first.hidden.join(", ")}: passed on unchanged, not shown` : "";
    const notes = [from, first.shared ? `shares the weights of ${first.shared}` : ""].filter(Boolean).join("; ");
    const title = [first.layer, facts, count, notes, hidden].filter(Boolean).join("\n");
    const what = escapeHtml(owned.join(", "));
    const words = owned.length ? escapeHtml(count).replace("params", `<abbr title="${what}">params</abbr>`) : escapeHtml(count);
    const below = notes ? `; ${escapeHtml(notes)}` : "";
    return `<b title="${escapeHtml(title)}">${escapeHtml(first.layer)}</b>
      <span>${shapeText(first)} · <abbr title="${escapeHtml(field)}">RF ${first.rf}</abbr></span>
      <span title="${escapeHtml(title)}">${words}${below}</span>`;
  }

  button(stage) {
    const sees = stage.op.type === "input" ? "" : `, receptive field ${stage.rf}`;
    const name = `${stageName(stage)}, ${stage.label}, ${shapeText(stage)}${sees}`;
    return `<button type="button" class="cv-col" data-stage="${stage.index}" aria-label="${escapeHtml(name)}"
      aria-describedby="cv-keys">${escapeHtml(stage.label)}</button>`;
  }

  writeHeads({ heads, columns }) {
    const { scene } = this.view;
    const parts = heads.map(
      ({ stages, x, width }) =>
        `<div class="cv-head" style="left:${x}px;width:${width}px">${this.headOf(stages)}</div>`,
    );
    for (const { stage, x, y, width, height, room } of columns) {
      const wide = room ?? width + 7;
      parts.push(
        this.button(scene.stages[stage]).replace("<button", `<button style="left:${x}px;width:${wide}px"`),
        `<span class="cv-limit" data-limit="${stage}" style="left:${x}px;top:${y + height + 3}px"></span>`,
      );
    }
    this.strip.insertAdjacentHTML("beforeend", parts.join(""));
  }

  /** Redraw the maps of these stages. */
  draw(painted) {
    const { view } = this;
    const stages = this.painted ? painted : null;
    const frame = view.colours.around.line;
    for (const surface of [this.input, this.maps]) surface.draw(view.pictures.at, frame, stages);
    this.painted = true;
    this.strip.querySelectorAll(".cv-limit").forEach((element) => {
      const s = Number(element.dataset.limit);
      const { kind, limit } = view.scales.of(s, 0, view.range);
      element.textContent = view.range === "map" ? "" : `${kind === "signed" ? "±" : "0–"}${number(limit, 2)}`;
    });
    this.drawBars();
  }

  mark(marks, styles) {
    for (const surface of [this.input, this.maps]) {
      surface.clear();
      surface.mark(marks, styles);
    }
    if (!this.hasBars) return;
    const s = this.view.scene.output.index;
    const mark = marks.filter((candidate) => candidate.stage === s);
    [...this.bars.children].forEach((row) => {
      const channel = Number(row.dataset.channel);
      const styles = mark.filter(({ channels }) => !channels || channels[channel]).map(({ style }) => style);
      row.dataset.mark = styles.includes("cell") ? "cell" : (styles[0] ?? "");
    });
  }

  // The prediction ----------------------------------------------------------------------------------

  writeBars() {
    const side = this.area.querySelector(".cv-outs");
    side.hidden = !this.hasBars;
    if (!this.hasBars) return;
    const { output, classes } = this.view.scene;
    const head = this.headOf([output.index]);
    side.querySelector(".cv-sidehead").innerHTML = head + this.button(output);
    side.querySelector(".cv-few").textContent = this.ranked ? `the ${LIKELIEST} likeliest of ${output.shape[2]}` : "";
    this.bars.classList.toggle("cv-named", this.ranked || classes.some((name) => name.length > 2));
    this.bars.innerHTML = range(this.ranked ? LIKELIEST : output.shape[2]).map(
      (k) => `<button type="button" tabindex="-1" class="cv-barrow" data-channel="${k}">
        <span class="cv-class"></span><span class="cv-track"><i></i><u hidden></u></span>
        <span class="cv-share"></span></button>`,
    ).join("");
  }

  drawBars() {
    if (!this.hasBars) return;
    const { view } = this;
    const { output, classes } = view.scene;
    const values = view.values[output.index];
    const order = this.ranked ? largestFirst(values, LIKELIEST) : range(values.length);
    const scale = view.scales.of(output.index, 0, "layer");
    const shares = output.op.type === "softmax" && !output.op.log;
    const best = largestAt(values);
    [...this.bars.children].forEach((row, i) => {
      const k = order[i];
      row.dataset.channel = k;
      row.title = row.querySelector(".cv-class").textContent = classes[k] ?? k;
      const bar = row.querySelector("i");
      bar.style.width = `${100 * Math.min(1, Math.abs(values[k]) / scale.limit)}%`;
      bar.style.background = values[k] < 0 ? view.colours.around.negative : view.colours.around.positive;
      const text = shares ? probability(values[k]) : number(values[k], 3);
      row.querySelector(".cv-share").textContent = text;
      row.classList.toggle("cv-best", k === best);
      row.setAttribute("aria-label", `${classes[k] ?? k}: ${text}. Show the receipt`);
      const before = row.querySelector("u");
      before.hidden = !view.before;
      if (view.before) before.style.left = `${100 * Math.min(1, Math.abs(view.before[output.index][k]) / scale.limit)}%`;
    });
  }

  listenToBars() {
    const cellOf = (event) => {
      const row = closest(event, ".cv-barrow");
      if (!row) return null;
      return { stage: this.view.scene.output.index, row: 0, col: 0, channel: Number(row.dataset.channel) };
    };
    this.bars.addEventListener("pointermove", (event) => {
      const cell = cellOf(event);
      this.view.look(cell, event.timeStamp, true);
      if (cell) this.view.tooltip.show(cell, event.clientX, event.clientY);
    });
    this.bars.addEventListener("pointerleave", () => this.leave());
    this.bars.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) this.view.pin(cell);
    });
  }

  // The pointer and the keys ------------------------------------------------------------------------

  answer(surface) {
    const { view } = this;
    const cellOf = (event) => {
      const box = surface.base.getBoundingClientRect();
      return surface.cellAt(event.clientX - box.left, event.clientY - box.top);
    };
    const canvas = surface.over;
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      const cell = cellOf(event);
      view.look(cell, event.timeStamp, true);
      if (cell) view.tooltip.show(cell, event.clientX, event.clientY);
      else view.tooltip.hide();
    });
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) view.pin(cell);
      else view.back();
    });
  }

  leave() {
    this.view.tooltip.hide();
    this.view.look(null);
  }

  focused(event) {
    const column = closest(event, "[data-stage]");
    if (!column || !column.matches(":focus-visible")) return;
    const cell = this.view.cursorOf(this.view.scene.stages[Number(column.dataset.stage)]);
    this.view.look(cell);
    this.reveal(cell);
    this.view.tooltip.showAt(cell);
  }

  /** Where a cell is on the screen: its rectangle, or null. */
  placeOf(cell) {
    const surface = cell.stage === 0 ? this.input : this.maps;
    const rect = surface.byStage.get(cell.stage)?.[cell.channel];
    if (!rect) {
      const row = [...this.bars.children].find(({ dataset }) => Number(dataset.channel) === cell.channel);
      return row?.getBoundingClientRect() ?? null;
    }
    const box = surface.base.getBoundingClientRect();
    const [x, y, w, h] = surface.boxOf(rect, boxOf(cell));
    return new DOMRect(box.left + x, box.top + y, w, h);
  }

  /** Scroll a cell's column into sight, sideways only. */
  reveal(cell, atOnce = false) {
    const rect = this.maps.byStage.get(cell.stage)?.[cell.channel];
    if (!rect) return;
    const margin = 140;
    const { scrollLeft, clientWidth } = this.scroll;
    let left = scrollLeft;
    if (rect.x - margin < scrollLeft) left = rect.x - margin;
    else if (rect.x + rect.width + margin > scrollLeft + clientWidth) left = rect.x + rect.width + margin - clientWidth;
    if (left !== scrollLeft) this.slideTo(left, atOnce);
  }
}

