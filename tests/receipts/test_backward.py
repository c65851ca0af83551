"""Receipts of gradients: of every layer class and weight, in runs and in training; and by TensorFlow."""

from __future__ import annotations

import math
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import special

import cnnviz
from cnnviz import Network, Run, explain
from cnnviz.layers import ENTRIES, slopes
from cnnviz.layers.rounding import activation_gradient_allowance
from cnnviz.network import Gradient
from cnnviz.receipts import Cell, GradientReceipt, UpdateReceipt
from cnnviz.receipts.backward import explain_returned
from cnnviz.training import (
    SGD,
    Adam,
    AdamW,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    Trainer,
    TrainingStep,
)
from harness.authority import tf
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.networks import conv, image, layer, merges, model_of, normal, run_of
from harness.operation_models import FAMILIES

NETWORKS = ("merges", *STACKS, *ONLY_FLOAT32, *FAMILIES)

NOT_TAKEN_APART: set[str] = set()
"""Classes whose receipts give Python's number instead of the terms of a gradient."""


@cache
def gradient_of(name: str) -> Gradient:
    """Of random sums of all that a network's last layers hold, so that something comes back to each."""
    run = merges().run(normal(2, 4, 3, 2)) if name == "merges" else run_of(name)
    read = {feeder for found in run.network for feeder in found.inputs}
    ends = [found.name for found in run.network if found.name not in read]
    return run.gradient({end: normal(*run[end].shape, seed=place) for place, end in enumerate(ends)})


def somewhere(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(rng.integers(size)) for size in shape)


def check(receipt: GradientReceipt) -> None:
    """The terms are numbers of run and gradient, their sum is the value but for rounding."""
    terms, gradient, run = receipt.terms, receipt.gradient, receipt.run
    assert abs(float(receipt.residual)) <= receipt.bound, receipt.title
    assert terms.factor.shape == terms.weight.shape == terms.padding.shape == terms.position.shape[:3]
    for group in range(len(terms.factor)):
        source, there = int(terms.source[group]), ~terms.padding[group]
        axes = len(terms.shapes[source])
        cells = terms.position[group][..., terms.position.shape[-1] - axes :][there]
        assert terms.images is not None
        at = (int(terms.images[group]), *cells.T)
        if not receipt.weight:
            came = gradient.pre_activation(terms.sources[source])[at]
            np.testing.assert_array_equal(came, terms.factor[group][there], receipt.title)
            continue
        if source % 2 == 0:
            read = run[terms.sources[source]][at]
            np.testing.assert_array_equal(read, terms.factor[group][there], receipt.title)
        call = terms.sources[source | 1]
        came = gradient[call] if receipt.layer.is_activation else gradient.pre_activation(call)
        assert terms.weight_index is not None
        at = (at[0], *terms.weight_index[group][there].T)
        np.testing.assert_array_equal(came[at], terms.weight[group][there], receipt.title)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_comes_back_adds_up_in_every_class(name: str) -> None:
    gradient, rng = gradient_of(name), np.random.default_rng(4)
    whole = set()
    for found in gradient.run.network:
        at = somewhere(gradient.run.pre_activation(found.name).shape[1:], rng)
        before = explain(gradient, found.name, at, index=1, pre_activation=True)
        assert before.value == gradient.pre_activation(found.name)[(1, *at)]
        check(before)
        if found.activation is not None:
            receipt = explain(gradient, found.name, at, index=1)
            assert receipt.value == gradient[found.name][(1, *at)]
            check(receipt)
        if "not taken apart" in before.terms.bias_name:
            whole |= {reader.kind for reader, _ in gradient.readers(found.name)}
        for weight, array in found.weights.items():
            if weight != "count":
                receipt = explain(gradient, f"{found.name}/{weight}", somewhere(array.shape, rng))
                assert receipt.value == gradient[f"{found.name}/{weight}"][receipt.cell.position]
                check(receipt)
    assert whole <= NOT_TAKEN_APART


def test_every_class_is_in_these_networks() -> None:
    kinds = {found.kind for name in NETWORKS for found in gradient_of(name).run.network}
    assert set(ENTRIES) <= kinds


# TensorFlow -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*STACKS, *ONLY_FLOAT32])
def test_a_weights_gradient_is_tensorflows(name: str) -> None:
    """Layer by layer, of what came back there: within the bound, and what the activation's slope leaves."""
    gradient, rng = gradient_of(name), np.random.default_rng(5)
    run = gradient.run
    trained = [found for found in run.network if set(found.weights) - found.entry.statistics]
    if not trained:
        return
    model = model_of(name)
    for found in trained:
        theirs, (x,), grad = model.get_layer(found.name), run.inputs(found.name), gradient[found.name]
        variables = dict(zip(found.weights, (each.value for each in theirs.weights), strict=True))
        with tf.GradientTape() as tape:
            tape.watch(list(variables.values()))
            y = theirs(tf.constant(x), training=False)
        grads = tape.gradient(y, list(variables.values()), tf.constant(grad), unconnected_gradients="zero")
        activation, z = found.activation, run.pre_activation(found.name)
        if activation is not None and activation.axis is not None:
            continue
        slack = np.zeros_like(grad)
        if activation is not None and not found.is_activation:
            slack = activation_gradient_allowance(activation, z, grad).astype(np.float32)
        for (weight, variable), expected in zip(variables.items(), grads, strict=True):
            assert variable.shape == found.weights[weight].shape
            if weight in found.entry.statistics:
                continue
            at = somewhere(variable.shape, rng)
            receipt = explain(gradient, f"{found.name}/{weight}", at)
            passed_on = 0.0
            if slack.any():
                passed_on = float(
                    found.entry.gradient_magnitude(found, weight, run.inputs(found.name), slack)[0][at]
                )
            gap = abs(float(receipt.total) - float(expected.numpy()[at]))
            assert gap <= receipt.bound + passed_on, receipt.title


@pytest.mark.parametrize("name", [*STACKS, *ONLY_FLOAT32])
def test_what_comes_back_to_an_input_is_tensorflows(name: str) -> None:
    gradient, rng = gradient_of(name), np.random.default_rng(6)
    run = gradient.run
    model = model_of(name)
    for found in run.network:
        if not found.inputs or (found.activation is not None and not found.is_activation):
            continue
        (x,), at = run.inputs(found.name), somewhere(run.inputs(found.name)[0].shape[1:], rng)
        if found.is_activation:
            continue
        with tf.GradientTape() as tape:
            given = tf.constant(x)
            tape.watch(given)
            y = model.get_layer(found.name)(given, training=False)
        came = tf.constant(gradient.pre_activation(found.name))
        expected = tape.gradient(y, given, came, unconnected_gradients="zero").numpy()[(1, *at)]
        receipt = explain(gradient, found.inputs[0], at, index=1)
        assert abs(float(receipt.total) - float(expected)) <= receipt.bound, receipt.title


# By hand ----------------------------------------------------------------------------------------


def small(**options: Any) -> Gradient:
    """A convolution that reads a 3x3 image, and what came back to its four numbers."""
    weights = {"kernel": np.float32([[1, 2], [3, 4]]).reshape(2, 2, 1, 1), "bias": [0.5]}
    edge = layer("edge", "Conv2D", "image", weights=weights, filters=1, kernel_size=2, **options)
    run = Network([image(3, 3, 1), edge]).run(np.arange(18, dtype=np.float32).reshape(2, 3, 3, 1))
    return run.gradient("edge", weights=np.float32([[1, 10], [100, 1000]])[:, :, None])


def test_a_weight_by_hand() -> None:
    receipt = explain(small(), "edge/kernel", (0, 1, 0, 0))
    terms = receipt.terms
    np.testing.assert_array_equal(terms.factor[0], [[1, 2], [4, 5]])
    np.testing.assert_array_equal(terms.factor[1], [[10, 11], [13, 14]])
    np.testing.assert_array_equal(terms.weight, [[[1, 10], [100, 1000]]] * 2)
    np.testing.assert_array_equal(terms.position[0, 1, 0], [1, 1, 0])
    assert terms.weight_index is not None
    np.testing.assert_array_equal(terms.weight_index[0, 1, 0], [1, 0, 0])
    assert terms.contribution.tolist() == [5421, 15420]
    assert (receipt.total, receipt.value, receipt.residual) == (20841, 20841, 0)
    assert receipt.title == "gradient of edge/kernel[0, 1, 0, 0] (Conv2D)"


WEIGHT_BY_HAND = """\
gradient of edge/kernel[0, 1, 0, 0] (Conv2D)           20841

what was read of image where it was used, at each position
    of each image, times what came back there

the 8 largest of 8 products
image 1 row 1, col 2 14 * +1000 = +14000
image 0 row 1, col 2  5 * +1000 =  +5000
image 1 row 1, col 1 13 *  +100 =  +1300
image 0 row 1, col 1  4 *  +100 =   +400
image 1 row 0, col 2 11 *   +10 =   +110
image 0 row 0, col 2  2 *   +10 =    +20
image 1 row 0, col 1 10 *    +1 =    +10
image 0 row 0, col 1  1 *    +1 =     +1

sums by image
image 0  +5421
image 1 +15420
                   ------
sum of 8 products  +20841

float32: 20841.0 in this order, 20841.0 in the gradient,
    residual 0 (rounding leaves at most 0.02)"""


def test_a_cell_by_hand() -> None:
    receipt = explain(small(), "image", row=1, col=1, index=1)
    np.testing.assert_array_equal(receipt.terms.factor[0], [[1000, 100], [10, 1]])
    np.testing.assert_array_equal(receipt.terms.weight[0], [[1, 2], [3, 4]])
    assert receipt.value == receipt.total == 1000 + 200 + 30 + 4
    assert receipt.terms.weight_name == "kernel"
    corner = explain(small(), "image", row=0, col=0)
    assert corner.value == 1
    assert len(corner.terms) == 1
    assert str(corner.terms.cell(0)) == "edge, row 0, column 0, channel 0"


def test_an_activation_is_a_line_of_its_own() -> None:
    gradient = small(activation="tanh")
    receipt = explain(gradient, "edge", row=0, col=0, index=0, pre_activation=True)
    slope, through = receipt.steps
    z = receipt.run.pre_activation("edge")[0, 0, 0, 0]
    assert slope.formula == "1 / (cosh(z) * cosh(z))"
    assert slope.result == pytest.approx(1 / math.cosh(z) ** 2)
    assert through.result == receipt.result
    assert receipt.bias == receipt.total == 1
    assert abs(receipt.residual) <= receipt.bound
    relu = explain(small(activation="relu"), "edge", row=0, col=0, index=0, pre_activation=True)
    assert "slope of relu = 1 (as z = 27.5)" in str(relu)
    assert "through relu = sum * slope = 1 * 1 = 1" in str(relu)


@pytest.mark.parametrize("kind", ["Softmax", "ops.LogSoftmax", "ops.Sparsemax"])
@pytest.mark.parametrize("axis", [0, -1, 1])
def test_a_softmax_passes_on_what_is_left_of_the_mean(kind: str, axis: int) -> None:
    if kind.startswith("ops.") and axis == 0:
        return
    run = Network([image(4, 3), layer("shares", kind, "image", axis=axis)]).run(
        normal(3, 4, 3).astype(np.float32)
    )
    gradient = run.gradient("shares", weights=normal(3, 4, 3, seed=1))
    for place in np.ndindex(3, 4, 3):
        receipt = explain(gradient, "shares", place[1:], index=place[0], pre_activation=True)
        assert receipt.value == gradient.pre_activation("shares")[place]
        assert abs(receipt.residual) <= receipt.bound < 1e-4
        (step,) = receipt.steps
        assert evaluated(step.formula, step.values) == pytest.approx(float(step.result), abs=1e-5)
    assert explain(gradient, "image", (0, 0), index=2).residual == 0


def evaluated(formula: str, values: Any) -> float:
    """A formula in float64."""
    functions = {name: getattr(np, name) for name in ("exp", "sqrt", "tanh", "cosh", "log", "pi")}
    names = {"__builtins__": {}, **functions, "erfc": special.erfc, "abs": abs, "max": max}
    return float(eval(formula, names, dict(values)))


def graph() -> Run:
    """A layer that is called twice, and a number that three others read."""
    kernel = {"kernel": normal(3, 3), "bias": normal(3)}
    twice = layer("twice", "Dense", "image", weights=kernel, units=3, activation="sigmoid")
    return Network(
        [
            image(4, 3),
            twice,
            replace(twice, name="twice:1", inputs=("twice",), owner="twice"),
            layer("left", "Multiply", "twice", "twice:1"),
            layer("right", "Add", "left", "twice", "twice"),
            layer("unread", "ReLU", "twice"),
        ]
    ).run(normal(2, 4, 3).astype(np.float32))


def test_shared_weights_and_several_readers() -> None:
    run = graph()
    gradient = run.gradient({"right": normal(2, 4, 3), "twice": normal(2, 4, 3, seed=3)})
    for name in run:
        check(explain(gradient, name, (2, 1), index=1))
        check(explain(gradient, name, (2, 1), index=1, pre_activation=True))
    receipt = explain(gradient, "twice", (2, 1), index=1)
    assert receipt.terms.sources == ("right", "right", "left", "twice:1")
    assert receipt.bias == np.float32(normal(2, 4, 3, seed=3)[1, 2, 1])
    assert receipt.terms.bias_name == "seed"
    for weight, at in (("kernel", (2, 0)), ("bias", (1,))):
        shared = explain(gradient, f"twice:1/{weight}", at)
        check(shared)
        assert shared.title == f"gradient of twice/{weight}[{', '.join(map(str, at))}] (Dense)"
        assert {label.partition(" ")[0] for label in shared.terms.labels} == {"twice", "twice:1"}
    unread = explain(gradient, "unread", (2, 1))
    assert unread.value == unread.total == 0
    assert "nothing comes back from any layer" in str(unread)
    before = run.gradient("twice:1", weights=normal(2, 4, 3), pre_activation=True)
    for name in ("image", "twice", "twice:1"):
        check(explain(before, name, (0, 0), pre_activation=True))
    assert explain(before, "twice:1", (0, 0)).value == 0


def test_a_trace_leads_to_where_the_way_back_begins() -> None:
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:3])
    last = run.network.outputs[0]
    gradient = run.gradient(last, 3, pre_activation=True)
    for name, at in (("conv2d_3/kernel", (1, 1, 2, 3)), ("input", (14, 14, 0))):
        path = explain(gradient, name, at).trace().path
        assert path[-1].receipt.terms.bias_name == "seed"
        assert [node.receipt.layer.name for node in path][-2:] == ["flatten", last]
        for one, two in pairwise(path):
            assert two.receipt.value in (
                one.receipt.terms.weight if one.receipt.weight else one.receipt.terms.factor
            )


def test_what_is_too_much_to_take_apart_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = gradient_of("merges")
    monkeypatch.setattr(type(ENTRIES["Dot"]), "input_slopes", lambda *arguments: None)
    feeder = gradient.run.network["dot"].inputs[0]
    receipt = explain(gradient, feeder, somewhere(gradient.run[feeder].shape[1:], np.random.default_rng(0)))
    assert "not taken apart" in receipt.terms.bias_name
    assert abs(receipt.residual) <= receipt.bound
    assert "not taken apart" in str(receipt)
    assert "load_model" not in receipt.to_code()


@pytest.mark.parametrize("name", ["merges", "convolution", "other convolutions of sequences", "each step"])
def test_what_is_too_large_to_go_back_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slopes, "MOST_NUMBERS", 1)
    gradient, rng = gradient_of(name), np.random.default_rng(9)
    for found in gradient.run.network:
        receipt = explain(gradient, found.name, somewhere(gradient.run[found.name].shape[1:], rng), index=1)
        assert "not taken apart" not in receipt.terms.bias_name
        check(receipt)


@pytest.mark.parametrize("special_value", [np.nan, np.inf, -np.inf])
def test_special_values_come_through(special_value: float) -> None:
    x = normal(1, 4, 4, 1).astype(np.float32)
    x[0, 1, 1] = special_value
    kinds = [conv("conv", "image", 1, 2, 2, activation="gelu"), layer("norm", "UnitNormalization", "conv")]
    run = Network([image(4, 4, 1), *kinds, layer("best", "GlobalMaxPooling2D", "norm")]).run(x)
    gradient = run.gradient("best", weights=np.array([1.0, 2.0]))
    found = [explain(gradient, name, (0,) * (run[name].ndim - 1), pre_activation=True) for name in run]
    for receipt in (*found, explain(gradient, "conv/kernel", (1, 1, 0, 1))):
        np.testing.assert_allclose(receipt.result, receipt.value, rtol=1e-5, err_msg=receipt.title)
        assert str(receipt)
        assert receipt.to_html()
        assert receipt.to_latex()


def test_arguments() -> None:
    gradient = small()
    with pytest.raises(ValueError, match=r"say which number of 'edge/kernel' \(2, 2, 1, 1\) by its indices"):
        explain(gradient, "edge/kernel")
    with pytest.raises(ValueError, match=r"say which number of 'edge/bias' \(1,\)"):
        explain(gradient, "edge/bias", channel=0)
    with pytest.raises(IndexError, match=r"index 0 of at 2 is outside 0 \.\. 1 of 'edge/kernel'"):
        explain(gradient, "edge/kernel", (2, 0, 0, 0))
    with pytest.raises(ValueError, match="pre_activation=True is for layers, got the weight 'edge/bias'"):
        explain(gradient, "edge/bias", (0,), pre_activation=True)
    with pytest.raises(ValueError, match="classes name scores of a run, got a gradient"):
        explain(gradient, "edge", row=0, col=0, classes=["a"])
    with pytest.raises(ValueError, match="pre_activation=True is for a gradient"):
        explain(gradient.run, "edge", row=0, col=0, pre_activation=True)
    with pytest.raises(KeyError, match="edge has no weight 'gamma'"):
        explain(gradient, "edge/gamma", (0,))
    with pytest.raises(IndexError, match=r"index 2 is outside 0 \.\. 1 of the run's batch of 2"):
        explain(gradient, "edge", row=0, col=0, index=2)
    edited = gradient.run.network.run(np.ones((1, 3, 3, 1)), edits={"edge": lambda a: a + 1})
    with pytest.raises(ValueError, match="was edited in this run"):
        explain(edited.gradient("edge", (0, 0, 0)), "image", row=0, col=0)


# How they show ----------------------------------------------------------------------------------


def test_a_weight_as_text() -> None:
    assert explain(small(), "edge/kernel", (0, 1, 0, 0)).to_text(60) == WEIGHT_BY_HAND


def shown() -> list[GradientReceipt]:
    """One of each kind."""
    gradient = gradient_of("convolution")
    names = [found.name for found in gradient.run.network]
    middle = tuple(n // 2 for n in gradient.run[names[2]].shape[1:])
    found = [
        explain(gradient, f"{names[1]}/kernel", (1, 1, 0, 2)),
        explain(gradient, f"{names[1]}/bias", (2,)),
        explain(gradient, names[2], middle, index=1, pre_activation=True),
        explain(gradient, names[0], (6, 5, 0), index=1),
        explain(gradient, names[-1], (0, 0, 0), index=1),
    ]
    assert all(isinstance(each, GradientReceipt) for each in found)
    return found  # type: ignore[return-value]


def test_they_are_shown_as_receipts_of_a_run_are() -> None:
    for receipt in shown():
        lines = receipt.to_text(70).splitlines()
        assert max(map(len, lines)) <= 70
        assert receipt.to_text().isascii()
        html = receipt.to_html()
        assert html.count("<table>") == html.count("</table>") == html.count("<caption")
        assert receipt.heads[1] in html or len(receipt.terms) == 0
        latex = receipt.to_latex()
        assert latex.count("{") == latex.count("}")
        picture = receipt.plot(width=420)
        assert receipt.title in picture.alt
        assert "gradient of" in repr(receipt)


def printed(program: str) -> float:
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(program, "receipt", "exec"), {})
    return float(out.getvalue())


def test_programs_from_the_file() -> None:
    for receipt in shown():
        program = receipt.to_code()
        assert "load_model" in program
        assert abs(printed(program) - float(receipt.value)) <= 1e-5 * max(1.0, abs(float(receipt.value)))
    with pytest.raises(ValueError, match="library must be 'cnnviz' for a gradient, got 'keras'"):
        receipt.to_code("keras")


def test_programs_with_the_receipts_own_numbers() -> None:
    for activation in ("gelu", "relu", "linear"):
        gradient = small(activation=activation)
        for receipt in (
            explain(gradient, "edge/kernel", (0, 1, 0, 0)),
            explain(gradient, "image", row=1, col=1, index=1),
            explain(gradient, "edge", row=0, col=1, index=1, pre_activation=True),
        ):
            program = receipt.to_code()
            assert "load_model" not in program
            assert printed(program) == pytest.approx(float(receipt.value), rel=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "log_softmax", "sparsemax"])
def test_a_program_goes_back_through_what_mixes_channels(activation: str) -> None:
    weights = {"kernel": np.float32([[0.1, 0.2], [0.3, -0.1]]).reshape(2, 1, 1, 2)}
    options = {"filters": 2, "kernel_size": (2, 1), "use_bias": False, "activation": activation}
    net = Network([image(3, 3, 1), layer("edge", "Conv2D", "image", weights=weights, **options)])
    run = net.run(np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1) / 9)
    gradient = run.gradient("edge", weights=np.arange(12, dtype=np.float32).reshape(2, 3, 2))
    receipt = explain(gradient, "edge", row=1, col=2, channel=1, pre_activation=True)
    assert printed(receipt.to_code()) == pytest.approx(float(receipt.value), rel=1e-5)
    assert receipt.value != 0


# Training ---------------------------------------------------------------------------------------


def trainable() -> Network:
    """Statistics of the batch, what is drawn, two axes of one number, and an output that a loss undoes."""
    shapes = {"gamma": 2, "beta": 2, "moving_mean": 2, "moving_variance": 2}
    norm = {name: np.abs(normal(size, seed=size)) + 0.5 for name, size in shapes.items()}
    return Network(
        [
            image(6, 5, 1),
            conv("conv", "image", 1, 2),
            layer("norm", "BatchNormalization", "conv", weights=norm, momentum=0.9),
            layer("bent", "PReLU", "norm", weights={"alpha": normal(1, 1, 2)}, shared_axes=(1, 2)),
            layer("dropped", "Dropout", "bent", rate=0.4),
            layer("noisy", "GaussianNoise", "dropped", stddev=0.1),
            layer("flat", "Flatten", "noisy"),
            layer(
                "scores",
                "Dense",
                "flat",
                weights={"kernel": normal(24, 3), "bias": normal(3)},
                units=3,
                activation="softmax",
            ),
        ]
    )


OPTIMIZERS = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.1, momentum=0.9),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": Adam(0.01),
    "amsgrad": Adam(0.01, amsgrad=True, clipnorm=0.1),
    "adamw": AdamW(0.01),
    "averaged": Adam(0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "scheduled": SGD(lambda step: 0.1 / (1 + step), global_clipnorm=0.5),
}


def third_step(optimizer: Any) -> TrainingStep:
    trainer = Trainer(trainable(), optimizer, seed=1)
    for _ in range(3):
        step = trainer.step(normal(4, 6, 5, 1).astype(np.float32), np.array([0, 2, 1, 1]))
    return step


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_new_weight_bit_for_bit(name: str) -> None:
    step = third_step(OPTIMIZERS[name])
    rng = np.random.default_rng(0)
    for key, array in step.after.items():
        at = somewhere(array.shape, rng)
        receipt = explain(step, key, at)
        owner, _, weight = key.rpartition("/")
        assert isinstance(receipt, UpdateReceipt)
        assert receipt.value == step.network[owner].weights[weight][at]
        assert receipt.result == receipt.value, f"{key}{at}"
        assert receipt.residual == 0
        gap = abs(float(receipt.total) - float(step.gradient[key][at]))
        assert gap <= explain(step.gradient, key, at).bound
        text = str(receipt)
        assert "in the network after the step, residual 0" in text.replace("\n    ", " ")
        assert text.startswith(f"step 3, {key}[")
        assert np.float32(printed(receipt.to_code())) == receipt.value
        for each in receipt.steps:
            if "clipped" not in each.formula:
                values = {name: np.float64(value) for name, value in each.values.items()}
                expected = evaluated(each.formula, values)
                scale = max(abs(float(v)) for v in (*values.values(), each.result))
                assert abs(expected - float(each.result)) <= 1e-6 * scale, each
        assert receipt.to_html()
        assert r"\begin{aligned}" in receipt.to_latex()


def test_penalties_and_constraints_are_lines_of_their_own() -> None:
    """A step whose kernel's gradient has a penalty in it, and whose new kernel was made smaller."""
    limit = {"class_name": "MaxNorm", "config": {"max_value": 0.5}}
    weights, config = {"kernel": normal(3, 2)}, {"units": 2, "use_bias": False, "kernel_constraint": limit}
    net = Network([image(3), layer("d", "Dense", "image", weights=weights, activation="softmax", **config)])
    step = Trainer(net, SGD(0.1)).step(normal(4, 3).astype(np.float32), np.array([0, 1, 1, 0]))
    before = step.before["d/kernel"]
    whole = step.gradient["d/kernel"] + np.float32(0.5) * before
    after, _ = step.optimizer.update(before, whole, {}, 0)
    changed = {"d/kernel": whole}
    step = replace(step, gradients=changed, clipped=changed, after={"d/kernel": after / 2})
    receipt = explain(step, "d/kernel", (2, 1))
    assert [each.formula for each in receipt.steps][-3:] == [
        "g + penalty",
        "w - g*learning_rate",
        "constrained(w)",
    ]
    assert receipt.result == receipt.value == after[2, 1] / 2
    assert np.float32(printed(receipt.to_code())) == receipt.value
    assert "w = constrained(w)" in str(receipt)


def test_a_training_run_is_explained_with_what_it_drew() -> None:
    """The batch's statistics act from image to image; dropout and noise are those of the image."""
    step = third_step(AdamW(0.01))
    rng = np.random.default_rng(2)
    assert step.run.network["norm"].entry.mixes_images
    for name in step.run:
        for index in range(4):
            at = somewhere(step.run[name].shape[1:], rng)
            forward = explain(step.run, name, at, index=index)
            assert abs(float(forward.residual)) <= forward.bound, forward.title
            for before in (False, True):
                check(explain(step, name, at, index=index, pre_activation=before))  # type: ignore[arg-type]
    mixed = explain(step, "conv", (1, 2, 1), index=3)
    assert mixed.terms.images is not None
    assert mixed.terms.images.tolist() == [0, 1, 2, 3]
    # What the statistics pass on adds up to nothing where the same comes back to all.
    assert float(mixed.terms.weight.sum()) == pytest.approx(0, abs=1e-5)


def test_the_last_receipt_is_the_losss() -> None:
    step = third_step(SGD(0.1))
    receipt = explain(step, "scores", channel=1, index=2, pre_activation=True)
    p, seed = receipt.terms.preparation
    assert seed.formula == "(p - y) / N"
    assert dict(seed.values) == {"p": step.run["scores"][2, 1], "y": 1, "N": 4}
    assert seed.result == pytest.approx(receipt.value, rel=1e-5)
    assert p.result == pytest.approx(float(step.run["scores"][2, 1]), rel=1e-6)
    assert "seed = (p - y) / N" in str(receipt)
    path = explain(step, "conv/kernel", (1, 1, 0, 0)).trace().path
    assert [each.formula for each in path[-1].receipt.terms.preparation][-1] == "(p - y) / N"


LOSSES = [
    (SparseCategoricalCrossentropy(), True),
    (SparseCategoricalCrossentropy(), False),
    (CategoricalCrossentropy(label_smoothing=0.1), True),
    (CategoricalCrossentropy(label_smoothing=0.1), False),
    (BinaryCrossentropy(label_smoothing=0.1), True),
    (BinaryCrossentropy(), False),
    (MeanSquaredError(), False),
]


@pytest.mark.parametrize(("loss", "logits"), LOSSES)
def test_every_loss_writes_its_gradient_out(loss: Any, logits: bool) -> None:
    rng = np.random.default_rng(8)
    output = rng.normal(size=(5, 3)) if logits else rng.dirichlet(np.ones(3), 5)
    if not logits:
        # What is cut off has no slope.
        output[0, 0] = 0
    labels = rng.dirichlet(np.ones(3), 5)
    if isinstance(loss, SparseCategoricalCrossentropy):
        labels = rng.integers(3, size=5)
    gradient = loss(output, labels, logits).gradient
    for place in np.ndindex(output.shape):
        equations = loss.written(output, labels, place, logits)
        assert equations[-1].name == "seed"
        assert float(equations[-1].result) == pytest.approx(gradient[place], rel=1e-12, abs=1e-15)
        for each in equations:
            assert evaluated(each.formula, each.values) == pytest.approx(
                float(each.result), rel=1e-9, abs=1e-15
            )


def test_a_weight_that_is_not_trained() -> None:
    step = third_step(SGD(0.1))
    with pytest.raises(KeyError, match="'norm/moving_mean' is not trained in this step"):
        explain(step, "norm/moving_mean", (0,))
    assert isinstance(explain_returned(step.gradient, Cell("conv", (0, 0, 0)), 0), GradientReceipt)
