"""1x1 convolutions: a dense layer at every pixel, wherever the pixel is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import Layer, Network, channels, load_mnist, load_model, ops


@pytest.fixture(scope="module")
def layer():
    """Correlated activations (6, 5, 7, 8), a matrix (8, 5) and a bias."""
    rng = np.random.default_rng(3)
    x = np.maximum(rng.standard_normal((6, 5, 7, 4)) @ rng.standard_normal((4, 8)), 0)
    return x, rng.standard_normal((8, 5)), rng.standard_normal(5)


def test_mixing_is_the_1x1_convolution_and_a_dense_layer_at_every_pixel(layer):
    x, matrix, bias = layer
    kernel = matrix[None, None]
    mixed = channels.mix(x, channels.mixing_matrix(kernel), bias)
    assert_allclose(mixed, ops.conv2d(x, kernel, bias), rtol=1e-12, atol=1e-12)
    assert_array_equal(mixed[2, 1, 3], ops.dense(x, matrix, bias)[2, 1, 3])
    assert_array_equal(ops.dense(x[2, 1, 3][None], matrix, bias).shape, (1, 5))


@pytest.fixture(scope="module")
def run():
    return load_model("mnist_14k").run(load_mnist()[1][0][:2])


def test_the_networks_layer_is_a_dense_layer_and_does_not_see_where_a_pixel_is(run):
    found = channels.compare_with_dense(run, "conv2d_2", index=1)
    x, layer = run.inputs("conv2d_2")[0][1], run.network["conv2d_2"]
    assert_array_equal(found.convolution, run.pre_activation("conv2d_2")[1])
    pixel = ops.dense(x[7, 9], layer.weights["kernel"][0, 0], layer.weights["bias"])
    assert_allclose(found.dense[7, 9], pixel, rtol=0, atol=ops_bound(x, layer))
    assert found.difference == np.abs(found.dense - found.convolution).max()
    assert found.difference <= ops_bound(x, layer)
    assert found.shuffled_difference <= ops_bound(x, layer)


def ops_bound(x, layer) -> float:
    """Twice gamma(17) times the largest sum of magnitudes: 16 products and a bias, in any order."""
    magnitudes = np.abs(x) @ np.abs(layer.weights["kernel"][0, 0]) + np.abs(layer.weights["bias"])
    n = 17 * float(np.finfo(np.float32).eps) / 2
    return 2 * n / (1 - n) * float(magnitudes.max())


def test_a_shuffle_that_did_not_find_back_would_be_seen(run, monkeypatch):
    original = ops.conv2d
    monkeypatch.setattr("cnnviz.channels.mixing.ops.conv2d", lambda x, *rest: original(x[::-1], *rest))
    assert channels.compare_with_dense(run, "conv2d_2").shuffled_difference > 0.1


def test_only_plain_1x1_convolutions_mix():
    rng = np.random.default_rng(0)

    def layer(name, feeder, size, filters, depth, **config):
        weights = {"kernel": rng.standard_normal((size, size, depth, filters)).astype("float32")}
        config = {"filters": filters, "kernel_size": size, "use_bias": False, **config}
        return Layer.from_config(name, "Conv2D", config, weights=weights, inputs=(feeder,))

    net = Network(
        [
            Layer.from_config("image", "InputLayer", {"batch_shape": (None, 6, 6, 4)}),
            layer("grouped", "image", 1, 4, 2, groups=2),
            layer("strided", "grouped", 1, 4, 4, strides=2),
            layer("mixing", "strided", 1, 3, 4),
            layer("three", "mixing", 3, 2, 3),
        ]
    )
    assert channels.mixing_layers(net) == ["mixing"]
    run = net.run(rng.standard_normal((1, 6, 6, 4)))
    assert channels.compare_with_dense(run, "mixing").difference < 1e-5
    with pytest.raises(ValueError, match=r"layer must be a 1x1 convolution .*, got <Layer strided"):
        channels.compare_with_dense(run, "strided")


def test_what_it_saves_the_layer_behind_is_counted_on_both_networks():
    net = load_model("mnist_14k")
    found = channels.compare_without_mixing(net, "conv2d_2")
    behind = net["conv2d_3"]
    deeper = np.zeros((3, 3, 16, 16), np.float32)
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 12, 12, 16)})
    weights = {"kernel": deeper, "bias": behind.weights["bias"]}
    other = Network([image, Layer("conv", "Conv2D", behind.config, weights, inputs=("image",))])["conv"]
    assert found.direct == channels.Cost(other.params, other.multiply_adds)
    own = net["conv2d_2"].params + net["batch_normalization_2"].params
    assert found.other.parameters == own + behind.params
    assert found.saving[0] > 1 > found.saving[1]
    with pytest.raises(ValueError, match="layer must be a 1x1"):
        channels.compare_without_mixing(net, "conv2d")


def test_a_kernel_that_is_not_1x1_is_refused():
    with pytest.raises(ValueError, match=r"kernel must be \(1, 1, .*\(3, 3, 2, 2\)"):
        channels.mixing_matrix(np.ones((3, 3, 2, 2)))
