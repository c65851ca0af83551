"""Two images added, each times a number: what a convolution makes of the sum, and of each alone.

Without its bias a convolution is linear, so both ways give the same map, but for rounding; with its bias, or
behind a ReLU, they do not. After Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 9.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.rectifiers import relu
from cnnviz.verification.convolution_rounding import accumulated, conv2d_bound


@dataclass(frozen=True, eq=False)
class Superposition:
    """One map of a weighted sum of two images, and the same weighted sum of their two maps.

    Parameters
    ----------
    of_sum, sum_of
        The map of that sum, and the sum of the maps (H', W').
    limit
        What rounding can make of their difference at most, were the convolution linear (H', W').
    """

    of_sum: np.ndarray
    sum_of: np.ndarray
    limit: np.ndarray

    @cached_property
    def difference(self) -> np.ndarray:
        """The map of the sum minus the sum of the maps."""
        return self.of_sum - self.sum_of

    @property
    def same(self) -> bool:
        """Whether the two are the same, but for what rounding can explain."""
        return bool((np.abs(self.difference) <= self.limit).all())


def superposition(
    layer: Layer,
    channel: int,
    first: Any,
    second: Any,
    factors: tuple[float, float] = (1.0, 1.0),
    *,
    bias: bool = False,
    rectified: bool = False,
) -> Superposition:
    """What one kernel of a convolution makes of a*first + b*second, and a and b times what it makes of each.

    Parameters
    ----------
    layer, channel
        A convolution that reads one channel, and which of its kernels.
    first, second
        Images (H, W), float32.
    factors
        a and b.
    bias, rectified
        Whether the kernel's bias is added, and whether a ReLU follows.

    Raises
    ------
    ValueError
        for a layer that reads more channels.

    Examples
    --------
    >>> import cnnviz
    >>> layer = cnnviz.load_model("mnist_14k")["conv2d"]
    >>> one, two = cnnviz.load_mnist()[1][0][:2] / np.float32(255)
    >>> superposition(layer, 3, one, two).same, superposition(layer, 3, one, two, rectified=True).same
    (True, False)
    """
    kernel = layer.weights["kernel"][:, :, :, channel : channel + 1]
    if kernel.shape[2] != 1:
        raise ValueError(f"layer must read one channel, {layer.name} reads {kernel.shape[2]}")
    added = layer.weights["bias"][channel : channel + 1] if bias and "bias" in layer.weights else None
    options = {name: layer.config[name] for name in ("strides", "padding", "dilation_rate")}
    images = [np.asarray(each, np.float32) for each in (first, second)]
    weights = [np.float32(each) for each in factors]

    def answer(image: np.ndarray) -> np.ndarray:
        y = conv2d(image, kernel, added, **options)
        return relu(y) if rectified else y

    image = weights[0] * images[0] + weights[1] * images[1]
    maps = [answer(each) for each in images]
    # Each of the three maps is off by its own bound; adding twice takes two more roundings on either side.
    bounds = [conv2d_bound(each, kernel, added, **options) for each in images]
    roundings = bounds[0].roundings + 4
    one, two = (abs(float(w)) * bound.magnitude for w, bound in zip(weights, bounds, strict=True))
    limit = 2 * accumulated(roundings, np.float32) * (one + two)
    return Superposition(answer(image), weights[0] * maps[0] + weights[1] * maps[1], limit)
