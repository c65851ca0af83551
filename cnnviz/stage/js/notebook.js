// The stage in a notebook: as the HTML of an output, which a widget's model joins while there is a kernel, or
// shown by the widget itself.

import { clip } from "./arrays.js";
import { fromBase64 } from "./base64.js";
import { sheetOf } from "./dom.js";
import { EXTENSIONS } from "./extensions.js";
import { Part, sceneOf } from "./scene.js";
import { View } from "./view.js";

/** @import { Host } from "./view.js" */
/** @import { State } from "./stage_state.js" */

/**
 * What anywidget gives of a widget in Python.
 *
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(message: object) => void} send
 * @property {(event: string, heard: (...said: any[]) => void) => void} on
 * @property {(event: string, heard: (...said: any[]) => void) => void} off
 */

/** Pixels: a cell has no height of its own, and a frame around it may be as high as what is in it. */
const [LEAST, MOST] = [480, 680];
/** What a receipt, the pad or a walk's card gets where it stands below the network. */
const BELOW = 190;
/** Milliseconds: a cell that is moved, or scrolled out of sight, leaves the page for a moment. */
const GONE_AFTER = 2000;
const ARRIVED = "cnnviz-model";

/** The models of this page, shared by the scripts of all outputs. @type {Map<string, Model>} */
const models = (/** @type {any} */ (globalThis).cnnvizModels ??= new Map());

/**
 * As high as is good for the cell's width, and higher while something stands below the network.
 *
 * @param {HTMLElement} root
 */
function heightFor({ clientWidth, dataset }) {
  const below = (dataset.aside || dataset.walk) && dataset.room !== "beside";
  return Math.round(clip(0.56 * clientWidth, LEAST, MOST)) + (below ? BELOW : 0);
}

/**
 * Show a scene in an element, with its state shared with a model if there is one.
 *
 * @param {HTMLElement} root
 * @param {Uint8Array} bytes
 * @param {State | null} state
 * @param {boolean} [answers] whether there is a model, which will be joined
 */
function begin(root, bytes, state, answers = false) {
  /** @type {Model | null} */
  let model = null;
  let taking = false;
  let last = "";
  const remember = (/** @type {State} */ now) => {
    if (!model || taking) return;
    last = JSON.stringify(now);
    if (last === JSON.stringify(model.get("state"))) return;
    model.set("state", now);
    model.save_changes();
  };
  /** @type {Host} */
  const host = {
    extensions: EXTENSIONS,
    height: heightFor,
    state: state ?? undefined,
    remember,
    answers,
    ask: (name, value) => model?.send({ [name]: value }),
  };
  const view = new View(root, sceneOf(bytes), host);
  const take = () => {
    const given = model?.get("state");
    const text = JSON.stringify(given);
    if (text === last || text === JSON.stringify(view.state())) return;
    last = text;
    taking = true;
    try {
      view.take(given);
    } finally {
      taking = false;
    }
  };
  const answered = (/** @type {{ numbers?: any }} */ said, /** @type {DataView[]} */ [bytes] = []) => {
    if (said.numbers) view.asking?.take(said.numbers, new Part(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  };
  const leave = () => {
    model?.off("change:state", take);
    model?.off("msg:custom", answered);
    model = null;
  };
  return {
    view,
    join: (/** @type {Model} */ found) => {
      leave();
      model = found;
      model.on("change:state", take);
      model.on("msg:custom", answered);
      take();
    },
    end: () => {
      leave();
      view.destroy();
    },
  };
}

/**
 * Show the scene that the HTML of an output carries; scripts find the view as its `view`. What is no longer on
 * the page ends, and begins again with the same state if it comes back.
 *
 * @param {HTMLElement & { view?: View | null }} holder
 */
export function showInOutput(holder) {
  if (holder.shadowRoot) return;
  const part = (/** @type {string} */ name) => /** @type {Element} */ (holder.querySelector(`script[data-part=${name}]`)).textContent ?? "";
  const [styleText, bytes, key] = [part("style"), fromBase64(part("scene").trim()), holder.dataset.key ?? ""];
  const shadow = holder.attachShadow({ mode: "open" });
  const here = hereElement();
  shadow.append(sheetOf(styleText), here);
  /** @type {State | null} */
  let state = null;
  /** @type {ReturnType<typeof begin> | null} */
  let shown = null;
  /** @type {HTMLElement | null} */
  let root = null;
  let leaving = 0;
  const join = () => {
    const model = models.get(key);
    if (!model) return;
    // What was shown before there was Python to ask begins anew.
    if (shown && !shown.view.asking) {
      state = shown.view.state();
      end();
      show();
    }
    shown?.join(model);
  };
  const show = () => {
    root = document.createElement("div");
    shadow.append(root);
    shown = begin(root, bytes, state, models.has(key));
    holder.view = shown.view;
  };
  const end = () => {
    shown?.end();
    root?.remove();
    shown = holder.view = root = null;
  };
  const come = () => {
    clearTimeout(leaving);
    if (shown) return;
    show();
    join();
    document.addEventListener(ARRIVED, join);
  };
  const gone = () => {
    leaving = window.setTimeout(() => {
      if (here.isConnected || !shown) return;
      document.removeEventListener(ARRIVED, join);
      state = shown.view.state();
      end();
    }, GONE_AFTER);
  };
  here.addEventListener("come", come);
  here.addEventListener("gone", gone);
  if (here.isConnected) come();
}

/** An element that tells when it comes onto the page and when it leaves it. */
function hereElement() {
  const name = "cnnviz-here";
  if (!customElements.get(name)) {
    customElements.define(name, class extends HTMLElement {
      connectedCallback() {
        this.dispatchEvent(new Event("come"));
      }

      disconnectedCallback() {
        this.dispatchEvent(new Event("gone"));
      }
    });
  }
  return document.createElement(name);
}

/**
 * The widget, as anywidget takes it.
 *
 * @param {string} style
 */
export function widget(style) {
  return {
    /** @param {{ model: Model }} given */
    initialize({ model }) {
      const key = model.get("key");
      models.set(key, model);
      document.dispatchEvent(new Event(ARRIVED));
      return () => {
        if (models.get(key) === model) models.delete(key);
      };
    },
    /** @param {{ model: Model, el: HTMLElement & { view?: View } }} given */
    render({ model, el }) {
      const holder = /** @type {HTMLElement & { view?: View }} */ (document.createElement("div"));
      el.append(holder);
      const shadow = holder.attachShadow({ mode: "open" });
      const root = document.createElement("div");
      shadow.append(sheetOf(style), root);
      const scene = model.get("scene");
      const shown = begin(root, new Uint8Array(scene.buffer.slice(scene.byteOffset, scene.byteOffset + scene.byteLength)), model.get("state"), true);
      holder.view = shown.view;
      shown.join(model);
      return () => {
        shown.end();
        holder.remove();
      };
    },
  };
}
