// What is under the pointer, enlarged, with its name and number.

import { isHere, isHole } from "./far_numbers.js";
import { number } from "./numbers.js";
import { seenWords } from "./outlines.js";
import { cellIndex, cellKey, isVector } from "./scene.js";
import { escapeHtml, placeText, stageName } from "./words.js";

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

  write(cell) {
    const { view } = this;
    const stage = view.scene.stages[cell.stage];
    const value = view.valueOf(cell);
    const here = !isHole(view.values[cell.stage], cellIndex(stage, cell));
    const key = `${cellKey(cell)} ${value} ${here}`;
    if (key === this.written && !this.element.hidden) return;
    this.written = key;
    const part = (name) => this.element.querySelector(name);
    part("b").textContent = stageName(stage);
    const vector = isVector(stage);
    const { output } = view.scene;
    // The last softmax reads a score of each class.
    const scores = stage === output || (output.op.type === "softmax" && output.reads[0] === stage.index);
    const unit = scores && stage.shape[2] === view.scene.classes.length ? `class ${view.scene.classes[cell.channel]}` : `unit ${cell.channel}`;
    part(".cv-where").textContent = vector ? unit : placeText(stage, cell);
    const before = view.before && isHere(view.before, stage, cell.channel) ? view.before[cell.stage][cellIndex(stage, cell)] : value;
    const was = number(before) !== number(value) ? `<s>${escapeHtml(number(before))}</s> ` : "";
    part(".cv-value").innerHTML = here ? was + escapeHtml(number(value)) : view.asking ? "…" : "left out of this file";
    part(".cv-sees").textContent = seenWords(view.scene, cell);
    this.canvas.hidden = vector;
    if (!vector) this.enlarge(cell, stage);
  }

  enlarge(cell, stage) {
    const context = this.canvas.getContext("2d");
    const { around } = this.view.colours;
    const picture = this.view.pictures.at(cell.stage, cell.channel);
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
