// The whole network in one row of small maps, while something of it is looked at closely: the place and the
// way there stay marked.

import { largestAt } from "./arrays.js";
import { closest } from "./dom.js";
import { LEAST_CELL, sidesOf } from "./layout.js";
import { probability } from "./numbers.js";
import { isVector } from "./scene.js";
import { Surface } from "./surface.js";
import { escapeHtml } from "./words.js";

/** @import { Mark, Style } from "./surface.js" */
/** @import { View } from "./view.js" */

const GAP = 8;
const SIDE = 42;
/** The width of a sequence, which is a band here too. */
const BAND = 8;

export class Strip {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    this.element = element;
    element.innerHTML = `<div class="cv-stripmaps"></div><div class="cv-places"></div><span class="cv-stripend"></span>`;
    this.maps = new Surface(element.querySelector(".cv-stripmaps"));
    element.addEventListener("click", (event) => {
      const place = closest(event, "[data-place]");
      if (place) view.zoomTo("layer", Number(place.dataset.place));
    });
  }

  /** One map for each column: the one on the way, else the liveliest. */
  layOut(width) {
    const { view } = this;
    const { scene } = view;
    const columns = view.network.columns ?? [];
    const onTheWay = new Map(view.trail.map((cell) => [view.network.seenAs.get(cell.stage), cell.channel]));
    const side = Math.max(8, Math.min(SIDE, (width - 110) / Math.max(1, columns.length) - GAP));
    const least = Math.min(18, side);
    let x = 2;
    const rects = columns.map(({ shown }) => {
      const stage = scene.stages[shown];
      const [rows, cols] = stage.shape;
      const cell = isVector(stage) ? Math.min(12, side) : Math.min(side / Math.max(rows, cols), 6);
      const channel = onTheWay.get(shown) ?? view.liveliest(stage, 1)[0];
      const [wide, tall] = sidesOf(stage, cell, isVector(stage) ? 0 : BAND);
      const rect = { stage: shown, channel, x, y: 2, width: wide, height: tall, rows, cols, ...(cell < LEAST_CELL && { thumbnail: true }) };
      x += Math.max(least, rect.width) + GAP;
      return rect;
    });
    this.maps.place(rects, x, SIDE + 4);
    const here = view.network.columnOf.get(view.lookedAt)?.shown ?? view.lookedAt;
    this.element.querySelector(".cv-places").innerHTML = rects.map((rect) => {
      const column = view.network.columnOf.get(rect.stage);
      const layer = column?.block?.caption ?? scene.stages[rect.stage].layer;
      const absent = view.leftOut(rect.stage) ? ", left out of this file" : "";
      const current = rect.stage === here ? 'aria-current="true"' : "";
      return `<button type="button" data-place="${rect.stage}" ${current} aria-label="Go to ${escapeHtml(layer + absent)}" title="${escapeHtml(layer + absent)}"
        style="left:${rect.x - 3}px;width:${Math.max(least, rect.width) + 6}px;--tall:${Math.max(least, rect.height) + 4}px"></button>`;
    }).join("");
  }

  draw() {
    const { view } = this;
    const { scene, values } = view;
    this.layOut(this.element.clientWidth);
    this.maps.draw(view.pictures.at, view.colours.around.line);
    const { output, classes } = scene;
    const best = largestAt(values[output.index]);
    const shown = scene.predicts && view.network.bars;
    this.element.querySelector(".cv-stripend").textContent = shown ? `${classes[best]} ${probability(values[output.index][best])}` : "";
  }

  /**
   * @param {Mark[]} marks
   * @param {Record<string, Style>} styles
   */
  mark(marks, styles) {
    const { network } = this.view;
    this.maps.clear();
    this.maps.mark(marks.map((mark) => network.seen(mark)).filter((mark) => mark !== null), styles);
  }
}
