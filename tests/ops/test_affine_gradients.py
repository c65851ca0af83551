"""The gradients of the dense layer and of batch normalisation: literals, Keras's, bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from harness.accuracy import Accuracy
from harness.cases import Case, batches, channels, kinds, seeds
from harness.gradient_cases import compare_case

# Literals ---------------------------------------------------------------------------------------


def test_dense_literals() -> None:
    x, kernel = [[1.0, 2.0], [3.0, 4.0]], [[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]
    grad = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert ops.dense_input_grad(grad, kernel).tolist() == [[101, 202], [10, 20]]
    assert ops.dense_kernel_grad(x, grad).tolist() == [[1, 3, 1], [2, 4, 2]]
    assert ops.dense_bias_grad(grad).tolist() == [1, 1, 1]


def test_batch_norm_literals() -> None:
    """scale = gamma / sqrt(variance + epsilon) = 6 / 2."""
    grad, x = [[1.0], [10.0]], [[5.0], [7.0]]
    mean, variance, gamma = [3.0], [3.0], [6.0]
    assert ops.batch_norm_input_grad(grad, variance, gamma, epsilon=1).tolist() == [[3], [30]]
    assert ops.batch_norm_gamma_grad(x, grad, mean, variance, epsilon=1).tolist() == [(2 + 40) / 2]
    assert ops.batch_norm_beta_grad(grad).tolist() == [11]
    assert ops.batch_norm_mean_grad(grad, variance, gamma, epsilon=1).tolist() == [-33]
    found = ops.batch_norm_variance_grad(x, grad, mean, variance, gamma, epsilon=1)
    assert found.tolist() == [-0.5 * 6 / 8 * (2 + 40)]


# Keras and the bounds ---------------------------------------------------------------------------

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


@given(
    lead=st.tuples(batches, leading),
    depth=channels,
    gamma=st.booleans(),
    beta=st.booleans(),
    epsilon=st.sampled_from([1e-3, 0.1, 1.0]),
    kind=kinds,
    seed=seeds,
)
def test_batch_norm_gradients_are_keras(
    accuracy: Accuracy,
    lead: Any,
    depth: int,
    gamma: bool,
    beta: bool,
    epsilon: float,
    kind: str,
    seed: int,
) -> None:
    own = (depth,)
    shapes = ((lead[0], *lead[1], depth), own, own, own if gamma else None, own if beta else None)
    case = Case(shapes, {"epsilon": epsilon}, kind, seed, nonnegative=(2,))
    compare_case(accuracy, "batch_norm", case)


# Arguments --------------------------------------------------------------------------------------


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
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones(4)),
            "the last axis of grad must have 4 channels (variance.shape=(4,)), got grad.shape=(2, 3)",
        ),
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones(3), np.ones(2)),
            "gamma must have the shape of variance, (3,), got gamma.shape=(2,)",
        ),
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones((1, 3))),
            "variance must be (channels,), got variance.shape=(1, 3)",
        ),
        (
            lambda: ops.batch_norm_gamma_grad(np.zeros((2, 3)), np.zeros((3, 2)), np.ones(3), np.ones(3)),
            "grad must have the result's shape, (2, 3), got grad.shape=(3, 2)",
        ),
        (
            lambda: ops.batch_norm_variance_grad(
                np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3), np.ones(3), epsilon=-1
            ),
            "epsilon must not be negative, got -1",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
