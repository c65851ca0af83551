"""Convolutions as dense layers: the matrix against the engine, the counts against the matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cnnviz
from cnnviz import Network, channels, ops
from cnnviz.concepts.weight_sharing import (
    busiest_patch,
    connections,
    convolution_matrix,
    difference_from_dense,
)
from harness.networks import conv, image, layer

RNG = np.random.default_rng(8)
CASES = [
    ((3, 3), (6, 6), {}),
    ((3, 3), (6, 5), {"padding": "same"}),
    ((2, 3), (7, 8), {"strides": (2, 3), "padding": "same"}),
    ((3, 2), (9, 7), {"dilation_rate": 2}),
    ((3, 3), (5, 5), {"padding": ((2, 0), (0, 1)), "strides": 2}),
    ((1, 1), (4, 3), {}),
    ((4, 4), (4, 4), {}),
]


@pytest.mark.parametrize(("kernel_size", "size", "options"), CASES)
def test_a_dense_layer_with_the_matrix_is_the_convolution(kernel_size, size, options):
    kernel, x = RNG.standard_normal(kernel_size), RNG.standard_normal(size)
    found = convolution_matrix(kernel, size, **options)
    by_dense = ops.dense(x.reshape(1, -1), found.matrix)
    by_conv = ops.conv2d(x, kernel[:, :, None, None], **options)
    assert found.input_size == size
    assert found.output_size == by_conv.shape
    np.testing.assert_allclose(by_dense.reshape(by_conv.shape), by_conv, atol=1e-12)
    assert difference_from_dense(x, kernel, **options) < 1e-12


@pytest.mark.parametrize(("kernel_size", "size", "options"), CASES)
def test_the_matrix_holds_the_kernel_and_zeros(kernel_size, size, options):
    # A weight of zero is connected all the same.
    kernel = RNG.standard_normal(kernel_size)
    kernel[0, 0] = 0
    found = convolution_matrix(kernel, size, **options)
    assert not found.matrix[found.taps < 0].any()
    assert np.array_equal(found.matrix[found.taps >= 0], kernel.ravel()[found.taps[found.taps >= 0]])
    for column in found.taps.T:
        used = column[column >= 0]
        assert len(set(used.tolist())) == len(used), "each output uses a weight once at most"


def test_a_valid_convolution_of_stride_one_is_a_band_of_equal_diagonals():
    found = convolution_matrix([[1.0, 2.0, 3.0]], (1, 7)).matrix
    rows, cols = np.indices(found.shape)
    for offset in range(-6, 5):
        assert len(np.unique(found[rows - cols == offset])) <= 1
    assert np.array_equal(np.unique(found), [0, 1, 2, 3])


def test_large_matrices_are_refused():
    with pytest.raises(ValueError, match="input_size must give a matrix of at most 4,000,000 entries"):
        convolution_matrix(np.ones((3, 3)), 60)
    with pytest.raises(ValueError, match="kernel must be"):
        convolution_matrix(np.ones(3), 6)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_counts_of_the_networks_layers(model):
    net = cnnviz.load_model(model)
    for one in net:
        if one.kind != "Conv2D":
            continue
        counts = connections(one)
        dense = channels.dense_cost(math.prod(one.input_shape), math.prod(one.output_shape), bias=False)
        assert counts.dense == dense.parameters
        assert counts.shared == one.weights["kernel"].size
        # Without padding each of the products that the layer sums is a connection.
        assert counts.local == one.multiply_adds
        assert counts.by_locality * counts.by_sharing == pytest.approx(counts.dense / counts.shared)


@pytest.mark.parametrize(
    ("kernel_size", "size", "options"),
    [case for case in CASES if not isinstance(case[2].get("padding"), tuple)],  # Keras has names only.
)
def test_counts_are_those_of_the_matrix(kernel_size, size, options):
    one = layer(
        "one",
        "Conv2D",
        "image",
        weights={"kernel": RNG.standard_normal((*kernel_size, 2, 3))},
        filters=3,
        kernel_size=kernel_size,
        use_bias=False,
        **options,
    )
    net = Network([image(*size, 2), one])
    matrix = convolution_matrix(np.ones(kernel_size), size, **options)
    counts = connections(net["one"])
    assert counts.local == 2 * 3 * matrix.connected
    assert counts.dense == 2 * 3 * matrix.matrix.size
    assert counts.shared == 2 * 3 * np.prod(kernel_size)


def test_groups_connect_less():
    net = Network([image(8, 8, 4), conv("one", "image", 2, 4, groups=2)])
    assert connections(net["one"]).local == 6 * 6 * 9 * 2 * 4


def test_what_has_no_windows_is_refused():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="layer must be a Conv2D"):
        connections(net["flatten"])
    open_size = Network([image(None, None, 1), conv("one", "image", 1, 2)])
    with pytest.raises(ValueError, match="layer must have known sizes"):
        connections(open_size["one"])


def test_the_busiest_patch():
    x = np.zeros((9, 9))
    x[5, 4] = 1
    assert busiest_patch(x, 3).sum() == 1
    x[6:9, 0:2] = 1
    assert np.array_equal(busiest_patch(x, 3), x[6:9, 1:4]) or busiest_patch(x, 3).std() >= x[6:9, 1:4].std()
    with pytest.raises(ValueError, match="image must be"):
        busiest_patch(x, 10)
