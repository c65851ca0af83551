"""Drawing: the marks of a canvas as one SVG document, and as a matplotlib figure for whoever needs one.

What the marks are is up to `marks`; what they mean, to the figures that make them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.colours import Theme
from cnnviz.figures.marks import Mark, coordinate


class Drawing:
    """Marks on a canvas: a document for a page, and a matplotlib figure if somebody asks for it.

    Parameters
    ----------
    marks, width, height
        In the order they were drawn; the canvas in pixels.
    theme
        Whose background a figure gets.
    ax
        Axes to draw on at once; None makes a figure when it is needed.
    """

    def __init__(
        self, marks: Sequence[Mark], width: float, height: float, theme: Theme, ax: Axes | None = None
    ) -> None:
        self.marks, self.width, self.height, self.theme = marks, width, height, theme
        self.alone = ax is None
        """Whether its figure holds nothing else."""
        self._given = ax
        if ax is not None:
            self._drawn  # noqa: B018 (at once)

    @property
    def ax(self) -> Axes:
        """The axes it is drawn on."""
        return self._drawn[0]

    def artist(self, mark: Mark) -> Artist:
        """A mark as it was drawn on the axes."""
        return self._drawn[1][id(mark)]

    def svg(self, alt: str) -> str:
        """An SVG document on a clear background, in the font of the page around it."""
        content = "\n".join(mark.svg() for mark in sorted(self.marks, key=lambda mark: mark.zorder))
        size = coordinate(self.width), coordinate(self.height)
        return (
            f'<svg role="img" aria-label="{escape(alt)}" xmlns="http://www.w3.org/2000/svg" '
            f'xmlns:xlink="http://www.w3.org/1999/xlink" width="{size[0]}" height="{size[1]}" '
            f'viewBox="0 0 {size[0]} {size[1]}" stroke-linejoin="round" style="font-family: inherit">\n'
            f"{content}\n</svg>"
        )

    @cached_property
    def _drawn(self) -> tuple[Axes, dict[int, Artist]]:
        ax = self._given
        if ax is None:
            ax = new_figure(self.width, self.height, self.theme).add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        ax.set(xlim=(0, self.width), ylim=(self.height, 0), aspect="equal")
        return ax, {id(mark): mark.on(ax) for mark in self.marks}


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """A figure of so many pixels on the theme's background, without pyplot."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.background)
