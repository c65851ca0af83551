"""1x1 convolutions: what they mix, how many of their outputs a network can do without, what they cost.

A 1x1 convolution is a dense layer applied at every position by itself. Reductions are measured on the
activations given, without retraining; costs count weights and the products that are summed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layer import Layer
from cnnviz.ops.affine import dense
from cnnviz.ops.geometry import pair


def mixing_matrix(kernel: Any) -> np.ndarray:
    """The matrix of a 1x1 convolution: one row for each input channel, one column for each output.

    Parameters
    ----------
    kernel
        (1, 1, C_in, C_out), as Keras keeps it.

    Returns
    -------
    array (C_in, C_out)
        A view of the kernel, its dtype kept.

    Raises
    ------
    ValueError
        if the kernel is not 1x1.

    Examples
    --------
    >>> mixing_matrix(np.ones((1, 1, 16, 10))).shape
    (16, 10)

    Source: Lin, Chen and Yan, "Network in Network", ICLR 2014.
    """
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or kernel.shape[:2] != (1, 1):
        raise ValueError(f"kernel must be (1, 1, channels in, channels out), got shape {kernel.shape}")
    return kernel[0, 0]


def mix(x: Any, matrix: Any, bias: Any = None) -> np.ndarray:
    """What a 1x1 convolution computes: the channels of every position times one matrix.

    Parameters
    ----------
    x
        (..., C_in): one position's channels, a map, or a batch of maps.
    matrix
        (C_in, C_out).
    bias
        (C_out,) or None.

    Returns
    -------
    array (..., C_out)
        `ops.dense(x, matrix, bias)`, and equal to `ops.conv2d` with the 1x1 kernel up to rounding.

    Examples
    --------
    >>> mix([1.0, 2.0], [[1.0, 0.0], [3.0, 1.0]])
    array([7., 2.])
    """
    return dense(x, matrix, bias)


@dataclass(frozen=True, eq=False)
class Reduction:
    """A mixing matrix of which only a part is kept, and what that costs and spoils.

    Parameters
    ----------
    by
        "outputs" or "singular".
    k
        How many of them are kept.
    kept
        Indices of the outputs kept, largest first; the first k singular directions.
    matrix
        (C_in, C_out) of rank k at most, to be used in the old one's place.
    bias
        (C_out,) to go with it; 0 where the output is dropped.
    error
        Root of the mean squared error of the outputs over that of the outputs themselves, 0 to 1.
    cost
        What is to be stored and computed at one position.
    """

    by: str
    k: int
    kept: tuple[int, ...]
    matrix: np.ndarray
    bias: np.ndarray
    error: float
    cost: Cost


def reduce_mixing(x: Any, matrix: Any, bias: Any = None, *, k: int, by: str = "outputs") -> Reduction:
    """Keep only k outputs of a 1x1 convolution, or only k singular directions of its matrix.

    Parameters
    ----------
    x
        (..., C_in): the activations on which the outputs are ranked and the error is measured.
    matrix, bias
        (C_in, C_out) and (C_out,) or None, of the layer.
    k
        How many to keep, from 0.
    by
        "outputs": the k outputs with the most energy on x; the others become 0.
        "singular": the k largest singular directions of the matrix; the bias stays whole, and the
        layer can be computed as two, C_in to k and k to C_out.

    Returns
    -------
    Reduction

    Raises
    ------
    ValueError
        for another `by`, a k out of range, or shapes that do not fit.

    Examples
    --------
    >>> x, matrix = np.eye(3), np.diag([3.0, 2.0, 1.0])
    >>> reduce_mixing(x, matrix, k=2).kept
    (0, 1)
    >>> round(reduce_mixing(x, matrix, k=2, by="singular").error ** 2, 4) == round(1 / 14, 4)
    True

    Source: Eckart and Young, "The approximation of one matrix by another of lower rank", 1936.
    """
    matrix = np.asarray(matrix)
    y = mix(x, matrix, bias)
    channels_in, channels_out = matrix.shape
    limit = channels_out if by == "outputs" else min(matrix.shape)
    if by not in ("outputs", "singular"):
        raise ValueError(f"by must be 'outputs' or 'singular', got {by!r}")
    if not 0 <= k <= limit:
        raise ValueError(f"k must be from 0 to {limit} for by={by!r}, got {k!r}")
    offset = np.zeros(channels_out, y.dtype) if bias is None else np.asarray(bias, y.dtype)
    has_bias = bias is not None
    if by == "outputs":
        energy = np.square(y, dtype=np.float64).reshape(-1, channels_out).sum(axis=0)
        kept = tuple(int(c) for c in np.argsort(-energy, kind="stable")[:k])
        mask = np.isin(np.arange(channels_out), kept)
        reduced, offset = np.where(mask, matrix, 0).astype(matrix.dtype), np.where(mask, offset, 0)
        cost = conv_cost(channels_in, k, bias=has_bias)
    else:
        u, s, vt = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        kept = tuple(range(k))
        reduced = ((u[:, :k] * s[:k]) @ vt[:k]).astype(matrix.dtype)
        cost = conv_cost(channels_in, k, bias=False) + conv_cost(k, channels_out, bias=has_bias)
    error = _relative_error(y, mix(x, reduced, offset))
    return Reduction(by, k, kept, reduced, offset, error, cost)


def reduction_errors(x: Any, matrix: Any, bias: Any = None, *, by: str = "outputs") -> np.ndarray:
    """The error of `reduce_mixing` for every k from 0 up.

    >>> reduction_errors(np.eye(2), np.eye(2), by="outputs").round(3)
    array([1.   , 0.707, 0.   ])
    """
    matrix = np.asarray(matrix)
    limit = matrix.shape[1] if by == "outputs" else min(matrix.shape)
    return np.array([reduce_mixing(x, matrix, bias, k=k, by=by).error for k in range(limit + 1)])


def _relative_error(y: np.ndarray, approximation: np.ndarray) -> float:
    whole = float(np.square(y, dtype=np.float64).sum())
    rest = float(np.square(y.astype(np.float64) - approximation).sum())
    if whole == 0:
        return 0.0 if rest == 0 else math.inf
    return math.sqrt(rest / whole)


# What layers cost -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Weights to store and products to sum; costs add up.

    >>> Cost(10, 100) + Cost(1, 1)
    Cost(parameters=11, multiply_adds=101)
    """

    parameters: int
    multiply_adds: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)

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
    if groups < 1 or channels_in % groups or channels_out % groups:
        raise ValueError(
            f"groups must divide the channels {channels_in} and {channels_out}, got groups={groups!r}"
        )
    weights = math.prod(pair(kernel_size, "kernel_size")) * (channels_in // groups) * channels_out
    positions = math.prod(pair(output_size, "output_size"))
    return Cost(weights + channels_out * bias, weights * positions)


def dense_cost(inputs: int, outputs: int, *, bias: bool = True) -> Cost:
    """What a dense layer costs, which has a weight of its own for every pair.

    >>> dense_cost(784, 10)
    Cost(parameters=7850, multiply_adds=7840)
    """
    return Cost(inputs * outputs + outputs * bias, inputs * outputs)


def shared_weights(layer: Layer) -> Comparison:
    """A convolution against a dense layer between the same numbers, which shares no weights.

    Parameters
    ----------
    layer
        A convolution of known sizes, with or without groups.

    Returns
    -------
    Comparison
        `direct` is the dense layer; the only step is the convolution.

    Raises
    ------
    ValueError
        for another kind of layer, or one of unknown size.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> found = shared_weights(load_model("mnist_14k")["conv2d"])
    >>> found.direct.parameters, found.other.parameters
    (8490560, 160)
    """
    if "kernel" not in layer.weights or layer.weights["kernel"].ndim != 4:
        raise ValueError(f"layer must be a convolution, got {layer!r}")
    if None in (*layer.input_shape, *layer.output_shape) or layer.multiply_adds is None:
        raise ValueError(f"layer must have known sizes, got {layer!r}")
    inputs, outputs = (math.prod(n or 0 for n in shape) for shape in (layer.input_shape, layer.output_shape))
    dense = dense_cost(inputs, outputs, bias="bias" in layer.weights)
    return Comparison(dense, (Cost(layer.params, layer.multiply_adds),))


@dataclass(frozen=True)
class Comparison:
    """Two ways to compute a layer of the same shape, and how many times less the second costs."""

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
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth!r}")
    return Comparison(
        conv_cost(channels, channels, 2 * depth + 1, size, bias=bias),
        (conv_cost(channels, channels, 3, size, bias=bias),) * depth,
    )
