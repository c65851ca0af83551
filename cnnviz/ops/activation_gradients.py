"""The gradients of the activation functions: grad times the derivative at x, element by element.

Where a function has a corner, the derivative there is the one that Keras's TensorFlow backend takes;
only celu's, 2 there at 0, is 1 here. Softmax and its logarithm mix the elements along their axis.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from cnnviz.ops.activations import SELU_ALPHA, SELU_SCALE, hard_sigmoid, number, softmax, softplus
from cnnviz.ops.arrays import broadcasts_to, floats, quiet
from cnnviz.ops.gradient_arguments import check_grad, parse_shape, sum_to


def linear_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `linear`: grad itself.

    Parameters
    ----------
    x
        Any shape. This and what follows holds for every gradient here.
    grad
        The gradient with respect to the result, of x's shape.

    Returns
    -------
    array of x's shape
        float64 if x or grad is, else float32.

    Raises
    ------
    ValueError
        if grad does not have x's shape, and as the forward function.
    TypeError
        for what does not hold real numbers.

    Examples
    --------
    >>> linear_grad([1, -2], [3, 4])
    array([3., 4.], dtype=float32)
    """
    return _arrays(x, grad)[1]


@quiet
def relu_grad(
    x: Any,
    grad: Any,
    *,
    max_value: float | None = None,
    negative_slope: float = 0.0,
    threshold: float = 0.0,
) -> np.ndarray:
    """The gradient of `relu`: grad between the threshold and max_value, the slope below.

    On the threshold it is 0, but for a plain leaky ReLU, which counts 0 as below. At max_value it is
    grad, but 0 at the 6 of a ReLU6.

    >>> relu_grad([-1, 0, 1, 9], [1, 1, 1, 1], max_value=6, negative_slope=0.5)
    array([0.5, 0. , 1. , 0. ], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    slope, start = number(negative_slope, "negative_slope"), number(threshold, "threshold")
    passes = x > start
    below = x < start
    if max_value is not None:
        most = number(max_value, "max_value")
        if not most >= 0:
            raise ValueError(f"max_value must not be negative, got {max_value!r}")
        passes &= (x < most) if most == 6 and start == 0 else (x >= 0) & (x <= most)
    elif start == 0:
        below = ~passes
    return np.where(passes, grad, np.where(below, slope * grad, 0) if slope else 0)


def relu6_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `relu6`: grad where x is strictly between 0 and 6.

    >>> relu6_grad([-1, 3, 6], [1, 1, 1])
    array([0., 1., 0.], dtype=float32)
    """
    return relu_grad(x, grad, max_value=6.0)


@quiet
def leaky_relu_grad(x: Any, grad: Any, *, negative_slope: float = 0.2) -> np.ndarray:
    """The gradient of `leaky_relu`: grad where x is positive, the slope times it elsewhere.

    >>> leaky_relu_grad([-1, 0, 2], [1, 1, 1])
    array([0.2, 0.2, 1. ], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    return np.where(x > 0, grad, number(negative_slope, "negative_slope") * grad)


@quiet
def prelu_grad(x: Any, grad: Any, alpha: Any) -> np.ndarray:
    """The gradient of `prelu` with respect to x; 0 at 0, where Keras adds two ReLUs.

    >>> prelu_grad([[-1, 0, 2]], [[1, 1, 1]], [0.5, 0.5, 0.5])
    array([[0.5, 0. , 1. ]])
    """
    x, grad, alpha = floats(x, grad, alpha, names=("x", "grad", "alpha"))
    check_grad(grad, x.shape)
    _check_alpha(alpha.shape, x.shape, "alpha.shape")
    return np.where(x > 0, grad, np.where(x < 0, alpha * grad, 0))


@quiet
def prelu_alpha_grad(x: Any, grad: Any, alpha_shape: Any) -> np.ndarray:
    """The gradient of `prelu` with respect to its slopes, of shape alpha_shape.

    >>> prelu_alpha_grad([[-1, 2], [-3, -4]], [[1, 1], [1, 1]], (2,))
    array([-4., -4.], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    shape = parse_shape(alpha_shape, "alpha_shape")
    _check_alpha(shape, x.shape, "alpha_shape")
    return sum_to(np.minimum(x, 0) * grad, shape)


@quiet
def elu_grad(x: Any, grad: Any, *, alpha: float = 1.0) -> np.ndarray:
    """The gradient of `elu`: grad where x is positive, alpha * exp(x) times it elsewhere.

    >>> elu_grad([0, 2], [1, 1], alpha=0.5)
    array([0.5, 1. ], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    return np.where(x > 0, grad, number(alpha, "alpha") * np.exp(x) * grad)


@quiet
def selu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `selu`: scale where x is not negative, scale * alpha * exp(x) elsewhere.

    >>> selu_grad([0.0, 2.0], [1.0, 1.0])
    array([1.05070099, 1.05070099])
    """
    x, grad = _arrays(x, grad)
    return np.where(x < 0, SELU_SCALE * SELU_ALPHA * np.exp(x), SELU_SCALE).astype(x.dtype) * grad


@quiet
def celu_grad(x: Any, grad: Any, *, alpha: float = 1.0) -> np.ndarray:
    """The gradient of `celu`: grad where x is positive, exp(x / alpha) times it elsewhere.

    >>> celu_grad([0, 2], [1, 1])
    array([1., 1.], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    a = number(alpha, "alpha")
    if a == 0:
        raise ValueError(f"alpha must not be 0, got {alpha!r}")
    return np.where(x > 0, grad, np.exp(x / a) * grad)


@quiet
def gelu_grad(x: Any, grad: Any, *, approximate: bool = False) -> np.ndarray:
    """The gradient of `gelu`: the normal distribution's share below x, plus x times its density.

    >>> gelu_grad([0.0, 1.0], [1.0, 1.0])
    array([0.5       , 1.08331547])
    """
    x, grad = _arrays(x, grad)
    if not approximate:
        density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return (0.5 * special.erfc(x * -math.sqrt(0.5)) + x * density) * grad
    # x * sigmoid(z), as in `gelu`; far out the slope is 0, and its factors must not overflow.
    near = np.clip(x, -100, 100)
    z = math.sqrt(8 / math.pi) * (near + 0.044715 * near**3)
    slope = math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * near**2) * special.expit(z) * special.expit(-z)
    return (special.expit(z) + near * slope) * grad


@quiet
def silu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `silu`: sigmoid(x) * (1 + x * sigmoid(-x)).

    >>> silu_grad([0.0], [1.0])
    array([0.5])
    """
    x, grad = _arrays(x, grad)
    return special.expit(x) * (1 + x * special.expit(-x)) * grad


@quiet
def hard_silu_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `hard_silu`: hard_sigmoid(x), and x / 6 more between -3 and 3.

    >>> hard_silu_grad([-4, 0, 3], [1, 1, 1])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    return (hard_sigmoid(x) + np.where(_on_ramp(x), x / 6, 0)) * grad


@quiet
def mish_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `mish`: with s = softplus(x), tanh(s) + x * sigmoid(x) / cosh(s)**2.

    >>> mish_grad([0.0], [1.0])
    array([0.6])
    """
    x, grad = _arrays(x, grad)
    s = softplus(x)
    return (np.tanh(s) + x * special.expit(x) * _one_over_cosh_squared(s)) * grad


@quiet
def sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `sigmoid`: sigmoid(x) * sigmoid(-x), which is s * (1 - s) without cancellation.

    >>> sigmoid_grad([0.0], [1.0])
    array([0.25])
    """
    x, grad = _arrays(x, grad)
    return special.expit(x) * special.expit(-x) * grad


@quiet
def hard_sigmoid_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `hard_sigmoid`: 1/6 between -3 and 3.

    >>> hard_sigmoid_grad([-4, 0, 3], [6, 6, 6])
    array([0., 1., 0.], dtype=float32)
    """
    x, grad = _arrays(x, grad)
    return np.where(_on_ramp(x), grad / 6, 0)


@quiet
def tanh_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `tanh`: 1 / cosh(x)**2, which is 1 - tanh(x)**2 without cancellation.

    >>> tanh_grad([0.0], [1.0])
    array([1.])
    """
    x, grad = _arrays(x, grad)
    return _one_over_cosh_squared(x) * grad


@quiet
def softplus_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `softplus`: sigmoid(x).

    >>> softplus_grad([0.0], [1.0])
    array([0.5])
    """
    x, grad = _arrays(x, grad)
    return special.expit(x) * grad


@quiet
def softsign_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `softsign`: 1 / (1 + abs(x))**2.

    >>> softsign_grad([1.0], [1.0])
    array([0.25])
    """
    x, grad = _arrays(x, grad)
    return grad / (1 + np.abs(x)) ** 2


@quiet
def exponential_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `exponential`: exp(x).

    >>> exponential_grad([0.0], [3.0])
    array([3.])
    """
    x, grad = _arrays(x, grad)
    return np.exp(x) * grad


@quiet
def softmax_grad(x: Any, grad: Any, axis: int = -1) -> np.ndarray:
    """The gradient of `softmax`: p * (grad - sum(p * grad)), the sum along the axis.

    >>> softmax_grad([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    x, grad = _arrays(x, grad)
    p = softmax(x, axis)
    return p * (grad - (p * grad).sum(axis=axis, keepdims=True))


@quiet
def log_softmax_grad(x: Any, grad: Any, axis: int = -1) -> np.ndarray:
    """The gradient of `log_softmax`: grad - p * sum(grad), p the softmax.

    >>> log_softmax_grad([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    x, grad = _arrays(x, grad)
    return grad - softmax(x, axis) * grad.sum(axis=axis, keepdims=True)


def _arrays(x: Any, grad: Any) -> list[np.ndarray]:
    x, grad = floats(x, grad, names=("x", "grad"))
    check_grad(grad, x.shape)
    return [x, grad]


def _check_alpha(shape: tuple[int, ...], x_shape: tuple[int, ...], name: str) -> None:
    if not broadcasts_to(shape, x_shape):
        raise ValueError(f"alpha must broadcast to x, got {name}={shape} for x.shape={x_shape}")


def _one_over_cosh_squared(x: np.ndarray) -> np.ndarray:
    return 4 * special.expit(2 * x) * special.expit(-2 * x)


def _on_ramp(x: np.ndarray) -> np.ndarray:
    """Where hard_sigmoid rises, rounded as it rounds."""
    return (x + 3 > 0) & (x + 3 < 6)
