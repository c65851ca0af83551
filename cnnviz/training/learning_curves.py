"""Accuracy and loss after every epoch of the recorded runs, each accuracy with its standard error.

A run's own figures are taken while its weights change; those of bundled predictions, afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cnnviz.network.evaluation import standard_error
from cnnviz.numbers import number, percent
from cnnviz.training.epoch_predictions import read_predictions
from cnnviz.training.history import TrainingHistory, read_history

MEASURES = ("accuracy", "loss")


@dataclass(frozen=True)
class LearningCurve:
    """One measure of a run over its epochs.

    Parameters
    ----------
    name
        Which images it was taken of.
    values
        By epoch, 0 is before training; None where it was not taken.
    images
        How many there are.
    seen
        Whether they are trained on.
    measure
        One of `MEASURES`; the loss is a mean in nats.
    """

    name: str
    values: tuple[float | None, ...]
    images: int
    seen: bool
    measure: str = "accuracy"

    def error(self, epoch: int) -> float | None:
        """The standard error of an accuracy; None for a loss, and where nothing was measured.

        None too where all or none were right: what is left of chance then, the share does not say.

        >>> LearningCurve("test images", (0.1, 0.5, 1.0), 100, False).error(1)
        0.05
        """
        value = self.values[epoch]
        if value is None or self.measure != "accuracy" or value in (0, 1):
            return None
        return standard_error(value, self.images)

    def text(self, epoch: int) -> str:
        """The number after an epoch, with its standard error where it has one.

        >>> LearningCurve("test images", (None, 0.5), 100, False).text(1)
        '50.00 % ± 5.00'
        """
        value, error = self.values[epoch], self.error(epoch)
        if value is None:
            return "not measured"
        if self.measure == "loss":
            return number(value)
        return percent(value) if error is None else f"{percent(value)} ± {100 * error:.2f}"

    def best(self) -> int:
        """The first epoch with the highest accuracy, or the lowest loss."""
        measured = [value for value in self.values if value is not None]
        return self.values.index((max if self.measure == "accuracy" else min)(measured))


def error_of_difference(one: LearningCurve, other: LearningCurve, epoch: int) -> float:
    """The standard error of the difference of two accuracies, as if each had images of its own.

    >>> curve = LearningCurve("test images", (0.5,), 100, False)
    >>> round(error_of_difference(curve, curve, 0), 4)
    0.0707
    """
    return math.hypot(one.error(epoch) or 0.0, other.error(epoch) or 0.0)


def learning_curves(runs: Sequence[str], measure: str = "accuracy") -> list[LearningCurve]:
    """What was measured over the epochs of some recorded runs.

    Parameters
    ----------
    runs
        Names that their files begin with. Of one run the curves of images that are trained on and of others
        that are not; of several only the latter, by their seeds.
    measure
        One of `MEASURES`.

    Raises
    ------
    ValueError
        if a run is not there, or of several one held no images out.

    Examples
    --------
    >>> [curve.name for curve in learning_curves(["mnist_14k"])]
    ['training images', 'test images']
    >>> learning_curves(["mnist_maxpool.by_heart"], "loss")[1].best()
    5
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    if len(runs) > 1:
        return [
            _recorded(run, f"val_{measure}", f"seed {run.seed}", run.validation_images, measure)
            for run in map(_history, runs)
        ]
    predictions = read_predictions(runs[0])
    if predictions is not None:
        figures = predictions.accuracies if measure == "accuracy" else predictions.losses
        counts = {"training": predictions.training_images, "test": len(predictions.labels)}
        return [
            LearningCurve(
                f"{name} images", tuple(figures[name].tolist()), counts[name], name == "training", measure
            )
            for name in counts
        ]
    run = _history(runs[0])
    curves = [_recorded(run, measure, "training images", run.images, measure, seen=True)]
    if run.validation_images:
        curves.append(_recorded(run, f"val_{measure}", "validation images", run.validation_images, measure))
    return curves


def _history(name: str) -> TrainingHistory:
    run = read_history(name)
    if run is None:
        raise ValueError(f"there is no record of a run {name!r}")
    return run


def _recorded(
    run: TrainingHistory, row: str, name: str, images: int, measure: str, *, seen: bool = False
) -> LearningCurve:
    values = run.series(row)
    if not values:
        raise ValueError(f"{run.model} has no {row} of every epoch")
    return LearningCurve(name, (None, *values), images, seen, measure)
