// Pictures and saved states that are brought: opened, pasted or dropped; and what was made, saved.

import { toAddress, toBase64 } from "./base64.js";
import { button, canvasOf } from "./dom.js";
import { prepareDigit } from "./digit_preparation.js";
import { saveFile } from "./files.js";
import { bytesOf } from "./image_bytes.js";

/** @import { Scene } from "./scene.js" */
/** @import { View } from "./view.js" */

/** Larger pictures are made smaller before they are looked at: a digit needs no more. */
const LARGEST = 280;
const MOST_BYTES = 40e6;

/**
 * @param {View} view
 */
export function opening(view) {
  return view.engine || view.asking ? new Opening(view) : null;
}

class Opening {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    this.input = document.createElement("input");
    this.input.type = "file";
    this.input.accept = "image/*,.json,application/json";
    this.input.hidden = true;
    this.input.setAttribute("aria-label", "A picture, or a state that was saved here");
    this.input.onchange = () => this.take(this.input.files);
    const open = button("Open", () => this.input.click(), "cv-openfile");
    open.title = "Open a picture as the image, or a state that was saved here; a picture can also be pasted or dropped";
    view.part("tools").append(this.input, open, button("Save", () => this.save(), "cv-savestate"));
    this.paste = (event) => this.view.isLastUsed() && this.take(event.clipboardData?.files);
    document.addEventListener("paste", this.paste);
    view.root.addEventListener("dragover", (event) => event.preventDefault());
    view.root.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer?.files);
    });
  }

  destroy() {
    document.removeEventListener("paste", this.paste);
  }

  /** @param {FileList | null | undefined} files */
  async take(files) {
    const file = files?.[0];
    this.input.value = "";
    if (!file) return;
    const { view } = this;
    if (file.size > MOST_BYTES) {
      view.tell(`${file.name.slice(0, 60)} is larger than ${MOST_BYTES / 1e6} MB, which is the limit.`);
      return;
    }
    const isState = file.type === "application/json" || file.name.endsWith(".json");
    if (isState) this.takeState(await file.text());
    else view.tell(await this.takePicture(file));
  }

  takeState(text) {
    const { view } = this;
    let given = null;
    try {
      given = JSON.parse(text);
    } catch {
      view.tell("This file is not a state that was saved here: it is no JSON.");
      return;
    }
    const before = view.history.now;
    const shown = given?.image?.pixels === this.itemPixels;
    view.take(shown ? { ...given, image: null, item: before.item } : given);
    if (view.image) view.history.tell({ pixels: toBase64(view.image.pixels) });
    view.history.keep(before, "Opened");
  }

  /** The image that was picked, as a state holds one. */
  get itemPixels() {
    const { plain, item } = this.view;
    return toAddress(bytesOf(plain, plain.valuesOf(item)[0]));
  }

  /** What is shown as plain data. Where the page around picks the image, it may show another when this is opened. */
  get state() {
    const { view } = this;
    const state = view.state();
    if (view.image || !view.scene.header.host?.choose) return state;
    return { ...state, item: "", image: { title: view.scene.items[view.item].title, pixels: this.itemPixels } };
  }

  async takePicture(file) {
    const { view } = this;
    let picture;
    try {
      picture = await createImageBitmap(file);
    } catch {
      return `${file.name.slice(0, 60)} cannot be read as a picture.`;
    }
    const pixels = pixelsOf(picture, view.plain);
    if (!pixels) return "No digit was found in this picture: it should be dark ink on light paper, or light on dark.";
    const title = file.name.slice(0, 60) || "pasted picture";
    view.history.commit(view.history.keptWithOther(false), `Opened ${title}`, { title, pixels });
    return "";
  }

  /** What was made, as two files: the image as the network gets it, and the state that reopens here. */
  save() {
    const { view } = this;
    const stage = view.plain.stages[0];
    const [rows, cols] = stage.shape;
    const { image, x, y } = /** @type {import("./surface.js").Picture} */ (view.pictures.at(0, view.plain.inColours(stage) ? stage.shape[2] : 0));
    const canvas = canvasOf(cols, rows);
    canvas.getContext("2d").drawImage(image, x, y, cols, rows, 0, 0, cols, rows);
    const name = `cnnviz-${view.plain.header.model.name.replace(/[^\w-]+/g, "-")}`;
    canvas.toBlob((blob) => saveFile(blob, `${name}.png`));
    saveFile(new Blob([`${JSON.stringify(this.state, null, 1)}\n`], { type: "application/json" }), `${name}.json`);
    view.say("Saved: the image as PNG, the state as JSON.");
  }
}

/**
 * A picture as the bytes of a scene's first input: a digit is prepared as MNIST was, anything else is cut to
 * the input's shape and scaled. Null where there is no digit.
 *
 * @param {ImageBitmap} picture
 * @param {Scene} scene
 */
function pixelsOf(picture, scene) {
  const [rows, cols, channels] = scene.stages[0].shape;
  // Which channels hold red, green and blue.
  const colours = scene.picture?.channels ?? [0, 1, 2];
  const digit = rows === 28 && cols === 28 && channels === 1;
  const whole = Math.min(1, LARGEST / Math.max(picture.width, picture.height));
  const [width, height] = digit ? [Math.max(1, Math.round(picture.width * whole)), Math.max(1, Math.round(picture.height * whole))] : [cols, rows];
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  if (digit) context.drawImage(picture, 0, 0, width, height);
  else {
    const share = Math.min(picture.width / cols, picture.height / rows);
    const [w, h] = [cols * share, rows * share];
    context.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, 0, 0, cols, rows);
  }
  const { data } = context.getImageData(0, 0, width, height);
  const grey = (/** @type {number} */ n) => (0.299 * data[4 * n] + 0.587 * data[4 * n + 1] + 0.114 * data[4 * n + 2]) / 255;
  if (!digit) {
    return Uint8Array.from({ length: rows * cols * channels }, (_, n) => (channels === 3 ? data[4 * Math.floor(n / 3) + colours.indexOf(n % 3)] : Math.round(255 * grey(Math.floor(n / channels)))));
  }
  // Paper is what lies around the edge; ink is what differs from it.
  const lightness = Float64Array.from({ length: width * height }, (_, n) => grey(n));
  const edge = lightness.filter((_, n) => n < width || n >= width * (height - 1) || n % width === 0 || n % width === width - 1);
  const light = edge.reduce((sum, value) => sum + value, 0) / edge.length > 0.5;
  return prepareDigit({ rows: height, cols: width, data: light ? lightness.map((value) => 1 - value) : lightness });
}
