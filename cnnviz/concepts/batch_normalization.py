"""What a batch normalisation layer does: statistics, its two forms, and how it folds away.

In training the statistics are the batch's own, at inference the layer's moving averages. Source: Ioffe
and Szegedy, "Batch Normalization", ICML 2015. How the moving averages come about is left to `training`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.layer import Layer
from cnnviz.network import Network, Run
from cnnviz.network.simplifying import Convolution


def normalizations(net: Network) -> list[str]:
    """The names of a network's batch normalisations, of channels: not those along another axis.

    >>> from cnnviz import load_model
    >>> len(normalizations(load_model("mnist_14k"))), normalizations(load_model("mnist_maxpool"))
    (7, [])
    """
    return [layer.name for layer in net.layers if _normalizes_channels(layer)]


def _normalizes_channels(layer: Layer) -> bool:
    return layer.kind == "BatchNormalization" and layer.entry.as_affine(layer) is not None


# Statistics -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and variance of each channel, (C,) in float64, and over how many numbers each."""

    mean: np.ndarray
    variance: np.ndarray
    count: int

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation, (C,)."""
        return np.sqrt(self.variance)

    def __add__(self, other: Statistics) -> Statistics:
        """The statistics of both sets of numbers together.

        Source: Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983, (2.1).
        """
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        squares = self.variance * self.count + other.variance * other.count
        squares = squares + np.square(apart) * (self.count * other.count / count)
        return Statistics(mean, squares / count, count)


def channel_statistics(values: Any) -> Statistics:
    """Mean and variance of each channel over images and positions.

    >>> found = channel_statistics([[1.0, 5.0], [3.0, 5.0]])
    >>> found.mean, found.variance, found.count
    (array([2., 5.]), array([1., 0.]), 2)
    """
    values = np.asarray(values)
    if values.ndim < 1 or not values.size:
        raise ValueError(f"values must be (..., C) and not empty, got shape {values.shape}")
    flat = values.reshape(-1, values.shape[-1])
    mean = flat.mean(axis=0, dtype=np.float64)
    return Statistics(mean, np.square(flat - mean).mean(axis=0), len(flat))


@dataclass(frozen=True, eq=False)
class Normalization:
    """A batch normalisation with what it reads and returns over some images.

    Parameters
    ----------
    layer
        With gamma, beta, moving_mean and moving_variance among its weights.
    before, after
        The measured statistics of its input and its output.
    images
        Over how many.
    """

    layer: Layer
    before: Statistics
    after: Statistics
    images: int

    @property
    def moving(self) -> Statistics:
        """What the layer takes its input's statistics to be; the count is not known, and 0."""
        return Statistics(self.layer.weights["moving_mean"], self.layer.weights["moving_variance"], 0)


def normalization_over(
    net: Network,
    name: str,
    x: Any,
    *,
    batch_size: int = 250,
    progress: Callable[[int, int], None] | None = None,
) -> Normalization:
    """Measure a batch normalisation's input and output over many images.

    Parameters
    ----------
    net, name
        A network and its layer.
    x
        Images (N, ...), as `Network.run` takes them.
    batch_size, progress
        Images at a time; called as progress(images done, images).

    Returns
    -------
    Normalization

    Raises
    ------
    ValueError
        for another kind of layer, or no images.

    Examples
    --------
    >>> import cnnviz
    >>> images = cnnviz.load_mnist()[1][0][:20]
    >>> found = normalization_over(cnnviz.load_model("mnist_14k"), "batch_normalization", images)
    >>> found.before.count == 20 * 26 * 26
    True
    """
    layer = _batch_norm(net, name)
    if not len(x):
        raise ValueError("x must hold at least one image, got none")
    front = _up_to(net, layer)
    before, after = [], []
    for first in range(0, len(x), batch_size):
        run = front.run(x[first : first + batch_size])
        before.append(channel_statistics(run.inputs(layer.name)[0]))
        after.append(channel_statistics(run[layer.name]))
        if progress is not None:
            progress(min(first + batch_size, len(x)), len(x))
    return Normalization(layer, reduce(add, before), reduce(add, after), len(x))


def _batch_norm(net: Network, name: str) -> Layer:
    layer = net[name]
    if not _normalizes_channels(layer):
        along = f" along axis {layer.config['axis']}" if layer.kind == "BatchNormalization" else ""
        raise ValueError(
            f"name must be that of a batch normalisation of channels, {layer.name} is a {layer.kind}{along}"
        )
    return layer


def _up_to(net: Network, layer: Layer) -> Network:
    """The network as far as a layer, which is its output."""
    names = [each.name for each in net.layers]
    return Network(net.layers[: names.index(layer.name) + 1], [layer.name], name=net.name, inputs=net.inputs)


# The two forms ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Forms:
    """One image's values under both forms of a batch normalisation.

    Parameters
    ----------
    images
        The batch's size.
    mean, variance
        (C,): the batch's own, of what the layer reads.
    training, inference
        (..., C): the first image's output with the batch's statistics, and with the moving averages.
    """

    images: int
    mean: np.ndarray
    variance: np.ndarray
    training: np.ndarray
    inference: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """training - inference."""
        return self.training - self.inference

    def side_by_side(self, channel: int) -> np.ndarray:
        """One channel in training form, in inference form, and their difference: (..., 3)."""
        return np.stack([a[..., channel] for a in (self.training, self.inference, self.difference)], axis=-1)

    @property
    def distance(self) -> float:
        """The root of the mean squared difference."""
        return float(np.sqrt(np.square(self.difference, dtype=np.float64).mean()))


def compare_forms(net: Network, name: str, x: Any, sizes: Sequence[int]) -> list[Forms]:
    """A batch normalisation in training form and in inference form, for batches of several sizes.

    Only this one layer is taken in its training form; those before it are in their inference form, and
    dropout is off.

    Parameters
    ----------
    net, name
        A network and its layer.
    x
        Images (N, ...); a batch of size k is the first k of them.
    sizes
        From 1 to N each.

    Returns
    -------
    list of Forms
        One for each size, for the first image.

    Raises
    ------
    ValueError
        for another kind of layer, or a size for which there are too few images.

    Examples
    --------
    >>> import cnnviz
    >>> images = cnnviz.load_mnist()[1][0][:8]
    >>> one, all_ = compare_forms(cnnviz.load_model("mnist_14k"), "batch_normalization_3", images, [1, 8])
    >>> one.distance > all_.distance
    True
    """
    layer = _batch_norm(net, name)
    if not sizes or not 1 <= min(sizes) <= max(sizes) <= len(x):
        raise ValueError(f"sizes must be from 1 to the {len(x)} images, got {list(sizes)}")
    run = _up_to(net, layer).run(x[: max(sizes)])
    # Copies: a view of the first image would keep the whole batch in memory.
    read, inference = run.inputs(layer.name)[0], run[layer.name][0].copy()
    gamma, beta = layer.weights.get("gamma"), layer.weights.get("beta")
    forms = []
    for size in sizes:
        batch = ops.batch_norm_training(read[:size], gamma, beta, epsilon=layer.config["epsilon"])
        output, mean, variance = batch
        forms.append(Forms(size, mean, variance, output[0].copy(), inference))
    return forms


# Folding ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Folding:
    """A network without one of its batch normalisations, whose work a convolution has taken over.

    Parameters
    ----------
    network
        The smaller network; it computes the same.
    into
        The convolution behind the normalisation.
    scale, shift
        (C,): what the normalisation amounts to, y = x * scale + shift.
    """

    network: Network
    into: str
    scale: np.ndarray
    shift: np.ndarray

    def largest_difference(self, run: Run) -> float:
        """How far the convolution's values are from those of a run of the whole network, at most."""
        x = run[run.network.inputs[0]]
        values = self.network.run(x).pre_activation(self.into)
        return float(np.abs(values - run.pre_activation(self.into)).max())


def fold(net: Network, name: str) -> Folding:
    """Fold a batch normalisation into the convolution that comes after it.

    Parameters
    ----------
    net, name
        A network and its layer. Between the two only dropout may stand, and max pooling if no scale
        is negative; the convolution must not pad, for padding is 0 behind the normalisation.

    Returns
    -------
    Folding

    Raises
    ------
    ValueError
        where it cannot be done; the message says why.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> net = load_model("mnist_14k")
    >>> folding = fold(net, "batch_normalization")
    >>> folding.into, net.count_params()[0] - folding.network.count_params()[0]
    ('conv2d_1', 64)
    """
    layer = _batch_norm(net, name)
    names = ("moving_mean", "moving_variance", "gamma", "beta")
    scale, shift = ops.batch_norm_affine(
        *(layer.weights.get(weight) for weight in names), epsilon=layer.config["epsilon"]
    )
    after = _convolution_after(net, layer, scale)
    whole = Convolution(after.weights["kernel"], after.weights.get("bias"), dict(after.config))
    folded = whole.of_affine(scale, shift)
    assert folded.bias is not None
    weights = {"kernel": folded.kernel, "bias": folded.bias}
    changed = replace(after, config={**after.config, "use_bias": True}, weights=weights)
    layers = [
        replace(changed if each is after else each, inputs=_without(each.inputs, layer))
        for each in net.layers
        if each is not layer
    ]
    smaller = Network(layers, net.outputs, name=net.name, inputs=net.inputs)
    return Folding(smaller, after.name, scale, shift)


def _convolution_after(net: Network, layer: Layer, scale: np.ndarray) -> Layer:
    """The convolution that reads a layer, if between them is only what an affine map can be moved across."""
    at = layer
    while True:
        readers = [each for each in net.layers if at.name in each.inputs]
        if len(readers) != 1:
            raise ValueError(f"{at.name} must have one reader, it has {len(readers)}")
        (at,) = readers
        pools = at.entry.op == "max_pool2d"
        if at.is_convolution and [each.owner for each in net.layers].count(at.owner) == 1:
            if at.config["padding"] != "valid":
                raise ValueError(f"{at.name} must not pad, it has padding={at.config['padding']!r}")
            return at
        if not (at.passes_on or pools):
            raise ValueError(f"{layer.name} must be followed by a convolution, {at.name} is a {at.kind}")
        if pools and scale.min() < 0:
            raise ValueError(f"{at.name} must not come after a negative scale, got {scale.min():g}")


def _without(inputs: tuple[str, ...], layer: Layer) -> tuple[str, ...]:
    """The names of inputs, with a layer's own input in the layer's place."""
    return tuple(layer.inputs[0] if name == layer.name else name for name in inputs)
