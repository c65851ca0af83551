"""A convolution of a weighted sum is the weighted sum of convolutions, and what bends it is seen."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.linearity import superposition


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_without_bias_and_relu_it_is_linear_for_every_pair(model):
    layer = cnnviz.load_model(model)["conv2d"]
    images = cnnviz.load_mnist()[1][0][:40] / np.float32(255)
    rng = np.random.default_rng(0)
    for _ in range(40):
        first, second = images[rng.integers(0, 40, 2)]
        factors = tuple(rng.uniform(-2, 2, 2))
        found = superposition(layer, int(rng.integers(16)), first, second, factors)
        assert found.same
        assert found.limit.max() < 1e-4, "a bound that says something"


def test_the_limit_would_notice_a_bias_or_a_relu():
    layer = cnnviz.load_model("mnist_14k")["conv2d"]
    first, second = cnnviz.load_mnist()[1][0][:2] / np.float32(255)
    channel = int(np.abs(layer.weights["bias"]).argmax())
    with_bias = superposition(layer, channel, first, second, (2, 1), bias=True)
    assert not with_bias.same
    np.testing.assert_allclose(with_bias.difference, -2 * layer.weights["bias"][channel], atol=1e-5)
    # Factors that add up to 1 hide it.
    assert superposition(layer, channel, first, second, (2, -1), bias=True).same
    assert not superposition(layer, channel, first, second, rectified=True).same


def test_a_layer_of_more_channels_is_refused():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="layer must read one channel, conv2d_1 reads 16"):
        superposition(net["conv2d_1"], 0, np.zeros((8, 8)), np.zeros((8, 8)))
