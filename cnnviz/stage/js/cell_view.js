// One number, large, as it is laid out: for each channel that is read the patch, its kernel, the products.

import { clip } from "./arrays.js";
import { channelName, escapeHtml, plural } from "./words.js";
import { number } from "./numbers.js";
import { softmaxTable } from "./receipt_steps.js";

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
    view.receipt.answer(element);
  }

  /** @param {{ width: number, height: number, type: number }} room */
  layOut(room) {
    this.room = room;
  }

  draw() {
    const { view, room } = this;
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
    const shown = step.groups.slice(0, Math.max(1, count));
    const rest = step.groups.slice(shown.length);
    const source = scene.stages[step.stage.reads[0]];
    const cards = shown.map((group, g) => {
      const grid = (role) => receipt.grid(step, 0, group, g, role, side >= text);
      const product = parts > 1 ? `<i>×</i>${grid("w")}<i>=</i>${grid("p")}` : "";
      const sum = parts > 1 ? `<b class="cv-sum" data-sum="0.${g}"><i>Σ</i> ${number(group.sum)}</b>` : "";
      return `<div class="cv-card"><span class="cv-ch">${escapeHtml(channelName(source, group.channel))}</span>
        <div class="cv-product">${grid("x")}${product}</div>${sum}</div>`;
    });
    const left = rest.length
      ? `<p class="cv-small">and ${plural(rest.length, "more channel")}: ${number(rest.reduce((sum, group) => sum + (group.sum ?? 0), 0))}</p>`
      : "";
    return `<div class="cv-laid" style="--side:${side}px;--tall:${tall}px;--card:${card.width}px">${cards.join("")}</div>${left}`;
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
