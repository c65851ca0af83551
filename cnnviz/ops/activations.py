"""Activation functions, elementwise on any shape; softmax along one axis.

Definitions and defaults are those of keras.activations. float64 stays float64; everything else
is computed in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from cnnviz.ops.arrays import broadcasts_to, floats, quiet
from cnnviz.ops.padding import integer

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017, equation 14."""


def number(value: Any, name: str) -> float:
    """A real scalar argument as a Python float, which leaves the array's dtype alone."""
    try:
        if isinstance(value, (str, bytes, bytearray)) or np.ndim(value):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def linear(x: Any) -> np.ndarray:
    """x itself, as floats: the same array where it is one already.

    >>> linear([1, -2])
    array([ 1., -2.], dtype=float32)
    """
    return floats(x, names=("x",))[0]


@quiet
def relu(
    x: Any, *, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0
) -> np.ndarray:
    """x above the threshold, cut to 0 .. max_value, and negative_slope * (x - threshold) below it.

    Parameters
    ----------
    x
        Any shape.
    max_value
        At least 0; None is no limit, neither above nor, where the threshold is negative, below.
    negative_slope
        The slope below the threshold.
    threshold
        What x has to exceed to pass.

    Returns
    -------
    array of x's shape

    Raises
    ------
    ValueError
        if max_value is negative.

    Examples
    --------
    >>> relu([-1, 0.5, 9], max_value=6)
    array([0. , 0.5, 6. ])
    """
    (x,) = floats(x, names=("x",))
    slope, start = number(negative_slope, "negative_slope"), number(threshold, "threshold")
    y = np.where(x > start, x, 0).astype(x.dtype, copy=False) if start else np.maximum(x, 0)
    if max_value is not None:
        most = number(max_value, "max_value")
        if not most >= 0:
            raise ValueError(f"max_value must not be negative, got {max_value!r}")
        y = np.clip(y, 0, most)
    return y + slope * np.minimum(x - start, 0) if slope else y


def relu6(x: Any) -> np.ndarray:
    """min(max(x, 0), 6).

    >>> relu6([-1, 3, 7])
    array([0., 3., 6.], dtype=float32)
    """
    return relu(x, max_value=6.0)


@quiet
def leaky_relu(x: Any, *, negative_slope: float = 0.2) -> np.ndarray:
    """x where it is positive, negative_slope * x elsewhere.

    >>> leaky_relu([-1, 2])
    array([-0.2,  2. ], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    return np.where(x > 0, x, number(negative_slope, "negative_slope") * x)


@quiet
def prelu(x: Any, alpha: Any) -> np.ndarray:
    """A leaky ReLU whose slope is learned: x where it is positive, alpha * x elsewhere.

    `alpha` must broadcast against x without its batch axis.

    >>> prelu([[-1, 2]], [0.5, 0.5])
    array([[-0.5,  2. ]])
    """
    x, alpha = floats(x, alpha, names=("x", "alpha"))
    if not broadcasts_to(alpha.shape, x.shape):
        raise ValueError(f"alpha must broadcast to x, got alpha.shape={alpha.shape} for x.shape={x.shape}")
    return np.where(x > 0, x, alpha * x)


@quiet
def elu(x: Any, *, alpha: float = 1.0) -> np.ndarray:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere.

    >>> elu([0, 2])
    array([0., 2.], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    return np.where(x > 0, x, number(alpha, "alpha") * np.expm1(np.minimum(x, 0)))


@quiet
def selu(x: Any) -> np.ndarray:
    """An ELU scaled so that mean 0 and variance 1 are kept: scale * elu(x, alpha).

    >>> selu([1.0])
    array([1.05070099])
    """
    (x,) = floats(x, names=("x",))
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


@quiet
def celu(x: Any, *, alpha: float = 1.0) -> np.ndarray:
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere.

    >>> celu([0, 2])
    array([0., 2.], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    a = number(alpha, "alpha")
    if a == 0:
        raise ValueError(f"alpha must not be 0, got {alpha!r}")
    return np.maximum(x, 0) + a * np.expm1(np.minimum(x, 0) / a)


@quiet
def gelu(x: Any, *, approximate: bool = False) -> np.ndarray:
    """x times the normal distribution's share below x; with approximate, by a tanh.

    >>> gelu([0.0, 1.0])
    array([0.        , 0.84134475])

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    (x,) = floats(x, names=("x",))
    if approximate:
        # (1 + tanh(z)) / 2 = sigmoid(2z), without the cancellation at negative z.
        return x * special.expit(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * x * special.erfc(x * -math.sqrt(0.5))


@quiet
def silu(x: Any) -> np.ndarray:
    """x * sigmoid(x), also known as swish.

    >>> silu([0.0, 1.0])
    array([0.        , 0.73105858])
    """
    (x,) = floats(x, names=("x",))
    return x * special.expit(x)


@quiet
def hard_silu(x: Any) -> np.ndarray:
    """x * hard_sigmoid(x), also known as hard swish.

    >>> hard_silu([-3, 3])
    array([-0.,  3.], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    return x * hard_sigmoid(x)


@quiet
def mish(x: Any) -> np.ndarray:
    """x * tanh(softplus(x)).

    >>> mish([0.0])
    array([0.])
    """
    (x,) = floats(x, names=("x",))
    return x * np.tanh(softplus(x))


@quiet
def sigmoid(x: Any) -> np.ndarray:
    """1 / (1 + exp(-x)).

    >>> sigmoid([0.0])
    array([0.5])
    """
    return special.expit(floats(x, names=("x",))[0])


@quiet
def hard_sigmoid(x: Any) -> np.ndarray:
    """A sigmoid of straight pieces: relu6(x + 3) / 6.

    >>> hard_sigmoid([-4, 0, 4])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    return relu6(x + 3) / 6


@quiet
def tanh(x: Any) -> np.ndarray:
    """The hyperbolic tangent.

    >>> tanh([0.0])
    array([0.])
    """
    return np.tanh(floats(x, names=("x",))[0])


@quiet
def softplus(x: Any) -> np.ndarray:
    """log(1 + exp(x)), a ReLU without the corner.

    >>> softplus([0.0])
    array([0.69314718])
    """
    (x,) = floats(x, names=("x",))
    return np.logaddexp(x, 0)


@quiet
def softsign(x: Any) -> np.ndarray:
    """x / (1 + abs(x)).

    >>> softsign([1.0])
    array([0.5])
    """
    (x,) = floats(x, names=("x",))
    return x / (1 + np.abs(x))


@quiet
def exponential(x: Any) -> np.ndarray:
    """exp(x).

    >>> exponential([0.0])
    array([1.])
    """
    return np.exp(floats(x, names=("x",))[0])


@quiet
def softmax(x: Any, axis: int = -1) -> np.ndarray:
    """exp(x) over its sum along an axis: positive numbers that add up to one.

    NaN or inf anywhere along the axis makes all of it NaN (TensorFlow's float32 kernel says 0 for
    the finite numbers beside them).

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    (x,) = floats(x, names=("x",))
    powers = np.exp(_below_largest(x, axis))
    return powers / powers.sum(axis=axis, keepdims=True)


@quiet
def log_softmax(x: Any, axis: int = -1) -> np.ndarray:
    """The logarithm of softmax, without ever forming a tiny probability.

    >>> log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    (x,) = floats(x, names=("x",))
    below = _below_largest(x, axis)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


def _below_largest(x: np.ndarray, axis: Any) -> np.ndarray:
    """x less its largest along the axis: exp of it cannot overflow."""
    if not -x.ndim <= integer(axis, "axis") < x.ndim:
        raise ValueError(f"axis must be an axis of x, got axis={axis!r} for x.shape={x.shape}")
    if x.shape[axis] == 0:
        return x
    return x - x.max(axis=axis, keepdims=True)
