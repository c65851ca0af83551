"""How far two float32 evaluations of the same layer may lie apart, whatever the order of their sums.

Follows N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1: a sum
of n products is within gamma(n) = n*u / (1 - n*u) of exact, times the sum of the magnitudes, so two of
them are within twice that of each other. The layer's entry says which n and which magnitudes. Methods that
are not a sum of these products, FFT and Winograd, are left out.

Where the other evaluation is Keras's in half precision, it has that unit roundoff, and casts what it works
with: one rounding more for what it reads and for each weight and constant. Numbers below the smallest normal
one are rounded as that is (section 2.1).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers.activations import ELEMENTARY, Activation
from cnnviz.layers.layer import Layer


class Half(NamedTuple):
    """A format of 16 bits: its unit roundoff, and its smallest normal number."""

    roundoff: float
    smallest: float


HALF = {"float16": Half(2.0**-11, 2.0**-14), "bfloat16": Half(2.0**-8, 2.0**-126)}


def allowance(layer: Layer, *inputs: np.ndarray, precision: str = "") -> np.ndarray:
    """How far two evaluations of a layer may lie apart on the same inputs, unit by unit.

    Both are float32, or float64 where the inputs are, but for one in half precision.

    The sum of the magnitudes of products w*x is the layer itself on |x| with |w|. An activation passes the
    bound on times its steepest slope, and adds the roundings of two elementary functions for each evaluation.
    What only selects or moves numbers must agree to the bit.

    Parameters
    ----------
    layer
        A layer of a network.
    inputs
        What it reads, each with a batch axis.
    precision
        "float16" or "bfloat16" where the other evaluation is in half precision; else that of the inputs.

    Returns
    -------
    np.ndarray
        The bound, of the output's shape.
    """
    z = layer.before_activation(*inputs)
    bound = np.zeros(z.shape)
    roundings = layer.entry.roundings(layer, inputs)
    unit = _roundoff(z.dtype)
    half = HALF.get(precision)
    if half is not None:
        least = half.smallest
        steps = roundings + _casts(layer, inputs, precision)
        magnitude = layer.entry.magnitude(_lifted(layer, least), [_away(x, 2 * least) for x in inputs])
        factor = _gamma(roundings, unit) + _gamma(steps, half.roundoff)
        bound = factor * (magnitude.astype(np.float64) + steps * least)
        # Of the two evaluations of the activation.
        unit = (unit + half.roundoff) / 2
    elif roundings:
        magnitude = layer.entry.magnitude(layer, inputs).astype(np.float64)
        bound = 2 * _gamma(roundings, unit) * magnitude + roundings * _underflow(z.dtype)
    activation = layer.activation
    if activation is not None:
        bound = _after(activation, z, layer.after_activation(z), bound, unit)
        if half is not None and not activation.function.kinked:
            bound = bound + half.roundoff * half.smallest
    return bound


def _casts(layer: Layer, inputs: tuple[np.ndarray, ...], precision: str) -> int:
    """How many of the numbers that a term is made of a cast to half precision changes."""
    constants = [value for value in layer.config.values() if isinstance(value, float | np.ndarray)]
    weights = [array for array in layer.weights.values() if array.dtype.kind == "f"]
    changed = (not _is_half(np.asarray(each), precision) for each in [*weights, *constants])
    return sum(changed) + any(not _is_half(x, precision) for x in inputs)


def _is_half(x: np.ndarray, precision: str) -> bool:
    """Whether all numbers are of this format already."""
    with np.errstate(over="ignore"):
        narrow = x.astype(np.float32)
        if precision == "float16":
            narrow = narrow.astype(np.float16)
        elif np.any(narrow.view(np.uint32) & 0xFFFF):
            return False
        return bool(np.array_equal(narrow, x, equal_nan=True))


def _lifted(layer: Layer, least: float) -> Layer:
    """The layer with its trained weights at least so large; they round as if they were."""
    fixed = layer.entry.statistics
    lifted = {name: w if name in fixed else _away(w, least) for name, w in layer.weights.items()}
    return replace(layer, weights=lifted)


def _away(x: np.ndarray, by: float) -> np.ndarray:
    """Each number further from 0."""
    return x + np.copysign(x.dtype.type(by), x)


def _after(
    activation: Activation, z: np.ndarray, y: np.ndarray, bound: np.ndarray, unit: float
) -> np.ndarray:
    """The bound behind an activation y = f(z), given that of z and the unit roundoff."""
    # Two evaluations, of one or two elementary functions each: a mish is a tanh of a softplus.
    function, units = activation.function, 2 * 2 * ELEMENTARY * unit
    if function.apart is not None and activation.axis is not None:
        return function.apart(z, bound, activation.axis, unit)
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
    if function.jump is not None:
        # Two evaluations may lie on either side.
        distance, height = function.jump(z, activation.arguments)
        own = own + np.where(distance <= bound, height, 0)
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
    factor, least = 2 * _gamma(roundings, _roundoff(grad.dtype)), roundings * _underflow(grad.dtype)
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
    return 2 * _gamma(function.roundings, _roundoff(grad.dtype)) * np.abs(grad) * magnitude


def sum_allowance(roundings: int, size: float, dtype: np.dtype) -> float:
    """How far two sums lie apart whose terms have this sum of magnitudes and go through so many roundings."""
    return 2 * _gamma(max(roundings, 0), _roundoff(dtype)) * size


def _gamma(roundings: int, unit: float) -> float:
    n = roundings * unit
    # gamma(n) is above (1 - u)**-n - 1, which it stands for, and has no meaning from n*u = 1 on.
    return n / (1 - n) if n < 0.5 else math.expm1(min(-roundings * math.log1p(-unit), 700))


def _underflow(dtype: np.dtype) -> float:
    """What a result below the normal numbers is off by where it is set to 0, as TensorFlow's kernels do."""
    return float(np.finfo(dtype).tiny)


def _roundoff(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps) / 2
