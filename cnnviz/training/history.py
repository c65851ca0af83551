"""What a training run left behind: its history, and the weights after every epoch.

Reads the files that `cnnviz.training.train` writes; needs no TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.resources import asset, read_arrays
from cnnviz.training.recipes import Recipe
from cnnviz.training.run_files import KEPT, RunFiles


@dataclass(frozen=True, eq=False)
class TrainingHistory:
    """One training run.

    Parameters
    ----------
    model
        Its name.
    images, batch_size
        Images in the training set, and in a batch.
    rows
        One mapping an epoch: "loss", "accuracy", "learning_rate", and "val_loss" and "val_accuracy"
        where there was validation.
    weights
        By "layer/weight", (len(kept), ...). None if they were not kept.
    validation_images
        Images that were held out of the training set and looked at after each epoch.
    recipe
        What decided the run, by the names of `training.Recipe`.
    kept
        The epochs whose weights there are; 0 is before training. None is all of them.
    seed
        Of all that was random, if it is told.
    """

    model: str
    images: int
    batch_size: int
    rows: tuple[Mapping[str, float], ...]
    weights: Mapping[str, np.ndarray] | None = None
    validation_images: int = 0
    recipe: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[int, ...] | None = None
    seed: int | None = None

    @property
    def epochs(self) -> int:
        return len(self.rows)

    @property
    def batches(self) -> float:
        """Images over batch size: the steps of an epoch before they are rounded up."""
        return self.images / self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return Recipe(batch_size=self.batch_size).steps(self.images)

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.epochs * self.steps_per_epoch

    def steps_after(self, epoch: int) -> int:
        """How often the weights have changed by the end of an epoch; 0 is before training."""
        return epoch * self.steps_per_epoch

    def with_batch_size(self, batch_size: int) -> TrainingHistory:
        """The same images and epochs in batches of another size; what was measured is left out.

        >>> history = read_history("mnist_14k").with_batch_size(1000)
        >>> history.steps_per_epoch, history.steps
        (60, 2400)
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
        return replace(self, batch_size=batch_size, rows=tuple({} for _ in self.rows), weights=None)

    @property
    def last_batch(self) -> int:
        """Images in an epoch's last batch."""
        return self.images - (self.steps_per_epoch - 1) * self.batch_size

    def gap(self, epoch: int) -> float:
        """Training less validation accuracy in an epoch, as they were recorded.

        Training accuracy is taken while the weights change, on distorted images and with dropout, so
        this is often negative.

        Raises
        ------
        ValueError
            if nothing was held out, or there is no such epoch.
        """
        if not 1 <= epoch <= self.epochs:
            raise ValueError(f"epoch must be from 1 to {self.epochs}, got {epoch!r}")
        row = self.rows[epoch - 1]
        if "val_accuracy" not in row:
            raise ValueError(f"no images were held out of the training of {self.model}")
        return row["accuracy"] - row["val_accuracy"]

    def series(self, name: str) -> list[float]:
        """One measure over the epochs; empty if it was not taken in all of them."""
        values = [row[name] for row in self.rows if name in row]
        return values if len(values) == self.epochs else []

    def around(self, epoch: int) -> list[int]:
        """Epochs to show beside one: the start, the first ones where most happens, it, and the end.

        >>> read_history("mnist_14k").around(7)
        [0, 1, 2, 5, 7, 15, 40]
        """
        there = range(self.epochs + 1) if self.kept is None else self.kept
        return sorted({0, 1, 2, 5, 15, epoch, self.epochs} & set(there))

    def weights_after(self, epoch: int) -> dict[str, np.ndarray]:
        """All weights after an epoch, for `Network.with_weights`; 0 is before training.

        Raises
        ------
        ValueError
            if they were not kept, or there is no such epoch.
        """
        if self.weights is None:
            raise ValueError(f"the weights of {self.model} after each epoch were not kept")
        if not 0 <= epoch <= self.epochs:
            raise ValueError(f"epoch must be from 0 to {self.epochs}, got {epoch!r}")
        if self.kept is not None and epoch not in self.kept:
            raise ValueError(f"epoch must be one of {', '.join(map(str, self.kept))}, got {epoch!r}")
        place = epoch if self.kept is None else self.kept.index(epoch)
        return {name: array[place] for name, array in self.weights.items()}


def read_history(model: str, folder: str | os.PathLike[str] | None = None) -> TrainingHistory | None:
    """The training history of a model; None if there is none.

    Parameters
    ----------
    model
        The name that its files begin with.
    folder
        Where `<model>.history.json` and `<model>.epochs.npz` lie; None is among the bundled files.

    Raises
    ------
    ValueError
        if a file is not what `cnnviz.training.train` writes. Of a run that was killed while it wrote, what
        the history tells counts: weights of an epoch that it lacks are left out.

    Examples
    --------
    >>> history = read_history("mnist_14k")
    >>> history.images, history.batch_size, history.steps_per_epoch
    (60000, 128, 469)
    """
    files = RunFiles(folder, model)
    if not os.path.isfile(files.history):  # Where a name is too long for one, too.
        return None
    try:
        data = files.record()
        rows = tuple(data["epochs"])
        if not isinstance(data["recipe"], dict):
            raise ValueError(f"its recipe must be an object, got {data['recipe']!r:.60}")
        if int(data["images"]) < 1 or int(data["recipe"]["batch_size"]) < 1:
            raise ValueError("images and batch_size must be at least 1")
        weights, kept = _weights(files.epochs, len(rows))
        return TrainingHistory(
            model,
            int(data["images"]),
            int(data["recipe"]["batch_size"]),
            rows,
            weights,
            int(data.get("validation_images", 0)),
            data["recipe"],
            kept,
            None if data.get("seed") is None else int(data["seed"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{files.history} is no training history: {reason}") from error


def read_selection(model: str, folder: str | os.PathLike[str] | None = None) -> TrainingHistory | None:
    """The run that chose a model's recipe: the same recipe, with images held out to look at.

    Parameters
    ----------
    model, folder
        As for `read_history`; it is looked for among `<model>.<any name>.selection.history.json`.

    Returns
    -------
    TrainingHistory or None
        None if no such run is kept.

    Examples
    --------
    >>> selection = read_selection("mnist_14k")
    >>> selection.images, selection.validation_images
    (55000, 5000)
    """
    final = read_history(model, folder)
    if final is None:
        return None
    runs = [run for run in selection_runs(model, folder) if _same(run, final)]
    # Of several seeds the one that the final run had.
    return min(runs, key=lambda run: run.seed != final.seed, default=None)


def selection_runs(model: str, folder: str | os.PathLike[str] | None = None) -> list[TrainingHistory]:
    """All runs of a model's recipes that held images out, of `<model>.<any name>.selection.history.json`."""
    place = asset("").resolve() if folder is None else Path(folder)
    ending = ".history.json"
    paths = sorted(place.glob(f"{model}.*.selection{ending}"))
    runs = [read_history(path.name.removesuffix(ending), place) for path in paths]
    return [run for run in runs if run is not None and run.validation_images]


def _same(one: TrainingHistory, other: TrainingHistory) -> bool:
    """Whether two runs had one recipe; a history from before an option was there says nothing of it."""
    return one.recipe == other.recipe or Recipe.of(one.recipe) == Recipe.of(other.recipe)


def _weights(path: Path, epochs: int) -> tuple[dict[str, np.ndarray] | None, tuple[int, ...] | None]:
    """The weights, and the epochs they are of where those are not all."""
    if not path.is_file():
        return None, None
    try:
        weights = read_arrays(path)
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    lengths = {array.shape[:1] for name, array in weights.items() if name != KEPT}
    if KEPT in weights:
        numbers = weights.pop(KEPT)
        kept = tuple(int(epoch) for epoch in numbers.ravel())
        if (
            numbers.dtype.kind not in "iu"
            or list(kept) != sorted({0, *kept, epochs})
            or lengths != {(len(kept),)}
        ):
            raise ValueError(
                f"{path} must name epochs from 0 to {epochs}, and hold a version of every weight for each"
            )
        return weights, kept
    # A run that is killed between the two files leaves the weights one epoch ahead.
    if lengths not in ({(epochs + 1,)}, {(epochs + 2,)}):
        raise ValueError(f"{path} must hold {epochs + 1} versions of every weight")
    return {name: array[: epochs + 1] for name, array in weights.items()}, None
