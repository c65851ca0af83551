"""The dense layer and its gradients: literals, Keras's, error bounds, arguments."""

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
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    batches,
    channels,
    compare,
    kinds,
    same_specials,
    seeds,
)
from harness.gradient_cases import compare_case


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
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


def test_dense_literals() -> None:
    x, kernel = [[1.0, 2.0], [3.0, 4.0]], [[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]
    grad = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert ops.dense_input_grad(grad, kernel).tolist() == [[101, 202], [10, 20]]
    assert ops.dense_kernel_grad(x, grad).tolist() == [[1, 3, 1], [2, 4, 2]]
    assert ops.dense_bias_grad(grad).tolist() == [1, 1, 1]


leading = st.lists(st.integers(1, 4), max_size=2).map(tuple)


@given(
    lead=st.tuples(batches, leading),
    depth=channels,
    units=channels,
    bias=st.booleans(),
    kind=kinds,
    seed=seeds,
)
def test_dense_gradients_are_keras(
    accuracy: Accuracy, lead: Any, depth: int, units: int, bias: bool, kind: str, seed: int
) -> None:
    shapes = ((lead[0], *lead[1], depth), (depth, units), (units,) if bias else None)
    compare_case(accuracy, "dense", Case(shapes, {}, kind, seed))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.dense_input_grad(np.zeros((2, 3)), np.zeros((5, 4))),
            "the last axis of grad must have 4 channels (kernel.shape=(5, 4)), got grad.shape=(2, 3)",
        ),
        (
            lambda: ops.dense_kernel_grad(np.zeros((2, 3)), np.zeros((4, 5))),
            "grad must have the result's shape, (2, 5), got grad.shape=(4, 5)",
        ),
        (
            lambda: ops.dense_kernel_grad(np.zeros((2, 0)), np.zeros((2, 5))),
            "x must be (..., channels), got x.shape=(2, 0)",
        ),
        (lambda: ops.dense_bias_grad(1.0), "grad must be (..., channels), got grad.shape=()"),
    ],
)
def test_wrong_arguments_of_gradients_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
