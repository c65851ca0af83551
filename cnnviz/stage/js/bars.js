// The prediction: a bar for each class, or for the likeliest of many.

import { largestAt, largestFirst, range } from "./arrays.js";
import { closest } from "./dom.js";
import { number, probability } from "./numbers.js";
import { isProbability, isVector } from "./scene.js";

/** @import { Scene, Stage } from "./scene.js" */
/** @import { Mark } from "./surface.js" */
/** @import { View } from "./view.js" */

const MOST = 20;
/** Of more classes, or where there is no room, only the likeliest have bars: so many, and so few. */
const LIKELIEST = 10;
const FEWEST = 3;
/** The height of what is said of the others, as a share of the letters. */
const OTHERS = 3.6;

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

  /**
   * Whether an output is drawn as bars.
   *
   * @param {Scene} scene
   * @param {Stage} output
   */
  static suit(scene, output) {
    const few = output.shape[2] <= MOST;
    return isVector(output) && (few || output.op.type === "softmax") && !scene.header.cut && scene.shows(output);
  }

  /**
   * Take an output, and the stages that end in its bars.
   *
   * @param {Stage} stage
   * @param {number[]} group
   */
  begin(stage, group) {
    const { scene } = this.view;
    this.stage = stage;
    this.group = group;
    const classes = stage.shape[2];
    this.named = classes > MOST || range(classes).some((k) => scene.className(stage, k).length > 2);
    /** As many rows as there may be, and as there are. */
    this.count = this.most = classes > MOST ? LIKELIEST : classes;
  }

  get ranked() {
    return this.count < this.stage.shape[2];
  }

  /** @param {number} type the smallest letters' size */
  width(type) {
    return Math.round((this.named ? 13 : 11.5) * type);
  }

  /** The height that all rows would have. @param {number} type */
  least(type) {
    return Math.ceil(this.most * this.row(type) + 4 + (this.most < this.stage.shape[2] ? OTHERS * type : 0));
  }

  /** @param {number} type */
  row(type) {
    return (this.named ? 2.3 : 1.45) * type;
  }

  /** The least height of a row where there is no room for more. @param {number} type */
  lowest(type) {
    return (this.named ? 2.3 : 1.2) * type;
  }

  /**
   * @param {{ x: number, y: number }} place
   * @param {number} height
   * @param {number} type
   */
  place({ x, y }, height, type) {
    const { element, view } = this;
    this.count = this.most;
    const others = () => (this.ranked ? OTHERS * type : 0);
    while (this.count > FEWEST && this.count * this.lowest(type) + others() > height) this.count--;
    const row = Math.min(2.2 * type * (this.named ? 1.4 : 1), Math.max(this.lowest(type), (height - others()) / this.count));
    this.height = row * this.count;
    this.top = y;
    Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${this.width(type)}px` });
    element.style.setProperty("--row", `${row}px`);
    element.classList.toggle("cv-named", this.named);
    element.querySelector(".cv-barhead").innerHTML = view.network.head({ stages: this.group, shown: this.stage.index, block: null, around: [] });
    this.list.innerHTML = range(this.count).map(
      (k) => `<button type="button" tabindex="-1" class="cv-barrow" data-channel="${k}">
        <span class="cv-class"></span><span class="cv-track"><i></i><u hidden></u></span>
        <span class="cv-share"></span></button>`,
    ).join("");
  }

  draw() {
    const { view, stage, ranked } = this;
    const values = view.values[stage.index];
    const order = ranked ? largestFirst(values, this.count) : range(values.length);
    const scale = view.scales.of(stage.index, 0, "layer");
    const chances = isProbability(stage);
    const best = largestAt(values);
    this.rows.forEach((row, i) => {
      const k = order[i];
      row.dataset.channel = String(k);
      const name = view.scene.className(stage, k);
      row.title = row.querySelector(".cv-class").textContent = ranked && this.named && name === String(k) ? `class ${k}` : name;
      const bar = row.querySelector("i");
      bar.style.width = `${100 * Math.min(1, Math.abs(values[k]) / scale.limit)}%`;
      bar.style.background = values[k] < 0 ? view.colours.around.negative : view.colours.around.positive;
      const text = chances ? probability(values[k]) : number(values[k], 3);
      row.querySelector(".cv-share").textContent = text;
      row.classList.toggle("cv-best", k === best);
      row.setAttribute("aria-label", `${name}: ${text}. Show the receipt`);
      const before = row.querySelector("u");
      before.hidden = !view.before;
      if (view.before) before.style.left = `${100 * Math.min(1, Math.abs(view.before[stage.index][k]) / scale.limit)}%`;
    });
    const rest = values.length - order.length;
    const sum = values.reduce((all, value) => all + value, 0) - order.reduce((all, k) => all + values[k], 0);
    const together = chances ? `: ${probability(Math.max(0, sum))} together` : "";
    this.element.querySelector(".cv-few").textContent = ranked ? `${rest.toLocaleString("en-GB")} others${together}` : "";
  }

  /** @param {Mark[]} marks of the stages that end in the bars */
  mark(marks) {
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
      return row && { stage: this.stage.index, row: 0, col: 0, channel: Number(row.dataset.channel) };
    };
    list.addEventListener("pointermove", (event) => view.pointAt(cellOf(event), event));
    list.addEventListener("pointerleave", () => view.leave());
    list.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) view.pin(cell);
    });
  }
}
