"""Plain and grouped convolution, and its gradients with respect to input, kernel and bias.

As in every deep-learning library this is cross-correlation: the kernel is not flipped. The names and rules
are TensorFlow's.

From `conv2d` to the matrix product it is three steps: `make_plan` (planning.py) says which method, `im2col`
goes through the blocks of the output, and a layout (layouts.py) copies and multiplies one block. Where
windows lie is in padding.py, what stays in the cache in blocks.py, and how BLAS is called in gemm.py. The
other methods have a module each.

A gradient is a vector-Jacobian product: from `grad`, the gradient of some number with respect to the
result, to that with respect to one argument. `scatter` and `kernel_gradient` do the work, each in the
module of its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arguments import (
    check_bias,
    check_channels,
    check_groups,
    check_rank,
    floats,
    for_input_gradient,
    for_kernel_gradient,
    gradient,
    image_grad,
    images,
    parse_groups,
    quiet,
    sum_over_all_but_channels,
)
from cnnviz.ops.direct import direct
from cnnviz.ops.fft import fft
from cnnviz.ops.im2col import im2col
from cnnviz.ops.kernel_gradient import kernel_gradient
from cnnviz.ops.padding import sliding_window
from cnnviz.ops.planning import check_method, make_plan
from cnnviz.ops.scatter import scatter
from cnnviz.ops.winograd import winograd

BY_METHOD = {"direct": direct, "im2col": im2col, "fft": fft, "winograd": winograd}

AXES = "(kh, kw, channels in, filters)"
SHAPE = "(kh, kw, C // groups, F)."


@quiet
def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    method: str = "auto",
    tile: int = 2,
) -> np.ndarray:
    """Slide each kernel over x and sum the products, over its window and all channels of its group.

    y[n, i, j, f] = bias[f] + sum over (u, v, c) of
    x[n, i*sh + u*dh - top, j*sw + v*dw - left, g*D + c] * kernel[u, v, c, f], with zeros outside x.
    c counts the kernel's D = C // groups channels, and g = f // (F // groups) is the group of filter f;
    without groups g is 0, and c is x's channel too. An infinite weight over such a zero is NaN, as in
    TensorFlow without oneDNN, which skips padding.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    kernel
        (kh, kw, C // groups, F).
    bias
        (F,) or None.
    strides, dilation_rate
        An int or (height, width).
    padding
        "valid", "same" (TensorFlow's: the odd cell at the bottom and right), or
        ((top, bottom), (left, right)).
    groups
        Channels and filters are cut into this many groups that do not see each other.
    method
        "direct" (the definition), "im2col" (a matrix product), "fft", "winograd" (3x3 kernels,
        stride 1), or "auto": the cheaper of the first two by the cost model in `planning`. The
        same numbers by different roads, each with rounding errors of its own.
    tile
        Winograd's output tile, 2 or 4.

    Returns
    -------
    array (N, H_out, W_out, F), without the axes that x came without
        float64 if any argument is, else float32.

    Raises
    ------
    ValueError
        for a wrong rank, channels that do not fit, a non-positive stride, a kernel larger than a valid input.
    TypeError
        for arrays that do not hold real numbers and sizes that are not integers.

    Examples
    --------
    >>> image = np.arange(9).reshape(3, 3)
    >>> conv2d(image, np.ones((2, 2, 1, 1)))
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, kernel, bias = floats(x=x, kernel=kernel, bias=bias, optional=1)
    x, restore = images(x)
    check_rank(kernel, 4, "kernel", AXES)
    check_bias(bias, kernel.shape[3])
    groups = check_groups(x.shape, kernel.shape, groups)
    geometry = sliding_window(x.shape, kernel.shape, strides, padding, dilation_rate)
    tile = check_method(method, geometry, tile)
    chosen = make_plan(len(x), kernel.shape, geometry, groups, method, tile, x.itemsize).method
    options = {"tile": tile} if chosen == "winograd" else {}
    return restore(BY_METHOD[chosen](x, kernel, bias, geometry, groups, **options))


@gradient("conv2d", "array of input_shape", kernel=SHAPE)
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

    >>> conv2d_input_grad([[1.0, 0.0]], np.array([[2.0, 3.0]]).reshape(1, 2, 1, 1), (1, 3))
    array([[2., 3., 0.]])
    """
    grad, kernel, shape, full = for_input_gradient(grad, kernel, input_shape, AXES)
    depth = kernel.shape[2] * parse_groups(groups, kernel.shape[3])
    check_channels(full, "input_shape", kernel.shape, "kernel.shape", depth)
    geometry = sliding_window(full, kernel.shape, strides, padding, dilation_rate)
    grad = image_grad(grad, len(shape), (full[0], *geometry.out, kernel.shape[3]))
    return scatter(grad, kernel, None, geometry, groups).reshape(shape)


@gradient("conv2d", "array of kernel_shape", kernel_shape=SHAPE)
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

    >>> conv2d_kernel_grad([[1.0, 2.0, 4.0]], [[1.0, 10.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad, shape, rank = for_kernel_gradient(x, grad, kernel_shape, AXES)
    check_channels(x.shape, "x.shape", shape, "kernel_shape", shape[2] * parse_groups(groups, shape[3]))
    geometry = sliding_window(x.shape, shape, strides, padding, dilation_rate)
    grad = image_grad(grad, rank, (len(x), *geometry.out, shape[3]))
    return kernel_gradient(x, grad, shape, geometry, groups)


@gradient(
    "conv2d", "array (F,)", grad="(N, H_out, W_out, F), (H_out, W_out, F), or (H_out, W_out) for one filter."
)
def conv2d_bias_grad(grad: Any) -> np.ndarray:
    """The gradient of any convolution with respect to its bias: grad summed over images and positions.

    >>> conv2d_bias_grad([[1.0, 2.0], [3.0, 4.0]])
    array([10.])
    """
    (grad,) = floats(grad=grad)
    return sum_over_all_but_channels(images(grad, "grad")[0])
