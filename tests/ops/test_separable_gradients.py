"""The gradients of the separable convolution: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness.accuracy import Accuracy
from harness.cases import Case, separable_convolutions
from harness.gradient_cases import compare_case


def test_literals() -> None:
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


X, DEEP, POINT = np.zeros((1, 12, 12, 10)), np.zeros((3, 3, 10, 2)), np.zeros((1, 1, 20, 4))
GRAD = np.zeros((1, 10, 10, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.separable_conv2d_input_grad(GRAD, DEEP, POINT, (1, 12, 12, 9)),
            "depthwise_kernel.shape=(3, 3, 10, 2) expects 10 input channels, "
            "input_shape=(1, 12, 12, 9) has 9",
        ),
        (
            lambda: ops.separable_conv2d_input_grad(GRAD, DEEP, POINT[:, :, :10], X.shape),
            "pointwise_kernel.shape must be (1, 1, 20, filters) to follow "
            "depthwise_kernel.shape=(3, 3, 10, 2), got (1, 1, 10, 4)",
        ),
        (
            lambda: ops.separable_conv2d_depthwise_kernel_grad(X, GRAD, (3, 3, 10), POINT),
            "depthwise_kernel_shape must be (kh, kw, channels, multiplier) with no size 0, got (3, 3, 10)",
        ),
        (
            lambda: ops.separable_conv2d_pointwise_kernel_grad(X, GRAD[:, 1:], DEEP, POINT.shape),
            "grad must have the result's shape, (1, 10, 10, 4), got grad.shape=(1, 9, 10, 4)",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
