"""Convolutions as Keras's layers: plain, of sequences too, depthwise, separable, transposed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activations import parse_activation
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer, chosen
from cnnviz.layers.links import Expand, Gather, Links, Slide, Spread
from cnnviz.layers.operands import Operands, Position, operands, weighted
from cnnviz.layers.options import Options, Shape
from cnnviz.layers.sequences import SequenceEntry
from cnnviz.layers.slopes import over_images
from cnnviz.layers.windows import Patch, browser_axes, kernel_indices, map_shape, slides
from cnnviz.layers.work import CALL_COST, ELEMENTWISE_COST, Effort, Sizes
from cnnviz.ops.padding import Axis, Window, transposed_window, window

SLIDING: Options = {
    "strides": (read.size, (1, 1)),
    "padding": (read.padding, "valid"),
    "dilation_rate": (read.size, (1, 1)),
}
FUSED: Options = {"use_bias": (read.flag, True), "activation": (parse_activation, None)}
FILTERS: Options = {"filters": (read.count, None)}
KERNEL: Options = {"kernel_size": (read.size, None), **SLIDING, **FUSED}
SLIDING_1D: Options = {
    "strides": (read.length, 1),
    "padding": (read.choice("valid", "same"), "valid"),
    "dilation_rate": (read.length, 1),
}
KERNEL_1D: Options = {"kernel_size": (read.length, None), **SLIDING_1D, **FUSED}
MULTIPLIER: Options = {"depth_multiplier": (read.count, 1)}


CALLS_FOR_A_TAP = 8


class ConvolutionEntry(Entry):
    """What all convolutions have in common: a window that slides, a kernel, a bias."""

    weights: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    op_weights: ClassVar[tuple[str, ...]] = weights
    op_options: ClassVar[tuple[str, ...]] = ("strides", "padding", "dilation_rate")
    rank = 4
    label = "conv"
    depthwise: ClassVar[bool] = False
    """Whether its first kernel keeps the channels apart, whose sums are no matrix product."""

    def view(self, layer: Layer, shape: Sequence[int]) -> Window:
        """The window that slides over maps of this shape."""
        c = layer.config
        return window(shape[:2], c["kernel_size"], c["strides"], c["padding"], c["dilation_rate"])  # type: ignore[arg-type]

    def kernels(self, layer: Layer) -> list[np.ndarray]:
        return [layer.weights[name] for name in self.weights if name.endswith("kernel")]

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        gradient = getattr(ops, f"{self.op}_input_grad")
        options = chosen(layer.config, self.op_options)
        return (gradient(grad, *self.kernels(layer), inputs[0].shape, **options),)

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        if weight == "bias":
            return ops.conv2d_bias_grad(grad)
        # The op takes the shape of the kernel that is meant, and the other one as it is.
        pairs = zip(self.weights, self.kernels(layer), strict=False)
        kernels = [kernel.shape if name == weight else kernel for name, kernel in pairs]
        gradient = getattr(ops, f"{self.op}_{weight}_grad")
        return gradient(inputs[0], grad, *kernels, **chosen(layer.config, self.op_options))

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        height, width, channels = map_shape(shapes[0])
        return [(*slides(self.view(layer, (height, width))), *self.channel_links(layer, channels))]

    def channel_links(self, layer: Layer, channels: int) -> Links:
        """Which channels each filter reads: by default all."""
        return Gather(2), Expand(2, layer.config["filters"])

    def uses(self, layer: Layer, weight: str, index: Position, inputs: Arrays, grad: np.ndarray) -> Operands:
        if len(self.kernels(layer)) > 1 or weight == "bias":
            return super().uses(layer, weight, index, inputs, grad)
        (x,), view = inputs, self.view(layer, inputs[0].shape[1:])
        read, channel, back, f = self.met(layer, index)
        down, across = view.rows.tap(index[0]), view.cols.tap(index[1])
        here, there = (down[read], across[read]), (down[back], across[back])
        return over_images(
            x[(slice(None), *here, channel)],
            grad[(slice(None), *there, f)],
            _places(*here, channel),
            _places(*there, f),
        )

    def met(self, layer: Layer, index: Position) -> tuple[int, int, int, int]:
        """Which side of the window an entry of the kernel reads, and in which channel; and where it adds to.

        The sides are those of `Axis.tap`.
        """
        raise NotImplementedError

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        source = drawn.sources[0]
        return [conv_stage(layer, self.view(layer, source), self.groups(layer, source[2]))]

    def groups(self, layer: Layer, channels: int) -> int:
        return 1

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        found = super().effort(layer, shapes, out)
        if not self.depthwise:
            return found
        first = self.kernels(layer)[0]
        *taps, channels, multiplier = first.shape
        between = math.prod(out[:2]) * channels * multiplier
        return Effort(found.work + (ELEMENTWISE_COST - 1) * math.prod(taps) * between, between)

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        found = super().gradient_effort(layer, shapes, out)
        return found._replace(work=found.work + self.stamping(layer, shapes[0]))

    def stamping(self, layer: Layer, shape: Sizes) -> int:
        """The work of calls from Python where the kernel is stamped tap by tap."""
        height, width, _ = map_shape(shape)
        taps = math.prod(len(axis.reading) for axis in self.view(layer, (height, width)))
        return CALLS_FOR_A_TAP * CALL_COST * taps

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # A weight's gradient adds up all positions.
        return grad.size // grad.shape[-1] if of else self.stamp_roundings(layer)

    def stamp_roundings(self, layer: Layer) -> int:
        """Roundings on the way back to an input, on whose cell at most kh*kw stamps fall."""
        raise NotImplementedError


class Conv2DEntry(ConvolutionEntry):
    options = {**FILTERS, **KERNEL, "groups": (read.count, 1)}
    op = "conv2d"
    op_options = ("strides", "padding", "dilation_rate", "groups")

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        filters, groups = config["filters"], config["groups"]
        _check_groups(shape[-1], filters, groups)
        return {"kernel": (*config["kernel_size"], shape[-1] // groups, filters), "bias": (filters,)}

    def channel_links(self, layer: Layer, channels: int) -> Links:
        filters, groups = layer.config["filters"], layer.config["groups"]
        if groups == 1:
            return super().channel_links(layer, channels)
        _check_groups(channels, filters, groups)
        size = channels // groups
        return Slide(2, Axis(channels, size, size)), *_repeated(groups, filters // groups)

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """One group for each input channel of the filter's own group."""
        (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
        kh, kw, depth, filters = kernel.shape
        first = f // (filters // layer.config["groups"]) * depth
        channels = np.arange(first, first + depth)
        cut = Patch.of(self.view(layer, x.shape), position).cut(x, channels)
        index = kernel_indices(np.arange(kh), np.arange(kw), np.arange(depth), np.full(depth, f))
        return weighted(x, layer.weights, "kernel", index, cut, f, labels=_labels(channels))

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        """One group for each filter that reads the channel, of the cells that read this one."""
        kernel, (*_, c) = layer.weights["kernel"], cell
        depth, filters = kernel.shape[2:]
        size = filters // layer.config["groups"]
        patch, down, across = Patch.of_stamps(self.view(layer, inputs[0].shape), cell)
        own = c // depth * size + np.arange(size if patch.padding.size else 0)
        index = kernel_indices(down, across, np.full(len(own), c % depth), own)
        return _returned(grad, kernel, index, patch.cut(grad, own))

    def met(self, layer: Layer, index: Position) -> tuple[int, int, int, int]:
        *_, c, f = index
        *_, depth, filters = layer.weights["kernel"].shape
        return 0, f // (filters // layer.config["groups"]) * depth + c, 1, f

    def groups(self, layer: Layer, channels: int) -> int:
        return layer.config["groups"]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return math.prod(layer.weights["kernel"].shape[:-1]) + 2

    def stamp_roundings(self, layer: Layer) -> int:
        kh, kw, _, filters = layer.weights["kernel"].shape
        return filters // layer.config["groups"] + kh * kw - 1

    def as_convolution(self, layer: Layer) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]] | None:
        return layer.weights["kernel"], layer.weights.get("bias"), chosen(layer.config, self.op_options)


class SlidingSequenceEntry(SequenceEntry):
    """The convolution of that name, on a sequence."""

    weights: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    lengths = ("kernel_size", "strides", "dilation_rate")

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        """Those of the kernels on maps, without their axis of one column."""
        like = self.as_map(Layer("", self.maps, config))
        shapes = like.entry.weight_shapes(like.config, (shape[0], 1, shape[1]))
        return {name: (of[0], *of[2:]) if len(of) == 4 else of for name, of in shapes.items()}


class Conv1DEntry(SlidingSequenceEntry):
    options = {
        **FILTERS,
        **KERNEL_1D,
        "padding": (read.choice("valid", "same", "causal"), "valid"),
        "groups": (read.count, 1),
    }
    maps = "Conv2D"

    def as_map(self, layer: Layer) -> Layer:
        like = super().as_map(layer)
        if layer.config["padding"] != "causal":
            return like
        # As many cells in front as the window reaches back: no output reads what comes after it.
        before = layer.config["dilation_rate"] * (layer.config["kernel_size"] - 1)
        return replace(like, config={**like.config, "padding": ((before, 0), (0, 0))})


def _depthwise_prefix(weight: str) -> str:
    return "depthwise" if weight == "kernel" else weight


class DepthwiseConv2DEntry(ConvolutionEntry):
    options = {**KERNEL, **MULTIPLIER}
    op = "depthwise_conv2d"
    depthwise = True

    def option_prefix(self, weight: str) -> str:
        return _depthwise_prefix(weight)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        kernel = (*config["kernel_size"], shape[-1], config["depth_multiplier"])
        return {"kernel": kernel, "bias": (kernel[2] * kernel[3],)}

    def channel_links(self, layer: Layer, channels: int) -> Links:
        return _repeated(channels, layer.config["depth_multiplier"])

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """One group: the channel that the output belongs to."""
        (x,), kernel, f = inputs, layer.weights["kernel"], position[-1]
        kh, kw, _, multiplier = kernel.shape
        channel = np.array([f // multiplier])
        cut = Patch.of(self.view(layer, x.shape), position).cut(x, channel)
        index = kernel_indices(np.arange(kh), np.arange(kw), channel, [f % multiplier])
        return weighted(x, layer.weights, "kernel", index, cut, f, labels=_labels(channel))

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        """One group for each output of the channel, of the cells that read this one."""
        kernel, (*_, c) = layer.weights["kernel"], cell
        patch, down, across = Patch.of_stamps(self.view(layer, inputs[0].shape), cell)
        copies = np.arange(kernel.shape[3] if patch.padding.size else 0)
        index = kernel_indices(down, across, np.full(len(copies), c), copies)
        return _returned(grad, kernel, index, patch.cut(grad, c * kernel.shape[3] + copies))

    def met(self, layer: Layer, index: Position) -> tuple[int, int, int, int]:
        *_, c, copy = index
        return 0, c, 1, c * layer.weights["kernel"].shape[3] + copy

    def groups(self, layer: Layer, channels: int) -> int:
        return channels

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return math.prod(layer.weights["kernel"].shape[:2]) + 2

    def stamp_roundings(self, layer: Layer) -> int:
        kh, kw, _, multiplier = layer.weights["kernel"].shape
        return multiplier + kh * kw - 1


class SeparableConv2DEntry(ConvolutionEntry):
    options = {**FILTERS, **KERNEL, **MULTIPLIER}
    weights = ("depthwise_kernel", "pointwise_kernel", "bias")
    op_weights = weights
    op = "separable_conv2d"
    depthwise = True

    def option_prefix(self, weight: str) -> str:
        return weight.removesuffix("_kernel")

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        depthwise = (*config["kernel_size"], shape[-1], config["depth_multiplier"])
        filters = config["filters"]
        pointwise = (1, 1, depthwise[2] * depthwise[3], filters)
        return {"depthwise_kernel": depthwise, "pointwise_kernel": pointwise, "bias": (filters,)}

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """One group for each response of the depthwise step, mixed by the pointwise weights."""
        (x,), (kernel, pointwise), f = inputs, self.kernels(layer), position[-1]
        kh, kw, depth, multiplier = kernel.shape
        channels, copies = np.divmod(np.arange(depth * multiplier), multiplier)
        cut = Patch.of(self.view(layer, x.shape), position).cut(x, channels)
        index = kernel_indices(np.arange(kh), np.arange(kw), channels, copies)
        labels = tuple(
            f"channel {c}" + (f".{m}" if multiplier > 1 else "")
            for c, m in zip(channels, copies, strict=True)
        )
        mix = pointwise[0, 0, :, f].astype(x.dtype)
        return weighted(x, layer.weights, "depthwise_kernel", index, cut, f, mix=mix, labels=labels)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        source, (_, pointwise) = drawn.sources[0], self.kernels(layer)
        middle = (*drawn.shape[:2], pointwise.shape[2])
        options = chosen(layer.config, self.op_options)
        depthwise = conv_stage(
            layer,
            self.view(layer, source),
            source[2],
            "depthwise_kernel",
            bias=False,
            name="depthwise",
            shape=middle,
            value=lambda layer, x: ops.depthwise_conv2d(x, self.kernels(layer)[0], **options),
        )
        return [depthwise, pixelwise_stage(layer, middle, "pointwise_kernel", "1×1 conv")]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        depthwise, pointwise = self.kernels(layer)
        return math.prod(depthwise.shape[:2]) + math.prod(pointwise.shape[:3]) + 3

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        depthwise, pointwise = self.kernels(layer)
        first = {"depthwise_kernel": pointwise.shape[3], "pointwise_kernel": math.prod(depthwise.shape[:2])}
        return first.get(of, 0) + super().gradient_roundings(layer, of, inputs, grad)

    def stamp_roundings(self, layer: Layer) -> int:
        (kh, kw, _, multiplier), pointwise = (kernel.shape for kernel in self.kernels(layer))
        return pointwise[3] + multiplier + kh * kw - 1


def _length_from_0(value: Any, name: str) -> int:
    return 0 if value in (0, [0], (0,)) else read.length(value, name)


class Conv2DTransposeEntry(ConvolutionEntry):
    options = {**FILTERS, **KERNEL, "output_padding": (read.optional(partial(read.size, minimum=0)), None)}
    op = "conv2d_transpose"
    op_options = ("strides", "padding", "output_padding", "dilation_rate")
    label = "conv ᵀ"

    def view(self, layer: Layer, shape: Sequence[int]) -> Window:
        """The window of the convolution that this one transposes: its output is our input."""
        names = ("kernel_size", "strides", "padding", "dilation_rate", "output_padding")
        return transposed_window(shape[:2], *(layer.config[name] for name in names))  # type: ignore[arg-type]

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        filters = config["filters"]
        return {"kernel": (*config["kernel_size"], filters, shape[-1]), "bias": (filters,)}

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        height, width, channels = map_shape(shapes[0])
        view = self.view(layer, (height, width))
        return [(Spread(0, view.rows), Spread(1, view.cols), *self.channel_links(layer, channels))]

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        found = super().effort(layer, shapes, out)
        return found._replace(work=found.work + self.stamping(layer, shapes[0]))

    def kernel_positions(self, layer: Layer) -> Shape:
        return layer.input_shape[:-1]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """One group for each input channel: the cells whose stamps reach the output."""
        (x,), f = inputs, position[-1]
        patch, down, across = Patch.of_stamps(self.view(layer, x.shape), position)
        channels = np.arange(x.shape[-1] if patch.padding.size else 0)
        index = kernel_indices(down, across, np.full(len(channels), f), channels)
        return weighted(
            x, layer.weights, "kernel", index, patch.cut(x, channels), f, labels=_labels(channels)
        )

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        """One group for each filter: the cells on which the stamp of this one falls, or padding."""
        kernel, (*_, c) = layer.weights["kernel"], cell
        kh, kw, filters, _ = kernel.shape
        patch = Patch.of(self.view(layer, inputs[0].shape), cell)
        index = kernel_indices(np.arange(kh), np.arange(kw), np.arange(filters), np.full(filters, c))
        return _returned(grad, kernel, index, patch.cut(grad, np.arange(filters)))

    def met(self, layer: Layer, index: Position) -> tuple[int, int, int, int]:
        *_, f, c = index
        return 1, c, 0, f

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        axes = browser_axes(self.view(layer, drawn.sources[0]))
        names, arrays = exchangeable(layer, "kernel")
        return [BrowserStage({"type": "transposed", **axes, "label": self.label, **names}, arrays)]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        kernel = layer.weights["kernel"]
        return kernel.size // kernel.shape[2] + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if of == "kernel":
            return inputs[0].size // inputs[0].shape[-1]
        return super().gradient_roundings(layer, of, inputs, grad)

    def stamp_roundings(self, layer: Layer) -> int:
        return math.prod(layer.weights["kernel"].shape[:3])


class DepthwiseConv1DEntry(SlidingSequenceEntry):
    options = {**KERNEL_1D, **MULTIPLIER}
    maps = "DepthwiseConv2D"

    def option_prefix(self, weight: str) -> str:
        return _depthwise_prefix(weight)


class SeparableConv1DEntry(SlidingSequenceEntry):
    options = {**FILTERS, **KERNEL_1D, **MULTIPLIER}
    weights = SeparableConv2DEntry.weights
    maps = "SeparableConv2D"

    def option_prefix(self, weight: str) -> str:
        return weight.removesuffix("_kernel")


class Conv1DTransposeEntry(SlidingSequenceEntry):
    options = {**FILTERS, **KERNEL_1D, "output_padding": (read.optional(_length_from_0), None)}
    maps = "Conv2DTranspose"

    def kernel_positions(self, layer: Layer) -> Shape:
        return layer.input_shape[:-1]

    def as_map(self, layer: Layer) -> Layer:
        like, added = super().as_map(layer), layer.config["output_padding"]
        return replace(like, config={**like.config, "output_padding": None if added is None else (added, 0)})


def _returned(grad: np.ndarray, kernel: np.ndarray, index: np.ndarray, cut: Mapping[str, Any]) -> Operands:
    """What came back to some cells, times the entries of a kernel through which they read another."""
    channels = cut["position"][:, 0, 0, -1] if index.size else np.empty(0, int)
    weight = kernel[tuple(np.moveaxis(index, -1, 0))]
    return operands(
        [grad], weight=weight, weight_name="kernel", weight_index=index, labels=_labels(channels), **cut
    )


def _places(rows: slice, cols: slice, channel: int) -> np.ndarray:
    """(rows, columns, 3): the indices of some cells of a channel."""
    return np.moveaxis(np.mgrid[rows, cols, channel : channel + 1][..., 0], 0, -1)


def conv_stage(
    layer: Layer, view: Window, groups: int, kernel: str = "kernel", *, bias: bool = True, **fields: Any
) -> BrowserStage:
    """A convolution of the browser with one of the layer's kernels."""
    names, arrays = exchangeable(layer, kernel, bias)
    op = {"type": "conv", **browser_axes(view), "groups": groups, "label": "conv", **names}
    return BrowserStage(op, arrays, **fields)


def pixelwise_stage(
    layer: Layer, source: tuple[int, ...], kernel: str, label: str, size: Sequence[int] = (1, 1)
) -> BrowserStage:
    """A dense layer, as the convolution that it is: 1x1, or as large as the map that was flattened."""
    rows, cols = (Axis(n, k) for n, k in zip(source, size, strict=False))
    names, arrays = exchangeable(layer, kernel)
    axes = browser_axes(Window(rows, cols))
    return BrowserStage({"type": "conv", **axes, "groups": 1, "label": label, **names}, arrays)


def exchangeable(
    layer: Layer, kernel: str, bias: bool = True
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The kernel and the bias by the names under which `Network.with_weights` exchanges them; the arrays."""
    held = {"kernel": kernel} | ({"bias": "bias"} if bias and "bias" in layer.weights else {})
    names = {role: f"{layer.owner}/{weight}" for role, weight in held.items()}
    return names, {names[role]: layer.weights[weight] for role, weight in held.items()}


def _check_groups(channels: int, filters: int, groups: int) -> None:
    if channels % groups or filters % groups:
        raise ValueError(
            f"groups={groups} must divide the {channels} input channels and the {filters} filters"
        )


def _repeated(channels: int, times: int) -> Links:
    return (Spread(2, Axis(channels * times, times, times)),) if times > 1 else ()


def _labels(channels: np.ndarray) -> tuple[str, ...]:
    return tuple(f"channel {channel}" for channel in channels.tolist())


ENTRIES.update(
    {
        "Conv2D": Conv2DEntry(),
        "Conv1D": Conv1DEntry(),
        "Conv1DTranspose": Conv1DTransposeEntry(),
        "DepthwiseConv2D": DepthwiseConv2DEntry(),
        "DepthwiseConv1D": DepthwiseConv1DEntry(),
        "SeparableConv2D": SeparableConv2DEntry(),
        "SeparableConv1D": SeparableConv1DEntry(),
        "Conv2DTranspose": Conv2DTransposeEntry(),
    }
)
