"""Canvas, on which most figures draw: one axes whose unit is a CSS pixel, with y downwards.

Tiles, numbers and legends are placed where they belong, and text keeps its size. Curves with scales of
their own get axes from `axes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnviz.colours import Scale, Theme, ink_on
from cnnviz.colours import theme as theme_named
from cnnviz.figures.marks import Arrow, Cells, Dashes, Dot, Line, Mark, Point, Rect, Strokes, Words
from cnnviz.figures.picture import Drawing, Picture
from cnnviz.numbers import number, signed_number
from cnnviz.receptive_fields.field import Box
from cnnviz.resources import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 960.0, 328.0
"""Widths in pixels that the explorer draws at: a page's column, and a telephone's."""

TITLE, LABEL, SMALL = 15.0, 13.0, 11.0
"""Type sizes, in CSS pixels, which are the unit of a picture too."""

SMALLEST = 7.5
"""The smallest type, for numbers in the cells of a narrow picture."""


@lru_cache(maxsize=4096)
def text_width(words: str, size: float = LABEL, weight: str = "normal") -> float:
    """How wide some words are in matplotlib's own letters, which are wider than most.

    >>> text_width("", 10.0)
    0.0
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    shown = one_line(words)
    return float(text_to_path.get_text_width_height_descent(shown, font, ismath=False)[0]) if words else 0.0


def shortened(words: str, room: float, size: float = LABEL, weight: str = "normal") -> str:
    """Words, or as many of their letters as fit into some pixels, and an ellipsis; a digit always fits.

    >>> shortened("7", 0.0), shortened("great white shark", 60.0)
    ('7', 'great…')
    """
    whole = words
    while len(words) > 1 and text_width(whole, size, weight) > room:
        words = words[:-1]
        whole = words.rstrip() + "…"
    return whole


class Grid:
    """Tiles in lines from a canvas's left end.

    Parameters
    ----------
    count, columns
        Tiles in all, and in a line.
    width
        The canvas's.
    gap
        Between two tiles of a line.
    largest
        Side of a tile at most.
    """

    def __init__(self, count: int, columns: int, width: float, gap: float, largest: float = math.inf) -> None:
        self.columns, self.lines, self.gap = columns, -(-count // columns), gap
        self.side = min((width - 1 - (columns - 1) * gap) / columns, largest)

    def place(self, tile: int, step: float, head: float) -> Point:
        """Where a tile begins: lines are `step` apart, and have so much room above their tiles."""
        line, column = divmod(tile, self.columns)
        return 0.5 + column * (self.side + self.gap), line * step + head


TALLEST = 50_000
"""In pixels: a file of that size takes a few seconds, and nobody scrolls further."""


class Canvas:
    """One axes in pixels to draw on.

    What is drawn is kept as marks; matplotlib draws them at once on axes that are given, and else only
    when somebody asks for a figure, an artist or a file.

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
        self.theme = theme_named(theme)
        if not height <= TALLEST:
            raise ValueError(
                f"a figure is at most {TALLEST:,} pixels tall, this one would have {height:,.0f}: "
                "give it less to draw, or a smaller width"
            )
        self.width, self.height = width, height
        self._given = ax
        self._marks: list[Mark] = []

    def picture(self, alt: str, **artists: Any) -> Picture:
        """What was drawn. `artists` may hold marks, in lists and mappings too; they are read as artists."""
        return Picture(Drawing(self._marks, self.width, self.height, self.theme, self._given), artists, alt)

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
    ) -> Mark:
        """Draw an array (H, W) cell by cell into a box; its height follows its shape if not given.

        Without a frame it is several maps in one array, whose frames are drawn by themselves.
        """
        array = np.asanyarray(array)
        if height is None:
            height = width * array.shape[0] / array.shape[1]
        image = self._put(Cells(0, array, x, y, width, height, scale, self.theme.name, frame is not None))
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
        dashes: Dashes = "-",
        zorder: float = 3,
    ) -> Mark:
        """Outline a box; a halo of the paper's colour keeps it visible on any data."""
        if halo:
            self.box(x, y, width, height, "background", thickness + 2, zorder=zorder)
        line, inside = self.colour(colour), self.colour(fill)
        return self._put(Rect(zorder, line, thickness, inside, dashes, x, y, width, height))

    def bar(self, x: float, y: float, width: float, height: float, colour: str, *, zorder: float = 3) -> Mark:
        """A box filled with a colour, without an outline."""
        return self.box(x, y, width, height, colour, 0, fill=colour, zorder=zorder)

    def boxes(self, boxes: Sequence[tuple[float, float, float, float]], colour: str = "line") -> Mark:
        """Outline many boxes (x, y, width, height) as one artist."""
        corners = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h)] for x, y, w, h in boxes]
        return self.strokes(corners, colour, 0.8, closed=True)

    def strokes(
        self,
        polylines: Sequence[Sequence[Point]],
        colour: str = "accent",
        thickness: float = 1.0,
        *,
        closed: bool = False,
        zorder: float = 3,
    ) -> Mark:
        """Draw many polylines as one artist."""
        line = self.colour(colour)
        return self._put(Strokes(zorder, line, thickness, "none", "-", polylines, closed))

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
        dashes: Dashes = "-",
    ) -> Mark:
        """Outline cells of an image at (x, y) whose cells are `size` pixels, with a halo."""
        box = x + col * size - 1, y + row * size - 1, cols * size + 2, rows * size + 2
        return self.box(*box, colour, thickness, halo=True, dashes=dashes, zorder=5)

    def field(self, x: float, y: float, size: float, field: Box, *, thickness: float = 2.0) -> Mark:
        """Outline the cells ((top, bottom), (left, right)), ends included, as `cell` does."""
        (top, bottom), (left, right) = field
        rows, cols = bottom - top + 1, right - left + 1
        return self.cell(x, y, size, top, left, rows, cols, thickness=thickness)

    def dot(self, x: float, y: float, radius: float, colour: str = "accent", *, filled: bool = True) -> Mark:
        """A disc, or a ring that shows what is under it."""
        tone = self.colour(colour)
        if filled:
            return self._put(Dot(4, self.theme.background, 1.0, tone, "-", x, y, radius))
        return self._put(Dot(5, tone, 1.8, "none", "-", x, y, radius))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = LABEL,
        colour: str = "ink",
        ha: str = "left",
        weight: str | int = "normal",
    ) -> Mark:
        """Write a line of words; y is its baseline, `ha` says which part of it stands at x."""
        return self._put(Words(6, x, y, one_line(words), size, self.colour(colour), ha, weight))

    def note(self, x: float, y: float, words: str, *, ha: str = "left") -> Mark:
        """Write what may be overlooked: small and muted."""
        return self.text(x, y, words, size=SMALL, colour="muted", ha=ha)

    def name(
        self,
        x: float,
        y: float,
        words: str,
        chosen: bool,
        *,
        size: float = SMALL,
        colour: str = "ink",
        ha: str = "left",
    ) -> Mark:
        """Write the name of one of several; that of the chosen one is bold and in the accent colour."""
        colour, weight = ("accent", "bold") if chosen else (colour, "normal")
        return self.text(x, y, words, size=size, colour=colour, ha=ha, weight=weight)

    def values(
        self, array: np.ndarray, x: float, y: float, cell: float | tuple[float, float], scale: Scale
    ) -> list[Mark]:
        """Write each cell's number into it, in black or white as its colour asks for.

        `cell` is the cells' size, or (width, height). Where the numbers would be too small to read
        nothing is written.
        """
        wide, tall = cell if isinstance(cell, tuple) else (cell, cell)
        if 0.97 * SMALL * wide / text_width("0", SMALL) < SMALLEST:
            # Not even one digit could be read: millions of cells need not be put into words.
            return []
        digits = 2 if wide < 44 else 3
        written = {index: scale.write(value, digits) for index, value in np.ndenumerate(array)}
        size = min(SMALL, 0.97 * SMALL * wide / max(text_width(words, SMALL) for words in written.values()))
        if size < SMALLEST:
            return []
        return [
            self.text(
                x + (col + 0.5) * wide,
                y + (row + 0.5) * tall + 0.36 * size,
                words,
                size=size,
                colour=ink_on(float(array[row, col]), scale, self.theme),
                ha="center",
            )
            for (row, col), words in written.items()
        ]

    def table(
        self, array: np.ndarray, x: float, y: float, cell: float | tuple[float, float], scale: Scale
    ) -> Mark:
        """An image whose cells are so large, with their numbers in them."""
        wide, tall = cell if isinstance(cell, tuple) else (cell, cell)
        rows, cols = array.shape
        image = self.image(array, x, y, cols * wide, rows * tall, scale=scale)
        self.values(array, x, y, cell, scale)
        return image

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
    ) -> list[Mark]:
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
            bars.append(self.bar(centre - 0.3 * step, top, 0.6 * step, tall, colour))
            end = top - 4 if value >= 0 else top + tall + 12
            self.text(centre, end, scale.write(value, 2 if step < 44 else 3), size=SMALL - 1, ha="center")
            under = y + height + (30 if scale.signed else 18)
            words = shortened(name, step - 4, weight="bold" if k == selected else "normal")
            self.name(centre, under, words, k == selected, colour="muted", ha="center")
        return bars

    def line(
        self,
        points: Sequence[Point],
        colour: str = "muted",
        thickness: float = 1.0,
        dashes: Dashes = "-",
        zorder: float = 2,
    ) -> Mark:
        """A polyline; points that are not numbers leave gaps."""
        return self._put(Line(zorder, points, self.colour(colour), thickness, dashes))

    def arrow(self, start: Point, end: Point) -> Mark:
        return self._put(Arrow(1, start, end, self.theme.muted))

    def legend(self, scale: Scale, x: float, y: float, width: float, words: str = "") -> Mark:
        """The scale as a bar 8 pixels high at (x, y), its numbers under it and a title over it.

        It takes up the 16 pixels above y (if it has a title) and 24 below.
        """
        levels = np.linspace(scale.low, scale.limit, 129)[np.newaxis]
        bar = self._put(Cells(0, levels, x, y, width, 8, scale, self.theme.name, False))
        self.box(x, y, width, 8)
        if words:
            self.note(x, y - 6, words)
        marks = [(scale.low, x, "left"), (scale.limit, x + width, "right")]
        if scale.signed:
            marks.insert(1, (0.0, x + width / 2, "center"))
        write = signed_number if scale.signed else number
        for value, place, ha in marks:
            self.note(place, y + 21, write(value), ha=ha)
        return bar

    def colour(self, name: str) -> str:
        """A colour of the theme by its name; anything else is a colour already."""
        return getattr(self.theme, name, name)

    def _put(self, mark: Mark) -> Mark:
        self._marks.append(mark)
        return mark


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


def map_of(array: Any, name: str) -> np.ndarray:
    """One map (H, W), checked.

    >>> map_of([[1, 2]], "values").shape
    (1, 2)
    """
    array = np.asarray(array)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be (H, W) and not empty, got shape {array.shape}")
    return array


def side_by_side(maps: np.ndarray, between: int = 1) -> np.ndarray:
    """Maps (H, W, N) as one array (H, N*(W + between) - between), the columns between them NaN.

    >>> side_by_side(np.ones((1, 2, 2)))
    array([[ 1.,  1., nan,  1.,  1.]])
    """
    padded = np.pad(maps.astype(float), ((0, 0), (0, between), (0, 0)), constant_values=np.nan)
    return padded.transpose(0, 2, 1).reshape(len(maps), -1)[:, :-between]
