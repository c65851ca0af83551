"""Convolution as a matrix product: every window becomes a row, the kernel a matrix.

`im2col_matrix` is that matrix as the textbooks draw it, nine times the input for a 3x3 kernel. `im2col`
multiplies without ever holding it: block by block, windows are copied to a buffer that stays in the cache
and multiplied there. How they are laid out in it, which saves most of the copying, is in `layouts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from cnnviz.ops.arguments import IMAGES, float_images, operation
from cnnviz.ops.blocks import Block, BlockInput, Blocks, Call, Finish, as_it_is, run, windows
from cnnviz.ops.gemm import ROWS, in_form, stacked
from cnnviz.ops.layouts import BlockWork, Cells, RepeatedBias, WholeWindows, choose_layout, with_bias
from cnnviz.ops.padding import Window, pair, sliding_window, zeros_around
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import check_memory, empty


@operation(
    {
        "x": IMAGES,
        "kernel_size": "An int or (height, width): the window's taps, kh x kw.",
        **dict.fromkeys(("strides", "padding", "dilation_rate"), "As in `conv2d`."),
    },
    returns="array (N * H_out * W_out, kh * kw * C)\n    float64 if x is, else float32; always a copy.",
    raises="ValueError, TypeError\n    as `conv2d`.",
)
def im2col_matrix(
    x: Any, kernel_size: Any, *, strides: Any = 1, padding: Any = "valid", dilation_rate: Any = 1
) -> np.ndarray:
    """All windows of x, each a row: `im2col_matrix(x, (kh, kw)) @ kernel.reshape(-1, F)` is `conv2d`.

    The outputs' windows stand row by row, as `conv2d` orders its outputs; in each the taps row by row, and
    the channels of each tap.

    >>> im2col_matrix(np.arange(9).reshape(3, 3), 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]], dtype=float32)
    """
    x, _ = float_images(x)
    kh, kw = size = pair(kernel_size, "kernel_size")
    geometry = sliding_window(x.shape, size, strides, padding, dilation_rate)
    shape = len(x) * math.prod(geometry.out), kh * kw * x.shape[3]
    check_memory(shape, x.dtype)
    padded = zeros_around(x, geometry.padding)
    return windows(padded, geometry.out, geometry).reshape(shape, copy=True)


def im2col(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Every output is a sum of K = kh*kw*C/groups products and a bias: K + 1 roundings at most on
    any term, so its error is below (K + 1)*u*(sum|x||w| + |bias|) in any order of summation.
    """
    y = empty((x.shape[0], *geometry.out, kernel.shape[3]), x.dtype)
    parts = im2col_blocks(len(x), kernel.shape, geometry, groups, x.itemsize)
    repeated_bias = repeated(bias)
    in_parallel(
        lambda share: run(im2col_steps(x, kernel, repeated_bias, geometry, groups, y, parts[0], share)), parts
    )
    return y


def repeated(bias: np.ndarray | None) -> RepeatedBias:
    """The bias repeated to any length that is asked for; each length is made once.

    Adding it to all cells at once is one long addition, four times as fast as F numbers for each cell.

    >>> repeated(np.array([1.0, 2.0]))(6)
    array([1., 2., 1., 2., 1., 2.])
    """

    @cache
    def tiled(numbers: int) -> np.ndarray | None:
        return None if bias is None else np.tile(bias, numbers // len(bias))

    return tiled


def im2col_blocks(
    count: int, kernel_shape: tuple[int, ...], geometry: Window, groups: int, itemsize: int
) -> Blocks:
    """The blocks that the output for `count` images is cut into."""
    return Blocks(count, *geometry.out, choose_layout(kernel_shape, geometry, groups).cells(itemsize))


def im2col_steps(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: RepeatedBias,
    geometry: Window,
    groups: int,
    y: np.ndarray,
    largest: Block,
    parts: Iterable[Block],
    finish: Finish = as_it_is,
) -> Iterator[Call]:
    """The calls that compute these parts of y (N, H_out, W_out, F) from x, to be made in this order.

    For each block: copy what its windows read, multiply, add the bias, and whatever finishes it. The calls
    can also be kept, and made again whenever x has changed.
    """
    layout = choose_layout(kernel.shape, geometry, groups)
    if not geometry.padded and groups == 1 and isinstance(layout, WholeWindows):
        matrix = as_matrix(layout.view(x, geometry.out), layout.length)
        if matrix is not None:
            weights = in_form(ROWS, kernel.reshape(layout.length, -1))
            yield from steps_without_copy(matrix, weights, bias, y, parts, finish)
            return
    padded = BlockInput(x, geometry, largest, layout.view) if geometry.padded else None
    everything = layout.view(x, geometry.out)
    memory = [np.empty(count, x.dtype) for count in layout.held(largest.shape)[:2]]
    ready: dict[Cells, BlockWork] = {}
    for block in parts:
        shape = block.shape
        if shape not in ready:
            ready[shape] = layout.work(shape, kernel, *memory)
        work = ready[shape]
        if padded is None:
            read = everything[block.images, layout.rows_read(block.rows), block.cols]
        else:
            read, calls = padded.steps(block)
            yield from calls
        yield partial(np.copyto, work.copied, read)
        yield from work.steps(bias, y[block])
        yield from finish(y[block])


def as_matrix(view: np.ndarray, length: int) -> np.ndarray | None:
    """A view of windows as a matrix of rows, if that needs no copy: 1x1 kernels, whole images."""
    try:
        return np.reshape(view, (-1, length), copy=False)
    except ValueError:
        return None


def steps_without_copy(
    matrix: np.ndarray,
    weights: np.ndarray,
    bias: RepeatedBias,
    y: np.ndarray,
    parts: Iterable[Block],
    finish: Finish,
) -> Iterator[Call]:
    """y = matrix @ weights + bias, block by block, where x itself is the matrix."""
    flat, (rows, cols) = y.reshape(len(matrix), -1), y.shape[1:3]
    for block in parts:
        first = (block.images.start * rows + block.rows.start) * cols + block.cols.start
        cells = slice(first, first + math.prod(block.shape))
        yield from stacked(ROWS, matrix[cells], weights, flat[cells])
        sums = flat[cells].reshape(block.shape[0], -1)
        if bias(sums.shape[1]) is not None:
            yield with_bias(sums, bias, sums)
        yield from finish(y[block])
