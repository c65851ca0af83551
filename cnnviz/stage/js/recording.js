// The sliding window as a GIF: every step as the panel draws it, put together beside its words.

import { maximum } from "./arrays.js";
import { Gif, paletteOf } from "./gif.js";

const MARGIN = 16;
const GAP = 28;
const LINE = 20;
const LAST = 200; // Hundredths of a second that the last step stands.
const SHORTEST = 2; // Viewers slow down what is shorter.

/** @import { Player } from "./playing.js" */

/**
 * Play all steps into a file.
 *
 * @param {Player} player
 * @param {(share: number) => boolean} told hears the share that is done, and says whether to go on
 */
export async function record(player, told) {
  const sheet = new Sheet(player);
  const hundredths = Math.max(SHORTEST, Math.round(100 / player.speed));
  const { steps } = player;
  const some = [0, 1, 2, 3].map((n) => sheet.drawn(Math.floor(((steps - 1) * n) / 3)));
  const gif = new Gif(sheet.width, sheet.height, paletteOf(some));
  for (let step = 0; step < steps; step++) {
    gif.add(sheet.drawn(step), step === steps - 1 ? LAST : hundredths);
    if (step % 8) continue;
    await new Promise((go) => setTimeout(go));
    if (!told(step / steps)) return null;
  }
  return gif.bytes();
}

/** The panel's pictures side by side, with what is written under them. */
class Sheet {
  constructor(player) {
    this.player = player;
    this.figures = ["in", "kernel", "out"]
      .map((name) => player.find(`.cv-slide-${name}`))
      .filter((canvas) => !canvas.parentElement.hidden)
      .map((canvas) => ({
        canvas,
        width: parseFloat(canvas.style.width),
        height: parseFloat(canvas.style.height),
        caption: canvas.nextElementSibling.textContent,
        room: 0,
      }));
    const canvas = document.createElement("canvas");
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.family = getComputedStyle(player.view.root).fontFamily;
    this.font(11);
    for (const figure of this.figures) {
      figure.room = Math.max(figure.width, Math.ceil(this.context.measureText(figure.caption).width));
    }
    const across = this.figures.reduce((sum, { room }) => sum + room + GAP, -GAP);
    this.tall = maximum(this.figures.map(({ height }) => height));
    this.font(13);
    // The longest words are the last step's or thereabouts; some room to spare.
    const words = Math.ceil(this.context.measureText(player.find(".cv-sliding").textContent).width) + 60;
    this.width = canvas.width = Math.round(2 * MARGIN + Math.max(across, words));
    this.height = canvas.height = Math.round(2 * MARGIN + this.tall + 3 * LINE);
  }

  font(size) {
    this.context.font = `${size}px ${this.family}`;
  }

  drawn(step) {
    const { context, player } = this;
    const { around } = player.view.colours;
    player.go(step);
    context.fillStyle = around.background;
    context.fillRect(0, 0, this.width, this.height);
    context.textBaseline = "top";
    this.font(11);
    context.fillStyle = around.muted;
    let x = MARGIN;
    for (const { canvas, width, height, caption, room } of this.figures) {
      context.drawImage(canvas, x, MARGIN, width, height);
      context.strokeStyle = around.line;
      context.strokeRect(x - 0.5, MARGIN - 0.5, width + 1, height + 1);
      context.fillText(caption, x, MARGIN + height + 6);
      x += room + GAP;
    }
    const below = MARGIN + this.tall + LINE + 6;
    context.fillText(player.find(".cv-stepname").textContent, MARGIN, below);
    this.font(13);
    context.fillStyle = around.ink;
    context.fillText(player.find(".cv-sliding").textContent, MARGIN, below + LINE - 2);
    return context.getImageData(0, 0, this.width, this.height);
  }
}
