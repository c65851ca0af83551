"""How a picture is prepared to be a digit, step by step, as `cnnviz.images.digit_preparation` did it."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from cnnviz.colours import INK
from cnnviz.figures.canvas import WIDE, Canvas, Grid
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.digit_preparation import BOX, SIDE, Preparation
from cnnviz.numbers import number

_LARGEST = 200
"""Pixels a side of the given image that are kept for drawing it."""


@figure
def preparation_steps(
    steps: Preparation,
    *,
    drawn: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """How a picture became a digit: as given, its ink, the ink in 20x20, and that in 28x28.

    Parameters
    ----------
    steps
        From `cnnviz.images.digit_preparation.prepare_in_steps`.
    drawn
        Whether the picture is ink already, as a pad or MNIST gives it: it is drawn as such, and not as
        something light or dark.

    Returns
    -------
    Picture
        Its artists are "images", four of them, and "box", the outline of the ink.

    Examples
    --------
    >>> from cnnviz.images.digit_preparation import prepare_in_steps
    >>> paper = np.zeros((60, 40)); paper[10:50, 18:24] = 1
    >>> len(preparation_steps(prepare_in_steps(paper))["images"])
    4
    """
    across, gap = (4, 24.0) if width >= 560 else (2, 20.0)
    grid = Grid(4, across, width, gap, 190.0)
    tile, step = grid.side, grid.side + 74
    canvas = Canvas(width, step * grid.lines, **look)
    arrays = (_given(steps, drawn), _smaller(steps.ink), _fitted(steps.scaled), steps.digit / 255)
    images, places = [], []
    for k, (array, lines) in enumerate(zip(arrays, _step_words(steps, drawn), strict=True)):
        x, y = grid.place(k, step, 20)
        canvas.text(x, y - 7, lines[0], weight="bold")
        unit = tile / max(array.shape[:2])
        tall, broad = (side * unit for side in array.shape[:2])
        at = x + (tile - broad) / 2, y + (tile - tall) / 2
        images.append(canvas.image(array, *at, broad, tall, scale=INK))
        places.append((*at, broad))
        for line, text in enumerate(lines[1:]):
            canvas.note(x, y + tile + 18 + 16 * line, text)
    x, y, broad = places[1]
    box = canvas.field(x, y, broad / steps.ink.shape[1], steps.box)
    x, y, broad = places[3]
    unit = broad / SIDE
    canvas.cell(
        x, y, unit, *steps.corner, *steps.scaled.shape, colour="muted", thickness=1.0, dashes=(0, (3, 3))
    )
    row, col = (place + 0.5 for place in steps.centre)
    for radius, colour in ((6.5, "background"), (5.0, "accent")):
        canvas.dot(x + col * unit, y + row * unit, radius, colour, filled=False)
    return canvas.picture(_steps_in_words(steps), images=images, box=box)


def _given(steps: Preparation, drawn: bool) -> np.ndarray:
    """The picture as given: ink (H, W), or its colours (H, W, 3)."""
    grey = steps.given.ndim == 2
    colours = np.repeat(steps.given[:, :, None], 3, axis=2) if grey and not drawn else steps.given
    return _smaller(colours)


def _fitted(scaled: np.ndarray) -> np.ndarray:
    """Scaled ink in the middle of its 20x20 box."""
    fitted = np.zeros((BOX, BOX))
    rows, cols = scaled.shape
    down, aside = (BOX - rows) // 2, (BOX - cols) // 2
    fitted[down : down + rows, aside : aside + cols] = scaled
    return fitted


def _smaller(image: np.ndarray) -> np.ndarray:
    """An image of at most `_LARGEST` pixels a side, by the means of blocks."""
    step = -(-max(image.shape[:2]) // _LARGEST)
    down, across = (min(step, side) for side in image.shape[:2])
    rows, cols = image.shape[0] // down, image.shape[1] // across
    blocks = image[: rows * down, : cols * across].reshape(rows, down, cols, across, *image.shape[2:])
    return blocks.mean(axis=(1, 3))


def _step_words(steps: Preparation, drawn: bool) -> list[tuple[str, str, str]]:
    """For each step its name, and two lines about it."""
    (top, bottom), (left, right) = steps.box
    rows, cols = steps.scaled.shape
    height, width = steps.given.shape[:2]
    before, after = (f"{stroke:.1f}" for stroke in steps.stroke)
    paper = "darker than its paper" if steps.inverted else "lighter than its paper"
    outlined = f"outlined: {bottom - top + 1} × {right - left + 1}"
    strokes = f"strokes {after} wide" if before == after else f"strokes {before}, now {after} wide"
    return [
        ("1  As given", f"{height} × {width} pixels", ""),
        ("2  Its ink", *((outlined, "") if drawn else (paper, outlined))),
        ("3  In 20 × 20", f"{rows} × {cols} pixels", strokes),
        ("4  In 28 × 28", "centre of mass:", "row {:.1f}, column {:.1f}".format(*steps.centre)),
    ]


def _steps_in_words(steps: Preparation) -> str:
    (top, bottom), (left, right) = steps.box
    rows, cols = steps.scaled.shape
    height, width = steps.given.shape[:2]
    words = (
        f"Four steps. The picture as given, {height} by {width} pixels. Its ink, "
        f"{'darker' if steps.inverted else 'lighter'} than its background, in rows {top} to {bottom} and "
        f"columns {left} to {right}. The ink fitted into 20 by 20 pixels, {rows} by {cols}, its strokes "
        f"{number(steps.stroke[1], 2)} pixels wide. It in 28 by 28 pixels, its centre of mass at "
        "row {:.1f}, column {:.1f}.".format(*steps.centre)
    )
    return words + (" It was an MNIST digit already and was not scaled." if steps.as_it_was else "")
