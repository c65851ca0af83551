// The prediction: a bar for each class, or for the likeliest of many.

import { largestAt, largestFirst, range } from "./arrays.js";
import { closest } from "./dom.js";
import { number, probability } from "./numbers.js";
import { isVector } from "./scene.js";

/** @import { Mark } from "./surface.js" */
/** @import { View } from "./view.js" */

const MOST = 20;
/** Of more classes only the likeliest have bars, beside a column of them all. */
const LIKELIEST = 10;

export class Bars {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    this.element = element;
    element.innerHTML = `<div class="cv-barhead"></div><div class="cv-bars"></div><p class="cv-few"></p>`;
    /** @type {HTMLElement} */
    this.list = element.querySelector(".cv-bars");
    this.listen();
  }

  /** Find out whether there are bars, and of which classes. */
  begin() {
    const { scene } = this.view;
    const { output, classes } = scene;
    const few = output.shape[2] <= MOST;
    const predicts = isVector(output) && (few || output.op.type === "softmax");
    this.shown = predicts && !scene.header.cut && scene.shows(output);
    this.ranked = this.shown && !few;
    this.named = this.ranked || classes.some((name) => name.length > 2);
    this.count = this.ranked ? LIKELIEST : output.shape[2];
  }

  /** @param {number} type the smallest letters' size */
  width(type) {
    return Math.round((this.named ? 13 : 11.5) * type);
  }

  /** The least height. @param {number} type */
  least(type) {
    return Math.ceil(this.count * this.row(type) + 4);
  }

  /** @param {number} type */
  row(type) {
    return (this.named ? 2.3 : 1.45) * type;
  }

  /**
   * @param {{ x: number, y: number }} place
   * @param {number} height
   * @param {number} type
   * @param {number[] | null} group the stages that end in the bars
   */
  place({ x, y }, height, type, group) {
    const { element, view } = this;
    element.hidden = !this.shown;
    if (!this.shown) return;
    const row = Math.min(2.2 * type * (this.named ? 1.4 : 1), Math.max(this.row(type), height / this.count));
    this.height = row * this.count;
    Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${this.width(type)}px` });
    element.style.setProperty("--row", `${row}px`);
    element.classList.toggle("cv-named", this.named);
    const { scene } = view;
    element.querySelector(".cv-barhead").innerHTML = view.network.head(group ?? [scene.output.index]);
    element.querySelector(".cv-few").textContent = this.ranked ? `the ${LIKELIEST} likeliest of ${scene.output.shape[2].toLocaleString("en-GB")}` : "";
    this.list.innerHTML = range(this.count).map(
      (k) => `<button type="button" tabindex="-1" class="cv-barrow" data-channel="${k}">
        <span class="cv-class"></span><span class="cv-track"><i></i><u hidden></u></span>
        <span class="cv-share"></span></button>`,
    ).join("");
  }

  draw() {
    if (!this.shown) return;
    const { view } = this;
    const { output, classes } = view.scene;
    const values = view.values[output.index];
    const order = this.ranked ? largestFirst(values, LIKELIEST) : range(values.length);
    const scale = view.scales.of(output.index, 0, "layer");
    const best = largestAt(values);
    this.rows.forEach((row, i) => {
      const k = order[i];
      row.dataset.channel = String(k);
      row.title = row.querySelector(".cv-class").textContent = String(classes[k] ?? k);
      const bar = row.querySelector("i");
      bar.style.width = `${100 * Math.min(1, Math.abs(values[k]) / scale.limit)}%`;
      bar.style.background = values[k] < 0 ? view.colours.around.negative : view.colours.around.positive;
      const text = view.scene.predicts ? probability(values[k]) : number(values[k], 3);
      row.querySelector(".cv-share").textContent = text;
      row.classList.toggle("cv-best", k === best);
      row.setAttribute("aria-label", `${classes[k] ?? k}: ${text}. Show the receipt`);
      const before = row.querySelector("u");
      before.hidden = !view.before;
      if (view.before) before.style.left = `${100 * Math.min(1, Math.abs(view.before[output.index][k]) / scale.limit)}%`;
    });
  }

  /** @param {Mark[]} marks of the stages that end in the bars */
  mark(marks) {
    if (!this.shown) return;
    this.rows.forEach((row) => {
      const channel = Number(row.dataset.channel);
      const styles = marks.filter(({ channels }) => !channels || channels[channel]).map(({ style }) => style);
      row.dataset.mark = styles.includes("cell") ? "cell" : (styles[0] ?? "");
    });
  }

  /** @returns {HTMLElement[]} */
  get rows() {
    return [.../** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll(".cv-barrow"))];
  }

  /** @param {number} channel */
  placeOf(channel) {
    const row = this.rows.find(({ dataset }) => Number(dataset.channel) === channel);
    return row?.getBoundingClientRect() ?? null;
  }

  listen() {
    const { view, list } = this;
    const cellOf = (event) => {
      const row = closest(event, ".cv-barrow");
      return row && { stage: view.scene.output.index, row: 0, col: 0, channel: Number(row.dataset.channel) };
    };
    list.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const cell = cellOf(event);
      view.look(cell, event.timeStamp, true);
      if (cell) view.tooltip.show(cell, event.clientX, event.clientY);
    });
    list.addEventListener("pointerleave", () => view.leave());
    list.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) view.pin(cell);
    });
  }
}

