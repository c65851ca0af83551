"""Questions about 1x1 convolutions: what a pixel can change, what larger maps cost, which shape comes out.

The counts are taken from the engine's outputs, not from a formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.channels import mixing_matrix
from cnnviz.layers.layer import Layer
from cnnviz.teaching.questions.question import Question, choice_by, counted, question


def numbers_that_change(layer: Layer, x: Any, row: int, col: int) -> Question:
    """How many outputs of a 1x1 convolution change when one pixel's channels do.

    Parameters
    ----------
    layer
        A 1x1 convolution.
    x
        (H, W, C_in): what it reads.
    row, col
        The pixel, all of whose channels grow by 1.

    Returns
    -------
    Question
        The answer is counted by convolving twice.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> layer = load_model("mnist_14k")["conv2d_2"]
    >>> numbers_that_change(layer, np.zeros((24, 24, 16)), 3, 4).answer.text
    '10 numbers'
    """
    x = np.asarray(x, np.float64)
    kernel, bias = layer.weights["kernel"], layer.weights.get("bias")
    channels_in, channels_out = mixing_matrix(kernel).shape
    changed = x.copy()
    changed[row, col] += 1
    before, after = (ops.conv2d(maps, kernel.astype(np.float64), bias) for maps in (x, changed))
    count = int((before != after).sum())
    near = sum(0 <= r < x.shape[0] for r in (row - 1, row, row + 1)) * sum(
        0 <= c < x.shape[1] for c in (col - 1, col, col + 1)
    )

    numbers = choice_by(lambda count: counted(count, "number"))
    return question(
        f"All {channels_in} numbers of the pixel at row {row}, column {col} grow by 1; the other pixels "
        f"stay. How many of the {before.size:,} numbers that come out of {layer.name} change, before the "
        "activation?",
        numbers(
            count,
            f"One in each of the {channels_out} maps that go out, at the same pixel: each is a sum over all "
            f"{channels_in} channels there, and of nothing else.",
        ),
        [
            numbers(
                near * channels_out,
                "A 3×3 kernel would reach the neighbours. A 1×1 kernel has a single cell for each channel.",
                "a 1×1 convolution looks at neighbouring pixels",
            ),
            numbers(
                1,
                f"The pixel has {channels_in} numbers and goes through {channels_out} kernels, so it comes "
                f"out as {channels_out} numbers, not one.",
                "1×1 means one number in, one number out",
            ),
            numbers(
                before.size,
                "That would be a dense layer over the whole image. Here the dense layer is applied to one "
                "pixel at a time.",
                "a dense layer connects every pixel to every output",
            ),
            numbers(
                channels_in,
                "So many numbers come in. How many go out is decided by the number of kernels, "
                f"{channels_out}.",
                "each channel is changed by itself",
            ),
        ],
    )


def weights_on_larger_maps(layer: Layer) -> Question:
    """How many parameters the same 1x1 convolution has on maps twice as high and wide.

    Parameters
    ----------
    layer
        A 1x1 convolution of a network, with known sizes.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> weights_on_larger_maps(load_model("mnist_14k")["conv2d_2"]).answer.text
    '170 parameters'
    """
    rows, cols = (int(n or 1) for n in layer.output_shape[:2])
    channels_in, channels_out = mixing_matrix(layer.weights["kernel"]).shape
    biases = layer.weights["bias"].size if "bias" in layer.weights else 0
    weights = layer.params - biases

    parameters = choice_by("{:,} parameters".format)
    return question(
        f"{layer.name} turns {channels_in} maps of {rows} × {cols} into {channels_out}. On maps of "
        f"{2 * rows} × {2 * cols}, how many parameters does the same layer have"
        f"{', biases included' if biases else ''}?",
        parameters(
            layer.params,
            f"As many as now: {channels_in} × {channels_out} weights"
            + (f" and {biases} biases" if biases else "")
            + ", used again at every pixel. Only the multiply-adds grow fourfold.",
        ),
        [
            parameters(
                4 * layer.params,
                "Four times as many pixels are multiplied with the same matrix; it does not grow.",
                "parameters grow with the maps, as multiply-adds do",
            ),
            parameters(
                channels_out + biases,
                f"Each of the {channels_out} kernels is 1×1 in height and width, but {channels_in} deep.",
                "a 1×1 kernel is a single number",
            ),
            parameters(
                4 * rows * cols * weights + biases,
                "That would be a matrix of its own at every pixel. A convolution shares one.",
                "every pixel has weights of its own",
            ),
        ],
    )


def shape_that_comes_out(side: int, channels: int, filters: int) -> Question:
    """Which shape a 1x1 convolution makes of maps.

    Parameters
    ----------
    side
        Height and width of the maps, at least 2.
    channels, filters
        Channels in and out.

    Raises
    ------
    ValueError
        for maps of one pixel, on which all answers are the same.

    Examples
    --------
    >>> shape_that_comes_out(14, 256, 64).answer.text
    '14 × 14 × 64'
    """
    if side < 2:
        raise ValueError(f"side must be at least 2, got {side!r}")
    maps, kernel = np.empty((0, side, side, channels)), np.empty((1, 1, channels, filters))

    shape = choice_by(lambda sizes: " × ".join(map(str, sizes)))
    return question(
        f"{channels} maps of {side} × {side} go through a 1×1 convolution with {filters} kernels and stride "
        "1. What comes out, as height × width × channels?",
        shape(
            ops.conv2d(maps, kernel).shape[1:],
            "Height and width stay, pixel by pixel; there is one map for each kernel.",
        ),
        [
            shape(
                (1, 1, filters),
                "1×1 is the size of the kernel, not of what comes out.",
                "1×1 is the size of the output",
            ),
            shape(
                (side, side, channels),
                "That would be one kernel for each channel by itself. Here each kernel reads all channels, "
                "and there are as many maps as kernels.",
                "a 1×1 convolution leaves everything as it is",
            ),
            shape(
                (side // 2, side // 2, filters),
                "Pooling, or a stride of 2, would halve the maps. A 1×1 convolution makes them fewer or "
                "more, not smaller.",
                "reducing channels reduces the size of the maps",
            ),
        ],
    )
