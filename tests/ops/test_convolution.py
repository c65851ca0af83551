"""Plain and grouped convolution and its gradients: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness import authority, gradient_authority
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    assert_same_specials,
    compare,
    convolutions,
    same_specials,
    small_blocks,
    sprinkled,
)
from harness.gradient_cases import compare_case
from harness.gradient_ops import GRADIENTS

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


# TensorFlow and the bounds ----------------------------------------------------------------------


METHODS = ["auto", "im2col"]


@pytest.mark.parametrize("method", METHODS)
@given(case=convolutions())
def test_conv2d_is_tensorflows(accuracy: Accuracy, method: str, case: Case) -> None:
    compare(accuracy, "conv2d", case, method=method)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("conv2d", convolutions()),
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
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grad", "options", "expected"),
    [
        ([1, 0, 0, 0], {}, [2, 3, 0, 0, 0]),
        ([1, 10, 100, 1000], {}, [2, 23, 230, 2300, 3000]),
        ([1, 10, 100, 1000, 10000], {"padding": "same"}, [2, 23, 230, 2300, 23000]),
        ([1, 10], {"strides": 2}, [2, 3, 20, 30, 0]),
        ([1, 10, 100], {"dilation_rate": 2}, [2, 20, 203, 30, 300]),
        ([1, 10, 100, 1000, 10000], {"padding": ((0, 0), (1, 0))}, [23, 230, 2300, 23000, 30000]),
        ([1, 10, 100, 1000, 1, 1, 1], {"padding": ((0, 0), (2, 1))}, [230, 2300, 3002, 5, 5]),
    ],
)
def test_outputs_give_back_along_their_windows(
    grad: list[float], options: dict[str, Any], expected: list[float]
) -> None:
    assert ops.conv2d_input_grad([grad], row(2, 3), (1, 5), **options).tolist() == [expected]
    depthwise = ops.depthwise_conv2d_input_grad([grad], row(2, 3), (1, 5), **options)
    assert depthwise.tolist() == [expected]


@pytest.mark.parametrize(
    ("grad", "options", "expected"),
    [
        ([1, 0, 0, 0], {}, [1, 2]),
        ([1, 10, 0, 0], {}, [21, 32]),
        ([0, 0, 0, 0, 1], {"padding": "same"}, [5, 0]),
        ([1, 10], {"strides": 2}, [31, 42]),
        ([1, 0, 10], {"dilation_rate": 2}, [31, 53]),
        ([1, 0, 0, 0, 10], {"padding": ((0, 0), (1, 0))}, [40, 51]),
    ],
)
def test_the_kernel_sees_what_its_windows_saw(
    grad: list[float], options: dict[str, Any], expected: list[float]
) -> None:
    x = [[1, 2, 3, 4, 5]]
    assert ops.conv2d_kernel_grad(x, [grad], (1, 2, 1, 1), **options).ravel().tolist() == expected
    depthwise = ops.depthwise_conv2d_kernel_grad(x, [grad], (1, 2, 1, 1), **options)
    assert depthwise.ravel().tolist() == expected


def test_channels_and_filters_find_their_weights() -> None:
    kernel = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    grad = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3)
    assert ops.conv2d_input_grad(grad, kernel, (1, 1, 2)).tolist() == [[[321, 654]]]
    x = np.array([1.0, 2.0]).reshape(1, 1, 2)
    assert ops.conv2d_kernel_grad(x, grad, (1, 1, 2, 3)).tolist() == [[[[1, 10, 100], [2, 20, 200]]]]
    grad = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 1, 4)
    deep = np.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    assert ops.depthwise_conv2d_input_grad(grad, deep, (1, 1, 2)).tolist() == [[[21, 4300]]]
    found = ops.depthwise_conv2d_kernel_grad(x, grad, (1, 1, 2, 2))
    assert found.tolist() == [[[[1, 10], [200, 2000]]]]


def test_the_bias_gets_the_sum_over_images_and_positions() -> None:
    grad = np.arange(24.0).reshape(2, 2, 2, 3)
    assert ops.conv2d_bias_grad(grad).tolist() == grad.sum(axis=(0, 1, 2)).tolist()
    assert ops.conv2d_bias_grad(grad[0]).tolist() == grad[0].sum(axis=(0, 1)).tolist()
    assert ops.conv2d_bias_grad(grad[0, ..., 0]).tolist() == [18.0]


@given(case=convolutions())
def test_conv2d_gradients_are_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare_case(accuracy, "conv2d", case)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("conv2d", convolutions()),
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
        ("conv2d", ((9, 28, 28, 1), (3, 3, 1, 16), (16,)), {}),
        ("conv2d", ((9, 26, 26, 16), (3, 3, 16, 16), (16,)), {}),
        ("conv2d", ((9, 26, 25, 16), (3, 2, 16, 12), None), {"padding": "same", "dilation_rate": (2, 3)}),
        ("conv2d", ((9, 24, 24, 16), (1, 1, 16, 10), (10,)), {}),
        ("conv2d", ((9, 4, 4, 16), (4, 4, 16, 10), None), {}),
        ("conv2d", ((1, 40, 41, 32), (3, 3, 32, 40), None), {"padding": "same"}),
        ("conv2d", ((1, 112, 113, 3), (7, 7, 3, 24), None), {"strides": (2, 2), "padding": "same"}),
        ("conv2d", ((3, 61, 40, 32), (5, 4, 16, 24), None), {"padding": ((3, 0), (1, 9)), "groups": 2}),
        ("conv2d", ((2, 64, 64, 8), (3, 3, 8, 8), None), {"strides": (2, 1), "dilation_rate": (3, 4)}),
    ],
)
def test_gradients_of_large_shapes(
    accuracy: Accuracy, name: str, shapes: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """Shapes of real layers, cut into many blocks."""
    compare_case(accuracy, name, Case(shapes, {"strides": (1, 1), "padding": "valid", **options}))


def check_specials(name: str, case: Case) -> None:
    """NaN and infinities in every argument, against TensorFlow in float64."""
    rng = np.random.default_rng(case.seed)
    arrays = [None if array is None else sprinkled(array, rng, 0.05) for array in case.arrays(np.float64)]
    shape = getattr(ops, name)(*arrays, **case.options).shape
    grad = sprinkled(rng.integers(-2, 3, shape).astype(np.float64), rng, 0.05)
    found = gradient_authority.gradients(getattr(gradient_authority, name), arrays, grad, **case.options)
    for made in GRADIENTS[name]:
        if arrays[made.argument] is not None:
            assert_same_specials(made(arrays, grad, **case.options), found[made.argument])


@given(case=convolutions())
def test_nan_and_inf_spread_as_in_tensorflow(case: Case) -> None:
    """Without dilation, for which the authority fills the kernel with zeros."""
    check_specials("conv2d", replace(case, options={**case.options, "dilation_rate": (1, 1)}))


GRAD = np.zeros((1, 10, 10, 8))
SHAPE = (1, 12, 12, 10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, (1, 12, 12, 9)),
            ValueError,
            "kernel.shape=(3, 3, 10, 8) expects 10 input channels, input_shape=(1, 12, 12, 9) has 9",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, SHAPE, groups=3),
            ValueError,
            "groups must be at least 1 and divide the 8 filters, got groups=3",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, SHAPE, padding="same"),
            ValueError,
            "grad must have the result's shape, (1, 12, 12, 8), got grad.shape=(1, 10, 10, 8)",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, (12, 12, 10)),
            ValueError,
            "grad must have the result's shape, (10, 10, 8), got grad.shape=(1, 10, 10, 8)",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, (5,)),
            ValueError,
            "input_shape must be (H, W), (H, W, C) or (N, H, W, C), got (5,)",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, (1, -12, 12, 10)),
            ValueError,
            "input_shape must have sizes from 0 to below 2**31, got (1, -12, 12, 10)",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, 12),
            TypeError,
            "input_shape must be a sequence of ints, got 12",
        ),
        (
            lambda: ops.conv2d_input_grad(GRAD, FITTING, (1, 2, 12, 10)),
            ValueError,
            "kernel of height 3 covers 3 cells, more than the input has (input height 2, padding='valid')",
        ),
        (
            lambda: ops.conv2d_kernel_grad(np.zeros(SHAPE), GRAD, (3, 3, 10)),
            ValueError,
            "kernel_shape must be (kh, kw, channels in, filters) with no size 0, got (3, 3, 10)",
        ),
        (
            lambda: ops.conv2d_kernel_grad(np.zeros(SHAPE), GRAD, (3, 3, 16, 8)),
            ValueError,
            "kernel_shape=(3, 3, 16, 8) expects 16 input channels, x.shape=(1, 12, 12, 10) has 10",
        ),
        (
            lambda: ops.conv2d_kernel_grad(np.zeros(SHAPE), GRAD, (3, 3, 10, 8), strides=0),
            ValueError,
            "strides must be at least 1 and below 2**31, got 0",
        ),
        (
            lambda: ops.conv2d_bias_grad(np.zeros(3)),
            ValueError,
            "grad must be (H, W), (H, W, C) or (N, H, W, C), got grad.shape=(3,)",
        ),
        (
            lambda: ops.conv2d_input_grad("grad", FITTING, SHAPE),
            TypeError,
            "grad must hold real numbers of at most 64 bits, got dtype <U4",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
