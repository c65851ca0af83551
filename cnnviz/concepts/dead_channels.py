"""How much of a layer's output is exactly zero, and which of its channels say nothing at all.

A channel that is zero on one image may speak on the next; one that is zero on all images of a set is dead
as far as the set can tell. One that hardly ever is other than zero is as good as dead: next to no gradient
reaches its weights. What is small but not zero counts as alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network import Network

SCARCE = 1e-4
"""A channel of which less than this share of its numbers is not 0 is as good as dead."""


@dataclass(frozen=True)
class Sparsity:
    """Zeros in an activation.

    Parameters
    ----------
    values
        How many numbers there are.
    active
        How many of each channel's numbers are not 0.
    """

    values: int
    active: tuple[int, ...]

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return len(self.active)

    @property
    def zeros(self) -> int:
        """How many numbers are 0."""
        return self.values - sum(self.active)

    @property
    def share(self) -> float:
        """The zeros' share, 0 to 1."""
        return self.zeros / self.values

    @property
    def each(self) -> int:
        """How many numbers a channel has."""
        return self.values // len(self.active)

    @property
    def silent(self) -> tuple[int, ...]:
        """The channels that are 0 everywhere."""
        return tuple(c for c, active in enumerate(self.active) if not active)

    @property
    def scarce(self) -> tuple[int, ...]:
        """The channels that are hardly ever other than 0, and not always 0: see `SCARCE`."""
        return tuple(c for c, active in enumerate(self.active) if 0 < active < SCARCE * self.each)


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
    >>> found = zeros_in([[0.0, 1.0], [0.0, 0.0]])
    >>> found.zeros, found.active, found.silent
    (3, (0, 1), (0,))
    """
    values = np.asarray(values)
    if values.ndim < 1 or not values.size:
        raise ValueError(f"values must be (..., C) and not empty, got shape {values.shape}")
    return _sparsity(values.size, _active(values))


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
    active: dict[str, np.ndarray] = {}
    values = dict.fromkeys(names, 0)
    for first in range(0, len(x), batch_size):
        part = x[first : first + batch_size]
        run = net.run(part)
        for name in names:
            active[name] = active.get(name, 0) + _active(run[name])
            values[name] += run[name].size
        if progress is not None:
            progress(first + len(part), len(x))
    return {name: _sparsity(values[name], active[name]) for name in names}


def silence(net: Network, channels: Mapping[str, Iterable[int]]) -> Network:
    """The network with the kernels and biases of some channels set to 0, so that they say nothing.

    Parameters
    ----------
    net
        The network.
    channels
        By layer, which must have a kernel, the channels of its output. What its activation makes of 0 is
        what the channels hold then.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        for a layer without a kernel.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> silence(load_model("mnist_14k"), {"conv2d": [13]})["conv2d"].weights["kernel"][..., 13].any()
    np.False_
    """
    weights = {}
    for name, silenced in channels.items():
        layer = net[name]
        if "kernel" not in layer.weights:
            raise ValueError(f"layer must have a kernel, got {layer}")
        for part in ("kernel", "bias"):
            if part in layer.weights:
                weights[f"{layer.name}/{part}"] = layer.weights[part].copy()
                weights[f"{layer.name}/{part}"][..., list(silenced)] = 0
    return net.with_weights(weights)


def _active(values: np.ndarray) -> np.ndarray:
    """How many numbers of each channel are not zero."""
    return np.count_nonzero(values.reshape(-1, values.shape[-1]), axis=0)


def _sparsity(values: int, active: np.ndarray) -> Sparsity:
    return Sparsity(values, tuple(int(count) for count in active))
