"""Kernels taken apart: ranks that are known, factors that make the kernel again, costs that are counted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cnnviz import kernels, ops

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 3), (4, 11)])
def test_an_outer_product_is_found_again(shape):
    column, row = RNG.integers(-5, 6, shape[0]), RNG.integers(-5, 6, shape[1])
    column[0] = row[0] = 3
    found = kernels.separation(np.outer(column, row))
    assert found.rank == 1
    assert found.error == 0
    assert_allclose(found.product, np.outer(column, row), atol=1e-12)
    assert found.cost == sum(shape)
    assert found.whole_cost == np.prod(shape)


@pytest.mark.parametrize(
    ("kernel", "rank"),
    [
        (kernels.sobel("x", 7), 1),
        (kernels.gaussian(11), 1),
        (kernels.box(4), 1),
        (kernels.gabor(9, 0), 1),
        (kernels.gabor(9, 45, aspect=1), 2),
        (kernels.laplacian(), 2),
        (kernels.outline(5), 2),
        (kernels.motion_blur(5, 45), 5),
        (kernels.roberts("x"), 2),
        (np.zeros((3, 3)), 0),
    ],
)
def test_ranks_that_theory_knows(kernel, rank):
    found = kernels.separation(kernel)
    assert found.rank == rank == np.linalg.matrix_rank(kernel)
    assert (found.error == 0) == (rank <= 1)


def test_factors_are_in_whole_numbers_where_they_can_be():
    found = kernels.separation(kernels.gaussian(5))
    assert_allclose(found.column, [1, 4, 6, 4, 1], rtol=1e-12)
    assert_allclose(found.row, np.array([1, 4, 6, 4, 1]) / 256, rtol=1e-12)


def test_a_column_after_a_row_answers_as_the_kernel_does():
    image = RNG.random((20, 17))
    found = kernels.separation(kernels.gaussian(7))
    in_two = ops.conv2d(ops.conv2d(image, found.row[None, :, None, None]), found.column[:, None, None, None])
    assert_allclose(in_two, ops.conv2d(image, found.kernel[:, :, None, None]), atol=1e-14)


def test_what_the_nearest_product_leaves_out():
    kernel = RNG.standard_normal((5, 6))
    found = kernels.separation(kernel)
    u, s, vt = np.linalg.svd(kernel)
    assert_allclose(found.product, s[0] * np.outer(u[:, 0], vt[0]), atol=1e-12)
    assert found.error == pytest.approx(np.linalg.norm(kernel - found.product) / np.linalg.norm(kernel))
    assert found.cost == 5 * 11
    assert not found.saves


def test_a_weight_that_is_changed_a_little_makes_a_kernel_no_product():
    kernel = kernels.sobel("x")
    kernel[0, 0] += 1e-6
    found = kernels.separation(kernel)
    assert found.rank == 2
    assert 0 < found.error < 1e-6


@pytest.mark.parametrize("bad", [np.array([[1.0, np.nan]]), np.array([[np.inf]]), np.array([[-1e151]])])
@pytest.mark.parametrize("look", [kernels.separation, kernels.separate, kernels.frequency_response,
                                  kernels.nearest_named])  # fmt: skip
def test_weights_that_are_no_numbers_when_squared_are_refused(look, bad):
    with pytest.raises(ValueError, match=r"kernel must be finite, up to 1e\+150, got (nan|inf|1e\+151)"):
        look(bad)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e149])
def test_what_is_said_of_a_kernel_does_not_depend_on_its_size(size):
    kernel = RNG.standard_normal((5, 5))
    found, scaled = kernels.separation(kernel), kernels.separation(kernel * size)
    assert scaled.rank == found.rank > 1
    assert scaled.error == pytest.approx(found.error, rel=1e-12)
    peak, larger = kernels.frequency_response(kernel).peak, kernels.frequency_response(kernel * size).peak
    assert (larger.frequency, larger.angle) == (peak.frequency, peak.angle)
    assert larger.gain / size == pytest.approx(peak.gain, rel=1e-12)
    assert str(kernels.nearest_named(kernel * size)) == str(kernels.nearest_named(kernel))
