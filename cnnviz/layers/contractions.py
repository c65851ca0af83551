"""Products along axes that a layer names: EinsumDense with its kernel, and Dot between two inputs.

Both are sums of products over the axes that two arrays share and the result has not, written with a letter
for each axis, as in Einstein's summation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.activations import parse_activation
from cnnviz.layers.browser import BrowserStage, Drawn, strides
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Expand, Gather, Link, Links, Regroup, Transpose, after
from cnnviz.layers.operands import Operands, Position, check_terms, operands
from cnnviz.layers.options import Shape
from cnnviz.layers.slopes import slopes_of_factor
from cnnviz.layers.work import ELEMENTWISE_COST, Effort, Sizes, by_cell
from cnnviz.numbers import brief

quiet = np.errstate(all="ignore")


@dataclass(frozen=True)
class Contraction:
    """A letter for each axis of two arrays and of the result, which has those of either.

    Those that are in both and not in the result are summed over.
    """

    first: str
    second: str
    result: str

    @quiet
    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        second = np.asarray(second, first.dtype)
        return np.einsum(f"{self.first},{self.second}->{self.result}", first, second, optimize=True)

    def of_first(self) -> Contraction:
        """From the gradient with respect to the result, and the second array, to that of the first."""
        return Contraction(self.result, self.second, self.first)

    def of_second(self) -> Contraction:
        """From the gradient with respect to the result, and the first array, to that of the second."""
        return Contraction(self.result, self.first, self.second)

    def sizes(self, first: Sequence[Any], second: Sequence[Any]) -> dict[str, Any]:
        """How long the axis of each letter is."""
        return {**dict(zip(self.first, first, strict=True)), **dict(zip(self.second, second, strict=True))}

    def terms(self, first: Sequence[int], second: Sequence[int]) -> int:
        """How many products each number of the result is the sum of."""
        lengths = self.sizes(first, second)
        return prod(size for letter, size in lengths.items() if letter not in self.result)

    def work(self, first: Sequence[int], second: Sequence[int]) -> int:
        """Of all products; with an axis that is in all three arrays they are no product of two matrices."""
        cost = ELEMENTWISE_COST if {*self.first} & {*self.second} & {*self.result} else 1
        return cost * prod(self.sizes(first, second).values())

    def lengths_along(
        self, first: Sequence[int], second: Sequence[int], more: Mapping[str, int] | None = None
    ) -> tuple[list[list[int]], list[list[int]]]:
        """The axes of the result, and those summed over: length, and how far both arrays go on with a step.

        `more` says the same of another array, by letters.
        """
        steps = [
            dict(zip(letters, strides(tuple(shape)), strict=True))
            for letters, shape in ((self.first, first), (self.second, second))
        ]
        steps.append(dict(more or {}))
        sizes = self.sizes(first, second)
        summed = [letter for letter in sizes if letter not in self.result]
        return tuple(  # type: ignore[return-value]
            [[sizes[letter], *(step.get(letter, 0) for step in steps)] for letter in letters]
            for letters in (self.result, summed)
        )

    def cells(
        self, position: Position, first: Sequence[int], second: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(terms, axes): the indices in both arrays of what is multiplied for one number of the result."""
        lengths = self.sizes(first, second)
        check_terms(self.terms(first, second))
        summed = [letter for letter in self.first if letter not in self.result]
        grid = np.indices([lengths[letter] for letter in summed]).reshape(len(summed), -1)
        count = grid.shape[1]
        at = dict(zip(summed, grid, strict=True))
        at |= {letter: np.full(count, i) for letter, i in zip(self.result, position, strict=True)}
        one, other = (
            np.stack([at[letter] for letter in letters], axis=-1) for letters in (self.first, self.second)
        )
        return one, other


def reads(letters: str, result: str, shape: Sequence[int], out: Sequence[int]) -> Links:
    """Links from an array, with a letter for each axis, to a result with some of them and with others."""
    links: list[Link] = [Gather(i) for i, letter in enumerate(letters) if letter not in result]
    kept = [letter for letter in letters if letter in result]
    sizes = dict(zip(letters, shape, strict=True))
    now = after(links, tuple(shape))
    links.append(Regroup(now, tuple(sizes[letter] for letter in kept)))
    links.append(Transpose(tuple(kept.index(letter) for letter in result if letter in kept)))
    before = tuple(sizes[letter] for letter in result if letter in kept)
    links.append(Regroup(before, tuple(sizes[letter] if letter in kept else 1 for letter in result)))
    links += [Expand(i, out[i]) for i, letter in enumerate(result) if letter not in kept]
    return tuple(links)


def contract_stage(
    layer: Layer,
    equation: Contraction,
    shapes: Sequence[tuple[int, ...]],
    names: Sequence[str | None],
    arrays: Mapping[str, np.ndarray],
    *,
    bias: tuple[str, Mapping[str, int]] | None = None,
    scale: float | None = None,
    label: str,
    **more: Any,
) -> BrowserStage:
    """Sums of products of two arrays, of shapes without the batch, by an equation without it.

    A name is that of one of `arrays`; None is the next input. `bias` is an array's name, and how far a step
    along each letter goes in it.
    """
    out, over = equation.lengths_along(shapes[0], shapes[1], bias[1] if bias else None)
    inputs = iter(range(2))
    first, second = (next(inputs) if name is None else name for name in names)
    op: dict[str, Any] = {"type": "contract", "first": first, "second": second, "out": out, "over": over}
    op |= {"label": label} | ({"bias": bias[0]} if bias else {})
    op |= {"scale": scale} if scale is not None else {}
    return BrowserStage(op, arrays, **more)


# A kernel ---------------------------------------------------------------------------------------

EQUATION = re.compile(
    r"(?P<before>\.{3})?(?P<x>[a-zA-Z]+)(?P<behind>\.{3})?,(?P<kernel>[a-zA-Z]+)->"
    r"(?P<before_out>\.{3})?(?P<out>[a-zA-Z]+)(?P<behind_out>\.{3})?"
)


def _equation(value: Any, name: str) -> str:
    found = EQUATION.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    sides = {} if found is None else found.groupdict()
    same = sides and all(sides[side] == sides[f"{side}_out"] for side in ("before", "behind"))
    if found is None or not same or (found["before"] and found["behind"]):
        raise ValueError(
            f"{name} must be like 'abc,cd->abd', '...c,cd->...d' or 'ab...,bc->ac...', got {brief(value)}"
        )
    parts = [found[part] for part in ("x", "kernel", "out")]
    for letters in parts:
        if len(set(letters)) < len(letters):
            raise ValueError(f"{name}={value!r} has a letter twice in {letters!r}, which is not supported")
    x, kernel, out = map(set, parts)
    if not (x <= kernel | out and kernel <= x | out and out <= x | kernel):
        raise ValueError(f"each letter of {name} must be in two of its three parts, got {brief(value)}")
    return str(value).replace(" ", "")


def _sizes(value: Any, name: str) -> tuple[int | None, ...]:
    """An int or several, None where the size is the input's."""
    entries = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(None if entry is None else read.count(entry, name) for entry in entries)


def _letters(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.isalpha():
        raise ValueError(f"{name} must be letters of the equation's result, got {brief(value)}")
    return value


class EinsumDenseEntry(Entry):
    options = {
        "equation": (_equation, None),
        "output_shape": (_sizes, None),
        "bias_axes": (read.optional(_letters), None),
        "activation": (parse_activation, None),
    }
    weights = ("kernel", "bias")

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return self.weights if config["bias_axes"] else ("kernel",)

    def contraction(self, config: Mapping[str, Any], rank: int) -> Contraction:
        """For an input with as many axes, the batch included; those that are left out get letters."""
        found = EQUATION.fullmatch(config["equation"])
        assert found is not None
        more = rank - len(found["x"])
        if more < 0 or (more and not (found["before"] or found["behind"])):
            raise ValueError(f"equation={config['equation']!r} does not fit an input of {rank} axes")
        free = [letter for letter in ascii_letters if letter not in config["equation"]][:more]
        left_out = "".join(free)
        before, behind = ("", left_out) if found["behind"] else (left_out, "")
        return Contraction(before + found["x"] + behind, found["kernel"], before + found["out"] + behind)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        contraction = self.contraction(config, len(shape) + 1)
        if contraction.result[0] != contraction.first[0]:
            raise ValueError(f"equation={config['equation']!r} must keep the batch in front")
        letters = [letter for letter in contraction.result if letter in config["equation"]]
        asked = zip(reversed(letters), reversed(config["output_shape"]), strict=False)
        sizes = {letter: size for letter, size in asked if size is not None}
        sizes |= dict(zip(contraction.first[1:], shape, strict=True))
        if missing := [letter for letter in contraction.second if letter not in sizes]:
            raise ValueError(f"output_shape={config['output_shape']} does not say how long {missing[0]!r} is")
        shapes = {"kernel": tuple(sizes[letter] for letter in contraction.second)}
        if (axes := config["bias_axes"]) is not None:
            if not set(axes) <= set(contraction.result[1:]):
                raise ValueError(f"bias_axes={axes!r} must be letters of {contraction.result[1:]!r}")
            behind = contraction.result[min(contraction.result.index(letter) for letter in axes) :]
            shapes["bias"] = tuple(sizes[letter] if letter in axes else 1 for letter in behind)
        return shapes

    @quiet
    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        y = self.contraction(layer.config, x.ndim)(x, layer.weights["kernel"])
        return y + np.asarray(layer.weights["bias"], x.dtype) if "bias" in layer.weights else y

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (self.contraction(layer.config, inputs[0].ndim).of_first()(grad, layer.weights["kernel"]),)

    def kernel_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return self.contraction(layer.config, inputs[0].ndim).of_second()(grad, inputs[0])

    def bias_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        shape = layer.weights["bias"].shape
        full = (1,) * (grad.ndim - len(shape)) + shape
        shared = tuple(axis for axis, size in enumerate(full) if size == 1)
        return grad.sum(axis=shared, keepdims=True).reshape(shape)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        found = self.contraction(layer.config, len(shape) + 1)
        sizes = found.sizes((0, *shape), layer.weights["kernel"].shape)
        out = [sizes[letter] for letter in found.result[1:]]
        return [reads(found.first[1:], found.result[1:], shape, out)]

    def kernel_positions(self, layer: Layer) -> Shape:
        """Every weight serves once for each entry along the axes of the input that the kernel has not."""
        found = self.contraction(layer.config, len(layer.input_shape) + 1)
        axes = zip(found.first[1:], layer.input_shape, strict=True)
        return tuple(size for letter, size in axes if letter not in found.second)

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        (shape,), kernel = shapes, layer.weights["kernel"]
        work = self.contraction(layer.config, len(shape) + 1).work((1, *shape), kernel.shape)
        # The arrays may be turned first.
        return Effort(work + by_cell(shape, out), prod(shape) + prod(out))

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,), kernel = inputs, layer.weights["kernel"]
        found = self.contraction(layer.config, x.ndim + 1)
        cells, index = found.cells((0, *position), (1, *x.shape), kernel.shape)
        places = cells[:, 1:]
        fields: dict[str, Any] = {"labels": tuple(map(str, map(tuple, places.tolist())))}
        if "bias" in layer.weights:
            bias = layer.weights["bias"]
            behind = position[len(position) - bias.ndim :]
            at = tuple(0 if size == 1 else i for size, i in zip(bias.shape, behind, strict=True))
            fields |= {"bias": bias[at], "bias_name": "bias"}
        return operands(
            [x],
            x[tuple(places.T)].reshape(-1, 1, 1),
            kernel[tuple(index.T)].reshape(-1, 1, 1),
            places[:, None, None],
            weight_name="kernel",
            weight_index=index[:, None, None],
            **fields,
        )

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        (shape,), kernel = drawn.inputs, layer.weights["kernel"]
        found = self.contraction(layer.config, len(shape) + 1)
        equation = Contraction(found.first[1:], found.second, found.result[1:])
        names = {name: f"{layer.owner}/{name}" for name in layer.weights}
        bias = None
        if "bias" in layer.weights:
            size = layer.weights["bias"].shape
            along = zip(equation.result[len(equation.result) - len(size) :], size, strides(size), strict=True)
            bias = names["bias"], {letter: step for letter, n, step in along if n > 1}
        arrays = {names[name]: array for name, array in layer.weights.items()}
        shapes = [shape, kernel.shape]
        return [
            contract_stage(layer, equation, shapes, [None, names["kernel"]], arrays, bias=bias, label="dense")
        ]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        (x,) = inputs
        found = self.contraction(layer.config, x.ndim)
        return found.terms(x.shape, layer.weights["kernel"].shape) + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        found = self.contraction(layer.config, inputs[0].ndim)
        if of == "bias":
            return grad.size // max(layer.weights["bias"].size, 1)
        if of == "kernel":
            return found.of_second().terms(grad.shape, inputs[0].shape)
        return found.of_first().terms(grad.shape, layer.weights["kernel"].shape)


# Two inputs -------------------------------------------------------------------------------------


SUMMED = "s"
"""The letter of the axis that both inputs have."""


def _axes(value: Any, name: str) -> tuple[int, int]:
    entries = read.ints(value, name)
    if len(entries) not in (1, 2):
        raise ValueError(f"{name} must be one axis or two, got {brief(value)}")
    return entries[0], entries[-1]


class DotEntry(Entry):
    """The sums of products of two inputs along an axis of each; two vectors give one number."""

    options = {
        "axes": (_axes, None),
        "normalize": (read.only(False, "put a UnitNormalization in front of each input"), False),
    }
    least_inputs = most_inputs = 2
    multiplies = True

    def contraction(self, layer: Layer, ranks: Sequence[int]) -> Contraction:
        """For inputs with as many axes, the batch included."""
        asked = layer.config["axes"]
        axes = [axis % rank if -rank <= axis < rank else 0 for axis, rank in zip(asked, ranks, strict=True)]
        if 0 in axes:
            raise ValueError(f"axes={asked} must be axes of the inputs, of {ranks} axes, and not the batch")
        batch, *free = list(ascii_letters.replace(SUMMED, ""))
        names = []
        for axis, rank in zip(axes, ranks, strict=True):
            own, free = free[: rank - 2], free[rank - 2 :]
            names.append([batch, *own[: axis - 1], SUMMED, *own[axis - 1 :]])
        others = [letter for letters in names for letter in letters if letter not in (batch, SUMMED)]
        return Contraction(*("".join(letters) for letters in (*names, [batch, *others])))

    @quiet
    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        found = self.contraction(layer, [x.ndim for x in inputs])
        both = zip((found.first, found.second), inputs, strict=True)
        if len({x.shape[letters.index(SUMMED)] for letters, x in both}) > 1:
            raise ValueError(
                f"the inputs must be as long along axes={layer.config['axes']}, "
                f"got {' and '.join(str(x.shape[1:]) for x in inputs)}"
            )
        return _as_vector(found(*inputs))

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        found, (first, second) = self.contraction(layer, [x.ndim for x in inputs]), inputs
        grad = grad.reshape(grad.shape[: len(found.result)])
        return found.of_first()(grad, second), found.of_second()(grad, first)

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        return slopes_of_factor(layer, inputs, place, cell)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        found = self.contraction(layer, [len(shape) + 1 for shape in shapes])
        sizes = found.sizes(*((0, *shape) for shape in shapes))
        # Two vectors give a vector of one.
        result = found.result[1:] or ascii_letters[-1]
        out = [sizes.get(letter, 1) for letter in result]
        both = zip((found.first[1:], found.second[1:]), shapes, strict=True)
        return [reads(letters, result, shape, out) for letters, shape in both]

    def multiply_adds(self, layer: Layer) -> int | None:
        """One for each number of the result and each term of it."""
        first, second = ((1, *shape) for shape in layer.input_shapes)
        sizes = self.contraction(layer, [len(first), len(second)]).sizes(first, second).values()
        return None if None in sizes else prod(sizes)

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        return super().effort(layer, shapes, out).times(ELEMENTWISE_COST)

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """The first input's numbers; those of the second are their weights."""
        found, (first, second) = self.contraction(layer, [x.ndim + 1 for x in inputs]), inputs
        place = (0, *position)[: len(found.result)]
        cells = found.cells(place, (1, *first.shape), (1, *second.shape))
        one, other = (each[:, 1:] for each in cells)
        axes = max(x.ndim for x in inputs)
        places = np.pad(one, ((0, 0), (axes - first.ndim, 0)))[:, None, None]
        return operands(
            inputs,
            first[tuple(one.T)].reshape(-1, 1, 1),
            second[tuple(other.T)].reshape(-1, 1, 1),
            places,
            source=np.zeros(len(one), int),
            labels=tuple(map(str, map(tuple, one.tolist()))),
        )

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        found = self.contraction(layer, [len(shape) + 1 for shape in drawn.inputs])
        equation = Contraction(found.first[1:], found.second[1:], found.result[1:])
        return [contract_stage(layer, equation, drawn.inputs, [None, None], {}, label="dot")]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        found = self.contraction(layer, [x.ndim for x in inputs])
        return found.terms(inputs[0].shape, inputs[1].shape) + 1

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        found, (first, second) = self.contraction(layer, [x.ndim for x in inputs]), inputs
        shape = grad.shape[: len(found.result)]
        return max(found.of_first().terms(shape, second.shape), found.of_second().terms(shape, first.shape))


def _as_vector(y: np.ndarray) -> np.ndarray:
    """One number for each image as a vector of one."""
    return y[:, np.newaxis] if y.ndim == 1 else y


ENTRIES.update({"EinsumDense": EinsumDenseEntry(), "Dot": DotEntry()})
