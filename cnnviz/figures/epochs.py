"""Training, epoch by epoch: its batches, its curves with a cursor, kernels as they formed, digits that flip.

What was measured is drawn as it was recorded; nothing is smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import LABEL, SMALL, WIDE, Canvas, side_by_side, text_width
from cnnviz.figures.marks import Dashes, Mark
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number, with_article

_HEAD, _PLOT, _FOOT, _LEFT, _RIGHT = 26.0, 104.0, 40.0, 58.0, 14.0
"""Of a panel: room for its legend and its height; then room under all, left and right of them."""

_TONES = ("positive", "negative", "muted")
_DASHES: tuple[Dashes, ...] = ("-", (0, (5, 2)), (0, (1, 1.4)))


@figure
def training_curves(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    epoch: int | None = None,
    scales: Mapping[str, str] | None = None,
    width: float = 640.0,
    **look: Unpack[Look],
) -> Picture:
    """Measures over the epochs, one panel each, under one another, with one cursor through them all.

    Parameters
    ----------
    panels
        By title, series by name: values, one an epoch from 1; at most three a panel, all of one length.
    epoch
        The cursor's epoch, from 0 (before training); its values are written beside the names.
    scales
        By title: "linear" (the default), "log", "accuracy" (shares, spaced by the logarithm of what is
        missing to 1, which itself stands at 0.9999) or "count" (whole numbers from 0, by the logarithm of
        one more).

    Returns
    -------
    Picture
        Its artists are "lines" by title and name, and "cursor".

    Examples
    --------
    >>> picture = training_curves({"accuracy": {"training": [0.9, 0.95], "test": [0.8, 0.9]}}, epoch=2)
    >>> list(picture["lines"]["accuracy"])
    ['training', 'test']
    """
    lengths = {len(values) for series in panels.values() for values in series.values()}
    if len(lengths) != 1 or 0 in lengths or any(not 1 <= len(series) <= 3 for series in panels.values()):
        raise ValueError(f"panels must hold 1 to 3 series of one length each, got lengths {sorted(lengths)}")
    (count,) = lengths
    if epoch is not None and not 0 <= epoch <= count:
        raise ValueError(f"epoch must be from 0 to {count}, got {epoch!r}")
    kinds = {title: (scales or {}).get(title, "linear") for title in panels}
    if unknown := set(kinds.values()) - set(_SCALES):
        raise ValueError(f"scales must be of {', '.join(_SCALES)}, got {sorted(unknown)[0]!r}")
    legends = {title: _legend(title, series, epoch, kinds[title], width) for title, series in panels.items()}
    heights = [_HEAD + 16 * (len(rows) - 1) + _PLOT for rows in legends.values()]
    canvas = Canvas(width, sum(heights) + _FOOT, **look)
    step = (width - _LEFT - _RIGHT) / count
    cursor_x = _LEFT + (epoch or 0) * step
    lines: dict[str, dict[str, Mark]] = {}
    through: list[tuple[float, float]] = []
    top, words = 0.0, []
    for (title, series), height in zip(panels.items(), heights, strict=True):
        bottom = top + height - 10
        place = _axis(canvas, series, kinds[title], bottom - _PLOT + 18, bottom, width)
        through += [(math.nan, math.nan), (cursor_x, bottom - _PLOT + 12), (cursor_x, bottom + 4)]
        _write(canvas, legends[title], top + 14)
        lines[title] = {}
        for (name, values), tone, dash in zip(series.items(), _TONES, _DASHES, strict=False):
            points = [(_LEFT + (e + 1) * step, place(float(v))) for e, v in enumerate(values)]
            lines[title][name] = canvas.line(points, tone, 1.8, dash, zorder=4)
            if epoch:
                canvas.dot(*points[epoch - 1], 4.0, tone)
        words.append(f"{title} {_in_words(series, epoch, kinds[title])}")
        top += height
    _epochs_axis(canvas, count, step, top, epoch)
    cursor = None if epoch is None else canvas.line(through, "accent", 1.4, zorder=3)
    at = "" if epoch is None else f", cursor at epoch {epoch}"
    return canvas.picture(
        f"Over {counted(count, 'epoch')}{at}: {'; '.join(words)}.", lines=lines, cursor=cursor
    )


_Scale = tuple[Callable[[float], float], Callable[[float], str], Callable[[float, float], Sequence[float]]]


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _linear_ticks(low: float, high: float) -> Sequence[float]:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3).tick_values(low, high)


def _log_ticks(low: float, high: float) -> Sequence[float]:
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**power for digit in (1, 2, 5) for power in powers]


def _accuracy_ticks(low: float, high: float) -> Sequence[float]:
    return [1 - missing for missing in _log_ticks(max(1 - high, 1e-4), max(1 - low, 1e-4))]


def _count_ticks(low: float, high: float) -> Sequence[float]:
    return [0, *(10.0**power for power in range(math.ceil(math.log10(high + 1)) + 1))]


_SCALES: dict[str, _Scale] = {
    "linear": (float, number, _linear_ticks),
    "log": (lambda v: math.log10(max(v, 1e-12)), number, _log_ticks),
    "accuracy": (lambda v: -math.log10(max(1 - v, 1e-4)), _share, _accuracy_ticks),
    "count": (lambda v: math.log10(v + 1), lambda v: f"{v:,.0f}", _count_ticks),
}
"""How each kind of scale places a number, writes it, and where it may have a line."""


def places_on_scale(
    values: Sequence[float], kind: str, *, room: float = 0.09
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    """Where numbers stand between the highest of them, 0, and the lowest, 1; and lines with their texts.

    Parameters
    ----------
    values
        All that are to be placed.
    kind
        The scale: "linear", "log", "accuracy" (halving the mistakes is always one length) or "count".
    room
        That two lines must have between them.

    Examples
    --------
    >>> place, lines = places_on_scale([0.5, 0.95], "accuracy")
    >>> place(0.5), place(0.95), lines[0]
    (1.0, 0.0, (0.0, '95.00 %'))
    """
    move, write, ticks_of = _SCALES[kind]
    top, foot = move(max(values)), move(min(values))

    def place(value: float) -> float:
        return (top - move(value)) / (top - foot) if top > foot else 0.5

    lines: list[tuple[float, str]] = []
    for tick in sorted(ticks_of(min(values), max(values)), reverse=True):
        at = place(tick)
        if -1e-9 <= at <= 1 + 1e-9 and (not lines or at - lines[-1][0] >= room):
            lines.append((min(max(at, 0.0), 1.0), write(tick)))
    return place, lines


def _axis(
    canvas: Canvas, series: Mapping[str, Sequence[float]], kind: str, top: float, bottom: float, width: float
) -> Callable[[float], float]:
    """Draw a panel's level lines with their numbers; the result gives a value's height."""
    stretch, write, ticks = _SCALES[kind]
    numbers = [float(v) for values in series.values() for v in values]
    low, high = min(numbers), max(numbers)
    low = 0.0 if kind == "count" or (kind == "linear" and 0 <= low < high / 2) else low
    start, end = stretch(low), stretch(high)
    span = (end - start) or 1.0

    def place(value: float) -> float:
        return bottom - (stretch(value) - start) / span * (bottom - top)

    last = math.inf
    levels: list[tuple[float, float]] = []
    for value in sorted(ticks(low, high)):
        y = place(value)
        if not top - 1 <= y <= bottom + 1 or last - y < 16:
            continue
        last = y
        texts = {"accuracy": f"{100 * value:.5g} %", "count": write(value)}
        levels += [(_LEFT, y), (width - _RIGHT, y), (math.nan, math.nan)]
        canvas.note(_LEFT - 8, y + 4, texts.get(kind, f"{value:.3g}"), ha="right")
    if levels:
        canvas.line(levels, "line", 0.8, zorder=1)
    return place


_Entry = tuple[float, str, int | None]
"""Where something in a legend begins, its words, and which series it is about."""


def _legend(
    title: str, series: Mapping[str, Sequence[float]], epoch: int | None, kind: str, width: float
) -> list[list[_Entry]]:
    """The rows of a panel's legend: its title, then each series with its value at the cursor."""
    write = _SCALES[kind][1]
    x = text_width(title, SMALL, "bold") + 18
    rows: list[list[_Entry]] = [[(0.0, title, None)]]
    for k, (name, values) in enumerate(series.items()):
        words = "" if name == title else name
        if epoch:
            words = f"{words} {write(float(values[epoch - 1]))}".strip()
        elif name == title:
            continue
        room = text_width(words, SMALL) + 44
        if x + room - 14 > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, words, k))
        x += room
    return rows


def _write(canvas: Canvas, rows: list[list[_Entry]], y: float) -> None:
    for row in rows:
        for x, words, k in row:
            if k is None:
                canvas.text(x, y, words, size=SMALL, weight="bold")
            else:
                canvas.line([(x, y - 4), (x + 22, y - 4)], _TONES[k], 1.8, _DASHES[k])
                canvas.text(x + 28, y, words, size=SMALL)
        y += 16


def _epochs_axis(canvas: Canvas, count: int, step: float, y: float, epoch: int | None) -> None:
    from matplotlib.ticker import MaxNLocator

    last = -math.inf
    for tick in MaxNLocator(8 if canvas.width >= 600 else 4, integer=True).tick_values(0, count):
        x = _LEFT + tick * step
        if 0 <= tick <= count and x - last > 24 and (epoch is None or abs(x - _LEFT - epoch * step) > 24):
            canvas.note(x, y + 12, f"{tick:.0f}", ha="center")
            last = x
    if epoch is not None:
        canvas.name(_LEFT + epoch * step, y + 12, str(epoch), True, ha="center")
    canvas.note(canvas.width - _RIGHT, y + 30, "epoch", ha="right")


def _in_words(series: Mapping[str, Sequence[float]], epoch: int | None, kind: str) -> str:
    write = _SCALES[kind][1]
    said = []
    for name, values in series.items():
        now = f", {write(float(values[epoch - 1]))} at the cursor" if epoch else ""
        said.append(f"{name} from {write(float(values[0]))} to {write(float(values[-1]))}{now}")
    return ", ".join(said)


MOST_STEPS = 100_000
"""More than that are no cells that can be seen."""


@figure
def epoch_batches(images: int, batch_size: int, *, width: float = 640.0, **look: Unpack[Look]) -> Picture:
    """One epoch as its steps, in order: a cell a batch, the last one paler if it is smaller.

    Parameters
    ----------
    images, batch_size
        Images in the training set, and in a batch.

    Returns
    -------
    Picture
        Its artists are "batches", an image whose cells hold the number of images in each batch, and
        "legend".

    Examples
    --------
    >>> batches = epoch_batches(1000, 128)["batches"].get_array()
    >>> int((batches > 0).sum()), float(batches.min())
    (8, 104.0)
    """
    if images < 1 or batch_size < 1:
        raise ValueError(f"images and batch_size must be at least 1, got {images} and {batch_size}")
    steps = -(-images // batch_size)
    if steps > MOST_STEPS:
        raise ValueError(
            f"images / batch_size must be at most {MOST_STEPS:,} steps to be drawn, got {images:,} / "
            f"{batch_size:,}"
        )
    size = min(batch_size, images)
    across = max(min(steps, math.ceil(math.sqrt(5 * steps))), min(steps, 12))
    rows = -(-steps // across)
    counts = np.full(rows * across, np.nan)
    counts[:steps] = size
    counts[steps - 1] = images - (steps - 1) * batch_size
    grid = counts.reshape(rows, across)
    cell = min((width - 2) / across, 48.0)
    canvas = Canvas(width, rows * cell + 64, **look)
    scale = Scale("positive", float(size))
    drawn = canvas.image(grid, 1, 1, across * cell, scale=scale, frame=None)
    boxes = [(1 + (k % across) * cell, 1 + (k // across) * cell, cell, cell) for k in range(steps)]
    if cell >= 5:
        canvas.boxes(boxes, "background")
    canvas.box(*boxes[-1], "accent", 1.6, halo=cell >= 8, zorder=5)
    legend = canvas.legend(scale, 1, rows * cell + 32, min(240.0, width - 2), "images in the batch")
    last = int(counts[steps - 1])
    make = "makes" if steps == 1 else "make"
    alt = f"{counted(steps, 'step')} {make} one epoch of {counted(images, 'image')}: "
    if last == size:
        alt += f"{counted(steps, 'batch', 'batches')} of {size:,}."
    else:
        alt += f"{counted(steps - 1, 'batch', 'batches')} of {size:,} and a last one of {last:,}."
    return canvas.picture(alt, batches=drawn, legend=legend)


@figure
def kernels_over_epochs(
    kernels: Any,
    epochs: Sequence[int],
    *,
    highlight: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """The same kernels after several epochs, one row an epoch, all on one scale.

    Parameters
    ----------
    kernels
        (epochs, kh, kw, N): one input channel's kernels after each of `epochs`.
    epochs
        Their numbers; 0 is before training.
    highlight
        An epoch whose row is named in the accent colour.

    Returns
    -------
    Picture
        Its artists are "rows", by epoch a list of images, each of several kernels with a column of NaN
        between them, and "legend".

    Examples
    --------
    >>> picture = kernels_over_epochs(np.ones((2, 3, 3, 4)), [0, 20])
    >>> len(picture["rows"]), picture["rows"][0][0].get_array().shape
    (2, (3, 15))
    """
    kernels = np.asarray(kernels)
    if kernels.ndim != 4 or len(kernels) != len(epochs) or 0 in kernels.shape:
        raise ValueError(
            f"kernels must be ({len(epochs)}, kh, kw, N) and not empty, got shape {kernels.shape}"
        )
    _, tall, wide, count = kernels.shape
    beside = width >= 600
    across = min(count, 16 if beside else 8)
    left = 72.0 if beside else 0.0
    cell = min((width - left - 1) / (across * (wide + 1) - 1), 64.0 / wide)
    lines = -(-count // across)
    head, gap = (0.0 if beside else 20.0), 10.0
    block = head + lines * (tall * cell + gap) + 4
    canvas = Canvas(width, len(epochs) * block + 50, **look)
    scale = Scale.of(kernels, signed=True)
    names = [f"epoch {epoch}" if epoch else "initial" for epoch in epochs]
    rows: list[list[Any]] = []
    frames = []
    for e, epoch in enumerate(epochs):
        y = e * block + head + 1
        base = y + tall * cell / 2 + 4 if beside else y - 6
        canvas.name(0, base, names[e], epoch == highlight, size=LABEL)
        rows.append([])
        for first in range(0, count, across):
            part = kernels[e, :, :, first : first + across]
            x, broad = left + 0.5, (part.shape[2] * (wide + 1) - 1) * cell
            rows[-1].append(canvas.image(side_by_side(part), x, y, broad, scale=scale, frame=None))
            frames += [(x + k * (wide + 1) * cell, y, wide * cell, tall * cell) for k in range(part.shape[2])]
            y += tall * cell + gap
    canvas.boxes(frames)
    legend = canvas.legend(scale, left + 0.5, len(epochs) * block + 18, 220.0)
    moved = [
        float(np.sqrt(np.square(kernels[e] - kernels[0], dtype=float).mean())) for e in range(len(epochs))
    ]
    alt = (
        f"{counted(count, 'kernel')} on one scale, {scale}. Root mean squared change since the first row: "
        + ", ".join(f"{name} {number(m)}" for name, m in zip(names, moved, strict=True))
    )
    return canvas.picture(alt + ".", rows=rows, legend=legend)


@figure
def flipped_digits(
    images: Any,
    labels: Sequence[int],
    before: Sequence[int],
    after: Sequence[int],
    names: Sequence[str],
    *,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Digits whose prediction changed: each with its label, what was said before and what is said now.

    Parameters
    ----------
    images
        (N, H, W), pixels 0 to 255.
    labels, before, after
        N classes each.
    names
        What each is called.

    Returns
    -------
    Picture
        Its artists are "digits".

    Examples
    --------
    >>> flipped_digits(np.zeros((1, 28, 28), np.uint8), [4], [9], [4], ["12"]).alt
    '12, a 4: first 9, then 4, which is right.'
    """
    images = np.asarray(images)
    cases = list(zip(labels, before, after, names, strict=True))
    if images.ndim != 3 or len(images) != len(cases) or not cases:
        raise ValueError(f"images must be ({len(cases)}, H, W) and not empty, got shape {images.shape}")
    across = max(1, int(width // 96))
    step = width / across
    size, tall = 58.0, 104.0
    canvas = Canvas(width, -(-len(cases) // across) * tall, **look)
    scale = Scale("ink", 255.0)
    digits, words = [], []
    for k, (label, first, then, name) in enumerate(cases):
        x, y = (k % across) * step, (k // across) * tall
        right = then == label
        digits.append(canvas.image(images[k], x + 0.5, y + 0.5, size, scale=scale))
        canvas.text(x, y + size + 17, f"{first} → {then} {'✓' if right else '✗'}", weight="bold")
        canvas.text(x, y + size + 34, f"{name} is {with_article(label)}", size=SMALL)
        verdict = "which is right" if right else "which is wrong"
        words.append(f"{name}, {with_article(label)}: first {first}, then {then}, {verdict}")
    return canvas.picture("; ".join(words) + ".", digits=digits)
