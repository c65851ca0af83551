"""Pooling: a map beside its largest and its mean values, and what a move of the image changes.

Values come from the operations themselves, and the cells that win from `cnnviz.concepts.downsampling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz import ops
from cnnviz.colours import Scale
from cnnviz.concepts.downsampling import relative_change, winners
from cnnviz.figures.canvas import WIDE, Canvas, map_of
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import number, percent

LEGIBLE, FEW = 26.0, 64
"""Cells of fewer pixels, or of a map with more cells, get no numbers; there the marks are dots."""


@figure
def max_and_average(
    x: Any,
    pool_size: Any = 2,
    *,
    strides: Any = None,
    padding: Any = "valid",
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """A map, the cells that win in it marked, beside what max and average pooling make of it.

    Parameters
    ----------
    x
        (H, W): one channel.
    pool_size, strides, padding
        As in `ops.max_pool2d`.

    Returns
    -------
    Picture
        Its artists are the images "input", "max" and "average", all on one scale, and "winners", the
        cells of x that the marks are on, (H_out, W_out, 2).

    Raises
    ------
    ValueError
        As `ops.max_pool2d`.

    Examples
    --------
    >>> picture = max_and_average([[1, 2], [4, 3]])
    >>> picture["max"].get_array().tolist(), picture["average"].get_array().tolist()
    ([[4.0]], [[2.5]])
    """
    x = map_of(x, "x")
    options = {"strides": strides, "padding": padding}
    pooled = [ops.max_pool2d(x, pool_size, **options), ops.avg_pool2d(x, pool_size, **options)]
    won = winners(x, pool_size, **options)
    scale = Scale.of(x)
    wide = width >= 600
    gap = 40.0
    side = (width - 2 * gap - 1) / 3 if wide else min(width - 1, 300.0)
    unit = min(side / max(x.shape), 48.0)
    small = side if wide else (width - 17) / 2
    cell = min(small / max(pooled[0].shape), 48.0)
    tall, low = unit * x.shape[0], cell * pooled[0].shape[0]
    top = 26.0
    height = top + max(tall, low) + 54 if wide else top + tall + 44 + low + 54
    canvas = Canvas(width, height, **look)
    size = f"{x.shape[0]} × {x.shape[1]}"
    canvas.text(0.5, top - 9, f"Map, {size}", weight="bold")
    artists: dict[str, Any] = {
        "input": canvas.image(x, 0.5, top, unit * x.shape[1], scale=scale),
        "winners": won,
    }
    cells = np.unique(won.reshape(-1, 2), axis=0)
    numbered = x.size <= FEW and canvas.values(x, 0.5, top, unit, scale)
    for row, col in cells:
        if numbered:
            canvas.cell(0.5, top, unit, float(row), float(col))
        else:
            radius = max(2.5, min(unit * 0.36, 7.0)) / 2
            canvas.dot(0.5 + (col + 0.5) * unit, top + (row + 0.5) * unit, radius)
    out = f"{pooled[0].shape[0]} × {pooled[0].shape[1]}"
    for place, (name, array) in enumerate(zip(("max", "average"), pooled, strict=True)):
        left = 0.5 + (side + gap) * (place + 1) if wide else 0.5 + place * (small + 16)
        start = top + (max(tall, low) - low) / 2 if wide else top + tall + 44
        canvas.text(left, start - 9, f"{name.capitalize()}, {out}", weight="bold")
        artists[name] = canvas.image(array, left, start, cell * array.shape[1], scale=scale)
        if cell >= LEGIBLE:
            canvas.values(array, left, start, cell, scale)
        if wide and place == 0:
            middle = top + max(tall, low) / 2
            canvas.arrow((unit * x.shape[1] + 9, middle), (left - 9, middle))
    bottom = height - 30
    canvas.legend(scale, 0.5, bottom, min(180.0, width / 2))
    canvas.note(min(200.0, width / 2 + 16), bottom + 9, "marked: the cells that win")
    alt = (
        f"A map of {size}, from {number(x.min())} to {number(x.max())}. Max pooling gives {out} from "
        f"{number(pooled[0].min())} to {number(pooled[0].max())}, average pooling from "
        f"{number(pooled[1].min())} to {number(pooled[1].max())}. "
        f"{len(cells)} of its {x.size} cells win a window."
    )
    return canvas.picture(alt, **artists)


@figure
def moved_and_pooled(
    pairs: Sequence[tuple[str, Any, Any]],
    *,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Maps of an image and of the moved image, one pair a row, and where the two differ.

    Parameters
    ----------
    pairs
        (name, before, after), both (H, W): the map as it is, max-pooled, average-pooled.

    Returns
    -------
    Picture
        Its artists are "before", "after" and "differences", an image each a pair, and "changes", each
        pair's root mean square difference over that of what was before.

    Raises
    ------
    ValueError
        For arrays that are not maps, or a pair of different shapes.

    Examples
    --------
    >>> picture = moved_and_pooled([("map", [[3.0, 4.0]], [[3.0, 9.0]])])
    >>> picture["changes"]
    [1.0]
    """
    maps = [(name, np.asarray(one), np.asarray(other)) for name, one, other in pairs]
    for name, one, other in maps:
        if one.ndim != 2 or one.shape != other.shape:
            raise ValueError(f"{name} must be two maps (H, W), got shapes {one.shape} and {other.shape}")
    scale = Scale.of(*(array for _, *both in maps for array in both))
    differences = [other - one for _, one, other in maps]
    signed = Scale.of(*differences, signed=True)
    gap = 20.0
    side = min((width - 2 * gap - 1) / 3, 220.0)
    step = side + 52
    canvas = Canvas(width, step * len(maps) + 44, **look)
    artists: dict[str, list[Any]] = {"before": [], "after": [], "differences": [], "changes": []}
    for place, ((name, one, other), difference) in enumerate(zip(maps, differences, strict=True)):
        top = place * step + 40
        change = relative_change(one, other)
        artists["changes"].append(change)
        size = f"{one.shape[0]} × {one.shape[1]}"
        canvas.text(0.5, top - 22, f"{name}, {size}: changed by {percent(change, 0)}", weight="bold")
        tall = side * one.shape[0] / one.shape[1]
        parts = (
            ("before", one, scale, "of the digit"),
            ("after", other, scale, "moved"),
            ("differences", difference, signed, "difference"),
        )
        for k, (column, array, each, words) in enumerate(parts):
            left = 0.5 + k * (side + gap)
            canvas.note(left, top - 6, words)
            fits = min(side, side * side / tall)
            artists[column].append(canvas.image(array, left, top, fits, scale=each))
    bottom = step * len(maps) + 14
    canvas.legend(scale, 0.5, bottom, min(side, 140.0))
    canvas.legend(signed, 0.5 + 2 * (side + gap), bottom, min(side, 140.0))
    said = [
        f"{name} {percent(change, 0)}" for (name, _, _), change in zip(maps, artists["changes"], strict=True)
    ]
    alt = f"How much each changed when the image moved: {', '.join(said)}."
    return canvas.picture(alt, **artists)
