"""The forward pass when only the output is wanted: fewer steps, on blocks that stay in the cache.

Batch normalisation is folded into neighbouring weights, pooling goes before ReLU, and a chain of
layers is compiled once into a list of NumPy calls on fixed buffers. Graphs with branches are left
to `Network`. Folding rounds differently; nothing here is used where activations are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, cast

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Affine, Layer
from cnnviz.ops.blocks import Call, images_at_once, run
from cnnviz.ops.im2col import im2col_blocks, im2col_steps, repeated
from cnnviz.ops.padding import Axis, Window, window
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.pooling import window_steps

IMAGES = 16
ACTIVATION_BYTES = 1 << 20
"""A block is as many images, up to IMAGES, as keep the largest activation below a megabyte."""


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
        extra = (self.kernel * shifts).sum(axis=(0, 1, 2))
        return replace(
            self, kernel=self.kernel * scales, bias=extra if self.bias is None else self.bias + extra
        )

    def then_affine(self, scale: np.ndarray, shift: np.ndarray) -> Convolution:
        """The convolution whose output is this one's times scale plus shift."""
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, kernel=self.kernel * scale, bias=bias)


@dataclass(frozen=True)
class MaxPool:
    config: dict[str, Any]


@dataclass(frozen=True)
class Flattening:
    """Maps of this many cells become vectors."""

    cells: int


@dataclass(frozen=True)
class Other:
    """Any other layer, computed as `Network` computes it."""

    layer: Layer


Operation = Convolution | Affine | MaxPool | Flattening | Activation | Other
RELU = Activation("relu")


def is_chain(layers: Sequence[Layer]) -> bool:
    """Whether the first layer is the input, of known size, and each other is fed by the one before."""
    fed = all(layer.inputs == (before.name,) for before, layer in pairwise(layers))
    known = all(None not in layer.output_shape for layer in layers)
    return bool(layers) and not layers[0].inputs and fed and known


def simplify(layers: Sequence[Layer]) -> list[Operation]:
    """A chain's operations, with batch normalisation folded away and pooling before ReLU.

    An affine map goes into the convolution before it, or waits for the next one: past max pooling
    only if no channel's scale is negative, which would turn a maximum into a minimum; into a
    convolution only if that reads no padding, which the map would have to leave at zero.
    """
    done: list[Operation] = []
    waiting: Affine | None = None
    for operation in (operation for layer in layers[1:] for operation in _operations(layer)):
        if isinstance(operation, Affine):
            last = done[-1] if done else None
            if waiting is not None:
                waiting = Affine(
                    waiting.scale * operation.scale, waiting.shift * operation.scale + operation.shift
                )
            elif isinstance(last, Convolution):
                done[-1] = last.then_affine(operation.scale, operation.shift)
            else:
                waiting = operation
            continue
        if waiting is not None:
            if isinstance(operation, Convolution) and _has_no_padding(operation):
                operation, waiting = operation.of_affine(waiting.scale, waiting.shift), None
            elif isinstance(operation, Flattening):
                waiting = Affine(
                    np.tile(waiting.scale, operation.cells), np.tile(waiting.shift, operation.cells)
                )
            elif not (isinstance(operation, MaxPool) and waiting.scale.min() >= 0):
                done.append(waiting)
                waiting = None
        if isinstance(operation, MaxPool) and done and done[-1] == RELU:
            done.insert(-1, operation)
        else:
            done.append(operation)
    return done if waiting is None else [*done, waiting]


def _operations(layer: Layer) -> Iterator[Operation]:
    entry = layer.entry
    if (affine := entry.as_affine(layer)) is not None:
        yield affine
    elif (convolution := entry.as_convolution(layer)) is not None:
        yield Convolution(*convolution)
    elif entry.op == "max_pool2d":
        yield MaxPool(dict(layer.config))
    elif entry.relays and len(layer.output_shape) == 1:
        yield Flattening(math.prod(cast(tuple[int, ...], layer.input_shape[:-1])))
    elif not (layer.is_activation or layer.passes_on):
        yield Other(layer)
        return
    if layer.activation is not None:
        yield layer.activation


def _has_no_padding(convolution: Convolution) -> bool:
    padding = convolution.config["padding"]
    return padding == "valid" or (padding == "same" and convolution.kernel.shape[:2] == (1, 1))


class Program:
    """A chain compiled for blocks of `count` images: a list of NumPy calls on fixed buffers.

    Not for two threads at once: they would share the buffers.
    """

    def __init__(self, layers: Sequence[Layer], count: int, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._steps: list[Call] = []
        self.count = count
        self.input = np.zeros((count, *_known(layers[0])), dtype)
        largest = max(math.prod(_known(layer)) for layer in layers)
        # An array of zeros: the maximum with it is three times as fast as with the number 0.
        self._zeros = np.zeros(count * largest, dtype)
        self.output = self.input
        for operation in simplify(layers):
            self.output = self._compile(operation, self.output)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The chain's output for `count` images; the array is overwritten by the next call."""
        np.copyto(self.input, x)
        run(self._steps)
        return self.output

    def _compile(self, operation: Operation, x: np.ndarray) -> np.ndarray:
        """Add the calls of one operation on the buffer x; the buffer that its result is in."""
        match operation:
            case Convolution():
                return self._convolution(operation, x)
            case MaxPool(config):
                geometry = window(x.shape[1:3], config["pool_size"], config["strides"], config["padding"])
                y = self._empty(*geometry.out, x.shape[3])
                firsts = range(0, self.count, images_at_once(x))
                self._steps += window_steps(x, geometry, np.maximum, -np.inf, y, firsts)
                return y
            case Flattening():
                return x.reshape(self.count, -1)
            case Affine(scale, shift):
                cells = x[0].size // len(scale)
                each = x.reshape(self.count, -1)
                self._steps += [
                    partial(np.multiply, each, np.tile(scale, cells), out=each),
                    partial(np.add, each, np.tile(shift, cells), out=each),
                ]
                return x
            case Activation():
                if operation == RELU:
                    flat = x.reshape(-1)
                    self._steps.append(partial(np.maximum, flat, self._zeros[: flat.size], out=flat))
                else:
                    self._steps.append(partial(_put, x, operation, x))
                return x
            case Other(layer):
                y = self._empty(*_known(layer))
                self._steps.append(partial(_put, y, _whole(layer), x))
                return y

    def _convolution(self, operation: Convolution, x: np.ndarray) -> np.ndarray:
        config, kernel = operation.config, operation.kernel.astype(self._dtype)
        bias = None if operation.bias is None else operation.bias.astype(self._dtype)
        shape = x.shape
        x = x.reshape(self.count, 1, 1, -1) if x.ndim == 2 else x
        geometry = window(
            x.shape[1:3], kernel.shape[:2], config["strides"], config["padding"], config["dilation_rate"]
        )
        if geometry.padded:
            x, geometry = self._padded(x, geometry)
        y = self._empty(*geometry.out, kernel.shape[3])
        parts = im2col_blocks(self.count, kernel.shape, geometry, config["groups"], x.itemsize)
        self._steps += im2col_steps(x, kernel, repeated(bias), geometry, config["groups"], y, parts[0], parts)
        return y.reshape(self.count, -1) if len(shape) == 2 else y

    def _padded(self, x: np.ndarray, geometry: Window) -> tuple[np.ndarray, Window]:
        """A buffer with a border of zeros that x is copied into, and the geometry on it."""
        rows, cols = geometry
        padded = np.zeros((self.count, rows.padded, cols.padded, x.shape[3]), x.dtype)
        inside = padded[:, rows.before : rows.before + rows.size, cols.before : cols.before + cols.size]
        self._steps.append(partial(np.copyto, inside, x))
        return padded, Window(*(Axis(a.padded, a.kernel, a.stride, a.dilation) for a in geometry))

    def _empty(self, *shape: int) -> np.ndarray:
        return np.empty((self.count, *shape), self._dtype)


def _known(layer: Layer) -> tuple[int, ...]:
    """A layer's output shape, all sizes of which are known in a chain."""
    return cast(tuple[int, ...], layer.output_shape)


def _put(y: np.ndarray, function: Any, x: np.ndarray) -> None:
    y[...] = function(x)


def _whole(layer: Layer) -> Any:
    return lambda x: layer.after_activation(layer.before_activation(x))


class Inference:
    """Predictions of a chain of layers, block by block.

    Programs are compiled when first needed and kept; each is used by one thread at a time.
    """

    def __init__(self, layers: Sequence[Layer], dtype: np.dtype) -> None:
        self._layers, self._dtype = layers, dtype
        largest = max(math.prod(_known(layer)) for layer in layers) * dtype.itemsize
        self.images = max(1, min(IMAGES, ACTIVATION_BYTES // max(largest, 1)))
        self._idle: dict[int, list[Program]] = {}

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The network's output for prepared images (N, ...)."""
        y = np.empty((len(x), *_known(self._layers[-1])), self._dtype)

        def work(firsts: Iterable[int]) -> None:
            for first in firsts:
                part = x[first : first + self.images]
                idle = self._idle.setdefault(len(part), [])
                program = idle.pop() if idle else Program(self._layers, len(part), self._dtype)
                y[first : first + len(part)] = program(part)
                idle.append(program)

        with np.errstate(all="ignore"):
            in_parallel(work, range(0, len(x), self.images))
        return y
