"""The nearest kernel that 3x3 kernels in a row make: against the engine, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.kernels import composed, large_kernels, nearest_stack
from cnnviz.ops import conv2d


def test_a_stack_is_one_kernel():
    rng = np.random.default_rng(1)
    kernels, x = rng.normal(size=(3, 3, 3)), rng.normal(size=(12, 11, 1))
    stacked = x
    for kernel in kernels:
        stacked = conv2d(stacked, kernel[:, :, None, None])
    once = conv2d(x, composed(kernels)[:, :, None, None])
    # 49 and 3 * 9 products of numbers of about 1 in float64.
    np.testing.assert_allclose(stacked, once, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_stack_makes_is_found_exactly(seed):
    rng = np.random.default_rng(seed)
    wanted = composed(rng.normal(size=(3, 3, 3)))
    found = nearest_stack(wanted)
    assert found.share_left < 1e-20
    np.testing.assert_allclose(found.made, wanted, atol=1e-9 * np.abs(wanted).max())
    # A column times a row is always made: polynomials are products of quadratic ones.
    assert nearest_stack(np.outer(rng.normal(size=7), rng.normal(size=7))).share_left < 1e-12


def test_what_is_left_cannot_be_made_smaller_nearby():
    wanted = large_kernels()["three corners"]
    found = nearest_stack(wanted)
    assert 0.01 < found.share_left < 1
    rng = np.random.default_rng(2)
    for size in (1e-4, 1e-2):
        for _ in range(50):
            other = composed(found.kernels + size * rng.normal(size=found.kernels.shape))
            assert np.square(wanted - other).sum() >= np.square(found.left).sum() * (1 - 1e-9)
    # At a minimum what is left is at right angles to whatever a weight can move.
    for layer in range(3):
        for place in np.ndindex(3, 3):
            moved = found.kernels.copy()
            moved[layer] = 0
            moved[(layer, *place)] = 1
            assert abs((composed(moved) * found.left).sum()) < 1e-5


def test_no_set_of_27_weights_fills_49_numbers():
    """There are 25 directions at any kernels: two factors move between layers, and change nothing."""
    kernels = np.random.default_rng(4).normal(size=(3, 3, 3))
    slopes = []
    for place in np.ndindex(3, 3, 3):
        moved = kernels.copy()
        moved[place] += 1
        slopes.append((composed(moved) - composed(kernels)).ravel())
    assert np.linalg.matrix_rank(np.array(slopes)) == 25


@pytest.mark.parametrize("factor", [0, 1e-200, 1e200, -3])
def test_strength_does_not_matter(factor):
    wanted = factor * large_kernels()["diagonal line"]
    found = nearest_stack(wanted)
    np.testing.assert_allclose(found.made, wanted, atol=1e-9 * abs(factor))
    assert found.share_left < 1e-12


def test_a_single_layer_is_its_kernel():
    found = nearest_stack(np.arange(9.0).reshape(3, 3))
    assert found.share_left == 0
    assert found.kernels.shape == (1, 3, 3)


@pytest.mark.parametrize("wanted", [np.ones((4, 4)), np.ones((7, 5)), np.ones((23, 23)), np.ones(7), 1.0])
def test_other_shapes_are_refused(wanted):
    with pytest.raises(ValueError, match="wanted must be"):
        nearest_stack(wanted)


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        nearest_stack(np.full((7, 7), np.nan))
