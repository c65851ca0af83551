// Keeps the answers in the browser, saves them as a file, and deletes them.
// Of its two places on a page one listens: it hands in what another visit, or another window, has kept.

import { saveFile } from "../js/files.js";

/** @import { Component } from "../js/dom.js" */

const PLACE = "cnnviz.answers";
const SURE = 4000; // Milliseconds in which deleting is to be said twice.

/** What this window knows to be kept, and how often it handed that in. */
const known = { text: null, told: 0 };

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const kept = read();
  if (data.listens && kept !== known.text) {
    known.text = kept;
    known.told += 1;
    setTriggerValue("kept", kept ?? "");
  }
  // Until Python has heard of all that is kept, what it has is not the whole.
  if (data.heard === known.told && kept === known.text && data.text !== (kept ?? "")) write(data.text);
  root.hidden = !data.count;
  if (!data.count) return;
  root.querySelector(".answered").textContent = data.count;
  const name = () => {
    const words = root.querySelector("input").value.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
    return `cnnviz-answers${words && `-${words}`}`;
  };
  root.querySelector(".json").onclick = () => saveFile(new Blob([data.text], { type: "application/json" }), `${name()}.json`);
  // The mark in front tells spreadsheets that the letters are UTF-8.
  root.querySelector(".csv").onclick = () => saveFile(new Blob(["\ufeff", data.csv], { type: "text/csv" }), `${name()}.csv`);
  const button = root.querySelector(".delete");
  button.onclick = () => {
    if (!button.dataset.asked) {
      button.dataset.asked = "yes";
      button.textContent = "Really delete all?";
      setTimeout(() => settle(button), SURE);
      return;
    }
    settle(button);
    write("");
    setTriggerValue("deleted", true);
  };
}

function settle(button) {
  delete button.dataset.asked;
  button.textContent = "Delete all";
}

/** What is kept; null if nothing is, or the browser lets nothing be kept. */
function read() {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}

function write(text) {
  try {
    if (text) localStorage.setItem(PLACE, text);
    else localStorage.removeItem(PLACE);
  } catch {
    // There is no room, or no leave: the answers last as long as the visit.
  }
  known.text = read();
}
