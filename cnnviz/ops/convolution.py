"""Convolution in all its kinds: plain, grouped, depthwise, separable, transposed.

As in every deep-learning library this is cross-correlation: the kernel is not flipped. The names
and rules are TensorFlow's; how the sums are carried out is chosen in `planning` and written down
in one module for each algorithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arrays import check_bias, check_groups, check_rank, floats, images, quiet
from cnnviz.ops.depthwise import depthwise
from cnnviz.ops.direct import direct
from cnnviz.ops.fft import fft
from cnnviz.ops.im2col import im2col
from cnnviz.ops.padding import Window, pair, parse_padding, sliding_window, transposed_window, window
from cnnviz.ops.planning import check_method, make_plan
from cnnviz.ops.transposed import scatter
from cnnviz.ops.winograd import winograd

_BY_METHOD = {"direct": direct, "im2col": im2col, "fft": fft}


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
        for a wrong rank, channels that do not fit, a non-positive stride, a kernel larger than
        a valid input.
    TypeError
        for arrays that do not hold real numbers and sizes that are not integers.

    Examples
    --------
    >>> image = np.arange(9).reshape(3, 3)
    >>> conv2d(image, np.ones((2, 2, 1, 1)))
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, kernel, bias = floats(x, kernel, bias, names=("x", "kernel", "bias"), optional=1)
    x, restore = images(x)
    check_rank(kernel, 4, "kernel", "(kh, kw, channels in, filters)")
    check_bias(bias, kernel.shape[3])
    groups = check_groups(x.shape, kernel.shape, groups)
    steps, dilation = pair(strides, "strides"), pair(dilation_rate, "dilation_rate")
    geometry = window(x.shape[1:3], kernel.shape[:2], steps, parse_padding(padding), dilation)
    tile = check_method(method, kernel.shape[:2], steps, dilation, tile)
    chosen = make_plan(len(x), kernel.shape, geometry, groups, method, tile, x.itemsize).method
    if chosen == "winograd":
        return restore(winograd(x, kernel, bias, geometry, groups, tile))
    return restore(_BY_METHOD[chosen](x, kernel, bias, geometry, groups))


@quiet
def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """Convolve each channel with its own kernels, without mixing channels.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    kernel
        (kh, kw, C, multiplier): each channel gives `multiplier` outputs, side by side.
    bias
        (C * multiplier,) or None.
    strides, padding, dilation_rate
        As in `conv2d`.

    Returns
    -------
    array (N, H_out, W_out, C * multiplier)

    Raises
    ------
    ValueError, TypeError
        as `conv2d`.

    Examples
    --------
    >>> depthwise_conv2d(np.ones((2, 2, 2)), np.full((2, 2, 2, 1), [[1], [10]]))
    array([[[ 4., 40.]]])
    """
    x, kernel, bias = floats(x, kernel, bias, names=("x", "kernel", "bias"), optional=1)
    x, restore = images(x)
    check_depthwise(x, kernel, "kernel")
    check_bias(bias, kernel.shape[2] * kernel.shape[3])
    geometry = sliding_window(x.shape, kernel.shape, strides, padding, dilation_rate)
    return restore(depthwise(x, kernel, bias, geometry))


@quiet
def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
) -> np.ndarray:
    """A depthwise convolution followed by a 1x1 convolution that mixes its channels.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    depthwise_kernel
        (kh, kw, C, multiplier).
    pointwise_kernel
        (1, 1, C * multiplier, F).
    bias
        (F,) or None.
    strides, padding, dilation_rate
        Of the depthwise step, as in `conv2d`.

    Returns
    -------
    array (N, H_out, W_out, F)

    Raises
    ------
    ValueError, TypeError
        as `conv2d`.

    Examples
    --------
    >>> separable_conv2d(np.ones((2, 2, 2)), np.ones((2, 2, 2, 1)), np.ones((1, 1, 2, 1)))
    array([[[8.]]])
    """
    x, deep, point, bias = floats(
        x,
        depthwise_kernel,
        pointwise_kernel,
        bias,
        names=("x", "depthwise_kernel", "pointwise_kernel", "bias"),
        optional=1,
    )
    x, restore = images(x)
    check_depthwise(x, deep, "depthwise_kernel")
    check_rank(point, 4, "pointwise_kernel", "(1, 1, channels * multiplier, filters)")
    channels = deep.shape[2] * deep.shape[3]
    if point.shape[:3] != (1, 1, channels):
        raise ValueError(
            f"pointwise_kernel must be (1, 1, {channels}, filters) to follow depthwise_kernel.shape="
            f"{deep.shape}, got pointwise_kernel.shape={point.shape}"
        )
    middle = depthwise_conv2d(x, deep, strides=strides, padding=padding, dilation_rate=dilation_rate)
    return restore(conv2d(middle, point, bias))


@quiet
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

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W), with at least one cell.
    kernel
        (kh, kw, F, C): filters before channels, as in TensorFlow.
    bias
        (F,) or None.
    strides, dilation_rate
        Of the convolution that is transposed: the stamps lie `strides` apart.
    padding
        "valid": H_out = H*s + max(k - s, 0), k dilated; "same": H*s; explicit
        ((top, bottom), (left, right)) crops the full output, (H - 1)*s + k.
    output_padding
        Cells added at the bottom and right, smaller than the stride; see
        `cnnviz.ops.padding.transposed_window`.

    Returns
    -------
    array (N, H_out, W_out, F)

    Raises
    ------
    ValueError, TypeError
        as `conv2d`.

    Examples
    --------
    >>> conv2d_transpose([[1.0, 2.0]], np.ones((1, 2, 1, 1)), strides=2)
    array([[1., 1., 2., 2.],
           [0., 0., 0., 0.]])
    """
    x, kernel, bias = floats(x, kernel, bias, names=("x", "kernel", "bias"), optional=1)
    x, restore = images(x)
    check_rank(kernel, 4, "kernel", "(kh, kw, filters, channels in)")
    check_bias(bias, kernel.shape[2])
    check_channels(x, kernel.shape[3], kernel.shape)
    geometry = transpose_geometry(x.shape, kernel.shape, strides, padding, output_padding, dilation_rate)
    return restore(scatter(x, kernel, bias, geometry))


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


def check_channels(x: np.ndarray, expected: int, kernel_shape: tuple[int, ...], name: str = "kernel") -> None:
    if x.shape[3] != expected:
        raise ValueError(
            f"{name} expects {expected} input channels ({name}.shape={kernel_shape}), "
            f"x has {x.shape[3]} (x.shape={x.shape})"
        )


def check_depthwise(x: np.ndarray, kernel: np.ndarray, name: str) -> None:
    check_rank(kernel, 4, name, "(kh, kw, channels, multiplier)")
    check_channels(x, kernel.shape[2], kernel.shape, name)
