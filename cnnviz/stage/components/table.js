// Shows a table, and saves it as CSV. What does not fit is scrolled, by the keyboard too.

import { saveFile } from "../js/files.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (root.dataset.key === data.key) return undefined;
  root.dataset.key = data.key;
  const place = root.querySelector(".table");
  place.innerHTML = data.table;
  root.querySelector(".caption").textContent = data.caption;
  // The mark in front tells spreadsheets that the letters are UTF-8.
  const sheet = new Blob(["\ufeff", data.csv], { type: "text/csv" });
  root.querySelector(".csv").onclick = () => saveFile(sheet, `${data.name}.csv`);

  const reach = () => {
    const scrolls = place.scrollWidth > place.clientWidth;
    if (scrolls) place.tabIndex = 0;
    else place.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver(reach);
  sizes.observe(place);
  reach();
  return () => sizes.disconnect();
}
