// Shows the scene that lies in a single file, whose address keeps the state.

import { fromBase64 } from "./base64.js";
import { roomBelow } from "./dom.js";
import { EXTENSIONS } from "./extensions.js";
import { sceneOf } from "./scene.js";
import { linkOf, stateOfLink } from "./stage_state.js";
import { View } from "./view.js";

/** @import { Host } from "./view.js" */

/**
 * Show the scene that an element carries, in a shadow root of its own; scripts find the view as its `view`.
 *
 * @param {HTMLElement & { view?: View }} holder
 */
export function showStandalone(holder) {
  const shadow = holder.attachShadow({ mode: "open" });
  const sheet = document.createElement("style");
  sheet.textContent = holder.querySelector("script[data-part=style]").textContent;
  const root = document.createElement("div");
  shadow.append(sheet, root);
  const bytes = fromBase64(holder.querySelector("script[data-part=scene]").textContent.trim());
  /** @type {Host} */
  const host = {
    extensions: EXTENSIONS,
    height: roomBelow,
    link: (state) => `${location.href.split("#")[0]}#${linkOf(state)}`,
  };
  if (location.hash) host.state = stateOfLink(location.hash.slice(1));
  holder.view = new View(root, sceneOf(bytes), host);
}
