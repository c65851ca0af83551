"""Canvas, on which most figures draw: one axes whose unit is a CSS pixel, with y downwards.

Tiles, numbers and legends are placed where they belong, and text keeps its size. Curves and bars
with scales of their own get axes from `chart`. pyplot and its global state are never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from cnnviz.figures import style
from cnnviz.figures.picture import Picture
from cnnviz.figures.style import LABEL, SMALL, Scale, Theme

WIDE, NARROW = 960.0, 328.0
"""Widths in pixels that the explorer draws at: a page's column, and a telephone's."""

SMALLEST = 7.5
"""The smallest type, for numbers in the cells of a narrow picture."""


@lru_cache(maxsize=4096)
def text_width(words: str, size: float = LABEL, weight: str = "normal") -> float:
    """How wide some words are in matplotlib's own letters, which are wider than most.

    >>> text_width("", 10.0)
    0.0
    """
    font = FontProperties(size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(words, font, ismath=False)[0]) if words else 0.0


class Canvas:
    """One axes in pixels to draw on.

    Parameters
    ----------
    width, height
        In pixels of 1/72 inch, which a browser shows as CSS pixels.
    ax
        Axes to draw on; None makes a figure of its own.
    theme
        "light" or "dark".
    """

    def __init__(
        self, width: float, height: float, ax: Axes | None = None, theme: str | Theme = "light"
    ) -> None:
        self.theme = style.theme(theme)
        self.width, self.height = width, height
        if ax is None:
            figure = new_figure(width, height, self.theme)
            ax = figure.add_axes((0, 0, 1, 1))
        self.ax = ax
        self.figure = cast(Figure, ax.get_figure(root=True))
        ax.set_axis_off()
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")

    def picture(self, alt: str, **artists: Any) -> Picture:
        return Picture(self.figure, self.ax, artists, alt)

    def share(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A box as shares of the canvas's width and height, for what lies over the picture on a page."""
        return x / self.width, y / self.height, width / self.width, height / self.height

    def image(
        self,
        array: np.ndarray,
        x: float,
        y: float,
        width: float,
        height: float | None = None,
        *,
        scale: Scale,
        frame: str | None = "line",
    ) -> AxesImage:
        """Draw an array (H, W) cell by cell into a box; its height follows its shape if not given."""
        array = np.asarray(array)
        if height is None:
            height = width * array.shape[0] / array.shape[1]
        image = AxesImage(
            self.ax,
            cmap=scale.colormap(self.theme.name),
            norm=mpl.colors.Normalize(scale.low, scale.limit),
            interpolation="none",
            origin="upper",
            extent=(x, x + width, y + height, y),
        )
        image.set_data(array)
        image.set_clip_on(False)
        self.ax.add_image(image)
        if frame:
            self.box(x, y, width, height, frame)
        return image

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: str = "line",
        thickness: float = 1.0,
        *,
        fill: str = "none",
        halo: bool = False,
        dashes: Any = "solid",
        zorder: float = 3,
    ) -> Rectangle:
        """Outline a box; a halo of the paper's colour keeps it visible on any data."""
        if halo:
            self.box(x, y, width, height, "background", thickness + 2, zorder=zorder)
        patch = Rectangle(
            (x, y),
            width,
            height,
            facecolor=self.colour(fill),
            edgecolor=self.colour(colour),
            linewidth=thickness,
            linestyle=dashes,
            joinstyle="miter",
            clip_on=False,
            zorder=zorder,
        )
        self.ax.add_artist(patch)  # add_patch would look where it lies, to fit the axes to it
        return patch

    def boxes(self, boxes: Sequence[tuple[float, float, float, float]], colour: str = "line") -> PathPatch:
        """Outline many boxes (x, y, width, height) as one artist."""
        vertices = [
            corner
            for x, y, w, h in boxes
            for corner in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
        ]
        codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * len(boxes)
        patch = PathPatch(
            Path(np.reshape(vertices, (-1, 2)), codes),
            facecolor="none",
            edgecolor=self.colour(colour),
            linewidth=0.8,
            clip_on=False,
            zorder=3,
        )
        self.ax.add_artist(patch)  # add_patch would look where it lies, to fit the axes to it
        return patch

    def cell(
        self,
        x: float,
        y: float,
        size: float,
        row: float,
        col: float,
        rows: float = 1,
        cols: float = 1,
        *,
        colour: str = "accent",
        thickness: float = 2.0,
        dashes: Any = "solid",
    ) -> Rectangle:
        """Outline cells of an image at (x, y) whose cells are `size` pixels, with a halo."""
        return self.box(
            x + col * size - 1,
            y + row * size - 1,
            cols * size + 2,
            rows * size + 2,
            colour,
            thickness,
            halo=True,
            dashes=dashes,
            zorder=5,
        )

    def dot(
        self, x: float, y: float, radius: float, colour: str = "accent", *, filled: bool = True
    ) -> Circle:
        """A disc, or a ring that shows what is under it."""
        tone = self.colour(colour)
        patch = Circle(
            (x, y),
            radius,
            facecolor=tone if filled else "none",
            edgecolor=self.theme.background if filled else tone,
            linewidth=1.0 if filled else 1.8,
            clip_on=False,
            zorder=4 if filled else 5,
        )
        self.ax.add_artist(patch)  # add_patch would look where it lies, to fit the axes to it
        return patch

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = LABEL,
        colour: str = "ink",
        ha: str = "left",
        va: str = "baseline",
        weight: str | int = "normal",
        zorder: float = 6,
    ) -> Any:
        return self.ax.text(
            x,
            y,
            words,
            fontsize=size,
            color=self.colour(colour),
            ha=ha,
            va=va,
            fontweight=weight,
            zorder=zorder,
            parse_math=False,
        )

    def values(
        self,
        array: np.ndarray,
        x: float,
        y: float,
        cell: float | tuple[float, float],
        scale: Scale,
    ) -> list[Any]:
        """Write each cell's number into it, in black or white as its colour asks for.

        `cell` is the cells' size, or (width, height). Where the numbers would be too small to read
        nothing is written.
        """
        wide, tall = cell if isinstance(cell, tuple) else (cell, cell)
        digits = 2 if wide < 44 else 3
        written = {index: style.cell_number(value, scale, digits) for index, value in np.ndenumerate(array)}
        size = min(SMALL, 0.97 * SMALL * wide / max(text_width(words, SMALL) for words in written.values()))
        if size < SMALLEST:
            return []
        return [
            self.text(
                x + (col + 0.5) * wide,
                y + (row + 0.5) * tall + 0.36 * size,
                words,
                size=size,
                colour=self.ink_on(float(array[row, col]), scale),
                ha="center",
            )
            for (row, col), words in written.items()
        ]

    def columns(
        self,
        values: Sequence[float],
        x: float,
        y: float,
        width: float,
        height: float,
        scale: Scale,
        labels: Sequence[str],
        *,
        selected: int | None = None,
    ) -> list[Rectangle]:
        """A row of bars from a common zero line, each with its label under it and its number beyond it.

        Takes up 16 pixels above and 32 below the box.
        """
        step = width / len(values)
        zero = y + height / 2 if scale.signed else y + height
        unit = (height / 2 if scale.signed else height) / scale.limit
        self.line([(x, zero), (x + width, zero)], "line")
        bars = []
        for k, (value, name) in enumerate(zip(values, labels, strict=True)):
            value = float(value)
            centre, tall = x + (k + 0.5) * step, abs(value) * unit
            top = zero - tall if value > 0 else zero
            colour = "positive" if value > 0 else "negative"
            bars.append(self.box(centre - 0.3 * step, top, 0.6 * step, tall, colour, 0, fill=colour))
            end = top - 4 if value >= 0 else top + tall + 12
            self.text(
                centre,
                end,
                style.cell_number(value, scale, 2 if step < 44 else 3),
                size=SMALL - 1,
                ha="center",
            )
            chosen = k == selected
            self.text(
                centre,
                y + height + (30 if scale.signed else 18),
                name,
                size=SMALL,
                colour="accent" if chosen else "muted",
                weight="bold" if chosen else "normal",
                ha="center",
            )
        return bars

    def ink_on(self, value: float, scale: Scale) -> str:
        """Black or white, whichever reads on a cell of this value (a contrast of 4.5 at least)."""
        share = min(abs(value) / scale.limit, 1.0)
        end = self.theme.ink_end if scale.kind == "ink" else self.theme.high
        lightness = self.theme.low + share * (end - self.theme.low)
        # Where black and white have the same contrast by WCAG: a luminance of 0.179.
        return "#000000" if lightness > 49.4 else "#ffffff"

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str = "muted",
        thickness: float = 1.0,
        dashes: Any = "solid",
        zorder: float = 2,
    ) -> Line2D:
        xs, ys = zip(*points, strict=True)
        line = Line2D(
            xs,
            ys,
            color=self.colour(colour),
            linewidth=thickness,
            linestyle=dashes,
            clip_on=False,
            zorder=zorder,
        )
        self.ax.add_line(line)
        return line

    def arrow(self, start: tuple[float, float], end: tuple[float, float], colour: str = "muted") -> Any:
        arrow = FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=1.2,
            color=self.colour(colour),
            shrinkA=0,
            shrinkB=0,
            clip_on=False,
        )
        self.ax.add_patch(arrow)
        return arrow

    def legend(self, scale: Scale, x: float, y: float, width: float, words: str = "") -> AxesImage:
        """The scale as a bar 8 pixels high at (x, y), its numbers under it and a title over it.

        It takes up the 16 pixels above y (if it has a title) and 24 below.
        """
        levels = np.linspace(scale.low, scale.limit, 129)[np.newaxis]
        bar = self.image(levels, x, y, width, 8, scale=scale)
        if words:
            self.text(x, y - 6, words, size=SMALL, colour="muted")
        marks = [(scale.low, x, "left"), (scale.limit, x + width, "right")]
        if scale.signed:
            marks.insert(1, (0.0, x + width / 2, "center"))
        write = style.signed_number if scale.signed else style.number
        for value, place, ha in marks:
            self.text(place, y + 21, write(value), size=SMALL, colour="muted", ha=ha)
        return bar

    def colour(self, name: str) -> str:
        """A colour of the theme by its name; anything else is a colour already."""
        return getattr(self.theme, name, name)


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """A figure of so many pixels on the theme's background, without pyplot."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.background)


def chart(
    width: float, height: float, ax: Axes | None = None, theme: str | Theme = "light"
) -> tuple[Figure, Axes, Theme]:
    """Axes for curves and bars in the house's style: hairlines, no box, no tick marks."""
    chosen = style.theme(theme)
    if ax is None:
        figure = new_figure(width, height, chosen)
        left, right, bottom, top = 54, 12, 44, 14
        ax = figure.add_axes(
            (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
        )
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(chosen.line)
    ax.tick_params(length=0, labelsize=SMALL, labelcolor=chosen.muted, pad=6)
    ax.grid(axis="y", color=chosen.line, linewidth=0.8)
    ax.set_axisbelow(True)
    return cast(Figure, ax.get_figure(root=True)), ax, chosen


def label(ax: Axes, theme: Theme, *, x: str = "", y: str = "") -> None:
    """Axis labels: x under the axis at its end, y above it, both horizontal."""
    if x:
        ax.set_xlabel(x, fontsize=SMALL, color=theme.muted, labelpad=6)
    if y:
        ax.set_title(y, fontsize=SMALL, color=theme.muted, loc="left", pad=6)


def maps_of(array: Any, name: str = "maps") -> np.ndarray:
    """An activation (H, W, C), (1, H, W, C) or (H, W) as (H, W, C), its dtype kept.

    >>> maps_of(np.zeros((1, 4, 5, 3))).shape
    (4, 5, 3)
    """
    array = np.asarray(array)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(
            f"{name} must be (H, W, C), (1, H, W, C) or (H, W) and not empty, got shape {array.shape}"
        )
    return array
