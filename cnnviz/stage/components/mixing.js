// One pixel through a 1x1 convolution: its channels, the matrix, and what comes out, for whichever pixel is pointed at.
// All numbers come from Python once; only the products, their sum and what it differs by are worked out here.

import { clip, range } from "../js/arrays.js";
import { floatsOf } from "../js/base64.js";
import { Colours } from "../js/colours.js";
import { sharesAt } from "../js/dom.js";
import { Keeping } from "../js/keeping.js";
import { beside, decimal } from "../js/numbers.js";

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Mixing(root);
  root.view.keeping.tell = (kept) => component.setTriggerValue("kept", kept);
  root.view.show(component.data);
}

class Mixing {
  constructor(root) {
    this.root = root;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    this.keeping = new Keeping();
    this.pad = this.find(".pad");
    this.listen();
  }

  show(data) {
    const kept = { row: data.row, col: data.column, out: data.channel };
    const old = this.keeping.isOld(kept);
    const other = data.key !== this.key;
    if (other || !old) this.kept = kept;
    if (other) {
      this.key = data.key;
      this.over = null;
      this.take(data);
      this.build();
    }
    if (!old) this.map = this.map?.kind === "in" && this.map.k < this.inputs ? this.map : { kind: "out", k: this.kept.out };
    this.paint();
  }

  take(data) {
    this.rows = data.rows;
    this.cols = data.cols;
    this.inputs = data.inputs;
    this.outputs = data.outputs;
    this.scales = data.scales;
    this.colours = new Colours(data, data.theme);
    this.x = floatsOf(data.x);
    this.matrix = floatsOf(data.matrix);
    this.bias = floatsOf(data.bias);
    this.before = floatsOf(data.before);
    this.after = floatsOf(data.after);
    this.lines = ["+ bias", "= sum", "the network’s", "difference", ...(data.then ? [`after ${data.then}`] : [])];
  }

  get at() {
    return this.over ?? this.kept;
  }

  // What the numbers are at a place: straight out of the arrays that Python sent.
  input(i, { row, col } = this.at) {
    return this.x[(row * this.cols + col) * this.inputs + i];
  }

  output(array, o, { row, col } = this.at) {
    return array[(row * this.cols + col) * this.outputs + o];
  }

  weight(i, o) {
    return this.matrix[i * this.outputs + o];
  }

  sum(o) {
    let sum = this.bias[o];
    for (let i = 0; i < this.inputs; i++) sum += this.input(i) * this.weight(i, o);
    return sum;
  }

  build() {
    const table = document.createElement("table");
    const [outs, ins] = [range(this.outputs), range(this.inputs)];
    table.innerHTML = `<colgroup><col class="name"><col class="x">${outs.map(() => "<col>").join("")}<col class="w"><col class="product"></colgroup>
      <thead><tr><th scope="col" class="words">in</th><th scope="col" class="words">pixel</th>${outs.map((o) => `<th scope="col" data-out="${o}"></th>`).join("")}<th scope="col" class="words w">weight</th><th scope="col" class="words times"></th></tr></thead>
      <tbody>${ins.map(() => `<tr><th scope="row"></th><td class="x"></td>${outs.map((o) => `<td data-out="${o}"><span></span></td>`).join("")}<td class="chosen-weight"></td><td class="product"></td></tr>`).join("")}</tbody>
      <tfoot>${this.lines.map((name) => `<tr><th scope="row" colspan="2">${name}</th>${outs.map((o) => `<td data-out="${o}"><span></span></td>`).join("")}<td class="w"></td><td class="product"></td></tr>`).join("")}</tfoot>`;
    this.find(".table").replaceChildren(table);
    const button = (place, kind, k) => {
      const label = kind === "in" ? `show map ${k} that comes in` : `output ${k}: show its map and its products`;
      place.innerHTML =
        `<button type="button" aria-label="${label}"><span class="thumb"><canvas></canvas><i></i></span>` +
        `<span class="number">${k}</span></button>`;
      place.firstChild.onclick = () => this.choose({ kind, k });
      this.draw(place.querySelector("canvas"), { kind, k });
      return place.firstChild;
    };
    this.buttons = {
      in: ins.map((i) => button(table.tBodies[0].rows[i].cells[0], "in", i)),
      out: outs.map((o) => button(table.tHead.querySelector(`[data-out="${o}"]`), "out", o)),
    };
    this.body = [...table.tBodies[0].rows];
    this.foot = [...table.tFoot.rows];
    this.writeWeights();
    this.legends();
    this.pad.setAttribute("aria-label", `A map of ${this.rows} by ${this.cols} pixels. Arrow keys move the pixel, Home and End go to the ends of its row.`);
  }

  writeWeights() {
    this.body.forEach((row, i) => {
      for (let o = 0; o < this.outputs; o++) this.fill(row.cells[2 + o], this.weight(i, o), "weights");
    });
  }

  // A number into a cell of the table, with its colour on one of the scales.
  fill(cell, value, scale, words = this.words(value, scale)) {
    this.colours.tint(cell, value, this.scales[scale]);
    (cell.firstElementChild ?? cell).textContent = words;
  }

  legends() {
    const words = { in: "what comes in", weights: "weights", out: "what goes out, with bias and products" };
    this.find(".legends").innerHTML = Object.entries(words)
      .map(([name, said]) => {
        const scale = this.scales[name];
        const end = this.words(scale.limit, name).replace("+", "");
        const low = scale.kind === "signed" ? `−${end}` : "0";
        return `<div><dt>${said}</dt><dd><div class="bar" style="background:${this.colours.gradient(scale)}"></div><div class="ends"><span>${low}</span><span>${end}</span></div></dd></div>`;
      })
      .join("");
  }

  // A map on a canvas, a device pixel for a cell.
  draw(canvas, { kind, k }) {
    Object.assign(canvas, { width: this.cols, height: this.rows });
    const context = canvas.getContext("2d");
    const [array, depth] = kind === "in" ? [this.x, this.inputs] : [this.before, this.outputs];
    const at = (n) => array[n * depth + k];
    context.putImageData(this.colours.picture(context, this.rows, this.cols, at, this.scales[kind]), 0, 0);
  }

  paint() {
    const { kind, k } = this.map;
    const drawn = `${this.key} ${kind} ${k}`;
    if (this.drawn !== drawn) this.draw(this.pad.querySelector("canvas"), this.map);
    this.drawn = drawn;
    for (const name of ["in", "out"]) {
      this.buttons[name].forEach((button, n) => button.setAttribute("aria-pressed", String(kind === name && k === n)));
    }
    const [kept, over] = this.pad.querySelectorAll(".mark");
    this.put(kept, this.kept);
    this.put(over, this.over ?? this.kept);
    over.hidden = !this.over;
    this.point();
  }

  put(mark, { row, col }) {
    Object.assign(mark.style, {
      left: `${(100 * col) / this.cols}%`,
      top: `${(100 * row) / this.rows}%`,
      width: `${100 / this.cols}%`,
      height: `${100 / this.rows}%`,
    });
  }

  // The numbers of the pixel pointed at.
  point() {
    const out = this.kept.out;
    const { row, col } = this.at;
    const { kind, k } = this.map;
    this.find(".shown").textContent = `${kind === "in" ? "Comes in" : "Goes out"}: map ${k}, row ${row}, column ${col}`;
    this.find(".times").textContent = `× column ${out}`;
    this.body.forEach((tr, i) => {
      const [value, weight] = [this.input(i), this.weight(i, out)];
      this.fill(tr.cells[1], value, "in");
      this.fill(tr.cells[2 + this.outputs], weight, "weights");
      this.fill(tr.cells[3 + this.outputs], value * weight, "out", fixed(value * weight, 3));
      this.outline(tr, out);
      this.follow(this.buttons.in[i], row, col);
    });
    this.buttons.out.forEach((button) => this.follow(button, row, col));
    this.foot.forEach((tr, n) => {
      for (let o = 0; o < this.outputs; o++) {
        const cell = tr.cells[1 + o];
        const { value, words } = this.footing(n, o, false);
        // The difference has no place on the scale.
        if (n === 3) cell.firstChild.textContent = words;
        else this.fill(cell, value, "out", words);
      }
      this.outline(tr, out);
      tr.cells[2 + this.outputs].textContent = this.footing(n, out, true).words;
    });
  }

  // The lines under the matrix: bias, sum, the network's number, their difference, what the activation makes of it.
  footing(line, o, exactly) {
    const network = this.output(this.before, o);
    const value = [this.bias[o], this.sum(o), network, this.sum(o) - network, this.output(this.after, o)][line];
    if (line === 3) return { value: 0, words: value === 0 ? "0" : Math.abs(value).toExponential(0).replace("-", "−") };
    return { value, words: exactly ? fixed(value, 5) : this.words(value, "out") };
  }

  // A number with the decimals that its scale's end asks for.
  words(value, name) {
    const { kind, limit } = this.scales[name];
    return value === 0 ? "0" : beside(value, limit, kind === "signed");
  }

  // Where the pixel is, on a thumbnail.
  follow(button, row, col) {
    const dot = button.querySelector("i");
    dot.style.left = `${(100 * (col + 0.5)) / this.cols}%`;
    dot.style.top = `${(100 * (row + 0.5)) / this.rows}%`;
  }

  outline(tr, out) {
    for (const cell of tr.querySelectorAll("[data-out]")) cell.classList.toggle("of-chosen", Number(cell.dataset.out) === out);
  }

  // What the learner does ----------------------------------------------------------------------

  listen() {
    const cell = (event) => {
      const [across, down] = sharesAt(event, this.pad);
      return this.inside(Math.floor(down * this.rows), Math.floor(across * this.cols));
    };
    this.pad.onpointermove = (event) => {
      if (event.pointerType === "touch") return;
      const { row, col } = cell(event);
      if (this.over?.row === row && this.over?.col === col) return;
      this.over = { row, col };
      this.paint();
    };
    this.pad.onpointerleave = () => {
      this.over = null;
      this.paint();
    };
    this.pad.onclick = (event) => this.keep(cell(event));
    this.pad.onkeydown = (event) => {
      const { row, col } = this.at;
      const to = {
        ArrowUp: [row - 1, col],
        ArrowDown: [row + 1, col],
        ArrowLeft: [row, col - 1],
        ArrowRight: [row, col + 1],
        Home: [row, 0],
        End: [row, this.cols - 1],
        PageUp: [0, col],
        PageDown: [this.rows - 1, col],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      this.keep(this.inside(to[0], to[1]));
    };
  }

  inside(row, col) {
    return { row: clip(row, 0, this.rows - 1), col: clip(col, 0, this.cols - 1) };
  }

  keep({ row, col }) {
    this.over = null;
    this.kept = { ...this.kept, row, col };
    this.paint();
    this.say(`Row ${row}, column ${col}: output ${this.kept.out} is ${fixed(this.output(this.before, this.kept.out), 4)}.`);
    this.send();
  }

  choose(map) {
    this.map = map;
    if (map.kind === "out") {
      this.kept = { ...this.kept, out: map.k };
      this.say(`Output ${map.k} is ${fixed(this.output(this.before, map.k), 4)} here.`);
      this.send();
    }
    this.paint();
  }

  say(words) {
    this.find(".said").textContent = words;
  }

  send() {
    this.keeping.send(() => ({ ...this.kept }));
  }
}

// So many decimals, and the sign always written.
function fixed(value, decimals) {
  return value === 0 ? "0" : decimal(value, decimals, true);
}
