"""Metrics: how many answers of a batch are right, or how far off they are, by the names of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from cnnviz.numbers import brief

Metric = Callable[[np.ndarray, np.ndarray], float]
"""The mean over a batch, from the network's output and the labels."""


def sparse_categorical_accuracy(output: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose largest output is that of their class; labels are integers.

    >>> sparse_categorical_accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    return float((output.argmax(axis=-1) == labels.reshape(output.shape[:-1])).mean())


def categorical_accuracy(output: np.ndarray, labels: np.ndarray) -> float:
    """The same, where labels hold a probability for each class."""
    return float((output.argmax(axis=-1) == labels.argmax(axis=-1)).mean())


def binary_accuracy(output: np.ndarray, labels: np.ndarray) -> float:
    """The share of outputs that lie above 0.5 where the label is 1, and not above where it is 0."""
    return float(((output > 0.5) == (labels.reshape(output.shape) > 0.5)).mean())


def mean_absolute_error(output: np.ndarray, labels: np.ndarray) -> float:
    return float(np.abs(output - labels.reshape(output.shape)).mean())


def mean_squared_error(output: np.ndarray, labels: np.ndarray) -> float:
    return float(np.square(output - labels.reshape(output.shape)).mean())


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "sparse_categorical_accuracy": sparse_categorical_accuracy,
        "categorical_accuracy": categorical_accuracy,
        "binary_accuracy": binary_accuracy,
        "mean_absolute_error": mean_absolute_error,
        "mean_squared_error": mean_squared_error,
    }
)


def accuracy(output: np.ndarray, labels: np.ndarray) -> float:
    """Keras's "accuracy": binary for one output, else by what the labels look like."""
    if output.shape[-1] == 1:
        return binary_accuracy(output, labels)
    return (categorical_accuracy if labels.shape == output.shape else sparse_categorical_accuracy)(
        output, labels
    )


def parse_metric(name: str) -> Metric:
    """A metric by its name; ValueError for an unknown one."""
    if name in ("accuracy", "acc"):
        return accuracy
    if name not in METRICS:
        raise ValueError(f"metrics must be accuracy or among {', '.join(METRICS)}, got {brief(name)}")
    return METRICS[name]
