"""Transposed convolution: every input cell stamps its kernel on the output.

It is also the gradient of a convolution with respect to its input. The stamps of one tap are one
matrix product. They are added to the cells that they fall on, a strided slice; or, between rows that
are kept apart by zeros, the product itself adds them up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, accumulate, blocks, run
from cnnviz.ops.geometry import Window
from cnnviz.ops.im2col import FEW_FILTERS, SMALL_GEMM

VERY_FEW_FILTERS = 12
"""With fewer, a product that adds to its result is slower than an addition after it."""


def scatter(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, F // groups, C), checked; geometry as of `transposed_window`.

    An output is a sum of at most K = kh*kw sums of C // groups products, and a bias: an error below
    (C // groups + K)*u*(sum|x||w| + |bias|).
    """
    rows, cols = geometry
    filters, depth = kernel.shape[2], kernel.shape[3] // groups
    y = np.empty((len(x), rows.size, cols.size, filters * groups), x.dtype)
    fill = _stamp
    if rows.stride == cols.stride == 1 and VERY_FEW_FILTERS <= filters <= FEW_FILTERS:
        # A zero that keeps rows apart would turn an infinite weight into NaN.
        fill = _fill_apart if np.isfinite(kernel).all() else _stamp
    if y.size:
        for group in range(groups):
            channels = slice(group * depth, (group + 1) * depth)
            outputs = slice(group * filters, (group + 1) * filters)
            fill(x[..., channels], kernel[..., channels].swapaxes(2, 3), geometry, y[..., outputs])
    if bias is not None:
        y += bias
    return y


def _stamp(x: np.ndarray, kernel: np.ndarray, geometry: Window, y: np.ndarray) -> None:
    """The definition: y += the stamps of x with kernel (kh, kw, C, F), tap by tap."""
    rows, cols = geometry
    taps = [
        (rows.tap(u), cols.tap(v), np.ascontiguousarray(kernel[u, v]))
        for u in range(rows.kernel)
        for v in range(cols.kernel)
    ]
    y.fill(0)
    filters = kernel.shape[3]
    step = max(1, BLOCK_BYTES // (rows.out * cols.out * filters * x.itemsize))
    for first in range(0, len(x), step):
        part, target = x[first : first + step], y[first : first + step]
        for (out_rows, in_rows), (out_cols, in_cols), matrix in taps:
            stamp = part[:, in_rows, in_cols] @ matrix
            target[:, out_rows, out_cols] += stamp


def _fill_apart(x: np.ndarray, kernel: np.ndarray, geometry: Window, y: np.ndarray) -> None:
    """The same for stride 1: y[p] = the sum over taps of x[p + before - t*dilation] @ kernel[t].

    The rows of x lie in a buffer of zeros, so far apart that what is read before the start of a row
    is zeros behind the row above; and so do images. Then each tap reads one long run of cells, from
    another cell on, and nothing is copied but x.
    """
    rows, cols = geometry
    depth, filters = kernel.shape[2:]
    down, along = (range(axis.before, axis.before - axis.extent, -axis.dilation) for axis in geometry)
    weights = [np.ascontiguousarray(tap) for row in kernel for tap in row]
    most = min(SMALL_GEMM // (depth * filters), BLOCK_BYTES // ((depth + filters) * x.itemsize))
    width = _pitch(cols.out, along, cols.size)
    most = most * rows.size * cols.size // (_pitch(rows.out, down, rows.size) * width)
    ready: dict[tuple[int, ...], _Apart] = {}
    for images, band, _ in blocks(len(x), rows.size, cols.size, max(most, cols.size)):
        start = min(max(0, band.start + down[-1]), rows.out)
        part = x[images, start : max(start, min(rows.out, band.stop + down[0]))]
        shift, target = band.start - start, y[images, band]
        key = (*part.shape[:2], shift, target.shape[1])
        if key not in ready:
            height = _pitch(part.shape[1], [i + shift for i in down], target.shape[1])
            offsets = [(i + shift) * width + j for i in down for j in along]
            ready[key] = _Apart.made((len(part), height, width, depth), offsets, filters, x.dtype)
        ready[key].fill(part, weights, target)


def _pitch(size: int, offsets: Sequence[int], count: int) -> int:
    """How far apart rows of `size` cells must start if cells 0 .. count-1 are read, offset.

    What is read before a row are the zeros behind the row above: one gap serves both.
    """
    return max(size - min(offsets[-1], 0), count + max(offsets[0], 0))


class _Apart(NamedTuple):
    """The buffers of one block of `_fill_apart`."""

    grid: np.ndarray
    reads: list[np.ndarray]
    sums: np.ndarray

    @classmethod
    def made(cls, shape: tuple[int, ...], offsets: list[int], filters: int, dtype: np.dtype) -> _Apart:
        cells = math.prod(shape[:3])
        lead, trail = max(0, -min(offsets)), max(0, max(offsets))
        buffer = np.zeros((lead + cells + trail, shape[3]), dtype)
        reads = [buffer[lead + offset : lead + offset + cells] for offset in offsets]
        return cls(buffer[lead : lead + cells].reshape(shape), reads, np.empty((cells, filters), dtype))

    def fill(self, x: np.ndarray, weights: list[np.ndarray], y: np.ndarray) -> None:
        self.grid[:, : x.shape[1], : x.shape[2]] = x
        direct = y.flags.c_contiguous and y.shape[:3] == self.grid.shape[:3]
        sums = y.reshape(self.sums.shape) if direct else self.sums
        np.matmul(self.reads[0], weights[0], out=sums)
        run(accumulate(*pair, sums) for pair in zip(self.reads[1:], weights[1:], strict=True))
        if not direct:
            y[...] = sums.reshape(*self.grid.shape[:3], -1)[:, : y.shape[1], : y.shape[2]]
