"""Accuracy and loss of a classifier over labelled images, by the NumPy engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network.network import Network


@dataclass(frozen=True)
class Evaluation:
    """How many of the images were classified right, and the mean cross-entropy in nats."""

    images: int
    correct: int
    loss: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.images


def evaluate(
    net: Network,
    x: Any,
    y: Any,
    *,
    batch_size: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Accuracy and cross-entropy of a network's predictions.

    Parameters
    ----------
    net
        A network that gives probabilities, (N, classes).
    x, y
        Images as for `Network.predict`, and their labels (N,), integers from 0.
    batch_size
        Images between two reports of progress.
    progress
        Called as progress(images done, images).

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        if there is nothing to evaluate, labels do not fit, or the output is not probabilities.

    Examples
    --------
    >>> import cnnviz
    >>> x, y = cnnviz.load_mnist()[1]
    >>> evaluate(cnnviz.load_model("mnist_14k"), x[:5], y[:5]).accuracy
    1.0
    """
    y = np.asarray(y)
    if len(x) != len(y) or not len(y):
        raise ValueError(f"x and y must be of one length, and not empty: got {len(x)} and {len(y)}")
    correct, loss = 0, 0.0
    for first in range(0, len(y), batch_size):
        labels = y[first : first + batch_size]
        shares = probabilities(net, x[first : first + batch_size])
        if labels.min() < 0 or labels.max() >= shares.shape[1]:
            raise ValueError(f"y must hold labels from 0 to {shares.shape[1] - 1}, got {labels.max()}")
        correct += int((shares.argmax(axis=1) == labels).sum())
        loss += float(cross_entropies(shares, labels).sum())
        if progress is not None:
            progress(first + len(labels), len(y))
    return Evaluation(len(y), correct, loss / len(y))


def cross_entropies(shares: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,): minus the logarithm of each right class's probability, of (N, classes) probabilities."""
    right = shares[np.arange(len(labels)), labels].astype(np.float64)
    # A probability that was rounded to 0 would make the loss infinite.
    return -np.log(np.maximum(right, np.finfo(np.float32).tiny))


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether each row of (N, classes) scores is probabilities: none negative, and they sum to 1.

    >>> are_probabilities(np.array([[0.25, 0.75]])), are_probabilities(np.array([[0.25, 0.5]]))
    (True, False)
    """
    # A float32 softmax sums to 1 within a few units of roundoff a class.
    return scores.min(initial=0) >= 0 and np.allclose(scores.sum(axis=1), 1, rtol=0, atol=1e-4)


def probabilities(net: Network, x: Any) -> np.ndarray:
    """The network's output (N, classes), checked to be probabilities."""
    output = net.predict(x)
    if not isinstance(output, np.ndarray) or output.ndim != 2:
        raise ValueError(f"{net.name} is not a classifier of images: its output is {net.output_shape}")
    if not are_probabilities(output):
        raise ValueError(f"the output of {net.name} is not probabilities: it should end in a softmax")
    return output


def standard_error(share: float, count: int) -> float:
    """How far a share of `count` images is, as a rule, from what it would be of very many like them.

    Parameters
    ----------
    share
        From 0 to 1, an accuracy.
    count
        How many images it was taken of.

    Returns
    -------
    float
        The standard deviation of such a share of images drawn by chance: sqrt(share (1 - share) / count).

    Raises
    ------
    ValueError
        for a share outside 0..1, or no images.

    Examples
    --------
    >>> round(standard_error(0.9952, 10_000), 5)
    0.00069
    """
    if not (0 <= share <= 1 and count >= 1):
        raise ValueError(f"share must be from 0 to 1 and count at least 1, got {share!r} of {count!r}")
    return math.sqrt(share * (1 - share) / count)
