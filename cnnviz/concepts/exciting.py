"""The images of a set that excite each channel of a network most, and where in them.

How much an image excites a channel is the largest value anywhere in the channel's map. Values and places
are those of `Network.run`. Only the first few images of every channel are kept, with the checksum of the
model's file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.network import Network, Run
from cnnviz.resources import asset, checksum, read_arrays, write_arrays

TOP = 12
"""Images kept for each channel, unless asked otherwise."""
BATCH_BYTES = 2**28
"""The activations of a batch take no more."""


@dataclass(frozen=True)
class Excited:
    """One image that excites a channel: its index, the cell of the map, and the value there."""

    image: int
    row: int
    col: int
    value: float


@dataclass(frozen=True, eq=False)
class Exciting:
    """For every layer with maps, the images that excite each of its channels most.

    Parameters
    ----------
    model
        The network's name.
    images
        How many images were looked at.
    values
        {layer: (C, top) float32}, largest first.
    places
        {layer: (C, top, 3) uint16}: image, row and column.
    """

    model: str
    images: int
    values: Mapping[str, np.ndarray]
    places: Mapping[str, np.ndarray]

    def of(self, layer: str, channel: int) -> list[Excited]:
        """The images that excite a channel, the most exciting first; KeyError, IndexError if there is none.

        >>> read_exciting("mnist_14k").of("conv2d", 0)[0].image < 10_000
        True
        """
        places, values = self.places[layer][channel].tolist(), self.values[layer][channel].tolist()
        return [
            Excited(image, row, col, value) for (image, row, col), value in zip(places, values, strict=True)
        ]


def most_exciting(
    net: Network,
    images: Any,
    *,
    top: int = TOP,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Exciting:
    """Look through images for those that excite each channel most; each image counts once a channel.

    Parameters
    ----------
    net
        A network, some of whose layers have maps.
    images
        (N, H, W) or (N, H, W, C), as `Network.run` takes them, or a sequence whose slices it takes; at most
        65,536.
    top
        How many to keep; fewer where there are fewer images. Of equals the first is kept.
    batch_size
        Images at a time, all of whose activations are in memory; None keeps these below 256 MB.
    progress
        Called as progress(images done, images).

    Returns
    -------
    Exciting
        Of all layers whose output is (H, W, C), except the input.

    Raises
    ------
    ValueError
        if there are no images, or too many, or no layer has maps.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> found = most_exciting(load_model("mnist_maxpool"), load_mnist()[1][0][:5], top=2)
    >>> len(found.of("conv2d", 3))
    2

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, figure 2,
    which shows the strongest activations of a feature map with the image patches that caused them.
    """
    count = len(images)
    if not 1 <= count <= 2**16:
        raise ValueError(f"images must be 1 to {2**16:,}, got {count:,}")
    batch_size = _batch(net, images) if batch_size is None else batch_size
    if top < 1 or batch_size < 1:
        raise ValueError(f"top and batch_size must be positive, got {top!r} and {batch_size!r}")
    names = [layer.name for layer in net if layer.inputs and len(layer.output_shape) == 3]
    if not names:
        raise ValueError(f"{net.name} has no layer with maps, so no channel to excite")
    values: dict[str, np.ndarray] = {}
    places: dict[str, np.ndarray] = {}
    for first in range(0, count, batch_size):
        run = net.run(images[first : first + batch_size])
        for name in names:
            largest, where = _strongest(run, name, first)
            if name in values:
                largest = np.concatenate([values[name], largest], axis=1)
                where = np.concatenate([places[name], where], axis=1)
            order = np.argsort(-largest, axis=1, kind="stable")[:, :top]
            values[name] = np.take_along_axis(largest, order, axis=1)
            places[name] = np.take_along_axis(where, order[..., np.newaxis], axis=1)
        if progress is not None:
            progress(min(first + batch_size, count), count)
    return Exciting(net.name, count, values, places)


def _batch(net: Network, images: Any) -> int:
    """How many images' activations fit into memory, judged by the first's."""
    one = sum(array.nbytes for array in net.run(images[:1]).values())
    return max(1, min(250, BATCH_BYTES // max(one, 1)))


def _strongest(run: Run, layer: str, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Each image's largest value in each channel (C, N), and image, row and column (C, N, 3)."""
    maps = run[layer]
    count, rows, cols, channels = maps.shape
    cells = maps.reshape(count, rows * cols, channels)
    at = cells.argmax(axis=1)
    values = np.take_along_axis(cells, at[:, np.newaxis], axis=1)[:, 0].T
    images = np.broadcast_to(np.arange(first, first + count), (channels, count))
    places = np.stack([images, *np.divmod(at.T, cols)], axis=2)
    return values.astype(np.float32), places.astype(np.uint16)


# The record of the bundled models ------------------------------------------------------------------


def write_exciting(
    record: Exciting, source: str | os.PathLike[str], path: str | os.PathLike[str] | None = None
) -> Path:
    """Write what was found to a file, in one step.

    Parameters
    ----------
    record
        Of `most_exciting`.
    source
        The model's file, whose checksum is kept with it.
    path
        Where to write; None is `<model>.exciting.npz` among the bundled files.

    Returns
    -------
    pathlib.Path
    """
    target = _place(record.model) if path is None else Path(path)
    arrays = {
        "sha256": np.array(checksum(Path(source))),
        "images": np.array(record.images),
        **{f"{name}/values": values for name, values in record.values.items()},
        **{f"{name}/places": places for name, places in record.places.items()},
    }
    write_arrays(target, arrays)
    return target


def read_exciting(
    model: str, source: str | os.PathLike[str] | None = None, path: str | os.PathLike[str] | None = None
) -> Exciting | None:
    """The record of a model; None if there is none, or if it was made with another file than `source`.

    Parameters
    ----------
    model
        The model's name.
    source
        Its file; None is the bundled one of that name.
    path
        Where to read; None is `<model>.exciting.npz` among the bundled files.

    Raises
    ------
    ValueError
        if the file is not what `write_exciting` writes.

    Examples
    --------
    >>> read_exciting("mnist_maxpool").values["conv2d_1"].shape
    (32, 12)
    """
    kept = _place(model) if path is None else Path(path)
    file = asset(f"{model}.keras") if source is None else Path(source)
    if not kept.is_file() or not file.is_file():
        return None
    try:
        arrays = read_arrays(kept)
        if str(arrays["sha256"]) != checksum(file):
            return None
        names = [key.removesuffix("/values") for key in arrays if key.endswith("/values")]
        values = {name: arrays[f"{name}/values"] for name in names}
        places = {name: arrays[f"{name}/places"] for name in names}
        return Exciting(model, int(arrays["images"]), values, places)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{kept.name} is not a record of exciting images: {error}") from error


def _place(model: str) -> Path:
    return asset(f"{model}.exciting.npz")
