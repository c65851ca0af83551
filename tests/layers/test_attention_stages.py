"""Attention in the page: every step that it shows is Python's, with the receipts and gradients of each."""

from __future__ import annotations

import base64

import numpy as np

from cnnviz import Network
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stages import values_of
from harness.networks import image
from harness.node import ask_node
from harness.page import apart, bound_of, decoded
from layers.test_attention import LAYERS, inputs_of, weighted

PROGRAM = """({ base64, forward, receipt, scene }, texts) => texts.map((text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.valuesOf(0);
  const encoded = ({ buffer, byteOffset, byteLength }) =>
    base64.toBase64(new Uint8Array(buffer, byteOffset, byteLength));
  return read.stages.map((stage, s) => ({
    computed: stage.reads.length ? encoded(forward.computeStage(read, stage, values)) : null,
    totals: Array.from(values[s], (_, n) => receipt.receiptOf(read, values, scene.cellAt(stage, n)).total)
      .map((total) => (total === undefined ? null : String(total))),
  }));
})"""


def test_each_step_computes_and_takes_apart_what_python_does():
    runs = {}
    for name in LAYERS:
        xs = inputs_of(name)
        inputs = [image(*x.shape[1:], name=each) for each, x in zip("abc", xs, strict=False)]
        net = Network([*inputs, weighted(name)])
        runs[name] = net.run([x[:1] for x in xs])
    scenes = {name: build_scene(run, 0) for name, run in runs.items()}
    texts = [base64.b64encode(bytes(scene)).decode() for scene in scenes.values()]
    answers = ask_node(PROGRAM, texts, "base64", "forward", "receipt", "scene")
    faults = []
    for (name, scene), answer in zip(scenes.items(), answers, strict=True):
        run = runs[name]
        for stage, found in zip(scene.plan.taken.stages, answer, strict=True):
            assert stage.op["type"] != "given"
            if found["computed"] is None:
                continue
            expected, bound = values_of(stage, run, 0), bound_of(stage, run)
            if apart(decoded(found["computed"], stage), expected, bound).any():
                faults.append(f"{name}: {stage.name} computes other numbers")
            totals = np.array([np.nan if total is None else float(total) for total in found["totals"]])
            if apart(totals.reshape(stage.shape), expected, bound).any():
                faults.append(f"{name}: {stage.name} is not taken apart")
    assert not faults, "\n".join(faults)


def test_the_steps_of_a_layer_are_computed_at_once_for_each_image(monkeypatch):
    name = next(iter(LAYERS))
    xs = inputs_of(name)
    inputs = [image(*x.shape[1:], name=each) for each, x in zip("abc", xs, strict=False)]
    attention = weighted(name)
    net = Network([*inputs, attention])
    entry = type(attention.entry)
    counted, steps = [], entry.steps
    monkeypatch.setattr(entry, "steps", lambda self, *given: (counted.append(given), steps(self, *given))[1])
    for factor in (1, 2):
        run = net.run([factor * x[:1] for x in xs])
        stages = build_scene(run, 0).plan.taken.stages
        counted.clear()
        for stage in stages:
            values_of(stage, run, 0)
        assert sum(stage.computed.value is not None for stage in stages) > 1
        assert len(counted) <= 1
