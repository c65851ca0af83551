// One history of all that is changed: the image that was picked, one that was drawn, opened or pasted in its
// place, what was painted, turned and switched off. What a step of a guided walk lends is no part of it, and
// stays as long as its step does, whatever is undone.

import { toBase64 } from "./base64.js";
import { bytesOf } from "./image_bytes.js";
import { entryOf, entryText } from "./stage_state.js";

/** @import { Change } from "./stage_state.js" */
/** @import { View } from "./view.js" */

/**
 * What undo comes back to: the learner's own changes, what was drawn or opened, and the key of the image that
 * was picked.
 *
 * @typedef {object} Moment
 * @property {Change[]} changes
 * @property {{ title: string, pixels: Uint8Array } | null} image
 * @property {string} item
 */

export class History {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    /** @type {Moment[]} */
    this.past = [];
    /** @type {Moment[]} */
    this.future = [];
    /** @type {Map<string, { title: string, pixels: Uint8Array }>} images that the page around has replaced */
    this.pictures = new Map();
    this.told = 0;
    /** What the pages around compute with: changes of weights as a link says them, and how often they were told. */
    const { changes = "", shared = 0 } = view.scene.header.host ?? {};
    this.shared = changes;
    this.sharings = shared ?? 0;
  }

  /** @returns {Moment} */
  get now() {
    const { own, image, scene, item } = this.view;
    return { changes: own, image, item: scene.items[item].key };
  }

  /** A panel, such as the pad, may have steps of its own, which come first. */
  get undoable() {
    return this.past.length > 0 || Boolean(this.view.panelOwner?.undoable);
  }

  get redoable() {
    return this.future.length > 0 || Boolean(this.view.panelOwner?.redoable);
  }

  /**
   * Take changes over for good: a step that can be undone, and is said.
   *
   * @param {Change[]} changes
   * @param {string} said
   * @param {Moment["image"]} [image]
   */
  commit(changes, said, image = this.view.image) {
    const before = this.now;
    this.set({ ...before, changes, image });
    this.keep(before, said);
  }

  /**
   * What was changed since is a step that can be undone; "" is said elsewhere.
   *
   * @param {Moment} before
   * @param {string} said
   */
  keep(before, said) {
    if (same(before, this.now)) return;
    this.view.panelOwner?.settle?.();
    this.push(before);
    if (said) this.say(said);
  }

  /** @param {Moment} before */
  push(before) {
    this.past.push(before);
    this.future = [];
    this.share();
    this.wrote();
  }

  /**
   * Show what is changed; the pages around get another image.
   *
   * @param {Moment} moment with the changes that a walk lends
   */
  set({ changes, image, item }) {
    const { view } = this;
    this.began = performance.now();
    const number = view.scene.items.findIndex(({ key }) => key === item);
    const replaced = number < 0 ? (this.pictures.get(item) ?? null) : null;
    const shown = image ?? replaced;
    const other = shown !== view.image || (number >= 0 && number !== view.item);
    if (number >= 0) view.item = number;
    view.change(changes, shown);
    if (other) {
      view.writeItems();
      this.tell(image ? { pixels: toBase64(image.pixels) } : { item });
      for (const extension of view.extensions) extension.updated?.();
    }
    view.host.remember?.(view.state());
    this.wrote();
  }

  /** The pages around get the image too, where they want it. */
  tell(digit) {
    const { view } = this;
    if (view.scene.header.host?.choose) view.host.ask?.("digit", { count: ++this.told, ...digit });
  }

  undo() {
    if (!this.view.panelOwner?.undo?.()) this.go(this.past, this.future, "Undone");
  }

  redo() {
    if (!this.view.panelOwner?.redo?.()) this.go(this.future, this.past, "Redone");
  }

  /**
   * Whether a change is of the first image, or of any: painted on it, or moved. With another image it goes.
   *
   * @param {Change} change
   * @param {boolean} any
   */
  isOfImage(change, any) {
    if (change.kind === "shift") return true;
    const stage = "stage" in change && this.view.scene.stages.find(({ name }) => name === change.stage);
    return Boolean(stage) && stage.op.type === "input" && (any || stage.index === 0);
  }

  /**
   * The changes that stay with another image in place of the first, or of all.
   *
   * @param {boolean} all
   */
  keptWithOther(all) {
    return [...this.view.own.filter((change) => !this.isOfImage(change, all)), ...this.stillLent];
  }

  /** A step through the history, whichever way. */
  go(from, to, said) {
    const next = from.pop();
    if (!next) return;
    to.push(this.now);
    this.set({ ...next, changes: [...next.changes, ...this.stillLent] });
    this.share();
    this.say(said);
  }

  /** Nothing is changed any more; a digit of one's own gives way to the one before, on the pages around too. */
  takeBack() {
    const { now, own } = this;
    this.set({ ...now, changes: [], image: null });
    this.push(now);
    this.say("All taken back");
    if (!own) return;
    this.leads = true;
    this.tell({ item: "" });
  }

  /** Whether the image comes from the learner, by way of the pages around. */
  get own() {
    const { scene, item } = this.view;
    return Boolean(scene.header.host?.choose) && scene.items[item].label === null;
  }

  /** The pages around compute with changed weights, once a change is done. */
  share() {
    const { view } = this;
    if (!view.scene.header.host?.shares) return;
    const text = entryText("changes", view.own.filter(({ kind }) => kind === "weights"));
    if (text === this.shared) return;
    this.shared = text;
    view.host.ask?.("changes", { count: ++this.sharings, text });
  }

  /** Weights that were changed on the page around, or taken back there. */
  follow() {
    const { view } = this;
    const { changes, shared } = view.scene.header.host ?? {};
    if (changes === undefined || changes === this.shared || (shared ?? 0) !== this.sharings) return;
    this.shared = changes;
    this.commit([...view.changes.filter(({ kind }) => kind !== "weights"), ...entryOf("changes", changes)], "");
  }

  /** The page around may be another one, which has counted none of what was told. */
  seat({ shared }) {
    this.sharings = shared ?? 0;
  }

  /** What a walk's step lends, as far as nobody took it back. */
  get stillLent() {
    const { changes, own } = this.view;
    return changes.filter((change) => !own.includes(change));
  }

  /**
   * Say what was done, once the network's answer to it is on the screen.
   *
   * @param {string} what
   */
  say(what) {
    this.said = what;
    if (this.view.shownTurn === this.view.turn) this.computed();
  }

  computed() {
    if (this.said) this.view.say(`${this.said}. ${this.view.part("verdict").textContent}`);
    this.said = "";
  }

  wrote() {
    for (const extension of this.view.extensions) extension.stepped?.();
  }

  /**
   * The page around shows other numbers: another network, with nothing to undo yet; or another image, which is a
   * step like one picked here, unless it is the one that is shown already.
   *
   * @param {import("./scene.js").Scene} next
   * @param {boolean} same network
   * @returns {Change[]} those that stay
   */
  leave(next, same) {
    const { view } = this;
    const { changes } = view;
    if (!same) {
      [this.past, this.future] = [[], []];
      return [];
    }
    const { plain, item } = view;
    const [old, other] = [plain.items[item], next.items[0]];
    if (old.key === other.key) return changes;
    const before = plain.valuesOf(item)[0];
    this.pictures.set(old.key, { title: old.title, pixels: bytesOf(plain, before) });
    const shown = view.inputs[0];
    const led = this.leads;
    this.leads = false;
    if (led || next.valuesOf(0)[0].every((value, n) => value === shown[n])) return changes;
    // An answer to what was drawn before the last stroke.
    if (view.panelOwner?.answeredBy?.(next)) return changes;
    view.panelOwner?.close();
    this.push(this.now);
    return this.keptWithOther(true);
  }
}

/** Whether two moments are the same. @param {Moment} a @param {Moment} b */
function same(a, b) {
  return a.image === b.image && a.item === b.item && JSON.stringify(a.changes) === JSON.stringify(b.changes);
}
