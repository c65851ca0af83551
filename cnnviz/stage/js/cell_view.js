// One number, large, as it is laid out: for each channel that is read the patch, its kernel, the products.

import { clip, largestFirst, range } from "./arrays.js";
import { pageWords } from "./channels.js";
import { closest, focusIn, offer } from "./dom.js";
import { channelName, escapeHtml, plural } from "./words.js";
import { number } from "./numbers.js";
import { softmaxTable } from "./receipt_steps.js";
import { sameCell } from "./scene.js";

/** @import { View } from "./view.js" */

/** Sides of cells that are tried, as shares of the letters; the first hold their numbers. */
const SIDES = [5, 4.4, 2.8, 2.2, 1.8, 1.5, 1.2, 1, 0.8, 0.65, 0.5];
const TEXT = 4;

export class CellView {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    this.element = element;
    /** @type {import("./surface.js").Surface | null} maps that answer the pointer: none */
    this.maps = null;
    /** Which channel's card the page begins with, in the order of `view.order`. */
    this.first = 0;
    view.receipt.answer(element);
    element.addEventListener("click", (event) => {
      const turned = closest(event, "[data-turn-page]");
      if (turned) this.turn(Number(turned.dataset.turnPage));
    });
    element.addEventListener("change", (event) => {
      if (!closest(event, ".cv-order")) return;
      view.order = /** @type {HTMLSelectElement} */ (event.target).value;
      this.go(0);
    });
  }

  /** A state was taken over: its page is shown. */
  restored(state, pinned) {
    this.first = state.zoom === "cell" ? state.first : 0;
    this.cell = pinned;
  }

  /** @param {{ width: number, height: number, type: number }} room */
  layOut(room) {
    this.room = room;
  }

  draw() {
    const { view, room } = this;
    // Another cell's cards begin at the first.
    if (this.cell && !sameCell(this.cell, view.pinned)) this.first = 0;
    this.cell = view.pinned;
    const step = view.receipt.steps[0];
    const grids = ["weighted", "contracted", "sampled", "max", "mean"].includes(step?.type);
    const table = step?.type === "softmax" ? softmaxTable(view.receipt, step, 0) : "";
    if (table) {
      const rows = step.groups[0].terms.length + 2;
      const row = clip(Math.floor(room.height / rows), 1.2 * room.type, 1.8 * room.type);
      this.element.style.setProperty("--row", `${row}px`);
    }
    this.element.innerHTML = grids ? this.cards(step, room) : `<div class="cv-whole">${this.head()}${table}${view.receipt.whole()}</div>`;
    view.receipt.listTerms(this.element);
  }

  /** For those who go from heading to heading: whose steps follow. */
  head() {
    const { receipt, pinned } = this.view;
    return `<h2 class="cv-unseen">${pinned ? escapeHtml(receipt.heading(pinned)) : ""}</h2>`;
  }

  /** A card for each channel, as many and as large as fit; what does not fit is told by its sum. */
  cards(step, { width, height, type }) {
    const { receipt, scene } = this.view;
    const [{ rows, cols }] = step.groups;
    const parts = ["weighted", "contracted", "sampled"].includes(step.type) ? 3 : 1;
    const line = 1.5 * type;
    const text = TEXT * type;
    const fit = SIDES.map((share) => {
      const side = Math.round(share * type);
      const tall = side >= text ? Math.round(1.8 * type) : side;
      const card = { width: parts * (cols * (side + 1) + 14) + 6, height: line + rows * (tall + 1) + (parts > 1 ? line : 0) + 8 };
      const count = Math.floor(width / card.width) * Math.floor((height - line) / card.height);
      return { side, tall, card, count };
    });
    const { side, tall, card, count } = fit.find((each) => each.count >= step.groups.length) ?? fit[fit.length - 1];
    this.count = step.groups.length;
    this.most = Math.max(1, count);
    const paged = this.most < this.count;
    if (paged) this.most = Math.max(1, Math.floor(width / card.width) * Math.floor((height - 2.4 * type) / card.height));
    const sums = step.groups.map(({ sum = 0 }) => (Number.isNaN(sum) ? Infinity : Math.abs(sum)));
    const order = paged && this.view.order === "ranked" ? largestFirst(sums, this.count) : range(this.count);
    this.first = paged ? clip(this.first, 0, this.count - 1) : 0;
    const shown = order.slice(this.first, this.first + this.most);
    const source = scene.stages[step.stage.reads[0]];
    const cards = shown.map((g) => {
      const group = step.groups[g];
      const grid = (role) => receipt.grid(step, 0, group, g, role, side >= text);
      const product = parts > 1 ? `<i>×</i>${grid("w")}<i>=</i>${grid("p")}` : "";
      const sum = parts > 1 ? `<b class="cv-sum" data-sum="0.${g}"><i>Σ</i> ${number(group.sum)}</b>` : "";
      const name = group.channel === null ? "" : channelName(source, group.channel);
      return `<div class="cv-card"><span class="cv-ch">${escapeHtml(name)}</span>
        <div class="cv-product">${grid("x")}${product}</div>${sum}</div>`;
    });
    const rest = step.groups.reduce((sum, group) => sum + (group.sum ?? 0), 0) - shown.reduce((sum, g) => sum + (step.groups[g].sum ?? 0), 0);
    const bar = paged ? this.bar(shown.length, parts > 1 ? rest : null) : "";
    return `${bar}<div class="cv-laid" style="--side:${side}px;--tall:${tall}px;--card:${card.width}px">${cards.join("")}</div>`;
  }

  /** Which cards are shown, what the others add, and the way to them. */
  bar(shown, rest) {
    const { first, count, view } = this;
    const select = document.createElement("select");
    offer(select, [["ranked", "largest first"], ["laid out", "as laid out"]], "");
    for (const option of select.options) option.toggleAttribute("selected", option.value === view.order);
    select.className = "cv-order";
    select.setAttribute("aria-label", "Order of the channels");
    const others = rest === null ? "" : `; the ${plural(count - shown, "other")} add ${number(rest)}`;
    const words = `${pageWords(view.order !== "ranked", first, shown, count)}${others}`;
    return `<div class="cv-pages cv-cardpages" role="group" aria-label="Channels that go in">${select.outerHTML}
      <span class="cv-turning"><button type="button" data-turn-page="-1" aria-label="Previous channels" ${first ? "" : "disabled"}>‹</button>
      <span class="cv-pagewords">${words}</span>
      <button type="button" data-turn-page="1" aria-label="Next channels" ${first + shown < count ? "" : "disabled"}>›</button></span></div>`;
  }

  turn(by) {
    const first = this.first + by * this.most;
    if (first >= this.count || (by < 0 && this.first === 0)) return;
    this.go(Math.max(0, first));
  }

  go(first) {
    const { view } = this;
    const focused = focusIn(this.element);
    const label = this.element.contains(focused) && focused?.getAttribute("aria-label");
    this.first = first;
    view.drawLevel();
    view.refresh();
    if (label) {
      const again = /** @type {any} */ (this.element.querySelector(`[aria-label="${label}"]:not(:disabled)`) ?? this.element.querySelector(".cv-order"));
      again?.focus({ preventScroll: true });
    }
    view.say(this.element.querySelector(".cv-pagewords")?.textContent ?? "");
    view.host.remember?.(view.state());
  }

  /** Page Up and Page Down turn the pages; true if they did. */
  pressed(event) {
    const by = { PageDown: 1, PageUp: -1 }[/** @type {string} */ (event.key)];
    if (!by || !this.element.querySelector(".cv-cardpages")) return false;
    event.preventDefault();
    this.turn(by);
    return true;
  }

  /** What is pointed at lights up in the grids; the strip shows it on the maps. */
  mark() {}

  placeOf() {
    return null;
  }

  areaOf() {
    return null;
  }
}
