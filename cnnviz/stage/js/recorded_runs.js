// Recorded runs in a file or a notebook: the player of the Epochs page, with a choice of the run and of the measure.

import { hosted } from "./component_host.js";
import { offer } from "./dom.js";

/** @import { Parts, Show } from "./component_host.js" */

/** @typedef {{ title: string, measures: Record<string, object> }} Recorded what the player shows of a run, by the measure */

/** @typedef {{ title: string, say: string, run: number, measure: string, epoch: number, plays: boolean }} WalkStep of a walk through the runs */

/**
 * Show the runs that an element carries, with their walk.
 *
 * @param {HTMLElement} holder
 * @param {Show} show
 */
export function showRuns(holder, show) {
  const text = holder.querySelector("script[data-part=runs]")?.textContent ?? "";
  /** @type {{ parts: Parts, runs: Recorded[], steps: WalkStep[], palettes: object }} */
  const { parts, runs, steps, palettes } = JSON.parse(text);
  const choices = document.createElement("p");
  const [run, measure] = [chooser("Run", runs.map(({ title }, n) => [n, title])), chooser("Measure", Object.keys(runs[0].measures).map((name) => [name, name]))];
  if (runs.length > 1) choices.append(run);
  choices.append(measure);
  const player = document.createElement("div");
  holder.append(choices, player);
  let [step, epoch, plays] = [0, Infinity, true];
  const goTo = (/** @type {number} */ at) => {
    step = at;
    run.lastElementChild.value = String(steps[at].run);
    measure.lastElementChild.value = steps[at].measure;
    ({ epoch, plays } = steps[at]);
  };
  const draw = (/** @type {ShadowRoot} */ root, /** @type {string} */ theme) => {
    const shown = [Number(run.lastElementChild.value), measure.lastElementChild.value];
    /** @type {any} */
    const data = runs[shown[0]].measures[shown[1]];
    const told = steps.map((each) => ({ ...each, here: each.run === shown[0] && each.measure === shown[1] }));
    show({
      data: { ...data, ...palettes, theme, step, steps: told, key: `${data.key} ${theme}`, epoch: Math.min(epoch, data.epochs), plays },
      parentElement: root,
      setStateValue: () => {},
      setTriggerValue: (name, value) => {
        if (name === "epoch") [epoch, plays] = [Number(value), false];
        if (name !== "step") return;
        goTo(Number(value));
        draw(root, theme);
      },
    });
  };
  let last = /** @type {[ShadowRoot, string] | null} */ (null);
  if (steps.length) goTo(0);
  hosted(player, parts, (root, theme) => {
    last = [root, theme];
    draw(root, theme);
  });
  choices.addEventListener("change", (event) => {
    // A run begins with its first step.
    const begins = steps.findIndex((each) => each.run === Number(run.lastElementChild.value));
    if (begins >= 0 && event.target === run.lastElementChild) goTo(begins);
    if (last) draw(...last);
  });
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
