"""Adaptive pooling: as many windows as are wanted, which share out the cells as evenly as they can.

Follows keras/src/backend/tensorflow/nn.py: window u of n along an axis of L cells goes from floor(u*L/n) to
ceil((u + 1)*L/n), so neighbours may overlap by one cell. Rows are pooled first, then columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.interpolation import NOWHERE
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Link, Links, Resample, Slide
from cnnviz.layers.operands import Position
from cnnviz.layers.pooling import GlobalPool1DEntry, PoolEntry
from cnnviz.layers.windows import Patch, map_shape, sample_stage
from cnnviz.layers.work import CALL_COST, Effort, Sizes, by_cell
from cnnviz.ops.padding import Axis, Window

Stretch = tuple[int, int]


@lru_cache(maxsize=256)
def stretches(size: int, units: int) -> tuple[Stretch, ...]:
    """From which cell to before which cell each window goes.

    >>> stretches(7, 3), stretches(2, 3)
    (((0, 3), (2, 5), (4, 7)), ((0, 1), (0, 2), (1, 2)))
    """
    if not size:
        raise ValueError("its input must have at least one cell")
    return tuple((u * size // units, -(-(u + 1) * size // units)) for u in range(units))


class AdaptivePoolEntry(PoolEntry):
    """Windows of one channel each, whose number is given."""

    options = {"output_size": (read.size, None)}
    op_options: ClassVar[tuple[str, ...]] = ()
    # Rows are pooled first: the first of the columns that have the largest wins.
    ties = "columns"

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return Entry.normalize(self, config)

    def axes(self, layer: Layer, shape: Sequence[int]) -> list[tuple[Stretch, ...]]:
        """The windows along the rows and along the columns of a map."""
        sizes = zip(map_shape(tuple(shape)), layer.config["output_size"], strict=False)
        return [stretches(size, units) for size, units in sizes]

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return self.pooled(layer, inputs[0])[-1]

    def pooled(self, layer: Layer, x: np.ndarray) -> list[np.ndarray]:
        """The maps, with their rows pooled, and with their columns too."""
        steps, reduce = [x], np.max if self.selects else np.mean
        for axis, windows in enumerate(self.axes(layer, x.shape[1:]), 1):
            parts = [reduce(part, axis=axis, keepdims=True) for part in _cut(steps[-1], axis, windows)]
            steps.append(np.concatenate(parts, axis=axis))
        return steps

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        give = _to_first_largest if self.selects else _to_all
        (rows, columns, _), axes = self.pooled(layer, inputs[0]), self.axes(layer, inputs[0].shape[1:])
        return (_given(rows, _given(columns, grad, 2, axes[1], give), 1, axes[0], give),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        sizes = map_shape(shapes[0])
        return [tuple(_link(i, sizes[i], each) for i, each in enumerate(self.axes(layer, shapes[0])))]

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        # Each window is a call, and neighbours share a cell.
        height, width, channels = map_shape(shapes[0])
        rows, cols = layer.config["output_size"]
        work = by_cell((height + rows, width, channels), (rows, width + cols, channels))
        return Effort(work + CALL_COST * (rows + cols), rows * width * channels)

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        return Entry.gradient_effort(self, layer, shapes, out)

    def patch(self, layer: Layer, shape: Sequence[int], position: Position) -> Patch:
        ends = (windows[u] for windows, u in zip(self.axes(layer, shape), position, strict=False))
        rows, cols = (np.arange(*stretch) for stretch in ends)
        return Patch.at(rows, cols, shape)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        links = self.links(layer, [drawn.sources[0]])[0]
        if all(isinstance(link, Slide) for link in links):
            return super().browser(layer, drawn)
        tables = [_table(each) for each in self.axes(layer, drawn.sources[0])]
        stage = sample_stage(layer, tables, drawn.sources[0])
        return [replace(stage, op={**stage.op, "mode": "max"}, exact=True) if self.selects else stage]

    def view(self, layer: Layer, shape: Sequence[int]) -> Window:
        sizes = zip(map_shape(tuple(shape)), layer.config["output_size"], strict=False)
        rows, cols = (Axis(size, size // units, size // units) for size, units in sizes)
        return Window(rows, cols)

    def cells(self, layer: Layer, x: np.ndarray) -> int:
        return prod(max(end - start for start, end in each) for each in self.axes(layer, x.shape[1:]))

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        # Of a mean of means: one more division.
        return 0 if self.selects else self.cells(layer, inputs[0]) + 3

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # A cell adds up the windows that hold it, each with two divisions.
        shape = inputs[0].shape[1:]
        held = (
            np.bincount([cell for stretch in each for cell in range(*stretch)]).max()
            for each in self.axes(layer, shape)
        )
        return int(prod(held)) - 1 + (0 if self.selects else 2)


class AdaptiveMaxPoolEntry(AdaptivePoolEntry):
    selects = "largest"
    averaging = "AdaptiveAveragePooling2D"


class AdaptivePool1DEntry(GlobalPool1DEntry):
    """The pooling of that name, on a sequence."""

    options = {"output_size": (read.length, None)}
    lengths = ("output_size",)


def _cut(x: np.ndarray, axis: int, windows: Sequence[Stretch]) -> list[np.ndarray]:
    """What each window along an axis holds, as views of x."""
    along = np.moveaxis(x, axis, 0)
    return [np.moveaxis(along[start:end], 0, axis) for start, end in windows]


Give = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def _given(x: np.ndarray, grad: np.ndarray, axis: int, windows: Sequence[Stretch], give: Give) -> np.ndarray:
    """The gradient of a pooling along one axis."""
    x_grad = np.zeros(x.shape, grad.dtype)
    parts = zip(_cut(x, axis, windows), _cut(x_grad, axis, windows), strict=True)
    for u, (part, part_grad) in enumerate(parts):
        part_grad += give(part, np.take(grad, [u], axis), axis)
    return x_grad


def _to_all(part: np.ndarray, grad: np.ndarray, axis: int) -> np.ndarray:
    return grad / part.dtype.type(part.shape[axis])


def _to_first_largest(part: np.ndarray, grad: np.ndarray, axis: int) -> np.ndarray:
    shares = np.zeros(part.shape, grad.dtype)
    np.put_along_axis(shares, part.argmax(axis, keepdims=True), grad, axis)
    return shares


def _link(axis: int, size: int, windows: Sequence[Stretch]) -> Link:
    """Windows of one size, side by side, are those of a plain pooling."""
    units = len(windows)
    if size % units == 0:
        return Slide(axis, Axis(size, size // units, size // units))
    cells, _ = _table(windows)
    step = Fraction(size, units)
    return Resample(axis, size, cells, (step - 1) / 2, step, True, radius=(step + 1) / 2, alone=False)


def _table(windows: Sequence[Stretch]) -> tuple[np.ndarray, np.ndarray]:
    """The cells that each window holds and their weights in its mean, (units, cells of the longest)."""
    longest = max(end - start for start, end in windows)
    cells, weights = np.full((len(windows), longest), NOWHERE), np.zeros((len(windows), longest))
    for u, (start, end) in enumerate(windows):
        cells[u, : end - start] = np.arange(start, end)
        weights[u, : end - start] = 1 / (end - start)
    return cells, weights


ENTRIES.update(
    {"AdaptiveMaxPooling2D": AdaptiveMaxPoolEntry(), "AdaptiveAveragePooling2D": AdaptivePoolEntry()}
)
ENTRIES.update(
    {
        "AdaptiveMaxPooling1D": AdaptivePool1DEntry("AdaptiveMaxPooling2D"),
        "AdaptiveAveragePooling1D": AdaptivePool1DEntry("AdaptiveAveragePooling2D"),
    }
)
