"""Questions about pooling: which cell wins, what the mean is at a border, sizes, and what is not learned.

Windows are named by the output's row and column; values are a real map's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.animate.walk import window_cells
from cnnviz.channels import conv_cost
from cnnviz.layers.layer import Layer
from cnnviz.numbers import all_of, counted, number
from cnnviz.ops.padding import Axis, Pair
from cnnviz.ops.pooling import pooling_window
from cnnviz.teaching.questions.question import Choice, Question, question


def winner(
    x: Any, row: int, col: int, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> Question:
    """What max pooling makes of one window.

    Parameters
    ----------
    x
        (H, W): a map.
    row, col
        The output's cell.
    pool_size, strides, padding
        As in `ops.max_pool2d`.

    Returns
    -------
    Question
        About a window in which at least two cells differ.

    Raises
    ------
    ValueError
        As `ops.max_pool2d`, for a cell that is not the output's, and for a window of equal cells.

    Examples
    --------
    >>> winner([[1, 2], [4, 3]], 0, 0).answer.text
    '4.00'
    """
    values, padded = _window(x, row, col, pool_size, strides, padding)
    largest = ops.max_pool2d(np.asarray(x, float), pool_size, strides=strides, padding=padding)[row, col]
    strongest = max(values, key=abs)
    wrong = [
        Choice(number(float(np.mean(values))), "That is the mean: average pooling.", "taking the mean"),
        Choice(number(sum(values)), "Pooling picks a value, it adds none up.", "adding up"),
        Choice(
            number(strongest),
            "The largest is meant with its sign: a negative number loses against any above it.",
            "the largest without its sign",
        ),
        Choice(number(min(values)), "That is the smallest.", "the smallest"),
        Choice(
            number(values[0]),
            "Its place in the window does not matter.",
            "the first cell, as a stride takes it",
        ),
    ]
    if padded:
        wrong.insert(
            2, Choice(number(0), "Padding counts as −∞ here, and never wins.", "padding that wins as 0")
        )
    return question(
        f"A max-pooling window holds {_list(values)}{_and_padding(padded)}. What does it give?",
        Choice(number(largest), "The largest of the values that are there."),
        wrong,
    )


def average(
    x: Any, row: int, col: int, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> Question:
    """What average pooling makes of one window.

    Parameters, results and errors as in `winner`.

    >>> average([[1, 2], [4, 3]], 0, 1, 2, strides=1, padding="same").answer.text
    '2.50'
    """
    values, padded = _window(x, row, col, pool_size, strides, padding)
    mean = ops.avg_pool2d(np.asarray(x, float), pool_size, strides=strides, padding=padding)[row, col]
    wrong = [
        Choice(
            number(sum(values) / (len(values) + padded)),
            "In TensorFlow padded cells are not counted: the sum is divided by the cells that are there.",
            "dividing by the padding too",
        ),
        Choice(number(max(values)), "That is max pooling.", "taking the largest"),
        Choice(number(sum(values)), f"The sum still has to be divided by {len(values)}.", "adding up only"),
        Choice(
            number(np.median(values)),
            "That is the one in the middle, not the mean."
            if len(values) % 2
            else "That is half-way between the two in the middle, not the mean of all.",
            "taking the median",
        ),
        Choice(number(min(values)), "That is the smallest.", "taking the smallest"),
    ]
    return question(
        f"An average-pooling window holds {_list(values)}{_and_padding(padded)}. What does it give?",
        Choice(number(mean), f"Their sum, {number(sum(values))}, divided by {len(values)}."),
        wrong,
    )


def as_a_convolution(layer: Layer) -> Question:
    """How many parameters a convolution would have in the place of a pooling layer.

    >>> import cnnviz
    >>> as_a_convolution(cnnviz.load_model("mnist_14k")["max_pooling2d"]).answer.text
    '410'
    """
    kh, kw = layer.config["pool_size"]
    channels = int(layer.input_shape[-1] or 1)
    cost = conv_cost(channels, channels, (kh, kw))
    return question(
        f"{layer.name} has a window of {kh} × {kw}, {counted(channels, 'channel')} and "
        f"{counted(layer.params, 'parameter')}. A convolution of the same window and stride would make the "
        f"maps as small, and {counted(channels, 'map')} of them. How many parameters would it have, biases "
        "included?",
        Choice(
            f"{cost.parameters:,}",
            f"{kh} · {kw} · {channels} · {channels} weights and {counted(channels, 'bias', 'biases')}. "
            "Pooling needs none of them: it follows a rule, and treats each channel by itself.",
        ),
        [
            Choice(
                f"{layer.params:,}",
                "Only pooling has nothing to learn. A convolution's weights are learned, whatever its "
                "stride.",
                "what makes maps smaller learns nothing",
            ),
            Choice(
                f"{kh * kw * channels + channels:,}",
                "That would be a depthwise convolution. Here every kernel reads "
                f"{all_of(channels, 'channel')}.",
                "a kernel reads one channel",
            ),
            Choice(
                f"{kh * kw + 1:,}",
                f"That is one kernel on one channel; there are {channels} · {channels} such slices.",
                "one kernel for all",
            ),
        ],
    )


def output_size(size: Pair, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid") -> Question:
    """How large the pooled map is.

    Parameters
    ----------
    size
        (H, W) of the map.
    pool_size, strides, padding
        As in `ops.max_pool2d`.

    Raises
    ------
    ValueError
        As `ops.max_pool2d`.

    Examples
    --------
    >>> output_size((9, 9), 2).answer.text
    '4 × 4'
    """
    rows, cols = pooling_window((1, *size, 1), pool_size, strides, padding)
    text = "{} × {}".format
    span = [(axis.padded - axis.extent) // axis.stride for axis in (rows, cols)]
    up = [-(-(axis.padded - axis.extent) // axis.stride) + 1 for axis in (rows, cols)]
    by_window = [max(axis.size // axis.kernel, 1) for axis in (rows, cols)]
    wrong = [
        Choice(text(*up), "What does not fill a window at the end is left out.", "rounding up"),
        Choice(
            text(*by_window),
            f"Windows are {counted(rows.stride, 'cell')} apart, and not as far as they are large."
            if rows.stride != rows.kernel
            else "Windows stand side by side here, but on the padding too.",
            "dividing by the window",
        ),
        Choice(text(*span), "There is one more place than there are steps.", "counting steps"),
        Choice(
            text(rows.padded - rows.extent + 1, cols.padded - cols.extent + 1),
            "The window goes on by the stride, not by one cell.",
            "a stride of 1",
        ),
        Choice(
            text(rows.size, cols.size),
            f"The window has {'fewer' if rows.out * cols.out < rows.size * cols.size else 'more'} places "
            "than the map has cells.",
            "the size kept",
        ),
        Choice(text(1, 1), "That would be global pooling.", "one window over the whole map"),
    ]
    around = f"padding '{padding}'" if isinstance(padding, str) else _around(rows, cols)
    return question(
        f"A map of {size[0]} × {size[1]}, pooled with windows of {rows.kernel} × {cols.kernel}, stride "
        f"{rows.stride}, {around}: how large is the result?",
        Choice(
            text(rows.out, cols.out),
            f"⌊({rows.padded} − {rows.kernel}) / {rows.stride}⌋ + 1 = {counted(rows.out, 'row')}"
            + (
                ", and as many columns"
                if (rows.padded, rows.kernel) == (cols.padded, cols.kernel)
                else f", ⌊({cols.padded} − {cols.kernel}) / {cols.stride}⌋ + 1 = "
                f"{counted(cols.out, 'column')}"
            )
            + (", padding included." if (rows.padded, cols.padded) != (rows.size, cols.size) else "."),
        ),
        wrong,
    )


def _around(rows: Axis, cols: Axis) -> str:
    """Explicit padding in words."""
    above, below, left, right = sides = rows.before, rows.after, cols.before, cols.after
    if len(set(sides)) == 1:
        return f"{counted(above, 'cell')} of padding on each side"
    return f"padding of {above} above, {below} below, {left} left and {right} right"


def _window(
    x: Any, row: int, col: int, pool_size: Any, strides: Any, padding: Any
) -> tuple[list[float], int]:
    """The values in a window, row by row, and how many of its cells are padding."""
    x = np.asarray(x, float)
    geometry = pooling_window((1, *x.shape, 1), pool_size, strides, padding)
    if not (0 <= row < geometry.out[0] and 0 <= col < geometry.out[1]):
        raise ValueError(f"(row, col) must be a cell of the {geometry.out} outputs, got ({row}, {col})")
    cells = window_cells(geometry, row, col)
    values = [float(x[r, c]) for r, c in cells if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]]
    if len(set(values)) == 1:
        raise ValueError(f"the window at ({row}, {col}) must have different values, all are {values[0]:g}")
    return values, len(cells) - len(values)


def telling_window(x: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid") -> Pair | None:
    """The output cell whose window's values differ most, if any do.

    >>> telling_window([[0, 0, 1, 5], [0, 0, 1, 1]])
    (0, 1)
    """
    x = np.asarray(x, float)
    options = {"strides": strides, "padding": padding}
    spread = ops.max_pool2d(x, pool_size, **options) + ops.max_pool2d(-x, pool_size, **options)
    if not spread.max(initial=0.0) > 0:
        return None
    row, col = np.unravel_index(int(spread.argmax()), spread.shape)
    return int(row), int(col)


def _list(values: list[float]) -> str:
    return ", ".join(number(value) for value in values)


def _and_padding(padded: int) -> str:
    return f", and {counted(padded, 'cell')} of padding" if padded else ""
