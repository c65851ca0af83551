// Shows a walk of cnnviz.animate: grids, the window on them, a step's arithmetic; plays it, and steps through it.
// All texts, numbers and colours come with the data; here they are placed.

import { clip } from "../js/arrays.js";
import { reducedMotion, sized } from "../js/dom.js";
import { saveFile } from "../js/files.js";

const SPEEDS = [4, 8, 16]; // Steps a second.

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.player ??= new Player(root);
  root.player.show(component.data, (step) => component.setTriggerValue("step", step));
  return () => root.player.stop();
}

class Player {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.still = reducedMotion();
    this.speed = 0;
    this.step = 0;
    this.filling = false; // Whether the output is drawn as far as the steps have come, and not whole.
    this.told = null; // The step that Python was told of and has not answered yet.
    const find = (name) => root.querySelector(`.${name}`);
    this.parts = Object.fromEntries(
      ["words", "result", "play", "back", "on", "speed", "count", "png", "caption"].map((name) => [name, find(name)]),
    );
    this.range = root.querySelector("input");
    this.parts.play.onclick = () => (this.timer ? this.pause() : this.play());
    this.parts.back.onclick = () => this.choose(this.step - 1);
    this.parts.on.onclick = () => this.choose(this.step + 1);
    this.parts.speed.onclick = () => {
      this.speed = (this.speed + 1) % SPEEDS.length;
      if (this.timer) this.run();
      this.label();
    };
    this.parts.png.onclick = () => this.save();
    this.range.oninput = () => {
      this.pause();
      this.filling = true;
      this.go(Number(this.range.value));
    };
    this.range.onchange = () => this.tell();
    this.canvas.onpointermove = (event) => this.point(event);
    this.canvas.onpointerenter = () => (this.over = true);
    this.canvas.onpointerleave = () => {
      this.over = false;
      this.preview = null;
      this.paint();
    };
    this.canvas.onclick = (event) => {
      const found = this.at(event);
      if (found !== null) {
        this.filling = false;
        this.choose(found);
      } else if (this.timer) this.pause();
    };
    root.onkeydown = (event) => this.key(event);
    this.sizes = new ResizeObserver(() => this.paint());
    this.sizes.observe(root);
    this.still.addEventListener("change", () => {
      this.pause();
      this.label();
    });
  }

  show(data, deliver) {
    this.deliver = deliver;
    this.root.setAttribute("aria-label", data.label);
    this.parts.caption.textContent = data.caption;
    const { scene, step, start } = data; // No step is the one it opens at.
    const last = scene.steps.length - 1;
    if (this.scene?.key === scene.key) {
      // The address may come to another step; the answer to a step that was chosen here is no news.
      if (this.given !== step && this.told === null) this.go(step ?? start);
      if ((step ?? start) === this.told) this.told = null;
      this.given = step;
      return;
    }
    const stays = this.scene?.operation === scene.operation && this.step !== this.start;
    this.scene = scene;
    this.start = start;
    this.given = step;
    this.told = null;
    this.step = Math.min(step ?? (stays ? this.step : start), last);
    this.preview = null;
    this.range.max = last;
    this.byPlace = new Map();
    const side = scene.backwards ? (s) => s.sources[0] : (s) => s.target;
    scene.steps.forEach((s, k) => this.byPlace.set(`${side(s)} ${s.row} ${s.col}`, k));
    this.paint();
    // Letters of the page's own may come later than the picture.
    document.fonts?.ready.then(() => this.paint());
  }

  stop() {
    this.pause();
  }

  // Moving ----------------------------------------------------------------------------------------

  play() {
    if (this.still.matches) return;
    // Where nobody has gone anywhere yet, it plays from the beginning.
    const fresh = !this.filling && this.step === this.start;
    this.filling = true;
    if (fresh || this.step >= this.scene.steps.length - 1) this.go(0);
    else this.paint();
    this.run();
    this.label();
  }

  run() {
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      if (this.over) return; // Under the pointer it waits.
      if (this.step < this.scene.steps.length - 1) this.go(this.step + 1);
      else this.pause();
    }, 1000 / SPEEDS[this.speed]);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.label();
  }

  go(step) {
    const last = this.scene.steps.length - 1;
    this.step = clip(step, 0, last);
    if (this.step === last) this.filling = false;
    this.paint();
  }

  choose(step) {
    this.pause();
    this.preview = null;
    this.go(step);
    this.tell();
  }

  tell() {
    this.told = this.step;
    this.deliver(this.step);
  }

  key(event) {
    if (event.target === this.range && event.key !== "Escape") return;
    const width = this.scene.backwards ? this.scene.inputs[0].cols : this.scene.outputs[0].cols;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
    if (moves[event.key] && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.choose(this.step + moves[event.key]);
    } else if (event.key === "Escape" && this.timer) this.pause();
  }

  point(event) {
    const found = this.at(event);
    if (found === this.preview) return;
    this.preview = found;
    this.canvas.style.cursor = found === null ? "" : "pointer";
    this.paint();
  }

  // The step whose cell on the small side is under the pointer.
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const places = this.scene.backwards ? this.layout.inputs : this.layout.outputs;
    for (const [k, place] of places.entries()) {
      const col = Math.floor((event.clientX - box.left - place.x) / place.cell) - place.grid.before[1];
      const row = Math.floor((event.clientY - box.top - place.y) / place.cell) - place.grid.before[0];
      const found = this.byPlace.get(`${k} ${row} ${col}`);
      if (found !== undefined) return found;
    }
    return null;
  }

  label() {
    const { play, back, on, speed, count } = this.parts;
    const last = this.scene ? this.scene.steps.length - 1 : 0;
    const set = (element, words) => element.textContent !== words && (element.textContent = words);
    set(play, this.timer ? "Pause" : "Play");
    play.disabled = this.still.matches || last < 1;
    play.title = this.still.matches ? "Your device asks for no motion; go step by step" : "";
    back.disabled = this.step <= 0;
    on.disabled = this.step >= last;
    set(speed, `${SPEEDS[this.speed]} a second`);
    speed.setAttribute("aria-label", `Speed: ${SPEEDS[this.speed]} steps a second; another`);
    speed.disabled = play.disabled;
    set(count, `step ${this.step + 1} of ${last + 1}`);
    this.range.value = this.step;
    this.range.setAttribute("aria-valuetext", `step ${this.step + 1} of ${last + 1}`);
  }

  // Drawing ---------------------------------------------------------------------------------------

  paint() {
    if (!this.scene || !this.root.clientWidth) return;
    this.label();
    const shown = this.preview ?? this.step;
    const step = this.scene.steps[shown];
    this.layout = arrange(this.scene, this.root.clientWidth, this.rem());
    const { width, height } = this.layout;
    draw(sized(this.canvas, width, height).getContext("2d"), this.scene, this.layout, step, this.filled(), getComputedStyle(this.root).fontFamily);
    this.parts.words.textContent = step.words;
    this.parts.result.textContent = step.result;
    const place = this.scene.backwards ? "Input" : "Output";
    const words = `Step ${shown + 1} of ${this.scene.steps.length}. ${place} row ${step.row}, column ${step.col}: ${step.words} ${step.result}`;
    this.canvas.setAttribute("aria-label", words);
  }

  // The last step whose outputs are shown.
  filled() {
    return this.filling ? this.step : this.scene.steps.length - 1;
  }

  rem() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  }

  save() {
    const copy = document.createElement("canvas");
    const dots = 3;
    copy.width = this.layout.width * dots + 48 * dots;
    copy.height = this.layout.height * dots + 48 * dots;
    const pen = copy.getContext("2d");
    pen.fillStyle = this.scene.colours.background;
    pen.fillRect(0, 0, copy.width, copy.height);
    pen.setTransform(dots, 0, 0, dots, 24 * dots, 24 * dots);
    draw(pen, this.scene, this.layout, this.scene.steps[this.step], this.filled(), getComputedStyle(this.root).fontFamily);
    copy.toBlob((blob) => saveFile(blob, `cnnviz-${this.scene.operation.replaceAll("_", "-")}.png`));
  }
}

const padded = (grid) => [
  grid.before[0] + grid.rows + grid.after[0],
  grid.before[1] + grid.cols + grid.after[1],
];

// Where every grid stands: side by side, or the input above the rest where it is narrow; the output last
// where it is too large to stand beside the kernel.
function arrange(scene, available, rem) {
  const head = 22 * rem;
  const gap = 40 * rem;
  const foot = 10 * rem;
  const [inRows, inCols] = padded(scene.inputs[0]);
  const [outRows, outCols] = padded(scene.outputs[0]);
  const [kh, kw] = scene.kernels.length ? scene.kernel : [0, 0];
  const narrow = available < 560 * rem;
  const largest = 42 * rem;
  const tallest = (620 * rem) / Math.max(scene.inputs.length, scene.outputs.length);
  let small = kw ? Math.min(34 * rem, ((narrow ? 100 : 190) * rem) / kw) : 0;
  // Several channels keep their kernels beside them, with the outputs below.
  const beside = narrow && kw && scene.inputs.length > 1;
  const both = (available - gap * (kw ? 2 : 1) - kw * small - 2) / (inCols + outCols);
  const cell = Math.floor(
    Math.min(
      largest,
      beside
        ? (available - 2 - gap - kw * small) / inCols
        : narrow
          ? (available - 2) / inCols
          : Math.min(both, tallest / Math.max(inRows, outRows)),
    ),
  );
  // Under one another, the two sides need not have cells of one size.
  const left = available - 2 - gap - kw * small;
  const below = narrow && kw && !beside && left / outCols < 24 * rem;
  const room = beside || below || !kw ? available - 2 : left;
  const outCell = narrow ? Math.floor(Math.min(largest, room / outCols)) : cell;
  small = Math.floor(small);
  const place = (grid, x, y, size) => ({ grid, x, y, cell: size });
  const layout = { signs: [], rem };
  const between = scene.backwards ? "×" : "∗";
  const stack = (grids, x, top, each, rows, size) =>
    grids.map((grid, k) => place(grid, x, top + k * each + head + (each - head - foot - rows * size) / 2, size));
  const slices = scene.inputs.map(() => ({ before: [0, 0], rows: kh, cols: kw }));
  if (beside) {
    const inEach = Math.max(inRows * cell, kh * small) + head + foot;
    layout.inputs = stack(scene.inputs, 1, 0, inEach, inRows, cell);
    layout.kernels = stack(slices, inCols * cell + gap, 0, inEach, kh, small);
    const top = inEach * scene.inputs.length + 24 * rem;
    const outEach = outRows * outCell + head + foot;
    layout.outputs = stack(scene.outputs, 1, top, outEach, outRows, outCell);
    layout.signs.push([available / 2, top - 8 * rem, "↓"]);
    layout.width = available;
    layout.height = top + outEach * scene.outputs.length + 4;
    return layout;
  }
  if (narrow) {
    const inEach = inRows * cell + head + foot;
    layout.inputs = stack(scene.inputs, 1, 0, inEach, inRows, cell);
    const top = inEach * scene.inputs.length + 8;
    const kernelEach = kh * small + head + foot;
    const outEach = outRows * outCell + head + foot;
    const [kernelsTall, outputsTall] = [kw ? kernelEach * slices.length : 0, outEach * scene.outputs.length];
    layout.kernels = kw ? stack(slices, 1, top, kernelEach, kh, small) : [];
    layout.width = available;
    if (below) {
      const start = top + kernelsTall + 20 * rem;
      layout.outputs = stack(scene.outputs, 1, start, outEach, outRows, outCell);
      layout.signs.push([1 + (kw * small) / 2, start - 6 * rem, "↓"]);
      layout.height = start + outputsTall + 4;
      return layout;
    }
    const tall = Math.max(kernelsTall, outputsTall);
    layout.outputs = stack(scene.outputs, kw ? kw * small + gap : 1, top, outEach, outRows, outCell);
    if (kw) layout.signs.push([kw * small + gap / 2, top + tall / 2, "→"]);
    layout.height = top + tall + 4;
    return layout;
  }
  const inEach = Math.max(inRows * cell, kh * small) + head + foot;
  const outEach = outRows * cell + head + foot;
  const whole = Math.max(inEach * scene.inputs.length, outEach * scene.outputs.length);
  const middle = (count, each) => (whole - count * each) / 2;
  let x = 1;
  layout.inputs = stack(scene.inputs, x, middle(scene.inputs.length, inEach), inEach, inRows, cell);
  x += inCols * cell;
  layout.kernels = [];
  if (kw) {
    layout.signs.push([x + gap / 2, whole / 2 + 6, between]);
    x += gap;
    layout.kernels = stack(slices, x, middle(scene.inputs.length, inEach), inEach, kh, small);
    x += kw * small;
  }
  layout.signs.push([x + gap / 2, whole / 2 + 6, "→"]);
  x += gap;
  layout.outputs = stack(scene.outputs, x, middle(scene.outputs.length, outEach), outEach, outRows, cell);
  layout.width = Math.min(available, x + Math.max(outCols * cell, 70 * rem) + 4);
  layout.height = whole;
  return layout;
}

// Everything at a step; the output is filled by all steps up to `filled`.
function draw(pen, scene, layout, step, filled, font) {
  const { colours, steps } = scene;
  const ink = { pen, colours, font, rem: layout.rem };
  pen.textBaseline = "alphabetic";
  for (const [x, y, sign] of layout.signs) text(ink, sign, x, y, 20 * layout.rem, colours.muted, "center");
  const texts = (cells) => cells.flat().map((cell) => cell[0]);
  const inputType = fit(ink, texts(scene.inputs.flatMap((grid) => grid.cells)), layout.inputs[0].cell);
  scene.inputs.forEach((grid, k) => panel(ink, grid, layout.inputs[k], grid.cells, inputType));
  if (layout.kernels.length) {
    const all = scene.kernels.flat().flatMap((grid) => grid.cells);
    const type = fit(ink, texts(all), layout.kernels[0].cell);
    step.sources.forEach((channel, k) => {
      const grid = scene.kernels[step.target][scene.backwards ? channel : k];
      panel(ink, grid, layout.kernels[channel], grid.cells, type);
    });
  }
  const written = scene.outputs.map((grid) => grid.cells.map((row) => row.slice()));
  const outputType = fit(ink, steps.flatMap((s) => s.written.map((cell) => cell[2])), layout.outputs[0].cell);
  for (const s of steps.slice(0, filled + 1)) {
    for (const [row, col, ...cell] of s.written) written[s.target][row][col] = cell;
  }
  scene.outputs.forEach((grid, k) => panel(ink, grid, layout.outputs[k], written[k], outputType));

  const large = scene.backwards ? [layout.outputs[step.target]] : step.sources.map((c) => layout.inputs[c]);
  const small = scene.backwards ? layout.inputs[step.sources[0]] : layout.outputs[step.target];
  for (const place of large) mark(ink, scene, place, step);
  outline(ink, small, step.row + small.grid.before[0], step.col + small.grid.before[1], 1, 1, 3);
}

function panel(ink, grid, place, cells, type) {
  const { pen, colours } = ink;
  const [rows, cols] = padded(grid.after ? grid : { ...grid, after: [0, 0] });
  text(ink, grid.title, place.x, place.y - 7, 12.5 * ink.rem, colours.ink, "left");
  if (rows > grid.rows || cols > grid.cols) {
    pen.fillStyle = colours.panel;
    pen.fillRect(place.x, place.y, cols * place.cell, rows * place.cell);
    pen.strokeStyle = colours.muted;
    pen.setLineDash([4, 3]);
    pen.lineWidth = 1;
    pen.strokeRect(place.x + 0.5, place.y + 0.5, cols * place.cell - 1, rows * place.cell - 1);
    pen.setLineDash([]);
    if (grid.around && place.cell >= 16) {
      for (let row = 0; row < rows; row++) {
        for (let col = 0; col < cols; col++) {
          const inside =
            row >= grid.before[0] && row < grid.before[0] + grid.rows && col >= grid.before[1] && col < grid.before[1] + grid.cols;
          if (!inside) write(ink, place, row, col, grid.around, Math.min(11 * ink.rem, place.cell * 0.45), colours.muted);
        }
      }
    }
  }
  const lined = place.cell >= 12;
  cells.forEach((line, r) =>
    line.forEach(([words, fill, colour], c) => {
      const row = r + grid.before[0];
      const col = c + grid.before[1];
      pen.fillStyle = fill || colours.background;
      pen.fillRect(place.x + col * place.cell, place.y + row * place.cell, place.cell, place.cell);
      if (lined) {
        pen.strokeStyle = colours.line;
        pen.lineWidth = 1;
        pen.strokeRect(place.x + col * place.cell + 0.5, place.y + row * place.cell + 0.5, place.cell, place.cell);
      }
      if (type && words) write(ink, place, row, col, words, type, colour);
    }),
  );
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.strokeRect(
    place.x + grid.before[1] * place.cell + 0.5,
    place.y + grid.before[0] * place.cell + 0.5,
    grid.cols * place.cell,
    grid.rows * place.cell,
  );
}

// The window on the large side; taps apart are outlined one by one.
function mark(ink, scene, place, step) {
  const [kh, kw] = scene.kernel;
  const [dy, dx] = scene.dilation;
  const top = step.first[0] + place.grid.before[0];
  const left = step.first[1] + place.grid.before[1];
  const spread = (dy > 1 && kh > 1) || (dx > 1 && kw > 1);
  outline(ink, place, top, left, (kh - 1) * dy + 1, (kw - 1) * dx + 1, spread ? 1 : 3);
  if (spread) {
    for (let u = 0; u < kh; u++) for (let v = 0; v < kw; v++) outline(ink, place, top + u * dy, left + v * dx, 1, 1, 2);
  }
  if (step.winner) {
    const row = step.winner[0] + place.grid.before[0];
    const col = step.winner[1] + place.grid.before[1];
    const [x, y, side] = [place.x + col * place.cell, place.y + row * place.cell, Math.max(4, place.cell * 0.34)];
    const { pen, colours } = ink;
    pen.fillStyle = colours.accent;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + side, y);
    pen.lineTo(x, y + side);
    pen.fill();
    outline(ink, place, row, col, 1, 1, 2);
  }
}

function outline(ink, place, row, col, rows, cols, thickness) {
  const { pen, colours } = ink;
  const box = [place.x + col * place.cell, place.y + row * place.cell, cols * place.cell, rows * place.cell];
  if (thickness > 1) {
    pen.strokeStyle = colours.background;
    pen.lineWidth = thickness + 2;
    pen.strokeRect(...box);
  }
  pen.strokeStyle = colours.accent;
  pen.lineWidth = thickness === 3 ? 2.5 : thickness;
  pen.strokeRect(...box);
}

function write(ink, place, row, col, words, size, colour) {
  const x = place.x + (col + 0.5) * place.cell;
  text(ink, words, x, place.y + (row + 0.5) * place.cell + 0.36 * size, size, colour, "center");
}

function text({ pen, font }, words, x, y, size, colour, align) {
  pen.font = `${size}px ${font}`;
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.fillText(words, x, y);
}

// The size of the numbers in cells; 0 where they could not be read.
function fit({ pen, font, rem }, texts, cell) {
  const longest = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
  pen.font = `13px ${font}`;
  const size = Math.min(13 * rem, cell * 0.5, (13 * (cell - 4)) / (pen.measureText(longest).width || 1));
  return size >= 7.5 ? size : 0;
}
