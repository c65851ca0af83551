"""What a classifier calls the images of each class: accuracy, loss, the confusion matrix, the worst mistakes.

Scores come batch by batch, so that images of any number take the room of one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network.evaluation import are_probabilities, cross_entropies
from cnnviz.network.mistakes import Mistake, likeliest


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classifier said of labelled images.

    Parameters
    ----------
    confusion
        (classes, classes) integers: images of the class of the row that were called the class of the column.
    loss
        The mean cross-entropy in nats; None if the scores are not probabilities.
    worst
        The mistakes, those first in which a wrong class is furthest above the right one.
    """

    confusion: np.ndarray
    loss: float | None
    worst: tuple[Mistake, ...]

    @property
    def images(self) -> int:
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    def most_confused(self, count: int) -> list[tuple[int, int, int]]:
        """The commonest mistakes, as (class, what it was called, how often).

        >>> classify([[0.2, 0.8], [0.1, 0.9], [0.6, 0.4]], [0, 0, 0]).most_confused(3)
        [(0, 1, 2)]
        """
        wrong = self.confusion * (1 - np.eye(len(self.confusion), dtype=int))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = np.stack(np.unravel_index(order, wrong.shape), axis=-1).tolist()
        return [(true, called, int(wrong[true, called])) for true, called in pairs if wrong[true, called]]


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
        self._confusion: np.ndarray | None = None
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
        if self._confusion is None:
            self._confusion = np.zeros((classes, classes), int)
        first = int(self._confusion.sum())
        indices = range(first, first + len(labels)) if indices is None else indices
        called = scores.argmax(axis=1)
        np.add.at(self._confusion, (labels, called), 1)
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
        if self._confusion is None or not self._confusion.sum():
            raise ValueError("no image was classified")
        loss = None if self._loss is None else self._loss / int(self._confusion.sum())
        return Classification(self._confusion, loss, tuple(mistake for _, mistake in self._worst))


def classify(scores: Any, labels: Any) -> Classification:
    """What a classifier said of labelled images, from its scores (N, classes) for all of them.

    >>> found = classify([[0.75, 0.25], [0.5, 0.5]], [0, 1])
    >>> found.accuracy, found.confusion.tolist(), found.worst[0].index
    (0.5, [[1, 0], [1, 0]], 1)
    """
    tally = Tally()
    tally.add(scores, labels)
    return tally.result
