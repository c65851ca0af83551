"""What all figures have in common: the look that they take, and the Picture that they return.

Rendering only, as SVG and by matplotlib; what is drawn is up to the modules beside this one.
"""

from __future__ import annotations

import inspect
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

import numpy as np

from cnnviz.colours import Theme
from cnnviz.figures.marks import Cells, Mark, coordinate
from cnnviz.resources import one_line, write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RENDERING = RLock()
"""matplotlib's settings are global, so one picture is rendered at a time."""

_DESCRIBED = """
width
    In pixels.
ax
    Axes to draw on; None makes a figure.
theme
    "light" or "dark".

Returns
-------"""


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


class Picture:
    """A drawn figure: shows itself in a notebook, saves itself, and says in words what it shows.

    Parameters
    ----------
    drawn
        The axes that was drawn on, or a drawing that will be drawn by matplotlib if that is needed.
    artists
        What was drawn, by name: `picture["maps"]` is the list of images of the maps. A drawing's marks
        may stand for their artists.
    alt
        A text alternative, with the picture's numbers.
    """

    def __init__(self, drawn: Axes | Drawing, artists: Mapping[str, Any], alt: str) -> None:
        self._drawn, self._artists, self.alt = drawn, artists, alt

    @cached_property
    def ax(self) -> Axes:
        """The matplotlib axes."""
        return self._drawn.ax if isinstance(self._drawn, Drawing) else self._drawn

    @property
    def figure(self) -> Figure:
        """The matplotlib figure."""
        return cast("Figure", self.ax.get_figure(root=True))

    @property
    def artists(self) -> dict[str, Any]:
        """Everything that was drawn, by name."""
        return {name: self[name] for name in self._artists}

    def __getitem__(self, name: str) -> Any:
        return self._as_artists(self._artists[name])

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self[name] if name in self._artists else otherwise

    def __repr__(self) -> str:
        return one_line(f"<Picture: {self.alt}>")

    def described(self, alt: str) -> Picture:
        """The same picture with another text alternative."""
        return Picture(self._drawn, self._artists, alt)

    def _as_artists(self, found: Any) -> Any:
        if isinstance(found, Mark):
            return cast(Drawing, self._drawn).artist(found)
        if isinstance(found, list):
            return [self._as_artists(one) for one in found]
        if isinstance(found, tuple):
            return tuple(self._as_artists(one) for one in found)
        if isinstance(found, dict):
            return {name: self._as_artists(one) for name, one in found.items()}
        return found

    def numbers(self) -> list[tuple[tuple[float, ...], np.ndarray]]:
        """The arrays (H, W) that are drawn cell by cell, each behind its place.

        A place is (x, y, width, height), as shares of the picture's width and height.

        >>> from cnnviz.figures import single_map
        >>> place, array = single_map([[1.0, 2.0]]).numbers()[0]
        >>> array
        array([[1., 2.]])
        """
        drawn = self._drawn
        if not isinstance(drawn, Drawing):
            return []
        cells = [mark for mark in drawn.marks if isinstance(mark, Cells) and mark.array.ndim == 2]
        return [(mark.place(drawn.width, drawn.height), mark.array) for mark in cells]

    def svg(self, *, text: bool = False) -> str:
        """The picture as an SVG document on a clear background.

        With `text` the letters stay text, in the fonts of the page that shows it; otherwise they are
        outlines that look the same everywhere.
        """
        if text and isinstance(self._drawn, Drawing) and self._drawn.alone:
            return self._drawn.svg(self.alt)
        from matplotlib import rc_context

        content = io.BytesIO()
        settings: Any = {
            "svg.fonttype": "none" if text else "path",
            "svg.hashsalt": "cnnviz",
            "image.composite_image": False,
        }
        with _RENDERING, rc_context(settings):
            metadata = cast(dict[str, Any], {"Date": None, "Creator": None})
            self.figure.savefig(content, format="svg", transparent=True, metadata=metadata)
        return _for_a_page(content.getvalue().decode(), self.alt, text)

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as a PNG file on its theme's background, `scale` dots a pixel."""
        content = io.BytesIO()
        with _RENDERING:
            self.figure.savefig(content, format="png", dpi=72 * scale)
        return content.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file in one step; the format follows the name's ending, as in matplotlib."""
        place = Path(path) if Path(path).suffix else Path(f"{os.fspath(path)}.png")
        ending = place.suffix.removeprefix(".")
        with _RENDERING:
            write_atomically(place, lambda file: self.figure.savefig(file, dpi=144, format=ending))

    def _repr_png_(self) -> bytes:
        return self.png()


def _for_a_page(svg: str, alt: str, text: bool) -> str:
    """matplotlib's document without its preamble, named by its alternative, in the page's font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)
    svg = svg.replace('pt"', '"', 2)
    if text:
        svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
        svg = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font: \1px inherit", svg)
    attributes = f'role="img" aria-label="{escape(alt)}" stroke-linejoin="round"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """A figure of so many pixels on the theme's background, without pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.background)


class Look(TypedDict, total=False):
    """The last keyword arguments of every figure."""

    ax: Axes | None
    theme: str | Theme


AnyFigure = TypeVar("AnyFigure", bound=Callable[..., Any])


def figure(function: AnyFigure) -> AnyFigure:
    """Name and describe `width`, `ax` and `theme` in a figure's signature and docstring, for help().

    >>> from cnnviz import figures
    >>> list(inspect.signature(figures.bars).parameters)[-3:]
    ['width', 'ax', 'theme']
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    shared = (("ax", "Axes | None", None), ("theme", "str | Theme", "light"))
    look = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in shared
    ]
    marked: Any = function
    marked.__signature__ = signature.replace(parameters=[*own, *look])
    if function.__doc__:  # Not under python -OO.
        marked.__doc__ = inspect.cleandoc(function.__doc__).replace("\nReturns\n-------", _DESCRIBED, 1)
    return function
