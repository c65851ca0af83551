"""Cutting a convolution into blocks that stay in the cache, and padding only the block at hand.

A block is a few whole images, or a band of one image's output rows. Its input is a view where
no padding is read and a small zero-bordered copy where some is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.geometry import Window

BLOCK_BYTES = 1 << 19
"""What a block's columns may take: half a megabyte stays in the second-level cache."""


def blocks(count: int, rows: int, bytes_per_row: int) -> Iterator[tuple[slice, slice]]:
    """(images, output rows) slices that cover count x rows, each at most about BLOCK_BYTES.

    >>> [(i.stop, r.stop) for i, r in blocks(3, 4, BLOCK_BYTES // 8)]
    [(2, 4), (3, 4)]
    """
    if not count or not rows:
        return
    fit = max(1, BLOCK_BYTES // max(bytes_per_row, 1))
    if fit >= rows:
        step = fit // rows
        for first in range(0, count, step):
            yield slice(first, min(first + step, count)), slice(0, rows)
    else:
        bands = -(-rows // fit)
        step = -(-rows // bands)
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
