"""Picture, what every figure function returns: it shows, saves and describes itself.

Rendering only; what is drawn is up to the modules beside this one.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_RENDERING = RLock()
"""matplotlib's settings are global, so one picture is rendered at a time."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure: shows itself in a notebook, saves itself, and says in words what it shows.

    Parameters
    ----------
    figure, ax
        The matplotlib figure and the axes that was drawn on.
    artists
        What was drawn, by name: `picture["maps"]` is the list of images of the maps.
    alt
        A text alternative, with the picture's numbers.
    """

    figure: Figure
    ax: Axes
    artists: Mapping[str, Any] = field(default_factory=dict)
    alt: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.artists[name]

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def svg(self, *, text: bool = False) -> str:
        """The picture as an SVG document on a clear background.

        With `text` the letters stay text, in the fonts of the page that shows it; otherwise they are
        outlines that look the same everywhere.
        """
        content = io.BytesIO()
        settings: Any = {
            "svg.fonttype": "none" if text else "path",
            "svg.hashsalt": "cnnviz",
            "image.composite_image": False,
        }
        with _RENDERING, mpl.rc_context(settings):
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
        """Write the picture to a file; the format follows the name's ending, as in matplotlib."""
        with _RENDERING:
            self.figure.savefig(path, dpi=144)

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
    label = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    attributes = f'role="img" aria-label="{label}" stroke-linejoin="round"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)
