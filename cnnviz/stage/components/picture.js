// Shows a figure as inline SVG, in the page's fonts, and saves it as SVG or PNG. Its tiles may be buttons, and a
// pointer on a cell of its arrays is told the cell's number.

import { clip } from "../js/arrays.js";
import { floatsOf } from "../js/base64.js";
import { canvasOf, sharesAt } from "../js/dom.js";
import { saveFile } from "../js/files.js";
import { number } from "../js/numbers.js";

const SCALE = 3; // Dots a CSS pixel in a saved PNG.

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  root.tell = setTriggerValue;
  if (root.dataset.key === data.key) {
    mark(root, data.chosen);
    return;
  }
  root.dataset.key = data.key;
  root.querySelector(".drawing").innerHTML = data.svg;
  root.querySelector(".caption").textContent = data.caption;
  root.classList.toggle("photograph", data.photograph);
  root.querySelector(".words p").textContent = data.alt;

  const svg = root.querySelector("svg");
  const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
  svg.style.maxWidth = `${width / 16}rem`;

  if (data.tiles) lay(root, data, svg.style.maxWidth);
  tell(root, svg, data.grids ?? []);

  root.querySelector(".svg").onclick = () => saveFile(standalone(svg, root), `${data.name}.svg`);
  root.querySelector(".png").onclick = async () => saveFile(await raster(svg, root), `${data.name}.png`);
}

// The number of the cell under the pointer, or that a finger touched, beside it.
function tell(root, svg, grids) {
  const place = root.querySelector(".drawing");
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  place.append(tip);
  const read = grids.map(({ box, rows, columns, values }) => ({ box, rows, columns, values: floatsOf(values) }));
  place.onpointermove = place.onpointerdown = (event) => {
    const [across, down] = sharesAt(event, svg);
    const found = read.findLast(({ box: [x, y, w, h] }) => across >= x && across < x + w && down >= y && down < y + h);
    tip.hidden = !found;
    if (!found) return;
    const { box, rows, columns, values } = found;
    const [row, column] = [Math.floor(((down - box[1]) / box[3]) * rows), Math.floor(((across - box[0]) / box[2]) * columns)];
    const value = values[row * columns + column];
    tip.textContent = `row ${row}, column ${column}: ${Number.isNaN(value) ? "none" : number(value, 4)}`;
    tip.style.left = `${clip(across * svg.clientWidth + 12, 0, Math.max(0, place.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${down * svg.clientHeight + 16}px`;
  };
  place.onpointerleave = (event) => (tip.hidden = event.pointerType === "mouse" || tip.hidden);
}

// A button over every tile. Tab comes to one of them; arrow keys go on to the others.
function lay(root, { tiles, chosen }, maxWidth) {
  const place = root.querySelector(".drawing");
  place.style.maxWidth = maxWidth;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", "Pick one: arrow keys go from one to the next, Enter picks");
  tiles.forEach(({ box, name }, n) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "tile" });
    button.setAttribute("aria-label", name);
    const [left, top, width, height] = box.map((share) => `${100 * share}%`);
    Object.assign(button.style, { left, top, width, height });
    button.onclick = () => root.tell("picked", n);
    place.append(button);
  });
  const buttons = [...place.querySelectorAll(".tile")];
  const across = tiles.filter(({ box }) => box[1] === tiles[0].box[1]).length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -Infinity, End: Infinity };
  place.onkeydown = (event) => {
    const now = buttons.indexOf(event.target);
    if (now < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = now + steps[event.key];
    const to = Math.abs(steps[event.key]) === across && !(next in buttons) ? now : clip(next, 0, buttons.length - 1);
    reach(buttons, to);
    buttons[to].focus();
  };
  mark(root, chosen);
}

function mark(root, chosen) {
  const buttons = [...root.querySelectorAll(".tile")];
  if (!buttons.length) return;
  buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(n === chosen)));
  if (!buttons.includes(root.getRootNode().activeElement)) reach(buttons, chosen ?? 0);
}

function reach(buttons, to) {
  buttons.forEach((button, n) => (button.tabIndex = n === to ? 0 : -1));
}

// The drawing as a document of its own: fonts and background are the page's no longer.
function standalone(svg, root) {
  const copy = svg.cloneNode(true);
  copy.removeAttribute("style");
  copy.setAttribute("font-family", "'Source Sans 3', 'Source Sans Pro', Helvetica, Arial, sans-serif");
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute("fill", getComputedStyle(root).getPropertyValue("--st-background-color") || "white");
  copy.prepend(paper);
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

async function raster(svg, root) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const image = new Image();
  const url = URL.createObjectURL(standalone(svg, root));
  image.src = url;
  await image.decode();
  const canvas = canvasOf(width * SCALE, height * SCALE);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
