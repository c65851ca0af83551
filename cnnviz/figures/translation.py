"""What moving an image does to a map and to the prediction.

The arithmetic is done in `cnnviz.concepts.translation`; several channels at once are left out.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.concepts.translation import MovedMaps
from cnnviz.figures.canvas import WIDE, Canvas, Grid
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, general, minus, number

TITLES = ("Before", "Before, moved", "After", "After − moved")


@figure
def moved_maps(
    maps: MovedMaps,
    channel: int = 0,
    *,
    pixels: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """One channel of a layer: of the image, the same moved, of the moved image, and the difference.

    Cells to which nothing has moved cannot be compared; they stay grey.

    Parameters
    ----------
    maps
        Of one layer, from `translation.compare_shift`.
    channel
        Which.
    pixels
        Draw the maps as ink on paper: for the image itself.

    Returns
    -------
    Picture
        Its artists are the images "before", "moved", "after" and "difference".

    Raises
    ------
    ValueError
        for a channel that the layer does not have.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> from cnnviz.concepts.translation import compare_shift
    >>> found = compare_shift(load_model("mnist_14k"), load_mnist()[1][0][0], 0, 3)
    >>> moved_maps(found["conv2d"]).alt[-24:]
    'largest difference is 0.'
    """
    rows, cols, channels = maps.before.shape
    if not 0 <= channel < channels:
        raise ValueError(f"channel must be from 0 to {channels - 1} for {maps.name}, got {channel!r}")
    lost = ~maps.kept
    before, after = maps.before[:, :, channel], maps.after[:, :, channel]
    moved = np.where(lost, np.nan, maps.expected[:, :, channel])
    difference = np.where(lost, np.nan, maps.difference[:, :, channel])
    # What is compared has one scale; a difference may be larger than either.
    shared = INK if pixels else Scale.of(before, after)
    signed = Scale.of(shared.limit, difference, signed=True) if pixels or not shared.signed else shared
    if shared.signed:
        shared = signed = Scale.of(before, after, difference, signed=True)
    across, gap = (4, 18.0) if width >= 600 else (2, 12.0)
    grid = Grid(4, across, width, gap)
    side, tall = grid.side, grid.side * rows / cols
    step = 22 + tall + 14
    canvas = Canvas(width, step * grid.lines + 40, **look)
    images = {}
    shown = {"before": before, "moved": moved, "after": after, "difference": difference}
    for k, (name, array) in enumerate(shown.items()):
        x, y = grid.place(k, step, 22)
        canvas.text(x, y - 8, TITLES[k], weight="bold")
        canvas.bar(x, y, side, tall, "muted", zorder=0)
        images[name] = canvas.image(array, x, y, side, scale=signed if name == "difference" else shared)
    y = step * grid.lines + 14
    canvas.legend(shared, 0.5, y, min(200.0, side), "the maps" if shared != signed else "all four")
    if shared != signed:
        canvas.legend(signed, width - 1 - min(200.0, side), y, min(200.0, side), "the difference")
    largest = float(np.nanmax(np.abs(difference))) if maps.kept.any() else None
    down, right = maps.cells
    alt = (
        f"Channel {channel} of {maps.name}, {rows} by {cols} cells, moved by {general(down)} down and "
        f"{general(right)} right, in cells; {counted(int(maps.kept.sum()), 'cell')} can be compared"
    )
    alt += "." if largest is None else f", and their largest difference is {number(largest)}."
    return canvas.picture(alt, **images)


@figure
def shift_map(
    values: Any,
    rows: int = 0,
    cols: int = 0,
    *,
    title: str = "probability",
    width: float = 420.0,
    **look: Unpack[Look],
) -> Picture:
    """A probability for every move of an image, from up and left to down and right, one move outlined.

    Parameters
    ----------
    values
        (2*reach + 1, 2*reach + 1), 0 to 1: one class of `translation.predictions_over_shifts`.
    rows, cols
        The move to outline: down and to the right.
    title
        Of the legend.

    Returns
    -------
    Picture
        Its artists are "values", the image, "cell", the outline, and "tiles", where each move is, row by
        row: (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        for values of another shape, or a move beyond them.

    Examples
    --------
    >>> shift_map(np.eye(5), 1, 1).alt[-30:]
    '1 down and 1 right it is 1.00.'
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.shape[0] % 2 == 0:
        raise ValueError(f"values must be square with a middle, got shape {values.shape}")
    reach = values.shape[0] // 2
    if max(abs(rows), abs(cols)) > reach:
        raise ValueError(f"rows and cols must be from {-reach} to {reach}, got {rows}, {cols}")
    left, top = 30.0, 22.0
    side = width - left - 1
    unit = side / len(values)
    canvas = Canvas(width, top + side + 36 + 62, **look)
    scale = Scale("positive", 1.0)
    image = canvas.image(values, left, top, side, scale=scale)
    for move in (-reach, 0, reach):
        words, place = minus(move), (move + reach + 0.5) * unit
        canvas.note(left + place, top + side + 16, words, ha="center")
        canvas.note(left - 6, top + place + 4, words, ha="right")
    canvas.note(left, top - 8, "pixels down")
    canvas.note(left + side, top + side + 32, "pixels to the right", ha="right")
    cell = canvas.cell(left, top, unit, rows + reach, cols + reach)
    canvas.legend(scale, left, top + side + 36 + 28, min(200.0, side), title)
    alt = (
        f"{title[:1].upper()}{title[1:]} for moves of up to {reach} pixels: from {number(values.min())} to "
        f"{number(values.max())}; unmoved it is {number(values[reach, reach])}, {rows} down and {cols} right "
        f"it is {number(values[rows + reach, cols + reach])}."
    )
    tiles = [
        canvas.share(left + col * unit, top + row * unit, unit, unit) for row, col in np.ndindex(values.shape)
    ]
    return canvas.picture(minus(alt), values=image, cell=cell, tiles=tiles)
