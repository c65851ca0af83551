// Copies the page's address, which holds all that is chosen on it.

import { copyText } from "../js/files.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ parentElement }) {
  const button = parentElement.querySelector("button");
  const said = parentElement.querySelector("span");
  button.onclick = async () => {
    const done = await copyText(window.location.href);
    button.dataset.state = done ? "done" : "failed";
    said.textContent = done ? "The link is copied." : "The browser did not let the link be copied.";
    setTimeout(() => {
      delete button.dataset.state;
      said.textContent = "";
    }, 1500);
  };
}
