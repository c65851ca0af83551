// The engine in a worker, seen from the page: the pointer is answered while it computes.

import { Engine } from "./engine.js";

/** @import { Change } from "./changes.js" */
/** @import { Computed } from "./engine.js" */
/** @import { Answer } from "./engine_worker.js" */
/** @import { Scene } from "./scene.js" */

/**
 * @typedef {object} Waiting
 * @property {Float32Array[]} images
 * @property {Change[]} changes
 * @property {(computed: Computed | null) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * Computes as an Engine does, elsewhere. One request is computed at a time and one waits, the latest: one that
 * is overtaken while it waits is never computed, and answered with null. What is being computed is answered,
 * so that something follows the pointer however long it moves. Where there can be no worker, this computes.
 */
export class RemoteEngine {
  /**
   * @param {Scene} scene
   * @param {() => Worker} [start] makes the worker
   */
  constructor(scene, start = startWorker) {
    this.scene = scene;
    /** @type {Waiting | null} */
    this.current = null;
    /** @type {Waiting | null} */
    this.next = null;
    this.number = 0;
    /** @type {Float32Array[]} what the worker has sent, by the stage */
    this.values = [];
    /** @type {Engine | null} in place of a worker */
    this.local = null;
    /** @type {Worker | null} */
    this.worker = null;
    try {
      this.worker = start();
      this.worker.onmessage = ({ data }) => this.answered(data);
      // It could not be loaded, for example because the page's host forbids it.
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.goLocal();
      };
      const { plan, numbers } = scene;
      const arrays = Object.keys(numbers.header.arrays).map((name) => [name, scene.data(name).slice()]);
      this.worker.postMessage({ plan: plan.bytes.slice(plan.start, plan.end), arrays });
    } catch {
      this.goLocal();
    }
  }

  /**
   * As `Engine.compute`; null for a request that was overtaken by a later one before it was computed.
   *
   * @param {Float32Array | Float32Array[]} image
   * @param {Change[]} [changes]
   * @returns {Promise<Computed | null>}
   */
  compute(image, changes = []) {
    const images = Array.isArray(image) ? image : [image];
    return new Promise((resolve, reject) => {
      this.next?.resolve(null);
      this.next = { images, changes, resolve, reject };
      if (!this.current) this.proceed();
    });
  }

  /** Let the worker go; what was asked is answered with null. */
  close() {
    this.worker?.terminate();
    for (const waiting of [this.current, this.next]) waiting?.resolve(null);
    this.worker = this.current = this.next = null;
    this.local ??= new Engine(this.scene);
  }

  proceed() {
    this.current = this.next;
    this.next = null;
    if (!this.current) return;
    const { images, changes } = this.current;
    this.number += 1;
    if (this.worker) this.worker.postMessage({ number: this.number, images, changes });
    // Later, as from a worker: what was asked meanwhile overtakes.
    else this.computeSoon();
  }

  computeSoon() {
    const { number } = this;
    setTimeout(() => this.computeHere(number));
  }

  /**
   * @param {number} number
   */
  computeHere(number) {
    if (!this.current || number !== this.number) return;
    const { images, changes, resolve, reject } = this.current;
    try {
      resolve(/** @type {Engine} */ (this.local).compute(images, changes));
    } catch (error) {
      reject(/** @type {Error} */ (error));
    }
    this.proceed();
  }

  /**
   * @param {Answer} answer
   */
  answered({ number, fresh, changed, error }) {
    if (!this.current || number !== this.number) return;
    const { resolve, reject } = this.current;
    if (error !== undefined) reject(new Error(error));
    else {
      this.values = this.values.slice();
      for (const [s, each] of fresh ?? []) this.values[s] = each;
      resolve({ values: this.values, changed: changed ?? [] });
    }
    this.proceed();
  }

  goLocal() {
    this.worker?.terminate();
    this.worker = null;
    this.local = new Engine(this.scene);
    if (this.current) this.computeSoon();
  }
}

/** The worker of this module's own sources: bundle.py puts them into the page in place of the address. */
function startWorker() {
  const address = new URL("./engine_worker.js", import.meta.url);
  // In a page from disk Chromium starts no module from an address of the page's own, but a plain script.
  const worker = new Worker(address, { type: typeof address === "string" ? "classic" : "module" });
  worker.addEventListener("message", () => URL.revokeObjectURL(String(address)), { once: true });
  return worker;
}
