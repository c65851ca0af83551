// Tells the app how wide its column is and whether the theme is dark; both decide how figures are drawn.
// Where the sidebar covers the page, as on a telephone, a link in it closes it.

import { closest } from "../js/dom.js";
import { appTheme, watchTheme } from "../js/theme.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setStateValue }) {
  const column = parentElement.host ?? parentElement;
  let told = `${data.width} ${data.dark}`;

  const tell = () => {
    const available = column.getBoundingClientRect().width;
    if (!available) return;
    const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
    // Widths are in units of a sixteenth of the page's type size, as the figures are.
    const units = (available / root) * 16;
    const width = data.widths.filter((w) => w <= units + 1).at(-1) ?? data.widths[0];
    const dark = appTheme() === "dark";
    // For the style sheet, on paper. It is watched: to set what it is already would be a change without an end.
    if (("dark" in document.documentElement.dataset) !== dark) document.documentElement.toggleAttribute("data-dark", dark);
    if (`${width} ${dark}` === told) return;
    told = `${width} ${dark}`;
    setStateValue("told", { width, dark });
  };

  const sizes = new ResizeObserver(tell);
  const stopTheme = watchTheme(tell);
  const follow = (event) => {
    const sidebar = closest(event, ".stSidebar");
    if (sidebar && closest(event, "a") && sidebar.offsetWidth > window.innerWidth / 2) {
      /** @type {HTMLElement | null} */
      const collapse = sidebar.querySelector('[data-testid="stSidebarCollapseButton"] button');
      collapse?.click();
    }
  };
  document.addEventListener("click", follow);
  // The app's style sheet decides the width; until it is there, nothing can be told.
  let frame = 0;
  const begin = () => {
    if (getComputedStyle(document.documentElement).getPropertyValue("--muted")) {
      sizes.observe(column);
      tell();
    } else frame = requestAnimationFrame(begin);
  };
  begin();
  return () => {
    cancelAnimationFrame(frame);
    document.removeEventListener("click", follow);
    sizes.disconnect();
    stopTheme();
  };
}
