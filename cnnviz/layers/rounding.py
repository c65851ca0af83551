"""How far two float32 evaluations of the same layer may lie apart, whatever the order of their sums.

Follows N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1: a sum
of n products is within gamma(n) = n*u / (1 - n*u) of exact, times the sum of the magnitudes, so two of
them are within twice that of each other. The layer's entry says which n and which magnitudes. Methods that
are not a sum of these products, FFT and Winograd, are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.layers.activations import ELEMENTARY, Activation
from cnnviz.layers.layer import Layer


def allowance(layer: Layer, *inputs: np.ndarray) -> np.ndarray:
    """How far two float32 evaluations of a layer may lie apart on the same inputs, unit by unit.

    The sum of the magnitudes of products w*x is the layer itself on |x| with |w|. An activation passes the
    bound on times its steepest slope, and adds the roundings of two elementary functions for each evaluation.
    What only selects or moves numbers must agree to the bit.

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
    bound = np.zeros(z.shape)
    if roundings := layer.entry.roundings(layer, inputs):
        magnitude = layer.entry.magnitude(layer, inputs).astype(np.float64)
        bound = 2 * _gamma(roundings, z.dtype) * magnitude + roundings * _underflow(z.dtype)
    activation = layer.activation
    return bound if activation is None else _after(activation, z, layer.after_activation(z), bound)


def _after(activation: Activation, z: np.ndarray, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """The bound behind an activation y = f(z), given that of z."""
    # Two evaluations, of one or two elementary functions each: a mish is a tanh of a softplus.
    function, units = activation.function, 2 * 2 * ELEMENTARY * _roundoff(z.dtype)
    output = np.abs(y).astype(np.float64)
    if activation.axis is not None:
        bound, z = (
            np.broadcast_to(np.abs(array).max(axis=activation.axis, keepdims=True), z.shape)
            for array in (bound, z)
        )
    # The slope of an exponential is its result.
    steepest: Any = output if np.isinf(function.steepest) else activation.steepest
    own = units * output
    if not function.kinked:
        # The argument's own rounding inside the function: of z/sqrt(2), of z - max(z), ...
        own = own + units * np.minimum(steepest, 1) * np.abs(z)
    if function.through_one:
        own = own + units * steepest
    return steepest * bound + own


def gradient_allowance(
    layer: Layer, inputs: tuple[np.ndarray, ...], grad: np.ndarray, of: str = ""
) -> tuple[np.ndarray, ...]:
    """How far two float32 evaluations of a layer's gradient may lie apart, number by number.

    A gradient is a sum of products too; n are the roundings on the longest path from a term to the result.

    Parameters
    ----------
    layer
        A layer of a network.
    inputs
        What it reads, each with a batch axis.
    grad
        The gradient with respect to its pre-activation (see `Entry.input_gradients`).
    of
        The weight with respect to which the gradient is taken; "" means the inputs.

    Returns
    -------
    tuple of np.ndarray
        One bound for each input, or the weight's alone.
    """
    roundings = layer.entry.gradient_roundings(layer, of, inputs, grad)
    factor, least = 2 * _gamma(roundings, grad.dtype), roundings * _underflow(grad.dtype)
    magnitudes = layer.entry.gradient_magnitude(layer, of, inputs, grad)
    return tuple(factor * magnitude.astype(np.float64) + least for magnitude in magnitudes)


def activation_gradient_allowance(activation: Activation, z: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """The same for the gradient of an activation that takes each number by itself: grad times its slope.

    Raises ValueError for one that mixes numbers, such as softmax.
    """
    if activation.axis is not None:
        raise ValueError(f"activation must take each number by itself, got {activation}")
    function, wide = activation.function, np.asarray(z, np.float64)
    slope = np.abs(activation.gradient(wide, np.ones_like(wide)))
    with np.errstate(all="ignore"):
        magnitude = function.magnitude(wide, slope, activation.arguments)
    return 2 * _gamma(function.roundings, grad.dtype) * np.abs(grad) * magnitude


def _gamma(roundings: int, dtype: np.dtype) -> float:
    n = roundings * _roundoff(dtype)
    return n / (1 - n)


def _underflow(dtype: np.dtype) -> float:
    """What a result below the normal numbers is off by where it is set to 0, as TensorFlow's kernels do."""
    return float(np.finfo(dtype).tiny)


def _roundoff(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps) / 2
