"""Layers that bring images to another size: the middle cut out, resizing, and upsampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.interpolation import INTERPOLATIONS, Samples, Span, WeightedCells, most_taps, samples
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer, literal
from cnnviz.layers.links import Links, Spread
from cnnviz.layers.moves import moving_stage
from cnnviz.layers.operands import Operands, Position, operands
from cnnviz.layers.options import Options
from cnnviz.layers.tensor_operations import OperationEntry
from cnnviz.layers.windows import Patch, map_shape, sample_stage
from cnnviz.layers.work import PASS_COST, Effort, Sizes, along_axes, by_cell
from cnnviz.ops.padding import Axis


class SamplingEntry(Entry):
    """Each unit is one cell, or a weighted mean of the cells around it."""

    rank = 4

    @property
    def keeps_scale(self) -> bool:
        return True

    def spans(self, config: Mapping[str, Any], height: int, width: int) -> tuple[Span, Span]:
        """Which rows and which columns of an image of this size are brought to the size that is wanted."""
        raise NotImplementedError

    def samples(self, layer: Layer, shape: Sequence[int]) -> tuple[Samples | WeightedCells, ...]:
        """Those of the rows and of the columns, for an image (height, width, channels)."""
        height, width, _ = map_shape(tuple(shape))
        if not height or not width:
            raise ValueError(f"its input must have at least one cell, got {height} x {width}")
        how = layer.config.get("interpolation", "bilinear"), layer.config.get("antialias", False)
        return tuple(samples(span, *how) for span in self.spans(layer.config, height, width))

    def fill(self, layer: Layer) -> float:
        """The number in the padding."""
        return layer.config.get("fill_value", 0.0)

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        if not len(x) and x.size == 0 and all(x.shape[1:3]):
            # Only the shape is asked for, which may be far more than there is memory for.
            rows, cols = self.spans(layer.config, *x.shape[1:3])
            return np.empty((0, rows.units, cols.units, x.shape[3]), x.dtype)
        return self._sampled(layer, x, self.fill(layer))

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        height, width, channels = map_shape(shapes[0])
        rows, cols = self.spans(layer.config, height, width)
        how = layer.config.get("interpolation", "bilinear"), layer.config.get("antialias", False)
        taps = most_taps(cols, *how), most_taps(rows, *how)
        found = along_axes(
            (width, height, channels), zip((cols.units, rows.units), taps, strict=True), PASS_COST
        )
        return Effort(found.work, found.numbers + 2 * rows.units * taps[1] + 2 * cols.units * taps[0])

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        """Of a matrix product along either axis."""
        height, width, channels = map_shape(shapes[0])
        rows, cols = out[:2]
        work = channels * height * cols * (rows + width) + by_cell(shapes[0], out)
        return Effort(work, height * rows + width * cols + 2 * height * cols * channels)

    def _sampled(self, layer: Layer, x: np.ndarray, fill: float, **how: bool) -> np.ndarray:
        rows, cols = self.samples(layer, x.shape[1:])
        with np.errstate(all="ignore"):
            # Columns first, as TensorFlow: its float32 numbers are these to the bit.
            return rows.of(cols.of(x, 2, fill, **how), 1, fill, **how)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        for axis, each in enumerate(self.samples(layer, inputs[0].shape[1:]), 1):
            grad = np.moveaxis(np.tensordot(each.matrix(grad.dtype), grad, (1, axis)), 0, axis)
        return (grad,)

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        (row, col, channel), (x,) = cell, inputs
        down, across = (each.matrix(x.dtype) for each in self.samples(layer, x.shape[1:]))
        slopes = np.zeros((down.shape[1], across.shape[1], x.shape[-1]), x.dtype)
        slopes[:, :, channel] = np.outer(down[row], across[col])
        return slopes

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
            apart = [each.between and isinstance(each, Samples) for each in both]
            tables = [each.table for each in both]
            return [sample_stage(layer, tables, drawn.sources[0], fill, differences=apart)]
        return [moving_stage(layer, drawn)]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        """The engine subtracts, multiplies and adds along either axis, which makes 6; filters have more.

        A receipt has two weights 1 - share, their product, that times the cell, and three additions: 7.
        """
        both = self.samples(layer, inputs[0].shape[1:])
        if any(isinstance(each, WeightedCells) for each in both):
            # A receipt adds up the cells of all rows one by one.
            return sum(each.roundings for each in both) + prod(each.most for each in both)
        return 7 if any(each.between for each in both) else 0

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
        if any(isinstance(each, WeightedCells) for each in both):
            return rows * cols + sum(each.roundings for each in both)
        if any(each.between for each in both):
            return 4 * rows * cols - 1 + 4
        return max(rows * cols - 1, 0)

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        grad = np.abs(grad)
        for axis, each in enumerate(self.samples(layer, inputs[0].shape[1:]), 1):
            weights = each.matrix(grad.dtype, magnitude=True)
            grad = np.moveaxis(np.tensordot(weights, grad, (1, axis)), 0, axis)
        return (grad,)


class SizedEntry(SamplingEntry):
    """To a height and a width."""

    options: Options = {"height": (read.count, None), "width": (read.count, None)}

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        read.size((normal["height"], normal["width"]), "(height, width)")
        return normal


class CenterCropEntry(SizedEntry):
    """The middle of an image; of one that is too small, the largest part of that shape, resized."""

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


class ResizingEntry(SizedEntry):
    options = {
        **SizedEntry.options,
        "interpolation": (read.choice(*INTERPOLATIONS), "bilinear"),
        "crop_to_aspect_ratio": (read.flag, False),
        "pad_to_aspect_ratio": (read.flag, False),
        "fill_mode": (read.only("constant", "Keras has no other"), "constant"),
        "fill_value": (read.number, 0.0),
        "antialias": (read.flag, False),
    }
    label = "resize"

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
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


class ResizeEntry(OperationEntry, ResizingEntry):
    """The layer's operation, keras.ops.image.resize."""

    parameters = ("images",)
    namespace = "image."

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        if "size" in config:
            height, width = read.size(config["size"], "size")
            config = {**config, "height": height, "width": width}
        return super().normalize(config)

    def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
        written = super().serialized(config, raw)
        written["size"] = [written.pop("height"), written.pop("width")]
        return written

    def keras_code(self, layer: Layer, reads: Sequence[str]) -> str:
        given = {name: value for name, value in layer.config.items() if name not in ("height", "width")}
        named = "".join(f", {name}={literal(value)}" for name, value in given.items())
        size = layer.config["height"], layer.config["width"]
        return f"keras.ops.image.resize({reads[0]}, {size}{named})"


class UpSamplingEntry(SamplingEntry):
    """As many times as large: each cell repeated, or interpolated between cells."""

    options = {
        "size": (read.size, (2, 2)),
        "interpolation": (read.choice(*INTERPOLATIONS), "nearest"),
    }
    label = "upsample"

    def spans(self, config: Mapping[str, Any], height: int, width: int) -> tuple[Span, Span]:
        rows, cols = config["size"]
        return Span(height, 0, height, height * rows), Span(width, 0, width, width * cols)

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        if layer.config["interpolation"] == "nearest":
            return ops.upsample2d(inputs[0], layer.config["size"])
        return super().compute(layer, *inputs)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        if layer.config["interpolation"] == "nearest":
            return (ops.upsample2d_grad(grad, layer.config["size"]),)
        return super().input_gradients(layer, inputs, grad)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        if layer.config["interpolation"] != "nearest":
            return super().links(layer, shapes)
        # Repeating is a transposed convolution with a box.
        factors = layer.config["size"]
        lengths = zip(map_shape(shapes[0]), factors, strict=False)
        return [tuple(Spread(i, Axis(n * factor, factor, factor)) for i, (n, factor) in enumerate(lengths))]

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        if layer.config["interpolation"] == "nearest":
            return f"ops.upsample2d({reads[0]}, size={layer.config['size']!r})"
        return super().code(layer, reads)


ENTRIES.update(
    {
        "CenterCrop": CenterCropEntry(),
        "Resizing": ResizingEntry(),
        "ops.Resize": ResizeEntry(),
        "UpSampling2D": UpSamplingEntry(),
    }
)
