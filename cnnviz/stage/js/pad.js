// A pad to draw one digit on, by mouse, finger, pen or keys; what is drawn is prepared as MNIST was.

import { clip } from "./arrays.js";
import { toBase64 } from "./base64.js";
import { canvasOf, closest, sharesAt } from "./dom.js";
import { prepareDigit } from "./digit_preparation.js";

const SIZE = 168;
const STEP = 4; // What an arrow key moves the brush by, in the pad's pixels.
const STRIDE = 20; // The same with Shift.

const PANEL = `
<div class="cv-padbox">
  <canvas class="cv-pad" width="${SIZE}" height="${SIZE}" tabindex="0" role="application" aria-roledescription="drawing pad"
    aria-label="Drawing pad: draw one digit with the mouse, a finger or a pen, or with keys: the arrow keys move the brush,
 with Shift by more; Space sets it down and lifts it; Backspace undoes."></canvas>
  <div class="cv-brushat" hidden></div>
</div>
<div class="cv-prepared"><canvas width="28" height="28" role="img" aria-label="The drawing as the network gets it"></canvas>
  <p>28×28, as the network gets it: fitted into 20×20, centred by its centre of mass</p></div>
<div class="cv-pens">
  <label class="cv-field"><span>Brush</span><input type="range" min="6" max="30" value="14" class="cv-brush"></label>
  <button type="button" class="cv-button" data-do="erase" aria-pressed="false">Erase</button>
  <button type="button" class="cv-button" data-do="undo">Undo</button>
  <button type="button" class="cv-button" data-do="clear">Clear</button>
  <p class="cv-small cv-padkeys">Keys: arrows move the brush, Space sets it down and lifts it, Backspace undoes.</p>
</div>
<p class="cv-unseen" role="status"></p>`;

/** @import { Colours } from "./colours.js" */

/**
 * What stands around a pad. `changed` is called once a frame with 28x28 bytes, or null where there is too
 * little ink, and when the frame's work began.
 *
 * @typedef {object} PadHost
 * @property {() => Colours} colours
 * @property {(digit: Uint8Array | null, began: number) => void} changed
 * @property {() => void} lifted called when a stroke, an undo or a clear is done
 * @property {() => string} verdict what the network says of the drawing, in words
 */

/** @typedef {{ points: number[][], width: number, erase: boolean }} Stroke */

/** The pad, in an element. */
export class Pad {
  /**
   * @param {HTMLElement} element
   * @param {PadHost} host
   */
  constructor(element, host) {
    this.host = host;
    /** @type {Stroke[]} */
    this.strokes = [];
    /** @type {Stroke[][]} */
    this.past = [];
    /** @type {Stroke[][]} */
    this.future = [];
    /** @type {Stroke | null} */
    this.stroke = null;
    this.erasing = false;
    this.at = [SIZE / 2, SIZE / 4];
    element.innerHTML = PANEL;
    /** @type {(selector: string) => any} */
    const find = (selector) => element.querySelector(selector);
    this.canvas = find(".cv-pad");
    this.brush = find(".cv-brushat");
    this.preview = find(".cv-prepared canvas");
    this.width = find(".cv-brush");
    this.spoken = find("[role=status]");
    this.ink = canvasOf(SIZE, SIZE);
    this.listen(element);
    this.redraw();
  }

  get blank() {
    return !this.strokes.length;
  }

  /** What is on the pad, for Python: a byte a pixel, 0 is paper. */
  pixels() {
    return { side: SIZE, pixels: toBase64(this.raster) };
  }

  listen(element) {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.pressed(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => event.pointerId === this.pointer && this.lift());
    }
    canvas.addEventListener("pointerleave", () => this.stroke || this.hideBrush());
    canvas.addEventListener("keydown", (event) => this.keyed(event));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && this.showBrush());
    canvas.addEventListener("blur", () => queueMicrotask(() => {
      // What leaves the page with all around it comes back.
      if (!canvas.isConnected) return;
      this.lift();
      this.hideBrush();
    }));
    this.width.addEventListener("input", () => this.brush.hidden || this.showBrush());
    element.addEventListener("click", (event) => {
      const button = closest(event, "[data-do]");
      const action = button?.dataset.do;
      if (action === "undo") this.undo();
      if (action === "clear" && this.strokes.length) this.clear();
      if (action === "erase") {
        this.erasing = !this.erasing;
        button.setAttribute("aria-pressed", String(this.erasing));
      }
    });
  }

  // The pointer -----------------------------------------------------------------------------------

  place(event) {
    return sharesAt(event, this.canvas).map((share) => share * SIZE);
  }

  pressed(event) {
    // It was let go where nobody heard of it.
    if (this.stroke && event.pointerId === this.pointer) this.lift();
    if (event.button !== 0 || this.stroke) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.at = this.place(event);
    this.set();
  }

  moved(event) {
    if (this.stroke && event.pointerId !== this.pointer) return;
    if (this.stroke) {
      for (const each of event.getCoalescedEvents?.() ?? []) this.stroke.points.push(this.place(each));
      this.stroke.points.push(this.place(event));
      this.soon();
    }
    this.at = this.place(event);
    if (event.pointerType === "mouse") this.showBrush();
  }

  /** Put the brush down where it is. */
  set() {
    this.stroke = { points: [this.at], width: Number(this.width.value), erase: this.erasing };
    this.keep();
    this.strokes = [...this.strokes, this.stroke];
    this.soon();
  }

  /** Take it up; false if it was not down. */
  lift() {
    if (!this.stroke) return false;
    this.stroke = this.pointer = null;
    this.done();
    return true;
  }

  // The keys --------------------------------------------------------------------------------------

  keyed(event) {
    const { key } = event;
    const arrow = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[key];
    const undo = key === "Backspace" || (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey));
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (arrow) this.walk(arrow, event.shiftKey ? STRIDE : STEP);
    else if (undo && event.shiftKey) this.redo();
    else if (undo) this.undo();
    else if (key === " " && !event.repeat) this.stroke ? this.lift() : this.set();
    else if (key === "Escape" && this.stroke) this.lift();
    else if (key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    this.showBrush();
    if (arrow) this.say(`${this.where()}, brush ${this.stroke ? "down" : "up"}.`);
    else if (this.stroke) this.say("Brush down.");
  }

  walk([across, down], by) {
    this.at = [clip(this.at[0] + across * by, 0, SIZE), clip(this.at[1] + down * by, 0, SIZE)];
    if (!this.stroke) return;
    this.stroke.points.push(this.at);
    this.soon();
  }

  where() {
    const [across, down] = this.at.map((value) => Math.round((100 * value) / SIZE));
    return `${across} % across, ${down} % down`;
  }

  // The brush -------------------------------------------------------------------------------------

  /** A ring as wide as the brush, where it is. */
  showBrush() {
    const unit = this.canvas.clientWidth / SIZE;
    const size = Math.max(Number(this.width.value) * unit, 6);
    this.brush.hidden = false;
    this.brush.dataset.down = this.stroke ? "yes" : "no";
    this.brush.style.width = this.brush.style.height = `${size}px`;
    const [left, top] = this.at.map((value) => value * unit - size / 2);
    this.brush.style.transform = `translate(${left}px, ${top}px)`;
  }

  hideBrush() {
    if (!this.canvas.matches(":focus-visible")) this.brush.hidden = true;
  }

  // Strokes ---------------------------------------------------------------------------------------

  undo() {
    return this.go(this.past, this.future);
  }

  redo() {
    return this.go(this.future, this.past);
  }

  /** A step through what was drawn, whichever way; false if there is none. */
  go(from, to) {
    const next = this.stroke ? undefined : from.pop();
    if (!next) return false;
    to.push(this.strokes);
    this.strokes = next;
    this.done();
    return true;
  }

  clear() {
    this.keep();
    this.strokes = [];
    this.done();
  }

  keep() {
    this.past.push(this.strokes);
    this.future = [];
  }

  done() {
    this.redraw();
    this.say(this.digit ? `Brush up. ${this.host.verdict()}` : this.strokes.length ? "Too little ink." : "The pad is empty.");
    this.host.lifted();
  }

  say(words) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.spoken.textContent = words), 300);
  }

  /** Once a frame, however many points came. */
  soon() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.redraw();
    });
  }

  redraw() {
    const began = performance.now();
    const context = this.ink.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIZE, SIZE);
    context.lineCap = context.lineJoin = "round";
    for (const { points, width, erase } of this.strokes) {
      context.strokeStyle = erase ? "#000" : "#fff";
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(points[0][0], points[0][1]);
      for (const [x, y] of points.length > 1 ? points.slice(1) : points) context.lineTo(x, y);
      context.stroke();
    }
    const { data } = context.getImageData(0, 0, SIZE, SIZE);
    this.raster = Uint8Array.from({ length: SIZE * SIZE }, (_, n) => data[4 * n]);
    this.digit = prepareDigit({ rows: SIZE, cols: SIZE, data: Float64Array.from(this.raster, (v) => v / 255) });
    this.repaint();
    this.host.changed(this.digit, began);
  }

  /** The pad and what it is made into, in the colours of the theme. */
  repaint() {
    this.paint(this.canvas, this.raster);
    this.showPrepared(this.digit ?? new Uint8Array(28 * 28));
  }

  showPrepared(bytes) {
    this.paint(this.preview, bytes);
  }

  paint(canvas, bytes) {
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    const scale = { kind: "ink", limit: 255 };
    context.putImageData(this.host.colours().picture(context, height, width, (n) => bytes[n], scale), 0, 0);
  }
}
