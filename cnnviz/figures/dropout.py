"""Dropout at work: one map, what several steps of training leave of it, and the mean over many.

Dropped cells are crossed, not only pale. All maps are drawn on one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid
from cnnviz.figures.marks import Mark
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number


@figure
def dropout_steps(
    values: Any,
    kept: Any,
    dropped: Any,
    mean: Any,
    *,
    labels: Sequence[str] | None = None,
    mean_label: str = "mean",
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """A map, what dropout makes of it in some steps, and the mean over many steps, on one scale.

    Parameters
    ----------
    values
        (H, W): what goes into dropout, and what comes out of it at inference. A vector (C,) is drawn
        as a picture of its own, in rows.
    kept
        (steps, ...) of bools: the masks.
    dropped
        (steps, ...): what comes out in each step.
    mean
        Of `values`' shape.
    labels
        One for each step.
    mean_label
        The last map's.

    Returns
    -------
    Picture
        Its artists are "maps", the images of the values, the steps and the mean, "crosses" and
        "legend".

    Examples
    --------
    >>> x, kept = np.ones((2, 2)), np.array([[[True, False], [True, True]]])
    >>> len(dropout_steps(x, kept, x * kept / 0.75, x)["maps"])
    3
    """
    shown = [np.asarray(values), *np.asarray(dropped), np.asarray(mean)]
    masks = list(np.asarray(kept, bool))
    if len({array.shape for array in (*shown, *masks)}) != 1 or not masks or shown[0].ndim not in (1, 2):
        raise ValueError(f"values must be (H, W) or (C,), and the others like it, got {shown[0].shape}")
    names = [f"step {k}" for k in range(len(masks))] if labels is None else list(labels)
    shown, masks = [_map(array) for array in shown], [_map(mask, True) for mask in masks]
    rows, cols = shown[0].shape
    scale = Scale.of(*(array[np.isfinite(array)] for array in shown))
    across = min(len(shown), 3 if width >= 600 else 2)
    grid = Grid(len(shown), across, width, 12.0, 230.0)
    tile, tall = grid.side, grid.side * rows / cols
    canvas = Canvas(width, grid.lines * (tall + 34) + 46, **look)
    crosses, images = [], []
    for k, (array, name) in enumerate(zip(shown, ["without dropout", *names, mean_label], strict=True)):
        x, y = grid.place(k, tall + 34, 20)
        canvas.text(x, y - 6, name, size=SMALL + 1, weight="bold" if k in (0, len(shown) - 1) else "normal")
        images.append(canvas.image(array, x, y, tile, tall, scale=scale))
        if 1 <= k <= len(masks):
            crosses.append(_crosses(canvas, ~masks[k - 1], x, y, tile / cols))
    legend = canvas.legend(scale, 0.5, grid.lines * (tall + 34) + 18, min(220.0, width - 1))
    counts = ", ".join(str((~mask).sum()) for mask in masks)
    top = float(np.nanmax(np.abs(shown[-1] - shown[0])))
    alt = (
        f"{rows} by {cols} cells; {counted(len(masks), 'step')} "
        f"{'drops' if len(masks) == 1 else 'drop'} {counts} of them, crossed. The {mean_label} is "
        f"within {number(top)} of the map without dropout. One scale, {scale}."
    )
    return canvas.picture(alt, maps=images, crosses=crosses, legend=legend)


def _map(array: np.ndarray, fill: Any = np.nan) -> np.ndarray:
    """A vector in rows of 40, the last one filled up; a map as it is."""
    if array.ndim == 2:
        return array
    columns = min(len(array), 40)
    whole = np.full(-(-len(array) // columns) * columns, fill, array.dtype)
    whole[: len(array)] = array
    return whole.reshape(-1, columns)


def _crosses(canvas: Canvas, where: np.ndarray, x: float, y: float, size: float) -> Mark:
    """A small cross in each cell, all as one artist."""
    strokes = []
    for row, col in np.argwhere(where):
        left, top = x + (col + 0.15) * size, y + (row + 0.15) * size
        right, low = left + 0.7 * size, top + 0.7 * size
        strokes += [[(left, top), (right, low)], [(left, low), (right, top)]]
    return canvas.strokes(strokes, thickness=1.2 if size > 6 else 0.9, zorder=4)
