// The pad: what is drawn is prepared as MNIST was and sent through the network while the pen moves.

import { prepareDigit } from "./prepare.js";
import { measure } from "./view.js";

const SIZE = 168;
const SHOWN = 224;

const PANEL = `
<div class="cv-draw">
  <div class="cv-padbox"><canvas class="cv-pad" width="${SIZE}" height="${SIZE}" tabindex="0" role="img"
    aria-label="Drawing pad: draw one digit with the mouse, a finger or a pen"></canvas></div>
  <div class="cv-prepared"><canvas width="28" height="28" role="img" aria-label="The drawing as the network gets it"></canvas>
    <p>28×28, as the network gets it: fitted into 20×20, centred by its centre of mass</p></div>
  <div class="cv-pens">
    <label class="cv-field"><span>Brush</span><input type="range" min="6" max="30" value="14" class="cv-brush"></label>
    <button type="button" class="cv-button" data-do="erase" aria-pressed="false">Erase</button>
    <button type="button" class="cv-button" data-do="undo">Undo</button>
    <button type="button" class="cv-button" data-do="clear">Clear</button>
    <button type="button" class="cv-button" data-do="close">Back to the digit</button>
    <p class="cv-engine" role="status"></p>
  </div>
</div>`;

export function drawing(view) {
  const { host } = view;
  if (!host.ask || view.scene.stages[0].shape.join() !== "28,28,1") return null;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "cv-button cv-opendraw";
  button.textContent = "Draw";
  button.setAttribute("aria-pressed", "false");
  view.part("tools").append(button);
  const pad = new Pad(view, button);
  button.onclick = () => (pad.open ? pad.close() : pad.show());
  return pad;
}

class Pad {
  constructor(view, button) {
    this.view = view;
    this.button = button;
    this.strokes = [];
    this.open = false;
    this.version = 0;
  }

  show() {
    this.view.openPanel(this);
    this.open = true;
    this.button.setAttribute("aria-pressed", "true");
    const panel = this.view.part("panel");
    panel.innerHTML = PANEL;
    this.canvas = panel.querySelector(".cv-pad");
    this.canvas.style.width = this.canvas.style.height = `${SHOWN}px`;
    this.preview = panel.querySelector(".cv-prepared canvas");
    this.engine = panel.querySelector(".cv-engine");
    this.ink = document.createElement("canvas");
    this.ink.width = this.ink.height = SIZE;
    this.listen(panel);
    this.redraw();
  }

  close() {
    if (!this.open) return;
    this.open = false;
    this.button.setAttribute("aria-pressed", "false");
    this.view.part("panel").replaceChildren();
    this.strokes = [];
    this.view.shown = null;
    this.view.titleNow = null;
    this.view.engine = null;
    if (this.asked) this.view.host.ask("drawing", null);
    this.asked = false;
    this.view.repaint();
    this.button.focus();
  }

  escape() {
    if (!this.open || this.view.trail.length) return false;
    this.close();
    return true;
  }

  listen(panel) {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.canvas.setPointerCapture(event.pointerId);
      const width = Number(panel.querySelector(".cv-brush").value);
      this.stroke = { points: [at(event)], width, erase: this.erasing };
      this.strokes.push(this.stroke);
      this.soon();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.stroke) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.stroke.points.push(at(each));
      this.stroke.points.push(at(event));
      this.soon();
    });
    const end = () => {
      if (!this.stroke) return;
      this.stroke = null;
      this.redraw();
      this.send();
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
    panel.onclick = (event) => {
      const action = event.target.closest("[data-do]")?.dataset.do;
      if (action === "erase") {
        this.erasing = !this.erasing;
        event.target.setAttribute("aria-pressed", String(this.erasing));
      } else if (action === "undo" || action === "clear") {
        this.strokes = action === "undo" ? this.strokes.slice(0, -1) : [];
        this.redraw();
        this.send();
      } else if (action === "close") {
        this.close();
      }
    };
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
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIZE, SIZE);
    context.lineCap = context.lineJoin = "round";
    for (const { points, width, erase } of this.strokes) {
      context.strokeStyle = erase ? "#000" : "#fff";
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point);
      context.stroke();
    }
    const pixels = context.getImageData(0, 0, SIZE, SIZE).data;
    this.raster = new Uint8Array(SIZE * SIZE);
    for (let n = 0; n < this.raster.length; n++) this.raster[n] = pixels[4 * n];
    this.paintPad();
    const digit = prepareDigit({ rows: SIZE, cols: SIZE, data: Float64Array.from(this.raster, (v) => v / 255) });
    this.paintPreview(digit);
    if (!digit) {
      this.say(this.strokes.length ? "There is too little ink for a digit." : "Draw a digit from 0 to 9.");
      this.view.shown = null;
      this.view.titleNow = null;
      this.view.engine = null;
      this.view.repaint();
      return;
    }
    this.view.shown = this.view.scene.forward(Float32Array.from(digit, (v) => v / 255));
    this.view.titleNow = "your drawing";
    this.view.engine = "this browser";
    this.say("Computed in this browser while you draw; NumPy follows when you lift the pen.");
    this.view.repaint();
    measure("cnnviz:draw", began);
  }

  say(words) {
    if (this.engine.textContent !== words) this.engine.textContent = words;
  }

  paintPad() {
    const { colours } = this.view;
    paint(this.canvas, this.raster, SIZE, colours);
  }

  paintPreview(digit) {
    paint(this.preview, digit ?? new Uint8Array(28 * 28), 28, this.view.colours);
  }

  send() {
    this.version += 1;
    if (!this.strokes.length) {
      if (this.asked) this.view.host.ask("drawing", null);
      this.asked = false;
      return;
    }
    this.asked = true;
    let text = "";
    for (const value of this.raster) text += String.fromCharCode(value);
    this.of = this.view.scene.header.host?.item;
    this.view.host.ask("drawing", { of: this.of, side: SIZE, pixels: btoa(text), version: this.version });
  }

  /** Python answered: its numbers replace the browser's, unless the pen has moved on. */
  updated() {
    if (!this.open) return;
    const { item, drawing: answer } = this.view.scene.header.host ?? {};
    if (this.asked && item !== this.of) {
      // Another digit was picked meanwhile.
      this.asked = false;
      this.close();
      return;
    }
    if (!answer || answer.version !== this.version || this.stroke) {
      if (this.strokes.length) this.redraw();
      return;
    }
    this.view.shown = null;
    this.view.titleNow = null;
    this.view.engine = null;
    this.say(answer.error ?? "Computed by NumPy.");
    const bytes = Uint8Array.from(this.view.values[0], (v) => Math.round(255 * v));
    if (!answer.error) this.paintPreview(bytes);
    this.view.repaint();
  }
}

function paint(canvas, bytes, side, colours) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  const table = colours.table("ink");
  const pixels = new Uint32Array(image.data.buffer);
  bytes.forEach((value, n) => (pixels[n] = table[Math.round((value / 255) * (table.length - 1))]));
  context.putImageData(image, 0, 0);
}
