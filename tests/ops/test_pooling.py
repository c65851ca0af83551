"""Pooling and its gradients: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from cnnviz.ops.padding import window
from cnnviz.ops.pooling import window_counts
from harness import authority, gradient_authority
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
from harness.gradient_cases import compare_case, compare_gradients, grad_for

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


# Gradients --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "grad", "options", "expected"),
    [
        ([[1, 3, 2, 4]], [[5, 7]], {"pool_size": (1, 2)}, [[0, 5, 0, 7]]),
        ([[1, 3, 2]], [[5, 7]], {"pool_size": (1, 2), "strides": 1}, [[0, 12, 0]]),
        ([[1, 2, 3]], [[5, 7]], {"pool_size": (1, 2), "padding": "same"}, [[0, 5, 7]]),
        ([[-1, -2]], [[5, 7]], {"pool_size": (1, 2), "strides": 1, "padding": "same"}, [[5, 7]]),
        ([[1, 2, 3, 4]], [[5]], {"pool_size": (1, 3), "strides": 9}, [[0, 0, 5, 0]]),
        # Ties: the first in row-major order.
        ([[0, 0], [0, 0]], [[5]], {}, [[5, 0], [0, 0]]),
        ([[0, 1], [1, 1]], [[5]], {}, [[0, 5], [0, 0]]),
        ([[0, 0], [1, 1]], [[5]], {}, [[0, 0], [5, 0]]),
        ([[2, 2, 2]], [[5, 7]], {"pool_size": (1, 2), "strides": 1}, [[5, 7, 0]]),
    ],
)
def test_the_first_largest_cell_of_a_window_gets_its_gradient(
    x: Any, grad: Any, options: dict[str, Any], expected: Any
) -> None:
    assert ops.max_pool2d_grad(x, grad, **options).tolist() == expected


def test_nan_and_minus_infinity_can_be_the_largest() -> None:
    nan, inf = np.nan, np.inf
    x = [[1, nan, nan, 5, -inf, -inf]]
    assert ops.max_pool2d_grad(x, [[1, 10, 100]], (1, 2)).tolist() == [[0, 1, 10, 0, 100, 0]]


@pytest.mark.parametrize(
    ("grad", "options", "expected"),
    [
        ([[6]], {"pool_size": (1, 3)}, [2, 2, 2]),
        ([[6, 12]], {"pool_size": (1, 2), "strides": 1}, [3, 9, 6]),
        ([[6, 12]], {"pool_size": (1, 2), "padding": "same"}, [3, 3, 12]),
        ([[6, 12, 18]], {"pool_size": (1, 3), "strides": 1, "padding": "same"}, [7, 16, 13]),
    ],
)
def test_the_cells_that_are_there_share_equally(
    grad: Any, options: dict[str, Any], expected: list[float]
) -> None:
    assert ops.avg_pool2d_grad(grad, (1, 3), **options).tolist() == [expected]


def test_all_global_maxima_share_equally() -> None:
    x = np.array([[[1, 7], [3, 7]], [[3, 0], [3, 0]]])
    grad = ops.global_max_pool2d_grad(x, [6, 8])
    assert grad[..., 0].tolist() == [[0, 2], [2, 2]]
    assert grad[..., 1].tolist() == [[4, 4], [0, 0]]


def test_a_global_maximum_of_nan_gives_nan() -> None:
    """0/0 in TensorFlow too."""
    found = ops.global_max_pool2d_grad([[1.0, np.nan]], 1.0)
    assert np.isnan(found).all()
    theirs = gradient_authority.gradients(
        gradient_authority.global_max_pool2d, [np.array([1.0, np.nan]).reshape(1, 1, 2, 1)], np.ones((1, 1))
    )
    assert np.isnan(theirs[0]).all()


def test_keepdims_is_that_of_the_forward_call() -> None:
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    for grad in (
        lambda g, **options: ops.global_max_pool2d_grad(x, g, **options),
        lambda g, **options: ops.global_avg_pool2d_grad(g, x.shape, **options),
    ):
        kept = grad(np.ones((1, 1, 1, 2)), keepdims=True)
        np.testing.assert_array_equal(kept, grad(np.ones((1, 2))))


@given(case=poolings(), cut=st.booleans())
def test_max_pool_gradient_is_tensorflows(accuracy: Accuracy, case: Case, cut: bool) -> None:
    with small_blocks(256 if cut else 1 << 20):
        compare_case(accuracy, "max_pool2d", case)


@given(case=poolings())
def test_max_pool_ties_are_tensorflows(accuracy: Accuracy, case: Case) -> None:
    """Numbers of which many are equal, as behind a ReLU."""
    arrays = [np.maximum(np.round(x), 0) for x in replace(case, kind="normal").arrays()]
    compare_gradients(accuracy, "max_pool2d", arrays, grad_for("max_pool2d", arrays, case), case.options)


@given(case=poolings())
def test_avg_pool_gradient_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare_case(accuracy, "avg_pool2d", case)


@pytest.mark.parametrize("name", ["global_max_pool2d", "global_avg_pool2d"])
@given(
    shape=st.tuples(batches, st.integers(1, 6), st.integers(1, 6), channels),
    keepdims=st.booleans(),
    ties=st.booleans(),
    kind=kinds,
    seed=seeds,
)
def test_global_pool_gradients_are_tensorflows(
    accuracy: Accuracy,
    name: str,
    shape: tuple[int, ...],
    keepdims: bool,
    ties: bool,
    kind: str,
    seed: int,
) -> None:
    case = Case((shape,), {"keepdims": keepdims}, kind, seed)
    arrays = [np.round(x) if ties and kind == "normal" else x for x in case.arrays()]
    compare_gradients(accuracy, name, arrays, grad_for(name, arrays, case), case.options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.max_pool2d_grad(np.zeros((1, 4, 4, 3)), np.zeros((1, 2, 2, 2))),
            "grad must have the result's shape, (1, 2, 2, 3), got grad.shape=(1, 2, 2, 2)",
        ),
        (
            lambda: ops.max_pool2d_grad(np.zeros((4, 4)), np.zeros((2, 2, 1))),
            "grad must have the result's shape, (2, 2), got grad.shape=(2, 2, 1)",
        ),
        (
            lambda: ops.avg_pool2d_grad(np.zeros((2, 2)), (4, 4), padding=((2, 0), (0, 0))),
            "padding must be smaller than the window",
        ),
        (
            lambda: ops.avg_pool2d_grad(np.zeros((2, 2)), (1, 4, 4, 1, 1)),
            "input_shape must be (H, W), (H, W, C) or (N, H, W, C), got (1, 4, 4, 1, 1)",
        ),
        (
            lambda: ops.global_max_pool2d_grad(np.zeros((2, 4, 4, 3)), np.zeros((2, 1, 1, 3))),
            "grad must have the result's shape, (2, 3), got grad.shape=(2, 1, 1, 3)",
        ),
        (
            lambda: ops.global_avg_pool2d_grad(np.zeros((2, 3)), (2, 4, 0, 3)),
            "there are no cells to pool in images of shape (2, 4, 0, 3)",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
