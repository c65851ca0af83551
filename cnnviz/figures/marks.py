"""Marks: what a Canvas draws, each as an SVG element for a page and as a matplotlib artist for all else.

A page draws dozens of pictures, and matplotlib takes a hundred times as long as the words here. Both
forms of a mark stand side by side and are tested to look the same. Coordinates are the canvas's:
CSS pixels, y downwards.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnviz.colours import Scale, cell_colours, png

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

Point = tuple[float, float]
Dashes = Literal["-"] | tuple[float, Sequence[float]]
"""As matplotlib's linestyle: unbroken, or where the pattern starts and its lengths in line widths."""

_ANCHORS = {"left": "start", "center": "middle", "right": "end"}


@dataclass(slots=True, eq=False)
class Mark:
    """Something drawn; of two marks the one with the larger zorder lies above, of equals the later."""

    zorder: float

    def svg(self) -> str:
        """An SVG element."""
        raise NotImplementedError

    def on(self, ax: Axes) -> Artist:
        """Draw it on axes, whose data coordinates are the canvas's."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Cells(Mark):
    """An array (H, W), a cell a number, in a box; cells that are no number stay clear.

    An array (H, W, 3), from 0 to 1, is a photograph, drawn in its own colours.
    """

    array: np.ndarray
    x: float
    y: float
    width: float
    height: float
    scale: Scale
    theme: str

    def svg(self) -> str:
        data = base64.b64encode(png(self.colours())).decode()
        look = 'preserveAspectRatio="none" style="image-rendering: pixelated"'
        content = f'{look} xlink:href="data:image/png;base64,{data}"'
        return _element("image", content, x=self.x, y=self.y, width=self.width, height=self.height)

    def place(self, width: float, height: float) -> tuple[float, ...]:
        """Its box (x, y, width, height), as shares of a canvas's width and height."""
        return self.x / width, self.y / height, self.width / width, self.height / height

    def colours(self) -> np.ndarray:
        """Each cell's colour, (H, W, 3) uint8; (H, W, 4) if some are clear."""
        if self.array.ndim == 3:
            clear = np.isnan(self.array).any(axis=2)
            colours = (255 * np.clip(np.nan_to_num(self.array), 0, 1)).round().astype(np.uint8)
            return np.dstack([colours, np.where(clear, 0, 255).astype(np.uint8)]) if clear.any() else colours
        return cell_colours(self.array, self.scale, self.theme)

    def on(self, ax: Axes) -> Artist:
        from matplotlib.colors import Normalize
        from matplotlib.image import AxesImage

        colours, norm = self.scale.colormap(self.theme), Normalize(self.scale.low, self.scale.limit)
        box = (self.x, self.x + self.width, self.y + self.height, self.y)
        image = AxesImage(ax, cmap=colours, norm=norm, interpolation="none", origin="upper", extent=box)
        whole = self.array.ndim == 2 or not np.isnan(self.array).any()
        image.set_data(self.array if whole else self.colours())
        image.set(clip_on=False, zorder=self.zorder)
        ax.add_image(image)
        return image


@dataclass(slots=True, eq=False)
class Shape(Mark):
    """Something with an inside and an outline."""

    colour: str
    thickness: float
    fill: str
    dashes: Dashes

    def paint(self) -> str:
        """What an SVG element says of it."""
        stroke = _stroke(self.colour, self.thickness, self.dashes)
        return f'fill="{self.fill}" stroke-linejoin="miter"{stroke}'

    def lay(self, patch: Patch, ax: Axes) -> Artist:
        """Put it on axes as a matplotlib patch."""
        patch.set(facecolor=self.fill, edgecolor=self.colour, linewidth=self.thickness)
        patch.set(linestyle=self.dashes, joinstyle="miter", clip_on=False, zorder=self.zorder)
        ax.add_artist(patch)  # add_patch would look where it lies, to fit the axes to it
        return patch


@dataclass(slots=True, eq=False)
class Rect(Shape):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    def svg(self) -> str:
        # A rect may not have a negative width; matplotlib draws such a one to the other side.
        x, y = min(self.x, self.x + self.width), min(self.y, self.y + self.height)
        return _element("rect", self.paint(), x=x, y=y, width=abs(self.width), height=abs(self.height))

    def on(self, ax: Axes) -> Artist:
        from matplotlib.patches import Rectangle

        return self.lay(Rectangle((self.x, self.y), self.width, self.height), ax)


@dataclass(slots=True, eq=False)
class Strokes(Shape):
    """Many polylines of one colour, open or closed, as one."""

    polylines: Sequence[Sequence[Point]]
    closed: bool

    def svg(self) -> str:
        end = "Z" if self.closed else ""
        path = "".join(_path(polyline) + end for polyline in self.polylines)
        return f'<path d="{path}" {self.paint()}/>'

    def on(self, ax: Axes) -> Artist:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        vertices: list[Point] = []
        codes: list[Any] = []
        for polyline in self.polylines:
            vertices += [*polyline, polyline[0]] if self.closed else polyline
            codes += [Path.MOVETO, *[Path.LINETO] * (len(polyline) - 1)]
            codes += [Path.CLOSEPOLY] if self.closed else []
        return self.lay(PathPatch(Path(np.reshape(vertices, (-1, 2)), codes)), ax)


@dataclass(slots=True, eq=False)
class Dot(Shape):
    """A disc or a ring."""

    x: float
    y: float
    radius: float

    def svg(self) -> str:
        return _element("circle", self.paint(), cx=self.x, cy=self.y, r=self.radius)

    def on(self, ax: Axes) -> Artist:
        from matplotlib.patches import Circle

        return self.lay(Circle((self.x, self.y), self.radius), ax)


@dataclass(slots=True, eq=False)
class Words(Mark):
    """One line of text from, to or around a point of its baseline."""

    x: float
    y: float
    words: str
    size: float
    colour: str
    anchor: str
    weight: str | int

    def svg(self) -> str:
        weight = "" if self.weight == "normal" else f' font-weight="{self.weight}"'
        style = f'font-size="{coordinate(self.size)}px" text-anchor="{_ANCHORS[self.anchor]}"{weight}'
        start = _element("text", f'{style} fill="{self.colour}"', x=self.x, y=self.y)
        return f"{start[:-2]}>{escape(self.words)}</text>"

    def on(self, ax: Axes) -> Any:
        text = ax.text(self.x, self.y, self.words, ha=self.anchor, va="baseline", parse_math=False)
        text.set(fontsize=self.size, color=self.colour, fontweight=self.weight, zorder=self.zorder)
        return text


@dataclass(slots=True, eq=False)
class Line(Mark):
    """A polyline; points that are not numbers leave gaps."""

    points: Sequence[Point]
    colour: str
    thickness: float
    dashes: Dashes

    def svg(self) -> str:
        finite = [all(map(math.isfinite, point)) for point in self.points]
        parts = groupby(zip(finite, self.points, strict=True), key=lambda pair: pair[0])
        path = "".join(_path([point for _, point in part]) for there, part in parts if there)
        cap = ' stroke-linecap="square"' if self.dashes == "-" else ""
        return f'<path d="{path}" fill="none"{cap}{_stroke(self.colour, self.thickness, self.dashes)}/>'

    def on(self, ax: Axes) -> Artist:
        from matplotlib.lines import Line2D

        xs, ys = zip(*self.points, strict=True)
        line = Line2D(xs, ys, color=self.colour, linewidth=self.thickness, linestyle=self.dashes)
        line.set(clip_on=False, zorder=self.zorder)
        ax.add_line(line)
        return line


@dataclass(slots=True, eq=False)
class Arrow(Mark):
    """A straight arrow with a filled head."""

    start: Point
    end: Point
    colour: str

    THICKNESS = 1.2
    LENGTH, HALF = 3.6, 1.8
    """The head, as matplotlib's "-|>" at a scale of 9."""

    def svg(self) -> str:
        (x0, y0), (x1, y1) = self.start, self.end
        far = math.hypot(x1 - x0, y1 - y0) or 1.0
        dx, dy = (x1 - x0) / far, (y1 - y0) / far
        # The head's point is mitred: it is set back so that it ends where the arrow does.
        back = self.THICKNESS / 2 * math.hypot(self.LENGTH, self.HALF) / self.HALF
        tip = x1 - back * dx, y1 - back * dy
        foot = tip[0] - self.LENGTH * dx, tip[1] - self.LENGTH * dy
        wings = [(foot[0] - side * dy, foot[1] + side * dx) for side in (self.HALF, -self.HALF)]
        path = f"{_path([self.start, tip])}{_path([wings[0], tip, wings[1]])}Z"
        stroke = _stroke(self.colour, self.THICKNESS)
        return f'<path d="{path}" fill="{self.colour}" stroke-linejoin="miter"{stroke}/>'

    def on(self, ax: Axes) -> Artist:
        from matplotlib.patches import FancyArrowPatch

        arrow = FancyArrowPatch(
            self.start, self.end, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0
        )
        arrow.set(linewidth=self.THICKNESS, color=self.colour, clip_on=False, zorder=self.zorder)
        ax.add_patch(arrow)
        return arrow


def _element(name: str, rest: str, **numbers: float) -> str:
    places = " ".join(f'{key}="{coordinate(value)}"' for key, value in numbers.items())
    return f"<{name} {places} {rest}/>"


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)


def _stroke(colour: str, thickness: float, dashes: Dashes = "-") -> str:
    if not thickness or colour == "none":
        return ""
    pattern = ""
    if dashes != "-":
        offset, lengths = dashes
        pattern = f' stroke-dasharray="{" ".join(coordinate(length * thickness) for length in lengths)}"'
        pattern += f' stroke-dashoffset="{coordinate(offset * thickness)}"' if offset else ""
    return f' stroke="{colour}" stroke-width="{coordinate(thickness)}"{pattern}'


def coordinate(value: float) -> str:
    """A number as an SVG has it, to a hundredth of a pixel.

    >>> coordinate(3.0), coordinate(2.4567), coordinate(-1e-9)
    ('3', '2.46', '0')
    """
    value = round(float(value), 2) + 0.0
    return str(int(value)) if value.is_integer() else str(value)
