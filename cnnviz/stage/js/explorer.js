// The live view as a Streamlit component: numbers come from Python, changes and drawings go back.

import { comparing } from "./comparing.js";
import { roomBelow } from "./dom.js";
import { EXTENSIONS } from "./extensions.js";
import { Part, Scene } from "./scene.js";
import { appTheme } from "./theme.js";
import { linkOf, stateOfLink } from "./stage_state.js";
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
  const root = parentElement.querySelector(".live-view");
  const shown = (root.liveView ??= { view: null, base: null });
  shown.ask = setStateValue;
  shown.newest = data;
  const numbers = new Part(data);
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
  else shown.view = begin(root, scene, shown, style);
}

function begin(root, scene, shown, style) {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  root.before(sheet);
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
    extensions: [...EXTENSIONS, comparing],
    // Python hands on what the address asked for, since it may rewrite the address before this runs.
    stateOf: ({ host }) => (host.link ? stateOfLink(host.link) : null),
    height: roomBelow,
  };
  if (scene.header.host.linked) {
    host.link = (state) => {
      const address = new URL(location.href);
      address.searchParams.set("view", linkOf(state));
      return address.href;
    };
  }
  return new View(root, scene, host);
}
