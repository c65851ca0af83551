"""The images that excite a channel most: each whole, with what the cell sees outlined, and that part large.

Which images these are is found by `cnnviz.concepts.exciting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.input_pictures import input_picture
from cnnviz.numbers import counted, number, with_article
from cnnviz.receptive_fields.field import Box


@figure
def exciting_digits(
    images: Any,
    boxes: Sequence[Box],
    values: Sequence[float],
    *,
    titles: Sequence[str],
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Images in the order of how much they excite a channel; under each what the exciting cell sees.

    Parameters
    ----------
    images
        (n, H, W) grey, or (n, H, W, 3) in colour: pixels 0 to 1, or 0 to 255 as integers.
    boxes
        ((top, bottom), (left, right)), inclusive, for each image: the pixels that the cell depends on.
    values
        The channel's value there.
    titles
        What each image is called: its number in the set.
    labels
        The class of each; None if not known.
    columns
        Images in a row; None is as many as fit.

    Returns
    -------
    Picture
        Its artists are "images", "patches", and "tiles", where each image with its words is:
        (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        if there is not one box, value and title for each image, or a box lies outside.

    Examples
    --------
    >>> picture = exciting_digits(np.eye(4)[None], [((0, 1), (0, 2))], [3.5], titles=["17"], labels=["8"])
    >>> picture["patches"][0].get_array().shape
    (2, 3)
    """
    images = np.asarray(images)
    count = len(images)
    marks = [""] * count if labels is None else list(labels)
    if (
        images.ndim not in (3, 4)
        or not count == len(boxes) == len(values) == len(titles) == len(marks)
        or not count
    ):
        raise ValueError(
            "images must be (n, H, W) or (n, H, W, 3) with a box, value, title and label for each, "
            f"got shape {images.shape}"
        )
    rows, cols = images.shape[1:3]
    for (top, bottom), (left, right) in boxes:
        if not (0 <= top <= bottom < rows and 0 <= left <= right < cols):
            raise ValueError(
                f"boxes must lie on {rows} by {cols} pixels, got {((top, bottom), (left, right))}"
            )
    pictures = [input_picture(image).drawn(image) for image in images]
    wide = width >= 600
    across = min(columns or (6 if wide else 3), count)
    grid = Grid(count, across, width, 20.0 if wide else 12.0, 170.0)
    step = grid.side
    # The whole image and its part stand side by side if there is room for both.
    beside = step >= 110
    whole = (step - 8) / 2 if beside else step
    tall = whole * rows / cols
    block = 22 + tall + (0 if beside else 6 + tall) + 22
    canvas = Canvas(width, grid.lines * block, **look)
    drawn, patches, tiles = [], [], []
    for k, ((image, scale), box, value) in enumerate(zip(pictures, boxes, values, strict=True)):
        (top, bottom), (left, right) = box
        x, y = grid.place(k, block, 20)
        canvas.text(x, y - 6, marks[k], weight="bold")
        canvas.note(x + step - 1, y - 6, titles[k], ha="right")
        drawn.append(canvas.image(image, x, y, whole, scale=scale))
        tiles.append(canvas.share(x, y - 20, step, block))
        canvas.field(x, y, whole / cols, box, thickness=1.6)
        part = image[top : bottom + 1, left : right + 1]
        size = min(whole / part.shape[1], tall / part.shape[0])
        over, down = (x + whole + 8, y) if beside else (x, y + tall + 6)
        broad, high = size * part.shape[1], size * part.shape[0]
        patches.append(canvas.image(part, over, down, broad, high, scale=scale, frame="accent"))
        canvas.text(x, y + tall + (0 if beside else 6 + tall) + 14, number(value), size=SMALL)
    told = "; ".join(
        f"{title}{f', {with_article(mark)}' if mark else ''}: {number(value)}, seen are rows {top} to "
        f"{bottom} and columns {left} to {right}"
        for title, mark, value, ((top, bottom), (left, right)) in zip(
            titles, marks, values, boxes, strict=True
        )
    )
    alt = f"{counted(count, 'image')}, the most exciting first. {told}."
    return canvas.picture(alt, images=drawn, patches=patches, tiles=tiles)
