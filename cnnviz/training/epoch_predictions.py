"""What a network says of every test image after every epoch of its training, and how well it does.

Computed by the NumPy engine from the weights that `history` reads, without dropout and on
images left as they are; kept in `<model>.predictions.npz`, tied to those weights by their checksum.
Nothing here chooses an epoch: the bundled weights are the last one's.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network
from cnnviz.network.evaluation import evaluate, probabilities
from cnnviz.resources import asset, write_atomically
from cnnviz.training.history import TrainingHistory

TRAINING_IMAGES = 10_000
"""Training images that are evaluated beside the test images, the first of the set."""


@dataclass(frozen=True)
class Flip:
    """An image whose prediction changed sides between two epochs."""

    index: int
    label: int
    before: int
    after: int

    @property
    def gained(self) -> bool:
        """Whether it was wrong and is right now."""
        return self.after == self.label


@dataclass(frozen=True, eq=False)
class EpochPredictions:
    """Predictions and figures after every epoch; entry 0 is before training.

    Parameters
    ----------
    model
        The network's name.
    labels
        (N,) uint8: what the test images are.
    predictions
        (epochs + 1, N) uint8: what the network says.
    losses
        "test" and "training": mean cross-entropy in nats (epochs + 1,).
    accuracies
        The same for the share of images that are classified right.
    training_images
        How many training images "training" is about.
    """

    model: str
    labels: np.ndarray
    predictions: np.ndarray
    losses: dict[str, np.ndarray]
    accuracies: dict[str, np.ndarray]
    training_images: int

    @property
    def epochs(self) -> int:
        return len(self.predictions) - 1

    @property
    def right(self) -> np.ndarray:
        """(epochs + 1, N) bool: which test images are classified right."""
        return self.predictions == self.labels

    def flips(self, epoch: int) -> list[Flip]:
        """The test images that went from wrong to right or back in an epoch, by their index.

        Parameters
        ----------
        epoch
            From 1; it is compared with the one before it.

        Raises
        ------
        ValueError
            if there is no such epoch, or none before it.

        Examples
        --------
        >>> flips = read_predictions("mnist_14k").flips(40)
        >>> [(flip.index, flip.label, flip.before, flip.after) for flip in flips if flip.gained]
        [(4823, 9, 4, 9)]
        """
        if not 1 <= epoch <= self.epochs:
            raise ValueError(f"epoch must be from 1 to {self.epochs}, got {epoch!r}")
        before, after = self.predictions[epoch - 1], self.predictions[epoch]
        changed = (before == self.labels) != (after == self.labels)
        return [
            Flip(int(i), int(self.labels[i]), int(before[i]), int(after[i])) for i in np.flatnonzero(changed)
        ]

    def turns(self) -> np.ndarray:
        """How many test images went from wrong to right, and from right to wrong: (epochs, 2).

        >>> read_predictions("mnist_maxpool").turns().shape
        (20, 2)
        """
        right = self.right
        gained, lost = right[1:] & ~right[:-1], right[:-1] & ~right[1:]
        return np.stack([gained.sum(axis=1), lost.sum(axis=1)], axis=1)

    def gap(self, epoch: int, measure: str = "accuracy") -> float:
        """How much better the network does on images it was trained on: of accuracy, or of loss.

        Both sets are taken as they are, without dropout. Positive is what overfitting looks like.

        Parameters
        ----------
        epoch
            From 0.
        measure
            "accuracy" (training less test) or "loss" (test less training).

        Examples
        --------
        >>> abs(read_predictions("mnist_14k").gap(0)) < 0.05
        True
        """
        if measure not in ("accuracy", "loss"):
            raise ValueError(f'measure must be "accuracy" or "loss", got {measure!r}')
        if not 0 <= epoch <= self.epochs:
            raise ValueError(f"epoch must be from 0 to {self.epochs}, got {epoch!r}")
        if measure == "accuracy":
            return float(self.accuracies["training"][epoch] - self.accuracies["test"][epoch])
        return float(self.losses["test"][epoch] - self.losses["training"][epoch])


def predict_epochs(
    net: Network,
    history: TrainingHistory,
    test: tuple[Any, Any] | None = None,
    training: tuple[Any, Any] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> EpochPredictions:
    """Evaluate a network with the weights it had after each epoch.

    Parameters
    ----------
    net, history
        The network, and the run that trained it, with its weights.
    test, training
        Images as for `Network.predict`, and labels (N,); None is MNIST's test set, and the first
        `TRAINING_IMAGES` of its training set.
    progress
        Called as progress(epochs done, epochs).

    Returns
    -------
    EpochPredictions

    Raises
    ------
    ValueError
        if the weights were not kept, or the network is no classifier.
    """
    if test is None or training is None:
        (x, y), mnist_test = load_mnist()
        test = mnist_test if test is None else test
        training = (x[:TRAINING_IMAGES], y[:TRAINING_IMAGES]) if training is None else training
    images, labels = test[0], np.asarray(test[1])
    count = history.epochs + 1
    predictions = np.empty((count, len(labels)), np.uint8)
    figures = {name: np.empty((2, count)) for name in ("test", "training")}
    for epoch in range(count):
        then = net.with_weights(history.weights_after(epoch))
        found = probabilities(then, images)
        predictions[epoch] = found.argmax(axis=1)
        chosen = found[np.arange(len(labels)), labels].astype(np.float64)
        loss = -np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()
        seen = evaluate(then, *training)
        figures["test"][:, epoch] = loss, (predictions[epoch] == labels).mean()
        figures["training"][:, epoch] = seen.loss, seen.accuracy
        if progress is not None:
            progress(epoch + 1, count)
    return EpochPredictions(
        model=history.model,
        labels=labels.astype(np.uint8),
        predictions=predictions,
        losses={name: numbers[0] for name, numbers in figures.items()},
        accuracies={name: numbers[1] for name, numbers in figures.items()},
        training_images=len(training[1]),
    )


def write_predictions(found: EpochPredictions, folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep predictions as `<model>.predictions.npz` beside the weights they were made with.

    Parameters
    ----------
    found
        Of `predict_epochs`.
    folder
        Where `<model>.epochs.npz` lies; None is among the bundled files.

    Returns
    -------
    pathlib.Path
        The file, which was replaced in one step.
    """
    target = _place(found.model, "predictions", folder)
    arrays = {
        "sha256": np.array(_digest(_place(found.model, "epochs", folder))),
        "labels": found.labels,
        "predictions": found.predictions,
        "training_images": np.array(found.training_images),
        **{f"{name} loss": values for name, values in found.losses.items()},
        **{f"{name} accuracy": values for name, values in found.accuracies.items()},
    }
    write_atomically(target, lambda path: np.savez_compressed(path, **cast(Any, arrays)))
    return target


def read_predictions(model: str, folder: str | os.PathLike[str] | None = None) -> EpochPredictions | None:
    """The predictions after every epoch that were kept; None if there are none of these very weights.

    Parameters
    ----------
    model
        The name that its files begin with.
    folder
        Where they lie; None is among the bundled files.

    Raises
    ------
    ValueError
        if the file is not what `write_predictions` writes.

    Examples
    --------
    >>> found = read_predictions("mnist_14k")
    >>> found.predictions.shape, found.predictions.dtype.name
    ((41, 10000), 'uint8')
    """
    path, weights = _place(model, "predictions", folder), _place(model, "epochs", folder)
    if not path.is_file() or not weights.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if str(archive["sha256"]) != _digest(weights):
                return None
            labels, predictions = archive["labels"], archive["predictions"]
            if predictions.ndim != 2 or predictions.shape[1:] != labels.shape:
                raise ValueError(f"predictions are {predictions.shape}, labels {labels.shape}")
            return EpochPredictions(
                model=model,
                labels=labels,
                predictions=predictions,
                losses={name: archive[f"{name} loss"] for name in ("test", "training")},
                accuracies={name: archive[f"{name} accuracy"] for name in ("test", "training")},
                training_images=int(archive["training_images"]),
            )
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} holds no predictions: {error}") from error


def _place(model: str, kind: str, folder: str | os.PathLike[str] | None) -> Path:
    name = f"{model}.{kind}.npz"
    return asset(name) if folder is None else Path(folder) / name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
