// What stands beside the stage while a network trains: how it goes, its batch, its gradients, its kernels. It asks
// for the next picture once it has drawn one, so that they come as fast as they can be shown and no faster.

import { maximum, minimum, sameNumbers } from "../js/arrays.js";
import { Colours } from "../js/colours.js";
import { fromBase64 } from "../js/base64.js";
import { canvasOf, closest, NARROW, offer, sized } from "../js/dom.js";
import { saveFile } from "../js/files.js";
import { decimal, number, signed } from "../js/numbers.js";
import { Part } from "../js/scene.js";
import { appTheme, watchTheme } from "../js/theme.js";

/** Milliseconds from one picture to the question for the next; and until it is asked again where none came. */
const PAUSE = 60;
const LOST = 4000;
/** Room of a curve, and what its labels take, in its own pixels. */
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [300, 80, 34, 14];
const TILE = 28;

/** @import { Component } from "../js/dom.js" */

/** @typedef {[step: number, loss: number, accuracy: number]} Point */

/**
 * @param {Component} component
 */
export function show({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".training");
  root.panel ??= new Panel(root);
  root.panel.ask = (/** @type {string} */ what, /** @type {object} */ more = {}) => setTriggerValue("command", { do: what, ...more });
  root.panel.next = (/** @type {number} */ count) => setStateValue("tick", count);
  root.panel.take(data);
  return () => root.panel.stop();
}

class Panel {
  /**
   * @param {HTMLElement} root
   */
  constructor(root) {
    this.root = root;
    this.count = 0;
    this.scrubbing = false;
    /** @type {Uint8Array | null} */
    this.data = null;
    /** @type {(what: string, more?: object) => void} */
    this.ask = () => {};
    /** @type {(count: number) => void} */
    this.next = () => {};
    root.addEventListener("click", (event) => this.clicked(event));
    this.slider = this.part("input");
    this.slider.addEventListener("input", () => {
      this.scrubbing = true;
      this.part("output").textContent = `step ${this.slider.value}`;
    });
    this.slider.addEventListener("change", () => {
      this.scrubbing = false;
      this.ask("show", { step: Number(this.slider.value) });
    });
    this.part("select").addEventListener("change", (/** @type {any} */ event) => this.ask("layer", { layer: event.target.value }));
    this.part(".grid").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.moveIn(event));
    // On a small screen the stage comes first, and what is folded below the curves is opened where it is wanted.
    if (window.innerWidth < NARROW) for (const each of root.querySelectorAll("details")) each.open = false;
    this.saved = 0;
    this.part("dialog").addEventListener("close", () => this.ask("close"));
  }

  /**
   * @param {string} selector
   * @returns {any}
   */
  part(selector) {
    return this.root.querySelector(selector);
  }

  /**
   * @param {Uint8Array} data
   */
  take(data) {
    this.stopTheme?.();
    this.stopTheme = watchTheme(() => this.draw());
    // Streamlit brings the same bytes again when a question goes out.
    if (!this.data || !sameNumbers(this.data, data)) {
      this.data = data;
      this.came = new Part(data);
      this.header = this.came.header;
      this.colours = new Colours(this.header);
      this.draw();
    }
    clearTimeout(this.waiting);
    const { moves, patience } = this.header;
    if (moves) this.askSoon(Math.max(PAUSE, patience));
  }

  askSoon(/** @type {number} */ pause) {
    this.waiting = setTimeout(() => {
      this.count += 1;
      this.next(this.count);
      this.askSoon(LOST);
    }, pause);
  }

  stop() {
    clearTimeout(this.waiting);
    this.stopTheme?.();
  }

  /**
   * @param {Event} event
   */
  clicked(event) {
    const weight = closest(event, ".kernel button");
    if (weight) this.ask("receipt", { at: JSON.parse(weight.dataset.at ?? "[]") });
    const button = closest(event, "[data-do]");
    if (button) this.ask(button.dataset.do ?? "");
  }

  /** Arrow keys go from weight to weight, and over a kernel's edge to the next one. */
  moveIn(/** @type {KeyboardEvent} */ event) {
    const { shape } = this.header.kernels;
    const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -shape[1], ArrowDown: shape[1] };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const all = [...this.root.querySelectorAll(".kernel button")];
    const place = all.indexOf(/** @type {Element} */ (event.target)) + way;
    const to = /** @type {HTMLElement | undefined} */ (all[place]);
    if (!to) return;
    for (const each of all) /** @type {HTMLElement} */ (each).tabIndex = each === to ? 0 : -1;
    to.focus();
  }

  draw() {
    const { header } = this;
    this.colours.theme = appTheme();
    this.part(".said").textContent = header.said;
    for (const button of this.root.querySelectorAll("[data-do]")) {
      const name = /** @type {HTMLElement} */ (button).dataset.do ?? "";
      const offered = header.offers[name];
      /** @type {HTMLButtonElement} */ (button).disabled = !offered;
      if (name === "watch") /** @type {HTMLElement} */ (button).hidden = !offered;
    }
    this.part('[data-do="play"]').textContent = header.playing ? "Pause" : "Play";
    this.part('[data-do="watch"]').textContent = header.watching ? "Stop watching" : "Watch the run that is on";
    this.part('[data-do="leave"]').textContent = header.waits ? "Give up the place" : "End the run";
    if (!this.scrubbing) {
      this.slider.max = Math.max(header.steps, 1);
      this.slider.value = header.step;
      this.slider.disabled = !header.steps;
      this.part("output").textContent = `step ${header.step.toLocaleString("en")}`;
    }
    this.drawCurves();
    this.drawGradients();
    this.drawBatch();
    this.drawKernels();
    this.drawReceipt();
    this.save();
  }

  /** A file that was asked for, once. */
  save() {
    const { file } = this.header;
    if (!file || file.count === this.saved) return;
    this.saved = file.count;
    saveFile(new Blob([fromBase64(file.content)]), file.name);
  }

  points(/** @type {string} */ name) {
    const flat = this.came.read(this.header[name]);
    /** @type {Point[]} */
    const points = [];
    for (let n = 0; n < flat.length; n += 3) points.push([flat[n], flat[n + 1], flat[n + 2]]);
    return points;
  }

  drawCurves() {
    const { steps, step, measures, together, heldOutImages } = this.header;
    const [training, held] = [this.points("training"), this.points("heldOut")];
    const last = held.findLast(([at]) => at <= step);
    for (const [name, k] of /** @type {const} */ ([["loss", 1], ["accuracy", 2]])) {
      const written = (/** @type {number} */ value) => (k === 1 ? number(value, 3) : `${decimal(100 * value, 1)} %`);
      const figure = this.part(`[data-of="${name}"]`);
      const words = [`<b>${name === "loss" ? "Loss" : "Accuracy"}</b>`];
      if (measures) words.push(`<span>this batch ${written(measures[k])}</span>`);
      if (last) words.push(`<span>held out ${written(last[k])}</span>`);
      figure.querySelector("figcaption").innerHTML = words.join("");
      const values = [...training, ...held].map((point) => point[k]).filter(Number.isFinite);
      const [low, high] = k === 2 ? [0, 1] : lossRange(values);
      const x = (/** @type {number} */ at) => LEFT + ((WIDTH - LEFT) * at) / Math.max(steps, 1);
      const y = (/** @type {number} */ value) => {
        const share = k === 2 ? value : Math.log(value / low) / Math.log(high / low);
        return (HEIGHT - BOTTOM) * (1 - Math.min(Math.max(share, 0), 1));
      };
      // What is no number has no place.
      const line = (/** @type {Point[]} */ points, /** @type {string} */ kind) =>
        `<polyline class="${kind}" points="${points.filter((point) => !Number.isNaN(point[k])).map((point) => `${x(point[0]).toFixed(1)},${y(point[k]).toFixed(1)}`).join(" ")}"/>`;
      const svg = figure.querySelector("svg");
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}; over ${counted(steps, "step")}`);
      const ends = k === 2 ? ["0 %", "100 %"] : [written(low), written(high)];
      const floor = HEIGHT - BOTTOM;
      svg.innerHTML = [
        `<path class="axis" fill="none" d="M${LEFT} 0V${floor}H${WIDTH}"/>`,
        `<text x="0" y="9">${ends[1]}</text><text x="0" y="${floor}">${ends[0]}</text>`,
        `<text x="${LEFT}" y="${HEIGHT - 1}">0</text>`,
        `<text x="${WIDTH}" y="${HEIGHT - 1}" text-anchor="end">${counted(steps, "step")}</text>`,
        line(training, "points"),
        line(held, "held"),
        steps ? `<line class="cursor" x1="${x(step)}" x2="${x(step)}" y1="0" y2="${floor}"/>` : "",
      ].join("");
    }
    const each = together > 1 ? `; each point is the mean of ${together} steps` : "";
    this.part(".key").innerHTML =
      `Grey: the batch of each step${each}. <span style="color:var(--st-primary-color)">Coloured</span>: ${heldOutImages} test digits that it never learns from.`;
  }

  drawGradients() {
    const { gradients, silent } = this.header;
    const finite = gradients.map((/** @type {any} */ [, size]) => size ?? 0);
    const most = maximum(finite) || 1;
    this.part(".gradients tbody").innerHTML = gradients
      .map(
        (/** @type {any} */ [name, size, words]) =>
          `<tr><th scope="row">${escaped(name)}</th><td><i style="width:${(100 * (size ?? 0)) / most}%"></i></td><td>${escaped(words)}</td></tr>`,
      )
      .join("");
    const dead = silent.filter((/** @type {any} */ [, count]) => count);
    this.part(".silent").textContent = !gradients.length
      ? "There are none before the first step."
      : !silent.length
        ? ""
        : dead.length
          ? `Silent, 0 for every image of the batch: ${dead.map((/** @type {any} */ [name, count, all]) => `${count} of ${all} channels of ${name}`).join(", ")}.`
          : "No channel behind a ReLU is 0 for every image of the batch.";
  }

  drawBatch() {
    const { batch } = this.header;
    const canvas = this.part(".batch canvas");
    canvas.hidden = !batch;
    if (!batch) {
      this.part(".batch .note").textContent = "The first step takes the first batch.";
      return;
    }
    const { labels, answers } = batch;
    const pixels = this.came.read(batch.images);
    const across = 8;
    const down = Math.ceil(labels.length / across);
    const [wide, high] = [TILE + 6, TILE + 20];
    sized(canvas, across * wide, down * high);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(this.root);
    const [ink, accent] = [style.color, style.getPropertyValue("--st-primary-color")];
    context.font = `11px ${style.fontFamily}`;
    context.textAlign = "center";
    context.clearRect(0, 0, across * wide, down * high);
    labels.forEach((/** @type {number} */ label, /** @type {number} */ n) => {
      const [x, y] = [(n % across) * wide + 2, Math.floor(n / across) * high + 2];
      const tile = canvasOf(TILE, TILE);
      const drawing = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
      drawing.putImageData(this.colours.picture(drawing, TILE, TILE, (p) => pixels[n * TILE * TILE + p], { kind: "ink", limit: 255 }), 0, 0);
      context.drawImage(tile, x, y);
      const wrong = answers[n] !== label;
      context.strokeStyle = accent;
      context.lineWidth = 2;
      if (wrong) context.strokeRect(x, y, TILE, TILE);
      context.fillStyle = wrong ? accent : ink;
      context.fillText(wrong ? `${label} not ${answers[n]}` : `${label}`, x + TILE / 2, y + TILE + 12);
    });
    const right = labels.filter((/** @type {number} */ label, /** @type {number} */ n) => answers[n] === label).length;
    const some = labels.length === batch.size ? "" : `${labels.length} of its `;
    const words = `${some}${counted(batch.size, "image")}, ${right} answered right before the step.`;
    canvas.setAttribute("aria-label", words);
    this.part(".batch .note").textContent = `${words} Under each: its label, and what it was taken for where that was wrong.`;
  }

  drawKernels() {
    const { kernels } = this.header;
    this.part(".kernels").hidden = !kernels;
    if (!kernels) return;
    const { layers, layer, shape, inputs } = kernels;
    const select = this.part("select");
    if (select.dataset.of !== layers.join()) {
      select.dataset.of = layers.join();
      offer(select, layers.map((/** @type {string} */ name) => [name, name]));
    }
    select.value = layer;
    const [rows, cols, count] = shape;
    const grid = this.part(".grid");
    grid.setAttribute("aria-label", `Kernels of ${layer}`);
    const of = `${layer} ${shape}`;
    if (grid.dataset.of !== of) {
      grid.dataset.of = of;
      grid.innerHTML = Array.from({ length: count }, (_, k) => {
        const cells = Array.from({ length: rows * cols }, (_, n) => {
          const at = [Math.floor(n / cols), n % cols, 0, k];
          return `<button type="button" tabindex="${k || n ? -1 : 0}" data-at="[${at}]"></button>`;
        });
        return `<div class="kernel" style="grid-template-columns:repeat(${cols},auto)">${cells.join("")}</div>`;
      }).join("");
    }
    const values = this.came.read(kernels.array);
    const limit = maximum(values.map((value) => Math.abs(value) || 0)) || 1;
    const scale = { kind: "signed", limit };
    grid.querySelectorAll("button").forEach((/** @type {HTMLElement} */ cell, /** @type {number} */ place) => {
      const [k, n] = [Math.floor(place / (rows * cols)), place % (rows * cols)];
      const value = values[n * count + k];
      cell.style.background = this.colours.css(value, scale);
      cell.title = `kernel ${k}, row ${Math.floor(n / cols)}, col ${n % cols}: ${signed(value, 3)}`;
      cell.setAttribute("aria-label", cell.title);
    });
    const hint = this.header.step
      ? "Click a weight: how this step changed it."
      : "After a step, a click on a weight says how it was changed.";
    const channel = inputs > 1 ? ` for the first of ${inputs} input channels` : "";
    this.part(".kernels .note").textContent =
      `All ${count}${channel}, on one scale to ±${number(limit, 3)}; blue is positive. ${hint}`;
  }

  drawReceipt() {
    const dialog = this.part("dialog");
    const { receipt } = this.header;
    const place = this.part(".receipt");
    if ((place.dataset.of ?? "") !== (receipt?.title ?? "")) {
      place.dataset.of = receipt?.title ?? "";
      place.innerHTML = receipt?.html ?? "";
    }
    if (receipt && !dialog.open) dialog.showModal();
    if (!receipt && dialog.open) dialog.close();
  }
}

/**
 * The ends of a logarithmic scale for losses.
 *
 * @param {number[]} values
 * @returns {[number, number]}
 */
function lossRange(values) {
  const positive = values.filter((value) => value > 0);
  if (!positive.length) return [0.1, 10];
  const [low, high] = [minimum(positive), maximum(positive)];
  return low < high ? [low, high] : [low / 2, high * 2];
}

function counted(/** @type {number} */ count, /** @type {string} */ word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

function escaped(/** @type {string} */ words) {
  return words.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
