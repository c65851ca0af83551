"""The gradients of plain and depthwise convolution with respect to input, kernel and bias.

Each is a vector-Jacobian product: from `grad`, the gradient of some number with respect to the result,
to that with respect to one argument. How the sums are carried out is written down in `transposed`,
`kernel_gradient` and `depthwise_gradient`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arrays import check_rank, floats, images, quiet
from cnnviz.ops.depthwise_gradient import depthwise_input_gradient, depthwise_kernel_gradient
from cnnviz.ops.gradient_arguments import (
    image_grad,
    parse_image_shape,
    parse_kernel_shape,
    sum_over_all_but_channels,
)
from cnnviz.ops.kernel_gradient import kernel_gradient
from cnnviz.ops.padding import integer, sliding_window
from cnnviz.ops.transposed import scatter

Shape = tuple[int, ...]

PLAIN = "(kh, kw, channels in, filters)"
DEPTHWISE = "(kh, kw, channels, multiplier)"


@quiet
def conv2d_input_grad(
    grad: Any,
    kernel: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """The gradient of `conv2d` with respect to its input: every output gives back along its window.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape: (N, H_out, W_out, F), without the axes
        that the input came without.
    kernel
        (kh, kw, C // groups, F).
    input_shape
        (N, H, W, C), (H, W, C) or (H, W).
    strides, padding, dilation_rate, groups
        As in the forward call.

    Returns
    -------
    array of input_shape
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError, TypeError
        as `conv2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> conv2d_input_grad([[1.0, 0.0]], np.array([[2.0, 3.0]]).reshape(1, 2, 1, 1), (1, 3))
    array([[2., 3., 0.]])
    """
    grad, kernel = floats(grad, kernel, names=("grad", "kernel"))
    check_rank(kernel, 4, "kernel", PLAIN)
    given, full = parse_image_shape(input_shape)
    check_groups(full, "input_shape", kernel.shape, "kernel.shape", groups)
    geometry = sliding_window(full, kernel.shape, strides, padding, dilation_rate)
    grad = image_grad(grad, len(given), (full[0], *geometry.out, kernel.shape[3]))
    return scatter(grad, kernel, None, geometry, groups).reshape(given)


@quiet
def conv2d_kernel_grad(
    x: Any,
    grad: Any,
    kernel_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """The gradient of `conv2d` with respect to its kernel: windows times grad, over all positions.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape.
    kernel_shape
        (kh, kw, C // groups, F).
    strides, padding, dilation_rate, groups
        As in the forward call.

    Returns
    -------
    array of kernel_shape

    Raises
    ------
    ValueError, TypeError
        as `conv2d_input_grad`.

    Examples
    --------
    >>> conv2d_kernel_grad([[1.0, 2.0, 4.0]], [[1.0, 10.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    rank = x.ndim
    x, _ = images(x)
    shape = parse_kernel_shape(kernel_shape, "kernel_shape", PLAIN)
    check_groups(x.shape, "x.shape", shape, "kernel_shape", groups)
    geometry = sliding_window(x.shape, shape, strides, padding, dilation_rate)
    grad = image_grad(grad, rank, (len(x), *geometry.out, shape[3]))
    return kernel_gradient(x, grad, shape, geometry, groups)


@quiet
def conv2d_bias_grad(grad: Any) -> np.ndarray:
    """The gradient of any convolution with respect to its bias: grad summed over images and positions.

    Parameters
    ----------
    grad
        (N, H_out, W_out, F), (H_out, W_out, F), or (H_out, W_out) for one filter.

    Returns
    -------
    array (F,)

    Raises
    ------
    ValueError, TypeError
        for a wrong rank or something that does not hold real numbers.

    Examples
    --------
    >>> conv2d_bias_grad([[1.0, 2.0], [3.0, 4.0]])
    array([10.])
    """
    (grad,) = floats(grad, names=("grad",))
    return sum_over_all_but_channels(images(grad, "grad")[0])


@quiet
def depthwise_conv2d_input_grad(
    grad: Any,
    kernel: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `depthwise_conv2d` with respect to its input.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape, (N, H_out, W_out, C * multiplier).
    kernel
        (kh, kw, C, multiplier).
    input_shape, strides, padding, dilation_rate
        As in `conv2d_input_grad`.

    Returns
    -------
    array of input_shape

    Raises
    ------
    ValueError, TypeError
        as `conv2d_input_grad`.

    Examples
    --------
    >>> depthwise_conv2d_input_grad([[[1.0, 10.0]]], np.full((1, 1, 1, 2), [2.0, 3.0]), (1, 1, 1))
    array([[[32.]]])
    """
    grad, kernel = floats(grad, kernel, names=("grad", "kernel"))
    check_rank(kernel, 4, "kernel", DEPTHWISE)
    given, full = parse_image_shape(input_shape)
    check_channels(full, "input_shape", kernel.shape, "kernel.shape", kernel.shape[2])
    geometry = sliding_window(full, kernel.shape, strides, padding, dilation_rate)
    grad = image_grad(grad, len(given), (full[0], *geometry.out, kernel.shape[2] * kernel.shape[3]))
    return depthwise_input_gradient(grad, kernel, geometry).reshape(given)


@quiet
def depthwise_conv2d_kernel_grad(
    x: Any,
    grad: Any,
    kernel_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `depthwise_conv2d` with respect to its kernel.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape, (N, H_out, W_out, C * multiplier).
    kernel_shape
        (kh, kw, C, multiplier).
    strides, padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of kernel_shape

    Raises
    ------
    ValueError, TypeError
        as `conv2d_input_grad`.

    Examples
    --------
    >>> depthwise_conv2d_kernel_grad([[1.0, 2.0, 4.0]], [[1.0, 10.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    rank = x.ndim
    x, _ = images(x)
    shape = parse_kernel_shape(kernel_shape, "kernel_shape", DEPTHWISE)
    check_channels(x.shape, "x.shape", shape, "kernel_shape", shape[2])
    geometry = sliding_window(x.shape, shape, strides, padding, dilation_rate)
    grad = image_grad(grad, rank, (len(x), *geometry.out, shape[2] * shape[3]))
    return depthwise_kernel_gradient(x, grad, shape, geometry)


def check_channels(shape: Shape, name: str, kernel_shape: Shape, kernel_name: str, expected: int) -> None:
    """ValueError unless an input of `shape` has the channels that a kernel expects."""
    if shape[3] != expected:
        raise ValueError(
            f"{kernel_name}={kernel_shape} expects {expected} input channels, {name}={shape} has {shape[3]}"
        )


def check_groups(shape: Shape, name: str, kernel_shape: Shape, kernel_name: str, groups: Any) -> None:
    """As `check_channels`, for a kernel that is cut into groups."""
    if integer(groups, "groups") < 1 or kernel_shape[3] % groups:
        raise ValueError(
            f"groups must be at least 1 and divide the {kernel_shape[3]} filters, got groups={groups!r}"
        )
    check_channels(shape, name, kernel_shape, kernel_name, kernel_shape[2] * groups)
