"""Metrics: what Keras says of the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.training.metrics import METRICS, accuracy, parse_metric
from harness.authority import keras

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.random((40, 4))
CASES = {
    "sparse_categorical_accuracy": (ROWS, RANDOM.integers(0, 4, 40)),
    "categorical_accuracy": (ROWS, np.eye(4)[RANDOM.integers(0, 4, 40)]),
    "binary_accuracy": (RANDOM.random((40, 1)), RANDOM.integers(0, 2, (40, 1)).astype(float)),
    "mean_absolute_error": (ROWS, RANDOM.random((40, 4))),
    "mean_squared_error": (ROWS, RANDOM.random((40, 4))),
}
KERAS = {
    "sparse_categorical_accuracy": "SparseCategoricalAccuracy",
    "categorical_accuracy": "CategoricalAccuracy",
    "binary_accuracy": "BinaryAccuracy",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_squared_error": "MeanSquaredError",
}


@pytest.mark.parametrize("name", METRICS)
def test_values_are_keras_s(name):
    output, labels = CASES[name]
    metric = getattr(keras.metrics, KERAS[name])()
    metric.update_state(labels, output)
    # Keras adds up in float32.
    assert parse_metric(name)(output, labels) == pytest.approx(float(metric.result()), rel=40 * 2**-24)


def test_the_ends_are_keras_s():
    """Equal scores: the first class wins. Exactly one half is no yes."""
    tied = np.array([[0.5, 0.5], [0.2, 0.2]])
    assert accuracy(tied, np.array([0, 1])) == 0.5
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]]))
    assert METRICS["binary_accuracy"](np.full((2, 1), 0.5), np.array([1, 0])) == float(metric.result())


@pytest.mark.parametrize(
    ("shape", "labels"),
    [((20, 3), (20,)), ((20, 3), (20, 3)), ((20, 1), (20,)), ((20, 1), (20, 1)), ((5, 2, 2, 3), (5, 2, 2))],
)
def test_accuracy_means_what_it_means_in_a_compiled_model(shape, labels):
    """Which accuracy it is, Keras decides by the shapes."""
    random = np.random.default_rng(1)
    output = random.random(shape).astype(np.float32)
    classes = random.integers(0, max(shape[-1], 2), shape[:-1])
    given = np.eye(3)[classes] if len(labels) == len(shape) and shape[-1] > 1 else classes.reshape(labels)
    given = given.astype(np.float32) if given.ndim == len(shape) else given
    x = keras.Input(shape[1:])
    model = keras.Model(x, keras.layers.Identity()(x))
    loss = "mse" if shape[-1] == 1 or given.ndim == len(shape) else "sparse_categorical_crossentropy"
    model.compile(loss=loss, metrics=["accuracy"])
    said = model.evaluate(output, given, verbose=0, return_dict=True, batch_size=64)
    assert accuracy(output, given) == pytest.approx(said["accuracy"], abs=1e-6)


def test_unknown_metrics_are_named():
    with pytest.raises(ValueError, match=r"metrics must be accuracy or among sparse_categorical_accuracy"):
        parse_metric("f1")
