"""The gradient of a convolution with respect to its kernel: the transposed windows times the gradient.

Windows are laid out block by block, as in `im2col`. A small kernel gets a product from each image, and
these are added up: BLAS is at its best with matrices of that size. A large one gets fewer, longer ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import BLOCK_BYTES, Block, BlockInput, Blocks, windows
from cnnviz.ops.gemm import SUMS, cells_at_once, form, sum_of_products
from cnnviz.ops.layouts import LONG_RUN
from cnnviz.ops.padding import Window
from cnnviz.ops.parallel import MOST_THREADS, summed

LARGE_KERNEL = BLOCK_BYTES // 8
"""Bytes of a kernel above which adding it up takes much of the time that the products take."""

ENOUGH_CELLS = 64
"""Images with fewer cells share a product."""

MANY_CELLS = 512
"""With this many cells in a product the addition of its result no longer matters."""


def kernel_gradient(
    x: np.ndarray, grad: np.ndarray, kernel_shape: tuple[int, ...], geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) and grad (N, H_out, W_out, F), checked; kernel_shape is (kh, kw, C // groups, F).

    Every number is a sum of K = N*H_out*W_out products: an error below K*u*sum|x||grad|, in any order.
    The order does not depend on the number of threads.
    """
    kh, kw, depth, _ = kernel_shape
    several = kh > 1 and geometry.out != (1, 1)
    if several and groups == 1 and kw * depth > LONG_RUN:
        return _by_rows(x, grad, kernel_shape, geometry)
    return _by_windows(x, grad, kernel_shape, geometry, groups)


def _by_rows(x: np.ndarray, grad: np.ndarray, kernel_shape: tuple[int, ...], geometry: Window) -> np.ndarray:
    """Only the width is unrolled; the kernel's rows read the same buffer, each from another row on.

    With a stride s, kernel rows `period` apart read rows whose numbers are the same modulo s; those are
    put one below the other. Images that share a product lie side by side, row by row.
    """
    kh, kw, depth, filters = kernel_shape
    rows, cols = geometry
    length, period = kw * depth, rows.stride // math.gcd(rows.stride, rows.dilation)
    whole = not form(SUMS, length, filters).pieces
    large = whole or kh * length * filters * x.itemsize > LARGE_KERNEL

    def work(share: Sequence[Block], total: np.ndarray) -> None:
        read = BlockInput(x, geometry, parts[0])
        buffers: dict[tuple[int, ...], np.ndarray] = {}
        for block in share:
            count, height, width = block.shape
            products, together = (1, count) if large else (count, 1)
            part = read(block)
            n, h, w, c = part.strides
            runs = as_strided(
                part,
                (products, part.shape[1], together, width, kw, depth),
                (n * together, h, n, w * cols.stride, w * cols.dilation, c),
                writeable=False,
            )
            gradient = grad[block].reshape(products, together, height, width, filters)
            gradient = gradient.swapaxes(1, 2).reshape(products, 1, -1, filters)
            for u in range(min(kh, period)):
                down, remainder = divmod(u * rows.dilation, rows.stride)
                rows_read = runs[:, remainder :: rows.stride]
                if rows_read.shape not in buffers:
                    buffers[rows_read.shape] = np.empty(rows_read.shape, x.dtype)
                buffer = buffers[rows_read.shape]
                np.copyto(buffer, rows_read)
                each, h, _, w, _, c = buffer.strides
                columns = as_strided(
                    buffer[:, down:],
                    (products, len(range(u, kh, period)), length, gradient.shape[2]),
                    (each, h * (period * rows.dilation // rows.stride), c, w),
                    writeable=False,
                )
                total[u::period] += sum_of_products(columns, gradient).sum(axis=0)

    parts = _blocks(len(x), geometry, _cells(length, filters, geometry, large, x.itemsize))
    return summed(work, parts, (kh, length, filters), x.dtype).reshape(kernel_shape)


def _by_windows(
    x: np.ndarray, grad: np.ndarray, kernel_shape: tuple[int, ...], geometry: Window, groups: int
) -> np.ndarray:
    """Each window is a row of kh*kw*C/groups numbers; or, where its runs are short, a column."""
    kh, kw, depth, filters = kernel_shape
    length, each = kh * kw * depth, filters // groups
    large = length * filters * x.itemsize > LARGE_KERNEL
    together = large or math.prod(geometry.out) < ENOUGH_CELLS or not form(SUMS, length, each).pieces

    def work(share: Sequence[Block], total: np.ndarray) -> None:
        read = BlockInput(x, geometry, parts[0], partial(windows, geometry=geometry))
        for block in share:
            taps = read(block)
            products = 1 if together else len(taps)
            taps = taps.reshape(products, -1, *taps.shape[1:5], groups, depth)
            gradient = grad[block].reshape(products, -1, groups, each).swapaxes(1, 2)
            if kw * depth < LONG_RUN:
                columns = taps.transpose(0, 6, 4, 5, 7, 1, 2, 3).reshape(products, groups, length, -1)
            else:
                rows = taps.transpose(0, 6, 1, 2, 3, 4, 5, 7).reshape(products, groups, -1, length)
                columns = rows.swapaxes(2, 3)
            total += sum_of_products(columns, gradient).sum(axis=0)

    parts = _blocks(len(x), geometry, _cells(length * groups, each, geometry, large, x.itemsize))
    return summed(work, parts, (groups, length, each), x.dtype).swapaxes(0, 1).reshape(kernel_shape)


def _blocks(count: int, geometry: Window, cells: int) -> Blocks:
    """Blocks of at most so many cells; where there are several, as many as can be shared evenly."""
    image = math.prod(geometry.out)
    if image <= cells < count * image:
        cells = min(cells, -(-count // MOST_THREADS) * image)
    return Blocks(count, *geometry.out, cells)


def _cells(length: int, filters: int, geometry: Window, large: bool, itemsize: int) -> int:
    """Output cells in a block: within BLOCK_BYTES; of one image, where filters are few, in one piece."""
    cells = BLOCK_BYTES // (length * itemsize)
    if large:
        return max(cells, MANY_CELLS)
    piece = cells_at_once(SUMS, length, filters, cells)
    return piece if piece < math.prod(geometry.out) else cells
