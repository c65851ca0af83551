"""Pooling against literals and TensorFlow, and where TensorFlow's kernels differ on NaN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from cnnviz.ops.padding import window
from cnnviz.ops.pooling import window_counts
from harness import authority
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    assert_same_specials,
    batches,
    channels,
    compare,
    kinds,
    poolings,
    same_specials,
    seeds,
    small_blocks,
    sprinkled,
)

LOWEST = np.finfo(np.float32).min

# Literals ---------------------------------------------------------------------------------------

RAMP = [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("options", "largest", "mean"),
    [
        ({"pool_size": (1, 2)}, [2, 4], [1.5, 3.5]),
        ({"pool_size": (1, 2), "padding": "same"}, [2, 4, 5], [1.5, 3.5, 5]),
        ({"pool_size": (1, 3), "strides": 1}, [3, 4, 5], [2, 3, 4]),
        ({"pool_size": (1, 3), "strides": 1, "padding": "same"}, [2, 3, 4, 5, 5], [1.5, 2, 3, 4, 4.5]),
        ({"pool_size": (1, 3), "strides": (1, 2), "padding": "same"}, [2, 4, 5], [1.5, 3, 4.5]),
        ({"pool_size": (1, 2), "strides": (1, 3)}, [2, 5], [1.5, 4.5]),
        ({"pool_size": (1, 3), "padding": ((0, 0), (2, 1))}, [1, 4], [1, 3]),
        ({"pool_size": (2, 1), "strides": 1, "padding": "same"}, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
    ],
)
def test_windows(options: dict[str, Any], largest: list[float], mean: list[float]) -> None:
    assert ops.max_pool2d(RAMP, **options).tolist() == [largest]
    assert ops.avg_pool2d(RAMP, **options).tolist() == [mean]


def test_max_pool_pads_with_minus_infinity_not_zero() -> None:
    assert ops.max_pool2d([[-3, -2]], (1, 2), strides=1, padding="same").tolist() == [[-2, -2]]


def test_strides_are_the_pool_size_unless_given() -> None:
    x = np.arange(36).reshape(6, 6)
    assert ops.max_pool2d(x, (3, 2)).shape == (2, 3)
    assert ops.max_pool2d(x).tolist() == [[7, 9, 11], [19, 21, 23], [31, 33, 35]]


def test_pooling_keeps_channels_apart() -> None:
    x = np.array([[[1, 40], [3, 20]], [[2, 30], [0, 10]]])
    assert ops.max_pool2d(x).tolist() == [[[3, 40]]]
    assert ops.avg_pool2d(x).tolist() == [[[1.5, 25]]]
    assert ops.global_max_pool2d(x).tolist() == [3, 40]
    assert ops.global_avg_pool2d(x).tolist() == [1.5, 25]


def test_counts_leave_padding_out() -> None:
    counts = window_counts(window((3, 4), (3, 2), (1, 2), ((1, 1), (1, 1))))
    assert counts.tolist() == [[2, 4, 2], [3, 6, 3], [2, 4, 2]]


def test_keepdims_keeps_two_axes_of_one() -> None:
    x = np.zeros((2, 3, 4, 5))
    for pool in (ops.global_max_pool2d, ops.global_avg_pool2d):
        assert pool(x).shape == (2, 5)
        assert pool(x, keepdims=True).shape == (2, 1, 1, 5)
        assert pool(x[0], keepdims=True).shape == (1, 1, 5)
        assert pool(x[0, ..., 0], keepdims=True).shape == (1, 1)
        assert pool(x[0, ..., 0]).shape == ()


# TensorFlow -------------------------------------------------------------------------------------


@given(case=poolings(), cut=st.booleans())
def test_max_pool_is_tensorflows_exactly(case: Case, cut: bool) -> None:
    for dtype in (np.float32, np.float64):
        (x,) = case.arrays(dtype)
        expected = authority.max_pool2d(x, **case.options)
        with small_blocks(256 if cut else 1 << 20):
            result = ops.max_pool2d(x, **case.options)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, expected)


@given(case=poolings())
def test_avg_pool_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "avg_pool2d", case)


@st.composite
def maps(draw: st.DrawFn) -> Case:
    shape = (draw(batches), draw(st.integers(1, 40)), draw(st.integers(1, 12)), draw(channels))
    return Case((shape,), {"keepdims": draw(st.booleans())}, draw(kinds), draw(seeds))


@given(case=maps())
def test_global_avg_pool_is_keras(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "global_avg_pool2d", case)


@given(case=maps())
def test_global_max_pool_is_keras(case: Case) -> None:
    (x,) = case.arrays()
    if not x.size:  # Keras refuses an empty batch here
        assert (
            ops.global_max_pool2d(x, **case.options).shape == ops.global_avg_pool2d(x, **case.options).shape
        )
        return
    for values in (x, sprinkled(x, np.random.default_rng(case.seed))):
        result = ops.global_max_pool2d(values, **case.options)
        np.testing.assert_array_equal(result, authority.global_max_pool2d(values, **case.options))


# NaN and infinities -----------------------------------------------------------------------------


@given(case=poolings())
def test_avg_pool_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    same_specials("avg_pool2d", case)


@given(case=maps())
def test_global_avg_pool_spreads_nan_and_inf_as_keras(case: Case) -> None:
    same_specials("global_avg_pool2d", case)


@given(case=poolings())
def test_max_pool_spreads_nan_where_tensorflow_skips_it(case: Case) -> None:
    """A NaN makes the window NaN here; elsewhere the two agree, but that TensorFlow starts from the
    lowest finite number: a window of -inf and NaN only comes out as that."""
    (x,) = case.arrays()
    x = sprinkled(x, np.random.default_rng(case.seed))
    result, theirs = ops.max_pool2d(x, **case.options), authority.max_pool2d(x, **case.options)
    holds_nan = ops.max_pool2d(np.isnan(x), **case.options) > 0
    np.testing.assert_array_equal(np.isnan(result), holds_nan)
    ours = np.where(result == -np.inf, LOWEST, result)
    np.testing.assert_array_equal(ours[~holds_nan], theirs[~holds_nan])
    without_nan = ops.max_pool2d(np.where(np.isnan(x), LOWEST, x), **case.options)
    np.testing.assert_array_equal(theirs, np.maximum(without_nan, LOWEST))


def test_max_pool_of_minus_infinity_and_nan() -> None:
    low, nan = np.full((1, 1, 2, 1), -np.inf, np.float32), np.full((1, 1, 2, 1), np.nan, np.float32)
    assert ops.max_pool2d(low, (1, 2)).item() == -np.inf
    assert np.isnan(ops.max_pool2d(nan, (1, 2)).item())
    for window_of in (low, nan):
        assert authority.max_pool2d(window_of, (1, 2), padding="valid").item() == LOWEST


def test_average_of_opposite_infinities_is_nan() -> None:
    x = [[np.inf, -np.inf, 1.0]]
    assert_same_specials(ops.avg_pool2d(x, (1, 2), strides=1), np.array([[np.nan, -np.inf]]))


# Arguments --------------------------------------------------------------------------------------

X = np.zeros((1, 4, 5, 2))


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pool_size": 0}, ValueError, "pool_size must be at least 1 and below 2**31, got 0"),
        ({"pool_size": 2.0}, TypeError, "pool_size must be an int or a (height, width) pair, got 2.0"),
        ({"pool_size": None}, TypeError, "pool_size must be an int or a (height, width) pair, got None"),
        ({"strides": (1, 0)}, ValueError, "strides must be at least 1 and below 2**31, got (1, 0)"),
        ({"pool_size": 5}, ValueError, "kernel of height 5 covers 5 cells, more than the input has"),
        ({"pool_size": (4, 6)}, ValueError, "kernel of width 6 covers 6 cells"),
        ({"padding": "full"}, ValueError, "padding must be 'valid', 'same' or ((top, bottom)"),
        (
            {"padding": ((0, 2), (0, 0))},
            ValueError,
            "padding must be smaller than the window, got ((0, 2), (0, 0)) for pool_size=(2, 2)",
        ),
    ],
)
def test_wrong_options_are_named(
    pool: Callable[..., Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        pool(X, **options)


@pytest.mark.parametrize(
    "pool", [ops.max_pool2d, ops.avg_pool2d, ops.global_max_pool2d, ops.global_avg_pool2d]
)
def test_wrong_ranks_are_named(pool: Callable[..., Any]) -> None:
    with pytest.raises(
        ValueError, match=re.escape("x must be (H, W), (H, W, C) or (N, H, W, C), got x.shape=(5,)")
    ):
        pool(np.zeros(5))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.global_max_pool2d(x),
        lambda x: ops.global_avg_pool2d(x),
        lambda x: ops.max_pool2d(x, padding=((1, 1), (0, 0))),
        lambda x: ops.avg_pool2d(x, padding=((1, 1), (0, 0))),
    ],
)
def test_maps_without_cells_are_an_error(call: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=re.escape("x has no cells to pool, got x.shape=(1, 0, 5, 2)")):
        call(X[:, :0])
