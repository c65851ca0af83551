"""What each channel is worth to a prediction: what is left of it with that channel switched off.

The numbers are made by `cnnviz.channels.ablation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.canvas import LABEL, WIDE, Canvas, shortened, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.class_names import class_names
from cnnviz.numbers import probability

ROW = 22.0
NAME = 90.0
"""Pixels for the name of another class."""


@figure
def channels_off(
    whole: Any,
    without: Any,
    *,
    selected: int | None = None,
    silent: Sequence[int] = (),
    classes: Any = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """The predicted class's probability without each channel, as bars, beside what it is with all of them.

    Parameters
    ----------
    whole
        (classes,): probabilities with all channels on.
    without
        (C, classes): probabilities without each channel.
    selected
        A channel to mark.
    silent
        Channels that were zero before, and are said to be.
    classes
        The names of the classes, as `cnnviz.images.class_names.class_names` takes them; None is 0, 1, 2, ...

    Returns
    -------
    Picture
        Its artists are "bars", by channel, "lines", at the probability with all channels, and "tiles",
        where each channel's row is: (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        for shapes that do not fit, or values that are not probabilities.

    Examples
    --------
    >>> picture = channels_off([0.25, 0.75], [[0.25, 0.75], [0.9, 0.1]])
    >>> picture.alt
    '1 with 75.00 %. Without channel 0: 75.00 %; without channel 1: 10.00 %, so 0 is predicted.'
    """
    whole, without = np.asarray(whole, float), np.asarray(without, float)
    if whole.ndim != 1 or without.ndim != 2 or without.shape[1:] != whole.shape or not without.size:
        raise ValueError(f"without must be (C, {whole.size}), one row a channel, got shape {without.shape}")
    if not (min(whole.min(), without.min()) >= 0 and max(whole.max(), without.max()) <= 1 + 1e-6):
        raise ValueError("whole and without must be probabilities, from 0 to 1")
    best, count = int(whole.argmax()), len(without)
    columns = 2 if width >= 600 and count > 8 else 1
    lines = -(-count // columns)
    names = class_names(range(len(whole)) if classes is None else classes, len(whole))
    texts = [_words(row, best, c in silent, names) for c, row in enumerate(without)]
    left = 14 + max(text_width(str(c), weight="bold") for c in range(count))
    right = 14 + max(text_width(words, weight="bold") for words in texts)
    across = (width - (columns - 1) * 40) / columns
    unit = across - left - right
    canvas = Canvas(width, 26 + ROW * lines + 2, **look)
    bars, marks, tiles = [], [], []
    for column in range(columns):
        x = column * (across + 40)
        chosen = range(column * lines, min((column + 1) * lines, count))
        end = x + left + unit * whole[best]
        canvas.note(end, 12, f"all on {probability(whole[best])}", ha="right")
        for c in chosen:
            y = 26 + ROW * (c - chosen.start)
            flips = int(without[c].argmax()) != best
            tone = "accent" if flips else "positive"
            canvas.bar(x + left, y + 4, unit, 13, "panel", zorder=1)
            bars.append(canvas.bar(x + left, y + 4, without[c, best] * unit, 13, tone, zorder=2))
            tiles.append(canvas.share(x, y + 4, across, ROW - 8))
            canvas.name(x + left - 8, y + 15, str(c), c == selected, size=LABEL, ha="right")
            weight = "bold" if flips or c == selected else "normal"
            canvas.text(x + across - right + 8, y + 15, texts[c], weight=weight)
        marks.append(canvas.line([(end, 18), (end, 26 + ROW * len(chosen))], "ink", 1.2, zorder=4))
    told = "; ".join(
        f"without channel {c}: {probability(row[best])}"
        + (f", so {names[row.argmax()]} is predicted" if row.argmax() != best else "")
        for c, row in enumerate(without)
    )
    return canvas.picture(
        f"{names[best]} with {probability(whole[best])}. W{told[1:]}.", bars=bars, lines=marks, tiles=tiles
    )


def _words(row: np.ndarray, best: int, silent: bool, names: Sequence[str]) -> str:
    if silent:
        return f"{probability(row[best])}, was silent"
    now = int(row.argmax())
    return probability(row[best]) + (f", says {shortened(names[now], NAME)}" if now != best else "")
