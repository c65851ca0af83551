"""What a cell of each layer class is made of: which numbers, with which weights, and what bias.

`operands` is the one place that says it; windows are in `windows`, activations in `steps`. What only
moves numbers is asked by sending numbered cells through the layer itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz.layers.kinds import KINDS, normalization_statistics
from cnnviz.layers.layer import Layer
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.steps import batch_norm_steps, normalization_steps
from cnnviz.receipts.terms import Terms
from cnnviz.receipts.windows import (
    Position,
    bias_of,
    chosen,
    conv2d_terms,
    depthwise_terms,
    pool_terms,
    separable_terms,
    transposed_terms,
    weighted,
)


def operands(layer: Layer, inputs: Sequence[np.ndarray], position: Position) -> Terms:
    """The numbers that make up one cell of a layer, before its activation.

    Parameters
    ----------
    layer
        A layer of any class in `cnnviz.layers.kinds.KINDS`.
    inputs
        What it read for one image: arrays without a batch axis, in the order of `layer.inputs`; an
        InputLayer's is what it was given.
    position
        The cell's index along each axis of the layer's output, without the batch.

    Returns
    -------
    Terms

    Examples
    --------
    >>> pool = Layer.from_config("pool", "MaxPooling2D", {"pool_size": 2}, inputs=("image",))
    >>> terms = operands(pool, [np.arange(16.0).reshape(4, 4, 1)], (0, 1, 0))
    >>> float(terms.total), str(terms.winner)
    (7.0, 'image, row 1, column 3, channel 0')
    """
    if layer.kind in _BUILDERS:
        build = _BUILDERS[layer.kind]
    elif layer.is_activation or layer.passes_on:
        build = _passed
    elif KINDS[layer.kind].moves_values_only:
        build = _moved
    else:
        raise ValueError(f"receipts do not know the layer class {layer.kind}")
    return build(layer, list(inputs), position)


# One number ---------------------------------------------------------------------------------------


def _one(layer: Layer, x: np.ndarray, at: Position, weight: Any = 1, **fields: Any) -> Terms:
    """A single number times a weight."""
    factor = np.full((1, 1, 1), x[at])
    place = np.array(at, int).reshape(1, 1, 1, len(at))
    fields.setdefault("labels", (_label(x, at),))
    return Terms.of(layer, [x], factor, weight, place, **fields)


def _label(x: np.ndarray, position: Position) -> str:
    if not position:
        return "number"
    return f"{'unit' if x.ndim == 1 else 'channel'} {position[-1]}"


def _batch_norm(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), w = inputs, layer.weights
    channel = slice(position[-1], position[-1] + 1)
    mean, variance, gamma, beta = (
        w[name][channel].astype(x.dtype) if name in w else None
        for name in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    assert mean is not None
    assert variance is not None
    scale, shift = steps = batch_norm_steps(mean, variance, gamma, beta, layer.config["epsilon"])
    return _one(layer, x, position, scale.result, bias=shift.result, bias_name="shift", preparation=steps)


def _normalization(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,) = inputs
    invert = layer.config["invert"]
    both = normalization_statistics(layer.config, layer.weights, (1, *x.shape))
    mean, variance = (
        np.broadcast_to(np.asarray(array, x.dtype), (1, *x.shape))[(0, *position)] for array in both
    )
    steps = normalization_steps(mean, variance, invert)
    scale, shift = steps[0].result if invert else steps[1].result, mean if invert else steps[2].result
    name = "mean" if invert else "shift"
    return _one(layer, x, position, scale, bias=shift, bias_name=name, preparation=steps)


def _rescaling(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,) = inputs
    scale, offset = (
        np.broadcast_to(np.asarray(layer.config[name], x.dtype), x.shape)[position]
        for name in ("scale", "offset")
    )
    return _one(layer, x, position, scale, bias=offset, bias_name="offset")


def _passed(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    return _one(layer, inputs[0], position)


def _given(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """An input of the network: no products, and the number itself as what is added."""
    (x,) = inputs
    nothing = np.empty((0, 1, 1), x.dtype)
    places = np.empty((0, 1, 1, len(position)), int)
    return Terms.of(layer, [x], nothing, 1, places, bias=x[position], bias_name="given")


def _dense(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), kernel, unit = inputs, layer.weights["kernel"], position[-1]
    channels = np.arange(len(kernel))
    before = np.array(position[:-1], int)
    places = np.concatenate([np.tile(before, (len(channels), 1)), channels[:, None]], axis=1)
    index = np.stack([channels, np.full(len(channels), unit)], axis=-1)
    cut = {
        "factor": x[position[:-1]].reshape(-1, 1, 1),
        "position": places[:, None, None],
        "labels": tuple(_label(x, (c,)) for c in channels.tolist()),
    }
    return weighted(layer, x, cut, "kernel", index[:, None, None], **bias_of(layer, unit))


# Several inputs -----------------------------------------------------------------------------------


def _merged(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    cells = [_broadcast_place(x.shape, position) for x in inputs]
    numbers = [x[cell] for x, cell in zip(inputs, cells, strict=True)]
    if layer.kind == "Multiply":
        partners = tuple(Cell(name, cell) for name, cell in zip(layer.inputs[1:], cells[1:], strict=True))
        with np.errstate(all="ignore"):
            weight = math.prod(numbers[1:], start=inputs[0].dtype.type(1))
        return _one(layer, inputs[0], cells[0], weight, partners=partners, labels=layer.inputs[:1])
    factor = np.array(numbers, inputs[0].dtype).reshape(-1, 1, 1)
    axes = len(position)
    places = np.array([(0,) * (axes - len(cell)) + cell for cell in cells], int).reshape(-1, 1, 1, axes)
    fields: dict[str, Any] = {}
    match layer.kind:
        case "Subtract":
            weight = np.array([1, -1]).reshape(-1, 1, 1)
        case "Average":
            weight = factor.dtype.type(1) / factor.dtype.type(len(factor))
        case "Maximum" | "Minimum":
            largest = layer.kind == "Maximum"
            choose: Any = np.argmax if largest else np.argmin
            weight = chosen(factor, np.ones(factor.shape, bool), choose)
            fields["selects"] = "largest" if largest else "smallest"
        case _:
            weight = 1
    return Terms.of(layer, inputs, factor, weight, places, labels=layer.inputs, **fields)


def _broadcast_place(shape: tuple[int, ...], position: Position) -> Position:
    """The cell of an input that goes into a cell of a merge; axes of length 1 are repeated."""
    behind = position[len(position) - len(shape) :]
    return tuple(0 if size == 1 else i for size, i in zip(shape, behind, strict=True))


# Moves --------------------------------------------------------------------------------------------


def _moved(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    came_from = int(origins(layer, tuple(x.shape for x in inputs))[position])
    if came_from < 0:
        return _padded(layer, inputs[0], position)
    ends = np.cumsum([x.size for x in inputs])
    place = int(np.searchsorted(ends, came_from, side="right"))
    x = inputs[place]
    came_from -= int(ends[place]) - x.size
    at = tuple(int(i) for i in np.unravel_index(came_from, x.shape))
    terms = _one(layer, x, at)
    if len(inputs) == 1:
        return terms
    # The other inputs keep their places in `sources`.
    axes = len(position)
    full = np.array((0,) * (axes - len(at)) + at, int).reshape(1, 1, 1, axes)
    return Terms.of(
        layer, inputs, terms.factor, 1, full, source=np.array([place]), labels=(layer.inputs[place],)
    )


@lru_cache(maxsize=64)
def origins(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Where a layer that only moves numbers takes each from: flat indices, -1 for padding.

    Indices of a second input go on where the first one's end. Numbered cells are sent through the
    layer itself, so this cannot differ from what it computes.

    >>> flip = Layer.from_config("flip", "Permute", {"dims": (2, 1)}, inputs=("x",))
    >>> origins(flip, ((2, 3),)).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    numbered, start = [], 1
    for shape in shapes:
        size = math.prod(shape)
        numbered.append(np.arange(start, start + size, dtype=np.float64).reshape(1, *shape))
        start += size
    found = layer.before_activation(*numbered)[0].astype(np.int64) - 1
    found.flags.writeable = False
    return found


def _padded(layer: Layer, x: np.ndarray, position: Position) -> Terms:
    """A zero that ZeroPadding2D put around a map, outside which it lies."""
    (top, _), (left, _) = layer.config["padding"]
    outside = np.array((position[0] - top, position[1] - left, position[2])).reshape(1, 1, 1, 3)
    factor, padding = np.zeros((1, 1, 1), x.dtype), np.ones((1, 1, 1), bool)
    return Terms.of(layer, [x], factor, 1, outside, padding=padding, labels=("padding",))


_BUILDERS: Mapping[str, Callable[[Layer, list[np.ndarray], Position], Terms]] = MappingProxyType(
    {
        "InputLayer": _given,
        "Conv2D": conv2d_terms,
        "DepthwiseConv2D": depthwise_terms,
        "SeparableConv2D": separable_terms,
        "Conv2DTranspose": transposed_terms,
        "Dense": _dense,
        "MaxPooling2D": pool_terms,
        "AveragePooling2D": pool_terms,
        "GlobalMaxPooling2D": pool_terms,
        "GlobalAveragePooling2D": pool_terms,
        "BatchNormalization": _batch_norm,
        "Normalization": _normalization,
        "Rescaling": _rescaling,
        **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _merged),
    }
)
"""How each layer class is taken apart; the others apply an activation, or pass on or move numbers."""
