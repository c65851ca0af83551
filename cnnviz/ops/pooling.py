"""Max and average pooling, over windows and over whole maps, and their gradients.

Windows are reduced one axis at a time, over strided slices of a block of images: ten times faster than a
reduction over a sliding-window view, and padding never has to be written into a copy. NaN spreads
to every window that holds it (TensorFlow's CPU max pool skips NaN, and says -3.4e38 instead of -inf).

Where several cells share a window's maximum, the first of them, in row-major order, gets all of the gradient;
of a global maximum each gets an equal part, as in TensorFlow. A window with NaN gives to its first NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import (
    IMAGES,
    check_grad,
    flag,
    float_images,
    floats,
    gradient,
    image_grad,
    images,
    operation,
    parse_image_shape,
)
from cnnviz.ops.blocks import Buffers, Call, batches, images_at_once, pixels, run
from cnnviz.ops.cellwise import kept_where
from cnnviz.ops.padding import Axis, Window, pair, parse_padding, window
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import check_memory, empty, zeros

Tap = tuple[slice, slice]
"""Which cells a tap reads along an axis, and for which outputs."""

WIDE_STRIDE = 4
"""From this stride on, most of the columns that pooling along a row would compute are not wanted."""

pooling = partial(
    operation,
    {
        "x": IMAGES,
        "pool_size": "An int or (height, width).",
        "strides": "An int or (height, width); None is pool_size.",
        "padding": '"valid", "same" or ((top, bottom), (left, right)), each smaller than the window.',
        "keepdims": "Whether the result is (N, 1, 1, C) and not (N, C).",
    },
    raises="ValueError\n    for a wrong rank, a non-positive size, a window larger than a valid input.",
)
"""Decorates the poolings with what their docstrings share."""


def pooling_window(x_shape: tuple[int, ...], pool_size: Any, strides: Any, padding: Any) -> Window:
    """The geometry of a pooling over x (N, H, W, C); strides=None means pool_size."""
    size = pair(pool_size, "pool_size")
    steps = size if strides is None else pair(strides, "strides")
    parsed = parse_padding(padding)
    if not isinstance(parsed, str):
        for k, (before, after) in zip(size, parsed, strict=True):
            if max(before, after) >= k:
                raise ValueError(
                    f"padding must be smaller than the window, got {brief(padding)} for pool_size={size}"
                )
        if 0 in x_shape[1:3] and any(map(any, parsed)):
            raise ValueError(f"x has no cells to pool, got x.shape={x_shape} with padding={brief(padding)}")
    return window(x_shape[1:3], size, steps, parsed)  # type: ignore[arg-type]


@pooling(returns="array of x's rank and dtype (integers become float32)")
def max_pool2d(x: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid") -> np.ndarray:
    """The largest value in each window of each channel; padded cells count as -inf.

    >>> max_pool2d([[1, 2, 5], [3, 4, 6]], (2, 2), strides=1)
    array([[4., 6.]], dtype=float32)
    """
    x, restore = float_images(x)
    geometry = pooling_window(x.shape, pool_size, strides, padding)
    return restore(_reduce_windows(x, geometry, np.maximum, -np.inf))


@gradient("max_pool2d", "array of x's shape")
def max_pool2d_grad(
    x: Any, grad: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> np.ndarray:
    """The gradient of `max_pool2d`: each window's goes to its largest cell, the first one of several.

    A window with NaN in it gives to its first NaN.

    >>> max_pool2d_grad([[1, 5, 5], [2, 5, 0]], [[10.0, 1.0]], strides=1)
    array([[ 0., 11.,  0.],
           [ 0.,  0.,  0.]])
    """
    x, grad = floats(x=x, grad=grad)
    x_shape = x.shape
    x = np.ascontiguousarray(images(x)[0])
    geometry = pooling_window(x.shape, pool_size, strides, padding)
    grad = image_grad(grad, len(x_shape), (len(x), *geometry.out, x.shape[3]))
    x_grad = empty(x.shape, x.dtype)
    parts = batches(x) if grad.size else []
    in_parallel(lambda some: _give_to_largest(x, grad, geometry, x_grad, some), parts)
    return x_grad.reshape(x_shape)


def _give_to_largest(
    x: np.ndarray, grad: np.ndarray, geometry: Window, x_grad: np.ndarray, parts: Iterable[slice]
) -> None:
    """The first largest cell of each row of a window, then the first of these down; and back the same way.

    So a window's columns and then its rows are compared, and not each of its cells.
    """
    rows, cols = geometry
    buffer = Buffers()
    for part in parts:
        beats: Any = np.greater
        along, columns_won = _largest(x[part], cols, 2, beats, buffer)
        if np.isnan(along.max()):
            beats = _beats_with_nan
            along, columns_won = _largest(x[part], cols, 2, beats, buffer)
        _, rows_won = _largest(along, rows, 1, beats, buffer)
        left = buffer("left", grad[part].shape, grad.dtype)
        np.copyto(left, grad[part])
        # What was the largest is no longer needed.
        _give_back(left, rows_won, rows, 1, along, buffer)
        _give_back(along, columns_won, cols, 2, x_grad[part], buffer)


def _largest(
    x: np.ndarray, axis: Axis, dim: int, beats: Any, buffer: Buffers
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The largest number that each window reads along an axis; where each tap beats all taps before it.

    Down, where none is compared with it any more, the largest of all is left out.
    """
    lead, (first, *others) = (slice(None),) * dim, [axis.tap(t) for t in axis.reading]
    most = buffer(f"most {dim}", (*x.shape[:dim], axis.out, *x.shape[dim + 1 :]), x.dtype)
    if begun := first[1].start:
        most.fill(-np.inf)
    np.copyto(pixels(most[(*lead, first[1])]), pixels(x[(*lead, first[0])]))
    won: list[np.ndarray] = []
    for inputs, outputs in others:
        cells, before = x[(*lead, inputs)], most[(*lead, outputs)]
        if dim == 2:  # runs of a few channels: side by side they are one
            beside = buffer("cells", cells.shape, x.dtype)
            np.copyto(pixels(beside), pixels(cells))
            cells = beside
        better = buffer(f"won {dim} {len(won)}", cells.shape, np.dtype(bool))
        beats(cells, before, out=better)
        if outputs.start < begun:  # what these windows read before was padding
            better[(*lead, slice(0, begun - outputs.start))] = True
            begun = outputs.start
        won.append(better)
        if dim == 2 or len(won) < len(others):
            np.maximum(before, cells, out=before)
    return most, won


def _beats_with_nan(x: np.ndarray, most: np.ndarray, out: np.ndarray) -> None:
    """x > most, where NaN is larger than any number."""
    np.copyto(out, ~(x <= most) & (most == most))


def _give_back(
    left: np.ndarray, won: list[np.ndarray], axis: Axis, dim: int, x_grad: np.ndarray, buffer: Buffers
) -> None:
    """To each tap what is left where it won, from the last one on; the first gets the rest."""
    lead, (first, *others) = (slice(None),) * dim, [axis.tap(t) for t in axis.reading]
    bits, apart = np.dtype(f"i{left.itemsize}"), axis.stride >= axis.kernel
    side_by_side = axis.stride == axis.kernel and axis.padded == axis.size
    x_grad[(*lead, slice(axis.out * axis.kernel if side_by_side else 0, None))] = 0

    def give(inputs: slice, numbers: np.ndarray) -> None:
        cells = x_grad[(*lead, inputs)]
        if apart:
            np.copyto(pixels(cells), pixels(numbers))
        else:
            cells += numbers

    for better, (inputs, outputs) in zip(reversed(won), reversed(others), strict=True):
        rest, share = left[(*lead, outputs)], buffer("cells", better.shape, left.dtype)
        kept_where(better, rest, share)
        rest.view(bits)[...] ^= share.view(bits)
        give(inputs, share)
    give(first[0], left[(*lead, first[1])])


@pooling(returns="array of x's rank and dtype (integers become float32)")
def avg_pool2d(x: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid") -> np.ndarray:
    """The mean of each window of each channel, over the cells that are there.

    Padded cells are not counted, as in TensorFlow.

    >>> avg_pool2d([[1, 2], [3, 4]], 2, strides=1, padding="same")
    array([[2.5, 3. ],
           [3.5, 4. ]], dtype=float32)
    """
    x, restore = float_images(x)
    geometry = pooling_window(x.shape, pool_size, strides, padding)
    total = _reduce_windows(x, geometry, np.add, 0.0)
    if len(total):  # Without images only the shape is asked for, which may be enormous.
        total /= window_counts(geometry).astype(x.dtype)[..., np.newaxis]
    return restore(total)


@gradient("avg_pool2d", "array of input_shape")
def avg_pool2d_grad(
    grad: Any, input_shape: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> np.ndarray:
    """The gradient of `avg_pool2d`: each window's is shared equally by the cells that are there.

    >>> avg_pool2d_grad([[4.0, 8.0]], (2, 3), strides=1)
    array([[1., 3., 2.],
           [1., 3., 2.]])
    """
    (grad,) = floats(grad=grad)
    shape, full = parse_image_shape(input_shape)
    geometry = pooling_window(full, pool_size, strides, padding)
    grad = image_grad(grad, len(shape), (full[0], *geometry.out, full[3]))
    share = grad / window_counts(geometry).astype(grad.dtype)[..., np.newaxis]
    return _spread(_spread(share, geometry.cols, 2), geometry.rows, 1).reshape(shape)


def _spread(grad: np.ndarray, axis: Axis, dim: int) -> np.ndarray:
    """Each number to all cells of its window along one axis."""
    result = zeros((*grad.shape[:dim], axis.size, *grad.shape[dim + 1 :]), grad.dtype)
    lead = (slice(None),) * dim
    for t in axis.reading:
        inputs, outputs = axis.tap(t)
        result[(*lead, inputs)] += grad[(*lead, outputs)]
    return result


def window_counts(geometry: Window) -> np.ndarray:
    """How many cells of the input, padding aside, each window covers: (H_out, W_out) integers."""
    return np.multiply.outer(_counts(geometry.rows), _counts(geometry.cols))


@pooling(returns="array of the shape that keepdims says, without the axes that x came without")
def global_max_pool2d(x: Any, *, keepdims: bool = False) -> np.ndarray:
    """The largest value of each channel.

    >>> global_max_pool2d([[1, 2], [3, 4]])
    array(4., dtype=float32)
    """
    return _over_maps(x, np.max, keepdims)


@gradient("global_max_pool2d", "array of x's shape")
def global_max_pool2d_grad(x: Any, grad: Any, *, keepdims: bool = False) -> np.ndarray:
    """The gradient of `global_max_pool2d`, shared equally by all cells that are the largest.

    NaN in all cells of a map that has NaN in it, as in TensorFlow.

    >>> global_max_pool2d_grad([[1, 4], [4, 2]], 10.0)
    array([[0., 5.],
           [5., 0.]])
    """
    x, grad = floats(x=x, grad=grad)
    x_shape = x.shape
    x, _ = images(x)
    grad = _grad_over_maps(grad, len(x_shape), x.shape, keepdims)
    chosen = (x == x.max(axis=(1, 2), keepdims=True)).astype(x.dtype)
    return (chosen / chosen.sum(axis=(1, 2), keepdims=True) * grad).reshape(x_shape)


@pooling(returns="array of the shape that keepdims says, without the axes that x came without")
def global_avg_pool2d(x: Any, *, keepdims: bool = False) -> np.ndarray:
    """The mean of each channel.

    >>> global_avg_pool2d([[1, 2], [3, 4]])
    array(2.5, dtype=float32)
    """
    return _over_maps(x, np.mean, keepdims)


@gradient("global_avg_pool2d", "array of input_shape")
def global_avg_pool2d_grad(grad: Any, input_shape: Any, *, keepdims: bool = False) -> np.ndarray:
    """The gradient of `global_avg_pool2d`, shared equally by all cells.

    >>> global_avg_pool2d_grad(8.0, (2, 2))
    array([[2., 2.],
           [2., 2.]])
    """
    (grad,) = floats(grad=grad)
    shape, full = parse_image_shape(input_shape)
    share = _grad_over_maps(grad, len(shape), full, keepdims) / (full[1] * full[2])
    check_memory(full, share.dtype)
    return np.broadcast_to(share, full).reshape(shape).copy()


def _over_maps(x: Any, reduce: Any, keepdims: bool) -> np.ndarray:
    x, restore = float_images(x)
    if 0 in x.shape[1:3]:
        raise ValueError(f"x has no cells to pool, got x.shape={x.shape}")
    return restore(reduce(x, axis=(1, 2), keepdims=flag(keepdims, "keepdims")))


def _grad_over_maps(grad: np.ndarray, rank: int, shape: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """grad as (N, 1, 1, C)."""
    count, height, width, channels = shape
    if not (height and width):
        raise ValueError(f"there are no cells to pool in images of shape {shape}")
    kept = (1, 1) if flag(keepdims, "keepdims") else ()
    check_grad(grad, {2: kept, 3: (*kept, channels), 4: (count, *kept, channels)}[rank])
    return grad.reshape(count, 1, 1, channels)


def _reduce_windows(x: np.ndarray, geometry: Window, combine: np.ufunc, identity: float) -> np.ndarray:
    y = empty((x.shape[0], *geometry.out, x.shape[3]), x.dtype)
    in_parallel(lambda parts: run(window_steps(x, geometry, combine, identity, y, parts)), batches(x))
    return y


def window_steps(
    x: np.ndarray, geometry: Window, combine: np.ufunc, identity: float, y: np.ndarray, parts: Iterable[slice]
) -> Iterator[Call]:
    """Calls that put combine over each window into y, for these of the images' `batches`.

    Along the rows first, whose runs are long.
    """
    axis, count = geometry.cols, min(images_at_once(x), len(x))
    (down_taps, along_taps), wanted = map(_taps, geometry), axis.tap(0)[0]
    rows = np.empty((count, geometry.rows.out, *x.shape[2:]), x.dtype)
    # Runs of a few channels are slow: rather every column, side by side, and then those that are wanted.
    everywhere = axis.kernel > 1 < axis.stride < WIDE_STRIDE and axis.padded == axis.size
    runs = np.empty_like(rows) if everywhere and x.size else None
    for batch in parts:
        part, result = x[batch], y[batch]
        down = rows[: len(part)]
        yield from _axis_steps(part, down_taps, 1, combine, identity, down)
        if runs is None:
            yield from _axis_steps(down, along_taps, 2, combine, identity, result)
        else:
            along = runs[: len(part)]
            yield from _run_steps(down.reshape(-1), axis.kernel, x.shape[3], combine, along.reshape(-1))
            yield partial(np.copyto, pixels(result), pixels(along[:, :, wanted]))


def _run_steps(
    x: np.ndarray, kernel: int, channels: int, combine: np.ufunc, out: np.ndarray
) -> Iterator[Call]:
    """combine over each cell of flat x and the kernel - 1 cells behind it."""
    count = x.size - (kernel - 1) * channels
    taps = [x[tap * channels : tap * channels + count] for tap in range(kernel)]
    yield partial(combine, taps[0], taps[1], out=out[:count])
    for tap in taps[2:]:
        yield partial(combine, out[:count], tap, out=out[:count])


def _taps(axis: Axis) -> tuple[list[Tap], list[Tap]]:
    """What each tap reads, and for which outputs: up to two that every window has, and the others."""
    taps = [axis.tap(t) for t in axis.reading]
    start = [tap for tap in taps if tap[1] == slice(0, axis.out)][:2]
    return start, [tap for tap in taps if tap not in start]


def _axis_steps(
    x: np.ndarray,
    taps: tuple[list[Tap], list[Tap]],
    dim: int,
    combine: np.ufunc,
    identity: float,
    out: np.ndarray,
) -> Iterator[Call]:
    lead, (start, others) = (slice(None),) * dim, taps
    # Two taps that every window has start the result in one pass; else it starts as the identity.
    if len(start) == 2:
        yield partial(combine, x[(*lead, start[0][0])], x[(*lead, start[1][0])], out=out)
    elif start:
        yield partial(np.copyto, out, x[(*lead, start[0][0])])
    else:
        yield partial(out.fill, identity)
    for inputs, outputs in others:
        target = out[(*lead, outputs)]
        yield partial(combine, target, x[(*lead, inputs)], out=target)


def _counts(axis: Axis) -> np.ndarray:
    starts = np.arange(axis.out) * axis.stride - axis.before
    first = np.maximum(0, -(starts // axis.dilation))
    last = np.minimum(axis.kernel - 1, (axis.size - 1 - starts) // axis.dilation)
    return np.maximum(last - first + 1, 0)
