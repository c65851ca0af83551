"""Batch normalisation: the spread of each channel before and after, and how far its two forms differ.

Means are points and standard deviations bars, channel by channel; histograms are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.axes import chart, charts, label, mark_point
from cnnviz.figures.canvas import WIDE
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number


@figure
def channel_spreads(
    before: tuple[Any, Any],
    after: tuple[Any, Any],
    *,
    moving: tuple[Any, Any] | None = None,
    wanted: tuple[Any, Any] | None = None,
    selected: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
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
    pairs = [_floats(pair) for pair in (before, after, moving, wanted) if pair is not None]
    sizes = {array.shape for pair in pairs for array in pair}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1 or (0,) in sizes:
        raise ValueError(f"means and deviations must all be (C,), got shapes {sorted(sizes)}")
    margins = 48, 12, 40, 22
    ax, panels, chosen = charts(width, 400, (0.57, 0.43), (0, 0.41), margins=margins, **look)
    artists: dict[str, Any] = {}
    names = (("before", "moving", moving), ("after", "wanted", wanted))
    tones = (chosen.negative, chosen.positive)
    words = []
    places = np.arange(len(pairs[0][0]))
    for panel, (name, own, given), measured, tone in zip(panels, names, pairs, tones, strict=False):
        mean, deviation = measured
        shift = 0.16 if given is not None else 0.0
        panel.vlines(places - shift, mean - deviation, mean + deviation, color=tone, linewidth=5, alpha=0.45)
        (artists[name],) = panel.plot(places - shift, mean, "o", color=tone, markersize=5)
        artists[own] = None
        if given is not None:
            middle, spread = _floats(given)
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
    alt = f"{counted(len(places), 'channel')}. {'; '.join(words).capitalize()}."
    return Picture(ax, artists, alt)


def _floats(pair: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A mean and a deviation, or its magnitude where a gamma stands for it."""
    return np.asarray(pair[0], float), np.abs(np.asarray(pair[1], float))


def _listed(values: np.ndarray) -> str:
    return ", ".join(number(value, 2) for value in values)


@figure
def distance_by_batch(
    sizes: Sequence[int],
    distances: Sequence[float],
    chosen_size: int,
    *,
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """How far the training form is from the inference form, by the size of the batch.

    Parameters
    ----------
    sizes, distances
        Batch sizes, growing, drawn on a logarithmic axis, and a distance for each, from 0.
    chosen_size
        One of the sizes, to be marked.

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
    ax, chosen = chart(width, 230, **look)
    ax.set_xscale("log", base=2)
    (curve,) = ax.plot(across, values, "o-", color=chosen.positive, linewidth=2, markersize=4)
    place = int(np.flatnonzero(across == chosen_size)[0])
    ax.set_xticks(across, [str(size) for size in across])
    ax.minorticks_off()
    ax.set_ylim(0, max(float(values.max()) * 1.15, 1e-12))
    right = place > 0.6 * (len(across) - 1)
    # The number stands where the curve does not go: below it where it rises, unless that is the axis.
    beside = values[max(place - 1, 0) if right else min(place + 1, len(values) - 1)]
    below = values[place] < beside and values[place] > 0.2 * values.max()
    point = mark_point(
        ax,
        (chosen_size, values[place]),
        number(values[place]),
        (-8 if right else 8, -18 if below else 8),
        colour=chosen.accent,
        ha="right" if right else "left",
    )
    label(ax, chosen, x="images in the batch", y="distance of the two forms")
    alt = "Distance by batch size: " + "; ".join(
        f"{size}: {number(value)}" for size, value in zip(across, values, strict=True)
    )
    return Picture(ax, {"curve": curve, "point": point}, f"{alt}. Marked is {chosen_size}.")
