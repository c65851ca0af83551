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
        layer's kernel transposed, with NaN where nothing is connected.

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
    gap = 40.0 if width >= 600 else 14.0
    unit = min((width - 1 - 2 * gap) / (x.shape[1] + kernel.shape[1] + cols), 40.0)
    tall = unit * max(x.shape[0], rows, kernel.shape[0])
    under = 24 + tall + 62
    cell = (width - 1) / lines.shape[1]
    canvas = Canvas(width, under + cell * len(lines) + 50, **look)
    images, left = {}, 0.5
    places = {}
    for name, title, array, scale in (
        ("input", "Input", x, data),
        ("kernel", "Kernel", kernel, weights),
        ("output", "Output", answer, answers),
    ):
        canvas.text(left, 15, title, weight="bold")
        images[name] = canvas.image(array, left, 24, unit * array.shape[1], scale=scale)
        if name != "input" or unit >= 32:
            canvas.values(array, left, 24, unit, scale)
        if name == "output":
            canvas.legend(scale, left, 24 + unit * rows + 14, min(unit * cols, 160.0))
        places[name] = left
        left += unit * array.shape[1] + gap
    canvas.cell(places["input"], 24, unit, row, col, *kernel.shape)
    canvas.cell(places["output"], 24, unit, row, col)
    canvas.text(0.5, under - 9, "The same as a dense layer", weight="bold")
    canvas.bar(0.5, under, width - 1, cell * len(lines), "panel", zorder=0)
    images["matrix"] = canvas.image(lines, 0.5, under, width - 1, scale=weights)
    canvas.cell(0.5, under, cell, output, 0, 1, lines.shape[1])
    canvas.legend(
        weights, 0.5, under + cell * len(lines) + 26, min(220.0, width - 1), "weights; grey: none, so 0"
    )
    alt = (
        f"A {kernel.shape[0]} by {kernel.shape[1]} convolution of {x.shape[0]} by {x.shape[1]} cells as a "
        f"dense layer with {counted(lines.size, 'weight')}, of which {equivalent.connected} may differ from "
        f"0 and take {counted(kernel.size, 'value')}. Output {row}, {col} is "
        f"{number(float(answer[row, col]))}."
    )
    return canvas.picture(alt, **images)
