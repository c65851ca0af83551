"""What a network says of every test image after every epoch of its training, and how well it does.

Computed by the NumPy engine from the weights that `history` reads, without dropout and on images left as
they are; kept in `<model>.predictions.npz`, tied to those weights by their checksum.
Nothing here chooses an epoch: the bundled weights are the last one's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network
from cnnviz.network.evaluation import evaluate, probabilities
from cnnviz.resources import checksum, read_arrays, write_arrays
from cnnviz.training.history import TrainingHistory
from cnnviz.training.run_files import RunFiles

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

    def gap(self, epoch: int) -> float:
        """How much higher the accuracy is on images that the network was trained on: training less test.

        Both sets are taken as they are, without dropout. Positive is what overfitting looks like.

        Parameters
        ----------
        epoch
            From 0.

        Examples
        --------
        >>> abs(read_predictions("mnist_14k").gap(0)) < 0.05
        True
        """
        if not 0 <= epoch <= self.epochs:
            raise ValueError(f"epoch must be from 0 to {self.epochs}, got {epoch!r}")
        return float(self.accuracies["training"][epoch] - self.accuracies["test"][epoch])


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
        shares = probabilities(then, images)
        predictions[epoch] = shares.argmax(axis=1)
        of_label = shares[np.arange(len(labels)), labels].astype(np.float64)
        loss = -np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean()
        on_training = evaluate(then, *training)
        figures["test"][:, epoch] = loss, (predictions[epoch] == labels).mean()
        figures["training"][:, epoch] = on_training.loss, on_training.accuracy
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


def shares_over_epochs(net: Network, history: TrainingHistory, image: Any) -> np.ndarray:
    """What a network says of one image with the weights after each epoch that they were kept of.

    Parameters
    ----------
    net, history
        The network, and a run that trained it, with its weights.
    image
        As `Network.predict` takes it.

    Returns
    -------
    numpy.ndarray
        (epochs kept, classes), probabilities, by `history.kept`.

    Raises
    ------
    ValueError
        if the weights were not kept.
    """
    kept = range(history.epochs + 1) if history.kept is None else history.kept
    return np.stack([net.with_weights(history.weights_after(epoch)).predict(image)[0] for epoch in kept])


def write_predictions(predictions: EpochPredictions, folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep predictions as `<model>.predictions.npz` beside the weights they were made with.

    Parameters
    ----------
    predictions
        From `predict_epochs`.
    folder
        Where `<model>.epochs.npz` lies; None is among the bundled files.

    Returns
    -------
    pathlib.Path
        The file, which was replaced in one step.
    """
    files = RunFiles(folder, predictions.model)
    arrays = {
        "sha256": np.array(checksum(files.epochs)),
        "labels": predictions.labels,
        "predictions": predictions.predictions,
        "training_images": np.array(predictions.training_images),
        **{f"{name} loss": values for name, values in predictions.losses.items()},
        **{f"{name} accuracy": values for name, values in predictions.accuracies.items()},
    }
    write_arrays(files.predictions, arrays)
    return files.predictions


def read_predictions(model: str, folder: str | os.PathLike[str] | None = None) -> EpochPredictions | None:
    """The predictions after every epoch that were kept; None if none were made with the weights beside them.

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
    files = RunFiles(folder, model)
    path, weights = files.predictions, files.epochs
    if not path.is_file() or not weights.is_file():
        return None
    try:
        arrays = read_arrays(path)
        if str(arrays["sha256"]) != checksum(weights):
            return None
        labels, predictions = arrays["labels"], arrays["predictions"]
        if predictions.ndim != 2 or predictions.shape[1:] != labels.shape:
            raise ValueError(f"predictions are {predictions.shape}, labels {labels.shape}")
        return EpochPredictions(
            model=model,
            labels=labels,
            predictions=predictions,
            losses={name: arrays[f"{name} loss"] for name in ("test", "training")},
            accuracies={name: arrays[f"{name} accuracy"] for name in ("test", "training")},
            training_images=int(arrays["training_images"]),
        )
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no predictions: {error}") from error
