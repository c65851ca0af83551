"""Normalisations by their own input's statistics: what is special about them, against Keras and by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, explain
from cnnviz.concepts.affine_collapse import without_bends
from cnnviz.layers.links import backward, one_hot
from cnnviz.layers.rounding import allowance, gradient_allowance
from harness.authority import keras, tf
from harness.keras_models import L, save
from harness.networks import image, layer, normal

SHAPE = (4, 6, 5, 4)


def weighted(kind: str, shape: tuple[int, ...], **config: Any) -> Layer:
    """A layer for this input, with random weights."""
    bare = Layer.from_config("norm", kind, config, inputs=("image",))
    shapes = bare.entry.weight_shapes(bare.config, shape)
    names = bare.entry.weight_names(bare.config)
    weights = {name: normal(*shapes[name], seed=i) for i, name in enumerate(names)}
    return layer("norm", kind, "image", weights=weights, **config)


def in_float64(found: Layer) -> Layer:
    return Network([image(*SHAPE[1:]), found]).astype(np.float64)["norm"]


def by_keras(found: Layer, x: np.ndarray, grad: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What Keras's layer makes of x, in x's dtype, and the gradients of its input and weights."""
    with warnings.catch_warnings(), tf.GradientTape() as tape:
        warnings.simplefilter("ignore")
        twin = getattr(L, found.kind)(**found.config, dtype=x.dtype.name)
        twin.build(x.shape)
        twin.set_weights(list(found.weights.values()))
        given = tf.constant(x)
        tape.watch(given)
        y = twin(given)
    sources = {"": given, **{name: getattr(twin, name).value for name in found.weights}}
    gradients = tape.gradient(y, sources, output_gradients=tf.constant(grad))
    return y.numpy(), {name: value.numpy() for name, value in gradients.items()}


def gradients(found: Layer, x: np.ndarray, grad: np.ndarray) -> dict[str, np.ndarray]:
    entry = found.entry
    weights = {name: entry.weight_gradient(found, name, (x,), grad) for name in found.weights}
    return {"": entry.input_gradients(found, (x,), grad)[0], **weights}


LAYERS = {
    "channels": ("LayerNormalization", {}),
    "whole maps": ("LayerNormalization", {"axis": (1, 2, 3)}),
    "columns": ("LayerNormalization", {"axis": 2, "center": False}),
    "Keras sorts -1 before 1": ("LayerNormalization", {"axis": [1, -1], "epsilon": 1e-2}),
    "rms": ("LayerNormalization", {"rms_scaling": True}),
    "rms of maps, not scaled": ("LayerNormalization", {"axis": (1, 2), "rms_scaling": True, "scale": False}),
    "groups of channels": ("GroupNormalization", {"groups": 2}),
    "each channel": ("GroupNormalization", {"groups": -1}),
    "groups of rows": ("GroupNormalization", {"groups": 3, "axis": 1, "epsilon": 1e-2}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_keras_s(name):
    kind, config = LAYERS[name]
    found = in_float64(weighted(kind, SHAPE[1:], **config))
    x, grad = normal(*SHAPE), normal(*SHAPE, seed=1)
    expected, theirs = by_keras(found, x, grad)
    # A few roundings of sums of at most 120 numbers.
    np.testing.assert_allclose(found.before_activation(x), expected, rtol=0, atol=1e-13)
    for source, value in gradients(found, x, grad).items():
        np.testing.assert_allclose(value, theirs[source], rtol=0, atol=1e-12, err_msg=source)


@pytest.mark.parametrize("offset", [0, 30, 1000])
@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_within_the_bounds(name, offset):
    """Twice the distance that one evaluation may have from exact is allowed; numbers far from 0 cancel."""
    kind, config = LAYERS[name]
    single = weighted(kind, SHAPE[1:], **config)
    double = in_float64(single)
    x, grad = (normal(*SHAPE) + offset).astype(np.float32), normal(*SHAPE, seed=1).astype(np.float32)
    wide, wide_grad = x.astype(np.float64), grad.astype(np.float64)
    exact, exact_gradients = double.before_activation(wide), gradients(double, wide, wide_grad)
    theirs, their_gradients = by_keras(single, x, grad)
    bound = allowance(single, x) / 2
    for value in (single.before_activation(x), theirs):
        assert (np.abs(value - exact) <= bound).all()
    ours = gradients(single, x, grad)
    for source, value in exact_gradients.items():
        (bound,) = gradient_allowance(single, (x,), grad, source)
        assert bound.shape == value.shape
        for each in (ours[source], their_gradients[source]):
            assert each.dtype == np.float32
            assert (np.abs(each - value) <= bound / 2).all(), source


def test_the_bounds_see_a_wrong_variance():
    """One that is divided by one less than the number of numbers, as of a sample."""
    found = weighted("LayerNormalization", SHAPE[1:], axis=(1, 2, 3))
    x = normal(*SHAPE).astype(np.float32)
    right, beta, count = found.before_activation(x), found.weights["beta"], x[0].size
    wrong = (right - beta) * np.sqrt((count - 1) / count) + beta
    assert np.median(np.abs(wrong - right) / allowance(found, x)) > 1


def test_a_receipt_shows_the_statistics():
    config = {"epsilon": 1.0, "scale": False, "weights": {"beta": [10, 20]}}
    net = Network([image(2, 2, 2), layer("norm", "LayerNormalization", "image", **config)])
    x = np.zeros((1, 2, 2, 2))
    x[0, 1, 0] = 3, -1
    receipt = explain(net.run(x), "norm", row=1, col=0, channel=1)
    assert [str(step) for step in receipt.terms.preparation] == [
        "mean = sum / count = 2 / 2 = 1",
        "variance = squares / count = 8 / 2 = 4",
        "scale = 1 / sqrt(variance + epsilon) = 1 / sqrt(4 + 1) = 0.4472",
        "shift = beta - mean * scale = 20 - 1 * 0.4472 = 19.55",
    ]
    assert receipt.total == pytest.approx(20 - 2 / np.sqrt(5))
    assert receipt.terms.bias_name == "shift"


def test_a_group_is_read_as_a_whole_and_nothing_beside_it():
    found = weighted("GroupNormalization", (4, 3, 6), groups=3)
    x = normal(1, 4, 3, 6).astype(np.float32)
    receipt = explain(Network([image(4, 3, 6), found]).run(x), "norm", row=3, col=0, channel=2)
    mean, variance, *_ = receipt.terms.preparation
    assert mean.values["count"] == variance.values["count"] == 24
    assert mean.result == pytest.approx(x[..., 2:4].mean(), rel=1e-6)
    assert variance.result == pytest.approx(x[..., 2:4].var(), rel=1e-6)
    ((links,), marks) = found.links([(4, 3, 6)]), one_hot((4, 3, 6), (3, 0, 2))
    assert np.broadcast_to(backward(links, marks), (4, 3, 6)).sum(axis=(0, 1)).tolist() == [
        0,
        0,
        12,
        12,
        0,
        0,
    ]


def test_a_receipt_without_a_mean_has_no_shift():
    found = weighted("LayerNormalization", (2, 2, 3), rms_scaling=True)
    run = Network([image(2, 2, 3), found]).run(normal(1, 2, 2, 3))
    receipt = explain(run, "norm", row=1, col=1, channel=2)
    assert [step.name for step in receipt.terms.preparation] == ["mean", "variance", "scale"]
    assert receipt.terms.bias_name == ""
    assert receipt.total == run["norm"][0, 1, 1, 2]


UNKNOWN = {
    "channels": (lambda: L.LayerNormalization(), (1, 1)),
    "maps": (lambda: L.LayerNormalization(axis=(1, 2), scale=False, center=False), (5, 7)),
    "groups": (lambda: L.GroupNormalization(2), (5, 7)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_sizes_may_be_unknown(name, tmp_path):
    build, size = UNKNOWN[name]
    model = keras.Sequential([keras.Input((None, None, 4), name="image"), build()])
    net = cnnviz.load_model(save(model, tmp_path))
    assert net.output_shape == (None, None, 4)
    x = normal(2, 5, 7, 4).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), model(x), atol=1e-5)
    assert cnnviz.receptive_field(net, (5, 7, 4))[net.outputs[0]].size == size


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("LayerNormalization", {"axis": 0}, r"axis=\(0,\) must be axes of an input of rank 4"),
        ("LayerNormalization", {"axis": 4}, r"axis=\(4,\) must be axes of an input of rank 4"),
        ("LayerNormalization", {"axis": (3, -1)}, r"axis=\(-1, 3\) must be axes of an input of rank 4"),
        ("LayerNormalization", {"axis": 1.5}, "axis must be an int or several, got 1.5"),
        ("LayerNormalization", {"axis": 1}, r"gamma must have shape \(2,\), got \(3,\)"),
        ("LayerNormalization", {"rms_scaling": 1}, "rms_scaling must be true or false, got 1"),
        ("GroupNormalization", {}, "groups=32 must divide the 3 entries along axis=-1"),
        ("GroupNormalization", {"groups": 0}, "groups must be a positive int, got 0"),
        ("GroupNormalization", {"axis": 0, "groups": 1}, r"axis=\(0,\) must be axes of an input of rank 4"),
        ("GroupNormalization", {"axis": (1, 2)}, r"axis must be one axis, got \(1, 2\)"),
        ("GroupNormalization", {"axis": 1, "groups": 1}, r"gamma must have shape \(2,\), got \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(kind, config, message):
    weights = {"gamma": np.ones(3), "beta": np.ones(3)}
    with pytest.raises(ValueError, match=message):
        Network([image(2, 4, 3), layer("norm", kind, "image", weights=weights, **config)])


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_not_finite_stays_where_it_is_read(name):
    kind, config = LAYERS[name]
    net = Network([image(*SHAPE[1:]), weighted(kind, SHAPE[1:], **config)])
    x = normal(*SHAPE)
    x[1, 0, 0, 0] = np.inf
    run = net.run(x)
    assert np.isfinite(run["norm"][[0, 2, 3]]).all()
    mask = np.isnan(run["norm"][1])
    assert mask.any()
    assert mask.shape == SHAPE[1:]
    receipt = explain(run, "norm", row=0, col=0, channel=0, index=1)
    assert np.isnan(receipt.total)
    assert "nan" in str(receipt)


def test_it_is_no_affine_map():
    net = Network([image(*SHAPE[1:]), weighted("LayerNormalization", SHAPE[1:])])
    with pytest.raises(ValueError, match="no layer that multiplies activations, norm does"):
        without_bends(net)
