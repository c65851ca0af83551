"""The dense layer, an affine map along the last axis of any shape, and its gradients.

A 1x1 convolution is the same dense layer at every pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arguments import (
    channel_sums,
    check_bias,
    check_grad,
    check_last_axis,
    check_rank,
    floats,
    gradient,
    operation,
)

PARAMETERS = {
    "x": "(..., C).",
    "kernel": "(C, F).",
    "bias": "(F,) or None.",
    "grad": "(..., F), the gradient with respect to the result.",
}


@operation(
    PARAMETERS,
    returns="array (..., F)\n    Its error is below (C + 1)*u*(sum|x||w| + |bias|).",
    raises="ValueError\n    if the last axis of x is not C, or a rank is wrong.",
)
def dense(x: Any, kernel: Any, bias: Any = None) -> np.ndarray:
    """x @ kernel + bias along the last axis.

    >>> dense([1.0, 2.0], [[1.0, 0.0], [10.0, 1.0]], [0.5, 0.5])
    array([21.5,  2.5])
    """
    x, kernel, bias = floats(x=x, kernel=kernel, bias=bias, optional=1)
    check_rank(kernel, 2, "kernel", "(channels in, units)")
    check_bias(bias, kernel.shape[1])
    check_last_axis(x, kernel.shape[0], f"kernel.shape={kernel.shape}")
    y = (x.reshape(-1, kernel.shape[0]) @ kernel).reshape(*x.shape[:-1], kernel.shape[1])
    if bias is not None:
        y += bias
    return y


@gradient("dense", "array (..., C)", **PARAMETERS)
def dense_input_grad(grad: Any, kernel: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its input: grad @ kernel.T.

    >>> dense_input_grad([1.0, 10.0], [[1.0, 2.0], [3.0, 4.0]])
    array([21., 43.])
    """
    grad, kernel = floats(grad=grad, kernel=kernel)
    check_rank(kernel, 2, "kernel", "(channels in, units)")
    check_last_axis(grad, kernel.shape[1], f"kernel.shape={kernel.shape}", "grad")
    return (grad.reshape(-1, kernel.shape[1]) @ kernel.T).reshape(*grad.shape[:-1], kernel.shape[0])


@gradient("dense", "array (C, F)", **PARAMETERS)
def dense_kernel_grad(x: Any, grad: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its kernel: x.T @ grad, summed over all leading axes.

    >>> dense_kernel_grad([1.0, 2.0], [1.0, 10.0])
    array([[ 1., 10.],
           [ 2., 20.]])
    """
    x, grad = floats(x=x, grad=grad)
    for name, array in (("x", x), ("grad", grad)):
        if array.ndim < 1 or not array.shape[-1]:
            raise ValueError(f"{name} must be (..., channels), got {name}.shape={array.shape}")
    check_grad(grad, (*x.shape[:-1], grad.shape[-1]))
    return x.reshape(-1, x.shape[-1]).T @ grad.reshape(-1, grad.shape[-1])


@gradient("dense", "array (F,)", **PARAMETERS)
def dense_bias_grad(grad: Any) -> np.ndarray:
    """The gradient of `dense` with respect to its bias: grad summed over all leading axes.

    >>> dense_bias_grad([[1.0, 2.0], [3.0, 4.0]])
    array([4., 6.])
    """
    return channel_sums(grad)
