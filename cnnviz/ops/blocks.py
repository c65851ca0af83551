"""Cutting a convolution into blocks that stay in the cache, and padding only the block at hand.

A block is a few whole images, or a band of one image's output rows. Its input is a view where
no padding is read and a small zero-bordered copy where some is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import blas

from cnnviz.ops.geometry import Window

BLOCK_BYTES = 1 << 20
"""What a block's columns may take: about a megabyte stays in the second-level cache."""

SMALL_GEMM = 1_000_000
"""OpenBLAS multiplies matrices with M*N*K up to this without packing them first (its small-matrix
kernels); with few columns that is nearly twice as fast."""

FEW_FILTERS = 32

Step = Callable[[], Any]
"""One NumPy call with its arguments, on arrays that are already there."""


def run(steps: Iterable[Step]) -> None:
    for step in steps:
        step()


def blocks(count: int, rows: int, cells_per_row: int, filters: int, length: int, itemsize: int = 4):
    """(images, output rows) slices that cover count x rows.

    A block's matrix has `length` columns and one row for each of its cells; it is kept within
    BLOCK_BYTES and, where there are few filters, within SMALL_GEMM multiply-adds.

    >>> [(i.stop, r.stop) for i, r in blocks(3, 4, 4096, filters=64, length=16)]
    [(1, 4), (2, 4), (3, 4)]
    """
    cells = BLOCK_BYTES // (length * itemsize)
    if filters <= FEW_FILTERS:
        cells = min(cells, SMALL_GEMM // (length * filters))
    return _cut(count, rows, max(1, cells // max(cells_per_row, 1)))


def _cut(count: int, rows: int, fit: int) -> Iterator[tuple[slice, slice]]:
    if fit >= rows:
        step = max(1, fit // max(rows, 1))
        for first in range(0, count, step):
            yield slice(first, min(first + step, count)), slice(0, rows)
        return
    step = -(-rows // -(-rows // fit))
    for image in range(count):
        for first in range(0, rows, step):
            yield slice(image, image + 1), slice(first, min(first + step, rows))


def block_input(x: np.ndarray, geometry: Window, images: slice, out_rows: slice) -> np.ndarray:
    """The padded input rows that these images' output rows read: a view if nothing is padding."""
    rows, cols = geometry
    first = out_rows.start * rows.stride - rows.before
    last = (out_rows.stop - 1) * rows.stride - rows.before + rows.extent
    inside = slice(max(first, 0), max(min(last, rows.size), 0))
    part = x[images, inside]
    if first >= 0 and last <= rows.size and not (cols.before or cols.after):
        return part
    block = np.zeros((part.shape[0], last - first, cols.padded, x.shape[3]), x.dtype)
    top = inside.start - first
    block[:, top : top + part.shape[1], cols.before : cols.before + cols.size] = part
    return block


def windows(block: np.ndarray, geometry: Window, out_rows: int) -> np.ndarray:
    """All windows of a block's padded input, as a view (N, out_rows, W_out, kh, kw, C)."""
    rows, cols = geometry
    n, h, w, c = block.strides
    return as_strided(
        block,
        (block.shape[0], out_rows, cols.out, rows.kernel, cols.kernel, block.shape[3]),
        (n, h * rows.stride, w * cols.stride, h * rows.dilation, w * cols.dilation, c),
        writeable=False,
    )


def accumulate(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Step:
    """out += a @ b in one pass, for contiguous matrices: BLAS with beta = 1, which NumPy lacks."""
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    return partial(gemm, 1.0, b.T, a.T, beta=1.0, c=out.T, overwrite_c=1)
