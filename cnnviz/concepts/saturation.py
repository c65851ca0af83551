"""Where an activation function is flat, so that next to no gradient comes back, and which kernels hear of it.

Follows Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010, on saturation, and Glorot, Bordes and Bengio, "Deep Sparse Rectifier Neural Networks", AISTATS
2011, on the gradient through a ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.network import Network
from cnnviz.ops.cross_entropy import softmax_cross_entropy_grad

FLAT = 0.1
"""Below this share of its steepest slope a function counts as saturated."""


@dataclass(frozen=True)
class Slopes:
    """What comes back through a function at some numbers.

    Parameters
    ----------
    none
        The share of the numbers at which the slope is 0.
    flat
        The share at which it is below `FLAT` of the steepest, those included.
    mean
        The mean magnitude of the slope.
    """

    none: float
    flat: float
    mean: float


def flat_below(function: Activation) -> float:
    """The slope below which a function counts as saturated; 0 for one that is ever steeper.

    >>> flat_below(Activation("sigmoid")), flat_below(Activation("exponential"))
    (0.025, 0.0)
    """
    return FLAT * function.steepest if np.isfinite(function.steepest) else 0.0


def slopes_at(function: Activation, numbers: Any) -> Slopes:
    """How much of a gradient comes back through a function at some numbers.

    Parameters
    ----------
    function
        Elementwise.
    numbers
        Pre-activations of any shape, not empty.

    Raises
    ------
    ValueError
        if there are no numbers.

    Examples
    --------
    >>> slopes_at(Activation("relu"), [-2.0, -1.0, 3.0, 4.0])
    Slopes(none=0.5, flat=0.5, mean=0.5)
    """
    numbers = np.asarray(numbers)
    if not numbers.size:
        raise ValueError(f"numbers must not be empty, got shape {numbers.shape}")
    slopes = np.abs(function.gradient(numbers, np.ones_like(numbers)))
    flat = (slopes == 0) | (slopes < flat_below(function))
    return Slopes(float((slopes == 0).mean()), float(flat.mean()), float(slopes.mean(dtype=np.float64)))


def places_around(numbers: Any, steps: int = 400) -> np.ndarray:
    """Evenly spaced places from -reach to reach, 0 among them, within which all the numbers lie.

    The step is 1, 2 or 5 times a power of ten, so that each place is a short number.

    >>> places = places_around([-0.3, 1.1], 100)
    >>> len(places), [round(float(place), 6) for place in places[:3]]
    (45, [-1.1, -1.05, -1.0])
    """
    numbers = np.abs(np.asarray(numbers, np.float64))
    finite = numbers[np.isfinite(numbers)]
    reach = float(finite.max()) if finite.size and finite.max() > 0 else 4.0
    wanted = 2 * reach / steps
    power = 10.0 ** np.floor(np.log10(wanted))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * (1 - 1e-9))
    count = int(np.ceil(reach / step - 1e-9))
    return np.arange(-count, count + 1) * step


@dataclass(frozen=True)
class Hearing:
    """How much each kernel of a layer says, and how much of the loss's gradient it hears.

    Parameters
    ----------
    active
        (C,): the share of each channel's numbers after the activation that are not 0.
    gradient
        (C,): the length of the mean loss's gradient with respect to each channel's kernel.
    """

    active: np.ndarray
    gradient: np.ndarray


def hearing(net: Network, layer: str, images: Any, labels: Any) -> Hearing:
    """What comes back to each kernel of a layer from the mean loss over some images.

    Parameters
    ----------
    net
        A classifier whose output is a softmax, and is trained by cross-entropy.
    layer
        A layer with a kernel, whose channels come last.
    images, labels
        (N, ...) as `Network.run` takes them, and their classes (N,).

    Raises
    ------
    ValueError
        if there are no images.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> images, labels = (part[:20] for part in load_mnist()[1])
    >>> hearing(load_model("mnist_14k"), "conv2d", images, labels).gradient.shape
    (16,)
    """
    if not len(images):
        raise ValueError("images must hold at least one, got none")
    run = net.run(images)
    name = next(iter(net.outputs))
    logits = run.pre_activation(name)
    grad = softmax_cross_entropy_grad(logits.reshape(len(logits), -1), labels, reduction="mean")
    back = run.gradient(name, weights=grad.reshape(logits.shape), pre_activation=True)
    kernel = back[f"{net[layer].name}/kernel"].astype(np.float64)
    values = run[layer]
    channels = values.shape[-1]
    return Hearing(
        np.count_nonzero(values.reshape(-1, channels), axis=0) / (values.size // channels),
        np.sqrt((kernel**2).reshape(-1, channels).sum(axis=0)),
    )
