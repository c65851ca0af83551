"""Layers that reshape, reorder or repeat numbers, or add and drop cells at the borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.layer import ENTRIES, Arrays, Layer
from cnnviz.layers.links import Expand, Links, Regroup, Slide, Transpose
from cnnviz.layers.moves import MovingEntry
from cnnviz.layers.operands import Operands, Position, operands
from cnnviz.layers.sequences import MovingSequenceEntry
from cnnviz.layers.windows import map_shape
from cnnviz.ops.padding import Axis, Sides


class ZeroPaddingEntry(MovingEntry):
    options = {"padding": (read.sides, (1, 1))}
    op = "zero_pad2d"
    op_options = ("padding",)
    rank = 4
    label = "zero pad"

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [_shift(map_shape(shapes[0]), layer.config["padding"])]

    def padded(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (top, _), (left, _) = layer.config["padding"]
        outside = np.array((position[0] - top, position[1] - left, position[2])).reshape(1, 1, 1, 3)
        factor, padding = np.zeros((1, 1, 1), inputs[0].dtype), np.ones((1, 1, 1), bool)
        return operands(inputs, factor, 1, outside, padding=padding, labels=("padding",))


class CroppingEntry(MovingEntry):
    options = {"cropping": (read.sides, 0)}
    op = "crop2d"
    op_options = ("cropping",)
    rank = 4
    label = "crop"

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        height, width, channels = map_shape(shapes[0])
        (top, bottom), (left, right) = sides = layer.config["cropping"]
        if top + bottom >= height or left + right >= width:
            raise ValueError(f"cropping must leave at least one cell of {height} x {width}, got {sides}")
        return [_shift((height, width, channels), ((-top, -bottom), (-left, -right)))]


class FlattenEntry(MovingEntry):
    op = "flatten"
    relays = True

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (grad.reshape(inputs[0].shape),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [(Regroup(shapes[0], (prod(shapes[0]),)),)]


class ReshapeEntry(FlattenEntry):
    options = {"target_shape": (read.ints, None)}
    op = "reshape"

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return ops.reshape(inputs[0], layer.config["target_shape"])

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,), asked = shapes, layer.config["target_shape"]
        target, total = list(asked), prod(shape)
        known = prod(size for size in target if size != -1)
        if target.count(-1) == 1 and known > 0 and total % known == 0:
            target[target.index(-1)] = total // known
        if min(target, default=1) < 1 or prod(target) != total:
            raise ValueError(f"target_shape must hold the {total} cells of its input {shape}, got {asked}")
        return [(Regroup(shape, tuple(target)),)]

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        return f"ops.reshape({reads[0]}, {layer.config['target_shape']!r})"


class PermuteEntry(MovingEntry):
    options = {"dims": (read.ints, None)}
    op = "permute"
    op_options = ("dims",)
    label = "permute"

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,), dims = shapes, layer.config["dims"]
        if sorted(dims) != list(range(1, len(shape) + 1)):
            raise ValueError(f"dims must be 1 to {len(shape)} in some order for an input {shape}, got {dims}")
        return [(Transpose(tuple(axis - 1 for axis in dims)),)]


class RepeatVectorEntry(MovingEntry):
    """A vector as each row of a sequence."""

    options = {"n": (read.count, None)}
    label = "repeat"

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        if inputs[0].ndim != 2:
            raise ValueError(f"its input must be a vector (N, C), got {('N', *inputs[0].shape[1:])}")
        return inputs[0][:, np.newaxis].repeat(layer.config["n"], axis=1)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (grad.sum(axis=1),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        return [(Regroup(shape, (1, *shape)), Expand(0, layer.config["n"]))]

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return layer.config["n"] - 1


class ZeroPadding1DEntry(MovingSequenceEntry):
    options = {"padding": (partial(read.size, minimum=0), (1, 1))}
    maps = "ZeroPadding2D"

    def as_map(self, layer: Layer) -> Layer:
        return _with_sides(super().as_map(layer), "padding")


class Cropping1DEntry(MovingSequenceEntry):
    options = {"cropping": (partial(read.size, minimum=0), (1, 1))}
    maps = "Cropping2D"

    def as_map(self, layer: Layer) -> Layer:
        return _with_sides(super().as_map(layer), "cropping")


class UpSampling1DEntry(MovingSequenceEntry):
    options = {"size": (read.length, 2)}
    maps = "UpSampling2D"
    lengths = ("size",)

    def as_map(self, layer: Layer) -> Layer:
        like = super().as_map(layer)
        return replace(like, config={**like.config, "interpolation": "nearest"})


def _with_sides(like: Layer, option: str) -> Layer:
    """What is added to or cut off a sequence's ends, as that of a map's four sides."""
    return replace(like, config={option: (like.config[option], (0, 0))})


def _shift(shape: tuple[int, int, int], sides: Sides) -> Links:
    """Padding, or cropping where the numbers of cells are negative: windows of one tap."""
    return tuple(Slide(i, Axis(shape[i], 1, before=sides[i][0], after=sides[i][1])) for i in (0, 1))


ENTRIES.update(
    {
        "ZeroPadding2D": ZeroPaddingEntry(),
        "Cropping2D": CroppingEntry(),
        "ZeroPadding1D": ZeroPadding1DEntry(),
        "Cropping1D": Cropping1DEntry(),
        "UpSampling1D": UpSampling1DEntry(),
        "RepeatVector": RepeatVectorEntry(),
        "Flatten": FlattenEntry(),
        "Reshape": ReshapeEntry(),
        "Permute": PermuteEntry(),
    }
)
