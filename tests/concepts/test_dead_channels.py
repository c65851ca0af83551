"""Zeros and silent channels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.dead_channels import SCARCE, silence, sparsity_over, zeros_in


def test_zeros_are_counted_over_images_and_positions():
    values = np.ones((2, 2, 2, 3))
    values[..., 1] = 0
    values[0, 0, 0, 2] = -0.0
    found = zeros_in(values)
    assert (found.values, found.zeros, found.channels, found.silent) == (24, 9, 3, (1,))
    assert found.share == 9 / 24


def test_nearly_zero_is_not_zero():
    assert zeros_in([1e-30, np.nan]).zeros == 0


def test_nothing_is_refused():
    with pytest.raises(ValueError, match=r"values must be \(..., C\) and not empty, got shape \(0, 3\)"):
        zeros_in(np.zeros((0, 3)))


def test_over_many_images_a_channel_is_silent_only_if_it_is_on_all():
    net, images = cnnviz.load_model("mnist_14k"), cnnviz.load_mnist()[1][0][:30]
    done = []
    names = ["conv2d", "conv2d_6"]
    found = sparsity_over(net, images, names, batch_size=12, progress=lambda *counts: done.append(counts))
    assert done == [(12, 30), (24, 30), (30, 30)]
    run = net.run(images)
    assert found == {name: zeros_in(run[name]) for name in names}
    alone = zeros_in(run["conv2d_6"][0]).silent
    assert set(found["conv2d_6"].silent) < set(alone)
    with pytest.raises(ValueError, match="at least one image, got none"):
        sparsity_over(net, images[:0], names)


def test_as_good_as_dead_is_rarely_other_than_zero():
    values = np.zeros((20_001, 3))
    values[0, 1] = 1
    values[:3, 2] = 1
    assert zeros_in(values).scarce == (1,)
    assert zeros_in(values).silent == (0,)


def test_what_is_as_good_as_dead_decides_nothing():
    """Three kernels of the first layer that hardly ever speak: without them every prediction is the same."""
    net, images = cnnviz.load_model("mnist_14k"), cnnviz.load_mnist()[1][0][:1000]
    found = sparsity_over(net, images, ["conv2d"])["conv2d"]
    run = net.run(images[:100])["conv2d"]
    active = [np.count_nonzero(run[..., c]) for c in range(16)]
    assert {0, 8, 13} == set(found.scarce) | set(found.silent)
    assert sum(active[c] for c in (0, 8, 13)) < SCARCE * 3 * run[..., 0].size
    quiet = silence(net, {"conv2d": [*found.scarce, *found.silent]})
    assert not quiet.run(images[:5])["conv2d"][..., [0, 8, 13]].any()
    assert (quiet.predict(images).argmax(1) == net.predict(images).argmax(1)).all()
    with pytest.raises(ValueError, match="layer must have a kernel"):
        silence(net, {"max_pooling2d": [0]})
