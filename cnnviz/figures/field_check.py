"""A receptive field put to the test, drawn: the image with all outside changed, and the unit's numbers.

Draws what `cnnviz.receptive_fields.check_field` found; nothing is computed here.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import SMALL, WIDE, Canvas
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.input_pictures import input_picture
from cnnviz.numbers import counted
from cnnviz.receptive_fields import FieldCheck

_WORDS = {"inverted": "inverted outside", "all ink": "all ink outside", "noise": "noise outside"}


@figure
def field_trials(check: FieldCheck, *, width: float = WIDE, **look: Unpack[Look]) -> Picture:
    """The image as it is and with everything outside a unit's field changed, with the unit's numbers.

    Parameters
    ----------
    check
        From `check_field`. An image of three channels is drawn in its colours; of any other number
        of them their mean is drawn.

    Returns
    -------
    Picture
        Its artists are "images" and "boxes", one for the image as it is and one for each trial, "values",
        the strips of numbers of each, and "changed", the outlines of numbers that changed.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> from cnnviz.receptive_fields import check_field
    >>> check = check_field(load_model("mnist_14k"), load_mnist()[1][0][18], "conv2d_1", 5, 5)
    >>> len(field_trials(check)["images"])
    5
    """
    rows: list[tuple[str, Any, Any, Any]] = [("as it is", check.image, check.values, None)]
    rows += [(_WORDS[trial.name], trial.image, trial.values, trial.unchanged) for trial in check.trials]
    wide = width >= 600
    side = 92.0 if wide else 72.0
    left = side + (20 if wide else 12)
    channels = len(check.values)
    across = min(channels, 16 if wide else 8)
    lines = -(-channels // across)
    cell = min((width - left - 1) / across, 54.0), 22.0
    step = max(side + 14, 26 + lines * cell[1] + 14)
    canvas = Canvas(width, len(rows) * step + 40, **look)
    scale = Scale.of(*(values for _, _, values, _ in rows), signed=True)
    shown = [image if image.shape[2] in (1, 3) else image.mean(axis=2)[..., None] for _, image, _, _ in rows]
    picture = input_picture(np.concatenate(shown))
    ends = [(int(cells.min()), int(cells.max())) for cells in check.mask.nonzero() if cells.size]
    images, boxes, strips, changed = [], [], [], []
    for k, ((words, _, values, same), image) in enumerate(zip(rows, shown, strict=True)):
        y = 2 + k * step
        unit = side / max(image.shape[:2])
        drawn, ink = picture.drawn(image)
        images.append(canvas.image(drawn, 0.5, y, unit * image.shape[1], scale=ink))
        if ends:
            boxes.append(canvas.field(0.5, y, unit, (ends[0], ends[1])))
        said = f": {same.sum()} of {channels} the same" if same is not None else ""
        canvas.text(left, y + 14, words + said, weight="bold", size=SMALL + 1)
        for line in range(lines):
            part = values[line * across : (line + 1) * across][None, :]
            x, at = left, y + 24 + line * cell[1]
            strips.append(canvas.table(part, x, at, cell, scale))
        if same is not None:
            for c in (~same).nonzero()[0]:
                place = left + (c % across) * cell[0], y + 24 + (c // across) * cell[1]
                changed.append(canvas.box(*place, *cell, "accent", 2.0, zorder=5))
    words = "the unit's numbers, before any activation"
    canvas.legend(scale, left, len(rows) * step + 10, min(220.0, width - left - 1), words)
    results = [
        f"{_WORDS[trial.name]}, {counted(trial.changed, 'pixel')}: {trial.unchanged.sum()} of "
        f"{channels} the same"
        for trial in check.trials
    ]
    results.append(f"{check.matters.sum()} of {counted(check.inside, 'pixel')} inside change it")
    alt = f"{check.layer} row {check.row}, column {check.col}. {'; '.join(results)}."
    return canvas.picture(alt, images=images, boxes=boxes, values=strips, changed=changed)
