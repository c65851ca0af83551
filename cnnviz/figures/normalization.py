"""Batch normalisation: the spread of each channel before and after, and how far its two forms differ.

Means are points and standard deviations bars, channel by channel; histograms are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cnnviz.colours import Theme
from cnnviz.colours import theme as theme_named
from cnnviz.figures.canvas import SMALL, WIDE, chart, label
from cnnviz.figures.drawing import new_figure
from cnnviz.figures.picture import Picture
from cnnviz.numbers import number


def channel_spreads(
    before: tuple[Any, Any],
    after: tuple[Any, Any],
    *,
    moving: tuple[Any, Any] | None = None,
    wanted: tuple[Any, Any] | None = None,
    selected: int | None = None,
    width: float = WIDE,
    ax: Axes | None = None,
    theme: str | Theme = "light",
) -> Picture:
    """Mean and standard deviation of each channel, before a normalisation and, below, after it.

    Parameters
    ----------
    before, after
        (mean, deviation), (C,) each: as measured. A bar is the mean plus and minus the deviation.
    moving, wanted
        The same as the layer has it: its moving averages, and its beta and gamma (whose magnitude is
        the deviation); drawn as rings with hairlines beside the bars.
    selected
        A channel to mark.
    width, ax, theme
        In pixels; where to draw; "light" or "dark".

    Returns
    -------
    Picture
        Its artists are "before" and "after", the points of the means, and "moving" and "wanted".

    Examples
    --------
    >>> spreads = channel_spreads(([3.0, 1.0], [2.0, 1.0]), ([0.0, 0.0], [1.0, 1.0]))
    >>> spreads["before"].get_ydata()
    array([3., 1.])
    """
    pairs = [
        tuple(np.abs(np.asarray(a, float)) if k else np.asarray(a, float) for k, a in enumerate(pair))
        for pair in (before, after, *(p for p in (moving, wanted) if p is not None))
    ]
    sizes = {array.shape for pair in pairs for array in pair}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1 or (0,) in sizes:
        raise ValueError(f"means and deviations must all be (C,), got shapes {sorted(sizes)}")
    chosen = theme_named(theme)
    height = 400.0
    if ax is None:
        figure = new_figure(width, height, chosen)
        ax = figure.add_axes((48 / width, 40 / height, (width - 60) / width, (height - 62) / height))
    ax.set_axis_off()
    panels = ax.inset_axes((0, 0.57, 1, 0.43)), ax.inset_axes((0, 0, 1, 0.41))
    artists: dict[str, Any] = {}
    names = (("before", "moving", moving), ("after", "wanted", wanted))
    tones = (chosen.negative, chosen.positive)
    words = []
    places = np.arange(len(pairs[0][0]))
    for panel, (name, own, given), measured, tone in zip(panels, names, pairs, tones, strict=False):
        chart(width, height, panel, chosen)
        mean, deviation = measured
        shift = 0.16 if given is not None else 0.0
        panel.vlines(places - shift, mean - deviation, mean + deviation, color=tone, linewidth=5, alpha=0.45)
        (artists[name],) = panel.plot(places - shift, mean, "o", color=tone, markersize=5)
        artists[own] = None
        if given is not None:
            middle, spread = (np.asarray(array, float) for array in given)
            spread = np.abs(spread)
            panel.vlines(places + shift, middle - spread, middle + spread, color=chosen.ink, linewidth=1)
            (artists[own],) = panel.plot(
                places + shift, middle, "o", color=chosen.ink, markersize=5, markerfacecolor="none"
            )
        panel.axhline(0, color=chosen.muted, linewidth=0.8)
        if selected is not None:
            panel.axvspan(selected - 0.45, selected + 0.45, color=chosen.accent, alpha=0.14, linewidth=0)
        panel.set_xlim(-0.6, len(places) - 0.4)
        panel.set_xticks(places[:: 1 if width >= 600 or len(places) <= 10 else 3])
        words.append(f"{name}, means {_listed(mean)}, deviations {_listed(deviation)}")
    bars = ": mean ± deviation" if width >= 600 else ""
    rings = "; rings: moving averages" * (moving is not None), "; rings: beta ± gamma" * (wanted is not None)
    label(panels[0], chosen, y=f"before{bars}{rings[0]}")
    label(panels[1], chosen, x="channel", y=f"after{bars}{rings[1]}")
    alt = f"{len(places)} channels. {'; '.join(words).capitalize()}."
    return Picture(ax, artists, alt)


def _listed(values: np.ndarray) -> str:
    return ", ".join(number(value, 2) for value in values)


def distance_by_batch(
    sizes: Sequence[int],
    distances: Sequence[float],
    chosen_size: int,
    *,
    width: float = 460.0,
    ax: Axes | None = None,
    theme: str | Theme = "light",
) -> Picture:
    """How far the training form is from the inference form, by the size of the batch.

    Parameters
    ----------
    sizes, distances
        Batch sizes, growing, drawn on a logarithmic axis, and a distance for each, from 0.
    chosen_size
        One of the sizes, to be marked.
    width, ax, theme
        As in `channel_spreads`.

    Returns
    -------
    Picture
        Its artists are "curve" and "point".

    Examples
    --------
    >>> distance_by_batch([1, 2, 4], [0.5, 0.4, 0.1], 2)["point"].get_ydata()
    array([0.4])
    """
    across, values = np.asarray(sizes), np.asarray(distances, float)
    if across.ndim != 1 or across.shape != values.shape or chosen_size not in across:
        raise ValueError(f"sizes and distances must be 1-D and hold {chosen_size}, got {list(sizes)}")
    ax, chosen = chart(width, 230, ax, theme)
    ax.set_xscale("log", base=2)
    (curve,) = ax.plot(across, values, "o-", color=chosen.positive, linewidth=2, markersize=4)
    place = int(np.flatnonzero(across == chosen_size)[0])
    (point,) = ax.plot(
        [chosen_size], values[[place]], "o", color=chosen.accent, markersize=8, clip_on=False, zorder=4
    )
    ax.set_xticks(across, [str(size) for size in across])
    ax.minorticks_off()
    ax.set_ylim(0, max(float(values.max()) * 1.15, 1e-12))
    right = place > 0.6 * (len(across) - 1)
    # The number stands where the curve does not go: below it where it rises, unless that is the axis.
    beside = values[max(place - 1, 0) if right else min(place + 1, len(values) - 1)]
    below = values[place] < beside and values[place] > 0.2 * values.max()
    ax.annotate(
        number(values[place]),
        (chosen_size, values[place]),
        (-8 if right else 8, -18 if below else 8),
        textcoords="offset points",
        ha="right" if right else "left",
        color=chosen.accent,
        fontweight="bold",
        fontsize=SMALL + 2,
    )
    label(ax, chosen, x="images in the batch", y="distance of the two forms")
    alt = "Distance by batch size: " + "; ".join(
        f"{size}: {number(value)}" for size, value in zip(across, values, strict=True)
    )
    return Picture(ax, {"curve": curve, "point": point}, f"{alt}. Marked is {chosen_size}.")
