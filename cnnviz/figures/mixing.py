"""One pixel through a 1x1 convolution: its channels, the mixing matrix, and what comes out."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.channels import mix
from cnnviz.colours import Scale
from cnnviz.figures.canvas import WIDE, Canvas
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, signed_number


@figure
def pixel_mixing(
    values: Any,
    matrix: Any,
    bias: Any = None,
    *,
    selected: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """One pixel's channels, the matrix they are multiplied with, and the channels that come out.

    Parameters
    ----------
    values
        (C_in,): what the layer reads at one position.
    matrix
        (C_in, C_out).
    bias
        (C_out,) or None.
    selected
        An output to outline.

    Returns
    -------
    Picture
        Its artists are the images "values", "matrix", "bias" and "result", and the array "outputs".

    Examples
    --------
    >>> pixel_mixing([1.0, 2.0], [[1.0, 0.0], [3.0, 1.0]])["outputs"]
    array([7., 2.])
    """
    values, matrix = np.asarray(values), np.asarray(matrix)
    outputs = mix(values, matrix, bias)
    if values.ndim != 1:
        raise ValueError(f"values must be (C_in,), got shape {values.shape}")
    channels_in, channels_out = matrix.shape
    wide = width >= 600
    names, column = (74.0, 66.0) if wide else (24.0, 40.0)
    gap = 40.0 if wide else 14.0
    tall = 24.0
    cell = min((width - names - column - gap - 1) / channels_out, 80.0)
    left = names + column + gap
    top = 44.0
    below = top + channels_in * tall + 14
    rows = 2 if bias is not None else 1
    canvas = Canvas(width, below + rows * (tall + 8) + 66, **look)
    data = Scale.of(values)
    weights = Scale.of(matrix, signed=True)
    results = Scale.of(outputs, *([] if bias is None else [bias]), signed=True)
    canvas.text(names, 14, "Pixel", weight="bold")
    canvas.text(left, 14, "Weights", weight="bold")
    images = {
        "values": canvas.table(values[:, np.newaxis], names, top, (column, tall), data),
        "matrix": canvas.table(matrix, left, top, (cell, tall), weights),
    }
    canvas.text(left - gap / 2, top + channels_in * tall / 2 + 6, "×", size=18, ha="center")
    for c in range(channels_in):
        canvas.note(names - 8, top + (c + 0.5) * tall + 4, str(c), ha="right")
    for c in range(channels_out):
        canvas.name(left + (c + 0.5) * cell, top - 8, str(c), c == selected, colour="muted", ha="center")
    lines = [("result", "= out", outputs)]
    if bias is not None:
        lines.insert(0, ("bias", "+ bias", np.asarray(bias)))
    for k, (name, words, line) in enumerate(lines):
        y = below + k * (tall + 8)
        canvas.text(left - 10, y + tall / 2 + 4, words, weight="bold", ha="right")
        images[name] = canvas.table(line[np.newaxis], left, y, (cell, tall), results)
    if selected is not None:
        for y, height in ((top, channels_in * tall), (below + (rows - 1) * (tall + 8), tall)):
            canvas.box(left + selected * cell, y, cell, height, "accent", 2, halo=True, zorder=5)
    y = below + rows * (tall + 8) + 28
    bar = min((width - 2 * 24) / 3, 180.0)
    legends = {"channels in": data, "weights": weights, "bias and out": results}
    for k, (words, scale) in enumerate(legends.items()):
        canvas.legend(scale, 0.5 + k * (bar + 24), y, bar, words)
    alt = (
        f"{counted(channels_in, 'channel')} in, {', '.join(signed_number(v, 2) for v in values)}, times a "
        f"matrix of {channels_in} by {channels_out} weights give "
        f"{', '.join(signed_number(v, 2) for v in outputs)}."
    )
    return canvas.picture(alt, **images, outputs=outputs)
