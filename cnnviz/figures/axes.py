"""Axes for curves that have scales of their own, in the house's style.

Hairlines, no box, no tick marks. All other figures are drawn on a `canvas`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnviz.colours import Theme
from cnnviz.colours import theme as theme_named
from cnnviz.figures.canvas import SMALL
from cnnviz.figures.picture import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Margins = tuple[float, float, float, float]
"""Left, right, below and above the axes of a figure of its own, in pixels."""


def chart(
    width: float,
    height: float,
    *,
    ax: Axes | None = None,
    theme: str | Theme = "light",
    margins: Margins = (54, 12, 44, 14),
) -> tuple[Axes, Theme]:
    """Axes for one chart: those given, or a figure's."""
    chosen = theme_named(theme)
    ax = ax or _axes(width, height, chosen, margins)
    _dress(ax, chosen)
    return ax, chosen


def charts(
    width: float,
    height: float,
    *spans: tuple[float, float],
    ax: Axes | None = None,
    theme: str | Theme = "light",
    margins: Margins,
) -> tuple[Axes, list[Axes], Theme]:
    """Axes for several charts in one place: each begins at a share of its height and is so much tall."""
    chosen = theme_named(theme)
    ax = ax or _axes(width, height, chosen, margins)
    ax.set_axis_off()
    panels = [ax.inset_axes((0, start, 1, tall)) for start, tall in spans]
    for panel in panels:
        _dress(panel, chosen)
    return ax, panels, chosen


def label(ax: Axes, theme: Theme, *, x: str = "", y: str = "") -> None:
    """Axis labels: x under the axis at its end, y above it, both horizontal."""
    if x:
        ax.set_xlabel(x, fontsize=SMALL, color=theme.muted, labelpad=6)
    if y:
        ax.set_title(y, fontsize=SMALL, color=theme.muted, loc="left", pad=6)


def mark_point(
    ax: Axes,
    at: tuple[float, float],
    words: str,
    offset: tuple[float, float],
    *,
    colour: str,
    ha: str,
    shape: str = "o",
    size: float = 8.0,
    zorder: float = 4.0,
) -> Any:
    """A point of a curve, its number `offset` from it, in pixels."""
    (point,) = ax.plot(*at, shape, color=colour, markersize=size, clip_on=False, zorder=zorder)
    letters: dict[str, Any] = {"color": colour, "fontweight": "bold", "fontsize": SMALL + 2}
    ax.annotate(words, at, offset, textcoords="offset points", ha=ha, **letters)
    return point


def _axes(width: float, height: float, theme: Theme, margins: Margins) -> Axes:
    left, right, below, above = margins
    share = left / width, below / height, (width - left - right) / width, (height - below - above) / height
    return new_figure(width, height, theme).add_axes(share)


def _dress(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.line)
    ax.tick_params(length=0, labelsize=SMALL, labelcolor=theme.muted, pad=6)
    ax.grid(axis="y", color=theme.line, linewidth=0.8)
    ax.set_axisbelow(True)
