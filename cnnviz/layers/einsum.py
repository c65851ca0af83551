"""EinsumDense: sums of products of an input and a kernel, along the axes that an equation names."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.convolutions import FUSED
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Expand, Gather, Links, Regroup, Transpose
from cnnviz.ops.arguments import sum_to

Shape = tuple[int, ...]


@dataclass(frozen=True)
class EinsumEquation:
    """The axes of input, kernel and output, the batch included, a letter for each."""

    x: str
    kernel: str
    out: str

    def __str__(self) -> str:
        return f"{self.x},{self.kernel}->{self.out}"

    def sums(self, one: str, other: str, result: str) -> str:
        """The letters that are summed over where two arrays make a third."""
        return "".join(dict.fromkeys(letter for letter in one + other if letter not in result))


def equation_of(text: str, rank: int) -> EinsumEquation:
    """An equation whose dots are letters, for an input with so many axes.

    >>> str(equation_of("...x,xy->...y", 3))
    'ABx,xy->ABy'

    Raises ValueError for an equation that Keras does not take, or that is for another number of axes.
    """
    found = re.fullmatch(r"(\.{3})?([a-zA-Z]+)(\.{3})?,([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)(\.{3})?", text)
    if not found or (found[1], found[3]) != (found[5], found[7]) or (found[1] and found[3]):
        raise ValueError(
            f"equation must be like 'abc,cd->abd', '...c,cd->...d' or 'ab...,bc->ac...', got {text!r}"
        )
    left, x, right, kernel, _, out, _ = found.groups()
    free = [letter for letter in string.ascii_uppercase if letter not in text]
    count = rank - len(x)
    if count < 0 or (count > 0 and not (left or right)) or count > len(free):
        raise ValueError(f"equation={text!r} does not fit an input with {rank} axes, the batch included")
    dots = "".join(free[:count])
    equation = (
        EinsumEquation(dots + x, kernel, dots + out) if left else EinsumEquation(x + dots, kernel, out + dots)
    )
    letters = (equation.x, kernel, equation.out)
    twice = any(len(set(each)) < len(each) for each in letters)
    if (
        twice
        or not set(equation.out) <= {*equation.x, *kernel}
        or not set(equation.x) <= {*equation.out, *kernel}
    ):
        raise ValueError(
            f"equation={text!r} must name each axis once, those of the output in the input or the kernel, "
            "and those of the input in the kernel or the output"
        )
    if equation.out[0] != equation.x[0] or equation.x[0] in kernel:
        raise ValueError(f"equation={text!r} must keep the batch, the first axis")
    return equation


class EinsumDenseEntry(Entry):
    options = {
        "equation": (lambda value, name: str(value), None),
        "output_shape": (lambda value, name: _sizes(value, name), None),
        "bias_axes": (read.optional(lambda value, name: str(value)), None),
        "activation": FUSED["activation"],
    }
    weights = ("kernel", "bias")
    label = "dense"

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return self.weights if config["bias_axes"] else ("kernel",)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        equation = equation_of(config["equation"], len(shape) + 1)
        sizes = self._sizes(config, equation, (None, *shape))
        kernel = tuple(sizes[letter] for letter in equation.kernel)
        # Its letters in their own order, as Keras has them.
        axes = list(config["bias_axes"] or "")
        if not set(axes) <= set(equation.out):
            raise ValueError(f"bias_axes={config['bias_axes']!r} must be axes of the output {equation.out!r}")
        first = min((equation.out.index(letter) for letter in axes), default=0)
        bias = tuple(sizes[letter] if letter in axes else 1 for letter in equation.out[first:])
        return {"kernel": kernel, "bias": bias}

    def _sizes(
        self, config: Mapping[str, Any], equation: EinsumEquation, shape: Sequence[Any]
    ) -> dict[str, Any]:
        """The size of each axis by its letter."""
        sizes = dict(zip(equation.x, shape, strict=True))
        own = list(equation.out[1:])
        dots = [letter for letter in own if letter.isupper() and letter not in config["equation"]]
        asked = iter(config["output_shape"])
        for letter in own:
            size = None if letter in dots else next(asked, None)
            if size is not None and sizes.setdefault(letter, size) != size:
                raise ValueError(
                    f"output_shape={config['output_shape']} does not fit the input {tuple(shape[1:])} along "
                    f"axis {letter!r}, which has {sizes[letter]} entries"
                )
        if missing := [letter for letter in equation.kernel if letter not in sizes]:
            raise ValueError(
                f"output_shape={config['output_shape']} must say the size of axis {missing[0]!r}"
            )
        return sizes

    def _equation(self, layer: Layer, x: np.ndarray) -> EinsumEquation:
        return equation_of(layer.config["equation"], x.ndim)

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,), w = inputs, layer.weights
        with np.errstate(all="ignore"):
            y = np.einsum(str(self._equation(layer, x)), x, w["kernel"], optimize=True)
            return y + w["bias"] if "bias" in w else y

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        e = self._equation(layer, inputs[0])
        return (np.einsum(f"{e.out},{e.kernel}->{e.x}", grad, layer.weights["kernel"], optimize=True),)

    def kernel_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        e = self._equation(layer, inputs[0])
        return np.einsum(f"{e.x},{e.out}->{e.kernel}", inputs[0], grad, optimize=True)

    def bias_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return sum_to(grad, layer.weights["bias"].shape)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,), e = shapes, equation_of(layer.config["equation"], len(shapes[0]) + 1)
        x, out = e.x[1:], e.out[1:]
        sizes = self._sizes(layer.config, e, (None, *shape))
        kept = [letter for letter in x if letter in out]
        gathered = tuple(Gather(axis) for axis, letter in enumerate(x) if letter not in out)
        alone = tuple(1 if letter not in out else size for letter, size in zip(x, shape, strict=True))
        order = tuple(kept.index(letter) for letter in out if letter in kept)
        turned = tuple(sizes[letter] for letter in out if letter in kept)
        spread = tuple(sizes[letter] if letter in kept else 1 for letter in out)
        new = tuple(Expand(axis, sizes[letter]) for axis, letter in enumerate(out) if letter not in kept)
        return [
            (
                *gathered,
                Regroup(alone, tuple(sizes[letter] for letter in kept)),
                Transpose(order),
                Regroup(turned, spread),
                *new,
            )
        ]

    def multiply_adds(self, layer: Layer) -> int | None:
        e = equation_of(layer.config["equation"], len(layer.input_shape) + 1)
        sizes = self._sizes(layer.config, e, (None, *layer.input_shape))
        counts = [sizes[letter] for letter in dict.fromkeys(e.x[1:] + e.kernel)]
        return None if None in counts else math.prod(counts)

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        e = self._equation(layer, inputs[0])
        return self._count(layer, inputs, e.sums(e.x, e.kernel, e.out)) + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        e = self._equation(layer, inputs[0])
        if of == "bias":
            return grad.size // layer.weights["bias"].size
        return self._count(layer, inputs, e.sums(e.x if of else e.kernel, e.out, e.kernel if of else e.x)) + 1

    def _count(self, layer: Layer, inputs: Arrays, letters: str) -> int:
        """How many products are in a sum over some axes."""
        e = self._equation(layer, inputs[0])
        sizes = {**dict(zip(e.kernel, layer.weights["kernel"].shape, strict=True))}
        sizes |= dict(zip(e.x, inputs[0].shape, strict=True))
        return math.prod(sizes[letter] for letter in letters)


def _sizes(value: Any, name: str) -> tuple[int | None, ...]:
    """Sizes of the output without the batch, None where they are those of the input."""
    entries = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(None if entry is None else read.count(entry, name) for entry in entries)


ENTRIES["EinsumDense"] = EinsumDenseEntry()
