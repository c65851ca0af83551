"""Trained kernels of the bundled networks: all of them, their nearest names, orders, and chance."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Network, kernels
from cnnviz.kernels.matching import _candidates
from harness.networks import conv, image

MODELS = ("mnist_14k", "mnist_maxpool")


@pytest.mark.parametrize("model", MODELS)
def test_every_kernel_of_every_layer_is_there(model):
    net = cnnviz.load_model(model)
    assert kernels.layers_with_kernels(net) == [
        layer.name for layer in net if layer.kind == "Conv2D" and layer.config["kernel_size"] != (1, 1)
    ]
    for name in kernels.layers_with_kernels(net):
        weights = net[name].weights["kernel"]
        channel = weights.shape[2] - 1
        found = kernels.trained_kernels(net, name, channel)
        assert [one.number for one in found] == list(range(weights.shape[3]))
        for one in found:
            assert np.array_equal(one.kernel, weights[:, :, channel, one.number])
            assert one.norm == pytest.approx(np.linalg.norm(one.kernel), rel=1e-6)
            assert (one.network, one.layer, one.channel) == (net.name, name, channel)


def test_the_nearest_name_is_the_largest_cosine_of_all():
    for one in kernels.trained_kernels(cnnviz.load_model("mnist_14k")):
        candidates = _candidates((3, 3))
        cosines = [
            float((one.kernel * other).sum() / np.linalg.norm(one.kernel) / np.linalg.norm(other))
            for other in candidates.kernels
        ]
        best = int(np.abs(cosines).argmax())
        assert one.similarity == pytest.approx(abs(cosines[best]), rel=1e-6)
        assert one.match.inverted == (cosines[best] < 0)


def test_without_a_layer_it_is_the_first():
    net = cnnviz.load_model("mnist_maxpool")
    assert {one.layer for one in kernels.trained_kernels(net)} == {"conv2d"}


def test_orders():
    found = [one for model in MODELS for one in kernels.trained_kernels(cnnviz.load_model(model))]
    assert kernels.sort_trained(found, "number") == found
    alike = [one.similarity for one in kernels.sort_trained(found)]
    assert alike == sorted(alike, reverse=True)
    norms = [one.norm for one in kernels.sort_trained(found, "norm")]
    assert norms == sorted(norms, reverse=True)
    assert len({id(one) for one in kernels.sort_trained(found, "norm")}) == 32
    with pytest.raises(ValueError, match="by must be one of number, similarity, norm, got 'size'"):
        kernels.sort_trained(found, "size")


def test_kernels_of_zeros_and_of_odd_shapes_have_no_name():
    net = Network([image(8, 8, 1), conv("one", "image", 1, 2, kernel_initializer=None)])
    zeros = net.with_weights({"one/kernel": np.zeros((3, 3, 1, 2))})
    assert [one.match for one in kernels.trained_kernels(zeros)] == [None, None]
    assert [one.similarity for one in kernels.trained_kernels(zeros)] == [0, 0]


def test_what_is_no_kernel_is_refused():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="layer must be a convolution of mnist_14k, got 'flatten'"):
        kernels.trained_kernels(net, "flatten")
    with pytest.raises(ValueError, match="channel must be from 0 to 15 for conv2d_1, got 16"):
        kernels.trained_kernels(net, "conv2d_1", 16)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_chance_is_what_random_kernels_come_to(size):
    random = np.random.default_rng(0).standard_normal((50, size, size))
    nearest = [kernels.nearest_named(kernel).similarity for kernel in random]
    assert kernels.chance_similarity(size, 0.5, 50) == pytest.approx(np.median(nearest))
    assert kernels.chance_similarity(size, 0.5) < kernels.chance_similarity(size, 0.95) < 1


def test_the_second_networks_first_layer_is_nearer_to_names_than_chance():
    found = kernels.trained_kernels(cnnviz.load_model("mnist_maxpool"))
    assert np.median([one.similarity for one in found]) > kernels.chance_similarity(3)


def test_chance_needs_a_size_with_names():
    with pytest.raises(ValueError, match=r"no kernel is named in the size \(12, 12\)"):
        kernels.chance_similarity(12)
