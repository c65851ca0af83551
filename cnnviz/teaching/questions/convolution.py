"""Questions about a convolution: its output's size, its padding, its parameters, its transpose.

Each takes any setting that the operation takes; nothing about trained values is asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.concepts.playground import size_formula
from cnnviz.layers.layer import Layer
from cnnviz.ops.padding import Axis, Window, parse_padding, window
from cnnviz.teaching.questions.question import Choice, Question, question


def output_size(
    size: int, kernel: int, *, stride: int = 1, padding: Any = "valid", dilation: int = 1
) -> Question:
    """How many outputs there are along one axis.

    Parameters
    ----------
    size, kernel, stride, dilation
        Cells along the axis, taps, step, distance of taps.
    padding
        "valid", "same" or (before, after).

    Raises
    ------
    ValueError
        As `ops.conv2d`, for what does not fit.

    Examples
    --------
    >>> print(output_size(8, 3, stride=2).answer.text)
    3
    """
    parsed = padding if isinstance(padding, str) else (tuple(padding), (0, 0))
    axis = _axis(size, kernel, stride, parsed, dilation)
    around = f"padding '{padding}'" if isinstance(padding, str) else f"padding ({axis.before}, {axis.after})"
    apart = f", its taps {dilation} cells apart" if dilation > 1 else ""
    span, without = axis.padded - axis.extent, max((size - axis.extent) // stride + 1, 0)
    loose = (axis.padded - axis.kernel) // stride + 1
    wrong = [
        Choice(
            f"{span // stride}",
            f"The window makes {span // stride} steps, and there is one more place than there are steps.",
            "the count of steps, not of places",
        ),
        Choice(
            f"{-(-span // axis.stride) + 1}",
            "The last step would leave the input. What does not fit is left out: the division is rounded "
            "down.",
            "rounding up",
        ),
        Choice(
            f"{without}",
            f"That leaves the {axis.before + axis.after} padded cells out.",
            "forgetting the padding",
        ),
        Choice(
            f"{loose}",
            f"{kernel} taps {dilation} apart reach over {axis.extent} cells.",
            "forgetting the dilation",
        ),
        Choice(f"{span + 1}", f"The window goes on by {stride} cells at a time.", "forgetting the stride"),
        Choice(
            f"{size}",
            "A convolution keeps the size only with stride 1 and enough padding.",
            "taking the output to be as large as the input",
        ),
        Choice(
            f"{max(size - kernel, 0)}",
            "A window of k cells has n − k + 1 places in n cells, not n − k.",
            "subtracting the kernel only",
        ),
        Choice(
            f"{size + kernel - 1}",
            "So many places there are with full padding, where a kernel may touch the input by one cell.",
            "counting every place where kernel and input meet",
        ),
    ]
    return question(
        f"A row of {size} cells, a kernel of {kernel}{apart}, stride {stride}, {around}: how many outputs?",
        Choice(f"{axis.out}", f"{size_formula(axis)}."),
        wrong,
    )


def _axis(size: int, kernel: int, stride: int, padding: Any, dilation: int) -> Axis:
    """One axis; the other is a single cell."""
    return window((size, 1), (kernel, 1), (stride, 1), parse_padding(padding), (dilation, 1)).rows


def same_sides(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> Question:
    """How many zeros 'same' puts before and after.

    >>> print(same_sides(8, 3, 2).answer.text)
    0 before, 1 after
    """
    axis = _axis(size, kernel, stride, "same", dilation)
    total = axis.before + axis.after
    each = (axis.extent - 1) // 2
    wrong = [
        Choice(
            f"{axis.after} before, {axis.before} after",
            "TensorFlow puts the odd cell at the end: at the bottom and the right.",
            "the odd cell in front",
        ),
        Choice(
            f"{each} before, {each} after",
            f"The {axis.out} windows need {total} cells in all; half a kernel on each side is right "
            "where the stride is 1 and the kernel odd.",
            "half a kernel on each side, always",
        ),
        Choice(
            f"{axis.extent - 1} before, {axis.extent - 1} after",
            "That is full padding: with stride 1 the output would be larger than the input.",
            "taking 'same' for full padding",
        ),
        Choice("0 before, 0 after", "That is 'valid'.", "taking 'same' for 'valid'"),
        Choice(
            f"{total} before, {total} after",
            f"{total} is what both sides get together.",
            "the whole padding on either side",
        ),
        Choice(
            "1 before, 1 after",
            f"One cell on each side suits a kernel of 3 with stride 1; here there are {total} in all.",
            "one cell on each side, always",
        ),
    ]
    needed = f"{axis.out} windows of {axis.extent} cells, {stride} apart"
    odd = ", and the odd one goes to the end" if total % 2 else ""
    spread = f" with dilation {dilation}" if dilation > 1 else ""
    return question(
        f"Padding 'same' on {size} cells, kernel {kernel}{spread}, stride {stride}: where does TensorFlow "
        "put zeros?",
        Choice(
            f"{axis.before} before, {axis.after} after",
            f"{needed}, need {total} more than the {size} that are there{odd}."
            if total
            else f"{needed}, fit into the {size} cells.",
        ),
        wrong,
    )


def parameters(layer: Layer) -> Question:
    """How many parameters a convolution has.

    Parameters
    ----------
    layer
        A convolution of a network, of known sizes.

    Examples
    --------
    >>> import cnnviz
    >>> parameters(cnnviz.load_model("mnist_14k")["conv2d_1"]).answer.text
    '2,320'
    """
    kh, kw, depth, filters = (int(n) for n in np.shape(layer.weights["kernel"]))
    biases = filters if "bias" in layer.weights else 0
    out_shape = [n or 1 for n in layer.output_shape]
    positions = math.prod(out_shape[:2])
    written = f"{kh} · {kw} · {depth} · {filters}"
    wrong = [
        Choice(
            f"{kh * kw * filters + biases:,}",
            f"A kernel is as deep as its input: {kh} · {kw} weights for each of {depth} channels.",
            "a kernel that is flat",
        ),
        Choice(
            f"{kh * kw * depth * filters * positions + biases:,}",
            f"The same weights are used at all {positions:,} positions.",
            "weights for every position",
        ),
        Choice(
            f"{kh * kw * depth + 1:,}",
            f"That is one filter; there are {filters}, one for each output channel.",
            "a single filter for all outputs",
        ),
        Choice(
            f"{kh * kw * depth * filters:,}",
            f"Each of the {filters} filters has a bias too.",
            "forgetting the biases",
        ),
        Choice(
            f"{math.prod(out_shape):,}",
            "That is how many numbers come out; parameters are what is learned.",
            "counting activations for parameters",
        ),
    ]
    return question(
        f"{layer.name} has {filters} filters of {kh} × {kw} on {depth} input "
        f"channel{'s' if depth > 1 else ''}, {'each with a bias' if biases else 'without biases'}. "
        "How many parameters is that?",
        Choice(f"{layer.params:,}", f"{written}{f' + {biases}' if biases else ''} = {layer.params:,}."),
        wrong,
    )


def transposed_size(geometry: Window) -> Question:
    """What a transposed convolution with the same setting brings back.

    >>> transposed_size(window((8, 8), (3, 3), (2, 2), "same")).answer.text
    'The size 8 × 8, with other values'
    """
    (rows, cols), (out_rows, out_cols) = (geometry.rows.size, geometry.cols.size), geometry.out
    scale = [max(axis.stride, 2) for axis in geometry]
    return question(
        f"This convolution's output is {out_rows} × {out_cols}. What does its transpose, which runs it "
        "backwards, make of that?",
        Choice(
            f"The size {rows} × {cols}, with other values",
            "Each cell stamps the kernel where a window read it. The sums of stamps are not what was read.",
        ),
        [
            Choice(
                f"The size {rows} × {cols}, with the values that were there",
                "It is the transpose of the convolution's matrix, not its inverse: what was added up cannot "
                "be told apart again.",
                "taking the transpose for the inverse",
            ),
            Choice(
                f"The size {out_rows * scale[0]} × {out_cols * scale[1]}, each cell copied "
                f"{scale[0]} × {scale[1]} times",
                "That is upsampling; a transposed convolution multiplies each cell with the kernel.",
                "taking it for upsampling",
            ),
            Choice(
                f"A map of {out_rows} × {out_cols} again, or smaller",
                "It runs the other way: from one cell to a whole window.",
                "running it forwards",
            ),
        ],
    )
