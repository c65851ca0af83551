"""Training, epoch by epoch: the curves with a cursor, and kernels as they formed.

What was measured is drawn as it was recorded; nothing is smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnviz.figures.canvas import WIDE, Canvas, chart, label
from cnnviz.figures.picture import Picture
from cnnviz.figures.style import SMALL, Scale, Theme, number


def training_curves(
    series: Mapping[str, Sequence[float]],
    *,
    epoch: int | None = None,
    title: str = "",
    percent: bool = False,
    width: float = 460.0,
    ax: Axes | None = None,
    theme: str | Theme = "light",
) -> Picture:
    """One measure over the epochs, one line a series, with a cursor on one epoch.

    Parameters
    ----------
    series
        Values by name, one an epoch from 1; at most three, of one length.
    epoch
        The cursor's epoch, from 0 (before training, where nothing is measured).
    title
        What is measured.
    percent
        Whether the values are shares to be written as percentages.
    width, ax, theme
        In pixels; where to draw; "light" or "dark".

    Returns
    -------
    Picture
        Its artists are "lines" by name, and "cursor".

    Examples
    --------
    >>> training_curves({"training": [0.9, 0.95]}, epoch=2)["lines"]["training"].get_ydata()
    array([0.9 , 0.95])
    """
    lengths = {len(values) for values in series.values()}
    if not series or len(series) > 3 or len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"series must be 1 to 3 of one length, got lengths {sorted(lengths)}")
    (count,) = lengths
    figure, ax, chosen = chart(width, 240, ax, theme)
    epochs = np.arange(1, count + 1)
    write = (lambda v: f"{100 * v:.2f} %") if percent else number
    tones = (chosen.positive, chosen.negative, chosen.muted)
    lines, words = {}, []
    for (name, values), tone, dash in zip(series.items(), tones, ("-", (0, (5, 2)), ":"), strict=False):
        numbers = np.asarray(values, float)
        (lines[name],) = ax.plot(epochs, numbers, color=tone, linewidth=2, linestyle=dash, label=name)
        words.append(f"{name} from {write(numbers[0])} to {write(numbers[-1])}")
        if epoch and 1 <= epoch <= count:
            ax.plot([epoch], [numbers[epoch - 1]], "o", color=tone, markersize=6, clip_on=False)
    cursor = None
    if epoch is not None:
        cursor = ax.axvline(epoch, color=chosen.accent, linewidth=1.4)
    ax.set_xlim(0, count)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if percent:
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    if len(series) > 1:
        ax.legend(frameon=False, fontsize=SMALL + 1, labelcolor=chosen.ink, handlelength=2.2, loc="best")
    label(ax, chosen, x="epoch", y=title)
    alt = f"{title or 'A measure'} over {count} epochs: {'; '.join(words)}."
    if epoch and 1 <= epoch <= count:
        now = ", ".join(f"{name} {write(float(values[epoch - 1]))}" for name, values in series.items())
        alt += f" At epoch {epoch}: {now}."
    return Picture(figure, ax, {"lines": lines, "cursor": cursor}, alt)


def kernels_over_epochs(
    kernels: Any,
    epochs: Sequence[int],
    *,
    highlight: int | None = None,
    width: float = WIDE,
    ax: Axes | None = None,
    theme: str | Theme = "light",
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
    width, ax, theme
        As in `training_curves`.

    Returns
    -------
    Picture
        Its artists are "kernels", images by epoch and kernel, and "legend".

    Examples
    --------
    >>> picture = kernels_over_epochs(np.ones((2, 3, 3, 4)), [0, 20])
    >>> len(picture["kernels"]), len(picture["kernels"][0])
    (2, 4)
    """
    kernels = np.asarray(kernels)
    if kernels.ndim != 4 or len(kernels) != len(epochs) or 0 in kernels.shape:
        raise ValueError(
            f"kernels must be ({len(epochs)}, kh, kw, N) and not empty, got shape {kernels.shape}"
        )
    wide = width >= 600
    count, across = kernels.shape[3], min(kernels.shape[3], 16 if wide else 8)
    left, gap = (72.0 if wide else 0.0), (10.0 if wide else 6.0)
    side = min((width - left - 1 - (across - 1) * gap) / across, 64.0)
    tall = side * kernels.shape[1] / kernels.shape[2]
    lines = -(-count // across)
    head = 0 if wide else 20
    block = head + lines * (tall + gap) + 6
    canvas = Canvas(width, len(epochs) * block + 50, ax, theme)
    scale = Scale.of(kernels, signed=True)
    images: list[list[Any]] = []
    for e, epoch in enumerate(epochs):
        y = e * block + head + 1
        name = f"epoch {epoch}" if epoch else "initial"
        chosen = epoch == highlight
        colour = "accent" if chosen else "ink"
        canvas.text(
            0, y + tall / 2 + 4 if wide else y - 6, name, colour=colour, weight="bold" if chosen else "normal"
        )
        images.append(
            [
                canvas.image(
                    kernels[e, :, :, n],
                    left + 0.5 + (n % across) * (side + gap),
                    y + (n // across) * (tall + gap),
                    side,
                    scale=scale,
                )
                for n in range(count)
            ]
        )
    legend = canvas.legend(scale, left + 0.5, len(epochs) * block + 18, 220.0)
    moved = [
        float(np.sqrt(np.square(kernels[e] - kernels[0], dtype=float).mean())) for e in range(len(epochs))
    ]
    alt = (
        f"{count} kernels on one scale, {scale}. Root mean squared change since the first row: "
        + ", ".join(
            f"{'epoch ' + str(epoch) if epoch else 'initial'} {number(m)}"
            for epoch, m in zip(epochs, moved, strict=True)
        )
    )
    return canvas.picture(alt + ".", kernels=images, legend=legend)
