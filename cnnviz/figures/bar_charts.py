"""Horizontal bars with their names and numbers: probabilities, sizes, shares.

Bars start at zero, or at the end of a logarithmic scale that is labelled as such.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.canvas import LABEL, SMALL, Canvas, shortened, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.class_names import class_names
from cnnviz.network.mistakes import likeliest
from cnnviz.numbers import minus, number, probability

MOST_CLASSES, LIKELIEST = 20, 10
"""Of more classes than the first, only so many of the likeliest are drawn."""


@figure
def bars(
    values: Sequence[float] | Any,
    labels: Sequence[str],
    *,
    inner: Sequence[float] | None = None,
    texts: Sequence[str] | None = None,
    limit: float | None = None,
    highlight: int | None = None,
    row: float = 24.0,
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """One bar a value, from zero, its label on the left and its number on the right.

    Parameters
    ----------
    values
        Not negative.
    labels
        One for each bar.
    inner
        A second value for each, drawn as a darker bar inside the first: a part of it.
    texts
        What is written beside each bar; None is the number.
    limit
        The value of the longest possible bar; None is the largest value.
    highlight
        A bar in the accent colour.
    row
        Height of a row, in pixels.

    Returns
    -------
    Picture
        Its artists are "bars" and "inner".

    Examples
    --------
    >>> one, two = bars([1.0, 2.0], ["a", "b"])["bars"]
    >>> float(two.get_width() / one.get_width())
    2.0
    """
    values = np.asarray(values, float)
    names, written = list(labels), [number(v) for v in values] if texts is None else list(texts)
    if values.ndim != 1 or not len(values) == len(names) == len(written):
        raise ValueError(f"values must be 1-D with a label and a text for each, got shape {values.shape}")
    if not (values >= 0).all():
        raise ValueError(f"values must not be negative or NaN, got {values.min():g}")
    whole = limit or float(values.max()) or 1.0
    shown = [shortened(name, 0.45 * width, weight="bold") for name in names]
    left = 12 + max(text_width(name, weight="bold") for name in shown)
    right = 12 + max(text_width(words, weight="bold") for words in written)
    canvas = Canvas(width, row * len(values) + 2, **look)
    unit = (width - left - right) / whole
    drawn, parts = [], []
    thick = min(row - 8, 14.0)
    for k, value in enumerate(values):
        y = row * k + (row - thick) / 2
        base = row * k + row / 2 + 4.5
        chosen = k == highlight
        canvas.bar(left, y, width - left - right, thick, "panel", zorder=1)
        drawn.append(canvas.bar(left, y, value * unit, thick, "accent" if chosen else "positive", zorder=2))
        if inner is not None:
            parts.append(canvas.bar(left, y + thick / 2 - 2, inner[k] * unit, 4, "ink"))
        canvas.name(left - 10, base, shown[k], chosen, size=LABEL, ha="right")
        canvas.text(width - right + 8, base, written[k], weight="bold" if chosen else "normal")
    alt = "; ".join(f"{name}: {text}" for name, text in zip(names, written, strict=True)) + "."
    return canvas.picture(alt, bars=drawn, inner=parts)


@figure
def probabilities(
    values: Any,
    *,
    label: int | None = None,
    classes: Any = None,
    top: int | None = None,
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """A prediction: one bar a class, the largest in the accent colour, the true one marked by words.

    Parameters
    ----------
    values
        (classes,) or (1, classes): probabilities.
    label
        The true class, if it is known.
    classes
        Their names, as `cnnviz.images.class_names.class_names` takes them; None is 0, 1, 2, ...
    top
        Only so many of the likeliest, the likeliest first, and the true class; None is all of up to 20
        classes in their order, and the 10 likeliest of more.

    Returns
    -------
    Picture
        Its artists are "bars".

    Examples
    --------
    >>> probabilities([0.1, 0.9], label=1).alt
    'Predicted 1, the true label. 0: 10.00 %; 1: 90.00 %.'
    >>> probabilities([0.1, 0.2, 0.7], classes=["a", "b", "c"], top=2).alt
    'Predicted c. c: 70.00 %; b: 20.00 %; 1 other: 10.00 %.'
    """
    values = np.asarray(values, float)
    values = values[0] if values.ndim == 2 and len(values) == 1 else values
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values must be (classes,), got shape {values.shape}")
    if top is not None and top < 1:
        raise ValueError(f"top must be at least 1, got {top!r}")
    names = class_names(range(len(values)) if classes is None else classes, len(values))
    best = int(values.argmax())
    shown = list(range(len(values)))
    if top is not None or len(values) > MOST_CLASSES:
        shown = [k for k, _ in likeliest(values, top or LIKELIEST)]
        shown += [label] if label is not None and label not in shown else []
    texts = [probability(values[k]) for k in shown]
    if label is not None and label != best:
        texts[shown.index(label)] += "  true label"
    rows, left = [names[k] for k in shown], len(values) - len(shown)
    parts = [*values[shown], *([max(0.0, float(values.sum() - values[shown].sum()))] if left else [])]
    if left:
        rows.append(f"{left} other{'s' * (left > 1)}")
        texts.append(probability(parts[-1]))
    picture = bars(parts, rows, texts=texts, limit=1.0, highlight=shown.index(best), width=width, **look)
    truth = ""
    if label is not None:
        truth = ", the true label" if label == best else f"; the true label is {names[label]}"
    return picture.described(f"Predicted {names[best]}{truth}. {picture.alt}")


@figure
def magnitudes(
    rows: Sequence[tuple[str, Sequence[float]]],
    series: Sequence[str],
    *,
    width: float = 960.0,
    **look: Unpack[Look],
) -> Picture:
    """Small positive numbers over many powers of ten: one row each, one mark a series.

    Parameters
    ----------
    rows
        (name, one value a series); a value of 0 is drawn at the left end and written as 0.
    series
        Their names; at most three.

    Returns
    -------
    Picture
        Its artists are "marks", a list for each series.

    Examples
    --------
    >>> len(magnitudes([("conv2d", (1e-7, 2e-7))], ["ours", "theirs"])["marks"])
    2
    """
    numbers = np.array([values for _, values in rows], float)
    if numbers.ndim != 2 or numbers.shape[1] != len(series) or not 1 <= len(series) <= 3:
        raise ValueError(f"rows must have one value for each of 1 to 3 series, got shape {numbers.shape}")
    if not (numbers >= 0).all():
        raise ValueError("values must not be negative or NaN")
    positive = numbers[numbers > 0]
    low = math.floor(math.log10(positive.min())) if positive.size else -9
    high = math.ceil(math.log10(positive.max())) if positive.size else 0
    high = max(high, low + 1)
    wide = width >= 600
    left = 12 + max(text_width(name) for name, _ in rows)
    right = 84.0 if wide else 24.0
    legend = [text_width(name, SMALL) + 36 for name in series]
    stacked = sum(legend) > width
    row, top = 24.0, 62.0 + (20.0 * (len(series) - 1) if stacked else 0.0)
    canvas = Canvas(width, top + row * len(rows) + 28, **look)
    unit = (width - left - right) / (high - low)
    colours = ("positive", "negative", "accent")
    shapes = ("circle", "bar", "ring")
    x, y = 0.0 if stacked or not wide else left, 12.0
    for name, colour, shape, room in zip(series, colours, shapes, legend, strict=False):
        _mark(canvas, x + 5, y, colour, shape)
        canvas.text(x + 16, y + 4.5, name, size=SMALL)
        x, y = (x, y + 20) if stacked else (x + room, y)
    for power in range(low, high + 1):
        at = left + (power - low) * unit
        canvas.line([(at, top - 8), (at, top + row * len(rows))], "line", 0.8, zorder=1)
        if wide or (power - low) % 2 == 0:
            canvas.note(at, top - 14, minus(f"1e{power}"), ha="center")
    marks: list[list[Any]] = [[] for _ in series]
    for k, (name, values) in enumerate(rows):
        y = top + row * (k + 0.5)
        canvas.text(left - 10, y + 4.5, name, ha="right")
        for s, value in enumerate(values):
            place = left + (math.log10(value) - low) * unit if value > 0 else left
            marks[s].append(_mark(canvas, place, y, colours[s], shapes[s]))
        if wide:
            canvas.text(width - 4, y + 4.5, number(values[0]), size=SMALL, ha="right")
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{s} {number(v)}" for s, v in zip(series, values, strict=True))
        for name, values in rows
    )
    return canvas.picture(alt + ".", marks=marks)


def _mark(canvas: Canvas, x: float, y: float, colour: str, shape: str) -> Any:
    if shape == "bar":
        return canvas.bar(x - 1.5, y - 7, 3, 14, colour, zorder=4)
    return canvas.dot(x, y, 4.5, colour, filled=shape == "circle")
