"""The images that networks are trained on, and the split on which their recipes were chosen."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import cast

import numpy as np

from cnnviz.images.image_files import ImageError
from cnnviz.images.mnist import DataError, load_mnist
from cnnviz.layers.options import Shape
from cnnviz.network.image_loading import load_images
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.resources import read_arrays, stated_arrays

MOST_BYTES = 4 * 10**9
"""What the images of a training set may take."""

VALIDATION_IMAGES = 5_000
SPLIT_SEED = 2026
"""Seed of the one fixed 55,000/5,000 split on which every choice of the recipes was made."""


def split(images: np.ndarray, labels: np.ndarray):
    """A fixed split of a training set: (what to train on), (what to choose on).

    5,000 images are held out, of fewer than 50,000 a tenth; of MNIST's 55,000 are left.

    Raises ValueError if there are fewer than two images.
    """
    if not images.ndim or labels.shape[:1] != images.shape[:1]:
        raise ValueError(f"labels must be one for each image, got {labels.shape} for images {images.shape}")
    if len(images) < 2:
        raise ValueError(f"at least two images are needed to hold one out, got {len(images)}")
    held = min(VALIDATION_IMAGES, max(1, len(images) // 10))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    kept, held_out = order[:-held], order[-held:]
    return (images[kept], labels[kept]), (images[held_out], labels[held_out])


def read_data(
    path: str | os.PathLike[str] | None = None,
    net: LayerGraph | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    skip: Callable[[str, str], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Training images and labels: MNIST's, those of a file like Keras's mnist.npz, or of a folder.

    Parameters
    ----------
    path
        An npz file with x_train, images as the network takes them, and y_train, integers from 0 (N,); or
        what else `network.image_loading.load_images` reads that says the class of each image, such as a
        folder in which each sub-folder is a class. None is MNIST.
    net
        What is to be trained, with one input; None is for digits: uint8 (N, 28, 28), of ten classes.
    progress
        Called as progress(done, images) while a large folder is looked through and its pictures are read;
        with 0 images while they are still counted.
    skip
        Called as skip(name, why) for each of them that cannot be read, and is left out.

    Raises
    ------
    DataError
        (a ValueError) if the file is missing, damaged, laid out otherwise, or does not fit the network.
    """
    shape, classes = ((28, 28, 1), 10) if net is None else _wanted(net)
    if path is None:
        if shape != (28, 28, 1):
            raise DataError(f"MNIST's digits do not fit an input {shape}: give images of your own")
        images, labels = load_mnist()[0]
    elif os.path.isdir(path) or (net is not None and _holds_other_arrays(path)):
        images, labels = _pictures(path, net, progress, skip)
    else:
        images, labels = _arrays(path, shape)
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"labels must be classes 0..{classes - 1}, got {labels.min()} to {labels.max()}"
            + ("" if path is None else f" in {os.fspath(path)}")
        )
    return images, labels


def _wanted(net: LayerGraph) -> tuple[Shape, int]:
    """The shape of an image, and how many classes there are; an output of one number tells two apart."""
    if len(net.inputs) != 1 or len(net.outputs) != 1:
        raise DataError(
            f"{net.name} has {len(net.inputs)} inputs and {len(net.outputs)} outputs: train it "
            "in Python, with cnnviz.training.Trainer"
        )
    return net.input_shape, max(2, net.output_shape[-1] or 0)


def _holds_other_arrays(path: str | os.PathLike[str]) -> bool:
    """Whether it is a sound .npz file without x_train."""
    try:
        return "x_train" not in stated_arrays(path)
    except (OSError, ValueError):
        return False


def _pictures(
    path: str | os.PathLike[str],
    net: LayerGraph | None,
    progress: Callable[[int, int], None] | None,
    skip: Callable[[str, str], None] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """All images of a folder, for example, in the network's shape and scale."""
    if net is None:
        raise DataError(f"cannot read {os.fspath(path)}: Is a directory")
    try:
        loaded = load_images(path, net, progress=progress)
    except ImageError as error:
        raise DataError(str(error)) from None
    if loaded.source.labels is None:
        raise DataError(
            f"{loaded.source.said}: nothing says which class each image is of: put them into a sub-folder "
            "for each class"
        )
    size = 4 * len(loaded) * math.prod(entry or 0 for entry in loaded.shape)
    if size > MOST_BYTES or None in loaded.shape:
        raise DataError(
            f"the images would take {size / 1e9:.1f} GB; at most {MOST_BYTES / 1e9:.0f} GB are read"
            if size
            else f"{net.name} takes images of any size, {loaded.shape}: give an npz file, of one size"
        )
    images = np.empty((len(loaded), *cast(tuple[int, ...], loaded.shape)), np.float32)
    labels = np.empty(len(loaded), loaded.source.labels.dtype)
    done = 0
    other = len(loaded.skipped)
    try:
        for batch in loaded.batches(32):
            read = slice(done, done + len(batch.images))
            images[read], labels[read] = batch.images, batch.labels
            done = read.stop
            if progress is not None:
                progress(done + len(loaded.skipped) - other, len(loaded))
    except ImageError as error:
        raise DataError(str(error)) from None
    if skip is not None:
        for name, why in loaded.skipped[other:]:
            skip(name, why)
    return images[:done], labels[:done]


def _arrays(path: str | os.PathLike[str], shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """x_train and y_train of an npz file."""
    try:
        stated = stated_arrays(path)
        x, y = stated["x_train"], stated["y_train"]
        forms = [shape, shape[:-1]] if shape[-1:] == (1,) else [shape]
        words = " or ".join(str(("N", *form)).replace("'N'", "N") for form in reversed(forms))
        fits = any(
            len(x.shape) == len(form) + 1
            and all(want in (None, size) for want, size in zip(form, x.shape[1:], strict=True))
            for form in forms
        )
        if x.dtype not in (np.uint8, np.float32) or not fits or not x.shape[0]:
            raise DataError(f"x_train must be uint8 or float32 {words}, got {x.dtype} {x.shape}")
        if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
            raise DataError(f"y_train must be {x.shape[0]} integers, got {y.dtype} {y.shape}")
        images, labels = read_arrays(path, ("x_train", "y_train"), limit=MOST_BYTES).values()
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from None
    except (ValueError, KeyError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{os.fspath(path)} is not an npz file with x_train and y_train: {reason}") from None
    if not np.isfinite([images.min(), images.max()]).all():
        raise DataError("x_train must be finite numbers, got NaN or infinite ones")
    return images, labels
