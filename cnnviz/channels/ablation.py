"""Ablation: what a network says when the channels of a layer are set to zero, one at a time.

Copies of the image go through the network together, each with another channel silenced. Nothing is trained
again, and what zero means depends on the layer: behind a ReLU it is silence, behind a batch normalisation
a number like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network import LayerGraph, Run, forward_pass

_COPIES = 32
"""Channels that are switched off in one forward pass."""


@dataclass(frozen=True, eq=False)
class Ablation:
    """A network's output with each channel of a layer switched off in turn.

    Parameters
    ----------
    layer
        The layer's name.
    whole
        (classes,): the output with all channels on.
    without
        (C, classes): the output without each channel.
    silent
        The channels that are zero everywhere, so that nothing changes without them.
    """

    layer: str
    whole: np.ndarray
    without: np.ndarray
    silent: tuple[int, ...]

    @property
    def predicted(self) -> int:
        """The class with the largest output when all channels are on."""
        return int(self.whole.argmax())

    @property
    def remaining(self) -> np.ndarray:
        """(C,): what is left of the predicted class's output without each channel."""
        return self.without[:, self.predicted]

    @property
    def predictions(self) -> np.ndarray:
        """(C,): the class with the largest output without each channel."""
        return self.without.argmax(axis=1)

    @property
    def flipped(self) -> tuple[int, ...]:
        """The channels without which another class is predicted."""
        return tuple(int(c) for c in np.flatnonzero(self.predictions != self.predicted))

    @property
    def ranking(self) -> tuple[int, ...]:
        """The channels in the order of how much of the predicted class's output goes with them."""
        return tuple(int(c) for c in np.argsort(self.remaining, kind="stable"))


def ablate(run: Run, layer: str, index: int = 0) -> Ablation:
    """Switch off the channels of a layer's output, one at a time, for one image of a run.

    Parameters
    ----------
    run
        Of a network with one output (N, classes), without edits.
    layer
        Any layer with channels as its last axis.
    index
        The image's place in the batch.

    Returns
    -------
    Ablation

    Raises
    ------
    ValueError
        if the output is not one number a class.
    KeyError
        if there is no such layer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> found = ablate(run, "conv2d_3")
    >>> found.without.shape, found.predicted
    ((16, 10), 7)
    """
    net = run.network
    name = net[layer].name
    if not isinstance(run.output, np.ndarray) or run.output.ndim != 2:
        raise ValueError(f"run must have one output (N, classes), {net.name} gives {net.output_shape}")
    values = run[name][index]
    channels = values.shape[-1]
    images = {input_name: run[input_name][index] for input_name in net.inputs}
    without = np.empty((channels, run.output.shape[1]), run.output.dtype)
    for first in range(0, channels, _COPIES):
        chosen = range(first, min(first + _COPIES, channels))
        copies = {key: np.repeat(image[np.newaxis], len(chosen), axis=0) for key, image in images.items()}
        without[first : first + len(chosen)] = forward_pass(net, copies, {name: _silencing(first)}).output
    silent = np.flatnonzero(~values.reshape(-1, channels).any(axis=0))
    return Ablation(name, run.output[index], without, tuple(int(c) for c in silent))


def _silencing(first: int):
    """An edit that sets channel first + i of image i to zero."""

    def edit(output: np.ndarray) -> np.ndarray:
        for image, one in enumerate(output):
            one[..., first + image] = 0
        return output

    return edit


def without_channel(run: Run, layer: str, channel: int) -> Run:
    """The run with one channel of a layer switched off, every activation kept.

    Parameters
    ----------
    run
        The run to repeat, without edits.
    layer, channel
        What is set to zero, in the layer's output.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        if there is no such channel.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> run = load_model("mnist_14k").run(np.full((28, 28), 255))
    >>> without_channel(run, "conv2d", 3)["conv2d"][..., 3].any()
    np.False_
    """
    channels = run[layer].shape[-1]
    if not 0 <= channel < channels:
        raise ValueError(f"channel must be from 0 to {channels - 1}, got {channel!r}")

    def edit(output: np.ndarray) -> np.ndarray:
        output[..., channel] = 0
        return output

    net = run.network
    return forward_pass(net, {name: run[name] for name in net.inputs}, {layer: edit})


def rank_agreement(one: Any, other: Any) -> float:
    """How far two rankings of the same things agree: 1 the same, 0 not at all, -1 reversed.

    Parameters
    ----------
    one, other
        (N,): by what each is ranked; equal values share the mean of their places.

    Returns
    -------
    float
        Spearman's coefficient; 0 if either has no ranking, as all are equal.

    Raises
    ------
    ValueError
        for other shapes.

    Examples
    --------
    >>> rank_agreement([1, 5, 9], [0.1, 0.2, 0.9]), rank_agreement([1, 5, 9], [3, 2, 1])
    (1.0, -1.0)

    Source: Spearman, "The proof and measurement of association between two things", American Journal of
    Psychology, 1904.
    """
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one and other must be (N,), got shapes {one.shape} and {other.shape}")
    places = [_places(values) - (len(values) - 1) / 2 for values in (one, other)]
    spread = float(np.sqrt(np.square(places[0]).sum() * np.square(places[1]).sum()))
    return float(places[0] @ places[1]) / spread if spread else 0.0


def _places(values: np.ndarray) -> np.ndarray:
    """Places from 0, the mean of them for equal values."""
    below = (values[:, np.newaxis] > values).sum(axis=1)
    equal = (values[:, np.newaxis] == values).sum(axis=1)
    return below + (equal - 1) / 2


def next_reader(net: LayerGraph, layer: str) -> Layer | None:
    """The next layer with a kernel that reads a layer's channels, through layers that keep them apart.

    Parameters
    ----------
    net, layer
        The network, and the layer whose output is read.

    Returns
    -------
    Layer or None
        None if there is none behind it.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> net = load_model("mnist_maxpool")
    >>> next_reader(net, "conv2d").name, next_reader(net, "max_pooling2d_1").name, next_reader(net, "dense")
    ('conv2d_1', 'dense', None)
    """
    readers = readers_behind(net, layer)[1]
    return readers[0] if readers else None


def readers_behind(net: LayerGraph, layer: str) -> tuple[list[Layer], list[Layer]]:
    """The layers without a kernel that a layer's channels go through, and those with one that read them.

    >>> from cnnviz import load_model
    >>> between, readers = readers_behind(load_model("mnist_maxpool"), "conv2d")
    >>> [layer.name for layer in between], [layer.name for layer in readers]
    (['max_pooling2d'], ['conv2d_1'])
    """
    reached, between, readers = {net[layer].name}, [], []
    for found in net:
        if reached.isdisjoint(found.inputs):
            continue
        if "kernel" in found.weights:
            readers.append(found)
        else:
            reached.add(found.name)
            between.append(found)
    return between, readers
