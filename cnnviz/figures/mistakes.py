"""The digits that a network gets wrong, as `cnnviz.network.mistakes` found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid, shortened, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.class_names import class_names
from cnnviz.images.input_pictures import input_picture
from cnnviz.network.mistakes import Mistake
from cnnviz.numbers import percent, with_article

MOST_CLASSES = 1_000_000


@figure
def hard_cases(
    found: Sequence[Mistake],
    images: np.ndarray | Mapping[int, np.ndarray],
    *,
    classes: Any = None,
    columns: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """The images that a network gets wrong, each with its label and the two likeliest classes.

    Parameters
    ----------
    found
        From `cnnviz.network.mistakes.mistakes`.
    images
        (N, H, W) grey, or (N, H, W, 3) in colour: all that were looked at, or those of `found` by index.
    classes
        The names of the classes, as `cnnviz.images.class_names.class_names` takes them; None is 0, 1, 2, ...
    columns
        Tiles in a row; None is as many as are about 60 pixels wide.

    Returns
    -------
    Picture
        Its artists are "images" and "tiles", where each tile with its words is: (x, y, width, height)
        as shares of the picture's width and height.

    Raises
    ------
    ValueError
        if there is no mistake to draw, or a class without a name.

    Examples
    --------
    >>> from cnnviz.network.mistakes import Mistake
    >>> found = [Mistake(2, 4, ((9, 0.75), (4, 0.25)))]
    >>> hard_cases(found, np.zeros((3, 28, 28), "uint8")).alt
    'One image that the network gets wrong. Image 2 is a 4: 9 with 75 %, 4 with 25 %.'
    """
    if not found:
        raise ValueError("found must hold at least one mistake")
    most = 1 + max(max(mistake.label, *(k for k, _ in mistake.ranked)) for mistake in found)
    if most > MOST_CLASSES:
        raise ValueError(f"found must be of classes below {MOST_CLASSES:,}, got class {most - 1:,}")
    names = class_names(range(most) if classes is None else classes)
    if len(names) < most:
        raise ValueError(f"classes must name class {most - 1} too, got {len(names)} names")
    gap = 12.0 if width >= 600 else 10.0
    columns = columns or max(1, int((width + gap) // (60 + gap)))
    grid = Grid(len(found), columns, width, gap, 84.0)
    tile, step = grid.side, grid.side + 62
    canvas = Canvas(width, grid.lines * step, **look)
    drawn, tiles = [], []
    for k, mistake in enumerate(found):
        x, y = grid.place(k, step, 1)
        image, scale = input_picture(images[mistake.index]).drawn(images[mistake.index])
        drawn.append(canvas.image(image, x, y, tile, tile, scale=scale))
        canvas.note(x + 1, y + tile + 15, shortened(f"is {names[mistake.label]}", tile, SMALL))
        for line, (label, share) in enumerate(mistake.ranked[:2]):
            weight = "bold" if line == 0 else "normal"
            chance = f": {percent(share, 0)}"
            room = tile + gap - text_width(chance, SMALL, weight)
            says = shortened(names[label], room, SMALL, weight) + chance
            canvas.text(x + 1, y + tile + 30 + 15 * line, says, size=SMALL, weight=weight)
        tiles.append(canvas.share(x, y, tile, tile + 50))
    count = "One image" if len(found) == 1 else f"{len(found)} images"
    alt = f"{count} that the network gets wrong. " + " ".join(
        case_in_words(mistake, names) for mistake in found
    )
    return canvas.picture(alt, images=drawn, tiles=tiles)


def case_in_words(mistake: Mistake, names: Sequence[str] | None = None) -> str:
    """A mistake as a sentence.

    >>> case_in_words(Mistake(8, 5, ((6, 0.999), (5, 0.001))))
    'Image 8 is a 5: 6 with > 99 %, 5 with < 1 %.'
    >>> case_in_words(Mistake(8, 1, ((0, 0.75), (1, 0.25))), ["cat", "dog"])
    'Image 8 is a dog: cat with 75 %, dog with 25 %.'
    """
    largest = max([mistake.label, *(k for k, _ in mistake.ranked)])
    if names is not None and not 0 <= largest < len(names):
        raise ValueError(f"names must have one for each class up to {largest}, got {len(names)}")
    called = range(1 + largest) if names is None else names
    says = ", ".join(f"{called[k]} with {percent(share, 0)}" for k, share in mistake.ranked)
    return f"Image {mistake.index} is {with_article(called[mistake.label])}: {says}."
