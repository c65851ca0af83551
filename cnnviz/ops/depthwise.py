"""Depthwise and separable convolution, and their gradients.

Channels do not mix, so there is no matrix product in it; what is fast is a long inner loop. The forward
pass is one multiply-add of a whole row for each tap: the taps' weights are repeated along the width, which
makes every row of W*C numbers one run. The gradients too go tap by tap over whole rows.

A separable convolution is a depthwise one followed by a 1x1 convolution. Its gradients follow by the chain
rule; what lies between the two steps is computed again from the input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.arguments import (
    IMAGES,
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
    parse_image_shape,
    parse_kernel_shape,
)
from cnnviz.ops.blocks import (
    BLOCK_BYTES,
    Block,
    BlockInput,
    Blocks,
    Buffers,
    Call,
    Finish,
    as_it_is,
    batches,
    run,
)
from cnnviz.ops.convolution import conv2d, conv2d_input_grad, conv2d_kernel_grad
from cnnviz.ops.padding import Axis, Window, sliding_window
from cnnviz.ops.parallel import in_parallel, summed
from cnnviz.ops.recycling import empty, zeros

AXES = "(kh, kw, channels, multiplier)"
POINTWISE_AXES = "(1, 1, channels * multiplier, filters)"

PARAMETERS = {
    "x": IMAGES,
    **dict.fromkeys(
        ("kernel", "kernel_shape"),
        "(kh, kw, C, multiplier): `multiplier` outputs for each channel, side by side.",
    ),
    **dict.fromkeys(("depthwise_kernel", "depthwise_kernel_shape"), "(kh, kw, C, multiplier)."),
    **dict.fromkeys(("pointwise_kernel", "pointwise_kernel_shape"), "(1, 1, C * multiplier, F)."),
    "bias": "A number for each channel of the result, or None.",
    **dict.fromkeys(("strides", "padding", "dilation_rate"), "Of the depthwise step, as in `conv2d`."),
}
RAISES = "ValueError, TypeError\n    as `conv2d`."


@operation(PARAMETERS, returns="array (N, H_out, W_out, C * multiplier)", raises=RAISES)
def depthwise_conv2d(
    x: Any, kernel: Any, bias: Any = None, *, strides: Any = 1, padding: Any = "valid", dilation_rate: Any = 1
) -> np.ndarray:
    """Convolve each channel with its own kernels, without mixing channels.

    >>> depthwise_conv2d(np.ones((2, 2, 2)), np.full((2, 2, 2, 1), [[1], [10]]))
    array([[[ 4., 40.]]])
    """
    x, kernel, bias = floats(x=x, kernel=kernel, bias=bias, optional=1)
    x, restore = images(x)
    _check_kernel(x, kernel, "kernel")
    check_bias(bias, kernel.shape[2] * kernel.shape[3])
    geometry = sliding_window(x.shape, kernel.shape, strides, padding, dilation_rate)
    return restore(depthwise(x, kernel, bias, geometry))


@gradient("depthwise_conv2d", "array of input_shape", **PARAMETERS)
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

    >>> depthwise_conv2d_input_grad([[[1.0, 10.0]]], np.full((1, 1, 1, 2), [2.0, 3.0]), (1, 1, 1))
    array([[[32.]]])
    """
    grad, kernel, shape, full = for_input_gradient(grad, kernel, input_shape, AXES)
    check_channels(full, "input_shape", kernel.shape, "kernel.shape", kernel.shape[2])
    geometry = sliding_window(full, kernel.shape, strides, padding, dilation_rate)
    grad = image_grad(grad, len(shape), (full[0], *geometry.out, kernel.shape[2] * kernel.shape[3]))
    return depthwise_input_gradient(grad, kernel, geometry).reshape(shape)


@gradient("depthwise_conv2d", "array of kernel_shape", **PARAMETERS)
def depthwise_conv2d_kernel_grad(
    x: Any, grad: Any, kernel_shape: Any, *, strides: Any = 1, padding: Any = "valid", dilation_rate: Any = 1
) -> np.ndarray:
    """The gradient of `depthwise_conv2d` with respect to its kernel.

    >>> depthwise_conv2d_kernel_grad([[1.0, 2.0, 4.0]], [[1.0, 10.0]], (1, 2, 1, 1)).ravel()
    array([21., 42.])
    """
    x, grad, shape, rank = for_kernel_gradient(x, grad, kernel_shape, AXES)
    check_channels(x.shape, "x.shape", shape, "kernel_shape", shape[2])
    geometry = sliding_window(x.shape, shape, strides, padding, dilation_rate)
    grad = image_grad(grad, rank, (len(x), *geometry.out, shape[2] * shape[3]))
    return depthwise_kernel_gradient(x, grad, shape, geometry)


@operation(PARAMETERS, returns="array (N, H_out, W_out, F)", raises=RAISES)
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

    >>> separable_conv2d(np.ones((2, 2, 2)), np.ones((2, 2, 2, 1)), np.ones((1, 1, 2, 1)))
    array([[[8.]]])
    """
    x, deep, point, bias = floats(
        x=x, depthwise_kernel=depthwise_kernel, pointwise_kernel=pointwise_kernel, bias=bias, optional=1
    )
    x, restore = images(x)
    _check_kernel(x, deep, "depthwise_kernel")
    check_rank(point, 4, "pointwise_kernel", POINTWISE_AXES)
    channels = deep.shape[2] * deep.shape[3]
    if point.shape[:3] != (1, 1, channels):
        raise ValueError(
            f"pointwise_kernel must be (1, 1, {channels}, filters) to follow depthwise_kernel.shape="
            f"{deep.shape}, got pointwise_kernel.shape={point.shape}"
        )
    middle = depthwise_conv2d(x, deep, strides=strides, padding=padding, dilation_rate=dilation_rate)
    return restore(conv2d(middle, point, bias))


@gradient("separable_conv2d", "array of input_shape", **PARAMETERS)
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

    >>> kernels = np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 3.0)
    >>> separable_conv2d_input_grad([[1.0, 5.0]], *kernels, (1, 2))
    array([[ 6., 30.]])
    """
    grad, deep, point = floats(
        grad=grad, depthwise_kernel=depthwise_kernel, pointwise_kernel=pointwise_kernel
    )
    check_rank(deep, 4, "depthwise_kernel", AXES)
    check_rank(point, 4, "pointwise_kernel", POINTWISE_AXES)
    shape, full = parse_image_shape(input_shape)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    names = "input_shape", "depthwise_kernel.shape", "pointwise_kernel.shape"
    steps = _steps(names, full, deep.shape, point.shape, **options)
    middle = conv2d_input_grad(image_grad(grad, len(shape), steps.result), point, steps.middle)
    return depthwise_conv2d_input_grad(middle, deep, full, **options).reshape(shape)


@gradient("separable_conv2d", "array of depthwise_kernel_shape", **PARAMETERS)
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

    >>> point = np.full((1, 1, 1, 1), 3.0)
    >>> separable_conv2d_depthwise_kernel_grad([[1.0, 2.0]], [[1.0, 5.0]], (1, 1, 1, 1), point).ravel()
    array([33.])
    """
    x, grad, point = floats(x=x, grad=grad, pointwise_kernel=pointwise_kernel)
    rank = x.ndim
    x, _ = images(x)
    shape = parse_kernel_shape(depthwise_kernel_shape, "depthwise_kernel_shape", AXES)
    check_rank(point, 4, "pointwise_kernel", POINTWISE_AXES)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    names = "x.shape", "depthwise_kernel_shape", "pointwise_kernel.shape"
    steps = _steps(names, x.shape, shape, point.shape, **options)
    middle = conv2d_input_grad(image_grad(grad, rank, steps.result), point, steps.middle)
    return depthwise_conv2d_kernel_grad(x, middle, shape, **options)


@gradient("separable_conv2d", "array of pointwise_kernel_shape", **PARAMETERS)
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

    >>> deep = np.full((1, 1, 1, 1), 2.0)
    >>> separable_conv2d_pointwise_kernel_grad([[1.0, 2.0]], [[1.0, 5.0]], deep, (1, 1, 1, 1)).ravel()
    array([22.])
    """
    x, grad, deep = floats(x=x, grad=grad, depthwise_kernel=depthwise_kernel)
    rank = x.ndim
    x, _ = images(x)
    check_rank(deep, 4, "depthwise_kernel", AXES)
    shape = parse_kernel_shape(pointwise_kernel_shape, "pointwise_kernel_shape", POINTWISE_AXES)
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


def _check_kernel(x: np.ndarray, kernel: np.ndarray, name: str) -> None:
    check_rank(kernel, 4, name, AXES)
    check_input_channels(x, kernel.shape[2], kernel.shape, name)


# How it is computed -----------------------------------------------------------------------------


def depthwise(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C, multiplier), checked already.

    Every output is a sum of K = kh*kw products and a bias, rounded once for each product and
    each addition: an error below (K + 1)*u*(sum|x||w| + |bias|).
    """
    y = empty((len(x), *geometry.out, kernel.shape[2] * kernel.shape[3]), x.dtype)
    parts = depthwise_blocks(len(x), kernel.shape, geometry, x.itemsize)
    along = along_rows(kernel, bias, parts)
    in_parallel(lambda share: run(depthwise_steps(x, along, geometry, y, parts[0], share)), parts)
    return y


def depthwise_blocks(count: int, kernel_shape: Shape, geometry: Window, itemsize: int) -> Blocks:
    """The blocks that the output for `count` images is cut into."""
    return Blocks(count, *geometry.out, _cells(kernel_shape, geometry, itemsize))


class AlongRows(NamedTuple):
    """The weights (kh, kw, width * C * multiplier) and the bias repeated along the widest block's rows."""

    weights: np.ndarray
    bias: np.ndarray | None
    multiplier: int


def along_rows(kernel: np.ndarray, bias: np.ndarray | None, parts: Blocks) -> AlongRows:
    kh, kw, _, multiplier = kernel.shape
    width = max((part.shape[2] for part in parts), default=0)
    weights = np.tile(kernel.reshape(kh, kw, -1), (1, 1, width))
    return AlongRows(weights, None if bias is None else np.tile(bias, width), multiplier)


def depthwise_steps(
    x: np.ndarray,
    along: AlongRows,
    geometry: Window,
    y: np.ndarray,
    largest: Block,
    parts: Iterable[Block],
    finish: Finish = as_it_is,
) -> Iterator[Call]:
    """The calls that compute these parts of y from x, in this order; they can be kept and made again."""
    read = BlockInput(x, geometry, largest)
    classes = _tap_classes(geometry.cols)
    buffer = Buffers()
    for block in parts:
        cells, calls = read.steps(block)
        yield from calls
        if along.multiplier > 1:
            repeated = buffer("repeated", (*cells.shape, along.multiplier), x.dtype)
            yield partial(np.copyto, repeated, cells[..., np.newaxis])
            cells = repeated.reshape(*cells.shape[:3], -1)
        result = y[block]
        sums = np.reshape(result, (*block.shape[:2], -1), copy=False)
        for which, (taps, phase, first) in enumerate(classes):
            columns = cells[:, :, phase :: geometry.cols.stride]
            if columns.strides[2:] != (columns.itemsize * columns.shape[3], columns.itemsize):
                side_by_side = buffer("columns", columns.shape, x.dtype)
                yield partial(np.copyto, side_by_side, columns)
                columns = side_by_side
            numbers = _numbers(columns[:, :, first:], taps, block.shape, geometry)
            target = buffer("sums", sums.shape, x.dtype) if which else sums
            weights = along.weights[:, taps, : sums.shape[2]]
            yield partial(np.einsum, "uvnix,uvx->nix", numbers, weights, out=target)
            if which:
                yield partial(np.add, sums, target, out=sums)
        if along.bias is not None:
            yield partial(np.add, sums, along.bias[: sums.shape[2]], out=sums)
        yield from finish(result)


def _tap_classes(axis: Axis) -> list[tuple[slice, int, int]]:
    """Kernel columns that read the same columns of the input, those of one phase, counted modulo the stride.

    For each class: its taps, the phase, and which column of the phase the first tap of output 0 reads.

    >>> _tap_classes(Axis(9, kernel=3, stride=2))
    [(slice(0, 3, 2), 0, 0), (slice(1, 3, 2), 1, 0)]
    """
    step = axis.stride // math.gcd(axis.stride, axis.dilation)
    firsts = ((tap, divmod(tap * axis.dilation, axis.stride)) for tap in range(min(step, axis.kernel)))
    return [(slice(tap, axis.kernel, step), phase, first) for tap, (first, phase) in firsts]


def _numbers(columns: np.ndarray, taps: slice, shape: tuple[int, int, int], geometry: Window) -> np.ndarray:
    """What each tap reads, rows in one piece: a view (kh, taps, N, H_out, W_out * C) of one phase."""
    rows, cols = geometry
    n, h, w, c = columns.strides
    count = len(range(*taps.indices(cols.kernel)))
    return as_strided(
        columns,
        (rows.kernel, count, *shape[:2], shape[2] * columns.shape[3]),
        (h * rows.dilation, w * (taps.step * cols.dilation // cols.stride), n, h * rows.stride, c),
        writeable=False,
    )


def _cells(kernel_shape: tuple[int, ...], geometry: Window, itemsize: int) -> int:
    """Output cells in a block: it and what is copied of its input, within two BLOCK_BYTES.

    What taps read again lies a few rows back at most, so that more than the cache holds does no harm.
    """
    _, _, channels, multiplier = kernel_shape
    rows, cols = geometry
    # One phase of the columns, and the sums of a second one.
    of_phase = 1 + rows.stride if cols.stride > 1 else 0
    copies = 1 + geometry.read_by_cell + of_phase
    return max(1, 2 * BLOCK_BYTES // (copies * channels * multiplier * itemsize))


def depthwise_input_gradient(grad: np.ndarray, kernel: np.ndarray, geometry: Window) -> np.ndarray:
    """grad (N, H_out, W_out, C*M) with kernel (kh, kw, C, M), checked already.

    Every number is a sum of at most K = kh*kw sums of M products: an error below (K + M)*u*(sum|grad||w|).
    """
    kh, kw, channels, multiplier = kernel.shape
    rows, cols = geometry
    x_grad = zeros((len(grad), rows.size, cols.size, channels), grad.dtype)
    weights = np.tile(kernel.reshape(kh, kw, 1, -1), (1, 1, cols.out, 1)).reshape(kh, kw, -1)

    def work(share: Iterable[slice]) -> None:
        for batch in share:
            part, target = grad[batch], x_grad[batch]
            for u, v in geometry.reading:
                (in_rows, out_rows), (in_cols, out_cols) = rows.tap(u), cols.tap(v)
                tap = part[:, out_rows, out_cols]
                run = tap.shape[2] * tap.shape[3]
                product = tap.reshape(*tap.shape[:2], run) * weights[u, v, :run]
                product = product.reshape(*tap.shape[:3], channels, multiplier)
                target[:, in_rows, in_cols] += product.sum(-1) if multiplier > 1 else product[..., 0]

    in_parallel(work, batches(grad))
    return x_grad


def depthwise_kernel_gradient(
    x: np.ndarray, grad: np.ndarray, kernel_shape: Shape, geometry: Window
) -> np.ndarray:
    """x (N, H, W, C) and grad (N, H_out, W_out, C*M), checked; kernel_shape is (kh, kw, C, M).

    Every number is a sum of K = N*H_out*W_out products: an error below K*u*sum|x||grad|.
    """
    kh, kw, channels, multiplier = kernel_shape
    rows, cols = geometry

    def work(share: Iterable[slice], total: np.ndarray) -> None:
        for batch in share:
            part, part_grad = x[batch], grad[batch]
            if multiplier > 1:
                part = np.repeat(part, multiplier, axis=3)
            for u, v in geometry.reading:
                (in_rows, out_rows), (in_cols, out_cols) = rows.tap(u), cols.tap(v)
                product = part[:, in_rows, in_cols] * part_grad[:, out_rows, out_cols]
                count, height, width, filters = product.shape
                # Whole rows first: sums over long runs are the fast ones.
                by_column = product.reshape(count * height, width * filters).sum(axis=0)
                total[u, v] += by_column.reshape(width, filters).sum(axis=0)

    return summed(work, batches(grad), (kh, kw, channels * multiplier), x.dtype).reshape(kernel_shape)
