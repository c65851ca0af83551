"""Activation functions other than rectifiers, such as sigmoids and softmax, and their gradients.

What they share with the rectifiers, decorators included, is said in `rectifiers`. Softmax and its logarithm
mix the elements along their axis.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from cnnviz.numbers import brief
from cnnviz.ops.arguments import flag
from cnnviz.ops.padding import integer
from cnnviz.ops.rectifiers import activation, activation_gradient, relu6


@activation
def linear(x: Any) -> np.ndarray:
    """x itself, as floats: the same array where it is one already.

    >>> linear([1, -2])
    array([ 1., -2.], dtype=float32)
    """
    return x


@activation_gradient
def linear_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `linear`: grad itself.

    >>> linear_grad([1, -2], [3, 4])
    array([3., 4.], dtype=float32)
    """
    return grad


@activation
def gelu(x: Any, approximate: bool = False) -> np.ndarray:
    """x times the normal distribution's share below x; with approximate, by a tanh.

    >>> gelu([0.0, 1.0])
    array([0.        , 0.84134475])

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    if flag(approximate, "approximate"):
        # (1 + tanh(z)) / 2 = sigmoid(2z), without the cancellation at negative z.
        return x * special.expit(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * x * special.erfc(x * -math.sqrt(0.5))


@activation_gradient
def gelu_grad(x: Any, grad: Any, approximate: bool = False) -> np.ndarray:
    """The gradient of `gelu`: the normal distribution's share below x, plus x times its density.

    >>> gelu_grad([0.0, 1.0], [1.0, 1.0])
    array([0.5       , 1.08331547])
    """
    if not flag(approximate, "approximate"):
        density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return (0.5 * special.erfc(x * -math.sqrt(0.5)) + x * density) * grad
    # x * sigmoid(z), as in `gelu`; far out the slope is 0, and its factors must not overflow.
    near = np.clip(x, -100, 100)
    z = math.sqrt(8 / math.pi) * (near + 0.044715 * near**3)
    slope = math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * near**2) * special.expit(z) * special.expit(-z)
    return (special.expit(z) + near * slope) * grad


@activation
def silu(x: Any) -> np.ndarray:
    """x * sigmoid(x), also known as swish.

    >>> silu([0.0, 1.0])
    array([0.        , 0.73105858])
    """
    # Below -88 in float32 the exponential overflows, and x over it is -0 in place of less than 2e-37.
    return x / (1 + np.exp(-x))


@activation_gradient
def silu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `silu`: sigmoid(x) * (1 + x * sigmoid(-x)).

    >>> silu_grad([0.0], [1.0])
    array([0.5])
    """
    return special.expit(x) * (1 + x * special.expit(-x)) * grad


@activation
def hard_silu(x: Any) -> np.ndarray:
    """x * hard_sigmoid(x), also known as hard swish.

    >>> hard_silu([-3, 3])
    array([-0.,  3.], dtype=float32)
    """
    return x * hard_sigmoid(x)


@activation_gradient
def hard_silu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `hard_silu`: hard_sigmoid(x), and x / 6 more between -3 and 3.

    >>> hard_silu_grad([-4, 0, 3], [1, 1, 1])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return (hard_sigmoid(x) + np.where(_on_ramp(x), x / 6, 0)) * grad


@activation
def mish(x: Any) -> np.ndarray:
    """x * tanh(softplus(x)).

    >>> mish([0.0])
    array([0.])
    """
    return x * np.tanh(softplus(x))


@activation_gradient
def mish_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `mish`: with s = softplus(x), tanh(s) + x * sigmoid(x) / cosh(s)**2.

    >>> mish_grad([0.0], [1.0])
    array([0.6])
    """
    s = softplus(x)
    return (np.tanh(s) + x * special.expit(x) * _one_over_cosh_squared(s)) * grad


@activation
def sigmoid(x: Any) -> np.ndarray:
    """1 / (1 + exp(-x)).

    >>> sigmoid([0.0])
    array([0.5])
    """
    return _logistic(x)


def _logistic(x: np.ndarray) -> np.ndarray:
    """The sigmoid, without overflow; NumPy's exp is vectorised, which SciPy's expit is not.

    Where x is negative both exponentials are the same number.
    """
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


@activation_gradient
def sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `sigmoid`: sigmoid(x) * sigmoid(-x), which is s * (1 - s) without cancellation.

    >>> sigmoid_grad([0.0], [1.0])
    array([0.25])
    """
    return special.expit(x) * special.expit(-x) * grad


@activation
def hard_sigmoid(x: Any) -> np.ndarray:
    """A sigmoid of straight pieces: relu6(x + 3) / 6.

    >>> hard_sigmoid([-4, 0, 4])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return relu6(x + 3) / 6


@activation_gradient
def hard_sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `hard_sigmoid`: 1/6 between -3 and 3.

    >>> hard_sigmoid_grad([-4, 0, 3], [6, 6, 6])
    array([0., 1., 0.], dtype=float32)
    """
    return np.where(_on_ramp(x), grad / 6, 0)


@activation
def tanh(x: Any) -> np.ndarray:
    """The hyperbolic tangent.

    >>> tanh([0.0])
    array([0.])
    """
    return np.tanh(x)


@activation_gradient
def tanh_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `tanh`: 1 / cosh(x)**2, which is 1 - tanh(x)**2 without cancellation.

    >>> tanh_grad([0.0], [1.0])
    array([1.])
    """
    return _one_over_cosh_squared(x) * grad


@activation
def softplus(x: Any) -> np.ndarray:
    """log(1 + exp(x)), a ReLU without the corner.

    >>> softplus([0.0])
    array([0.69314718])
    """
    return np.logaddexp(x, 0)


@activation_gradient
def softplus_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `softplus`: sigmoid(x).

    >>> softplus_grad([0.0], [1.0])
    array([0.5])
    """
    return special.expit(x) * grad


@activation
def softsign(x: Any) -> np.ndarray:
    """x / (1 + abs(x)).

    >>> softsign([1.0])
    array([0.5])
    """
    return x / (1 + np.abs(x))


@activation_gradient
def softsign_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `softsign`: 1 / (1 + abs(x))**2.

    >>> softsign_grad([1.0], [1.0])
    array([0.25])
    """
    return grad / (1 + np.abs(x)) ** 2


@activation
def exponential(x: Any) -> np.ndarray:
    """exp(x).

    >>> exponential([0.0])
    array([1.])
    """
    return np.exp(x)


@activation_gradient
def exponential_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `exponential`: exp(x).

    >>> exponential_grad([0.0], [3.0])
    array([3.])
    """
    return np.exp(x) * grad


@activation
def softmax(x: Any, axis: int = -1) -> np.ndarray:
    """exp(x) over its sum along an axis: positive numbers that add up to one.

    NaN or inf anywhere along the axis makes all of it NaN (TensorFlow's float32 kernel says 0 for
    the finite numbers beside them).

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    powers = np.exp(_below_largest(x, axis))
    return powers / powers.sum(axis=axis, keepdims=True)


@activation_gradient
def softmax_grad(x: Any, grad: Any, axis: int = -1) -> np.ndarray:
    """The gradient of `softmax`: p * (grad - sum(p * grad)), the sum along the axis.

    >>> softmax_grad([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    p = softmax(x, axis)
    return p * (grad - (p * grad).sum(axis=axis, keepdims=True))


@activation
def log_softmax(x: Any, axis: int = -1) -> np.ndarray:
    """The logarithm of softmax, without ever forming a tiny probability.

    >>> log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    below = _below_largest(x, axis)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


@activation_gradient
def log_softmax_grad(x: Any, grad: Any, axis: int = -1) -> np.ndarray:
    """The gradient of `log_softmax`: grad - p * sum(grad), p the softmax.

    >>> log_softmax_grad([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return grad - softmax(x, axis) * grad.sum(axis=axis, keepdims=True)


def _one_over_cosh_squared(x: np.ndarray) -> np.ndarray:
    return 4 * special.expit(2 * x) * special.expit(-2 * x)


def _on_ramp(x: np.ndarray) -> np.ndarray:
    """Where hard_sigmoid rises, rounded as it rounds."""
    return (x + 3 > 0) & (x + 3 < 6)


def _below_largest(x: np.ndarray, axis: Any) -> np.ndarray:
    """x less its largest along the axis: exp of it cannot overflow."""
    if not -x.ndim <= integer(axis, "axis") < x.ndim:
        raise ValueError(f"axis must be an axis of x, got axis={brief(axis)} for x.shape={x.shape}")
    if x.shape[axis] == 0:
        return x
    return x - x.max(axis=axis, keepdims=True)
