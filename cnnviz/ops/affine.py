"""Affine maps along the last axis of any shape: the dense layer and batch normalisation.

A 1x1 convolution is the same dense layer at every pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.activations import number
from cnnviz.ops.arrays import check_bias, check_rank, floats, quiet


@quiet
def dense(x: Any, kernel: Any, bias: Any = None) -> np.ndarray:
    """x @ kernel + bias along the last axis.

    Parameters
    ----------
    x
        (..., C).
    kernel
        (C, F).
    bias
        (F,) or None.

    Returns
    -------
    array (..., F)
        Its error is below (C + 1)*u*(sum|x||w| + |bias|).

    Raises
    ------
    ValueError
        if the last axis of x is not C, or a rank is wrong.

    Examples
    --------
    >>> dense([1.0, 2.0], [[1.0, 0.0], [10.0, 1.0]], [0.5, 0.5])
    array([21.5,  2.5])
    """
    x, kernel, bias = floats(x, kernel, bias, names=("x", "kernel", "bias"), optional=1)
    check_rank(kernel, 2, "kernel", "(channels in, units)")
    check_bias(bias, kernel.shape[1])
    check_last_axis(x, kernel.shape[0], f"kernel.shape={kernel.shape}")
    y = (x.reshape(-1, kernel.shape[0]) @ kernel).reshape(*x.shape[:-1], kernel.shape[1])
    if bias is not None:
        y += bias
    return y


@quiet
def batch_norm(
    x: Any, mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.

    This is the inference form: the statistics are given, not taken from x.

    Parameters
    ----------
    x
        (..., C).
    mean, variance, gamma, beta
        (C,); gamma=None is 1, beta=None is 0.
    epsilon
        Added to the variance; not negative.

    Returns
    -------
    array of x's shape

    Raises
    ------
    ValueError
        if a statistic does not have one number for each channel.

    Examples
    --------
    >>> batch_norm([3.0], [1.0], [4.0], epsilon=0.0)
    array([1.])

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithm 2.
    """
    x, mean, variance, gamma, beta = floats(
        x, mean, variance, gamma, beta, names=("x", "mean", "variance", "gamma", "beta"), optional=2
    )
    scale, shift = batch_norm_affine(mean, variance, gamma, beta, epsilon=epsilon)
    check_last_axis(x, len(scale), f"mean.shape={scale.shape}")
    y = x * scale
    y += shift
    return y


@quiet
def batch_norm_affine(
    mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """The (scale, shift) that batch normalisation amounts to: y = x*scale + shift.

    >>> batch_norm_affine([1.0], [4.0], [2.0], [3.0], epsilon=0.0)
    (array([1.]), array([2.]))
    """
    mean, variance, gamma, beta = floats(
        mean, variance, gamma, beta, names=("mean", "variance", "gamma", "beta"), optional=2
    )
    check_rank(mean, 1, "mean", "(channels,)")
    for name, array in (("variance", variance), ("gamma", gamma), ("beta", beta)):
        if array is not None and array.shape != mean.shape:
            raise ValueError(
                f"{name} must have the shape of mean, {mean.shape}, got {name}.shape={array.shape}"
            )
    if not number(epsilon, "epsilon") >= 0:
        raise ValueError(f"epsilon must not be negative, got {epsilon!r}")
    # The order of TensorFlow's tf.nn.batch_normalization, so that float32 rounds alike.
    scale = 1 / np.sqrt(variance + number(epsilon, "epsilon"))
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale if beta is None else beta - mean * scale
    return scale, shift


def check_last_axis(x: np.ndarray, expected: int, source: str, name: str = "x") -> None:
    if x.ndim < 1 or x.shape[-1] != expected:
        raise ValueError(
            f"the last axis of {name} must have {expected} channels ({source}), got {name}.shape={x.shape}"
        )
