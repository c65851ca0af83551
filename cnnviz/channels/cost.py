"""What convolutions and dense layers cost, and what smaller ones save: parameters and multiply-adds.

Weights and biases are counted, and the products that are summed for one image, padding included.
Activations and additions of biases are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cnnviz.numbers import brief
from cnnviz.ops.padding import LIMIT, pair

MOST_DEPTH = 1000
"""Layers that are counted one by one."""


@dataclass(frozen=True)
class Cost:
    """Weights to store and products to sum; costs add up, and what is saved is a difference of two.

    >>> Cost(10, 100) + Cost(1, 1), Cost(10, 100) - Cost(1, 1)
    (Cost(parameters=11, multiply_adds=101), Cost(parameters=9, multiply_adds=99))
    """

    parameters: int
    multiply_adds: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.parameters - other.parameters, self.multiply_adds - other.multiply_adds)

    def everywhere(self, size: Any) -> Cost:
        """What costs so much at one position, on maps of a size (an int or height and width).

        >>> Cost(170, 160).everywhere(24)
        Cost(parameters=170, multiply_adds=92160)
        """
        return Cost(self.parameters, self.multiply_adds * math.prod(pair(size, "size")))

    def saving(self, other: Cost) -> tuple[float, float]:
        """How many times fewer parameters and multiply-adds this is than the other.

        >>> Cost(10, 100).saving(Cost(90, 450))
        (9.0, 4.5)
        """
        return other.parameters / self.parameters, other.multiply_adds / self.multiply_adds


def conv_cost(
    channels_in: int,
    channels_out: int,
    kernel_size: Any = 1,
    output_size: Any = 1,
    *,
    groups: int = 1,
    bias: bool = True,
) -> Cost:
    """What a convolution costs for one image.

    Parameters
    ----------
    channels_in, channels_out, groups
        Of the layer.
    kernel_size, output_size
        An int or a (height, width) pair, in cells.
    bias
        Whether each output has one. A bias is stored but multiplied with nothing.

    Examples
    --------
    >>> conv_cost(16, 10, 1, 24)
    Cost(parameters=170, multiply_adds=92160)
    """
    for name, count in (("channels_in", channels_in), ("channels_out", channels_out)):
        _check_count(count, name)
    if groups < 1 or channels_in % groups or channels_out % groups:
        raise ValueError(
            f"groups must divide the channels {channels_in} and {channels_out}, got groups={brief(groups)}"
        )
    weights = math.prod(pair(kernel_size, "kernel_size")) * (channels_in // groups) * channels_out
    positions = math.prod(pair(output_size, "output_size"))
    return Cost(weights + channels_out * bias, weights * positions)


def dense_cost(inputs: int, outputs: int, *, bias: bool = True) -> Cost:
    """What a dense layer costs, which has a weight of its own for every pair.

    >>> dense_cost(784, 10)
    Cost(parameters=7850, multiply_adds=7840)
    """
    for name, count in (("inputs", inputs), ("outputs", outputs)):
        _check_count(count, name)
    return Cost(inputs * outputs + outputs * bias, inputs * outputs)


def _check_count(value: int, name: str) -> None:
    if not 0 <= value < LIMIT:
        raise ValueError(f"{name} must be from 0 to below 2**31, got {brief(value)}")


@dataclass(frozen=True)
class Comparison:
    """Two ways to compute a layer of the same shape, and how many times as much the first costs."""

    direct: Cost
    steps: tuple[Cost, ...]

    @property
    def other(self) -> Cost:
        """The second way, all its steps together."""
        return sum(self.steps[1:], self.steps[0])

    @property
    def saving(self) -> tuple[float, float]:
        """How many times fewer parameters and multiply-adds the second way has."""
        return self.other.saving(self.direct)


def bottleneck(
    channels: int,
    middle: int,
    size: Any = 1,
    *,
    channels_out: int | None = None,
    kernel_size: Any = 3,
    bias: bool = True,
) -> Comparison:
    """A direct convolution against 1x1 down, the convolution on few channels, 1x1 up ('same' padding).

    Parameters
    ----------
    channels, middle, channels_out
        Channels in, between the two 1x1 convolutions, and out (None: as many as in).
    size
        Of the maps, an int or (height, width).
    kernel_size
        Of the convolution in the middle.
    bias
        Whether the layers have biases.

    Returns
    -------
    Comparison
        Its steps are the three layers of the bottleneck.

    Examples
    --------
    >>> bottleneck(256, 64, 14, bias=False).saving
    (8.470588235294118, 8.470588235294118)

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, figure 5.
    """
    out = channels if channels_out is None else channels_out
    return Comparison(
        conv_cost(channels, out, kernel_size, size, bias=bias),
        (
            conv_cost(channels, middle, 1, size, bias=bias),
            conv_cost(middle, middle, kernel_size, size, bias=bias),
            conv_cost(middle, out, 1, size, bias=bias),
        ),
    )


def stack_of_3x3(depth: int, channels: int, size: Any = 1, *, bias: bool = True) -> Comparison:
    """One convolution with a (2*depth + 1) kernel against `depth` stacked 3x3 ones that see as far.

    Parameters
    ----------
    depth
        Layers in the stack, at least 1.
    channels
        In and out of every layer.
    size
        Of the maps ('same' padding), an int or (height, width).
    bias
        Whether the layers have biases.

    Returns
    -------
    Comparison
        Its steps are the layers of the stack.

    Examples
    --------
    >>> stack_of_3x3(3, 1, bias=False).saving[0] == 49 / 27
    True

    Source: Simonyan and Zisserman, "Very deep convolutional networks", ICLR 2015, section 2.3.
    """
    if not 1 <= depth <= MOST_DEPTH:
        raise ValueError(f"depth must be at least 1 and at most {MOST_DEPTH}, got {brief(depth)}")
    return Comparison(
        conv_cost(channels, channels, 2 * depth + 1, size, bias=bias),
        (conv_cost(channels, channels, 3, size, bias=bias),) * depth,
    )
