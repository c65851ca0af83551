"""Mixtures of maps: the nearest one by least squares, and what a ReLU between two of them adds."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import channels, ops


def test_the_nearest_mixture_leaves_nothing_that_a_map_could_explain():
    rng = np.random.default_rng(0)
    maps, wanted = rng.random((6, 5, 3)), rng.random((6, 5))
    found = channels.nearest_mixture(maps, wanted)
    left = wanted - found.made
    np.testing.assert_allclose([(left * maps[..., k]).sum() for k in range(3)], 0, atol=1e-12)
    assert left.sum() == pytest.approx(0, abs=1e-12)
    layer = ops.conv2d(maps, found.weights.reshape(1, 1, 3, 1), np.array([found.bias]))
    np.testing.assert_allclose(found.made, layer[..., 0], atol=1e-12)
    assert 0 < found.share_left < 1


def test_a_relu_makes_two_layers_more_than_one():
    maps = np.random.default_rng(1).random((6, 5, 3))
    wanted = np.abs(maps[..., 2] - maps[..., 0])
    np.testing.assert_array_equal(channels.how_much_two_differ(maps, 2, 0)[..., 2], wanted)
    assert not channels.how_much_two_differ(maps, 2, 0, relu=False)[..., 2].any()
    assert channels.nearest_mixture(maps, wanted).share_left > 0.5


def test_one_number_everywhere_and_wrong_shapes():
    assert channels.nearest_mixture(np.ones((2, 2, 1)), np.full((2, 2), 7)).share_left == 0
    with pytest.raises(ValueError, match="maps must be"):
        channels.nearest_mixture(np.ones((2, 2, 1)), np.ones((2, 3)))
