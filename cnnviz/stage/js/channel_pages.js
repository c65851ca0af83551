// The channels of a layer that do not all fit: their order, the page that is shown, and the search for one.

import { channelsCalled, pageWords } from "./channels.js";
import { closest, focusIn, offer } from "./dom.js";
import { channelName, plural, stageName } from "./words.js";

/** @import { ChannelOrder, Page } from "./channels.js" */
/** @import { Stage } from "./scene.js" */
/** @import { View } from "./view.js" */

export class ChannelPages {
  /**
   * @param {View} view
   * @param {HTMLElement} element
   */
  constructor(view, element) {
    this.view = view;
    /** @type {ChannelOrder} */
    this.order = "as fits";
    /** The place in their order that the page begins with, of the stage that it was turned for. */
    this.first = { stage: -1, place: 0 };
    this.bar = document.createElement("div");
    this.bar.className = "cv-pages";
    this.bar.setAttribute("role", "group");
    this.bar.setAttribute("aria-label", "Channels of this layer");
    this.bar.innerHTML = `<select aria-label="Order of the channels"></select>
      <input type="search" class="cv-find" placeholder="channel 37, 30-40" aria-label="Find a channel by its number, a range or its name">
      <span class="cv-turning"><button type="button" data-turn-page="-1" aria-label="Previous channels">‹</button>
      <span class="cv-pagewords"></span><button type="button" data-turn-page="1" aria-label="Next channels">›</button></span>`;
    this.bar.hidden = true;
    element.append(this.bar);
    this.select = /** @type {HTMLSelectElement} */ (this.bar.querySelector("select"));
    this.input = /** @type {HTMLInputElement} */ (this.bar.querySelector("input"));
    this.select.onchange = () => this.reorder(/** @type {ChannelOrder} */ (this.select.value), 0);
    this.bar.addEventListener("click", (event) => {
      const turned = closest(event, "[data-turn-page]");
      if (turned && this.shown) this.turn(this.shown.stage, this.shown.page, Number(turned.dataset.turnPage));
    });
    this.input.addEventListener("change", () => this.find());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.find();
      if (event.key === "Escape") this.input.value = "";
    });
  }

  /**
   * The order and the page of a stage.
   *
   * @param {Stage} stage
   */
  of({ index }) {
    return { order: this.order, first: this.first.stage === index ? this.first.place : 0 };
  }

  /**
   * Take over what a state says of the stage that it is about.
   *
   * @param {{ channels: ChannelOrder, first: number }} state
   * @param {number} stage
   */
  restore({ channels, first }, stage) {
    this.order = channels;
    this.first = { stage, place: first };
  }

  /** How high the line is, or both lines where it is narrow. */
  height(width, type) {
    return Math.ceil((width < 48 * type ? 2 : 1) * 2.4 * type);
  }

  /**
   * @param {Stage} stage
   * @param {Page} page
   * @param {{ x: number, y: number, width: number, height: number }} room
   */
  show(stage, page, { x, y, width, height }) {
    this.bar.hidden = !height;
    if (!height) return;
    // A page that was found by a channel, or that another window begins elsewhere.
    this.first = { stage: stage.index, place: page.first };
    if (this.shown?.stage.index !== stage.index) this.input.value = "";
    this.shown = { stage, page };
    Object.assign(this.bar.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height - 4}px` });
    offer(this.select, [["by activity", "by activity"], ["by number", "by number"]], page.order);
    this.select.title = "By activity: the channels with the largest numbers first, whatever their sign";
    const last = page.first + page.channels.length;
    const words = pageWords(page.order === "by number", page.first, page.channels.length, page.count);
    /** @type {HTMLElement} */ (this.bar.querySelector(".cv-pagewords")).textContent = words;
    const [back, on] = /** @type {NodeListOf<HTMLButtonElement>} */ (this.bar.querySelectorAll("button"));
    back.disabled = page.first === 0;
    on.disabled = last >= page.count;
  }

  /** Another page, so many further; true if there is one. */
  turn(stage, page, by) {
    const step = page.channels.length;
    // Pages begin at whole numbers of pages, but for the last, which is full.
    const place = by > 0 ? page.first + step : Math.ceil(page.first / step) * step - step;
    if (place >= page.count || (by < 0 && page.first === 0)) return false;
    this.go(stage, Math.max(0, place));
    return true;
  }

  /** The page that a channel is on. */
  goTo(stage, page, channel) {
    const { view } = this;
    const place = page.order === "by number" ? channel : placeOf(view.activity(stage), channel);
    this.go(stage, place, channel);
  }

  go(stage, place, channel = null) {
    const { view } = this;
    const focused = /** @type {any} */ (focusIn(this.bar));
    this.first = { stage: stage.index, place };
    if (channel !== null) view.cursors.set(stage.index, { ...view.cursorOf(stage), channel });
    view.again();
    if (this.bar.contains(focused)) (focused.disabled ? this.input : focused).focus({ preventScroll: true });
    view.say(`${stageName(stage)}: ${this.bar.querySelector(".cv-pagewords")?.textContent}`);
    view.host.remember?.(view.state());
  }

  /** @param {ChannelOrder} order */
  reorder(order, place) {
    this.order = order;
    if (this.shown) this.go(this.shown.stage, place);
  }

  /** What is asked for: a channel on its page, marked; a range by number, from its start. */
  find() {
    const { view, shown } = this;
    if (!shown || !this.input.value.trim()) return;
    const { stage, page } = shown;
    const { scene } = view;
    const names = stage.shape[2] === scene.classes.length && [scene.output.index, ...scene.output.reads].includes(stage.index) ? scene.classes : [];
    const found = channelsCalled(this.input.value, page.count, names);
    this.input.setAttribute("aria-invalid", String(!found));
    if (!found) {
      view.say(`No channel is called ${this.input.value}: there are ${plural(page.count, "channel")}, from 0 on.`);
      return;
    }
    const [first, last] = found;
    if (first < last) {
      this.order = "by number";
      this.go(stage, first, first);
      return;
    }
    this.goTo(stage, page, first);
    view.toLargest({ ...view.cursorOf(stage), channel: first }, performance.now(), true);
    view.say(`${stageName(stage)}, ${names[first] ?? channelName(stage, first)}`);
  }

  /** Page Up and Page Down turn the pages; true if they did. */
  pressed(event, stage, page) {
    const by = { PageDown: 1, PageUp: -1 }[/** @type {string} */ (event.key)];
    if (!by || this.bar.hidden || event.ctrlKey || event.altKey || event.metaKey) return false;
    event.preventDefault();
    if (this.turn(stage, page, by)) {
      const [channel] = this.view.levels.layer.page?.channels ?? [0];
      this.view.cursors.set(stage.index, { ...this.view.cursorOf(stage), channel });
    }
    return true;
  }
}

/**
 * Where a channel stands when the most active come first.
 *
 * @param {ArrayLike<number>} activity
 * @param {number} channel
 */
function placeOf(activity, channel) {
  let before = 0;
  for (let k = 0; k < activity.length; k++) before += Number(activity[k] > activity[channel] || (activity[k] === activity[channel] && k < channel));
  return before;
}
