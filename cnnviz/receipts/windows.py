"""Cells that read a window of a map: convolutions of every kind, and pools.

Positions come from `ops.padding`, the engine's own. Which layer class is taken apart by which
function is said in `arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.ops.padding import Axis, Window, transposed_window, window
from cnnviz.receipts.terms import Terms

Position = tuple[int, ...]


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


def weighted(
    layer: Layer,
    x: np.ndarray,
    cut: Mapping[str, Any],
    name: str,
    index: np.ndarray,
    **fields: Any,
) -> Terms:
    """Terms whose weights are entries of one of the layer's arrays."""
    weight = layer.weights[name][tuple(np.moveaxis(index, -1, 0))]
    return Terms.of(layer, [x], weight=weight, weight_name=name, weight_index=index, **cut, **fields)


def conv2d_terms(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """One group for each input channel of the filter's own group."""
    (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
    kh, kw, depth, filters = kernel.shape
    first = f // (filters // layer.config["groups"]) * depth
    channels = np.arange(first, first + depth)
    cut = _sliding(layer, x, kernel, position).cut(x, channels)
    index = _indices(np.arange(kh), np.arange(kw), np.arange(depth), np.full(depth, f))
    return weighted(layer, x, cut, "kernel", index, labels=_channels(channels), **bias_of(layer, f))


def depthwise_terms(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """One group: the channel that the output belongs to."""
    (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
    kh, kw, _, multiplier = kernel.shape
    channel = np.array([f // multiplier])
    cut = _sliding(layer, x, kernel, position).cut(x, channel)
    index = _indices(np.arange(kh), np.arange(kw), channel, [f % multiplier])
    return weighted(layer, x, cut, "kernel", index, labels=_channels(channel), **bias_of(layer, f))


def separable_terms(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """One group for each response of the depthwise step, mixed by the pointwise weights."""
    (x,), kernel, f = inputs, layer.weights["depthwise_kernel"], position[-1]
    kh, kw, depth, multiplier = kernel.shape
    channels, copies = np.divmod(np.arange(depth * multiplier), multiplier)
    cut = _sliding(layer, x, kernel, position).cut(x, channels)
    index = _indices(np.arange(kh), np.arange(kw), channels, copies)
    labels = [
        f"channel {c}" + (f".{m}" if multiplier > 1 else "") for c, m in zip(channels, copies, strict=True)
    ]
    mix = layer.weights["pointwise_kernel"][0, 0, :, f].astype(x.dtype)
    return weighted(
        layer, x, cut, "depthwise_kernel", index, mix=mix, labels=tuple(labels), **bias_of(layer, f)
    )


def transposed_terms(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """One group for each input channel: the cells whose stamps reach the output."""
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
    return weighted(layer, x, cut, "kernel", index, labels=_channels(channels), **bias_of(layer, f))


def _stamps(axis: Axis, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The taps whose stamps fall on cell p of a transposed convolution, and the inputs that stamp them."""
    taps = np.arange(axis.kernel)
    inputs, off = np.divmod(p + axis.before - taps * axis.dilation, axis.stride)
    reached = (off == 0) & (inputs >= 0) & (inputs < axis.out)
    return taps[reached], inputs[reached]


def pool_terms(layer: Layer, inputs: list[np.ndarray], position: Position) -> Terms:
    """One group: the window of one channel, with the weight 1 for the largest or 1/count for all."""
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
        return Terms.of(layer, [x], weight=np.where(there, share, 0), labels=labels, **cut)
    cut = patch.cut(x, channel, fill=-np.inf)
    weight = chosen(cut["factor"], ~cut["padding"], np.argmax)
    return Terms.of(layer, [x], weight=weight, labels=labels, selects="largest", **cut)


def chosen(factor: np.ndarray, there: np.ndarray, choose: Callable[..., Any]) -> np.ndarray:
    """1 for the number that is chosen, of those that are there, and 0 for the others."""
    candidates = np.flatnonzero(there)
    weight = np.zeros(factor.size, factor.dtype)
    weight[candidates[choose(factor.ravel()[candidates])]] = 1
    return weight.reshape(factor.shape)


def bias_of(layer: Layer, channel: int) -> dict[str, Any]:
    """The fields of Terms for the layer's bias, if it has one."""
    if "bias" not in layer.weights:
        return {}
    return {"bias": layer.weights["bias"][channel], "bias_name": "bias"}


def _channels(channels: np.ndarray) -> tuple[str, ...]:
    return tuple(f"channel {channel}" for channel in channels.tolist())
