"""Depthwise and separable convolution and their gradients: literals, TensorFlow's, bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    compare,
    depthwise_convolutions,
    same_specials,
    separable_convolutions,
    small_blocks,
)
from harness.gradient_cases import compare_case
from harness.gradient_ops import GRADIENTS

# Literals ---------------------------------------------------------------------------------------


def row(*numbers: float) -> np.ndarray:
    """A kernel (1, k, 1, 1)."""
    return np.array(numbers).reshape(1, -1, 1, 1)


def test_depthwise_outputs_lie_channel_by_channel() -> None:
    x = np.array([1.0, 10.0]).reshape(1, 1, 2)
    kernel = np.array([[1, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3)
    assert ops.depthwise_conv2d(x, kernel, np.arange(6)).tolist() == [[[1, 3, 5, 43, 54, 65]]]
    assert ops.depthwise_conv2d([[1, 2, 4]], row(1, 10), padding="same").tolist() == [[21, 42, 4]]


def test_separable_is_depthwise_then_pointwise() -> None:
    x = np.array([[1.0, 10.0], [2.0, 20.0]]).reshape(1, 2, 2)
    deep = np.array([[1, 1], [2, 3]]).reshape(1, 2, 2, 1)
    point = np.array([[1, 0], [0, 1]]).reshape(1, 1, 2, 2)
    assert ops.separable_conv2d(x, deep, point, [0, 1]).tolist() == [[[1 + 4, 10 + 60 + 1]]]


# TensorFlow and the bounds ----------------------------------------------------------------------


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "depthwise_conv2d", case)


@given(case=separable_convolutions())
def test_separable_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "separable_conv2d", case)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("depthwise_conv2d", depthwise_convolutions()),
    ],
)
def test_results_do_not_depend_on_where_the_blocks_are_cut(accuracy: Accuracy, name: str, cases: Any) -> None:
    @given(case=cases)
    def check(case: Case) -> None:
        with small_blocks():
            compare(accuracy, name, case)

    check()


@pytest.mark.parametrize(
    ("name", "shapes", "options"),
    [
        ("depthwise_conv2d", ((2, 112, 112, 32), (3, 3, 32, 1), (32,)), {"padding": "same"}),
        ("depthwise_conv2d", ((3, 57, 58, 20), (5, 4, 20, 3), None), {"strides": (2, 2), "padding": "same"}),
    ],
)
def test_large_shapes(
    accuracy: Accuracy, name: str, shapes: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """Shapes of real layers, cut into many blocks."""
    compare(accuracy, name, Case(shapes, {"strides": (1, 1), "padding": "valid", **options}))


# NaN and infinities -----------------------------------------------------------------------------


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    same_specials("depthwise_conv2d", case)


# Arguments --------------------------------------------------------------------------------------


X, KERNEL = np.zeros((1, 12, 12, 10)), np.zeros((3, 3, 16, 8))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.depthwise_conv2d(X, KERNEL),
            ValueError,
            "kernel expects 16 input channels (kernel.shape=(3, 3, 16, 8)), x has 10 (x.shape=(1, 12, 12, ",
        ),
        (
            lambda: ops.depthwise_conv2d(X, np.zeros((3, 3, 10, 2)), np.zeros(10)),
            ValueError,
            "bias must have one number for each output channel, (20,), got bias.shape=(10,)",
        ),
        (
            lambda: ops.separable_conv2d(X, np.zeros((3, 3, 9, 1)), np.zeros((1, 1, 9, 4))),
            ValueError,
            "depthwise_kernel expects 9 input channels (depthwise_kernel.shape=(3, 3, 9, 1)), x has 10",
        ),
        (
            lambda: ops.separable_conv2d(X, np.zeros((3, 3, 10, 2)), np.zeros((1, 1, 10, 4))),
            ValueError,
            "pointwise_kernel must be (1, 1, 20, filters) to follow depthwise_kernel.shape=(3, 3, 10, 2), "
            "got pointwise_kernel.shape=(1, 1, 10, 4)",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_gradients_are_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare_case(accuracy, "depthwise_conv2d", case)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("depthwise_conv2d", depthwise_convolutions()),
    ],
)
def test_gradients_do_not_depend_on_where_the_blocks_are_cut(name: str, cases: Any) -> None:
    """In float64, where the order of the sums hardly shows."""

    @given(case=cases)
    def check(case: Case) -> None:
        arrays = case.arrays(np.float64)
        grad = np.random.default_rng(case.seed).normal(size=getattr(ops, name)(*arrays, **case.options).shape)
        for made in GRADIENTS[name][:2]:
            whole = made(arrays, grad, **case.options)
            with small_blocks():
                cut = made(arrays, grad, **case.options)
            limit = 2 * made.bound(arrays, grad, **case.options).limit(np.float64)
            assert np.all(np.abs(whole - cut) <= limit)

    check()


@pytest.mark.parametrize(
    ("name", "shapes", "options"),
    [
        ("depthwise_conv2d", ((2, 56, 56, 32), (3, 3, 32, 1), (32,)), {"padding": "same"}),
        ("depthwise_conv2d", ((3, 57, 58, 20), (5, 4, 20, 3), None), {"strides": (2, 2), "padding": "same"}),
    ],
)
def test_gradients_of_large_shapes(
    accuracy: Accuracy, name: str, shapes: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """Shapes of real layers, cut into many blocks."""
    compare_case(accuracy, name, Case(shapes, {"strides": (1, 1), "padding": "valid", **options}))


def test_depthwise_gradients_leave_padding_out() -> None:
    """Where a convolution's kernel gradient multiplies padded zeros, an infinite grad makes NaN."""
    x, grad = np.ones((1, 2)), [[1.0, np.inf]]
    plain = ops.conv2d_kernel_grad(x, grad, (1, 2, 1, 1), padding="same").ravel()
    np.testing.assert_array_equal(plain, [np.inf, np.nan])
    depthwise = ops.depthwise_conv2d_kernel_grad(x, grad, (1, 2, 1, 1), padding="same").ravel()
    np.testing.assert_array_equal(depthwise, [np.inf, 1])


GRAD = np.zeros((1, 10, 10, 8))
SHAPE = (1, 12, 12, 10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.depthwise_conv2d_kernel_grad(np.zeros(SHAPE), GRAD, (3, 3, 10, 2)),
            ValueError,
            "grad must have the result's shape, (1, 10, 10, 20), got grad.shape=(1, 10, 10, 8)",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_separable_gradient_literals() -> None:
    x = np.array([[1.0, 10.0], [2.0, 20.0]]).reshape(1, 2, 2)
    deep = np.array([[1, 1], [2, 3]]).reshape(1, 2, 2, 1)
    point = np.array([[1, 0], [5, 1]]).reshape(1, 1, 2, 2)
    grad = np.array([1.0, 100.0]).reshape(1, 1, 2)
    # Behind the depthwise step the gradient is (1, 105), and the values (1 + 4, 10 + 60).
    x_grad = ops.separable_conv2d_input_grad(grad, deep, point, (1, 2, 2))
    assert x_grad.tolist() == [[[1, 105], [2, 315]]]
    deep_grad = ops.separable_conv2d_depthwise_kernel_grad(x, grad, deep.shape, point)
    assert deep_grad[0, ..., 0].tolist() == [[1, 1050], [2, 2100]]
    point_grad = ops.separable_conv2d_pointwise_kernel_grad(x, grad, deep, point.shape)
    assert point_grad[0, 0].tolist() == [[5, 500], [70, 7000]]


@given(case=separable_convolutions())
def test_separable_conv2d_gradients_are_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare_case(accuracy, "separable_conv2d", case)


DEEP, POINT = np.zeros((3, 3, 10, 2)), np.zeros((1, 1, 20, 4))
POINT_GRAD = np.zeros((1, 10, 10, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.separable_conv2d_input_grad(POINT_GRAD, DEEP, POINT, (1, 12, 12, 9)),
            "depthwise_kernel.shape=(3, 3, 10, 2) expects 10 input channels, "
            "input_shape=(1, 12, 12, 9) has 9",
        ),
        (
            lambda: ops.separable_conv2d_input_grad(POINT_GRAD, DEEP, POINT[:, :, :10], X.shape),
            "pointwise_kernel.shape must be (1, 1, 20, filters) to follow "
            "depthwise_kernel.shape=(3, 3, 10, 2), got (1, 1, 10, 4)",
        ),
        (
            lambda: ops.separable_conv2d_depthwise_kernel_grad(X, POINT_GRAD, (3, 3, 10), POINT),
            "depthwise_kernel_shape must be (kh, kw, channels, multiplier) with no size 0, got (3, 3, 10)",
        ),
        (
            lambda: ops.separable_conv2d_pointwise_kernel_grad(X, POINT_GRAD[:, 1:], DEEP, POINT.shape),
            "grad must have the result's shape, (1, 10, 10, 4), got grad.shape=(1, 9, 10, 4)",
        ),
    ],
)
def test_wrong_arguments_of_separable_gradients_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
