"""What a classifier calls the images of each class: accuracy, loss, the confusion matrix, the worst mistakes.

Scores come batch by batch, so that images of any number take the room of one batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network.evaluation import are_probabilities, cross_entropies
from cnnviz.network.mistakes import Mistake, likeliest

MOST_IN_A_MATRIX = 2_000
"""Classes whose confusions are handed out as a matrix, which has as many numbers as pairs of them."""


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classifier said of labelled images.

    Parameters
    ----------
    classes
        How many there are.
    pairs
        How many images of a class were called a class, by (class, what it was called), where any were.
    loss
        The mean cross-entropy in nats; None if the scores are not probabilities.
    worst
        The mistakes, those first in which a wrong class is furthest above the right one.
    """

    classes: int
    pairs: Mapping[tuple[int, int], int]
    loss: float | None
    worst: tuple[Mistake, ...]

    @property
    def images(self) -> int:
        return sum(self.pairs.values())

    @property
    def correct(self) -> int:
        return sum(count for (true, called), count in self.pairs.items() if true == called)

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    @property
    def confusion(self) -> np.ndarray:
        """The pairs as a matrix (classes, classes): its rows are what the images are.

        ValueError for more than 2,000 classes.
        """
        if self.classes > MOST_IN_A_MATRIX:
            raise ValueError(
                f"a matrix of {self.classes:,} x {self.classes:,} classes is too large; at most "
                f"{MOST_IN_A_MATRIX:,} are put into one: take the pairs"
            )
        matrix = np.zeros((self.classes, self.classes), int)
        for place, count in self.pairs.items():
            matrix[place] = count
        return matrix

    def most_confused(self, count: int) -> list[tuple[int, int, int]]:
        """The commonest mistakes, as (class, what it was called, how often).

        >>> classify([[0.2, 0.8], [0.1, 0.9], [0.6, 0.4]], [0, 0, 0]).most_confused(3)
        [(0, 1, 2)]
        """
        wrong = [(true, called, n) for (true, called), n in self.pairs.items() if true != called]
        return sorted(wrong, key=lambda each: (-each[2], *each[:2]))[:count]


class Tally:
    """Counts what a classifier says, batch by batch.

    Parameters
    ----------
    keep
        How many of the worst mistakes are kept.
    top
        How many of the likeliest classes are kept of each.
    """

    def __init__(self, keep: int = 10, top: int = 2) -> None:
        self.keep, self.top = keep, top
        self._classes = 0
        self._pairs: Counter[tuple[int, int]] = Counter()
        self._loss: float | None = 0.0
        self._worst: list[tuple[float, Mistake]] = []

    def add(self, scores: Any, labels: Any, indices: Any = None) -> None:
        """Count some images.

        Parameters
        ----------
        scores
            (N, classes): probabilities, or any scores of which the largest wins.
        labels
            (N,): the true classes, integers from 0.
        indices
            (N,): the images' numbers in their set; None counts on from those that were added.

        Raises
        ------
        ValueError
            if there is not one label for each image, or one is not a class.
        """
        scores, labels = np.asarray(scores), np.asarray(labels)
        if scores.ndim != 2 or labels.shape != scores.shape[:1]:
            raise ValueError(
                f"scores must be (N, classes) with N labels, got shapes {scores.shape} and {labels.shape}"
            )
        classes = scores.shape[1]
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            wrong = labels[(labels < 0) | (labels >= classes)][0]
            raise ValueError(f"labels must be from 0 to {classes - 1}, got {wrong}")
        self._classes = classes
        first = self._pairs.total()
        indices = range(first, first + len(labels)) if indices is None else indices
        called = scores.argmax(axis=1)
        self._pairs.update(zip(labels.tolist(), called.tolist(), strict=True))
        if self._loss is not None:
            self._loss = (
                self._loss + float(cross_entropies(scores, labels).sum())
                if are_probabilities(scores)
                else None
            )
        for i in np.flatnonzero(called != labels):
            lead = float(scores[i, called[i]]) - float(scores[i, labels[i]])
            mistake = Mistake(int(indices[i]), int(labels[i]), likeliest(scores[i], self.top))
            self._worst.append((lead, mistake))
        self._worst = sorted(self._worst, key=lambda pair: -pair[0])[: self.keep]

    @property
    def result(self) -> Classification:
        """What was counted so far; ValueError if nothing was."""
        if not self._pairs:
            raise ValueError("no image was classified")
        loss = None if self._loss is None else self._loss / self._pairs.total()
        worst = tuple(mistake for _, mistake in self._worst)
        return Classification(self._classes, dict(self._pairs), loss, worst)


def classify(scores: Any, labels: Any) -> Classification:
    """What a classifier said of labelled images, from its scores (N, classes) for all of them.

    >>> found = classify([[0.75, 0.25], [0.5, 0.5]], [0, 1])
    >>> found.accuracy, found.confusion.tolist(), found.worst[0].index
    (0.5, [[1, 0], [1, 0]], 1)
    """
    tally = Tally()
    tally.add(scores, labels)
    return tally.result
