"""Every layer behind every other, operations among them: the page's numbers and receipts are Python's.

Each stage is computed from the engine's own inputs. The page adds in double precision and rounds once, so it
is at least as close to exact as the engine: their difference is within the bound for two float32 evaluations.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from cnnviz import Network, Run
from cnnviz.layers import ENTRIES
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stages import Stage, values_of
from harness.generated_networks import KINDS, choices, pairs_of
from harness.networks import normal
from harness.node import ask_node
from harness.page import apart, bound_of, decoded

THOROUGH = settings.get_current_profile_name() == "thorough"
SEEDS = range(10 if THOROUGH else 1)

PROGRAM = """({ base64, cone, forward, receipt, scene }, asked) => asked.map(({ text, cells }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.valuesOf(0);
  const encoded = ({ buffer, byteOffset, byteLength }) =>
    base64.toBase64(new Uint8Array(buffer, byteOffset, byteLength));
  const computed = read.stages.map((stage) => stage.reads.length && stage.op.type !== "given"
    ? encoded(forward.computeStage(read, stage, values)) : null);
  const numberOf = (x) => (x === undefined ? null : String(x));
  const receipts = cells.map(([stage, row, col, channel]) => {
    const cell = { stage, row, col, channel };
    const { groups, total, value } = receipt.receiptOf(read, values, cell);
    const feeding = cone.feedingChannels(read, cell);
    const terms = groups.flatMap((group) => group.terms).filter((term) => term.from);
    const strays = terms.filter(({ from }) => {
      const fed = cone.fedUnits(read, from, read.stages[stage]);
      const box = cone.seenBox(read, cell, read.stages[from.stage]);
      return !fed.rows.includes(row) || !fed.cols.includes(col) || !fed.channels.includes(channel)
        || !feeding.get(from.stage)[from.channel]
        || !box || from.row < box.top || from.row > box.bottom || from.col < box.left || from.col > box.right;
    });
    return {
      terms: terms.map(({ from, x }) =>
        [from.stage, scene.cellIndex(read.stages[from.stage], from), String(x)]),
      total: numberOf(total), value: numberOf(value), strays: strays.map(({ from }) => from),
    };
  });
  return { values: values.map(encoded), computed, receipts };
})"""


class Asked(NamedTuple):
    run: Run
    scene: Scene
    cells: list[tuple[int, int, int, int]]

    @classmethod
    def of(cls, net: Network, seed: int) -> Asked:
        """A run, and two cells of each stage: one at a border and one anywhere."""
        rng = np.random.default_rng(seed)
        run = net.run(normal(1, *net.input_shape, seed=seed).astype(np.float32))
        scene = build_scene(run, 0)
        cells = []
        for number, stage in enumerate(scene.plan.taken.stages):
            cells.append((number, *(int(rng.choice([0, n - 1])) for n in stage.shape)))
            cells.append((number, *(int(rng.integers(n)) for n in stage.shape)))
        return cls(run, scene, cells)

    @property
    def stages(self) -> list[Stage]:
        return self.scene.plan.taken.stages

    def as_json(self) -> dict[str, Any]:
        return {"text": base64.b64encode(bytes(self.scene)).decode(), "cells": self.cells}


def faults(asked: Asked, answer: Any) -> Iterator[str]:
    """What the page computes otherwise than Python, in words."""
    run = asked.run
    bounds = {}
    for number, stage in enumerate(asked.stages):
        what = (
            f"{stage.name} ({stage.layer.kind}, {stage.part}) {stage.layer.input_shapes} {stage.op['type']}"
        )
        expected = values_of(stage, run, 0)
        bounds[number] = bound_of(stage, run)
        if apart(decoded(answer["values"][number], stage), expected, np.zeros(())).any():
            yield f"{what} shows other numbers"
        if (text := answer["computed"][number]) is None:
            continue
        bound = np.zeros(()) if stage.exact else bounds[number]
        off = apart(decoded(text, stage), expected, bound)
        if off.any():
            yield f"{what} computes other numbers at {np.argwhere(off)[:3].tolist()}"
    for (number, *place), receipt in zip(asked.cells, answer["receipts"], strict=True):
        stage = asked.stages[number]
        what = f"{stage.name} ({stage.layer.kind}, {stage.part}) {stage.layer.input_shapes} {place}"
        value = values_of(stage, run, 0)[tuple(place)]
        if receipt["strays"]:
            yield f"{what} reads {receipt['strays'][:2]}, which is said not to feed it"
        if np.float32(receipt["value"]) != value and not np.isnan(value):
            yield f"{what} is {receipt['value']}, not {value}"
        if receipt["total"] is not None:
            total = np.float32(receipt["total"])
            if apart(total, value, bounds[number][tuple(place)]):
                yield f"{what} adds up to {total}, not {value}"
        yield from _other_terms(what, asked, number, place, receipt["terms"])


def _other_terms(what: str, asked: Asked, number: int, place: list[int], terms: list[Any]) -> Iterator[str]:
    """Where a receipt of a layer's first stage reads other cells, or numbers, than Python's."""
    stage, run = asked.stages[number], asked.run
    operation = stage.op["type"]
    first = all(asked.stages[source].layer is not stage.layer for source in stage.reads)
    if not first or stage.part not in ("output", "before") or operation in ("input", "given", "softmax"):
        return
    cell = np.unravel_index(int(np.ravel_multi_index(tuple(place), stage.shape)), stage.layer.output_shape)
    expected = set()
    python = cnnviz.explain(run, stage.layer.name, at=[int(i) for i in cell]).terms
    for group, row, col in np.argwhere(~python.padding):
        source = int(python.source[group])
        shape = stage.layer.input_shapes[source]
        position = python.position[group, row, col][-len(shape) :]
        flat = int(np.ravel_multi_index(tuple(position), shape))
        expected.add((stage.reads[source], flat, _written(python.factor[group, row, col])))
    for source, position in python.partner_places:
        flat = int(np.ravel_multi_index(position, stage.layer.input_shapes[source]))
        expected.add((stage.reads[source], flat, _written(run.inputs(stage.layer.name)[source][0][position])))
    found = {(source, flat, _written(x)) for source, flat, x in terms}
    if not python.taken_apart or (not expected and python.bias_name == "constant"):
        # The page may say more: then of numbers that are there.
        expected = {
            (source, flat, _written(values_of(asked.stages[source], run, 0).flat[flat]))
            for source, flat, _ in found
        }
    if found != expected:
        yield f"{what} is made of {sorted(found - expected)[:3]}, not {sorted(expected - found)[:3]}"


def _written(x: Any) -> str:
    """A float32 in words, in which NaN equals NaN, and -0 is 0."""
    return str(np.float32(x) + np.float32(0))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_behind_every_other_computes_what_the_engine_does(seed):
    asked, missing = [], {}
    for kind in KINDS if THOROUGH else KINDS[::2]:
        net, without = pairs_of(kind, seed, every=THOROUGH)
        asked.append(Asked.of(net, seed))
        # What halves an axis finds no even one behind some of these layers.
        missing |= {kind: others} if (others := set(without) - {"ops.Glu"}) else {}
    assert not missing, "no layer was found for these pairs; new options may be needed in `choices`"
    stages = [stage for each in asked for stage in each.stages]
    assert not {stage.layer.kind for stage in stages if stage.op["type"] == "given"}
    modules = ("base64", "cone", "forward", "receipt", "scene")
    answers = ask_node(PROGRAM, [each.as_json() for each in asked], *modules)
    found = [
        f"{each.run.network.name}: {fault}"
        for each, answer in zip(asked, answers, strict=True)
        for fault in faults(each, answer)
    ]
    assert not found, "\n".join([f"{len(found)} faults", *found[:60]])


def test_every_option_of_every_class_is_drawn():
    drawn = choices((5, 4, 6), np.random.default_rng(0))
    fixed = {"antialias", "batch_shape", "fill_mode", "momentum", "renorm"}
    options = {option for entry in ENTRIES.values() for option in entry.options}
    assert options - drawn.keys() == fixed
