"""Channels taken away: maps before and after, and the error by how many are kept."""

from __future__ import annotations

from typing import Any, Unpack, cast

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.axes import chart, label, mark_point
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, maps_of, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, percent, signed_number


@figure
def before_and_after(
    before: Any,
    after: Any,
    *,
    titles: tuple[str, str] = ("whole", "reduced"),
    dropped: Any = (),
    selected: int | None = None,
    columns: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Two versions of the same maps, or two images' maps, one above the other, on one scale.

    Parameters
    ----------
    before, after
        (H, W, C), of one shape.
    titles
        Of the two rows; a line break is one.
    dropped
        Channels whose number is put in brackets.
    selected
        A channel to outline.
    columns
        Channels in a row, for larger tiles; None is 16. A narrow page has 4 or 5.

    Returns
    -------
    Picture
        Its artists are "before" and "after", the images by channel, and "legend".

    Examples
    --------
    >>> len(before_and_after(np.ones((2, 2, 3)), np.zeros((2, 2, 3)))["after"])
    3
    """
    before, after = maps_of(before, "before"), maps_of(after, "after")
    if before.shape != after.shape:
        raise ValueError(f"before and after must have one shape, got {before.shape} and {after.shape}")
    rows, cols, channels = before.shape
    scale = Scale.of(before, after)
    wide = width >= 600
    names = [title.split("\n") for title in titles]
    widest = max(text_width(words, weight="bold") for lines in names for words in lines)
    left, gap = (max(84.0, widest + 16) if wide else 0.0), (8.0 if wide else 6.0)
    across = min(channels, (columns or 16) if wide else (4 if columns else 5))
    tile = min((width - left - 1 - (across - 1) * gap) / across, 110.0 if columns else 84.0)
    tall = tile * rows / cols
    lines = -(-channels // across)
    between = 0 if wide else 20
    head = 22 if wide else 40
    block = head + 2 * (tall + gap) + between
    canvas = Canvas(width, lines * block + 44, **look)
    images: list[list[Any]] = [[], []]
    for line in range(lines):
        tops = [line * block + head + k * (tall + gap + between) for k in (0, 1)]
        for c in range(line * across, min(channels, (line + 1) * across)):
            x = left + 0.5 + (c - line * across) * (tile + gap)
            name, chosen = f"({c})" if c in dropped else str(c), c == selected
            canvas.name(x, tops[0] - 6, name, chosen, colour="muted")
            for k, maps in enumerate((before, after)):
                images[k].append(canvas.image(maps[:, :, c], x, tops[k], tile, scale=scale))
                if chosen:
                    canvas.box(x, tops[k], tile, tall, "accent", 2, zorder=4)
        for top, words, lift in zip(tops, names, (24, 8), strict=True):
            if wide:
                middle = top + tall / 2 + 4 - 8 * (len(words) - 1)
                for n, part in enumerate(words):
                    canvas.text(0, middle + 16 * n, part, weight="bold" if n == 0 else "normal")
            else:
                canvas.text(0, top - lift, ", ".join(words), weight="bold", size=SMALL + 1)
    legend = canvas.legend(scale, left + 0.5, lines * block + 12, 220.0)
    error = float(np.sqrt(np.square(np.subtract(before, after, dtype=float)).mean()))
    first, second = (", ".join(words) for words in names)
    alt = (
        f"{counted(channels, 'map')}, {first} above {second}, on one scale, {scale}; their root mean squared "
        f"difference is {signed_number(error).lstrip('+')}."
    )
    return canvas.picture(alt, before=images[0], after=images[1], legend=legend)


@figure
def error_curve(
    errors: Any,
    k: int,
    *,
    accuracies: Any = None,
    xlabel: str = "kept",
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """How much of the outputs is lost, by how many are kept, with the choice marked.

    Parameters
    ----------
    errors
        One for each number kept, from 0: relative errors, `error` of `channels.reduce_mixing`.
    k
        The number kept.
    accuracies
        As many accuracies, from 0 to 1, drawn as a second curve; NaN where not known.
    xlabel
        What is counted.

    Returns
    -------
    Picture
        Its artists are "curve" and "point", and "accuracies" (None without).

    Examples
    --------
    >>> error_curve([1.0, 0.5, 0.0], 1)["curve"].get_ydata()
    array([1. , 0.5, 0. ])
    """
    errors = np.asarray(errors, float)
    if errors.ndim != 1 or not 0 <= k < len(errors):
        raise ValueError(f"errors must be 1-D and hold k={k}, got shape {errors.shape}")
    shares = None if accuracies is None else np.asarray(accuracies, float)
    if shares is not None and shares.shape != errors.shape:
        raise ValueError(f"accuracies must be one for each of {len(errors)} errors, got shape {shares.shape}")
    from matplotlib.ticker import MaxNLocator

    ax, chosen = chart(width, 250, **look)
    counts = np.arange(len(errors))
    top = max(1.0, float(errors.max())) * 1.16
    ax.set(xlim=(0, len(errors) - 1), ylim=(0, top))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    # Where the curves cross, there is room right above and below.
    ha = "left" if k == 0 else "right" if k == len(errors) - 1 else "center"

    def mark(values: np.ndarray, colour: str, dashes: Any, above: bool) -> tuple[Any, Any]:
        (line,) = ax.plot(counts, values, color=colour, linewidth=2, linestyle=dashes)
        offset = 0, 9 if above else -20
        words = percent(values[k], 1)
        point = mark_point(ax, (k, values[k]), words, offset, colour=colour, ha=ha, size=7, zorder=2)
        return line, point

    has_accuracy = shares is not None and bool(np.isfinite(shares[k]))
    higher = not has_accuracy or errors[k] >= cast(np.ndarray, shares)[k]
    curve, point = mark(errors, chosen.accent, "solid", higher)
    second = None
    words = "relative error of the outputs" if shares is None else "relative error (solid), accuracy (dashed)"
    if shares is not None:
        second, _ = mark(shares, chosen.positive, (0, (4, 2)), not higher) if has_accuracy else (None, None)
    label(ax, chosen, x=xlabel, y=words)
    alt = f"Relative error by number kept, from 0: {', '.join(percent(e, 1) for e in errors)}; {k} are kept."
    if shares is not None:
        alt += f" Accuracy: {', '.join(percent(share, 1) for share in shares)}."
    return Picture(ax, {"curve": curve, "point": point, "accuracies": second}, alt)
