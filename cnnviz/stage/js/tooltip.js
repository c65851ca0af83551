// What is under the pointer, enlarged, with its name and number.

import { isHere, isHole } from "./far_numbers.js";
import { beside, number } from "./numbers.js";
import { seenWords } from "./outlines.js";
import { cellIndex, cellKey, isVector } from "./scene.js";
import { channelName, escapeHtml, placeText, positionText, stageName } from "./words.js";

/** @import { View } from "./view.js" */

const SEEN = 11;
const CELL = 9;
const SIZE = { width: 250, height: 116 };

export class Tooltip {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.element = view.part("tip");
    this.element.innerHTML = `<canvas width="${SEEN * CELL * 2}" height="${SEEN * CELL * 2}" aria-hidden="true"></canvas>
      <div><b></b><span class="cv-where"></span><span class="cv-value"></span><span class="cv-sees"></span></div>`;
    this.canvas = this.element.querySelector("canvas");
  }

  /** Beside a point of the window. */
  show(cell, x, y) {
    this.write(cell);
    this.place(x, y);
  }

  /** Beside the cell itself, for the keys; beside its layer where its map is not on the screen. */
  showAt(cell) {
    const { level } = this.view;
    const place = level.placeOf(cell) ?? level.areaOf(cell.stage);
    if (place) this.show(cell, place.right, place.bottom);
  }

  hide() {
    this.element.hidden = true;
  }

  /** The numbers may be others now. */
  again() {
    if (this.view.hover && !this.element.hidden) this.write(this.view.hover);
  }

  write(cell) {
    const { view } = this;
    const stage = view.scene.stages[cell.stage];
    // On the whole picture it is a pixel in all its planes.
    const planes = cell.colours ? (view.scene.picture?.channels ?? []) : [cell.channel];
    const cells = planes.map((channel) => ({ ...cell, channel }));
    const here = !isHole(view.values[cell.stage], cellIndex(stage, cell));
    const key = `${cells.map(cellKey)} ${cells.map((each) => view.valueOf(each))} ${here}`;
    if (key === this.written && !this.element.hidden) return;
    this.written = key;
    const part = (name) => this.element.querySelector(name);
    part("b").textContent = stageName(stage);
    const vector = isVector(stage);
    const { output } = view.scene;
    // The last softmax reads a score of each class.
    const scores = stage === output || (output.op.type === "softmax" && output.reads[0] === stage.index);
    const unit = scores && stage.shape[2] === view.scene.classes.length ? `class ${view.scene.classes[cell.channel]}` : `unit ${cell.channel}`;
    part(".cv-where").textContent = vector ? unit : cell.colours ? positionText(stage, cell) : placeText(stage, cell);
    const values = cells.map((each) => (cell.colours ? `${channelName(stage, each.channel)} ` : "") + this.valueText(each, stage));
    part(".cv-value").innerHTML = here ? values.join("<br>") : view.asking ? "…" : "left out of this file";
    part(".cv-value").classList.toggle("cv-planes", Boolean(cell.colours));
    part(".cv-sees").textContent = seenWords(view.scene, cell);
    this.canvas.hidden = vector;
    if (!vector) this.enlarge(cell, stage);
  }

  /** A cell's number, behind what it was before a change; those of a pixel have one number of decimals. */
  valueText(cell, stage) {
    const { view } = this;
    const text = (/** @type {number} */ value) => escapeHtml(cell.colours ? beside(value, view.scales.of(stage.index, 0, "layer").limit, false, 4) : number(value));
    const now = text(view.valueOf(cell));
    if (!view.before || !isHere(view.before, stage, cell.channel)) return now;
    const before = text(view.before[cell.stage][cellIndex(stage, cell)]);
    return before === now ? now : `<s>${before}</s> ${now}`;
  }

  enlarge(cell, stage) {
    const context = this.canvas.getContext("2d");
    const { around } = this.view.colours;
    const picture = this.view.pictures.at(cell.stage, cell.colours ? stage.shape[2] : cell.channel);
    const [height, width] = stage.shape;
    const size = CELL * 2;
    const half = SEEN >> 1;
    context.imageSmoothingEnabled = false;
    context.fillStyle = around.panel;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const [top, left] = [Math.max(0, cell.row - half), Math.max(0, cell.col - half)];
    const [rows, cols] = [Math.min(height, cell.row + half + 1) - top, Math.min(width, cell.col + half + 1) - left];
    const place = [left - cell.col + half, top - cell.row + half, cols, rows].map((cells) => cells * size);
    if (picture) context.drawImage(picture.image, picture.x + left, picture.y + top, cols, rows, ...place);
    for (const [colour, width] of /** @type {[string, number][]} */ ([[around.background, 6], [around.ink, 3]])) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(half * size - 1, half * size - 1, size + 2, size + 2);
    }
  }

  place(x, y) {
    const { element, view } = this;
    element.hidden = false;
    const root = view.root.getBoundingClientRect();
    const { width, height } = SIZE;
    const right = Math.min(root.right, window.innerWidth);
    const left = x + 16 + width > right ? Math.max(root.left, Math.min(x - 16 - width, right - width)) : x + 16;
    const top = y + 18 + height > window.innerHeight ? y - 14 - height : y + 18;
    element.style.transform = `translate(${Math.round(left - root.left)}px, ${Math.round(top - root.top)}px)`;
  }
}
