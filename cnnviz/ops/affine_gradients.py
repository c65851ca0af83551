"""The gradients of the dense layer and of batch normalisation with given statistics.

With statistics of the batch itself, as in training, they are in `training_batch_norm`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.affine import batch_norm_affine, check_last_axis
from cnnviz.ops.arrays import check_rank, floats, quiet
from cnnviz.ops.gradient_arguments import check_grad, sum_over_all_but_channels


@quiet
def dense_input_grad(grad: Any, kernel: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its input: grad @ kernel.T.

    Parameters
    ----------
    grad
        (..., F), the gradient with respect to the result.
    kernel
        (C, F).

    Returns
    -------
    array (..., C)
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError
        if the last axis of grad is not F, or a rank is wrong.

    Examples
    --------
    >>> dense_input_grad([1.0, 10.0], [[1.0, 2.0], [3.0, 4.0]])
    array([21., 43.])
    """
    grad, kernel = floats(grad, kernel, names=("grad", "kernel"))
    check_rank(kernel, 2, "kernel", "(channels in, units)")
    check_last_axis(grad, kernel.shape[1], f"kernel.shape={kernel.shape}", "grad")
    return (grad.reshape(-1, kernel.shape[1]) @ kernel.T).reshape(*grad.shape[:-1], kernel.shape[0])


@quiet
def dense_kernel_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its kernel: x.T @ grad, summed over all leading axes.

    Parameters
    ----------
    x
        (..., C).
    grad
        (..., F), the gradient with respect to the result.

    Returns
    -------
    array (C, F)

    Raises
    ------
    ValueError
        if x and grad differ in a leading axis.

    Examples
    --------
    >>> dense_kernel_grad([1.0, 2.0], [1.0, 10.0])
    array([[ 1., 10.],
           [ 2., 20.]])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    for name, array in (("x", x), ("grad", grad)):
        if array.ndim < 1 or not array.shape[-1]:
            raise ValueError(f"{name} must be (..., channels), got {name}.shape={array.shape}")
    check_grad(grad, (*x.shape[:-1], grad.shape[-1]))
    return x.reshape(-1, x.shape[-1]).T @ grad.reshape(-1, grad.shape[-1])


@quiet
def dense_bias_grad(grad: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its bias: grad (..., F) summed to (F,).

    >>> dense_bias_grad([[1.0, 2.0], [3.0, 4.0]])
    array([4., 6.])
    """
    return sum_over_all_but_channels(_channels(grad))


@quiet
def batch_norm_input_grad(
    grad: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to x: grad * gamma / sqrt(variance + epsilon).

    Parameters
    ----------
    grad
        (..., C), the gradient with respect to the result.
    variance, gamma
        (C,); gamma=None is 1.
    epsilon
        As in the forward call.

    Returns
    -------
    array of grad's shape
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError, TypeError
        as `batch_norm`.

    Examples
    --------
    >>> batch_norm_input_grad([3.0], [4.0], [10.0], epsilon=0.0)
    array([15.])
    """
    grad, variance, gamma = floats(grad, variance, gamma, names=("grad", "variance", "gamma"), optional=1)
    check_rank(variance, 1, "variance", "(channels,)")
    if gamma is not None and gamma.shape != variance.shape:
        raise ValueError(
            f"gamma must have the shape of variance, {variance.shape}, got gamma.shape={gamma.shape}"
        )
    scale, _ = batch_norm_affine(np.zeros_like(variance), variance, gamma, epsilon=epsilon)
    check_last_axis(grad, len(scale), f"variance.shape={variance.shape}", "grad")
    return grad * scale


@quiet
def batch_norm_gamma_grad(
    x: Any, grad: Any, mean: Any, variance: Any, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to gamma: grad times the normalised x, summed.

    Parameters
    ----------
    x, grad
        (..., C), the input and the gradient with respect to the result.
    mean, variance
        (C,).
    epsilon
        As in the forward call.

    Returns
    -------
    array (C,)

    Raises
    ------
    ValueError, TypeError
        as `batch_norm`; for a grad that does not have x's shape.

    Examples
    --------
    >>> batch_norm_gamma_grad([[3.0], [1.0]], [[1.0], [10.0]], [1.0], [4.0], epsilon=0.0)
    array([1.])
    """
    x, grad, mean, variance = floats(x, grad, mean, variance, names=("x", "grad", "mean", "variance"))
    scale, _ = batch_norm_affine(mean, variance, epsilon=epsilon)
    return _centred_sum(x, grad, mean) * scale


@quiet
def batch_norm_beta_grad(grad: Any) -> np.ndarray:
    """The gradient of `batch_norm` and `batch_norm_training` with respect to beta: grad summed to (C,).

    >>> batch_norm_beta_grad([[1.0, 2.0], [3.0, 4.0]])
    array([4., 6.])
    """
    return sum_over_all_but_channels(_channels(grad))


@quiet
def batch_norm_mean_grad(grad: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3) -> np.ndarray:
    """The gradient of `batch_norm` with respect to the mean it is given; arguments as for the input's.

    >>> batch_norm_mean_grad([[3.0], [1.0]], [4.0], [10.0], epsilon=0.0)
    array([-20.])
    """
    return -sum_over_all_but_channels(batch_norm_input_grad(grad, variance, gamma, epsilon=epsilon))


@quiet
def batch_norm_variance_grad(
    x: Any, grad: Any, mean: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to the variance it is given; arguments as for gamma's.

    >>> batch_norm_variance_grad([[3.0], [1.0]], [[1.0], [10.0]], [1.0], [4.0], epsilon=0.0)
    array([-0.125])
    """
    names = ("x", "grad", "mean", "variance", "gamma")
    x, grad, mean, variance, gamma = floats(x, grad, mean, variance, gamma, names=names, optional=1)
    # y depends on variance through scale = gamma * (variance + epsilon)**-0.5.
    scale, _ = batch_norm_affine(mean, variance, gamma, epsilon=epsilon)
    return _centred_sum(x, grad, mean) * (-0.5 * scale / (variance + epsilon))


def _centred_sum(x: np.ndarray, grad: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The sum of grad * (x - mean) over all but the channels."""
    check_last_axis(x, len(mean), f"mean.shape={mean.shape}")
    check_grad(grad, x.shape)
    return sum_over_all_but_channels(grad * (x - mean))


def _channels(grad: Any) -> np.ndarray:
    (grad,) = floats(grad, names=("grad",))
    if grad.ndim < 1:
        raise ValueError(f"grad must be (..., channels), got grad.shape={grad.shape}")
    return grad
