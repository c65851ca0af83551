"""Cutting a convolution into blocks that stay in the cache, and padding only the block at hand.

A block is a few whole images, or a band of one image's output rows, or part of one row. Its input
is a view where no padding is read and a small zero-bordered copy where some is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import blas

from cnnviz.ops.geometry import Axis, Window

BLOCK_BYTES = 1 << 20
"""What a block's buffer may take: about a megabyte stays in the second-level cache."""

Step = Callable[[], Any]
"""One NumPy call with its arguments, on arrays that are already there."""


class Block(NamedTuple):
    """Which output cells are computed at one time."""

    images: slice
    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        images, rows, cols = (part.stop - part.start for part in self)
        return images, rows, cols


def run(steps: Iterable[Step]) -> None:
    for step in steps:
        step()


def blocks(count: int, rows: int, cols: int, cells: int) -> Iterator[Block]:
    """Blocks of at most `cells` cells (at least one) that cover count x rows x cols.

    >>> [block.shape for block in blocks(3, 4, 5, cells=40)]
    [(2, 4, 5), (1, 4, 5)]
    >>> [block.shape for block in blocks(1, 4, 5, cells=11)]
    [(1, 2, 5), (1, 2, 5)]
    """
    if not count * rows * cols:
        return
    images_at_once = max(1, cells // (rows * cols))
    rows_at_once = rows if images_at_once > 1 else min(rows, max(1, cells // cols))
    cols_at_once = cols if rows_at_once > 1 else min(cols, max(1, cells))
    for images in _evenly(count, images_at_once):
        for band in _evenly(rows, rows_at_once):
            for part in _evenly(cols, cols_at_once):
                yield Block(images, band, part)


def _evenly(total: int, most: int) -> Iterator[slice]:
    """Slices of nearly equal length, none above `most`."""
    step = -(-total // -(-total // most))
    for first in range(0, total, step):
        yield slice(first, min(first + step, total))


def reads(axis: Axis, out: slice) -> tuple[int, int]:
    """The first and the last-but-one input cell that these outputs read, padding included."""
    first = out.start * axis.stride - axis.before
    return first, (out.stop - 1) * axis.stride - axis.before + axis.extent


def block_input(x: np.ndarray, geometry: Window, block: Block) -> np.ndarray:
    """The padded input cells that a block's outputs read: a view if nothing is padding."""
    spans = [reads(axis, out) for axis, out in zip(geometry, block[1:], strict=True)]
    inside = [
        slice(min(max(first, 0), axis.size), max(min(last, axis.size), 0))
        for axis, (first, last) in zip(geometry, spans, strict=True)
    ]
    part = x[block.images, inside[0], inside[1]]
    (top, bottom), (left, right) = spans
    if top >= 0 and left >= 0 and bottom <= geometry.rows.size and right <= geometry.cols.size:
        return part
    padded = np.zeros((part.shape[0], bottom - top, right - left, x.shape[3]), x.dtype)
    down, along = max(-top, 0), max(-left, 0)
    padded[:, down : down + part.shape[1], along : along + part.shape[2]] = part
    return padded


def windows(x: np.ndarray, geometry: Window, out: tuple[int, int]) -> np.ndarray:
    """All windows of a padded input, as a view (N, H_out, W_out, kh, kw, C)."""
    rows, cols = geometry
    n, h, w, c = x.strides
    return as_strided(
        x,
        (x.shape[0], *out, rows.kernel, cols.kernel, x.shape[3]),
        (n, h * rows.stride, w * cols.stride, h * rows.dilation, w * cols.dilation, c),
        writeable=False,
    )


def accumulate(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Step:
    """out += a @ b in one pass, for contiguous matrices: BLAS with beta = 1, which NumPy lacks."""
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    return partial(gemm, 1.0, b.T, a.T, beta=1.0, c=out.T, overwrite_c=1)
