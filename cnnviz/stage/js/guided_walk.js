// Guided walks as data: guided_walk.py says what a walk is, and tells it in the same words.

import { evaluate, sentence } from "./expressions.js";
import { emptyState, entryOf } from "./stage_state.js";

/** @import { Scope } from "./expressions.js" */
/** @import { State } from "./stage_state.js" */

/** @typedef {string | [condition: string, text: string]} Said */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {string} [if]
 * @property {Record<string, string>} [names]
 * @property {Said[]} say
 * @property {boolean} [searches]
 * @property {Record<string, string>} [state]
 * @property {{ ask: string, choices: [text: string, right: string, reply: string][] }} [question]
 */

/**
 * @typedef {object} Walk
 * @property {string} name
 * @property {string} title
 * @property {string} [needs]
 * @property {Record<string, string>} [names]
 * @property {Step[]} steps
 */

/**
 * A step as it is told of one image.
 *
 * @typedef {object} Told
 * @property {number} number
 * @property {string} title
 * @property {string[]} say
 * @property {Partial<State>} state
 * @property {string} ask
 * @property {[text: string, right: boolean, reply: string][]} choices
 */

/**
 * Whether a network and its image have what a walk speaks of.
 *
 * @param {Walk} walk
 * @param {Scope} scope
 */
export function suits(walk, scope) {
  return evaluate(walk.needs ?? "1 == 1", scope) === true;
}

/**
 * The numbers of the steps that apply.
 *
 * @param {Walk} walk
 * @param {Scope} scope
 */
export function applying(walk, scope) {
  const here = withNames(scope, walk.names);
  return walk.steps.flatMap((step, number) => (evaluate(step.if ?? "1 == 1", here) ? [number] : []));
}

/**
 * @param {Walk} walk
 * @param {number} number of a step that applies
 * @param {Scope} scope
 * @returns {Told}
 */
export function told(walk, number, scope) {
  const step = walk.steps[number];
  const here = withNames(withNames(scope, walk.names), step.names);
  const opens = emptyState();
  const entries = Object.entries(step.state ?? {}).filter(([key]) => key in opens);
  const { ask, choices } = step.question ?? { ask: "", choices: [] };
  return {
    number,
    title: sentence(step.title, here),
    say: step.say.flatMap((each) => {
      const [condition, text] = typeof each === "string" ? ["1 == 1", each] : each;
      return evaluate(condition, here) ? [sentence(text, here)] : [];
    }),
    state: Object.fromEntries(entries.map(([key, text]) => [key, entryOf(key, sentence(text, here))])),
    ask: sentence(ask, here),
    choices: choices.map(([text, right, reply]) => [sentence(text, here), evaluate(right, here) === true, sentence(reply, here)]),
  };
}

/**
 * @param {Scope} scope
 * @param {Record<string, string>} [names]
 * @returns {Scope}
 */
function withNames(scope, names = {}) {
  const known = { ...scope };
  for (const [name, text] of Object.entries(names)) known[name] = evaluate(text, known);
  return known;
}
