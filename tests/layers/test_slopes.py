"""How much a layer's numbers change with one: by each of the ways, against the layer's own gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cnnviz.layers import Layer, operands, slopes
from cnnviz.layers.draws import Draws
from cnnviz.layers.rounding import gradient_allowance
from harness.networks import attention, layer, normal

single = np.float32


def jacobian(found: Layer, inputs: list[np.ndarray], place: int, cell: tuple[int, ...]) -> np.ndarray:
    """A column, by a gradient for each number of the layer."""
    shape = found.before_activation(*inputs).shape[1:]
    seeds = np.eye(int(np.prod(shape)), dtype=inputs[0].dtype).reshape(-1, *shape)
    copies = [np.repeat(x, len(seeds), axis=0) for x in inputs]
    rows = found.entry.input_gradients(found, copies, seeds)[place]
    return np.moveaxis(rows, 0, -1)[cell].reshape(shape)


def checked(found: Layer, inputs: list[np.ndarray], place: int = 0) -> None:
    for cell in [(0,) * (inputs[place].ndim - 1), tuple(n - 1 for n in inputs[place].shape[1:])]:
        one = [x[:1] for x in inputs]
        column = found.entry.input_slopes(found, one, place, cell)
        expected = jacobian(found, one, place, cell)
        seed = np.ones((1, *expected.shape), single)
        bound = gradient_allowance(found, tuple(one), seed)[place][(0, *cell)]
        assert column.dtype == single
        np.testing.assert_allclose(column, expected, rtol=0, atol=bound)
        readers = slopes.readers_of(found, one, place, cell)
        assert not column[~readers].any()


def test_a_number_that_many_read_by_each_way() -> None:
    x, vector = (normal(2, *shape).astype(single) for shape in ((4, 3, 2), (2,)))
    norm = {"gamma": normal(2), "beta": normal(2)}
    checked(layer("a", "MaxPooling2D", "x", pool_size=3, strides=1), [x])
    checked(layer("a", "LayerNormalization", "x", weights=norm), [x])
    checked(layer("a", "LayerNormalization", "x", weights={"gamma": normal(2)}, rms_scaling=True), [x])
    checked(layer("a", "GroupNormalization", "x", weights=norm, groups=1), [x])
    checked(layer("a", "UnitNormalization", "x", axis=(1, 3)), [x])
    checked(layer("a", "RMSNormalization", "x", weights={"scale": normal(2)}), [x])
    checked(layer("a", "UpSampling2D", "x", size=3), [x])
    checked(layer("a", "Resizing", "x", height=9, width=7, interpolation="bicubic"), [x])
    for kind in ("Multiply", "Maximum", "Minimum", "Add", "Average"):
        for place in (0, 1):
            checked(layer("a", kind, "x", "v"), [x, vector], place)
    checked(layer("a", "ops.Power", "x", "y"), [np.abs(x), np.abs(x[:, :1])], 1)
    for place in (0, 1):
        checked(layer("a", "Dot", "x", "y", axes=(1, 1)), [x, x[..., :1]], place)
        checked(layer("a", "ops.Matmul", "x", "y"), [x, x.swapaxes(2, 3)], place)
    checked(layer("a", "ops.Matmul", "x", x1=normal(5, 3).tolist()), [x])
    sequence = x.reshape(2, 12, 2)
    for kind, options in (
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_gate": True}),
        ("Attention", {"use_scale": True, "score_mode": "concat"}),
        ("AdditiveAttention", {"use_causal_mask": True}),
    ):
        found = attention("a", kind, "q", "v", "k", shape=(12, 2), **options)
        for place in range(3):
            checked(found, [sequence, sequence[:, ::-1], sequence * 2], place)


def test_where_equals_share_the_slope_is_shared() -> None:
    """As TensorFlow's global maximum, whose gradient goes to all that are the largest."""
    x = np.float32([[[[1], [2]], [[2], [0]]]])
    found = layer("a", "GlobalMaxPooling2D", "x")
    assert found.entry.input_slopes(found, [x], 0, (0, 1, 0)).tolist() == [0.5]
    assert found.entry.input_slopes(found, [x], 0, (0, 0, 0)).tolist() == [0]


def test_a_convolution_gives_each_cell_the_weights_that_read_it() -> None:
    kernel = np.arange(2 * 3 * 2 * 4, dtype=np.float32).reshape(2, 3, 2, 4)
    options = {"filters": 4, "kernel_size": (2, 3), "strides": (1, 2), "padding": "same", "groups": 2}
    found = layer("a", "Conv2D", "x", weights={"kernel": kernel}, use_bias=False, **options)
    x = normal(5, 6, 4).astype(single)
    grad = normal(5, 3, 4, seed=3).astype(single)
    terms = found.entry.returns(found, [x], 0, (2, 2, 3), grad)
    assert terms.weight_name == "kernel"
    assert terms.labels == ("channel 2", "channel 3")
    assert terms.weight_index is not None
    np.testing.assert_array_equal(terms.weight, kernel[tuple(np.moveaxis(terms.weight_index, -1, 0))])
    np.testing.assert_array_equal(terms.factor, grad[tuple(np.moveaxis(terms.position, -1, 0))])
    expected = found.entry.input_gradients(found, [x[None]], grad[None])[0][0, 2, 2, 3]
    assert (terms.factor * terms.weight).sum() == pytest.approx(expected, rel=1e-6)
    assert not found.entry.returns(found, [x], 0, (2, 2, 0), grad).padding.any()


def test_a_cell_that_no_window_reads_gets_nothing_back() -> None:
    weights = {"kernel": np.ones((1, 1, 1, 1)), "bias": [0]}
    found = layer("a", "Conv2D", "x", weights=weights, filters=1, kernel_size=1, strides=2)
    terms = found.entry.returns(found, [np.ones((4, 4, 1), single)], 0, (1, 0, 0), np.ones((2, 2, 1), single))
    assert terms.factor.size == 0
    assert terms.taken_apart


def test_the_statistics_of_a_batch_tie_its_images() -> None:
    norm = {name: normal(2, seed=place) ** 2 + 0.1 for place, name in enumerate(("gamma", "beta"))}
    norm |= {"moving_mean": np.zeros(2), "moving_variance": np.ones(2)}
    found = layer("a", "BatchNormalization", "x", weights=norm, axis=1)
    x = normal(3, 2, 4).astype(single)
    trained = found.entry.in_training(found, [x], Draws())
    assert trained.entry.mixes_images
    grad = normal(3, 2, 4, seed=9).astype(single)
    expected = trained.entry.input_gradients(trained, [x], grad)[0]
    bounds = gradient_allowance(trained, (x,), grad)[0]
    for place in np.ndindex(x.shape):
        terms = trained.entry.returns_in_batch(trained, [x], 0, place[0], place[1:], grad)
        assert terms.images is not None
        assert terms.images.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(terms.factor, grad[:, place[1]].reshape(terms.factor.shape))
        assert abs((terms.factor * terms.weight).sum() - expected[place]) <= bounds[place]


def test_what_dropout_drew_for_an_image() -> None:
    x = normal(3, 4).astype(single)
    found = layer("a", "Dropout", "x", rate=0.5)
    trained = found.entry.in_training(found, [x], Draws(seed=1))
    factors = trained.before_activation(x) / x
    for place in np.ndindex(x.shape):
        terms = trained.entry.returns_in_batch(trained, [x], 0, place[0], place[1:], np.ones_like(x))
        assert terms.weight.sum() == pytest.approx(factors[place])


WEIGHTS: list[tuple[str, dict[str, Any]]] = [
    (
        "kernel",
        {"kind": "EinsumDense", "equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"},
    ),
    ("bias", {"kind": "EinsumDense", "equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"}),
    ("depthwise_kernel", {"kind": "SeparableConv1D", "filters": 3, "kernel_size": 2}),
    ("pointwise_kernel", {"kind": "SeparableConv1D", "filters": 3, "kernel_size": 2}),
    ("gamma", {"kind": "LayerNormalization"}),
    ("beta", {"kind": "LayerNormalization"}),
    ("moving_variance", {"kind": "BatchNormalization"}),
    ("moving_mean", {"kind": "BatchNormalization", "axis": 1}),
]


@pytest.mark.parametrize(("weight", "options"), WEIGHTS)
def test_a_weight_in_float64(weight: str, options: dict[str, Any]) -> None:
    """Against a difference: all are linear in each weight but for the variance, where the step is short."""
    x = normal(2, 4, 3)
    kind = options.get("kind", "")
    bare = Layer.from_config("a", kind, {k: v for k, v in options.items() if k != "kind"}, inputs=("x",))
    shapes = bare.entry.weight_shapes(bare.config, (4, 3))
    names = bare.entry.weight_names(bare.config)
    arrays = {name: normal(*shapes[name], seed=place) ** 2 + 0.5 for place, name in enumerate(names)}
    found = replace(bare, weights=arrays)
    index = tuple(n - 1 for n in arrays[weight].shape)
    step = 1e-6 if weight == "moving_variance" else 1.0
    moved = arrays[weight].copy()
    moved[index] += step
    both = (
        found.before_activation(x),
        replace(found, weights={**arrays, weight: moved}).before_activation(x),
    )
    expected = (both[1] - both[0]) / step
    slope = found.entry.weight_slopes(found, weight, index, [x])
    tolerance = 1e-5 if weight == "moving_variance" else 1e-12
    np.testing.assert_allclose(np.broadcast_to(slope, expected.shape), expected, rtol=0, atol=tolerance)


def test_too_many_to_ask_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found, x = layer("a", "MaxPooling2D", "x", pool_size=2, strides=1), normal(1, 3, 3, 1).astype(single)
    monkeypatch.setattr(slopes, "AT_ONCE", 1)
    few = found.entry.input_slopes(found, [x], 0, (1, 1, 0))
    np.testing.assert_array_equal(few, jacobian(found, [x], 0, (1, 1, 0)))
    monkeypatch.setattr(slopes, "MOST_NUMBERS", 1)
    monkeypatch.setattr(type(found.entry), "input_gradients", None)
    np.testing.assert_array_equal(found.entry.input_slopes(found, [x], 0, (1, 1, 0)), few)
    weights = {"depthwise_kernel": normal(2, 2, 1, 2), "pointwise_kernel": normal(1, 1, 2, 3)}
    options = {"filters": 3, "kernel_size": 2, "depth_multiplier": 2, "use_bias": False}
    checked(layer("a", "SeparableConv2D", "x", weights=weights, **options), [x])


def test_what_says_no_slopes_gives_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slopes, "MOST_NUMBERS", 1)
    found, x = layer("a", "MaxPooling2D", "x", pool_size=2, strides=1), normal(1, 3, 3, 1).astype(single)
    monkeypatch.setattr(type(found.entry), "bends", lambda self, layer: True)
    assert found.entry.input_slopes(found, [x], 0, (1, 1, 0)) is None
    grad = normal(2, 2, 1, seed=2).astype(single)
    terms = found.entry.returns(found, [x[0]], 0, (1, 1, 0), grad)
    assert not terms.taken_apart
    assert terms.bias == found.entry.input_gradients(found, [x], grad[None])[0][0, 1, 1, 0]


def test_too_many_terms_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operands, "MOST_TERMS", 20)
    weights = {"kernel": np.ones((1, 1, 1, 1)), "bias": [0]}
    found = layer("a", "Conv2D", "x", weights=weights, filters=1, kernel_size=1)
    x = np.ones((3, 3, 3, 1), single)
    for weight, index in (("kernel", (0, 0, 0, 0)), ("bias", (0,))):
        with pytest.raises(ValueError, match="one number is made of 27 others; receipts have up to 20 terms"):
            found.entry.uses(found, weight, index, [x], x)
        assert found.entry.uses(found, weight, index, [x[:2]], x[:2]).factor.size == 18
