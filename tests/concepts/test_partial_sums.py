"""Partial sums: each is a convolution of one input channel, and together they are the pre-activation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import Layer, Network, load_mnist, load_model, ops
from cnnviz.concepts.partial_sums import has_partial_sums, partial_sums
from harness.rounding import accumulated


def bound(found, x) -> float:
    """gamma(n) times the largest sum of magnitudes, twice: both sums are rounded, n their terms."""
    n = found.kernel.size + 1
    sizes = np.abs(x).max() * np.abs(found.kernel).sum() + abs(found.bias)
    return 2 * accumulated(n, np.float32) * float(sizes)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_they_add_up_in_every_convolution_of_the_trained_networks(model):
    net = load_model(model)
    run = net.run(load_mnist()[1][0][:2])
    for layer in net.layers:
        if has_partial_sums(layer):
            channel = layer.output_shape[-1] - 1
            found = partial_sums(run, layer.name, channel, index=1)
            assert found.inputs == tuple(range(layer.input_shape[-1]))
            assert_array_equal(found.value, run.pre_activation(layer.name)[1, ..., channel])
            assert_array_equal(found.kernel, layer.weights["kernel"][..., channel])
            assert found.residual == np.abs(found.parts.sum(-1, dtype=float) + found.bias - found.value).max()
            assert found.residual <= bound(found, run.inputs(layer.name)[0][1])


def test_each_is_the_convolution_of_its_channel_alone():
    run = load_model("mnist_14k").run(load_mnist()[1][0][:1])
    found = partial_sums(run, "conv2d_3", 4)
    x, kernel = run.inputs("conv2d_3")[0], run.network["conv2d_3"].weights["kernel"]
    for k in range(10):
        alone = ops.conv2d(x[..., k : k + 1], kernel[:, :, k : k + 1, 4:5])
        assert_allclose(found.parts[..., k], alone[0, ..., 0], rtol=1e-5, atol=1e-5)


def test_shares_are_of_the_magnitudes():
    run = load_model("mnist_14k").run(load_mnist()[1][0][:1])
    found = partial_sums(run, "conv2d_1", 0)
    assert found.shares.sum() == pytest.approx(1)
    sizes = np.abs(found.parts.astype(float)).sum(axis=(0, 1))
    assert_allclose(found.shares, sizes / sizes.sum())


def test_the_contested_cell_is_where_parts_cancel():
    found = partial_sums(load_model("mnist_14k").run(load_mnist()[1][0][:1]), "conv2d_3", 0)
    row, col = found.contested
    positive, negative = (np.maximum(sign * found.parts.astype(float), 0).sum(axis=2) for sign in (1, -1))
    assert np.minimum(positive, negative)[row, col] == pytest.approx(np.minimum(positive, negative).max())
    alone = replace(found, parts=found.parts[..., :1])
    assert alone.contested == np.unravel_index(np.abs(alone.parts[..., 0]).argmax(), (10, 10))


OPTIONS = [
    ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "groups": 3, "padding": "same", "strides": 2}),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "use_bias": False}),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2}),
]


@pytest.mark.parametrize(("kind", "config"), OPTIONS)
def test_groups_multipliers_strides_and_padding(kind, config):
    rng = np.random.default_rng(5)
    size = np.broadcast_to(config["kernel_size"], 2)
    depth = 6 // config.get("groups", 1)
    last = config.get("filters") or config["depth_multiplier"]
    weights = {"kernel": rng.standard_normal((*size, depth, last)).astype("float32")}
    outputs = config.get("filters") or 6 * last
    if config.get("use_bias", True):
        weights["bias"] = rng.standard_normal(outputs).astype("float32")
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 9, 8, 6)})
    net = Network([image, Layer.from_config("conv", kind, config, weights=weights, inputs=("image",))])
    run = net.run(rng.standard_normal((2, 9, 8, 6)).astype("float32"))
    for channel in range(outputs):
        found = partial_sums(run, "conv", channel, index=1)
        assert len(found.inputs) == (1 if kind == "DepthwiseConv2D" else depth)
        assert found.residual <= bound(found, run.input[1])


def test_other_layers_have_none():
    run = load_model("mnist_14k").run(np.zeros((28, 28)))
    with pytest.raises(ValueError, match=r"layer must be one of Conv2D, .*, got <Layer max_pooling2d"):
        partial_sums(run, "max_pooling2d", 0)
    with pytest.raises(ValueError, match="channel must be from 0 to 9, got 10"):
        partial_sums(run, "conv2d_2", 10)
