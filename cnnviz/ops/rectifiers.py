"""Rectifiers and their gradients: ReLU and its relatives, which take positive and negative numbers apart.

Definitions and defaults are those of keras.activations. float64 stays float64; everything else is computed in
float32. Beside them are the two decorators that all activation functions share.

A gradient is grad times the derivative at x, element by element. Where a function has a corner, the
derivative there is the one that Keras's TensorFlow backend takes; only celu's, 2 there at 0, is 1 here.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import (
    Function,
    broadcasts_to,
    check_grad,
    floats,
    gradient,
    number,
    operation,
    parse_shape,
    quiet,
    sum_to,
)
from cnnviz.ops.cellwise import BAND, in_bands, kept_where
from cnnviz.ops.recycling import empty

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017, equation 14."""


PARAMETERS = {
    "x": "Any shape.",
    "max_value": "At least 0; None is no limit, neither above nor, where the threshold is negative, below.",
    "negative_slope": "The slope below the threshold, or below 0.",
    "threshold": "What x, or its size, has to exceed to pass.",
    "default_value": "What takes the place of the others.",
    "b": "At least 0; how wide the bend is.",
    "alpha": "The function falls to -alpha.",
    "approximate": "Whether to take the formula with tanh.",
    "axis": "The axis along which the numbers are one distribution.",
}


def activation(function: Function) -> Function:
    """Decorates an activation function, which is then called with x as an array of floats."""

    @wraps(function)
    def call(x: Any, *arguments: Any, **options: Any) -> np.ndarray:
        return function(*floats(x=x), *arguments, **options)

    raises = "ValueError, TypeError\n    for an option out of its range; for what does not hold real numbers."
    return operation(PARAMETERS, returns="array of x's shape", raises=raises)(call)  # type: ignore[return-value]


def activation_gradient(function: Function) -> Function:
    """Decorates an activation's gradient, which is then called with x and grad as floats of one shape."""

    @wraps(function)
    def call(x: Any, grad: Any, *arguments: Any, **options: Any) -> np.ndarray:
        x, grad = floats(x=x, grad=grad)
        check_grad(grad, x.shape)
        return function(x, grad, *arguments, **options)

    forward = function.__name__.removesuffix("_grad")
    return gradient(forward, "array of x's shape", x="Any shape.")(call)  # type: ignore[return-value]


@activation
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> np.ndarray:
    """x above the threshold, cut to 0 .. max_value, and negative_slope * (x - threshold) below it.

    >>> relu([-1, 0.5, 9], max_value=6)
    array([0. , 0.5, 6. ])
    """
    slope, start = number(negative_slope, "negative_slope"), number(threshold, "threshold", infinite=True)
    y = np.where(x > start, x, 0).astype(x.dtype, copy=False) if start else _at_least_zero(x)
    if max_value is not None:
        y = np.clip(y, 0, _limit(max_value))
    return y + slope * np.minimum(x - start, 0) if slope else y


@activation_gradient
def relu_grad(
    x: Any, grad: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> np.ndarray:
    """The gradient of `relu`: grad between the threshold and max_value, the slope below.

    On the threshold it is 0, except in a plain leaky ReLU, which counts 0 as below. At max_value it is
    grad, except at the 6 of a ReLU6, where it is 0.

    >>> relu_grad([-1, 0, 1, 9], [1, 1, 1, 1], max_value=6, negative_slope=0.5)
    array([0.5, 0. , 1. , 0. ], dtype=float32)
    """
    slope, start = number(negative_slope, "negative_slope"), number(threshold, "threshold", infinite=True)
    if not slope and max_value is None:
        kept = empty(x.shape, x.dtype)
        in_bands(lambda part, part_grad, out: kept_where(part > start, part_grad, out), x, grad, kept)
        return kept
    passes = x > start
    below = x < start
    if max_value is not None:
        most = _limit(max_value)
        passes &= (x < most) if most == 6 and start == 0 else (x >= 0) & (x <= most)
    elif start == 0:
        below = ~passes
    return np.where(passes, grad, np.where(below, slope * grad, 0) if slope else 0)


def _at_least_zero(x: np.ndarray) -> np.ndarray:
    """max(x, 0): with an array of zeros it takes a third of the time that it takes with the number."""
    y = empty(x.shape, x.dtype)
    zeros = np.zeros(min(x.size, BAND), x.dtype)
    in_bands(lambda part, out: np.maximum(part, zeros[: part.size], out=out), x, y)
    return y


@activation
def relu6(x: Any) -> np.ndarray:
    """min(max(x, 0), 6).

    >>> relu6([-1, 3, 7])
    array([0., 3., 6.], dtype=float32)
    """
    return relu(x, max_value=6.0)


@activation_gradient
def relu6_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `relu6`: grad where x is strictly between 0 and 6.

    >>> relu6_grad([-1, 3, 6], [1, 1, 1])
    array([0., 1., 0.], dtype=float32)
    """
    return relu_grad(x, grad, max_value=6.0)


@activation
def leaky_relu(x: Any, negative_slope: float = 0.2) -> np.ndarray:
    """x where it is positive, negative_slope * x elsewhere.

    >>> leaky_relu([-1, 2])
    array([-0.2,  2. ], dtype=float32)
    """
    return np.where(x > 0, x, number(negative_slope, "negative_slope") * x)


@activation_gradient
def leaky_relu_grad(x: Any, grad: Any, negative_slope: float = 0.2) -> np.ndarray:
    """The gradient of `leaky_relu`: grad where x is positive, the slope times it elsewhere.

    >>> leaky_relu_grad([-1, 0, 2], [1, 1, 1])
    array([0.2, 0.2, 1. ], dtype=float32)
    """
    return np.where(x > 0, grad, number(negative_slope, "negative_slope") * grad)


@quiet
def prelu(x: Any, alpha: Any) -> np.ndarray:
    """A leaky ReLU whose slope is learned: x where it is positive, alpha * x elsewhere.

    `alpha` must broadcast against x without its batch axis.

    >>> prelu([[-1, 2]], [0.5, 0.5])
    array([[-0.5,  2. ]])
    """
    x, alpha = floats(x=x, alpha=alpha)
    _check_alpha(alpha.shape, x.shape, "alpha.shape")
    return np.where(x > 0, x, alpha * x)


@gradient("prelu", "array of x's shape")
def prelu_grad(x: Any, grad: Any, alpha: Any) -> np.ndarray:
    """The gradient of `prelu` with respect to x; 0 at 0, where Keras adds two ReLUs.

    >>> prelu_grad([[-1, 0, 2]], [[1, 1, 1]], [0.5, 0.5, 0.5])
    array([[0.5, 0. , 1. ]])
    """
    x, grad, alpha = floats(x=x, grad=grad, alpha=alpha)
    check_grad(grad, x.shape)
    _check_alpha(alpha.shape, x.shape, "alpha.shape")
    return np.where(x > 0, grad, np.where(x < 0, alpha * grad, 0))


@gradient("prelu", "array of alpha_shape", alpha_shape="The shape of alpha.")
def prelu_alpha_grad(x: Any, grad: Any, alpha_shape: Any) -> np.ndarray:
    """The gradient of `prelu` with respect to its slopes.

    >>> prelu_alpha_grad([[-1, 2], [-3, -4]], [[1, 1], [1, 1]], (2,))
    array([-4., -4.], dtype=float32)
    """
    x, grad = floats(x=x, grad=grad)
    check_grad(grad, x.shape)
    shape = parse_shape(alpha_shape, "alpha_shape")
    _check_alpha(shape, x.shape, "alpha_shape")
    return sum_to(np.minimum(x, 0) * grad, shape)


def _check_alpha(shape: tuple[int, ...], x_shape: tuple[int, ...], name: str) -> None:
    if not broadcasts_to(shape, x_shape):
        raise ValueError(f"alpha must broadcast to x, got {name}={shape} for x.shape={x_shape}")


@activation
def elu(x: Any, alpha: float = 1.0) -> np.ndarray:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere.

    >>> elu([0, 2])
    array([0., 2.], dtype=float32)
    """
    return np.where(x > 0, x, number(alpha, "alpha") * np.expm1(np.minimum(x, 0)))


@activation_gradient
def elu_grad(x: Any, grad: Any, alpha: float = 1.0) -> np.ndarray:
    """The gradient of `elu`: grad where x is positive, alpha * exp(x) times it elsewhere.

    >>> elu_grad([0, 2], [1, 1], alpha=0.5)
    array([0.5, 1. ], dtype=float32)
    """
    return np.where(x > 0, grad, number(alpha, "alpha") * np.exp(x) * grad)


@activation
def selu(x: Any) -> np.ndarray:
    """An ELU scaled so that mean 0 and variance 1 are kept: scale * elu(x, alpha).

    >>> selu([1.0])
    array([1.05070099])
    """
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


@activation_gradient
def selu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `selu`: scale where x is not negative, scale * alpha * exp(x) elsewhere.

    >>> selu_grad([0.0, 2.0], [1.0, 1.0])
    array([1.05070099, 1.05070099])
    """
    return np.where(x < 0, SELU_SCALE * SELU_ALPHA * np.exp(x), SELU_SCALE).astype(x.dtype) * grad


@activation
def celu(x: Any, alpha: float = 1.0) -> np.ndarray:
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere.

    >>> celu([0, 2])
    array([0., 2.], dtype=float32)
    """
    a = _not_zero(alpha)
    return np.maximum(x, 0) + a * np.expm1(np.minimum(x, 0) / a)


@activation_gradient
def celu_grad(x: Any, grad: Any, alpha: float = 1.0) -> np.ndarray:
    """The gradient of `celu`: grad where x is positive, exp(x / alpha) times it elsewhere.

    >>> celu_grad([0, 2], [1, 1])
    array([1., 1.], dtype=float32)
    """
    a = _not_zero(alpha)
    return np.where(x > 0, grad, np.exp(x / a) * grad)


def _limit(max_value: Any) -> float:
    most = number(max_value, "max_value", infinite=True)
    if not most >= 0:
        raise ValueError(f"max_value must not be negative, got {brief(max_value)}")
    return most


def _not_zero(alpha: Any) -> float:
    value = number(alpha, "alpha")
    if value == 0:
        raise ValueError(f"alpha must not be 0, got {brief(alpha)}")
    return value
