"""Activation functions exchanged in a trained network, without training it again.

The choice is among the elementwise functions that Keras 3 knows by name. The output's activation, a
softmax for instance, stays. A function with weights (PReLU) can be replaced but is no replacement itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnnviz.layers.activations import Activation, parse_activation
from cnnviz.network import Network

FUNCTIONS = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "mish"),
    *("sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "linear"),
)
"""Functions that act on each number by itself, with Keras's defaults; linear changes nothing."""


def function_named(name: str) -> Activation:
    """A function of `FUNCTIONS`, to be called on an array.

    >>> import numpy as np
    >>> function_named("relu")(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if name not in FUNCTIONS:
        raise ValueError(f"name must be one of {', '.join(FUNCTIONS)}, got {name!r}")
    return parse_activation(name) or Activation("linear")


def hidden_activations(net: Network) -> dict[str, Activation]:
    """The activation functions inside a network, by layer: all but its outputs' and those that mix numbers.

    >>> from cnnviz import load_model
    >>> {name: str(f) for name, f in hidden_activations(load_model("mnist_maxpool")).items()}
    {'conv2d': 'relu', 'conv2d_1': 'relu'}
    """
    outputs = {net[name].name for name in net.outputs}
    return {
        layer.name: layer.activation
        for layer in net.layers
        if layer.activation is not None and layer.name not in outputs and layer.activation.axis is None
    }


def exchange(net: Network, function: str | Activation | None, layers: Iterable[str] | None = None) -> Network:
    """The network with another activation function, every weight as it was.

    Parameters
    ----------
    net
        Any network.
    function
        A name that Keras knows, an `Activation`, or None for none.
    layers
        The layers to change; None is all of `hidden_activations`.

    Returns
    -------
    Network

    Raises
    ------
    KeyError, ValueError
        as `Network.with_activation`.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> str(exchange(load_model("mnist_14k"), "tanh")["conv2d_3"].activation)
    'tanh'
    """
    chosen: dict[str, Any] = dict.fromkeys(hidden_activations(net) if layers is None else layers, function)
    return net.with_activation(chosen)
