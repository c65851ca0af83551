"""Layers that bring images of any size to one: the middle cut out, and resizing.

Follows TensorFlow's kernels (tensorflow/core/kernels/image/resize_bilinear_op.cc, half_pixel_centers),
which place units in float32 whatever the dtype: else a unit close to a cell's middle or border would
read another cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Links, Resample
from cnnviz.layers.moves import moving_stage
from cnnviz.layers.operands import Operands, Position, operands
from cnnviz.layers.windows import Patch, map_shape, sample_stage


class Span(NamedTuple):
    """The cells that become `units` along an axis of `size` cells: `length` of them, from `start` on.

    Those outside the axis are padding.
    """

    size: int
    start: int
    length: int
    units: int


@dataclass(frozen=True, eq=False)
class Samples:
    """What the units along one axis are made of: from cell `lower`, a `share` of the way to cell `upper`."""

    span: Span
    lower: np.ndarray
    upper: np.ndarray
    share: np.ndarray
    between: bool
    """Whether a unit may lie between two cells; else all shares are 0."""

    def of(self, x: np.ndarray, axis: int, fill: float, *, magnitude: bool = False) -> np.ndarray:
        """The units of x, with `fill` in the padding; or the magnitudes of the terms that are added up."""
        lower = _taken(x, self.lower, axis, fill)
        if not self.between:
            return lower
        upper = _taken(x, self.upper, axis, fill)
        share = self.share.astype(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        return lower + (upper + lower if magnitude else upper - lower) * share

    def reads(self, unit: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """The cells that a unit reads, and their weights."""
        share = self.share[unit].astype(dtype)
        if not share:
            return self.lower[unit : unit + 1], np.ones(1, dtype)
        return np.array([self.lower[unit], self.upper[unit]]), np.array([1 - share, share])

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """The cells that each unit reads, and their weights: (units, 2)."""
        cells = np.stack([self.lower, self.upper], axis=1)
        return cells, np.stack([1 - self.share, self.share], axis=1)

    def matrix(self, dtype: np.dtype) -> np.ndarray:
        """(size, units): the weight of each cell in each unit."""
        table = np.zeros((self.span.size, self.span.units), dtype)
        share = self.share.astype(dtype)
        for cells, weights in ((self.lower, 1 - share), (self.upper, share)):
            (inside,) = np.nonzero((cells >= 0) & (cells < self.span.size))
            table[cells[inside], inside] += weights[inside]
        return table

    def link(self, axis: int) -> Resample:
        """Which cells the units read, a row for each; -1 where there is no second one."""
        table = np.stack([self.lower, np.where(self.share > 0, self.upper, -1)], axis=1)
        step = Fraction(self.span.length, self.span.units)
        first = self.span.start + (step - 1) / 2
        return Resample(axis, self.span.size, table, first, step, self.between)


def _taken(x: np.ndarray, cells: np.ndarray, axis: int, fill: float) -> np.ndarray:
    """Cells along an axis, with `fill` for those outside."""
    inside = (cells >= 0) & (cells < x.shape[axis])
    values = np.take(x, np.where(inside, cells, 0), axis)
    if not inside.all():
        np.moveaxis(values, axis, 0)[~inside] = fill
    return values


@lru_cache(maxsize=256)
def samples(span: Span, interpolation: str) -> Samples:
    """Where units lie: unit u at (u + 1/2) * length / units, in which cell i is the one from i to i + 1.

    >>> thirds = samples(Span(size=2, start=0, length=2, units=3), "bilinear")
    >>> thirds.lower.tolist(), thirds.upper.tolist(), thirds.share.tolist()
    ([0, 0, 1], [0, 1, 1], [0.0, 0.5, 0.0])
    """
    step = np.float32(span.length) / np.float32(span.units)
    place = (np.arange(span.units, dtype=np.float32) + np.float32(0.5)) * step
    between = interpolation == "bilinear" and span.length != span.units
    if between:
        # From here on counted from the middle of cell 0.
        place -= np.float32(0.5)
    floor, last = np.floor(place), span.length - 1
    upper = np.minimum(np.ceil(place) if between else floor, last).astype(int)
    lower = np.minimum(np.maximum(floor, 0).astype(int), upper)
    share = np.where(lower < upper, place - floor, np.float32(0))
    return Samples(span, lower + span.start, upper + span.start, share, between)


class SamplingEntry(Entry):
    """Each unit is one cell, or a mean of the up to four around it that weighs the nearer ones more."""

    rank = 4

    @property
    def keeps_scale(self) -> bool:
        return True

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        read.size((normal["height"], normal["width"]), "(height, width)")
        return normal

    def spans(self, config: Mapping[str, Any], height: int, width: int) -> tuple[Span, Span]:
        """Which rows and which columns of an image of this size are brought to the size that is wanted."""
        raise NotImplementedError

    def samples(self, layer: Layer, shape: Sequence[int]) -> tuple[Samples, Samples]:
        """Those of the rows and of the columns, for an image (height, width, channels)."""
        height, width, _ = map_shape(tuple(shape))
        if not height or not width:
            raise ValueError(f"its input must have at least one cell, got {height} x {width}")
        interpolation = layer.config.get("interpolation", "bilinear")
        rows, cols = (samples(span, interpolation) for span in self.spans(layer.config, height, width))
        return rows, cols

    def fill(self, layer: Layer) -> float:
        """The number in the padding."""
        return layer.config.get("fill_value", 0.0)

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return self._sampled(layer, inputs[0], self.fill(layer))

    def _sampled(self, layer: Layer, x: np.ndarray, fill: float, **how: bool) -> np.ndarray:
        rows, cols = self.samples(layer, x.shape[1:])
        with np.errstate(all="ignore"):
            # Columns first, as TensorFlow: its float32 numbers are these to the bit.
            return rows.of(cols.of(x, 2, fill, **how), 1, fill, **how)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        for axis, each in enumerate(self.samples(layer, inputs[0].shape[1:]), 1):
            grad = np.moveaxis(np.tensordot(each.matrix(grad.dtype), grad, (1, axis)), 0, axis)
        return (grad,)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [tuple(each.link(axis) for axis, each in enumerate(self.samples(layer, shapes[0])))]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,), (row, col, channel) = inputs, position
        rows, cols = self.samples(layer, x.shape)
        (above, down), (left, across) = rows.reads(row, x.dtype), cols.reads(col, x.dtype)
        cut = Patch.at(above, left, x.shape).cut(x, np.array([channel]), fill=self.fill(layer))
        return operands([x], weight=np.outer(down, across), labels=(f"channel {channel}",), **cut)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        both, fill = self.samples(layer, drawn.inputs[0]), self.fill(layer)
        padded = any(each.span.start < 0 for each in both)
        if any(each.between for each in both) or (padded and fill):
            return [sample_stage(layer, [each.table for each in both], drawn.sources[0], fill)]
        return [moving_stage(layer, drawn)]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        """The engine subtracts, multiplies and adds along either axis, which makes 6.

        A receipt has two weights 1 - share, their product, that times the cell, and three additions: 7.
        """
        return 7 if any(each.between for each in self.samples(layer, inputs[0].shape[1:])) else 0

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        # The terms of lower + (upper - lower) * share are lower, upper * share and lower * share.
        return self._sampled(layer, np.abs(inputs[0]), abs(self.fill(layer)), magnitude=True)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        """A cell adds up what comes from all units that read it.

        From a unit between cells TensorFlow adds up to four numbers, as it reads a cell at the border
        twice along either axis. Each is multiplied by two weights, both of which may be 1 - share: 4.
        """
        both = self.samples(layer, inputs[0].shape[1:])
        rows, cols = (int(np.count_nonzero(each.matrix(grad.dtype), axis=1).max()) for each in both)
        if any(each.between for each in both):
            return 4 * rows * cols - 1 + 4
        return max(rows * cols - 1, 0)


class CenterCropEntry(SamplingEntry):
    """The middle of an image; of one that is too small, the largest part of that shape, resized."""

    options = {"height": (read.count, None), "width": (read.count, None)}
    label = "crop"

    def spans(self, config: Mapping[str, Any], height: int, width: int) -> tuple[Span, Span]:
        rows, cols = config["height"], config["width"]
        if height >= rows and width >= cols:
            top, left = (height - rows) // 2, (width - cols) // 2
            return Span(height, top, rows, rows), Span(width, left, cols, cols)
        return _largest_part(height, width, rows, cols)


def _largest_part(height: int, width: int, rows: int, cols: int) -> tuple[Span, Span]:
    """The largest part in the middle of an image that has the shape that is wanted.

    Keras divides as floats and cuts off the fraction, which is the same as long as products of sizes stay
    below 2**24.

    >>> _largest_part(340, 500, 200, 200)
    (Span(size=340, start=0, length=340, units=200), Span(size=500, start=80, length=340, units=200))
    """
    tall = max(min(height, width * rows // cols), 1)
    wide = max(min(width, height * cols // rows), 1)
    return Span(height, (height - tall) // 2, tall, rows), Span(width, (width - wide) // 2, wide, cols)


def _padded(height: int, width: int, rows: int, cols: int) -> tuple[Span, Span]:
    """All of an image, with padding on two sides that brings it close to the shape that is wanted.

    >>> _padded(340, 500, 200, 200)
    (Span(size=340, start=-80, length=500, units=200), Span(size=500, start=0, length=500, units=200))
    """
    above = (max(height, width * rows // cols) - height) // 2
    left = (max(width, height * cols // rows) - width) // 2
    return Span(height, -above, height + 2 * above, rows), Span(width, -left, width + 2 * left, cols)


def _interpolation(value: Any, name: str) -> str:
    if value not in ("nearest", "bilinear"):
        raise ValueError(f"{name}={value!r} is not supported: only 'nearest' and 'bilinear' are")
    return value


class ResizingEntry(SamplingEntry):
    options = {
        **CenterCropEntry.options,
        "interpolation": (_interpolation, "bilinear"),
        "crop_to_aspect_ratio": (read.flag, False),
        "pad_to_aspect_ratio": (read.flag, False),
        "fill_mode": (read.only("constant", "Keras has no other"), "constant"),
        "fill_value": (read.number, 0.0),
        "antialias": (read.only(False, "only resizing without a filter before it is"), False),
    }
    label = "resize"

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        if config.get("interpolation") == "nearest":
            # TensorFlow does not filter then, whatever is asked.
            config = {**config, "antialias": False}
        normal = super().normalize(config)
        if normal["crop_to_aspect_ratio"] and normal["pad_to_aspect_ratio"]:
            raise ValueError("only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true")
        return normal

    def spans(self, config: Mapping[str, Any], height: int, width: int) -> tuple[Span, Span]:
        rows, cols = config["height"], config["width"]
        if config["crop_to_aspect_ratio"]:
            return _largest_part(height, width, rows, cols)
        if config["pad_to_aspect_ratio"]:
            return _padded(height, width, rows, cols)
        return Span(height, 0, height, rows), Span(width, 0, width, cols)


ENTRIES.update({"CenterCrop": CenterCropEntry(), "Resizing": ResizingEntry()})
