"""Dropout as it works in training: random masks, and the scaling that keeps the mean where it was.

At inference dropout passes its input on; so do `Network.predict` and `run`. Noise shapes and spatial
dropout are left out. Source: Srivastava et al., "Dropout", JMLR 15, 2014; scaling in training, not
afterwards, is Keras's way ("inverted dropout"). The masks are those of a `Trainer` with that seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers import draws
from cnnviz.layers.layer import Layer
from cnnviz.layers.options import share
from cnnviz.network import Network, Run
from cnnviz.ops.padding import integer


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
        From 0. Each step drops other numbers; the same seed and step drop the same.
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
    return draws.kept(draws.generator(seed, step, layer), tuple(shape), rate)


def drop(x: Any, kept: Any, rate: float) -> np.ndarray:
    """x where it is kept, divided by 1 - rate, and 0 elsewhere: dropout in training.

    The mean over all masks is x: each number is kept with probability 1 - rate.

    >>> drop(np.array([1.0, 2.0]), [True, False], 0.5)
    array([2., 0.])
    """
    x = np.asarray(x)
    return np.where(kept, x / x.dtype.type(1 - rate), x.dtype.type(0))


@dataclass(frozen=True, eq=False)
class Dropped:
    """What dropout makes of some values, step by step and on average.

    Parameters
    ----------
    values
        What goes in, of any shape.
    rate, steps
        The dropout's rate, and how many steps the mean is over.
    kept, dropped
        (shown, ...): the masks of the first steps, and what comes out in these.
    mean
        Of the values' shape: what comes out on average over all steps.
    """

    values: np.ndarray
    rate: float
    steps: int
    kept: np.ndarray
    dropped: np.ndarray
    mean: np.ndarray

    @property
    def scale(self) -> float:
        """What a kept number is multiplied with."""
        return 1 / (1 - self.rate)

    @property
    def distance(self) -> float:
        """The root mean square of mean - values."""
        return _root_mean_square(self.mean - self.values.astype(np.float64))

    @property
    def expected(self) -> float:
        """What `distance` should be about.

        Each number's mean over n steps has the deviation |x| * sqrt(rate / (1 - rate) / n).
        """
        spread = math.sqrt(self.rate / (1 - self.rate) / self.steps)
        return spread * _root_mean_square(self.values.astype(np.float64))

    def channel(self, channel: int) -> Dropped:
        """The same for one channel, an index of the last axis."""
        arrays = (a[..., channel] for a in (self.kept, self.dropped, self.mean))
        return Dropped(self.values[..., channel], self.rate, self.steps, *arrays)


def drop_in_steps(
    x: Any, rate: float, steps: int, *, shown: int = 4, seed: int = 0, layer: str = ""
) -> Dropped:
    """What dropout makes of x in steps 0 to steps - 1.

    Parameters
    ----------
    x
        What goes in.
    rate, seed, layer
        As for `keep_mask`.
    steps
        How many; at least 1.
    shown
        How many of the first steps to keep.

    Returns
    -------
    Dropped

    Examples
    --------
    >>> drop_in_steps(np.ones(2), 0.5, 4000).mean.round(1)
    array([1., 1.])
    """
    x = np.asarray(x)
    if integer(steps, "steps") < 1:
        raise ValueError(f"steps must be positive, got {steps!r}")
    count, first = np.zeros(x.shape, np.int64), []
    for step in range(steps):
        mask = keep_mask(x.shape, rate, seed=seed, step=step, layer=layer)
        count += mask
        if step < shown:
            first.append(mask)
    kept = np.stack(first) if first else np.zeros((0, *x.shape), bool)
    mean = (x * (count / (steps * (1 - rate)))).astype(x.dtype)
    return Dropped(x, rate, steps, kept, drop(np.broadcast_to(x, kept.shape), kept, rate), mean)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


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
        The outputs of its dropout layers have numbers dropped, and the others scaled.

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


def count_dropped(net: Network, *, seed: int = 0, step: int = 0) -> int:
    """How many numbers `run_with_dropout` drops of one image in all layers together.

    >>> from cnnviz import load_model
    >>> net = load_model("mnist_maxpool")
    >>> 0 < count_dropped(net) < net["dropout"].output_shape[0]
    True
    """
    return sum(
        int((~keep_mask((1, *net[name].output_shape), rate, seed=seed, step=step, layer=name)).sum())
        for name, rate in dropout_layers(net).items()
    )
