"""The gradients of the transposed convolution.

It is a convolution's transpose, so its gradient with respect to the input is that convolution, and the
kernel's is the convolution's with input and gradient in each other's place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arrays import check_rank, floats, images, quiet
from cnnviz.ops.convolution import transpose_geometry
from cnnviz.ops.convolution_gradients import check_channels
from cnnviz.ops.gradient_arguments import image_grad, parse_image_shape, parse_kernel_shape
from cnnviz.ops.im2col import im2col
from cnnviz.ops.kernel_gradient import kernel_gradient
from cnnviz.ops.padding import Window

Shape = tuple[int, ...]

AXES = "(kh, kw, filters, channels in)"


@quiet
def conv2d_transpose_input_grad(
    grad: Any,
    kernel: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `conv2d_transpose` with respect to its input: a convolution of grad.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape, (N, H_out, W_out, F), without the axes
        that the input came without.
    kernel
        (kh, kw, F, C).
    input_shape
        (N, H, W, C), (H, W, C) or (H, W).
    strides, padding, output_padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of input_shape
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError, TypeError
        as `conv2d_transpose`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> conv2d_transpose_input_grad([[1.0, 2.0, 4.0]], np.ones((1, 2, 1, 1)), (1, 2))
    array([[3., 6.]])
    """
    grad, kernel = floats(grad, kernel, names=("grad", "kernel"))
    check_rank(kernel, 4, "kernel", AXES)
    given, full = parse_image_shape(input_shape)
    check_channels(full, "input_shape", kernel.shape, "kernel.shape", kernel.shape[3])
    geometry = transpose_geometry(full, kernel.shape, strides, padding, output_padding, dilation_rate)
    grad = image_grad(grad, len(given), _result_shape(full, kernel.shape, geometry))
    return im2col(grad, kernel, None, geometry).reshape(given)


@quiet
def conv2d_transpose_kernel_grad(
    x: Any,
    grad: Any,
    kernel_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The gradient of `conv2d_transpose` with respect to its kernel.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape, (N, H_out, W_out, F).
    kernel_shape
        (kh, kw, F, C).
    strides, padding, output_padding, dilation_rate
        As in the forward call.

    Returns
    -------
    array of kernel_shape

    Raises
    ------
    ValueError, TypeError
        as `conv2d_transpose_input_grad`.

    Examples
    --------
    >>> conv2d_transpose_kernel_grad([[1.0, 10.0]], [[1.0, 2.0, 4.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    rank = x.ndim
    x, _ = images(x)
    shape = parse_kernel_shape(kernel_shape, "kernel_shape", AXES)
    check_channels(x.shape, "x.shape", shape, "kernel_shape", shape[3])
    geometry = transpose_geometry(x.shape, shape, strides, padding, output_padding, dilation_rate)
    grad = image_grad(grad, rank, _result_shape(x.shape, shape, geometry))
    return kernel_gradient(grad, x, shape, geometry)


def _result_shape(x_shape: Shape, kernel_shape: Shape, geometry: Window) -> Shape:
    return x_shape[0], geometry.rows.size, geometry.cols.size, kernel_shape[2]
