"""Softmax cross-entropy and its gradient: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from harness import gradient_rounding
from harness.accuracy import Accuracy, check_float64
from harness.authority import tf
from harness.cases import numbers, seeds
from harness.gradient_authority import gradients

# Literals ---------------------------------------------------------------------------------------

LOGITS = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])


def test_the_loss_is_minus_the_log_of_the_right_classs_probability() -> None:
    np.testing.assert_allclose(ops.softmax_cross_entropy(LOGITS, [2, 0]), np.log([8 / 5, 4]))
    np.testing.assert_allclose(
        ops.softmax_cross_entropy(LOGITS, [2, 0], reduction="mean"), np.log(32 / 5) / 2
    )
    assert ops.softmax_cross_entropy(LOGITS[0], 2).shape == ()


def test_the_gradient_is_softmax_minus_labels() -> None:
    expected = [[1 / 8, 2 / 8, 5 / 8 - 1], [1 / 4 - 1, 1 / 4, 2 / 4]]
    np.testing.assert_allclose(ops.softmax_cross_entropy_grad(LOGITS, [2, 0]), expected)
    scaled = ops.softmax_cross_entropy_grad(LOGITS, [2, 0], [1.0, 10.0])
    np.testing.assert_allclose(scaled, np.array(expected) * [[1], [10]])
    mean = ops.softmax_cross_entropy_grad(LOGITS, [2, 0], 3.0, reduction="mean")
    np.testing.assert_allclose(mean, np.array(expected) * 1.5)


def test_classes_are_one_hot_labels() -> None:
    classes = np.array([2, 0], np.uint8)
    for op in (ops.softmax_cross_entropy, ops.softmax_cross_entropy_grad):
        np.testing.assert_array_equal(op(LOGITS, classes), op(LOGITS, np.eye(3)[classes]))


def test_labels_need_not_add_up_to_one() -> None:
    """The gradient of -sum(labels * log softmax), where TensorFlow's assumes that they do."""
    labels = [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]
    step = 2.0**-13
    for place in range(3):
        moved = np.eye(3)[place] * step
        up, down = (ops.softmax_cross_entropy(LOGITS + sign * moved, labels) for sign in (1, -1))
        found = ops.softmax_cross_entropy_grad(LOGITS, labels)[:, place]
        # The third derivative of 6 * log(sum(exp)) is below 6; rounding is far below.
        assert np.all(np.abs(found - (up - down) / (2 * step)) < 6 * step**2 / 6 + 1e-11)


def test_an_impossible_class_that_is_not_wanted_costs_nothing() -> None:
    logits = [[0.0, -np.inf]]
    assert ops.softmax_cross_entropy(logits, [0]).tolist() == [0]
    assert ops.softmax_cross_entropy(logits, [1]).tolist() == [np.inf]
    assert ops.softmax_cross_entropy_grad(logits, [1]).tolist() == [[1, -1]]


def test_no_images_have_no_mean() -> None:
    empty = np.zeros((0, 3))
    assert ops.softmax_cross_entropy(empty, np.zeros(0, int)).shape == (0,)
    assert np.isnan(ops.softmax_cross_entropy(empty, np.zeros(0, int), reduction="mean"))
    for reduction in ("none", "mean"):
        assert ops.softmax_cross_entropy_grad(empty, empty, reduction=reduction).shape == (0, 3)


def test_float32_stays_float32() -> None:
    logits = LOGITS.astype(np.float32)
    for labels in ([2, 0], np.array([2, 0]), np.eye(3, dtype=np.float32)[[2, 0]]):
        assert ops.softmax_cross_entropy(logits, labels).dtype == np.float32
        assert ops.softmax_cross_entropy_grad(logits, labels).dtype == np.float32
    assert ops.softmax_cross_entropy_grad(logits, [2, 0], np.ones(2)).dtype == np.float64


# TensorFlow and the bounds ----------------------------------------------------------------------


@given(
    lead=st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple),
    classes=st.integers(1, 12),
    sparse=st.booleans(),
    reduction=st.sampled_from(["none", "mean"]),
    spread=st.floats(0, 15),
    seed=seeds,
)
def test_softmax_cross_entropy_is_tensorflows(
    accuracy: Accuracy,
    lead: tuple[int, ...],
    classes: int,
    sparse: bool,
    reduction: str,
    spread: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(*lead, classes)) * spread).astype(np.float32)
    weights = rng.dirichlet(np.ones(classes), lead).astype(np.float32)
    labels = rng.integers(0, classes, lead) if sparse else weights
    cost = "sparse_softmax_cross_entropy_with_logits" if sparse else "softmax_cross_entropy_with_logits"

    def forward(x: Any) -> Any:
        # The labels' rounding to float32 is theirs: in float64 they add up to 1 only nearly.
        target = labels if sparse else tf.cast(labels, x.dtype)
        losses = getattr(tf.nn, cost)(labels=target, logits=x)
        return tf.reduce_mean(losses) if reduction == "mean" else losses

    options = {"reduction": reduction}
    wide = logits.astype(np.float64)
    exact = forward(tf.constant(wide)).numpy()
    bound = gradient_rounding.softmax_cross_entropy_bound(logits, labels, **options)
    check_float64("softmax_cross_entropy", ops.softmax_cross_entropy(wide, labels, **options), exact, bound)
    ours, theirs = ops.softmax_cross_entropy(logits, labels, **options), forward(tf.constant(logits)).numpy()
    accuracy.check("softmax_cross_entropy", ours, exact, bound, theirs, authority_too=False)

    grad = numbers(rng, exact.shape, "normal")
    bound = gradient_rounding.softmax_cross_entropy_grad_bound(logits, labels, grad, **options)
    (exact,) = gradients(forward, [wide], grad.astype(np.float64))
    # TensorFlow's gradient takes it that labels add up to 1: what they lack, times the probabilities.
    slack = 1e-35
    if not sparse:
        lacks = np.abs(1 - weights.astype(np.float64).sum(-1, keepdims=True)) * ops.softmax(wide)
        slack = slack + lacks * np.abs(grad[..., np.newaxis] if reduction == "none" else grad)
    result = ops.softmax_cross_entropy_grad(wide, labels, grad, **options)
    check_float64("softmax_cross_entropy_grad", result, exact, bound, slack)
    (theirs,) = gradients(forward, [logits], grad)
    result = ops.softmax_cross_entropy_grad(logits, labels, grad, **options)
    accuracy.check("softmax_cross_entropy_grad", result, exact, bound, theirs, slack, False)


# Arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", [ops.softmax_cross_entropy, ops.softmax_cross_entropy_grad])
@pytest.mark.parametrize(
    ("logits", "labels", "options", "error", "message"),
    [
        ([[1, 2]], [2], {}, ValueError, "classes in labels must be from 0 to 1, got 2 to 2"),
        ([[1, 2]], [-1], {}, ValueError, "classes in labels must be from 0 to 1, got -1 to -1"),
        ([[1, 2]], [0.5], {}, TypeError, "classes in labels must be integers, got dtype float64"),
        (
            [[1, 2]],
            [0, 1],
            {},
            ValueError,
            "labels must have shape (1,) (classes) or (1, 2) (probabilities) to go with logits.shape=(1, 2), "
            "got labels.shape=(2,)",
        ),
        (1.0, 0, {}, ValueError, "logits must be (..., classes), got logits.shape=()"),
        ([[1, 2]], [0], {"reduction": "sum"}, ValueError, "reduction must be 'none' or 'mean', got 'sum'"),
        ([[1, 2]], "0", {}, TypeError, "labels must hold real numbers of at most 64 bits, got dtype <U1"),
    ],
)
def test_wrong_arguments_are_named(
    op: Callable[..., Any],
    logits: Any,
    labels: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        op(logits, labels, **options)


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=re.escape("grad must have the result's shape, (2,), got grad.shape=(3,)")
    ):
        ops.softmax_cross_entropy_grad(LOGITS, [0, 1], np.ones(3))
