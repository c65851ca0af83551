// Finding a map among thousands by a few keys: G asks for a layer by its number or name, digits are a channel's number.

import { blocksAround, onOneWay } from "./blocks.js";
import { closest } from "./dom.js";
import { channelName, escapeHtml, layerCalled, stageName } from "./words.js";

/** @import { View } from "./view.js" */

/** What takes a letter or a digit itself. */
const TAKES = "input, select, textarea, [contenteditable], .cv-pad";
/** Milliseconds within which digits are one number. */
const SOON = 1500;

/**
 * @param {View} view
 */
export function finding(view) {
  return new Finding(view);
}

class Finding {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.typed = { stage: -1, number: 0, at: 0 };
    this.form = document.createElement("form");
    this.form.className = "cv-form cv-goto";
    this.form.hidden = true;
    this.form.innerHTML = `<label>Go to layer <input class="cv-entry" autocomplete="off" placeholder="number or name"></label>
      <datalist></datalist><span class="cv-small" role="status"></span>`;
    this.input = /** @type {HTMLInputElement} */ (this.form.querySelector("input"));
    this.list = /** @type {HTMLDataListElement} */ (this.form.querySelector("datalist"));
    this.list.id = `cv-layers-${Math.random().toString(36).slice(2)}`;
    this.input.setAttribute("list", this.list.id);
    view.root.append(this.form);
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.find();
    };
    this.form.addEventListener("focusout", () => this.shut());
    view.root.addEventListener("keydown", (event) => this.digit(event));
    this.keyed = (/** @type {KeyboardEvent} */ event) => this.pressed(event);
    document.addEventListener("keydown", this.keyed);
  }

  /** The layers that are shown, each by the stage that ends it, in the network's order. */
  get layers() {
    const { scene } = this.view;
    return new Map(scene.stages.filter((stage) => scene.shows(stage)).map(({ layer, index }) => [layer, index]));
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key.toLowerCase() !== "g" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { root } = this.view;
    const [target] = event.composedPath();
    const element = target instanceof Element ? target : document.body;
    const nowhere = element === document.body || element === document.documentElement;
    if (element.closest(TAKES) || !(nowhere ? this.view.isLastUsed() : root.contains(element))) return;
    event.preventDefault();
    this.open();
  }

  open() {
    this.view.tooltip.hide();
    this.list.innerHTML = [...this.layers.keys()].map((name, n) => `<option value="${n} ${escapeHtml(name)}"></option>`).join("");
    this.form.hidden = false;
    this.input.value = "";
    this.said("");
    this.input.focus({ preventScroll: true });
  }

  shut() {
    this.form.hidden = true;
  }

  said(words) {
    /** @type {HTMLElement} */ (this.form.querySelector(".cv-small")).textContent = words;
    this.input.setAttribute("aria-invalid", String(Boolean(words)));
  }

  find() {
    const names = [...this.layers.keys()];
    const name = layerCalled(names, this.input.value.trim());
    if (name === null) this.said(`There are layers 0 to ${names.length - 1}`);
    else this.go(/** @type {number} */ (this.layers.get(name)));
  }

  /** To a stage: its column has the focus, in blocks that are opened for it; large where another one ends its column. */
  go(s) {
    const { view } = this;
    const { scene } = view;
    const stage = scene.stages[s];
    const [block] = blocksAround(scene, s).slice(-1);
    view.open = onOneWay(scene, [...view.open, block?.name ?? ""]);
    this.shut();
    view.hover = null;
    view.again();
    if (view.zoom !== "network" || view.network.seenAs.get(s) !== s) view.zoomTo("layer", s);
    const column = /** @type {HTMLElement | null} */ (view.level.element.querySelector(`[data-stage="${s}"]`));
    column?.focus({ preventScroll: true });
    column?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    view.look(view.cursorOf(stage));
    view.say(`${stageName(stage)}: digits choose a channel, L its largest cell.`);
    view.host.remember?.(view.state());
  }

  /** Digits on a column, one after the other: the number of a channel. @param {KeyboardEvent} event */
  digit(event) {
    if (!/^\d$/.test(event.key) || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const column = closest(event, "[data-stage]");
    if (!column || closest(event, TAKES)) return;
    const { view } = this;
    const stage = view.scene.stages[Number(column.dataset.stage)];
    const { typed } = this;
    const soon = typed.stage === stage.index && event.timeStamp - typed.at < SOON;
    const number = soon && 10 * typed.number + Number(event.key) < stage.shape[2] ? 10 * typed.number + Number(event.key) : Number(event.key);
    this.typed = { stage: stage.index, number, at: event.timeStamp };
    event.preventDefault();
    if (number >= stage.shape[2]) {
      view.say(`There is no ${channelName(stage, number)}.`);
      return;
    }
    const cell = { ...view.cursorOf(stage), channel: number };
    view.look(cell, event.timeStamp);
    view.tooltip.showAt(cell);
  }

  escape() {
    if (this.form.hidden) return false;
    this.shut();
    return true;
  }

  destroy() {
    document.removeEventListener("keydown", this.keyed);
  }
}
