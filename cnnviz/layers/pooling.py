"""Pooling as Keras's layers: the largest number or the mean, of windows and of whole maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer, chosen
from cnnviz.layers.links import Gather, Links, Regroup
from cnnviz.layers.operands import Operands, Position, operands
from cnnviz.layers.operands import chosen as chosen_weight
from cnnviz.layers.sequences import SequenceEntry
from cnnviz.layers.windows import Patch, browser_axes, map_shape, slides
from cnnviz.layers.work import CALL_COST, ELEMENTWISE_COST, Effort, Sizes, along_axes
from cnnviz.ops.padding import Axis, Window
from cnnviz.ops.pooling import pooling_window


class PoolEntry(Entry):
    """Windows of one channel each."""

    options = {
        "pool_size": (read.size, (2, 2)),
        "strides": (read.optional(read.size), None),
        "padding": (read.padding, "valid"),
    }
    op_options: ClassVar[tuple[str, ...]] = ("pool_size", "strides", "padding")
    rank = 4
    pools = True
    ties: ClassVar[str] = "rows"
    """Which of equal numbers a gradient goes to: the first by "rows" or by "columns", or all, "shared"."""

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        normal["strides"] = normal["strides"] or normal["pool_size"]
        return normal

    def view(self, layer: Layer, shape: Sequence[int]) -> Window:
        """The window that slides over maps of this shape."""
        return pooling_window((1, *shape), *chosen(layer.config, self.op_options).values())

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        gradient = getattr(ops, f"{self.op}_grad")
        options = chosen(layer.config, self.op_options)
        if self.selects:
            return (gradient(inputs[0], grad, **options),)
        return (gradient(grad, inputs[0].shape, **options),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [slides(self.view(layer, map_shape(shapes[0])))]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """One group: the window of one channel, with the weight 1 for the largest or 1/count for all."""
        (x,), channel = inputs, np.array(position[-1:])
        patch = self.patch(layer, x.shape, position)
        labels = (f"channel {position[-1]}",)
        if self.selects:
            cut = patch.cut(x, channel, fill=-np.inf)
            weight = chosen_weight(cut["factor"], ~cut["padding"], np.argmax)
            return operands([x], weight=weight, labels=labels, selects=self.selects, **cut)
        cut = patch.cut(x, channel)
        there = ~cut["padding"]
        share = x.dtype.type(1) / x.dtype.type(there.sum())
        return operands([x], weight=np.where(there, share, 0), labels=labels, **cut)

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        shape = map_shape(shapes[0])
        taps = [(axis.out, len(axis.reading)) for axis in self.view(layer, shape)]
        return along_axes(shape, taps, ELEMENTWISE_COST)

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        if not self.selects:
            return super().gradient_effort(layer, shapes, out)
        # A window's largest cell is looked for along its rows, and then down; a byte says where each tap won.
        rows, cols = self.view(layer, map_shape(shapes[0]))
        height, _, channels = map_shape(shapes[0])
        along, size = height * cols.out * channels, math.prod(out)
        read = len(cols.reading) * along + len(rows.reading) * size
        calls = len(cols.reading) + len(rows.reading)
        return Effort(3 * ELEMENTWISE_COST * read + CALL_COST * calls, 2 * (along + size) + read // 4)

    def patch(self, layer: Layer, shape: Sequence[int], position: Position) -> Patch:
        """The window of an output."""
        return Patch.of(self.view(layer, shape), position)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        mode = "max" if self.selects else "mean"
        axes = browser_axes(self.view(layer, drawn.sources[0]))
        op = {"type": "pool", "mode": mode, "ties": self.ties, **axes, "label": f"{mode} pool"}
        return [BrowserStage(op, exact=bool(self.selects))]

    def cells(self, layer: Layer, x: np.ndarray) -> int:
        """How many numbers a window holds."""
        return math.prod(layer.config["pool_size"])

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return 0 if self.selects else self.cells(layer, inputs[0]) + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if self.selects:
            # A cell may be the largest of as many windows.
            return self.cells(layer, inputs[0]) - 1
        return sum(layer.config["pool_size"]) - 1


class MaxPoolEntry(PoolEntry):
    op = "max_pool2d"
    selects = "largest"
    averaging = "AveragePooling2D"


class AveragePoolEntry(PoolEntry):
    op = "avg_pool2d"
    required = ("pool_size",)


class GlobalPoolEntry(PoolEntry):
    """One window over the whole map."""

    options = {"keepdims": (read.flag, False)}
    op_options = ("keepdims",)
    ties = "shared"

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return Entry.normalize(self, config)

    def view(self, layer: Layer, shape: Sequence[int]) -> Window:
        return Window(*(Axis(size, size) for size in shape[:2]))

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        *_, channels = map_shape(shapes[0])
        gathered: Links = (Gather(0), Gather(1))
        if layer.config["keepdims"]:
            return [gathered]
        return [(*gathered, Regroup((1, 1, channels), (channels,)))]

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        return Entry.effort(self, layer, shapes, out)

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        return Entry.gradient_effort(self, layer, shapes, out)

    def patch(self, layer: Layer, shape: Sequence[int], position: Position) -> Patch:
        return super().patch(layer, shape, (0, 0, position[-1]))

    def cells(self, layer: Layer, x: np.ndarray) -> int:
        return math.prod(x.shape[1:3])

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # The share's division, and among equals a product.
        return 2 if self.selects else 1


class GlobalMaxPoolEntry(GlobalPoolEntry):
    op = "global_max_pool2d"
    selects = "largest"
    averaging = "GlobalAveragePooling2D"


class GlobalAveragePoolEntry(GlobalPoolEntry):
    op = "global_avg_pool2d"


class GlobalPool1DEntry(SequenceEntry):
    """The pooling of that name, on a sequence."""

    options = GlobalPoolEntry.options
    pools = True

    def __init__(self, maps: str) -> None:
        self.maps = maps
        self.selects = ENTRIES[maps].selects
        self.averaging = ENTRIES[maps].averaging.replace("2D", "1D")


class Pool1DEntry(GlobalPool1DEntry):
    """Windows of one channel each, along a sequence."""

    options = {
        "pool_size": (read.length, 2),
        "strides": (read.optional(read.length), None),
        "padding": (read.choice("valid", "same"), "valid"),
    }
    lengths = ("pool_size", "strides")
    required = ("pool_size",)

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        normal["strides"] = normal["strides"] or normal["pool_size"]
        return normal


ENTRIES.update(
    {
        "MaxPooling2D": MaxPoolEntry(),
        "AveragePooling2D": AveragePoolEntry(),
        "GlobalMaxPooling2D": GlobalMaxPoolEntry(),
        "GlobalAveragePooling2D": GlobalAveragePoolEntry(),
    }
)
ENTRIES.update(
    {
        "MaxPooling1D": Pool1DEntry("MaxPooling2D"),
        "AveragePooling1D": Pool1DEntry("AveragePooling2D"),
        "GlobalMaxPooling1D": GlobalPool1DEntry("GlobalMaxPooling2D"),
        "GlobalAveragePooling1D": GlobalPool1DEntry("GlobalAveragePooling2D"),
    }
)
