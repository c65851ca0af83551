"""1x1 convolutions: one pixel through the mixing matrix, and outputs before and after a reduction."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnviz.channels import mix
from cnnviz.colours import Scale, Theme
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, chart, label, maps_of, text_width
from cnnviz.figures.picture import Picture
from cnnviz.numbers import percent, signed_number


def pixel_mixing(
    values: Any,
    matrix: Any,
    bias: Any = None,
    *,
    selected: int | None = None,
    width: float = WIDE,
    ax: Axes | None = None,
    theme: str | Theme = "light",
) -> Picture:
    """One pixel's channels, the matrix they are multiplied with, and the channels that come out.

    Parameters
    ----------
    values
        (C_in,): what the layer reads at one position.
    matrix
        (C_in, C_out).
    bias
        (C_out,) or None.
    selected
        An output to outline.
    width, ax, theme
        In pixels; where to draw; "light" or "dark".

    Returns
    -------
    Picture
        Its artists are the images "values", "matrix", "bias" and "result", and the array "outputs".

    Examples
    --------
    >>> pixel_mixing([1.0, 2.0], [[1.0, 0.0], [3.0, 1.0]])["outputs"]
    array([7., 2.])
    """
    values, matrix = np.asarray(values), np.asarray(matrix)
    outputs = mix(values, matrix, bias)
    if values.ndim != 1:
        raise ValueError(f"values must be (C_in,), got shape {values.shape}")
    channels_in, channels_out = matrix.shape
    wide = width >= 600
    names, column = (74.0, 66.0) if wide else (24.0, 40.0)
    gap = 40.0 if wide else 14.0
    tall = 24.0
    cell = min((width - names - column - gap - 1) / channels_out, 80.0)
    left = names + column + gap
    top = 44.0
    below = top + channels_in * tall + 14
    rows = 2 if bias is not None else 1
    canvas = Canvas(width, below + rows * (tall + 8) + 66, ax, theme)
    data = Scale.of(values)
    weights = Scale.of(matrix, signed=True)
    results = Scale.of(outputs, *([] if bias is None else [bias]), signed=True)
    canvas.text(names, 14, "Pixel", weight="bold")
    canvas.text(left, 14, "Weights", weight="bold")
    images = {
        "values": canvas.image(values[:, np.newaxis], names, top, column, channels_in * tall, scale=data),
        "matrix": canvas.image(matrix, left, top, channels_out * cell, channels_in * tall, scale=weights),
    }
    canvas.values(values[:, np.newaxis], names, top, (column, tall), data)
    canvas.values(matrix, left, top, (cell, tall), weights)
    canvas.text(left - gap / 2, top + channels_in * tall / 2 + 6, "×", size=18, ha="center")
    for c in range(channels_in):
        canvas.text(names - 8, top + (c + 0.5) * tall + 4, str(c), size=SMALL, colour="muted", ha="right")
    for c in range(channels_out):
        chosen = c == selected
        canvas.text(
            left + (c + 0.5) * cell,
            top - 8,
            str(c),
            size=SMALL,
            colour="accent" if chosen else "muted",
            weight="bold" if chosen else "normal",
            ha="center",
        )
    lines = [("result", "= out", outputs)]
    if bias is not None:
        lines.insert(0, ("bias", "+ bias", np.asarray(bias)))
    for k, (name, words, line) in enumerate(lines):
        y = below + k * (tall + 8)
        canvas.text(left - 10, y + tall / 2 + 4, words, weight="bold", ha="right")
        images[name] = canvas.image(line[np.newaxis], left, y, channels_out * cell, tall, scale=results)
        canvas.values(line[np.newaxis], left, y, (cell, tall), results)
    if selected is not None:
        canvas.box(left + selected * cell, top, cell, channels_in * tall, "accent", 2, halo=True, zorder=5)
        canvas.box(
            left + selected * cell,
            below + (rows - 1) * (tall + 8),
            cell,
            tall,
            "accent",
            2,
            halo=True,
            zorder=5,
        )
    y = below + rows * (tall + 8) + 28
    bar = min((width - 2 * 24) / 3, 180.0)
    for k, (words, scale) in enumerate(
        (("channels in", data), ("weights", weights), ("bias and out", results))
    ):
        canvas.legend(scale, 0.5 + k * (bar + 24), y, bar, words)
    alt = (
        f"{channels_in} channels in, {', '.join(signed_number(v, 2) for v in values)}, times a matrix of "
        f"{channels_in} by {channels_out} weights give {', '.join(signed_number(v, 2) for v in outputs)}."
    )
    return canvas.picture(alt, **images, outputs=outputs)


def before_and_after(
    before: Any,
    after: Any,
    *,
    titles: tuple[str, str] = ("whole", "reduced"),
    dropped: Any = (),
    selected: int | None = None,
    columns: int | None = None,
    width: float = WIDE,
    ax: Axes | None = None,
    theme: str | Theme = "light",
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
    width, ax, theme
        As in `pixel_mixing`.

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
    canvas = Canvas(width, lines * block + 44, ax, theme)
    images: list[list[Any]] = [[], []]
    for line in range(lines):
        tops = [line * block + head + k * (tall + gap + between) for k in (0, 1)]
        for c in range(line * across, min(channels, (line + 1) * across)):
            x = left + 0.5 + (c - line * across) * (tile + gap)
            name, chosen = f"({c})" if c in dropped else str(c), c == selected
            colour, weight = ("accent", "bold") if chosen else ("muted", "normal")
            canvas.text(x, tops[0] - 6, name, size=SMALL, colour=colour, weight=weight)
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
        f"{channels} maps, {first} above {second}, on one scale, {scale}; their root mean squared "
        f"difference is {signed_number(error).lstrip('+')}."
    )
    return canvas.picture(alt, before=images[0], after=images[1], legend=legend)


def error_curve(
    errors: Any,
    k: int,
    *,
    accuracies: Any = None,
    xlabel: str = "kept",
    width: float = 460.0,
    ax: Axes | None = None,
    theme: str | Theme = "light",
) -> Picture:
    """How much of the outputs is lost, by how many are kept, with the choice marked.

    Parameters
    ----------
    errors
        One for each number kept, from 0: relative errors, as `channels.reduction_errors` gives them.
    k
        The number kept.
    accuracies
        As many accuracies, from 0 to 1, drawn as a second curve; NaN where not known.
    xlabel
        What is counted.
    width, ax, theme
        As in `pixel_mixing`.

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
    ax, chosen = chart(width, 250, ax, theme)
    counts = np.arange(len(errors))
    top = max(1.0, float(errors.max())) * 1.16
    ax.set(xlim=(0, len(errors) - 1), ylim=(0, top))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    # Where the curves cross, there is room right above and below.
    ha = "left" if k == 0 else "right" if k == len(errors) - 1 else "center"

    def mark(values: np.ndarray, colour: str, dashes: Any, above: bool) -> tuple[Any, Any]:
        (line,) = ax.plot(counts, values, color=colour, linewidth=2, linestyle=dashes)
        (point,) = ax.plot([k], [values[k]], "o", color=colour, markersize=7, clip_on=False)
        ax.annotate(
            percent(values[k], 1),
            (k, values[k]),
            (0, 9 if above else -20),
            textcoords="offset points",
            ha=ha,
            color=colour,
            fontweight="bold",
            fontsize=SMALL + 2,
        )
        return line, point

    known = shares is not None and bool(np.isfinite(shares[k]))
    higher = not known or errors[k] >= cast(np.ndarray, shares)[k]
    curve, point = mark(errors, chosen.accent, "solid", higher)
    second = None
    words = "relative error of the outputs" if shares is None else "relative error (solid), accuracy (dashed)"
    if shares is not None:
        second, _ = mark(shares, chosen.positive, (0, (4, 2)), not higher) if known else (None, None)
    label(ax, chosen, x=xlabel, y=words)
    alt = f"Relative error by number kept, from 0: {', '.join(percent(e, 1) for e in errors)}; {k} are kept."
    if shares is not None:
        alt += f" Accuracy: {', '.join(percent(share, 1) for share in shares)}."
    return Picture(ax, {"curve": curve, "point": point, "accuracies": second}, alt)
