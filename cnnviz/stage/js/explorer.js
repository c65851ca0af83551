// The live view as a Streamlit component: numbers come from Python, changes and drawings go back.

import { comparing } from "./comparing.js";
import { copying } from "./copying.js";
import { drawing } from "./drawing.js";
import { intervening } from "./intervening.js";
import { playing } from "./playing.js";
import { Part, Scene } from "./scene.js";
import { appTheme } from "./theme.js";
import { View } from "./view.js";

const plans = new Map();

/** @import { Component } from "./dom.js" */
/** @import { Host } from "./view.js" */

/**
 * Keep a network's plan; its numbers may be here already, waiting for it.
 *
 * @param {Uint8Array} data
 */
export function takePlan(data) {
  const part = new Part(data);
  const known = planOf(part.header.key);
  known.found(part);
}

function planOf(key) {
  if (!plans.has(key)) {
    const known = {};
    known.part = new Promise((found) => (known.found = found));
    plans.set(key, known);
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
  const root = parentElement.querySelector(".live-view");
  const known = (root.liveView ??= { view: null, base: null });
  known.ask = setStateValue;
  known.data = data;
  const numbers = new Part(data);
  const plan = await planOf(numbers.header.plan).part;
  // Others came while the plan was on its way.
  if (known.data !== data || known.shown === data) return;
  known.shown = data;
  const { base } = numbers.header;
  if (base && known.base?.key !== base) {
    // These are differences from numbers that were never here: ask for all of them.
    setStateValue("have", "");
    return;
  }
  const scene = new Scene(plan, numbers, base ? known.base : null);
  if (!scene.header.host.edits && !base) known.base = scene;
  if (known.view) known.view.update(scene);
  else known.view = begin(root, scene, known, style);
}

function begin(root, scene, known, style) {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  root.before(sheet);
  /** @type {Host} */
  const host = {
    kind: "explorer",
    ask: (name, value) => {
      // What is here need not come again.
      known.ask("have", known.base?.key ?? "");
      known.ask(name, value);
    },
    theme: appTheme,
    extensions: [playing, drawing, intervening, comparing, copying],
    // Python hands on what the address asked for, since it may rewrite the address before this runs.
    stateOf: ({ host }) => (host.link ? Object.fromEntries(new URLSearchParams(host.link)) : null),
  };
  if (scene.header.host.linked) {
    host.link = (state) => {
      const address = new URL(location.href);
      address.searchParams.set("view", new URLSearchParams(state).toString());
      return address.href;
    };
  }
  return new View(root, scene, host);
}
