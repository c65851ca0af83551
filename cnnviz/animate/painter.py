"""The frames of an animation, drawn with Pillow: grids, the window on them, the arithmetic below.

What does not move is drawn once; each frame is a copy of it with the window on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnnviz.animate.panels import PaintedCell, Panel, Panels
from cnnviz.animate.walk import Step
from cnnviz.animate.words import arithmetic, heading
from cnnviz.colours import Scale, cell_colour
from cnnviz.figures.canvas import LABEL, SMALL, TITLE
from cnnviz.numbers import number
from cnnviz.ops.padding import Pair

WIDTH, HEIGHT = 760.0, 660.0
"""The most pixels that the grids take up."""
LARGEST, LINED, SMALLEST = 44, 14, 6
"""Sizes of cells, in pixels: the largest, those with lines between them, the smallest."""
SMALLEST_TYPE = 8.0
MARGIN, GAP, HEAD = 24.0, 46.0, 26.0
LINE = 22.0
MOST_LINES = 5


@lru_cache(maxsize=64)
def _font(size: int, bold: bool = False) -> Any:
    """matplotlib's own letters, which are always there."""
    import matplotlib as mpl

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(maxsize=8192)
def _width(words: str, size: int, bold: bool = False) -> float:
    return float(_font(size, bold).getlength(words))


@dataclass(frozen=True)
class Place:
    """Where a panel's padded grid begins, and how large its cells are, in pixels."""

    x: float
    y: float
    cell: float

    def corner(self, row: float, col: float) -> tuple[float, float]:
        """The upper left corner of a cell."""
        return self.x + col * self.cell, self.y + row * self.cell


class Pen:
    """Draws on an image; lengths are in pixels, of which each is `dots` dots wide."""

    def __init__(self, image: Image.Image, dots: float) -> None:
        self.draw, self.dots = ImageDraw.Draw(image), dots

    def box(
        self,
        x: float,
        y: float,
        wide: float,
        tall: float,
        *,
        fill: str | None = None,
        line: str | None = None,
        thickness: float = 1.0,
    ) -> None:
        width = max(1, round(thickness * self.dots * 0.75)) if line else 1
        self.draw.rectangle(self._corners(x, y, wide, tall), fill=fill, outline=line, width=width)

    def dashes(self, x: float, y: float, wide: float, tall: float, ink: str) -> None:
        """A dashed outline."""
        left, top, right, bottom = self._corners(x, y, wide, tall)
        dash = round(4 * self.dots)
        for start in range(left, right, 2 * dash):
            for level in (top, bottom):
                self.draw.line((start, level, min(start + dash, right), level), fill=ink)
        for start in range(top, bottom, 2 * dash):
            for side in (left, right):
                self.draw.line((side, start, side, min(start + dash, bottom)), fill=ink)

    def triangle(self, x: float, y: float, side: float, fill: str) -> None:
        """A triangle in a box's upper left corner."""
        points = [(x, y), (x + side, y), (x, y + side)]
        self.draw.polygon([(round(a * self.dots), round(b * self.dots)) for a, b in points], fill=fill)

    def text(
        self, x: float, y: float, words: str, size: float, ink: str, *, bold: bool = False, anchor: str = "ls"
    ) -> None:
        font = _font(round(size * self.dots), bold)
        self.draw.text((x * self.dots, y * self.dots), words, fill=ink, font=font, anchor=anchor)

    def _corners(self, x: float, y: float, wide: float, tall: float) -> tuple[int, int, int, int]:
        left, top, wide, tall = (value * self.dots for value in (x, y, wide, tall))
        return round(left), round(top), round(left + wide), round(top + tall)


class Painter:
    """Draws the frames of an animation at `scale` dots a pixel.

    Raises
    ------
    ValueError
        If cells would be too small to be seen, or names too small to be read.
    """

    def __init__(self, panels: Panels, scale: float) -> None:
        self.panels, self.walk, self.theme, self.dots = panels, panels.walk, panels.theme, scale
        self._arrange()
        inside = [cell.text for panel in panels.inputs for row in panel.cells for cell in row]
        self.input_type = self._type(inside, self.inputs[0].cell)
        if self.walk.symbolic and not self.input_type:
            raise ValueError(f"cells of x={self.walk.x.shape} are too small for names; take a smaller x")

    @cached_property
    def lines(self) -> int:
        """So many lines the longest arithmetic takes."""
        return max(len(self._wrap(step)) for step in self.walk.steps)

    @cached_property
    def size(self) -> tuple[int, int]:
        """A frame's width and height in dots."""
        return round(self.width * self.dots), round((self.below + LINE * self.lines + 30) * self.dots)

    @cached_property
    def output_type(self) -> float:
        texts = [cell.text for step in self.walk.steps for _, _, cell in self.panels.written(step)]
        return self._type(texts, self.outputs[0].cell)

    @cached_property
    def kernel_type(self) -> float:
        kernels = [panel for each in self.panels.kernels for panel in each]
        weights = [cell.text for panel in kernels for row in panel.cells for cell in row]
        return self._type(weights, self.kernel_cell) if weights else 0.0

    # Where things are --------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Sizes and places of all panels."""
        panels = self.panels
        (in_rows, in_cols), (out_rows, out_cols) = panels.inputs[0].padded, panels.outputs[0].padded
        kh, kw = panels.kernels[0][0].shape if panels.kernels else (0, 0)
        kernel_cell = min(36.0, 200 / kw, 400 / len(panels.inputs) / kh) if kw else 0.0
        gaps = GAP * (2 if kw else 1)
        wide = (WIDTH - gaps - kw * kernel_cell) / (in_cols + out_cols)
        tall = min(
            (HEIGHT / len(stack) - HEAD - 24) / rows
            for stack, rows in ((panels.inputs, in_rows), (panels.outputs, out_rows))
        )
        cell = float(int(min(LARGEST, wide, tall)))
        if cell < SMALLEST:
            raise ValueError(
                f"the cells would be smaller than {SMALLEST} pixels: x={self.walk.x.shape} gives "
                f"{self.walk.output.shape}, with {len(panels.inputs)} channels of {in_rows} × {in_cols} "
                "cells, padding included; take a smaller x or fewer channels"
            )
        self.kernel_cell = max(cell, float(int(kernel_cell))) if kw else 0.0
        in_height = max(in_rows * cell, kh * self.kernel_cell) + HEAD + 24
        out_height = out_rows * cell + HEAD + 24
        whole = max(len(panels.inputs) * in_height, len(panels.outputs) * out_height)
        top = 76.0
        x = MARGIN

        def stack(count: int, height: float, rows: int, size: float) -> list[Place]:
            start = top + (whole - count * height) / 2
            middle = (height - HEAD - 24 - rows * size) / 2
            return [Place(x, start + k * height + HEAD + middle, size) for k in range(count)]

        self.inputs = stack(len(panels.inputs), in_height, in_rows, cell)
        self.signs = []
        x += in_cols * cell
        self.kernels: list[Place] = []
        middle = top + whole / 2
        if kw:
            self.signs.append((x + GAP / 2, middle, "×" if self.walk.backwards else "∗"))
            x += GAP
            self.kernels = stack(len(panels.inputs), in_height, kh, self.kernel_cell)
            x += kw * self.kernel_cell
        self.signs.append((x + GAP / 2, middle, "→"))
        x += GAP
        self.outputs = stack(len(panels.outputs), out_height, out_rows, cell)
        x += out_cols * cell
        self.width = max(x + MARGIN, 480.0)
        self.below = top + whole + 18

    def _wrap(self, step: Step) -> list[tuple[str, bool]]:
        """A step's arithmetic in lines, each with whether the result is at its end."""
        parts, result = arithmetic(self.walk, step)
        limit = (self.width - 2 * MARGIN) * 0.99
        lines, line = [], ""
        for part in parts:
            longer = f"{line} {part}".strip()
            if line and _width(longer, 14) > limit:
                lines.append(line)
                line = part
            else:
                line = longer
        if _width(f"{line} {result}", 14, True) > limit:
            lines.append(line)
            line = ""
        lines.append(line)
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 2], "…", lines[-1]]
        return [(words, place == len(lines) - 1) for place, words in enumerate(lines)]

    def _type(self, texts: Sequence[str], cell: float) -> float:
        """The size of the numbers in cells; 0 where they could not be read."""
        longest = max((_width(text, 13) for text in set(texts)), default=0.0) or 1.0
        size = min(13.0, cell * 0.55, 13 * (cell - 4) / longest)
        return size if size >= SMALLEST_TYPE else 0.0

    # Painting ----------------------------------------------------------------------------------

    def frames(self) -> Iterator[Image.Image]:
        """All frames, in order."""
        base = self._base()
        target = -1
        for place, step in enumerate(self.walk.steps):
            if step.target != target or self.walk.backwards:
                self._kernels(base, step)
                target = step.target
            self._written(Pen(base, self.dots), step)
            yield self._frame(base.copy(), step, place)

    def samples(self) -> list[Image.Image]:
        """Frames that have all colours among them."""
        base = self._base()
        self._kernels(base, self.walk.steps[0])
        pen = Pen(base, self.dots)
        for step in self.walk.steps:
            self._written(pen, step)
        last = self._frame(base.copy(), self.walk.steps[-1], len(self.walk.steps) - 1)
        return [last, self._frame(self._base(), self.walk.steps[0], 0)]

    def _base(self) -> Image.Image:
        """Heading, inputs, and outputs that are still blank."""
        image = Image.new("RGB", self.size, self.theme.background)
        pen = Pen(image, self.dots)
        pen.text(MARGIN, 32, self.walk.operation, TITLE + 2, self.theme.ink, bold=True)
        pen.text(MARGIN, 54, heading(self.walk), LABEL, self.theme.muted)
        for x, y, sign in self.signs:
            pen.text(x, y + 8, sign, 22, self.theme.muted, anchor="ms")
        for panel, place in zip(self.panels.inputs, self.inputs, strict=True):
            self._panel(pen, panel, place, self.input_type, self.panels.input_scale)
        for panel, place in zip(self.panels.outputs, self.outputs, strict=True):
            self._panel(pen, panel, place, self.output_type, self.panels.output_scale)
        return image

    def _kernels(self, image: Image.Image, step: Step) -> None:
        """The kernel's slices beside the channels that this step reads, and nothing beside the others."""
        if not self.kernels:
            return
        pen = Pen(image, self.dots)
        kh, kw = self.panels.kernels[0][0].shape
        for channel, place in enumerate(self.kernels):
            wide, tall = kw * place.cell, kh * place.cell
            pen.box(place.x - 8, place.y - 20, wide + 16, tall + 44, fill=self.theme.background)
            if channel in step.sources:
                source = channel if self.walk.backwards else step.sources.index(channel)
                panel = self.panels.kernels[step.target][source]
                self._panel(pen, panel, place, self.kernel_type, self.panels.kernel_scale)

    def _panel(self, pen: Pen, panel: Panel, place: Place, size: float, scale: Scale) -> None:
        rows, cols = panel.padded
        pen.text(place.x, place.y - 8, panel.title, SMALL + 1, self.theme.ink)
        if panel.padded != panel.shape:
            wide, tall = cols * place.cell, rows * place.cell
            pen.box(place.x, place.y, wide, tall, fill=self.theme.panel)
            pen.dashes(place.x, place.y, wide, tall, self.theme.muted)
        inside = {
            (row + panel.before[0], col + panel.before[1]): cell
            for row, line in enumerate(panel.cells)
            for col, cell in enumerate(line)
        }
        for row in range(rows):
            for col in range(cols):
                if (row, col) in inside:
                    self._cell(pen, place, (row, col), inside[row, col], size)
                elif panel.around and place.cell >= 18:
                    letters = min(11, place.cell * 0.5)
                    self._cell_text(pen, place, (row, col), panel.around, letters, self.theme.muted)
        (top, left), (height, width) = panel.before, panel.shape
        corner = place.x + left * place.cell - 1, place.y + top * place.cell - 1
        pen.box(*corner, width * place.cell + 2, height * place.cell + 2, line=self.theme.line)
        if not size and not self.walk.symbolic:
            self._legend(pen, scale, place.x, place.y + rows * place.cell + 5, min(cols * place.cell, 110))

    def _legend(self, pen: Pen, scale: Scale, x: float, y: float, width: float) -> None:
        steps = 24
        for k, value in enumerate(np.linspace(scale.low, scale.limit, steps)):
            fill = cell_colour(value, scale, self.theme.name)
            pen.box(x + k * width / steps, y, width / steps + 0.5, 5, fill=fill)
        pen.text(x, y + 16, number(scale.low), 9, self.theme.muted)
        pen.text(x + width, y + 16, number(scale.limit), 9, self.theme.muted, anchor="rs")

    def _cell(self, pen: Pen, place: Place, at: Pair, cell: PaintedCell, size: float) -> None:
        line = self.theme.line if place.cell >= LINED else None
        fill = cell.fill or self.theme.background
        pen.box(*place.corner(*at), place.cell, place.cell, fill=fill, line=line)
        if size and cell.text:
            self._cell_text(pen, place, at, cell.text, size, cell.ink)

    def _cell_text(self, pen: Pen, place: Place, at: Pair, words: str, size: float, ink: str) -> None:
        x, y = place.corner(at[0] + 0.5, at[1] + 0.5)
        pen.text(x, y + 0.36 * size, words, size, ink, anchor="ms")

    def _frame(self, image: Image.Image, step: Step, count: int) -> Image.Image:
        """The window, the cell on the other side, the arithmetic."""
        pen = Pen(image, self.dots)
        backwards = self.walk.backwards
        large = [self.outputs[step.target]] if backwards else [self.inputs[c] for c in step.sources]
        small = self.inputs[step.sources[0]] if backwards else self.outputs[step.target]
        rows, cols = self.walk.geometry
        for place in large:
            cells = [(r + rows.before, c + cols.before) for r, c in step.cells]
            self._window(pen, place, cells, max(rows.dilation, cols.dilation) > 1)
            if step.winner is not None:
                self._winner(pen, place, (step.winner[0] + rows.before, step.winner[1] + cols.before))
        self._outline(pen, small, (step.row, step.col, 1, 1), 3)
        y = self.below + 14
        for words, last in self._wrap(step):
            pen.text(MARGIN, y, words, 14, self.theme.ink)
            if last:
                end = MARGIN + (_width(words + " ", 14) if words else 0)
                _, result = arithmetic(self.walk, step)
                pen.text(end, y, result, 14, self.theme.accent, bold=True)
            y += LINE
        said = f"step {count + 1} of {len(self.walk.steps)}"
        pen.text(self.width - MARGIN, 32, said, LABEL, self.theme.muted, anchor="rs")
        return image

    def _window(self, pen: Pen, place: Place, cells: Sequence[Pair], spread: bool) -> None:
        (top, left), (bottom, right) = cells[0], cells[-1]
        whole = top, left, bottom - top + 1, right - left + 1
        self._outline(pen, place, whole, 1 if spread else 3)
        for row, col in cells if spread else ():
            self._outline(pen, place, (row, col, 1, 1), 2)

    def _outline(self, pen: Pen, place: Place, box: tuple[int, int, int, int], thickness: float) -> None:
        """Outline cells, between two hairs of the paper's colour that part it from any data."""
        row, col, rows, cols = box
        x, y = place.corner(row, col)
        lines = [(thickness, self.theme.accent)]
        if thickness > 1:
            lines.insert(0, (thickness + 2, self.theme.background))
        for thick, tone in lines:
            wide, tall = cols * place.cell + thick, rows * place.cell + thick
            pen.box(x - thick / 2, y - thick / 2, wide, tall, line=tone, thickness=thick)

    def _winner(self, pen: Pen, place: Place, at: Pair) -> None:
        """A corner turned down, and an outline."""
        pen.triangle(*place.corner(*at), max(place.cell * 0.34, 4), self.theme.accent)
        self._outline(pen, place, (*at, 1, 1), 2)

    def _written(self, pen: Pen, step: Step) -> None:
        """The output's cells that a step fills."""
        top, left = self.panels.outputs[0].before
        for row, col, cell in self.panels.written(step):
            self._cell(pen, self.outputs[step.target], (row + top, col + left), cell, self.output_type)
