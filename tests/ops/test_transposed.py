"""Transposed convolution and its gradients: literals, TensorFlow's, error bounds, arguments."""

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
    same_specials,
    small_blocks,
    transposed_convolutions,
)
from harness.gradient_cases import compare_case

# Literals ---------------------------------------------------------------------------------------


def row(*numbers: float) -> np.ndarray:
    """A kernel (1, k, 1, 1)."""
    return np.array(numbers).reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 12, 23, 30]),
        ({"strides": (1, 2)}, [1, 10, 2, 20, 3, 30]),
        ({"strides": (1, 3)}, [1, 10, 0, 2, 20, 0, 3, 30, 0]),  # 'valid' is n*s + max(k - s, 0) wide
        ({"strides": (1, 3), "padding": "same"}, [1, 10, 0, 2, 20, 0, 3, 30, 0]),
        ({"padding": "same"}, [1, 12, 23]),
        ({"padding": ((0, 0), (1, 0))}, [12, 23, 30]),
        ({"padding": ((0, 0), (1, 1)), "strides": (1, 2)}, [10, 2, 20, 3]),
        ({"padding": ((0, 0), (1, 1)), "strides": (1, 2), "output_padding": (0, 1)}, [10, 2, 20, 3, 30]),
        ({"strides": (1, 2), "output_padding": (0, 1)}, [1, 10, 2, 20, 3, 30, 0]),
        ({"strides": (1, 2), "output_padding": 0}, [1, 10, 2, 20, 3, 30]),
        ({"dilation_rate": 2}, [1, 2, 13, 20, 30]),
    ],
)
def test_conv2d_transpose_stamps_the_kernel(options: dict[str, Any], expected: list[float]) -> None:
    assert ops.conv2d_transpose([[1, 2, 3]], row(1, 10), **options).tolist() == [expected]


def test_conv2d_transpose_is_the_transpose() -> None:
    """<conv(x), g> = <x, conv_transpose(g)>, the definition; exact on small integers."""
    rng = np.random.default_rng(1)
    x, kernel = rng.integers(-4, 5, (2, 8, 9, 3)), rng.integers(-4, 5, (3, 2, 3, 5))
    y = ops.conv2d(x, kernel, strides=(2, 3), padding="same")
    g = rng.integers(-4, 5, y.shape)
    back = ops.conv2d_transpose(g, kernel, strides=(2, 3), padding="same")
    assert (y * g).sum() == (x * back).sum()


# TensorFlow and the bounds ----------------------------------------------------------------------


@given(case=transposed_convolutions())
def test_conv2d_transpose_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "conv2d_transpose", case)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("conv2d_transpose", transposed_convolutions()),
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
        (
            "conv2d_transpose",
            ((3, 40, 41, 24), (4, 5, 16, 24), (16,)),
            {"strides": (2, 2), "padding": "same"},
        ),
    ],
)
def test_large_shapes(
    accuracy: Accuracy, name: str, shapes: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """Shapes of real layers, cut into many blocks."""
    compare(accuracy, name, Case(shapes, {"strides": (1, 1), "padding": "valid", **options}))


# NaN and infinities -----------------------------------------------------------------------------


@given(case=transposed_convolutions(dilations=False))
def test_conv2d_transpose_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    """Without dilation, for which the authority fills the kernel with zeros."""
    same_specials("conv2d_transpose", case)


# Arguments --------------------------------------------------------------------------------------


X = np.zeros((1, 12, 12, 10))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.conv2d_transpose(X, np.zeros((3, 3, 10, 8))),
            ValueError,
            "kernel expects 8 input channels (kernel.shape=(3, 3, 10, 8)), x has 10",
        ),
        (
            lambda: ops.conv2d_transpose(X, np.zeros((3, 3, 8, 10)), strides=2, output_padding=2),
            ValueError,
            "output_padding must be smaller than the stride, got (2, 2) for strides=(2, 2)",
        ),
        (
            lambda: ops.conv2d_transpose(
                X, np.zeros((3, 3, 8, 10)), strides=2, padding="same", output_padding=(1, -1)
            ),
            ValueError,
            "output_padding must be at least 0 and below 2**31, got (1, -1)",
        ),
        (
            lambda: ops.conv2d_transpose(X, np.zeros((2, 2, 8, 10)), padding="same", output_padding=0),
            ValueError,
            "output_padding=(0, 0) does not go with padding='same': the height would be 11",
        ),
        (
            lambda: ops.conv2d_transpose(X, np.zeros((3, 3, 8, 10)), padding=((7, 7), (0, 0))),
            ValueError,
            "padding=((7, 7), (0, 0)) leaves no output: the transposed convolution's height would be 0",
        ),
        (
            lambda: ops.conv2d_transpose(X[:, :0], np.zeros((3, 3, 8, 10))),
            ValueError,
            "x has height 0; a transposed convolution needs at least one cell",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grad", "options", "x_grad", "kernel_grad"),
    [
        ([1, 10, 100], {}, [32, 320], [1 + 20, 10 + 200]),
        ([1, 10, 100, 1000], {"strides": (1, 2)}, [32, 3200], [1 + 200, 10 + 2000]),
        ([1, 10], {"padding": "same"}, [32, 20], [1 + 20, 10]),
        ([1, 10, 100, 1000], {"dilation_rate": (1, 2)}, [302, 3020], [1 + 20, 100 + 2000]),
    ],
)
def test_gradient_literals(
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
def test_wrong_arguments_of_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
