// Copies the page's address, which holds all that is chosen on it, and says what it cannot hold.

import { copyText } from "../js/files.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const said = parentElement.querySelector("span");
  button.onclick = async () => {
    const done = await copyText(window.location.href);
    button.dataset.state = done ? "done" : "failed";
    const without = data.without ? `, without ${data.without}` : "";
    said.textContent = done ? `The link is copied${without}.` : "The browser did not let the link be copied.";
    setTimeout(() => {
      delete button.dataset.state;
      said.textContent = "";
    }, data.without ? 5000 : 1500);
  };
}
