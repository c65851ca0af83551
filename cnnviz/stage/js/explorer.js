// The live view as a Streamlit component: numbers come from Python, changes and drawings go back.

import { comparing } from "./comparing.js";
import { roomBelow, sheetOf } from "./dom.js";
import { EXTENSIONS } from "./extensions.js";
import { goingBack } from "./going_back.js";
import { Part, Scene } from "./scene.js";
import { appTheme } from "./theme.js";
import { entryOf, linkOf, stateOfLink } from "./stage_state.js";
import { View } from "./view.js";

/** Letters of an address: Streamlit's server refuses one that does not fit into its 64 KB of headers. */
const LONGEST_LINK = 60_000;

const plans = new Map();

/** @type {Map<string, Shown>} what is shown, by its key on the page */
const views = new Map();

/**
 * A view, and the numbers that it shows; `held` had the focus when it was last on the page.
 *
 * @typedef {object} Shown
 * @property {HTMLElement} root
 * @property {View | null} view
 * @property {Scene | null} base
 * @property {HTMLElement | null} held
 * @property {(name: string, value: unknown) => void} ask
 * @property {Uint8Array} [newest]
 * @property {Uint8Array} [data]
 */

/** @import { Component } from "./dom.js" */
/** @import { Host } from "./view.js" */

/**
 * Keep a network's plan; its numbers may be here already, waiting for it.
 *
 * @param {Uint8Array} data
 */
export function takePlan(data) {
  const part = new Part(data);
  const plan = planOf(part.header.key);
  plan.arrived(part);
}

function planOf(key) {
  if (!plans.has(key)) {
    const plan = {};
    plan.part = new Promise((arrived) => (plan.arrived = arrived));
    plans.set(key, plan);
  }
  return plans.get(key);
}

/**
 * Show the numbers that came, once their plan is there.
 *
 * @param {Component} component
 * @param {string} style
 */
export async function showInExplorer({ data, parentElement, setStateValue }, style) {
  const numbers = new Part(data);
  const shown = shownIn(parentElement.querySelector(".live-view"), numbers.header.host.key, style);
  shown.ask = setStateValue;
  shown.newest = data;
  const plan = await planOf(numbers.header.plan).part;
  // Newer numbers came while the plan was on its way, or these are on the screen.
  if (shown.newest !== data || shown.data === data) return;
  shown.data = data;
  const { base } = numbers.header;
  if (base && shown.base?.key !== base) {
    // These numbers were never here: ask for them.
    setStateValue("have", "");
    return;
  }
  const scene = new Scene(plan, numbers, base ? shown.base : null);
  if (!base) shown.base = scene;
  if (shown.view) shown.view.update(scene);
  else shown.view = begin(scene, shown);
}

/**
 * What is shown by a key: Streamlit may build the element anew, as when a learner looks at another page and comes
 * back, and what they were at goes into the new one.
 *
 * @param {any} root
 * @param {string} key
 * @param {string} style
 * @returns {Shown}
 */
function shownIn(root, key, style) {
  if (root.liveView) return root.liveView;
  const before = views.get(key);
  if (before) {
    root.replaceWith(sheetOf(style), before.root);
    before.held?.focus({ preventScroll: true });
    if (before.view) before.view.seated = true;
    return before;
  }
  /** @type {Shown} */
  const shown = (root.liveView = { root, view: null, base: null, held: null, ask: () => {} });
  views.set(key, shown);
  root.before(sheetOf(style));
  root.addEventListener("focusin", (event) => (shown.held = event.target));
  // What leaves the page with all around it keeps the focus for when it is back.
  root.addEventListener("focusout", () => queueMicrotask(() => root.isConnected && !root.contains(root.getRootNode().activeElement) && (shown.held = null)));
  return shown;
}

function begin(scene, shown) {
  /** @type {Host} */
  const host = {
    ask: (name, value) => {
      // What is here need not come again.
      shown.ask("have", shown.base?.key ?? "");
      // What was answered need not be answered again.
      if (name !== "numbers" && !shown.view?.asking.waiting) shown.ask("numbers", null);
      shown.ask(name, value);
    },
    theme: appTheme,
    answers: true,
    extensions: [...EXTENSIONS, comparing, goingBack],
    // Python hands on what the address asked for, since it may rewrite the address before this runs.
    stateOf: ({ host, start }) => {
      if (host.link) return stateOfLink(host.link);
      return host.changes ? { ...start, changes: entryOf("changes", host.changes) } : null;
    },
    height: roomBelow,
  };
  if (scene.header.host.linked) {
    host.longestLink = LONGEST_LINK;
    host.link = (state) => {
      const address = new URL(location.href);
      address.searchParams.set("view", linkOf(state));
      return address.href;
    };
  }
  return new View(shown.root, scene, host);
}
