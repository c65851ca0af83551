"""Trained kernels, each with the named kernel that it is nearest to, in several orders.

A kernel here is what one output channel weighs one input channel with; the sum over input channels is
left to the layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cnnviz.kernels.matching import Match, nearest_named
from cnnviz.network import Network
from cnnviz.numbers import brief
from cnnviz.resources import one_line

ORDERS = ("number", "similarity", "norm")
"""What `sort_trained` sorts by."""


@dataclass(frozen=True, eq=False)
class TrainedKernel:
    """One kernel of a network.

    Parameters
    ----------
    network, layer
        Their names.
    channel
        The input channel that it weighs.
    number
        The output channel that it is part of.
    kernel
        (height, width), as the network keeps it.
    match
        The named kernel it is nearest to; None for a kernel of zeros, or if none has its size.
    """

    network: str
    layer: str
    channel: int
    number: int
    kernel: np.ndarray
    match: Match | None

    @property
    def norm(self) -> float:
        """The root of the sum of the squared weights."""
        return float(np.linalg.norm(self.kernel.astype(np.float64)))

    @property
    def similarity(self) -> float:
        """To the named kernel, 0 to 1; 0 if there is none."""
        return self.match.similarity if self.match else 0.0

    def __repr__(self) -> str:
        return one_line(
            f"<TrainedKernel {self.network} {self.layer} {self.channel} to {self.number}: {self.match}>"
        )


def trained_kernels(network: Network, layer: str | None = None, channel: int = 0) -> list[TrainedKernel]:
    """A layer's kernels for one of its input channels.

    Parameters
    ----------
    network
        Whose.
    layer
        A convolution's name; None is the first one whose kernels are larger than 1x1.
    channel
        The input channel.

    Returns
    -------
    list of TrainedKernel
        By output channel.

    Raises
    ------
    ValueError
        if the layer is no convolution, or has no such input channel.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> len(trained_kernels(load_model("mnist_14k")))
    16
    """
    name = layer if layer is not None else next(iter(layers_with_kernels(network)), "")
    weights = network[name].weights.get("kernel") if name else None
    if weights is None or weights.ndim != 4:
        raise ValueError(f"layer must be a convolution of {network.name}, got {layer!r}")
    if not 0 <= channel < weights.shape[2]:
        raise ValueError(f"channel must be from 0 to {weights.shape[2] - 1} for {name}, got {channel!r}")
    return [
        TrainedKernel(network.name, name, channel, k, kernel, _match(kernel))
        for k, kernel in enumerate(np.moveaxis(weights[:, :, channel], 2, 0))
    ]


def layers_with_kernels(network: Network) -> list[str]:
    """The names of a network's convolutions whose kernels are larger than 1x1.

    >>> from cnnviz import load_model
    >>> layers_with_kernels(load_model("mnist_maxpool"))
    ['conv2d', 'conv2d_1']
    """
    return [
        layer.name for layer in network if layer.is_convolution and max(layer.weights["kernel"].shape[:2]) > 1
    ]


def sort_trained(kernels: Iterable[TrainedKernel], by: str = "similarity") -> list[TrainedKernel]:
    """Kernels, of one network or several, in an order.

    Parameters
    ----------
    kernels
        From `trained_kernels`.
    by
        "number": as they come; "similarity": those most like a named kernel first; "norm": those with
        the largest weights first.

    Raises
    ------
    ValueError, TypeError
        for another order, and for what is no trained kernel.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> found = sort_trained(trained_kernels(load_model("mnist_14k")), "norm")
    >>> found[0].norm >= found[-1].norm
    True
    """
    if by not in ORDERS:
        raise ValueError(f"by must be one of {', '.join(ORDERS)}, got {by!r}")
    kernels = list(kernels)
    for kernel in kernels:
        if not isinstance(kernel, TrainedKernel):
            raise TypeError(f"kernels must be from trained_kernels, got {brief(kernel)} among them")
    if by == "number":
        return kernels
    return sorted(kernels, key=lambda kernel: -(kernel.norm if by == "norm" else kernel.similarity))


def _match(kernel: np.ndarray) -> Match | None:
    try:
        return nearest_named(kernel)
    except ValueError:
        return None
