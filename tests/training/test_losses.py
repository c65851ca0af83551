"""Losses and their gradients against Keras in float64, with the numbers at which they could go wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from cnnviz.training import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from cnnviz.training.losses import LOSSES, parse_loss
from harness.authority import keras, tf

RANDOM = np.random.default_rng(0)


def probabilities(*shape):
    return RANDOM.dirichlet(np.ones(shape[-1]), shape[:-1])


EDGES = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1e-9, 1 - 2e-9, 1e-9], [0.2, 0.3, 0.5]])
"""Probabilities that are 0 and 1, and such as are kept away from 0 and 1."""
FAR = np.array([[800.0, -800.0, 0.0], [0.0, 0.0, 0.0], [-1e4, -1e4, -1e4], [30.0, -40.0, 1.0]])
"""Logits whose exponentials are too large and too small for floats."""
CLASSES = np.array([0, 2, 1, 1])

CASES = {
    "sparse": (SparseCategoricalCrossentropy(), probabilities(5, 4), RANDOM.integers(0, 4, 5)),
    "sparse, a column of labels": (
        SparseCategoricalCrossentropy(),
        probabilities(5, 4),
        RANDOM.integers(0, 4, (5, 1)),
    ),
    "sparse, labels that are floats": (
        SparseCategoricalCrossentropy(),
        probabilities(5, 4),
        RANDOM.integers(0, 4, 5).astype(float),
    ),
    "sparse, by position": (
        SparseCategoricalCrossentropy(),
        probabilities(2, 3, 2, 4),
        RANDOM.integers(0, 4, (2, 3, 2)),
    ),
    "sparse, the ends": (SparseCategoricalCrossentropy(), EDGES, CLASSES),
    "sparse, not normalised": (SparseCategoricalCrossentropy(), 3 * EDGES, CLASSES),
    "sparse, logits": (SparseCategoricalCrossentropy(from_logits=True), FAR, CLASSES),
    "sparse, NaN": (
        SparseCategoricalCrossentropy(from_logits=True),
        np.array([[np.nan, 1.0], [0.0, 1.0]]),
        np.array([0, 1]),
    ),
    "categorical": (CategoricalCrossentropy(), probabilities(5, 4), probabilities(5, 4)),
    "categorical, by position": (CategoricalCrossentropy(), probabilities(2, 3, 4), probabilities(2, 3, 4)),
    "categorical, the ends": (CategoricalCrossentropy(), EDGES, probabilities(4, 3)),
    "categorical, not normalised": (CategoricalCrossentropy(), 0.3 + EDGES, probabilities(4, 3)),
    "categorical, smoothed": (CategoricalCrossentropy(label_smoothing=0.1), EDGES, np.eye(3)[CLASSES]),
    "categorical, logits": (
        CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        FAR,
        np.eye(3)[CLASSES],
    ),
    "binary": (BinaryCrossentropy(), RANDOM.random((5, 3)), RANDOM.integers(0, 2, (5, 3))),
    "binary, one output": (BinaryCrossentropy(), RANDOM.random((5, 1)), RANDOM.integers(0, 2, 5)),
    "binary, the ends": (BinaryCrossentropy(), EDGES, RANDOM.random((4, 3))),
    "binary, smoothed": (BinaryCrossentropy(label_smoothing=0.1), EDGES, RANDOM.integers(0, 2, (4, 3))),
    "binary, logits": (BinaryCrossentropy(from_logits=True), FAR, RANDOM.random((4, 3))),
    "mean squares": (MeanSquaredError(), RANDOM.normal(size=(3, 2, 2)), RANDOM.normal(size=(3, 2, 2))),
    "mean squares, one output": (MeanSquaredError(), RANDOM.normal(size=(5, 1)), RANDOM.normal(size=5)),
    "mean squares, too large": (MeanSquaredError(), np.array([[1e200, 1.0]]), np.array([[-1e200, 1.0]])),
}


def theirs(loss, output, labels):
    """Keras's value and gradient, as a model with that loss has them."""
    same = getattr(keras.losses, type(loss).__name__)(**vars(loss), dtype="float64")
    if labels.dtype.kind == "f" or not isinstance(loss, SparseCategoricalCrossentropy):
        labels = labels.astype(np.float64)
    variable = tf.Variable(output)
    with tf.GradientTape() as tape, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = same(tf.constant(labels), variable)
    return float(value), np.asarray(tape.gradient(value, variable))


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_keras_s(name):
    """Both sum the same few numbers: 64 roundings in float64 of the largest of them."""
    loss, output, labels = CASES[name]
    with np.errstate(all="ignore"):
        ours = loss(output, labels)
    value, gradient = theirs(loss, output, labels)
    roundings = 64 * np.finfo(np.float64).eps
    np.testing.assert_allclose(ours.value, value, rtol=roundings, atol=0)
    largest = np.abs(gradient[np.isfinite(gradient)]).max(initial=0)
    np.testing.assert_allclose(ours.gradient, gradient, rtol=roundings, atol=roundings * largest)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sparse", "categorical", "binary", "mean squares"])
def test_gradients_keep_the_dtype_of_the_outputs(name, dtype):
    loss, output, labels = CASES[name]
    assert loss(output.astype(dtype), labels).gradient.dtype == dtype


def test_sigmoid_and_softmax_are_seen_through_by_every_cross_entropy():
    """Keras keeps what an activation was made of, and asks not which activation it was."""
    logits = tf.Variable(FAR / 100)
    for loss, labels in (
        (SparseCategoricalCrossentropy(), CLASSES),
        (CategoricalCrossentropy(), np.eye(3)[CLASSES]),
        (BinaryCrossentropy(), np.eye(3)[CLASSES]),
    ):
        for activation in sorted(loss.undoes):
            same = getattr(keras.losses, type(loss).__name__)(dtype="float64")
            value = same(labels, getattr(keras.activations, activation)(logits))
            ours = loss(logits.numpy(), labels, logits=True)
            assert ours.value == pytest.approx(float(value), rel=1e-14)
    assert not MeanSquaredError().undoes


def test_losses_are_found_by_keras_s_names():
    for name, kind in LOSSES.items():
        assert type(keras.losses.get(name)).__name__ in ("function", kind.__name__)
        assert type(parse_loss(name)) is kind


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        (SparseCategoricalCrossentropy(), np.array([0.5, 1.0]), "labels must be integers"),
        (CategoricalCrossentropy(), np.ones((2, 4)), r"labels must have the output's shape \(2, 3\)"),
        (BinaryCrossentropy(), np.ones(2), r"labels must have the output's shape \(2, 3\), got \(2,\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loss, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        loss(np.full((2, 3), 1 / 3), labels)
