"""Questions about a convolution: its output's size, its padding, its parameters, its transpose.

Each takes any setting that the operation takes; nothing about trained values is asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.concepts.playground import backwards, size_formula
from cnnviz.layers.layer import Layer
from cnnviz.numbers import counted
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.padding import Axis, pair, parse_padding, window
from cnnviz.ops.transposed import conv2d_transpose
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
            f"The window makes {counted(span // stride, 'step')}, and there is one more place than that.",
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
            f"That leaves out the {counted(axis.before + axis.after, 'cell')} of padding.",
            "forgetting the padding",
        ),
        Choice(
            f"{loose}",
            f"{counted(kernel, 'tap')} {dilation} apart reach over {counted(axis.extent, 'cell')}.",
            "forgetting the dilation",
        ),
        Choice(
            f"{span + 1}",
            f"The window goes on by {counted(stride, 'cell')} at a time.",
            "forgetting the stride",
        ),
        Choice(
            f"{size}",
            f"The window has {'fewer' if axis.out < size else 'more'} places here than the row has cells.",
            "taking the output to be as large as the input",
        ),
        Choice(
            f"{max(size - kernel, 0)}",
            "Even without padding and with stride 1, a window of k cells has n − k + 1 places in n cells.",
            "subtracting the kernel only",
        ),
        Choice(
            f"{size + axis.extent - 1}",
            "With stride 1 there are so many places where the window touches the input, if only by one cell.",
            "counting every place where kernel and input meet",
        ),
    ]
    return question(
        f"A row of {counted(size, 'cell')}, a kernel of {kernel}{apart}, stride {stride}, {around}: how many "
        "outputs?",
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
            f"{counted(axis.out, 'window')} {'needs' if axis.out == 1 else 'need'} "
            f"{counted(total, 'cell') if total else 'no cell'} more than there are. Half of what the kernel "
            "reaches, on each side, is right where the stride is 1 and that reach is odd.",
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
            "One cell on each side suits a kernel of 3 with stride 1; here "
            f"{counted(total, 'cell') if total else 'no cell'} {'is' if total < 2 else 'are'} needed in all.",
            "one cell on each side, always",
        ),
    ]
    needed = f"{counted(axis.out, 'window')} of {counted(axis.extent, 'cell')}"
    needed += f", {stride} apart" if axis.out > 1 else ""
    verb = "need" if axis.out > 1 else "needs"
    odd = ", and the odd one goes to the end" if total % 2 else ""
    spread = f" with dilation {dilation}" if dilation > 1 else ""
    return question(
        f"Padding 'same' on {counted(size, 'cell')}, kernel {kernel}{spread}, stride {stride}: where does "
        "TensorFlow put zeros?",
        Choice(
            f"{axis.before} before, {axis.after} after",
            f"{needed} {verb} {total} more than the {size} that {'is' if size == 1 else 'are'} there{odd}."
            if total
            else f"{needed} {'fit' if axis.out > 1 else 'fits'} into the {counted(size, 'cell')}.",
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
    groups = layer.config["groups"]
    out_shape = [n or 1 for n in layer.output_shape]
    positions = math.prod(out_shape[:2])
    written = f"{kh} · {kw} · {depth} · {filters}"
    wrong = [
        Choice(
            f"{kh * kw * filters + biases:,}",
            f"A kernel is as deep as what it reads: {kh} · {kw} weights for each of {depth} channels.",
            "a kernel that is flat",
        ),
        Choice(
            f"{kh * kw * depth * filters * positions + biases:,}",
            f"The same weights are used at all {positions:,} positions.",
            "weights for every position",
        ),
        Choice(
            f"{kh * kw * depth + bool(biases):,}",
            f"That is one filter; there are {filters}, one for each output channel.",
            "a single filter for all outputs",
        ),
        Choice(
            f"{kh * kw * depth * filters:,}",
            f"{counted(filters, 'filter')} {'has a bias' if filters == 1 else 'have a bias each'}, too.",
            "forgetting the biases",
        ),
        Choice(
            f"{math.prod(out_shape):,}",
            "That is how many numbers come out; parameters are what is learned.",
            "counting activations for parameters",
        ),
    ]
    return question(
        f"{layer.name} has {counted(filters, 'filter')} of {kh} × {kw} on "
        f"{counted(depth * groups, 'input channel')}{f', in {groups} groups' if groups > 1 else ''}, "
        f"{'each with a bias' if biases else 'without biases'}. How many parameters is that?",
        Choice(f"{layer.params:,}", f"{written}{f' + {biases}' if biases else ''} = {layer.params:,}."),
        wrong,
    )


def transposed_size(x: Any, kernel: Any, **setting: Any) -> Question:
    """What a transposed convolution with the same setting makes of a convolution's output.

    Parameters
    ----------
    x
        (H, W): what is convolved.
    kernel
        (kh, kw).
    **setting
        `strides`, `padding` and `dilation_rate`, as in `ops.conv2d`.

    Returns
    -------
    Question
        Its answer is computed by running it forwards and backwards.

    Raises
    ------
    ValueError
        As `ops.conv2d`, for what does not fit.

    Examples
    --------
    >>> x, kernel = np.arange(64.0).reshape(8, 8), np.ones((3, 3))
    >>> transposed_size(x, kernel, strides=2, padding="same").answer.text
    'The size 8 × 8, with other values'
    """
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    strides, dilation = pair(setting.get("strides", 1), "strides"), setting.get("dilation_rate", 1)
    padding = parse_padding(setting.get("padding", "valid"))
    geometry = window(x.shape, kernel.shape, strides, padding, pair(dilation, "dilation_rate"))
    deep = kernel[:, :, np.newaxis, np.newaxis]
    y = conv2d(x, deep, **setting)
    back = conv2d_transpose(y, deep, strides=strides, dilation_rate=dilation, **backwards(geometry))
    scale = tuple(max(stride, 2) for stride in strides)
    copied = y.repeat(scale[0], axis=0).repeat(scale[1], axis=1)
    restored = bool(np.allclose(back, x))
    size = _size(x.shape)
    other = Choice(
        f"The size {size}, with other values",
        "With this kernel, values come back as they were: "
        f"{'all are 0' if not x.any() else 'nothing is added up'}."
        if restored
        else "Each cell stamps the kernel where a window read it. The sums of stamps are not what was read.",
        "nothing can come back" if restored else "",
    )
    same = Choice(
        f"The size {size}, with the values that were there",
        "The kernel reads one cell at a time and multiplies it by 1 or −1, and back again."
        if restored and x.any()
        else "Of zeros it makes zeros."
        if restored
        else "It is the transpose of the convolution's matrix, not its inverse: it does not undo what the "
        "convolution did to the values.",
        "" if restored else "taking the transpose for the inverse",
    )
    wrong = [other if restored else same]
    if copied.shape != back.shape or not np.allclose(copied, back):
        wrong.append(
            Choice(
                f"The size {_size(copied.shape)}, each cell copied {scale[0]} × {scale[1]} times",
                "That is upsampling; a transposed convolution multiplies each cell with the kernel.",
                "taking it for upsampling",
            )
        )
    if y.shape != x.shape:
        wrong.append(
            Choice(
                f"A map of {_size(y.shape)} again",
                f"It runs the other way, from each cell to the window that it came from: {size}.",
                "running it forwards",
            )
        )
    return question(
        f"This convolution's output is {_size(y.shape)}. What does its transpose, which runs it "
        "backwards, make of that?",
        same if restored else other,
        wrong,
    )


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
