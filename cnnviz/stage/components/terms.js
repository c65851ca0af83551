// Words of the glossary explain themselves: a link to the glossary opens a card with the meaning beside the word.

import { closest } from "../js/dom.js";

/** @import { Component } from "../js/dom.js" */

const LINK = 'a[href*="glossary#"]';
const LEAVE = 200; // Milliseconds in which the pointer may cross from the word to its card.
const GAP = 6; // Pixels between a word and its card, and between a card and the window's edge.

/**
 * @param {Component} component
 */
export function show({ data }) {
  const card = document.createElement("div");
  card.className = "term-card";
  card.id = "term-card";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  (document.querySelector(".stApp") ?? document.body).append(card);
  /** @type {HTMLElement | null} */
  let open = null;
  let leaving = 0;
  const inside = /** @param {Event} event */ (event) => event.target instanceof Node && card.contains(event.target);

  const hide = () => {
    clearTimeout(leaving);
    open?.removeAttribute("aria-describedby");
    open = null;
    card.hidden = true;
  };
  const explain = (link) => {
    clearTimeout(leaving);
    const found = data.terms[link.hash.slice(1)];
    if (!found || link === open) return;
    hide();
    open = link;
    const term = document.createElement("b");
    term.textContent = found[0];
    card.replaceChildren(term, ` ${found[1]}`);
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place(link);
  };
  const place = (/** @type {HTMLElement} */ link) => {
    const word = link.getBoundingClientRect();
    const { width, height } = card.getBoundingClientRect();
    const below = word.bottom + GAP + height <= window.innerHeight;
    card.style.left = `${Math.max(GAP, Math.min(word.left, document.documentElement.clientWidth - width - GAP))}px`;
    card.style.top = `${below ? word.bottom + GAP : Math.max(GAP, word.top - GAP - height)}px`;
  };

  const listen = new AbortController();
  const on = (name, run, capture = false) => document.addEventListener(name, run, { capture, signal: listen.signal });
  on("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = closest(event, LINK);
    if (link) explain(link);
    else if (inside(event)) clearTimeout(leaving);
    else if (open && open !== document.activeElement) {
      clearTimeout(leaving);
      leaving = window.setTimeout(hide, LEAVE);
    }
  });
  on("focusin", (event) => {
    const link = closest(event, LINK);
    if (link) explain(link);
    else hide();
  });
  on("click", (event) => {
    const link = closest(event, LINK);
    if (!link) {
      if (!inside(event)) hide();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // The glossary itself, in a window of its own.
    event.preventDefault();
    event.stopPropagation();
    explain(link);
  }, true);
  on("keydown", (event) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    hide();
  }, true);
  // A word that gets the focus may scroll into sight only then: its card goes with it.
  on("scroll", () => {
    if (!open) return;
    const { top, bottom } = open.getBoundingClientRect();
    if (open.isConnected && bottom > 0 && top < window.innerHeight) place(open);
    else hide();
  }, true);
  return () => {
    listen.abort();
    card.remove();
  };
}
