// The curves of a training: a measure of each step's batch, and of images that nothing is learned from.

import { maximum, minimum } from "./arrays.js";
import { decimal, number } from "./numbers.js";

/** @typedef {[step: number, loss: number, accuracy: number]} Point */

/** Height of a curve, what its labels take, and its width before it is on a page. */
const [HEIGHT, LEFT, BOTTOM, WIDTH] = [80, 40, 14, 300];

/**
 * One measure in a figure whose `data-of` names it: its last numbers above, its curves below.
 *
 * @param {any} figure
 * @param {object} run
 * @param {number} run.steps that were made
 * @param {number} run.step that is shown
 * @param {Point[]} run.training
 * @param {Point[]} run.held
 * @param {Point | null} run.measures of the step that is shown
 */
export function drawCurve(figure, { steps, step, training, held, measures }) {
  const k = figure.dataset.of === "loss" ? 1 : 2;
  const written = (/** @type {number} */ value) => (k === 1 ? number(value, 3) : `${decimal(100 * value, 1)} %`);
  const last = held.findLast(([at]) => at <= step);
  const words = [`<b>${k === 1 ? "Loss" : "Accuracy"}</b>`];
  if (measures) words.push(`<span>this batch ${written(measures[k])}</span>`);
  if (last) words.push(`<span>held out ${written(last[k])}</span>`);
  figure.querySelector("figcaption").innerHTML = words.join("");
  const values = [...training, ...held].map((point) => point[k]).filter(Number.isFinite);
  const [low, high] = k === 2 ? [0, 1] : lossRange(values);
  const svg = figure.querySelector("svg");
  const width = svg.clientWidth || WIDTH;
  const x = (/** @type {number} */ at) => LEFT + ((width - LEFT) * at) / Math.max(steps, 1);
  const y = (/** @type {number} */ value) => {
    const share = k === 2 ? value : Math.log(value / low) / Math.log(high / low);
    return (HEIGHT - BOTTOM) * (1 - Math.min(Math.max(share, 0), 1));
  };
  // What is no number has no place.
  const line = (/** @type {Point[]} */ points, /** @type {string} */ kind) =>
    `<polyline class="${kind}" points="${points.filter((point) => !Number.isNaN(point[k])).map((point) => `${x(point[0]).toFixed(1)},${y(point[k]).toFixed(1)}`).join(" ")}"/>`;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}; over ${counted(steps, "step")}`);
  const ends = k === 2 ? ["0 %", "100 %"] : [written(low), written(high)];
  const floor = HEIGHT - BOTTOM;
  svg.innerHTML = [
    `<path class="axis" fill="none" d="M${LEFT} 0V${floor}H${width}"/>`,
    `<text x="0" y="9">${ends[1]}</text><text x="0" y="${floor}">${ends[0]}</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 1}">0</text>`,
    `<text x="${width}" y="${HEIGHT - 1}" text-anchor="end">${counted(steps, "step")}</text>`,
    line(training, "points"),
    line(held, "held"),
    steps ? `<line class="cursor" x1="${x(step)}" x2="${x(step)}" y1="0" y2="${floor}"/>` : "",
  ].join("");
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

export function counted(/** @type {number} */ count, /** @type {string} */ word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}
