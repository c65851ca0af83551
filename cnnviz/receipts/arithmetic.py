"""What a cell of each layer class is made of: which numbers, with which weights, and what bias.

`operands` is the one place that says it. Positions come from `ops.geometry`; what only moves numbers
is asked by sending numbered cells through the layer itself. Activations are in `steps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz.layer import Layer
from cnnviz.layer_kinds import KINDS, normalization_statistics
from cnnviz.ops.geometry import Axis, Window, transposed_window, window
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.steps import batch_norm_steps, normalization_steps
from cnnviz.receipts.terms import Terms

Position = tuple[int, ...]


def operands(layer: Layer, inputs: Sequence[np.ndarray], position: Position) -> Terms:
    """The numbers that make up one cell of a layer, before its activation.

    Parameters
    ----------
    layer
        A layer of any class in `cnnviz.layer_kinds.KINDS`.
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


# Building terms ---------------------------------------------------------------------------------


def _terms(
    layer: Layer,
    inputs: list[np.ndarray],
    factor: np.ndarray,
    weight: Any,
    position: np.ndarray,
    **fields: Any,
) -> Terms:
    """Terms whose groups read one source, or one source each where there are several."""
    dtype = inputs[0].dtype
    several = len(inputs) > 1
    fields.setdefault("source", np.arange(len(factor)) if several else np.zeros(len(factor), int))
    fields.setdefault("padding", np.zeros(factor.shape, bool))
    fields["bias"] = dtype.type(fields.get("bias", 0))
    return Terms(
        sources=layer.inputs,
        shapes=tuple(x.shape for x in inputs) if layer.inputs else (),
        factor=factor,
        weight=np.broadcast_to(np.asarray(weight, dtype), factor.shape),
        position=position,
        **fields,
    )


def _one(layer: Layer, x: np.ndarray, at: Position, weight: Any = 1, **fields: Any) -> Terms:
    """A single number times a weight."""
    factor = np.full((1, 1, 1), x[at])
    place = np.array(at, int).reshape(1, 1, 1, len(at))
    return _terms(layer, [x], factor, weight, place, labels=(_label(x, at),), **fields)


def _bias(layer: Layer, channel: int) -> dict[str, Any]:
    if "bias" not in layer.weights:
        return {}
    return {"bias": layer.weights["bias"][channel], "bias_name": "bias"}


def _channels(channels: np.ndarray) -> tuple[str, ...]:
    return tuple(f"channel {channel}" for channel in channels.tolist())


def _label(x: np.ndarray, position: Position) -> str:
    if not position:
        return "number"
    return f"{'unit' if x.ndim == 1 else 'channel'} {position[-1]}"


# Windows ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Patch:
    """The cells of a map that one window reads: their rows and columns, and which are padding."""

    rows: np.ndarray
    cols: np.ndarray
    padding: np.ndarray

    @classmethod
    def of(cls, axes: Window, position: Position) -> _Patch:
        rows, cols = (_reads(axis, u) for axis, u in zip(axes, position, strict=False))
        outside = [(at < 0) | (at >= axis.size) for at, axis in zip((rows, cols), axes, strict=True)]
        return cls(rows, cols, outside[0][:, None] | outside[1])

    def cut(self, x: np.ndarray, channels: np.ndarray, fill: float = 0.0) -> dict[str, Any]:
        """The fields of Terms for what is read of some channels of x (H, W, C)."""
        inside = [np.clip(at, 0, size - 1) for at, size in zip((self.rows, self.cols), x.shape, strict=False)]
        factor = x[np.ix_(*inside, channels)].transpose(2, 0, 1)
        shape = factor.shape
        places = np.broadcast_arrays(self.rows[:, None], self.cols, channels[:, None, None])
        return {
            "factor": np.where(self.padding, x.dtype.type(fill), factor),
            "position": np.stack(places, axis=-1),
            "padding": np.broadcast_to(self.padding, shape),
        }


def _reads(axis: Axis, u: int) -> np.ndarray:
    """The inputs that the taps of output u read, padding included."""
    return u * axis.stride - axis.before + np.arange(axis.kernel) * axis.dilation


def _sliding(layer: Layer, x: np.ndarray, kernel: np.ndarray, position: Position) -> _Patch:
    c = layer.config
    axes = window(x.shape[:2], kernel.shape[:2], c["strides"], c["padding"], c["dilation_rate"])  # type: ignore[arg-type]
    return _Patch.of(axes, position)


def _indices(rows: Any, cols: Any, third: Any, fourth: Any) -> np.ndarray:
    """(groups, rows, columns, 4): indices of a kernel's entries; the last two one for each group."""
    third, fourth = (np.asarray(axis)[..., None, None] for axis in (third, fourth))
    rows, cols = np.asarray(rows)[:, None], np.asarray(cols)
    return np.stack(np.broadcast_arrays(rows, cols, third, fourth), axis=-1)


def _convolved(
    layer: Layer,
    x: np.ndarray,
    cut: Mapping[str, Any],
    name: str,
    index: np.ndarray,
    **fields: Any,
) -> Terms:
    """Terms whose weights are entries of one of the layer's arrays."""
    weight = layer.weights[name][tuple(np.moveaxis(index, -1, 0))]
    return _terms(layer, [x], weight=weight, weight_name=name, weight_index=index, **cut, **fields)


def _conv2d(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
    kh, kw, depth, filters = kernel.shape
    first = f // (filters // layer.config["groups"]) * depth
    channels = np.arange(first, first + depth)
    cut = _sliding(layer, x, kernel, position).cut(x, channels)
    index = _indices(np.arange(kh), np.arange(kw), np.arange(depth), np.full(depth, f))
    return _convolved(layer, x, cut, "kernel", index, labels=_channels(channels), **_bias(layer, f))


def _depthwise(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
    kh, kw, _, multiplier = kernel.shape
    channel = np.array([f // multiplier])
    cut = _sliding(layer, x, kernel, position).cut(x, channel)
    index = _indices(np.arange(kh), np.arange(kw), channel, [f % multiplier])
    return _convolved(layer, x, cut, "kernel", index, labels=_channels(channel), **_bias(layer, f))


def _separable(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), kernel, f = inputs, layer.weights["depthwise_kernel"], position[-1]
    kh, kw, depth, multiplier = kernel.shape
    channels, copies = np.divmod(np.arange(depth * multiplier), multiplier)
    cut = _sliding(layer, x, kernel, position).cut(x, channels)
    index = _indices(np.arange(kh), np.arange(kw), channels, copies)
    labels = [
        f"channel {c}" + (f".{m}" if multiplier > 1 else "") for c, m in zip(channels, copies, strict=True)
    ]
    mix = layer.weights["pointwise_kernel"][0, 0, :, f].astype(x.dtype)
    return _convolved(
        layer, x, cut, "depthwise_kernel", index, mix=mix, labels=tuple(labels), **_bias(layer, f)
    )


def _transposed(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), kernel, c, f = inputs, layer.weights["kernel"], layer.config, position[-1]
    axes = transposed_window(
        x.shape[:2],  # type: ignore[arg-type]
        kernel.shape[:2],
        c["strides"],
        c["padding"],
        c["dilation_rate"],
        c["output_padding"],
    )
    (down, rows), (across, cols) = (_stamps(axis, p) for axis, p in zip(axes, position, strict=False))
    channels = np.arange(x.shape[-1] if len(rows) and len(cols) else 0)
    patch = _Patch(rows, cols, np.zeros((len(rows), len(cols)), bool))
    index = _indices(down, across, np.full(len(channels), f), channels)
    cut = patch.cut(x, channels)
    return _convolved(layer, x, cut, "kernel", index, labels=_channels(channels), **_bias(layer, f))


def _stamps(axis: Axis, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The taps whose stamps fall on cell p of a transposed convolution, and the inputs that stamp them."""
    taps = np.arange(axis.kernel)
    inputs, off = np.divmod(p + axis.before - taps * axis.dilation, axis.stride)
    reached = (off == 0) & (inputs >= 0) & (inputs < axis.out)
    return taps[reached], inputs[reached]


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
    return _convolved(layer, x, cut, "kernel", index[:, None, None], **_bias(layer, unit))


# Pools ------------------------------------------------------------------------------------------


def _pooled(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    (x,), c = inputs, layer.config
    if layer.kind.startswith("Global"):
        axes = Window(*(Axis(size, size) for size in x.shape[:2]))
        position = (0, 0, position[-1])
    else:
        axes = window(x.shape[:2], c["pool_size"], c["strides"], c["padding"])  # type: ignore[arg-type]
    patch, channel = _Patch.of(axes, position), np.array(position[-1:])
    labels = (f"channel {position[-1]}",)
    if "Average" in layer.kind:
        cut = patch.cut(x, channel)
        there = ~cut["padding"]
        share = x.dtype.type(1) / x.dtype.type(there.sum())
        return _terms(layer, [x], weight=np.where(there, share, 0), labels=labels, **cut)
    cut = patch.cut(x, channel, fill=-np.inf)
    weight = _chosen(cut["factor"], ~cut["padding"], np.argmax)
    return _terms(layer, [x], weight=weight, labels=labels, selects="largest", **cut)


def _chosen(factor: np.ndarray, there: np.ndarray, choose: Callable[..., Any]) -> np.ndarray:
    """1 for the number that is chosen, of those that are there, and 0 for the others."""
    candidates = np.flatnonzero(there)
    weight = np.zeros(factor.size, factor.dtype)
    weight[candidates[choose(factor.ravel()[candidates])]] = 1
    return weight.reshape(factor.shape)


# One number ---------------------------------------------------------------------------------------


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
    return _terms(layer, [x], nothing, 1, places, bias=x[position], bias_name="given")


# Several inputs -----------------------------------------------------------------------------------


def _merged(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    cells = [_broadcast_place(x.shape, position) for x in inputs]
    numbers = [x[cell] for x, cell in zip(inputs, cells, strict=True)]
    if layer.kind == "Multiply":
        partners = tuple(Cell(name, cell) for name, cell in zip(layer.inputs[1:], cells[1:], strict=True))
        with np.errstate(all="ignore"):
            weight = math.prod(numbers[1:], start=inputs[0].dtype.type(1))
        return _one(layer, inputs[0], cells[0], weight, partners=partners)
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
            weight = _chosen(factor, np.ones(factor.shape, bool), choose)
            fields["selects"] = "largest" if largest else "smallest"
        case _:
            weight = 1
    return _terms(layer, inputs, factor, weight, places, labels=layer.inputs, **fields)


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
    return _terms(
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
    return _terms(layer, [x], factor, 1, outside, padding=padding, labels=("padding",))


_BUILDERS: Mapping[str, Callable[[Layer, list[np.ndarray], Position], Terms]] = MappingProxyType(
    {
        "InputLayer": _given,
        "Conv2D": _conv2d,
        "DepthwiseConv2D": _depthwise,
        "SeparableConv2D": _separable,
        "Conv2DTranspose": _transposed,
        "Dense": _dense,
        "MaxPooling2D": _pooled,
        "AveragePooling2D": _pooled,
        "GlobalMaxPooling2D": _pooled,
        "GlobalAveragePooling2D": _pooled,
        "BatchNormalization": _batch_norm,
        "Normalization": _normalization,
        "Rescaling": _rescaling,
        **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _merged),
    }
)
"""How each layer class is taken apart; the others apply an activation, or pass on or move numbers."""
