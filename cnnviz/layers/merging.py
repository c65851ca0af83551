"""Layers with several inputs: sums, products and extremes cell by cell, and concatenation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Expand, Links, Regroup, Segment
from cnnviz.layers.moves import MovingEntry
from cnnviz.layers.operands import Operands, Position, chosen, one_number, operands
from cnnviz.layers.slopes import slopes_cell_by_cell
from cnnviz.ops.padding import Axis


class MergeEntry(Entry):
    """Branches joined cell by cell; shapes broadcast as in Keras.

    Keras gives an input of lower rank its missing axes right behind the batch.
    """

    most_inputs = math.inf

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return super().compute(layer, *_aligned(inputs))

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        full, gradient = _aligned(inputs), getattr(ops, f"{self.op}_grad")
        # Products and extremes need the inputs themselves, sums only their shapes.
        by_value = self.multiplies or self.selects
        grads = gradient(full, grad) if by_value else gradient(grad, [x.shape for x in full])
        return tuple(each.reshape(x.shape) for each, x in zip(grads, inputs, strict=True))

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        return slopes_cell_by_cell(layer, inputs, place, cell)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        rank = max(map(len, shapes))
        full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
        sizes = [max(lengths) for lengths in zip(*full, strict=True)]
        if any(length not in (1, size) for shape in full for length, size in zip(shape, sizes, strict=True)):
            raise ValueError(
                f"branches must have shapes that broadcast, got {' and '.join(map(str, shapes))}"
            )
        return [
            (
                *([] if shape == same else [Regroup(shape, same)]),
                *(Expand(i, size) for i, size in enumerate(sizes) if same[i] < size),
            )
            for shape, same in zip(shapes, full, strict=True)
        ]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        cells = [_broadcast_place(x.shape, position) for x in inputs]
        numbers = [x[cell] for x, cell in zip(inputs, cells, strict=True)]
        factor = np.array(numbers, inputs[0].dtype).reshape(-1, 1, 1)
        axes = len(position)
        places = np.array([(0,) * (axes - len(cell)) + cell for cell in cells], int)
        return operands(
            inputs,
            factor,
            self.factor_weights(factor),
            places.reshape(-1, 1, 1, axes),
            labels=layer.inputs,
            selects=self.selects,
        )

    def factor_weights(self, factor: np.ndarray) -> Any:
        """What each of the inputs' numbers is multiplied by."""
        return 1

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        ranks = [len(shape) for shape in layer.input_shapes]
        full = [
            f"{read}[:{', None' * (max(ranks) - rank)}]" if rank < max(ranks) else read
            for read, rank in zip(reads, ranks, strict=True)
        ]
        return super().code(layer, full)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        """Several inputs cell by cell; an input that is broadcast says which of its cells goes where."""
        return [merge_stage(layer, self.op, drawn, [None] * len(drawn.inputs), self.op)]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return 0 if self.selects else len(inputs) + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # A product or quotient for each argument, and the additions of what was broadcast.
        return len(inputs) + grad.size // max(min(x.size for x in inputs), 1) - 1


def merge_stage(
    layer: Layer,
    mode: str,
    drawn: Drawn,
    arguments: Sequence[Any],
    label: str,
    weights: Mapping[str, np.ndarray] | None = None,
    **more: Any,
) -> BrowserStage:
    """A function of several numbers, cell by cell; what is broadcast says which of its cells goes where.

    `arguments` are the function's: None is the next input, a text one of `weights` by its name, and else it
    is a number or an array.
    """
    maps: list[str | None] = []
    arrays: dict[str, np.ndarray] = dict(weights or {})
    sent: list[Any] = []

    def spread(shape: tuple[int, ...], number: int) -> str | None:
        if shape == drawn.output:
            return None
        full = (1,) * (len(drawn.output) - len(shape)) + shape
        places = np.arange(math.prod(shape), dtype=np.int32).reshape(full)
        name = f"{layer.name}/{more.get('name', '')}from{number}"
        arrays[name] = np.broadcast_to(places, drawn.output).ravel()
        return name

    for number, argument in enumerate(arguments):
        if argument is None:
            sent.append(len(maps))
            maps.append(spread(drawn.inputs[len(maps)], number))
        elif np.ndim(argument) == 0 and not isinstance(argument, str):
            sent.append({"value": float(argument)})
        else:
            name = argument if isinstance(argument, str) else f"{layer.name}/argument{number}"
            if name is not argument:
                arrays[name] = np.asarray(argument, np.float32)
            sent.append({"array": name, "map": spread(arrays[name].shape, number)})
    plain = sent == list(range(len(drawn.inputs)))
    op = {"type": "merge", "mode": mode, "maps": maps, "label": label}
    op |= {} if plain else {"arguments": sent}
    return BrowserStage(op, arrays, **more)


class AddEntry(MergeEntry):
    op = "add"


class SubtractEntry(MergeEntry):
    op = "subtract"
    least_inputs, most_inputs = 2, 2

    def factor_weights(self, factor: np.ndarray) -> Any:
        return np.array([1, -1]).reshape(-1, 1, 1)

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        first, second = (np.abs(x) for x in _aligned(inputs))
        return first + second


class CustomScaleEntry(MergeEntry):
    """first + scale * second: the class of keras.applications' InceptionResNetV2."""

    options = {"scale": (read.number, None)}
    module = "keras.src.applications.inception_resnet_v2"
    least_inputs, most_inputs = 2, 2
    label = "add scaled"

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        first, second = _aligned(inputs)
        return ops.add(first, ops.multiply(second, second.dtype.type(layer.config["scale"])))

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        grads = ops.add_grad(grad, [x.shape for x in _aligned(inputs)])
        scaled = ops.multiply(grads[1], grad.dtype.type(layer.config["scale"]))
        return tuple(each.reshape(x.shape) for each, x in zip((grads[0], scaled), inputs, strict=True))

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        found = super().operands(layer, inputs, position)
        weight = np.array([1, layer.config["scale"]], found.weight.dtype).reshape(-1, 1, 1)
        return replace(found, weight=weight)

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        return f"{reads[0]} + {reads[1]} * {layer.config['scale']!r}"

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [merge_stage(layer, "add_scaled", drawn, [None, None, layer.config["scale"]], self.label)]

    def absolute(self, layer: Layer) -> Layer:
        return replace(layer, config={"scale": abs(layer.config["scale"])})


class AverageEntry(MergeEntry):
    op = "average"

    def factor_weights(self, factor: np.ndarray) -> Any:
        return factor.dtype.type(1) / factor.dtype.type(len(factor))


class MultiplyEntry(MergeEntry):
    op = "multiply"
    multiplies = True

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """The first input's number; the product of the others' is its weight."""
        cells = [_broadcast_place(x.shape, position) for x in inputs]
        others = list(zip(inputs[1:], cells[1:], strict=True))
        with np.errstate(all="ignore"):
            weight = math.prod((x[cell] for x, cell in others), start=inputs[0].dtype.type(1))
        partners = tuple(enumerate(cells))[1:]
        return one_number(inputs[0], cells[0], weight, partner_places=partners, labels=layer.inputs[:1])


class ExtremeEntry(MergeEntry):
    averaging = "Average"

    def factor_weights(self, factor: np.ndarray) -> Any:
        choose = np.argmax if self.selects == "largest" else np.argmin
        return chosen(factor, np.ones(factor.shape, bool), choose)


class MaximumEntry(ExtremeEntry):
    op = "maximum"
    selects = "largest"


class MinimumEntry(ExtremeEntry):
    op = "minimum"
    selects = "smallest"


class ConcatenateEntry(MovingEntry):
    options = {"axis": (read.axis, -1)}
    op = "concatenate"
    op_options = ("axis",)
    most_inputs = math.inf
    joins = True
    label = "concat"

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        axis = layer.config["axis"]
        if axis % inputs[0].ndim == 0:
            raise ValueError(f"axis={axis} is the batch, which cannot be joined along")
        return super().compute(layer, *inputs)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return ops.concatenate_grad(grad, [x.shape for x in inputs], axis=layer.config["axis"])

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        """Side by side along an axis."""
        asked, rank = layer.config["axis"], len(shapes[0])
        # Keras counts the batch as axis 0.
        asked = asked - 1 if asked > 0 else asked
        axis = asked % rank if -rank <= asked < rank else rank
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) > 1 or axis == rank:
            raise ValueError(
                f"branches must agree in all but axis {asked}, got {' and '.join(map(str, shapes))}"
            )
        starts = [sum(shape[axis] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        places = (
            Axis(shape[axis], 1, before=start, after=starts[-1] - start - shape[axis])
            for shape, start in zip(shapes, starts, strict=False)
        )
        return [(Segment(axis, place),) for place in places]


def _aligned(xs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The inputs with the axes that they lack."""
    rank = max(x.ndim for x in xs)
    return tuple(x.reshape(x.shape[0], *[1] * (rank - x.ndim), *x.shape[1:]) for x in xs)


def _broadcast_place(shape: tuple[int, ...], position: Position) -> Position:
    """The cell of an input that goes into a cell of a merge; axes of length 1 are repeated."""
    behind = position[len(position) - len(shape) :]
    return tuple(0 if size == 1 else i for size, i in zip(shape, behind, strict=True))


ENTRIES.update(
    {
        "Add": AddEntry(),
        "Subtract": SubtractEntry(),
        "Multiply": MultiplyEntry(),
        "Average": AverageEntry(),
        "Maximum": MaximumEntry(),
        "Minimum": MinimumEntry(),
        "Concatenate": ConcatenateEntry(),
        "CustomScaleLayer": CustomScaleEntry(),
    }
)
