"""A convolution's output channel taken apart: a map for each input channel, and what they add up to.

All maps share one signed scale, so that parts compare with their sum. What is drawn is made by
`cnnviz.concepts.partial_sums`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid, maps_of, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number, signed_number


@figure
def sum_of_parts(
    parts: Any,
    bias: float,
    value: Any,
    *,
    labels: Sequence[str] | None = None,
    cell: tuple[int, int] | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """The partial sums of one output channel as tiles, their sum with the bias, and the pre-activation.

    Parameters
    ----------
    parts
        (H, W, n): one map for each input channel.
    bias
        Added to every cell.
    value
        (H, W): what the network computed.
    labels
        One for each part; None is their numbers.
    cell
        (row, column) to outline in every map, with its numbers beside the tiles.

    Returns
    -------
    Picture
        Its artists are "parts", the images in order, "total", "value" and "legend".

    Raises
    ------
    ValueError
        for shapes that do not fit.

    Examples
    --------
    >>> picture = sum_of_parts(np.ones((2, 2, 3)), 0.5, np.full((2, 2), 3.5))
    >>> float(picture["total"].get_array()[0, 0])
    3.5
    """
    parts, value = maps_of(parts, "parts"), np.asarray(value)
    rows, cols, count = parts.shape
    names = [str(k) for k in range(count)] if labels is None else list(labels)
    if value.shape != (rows, cols) or len(names) != count:
        raise ValueError(
            f"value must be ({rows}, {cols}) with a label for each of {count} parts, got shape "
            f"{value.shape} and {len(names)}"
        )
    total = parts.sum(axis=2, dtype=np.float64) + bias
    scale = Scale.of(parts, total, value, [bias], signed=True)
    wide = width >= 600
    grid = Grid(count, 8 if wide else 4, width, 10.0 if wide else 8.0, 150.0)
    tile, head = grid.side, 20.0
    tall = tile * rows / cols
    step = tall + head + (20.0 if cell else 6.0)
    big = min(1.5 * tile, (width - 60) / 2)
    canvas = Canvas(width, grid.lines * step + 34 + big * rows / cols + (22 if cell else 4) + 50, **look)

    def draw(array: np.ndarray, x: float, y: float, size: float, name: str, weight: str) -> Any:
        canvas.text(
            x, y - 6, name, size=SMALL, colour="muted" if weight == "normal" else "ink", weight=weight
        )
        image = canvas.image(array, x, y, size, scale=scale)
        if cell:
            canvas.cell(x, y, size / cols, *cell)
            words = signed_number(array[cell], 3)
            canvas.text(x, y + size * rows / cols + 14, words, size=SMALL, weight="bold")
        return image

    drawn = []
    for k in range(count):
        drawn.append(draw(parts[:, :, k], *grid.place(k, step, head), tile, names[k], "normal"))
    y = grid.lines * step + 34
    sign = signed_number(bias, 3)
    heading = f"sum, with bias {sign}"
    second = max(big + 40, text_width(heading, SMALL, "bold") + 12) + 0.5
    total_image = draw(total, 0.5, y, big, heading, "bold")
    value_image = draw(value, second, y, big, "the network’s", "bold")
    canvas.text((big + second) / 2, y + big * rows / cols / 2 + 6, "=", size=18, ha="center")
    legend = canvas.legend(scale, 0.5, canvas.height - 34, min(220.0, width))
    residual = float(np.abs(total - value).max())
    alt = f"{counted(count, 'partial sum')} of {rows} by {cols} cells on one scale, {scale}"
    if cell:
        alt += f"; at row {cell[0]}, column {cell[1]} they are "
        alt += ", ".join(f"{name}: {signed_number(parts[(*cell, k)])}" for k, name in enumerate(names))
        alt += f", with the bias {sign} in all {signed_number(total[cell])}"
    alt += f". Sum and pre-activation differ by {number(residual)} at most."
    return canvas.picture(alt, parts=drawn, total=total_image, value=value_image, legend=legend)
