"""The grids of an animation: what each cell says, and its colours.

One scale for all input maps, one for all kernels, one for all outputs; pooling, which only moves or
averages its inputs, has one for both sides. Where the grids stand is decided by what draws them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from cnnviz.animate.walk import Step, Walk
from cnnviz.animate.words import input_text, output_text, weight_text
from cnnviz.colours import INK, Scale, Theme, cell_colour, ink_on
from cnnviz.numbers import trimmed_cell_number
from cnnviz.ops.padding import Pair


@dataclass(frozen=True)
class PaintedCell:
    """A cell's text, its colour, and the text's colour; "" leaves it blank."""

    text: str = ""
    fill: str = ""
    ink: str = ""


@dataclass(frozen=True)
class Panel:
    """A grid of cells with a title; `before` and `after` are rows and columns of padding around it."""

    title: str
    cells: tuple[tuple[PaintedCell, ...], ...]
    before: Pair = (0, 0)
    after: Pair = (0, 0)
    around: str = ""

    @property
    def shape(self) -> Pair:
        return len(self.cells), len(self.cells[0])

    @property
    def padded(self) -> Pair:
        """Rows and columns with what is around them."""
        rows, cols = self.shape
        return self.before[0] + rows + self.after[0], self.before[1] + cols + self.after[1]


@dataclass(frozen=True)
class Panels:
    """The grids of a walk in a theme."""

    walk: Walk
    theme: Theme
    pixels: bool = False

    @cached_property
    def input_scale(self) -> Scale:
        return (
            INK if self.pixels and 0 <= self.walk.x.min() <= self.walk.x.max() <= 1 else Scale.of(self.walk.x)
        )

    @cached_property
    def kernel_scale(self) -> Scale:
        return Scale.of(*self.walk.weights, signed=True)

    @cached_property
    def output_scale(self) -> Scale:
        if self.walk.pooling:
            return self.input_scale
        written = [value for step in self.walk.steps for _, _, value in step.written]
        return Scale.of(self.walk.output, written, signed=True)

    @cached_property
    def inputs(self) -> tuple[Panel, ...]:
        """One for each input channel."""
        walk = self.walk
        height, width, channels = walk.x.shape
        before, after, around = ((0, 0), (0, 0), "") if walk.backwards else self._around()
        size = f"{height} × {width}"
        panels = []
        for channel in range(channels):
            name = partial(input_text, walk, channel=channel)
            cells = self._cells(walk.x[:, :, channel], name, self.input_scale)
            title = f"Input {size}" if channels == 1 else f"Input, channel {channel}"
            panels.append(Panel(title, cells, before, after, around))
        return tuple(panels)

    @cached_property
    def kernels(self) -> tuple[tuple[Panel, ...], ...]:
        """For each output channel, one for each of the input channels that it reads."""
        by_target = []
        for target, weights in enumerate(self.walk.weights):
            kh, kw, depth = weights.shape
            panels = []
            for source in range(depth):
                name = partial(weight_text, self.walk, target, source=source)
                cells = self._cells(weights[:, :, source], name, self.kernel_scale)
                panels.append(Panel(f"Kernel {kh} × {kw}", cells))
            by_target.append(tuple(panels))
        return tuple(by_target)

    @cached_property
    def outputs(self) -> tuple[Panel, ...]:
        """One for each output channel, still blank."""
        height, width, channels = self.walk.output.shape
        before, after, around = self._around() if self.walk.backwards else ((0, 0), (0, 0), "")
        size = f"{height} × {width}"
        blank = tuple(tuple(PaintedCell() for _ in range(width)) for _ in range(height))
        titles = [f"Output, channel {c}" for c in range(channels)] if channels > 1 else [f"Output {size}"]
        return tuple(Panel(title, blank, before, after, around) for title in titles)

    def written(self, step: Step) -> list[tuple[int, int, PaintedCell]]:
        """The cells of the output's panel `step.target` that a step fills, as they are after it."""
        return [
            (row, col, self._cell(output_text(self.walk, row, col, value), value, self.output_scale))
            for row, col, value in step.written
        ]

    def _around(self) -> tuple[Pair, Pair, str]:
        """The rows and columns around the large side, and what stands in them."""
        rows, cols = self.walk.geometry
        around = {"max_pool2d": "−∞", "avg_pool2d": "", "conv2d_transpose": ""}.get(self.walk.operation, "0")
        # Windows may leave the last padded cells unread, and a transposed convolution may cut off more cells.
        return (rows.before, cols.before), (rows.after, cols.after), around

    def _cells(
        self, values: np.ndarray, name: Callable[[Pair], str], scale: Scale
    ) -> tuple[tuple[PaintedCell, ...], ...]:
        rows, cols = values.shape
        return tuple(
            tuple(self._cell(name((row, col)), float(values[row, col]), scale) for col in range(cols))
            for row in range(rows)
        )

    def _cell(self, name: str, value: float, scale: Scale) -> PaintedCell:
        """A cell with its name, if cells have names, or with its number."""
        if self.walk.symbolic:
            return PaintedCell(name, self.theme.panel, self.theme.ink)
        fill, ink = (paint(value, scale, self.theme.name) for paint in (cell_colour, ink_on))
        return PaintedCell(trimmed_cell_number(value, scale.limit), fill, ink)
