"""The error bounds themselves: what they count, and that the accuracy rule can be broken."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import ops
from harness import rounding
from harness.accuracy import Accuracy, check_float64


def test_unit_roundoff_is_the_largest_relative_error_of_one_rounding() -> None:
    for dtype in (np.float32, np.float64):
        u = rounding.unit_roundoff(dtype)
        assert dtype(1) + dtype(u) == 1  # the tie goes to even: an error of u
        assert dtype(1) + dtype(u * 1.01) > 1


def test_roundings_accumulate_to_slightly_more_than_their_number() -> None:
    u = rounding.unit_roundoff(np.float32)
    assert rounding.accumulated(100, np.float32) == 100 * u / (1 - 100 * u)
    with pytest.raises(ValueError, match="no bound holds for 16777216 roundings of float32"):
        rounding.accumulated(2**24, np.float32)


def test_a_bound_counts_the_roundings_on_the_longest_path() -> None:
    image, bias = np.ones((1, 9, 9, 4)), np.ones(8)
    assert rounding.conv2d_bound(image, np.ones((3, 2, 4, 8))).roundings == 3 * 2 * 4
    assert rounding.conv2d_bound(image, np.ones((3, 2, 4, 8)), bias).roundings == 3 * 2 * 4 + 1
    assert rounding.conv2d_bound(image, np.ones((3, 2, 2, 8)), groups=2).roundings == 3 * 2 * 2
    assert rounding.depthwise_conv2d_bound(image, np.ones((3, 2, 4, 2)), bias).roundings == 3 * 2 + 1
    separable = rounding.separable_conv2d_bound(image, np.ones((3, 2, 4, 2)), np.ones((1, 1, 8, 5)))
    assert separable.roundings == 3 * 2 + 8
    assert rounding.conv2d_transpose_bound(image, np.ones((3, 2, 8, 4)), bias).roundings == 4 + 3 * 2
    assert rounding.dense_bound(image, np.ones((4, 8)), bias).roundings == 5
    assert rounding.avg_pool2d_bound(image, (3, 2)).roundings == 4
    assert rounding.global_avg_pool2d_bound(image).roundings == 81
    assert rounding.global_avg_pool2d_bound(image[0, ..., 0]).roundings == 81


def test_the_magnitude_is_the_sum_of_absolute_values() -> None:
    bound = rounding.conv2d_bound([[1.0, -2.0]], np.array([3.0, 4.0]).reshape(1, 2, 1, 1), [-5.0])
    assert bound.magnitude == 1 * 3 + 2 * 4 + 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_accuracy_rule_can_be_broken(dtype: type) -> None:
    """An error of a few units in the last place, in one element, fails the check."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 6, 6, 2)), rng.normal(size=(3, 3, 2, 2))
    exact, bound = ops.conv2d(x, kernel), rounding.conv2d_bound(x, kernel)

    def check(result: np.ndarray) -> None:
        if dtype == np.float64:
            check_float64("conv2d", result, exact, bound)
        else:
            Accuracy().check("conv2d", result, exact, bound)

    check(exact.astype(dtype))
    wrong = exact.astype(dtype)
    wrong[0, 1, 2, 1] += 2.5 * bound.limit(dtype)[0, 1, 2, 1]
    with pytest.raises(AssertionError, match=r"conv2d: error .* at \(0, 1, 2, 1\), allowed"):
        check(wrong)


def test_the_authority_is_held_to_the_rule_too() -> None:
    exact, bound = np.ones(3), rounding.Bound(1, np.ones(3))
    ours, theirs = np.ones(3, np.float32), np.array([1, 1.001, 1], np.float32)
    with pytest.raises(AssertionError, match="TensorFlow's own add: error"):
        Accuracy().check("add", ours, exact, bound, theirs)
    table = Accuracy()
    table.check("add", ours, exact, bound, theirs, authority_too=False)
    assert table.rows["add"].tensorflow == pytest.approx(0.001 * 2**24, rel=1e-4)
    assert table.rows["add"].ours == 0
