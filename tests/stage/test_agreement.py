"""The page's engine and Python's, on generated networks, images and changes: every value within its bound.

Python computes each layer from the page's own numbers of the layers before it, so that the bound is that of
one layer; changes are those of `intervention`.

`pytest -n0 tests/stage/test_agreement.py --record-engine` tries all networks and keeps what is found.
"""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np

from cnnviz import Network, Run
from cnnviz.network.run import forward_pass
from cnnviz.stage.agreement import RECORD, engine_sources, recorded_agreement
from cnnviz.stage.intervention import read_changes
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stages import Stage, values_of
from harness.generated_networks import KINDS, pairs_of
from harness.networks import normal
from harness.node import ask_node
from harness.page import apart, bound_of, decoded

EVERY = 18
"""One in so many networks, where no record is written."""

PROGRAM = """({ base64, engine, scene }, { text, asked }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const here = new engine.Engine(read);
  const encoded = ({ buffer, byteOffset, byteLength }) =>
    base64.toBase64(new Uint8Array(buffer, byteOffset, byteLength));
  return asked.map(({ image, changes }) => {
    const { values, changed } = here.compute(new Float32Array(base64.fromBase64(image).buffer), changes);
    return { values: values.map(encoded), changed };
  });
}"""


def changes_of(scene: Scene, rng: np.random.Generator) -> list[dict[str, Any]]:
    """A few changes of any kind; no number is one that an embedding has no row for."""
    stages = [stage for stage in scene.plan.taken.stages if stage.part in ("output", "before")]
    weights = scene.plan.part.header["weights"]

    def some(size: int) -> dict[str, Any]:
        at = rng.integers(size, size=3).tolist()
        return {"at": at, "values": rng.choice([0.0, 0.25, 1.0], 3).tolist()}

    def one() -> dict[str, Any]:
        stage = stages[rng.integers(len(stages))]
        match rng.integers(4 if weights else 3):
            case 0:
                return {"kind": "channel", "stage": stage.name, "channel": int(rng.integers(stage.shape[2]))}
            case 1:
                return {"kind": "shift", "rows": int(rng.integers(-2, 3)), "cols": int(rng.integers(-1, 2))}
            case 2:
                return {"kind": "values", "stage": stage.name, **some(int(np.prod(stage.shape)))}
        name = weights[rng.integers(len(weights))]
        return {"kind": "weights", "array": name, **some(scene.plan.taken.arrays[name].size)}

    return [one() for _ in range(rng.integers(1, 5))]


def differences(
    net: Network,
    plain: Run,
    image: np.ndarray,
    changes: list[dict[str, Any]],
    scene: Scene,
    values: list[str],
) -> Iterator[tuple[Stage, np.ndarray, np.ndarray, np.ndarray]]:
    """Each stage with the page's numbers, Python's and the bound."""
    stages = scene.plan.taken.stages
    here = {stage.name: decoded(text, stage) for stage, text in zip(stages, values, strict=True)}
    made = read_changes(net, {name: value.shape[1:] for name, value in plain.items()}, changes)
    python: dict[str, np.ndarray] = {}

    def followed(stage: Stage, edit: Any) -> Any:
        """Python's own numbers are kept, and what follows reads the page's."""

        def exchange(output: np.ndarray) -> np.ndarray:
            edited = edit(output) if edit else output
            python[stage.name] = edited.reshape(stage.shape)
            return here[stage.name].reshape(output.shape)

        return exchange

    sides: dict[str, dict[str, Any]] = {"output": {}, "before": {}}
    for stage in stages:
        if stage.part in sides:
            edits = made.outputs if stage.part == "output" else made.inner
            sides[stage.part][stage.layer.name] = followed(stage, edits.get(stage.layer.name))
    run = forward_pass(made.network, image, sides["output"], inner=sides["before"])
    for stage in stages:
        changed = made.network[stage.layer.name]
        alike = Stage(stage.name, changed, stage.part, stage.shape, stage.reads, stage.computed)
        if stage.name in python:
            yield stage, here[stage.name], python[stage.name], bound_of(alike, run)
        elif changed.weights is net[stage.layer.name].weights:
            yield stage, here[stage.name], values_of(stage, run, 0), bound_of(alike, run)


def test_the_engine_computes_what_python_does_after_any_changes(request):
    recording = request.config.getoption("--record-engine")
    found: dict[str, dict[str, float]] = {}
    faults = []
    for number, kind in enumerate(KINDS if recording else KINDS[::EVERY]):
        rng = np.random.default_rng(number)
        net, _ = pairs_of(kind, seed=3)
        image = normal(1, *net.input_shape, seed=number).astype(np.float32)
        plain = net.run(image)
        scene = build_scene(plain, 0)
        lists: list[list[dict[str, Any]]] = [[], *(changes_of(scene, rng) for _ in range(2))]
        pixels = base64.b64encode(np.ascontiguousarray(plain.input).tobytes()).decode()
        given = {
            "text": base64.b64encode(bytes(scene)).decode(),
            "asked": [{"image": pixels, "changes": changes} for changes in lists],
        }
        answers = ask_node(PROGRAM, given, "base64", "engine", "scene")
        for changes, answer in zip(lists, answers, strict=True):
            for stage, here, there, bound in differences(net, plain, image, changes, scene, answer["values"]):
                what = f"{net.name}: {stage.name} ({stage.layer.kind}) after {changes}"
                off = apart(here, there, bound)
                if off.any():
                    faults.append(f"{what} at {np.argwhere(off)[:3].tolist()}")
                operation = str(stage.op["type"])
                with np.errstate(all="ignore"):
                    units = np.abs(here.astype(float) - there) / bound
                most = float(np.max(units, where=np.isfinite(units), initial=0))
                row = found.setdefault(operation, {"cases": 0, "largest": 0.0})
                row["cases"] += 1
                row["largest"] = max(row["largest"], round(most, 4))
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:40]])
    if recording:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        record = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "commit": commit,
            "sources": engine_sources(),
            "networks": len(KINDS),
            "operations": dict(sorted(found.items())),
        }
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        recorded_agreement.cache_clear()


def test_the_record_is_of_these_sources():
    again = "pytest -n0 tests/stage/test_agreement.py --record-engine"
    assert recorded_agreement()["sources"] == engine_sources(), f"the engine is another one: {again}"
