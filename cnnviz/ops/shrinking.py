"""Activation functions that shrink numbers or cut them, and some smooth or sparse ones; their gradients.

What all activations share, decorators included, is said in `rectifiers`. At a corner the derivative is the
one that Keras's TensorFlow backend takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from cnnviz.numbers import brief
from cnnviz.ops.arguments import number
from cnnviz.ops.padding import integer
from cnnviz.ops.rectifiers import activation, activation_gradient


@activation
def hard_tanh(x: Any) -> np.ndarray:
    """x, cut to -1 .. 1.

    >>> hard_tanh([-3, 0.5, 2])
    array([-1. ,  0.5,  1. ])
    """
    return np.clip(x, -1, 1)


@activation_gradient
def hard_tanh_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `hard_tanh`: grad from -1 to 1, both included.

    >>> hard_tanh_grad([-3, -1, 0, 1], [1, 1, 1, 1])
    array([0., 1., 1., 1.], dtype=float32)
    """
    return np.where((x >= -1) & (x <= 1), grad, 0)


@activation
def hard_shrink(x: Any, threshold: float = 0.5) -> np.ndarray:
    """x where its size exceeds the threshold, 0 elsewhere.

    >>> hard_shrink([-2, 0.25, 1])
    array([-2.,  0.,  1.])
    """
    return np.where(np.abs(x) > number(threshold, "threshold", infinite=True), x, 0).astype(
        x.dtype, copy=False
    )


@activation_gradient
def hard_shrink_grad(x: Any, grad: Any, threshold: float = 0.5) -> np.ndarray:
    """The gradient of `hard_shrink`: grad where the size of x exceeds the threshold.

    >>> hard_shrink_grad([-2, 0.5, 1], [1, 1, 1])
    array([1., 0., 1.])
    """
    return np.where(np.abs(x) > number(threshold, "threshold", infinite=True), grad, 0).astype(
        x.dtype, copy=False
    )


@activation
def soft_shrink(x: Any, threshold: float = 0.5) -> np.ndarray:
    """x moved towards 0 by the threshold, and 0 where it would cross it.

    >>> soft_shrink([-2, 0.25, 1])
    array([-1.5,  0. ,  0.5])
    """
    t = number(threshold, "threshold", infinite=True)
    return np.where(x > t, x - t, np.where(x < -t, x + t, 0)).astype(x.dtype, copy=False)


@activation_gradient
def soft_shrink_grad(x: Any, grad: Any, threshold: float = 0.5) -> np.ndarray:
    """The gradient of `soft_shrink`: grad beyond the threshold, on either side.

    >>> soft_shrink_grad([-2, 0.5, 1], [1, 1, 1])
    array([1., 0., 1.])
    """
    t = number(threshold, "threshold", infinite=True)
    return np.where((x > t) | (x < -t), grad, 0).astype(x.dtype, copy=False)


@activation
def tanh_shrink(x: Any) -> np.ndarray:
    """x - tanh(x).

    >>> tanh_shrink([0.0])
    array([0.])
    """
    return x - np.tanh(x)


@activation_gradient
def tanh_shrink_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `tanh_shrink`: tanh(x)**2.

    >>> tanh_shrink_grad([0.0], [1.0])
    array([0.])
    """
    return np.square(np.tanh(x)) * grad


@activation
def threshold(x: Any, threshold: float, default_value: float) -> np.ndarray:
    """x where it exceeds the threshold, default_value elsewhere.

    >>> threshold([-1, 0.5, 2], 1, 7)
    array([7., 7., 2.])
    """
    t, rest = (
        number(threshold, "threshold", infinite=True),
        number(default_value, "default_value", infinite=True),
    )
    return np.where(x > t, x, rest).astype(x.dtype, copy=False)


@activation_gradient
def threshold_grad(x: Any, grad: Any, threshold: float, default_value: float) -> np.ndarray:
    """The gradient of `threshold`: grad where x exceeds the threshold.

    >>> threshold_grad([-1, 1, 2], [1, 1, 1], 1, 7)
    array([0., 0., 1.], dtype=float32)
    """
    number(default_value, "default_value", infinite=True)
    return np.where(x > number(threshold, "threshold", infinite=True), grad, 0).astype(x.dtype, copy=False)


@activation
def squareplus(x: Any, b: float = 4) -> np.ndarray:
    """(x + sqrt(x**2 + b)) / 2, a ReLU without the corner.

    >>> squareplus([0.0])
    array([1.])

    Source: Barron, "Squareplus: a softplus-like algebraic rectifier", arXiv 2112.11687.
    """
    return (x + np.sqrt(x * x + x.dtype.type(_not_negative(b)))) / 2


@activation_gradient
def squareplus_grad(x: Any, grad: Any, b: float = 4) -> np.ndarray:
    """The gradient of `squareplus`: (1 + x / sqrt(x**2 + b)) / 2, without cancellation at negative x.

    >>> squareplus_grad([0.0], [1.0])
    array([0.5])
    """
    b = x.dtype.type(_not_negative(b))
    root = np.hypot(x, np.sqrt(b))
    return np.where(x < 0, b / (2 * root * (root - x)), (1 + x / root) / 2) * grad


@activation
def sparse_plus(x: Any) -> np.ndarray:
    """0 up to -1, (x + 1)**2 / 4 up to 1, and x from there on.

    >>> sparse_plus([-2.0, 0.0, 3.0])
    array([0.  , 0.25, 3.  ])
    """
    return np.where(x < 1, np.square(np.maximum(x + 1, 0)) / 4, x)


@activation_gradient
def sparse_plus_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `sparse_plus`: (x + 1) / 2, cut to 0 .. 1.

    >>> sparse_plus_grad([-2.0, 0.0, 3.0], [1.0, 1.0, 1.0])
    array([0. , 0.5, 1. ])
    """
    return np.clip((x + 1) / 2, 0, 1) * grad


@activation
def sparse_sigmoid(x: Any) -> np.ndarray:
    """A sigmoid of straight pieces: (x + 1) / 2, cut to 0 .. 1.

    >>> sparse_sigmoid([-2.0, 0.0, 3.0])
    array([0. , 0.5, 1. ])
    """
    return np.clip((x + 1) / 2, 0, 1)


@activation_gradient
def sparse_sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `sparse_sigmoid`: 1/2 between -1 and 1.

    >>> sparse_sigmoid_grad([-1, 0, 1], [2, 2, 2])
    array([0., 1., 0.], dtype=float32)
    """
    return np.where((x > -1) & (x < 1), grad / 2, 0)


@activation
def sparsemax(x: Any, axis: int = -1) -> np.ndarray:
    """max(x - threshold, 0) with one threshold along an axis, by which small numbers become exactly 0.

    The threshold is Keras's: (the sum of the partial sums of the k largest numbers - 1) / k, where k is how
    many are above the mean excess (their sum - 1) / k. The sparsemax of its source takes the sum of the k
    numbers themselves; where k is 1 both are the same, and elsewhere only that adds up to 1.

    >>> sparsemax([0.5, 0.25, -2.0])
    array([0.375, 0.125, 0.   ])

    Source: Martins and Astudillo, "From Softmax to Sparsemax", ICML 2016, algorithm 1.
    """
    with np.errstate(all="ignore"):
        return np.maximum(x - sparsemax_threshold(x, axis), 0)


@activation_gradient
def sparsemax_grad(x: Any, grad: Any, axis: int = -1) -> np.ndarray:
    """The gradient of `sparsemax`: grad where x reaches the threshold, less what the threshold moves.

    That follows the i-th largest of the k numbers with the slope (k - i + 1) / k; of equals the first counts
    as larger.

    >>> sparsemax_grad([0.5, 0.25, -2.0], [1.0, 0.0, 0.0])
    array([ 0. , -0.5,  0. ])
    """
    slopes = sparsemax_threshold_slopes(x, axis)
    with np.errstate(all="ignore"):
        passed = np.where(x - sparsemax_threshold(x, axis) >= 0, grad, 0).astype(x.dtype, copy=False)
        return passed - slopes * passed.sum(axis=axis, keepdims=True)


def sparsemax_threshold(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """What `sparsemax` takes off each number, one for each line along the axis."""
    sums, support = _support(x, axis)
    with np.errstate(all="ignore"):
        total = np.where(support, sums, 0).sum(axis=axis, keepdims=True, dtype=x.dtype)
        return (total - 1) / support.sum(axis=axis, keepdims=True, dtype=x.dtype)


def sparsemax_threshold_slopes(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """How fast that threshold grows with each number, of x's shape."""
    _, support = _support(x, axis)
    # Of the sums that hold a number, those in the support.
    holding = np.flip(np.flip(support, axis).cumsum(axis=axis, dtype=x.dtype), axis)
    slopes = np.empty_like(x)
    # Where nothing is in the support, as beside inf, nothing moves the threshold.
    most = np.maximum(holding.max(axis=axis, keepdims=True, initial=0), 1)
    np.put_along_axis(slopes, np.argsort(-x, axis=axis, kind="stable"), holding / most, axis)
    return slopes


def _support(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the largest number, of the largest two, ...; which of these numbers are in the support."""
    if not -x.ndim <= integer(axis, "axis") < x.ndim:
        raise ValueError(f"axis must be an axis of x, got axis={brief(axis)} for x.shape={x.shape}")
    # NaN is first.
    falling = np.flip(np.sort(x, axis=axis), axis)
    ranks = np.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(-1, *(1,) * ((-axis - 1) % x.ndim))
    with np.errstate(all="ignore"):
        sums = falling.cumsum(axis=axis)
        return sums, falling - (sums - 1) / ranks > 0


@activation
def log_sigmoid(x: Any) -> np.ndarray:
    """The logarithm of sigmoid(x), which is -softplus(-x).

    >>> log_sigmoid([0.0])
    array([-0.69314718])
    """
    return -np.logaddexp(-x, 0)


@activation_gradient
def log_sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `log_sigmoid`: sigmoid(-x).

    >>> log_sigmoid_grad([0.0], [1.0])
    array([0.5])
    """
    return special.expit(-x) * grad


def _not_negative(b: Any) -> float:
    value = number(b, "b")
    if not value >= 0:
        raise ValueError(f"b must not be negative, got {brief(b)}")
    return value
