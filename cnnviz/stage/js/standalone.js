// Shows the scene that lies in a single file, whose address keeps the state.

import { fromBase64 } from "./base64.js";
import { roomBelow, sheetOf } from "./dom.js";
import { EXTENSIONS } from "./extensions.js";
import { goingBack } from "./going_back.js";
import { sceneOf } from "./scene.js";
import { linkOf, stateOfLink } from "./stage_state.js";
import { View } from "./view.js";

/** @import { Scene } from "./scene.js" */
/** @import { Host } from "./view.js" */

/**
 * Show the scene that an element carries, in a shadow root of its own; scripts find the view as its `view`.
 *
 * @param {HTMLElement & { view?: View }} holder
 */
export function showStandalone(holder) {
  const part = (/** @type {string} */ name) => holder.querySelector(`script[data-part=${name}]`)?.textContent?.trim() ?? "";
  show(holder, part("style"), sceneOf(fromBase64(part("scene"))));
}

/**
 * Show a lesson of the course, whose pages share one scene: its walk is the only one, and is open.
 *
 * @param {HTMLElement & { view?: View }} holder
 * @param {{ style: string, scene: string }} shared
 */
export function showLesson(holder, shared) {
  const scene = sceneOf(fromBase64(shared.scene));
  const { header } = scene;
  const name = holder.dataset.walk;
  header.host.walks = header.host.walks.filter((/** @type {{ name: string }} */ walk) => walk.name === name);
  show(holder, shared.style, scene, { walk: [name, 0] });
}

/**
 * @param {HTMLElement & { view?: View }} holder
 * @param {string} style
 * @param {Scene} scene
 * @param {any} [state] as it opens, where the address says nothing
 */
function show(holder, style, scene, state) {
  const shadow = holder.attachShadow({ mode: "open" });
  const root = document.createElement("div");
  shadow.append(sheetOf(style), root);
  /** @type {Host} */
  const host = {
    extensions: [...EXTENSIONS, goingBack],
    height: roomBelow,
    link: (state) => `${location.href.split("#")[0]}#${linkOf(state)}`,
  };
  if (location.hash) host.state = stateOfLink(location.hash.slice(1));
  else if (state) host.state = state;
  holder.view = new View(root, scene, host);
}
