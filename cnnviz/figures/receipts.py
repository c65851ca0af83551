"""A receipt as a picture: patch, kernel and products of the channels that add most, and all the sums.

Drawn on `figures.canvas` in its colours. One scale is shared by all patches, one by all kernels, one
by all products; sums and shares of a softmax are bars with their numbers.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnviz.colours import INK, Scale, Theme
from cnnviz.figures.canvas import LABEL, SMALL, TITLE, WIDE, Canvas
from cnnviz.figures.picture import Picture
from cnnviz.numbers import number, signed_number
from cnnviz.receipts import Receipt
from cnnviz.receipts.steps import Shares
from cnnviz.receipts.terms import Terms
from cnnviz.resources import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROWEST = 300
DRAWN = 4
"""Channels whose numbers are drawn; the bars show more."""
LEGEND = 98.0
"""The least width of a legend."""


def plot(
    receipt: Receipt, ax: Axes | None = None, *, width: float | None = None, theme: str | Theme = "light"
) -> Picture:
    """The arithmetic as a picture: patch, kernel and products by channel, and how they add up.

    Parameters
    ----------
    ax
        Axes to draw on; None makes a figure.
    width
        In pixels; None is a page's width.
    theme
        "light" or "dark".

    Returns
    -------
    cnnviz.figures.Picture
        Its artists are "patches", "kernels" and "products" (lists of images, one for each channel
        that is drawn), "colours" (patch and kernel as colour pictures, where a colour picture is read),
        "bars" (what each part adds) and "shares" (of a softmax).
    """
    if width is not None and not width >= NARROWEST:
        raise ValueError(f"width must be at least {NARROWEST} pixels, got {width}")
    wide = WIDE if width is None else float(width)
    terms = receipt.terms
    tiles = _Tiles(receipt, wide) if max(terms.window) > 1 and len(terms) else None
    bars = _bars(terms, most=20 if wide >= 600 else 6)
    shares = next((step.shares for step in receipt.steps if step.shares is not None), None)
    if width is None and tiles is None:
        wide = min(wide, max(420.0, 46.0 * max(len(bars), 0 if shares is None else len(shares.z))))
    heading = textwrap.wrap(one_line(receipt.title), int(wide / 10))
    top = 20.0 * len(heading) + 12
    below = top + (tiles.height if tiles else 0)
    bottom = below + 130 * (len(bars) > 1) + 130 * (shares is not None)
    canvas = Canvas(wide, bottom + 16, ax, theme)
    for line, words in enumerate(heading):
        canvas.text(0, 16 + 20 * line, words, size=TITLE, weight="bold")
    artists: dict[str, Any] = {"patches": [], "kernels": [], "products": [], "bars": [], "shares": []}
    artists["colours"] = []
    if tiles:
        artists.update(tiles.draw(canvas, top))
    if len(bars) > 1:
        title = "What it chooses from" if terms.selects else "What each part adds"
        artists["bars"] = _columns(canvas, below, title, bars)
        below += 130
    if shares is not None:
        artists["shares"] = _columns(canvas, below, "Exponentials over their sum", *_entries(shares, wide))
    name = terms.selects.capitalize() or ("Sum" if len(bars) > 1 else "Value")
    results = [f"{name} {signed_number(receipt.total)}"]
    results += [f"{step.name} {number(step.result)}" for step in receipt.steps]
    canvas.text(0, bottom + 8, ",  ".join(results), size=TITLE, weight="bold", colour="accent")
    parts = "; ".join(f"{label} {signed_number(value)}" for label, value in bars)
    return canvas.picture(f"{receipt.title}: {parts or 'given'}. {', '.join(results)}.", **artists)


Bars = list[tuple[str, float]]


def _columns(canvas: Canvas, y: float, title: str, bars: Bars, selected: int | None = None) -> list[Any]:
    """A row of bars under a heading, 130 pixels high."""
    labels, values = [label for label, _ in bars], [value for _, value in bars]
    scale = Scale.of([value for value in values if np.isfinite(value)])
    # A margin, for the numbers beyond the bars' ends.
    scale = Scale(scale.kind, 1.4 * scale.limit)
    canvas.text(0, y + 12, title, weight="bold")
    shown = [value if np.isfinite(value) else 0.0 for value in values]
    across = min(canvas.width, 60.0 * len(bars) + 40)
    return canvas.columns(shown, 0, y + 22, across, 70, scale, labels, selected=selected)


def _bars(terms: Terms, most: int) -> Bars:
    """What each channel adds, the rest of them, and the bias; of a selecting layer all it chose from."""
    if terms.selects:
        return [(_short(terms, g), float(terms.factor[g, 0, 0])) for g in range(len(terms.factor))][:most]
    chosen, rest = terms.shown(most)
    bars = [(_short(terms, group), float(terms.contribution[group])) for group in chosen]
    if len(chosen) < len(terms.factor):
        bars.append(("rest", float(rest)))
    return [*bars, (terms.bias_name, float(terms.bias))] if terms.bias_name else bars


def _entries(shares: Shares, wide: float) -> tuple[Bars, int]:
    """The largest entries of a softmax, and the receipt's own, as far as there is room."""
    most = max(int(wide // 42), 2)
    order = np.argsort(-shares.powers, kind="stable").tolist()
    chosen = sorted({shares.own, *[i for i in order if i != shares.own][: most - 1]})
    names = [_bare(shares.labels[i]) for i in chosen]
    return list(zip(names, shares.results[chosen].astype(float), strict=True)), chosen.index(shares.own)


def _short(terms: Terms, group: int) -> str:
    label = terms.labels[group]
    return _bare(label) if len(terms.factor) > 1 else label


def _bare(label: str) -> str:
    """The number in "channel 7"; a class's name as it is."""
    word, _, number = label.partition(" ")
    return (
        number
        if word in ("channel", "unit", "row", "column", "entry", "image") and number.isdigit()
        else label
    )


class _Tiles:
    """The patches, kernels and products of a few channels, one row of tiles for each."""

    def __init__(self, receipt: Receipt, width: float) -> None:
        self.terms = terms = receipt.terms
        self.in_colours = in_colours = receipt.in_colours
        """Patch and kernel as colour pictures, which have a line of their own; empty where there are none."""
        self.titles = [word.capitalize() for word in receipt.heads]
        self.wide = wide = width >= 600
        self.groups = terms.shown(DRAWN)[0]
        self.names = ["factor"] if terms.selects else ["factor", "weight", "product"][: 3 if wide else 2]
        self.left, right, self.gap = (70.0, 110.0, 46.0) if wide else (62.0, 56.0, 12.0)
        columns = 3 if wide else 2
        room = (width - self.left - right - (columns - 1) * self.gap) / columns
        rows, cols = terms.window
        self.unit = min(room / cols, 60.0)
        self.tile = cols * self.unit, rows * self.unit
        self.pitch = rows * self.unit + 14
        self.lines = len(self.groups) + bool(in_colours)
        self.height = self.lines * self.pitch + 80

    def draw(self, canvas: Canvas, top: float) -> dict[str, Any]:
        titles = dict(zip(("factor", "weight", "product"), [*self.titles, "Products"], strict=True))
        keys = {"factor": "patches", "weight": "kernels", "product": "products"}
        artists: dict[str, Any] = {}
        artists["colours"] = []
        x, first = self.left, top + 20 + (self.lines - len(self.groups)) * self.pitch
        for name in self.names:
            array: np.ndarray = getattr(self.terms, name)
            scale = Scale.of(array[np.isfinite(array)], signed=None if name == "factor" else True)
            canvas.text(x, top + 12, titles[name], weight="bold")
            if name in self.in_colours:
                shown = self.in_colours[name]
                artists["colours"].append(canvas.image(shown, x, top + 20, *self.tile, scale=INK))
            artists[keys[name]] = [
                self._tile(canvas, x, first + place * self.pitch, array[group], scale)
                for place, group in enumerate(self.groups)
            ]
            canvas.legend(scale, x, first + len(self.groups) * self.pitch + 6, max(self.tile[0], LEGEND))
            x += max(self.tile[0], LEGEND) + self.gap
        if self.in_colours:
            canvas.note(0, top + 20 + self.tile[1] / 2 + 4, "in colours")
        for place, group in enumerate(self.groups):
            self._label(canvas, x - self.gap + (12 if self.wide else 4), first + place * self.pitch, group)
        return artists

    def _tile(self, canvas: Canvas, x: float, y: float, array: np.ndarray, scale: Scale) -> Any:
        shown = np.where(np.isfinite(array), array, np.nan)
        image = canvas.image(shown, x, y, *self.tile, scale=scale)
        if self.unit >= 36:
            canvas.values(np.nan_to_num(shown), x, y, self.unit, scale)
        return image

    def _label(self, canvas: Canvas, end: float, y: float, group: int) -> None:
        """The channel's name before its tiles, what it adds behind them, the winner outlined."""
        terms, middle = self.terms, y + self.tile[1] / 2 + 4
        canvas.note(0, middle, terms.labels[group])
        sign = "= " if self.wide and not terms.selects else ""
        scale = Scale.of(terms.contribution[np.isfinite(terms.contribution)], signed=True)
        adds = sign + scale.write(terms.contribution[group])
        canvas.text(end, middle, adds, weight="bold", size=LABEL if self.wide else SMALL)
        if terms.selects:
            for row, col in np.argwhere(terms.weight[group] != 0):
                canvas.cell(self.left, y, self.unit, int(row), int(col))
