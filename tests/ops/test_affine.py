"""Dense layers and batch normalisation against literals and Keras."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnviz import ops
from harness import authority
from harness.accuracy import Accuracy
from harness.cases import Case, assert_same_specials, compare, kinds, same_specials, seeds


@st.composite
def denses(draw: st.DrawFn) -> Case:
    lead = draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=4))
    lead = (0, *lead[1:]) if draw(st.integers(0, 9)) == 0 else lead
    depth, units = draw(st.sampled_from([1, 2, 7, 64, 400])), draw(st.sampled_from([1, 2, 10, 33]))
    shapes = ((*lead, depth), (depth, units), (units,) if draw(st.booleans()) else None)
    return Case(shapes, {}, draw(kinds), draw(seeds))


@given(case=denses())
def test_dense_is_keras(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "dense", case)


@given(case=denses())
def test_dense_spreads_nan_and_inf_as_keras(case: Case) -> None:
    same_specials("dense", case)


@given(
    lead=arrays.array_shapes(min_dims=1, max_dims=3, max_side=5),
    depth=st.integers(1, 9),
    scale=st.booleans(),
    center=st.booleans(),
    epsilon=st.sampled_from([1e-3, 1e-5, 1e-7, 0.1]),
    kind=kinds,
    seed=seeds,
)
def test_batch_norm_is_keras(
    accuracy: Accuracy,
    lead: tuple[int, ...],
    depth: int,
    scale: bool,
    center: bool,
    epsilon: float,
    kind: str,
    seed: int,
) -> None:
    channel = (depth,)
    shapes = ((*lead, depth), channel, channel, channel if scale else None, channel if center else None)
    case = Case(shapes, {"epsilon": epsilon}, kind, seed, nonnegative=(2,))
    compare(accuracy, "batch_norm", case)


@given(seed=seeds)
def test_batch_norm_of_special_values_is_keras(seed: int) -> None:
    """Infinities and NaN in x, variances of 0 and below, an infinite mean."""
    rng = np.random.default_rng(seed)
    x, mean, variance, gamma, beta = (
        rng.choice([0, 1, -2, np.nan, np.inf, -np.inf], shape).astype(np.float32)
        for shape in ((4, 6), (6,), (6,), (6,), (6,))
    )
    for dtype in (np.float32, np.float64):
        arguments = [array.astype(dtype) for array in (x, mean, variance, gamma, beta)]
        assert_same_specials(ops.batch_norm(*arguments), authority.batch_norm(*arguments))


def test_dense_is_a_matrix_product_along_the_last_axis() -> None:
    kernel, bias = [[1, 0, 2], [0, 1, 3]], [10, 20, 30]
    assert ops.dense([4, 5], kernel, bias).tolist() == [14, 25, 53]
    x = np.arange(24).reshape(3, 4, 2)
    np.testing.assert_array_equal(ops.dense(x, kernel), x @ np.array(kernel))


def test_a_1x1_convolution_is_a_dense_layer_at_every_pixel() -> None:
    rng = np.random.default_rng(0)
    x, kernel, bias = (rng.integers(-9, 10, shape) for shape in ((2, 5, 4, 3), (3, 6), (6,)))
    np.testing.assert_array_equal(
        ops.dense(x, kernel, bias), ops.conv2d(x, kernel[np.newaxis, np.newaxis], bias)
    )


def test_batch_norm_standardises_then_scales_and_shifts() -> None:
    x = np.array([[3.0, 10.0], [5.0, 20.0]])
    result = ops.batch_norm(x, [1.0, 10.0], [4.0, 25.0], [1.0, 3.0], [0.0, -1.0], epsilon=0)
    np.testing.assert_allclose(result, [[1, -1], [2, 5]], rtol=1e-15)
    scale, shift = ops.batch_norm_affine([1.0, 10.0], [4.0, 25.0], [1.0, 3.0], [0.0, -1.0], epsilon=0)
    np.testing.assert_allclose(x * scale + shift, result)
    assert ops.batch_norm([2.0], [0.0], [0.0]) == 2 / np.sqrt(1e-3)


def test_batch_norm_of_float64_uses_all_its_digits_beside_float32_statistics() -> None:
    mean, variance = np.float32([1 / 3]), np.float32([0.7])
    exact = (1.5 - np.float64(mean)) / np.sqrt(np.float64(variance) + 1e-3)
    np.testing.assert_allclose(ops.batch_norm(np.array([1.5]), mean, variance), exact, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.dense(np.zeros((2, 3)), np.zeros((4, 5))),
            ValueError,
            "the last axis of x must have 4 channels (kernel.shape=(4, 5)), got x.shape=(2, 3)",
        ),
        (lambda: ops.dense(1.0, np.zeros((1, 5))), ValueError, "got x.shape=()"),
        (
            lambda: ops.dense(np.zeros((2, 3)), np.zeros(3)),
            ValueError,
            "kernel must be (channels in, units), got kernel.shape=(3,)",
        ),
        (
            lambda: ops.dense(np.zeros((2, 3)), np.zeros((3, 0))),
            ValueError,
            "kernel must not be empty, got kernel.shape=(3, 0)",
        ),
        (
            lambda: ops.dense(np.zeros((2, 3)), np.zeros((3, 5)), np.zeros((1, 5))),
            ValueError,
            "bias must have one number for each output channel, (5,), got bias.shape=(1, 5)",
        ),
        (lambda: ops.dense([1], [[None]]), TypeError, "kernel must hold real numbers"),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(2), np.zeros(2)),
            ValueError,
            "the last axis of x must have 2 channels (mean.shape=(2,)), got x.shape=(2, 3)",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(1)),
            ValueError,
            "variance must have the shape of mean, (3,), got variance.shape=(1,)",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), beta=0.0),
            ValueError,
            "beta must have the shape of mean, (3,), got beta.shape=()",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), epsilon=-1e-3),
            ValueError,
            "epsilon must not be negative, got -0.001",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), epsilon="tiny"),
            TypeError,
            "epsilon must be a number, got 'tiny'",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), None, np.zeros(3)),
            TypeError,
            "mean must be an array of numbers, got None",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
