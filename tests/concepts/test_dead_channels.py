"""Zeros and silent channels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.dead_channels import sparsity_over, zeros_in


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
