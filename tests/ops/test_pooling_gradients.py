"""The gradients of pooling: who gets a window's gradient, as TensorFlow has it; ties and NaN."""

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
from harness import gradient_authority
from harness.accuracy import Accuracy
from harness.cases import Case, batches, channels, kinds, poolings, seeds, small_blocks
from harness.gradient_cases import compare_case, compare_gradients, grad_for

# Literals ---------------------------------------------------------------------------------------


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


# TensorFlow -------------------------------------------------------------------------------------


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


# Arguments --------------------------------------------------------------------------------------


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
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
