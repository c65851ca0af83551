"""The gradients of the transposed convolution: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness.accuracy import Accuracy
from harness.cases import Case, transposed_convolutions
from harness.gradient_cases import compare_case


def row(*numbers: float) -> np.ndarray:
    """A kernel (1, k, 1, 1)."""
    return np.array(numbers).reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("grad", "options", "x_grad", "kernel_grad"),
    [
        ([1, 10, 100], {}, [32, 320], [1 + 20, 10 + 200]),
        ([1, 10, 100, 1000], {"strides": (1, 2)}, [32, 3200], [1 + 200, 10 + 2000]),
        ([1, 10], {"padding": "same"}, [32, 20], [1 + 20, 10]),
        ([1, 10, 100, 1000], {"dilation_rate": (1, 2)}, [302, 3020], [1 + 20, 100 + 2000]),
    ],
)
def test_literals(
    grad: list[float], options: dict[str, Any], x_grad: list[float], kernel_grad: list[float]
) -> None:
    assert ops.conv2d_transpose_input_grad([grad], row(2, 3), (1, 2), **options).tolist() == [x_grad]
    found = ops.conv2d_transpose_kernel_grad([[1, 2]], [grad], (1, 2, 1, 1), **options)
    assert found.ravel().tolist() == kernel_grad


def test_the_input_gradient_is_the_convolution() -> None:
    """Exact on small integers."""
    rng = np.random.default_rng(0)
    grad, kernel = rng.integers(-4, 5, (2, 8, 9, 3)), rng.integers(-4, 5, (3, 2, 3, 5))
    convolved = ops.conv2d(grad, kernel, strides=(2, 3), padding="same")
    found = ops.conv2d_transpose_input_grad(grad, kernel, (2, 4, 3, 5), strides=(2, 3), padding="same")
    np.testing.assert_array_equal(found, convolved)


@given(case=transposed_convolutions())
def test_conv2d_transpose_gradients_are_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare_case(accuracy, "conv2d_transpose", case)


KERNEL = np.zeros((3, 3, 8, 10))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.conv2d_transpose_input_grad(np.zeros((1, 6, 6, 8)), KERNEL, (1, 4, 4, 8)),
            ValueError,
            "kernel.shape=(3, 3, 8, 10) expects 10 input channels, input_shape=(1, 4, 4, 8) has 8",
        ),
        (
            lambda: ops.conv2d_transpose_input_grad(np.zeros((1, 6, 6, 8)), KERNEL, (1, 5, 4, 10)),
            ValueError,
            "grad must have the result's shape, (1, 7, 6, 8), got grad.shape=(1, 6, 6, 8)",
        ),
        (
            lambda: ops.conv2d_transpose_kernel_grad(
                np.zeros((1, 4, 4, 10)), np.zeros((1, 6, 6, 8)), KERNEL.shape, strides=2, output_padding=2
            ),
            ValueError,
            "output_padding must be smaller than the stride",
        ),
        (
            lambda: ops.conv2d_transpose_kernel_grad(np.zeros((4, 4)), np.zeros((6, 6)), (3, 3, 1)),
            ValueError,
            "kernel_shape must be (kh, kw, filters, channels in) with no size 0, got (3, 3, 1)",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
