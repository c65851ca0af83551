// Recorded runs in a file or a notebook: the player of the Epochs page, with a choice of the run and of the measure.

import { hosted } from "./component_host.js";
import { offer } from "./dom.js";

/** @import { Parts, Show } from "./component_host.js" */

/** @typedef {{ title: string, measures: Record<string, object> }} Recorded what the player shows of a run, by the measure */

/**
 * Show the runs that an element carries.
 *
 * @param {HTMLElement} holder
 * @param {Show} show
 */
export function showRuns(holder, show) {
  const text = holder.querySelector("script[data-part=runs]")?.textContent ?? "";
  /** @type {{ parts: Parts, runs: Recorded[], palettes: object }} */
  const { parts, runs, palettes } = JSON.parse(text);
  const choices = document.createElement("p");
  const [run, measure] = [chooser("Run", runs.map(({ title }, n) => [n, title])), chooser("Measure", Object.keys(runs[0].measures).map((name) => [name, name]))];
  if (runs.length > 1) choices.append(run);
  choices.append(measure);
  const player = document.createElement("div");
  holder.append(choices, player);
  let epoch = -1;
  const draw = (/** @type {ShadowRoot} */ root, /** @type {string} */ theme) => {
    /** @type {any} */
    const data = runs[Number(run.lastElementChild.value)].measures[measure.lastElementChild.value];
    const at = epoch < 0 || epoch > data.epochs ? data.epochs : epoch;
    show({
      data: { ...data, ...palettes, theme, step: 0, steps: [], key: `${data.key} ${theme}`, epoch: at, plays: epoch < 0 },
      parentElement: root,
      setStateValue: () => {},
      setTriggerValue: (name, kept) => {
        if (name === "epoch") epoch = Number(kept);
      },
    });
  };
  let last = /** @type {[ShadowRoot, string] | null} */ (null);
  hosted(player, parts, (root, theme) => {
    last = [root, theme];
    draw(root, theme);
  });
  choices.addEventListener("change", () => last && draw(...last));
}

/**
 * A select with its name.
 *
 * @param {string} words
 * @param {[value: number | string, text: string][]} options
 * @returns {any}
 */
function chooser(words, options) {
  const label = document.createElement("label");
  label.style.marginRight = "1.5rem";
  const select = document.createElement("select");
  offer(select, options);
  label.append(`${words} `, select);
  return label;
}
