"""The gradients of the separable convolution, by the chain rule through its two steps.

What lies between them is computed again from the input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnnviz.ops.arrays import check_rank, floats, images, quiet
from cnnviz.ops.convolution import depthwise_conv2d
from cnnviz.ops.convolution_gradients import (
    DEPTHWISE,
    Shape,
    check_channels,
    conv2d_input_grad,
    conv2d_kernel_grad,
    depthwise_conv2d_input_grad,
    depthwise_conv2d_kernel_grad,
)
from cnnviz.ops.gradient_arguments import image_grad, parse_image_shape, parse_kernel_shape
from cnnviz.ops.padding import sliding_window

POINTWISE = "(1, 1, channels * multiplier, filters)"


@quiet
def separable_conv2d_input_grad(
    grad: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `separable_conv2d` with respect to its input.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape, (N, H_out, W_out, F), without the axes
        that the input came without.
    depthwise_kernel, pointwise_kernel
        (kh, kw, C, multiplier) and (1, 1, C * multiplier, F).
    input_shape
        (N, H, W, C), (H, W, C) or (H, W).
    strides, padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of input_shape
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError, TypeError
        as `separable_conv2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> kernels = np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 3.0)
    >>> separable_conv2d_input_grad([[1.0, 5.0]], *kernels, (1, 2))
    array([[ 6., 30.]])
    """
    grad, deep, point = floats(
        grad, depthwise_kernel, pointwise_kernel, names=("grad", "depthwise_kernel", "pointwise_kernel")
    )
    check_rank(deep, 4, "depthwise_kernel", DEPTHWISE)
    check_rank(point, 4, "pointwise_kernel", POINTWISE)
    given, full = parse_image_shape(input_shape)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    names = "input_shape", "depthwise_kernel.shape", "pointwise_kernel.shape"
    steps = _steps(names, full, deep.shape, point.shape, **options)
    middle = conv2d_input_grad(image_grad(grad, len(given), steps.result), point, steps.middle)
    return depthwise_conv2d_input_grad(middle, deep, full, **options).reshape(given)


@quiet
def separable_conv2d_depthwise_kernel_grad(
    x: Any,
    grad: Any,
    depthwise_kernel_shape: Any,
    pointwise_kernel: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `separable_conv2d` with respect to its depthwise kernel.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape.
    depthwise_kernel_shape
        (kh, kw, C, multiplier).
    pointwise_kernel
        (1, 1, C * multiplier, F).
    strides, padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of depthwise_kernel_shape

    Raises
    ------
    ValueError, TypeError
        as `separable_conv2d_input_grad`.

    Examples
    --------
    >>> point = np.full((1, 1, 1, 1), 3.0)
    >>> separable_conv2d_depthwise_kernel_grad([[1.0, 2.0]], [[1.0, 5.0]], (1, 1, 1, 1), point).ravel()
    array([33.])
    """
    x, grad, point = floats(x, grad, pointwise_kernel, names=("x", "grad", "pointwise_kernel"))
    rank = x.ndim
    x, _ = images(x)
    shape = parse_kernel_shape(depthwise_kernel_shape, "depthwise_kernel_shape", DEPTHWISE)
    check_rank(point, 4, "pointwise_kernel", POINTWISE)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    names = "x.shape", "depthwise_kernel_shape", "pointwise_kernel.shape"
    steps = _steps(names, x.shape, shape, point.shape, **options)
    middle = conv2d_input_grad(image_grad(grad, rank, steps.result), point, steps.middle)
    return depthwise_conv2d_kernel_grad(x, middle, shape, **options)


@quiet
def separable_conv2d_pointwise_kernel_grad(
    x: Any,
    grad: Any,
    depthwise_kernel: Any,
    pointwise_kernel_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `separable_conv2d` with respect to its pointwise kernel.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape.
    depthwise_kernel
        (kh, kw, C, multiplier).
    pointwise_kernel_shape
        (1, 1, C * multiplier, F).
    strides, padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of pointwise_kernel_shape

    Raises
    ------
    ValueError, TypeError
        as `separable_conv2d_input_grad`.

    Examples
    --------
    >>> deep = np.full((1, 1, 1, 1), 2.0)
    >>> separable_conv2d_pointwise_kernel_grad([[1.0, 2.0]], [[1.0, 5.0]], deep, (1, 1, 1, 1)).ravel()
    array([22.])
    """
    x, grad, deep = floats(x, grad, depthwise_kernel, names=("x", "grad", "depthwise_kernel"))
    rank = x.ndim
    x, _ = images(x)
    check_rank(deep, 4, "depthwise_kernel", DEPTHWISE)
    shape = parse_kernel_shape(pointwise_kernel_shape, "pointwise_kernel_shape", POINTWISE)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    names = "x.shape", "depthwise_kernel.shape", "pointwise_kernel_shape"
    steps = _steps(names, x.shape, deep.shape, shape, **options)
    grad = image_grad(grad, rank, steps.result)
    return conv2d_kernel_grad(depthwise_conv2d(x, deep, **options), grad, shape)


class _Steps(NamedTuple):
    """The shapes (N, H_out, W_out, channels) behind the depthwise step and behind the pointwise one."""

    middle: Shape
    result: Shape


def _steps(names: tuple[str, str, str], x: Shape, deep: Shape, point: Shape, **options: Any) -> _Steps:
    check_channels(x, names[0], deep, names[1], deep[2])
    if point[:3] != (1, 1, deep[2] * deep[3]):
        raise ValueError(
            f"{names[2]} must be (1, 1, {deep[2] * deep[3]}, filters) to follow {names[1]}={deep}, "
            f"got {point}"
        )
    place = x[0], *sliding_window(x, deep, **options).out
    return _Steps((*place, point[2]), (*place, point[3]))
