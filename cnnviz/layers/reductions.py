"""Operations that make one number of many: means, sums, extremes, variances, and products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn, strides
from cnnviz.layers.contractions import Contraction, contract_stage
from cnnviz.layers.layer import ENTRIES, Arrays, Layer
from cnnviz.layers.links import Expand, Gather, Links, Regroup, mix
from cnnviz.layers.operands import Operands, Position, by_channel, check_terms, chosen, operands
from cnnviz.layers.slopes import slopes_of_factor
from cnnviz.layers.tensor_operations import OperationEntry, common, constant, kind_of, not_the_batch
from cnnviz.layers.windows import browser_axes
from cnnviz.ops.arguments import sum_to
from cnnviz.ops.padding import Axis, Window


class ReductionEntry(OperationEntry):
    """One number in place of all along some axes: NumPy's function of that name."""

    options = {"axis": (read.axes, None), "keepdims": (read.flag, False)}

    def __init__(self, name: str) -> None:
        self.name = name
        self.selects = {"max": "largest", "amax": "largest", "min": "smallest", "amin": "smallest"}.get(
            name, ""
        )
        self.averaging = "ops.Mean" if self.selects else ""
        self.multiplies = name == "var"

    def axes(self, layer: Layer, rank: int) -> tuple[int, ...]:
        """Along which it goes, of an input of this rank with its batch."""
        if not layer.config["axis"]:
            raise ValueError(
                f"axis=None makes one number of the whole batch: images do not see each other in cnnviz; "
                f"name the axes 1 to {rank - 1}"
            )
        return not_the_batch(layer.config["axis"], rank)

    def count(self, layer: Layer, x: np.ndarray) -> int:
        """How many numbers become one."""
        return prod(x.shape[axis] for axis in self.axes(layer, x.ndim))

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        axes = self.axes(layer, x.ndim)
        with np.errstate(all="ignore"):
            return getattr(np, self.name)(x, axis=axes, keepdims=layer.config["keepdims"])

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        axes, count = self.axes(layer, x.ndim), self.count(layer, x)
        grad = grad.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])
        if self.selects:
            won = x == getattr(np, self.name)(x, axis=axes, keepdims=True)
            # Equals share, as in TensorFlow.
            return (won * (grad / won.sum(axis=axes, keepdims=True).astype(grad.dtype)),)
        if self.name == "var":
            return (grad * (x - x.mean(axis=axes, keepdims=True)) * grad.dtype.type(2 / count),)
        share = grad / grad.dtype.type(count) if self.name == "mean" else grad
        return (np.broadcast_to(share, x.shape).copy(),)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        axes = [axis - 1 for axis in self.axes(layer, len(shape) + 1)]
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
        gathered = tuple(Gather(axis) for axis in axes)
        if layer.config["keepdims"]:
            return [gathered]
        return [(*gathered, Regroup(kept, tuple(n for i, n in enumerate(shape) if i not in axes)))]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        if self.name == "var":
            return super().operands(layer, inputs, position)
        (x,) = inputs
        axes = [axis - 1 for axis in self.axes(layer, x.ndim + 1)]
        check_terms(prod(x.shape[axis] for axis in axes))
        kept = iter(position)
        place = [
            next(kept) if i not in axes else (next(kept) if layer.config["keepdims"] else 0)
            for i in range(x.ndim)
        ]
        cells = [np.arange(n) if i in axes else np.array([place[i]]) for i, n in enumerate(x.shape)]
        index = np.stack(np.meshgrid(*cells, indexing="ij"), axis=-1)
        index = by_channel(index)
        factor = x[tuple(np.moveaxis(index, -1, 0))]
        named = "unit" if x.ndim == 1 else "channel"
        labels = tuple(f"{named} {int(group[0, 0, -1])}" for group in index)
        if self.selects:
            choose = np.argmax if self.selects == "largest" else np.argmin
            weight = chosen(factor, np.ones(factor.shape, bool), choose)
            return operands([x], factor, weight, index, labels=labels, selects=self.selects)
        share = x.dtype.type(1) / x.dtype.type(factor.size) if self.name == "mean" else 1
        return operands([x], factor, share, index, labels=labels)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        mode = {"max": "max", "amax": "max", "mean": "mean"}.get(self.name)
        maps = len(drawn.inputs[0]) == 3 and drawn.inputs[0] == drawn.sources[0]
        if mode is None or not maps or set(self.axes(layer, 4)) != {1, 2}:
            over = {axis - 1 for axis in self.axes(layer, len(drawn.inputs[0]) + 1)}
            along = list(zip(drawn.inputs[0], strides(drawn.inputs[0]), strict=True))
            op: dict[str, Any] = {"type": "reduce", "mode": self.name.removeprefix("a"), "label": self.name}
            op |= {"over": [along[axis] for axis in sorted(over)]}
            op |= {"kept": [each for axis, each in enumerate(along) if axis not in over]}
            return [BrowserStage(op, exact=bool(self.selects))]
        axes = browser_axes(Window(*(Axis(size, size) for size in drawn.inputs[0][:2])))
        op = {"type": "pool", "mode": mode, "ties": "shared", **axes, "label": f"{mode} pool"}
        return [BrowserStage(op, exact=bool(self.selects))]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        if self.selects:
            return 0
        count = self.count(layer, inputs[0])
        # The mean is off by as many roundings, and counts twice in a square.
        return 3 * count + 8 if self.name == "var" else count + 2

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        if self.name != "var":
            return super().magnitude(layer, inputs)
        size, axes = np.abs(inputs[0]), self.axes(layer, inputs[0].ndim)
        size = size + size.mean(axis=axes, keepdims=True)
        return np.square(size).mean(axis=axes, keepdims=layer.config["keepdims"])

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return self.count(layer, inputs[0]) + 5 if self.name == "var" else 2

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        if self.name != "var":
            return super().gradient_magnitude(layer, of, inputs, grad)
        size, axes = np.abs(inputs[0]), self.axes(layer, inputs[0].ndim)
        spread = np.abs(grad).reshape([1 if i in axes else n for i, n in enumerate(size.shape)])
        return (spread * (size + size.mean(axis=axes, keepdims=True)) * 2 / self.count(layer, inputs[0]),)


class MatmulEntry(OperationEntry):
    """Products of matrices, the last two axes of each argument; a constant is the same for all images."""

    options = dict.fromkeys(("x1", "x2"), (constant, None))
    parameters = ("x1", "x2")
    most_inputs = 2
    multiplies = True

    def values(self, layer: Layer, inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Both matrices; ValueError where images would be multiplied with each other."""
        one, two = (np.asarray(each, common(layer, inputs)) for each in self.arguments(layer, inputs))
        constants = [layer.config[name] is not None for name in self.parameters]
        least = 2 if constants[1] else 3
        if any(x.ndim < least for x in inputs) or len({x.ndim for x in inputs}) > 1:
            shapes = " and ".join(str(x.shape) for x in inputs)
            raise ValueError(
                f"x1 and x2 must be matrices behind the batch, and have as many axes each, got {shapes}: "
                "else images would be multiplied with each other"
            )
        if any(
            np.ndim(layer.config[name]) != 2 for name, c in zip(self.parameters, constants, strict=True) if c
        ):
            raise ValueError("a constant of matmul must be one matrix, with two axes")
        if one.shape[-1] != two.shape[-2]:
            raise ValueError(f"x1 must have as many columns as x2 has rows, got {one.shape} and {two.shape}")
        return one, two

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.matmul(*self.values(layer, inputs))

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        one, two = self.values(layer, inputs)
        with np.errstate(all="ignore"):
            grads = (grad @ two.swapaxes(-1, -2), one.swapaxes(-1, -2) @ grad)
        wanted = (g for g, name in zip(grads, self.parameters, strict=True) if layer.config[name] is None)
        return tuple(sum_to(each, x.shape) for each, x in zip(wanted, inputs, strict=True))

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        return slopes_of_factor(layer, inputs, place, cell)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        one, two = (
            np.shape(each) if isinstance(each, np.ndarray) else tuple(each)
            for each in self.arguments(layer, shapes)
        )
        out = (*np.broadcast_shapes(one[:-2], two[:-2]), *one[-2:-1], two[-1])
        wanted = [name for name in self.parameters if layer.config[name] is None]
        return [
            (
                *(mix(shape, -1, two[-1]) if name == "x1" else mix(shape, -2, one[-2])),
                *(Expand(i, out[i]) for i in range(len(shape) - 2) if shape[i] < out[i]),
            )
            for name, shape in zip(wanted, shapes, strict=True)
        ]

    def multiply_adds(self, layer: Layer) -> int | None:
        """As many for each number of the result as the first tensor has columns."""
        first = layer.input_shape if layer.config["x1"] is None else np.shape(layer.config["x1"])
        sizes = (*layer.output_shape, first[-1])
        return None if None in sizes else prod(sizes)  # type: ignore[arg-type]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """The numbers of the first tensor, each times one of the other matrix."""
        one, two = (np.asarray(each, common(layer, inputs)) for each in self.arguments(layer, inputs))
        row = self._place(one.shape, position)[:-1]
        column = self._place(two.shape, position)
        before, weights = one[row], two[column[:-2]][:, column[-1]]
        if layer.config["x1"] is None:
            places = [(*row, k) for k in range(len(before))]
            factor, weight = before, weights
        else:
            places = [(*column[:-2], k, column[-1]) for k in range(len(before))]
            factor, weight = weights, before
        axes = len(places[0])
        return operands(
            [one],
            factor.reshape(1, 1, -1),
            weight.reshape(1, 1, -1),
            np.array(places, int).reshape(1, 1, -1, axes),
            labels=layer.inputs[:1],
        )

    @staticmethod
    def _place(shape: tuple[int, ...], position: Position) -> Position:
        """The cell of a matrix below a cell of the product; axes with one entry are repeated."""
        behind = position[len(position) - len(shape) :]
        inner = (0 if n == 1 else i for n, i in zip(shape[:-2], behind, strict=False))
        return (*inner, *behind[len(shape) - 2 :]) if len(shape) > 1 else behind

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        constants = [layer.config[name] for name in self.parameters]
        given = iter(drawn.inputs)
        # Before a constant a vector is a matrix of one row.
        shapes = [next(given) if each is None else np.shape(each) for each in constants]
        shapes = [(1, *shape) if len(shape) == 1 else shape for shape in shapes]
        rank = max(map(len, shapes))
        letters = ascii_letters[: rank - 2]
        both = [
            "".join(letter for letter, n in zip(letters[rank - len(s) :], s[:-2], strict=True) if n > 1)
            for s in shapes
        ]
        # Axes of length 1 are left out: what is there is repeated.
        kept = [(*(n for n in shape[:-2] if n > 1), *shape[-2:]) for shape in shapes]
        result = "".join(letter for letter in letters if any(letter in each for each in both))
        equation = Contraction(f"{both[0]}yz", f"{both[1]}zx", f"{result}yx")
        named = [
            None if each is None else f"{layer.name}/{name}"
            for each, name in zip(constants, self.parameters, strict=True)
        ]
        arrays = {n: np.asarray(each, np.float32) for n, each in zip(named, constants, strict=True) if n}
        return [contract_stage(layer, equation, kept, named, arrays, label="matmul")]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return self.values(layer, inputs)[0].shape[-1] + 2

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        one, two = self.values(layer, inputs)
        return np.abs(one) @ np.abs(two)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        one, two = self.values(layer, inputs)
        copies = grad.size // max(min(x.size for x in inputs), 1)
        return max(one.shape[-2], two.shape[-1]) + copies + 2

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        positive = {k: v if v is None else np.abs(v) for k, v in layer.config.items()}
        like = Layer(layer.name, layer.kind, positive, inputs=layer.inputs)
        return self.input_gradients(like, [np.abs(x) for x in inputs], np.abs(grad))


ENTRIES.update(
    {kind_of(name): ReductionEntry(name) for name in ("mean", "sum", "max", "min", "amax", "amin", "var")}
)
ENTRIES["ops.Matmul"] = MatmulEntry()
