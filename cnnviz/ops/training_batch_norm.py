"""Batch normalisation as in training: the statistics are those of the batch, and depend on every x.

The inference form is `batch_norm`. Running averages are left out. Source: Ioffe and Szegedy, "Batch
Normalization", ICML 2015, algorithm 1 and section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.activations import number
from cnnviz.ops.arrays import floats, quiet
from cnnviz.ops.gradient_arguments import check_grad, sum_over_all_but_channels


@quiet
def batch_norm_training(
    x: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the batch's own mean and variance.

    Parameters
    ----------
    x
        (..., C), with at least one number in each channel.
    gamma, beta
        (C,); gamma=None is 1, beta=None is 0.
    epsilon
        Added to the variance; not negative.

    Returns
    -------
    tuple of arrays
        The normalised x, and mean and variance (C,); the variance is the mean squared distance, not
        corrected for the batch's size.

    Raises
    ------
    ValueError
        for an empty x, and gamma or beta without one number for each channel.

    Examples
    --------
    >>> batch_norm_training([[1.0], [3.0]], epsilon=0.0)
    (array([[-1.],
           [ 1.]]), array([2.]), array([1.]))
    """
    x, gamma, beta = floats(x, gamma, beta, names=("x", "gamma", "beta"), optional=2)
    mean, centred, variance, scale = _statistics(x, epsilon)
    for name, array in (("gamma", gamma), ("beta", beta)):
        _check_channels(array, name, x)
    y = centred * (scale if gamma is None else scale * gamma)
    return (y if beta is None else y + beta), mean, variance


@quiet
def batch_norm_training_input_grad(
    x: Any, grad: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm_training` with respect to x, its statistics' share included.

    With z the normalised x: gamma / sqrt(variance + epsilon) * (grad - mean(grad) - z * mean(grad * z)).

    Parameters
    ----------
    x, grad
        (..., C), the input and the gradient with respect to the normalised x.
    gamma, epsilon
        As in the forward call.

    Returns
    -------
    array of x's shape

    Raises
    ------
    ValueError, TypeError
        as `batch_norm_training`; for a grad that does not have x's shape.

    Examples
    --------
    >>> batch_norm_training_input_grad([[1.0], [3.0], [2.0]], [[1.0], [0.0], [2.0]], epsilon=0.0).round(3)
    array([[-0.612],
           [-0.612],
           [ 1.225]])
    """
    x, grad, gamma = floats(x, grad, gamma, names=("x", "grad", "gamma"), optional=1)
    check_grad(grad, x.shape)
    _, centred, _, scale = _statistics(x, epsilon)
    _check_channels(gamma, "gamma", x)
    z, count = centred * scale, x.size // x.shape[-1]
    common = sum_over_all_but_channels(grad) / count
    along = sum_over_all_but_channels(grad * z) / count
    return (grad - common - z * along) * (scale if gamma is None else scale * gamma)


@quiet
def batch_norm_training_gamma_grad(x: Any, grad: Any, *, epsilon: float = 1e-3) -> np.ndarray:
    """The gradient of `batch_norm_training` with respect to gamma; beta's is `batch_norm_beta_grad`.

    >>> batch_norm_training_gamma_grad([[1.0], [3.0]], [[1.0], [10.0]], epsilon=0.0)
    array([9.])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    check_grad(grad, x.shape)
    _, centred, _, scale = _statistics(x, epsilon)
    return sum_over_all_but_channels(grad * centred) * scale


def _statistics(x: np.ndarray, epsilon: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """mean, x - mean, variance and 1 / sqrt(variance + epsilon)."""
    if x.ndim < 1 or not x.size:
        raise ValueError(f"x must be (..., channels) and hold numbers, got x.shape={x.shape}")
    if not number(epsilon, "epsilon") >= 0:
        raise ValueError(f"epsilon must not be negative, got {epsilon!r}")
    count = x.size // x.shape[-1]
    mean = sum_over_all_but_channels(x) / count
    centred = x - mean
    variance = sum_over_all_but_channels(centred * centred) / count
    return mean, centred, variance, 1 / np.sqrt(variance + number(epsilon, "epsilon"))


def _check_channels(array: np.ndarray | None, name: str, x: np.ndarray) -> None:
    if array is not None and array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must have one number for each channel of x.shape={x.shape}, "
            f"got {name}.shape={array.shape}"
        )
