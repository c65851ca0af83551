"""What two classifiers say of the same labelled images: where they differ, and which is the more accurate.

Since both see the same images, chance counts only where one is right and the other wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.network.network import Network


@dataclass(frozen=True, eq=False)
class PairedAnswers:
    """What `one` and `other` said of images of classes `labels`, (N,) integers each.

    Examples
    --------
    >>> answers = PairedAnswers(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 0]), np.array([0, 1, 1, 1]))
    >>> answers.accuracies, answers.difference
    ((0.75, 0.5), 0.25)
    >>> answers.only_one.tolist(), answers.only_other.tolist(), answers.apart.tolist()
    ([2], [], [2, 3])
    """

    labels: np.ndarray
    one: np.ndarray
    other: np.ndarray

    def __post_init__(self) -> None:
        shapes = {self.labels.shape, self.one.shape, self.other.shape}
        if len(shapes) > 1 or self.labels.ndim != 1 or not len(self.labels):
            raise ValueError(f"labels, one and other must be (N,) each and not empty, got {sorted(shapes)}")

    @property
    def images(self) -> int:
        return len(self.labels)

    @cached_property
    def accuracies(self) -> tuple[float, float]:
        """Of the one and of the other."""
        return float((self.one == self.labels).mean()), float((self.other == self.labels).mean())

    @property
    def difference(self) -> float:
        """By how much the one is the more accurate."""
        return (len(self.only_one) - len(self.only_other)) / self.images

    @property
    def error(self) -> float:
        """The standard error of the difference.

        Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12, 1947.
        """
        found, lost = len(self.only_one), len(self.only_other)
        return math.sqrt(found + lost - (found - lost) ** 2 / self.images) / self.images

    @cached_property
    def only_one(self) -> np.ndarray:
        """The images that only the one has right."""
        return np.flatnonzero((self.one == self.labels) & (self.other != self.labels))

    @cached_property
    def only_other(self) -> np.ndarray:
        """The images that only the other has right."""
        return np.flatnonzero((self.other == self.labels) & (self.one != self.labels))

    @cached_property
    def apart(self) -> np.ndarray:
        """The images of which they say different things."""
        return np.flatnonzero(self.one != self.other)


def answers_of(
    net: Network,
    images: Any,
    *,
    batch_size: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """(N,): the class with the largest score, of each image.

    Parameters
    ----------
    net
        A network whose output is (N, classes), probabilities or any scores.
    images
        As for `Network.predict`.
    batch_size, progress
        Images between two calls of progress(images done, images).

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> answers_of(load_model("mnist_14k"), load_mnist()[1][0][:3]).tolist()
    [7, 2, 1]
    """
    found = []
    for first in range(0, len(images), batch_size):
        found.append(net.predict(images[first : first + batch_size]).argmax(axis=-1))
        if progress is not None:
            progress(min(first + batch_size, len(images)), len(images))
    return np.concatenate(found)
