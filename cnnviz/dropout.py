"""Dropout as it works in training: random masks, and the scaling that keeps the mean where it was.

At inference dropout passes its input on; so do `Network.predict` and `run`. Source: Srivastava et al.,
"Dropout", JMLR 15, 2014; the scaling in training, not afterwards, is Keras's ("inverted dropout").
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from cnnviz.layer import Layer
from cnnviz.layer_options import share
from cnnviz.network import Network, Run
from cnnviz.ops.geometry import integer


def dropout_layers(net: Network) -> dict[str, float]:
    """The rates of a network's dropout layers, by name.

    >>> from cnnviz import load_model
    >>> dropout_layers(load_model("mnist_maxpool"))
    {'dropout': 0.1}
    """
    return {
        layer.name: layer.config["rate"]
        for layer in net.layers
        if layer.kind == "Dropout" and layer.config["rate"] is not None
    }


def keep_mask(shape: Any, rate: float, *, seed: int = 0, step: int = 0, layer: str = "") -> np.ndarray:
    """Which numbers a step of training keeps: each by itself, with probability 1 - rate.

    Parameters
    ----------
    shape
        Of the numbers.
    rate
        The probability of being dropped, from 0 to below 1.
    seed, step
        From 0. Every step draws anew; the same seed and step give the same mask.
    layer
        A layer's name, so that layers of one step draw different masks.

    Returns
    -------
    bool array of that shape
        True is kept.

    Raises
    ------
    ValueError
        for a rate out of its range, a negative seed or step.

    Examples
    --------
    >>> keep_mask((2, 5), 0.5, seed=1).sum(axis=1)
    array([3, 2])
    """
    if not share(rate, "rate") < 1:
        raise ValueError(f"rate must be below 1, or nothing is kept, got {rate!r}")
    for name, value in (("seed", seed), ("step", step)):
        if integer(value, name) < 0:
            raise ValueError(f"{name} must not be negative, got {value!r}")
    return np.random.default_rng((seed, step, zlib.crc32(layer.encode()))).random(shape) >= rate


def drop(x: Any, kept: Any, rate: float) -> np.ndarray:
    """x where it is kept, divided by 1 - rate, and 0 elsewhere: dropout in training.

    The mean over all masks is x: each number is kept with probability 1 - rate.

    >>> drop(np.array([1.0, 2.0]), [True, False], 0.5)
    array([2., 0.])
    """
    x = np.asarray(x)
    return np.where(kept, x / x.dtype.type(1 - rate), x.dtype.type(0))


def mean_over_steps(x: Any, rate: float, steps: int, *, seed: int = 0, layer: str = "") -> np.ndarray:
    """The mean of what dropout makes of x in steps 0 to steps - 1; it tends to x.

    Each number's standard deviation is |x| * sqrt(rate / (1 - rate) / steps).

    >>> mean_over_steps(np.ones(2), 0.5, 4000).round(1)
    array([1., 1.])
    """
    x = np.asarray(x)
    if integer(steps, "steps") < 1:
        raise ValueError(f"steps must be positive, got {steps!r}")
    count = np.zeros(x.shape, np.int64)
    for step in range(steps):
        count += keep_mask(x.shape, rate, seed=seed, step=step, layer=layer)
    return (x * (count / (steps * (1 - rate)))).astype(x.dtype)


def run_with_dropout(net: Network, x: Any, *, seed: int = 0, step: int = 0) -> Run:
    """A forward pass as in a step of training, with every dropout layer at work.

    Batch normalisation stays in its inference form.

    Parameters
    ----------
    net, x
        As for `Network.run`.
    seed, step
        As for `keep_mask`, which draws each layer's mask under its name.

    Returns
    -------
    Run
        Its dropout layers' outputs are what they dropped.

    Examples
    --------
    >>> import cnnviz
    >>> net, image = cnnviz.load_model("mnist_maxpool"), cnnviz.load_mnist()[1][0][0]
    >>> run = run_with_dropout(net, image, seed=1)
    >>> bool((run["dropout"] == 0).sum() > (run["flatten"] == 0).sum())
    True
    """

    def edit(layer: Layer) -> Any:
        rate = layer.config["rate"]
        return lambda a: drop(a, keep_mask(a.shape, rate, seed=seed, step=step, layer=layer.name), rate)

    return net.run(x, {name: edit(net[name]) for name in dropout_layers(net)})
