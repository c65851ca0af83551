"""The forward pass when only the output is wanted: fewer steps, on blocks that stay in the cache.

A simplified network is compiled once into a list of NumPy calls on fixed buffers; an activation follows on
each block of its convolution while that is in the cache. Buffers serve again as soon as nothing reads them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial
from itertools import chain
from typing import Any, cast

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Affine, Layer
from cnnviz.layers.work import ELEMENTWISE_COST
from cnnviz.network.simplifying import (
    Cellwise,
    Convolution,
    DepthwiseConvolution,
    Instruction,
    MaxPool,
    Operation,
    Other,
    Reshaping,
    ZeroPadding,
    simplify,
)
from cnnviz.ops.blocks import BLOCK_BYTES, Call, Finish, as_it_is, batches, evenly, run
from cnnviz.ops.convolution import BY_METHOD
from cnnviz.ops.depthwise import along_rows, depthwise_blocks, depthwise_steps
from cnnviz.ops.im2col import im2col_blocks, im2col_steps, repeated
from cnnviz.ops.padding import window
from cnnviz.ops.parallel import in_parallel, is_busy, one_blas_thread, shares, threads
from cnnviz.ops.planning import is_possible
from cnnviz.ops.pooling import window_steps

IMAGES = 16
ACTIVATION_BYTES = BLOCK_BYTES
"""A block is as many images, up to IMAGES, as keep the largest activation in the cache."""

BAND = BLOCK_BYTES // 16
"""Numbers that are treated at one time where each is by itself: they and a copy stay in the cache."""

WORTH_SHARING = 1 << 25
"""Multiply-adds of a matrix product, half a millisecond's, from which on threads share a step: waking one
takes a tenth of that."""


class Memory:
    """Flat arrays for the values between the steps: what is given back is handed out again."""

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._free: list[np.ndarray] = []

    def take(self, *shape: int) -> np.ndarray:
        """An array of this shape, whatever is in it: the smallest free one that is large enough, or a new."""
        numbers = math.prod(shape)
        fitting = [place for place, flat in enumerate(self._free) if flat.size >= numbers]
        if fitting:
            flat = self._free.pop(min(fitting, key=lambda place: self._free[place].size))
        else:
            flat = np.empty(numbers, self._dtype)
        return flat[:numbers].reshape(shape)

    def give_back(self, array: np.ndarray) -> None:
        while isinstance(array.base, np.ndarray):
            array = array.base
        self._free.append(array.reshape(-1))


class Program:
    """Steps compiled for `count` images: stages that follow each other, each of lists of calls that may run
    side by side.

    Not for two threads at once: they would share the buffers.
    """

    def __init__(
        self,
        steps: Sequence[Instruction],
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Sequence[str],
        count: int,
        dtype: np.dtype,
        workers: int = 1,
        method: str = "auto",
    ) -> None:
        self.count, self._workers, self._method = count, workers, method
        self._stages: list[list[list[Call]]] = []
        self._shared = False
        self._memory = Memory(dtype)
        self._dtype = dtype
        self._values = {name: np.zeros((count, *shape), dtype) for name, shape in inputs.items()}
        self._filled = cache(lambda number: np.full(BAND, number, dtype))
        self.inputs = dict(self._values)
        self._readers = Counter([*outputs, *(name for step in steps for name in step.inputs)])
        left = list(steps)
        while left:
            step = left.pop(0)
            finished = bool(left) and self._is_finish(step, left[0])
            self._compile(step, left.pop(0) if finished else None)
        self.outputs = tuple(self._values[name] for name in outputs)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The outputs for `count` images; the arrays are overwritten by the next call."""
        for name, array in inputs.items():
            np.copyto(self.inputs[name], array)
        # BLAS's own threads wait for each other in loops, which on a busy machine is slower than one.
        with one_blas_thread() if self._shared else nullcontext():
            for stage in self._stages:
                if len(stage) == 1:
                    run(stage[0])
                else:
                    in_parallel(lambda lists: run(chain.from_iterable(lists)), stage)
        return self.outputs

    def _is_finish(self, step: Instruction, behind: Instruction) -> bool:
        """Whether the step behind alone reads this one's result, and is an activation, number by number."""
        activation = behind.operation
        return (
            isinstance(step.operation, Convolution | Affine | Cellwise)
            and isinstance(activation, Activation)
            and behind.inputs == (step.name,)
            and self._readers[step.name] == 1
            and _number_by_number(activation)
        )

    def _compile(self, step: Instruction, behind: Instruction | None) -> None:
        """Add the calls of a step, and of the activation behind it that finishes each block of its result."""
        reads = [self._values[each] for each in step.inputs]
        finish = as_it_is if behind is None else self._finish(cast(Activation, behind.operation))
        result = self._result(step.operation, reads, finish, step.inputs)
        self._values[(behind or step).name] = result
        for each in set(step.inputs):
            self._readers[each] -= step.inputs.count(each)
            if not self._readers[each]:
                done = self._values.pop(each)
                if not any(np.may_share_memory(done, kept) for kept in self._values.values()):
                    self._memory.give_back(done)

    def _result(
        self, operation: Operation, reads: list[np.ndarray], finish: Finish, names: tuple[str, ...]
    ) -> np.ndarray:
        """Where an operation's result is, once the calls that this adds have been made."""
        x = reads[0]
        match operation:
            case DepthwiseConvolution():
                return self._depthwise(operation, x, finish)
            case Convolution():
                return self._convolution(operation, x, finish)
            case Reshaping(shape):
                return x.reshape(self.count, *shape)
            case MaxPool(config):
                geometry = window(x.shape[1:3], config["pool_size"], config["strides"], config["padding"])
                y = self._memory.take(self.count, *geometry.out, x.shape[3])
                self._add(window_steps(x, geometry, np.maximum, -np.inf, y, batches(x)))
                return y
            case Affine(scale, shift):
                y = self._over(x, names)
                self._add(self._affine(x, scale, shift, y, finish))
                return y
            case Cellwise(function):
                return self._cellwise(function, reads, names, finish)
            case Activation():
                y = self._over(x, names)
                if _number_by_number(operation):
                    self._bands(
                        y, lambda part: self._activated(operation, x.reshape(-1)[part], y.reshape(-1)[part])
                    )
                else:
                    self._add([partial(_put, y, operation, x)])
                return y
            case ZeroPadding(layer) | Other(layer):
                y = self._memory.take(self.count, *cast(tuple[int, ...], layer.output_shape))
                self._add([partial(_put, y, _whole(layer), *reads)])
                return y

    def _over(self, x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """An array for what is made of x, cell by cell: x itself if nothing else is to read it."""
        return x if self._may_go(x, names) else self._memory.take(*x.shape)

    def _may_go(self, x: np.ndarray, names: tuple[str, ...]) -> bool:
        """Whether x is no longer needed once the step that reads these values has been made."""
        sharing = [name for name, value in self._values.items() if np.may_share_memory(x, value)]
        return len(sharing) == 1 and self._readers[sharing[0]] == names.count(sharing[0])

    # Adding calls -------------------------------------------------------------------------------

    def _add(self, calls: Iterable[Call]) -> None:
        """Calls that follow all that came before; they join the last stage if that is one list too."""
        if not (self._stages and len(self._stages[-1]) == 1):
            self._stages.append([[]])
        self._stages[-1][0].extend(calls)

    def _add_shared(self, parts: Sequence[Any], multiply_adds: int, calls: Any) -> None:
        """The calls for some of the parts, in as many lists as there are workers if that saves time."""
        groups = shares(parts, self._workers if multiply_adds >= WORTH_SHARING else 1) if parts else []
        if len(groups) == 1:
            self._add(calls(groups[0]))
        elif groups:
            self._shared = True
            self._stages.append([list(calls(group)) for group in groups])

    def _bands(self, y: np.ndarray, calls: Any) -> None:
        bands = list(evenly(y.size, BAND))
        work = y.size * ELEMENTWISE_COST
        self._add_shared(bands, work, lambda some: (call for band in some for call in calls(band)))

    # One kind of operation each -----------------------------------------------------------------

    def _convolution(self, operation: Convolution, x: np.ndarray, finish: Finish) -> np.ndarray:
        config, kernel = operation.config, operation.kernel.astype(self._dtype, copy=False)
        bias = None if operation.bias is None else operation.bias.astype(self._dtype, copy=False)
        vector = x.ndim == 2
        x = x.reshape(self.count, 1, 1, -1) if vector else x
        geometry = window(
            x.shape[1:3], kernel.shape[:2], config["strides"], config["padding"], config["dilation_rate"]
        )
        y = self._memory.take(self.count, *geometry.out, kernel.shape[3])
        if self._method not in ("auto", "im2col") and is_possible(self._method, geometry):
            function = partial(
                BY_METHOD[self._method],
                kernel=kernel,
                bias=bias,
                geometry=geometry,
                groups=config["groups"],
            )
            self._add([partial(_put, y, function, x), *finish(y)])
            return y.reshape(self.count, -1) if vector else y
        parts = im2col_blocks(self.count, kernel.shape, geometry, config["groups"], x.itemsize)
        along = repeated(bias)
        self._add_shared(
            parts,
            y[..., 0].size * kernel.size,
            lambda some: im2col_steps(x, kernel, along, geometry, config["groups"], y, some[0], some, finish),
        )
        return y.reshape(self.count, -1) if vector else y

    def _depthwise(self, operation: DepthwiseConvolution, x: np.ndarray, finish: Finish) -> np.ndarray:
        config, kernel = operation.config, operation.kernel.astype(self._dtype, copy=False)
        bias = None if operation.bias is None else operation.bias.astype(self._dtype, copy=False)
        geometry = window(
            x.shape[1:3], kernel.shape[:2], config["strides"], config["padding"], config["dilation_rate"]
        )
        y = self._memory.take(self.count, *geometry.out, kernel.shape[2] * kernel.shape[3])
        parts = depthwise_blocks(self.count, kernel.shape, geometry, x.itemsize)
        along = along_rows(kernel, bias, parts)
        self._add_shared(
            parts,
            y[..., 0].size * kernel.size * ELEMENTWISE_COST,
            lambda some: depthwise_steps(x, along, geometry, y, some[0], some, finish),
        )
        return y

    def _affine(
        self, x: np.ndarray, scale: np.ndarray, shift: np.ndarray, y: np.ndarray, finish: Finish
    ) -> Iterator[Call]:
        """Row by row: the channels' numbers repeated along one, which makes it one run."""
        row = math.prod(x.shape[-2:]) if x.ndim > 2 else x.shape[-1]
        times = row // len(scale)
        scale, shift = (np.tile(numbers.astype(self._dtype), times) for numbers in (scale, shift))
        rows, results = x.reshape(-1, row), y.reshape(-1, row)
        for band in evenly(len(rows), max(1, BAND // row)):
            yield partial(np.multiply, rows[band], scale, out=results[band])
            yield partial(np.add, results[band], shift, out=results[band])
            yield from finish(results[band])

    def _cellwise(
        self, function: Any, reads: list[np.ndarray], names: tuple[str, ...], finish: Finish
    ) -> np.ndarray:
        shape = np.broadcast_shapes(*(x.shape for x in reads))
        # What is written over must have been read by then: with more than two, only the first one has.
        free = [x for x in reads if x.shape == shape and self._may_go(x, names)]
        over = (
            free[:1] if len(reads) == 2 else [x for x in free if x is reads[0] and names.count(names[0]) == 1]
        )
        y = over[0] if over else self._memory.take(*shape)
        if any(x.shape != shape for x in reads):
            self._add(_joined(function, reads, y))
            self._bands(y, lambda band: finish(y.reshape(-1)[band]))
        else:
            flat, whole = [x.reshape(-1) for x in reads], y.reshape(-1)
            self._bands(
                y,
                lambda band: [
                    *_joined(function, [x[band] for x in flat], whole[band]),
                    *finish(whole[band]),
                ],
            )
        return y

    def _finish(self, activation: Activation) -> Finish:
        return lambda block: self._over_bands(activation, block.reshape(-1))

    def _over_bands(self, activation: Activation, flat: np.ndarray) -> Iterator[Call]:
        for band in evenly(flat.size, BAND):
            yield from self._activated(activation, flat[band], flat[band])

    def _activated(self, activation: Activation, x: np.ndarray, y: np.ndarray) -> Iterator[Call]:
        """y = activation(x) for up to BAND numbers."""
        limit = _limit_of_relu(activation)
        if limit is not None:
            # With arrays of one number these are three times as fast as with the number.
            yield partial(np.maximum, x, self._filled(0.0)[: x.size], out=y)
            if limit < math.inf:
                yield partial(np.minimum, y, self._filled(limit)[: x.size], out=y)
        else:
            yield partial(_put, y, activation, x)


def _limit_of_relu(activation: Activation) -> float | None:
    """The largest number that a ReLU without slope or threshold lets through; None for anything else."""
    if activation.name == "relu6":
        return 6.0
    arguments = dict(activation.arguments)
    limit = arguments.pop("max_value", None)
    if activation.name != "relu" or any(arguments.values()):
        return None
    return math.inf if limit is None else limit


def _number_by_number(activation: Activation) -> bool:
    """Whether it does the same to each number, wherever that stands."""
    numbers = all(np.ndim(value) == 0 for value in activation.arguments.values())
    return activation.axis is None and numbers


def _joined(function: Any, arrays: Sequence[np.ndarray], y: np.ndarray) -> Iterator[Call]:
    first, *others = arrays
    for other in others:
        yield partial(function, first, other, out=y)
        first = y


def _put(y: np.ndarray, function: Any, *reads: np.ndarray) -> None:
    y[...] = function(*reads)


def _whole(layer: Layer) -> Any:
    return lambda *reads: layer.after_activation(layer.before_activation(*reads))


class Inference:
    """Predictions of a network in which all sizes are known, block by block.

    Programs are compiled when first needed and kept; each is used by one thread at a time.
    """

    def __init__(
        self, layers: Sequence[Layer], outputs: Sequence[str], dtype: np.dtype, method: str = "auto"
    ) -> None:
        self._method = method
        shapes = {layer.name: cast(tuple[int, ...], layer.output_shape) for layer in layers}
        self._dtype = dtype
        self._inputs = {layer.name: shapes[layer.name] for layer in layers if not layer.inputs}
        self._shapes = [shapes[name] for name in outputs]
        self._steps, self._outputs = simplify(layers, outputs)
        largest = max(map(math.prod, shapes.values())) * dtype.itemsize
        self.images = max(1, min(IMAGES, ACTIVATION_BYTES // max(largest, 1)))
        self.together = self.images * threads()
        """The most images that are computed at one time."""
        self._idle: dict[tuple[int, int], list[Program]] = {}

    def _program(self, size: int, workers: int) -> Program:
        steps = self._steps, self._inputs, self._outputs
        return Program(*steps, size, self._dtype, workers, self._method)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The network's outputs for prepared images (N, ...) by their inputs' names."""
        count = len(next(iter(inputs.values())))
        results = [np.empty((count, *shape), self._dtype) for shape in self._shapes]
        firsts = range(0, count, self.images)
        # A single block is shared among the threads; of several each thread takes whole ones.
        alone = len(firsts) == 1
        busy = alone and threads() > 1 and is_busy()
        workers = threads() if alone and not busy else 1

        def work(some: Iterable[int]) -> None:
            for first in some:
                part = {name: x[first : first + self.images] for name, x in inputs.items()}
                size = min(self.images, count - first)
                idle = self._idle.setdefault((size, workers), [])
                program = idle.pop() if idle else self._program(size, workers)
                for result, values in zip(results, program(part), strict=True):
                    result[first : first + size] = values
                idle.append(program)

        with np.errstate(all="ignore"), one_blas_thread() if busy else nullcontext():
            in_parallel(work, firsts)
        return results
