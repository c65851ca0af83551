// A component of the explorer where there is no explorer around it: in a file, or in a notebook.

import { sheetOf } from "./dom.js";
import { themeAround, watchTheme } from "./theme.js";

/** @import { Component } from "./dom.js" */
/** @import { Theme } from "./theme.js" */

/** @typedef {{ html: string, css: string, themes: Record<Theme, Record<string, string>> }} Parts of a component, and the colours that its style sheet names */
/** @typedef {(component: Component) => void | (() => void)} Show */

/**
 * Put a component into an element, in a shadow root of its own, with the colours of the page around.
 *
 * @param {HTMLElement} holder
 * @param {Parts} parts
 * @param {(root: ShadowRoot, theme: Theme) => void} draw called now, and when the theme changes
 */
export function hosted(holder, { html, css, themes }, draw) {
  const shadow = holder.attachShadow({ mode: "open" });
  const body = document.createElement("div");
  body.innerHTML = html;
  shadow.append(sheetOf(css), body);
  const dressed = () => {
    const theme = themeAround(/** @type {Element} */ (holder.parentElement));
    for (const [name, value] of Object.entries(themes[theme])) holder.style.setProperty(name, value);
    draw(shadow, theme);
  };
  dressed();
  return watchTheme(dressed);
}
