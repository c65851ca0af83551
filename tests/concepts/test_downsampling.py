"""What pooling keeps: winners against the gradient, sizes against the model, moves against the engine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import ops
from cnnviz.concepts import downsampling as pooling
from cnnviz.concepts.translation import shift

DIGIT = cnnviz.load_mnist()[1][0][0]


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
    st.integers(0, 2**32 - 1),
)
def test_winners_are_the_cells_that_the_gradient_reaches(size, window, stride, padding, seed):
    x = np.random.default_rng(seed).integers(-2, 3, size).astype(np.float32)
    try:
        y = ops.max_pool2d(x, window, strides=stride, padding=padding)
    except ValueError:
        with pytest.raises(ValueError, match="covers"):
            pooling.winners(x, window, strides=stride, padding=padding)
        return
    won = pooling.winners(x, window, strides=stride, padding=padding)
    np.testing.assert_array_equal(x[won[..., 0], won[..., 1]], y)
    # Ones, sent back, count how often each cell won.
    counts = np.zeros(size)
    np.add.at(counts, (won[..., 0], won[..., 1]), 1)
    grad = ops.max_pool2d_grad(x, np.ones_like(y), window, strides=stride, padding=padding)
    np.testing.assert_array_equal(grad, counts)


def test_winners_are_refused_as_pooling_is():
    with pytest.raises(ValueError, match=r"x must be \(H, W\)"):
        pooling.winners(np.zeros((2, 2, 1)))
    with pytest.raises(ValueError, match="padding must be smaller than the window"):
        pooling.winners(np.zeros((2, 2)), 1, padding=((1, 1), (1, 1)))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_chain_of_sizes_is_the_runs(model):
    net = cnnviz.load_model(model)
    run = net.run(DIGIT)
    chain = pooling.size_chain(net)
    for part in chain[1:]:
        assert run[part.name].shape[1:] == (*part.size, part.channels)
        assert part.parameters == sum(array.size for array in net[part.name].weights.values())
        assert part.pools == (part.name.startswith("max_pooling"))
    assert all(part.parameters == 0 for part in chain if part.pools)
    shapes = [
        array.shape[1:]
        for array in map(run.__getitem__, (layer.name for layer in net.layers))
        if array.ndim == 4
    ]
    assert list(dict.fromkeys(shapes)) == [(*part.size, part.channels) for part in chain]


def test_a_pooling_in_the_chain_leaves_the_channels_of_the_layer_before_it():
    chain = pooling.size_chain(cnnviz.load_model("mnist_14k"))
    before, pool = next(pair for pair in pairwise(chain) if pair[1].pools)
    assert (before.name, before.channels) == ("conv2d_2", pool.channels)


@pytest.mark.parametrize(
    ("model", "name"), [("mnist_14k", "batch_normalization_2"), ("mnist_maxpool", "conv2d")]
)
def test_the_layer_that_is_pooled_gives_what_the_pooling_reads(model, name):
    net = cnnviz.load_model(model)
    assert pooling.pooled_layer(net) == name
    run = net.run(DIGIT)
    pool = next(part.name for part in pooling.size_chain(net) if part.pools)
    np.testing.assert_array_equal(run[name], run.inputs(pool)[0])


def test_a_move_is_compared_cell_by_cell():
    net = cnnviz.load_model("mnist_14k")
    found = pooling.pooled_move(net, DIGIT, "conv2d_1", 1, -2, pool_size=3, strides=2, padding="same")
    moved = net.run(shift(DIGIT, 1, -2))["conv2d_1"][0]
    np.testing.assert_array_equal(found.maps[1], moved)
    np.testing.assert_array_equal(found.largest[1], ops.max_pool2d(moved, 3, strides=2, padding="same"))
    np.testing.assert_array_equal(found.mean[1], ops.avg_pool2d(moved, 3, strides=2, padding="same"))
    for change, (one, other) in zip(found.changes, (found.maps, found.largest, found.mean), strict=True):
        assert change == pytest.approx(np.linalg.norm(other - one) / np.linalg.norm(one), rel=1e-5)
    assert pooling.pooled_move(net, DIGIT, "conv2d_1", 0, 0).changes == (0, 0, 0)
    with pytest.raises(ValueError, match="layer must give maps"):
        pooling.pooled_move(net, DIGIT, net.layers[-1].name, 0, 1)


def test_nothing_has_not_changed():
    assert pooling.relative_change([0.0], [1.0]) == np.inf
