// The engine elsewhere: the latest request wins, answers are the engine's, and without a worker it computes here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Engine } from "../../../cnnviz/stage/js/engine.js";
import { serve } from "../../../cnnviz/stage/js/engine_worker.js";
import { RemoteEngine } from "../../../cnnviz/stage/js/remote_engine.js";
import { axis, counting, sceneWith } from "./scenes.js";

const STAGES = [
  { shape: [3, 3, 1], op: { type: "input" } },
  { shape: [2, 2, 1], op: { type: "conv", rows: axis(3, 2), cols: axis(3, 2), groups: 1, kernel: "k/kernel" } },
  { shape: [2, 2, 1], op: { type: "activation", name: "relu", arguments: {} } },
];
const scene = sceneWith(STAGES, counting(9), { "k/kernel": Float32Array.of(1, -2, 3, -4) }, { weights: ["k/kernel"] });

/** What stands for a worker: a port whose other end is served, and all messages that went through it. */
function worker() {
  const messages = [];
  const ports = { here: /** @type {any} */ ({}), there: /** @type {any} */ ({}) };
  const send = (to, name) => (message, transfer = []) => {
    const copy = structuredClone(message, { transfer });
    messages.push([name, copy]);
    queueMicrotask(() => ports[to].onmessage?.({ data: copy }));
  };
  ports.here = { postMessage: send("there", "asked"), terminate() {} };
  ports.there = { postMessage: send("here", "answered") };
  serve(ports.there);
  return { ...ports, messages };
}

const change = (value) => [{ kind: "values", stage: "stage 0", at: [0], values: [value] }];

test("answers are the engine's, and only what is new is sent", async () => {
  const { here, messages } = worker();
  const remote = new RemoteEngine(scene, () => here);
  const engine = new Engine(scene);
  for (const changes of [[], change(50), change(50), [{ kind: "weights", array: "k/kernel", at: [1], values: [9] }], []]) {
    assert.deepEqual(await remote.compute(counting(9), changes), engine.compute(counting(9), changes));
  }
  const fresh = messages.flatMap(([name, { fresh }]) => (name === "answered" ? [fresh.map(([s]) => s)] : []));
  assert.deepEqual(fresh, [[0, 1, 2], [0, 1, 2], [], [0, 1, 2], [1, 2]]);
});

test("of the requests that wait only the latest is computed", async () => {
  const { here, messages } = worker();
  const remote = new RemoteEngine(scene, () => here);
  const answers = await Promise.all([1, 2, 3, 4].map((value) => remote.compute(counting(9), change(value))));
  assert.deepEqual(answers.map((answer) => answer?.values[0][0] ?? null), [1, null, null, 4]);
  assert.equal(messages.filter(([name]) => name === "answered").length, 2);
});

test("what does not fit is refused in a sentence, and the next request is answered", async () => {
  const remote = new RemoteEngine(scene, () => worker().here);
  await assert.rejects(remote.compute(counting(9), [{ kind: "?" }]), /kind must be/);
  assert.equal((await remote.compute(counting(9)))?.values.length, 3);
});

test("where there can be no worker, or it cannot be loaded, it is computed here", async () => {
  const refused = () => {
    throw new Error("the page's policy forbids it");
  };
  const silent = { postMessage() {}, terminate() {}, onerror: /** @type {any} */ (null) };
  const remotes = [refused, () => silent].map((start) => new RemoteEngine(scene, /** @type {any} */ (start)));
  const asked = remotes.map((remote) => remote.compute(counting(9), change(7)));
  silent.onerror({ preventDefault() {} });
  for (const answer of await Promise.all(asked)) assert.deepEqual(answer, new Engine(scene).compute(counting(9), change(7)));
  await assert.rejects(remotes[0].compute(counting(3)), /the image must have/);
  const overtaken = [1, 2, 3].map((value) => remotes[1].compute(counting(9), change(value)));
  assert.deepEqual((await Promise.all(overtaken)).map((answer) => answer?.values[0][0] ?? null), [1, null, 3]);
});

test("weights that came with an image's numbers go to the worker too", async () => {
  const other = sceneWith(STAGES, counting(9), { "k/kernel": Float32Array.of(1, -2, 3, -4) });
  other.arrays.set("k/kernel", { shape: [4], data: Float32Array.of(5, 6, 7, 8) });
  other.numbers.header.arrays = { "k/kernel": [0, 4, "f4", [4]] };
  const { here } = worker();
  const remote = new RemoteEngine(other, () => here);
  assert.deepEqual(await remote.compute(counting(9)), new Engine(other).compute(counting(9)));
});

test("what is asked when it is closed is answered with nothing", async () => {
  const remote = new RemoteEngine(scene, () => worker().here);
  const asked = [1, 2].map((value) => remote.compute(counting(9), change(value)));
  remote.close();
  assert.deepEqual(await Promise.all(asked), [null, null]);
});
