// Shows a figure as inline SVG, in the page's fonts, and saves it as SVG or PNG. Its tiles may be buttons, and each
// cell that is pointed at says its number.

import { clip } from "../js/arrays.js";
import { fromBase64 } from "../js/base64.js";
import { canvasOf } from "../js/dom.js";
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
  root.querySelector(".words p").textContent = data.alt;

  const svg = root.querySelector("svg");
  const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
  svg.style.maxWidth = `${width / 16}rem`;

  if (data.tiles) lay(root, data, svg.style.maxWidth);
  answer(root, svg, data.cells ?? []);

  root.querySelector(".svg").onclick = () => saveFile(standalone(svg, root), `${data.name}.svg`);
  root.querySelector(".png").onclick = async () => saveFile(await raster(svg, root), `${data.name}.png`);
}

// The number of the cell that is pointed at, or was touched last, beside it.
function answer(root, svg, cells) {
  const [place, value] = [root.querySelector(".drawing"), root.querySelector(".value")];
  const hide = () => (value.hidden = true);
  const say = (event) => {
    const box = svg.getBoundingClientRect();
    const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const found = cells.find(({ box: [x, y, width, height] }) => across >= x && across < x + width && down >= y && down < y + height);
    if (!found) {
      hide();
      return;
    }
    found.numbers ??= new Float32Array(fromBase64(found.values).buffer);
    const [x, y, width, height] = found.box;
    const rows = found.numbers.length / found.cols;
    const [row, col] = [Math.floor(((down - y) / height) * rows), Math.floor(((across - x) / width) * found.cols)];
    const here = found.numbers[row * found.cols + col];
    value.textContent = `row ${row}, column ${col}: ${number(here)}`;
    value.hidden = Number.isNaN(here); // a cell that is none
    const around = root.getBoundingClientRect();
    const left = clip(event.clientX - around.left + 12, 0, Math.max(around.width - value.offsetWidth, 0));
    const top = event.clientY - around.top - value.offsetHeight - 10;
    Object.assign(value.style, { left: `${left}px`, top: `${top < 0 ? event.clientY - around.top + 18 : top}px` });
  };
  hide();
  place.onpointermove = cells.length ? (event) => event.pointerType !== "touch" && say(event) : null;
  place.onpointerdown = cells.length ? say : null;
  place.onpointerleave = (event) => event.pointerType !== "touch" && hide();
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
