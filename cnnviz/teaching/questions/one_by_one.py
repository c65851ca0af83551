"""Questions about 1x1 convolutions: what a pixel can change, what weights it takes, which shape comes out.

The counts are taken from the engine's outputs, not from a formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.channels import mixing_matrix
from cnnviz.layers.layer import Layer
from cnnviz.numbers import all_of, counted
from cnnviz.teaching.questions.question import Question, choice_by, question


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
        f"{all_of(channels_in, 'number').capitalize()} of the pixel at row {row}, column {col} "
        f"{'grows' if channels_in == 1 else 'grow'} by 1; the other pixels stay. {layer.name} gives "
        f"{counted(before.size, 'number')}. How many of them change, before the activation?",
        numbers(
            count,
            f"One in each of {all_of(channels_out, 'map')} that {'goes' if channels_out == 1 else 'go'} out, "
            f"at the same pixel: a sum over {all_of(channels_in, 'channel')} there, and over nothing else."
            if count == channels_out
            else f"One in {count} of the {counted(channels_out, 'map')} that go out, at the same pixel. In "
            "the others the weights of the pixel's channels add up to 0.",
        ),
        [
            numbers(
                near * channels_out,
                "A 3×3 kernel would reach the neighbours. A 1×1 kernel has a single cell for each channel.",
                "a 1×1 convolution looks at neighbouring pixels",
            ),
            numbers(
                1,
                f"The pixel has {counted(channels_in, 'number')} and goes through "
                f"{counted(channels_out, 'kernel')}, so it comes out as {counted(channels_out, 'number')}.",
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
            # Where a single number comes in and goes out.
            numbers(0, "What is made of the pixel changes with it.", "only neighbours are mixed"),
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

    parameters = choice_by(lambda count: counted(count, "parameter"))
    return question(
        f"{layer.name} turns {counted(channels_in, 'map')} of {rows} × {cols} into {channels_out}. On maps "
        f"of {2 * rows} × {2 * cols}, how many parameters does the same layer "
        f"have{', biases included' if biases else ''}?",
        parameters(
            layer.params,
            f"As many as now: {channels_in} × {channels_out} weights"
            + (f" and {counted(biases, 'bias', 'biases')}" if biases else "")
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
                f"A kernel is 1×1 in height and width, but {channels_in} deep.",
                "a 1×1 kernel is a single number",
            ),
            parameters(
                4 * rows * cols * weights + biases,
                "That would be a matrix of its own at every pixel. A convolution shares one.",
                "every pixel has weights of its own",
            ),
        ],
    )


def weights_for_planes(rows: int, cols: int, planes: int = 3) -> Question:
    """How many weights turn the planes of a picture into one map.

    Parameters
    ----------
    rows, cols
        Of the picture.
    planes
        Red, green and blue, or others.

    Returns
    -------
    Question
        The answer is the size of a kernel that the engine takes for them.

    Examples
    --------
    >>> weights_for_planes(96, 82).answer.text
    '3 weights'
    """
    kernel = np.zeros((1, 1, planes, 1))
    made = ops.conv2d(np.empty((0, rows, cols, planes)), kernel).shape[1:]
    weights = choice_by(lambda count: counted(count, "weight"))
    return question(
        f"A picture has {rows} × {cols} pixels and {counted(planes, 'plane')}. How many weights does a 1×1 "
        f"convolution have that makes one map of {made[0]} × {made[1]} of it, the bias left out?",
        weights(
            kernel.size,
            f"One for {'the plane' if planes == 1 else 'each plane'}, and the same at every pixel.",
        ),
        [
            weights(
                1,
                f"1×1 is its height and width. It is as deep as there are planes: {planes}.",
                "a 1×1 kernel is a single number",
            ),
            weights(
                9 * planes,
                "That is a 3×3 kernel, which also reads the neighbours.",
                "a kernel reads neighbouring pixels",
            ),
            weights(
                rows * cols * planes,
                "Every pixel has its own sum, but all use the same weights.",
                "every pixel has weights of its own",
            ),
            weights(
                rows * cols, "So many numbers come out; none of them is a weight.", "outputs are weights"
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
        f"{counted(channels, 'map')} of {side} × {side} {'goes' if channels == 1 else 'go'} through a 1×1 "
        f"convolution with {counted(filters, 'kernel')} and stride 1. What comes out, as height × width × "
        "channels?",
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
                "Pooling, or a stride of 2, would halve the maps. With stride 1 they keep their size.",
                "reducing channels reduces the size of the maps",
            ),
        ],
    )
