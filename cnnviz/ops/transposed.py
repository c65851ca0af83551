"""Transposed convolution, and its gradients.

It is a convolution's transpose, so its gradient with respect to the input is that convolution, and the
kernel's is the convolution's with input and gradient in each other's place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arguments import (
    Shape,
    check_bias,
    check_channels,
    check_input_channels,
    check_rank,
    floats,
    for_input_gradient,
    for_kernel_gradient,
    gradient,
    image_grad,
    images,
    operation,
)
from cnnviz.ops.im2col import im2col
from cnnviz.ops.kernel_gradient import kernel_gradient
from cnnviz.ops.padding import Window, pair, parse_padding, transposed_window
from cnnviz.ops.scatter import scatter

AXES = "(kh, kw, filters, channels in)"
PARAMETERS = {
    "x": "(N, H, W, C), (H, W, C) or (H, W), with at least one cell.",
    **dict.fromkeys(("kernel", "kernel_shape"), "(kh, kw, F, C): filters before channels, as in TensorFlow."),
    "bias": "(F,) or None.",
    "strides": "Of the convolution that is transposed: how far apart the stamps lie.",
    "dilation_rate": "Of the convolution that is transposed: how far apart a stamp's cells lie.",
    "padding": '"valid": H_out = H*s + max(k - s, 0), k dilated; "same": H*s; explicit\n'
    "((top, bottom), (left, right)) crops the full output, (H - 1)*s + k.",
    "output_padding": "Cells added at the bottom and right, smaller than the stride; see\n"
    "`cnnviz.ops.padding.transposed_window`.",
}


@operation(PARAMETERS, returns="array (N, H_out, W_out, F)", raises="ValueError, TypeError\n    as `conv2d`.")
def conv2d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
) -> np.ndarray:
    """The transpose of a convolution: each input cell stamps its kernel, scaled, on the output.

    >>> conv2d_transpose([[1.0, 2.0]], np.ones((1, 2, 1, 1)), strides=2)
    array([[1., 1., 2., 2.],
           [0., 0., 0., 0.]])
    """
    x, kernel, bias = floats(x=x, kernel=kernel, bias=bias, optional=1)
    x, restore = images(x)
    check_rank(kernel, 4, "kernel", AXES)
    check_bias(bias, kernel.shape[2])
    check_input_channels(x, kernel.shape[3], kernel.shape)
    geometry = transpose_geometry(x.shape, kernel.shape, strides, padding, output_padding, dilation_rate)
    return restore(scatter(x, kernel, bias, geometry))


@gradient("conv2d_transpose", "array of input_shape", **PARAMETERS)
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

    >>> conv2d_transpose_input_grad([[1.0, 2.0, 4.0]], np.ones((1, 2, 1, 1)), (1, 2))
    array([[3., 6.]])
    """
    grad, kernel, shape, full = for_input_gradient(grad, kernel, input_shape, AXES)
    check_channels(full, "input_shape", kernel.shape, "kernel.shape", kernel.shape[3])
    geometry = transpose_geometry(full, kernel.shape, strides, padding, output_padding, dilation_rate)
    grad = image_grad(grad, len(shape), _result_shape(full, kernel.shape, geometry))
    return im2col(grad, kernel, None, geometry).reshape(shape)


@gradient("conv2d_transpose", "array of kernel_shape", **PARAMETERS)
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

    >>> conv2d_transpose_kernel_grad([[1.0, 10.0]], [[1.0, 2.0, 4.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad, shape, rank = for_kernel_gradient(x, grad, kernel_shape, AXES)
    check_channels(x.shape, "x.shape", shape, "kernel_shape", shape[3])
    geometry = transpose_geometry(x.shape, shape, strides, padding, output_padding, dilation_rate)
    grad = image_grad(grad, rank, _result_shape(x.shape, shape, geometry))
    return kernel_gradient(grad, x, shape, geometry)


def transpose_geometry(
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
) -> Window:
    """The geometry of a transposed convolution, its arguments parsed."""
    return transposed_window(
        x_shape[1:3],  # type: ignore[arg-type]
        kernel_shape[:2],  # type: ignore[arg-type]
        pair(strides, "strides"),
        parse_padding(padding),
        pair(dilation_rate, "dilation_rate"),
        None if output_padding is None else pair(output_padding, "output_padding", minimum=0),
    )


def _result_shape(x_shape: Shape, kernel_shape: Shape, geometry: Window) -> Shape:
    return x_shape[0], geometry.rows.size, geometry.cols.size, kernel_shape[2]
