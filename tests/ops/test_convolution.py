"""The convolutions against literals, TensorFlow and their error bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness import authority
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    compare,
    convolutions,
    depthwise_convolutions,
    same_specials,
    separable_convolutions,
    small_blocks,
    transposed_convolutions,
)

# Literals ---------------------------------------------------------------------------------------

IMAGE = np.arange(1.0, 10.0).reshape(3, 3)


def row(*numbers: float) -> np.ndarray:
    """A kernel (1, k, 1, 1)."""
    return np.array(numbers).reshape(1, -1, 1, 1)


def test_conv2d_does_not_flip_the_kernel() -> None:
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    assert ops.conv2d(IMAGE, kernel).tolist() == [[37, 47], [67, 77]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [3, 5, 7, 9]),
        ({"padding": "same"}, [3, 5, 7, 9, 5]),  # an even kernel: the one padded cell is at the right
        ({"padding": ((0, 0), (1, 0))}, [1, 3, 5, 7, 9]),
        ({"padding": ((0, 0), (2, 1))}, [0, 1, 3, 5, 7, 9, 5]),
        ({"strides": 2}, [3, 7]),
        ({"strides": (1, 2), "padding": "same"}, [3, 7, 5]),
        ({"strides": 3, "padding": "same"}, [3, 9]),
        ({"dilation_rate": 2}, [4, 6, 8]),
        ({"dilation_rate": (5, 3), "padding": "same"}, [3, 5, 7, 3, 4]),
        ({"strides": 2, "dilation_rate": 3, "padding": "same"}, [3, 7, 4]),
    ],
)
def test_conv2d_places_its_windows(options: dict[str, Any], expected: list[float]) -> None:
    assert ops.conv2d([[1, 2, 3, 4, 5]], row(1, 1), **options).tolist() == [expected]


def test_conv2d_mixes_channels_and_adds_the_bias() -> None:
    x = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3)
    kernel = np.array([[1, 0, 2], [0, 1, 2], [0, 0, 2]]).reshape(1, 1, 3, 3)
    assert ops.conv2d(x, kernel, [0.5, 0.0, -0.5]).tolist() == [[[1.5, 10.0, 221.5]]]


def test_conv2d_in_groups_is_one_convolution_for_each_group() -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.integers(-5, 6, (2, 5, 6, 6)), rng.integers(-5, 6, (3, 2, 2, 9))
    parts = [ops.conv2d(x[..., 2 * g : 2 * g + 2], kernel[..., 3 * g : 3 * g + 3]) for g in range(3)]
    np.testing.assert_array_equal(ops.conv2d(x, kernel, groups=3), np.concatenate(parts, axis=-1))


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

METHODS = ["auto", "im2col"]


@pytest.mark.parametrize("method", METHODS)
@given(case=convolutions())
def test_conv2d_is_tensorflows(accuracy: Accuracy, method: str, case: Case) -> None:
    compare(accuracy, "conv2d", case, method=method)


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "depthwise_conv2d", case)


@given(case=separable_convolutions())
def test_separable_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "separable_conv2d", case)


@given(case=transposed_convolutions())
def test_conv2d_transpose_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "conv2d_transpose", case)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("conv2d", convolutions()),
        ("depthwise_conv2d", depthwise_convolutions()),
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
        ("conv2d", ((9, 28, 28, 1), (3, 3, 1, 16), (16,)), {}),
        ("conv2d", ((9, 26, 26, 16), (3, 3, 16, 16), (16,)), {}),
        ("conv2d", ((9, 24, 24, 16), (1, 1, 16, 10), (10,)), {}),
        ("conv2d", ((9, 4, 4, 16), (4, 4, 16, 10), None), {}),
        ("conv2d", ((2, 9, 9, 16), (3, 1, 16, 4), None), {}),
        ("conv2d", ((2, 56, 57, 64), (3, 3, 64, 32), (32,)), {"padding": "same"}),
        ("conv2d", ((1, 112, 113, 3), (7, 7, 3, 24), None), {"strides": (2, 2), "padding": "same"}),
        ("conv2d", ((3, 61, 40, 8), (5, 4, 4, 24), (24,)), {"padding": ((3, 0), (1, 9)), "groups": 2}),
        ("conv2d", ((2, 64, 64, 8), (3, 3, 8, 8), None), {"strides": (2, 1), "dilation_rate": (3, 4)}),
        ("conv2d", ((1, 12, 12, 512), (3, 3, 512, 20), None), {"padding": "same"}),
        ("depthwise_conv2d", ((2, 112, 112, 32), (3, 3, 32, 1), (32,)), {"padding": "same"}),
        ("depthwise_conv2d", ((3, 57, 58, 20), (5, 4, 20, 3), None), {"strides": (2, 2), "padding": "same"}),
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


@given(case=convolutions())
def test_conv2d_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    same_specials("conv2d", case)


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    same_specials("depthwise_conv2d", case)


@given(case=transposed_convolutions(dilations=False))
def test_conv2d_transpose_spreads_nan_and_inf_as_tensorflow(case: Case) -> None:
    """Without dilation, for which the authority fills the kernel with zeros."""
    same_specials("conv2d_transpose", case)


def test_padding_is_zeros_that_an_infinite_weight_turns_into_nan() -> None:
    """TensorFlow's own kernels disagree: with oneDNN its float32 convolution skips the padding."""
    x, kernel = np.ones((1, 1, 2, 1), np.float32), row(1, np.inf).astype(np.float32)
    ours = ops.conv2d(x, kernel, padding="same").ravel()
    np.testing.assert_array_equal(ours, [np.inf, np.nan])
    wide = authority.conv2d(x.astype(np.float64), kernel.astype(np.float64), padding="same").ravel()
    np.testing.assert_array_equal(wide, [np.inf, np.nan])


# Arguments --------------------------------------------------------------------------------------

X, KERNEL = np.zeros((1, 12, 12, 10)), np.zeros((3, 3, 16, 8))
FITTING = np.zeros((3, 3, 10, 8))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.conv2d(X, KERNEL),
            ValueError,
            "kernel expects 16 input channels (kernel.shape=(3, 3, 16, 8)), x has 10 (x.shape=(1, 12, 12, ",
        ),
        (
            lambda: ops.conv2d(X, np.zeros((3, 3, 3, 8)), groups=2),
            ValueError,
            "kernel expects 3 input channels in each of 2 groups (kernel.shape=(3, 3, 3, 8)), x has 10",
        ),
        (
            lambda: ops.conv2d(X, FITTING, groups=3),
            ValueError,
            "groups must be at least 1 and divide the 8 filters, got groups=3",
        ),
        (lambda: ops.conv2d(X, FITTING, groups=0), ValueError, "groups must be at least 1"),
        (lambda: ops.conv2d(X, FITTING, groups=2.0), TypeError, "groups must be an int, got 2.0"),
        (
            lambda: ops.conv2d(np.zeros(5), FITTING),
            ValueError,
            "x must be (H, W), (H, W, C) or (N, H, W, C), got x.shape=(5,)",
        ),
        (
            lambda: ops.conv2d(X, np.zeros((3, 3, 10))),
            ValueError,
            "kernel must be (kh, kw, channels in, filters), got kernel.shape=(3, 3, 10)",
        ),
        (
            lambda: ops.conv2d(X, np.zeros((0, 3, 10, 8))),
            ValueError,
            "kernel must not be empty, got kernel.shape=(0, 3, 10, 8)",
        ),
        (
            lambda: ops.conv2d(X, FITTING, np.zeros(7)),
            ValueError,
            "bias must have one number for each output channel, (8,), got bias.shape=(7,)",
        ),
        (
            lambda: ops.conv2d(X, FITTING, strides=0),
            ValueError,
            "strides must be at least 1 and below 2**31, got 0",
        ),
        (
            lambda: ops.conv2d(X, FITTING, strides=(1, -2)),
            ValueError,
            "strides must be at least 1 and below 2**31, got (1, -2)",
        ),
        (
            lambda: ops.conv2d(X, FITTING, strides=1.5),
            TypeError,
            "strides must be an int or a (height, width) pair, got 1.5",
        ),
        (
            lambda: ops.conv2d(X, FITTING, strides=(1, 2, 3)),
            ValueError,
            "strides must be an int or a (height, width) pair, got (1, 2, 3)",
        ),
        (lambda: ops.conv2d(X, FITTING, dilation_rate=None), TypeError, "dilation_rate must be an int or a"),
        (
            lambda: ops.conv2d(X, FITTING, padding="full"),
            ValueError,
            "padding must be 'valid', 'same' or ((top, bottom), (left, right)), got 'full'",
        ),
        (lambda: ops.conv2d(X, FITTING, padding=1), ValueError, "(left, right)), got 1"),
        (
            lambda: ops.conv2d(X, FITTING, padding=((1, -1), (0, 0))),
            ValueError,
            "with entries from 0 to below 2**31, got ((1, -1), (0, 0))",
        ),
        (
            lambda: ops.conv2d(X, FITTING, dilation_rate=(1, 6)),
            ValueError,
            "kernel of width 3 dilated by 6 covers 13 cells, more than the input has "
            "(input width 12, padding='valid')",
        ),
        (
            lambda: ops.conv2d(np.zeros((2, 12, 10)), FITTING, padding=((0, 0), (1, 0))),
            ValueError,
            "kernel of height 3 covers 3 cells, more than the input has (input height 2",
        ),
        (lambda: ops.conv2d(X, FITTING, method="gauss"), ValueError, "method must be"),
        (lambda: ops.conv2d(None, FITTING), TypeError, "x must be an array of numbers, got None"),
        (
            lambda: ops.conv2d(X, "kernel"),
            TypeError,
            "kernel must hold real numbers of at most 64 bits, got dtype <U6",
        ),
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
