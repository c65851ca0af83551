"""A small convolution drawn as the dense layer that does the same: a band of weights, all else zero."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.concepts.weight_sharing import convolution_matrix
from cnnviz.figures.canvas import WIDE, Canvas, map_of
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number
from cnnviz.ops.affine import dense


@figure
def weight_matrix(
    x: Any,
    kernel: Any,
    *,
    output: int = 0,
    pixels: bool = True,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """A small input, a kernel, the output, and the weights of the dense layer that computes it too.

    Each line of the matrix is one output, each column one cell of the input, both row by row. One
    output is outlined, with the cells that it reads and its line of weights.

    Parameters
    ----------
    x
        (H, W).
    kernel
        (kh, kw).
    output
        The output to outline, counted row by row.
    pixels
        Draw x as ink on paper.

    Returns
    -------
    Picture
        Its artists are the images "input", "kernel", "output" and "matrix", whose data is the dense
        layer's kernel transposed, with NaN where nothing is connected; and "tiles", where each cell of the
        output is: (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        for shapes that do not fit, or an output that does not exist.

    Examples
    --------
    >>> weight_matrix(np.eye(4), np.ones((3, 3)))["matrix"].get_array().shape
    (4, 16)
    """
    x, kernel = map_of(x, "x"), np.asarray(kernel)
    equivalent = convolution_matrix(kernel, x.shape)
    rows, cols = equivalent.output_size
    if not 0 <= output < rows * cols:
        raise ValueError(f"output must be one of the {rows} x {cols} outputs, got {output!r}")
    row, col = divmod(output, cols)
    answer = dense(x.reshape(1, -1), equivalent.matrix.astype(x.dtype)).reshape(rows, cols)
    lines = np.where(equivalent.taps >= 0, equivalent.matrix, np.nan).T
    weights, data, answers = Scale.of(kernel, signed=True), INK if pixels else Scale.of(x), Scale.of(answer)
    # Where there is room the three small ones stand beside the matrix, else above it.
    beside, gap = width >= 600, 14.0
    across = max(x.shape[1], kernel.shape[1] + cols) if beside else x.shape[1] + kernel.shape[1] + cols
    room = 0.3 * width - gap if beside else width - 1 - 2 * gap
    unit = min(room / across, 28.0 if beside else 40.0)
    second = 24 + unit * x.shape[0] + 30 if beside else 24.0
    right = 0.5 + unit * kernel.shape[1] + gap
    places = {
        "input": (0.5, 24.0),
        "kernel": (0.5 if beside else 0.5 + unit * x.shape[1] + gap, second),
        "output": (right if beside else right + unit * x.shape[1] + gap, second),
    }
    left = 0.5 + max(unit * x.shape[1], unit * (kernel.shape[1] + cols) + gap) + 36 if beside else 0.5
    tall = second + unit * max(kernel.shape[0], rows, 0 if beside else x.shape[0])
    under = 24.0 if beside else tall + 62
    cell = (width - 1.5 - left) / lines.shape[1]
    bottom = under + cell * len(lines)
    canvas = Canvas(width, max(tall + 44, bottom + 50), **look)
    images = {}
    for name, title, array, scale in (
        ("input", "Input", x, data),
        ("kernel", "Kernel", kernel, weights),
        ("output", "Output", answer, answers),
    ):
        at = places[name]
        canvas.text(at[0], at[1] - 9, title, weight="bold")
        images[name] = canvas.image(array, *at, unit * array.shape[1], scale=scale)
        if name != "input" or unit >= 32:
            canvas.values(array, *at, unit, scale)
    at = places["output"]
    canvas.legend(answers, at[0], at[1] + unit * rows + 14, min(unit * cols, 160.0))
    tiles = [
        canvas.share(at[0] + c * unit, at[1] + r * unit, unit, unit) for r, c in np.ndindex(answer.shape)
    ]
    canvas.cell(*places["input"], unit, row, col, *kernel.shape)
    canvas.cell(*at, unit, row, col)
    canvas.text(left, under - 9, "The same as a dense layer", weight="bold")
    canvas.bar(left, under, width - 1.5 - left, bottom - under, "panel", zorder=0)
    images["matrix"] = canvas.image(lines, left, under, width - 1.5 - left, scale=weights)
    canvas.cell(left, under, cell, output, 0, 1, lines.shape[1])
    canvas.legend(weights, left, bottom + 26, min(220.0, width - 1), "weights; grey: none, so 0")
    alt = (
        f"A {kernel.shape[0]} by {kernel.shape[1]} convolution of {x.shape[0]} by {x.shape[1]} cells as a "
        f"dense layer with {counted(lines.size, 'weight')}, of which {equivalent.connected} may differ from "
        f"0 and take {counted(kernel.size, 'value')}. Output {row}, {col} is "
        f"{number(float(answer[row, col]))}."
    )
    return canvas.picture(alt, tiles=tiles, **images)
