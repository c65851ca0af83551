"""The gated linear unit: one half of the numbers along an axis, times the sigmoid of the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activations import SIGMOID
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Links, Slide
from cnnviz.layers.operands import Operands, Position, one_number
from cnnviz.layers.tensor_operations import OperationEntry, kind_of, not_the_batch
from cnnviz.ops.padding import Axis


class GatedEntry(Entry):
    """What a layer and an operation have in common; the axis, if not said, is the last.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017.
    """

    multiplies = True
    label = "glu"

    def activation(self, layer: Layer) -> None:
        return None

    def place(self, layer: Layer, rank: int) -> int:
        """The axis that is halved, of an input of this rank with its batch."""
        (axis,) = not_the_batch((layer.config.get("axis", -1),), rank)
        return axis

    def halves(self, layer: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is passed on, and what decides how much of it."""
        axis = self.place(layer, x.ndim)
        if x.shape[axis] % 2:
            raise ValueError(
                f"glu halves its axis, so that must have an even number of cells, got {x.shape[axis]} along "
                f"axis={layer.config.get('axis', -1)} of an input {x.shape[1:]}"
            )
        kept, gate = np.split(x, 2, axis=axis)
        return kept, gate

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        kept, gate = self.halves(layer, inputs[0])
        with np.errstate(all="ignore"):
            return kept * ops.sigmoid(gate)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        kept, gate = self.halves(layer, inputs[0])
        with np.errstate(all="ignore"):
            both = (grad * ops.sigmoid(gate), ops.sigmoid_grad(gate, grad * kept))
        return (np.concatenate(both, axis=self.place(layer, inputs[0].ndim)),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        axis = self.place(layer, len(shape) + 1) - 1
        # A window of two cells, half the axis apart.
        return [(Slide(axis, Axis(shape[axis], 2, dilation=shape[axis] // 2)),)]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """The number that is passed on; its weight is the sigmoid of that of the other half."""
        (x,) = inputs
        axis = self.place(layer, x.ndim + 1) - 1
        gate = tuple(n + x.shape[axis] // 2 * (i == axis) for i, n in enumerate(position))
        with np.errstate(all="ignore"):
            weight = ops.sigmoid(x[gate])
        return one_number(x, position, weight, partner_places=((0, gate),))

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        cells = np.arange(1, math.prod(drawn.inputs[0]) + 1, dtype=np.int32).reshape(1, *drawn.inputs[0])

        def half(number: int, name: str, label: str) -> BrowserStage:
            table = f"{layer.name}/{name}"
            places = self.halves(layer, cells)[number].ravel()
            return BrowserStage(
                {"type": "move", "from": table, "fill": 0.0, "label": label},
                {table: places},
                exact=True,
                name=name,
                value=lambda layer, x: self.halves(layer, x)[number],
                reads=(0,),
            )

        return [
            half(0, "kept", "first half"),
            half(1, "gate", "second half"),
            BrowserStage(
                {"type": "activation", "name": "sigmoid", "arguments": {}, "label": "sigmoid"},
                name="opening",
                value=lambda layer, x: ops.sigmoid(self.halves(layer, x)[1]),
                reads=("gate",),
            ),
            BrowserStage(
                {"type": "merge", "mode": "multiply", "maps": [None, None], "label": self.label},
                reads=("kept", "opening"),
            ),
        ]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return SIGMOID + 1

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        """The argument of the sigmoid may be rounded on the way, which changes it by so much."""
        kept, gate = self.halves(layer, inputs[0])
        return np.abs(kept) * self._opening(gate)

    @staticmethod
    def _opening(gate: np.ndarray) -> np.ndarray:
        return ops.sigmoid(gate) * (1 + np.abs(gate) * ops.sigmoid(-gate))

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # Sigmoid twice; two products.
        return 2 * SIGMOID + 2

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """TensorFlow takes 1 - sigmoid, whose error is that of the sigmoid."""
        kept, gate = self.halves(layer, inputs[0])
        size, opening = np.abs(grad), self._opening(gate)
        both = (size * opening, size * np.abs(kept) * opening)
        return (np.concatenate(both, axis=self.place(layer, inputs[0].ndim)),)


class GluEntry(GatedEntry, OperationEntry):
    options = {"axis": (read.axis, -1)}


ENTRIES[kind_of("glu")] = GluEntry()
