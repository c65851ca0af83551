"""What layers that only move numbers have in common: each output is one of the inputs' numbers, or padding.

To find where each comes from, numbered cells are sent through the layer itself: this cannot differ from what
it computes.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cnnviz import ops
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import Arrays, Entry, Layer, chosen
from cnnviz.layers.operands import Operands, Position, one_number, operands


class MovingEntry(Entry):
    """A layer that only moves numbers."""

    moves_values_only = True

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        gradient = getattr(ops, f"{self.op}_grad")
        return (gradient(grad, **chosen(layer.config, self.op_options)),)

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        came_from = int(origins(layer, tuple(x.shape for x in inputs))[position])
        if came_from < 0:
            return self.padded(layer, inputs, position)
        place, at = _located(came_from, inputs)
        if len(inputs) == 1:
            return one_number(inputs[0], at)
        # The other inputs keep their places.
        axes = len(position)
        full = np.array((0,) * (axes - len(at)) + at, int).reshape(1, 1, 1, axes)
        factor = np.full((1, 1, 1), inputs[place][at])
        source = np.array([place])
        return operands(inputs, factor, 1, full, source=source, labels=(layer.inputs[place],))

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        shapes = tuple(x.shape[1:] for x in inputs)
        number = sum(map(math.prod, shapes[:place])) + int(np.ravel_multi_index(cell, shapes[place]))
        return (origins(layer, shapes) == number).astype(inputs[0].dtype)

    def padded(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """A number that comes from nowhere: padding, outside the input."""
        raise NotImplementedError(f"{type(self).__name__} says no padding")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [moving_stage(layer, drawn)]


def moving_stage(layer: Layer, drawn: Drawn, fill: float = 0.0) -> BrowserStage:
    """Where each number comes from, counted from 1; 0 is padding, which holds `fill`."""
    came_from = origins(layer, drawn.inputs).astype(np.int32) + 1
    name = f"{layer.name}/from"
    op = {"type": "move", "from": name, "fill": fill, "label": layer.entry.label or layer.kind}
    return BrowserStage(op, {name: came_from.ravel()}, exact=True)


MOST_ORIGINS = 1 << 26
"""Cells of a layer and of its inputs for which it is worked out where each comes from."""
MOST_KEPT = 1 << 20
"""Those that are kept, of some layers."""


def origins(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Where a layer that only moves numbers takes each from: flat indices, -1 for padding.

    Indices of a second input continue where those of the first end.

    >>> flip = Layer.from_config("flip", "Permute", {"dims": (2, 1)}, inputs=("x",))
    >>> origins(flip, ((2, 3),)).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    cells = sum(map(math.prod, (*shapes, *(n for n in [layer.output_shape] if None not in n))))  # type: ignore[arg-type]
    if cells > MOST_ORIGINS:
        raise ValueError(
            f"where the {cells:,} cells of layer {layer.name!r} ({layer.kind}) and its inputs come from is "
            f"worked out up to {MOST_ORIGINS:,}: take a smaller picture"
        )
    return _kept(layer, shapes) if cells <= MOST_KEPT else _traced(layer, shapes)


def _traced(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    numbered, start = [], 0
    for shape in shapes:
        size = math.prod(shape)
        numbered.append(np.arange(start, start + size, dtype=np.float64).reshape(1, *shape))
        start += size
    indices = layer.before_activation(*numbered)[0].astype(np.int64)
    # Whatever padding holds, it is the same for other numbers.
    shifted = layer.before_activation(*(cells + 1 for cells in numbered))[0].astype(np.int64)
    indices = np.where(indices == shifted, -1, indices)
    indices.flags.writeable = False
    return indices


_kept = lru_cache(maxsize=64)(_traced)


def _located(came_from: int, inputs: Arrays) -> tuple[int, Position]:
    """Which input a flat index means, and the cell in it."""
    ends = np.cumsum([x.size for x in inputs])
    place = int(np.searchsorted(ends, came_from, side="right"))
    x = inputs[place]
    at = np.unravel_index(came_from - (int(ends[place]) - x.size), x.shape)
    return place, tuple(int(i) for i in at)
