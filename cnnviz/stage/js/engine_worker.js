// The engine in a worker: a network comes once, then images and changes; what is new of each answer goes back.

import { Engine } from "./engine.js";
import { Part, Scene } from "./scene.js";

/** @import { Change } from "./changes.js" */

/**
 * A network as it is sent to a worker: its plan's bytes, and the arrays that are not the plan's.
 *
 * @typedef {{ plan: Uint8Array, arrays: [string, Float32Array][] }} Sent
 */

/** @typedef {{ number: number, images: Float32Array[], changes: Change[] }} Request */

/**
 * The stages whose numbers are not those of the answer before, with their numbers; or what was wrong.
 *
 * @typedef {{ number: number, fresh?: [number, Float32Array][], changed?: number[], error?: string }} Answer
 */

/**
 * What a worker does: answer messages.
 *
 * @param {{ postMessage: (message: Answer, transfer: Transferable[]) => void, onmessage: ((event: MessageEvent) => void) | null }} port
 */
export function serve(port) {
  /** @type {Engine} */
  let engine;
  /** @type {Float32Array[]} */
  let sent = [];
  port.onmessage = ({ data }) => {
    if (data.plan) {
      engine = new Engine(sceneSent(data));
      return;
    }
    const { number, images, changes } = /** @type {Request} */ (data);
    try {
      const { values, changed } = engine.compute(images, changes);
      /** @type {[number, Float32Array][]} */
      const fresh = values.flatMap((each, s) => (each === sent[s] ? [] : [[s, each.slice()]]));
      sent = values;
      port.postMessage({ number, fresh, changed }, fresh.map(([, each]) => each.buffer));
    } catch (error) {
      port.postMessage({ number, error: /** @type {Error} */ (error).message }, []);
    }
  };
}

/**
 * @param {Sent} sent
 */
function sceneSent({ plan, arrays }) {
  const header = { items: [], classes: [], key: "", host: {}, start: {}, arrays: {} };
  const scene = new Scene(new Part(plan), /** @type {any} */ ({ header }));
  return arrays.length ? scene.withArrays(new Map(arrays)) : scene;
}

const scope = /** @type {any} */ (globalThis);
if (scope.WorkerGlobalScope && scope instanceof scope.WorkerGlobalScope) serve(scope);
