"""How far two float32 evaluations of the same layer may lie apart, whatever the order of their sums.

Follows N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1: a sum
of n products is within gamma(n) = n*u / (1 - n*u) of exact, times the sum of the magnitudes. Left out
are methods that are not a sum of these products, FFT and Winograd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz.layers.kinds import KINDS
from cnnviz.layers.layer import Layer

SELECTING = frozenset({"MaxPooling2D", "GlobalMaxPooling2D", "Maximum", "Minimum"})
"""Kinds that compute nothing: each output is one of the inputs."""

FUNCTION_ERROR = 16
"""Units of roundoff granted to one evaluation of an elementary function, argument included.

Implementations in use (Eigen, oneDNN, NumPy, SciPy) stay within a few units in the last place.
"""

STEEPEST: Mapping[str, float] = {
    "elu": 1.0,
    "selu": 1.7581,
    "gelu": 1.1290,
    "silu": 1.0999,
    "hard_silu": 1.5,
    "mish": 1.0885,
    "sigmoid": 0.25,
    "hard_sigmoid": 1 / 6,
    "softmax": 1.0,
    "log_softmax": 2.0,
}
"""The largest |slope| of each activation, in the maximum norm for the two that couple their inputs."""

_THROUGH_ONE = frozenset({"elu", "selu", "celu", "softplus", "mish"})
"""Functions that may be computed as exp(x) - 1 or log(1 + exp(x)), and so round a number near 1."""

_KINKED = frozenset({"linear", "relu", "relu6", "leaky_relu", "prelu"})


def allowance(layer: Layer, *inputs: np.ndarray) -> np.ndarray:
    """How far two float32 evaluations of a layer may lie apart on the same inputs, unit by unit.

    With u the unit roundoff and gamma(n) = n*u / (1 - n*u): a sum of n products w*x in any order is
    within gamma(n) * sum |w||x| of exact, so two of them within twice that; the sum of magnitudes
    is the layer itself on |x| with |w|. An activation passes it on times its steepest slope, and adds
    `FUNCTION_ERROR` units of its own result and argument, each evaluation. What only selects or moves
    numbers must agree to the bit.

    Parameters
    ----------
    layer
        A layer of a network.
    inputs
        What it reads, each with a batch axis.

    Returns
    -------
    np.ndarray
        The bound, of the output's shape.
    """
    z = layer.before_activation(*inputs)
    if KINDS[layer.kind].moves_values_only or layer.kind in SELECTING:
        return np.zeros(z.shape)
    u = float(np.finfo(z.dtype).eps) / 2
    bound = np.zeros(z.shape)
    if not layer.is_activation:
        n = _terms(layer, inputs) * u
        bound = 2 * n / (1 - n) * _magnitude(layer, inputs).astype(np.float64)
    activation = layer.activation
    if activation is None:
        return bound
    output = np.abs(layer.after_activation(z)).astype(np.float64)
    arguments = activation.arguments
    if activation.name in ("softmax", "log_softmax"):
        axis = arguments.get("axis", -1)
        bound = np.broadcast_to(bound.max(axis=axis, keepdims=True), z.shape)
        z = np.broadcast_to(np.abs(z).max(axis=axis, keepdims=True), z.shape)
    if activation.name == "exponential":
        steepest: Any = output
    else:
        slopes = [arguments.get(name, 0.0) for name in ("negative_slope", "alpha")]
        steepest = max(STEEPEST.get(activation.name, 1.0), *(float(np.abs(slope).max()) for slope in slopes))
    own = 2 * FUNCTION_ERROR * u * output
    if activation.name not in _KINKED:
        # The argument's own rounding inside the function: of z/sqrt(2), of z - max(z), ...
        own = own + 2 * FUNCTION_ERROR * u * np.minimum(steepest, 1) * np.abs(z)
    if activation.name in _THROUGH_ONE:
        own = own + 2 * FUNCTION_ERROR * u * steepest
    return steepest * bound + own


def _terms(layer: Layer, inputs: tuple[np.ndarray, ...]) -> int:
    """How many roundings a layer's sum can go through: its terms, the bias, and the last step."""
    weights, config = layer.weights, layer.config
    match layer.kind:
        case "Conv2D" | "Dense":
            return math.prod(weights["kernel"].shape[:-1]) + 2
        case "DepthwiseConv2D":
            return math.prod(weights["kernel"].shape[:2]) + 2
        case "SeparableConv2D":
            return sum(math.prod(weights[name].shape[:n]) for name, n in _SEPARABLE.items()) + 3
        case "Conv2DTranspose":
            kernel = weights["kernel"]
            return kernel.size // kernel.shape[2] + 2
        case "AveragePooling2D":
            return math.prod(config["pool_size"]) + 2
        case "GlobalAveragePooling2D":
            return math.prod(inputs[0].shape[1:3]) + 2
        case "Add" | "Subtract" | "Average" | "Multiply":
            return len(inputs) + 2
        case "BatchNormalization" | "Normalization" | "Rescaling":
            # At most: variance + epsilon, root, reciprocal, times gamma, x - mean, their product, + beta.
            return 8
    raise ValueError(f"no bound is known for a {layer.kind}")


_SEPARABLE = {"depthwise_kernel": 2, "pointwise_kernel": 3}


def _magnitude(layer: Layer, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The sum of the magnitudes of a layer's terms: the layer itself, all of it made positive."""
    absolute = [np.abs(x) for x in inputs]
    if layer.kind == "Subtract":
        return absolute[0] + absolute[1]
    # x - mean becomes |x| + |mean|; a normalisation that is undone adds its mean.
    sign = 1 if layer.config.get("invert") else -1
    weights = {
        name: np.abs(value) * (sign if name in ("mean", "moving_mean") else 1)
        for name, value in layer.weights.items()
    }
    config = dict(layer.config)
    for name, factor in (("mean", sign), ("scale", 1), ("offset", 1)):
        if isinstance(config.get(name), float | tuple | np.ndarray):
            config[name] = factor * np.abs(config[name])
    return replace(layer, weights=weights, config=config).before_activation(*absolute)
