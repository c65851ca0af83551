"""What a stack of small kernels sees, layer by layer, against one kernel that sees as far."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale, ink_on
from cnnviz.figures.canvas import SMALL, WIDE, Canvas
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.kernels import stack_paths


@figure
def stacked_fields(depth: int = 3, size: int = 3, *, width: float = WIDE, **look: Unpack[Look]) -> Picture:
    """The cells that a stack of small kernels reads in each layer, against one kernel that sees as far.

    Each cell of the image says what share of all paths to the unit begin there: from the middle there
    are many through a stack, from a corner a single one; through one kernel all have one.

    Parameters
    ----------
    depth, size
        Layers in the stack, at least 1, and their kernels' size, at least 2.

    Returns
    -------
    Picture
        Its artists are the images "stack" and "single", shares from 0 to 1 of the paths, and "cells",
        the outlines of the layers between, from the image up.

    Raises
    ------
    ValueError
        as `kernels.stack_paths`; for a stack without layers.

    Examples
    --------
    >>> picture = stacked_fields(3)
    >>> picture["stack"].get_array().shape, len(picture["cells"])
    ((7, 7), 3)
    """
    if depth < 1 or size < 2:
        raise ValueError(f"depth must be at least 1 and size at least 2, got {depth!r}, {size!r}")
    paths = stack_paths(depth, size)
    side = len(paths)
    shares = paths / paths.sum()
    even = np.full(paths.shape, 1 / paths.size)
    scale = Scale.of(shares, even, signed=False)
    uppers = [side - (size - 1) * k for k in range(1, depth + 1)]
    # Wide: one line of image, layers and unit, then the single kernel. Narrow: the layers go below.
    gap = 26.0
    unit = (width - 1 - (depth + 2) * gap) / (2 * side + sum(uppers))
    wide = unit >= 10
    if not wide:
        gap = 12.0
        # The last word is wider than the unit that it stands over.
        unit = min((width - 1 - 2 * gap) / (2 * side), (width - 21 - (depth - 1) * gap) / sum(uppers))
    unit = min(unit, 34.0)
    tall = unit * side
    below = 0.0 if wide else unit * uppers[0] + 40
    canvas = Canvas(width, 40 + tall + below + 62, **look)
    outlines: list[Any] = []
    x, y = 0.5, 40.0
    names = [f"{depth} of {size}×{size}", f"one of {side}×{side}"]

    def image(values: np.ndarray, counts: np.ndarray, left: float, name: str) -> Any:
        canvas.text(left, 14, name, weight="bold")
        canvas.note(left, 31, f"sees {side}×{side}")
        drawn = canvas.image(values, left, y, tall, scale=scale)
        if unit >= 20:
            most = int(counts.max())
            letters = SMALL if len(str(most)) * 7 < unit else max(7.5, unit / len(str(most)) * 1.5)
            for (r, c), count in np.ndenumerate(counts):
                canvas.text(
                    left + (c + 0.5) * unit,
                    y + (r + 0.5) * unit + 4,
                    str(count),
                    size=letters,
                    colour=ink_on(float(values[r, c]), scale, canvas.theme),
                    ha="center",
                )
        return drawn

    stack = image(shares, paths, x, names[0])
    at, top, before = x, y, side
    for k, cells in enumerate(uppers):
        if wide or k:
            left = at + unit * before + gap
            middle = top if not wide and k else y + (tall - unit * cells) / 2
            middle = middle if wide else 40 + tall + 30 + (unit * uppers[0] - unit * cells) / 2
        else:
            left, middle = 0.5, 40 + tall + 30
        outlines.append(_grid(canvas, left, middle, unit, cells))
        if wide or k:
            # All of the layer below feeds it, from corner to corner.
            for low, high in ((top, middle), (top + unit * before, middle + unit * cells)):
                canvas.line([(at + unit * before, low), (left, high)], "muted", 0.8, (0, (3, 2)))
        words = f"{cells}×{cells}" if cells > 1 else "unit"
        canvas.note(left, middle - 6, words)
        at, top, before = left, middle, cells
    left = at + unit * before + 2 * gap if wide else 0.5 + tall + 2 * gap
    single = image(even, np.ones_like(paths), left, names[1])
    legend_y = 40 + tall + below + 28
    canvas.legend(scale, 0.5, legend_y, min(220.0, width - 1), "share of the paths to the unit")
    many = f"{depth} stacked {size} by {size} kernels see" if depth > 1 else f"A {size} by {size} kernel sees"
    said = f"{many} {side}"
    alt = (
        f"{said} by {side} cells, as one kernel of that size does. Of {int(paths.sum()):,} paths through the "
        f"stack {int(paths.max()):,} begin at the middle cell and 1 at each corner. The layers between are "
        f"{', '.join(f'{n} by {n}' for n in uppers)} cells."
    )
    return canvas.picture(alt, stack=stack, single=single, cells=outlines)


def _grid(canvas: Canvas, x: float, y: float, unit: float, cells: int) -> Any:
    """Empty cells of a layer between."""
    canvas.box(x, y, unit * cells, unit * cells, "accent" if cells == 1 else "muted", 1.2, fill="panel")
    boxes = [(x + c * unit, y + r * unit, unit, unit) for r in range(cells) for c in range(cells)]
    return canvas.boxes(boxes, "muted")
