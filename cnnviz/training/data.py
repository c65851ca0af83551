"""The images that networks are trained on, and the split on which their recipes were chosen."""

from __future__ import annotations

import os

import numpy as np

from cnnviz.images.mnist import DataError, load_mnist
from cnnviz.resources import read_arrays, stated_arrays

VALIDATION_IMAGES = 5_000
SPLIT_SEED = 2026
"""Seed of the one fixed 55,000/5,000 split on which every choice of the recipes was made."""


def split(images: np.ndarray, labels: np.ndarray):
    """The fixed split of the training set: (55,000 to train on), (5,000 to choose on)."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    kept, held_out = order[:-VALIDATION_IMAGES], order[-VALIDATION_IMAGES:]
    return (images[kept], labels[kept]), (images[held_out], labels[held_out])


def read_data(path: str | os.PathLike[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Training images and labels: MNIST's, or those of a file in the layout of Keras's mnist.npz.

    Parameters
    ----------
    path
        An npz file with x_train, uint8 (N, 28, 28), and y_train, integers 0..9 (N,); None is MNIST.

    Raises
    ------
    DataError
        (a ValueError) if the file is missing, damaged, or laid out otherwise.
    """
    if path is None:
        return load_mnist()[0]
    try:
        stated = stated_arrays(path)
        x, y = stated["x_train"], stated["y_train"]
        if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or not x.shape[0]:
            raise DataError(f"x_train must be uint8 (N, 28, 28), got {x.dtype} {x.shape}")
        if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
            raise DataError(f"y_train must be {x.shape[0]} integers, got {y.dtype} {y.shape}")
        images, labels = read_arrays(path, ("x_train", "y_train")).values()
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from None
    except (ValueError, KeyError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{os.fspath(path)} is not an npz file with x_train and y_train: {reason}") from None
    if labels.min() < 0 or labels.max() > 9:
        raise DataError(f"y_train must be digits 0..9, got {labels.min()} to {labels.max()}")
    return images, labels
