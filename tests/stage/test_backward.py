"""Gradients in the page are Python's: of every layer behind every other, of whole networks, at every kink.

The page adds in double precision. Held against it are Python's gradients in float64 at the same float32
numbers; they may lie apart as two float32 evaluations may, which the layers' entries say.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network, Run
from cnnviz.layers.activations import FUNCTIONS, Activation
from cnnviz.layers.browser import OPERATIONS
from cnnviz.layers.rounding import activation_gradient_allowance, gradient_allowance
from cnnviz.network.run import Gradient
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stages import Stage
from harness.generated_networks import KINDS, pairs_of
from harness.gradient_rounding import log_softmax_grad_bound, softmax_grad_bound
from harness.networks import conv, image, layer, normal
from harness.node import ask_node

THOROUGH = settings.get_current_profile_name() == "thorough"
TARGETS = 12 if THOROUGH else 3
U = 2.0**-24
COMPARED = OPERATIONS - {"input", "given"}

PROGRAM = """({ base64, scene, jacobians, backward }, asked) => asked.map(({ text, grads, targets }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.valuesOf(0);
  const encoded = (array) => array && base64.toBase64(new Uint8Array(Float64Array.from(array).buffer));
  const decoded = (text) => new Float32Array(base64.fromBase64(text).slice().buffer);
  const local = read.stages.map((stage, s) =>
    jacobians.vectorJacobian(read, stage, values, decoded(grads[s]))?.map(encoded) ?? null);
  const whole = targets.map(([stage, row, col, channel]) => {
    const gradient = new backward.Gradient(read, values, { stage, row, col, channel });
    return {
      wrt: read.stages.map((_, s) => encoded(gradient.wrt(s))),
      opaque: gradient.opaque.map(({ index }) => index),
    };
  });
  return { local, whole, known: read.stages.map(({ op }) => jacobians.differentiable(op)) };
})"""


def encoded(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f8")


class Asked:
    """A run, its scene, and what the page is asked: a gradient behind each stage, and a few whole ones."""

    def __init__(self, net: Network, seed: int, x: np.ndarray | None = None) -> None:
        rng = np.random.default_rng(seed)
        self.run = net.run(normal(1, *net.input_shape, seed=seed).astype(np.float32) if x is None else x)
        self.scene: Scene = build_scene(self.run, 0)
        stages = self.stages = self.scene.plan.taken.stages
        self.grads = [rng.normal(size=stage.shape).astype(np.float32) for stage in stages]
        whole = [i for i, stage in enumerate(stages) if stage.part in ("output", "before")]
        chosen = [int(i) for i in rng.choice(whole, min(TARGETS, len(whole)), replace=False)]
        self.targets = [(i, *(int(rng.integers(n)) for n in stages[i].shape)) for i in chosen]
        wide = net.astype(np.float64)
        self.wide = Run(
            wide,
            {name: array.astype(np.float64) for name, array in self.run.items()},
            {name: self.run.pre_activation(name).astype(np.float64) for name in self.run},
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "text": base64.b64encode(bytes(self.scene)).decode(),
            "grads": [encoded(grad) for grad in self.grads],
            "targets": self.targets,
        }


def is_activation(stage: Stage) -> bool:
    """Whether it is all of an activation; a sparsemax is taken apart."""
    activation = stage.layer.activation
    return stage.part == "output" and activation is not None and activation.name != "sparsemax"


def activation_bound(activation: Activation, z: np.ndarray, grad: np.ndarray) -> np.ndarray:
    if activation.axis is None:
        return activation_gradient_allowance(activation, z, grad)
    bound = {"softmax": softmax_grad_bound, "log_softmax": log_softmax_grad_bound}[activation.name]
    return 2 * bound(z, grad, activation.axis).limit()


def local_gradients(asked: Asked, number: int) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """A stage's gradients with respect to its inputs, and bounds; None for a part that is no layer."""
    stage, run = asked.stages[number], asked.run
    name = stage.layer.name
    whole = stage.part in ("output", "before")
    narrow = asked.grads[number].reshape(1, *stage.layer.output_shape) if whole else None
    if is_activation(stage):
        activation, z = stage.layer.activation, run.pre_activation(name)
        exact = asked.wide.network[name].activation.gradient(z.astype(np.float64), narrow.astype(np.float64))
        return [(exact, activation_bound(activation, z, narrow))]
    split = any(asked.stages[source].layer is stage.layer for source in stage.reads)
    if narrow is None or split:
        return None
    inputs = run.inputs(name)
    with np.errstate(all="ignore"):
        wide = asked.wide.network[name]
        found = wide.entry.input_gradients(
            wide, [x.astype(np.float64) for x in inputs], narrow.astype(np.float64)
        )
        bounds = gradient_allowance(stage.layer, inputs, narrow)
    return list(zip(found, bounds, strict=True))


def apart(found: np.ndarray, expected: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Where two arrays differ by more than a bound and the page's own rounding to float32."""
    expected, bound = expected.ravel(), np.broadcast_to(bound, expected.shape).ravel()
    with np.errstate(all="ignore"):
        near = np.abs(found - expected) <= bound + U * np.abs(expected) + 2.0**-149
    return ~(near | (found == expected) | (np.isnan(found) & np.isnan(expected)))


def local_faults(asked: Asked, answer: Any) -> Iterator[str]:
    for number, (stage, texts) in enumerate(zip(asked.stages, answer["local"], strict=True)):
        if texts is None:
            if stage.op["type"] != "given" and answer["known"][number]:
                yield f"{stage.name} is said to be known and is not"
            continue
        expected = local_gradients(asked, number) if stage.reads else []
        for text, (exact, bound) in zip(texts, expected or [], strict=expected is not None):
            off = apart(decoded(text), exact, bound)
            if off.any():
                what = f"{stage.name} ({stage.layer.kind}, {stage.op['type']})"
                yield f"{what} gives back other numbers: {off.sum()} of {off.size}"


def error_bounds(run: Run, wide: Gradient) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """How far the page's gradients may be off, of outputs and of pre-activations, by the layer."""
    outputs = {name: np.zeros(run[name].shape) for name in run}
    before = {name: np.zeros(run[name].shape) for name in run}
    leading = set(wide.seeds)
    for each in reversed(run.network.layers):
        name, error = each.name, outputs[each.name]
        if name not in leading:
            continue
        leading.update(each.inputs)
        if each.activation is not None:
            z, grad = run.pre_activation(name), wide[name].astype(np.float32)
            slopes = np.abs(each.activation.gradient(z.astype(float), np.ones(z.shape)))
            if each.activation.axis is not None:
                slopes, error = 2.0, np.broadcast_to(error.sum(each.activation.axis, keepdims=True), z.shape)
            error = slopes * error + activation_bound(each.activation, z, grad)
        before[name] = error
        if not each.inputs:
            continue
        inputs = run.inputs(name)
        sizes = np.abs(wide.pre_activation(name)).astype(np.float32)
        carried = each.entry.gradient_magnitude(each, "", inputs, error)
        own = gradient_allowance(each, inputs, sizes)
        for source, more, bound in zip(each.inputs, carried, own, strict=True):
            outputs[source] = outputs[source] + more + bound
    return outputs, before


def whole_faults(asked: Asked, answer: Any) -> Iterator[str]:
    for (number, *place), found in zip(asked.targets, answer["whole"], strict=True):
        target = asked.stages[number]
        name = target.layer.name
        seed = np.zeros(target.shape)
        seed[tuple(place)] = 1
        seeds = {name: seed.reshape(1, *target.layer.output_shape)}
        with np.errstate(all="ignore"):
            wide = Gradient(asked.wide, seeds, seeds if target.part == "before" else ())
            outputs, before = error_bounds(asked.run, wide)
        reached = {number}
        blind: set[int] = set()
        for s in range(number, -1, -1):
            if s in reached | blind:
                known = s not in blind and answer["known"][s]
                sources = [x for i, x in enumerate(asked.stages[s].reads) if i not in asked.stages[s].blocked]
                (reached if known else blind).update(sources)
        for s, (stage, text) in enumerate(zip(asked.stages, found["wrt"], strict=True)):
            what = f"{stage.name} for {target.name} {place}"
            if text is None:
                if s not in blind:
                    yield f"{what} is not known and could be"
            elif s in blind:
                yield f"{what} cannot be known"
            elif stage.part in ("output", "before"):
                kind = stage.part == "before"
                exact = wide.pre_activation(stage.layer.name) if kind else wide[stage.layer.name]
                bound = (before if kind else outputs)[stage.layer.name]
                # Behind a slope that is NaN no bound is known; what comes back is NaN or 0 there, in both.
                off = apart(decoded(text), exact, np.nan_to_num(bound, posinf=np.inf))
                if off.any():
                    yield f"{what} has another gradient: {off.sum()} of {off.size} numbers"
        if bool(found["opaque"]) != bool(blind):
            yield f"{target.name} {place} is said to have {found['opaque']} in its way"


def test_every_class_behind_every_other_gives_back_what_the_engine_does():
    kinds = KINDS if THOROUGH else KINDS[::4]
    asked = [Asked(pairs_of(kind, 0, every=THOROUGH)[0], 0) for kind in kinds]
    modules = ("base64", "scene", "jacobians", "backward")
    answers = ask_node(PROGRAM, [each.as_json() for each in asked], *modules)
    found, compared = [], set()
    for each, answer in zip(asked, answers, strict=True):
        faults = [*local_faults(each, answer), *whole_faults(each, answer)]
        found += [f"{each.run.network.name}: {fault}" for fault in faults]
        compared |= {
            stage.op["type"] for stage, texts in zip(each.stages, answer["local"], strict=True) if texts
        }
    assert not found, "\n".join([f"{len(found)} faults", *found[:60]])
    assert compared >= COMPARED


NUMBERS = [0.0, -0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 0.1, 0.7, 9.0, 40.0, 100.0, 1e4, np.inf, np.nan]
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "relu": [
        {"max_value": 6.0},
        {"max_value": 1.5},
        {"threshold": 0.1},
        {"negative_slope": 0.1},
        {"negative_slope": 0.25, "max_value": 6.0},
        {"negative_slope": 0.25, "max_value": 0.7, "threshold": 0.5},
    ],
    "leaky_relu": [{"negative_slope": 0.1}],
    "elu": [{"alpha": 0.3}],
    "celu": [{"alpha": 0.3}],
    "gelu": [{"approximate": True}],
    "hard_shrink": [{"threshold": 0.1}],
    "soft_shrink": [{"threshold": 0.1}],
    "threshold": [{"threshold": 0.1, "default_value": 7.0}],
    "squareplus": [{"b": 1.0}],
}
KINKS = """({ activation_gradients }, { cases, numbers }) => cases.map(({ name, given }) => {
  const gradient = activation_gradients.ACTIVATION_GRADIENTS[name];
  return numbers.map(([x, grad]) => String(gradient(Number(x), grad, given, 0.25)));
})"""


def test_kinks_have_the_slope_that_python_takes():
    x = np.float32([*NUMBERS, *(-n for n in NUMBERS), *np.random.default_rng(1).normal(0, 3, 200)])
    grad = np.random.default_rng(2).normal(size=x.size).astype(np.float32)
    names = [name for name, function in FUNCTIONS.items() if not function.mixes]
    cases = [
        {"name": name, "given": given}
        for name in names
        for given in ([] if name == "threshold" else [{}]) + ARGUMENTS.get(name, [])
    ]
    numbers = [[str(float(a)).replace("inf", "Infinity"), float(g)] for a, g in zip(x, grad, strict=True)]
    answers = ask_node(KINKS, {"cases": cases, "numbers": numbers}, "activation_gradients")
    for case, found in zip(cases, answers, strict=True):
        given = {"alpha": np.float32(0.25)} if case["name"] == "prelu" else case["given"]
        activation = Activation(case["name"], given)
        expected = activation.gradient(x, grad)
        with np.errstate(all="ignore"):
            bound = activation_gradient_allowance(activation, x, grad)
        # What underflows on the way is off by the smallest normal number, times at most 100 here.
        bound = np.nan_to_num(bound) + 100 * np.finfo(np.float32).tiny
        off = apart(np.array([float(number) for number in found]), expected, bound)
        assert not off.any(), f"{activation}: {x[off][:5]} {np.array(found)[off][:5]} {expected[off][:5]}"


def test_the_page_has_the_gradient_of_every_activation_and_merge():
    """And of all other operations that it computes."""
    program = """({ activation_gradients, forward, jacobians }, types) => [
      Object.keys(activation_gradients.ACTIVATION_GRADIENTS), Object.keys(forward.ACTIVATIONS),
      Object.keys(forward.MERGES).filter((mode) => !jacobians.differentiable({ type: "merge", mode })),
      types.filter((type) => {
        const mode = { merge: "add", pool: "max", reduce: "var" }[type];
        return jacobians.differentiable({ type, mode, name: "relu", op: { type: "conv" } });
      }),
    ]"""
    gradients, activations, merges, operations = ask_node(
        program, sorted(COMPARED), "activation_gradients", "forward", "jacobians"
    )
    assert set(gradients) == set(activations)
    assert not merges
    assert set(operations) == COMPARED


def whole_network(*layers: Layer) -> Network:
    return Network([image(4, 4, 2), *layers])


@pytest.mark.parametrize(
    "net",
    [
        whole_network(layer("pool", "GlobalMaxPooling2D", "image")),
        whole_network(layer("pool", "MaxPooling2D", "image", pool_size=3, strides=1, padding="same")),
        whole_network(layer("pool", "AdaptiveMaxPooling2D", "image", output_size=2)),
        whole_network(layer("pool", "ops.Max", "image", axis=(1, 2))),
        whole_network(
            layer("stop", "ops.StopGradient", "image"),
            conv("conv", "stop", 2, 2),
            conv("other", "image", 2, 2),
            layer("both", "Add", "conv", "other"),
        ),
    ],
    ids=["global", "windows", "adaptive", "reduced", "stopped"],
)
def test_equal_numbers_share_as_in_python_and_a_stopped_gradient_stops(net):
    """Whole numbers, of which many are equal; one map is NaN at a place."""
    x = np.random.default_rng(4).integers(0, 3, (1, 4, 4, 2)).astype(np.float32)
    for number in (1, np.nan):
        x[0, 2, 1, 0] = number
        asked = Asked(net, 3, x.copy())
        (answer,) = ask_node(PROGRAM, [asked.as_json()], "base64", "scene", "jacobians", "backward")
        with np.errstate(all="ignore"):
            assert [*local_faults(asked, answer), *whole_faults(asked, answer)] == []
