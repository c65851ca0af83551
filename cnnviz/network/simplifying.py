"""A network as fewer operations, for when only its output is wanted.

Batch normalisation is folded into neighbouring weights, padding with zeros into the convolutions that read
it, pooling goes before ReLU, and what passes its input on is gone. Folding rounds differently; nothing here
is used where activations are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Affine, Layer
from cnnviz.ops.padding import Padding


@dataclass(frozen=True)
class Convolution:
    """A convolution; a dense layer is one of a 1x1 image."""

    kernel: np.ndarray
    bias: np.ndarray | None
    config: dict[str, Any]

    def of_affine(self, scale: np.ndarray, shift: np.ndarray) -> Convolution:
        """The convolution that makes of x what this one makes of x*scale + shift; only without padding."""
        groups, (_, _, depth, filters) = self.config["groups"], self.kernel.shape
        # A filter of group g reads the channels from g*depth: one column of scales for each filter.
        scales, shifts = (
            np.repeat(numbers.reshape(groups, depth).T, filters // groups, axis=1)
            for numbers in (scale, shift)
        )
        return self._weighted(scales, (self.kernel * shifts).sum(axis=(0, 1, 2)))

    def then_affine(self, scale: np.ndarray, shift: np.ndarray) -> Convolution:
        """The convolution whose output is this one's times scale plus shift."""
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, kernel=self.kernel * self._by_filter(scale), bias=bias)

    def padded(self, padding: Padding) -> Convolution:
        """The same kernel over the input with a border of zeros."""
        return replace(self, config={**self.config, "padding": padding})

    def _by_filter(self, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def _weighted(self, scales: np.ndarray, extra: np.ndarray) -> Convolution:
        bias = extra if self.bias is None else self.bias + extra
        return replace(self, kernel=self.kernel * scales, bias=bias)


class DepthwiseConvolution(Convolution):
    """Each channel with its own kernels; the kernel is (kh, kw, C, multiplier)."""

    def of_affine(self, scale: np.ndarray, shift: np.ndarray) -> Convolution:
        each = self.kernel * shift[:, np.newaxis]
        return self._weighted(scale[:, np.newaxis], each.sum(axis=(0, 1)).reshape(-1))

    def _by_filter(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.reshape(self.kernel.shape[2:])


@dataclass(frozen=True)
class MaxPool:
    config: dict[str, Any]


@dataclass(frozen=True)
class ZeroPadding:
    """A border of zeros, by a layer."""

    layer: Layer


@dataclass(frozen=True)
class Reshaping:
    """The same numbers in the same order, in another shape (without the batch)."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Cellwise:
    """Arrays joined cell by cell, one after the other; those of one cell a channel are broadcast."""

    function: Callable[..., Any]


@dataclass(frozen=True)
class Other:
    """Any other layer, computed as `Network` computes it, with its activation."""

    layer: Layer


Operation = Convolution | Affine | MaxPool | ZeroPadding | Reshaping | Cellwise | Activation | Other
RELU = Activation("relu")
CELLWISE = {
    "add": np.add,
    "multiply": np.multiply,
    "subtract": np.subtract,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
"""The ops that join two arrays by one ufunc."""


class Instruction(NamedTuple):
    """An operation, what it reads, and the name of what it makes."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]


def is_chain(layers: Sequence[Layer]) -> bool:
    """Whether the first layer is the input, of known size, and each other is fed by the one before."""
    fed = all(layer.inputs == (before.name,) for before, layer in pairwise(layers))
    return bool(layers) and not layers[0].inputs and fed and sizes_are_known(layers)


def sizes_are_known(layers: Sequence[Layer]) -> bool:
    return all(None not in layer.output_shape for layer in layers)


def simplify(layers: Sequence[Layer], outputs: Sequence[str]) -> tuple[list[Instruction], tuple[str, ...]]:
    """The steps from the inputs' values to the outputs', and what the outputs are called there.

    An affine map goes into the convolution before it, or into the one behind it: past max pooling only if
    no channel's scale is negative, which would turn a maximum into a minimum; into a convolution only if
    that reads no padding, which the map would have to leave at zero. All of this only where nothing else
    reads what disappears. What no output is made of is left out.
    """
    steps: list[Instruction] = []
    passed: dict[str, str] = {}
    """What a layer passes on, by the layer's name."""
    for layer in layers:
        reads = tuple(passed.get(name, name) for name in layer.inputs)
        parts = list(_operations(layer)) if reads else []
        for place, operation in enumerate(parts):
            last = place == len(parts) - 1
            name = layer.name if last else f"{layer.name}//{place}"  # no layer is called so
            steps.append(Instruction(name, operation, reads))
            reads = (name,)
        if not parts and layer.inputs:
            passed[layer.name] = reads[0]
    results = tuple(passed.get(name, name) for name in outputs)
    needed = set(results)
    for step in reversed(steps):
        if step.name in needed:
            needed.update(step.inputs)
    return _Simplified([step for step in steps if step.name in needed], results).steps(), results


class _Simplified:
    """Steps by the names of their results, put together one after the other."""

    def __init__(self, steps: Sequence[Instruction], outputs: Sequence[str]) -> None:
        self._readers = Counter([*outputs, *(name for step in steps for name in step.inputs)])
        self._done: dict[str, Instruction] = {}
        for step in steps:
            self._put(step)

    def steps(self) -> list[Instruction]:
        return list(self._done.values())

    def _put(self, step: Instruction) -> None:
        """Add a step: joined with the one whose only reader it is, or before it, where a rule says so."""
        before = self._done.get(step.inputs[0])
        alone = before is not None and len(step.inputs) == 1 and self._readers[before.name] == 1
        if before is None or not alone or before.name == step.name:
            self._done[step.name] = step
            return
        match before.operation, step.operation:
            case Convolution() as first, Affine(scale, shift):
                self._join(before, step, first.then_affine(scale, shift))
            case Affine() as first, Affine(scale, shift):
                self._join(before, step, Affine(first.scale * scale, first.shift * scale + shift))
            case Affine(scale, shift), Convolution() as second if _has_no_padding(second):
                self._join(before, step, second.of_affine(scale, shift))
            case ZeroPadding(layer), Convolution() as second if second.config["padding"] == "valid":
                self._join(before, step, second.padded(layer.config["padding"]))
            case Affine() as first, MaxPool() if first.scale.min() >= 0:
                self._swap(before, step, first)
            case Affine(scale, shift), Reshaping((cells,)):
                times = cells // len(scale)
                self._swap(before, step, Affine(np.tile(scale, times), np.tile(shift, times)))
            case Activation() as first, MaxPool() if first == RELU:
                self._swap(before, step, first)
            case _:
                self._done[step.name] = step

    def _join(self, before: Instruction, step: Instruction, operation: Operation) -> None:
        del self._done[before.name]
        self._put(Instruction(step.name, operation, before.inputs))

    def _swap(self, before: Instruction, step: Instruction, first: Operation) -> None:
        """The second operation first; what the first one is by then, behind it."""
        del self._done[before.name]
        self._put(Instruction(before.name, step.operation, before.inputs))
        self._put(Instruction(step.name, first, (before.name,)))


def _operations(layer: Layer) -> Iterator[Operation]:
    """What a layer does, one after the other; nothing if it passes its input on."""
    entry, activation = layer.entry, layer.activation
    if (affine := entry.as_affine(layer)) is not None:
        yield affine
    elif (convolution := entry.as_convolution(layer)) is not None:
        yield Convolution(*convolution)
    elif entry.op == "depthwise_conv2d":
        yield DepthwiseConvolution(layer.weights["kernel"], layer.weights.get("bias"), dict(layer.config))
    elif entry.op == "max_pool2d":
        yield MaxPool(dict(layer.config))
    elif entry.op == "zero_pad2d":
        yield ZeroPadding(layer)
    elif entry.relays:
        yield Reshaping(cast(tuple[int, ...], layer.output_shape))
    elif entry.op in CELLWISE and {len(shape) for shape in layer.input_shapes} == {len(layer.output_shape)}:
        yield Cellwise(CELLWISE[entry.op])
    elif not (layer.is_activation or layer.passes_on):
        yield Other(layer)
        return
    if activation is not None:
        yield activation


def _has_no_padding(convolution: Convolution) -> bool:
    padding = convolution.config["padding"]
    return padding == "valid" or (padding == "same" and convolution.kernel.shape[:2] == (1, 1))
