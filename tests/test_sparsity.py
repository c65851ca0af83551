"""Zeros and silent channels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.sparsity import zeros_in


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
