"""The sums that a convolution makes on its way to one output channel: one map for each input channel.

A kernel's slice of an input channel, slid over that channel alone, gives a map; these maps and the
bias add up to the pre-activation. The maps are the engine's, in float32; they are added up in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnviz import ops
from cnnviz.layers.layer import Layer
from cnnviz.network import Run

OPS = ("conv2d", "depthwise_conv2d")
"""The operations whose sums can be taken apart."""


@dataclass(frozen=True, eq=False)
class PartialSums:
    """One output channel of a convolution, taken apart by input channel.

    Parameters
    ----------
    layer, channel
        What is taken apart.
    inputs
        The input channels that the output channel reads, in order.
    kernel
        (kh, kw, len(inputs)): its kernel's slices.
    parts
        (H, W, len(inputs)): the partial sum of each input channel.
    bias
        Added to each cell; 0 if the layer has none.
    value
        (H, W): the pre-activation, as the network computed it.
    """

    layer: str
    channel: int
    inputs: tuple[int, ...]
    kernel: np.ndarray
    parts: np.ndarray
    bias: float
    value: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """(H, W) float64: the parts and the bias added up."""
        return self.parts.sum(axis=2, dtype=np.float64) + self.bias

    @property
    def residual(self) -> float:
        """The largest magnitude of total - value: what rounding to float32 left."""
        return float(np.abs(self.total - self.value).max(initial=0.0))

    @property
    def contested(self) -> tuple[int, int]:
        """The row and column where parts of both signs cancel most; if none do, of the largest sum."""
        sums = self.parts.sum(axis=2, dtype=np.float64)
        lost = np.abs(self.parts).sum(axis=2, dtype=np.float64) - np.abs(sums)
        # Where all parts have one sign, what seems to cancel is rounding.
        chosen = lost if lost.max() > 1e-6 * np.abs(sums).max() else np.abs(sums)
        row, col = np.unravel_index(int(chosen.argmax()), chosen.shape)
        return int(row), int(col)

    @property
    def shares(self) -> np.ndarray:
        """(len(inputs),) float64: each part's share of all magnitudes, from 0 to 1.

        Parts of both signs cancel, so this is how much is added and taken away, not what is left.
        """
        sizes = np.abs(self.parts).sum(axis=(0, 1), dtype=np.float64)
        return sizes / (sizes.sum() or 1.0)


def has_partial_sums(layer: Layer) -> bool:
    """Whether a layer is a convolution that `partial_sums` takes apart."""
    return layer.entry.op in OPS


def partial_sums(run: Run, layer: str, channel: int, index: int = 0) -> PartialSums:
    """Take one output channel of a convolution apart, into a map for each channel that it reads.

    Parameters
    ----------
    run
        Of a network with that layer.
    layer
        A Conv2D, with or without groups, or a DepthwiseConv2D.
    channel
        The output channel.
    index
        The image's place in the batch.

    Returns
    -------
    PartialSums

    Raises
    ------
    ValueError
        for a layer of another kind, or if there is no such channel.
    KeyError
        if there is no such layer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> found = partial_sums(run, "conv2d_3", 7)
    >>> found.parts.shape, found.residual < 1e-5
    ((10, 10, 10), True)
    """
    convolution = run.network[layer]
    if not has_partial_sums(convolution):
        raise ValueError(f"layer must be one of Conv2D, DepthwiseConv2D, got {convolution}")
    x, value = run.inputs(layer)[0][index], run.pre_activation(layer)[index]
    if not 0 <= channel < value.shape[-1]:
        raise ValueError(f"channel must be from 0 to {value.shape[-1] - 1}, got {channel!r}")
    reads, kernel = _reads(convolution, x.shape[-1], channel)
    bias = convolution.weights.get("bias")
    options = {name: convolution.config[name] for name in ("strides", "padding", "dilation_rate")}
    # A depthwise convolution with one kernel a channel stops before the sum over channels.
    parts = ops.depthwise_conv2d(x[..., reads], kernel[..., np.newaxis], **options)
    inputs = tuple(range(reads.start, reads.stop))
    offset = 0.0 if bias is None else float(bias[channel])
    return PartialSums(convolution.name, channel, inputs, kernel, parts, offset, value[..., channel])


def slice_places(layer: Layer, channel: int) -> np.ndarray:
    """Where in a convolution's flat kernel one output channel's slices are: int64 (kh, kw, inputs).

    >>> from cnnviz import load_model
    >>> slice_places(load_model("mnist_14k")["conv2d_3"], 7)[0, 0, :3].tolist()
    [7, 23, 39]
    """
    kernel = layer.weights["kernel"]
    places = np.arange(kernel.size).reshape(kernel.shape)
    if layer.entry.op == "depthwise_conv2d":
        source, copy = divmod(channel, kernel.shape[3])
        return places[:, :, source : source + 1, copy]
    return places[..., channel]


def _reads(layer: Layer, depth: int, channel: int) -> tuple[slice, np.ndarray]:
    """Which input channels an output channel reads, and its kernel's slices of them."""
    kernel = layer.weights["kernel"]
    slices = kernel.ravel()[slice_places(layer, channel)]
    if layer.entry.op == "depthwise_conv2d":
        source = channel // kernel.shape[3]
        return slice(source, source + 1), slices
    groups = layer.config["groups"]
    size = depth // groups
    first = channel // (kernel.shape[3] // groups) * size
    return slice(first, first + size), slices
