"""Receipts: every cell of small networks of every layer class, traces to the pixels, and how they show.

That layers compute what Keras computes is tested elsewhere; here each number of a run is held against
the arithmetic that its receipt states, within the engine's own bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

import cnnviz
from cnnviz import Layer, Network, Receipt, Run, explain, ops
from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import ACTIVATIONS, Activation
from cnnviz.layers.rounding import allowance
from cnnviz.receipts import Cell, operands_of
from cnnviz.receipts.receipt import explain_cell
from cnnviz.receipts.steps import activation_step
from harness import cases, rounding
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.networks import conv, image, layer, merges, normal, run_of
from harness.operation_models import FAMILIES

THOROUGH = settings.get_current_profile_name() == "thorough"


def cells_of(run: Run, name: str) -> Iterator[Cell]:
    for position in np.ndindex(run[name].shape[1:]):
        yield Cell(name, position)


# What a receipt must be -------------------------------------------------------------------------

BOUNDS = {
    "Conv2D": rounding.conv2d_bound,
    "DepthwiseConv2D": rounding.depthwise_conv2d_bound,
    "SeparableConv2D": rounding.separable_conv2d_bound,
    "Conv2DTranspose": rounding.conv2d_transpose_bound,
    "Dense": rounding.dense_bound,
}
OPTIONS = ("strides", "padding", "dilation_rate", "groups", "output_padding")
EXACT = {kind for kind, entry in ENTRIES.items() if entry.moves_values_only} | {
    *("MaxPooling2D", "GlobalMaxPooling2D", "Maximum", "Minimum"),
    *("BatchNormalization", "Rescaling"),
}
"""Classes whose receipts do what the engine does, rounding included."""


def sum_bound(found: Layer, inputs: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """How far a receipt's total and the run's pre-activation may lie apart, by `harness.rounding`.

    Twice the engine's bound, which holds for sums in any order. A transposed convolution's is for its
    own order, a receipt's has one rounding for each product.
    """
    if found.kind not in BOUNDS:
        return None
    options = {name: found.config[name] for name in OPTIONS if name in found.config}
    bound = BOUNDS[found.kind](*inputs, *found.weights.values(), **options)
    if found.kind == "Conv2DTranspose":
        bound = bound._replace(
            roundings=math.prod(found.weights["kernel"].shape) // found.config["filters"] + 1
        )
    return 2 * bound.limit(np.float32)


def check_layer(run: Run, name: str, index: int, step: int = 1) -> int:
    """Every cell of one layer, or one in every `step`; returns their number."""
    found = run.network[name]
    inputs = tuple(x[index : index + 1] for x in run.inputs(name))
    allowed = allowance(found, *inputs)[0] if inputs else np.zeros(run[name].shape[1:])
    summed = sum_bound(found, inputs)
    count = 0
    for cell in list(cells_of(run, name))[::step]:
        receipt = explain_cell(run, cell, index)
        where = f"{receipt.title} of image {index}"
        assert receipt.value == run[name][(index, *cell.position)], where
        assert abs(float(receipt.residual)) <= allowed[cell.position], where
        if summed is not None:
            assert abs(float(receipt.total - receipt.pre_activation)) <= summed[(0, *cell.position)], where
        if found.kind in EXACT:
            assert receipt.total == receipt.pre_activation, where
        check_terms(run, receipt)
        count += 1
    return count


def check_terms(run: Run, receipt: Receipt) -> None:
    """Coordinates point at the factors, indices at the weights, and the sums are sums."""
    terms, found = receipt.terms, receipt.layer
    assert terms.sources == found.inputs
    inputs = run.inputs(found.name)
    for group, source in enumerate(terms.source.tolist()):
        x = inputs[source][receipt.index]
        place = terms.position[group][..., terms.position.shape[-1] - x.ndim :]
        outside = ((place < 0) | (place >= x.shape)).any(axis=-1)
        np.testing.assert_array_equal(terms.padding[group], outside)
        there = ~outside
        np.testing.assert_array_equal(x[tuple(place[there].T)], terms.factor[group][there])
        paddings = {0.0, -np.inf, found.config.get("fill_value", 0.0)}
        assert set(terms.factor[group][outside].tolist()) <= paddings
    if terms.weight_index is not None:
        weights = found.weights[terms.weight_name][tuple(np.moveaxis(terms.weight_index, -1, 0))]
        np.testing.assert_array_equal(terms.weight, weights.astype(terms.weight.dtype))
    if not terms.selects:
        np.testing.assert_array_equal(terms.product, terms.factor * terms.weight)
    assert terms.total.dtype == terms.product.dtype == receipt.value.dtype
    # The sums again, in plain Python, number by number.
    dtype, total = receipt.value.dtype.type, receipt.value.dtype.type(0)
    for group in range(len(terms.factor)):
        partial = dtype(0)
        for product in terms.product[group].ravel():
            partial = dtype(partial + product)
        assert partial == terms.partial[group]
        total = dtype(total + (partial if terms.mix is None else partial * terms.mix[group]))
    assert total == terms.sum
    assert terms.total == dtype(total + terms.bias)
    if terms.selects:
        cell = terms.winner
        assert cell is not None
        assert run[cell.layer][(receipt.index, *cell.position)] == terms.total


@pytest.mark.parametrize("name", FAMILIES)
def test_cells_of_every_operation(name):
    run = run_of(name)
    assert sum(check_layer(run, found.name, index=1, step=19) for found in run.network) > 0


@pytest.mark.parametrize("name", [*STACKS, *ONLY_FLOAT32])
def test_cells_of_every_layer_class(name):
    """Every cell in the thorough profile, else all of few and one in eleven of many."""
    run = run_of(name)
    for found in run.network:
        many = not THOROUGH and run[found.name][1].size > 40
        assert check_layer(run, found.name, index=1, step=11 if many else 1) > 0


def test_every_cell_of_every_merge():
    net = merges()
    run = net.run(normal(3, 4, 3, 2))
    for found in net:
        check_layer(run, found.name, index=2)
    product = explain(run, "multiply_3", row=2, col=1, channel=1)
    assert [str(cell) for cell in product.terms.partners] == [
        "vector, unit 1",
        "column, row 2, column 0, channel 1",
    ]
    assert set(ENTRIES) <= {entry.kind for entry in net} | {
        entry.kind for name in (*STACKS, *ONLY_FLOAT32, *FAMILIES) for entry in run_of(name).network
    }


def test_activations_with_arguments_and_axes():
    kinds = [Activation("relu", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.0})]
    kinds += [
        Activation("elu", {"alpha": 0.5}),
        Activation("softmax", {"axis": 1}),
        Activation("softmax", {"axis": -2}),
    ]
    kinds += [
        Activation("log_softmax", {"axis": 3}),
        Activation("sparsemax"),
        Activation("gelu", {"approximate": True}),
    ]
    names = [f"conv_{i}" for i in range(len(kinds))]
    net = Network([image(5, 4, 2), *(conv(name, "image", 2, 3, size=2) for name in names)])
    net = net.with_activation(dict(zip(names, kinds, strict=True)))
    run = net.run(normal(2, 5, 4, 2))
    for name in names:
        check_layer(run, name, index=1)


def test_a_softmax_over_the_images():
    net = Network([image(3), layer("shares", "Softmax", "image", axis=0)])
    run = net.run(np.float32([[1, 2, 3], [3, 2, 1], [0, 0, 0]]))
    receipt = explain(run, "shares", channel=1, index=2)
    (step,) = receipt.steps
    np.testing.assert_array_equal(step.shares.z, [2, 2, 0])
    assert step.shares.labels[2] == "image 2"
    assert abs(receipt.residual) <= receipt.bound


def test_networks_in_float64_and_of_any_rank():
    net = Network(
        [
            image(4, 2),
            layer(
                "dense",
                "Dense",
                "image",
                units=6,
                weights={"kernel": normal(2, 6)},
                use_bias=False,
            ),
            layer("cube", "Reshape", "dense", target_shape=(2, 2, 3, 2)),
            layer("relu", "ReLU", "cube"),
            layer("turned", "Permute", "relu", dims=(4, 1, 3, 2)),
            layer("soft", "Softmax", "turned", axis=2),
            layer("all", "Flatten", "soft"),
        ]
    ).astype(np.float64)
    run = net.run(normal(2, 4, 2))
    for found in net:
        check_layer(run, found.name, index=1)
    receipt = explain(run, "turned", at=(1, 0, 2, 1))
    assert receipt.value.dtype == np.float64
    assert (receipt.row, receipt.col, receipt.channel) == (None, None, None)
    assert str(receipt.terms.cell(0)) == "relu, position (0, 1, 2, 1)"
    assert explain(run, "dense", row=3, channel=5).cell == Cell("dense", (3, 5))
    assert list(explain(run, "dense", row=3, channel=5).terms.row.ravel()) == [3, 3]


def single(case: cases.Case, kind: str, names: tuple[str, ...], **config: Any) -> Run | None:
    """A network of one layer with a generated case's weights and options, run on its images."""
    x, *weights = case.arrays()
    if not len(x):
        return None
    given_weights = {name: w for name, w in zip(names, weights, strict=True) if w is not None}
    options = {**case.options, **config}
    if names:
        options["use_bias"] = "bias" in given_weights
    net = Network([image(*x.shape[1:]), layer("layer", kind, "image", weights=given_weights, **options)])
    return net.run(x)


def check_some(run: Run | None, seed: int) -> None:
    """A few cells of a random layer, corners among them."""
    assume(run is not None)
    assert run is not None
    shape = run["layer"].shape
    found, x = run.network["layer"], run.inputs("layer")
    bound = sum_bound(found, x)
    rng = np.random.default_rng(seed)
    places = [(0, 0, 0, 0), tuple(n - 1 for n in shape), *(tuple(rng.integers(shape)) for _ in range(6))]
    for index, *position in places:
        receipt = explain(run, "layer", at=position, index=index)
        if bound is not None:
            gap = abs(np.float64(receipt.total) - np.float64(receipt.pre_activation))
            assert gap <= bound[(index, *position)]
        assert abs(float(receipt.residual)) <= receipt.bound
        assert not receipt.was_edited
        check_terms(run, receipt)
        assert receipt.to_text()


@given(cases.convolutions())
@settings(max_examples=60)
def test_random_convolutions(case):
    kernel = case.shapes[1]
    check_some(
        single(case, "Conv2D", ("kernel", "bias"), filters=kernel[3], kernel_size=kernel[:2]), case.seed
    )


@given(cases.depthwise_convolutions())
@settings(max_examples=30)
def test_random_depthwise_convolutions(case):
    kernel = case.shapes[1]
    options = {"kernel_size": kernel[:2], "depth_multiplier": kernel[3]}
    check_some(single(case, "DepthwiseConv2D", ("kernel", "bias"), **options), case.seed)


@given(cases.separable_convolutions())
@settings(max_examples=30)
def test_random_separable_convolutions(case):
    _, deep, point, _ = case.shapes
    options = {"kernel_size": deep[:2], "depth_multiplier": deep[3], "filters": point[3]}
    names = ("depthwise_kernel", "pointwise_kernel", "bias")
    check_some(single(case, "SeparableConv2D", names, **options), case.seed)


@given(cases.transposed_convolutions())
@settings(max_examples=60)
def test_random_transposed_convolutions(case):
    kernel = case.shapes[1]
    options = {"kernel_size": kernel[:2], "filters": kernel[2]}
    check_some(single(case, "Conv2DTranspose", ("kernel", "bias"), **options), case.seed)


@given(cases.poolings())
@settings(max_examples=40)
def test_random_pools(case):
    for kind in ("MaxPooling2D", "AveragePooling2D"):
        check_some(single(case, kind, ()), case.seed)


# Numbers that are not numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_values_come_through(special):
    x = normal(1, 4, 4, 1).astype(np.float32)
    x[0, 1, 1] = special
    net = Network(
        [
            image(4, 4, 1),
            conv("conv", "image", 1, 2),
            layer("best", "MaxPooling2D", "image", strides=1, padding="same"),
            layer("mean", "AveragePooling2D", "image", strides=1, padding="same"),
            layer("least", "Minimum", "image", "best"),
        ]
    )
    run = net.run(x)
    for name in list(run)[1:]:
        for cell in cells_of(run, name):
            receipt = explain_cell(run, cell)
            np.testing.assert_allclose(receipt.result, receipt.value, rtol=1e-5, err_msg=receipt.title)
            assert not receipt.was_edited
            assert str(receipt)


def test_a_pool_of_nothing_but_minus_infinity_has_a_real_winner():
    pool = layer("pool", "MaxPooling2D", "image", pool_size=3, strides=1, padding="same")
    run = Network([image(2, 2, 1), pool]).run(np.full((1, 2, 2, 1), -np.inf))
    receipt = explain(run, "pool", row=0, col=0)
    assert receipt.terms.winner == Cell("image", (0, 0, 0))
    assert receipt.total == -np.inf
    assert receipt.residual == 0


# Details ------------------------------------------------------------------------------------------


def test_a_convolution_by_hand():
    weights = {"kernel": np.arange(9).reshape(3, 3, 1, 1) - 4, "bias": [0.5]}
    options = {"filters": 1, "kernel_size": 3, "padding": "same", "activation": "relu"}
    net = Network([image(3, 3, 1), layer("edge", "Conv2D", "image", weights=weights, **options)])
    run = net.run(np.arange(1.0, 10.0).reshape(1, 3, 3, 1))
    receipt = cnnviz.explain(run, "edge", row=0, col=1, channel=0)
    terms = receipt.terms
    np.testing.assert_array_equal(terms.factor[0], [[0, 0, 0], [1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(terms.weight[0], [[-4, -3, -2], [-1, 0, 1], [2, 3, 4]])
    np.testing.assert_array_equal(terms.padding[0], [[True] * 3, [False] * 3, [False] * 3])
    np.testing.assert_array_equal(terms.row[0], [[-1] * 3, [0] * 3, [1] * 3])
    np.testing.assert_array_equal(terms.col[0], [[0, 1, 2]] * 3)
    np.testing.assert_array_equal(terms.channel, np.zeros((1, 3, 3)))
    assert terms.partial.tolist() == [49]
    assert (receipt.bias, receipt.total, receipt.value, receipt.residual) == (0.5, 49.5, 49.5, 0)
    assert terms.cell(0, 2, 1) == Cell("image", (1, 1, 0))
    assert [term.product for term in terms if not term.padding] == [-1, 0, 3, 8, 15, 24]


def test_groups_read_their_own_channels():
    kernel = normal(1, 1, 2, 6)
    net = Network(
        [
            image(2, 2, 4),
            layer(
                "g",
                "Conv2D",
                "image",
                weights={"kernel": kernel},
                filters=6,
                kernel_size=1,
                groups=2,
                use_bias=False,
            ),
        ]
    )
    receipt = explain(net.run(np.ones((1, 2, 2, 4))), "g", row=0, col=0, channel=4)
    assert receipt.terms.channel.ravel().tolist() == [2, 3]
    assert receipt.terms.labels == ("channel 2", "channel 3")
    assert receipt.bias == 0
    assert receipt.terms.bias_name == ""


def test_two_stages_of_a_separable_convolution():
    run = run_of("separable")
    name = next(found.name for found in run.network if found.kind == "SeparableConv2D")
    receipt = explain(run, name, row=1, col=2, channel=3)
    weights, (x,) = run.network[name].weights, run.inputs(name)
    config = run.network[name].config
    deep = ops.depthwise_conv2d(x[:1], weights["depthwise_kernel"], strides=config["strides"])[0, 1, 2]
    np.testing.assert_allclose(receipt.terms.partial, deep, rtol=1e-5)
    np.testing.assert_array_equal(receipt.terms.mix, weights["pointwise_kernel"][0, 0, :, 3])
    np.testing.assert_array_equal(receipt.terms.contribution, receipt.terms.partial * receipt.terms.mix)
    assert receipt.terms.labels[:3] == ("red.0", "red.1", "green.0")


def test_a_cell_that_no_stamp_reaches_is_its_bias():
    weights = {"kernel": np.ones((1, 1, 1, 1)), "bias": [0.25]}
    up = layer("up", "Conv2DTranspose", "image", weights=weights, filters=1, kernel_size=1, strides=2)
    run = Network([image(2, 2, 1), up]).run(np.ones((1, 2, 2, 1)))
    receipt = explain(run, "up", row=1, col=0)
    assert len(receipt.terms) == 0
    assert receipt.total == receipt.value == 0.25
    assert "reads nothing" in str(receipt)
    assert receipt.trace().children == ()
    assert receipt.plot().alt
    assert "0.25" in receipt.to_latex()


def test_averages_count_the_cells_that_are_there():
    pool = layer("pool", "AveragePooling2D", "image", pool_size=3, strides=1, padding="same")
    run = Network([image(3, 3, 1), pool]).run(np.ones((1, 3, 3, 1)))
    assert np.unique(explain(run, "pool", row=0, col=0).terms.weight).tolist() == [0, 0.25]
    assert explain(run, "pool", row=1, col=1).terms.weight[0, 0, 0] == np.float32(1) / np.float32(9)


def test_batch_norm_writes_out_scale_and_shift():
    run = run_of("batch normalisation")
    for found in list(run.network)[1:]:
        if found.kind == "BatchNormalization":
            at = (0,) * len(found.output_shape)
            scale, shift = explain(run, found.name, at=at).terms.preparation
            w = {name: float(array[0]) for name, array in found.weights.items()}
            exact = w.get("gamma", 1) / math.sqrt(w["moving_variance"] + found.config["epsilon"])
            assert scale.name == "scale"
            assert scale.result == pytest.approx(exact, rel=1e-6)
            assert shift.result == pytest.approx(w.get("beta", 0) - w["moving_mean"] * exact, rel=1e-5)
            assert ("gamma" in scale.formula, "beta" in shift.formula) == ("gamma" in w, "beta" in w)


def test_an_edited_run_is_told_from_rounding():
    net = Network([image(4, 4, 1), conv("conv", "image", 1, 1), layer("drop", "Dropout", "conv", rate=0.5)])
    x = normal(1, 4, 4, 1)
    run = net.run(x, edits={"conv": lambda a: a + 1})
    receipt = explain(run, "conv", row=0, col=0)
    assert receipt.was_edited
    assert receipt.residual == pytest.approx(1, abs=1e-5)
    assert "edited" in str(receipt)
    assert not explain(run, "drop", row=0, col=0).was_edited
    assert not explain(net.run(x), "conv", row=0, col=0).was_edited


def test_every_activation_says_what_it_computes():
    """The written formula, evaluated in float64, is the function."""
    functions = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "erfc", "pi")}
    chosen = [
        Activation(name)
        for name in {*ACTIVATIONS.values(), "linear"} - {"softmax", "log_softmax", "sparsemax"}
    ]
    chosen += [Activation("prelu", {"alpha": 0.3}), Activation("gelu", {"approximate": True})]
    chosen += [Activation("leaky_relu", {"negative_slope": 0.75}), Activation("elu", {"alpha": 0.5})]
    chosen += [
        Activation("relu", {"max_value": most, "negative_slope": slope, "threshold": start})
        for most in (None, 2.0)
        for slope in (0.0, 0.5)
        for start in (0.0, 0.5, -0.5)
    ]
    chosen += [Activation("celu", {"alpha": 0.5})]
    for activation in chosen:
        for z in (-7.0, -1.25, -0.5, -0.25, 0.0, 0.3, 0.5, 1.75, 5.0, 9.0):
            step = activation_step(activation, np.array([z]))
            scope = {**functions, "abs": abs, "min": min, "max": max, **step.values}
            assert step.result == pytest.approx(eval(step.formula, scope), rel=1e-12, abs=1e-12), (
                activation,
                z,
            )
            assert step.result == activation(np.array([z]))[0]
            if step.condition:
                assert eval(step.condition, {"z": z})
            assert str(step).startswith(activation.name)


def test_every_softmax_says_what_it_computes():
    z = np.array([1.0, -2.0, 0.5])
    for name in ("softmax", "log_softmax"):
        step = activation_step(Activation(name), z, own=2)
        expected = eval(step.formula, {"exp": math.exp, "log": math.log, **step.values})
        assert step.result == pytest.approx(expected, rel=1e-12)
        assert step.result == getattr(ops, name)(z)[2]
        assert step.shares.powers.sum() == step.values["sum"]


def test_a_sparsemax_says_what_it_computes():
    z = np.array([0.5, -2.0, 0.25])
    step = activation_step(Activation("sparsemax"), z, own=2)
    assert step.formula == "max(z - threshold, 0)"
    assert step.result == max(step.values["z"] - step.values["threshold"], 0) == ops.sparsemax(z)[2]


def test_operands_need_no_run():
    dense = layer("d", "Dense", "x", units=1, weights={"kernel": [[2.0], [3.0]], "bias": [1.0]})
    terms = operands_of(dense, [np.float32([10, 100])], (0,))
    assert terms.product.ravel().tolist() == [20, 300]
    assert terms.total == 321


# Arguments ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Run:
    net = Network(
        [
            image(6, 5, 1),
            conv("conv", "image", 1, 2, activation="relu"),
            layer("flat", "Flatten", "conv"),
            layer("rows", "Reshape", "flat", target_shape=(4, 6)),
            layer("cube", "Reshape", "flat", target_shape=(2, 2, 3, 2)),
        ],
        name="small",
    )
    return net.run(abs(normal(3, 6, 5, 1)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"layer": "convv", "channel": 0}, KeyError, "small has no layer 'convv'; did you mean conv"),
        (
            {"row": 0, "col": 0},
            ValueError,
            r"'conv' \(4, 3, 2\) is maps \(row, col, channel\): give channel 0 .. 1",
        ),
        ({"channel": 0}, ValueError, r"give row 0 .. 3, col 0 .. 2"),
        ({}, ValueError, r"give row 0 .. 3, col 0 .. 2, channel 0 .. 1"),
        ({"row": 4, "col": 0, "channel": 0}, IndexError, r"row 4 is outside 0 .. 3 of 'conv' \(4, 3, 2\)"),
        ({"row": 0, "col": -1, "channel": 0}, IndexError, "col -1 is outside 0 .. 2"),
        ({"row": 0, "col": 0, "channel": 2}, IndexError, "channel 2 is outside 0 .. 1"),
        (
            {"row": 0.5, "col": 0, "channel": 1},
            TypeError,
            "row must be an int of at most 64 bits or None, got 0.5",
        ),
        (
            {"row": True, "col": 0, "channel": 1},
            TypeError,
            "row must be an int of at most 64 bits or None, got True",
        ),
        (
            {"row": 0, "col": 0, "channel": 1, "index": 3},
            IndexError,
            "index 3 is outside 0 .. 2 of the run's batch of 3",
        ),
        ({"row": 0, "col": 0, "channel": 1, "index": -1}, IndexError, "index -1 is outside"),
        (
            {"layer": "flat", "row": 1, "channel": 1},
            ValueError,
            r"'flat' \(24,\) is a vector, which has no row, got row=1",
        ),
        ({"layer": "flat", "channel": 24}, IndexError, "channel 24 is outside 0 .. 23"),
        ({"layer": "rows", "row": 1, "col": 1, "channel": 1}, ValueError, "which has no col, got col=1"),
        ({"layer": "cube", "row": 1}, ValueError, r"has 4 axes: say which number with at=\(...\)"),
        (
            {"layer": "cube", "at": (0, 0, 0)},
            ValueError,
            r"at must have 4 indices for 'cube' .* got \(0, 0, 0\)",
        ),
        ({"layer": "cube", "at": (0, 2, 0, 0)}, IndexError, "index 1 of at 2 is outside 0 .. 1"),
        (
            {"at": (0, 0, 0), "row": 1},
            ValueError,
            "takes the place of row, col and channel, but row is given",
        ),
    ],
)
def test_arguments_that_do_not_fit(small, arguments, error, message):
    with pytest.raises(error, match=message):
        explain(small, **{"layer": "conv", **arguments})


def test_what_else_the_arguments_can_be(small):
    assert explain(small, "image", row=1, col=np.int64(2)).channel == 0
    assert explain(small, "conv", at=(1, 2, 1)).cell == explain(small, "conv", row=1, col=2, channel=1).cell
    assert explain(small, "image", row=1, col=1, index=2).value == small["image"][2, 1, 1, 0]
    with pytest.raises(TypeError, match=r"run must be a Run, a Gradient or a TrainingStep, got <Network"):
        explain(small.network, "conv", row=0, col=0, channel=0)


def test_aliases_and_shared_layers():
    first = conv("block/conv", "image", 2, 2, padding="same")
    again = Layer("block:1/conv", "Conv2D", first.config, first.weights, ("block/conv",), owner="block/conv")
    net = Network([image(3, 3, 2), first, again], aliases={"block:1": "block:1/conv"})
    run = net.run(normal(1, 3, 3, 2))
    receipt = explain(run, "block:1", row=1, col=1, channel=0)
    assert receipt.cell.layer == "block:1/conv"
    assert receipt.terms.sources == ("block/conv",)
    check_terms(run, receipt)


# Traces -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Run:
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:3])


def test_a_real_digit_adds_up_everywhere(digits):
    rng = np.random.default_rng(0)
    for found in digits.network:
        for _ in range(12):
            index, *position = rng.integers(digits[found.name].shape)
            receipt = explain(digits, found.name, at=position, index=index)
            assert abs(float(receipt.residual)) <= receipt.bound
            check_terms(digits, receipt)


@pytest.mark.parametrize("index", [0, 2])
def test_a_prediction_is_followed_to_its_pixels(digits, index):
    last = digits.network.layers[-1].name
    trace = explain(digits, last, channel=int(digits[last][index].argmax()), index=index).trace(
        follow=2, limit=400
    )
    (picture,) = digits.network.inputs
    assert len(trace) == 400
    assert len(trace.pixels) > 10
    for receipt in trace.pixels:
        assert receipt.cell.layer == picture
        assert receipt.value == digits.input[(index, *receipt.cell.position)]
        assert receipt.value == receipt.total
    path = explain(digits, last, channel=0, index=index).trace().path
    assert [node.cell.layer for node in path] == [found.name for found in reversed(digits.network.layers)]
    for node in trace.walk():
        assert node.receipt.index == index
        factors = {term.cell: term.factor for term in node.receipt.terms if not term.padding}
        for child in node.children:
            assert child.receipt.value == factors[child.cell]


def test_following_everything_finds_the_receptive_field():
    net = Network(
        [
            image(9, 8, 1),
            conv("a", "image", 1, 2, padding="same", strides=2),
            layer("pool", "AveragePooling2D", "a", pool_size=2),
            conv("b", "pool", 2, 1, size=2),
        ]
    )
    run = net.run(normal(1, 9, 8, 1))
    field = cnnviz.receptive_field(net)["b"]
    for row, col in np.ndindex(run["b"].shape[1:3]):
        trace = explain(run, "b", row=row, col=col).trace(follow=None)
        (top, bottom), (left, right) = field.box(row, col, clip=True)
        expected = {(r, c, 0) for r in range(top, bottom + 1) for c in range(left, right + 1)}
        assert {receipt.cell.position for receipt in trace.pixels} == expected
        assert all(node.left_out == 0 for node in trace.walk())


def test_the_largest_contributions_come_first(digits):
    receipt = explain(digits, "conv2d_3", row=4, col=5, channel=7)
    trace = receipt.trace(1, follow=5)
    products = np.abs(receipt.terms.product)
    strongest = np.sort(products.ravel())[::-1][:5]
    found = {term.cell: abs(term.product) for term in receipt.terms}
    np.testing.assert_array_equal([found[child.cell] for child in trace.children], strongest)
    assert len(trace) == 6
    assert all(child.children == () and child.left_out > 0 for child in trace.children)


def test_traces_stop_where_they_are_told(digits):
    receipt = explain(digits, "conv2d_3", row=4, col=5, channel=7)
    assert len(receipt.trace(0)) == 1
    assert receipt.trace(0).left_out == 1
    assert len(receipt.trace(3).path) == 4
    narrow = receipt.trace(follow=None, limit=20)
    assert len(narrow) == 20
    assert narrow.path[-1].receipt.layer.kind == "InputLayer"
    assert sum(node.left_out for node in narrow.walk()) > 0
    for bad, message in (
        ({"depth": -1}, "depth must not be negative, got -1"),
        ({"follow": 0}, "follow must be at least 1, got 0"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            receipt.trace(**bad)


def test_a_maximum_leads_to_its_winner_and_a_product_to_all_its_factors():
    run = merges().run(normal(1, 4, 3, 2))
    best = explain(run, "maximum", row=1, col=1, channel=0)
    (child,) = best.trace(1, follow=None).children
    assert child.receipt.value == best.value
    product = explain(run, "multiply_3", row=1, col=1, channel=0)
    assert [child.cell.layer for child in product.trace(1).children] == ["left", "vector", "column"]
    assert explain(run, "rows", row=5, col=1, channel=0).trace(1).children[0].cell == Cell("right", (1, 1, 0))


def test_a_shorter_way_opens_what_a_longer_one_left_shut():
    """The sum reads a cell three layers down by one path, and one layer down by another."""
    names = ["image", "a", "b", "c"]
    steps = [layer(name, "Rescaling", feeder, scale=2.0) for feeder, name in pairwise(names)]
    net = Network([image(1), *steps, layer("sum", "Add", "c", "a")])
    trace = explain(net.run(np.ones((1, 1))), "sum", channel=0).trace(3, follow=None)
    assert {node.cell.layer for node in trace.walk()} == {"sum", "c", "b", "a", "image"}
    assert len(explain(net.run(np.ones((1, 1))), "sum", channel=0).trace(2, follow=1)) == 3


def test_a_trace_prints_its_receipts(digits):
    lines = str(explain(digits, "conv2d_1", row=10, col=10, channel=0).trace(2, follow=2)).splitlines()
    kinds = [(len(line) - len(line.lstrip()), line.split()[0]) for line in lines]
    below = [(2, "dropout"), (2, "batch_normalization"), (2, "and")]
    assert kinds == [(0, "conv2d_1"), *below, *below]
    everything = explain(digits, "conv2d_1", row=10, col=10, channel=0).trace(follow=None)
    lines = everything.to_text(50).splitlines()
    assert len(lines) == 51
    shown = {line.strip().split("  ")[0] for line in lines if "(" in line}
    assert lines[-1] == f"and {len(everything) - len(shown)} receipts more"
    assert len(str(everything).splitlines()) == 101
    with pytest.raises(ValueError, match="lines must be at least 1, got 0"):
        everything.to_text(0)
    assert repr(explain(digits, "conv2d", row=3, col=3, channel=0).trace()).endswith("2 receipts, 1 pixel>")
