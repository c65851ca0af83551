"""The mixing matrix of a 1x1 convolution, what it makes of a pixel, and that it is a dense layer.

Only 1x1 convolutions of one group and stride 1 are called mixing here: one matrix for all channels, at
every position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.channels.ablation import next_reader
from cnnviz.channels.cost import Comparison, Cost, conv_cost
from cnnviz.layers.layer import Layer
from cnnviz.network import Network, Run
from cnnviz.numbers import brief
from cnnviz.ops.arguments import array, check_rank, real

_SEED = 0
"""Of the order in which `compare_with_dense` shuffles pixels."""


def mixing_layers(net: Network) -> list[str]:
    """The names of a network's 1x1 convolutions, found by kind and kernel size.

    Parameters
    ----------
    net
        Any network.

    Returns
    -------
    list of str
        In the network's order; empty if it has none.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> mixing_layers(load_model("mnist_14k")), mixing_layers(load_model("mnist_maxpool"))
    (['conv2d_2'], [])
    """
    return [layer.name for layer in net if _mixes(layer)]


def _mixes(layer: Layer) -> bool:
    options = {"kernel_size": (1, 1), "strides": (1, 1), "groups": 1}
    return layer.is_convolution and all(layer.config[name] == value for name, value in options.items())


def mixing_matrix(kernel: Any) -> np.ndarray:
    """The matrix of a 1x1 convolution: one row for each input channel, one column for each output.

    Parameters
    ----------
    kernel
        (1, 1, C_in, C_out), as Keras keeps it.

    Returns
    -------
    array (C_in, C_out)
        A view of the kernel, its dtype kept.

    Raises
    ------
    ValueError
        if the kernel is not 1x1.

    Examples
    --------
    >>> mixing_matrix(np.ones((1, 1, 16, 10))).shape
    (16, 10)

    Source: Lin, Chen and Yan, "Network in Network", ICLR 2014.
    """
    kernel = array(kernel, "kernel")
    if kernel.ndim != 4 or kernel.shape[:2] != (1, 1):
        raise ValueError(f"kernel must be (1, 1, channels in, channels out), got shape {kernel.shape}")
    return kernel[0, 0]


def mix(x: Any, matrix: Any, bias: Any = None) -> np.ndarray:
    """What a 1x1 convolution computes: the channels of every position times one matrix.

    Parameters
    ----------
    x
        (..., C_in): one position's channels, a map, or a batch of maps.
    matrix
        (C_in, C_out).
    bias
        (C_out,) or None.

    Returns
    -------
    array (..., C_out)
        `ops.dense(x, matrix, bias)`, and equal to `ops.conv2d` with the 1x1 kernel up to rounding.

    Examples
    --------
    >>> mix([1.0, 2.0], [[1.0, 0.0], [3.0, 1.0]])
    array([7., 2.])
    """
    matrix = real(matrix, "matrix")
    check_rank(matrix, 2, "matrix", "(C_in, C_out)")
    return ops.dense(x, matrix, bias)


def compare_without_mixing(net: Network, layer: str) -> Comparison:
    """What a network would cost if the layer behind a 1x1 convolution read that one's input directly.

    Parameters
    ----------
    net
        The network.
    layer
        A 1x1 convolution, with a Conv2D of one group behind it; between them only layers that keep
        channels apart.

    Returns
    -------
    Comparison
        `direct` is the layer behind, reading all channels; the steps are the 1x1 convolution, any layers
        with parameters between the two, which work on its outputs, and the layer behind as they are.

    Raises
    ------
    ValueError
        for another layer, or if no such convolution follows.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> found = compare_without_mixing(load_model("mnist_14k"), "conv2d_2")
    >>> found.direct, found.other
    (Cost(parameters=2320, multiply_adds=230400), Cost(parameters=1666, multiply_adds=236160))
    """
    mixing, reader = net[layer], next_reader(net, layer)
    if not _mixes(mixing):
        raise ValueError(f"layer must be a 1x1 convolution of one group and stride 1, got {mixing}")
    if reader is None or not reader.is_convolution or reader.config["groups"] != 1:
        raise ValueError(f"layer must have a Conv2D of one group behind it, got {mixing} and {reader}")
    size, outputs = reader.output_shape[:2], reader.config["filters"]
    kernel_size, bias = reader.config["kernel_size"], "bias" in reader.weights
    direct = conv_cost(mixing.input_shape[-1] or 1, outputs, kernel_size, size, bias=bias)
    steps = (mixing, *layers_between(net, mixing, reader), reader)
    return Comparison(direct, tuple(Cost(one.params, one.multiply_adds or 0) for one in steps))


def layers_between(net: Network, first: Layer, last: Layer) -> list[Layer]:
    """The layers with parameters on the way from one layer to another that reads its channels.

    >>> from cnnviz import load_model
    >>> net = load_model("mnist_14k")
    >>> [layer.name for layer in layers_between(net, net["conv2d_2"], net["conv2d_3"])]
    ['batch_normalization_2']
    """
    reached, between = {first.name}, []
    for layer in net:
        if layer.name == last.name:
            break
        if not reached.isdisjoint(layer.inputs):
            reached.add(layer.name)
            between += [layer] if layer.params else []
    return between


@dataclass(frozen=True, eq=False)
class DenseCheck:
    """A 1x1 convolution beside a dense layer with the same numbers, before the activation.

    Parameters
    ----------
    convolution
        (H, W, C_out): what the network's layer computed.
    dense
        (H, W, C_out): what `ops.dense` makes of the same pixels, one pixel a row.
    shuffled
        (H, W, C_out): what the 1x1 convolution makes of the pixels in a random order, put back in
        their places.
    difference, shuffled_difference
        The largest magnitudes of dense - convolution and of shuffled - convolution.
    """

    convolution: np.ndarray
    dense: np.ndarray
    shuffled: np.ndarray
    difference: float
    shuffled_difference: float


def compare_with_dense(run: Run, layer: str, index: int = 0) -> DenseCheck:
    """Compute a 1x1 convolution as a dense layer, and on shuffled pixels, and compare.

    Parameters
    ----------
    run
        Of a network with that layer.
    layer
        A 1x1 convolution of one group and stride 1.
    index
        The image's place in the batch.

    Returns
    -------
    DenseCheck

    Raises
    ------
    ValueError
        if the layer is not one.
    KeyError
        if there is no such layer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][:1])
    >>> check = compare_with_dense(run, "conv2d_2")
    >>> check.dense.shape, check.difference < 1e-5
    ((24, 24, 10), True)
    """
    convolution = run.network[layer]
    if not _mixes(convolution):
        raise ValueError(f"layer must be a 1x1 convolution of one group and stride 1, got {convolution}")
    x = run.inputs(layer)[0]
    if not -len(x) <= index < len(x):
        raise IndexError(f"index must be one of the run's {len(x)} images, got {brief(index)}")
    x, y = x[index], run.pre_activation(layer)[index]
    kernel, bias = convolution.weights["kernel"], convolution.weights.get("bias")
    pixels = x.reshape(-1, x.shape[-1])
    dense = ops.dense(pixels, mixing_matrix(kernel), bias).reshape(y.shape)
    order = np.random.default_rng(_SEED).permutation(len(pixels))
    mixed = ops.conv2d(pixels[order].reshape(x.shape), kernel, bias).reshape(len(pixels), -1)
    shuffled = np.empty_like(mixed)
    shuffled[order] = mixed
    shuffled = shuffled.reshape(y.shape)
    return DenseCheck(y, dense, shuffled, _largest(dense - y), _largest(shuffled - y))


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max(initial=0.0))
