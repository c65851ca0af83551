"""A convolution as a dense layer: which weights it sets to zero, and which it makes the same.

For small single-channel convolutions the dense layer's matrix itself; for a layer of a network only
the counts. Transposed convolutions are left out. After Goodfellow, Bengio and Courville, "Deep
Learning", 2016, section 9.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.kernels.definitions import matrix as checked
from cnnviz.layers.layer import Layer
from cnnviz.ops.affine import dense
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.padding import Window, pair, sliding_window, window

MOST_ENTRIES = 4_000_000
"""Larger matrices are for counting, not for looking at."""


@dataclass(frozen=True, eq=False)
class ConvolutionMatrix:
    """The kernel of the dense layer that computes what a convolution does.

    Parameters
    ----------
    matrix
        float64 (inputs, outputs), both row by row: `ops.dense(x.reshape(1, -1), matrix)` is the
        convolution of x.
    taps
        int (inputs, outputs): which of the convolution's weights each entry is, counted row by row;
        -1 where the two are not connected and the entry must be 0.
    input_size, output_size
        (height, width).
    """

    matrix: np.ndarray
    taps: np.ndarray
    input_size: tuple[int, int]
    output_size: tuple[int, int]

    @property
    def connected(self) -> int:
        """How many entries are weights of the convolution."""
        return int((self.taps >= 0).sum())


def convolution_matrix(
    kernel: Any, input_size: Any, *, strides: Any = 1, padding: Any = "valid", dilation_rate: Any = 1
) -> ConvolutionMatrix:
    """The dense layer that does what a convolution of one channel does.

    Parameters
    ----------
    kernel
        (height, width).
    input_size
        An int or (height, width), in cells.
    strides, padding, dilation_rate
        As in `ops.conv2d`.

    Returns
    -------
    ConvolutionMatrix

    Raises
    ------
    ValueError
        as `ops.conv2d`; for a matrix of more than 4 million entries.

    Examples
    --------
    >>> convolution_matrix([[1.0, 2.0]], (1, 4)).matrix.T
    array([[1., 2., 0., 0.],
           [0., 1., 2., 0.],
           [0., 0., 1., 2.]])

    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 9.1.
    """
    kernel = checked(kernel)
    rows, cols = pair(input_size, "input_size")
    axes = sliding_window((1, rows, cols, 1), kernel.shape, strides, padding, dilation_rate)
    inputs, outputs = rows * cols, math.prod(axes.out)
    if inputs * outputs > MOST_ENTRIES:
        raise ValueError(
            f"input_size must give a matrix of at most {MOST_ENTRIES:,} entries, got {inputs:,} x {outputs:,}"
        )
    # Each input cell alone, answered by kernels of a single tap, tells where that tap reads it.
    cells = np.eye(inputs).reshape(inputs, rows, cols, 1)
    one_tap = np.eye(kernel.size).reshape(*kernel.shape, 1, kernel.size)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    reads = conv2d(cells, one_tap, **options).reshape(inputs, outputs, kernel.size) > 0.5
    taps = np.where(reads.any(axis=2), reads.argmax(axis=2), -1)
    return ConvolutionMatrix(
        np.where(taps >= 0, kernel.ravel()[taps], 0.0), taps, (rows, cols), (axes.out[0], axes.out[1])
    )


def difference_from_dense(x: Any, kernel: Any, **options: Any) -> float:
    """How far a convolution is from the dense layer that does the same, at most: rounding.

    Parameters
    ----------
    x
        (H, W).
    kernel
        (height, width).
    options
        `strides`, `padding` and `dilation_rate`, as in `ops.conv2d`.

    Returns
    -------
    float
        The largest absolute difference between `ops.dense` and `ops.conv2d`.

    Raises
    ------
    ValueError
        as `convolution_matrix`.

    Examples
    --------
    >>> difference_from_dense(np.eye(5), np.ones((3, 3)))
    0.0
    """
    x, kernel = np.asarray(x), checked(kernel)
    equivalent = convolution_matrix(kernel, x.shape, **options)
    by_dense = dense(x.reshape(1, -1), equivalent.matrix).reshape(equivalent.output_size)
    return float(np.abs(by_dense - conv2d(x, kernel[:, :, np.newaxis, np.newaxis], **options)).max())


def busiest_patch(image: Any, side: int = 6) -> np.ndarray:
    """The square part of an image whose pixels differ most: something to look at a convolution on.

    Parameters
    ----------
    image
        (H, W).
    side
        Of the part, in pixels.

    Returns
    -------
    array (side, side)
        A view of the image.

    Raises
    ------
    ValueError
        for another rank, or an image smaller than that.

    Examples
    --------
    >>> busiest_patch(np.eye(5)[:, ::-1] * [0, 0, 0, 1, 1], 2)
    array([[0., 1.],
           [1., 0.]])
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < side or side < 1:
        raise ValueError(f"image must be (H, W) of at least {side} x {side} pixels, got shape {image.shape}")
    parts = np.lib.stride_tricks.sliding_window_view(image, (side, side))
    row, col = np.unravel_index(int(parts.std(axis=(2, 3)).argmax()), parts.shape[:2])
    return parts[row, col]


@dataclass(frozen=True)
class Connections:
    """From a dense layer to a convolution in two steps; biases are not counted.

    Parameters
    ----------
    dense
        Weights of a dense layer between the same numbers: every input with every output.
    local
        What is left if each output reads its own window only, with weights of its own.
    shared
        The convolution's weights: those of one window, used at every position.
    """

    dense: int
    local: int
    shared: int

    @property
    def by_locality(self) -> float:
        """How many times fewer weights the first step leaves."""
        return self.dense / self.local

    @property
    def by_sharing(self) -> float:
        """How many times fewer weights the second step leaves."""
        return self.local / self.shared


def connections(layer: Layer) -> Connections:
    """How many weights a convolution saves by locality, and how many by sharing.

    Parameters
    ----------
    layer
        A Conv2D of known sizes, with or without groups.

    Returns
    -------
    Connections

    Raises
    ------
    ValueError
        for another kind of layer, or one of unknown size.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> connections(load_model("mnist_14k")["conv2d"])
    Connections(dense=8479744, local=97344, shared=144)
    """
    if not layer.is_convolution:
        raise ValueError(f"layer must be a Conv2D, got {layer!r}")
    if None in (*layer.input_shape, *layer.output_shape):
        raise ValueError(f"layer must have known sizes, got {layer!r}")
    kernel, config = layer.weights["kernel"], layer.config
    rows, cols, _ = (size or 0 for size in layer.input_shape)
    axes = window(
        (rows, cols), kernel.shape[:2], config["strides"], config["padding"], config["dilation_rate"]
    )
    inputs, outputs = (
        math.prod(size or 0 for size in shape) for shape in (layer.input_shape, layer.output_shape)
    )
    # For each pair of a kernel's input and output channel; cells of the padding do not count.
    local = _read(axes) * kernel.shape[2] * kernel.shape[3]
    return Connections(inputs * outputs, local, kernel.size)


def _read(axes: Window) -> int:
    """Pairs of an output cell and an input cell that it reads, of one channel each."""
    counts = []
    for axis in axes:
        reads = (axis.tap(t)[1] for t in range(axis.kernel))
        counts.append(sum(outputs.stop - outputs.start for outputs in reads))
    return math.prod(counts)
