"""An activation function's curve over the values that a layer really gave it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from cnnviz.figures.axes import chart, charts, label
from cnnviz.figures.canvas import SMALL
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import counted, number, percent


@figure
def activation_curve(
    function: Callable[[np.ndarray], np.ndarray],
    values: Any = None,
    *,
    name: str = "",
    others: dict[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    bins: int = 60,
    width: float = 640.0,
    **look: Unpack[Look],
) -> Picture:
    """The function's graph, and under it a histogram of the values that enter it.

    Parameters
    ----------
    function
        Elementwise, from `cnnviz.ops` for instance.
    values
        Any shape: pre-activations; None draws the graph alone, from -4 to 4.
    name
        Of the function, written at its curve.
    others
        Further functions by name, drawn thinner for comparison.
    bins
        Of the histogram.

    Returns
    -------
    Picture
        Its artists are "curve", "others", "histogram" (below zero, above it), the counts "counts" and
        the bin "edges".

    Examples
    --------
    >>> picture = activation_curve(np.tanh, [-1.0, 0.5, 2.0], name="tanh")
    >>> int(picture["counts"].sum())
    3
    """
    from matplotlib.ticker import MaxNLocator

    data = np.asarray([] if values is None else values, float).ravel()
    data = data[np.isfinite(data)]
    reach = 1.05 * float(np.abs(data).max()) if data.size and np.abs(data).max() > 0 else 4.0
    margins = 56, 12, 44, 22
    bottom = None
    if data.size:
        _, (top, bottom), chosen = charts(width, 400, (0.44, 0.56), (0, 0.27), margins=margins, **look)
    else:
        top, chosen = chart(width, 260, margins=margins, **look)
    # An odd number of points puts one on 0, where most functions bend.
    z = np.linspace(-reach, reach, 401)
    curves = {}
    for k, (other, f) in enumerate((others or {}).items()):
        style = ("--", ":", "-.")[k % 3]
        (curves[other],) = top.plot(z, f(z), style, color=chosen.muted, linewidth=1.4, label=other)
    y = np.asarray(function(z), float)
    (curve,) = top.plot(z, y, color=chosen.accent, linewidth=2.4, label=name or "f")
    for axes in filter(None, (top, bottom)):
        axes.axvline(0, color=chosen.muted, linewidth=0.8)
        axes.set_xlim(-reach, reach)
    top.axhline(0, color=chosen.muted, linewidth=0.8)
    if name or others:
        top.legend(
            loc="upper left", frameon=False, fontsize=SMALL + 1, labelcolor=chosen.ink, handlelength=1.6
        )
    label(top, chosen, y="activation f(z)")
    counts, edges, bars = np.array([]), np.array([]), None
    share = ""
    if bottom is not None:
        # Zero is a bin edge, so that no bar holds both signs.
        counts, edges = np.histogram(data, bins=np.linspace(-reach, reach, bins // 2 * 2 + 1))
        middle = len(counts) // 2
        bars = [
            bottom.stairs(counts[:middle], edges[: middle + 1], fill=True, color=chosen.negative),
            bottom.stairs(counts[middle:], edges[middle:], fill=True, color=chosen.positive),
        ]
        bottom.set_ylim(0, 1.05 * counts.max())
        bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        bottom.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        below = float((data < 0).mean())
        words = f"{percent(below, 0)} of {data.size:,} values below 0"
        label(bottom, chosen, x="pre-activation z", y=f"how many z: {words}")
        share = (
            f" {counted(data.size, 'pre-activation')} go from {number(data.min())} to {number(data.max())}; "
            f"{percent(below, 1)} are below 0."
        )
    samples = np.asarray(function(np.array([-2.0, -1.0, 0.0, 1.0, 2.0])), float)
    alt = (
        f"The graph of {name or 'the function'} from {number(-reach)} to {number(reach)}; at −2, −1, 0, 1, 2 "
        f"it is {', '.join(number(v) for v in samples)}.{share}"
    )
    artists = {"curve": curve, "others": curves, "histogram": bars, "counts": counts, "edges": edges}
    return Picture(top, artists, alt)
