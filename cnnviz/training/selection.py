"""The runs that chose between a model's recipes: each recipe's validation accuracy over its seeds.

Read from the histories that `cnnviz train --validate` wrote. One figure tells little: two networks that are
equally good differ by about `standard_error`, so a recipe is judged by the mean over seeds.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from cnnviz.training.history import TrainingHistory, selection_runs
from cnnviz.training.recipes import RECIPES, Recipe


@dataclass(frozen=True)
class Selection:
    """A recipe, and the complete runs of it that held the validation images out, by their seeds."""

    name: str
    runs: tuple[TrainingHistory, ...]

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs if run.seed is not None]

    @property
    def accuracies(self) -> np.ndarray:
        """Validation accuracy after the last epoch, by run."""
        return np.array([run.rows[-1]["val_accuracy"] for run in self.runs])

    @property
    def losses(self) -> np.ndarray:
        """Validation loss after the last epoch, by run."""
        return np.array([run.rows[-1]["val_loss"] for run in self.runs])

    @property
    def spread(self) -> float:
        """The standard deviation of the accuracy over the seeds, estimated from these; NaN of one run."""
        return float(self.accuracies.std(ddof=1)) if len(self.runs) > 1 else math.nan


def read_selections(model: str, folder: str | os.PathLike[str] | None = None) -> list[Selection]:
    """The selection runs of a model that are kept, by recipe, in the order of `RECIPES`.

    Parameters
    ----------
    model
        The name that the files begin with, `<model>.<any name>.selection.history.json`.
    folder
        Where they lie; None is among the bundled files.

    Raises
    ------
    ValueError
        if a file is no history of a training run.

    Examples
    --------
    >>> best = read_selections("mnist_14k")[0]
    >>> best.name, best.runs[0].images, best.runs[0].validation_images
    ('best', 55000, 5000)
    """
    runs: dict[str, list[TrainingHistory]] = {}
    for run in selection_runs(model, folder):
        recipe = Recipe.of(run.recipe)
        for name, known in RECIPES.get(model, {}).items():
            if recipe == known and run.epochs == known.epochs:
                runs.setdefault(name, []).append(run)
    return [
        Selection(name, tuple(sorted(runs[name], key=lambda run: run.seed or 0)))
        for name in RECIPES.get(model, {})
        if name in runs
    ]


def standard_error(accuracy: float, images: int) -> float:
    """By how much the accuracies of two equally good networks differ, each on so many images of its own.

    >>> round(standard_error(0.9952, 10_000), 5)
    0.00098
    """
    return math.sqrt(2 * accuracy * (1 - accuracy) / images)
