// Changing a channel, a weight, a bias or a pixel: Python computes again, and what changed is marked.

import { boxOfAll, largestAt, range } from "./arrays.js";
import { channelMask } from "./cone.js";
import { button } from "./dom.js";
import { number, probability } from "./numbers.js";
import { cellIndex, isVector } from "./scene.js";
import { measure } from "./view.js";
import { cellName, escapeHtml, plural } from "./words.js";

/** @import { View } from "./view.js" */

/**
 * @param {View} view
 */
export function intervening(view) {
  return view.host.ask ? new Intervening(view) : null;
}

class Intervening {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.edits = [];
    this.count = 0;
    this.baseline = view.values;
    this.of = this.about;
    this.bar = document.createElement("div");
    this.bar.className = "cv-edits";
    view.part("key").after(this.bar);
    view.undoOf = (step) => this.undoOf(step);
    // A view that starts anew knows nothing of changes that Python still makes.
    if (view.scene.header.host.edits) view.host.ask("edits", null);
    view.receipt.editWeight = (weight, at) => this.open(weightEdit(view.scene, weight), at);
  }

  /** The name of the network and image that are shown: questions to Python carry it. */
  get about() {
    return this.view.scene.header.host.item;
  }

  // Asking ------------------------------------------------------------------------------------------

  apply(edit) {
    const key = (each) => JSON.stringify({ ...each, words: "", values: [] });
    const same = (other) => key(other) === key(edit);
    this.send([...this.edits.filter((other) => !same(other)), edit]);
  }

  /** A function that undoes setting a receipt's number to 0; null if it was not set. */
  undoOf({ stage, cell, value }) {
    if (value !== 0 || this.about !== this.of || !this.view.scene.header.host.edits) return null;
    const edit = this.edits.find(
      ({ kind, stage: name, channel }) => kind === "channel" && name === stage.name && channel === cell.channel,
    );
    return edit ? () => this.send(this.edits.filter((other) => other !== edit)) : null;
  }

  send(edits) {
    this.edits = edits;
    this.asked = performance.now();
    this.count += 1;
    this.bar.dataset.busy = "1";
    this.view.host.ask("edits", { of: this.of, edits: this.edits, count: this.count });
  }

  /** Python has nothing new to say: the same change once more. */
  answered() {
    delete this.bar.dataset.busy;
    if (this.edits.length) this.view.receipt.show();
  }

  /** Python answered, or another digit came. */
  updated() {
    const { view } = this;
    const answer = view.scene.header.host ?? {};
    delete this.bar.dataset.busy;
    if (this.about !== this.of) {
      this.of = this.about;
      this.edits = [];
    }
    const applied = answer.edits ?? 0;
    if (!applied) this.baseline = view.values;
    view.before = applied ? this.baseline : null;
    view.extraMarks = applied ? this.changedMarks() : [];
    if (this.asked) {
      measure("cnnviz:intervene", this.asked);
      this.asked = null;
    }
    this.write(answer.error);
    view.network.bars.draw();
    view.refresh();
  }

  /** On every map, the box around the cells that are not what they were. */
  changedMarks() {
    const { scene, values } = this.view;
    return scene.stages.flatMap((stage) => {
      const [height, width, channels] = stage.shape;
      const [now, was] = [values[stage.index], this.baseline[stage.index]];
      return range(channels).flatMap((k) => {
        const box = boxOfAll(height, width, (n) => now[n * channels + k] !== was[n * channels + k]);
        return box ? [{ stage: stage.index, channels: channelMask(stage, [k]), box, style: "changed" }] : [];
      });
    });
  }

  write(error) {
    const { view } = this;
    if (!this.edits.length && !error) {
      this.bar.replaceChildren();
      return;
    }
    const { output, classes } = view.scene;
    const shares = isVector(output) && output.op.type === "softmax";
    const verdict = (values) => {
      const best = largestAt(values);
      return shares ? `${classes[best]}, ${probability(values[best])}` : number(values[best]);
    };
    const was = verdict(this.baseline[output.index]);
    const now = verdict(view.values[output.index]);
    const changed = new Set(view.extraMarks.map((mark) => mark.stage)).size;
    const words = error ? escapeHtml(error) : `before <b>${was}</b>, now <b>${now}</b>; ${plural(changed, "column")} changed`;
    this.bar.innerHTML = `<span>${plural(this.edits.length, "change")} by hand: ${escapeHtml(
      this.edits.map((edit) => edit.words).join("; "),
    )}</span> <span role="status">${words}</span>
      <button type="button" class="cv-button cv-reset">Reset</button>`;
    this.bar.querySelector(".cv-reset").addEventListener("click", () => this.send([]));
  }

  // The receipt's handles ---------------------------------------------------------------------------

  receiptShown(panel) {
    const { view } = this;
    const cell = view.pinned;
    const stage = view.scene.stages[cell.stage];
    const actions = panel.element.querySelector(".cv-ractions");
    const add = (text, run) => actions.append(button(text, run));
    if (stage.op.type === "input") {
      add("Change this pixel", (at) => this.open(pixelEdit(view, cell), at));
      return;
    }
    add(`Zero channel ${cell.channel}`, () =>
      this.apply({ kind: "channel", stage: stage.name, channel: cell.channel, words: `${stage.layer} channel ${cell.channel} = 0` }),
    );
    const weighted = panel.steps[0];
    if (weighted.type !== "weighted") return;
    if (weighted.bias) add("Change the bias", (at) => this.open(weightEdit(view.scene, weighted.bias), at));
    const hint = panel.element.querySelector(".cv-readout");
    hint.textContent += " Click a kernel cell to change it.";
    panel.element.querySelectorAll('[data-role="w"]').forEach((element) => element.classList.add("cv-editable"));
  }

  /** A small form beside what is edited. */
  open(edit, at) {
    this.shut();
    const form = document.createElement("form");
    form.className = "cv-form";
    form.innerHTML = `<label>${escapeHtml(edit.label)} <input class="cv-entry" type="number" step="any"
      value="${Number(edit.value.toPrecision(6))}" ${edit.bounds ?? ""}></label>
      <button class="cv-button">Set</button><button type="button" class="cv-button" data-shut>Cancel</button>`;
    form.onsubmit = (event) => {
      event.preventDefault();
      const value = form.querySelector("input").valueAsNumber;
      if (Number.isFinite(value)) this.apply({ ...edit.edit, values: [value], words: `${edit.label} = ${number(value)}` });
      this.shut();
    };
    form.querySelector("[data-shut]").addEventListener("click", () => this.shut());
    this.form = form;
    this.opener = at;
    (at.closest(".cv-card, .cv-rhead") ?? this.bar).append(form);
    form.querySelector("input").select();
    return true;
  }

  shut() {
    this.form?.remove();
    this.form = null;
  }

  walked() {
    this.shut();
  }

  escape() {
    if (!this.form?.isConnected) return false;
    this.shut();
    this.opener?.focus?.();
    return true;
  }
}

function weightEdit(scene, { name, index, value }) {
  const { shape } = scene.arrays.get(name);
  const place = shape.map((size, axis) => {
    const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Math.floor(index / step) % size;
  });
  return { label: `${name} [${place.join(", ")}]`, value, edit: { kind: "weights", array: name, at: [index] } };
}

function pixelEdit(view, cell) {
  const value = view.valueOf(cell);
  const stage = view.scene.stages[cell.stage];
  const edit = { kind: "values", stage: stage.name, at: [cellIndex(stage, cell)] };
  return { label: cellName(view.scene, cell), value, edit, bounds: 'min="0" max="1"' };
}

