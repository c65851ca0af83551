"""How much of a layer's output is exactly zero, and which of its channels say nothing at all.

A channel that is zero on one image may speak on the next; one that is zero on all images of a set is dead
as far as the set can tell. What is small but not zero counts as alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network import Network


@dataclass(frozen=True)
class Sparsity:
    """Zeros in an activation.

    Parameters
    ----------
    values, zeros
        How many numbers there are, and how many of them are 0.
    channels, silent
        How many channels there are, and the numbers of those that are 0 everywhere.
    """

    values: int
    zeros: int
    channels: int
    silent: tuple[int, ...]

    @property
    def share(self) -> float:
        """The zeros' share, 0 to 1."""
        return self.zeros / self.values


def zeros_in(values: Any) -> Sparsity:
    """Count the zeros of an activation.

    Parameters
    ----------
    values
        (..., C) and not empty: of one image or of many. A channel that is silent over many images
        is a candidate for a dead one.

    Raises
    ------
    ValueError
        if there are no values.

    Examples
    --------
    >>> zeros_in([[0.0, 1.0], [0.0, 0.0]])
    Sparsity(values=4, zeros=3, channels=2, silent=(0,))
    """
    values = np.asarray(values)
    if values.ndim < 1 or not values.size:
        raise ValueError(f"values must be (..., C) and not empty, got shape {values.shape}")
    return _sparsity(values.size, _zeros(values))


def sparsity_over(
    net: Network,
    x: Any,
    layers: Iterable[str],
    *,
    batch_size: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Sparsity]:
    """Zeros and silent channels of some layers over many images.

    Parameters
    ----------
    net, x
        A network and images (N, ...), as `Network.run` takes them.
    layers
        Names of the layers whose outputs are counted.
    batch_size
        Images at a time, all of whose activations are in memory, and between two reports of progress.
    progress
        Called as progress(images done, images).

    Returns
    -------
    dict of Sparsity
        By layer, in the order given.

    Raises
    ------
    ValueError
        if there are no images.
    KeyError
        if there is no such layer.

    Examples
    --------
    >>> import cnnviz
    >>> images = cnnviz.load_mnist()[1][0][:3]
    >>> sparsity_over(cnnviz.load_model("mnist_maxpool"), images, ["conv2d"])["conv2d"].values
    32448
    """
    names = [net[name].name for name in layers]
    if not len(x):
        raise ValueError("x must hold at least one image, got none")
    zeros: dict[str, np.ndarray] = {}
    values = dict.fromkeys(names, 0)
    for first in range(0, len(x), batch_size):
        part = x[first : first + batch_size]
        run = net.run(part)
        for name in names:
            zeros[name] = zeros.get(name, 0) + _zeros(run[name])
            values[name] += run[name].size
        if progress is not None:
            progress(first + len(part), len(x))
    return {name: _sparsity(values[name], zeros[name]) for name in names}


def _zeros(values: np.ndarray) -> np.ndarray:
    """How many zeros each channel has."""
    return np.count_nonzero(values.reshape(-1, values.shape[-1]) == 0, axis=0)


def _sparsity(values: int, zeros: np.ndarray) -> Sparsity:
    silent = np.flatnonzero(zeros * len(zeros) == values)
    return Sparsity(values, int(zeros.sum()), len(zeros), tuple(int(c) for c in silent))
