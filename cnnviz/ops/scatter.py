"""Transposed convolution: every input cell stamps its kernel on the output.

It is also the gradient of a convolution with respect to its input. The stamps of one tap are one
matrix product. They are added to the cells that they fall on, a strided slice; or, between rows that
are kept apart by zeros, the product itself adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, Block, Blocks, Call, run
from cnnviz.ops.gemm import ADDED, FEW_FILTERS, ROWS, cells_at_once, in_form, product
from cnnviz.ops.padding import Axis, Window
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import empty

LONG_ROW = 16
"""Shorter rows are worth copying, where they are apart, to be multiplied all at once and not one by one."""

Tap = tuple[tuple[slice, slice], tuple[slice, slice], np.ndarray]
"""Which cells a tap stamps and where from, along rows and columns, and its matrix (C, F)."""

VERY_FEW_FILTERS = 12
"""With fewer, a product that adds to its result is slower than an addition after it."""


def scatter(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, F // groups, C), checked; geometry as from `transposed_window`.

    An output is a sum of at most K = kh*kw sums of C // groups products, and a bias: an error below
    (C // groups + K)*u*(sum|x||w| + |bias|).
    """
    rows, cols = geometry
    filters, depth = kernel.shape[2], kernel.shape[3] // groups
    y = empty((len(x), rows.size, cols.size, filters * groups), x.dtype)
    # A zero that keeps rows apart would turn an infinite weight into NaN.
    apart = _worth_apart(geometry, depth, filters, x.itemsize) and np.isfinite(kernel).all()
    fill = _fill_apart if apart else _stamp
    if y.size:
        for group in range(groups):
            channels = slice(group * depth, (group + 1) * depth)
            outputs = slice(group * filters, (group + 1) * filters)
            fill(x[..., channels], kernel[..., channels].swapaxes(2, 3), geometry, y[..., outputs])
    if bias is not None:
        y += bias
    return y


def _stamp(x: np.ndarray, kernel: np.ndarray, geometry: Window, y: np.ndarray) -> None:
    """The definition: y = the stamps of x with kernel (kh, kw, C, F), tap by tap."""
    rows, cols = geometry
    taps = [(rows.tap(u), cols.tap(v), np.ascontiguousarray(kernel[u, v])) for u, v in geometry.reading]
    bands: dict[int, list[Block]] = {}
    depth, filters = kernel.shape[2:]
    most = cells_at_once(ROWS, depth, filters, BLOCK_BYTES // (filters * x.itemsize))
    for block in Blocks(len(x), rows.out, cols.out, most):
        bands.setdefault(block.images.start, []).append(block)

    def work(stacks: Iterable[list[Block]]) -> None:
        # The stamps of an image's bands overlap: they are one thread's.
        for stack in stacks:
            y[stack[0].images] = 0
            for block in stack:
                _stamp_block(x[block.images], taps, block, y[block.images])

    in_parallel(work, list(bands.values()))


def _stamp_block(x: np.ndarray, taps: list[Tap], block: Block, y: np.ndarray) -> None:
    """Add the stamps of a block's rows and columns of x to y."""
    for down, across, matrix in taps:
        (out_rows, in_rows), (out_cols, in_cols) = _within(down, block.rows), _within(across, block.cols)
        cells = x[:, in_rows, in_cols]
        if cells.flags.c_contiguous or cells.shape[2] < LONG_ROW:
            stamps = cells.reshape(-1, len(matrix)) @ matrix
            stamps = stamps.reshape(*cells.shape[:3], y.shape[3])
        else:
            stamps = cells @ matrix
        y[:, out_rows, out_cols] += stamps


def _within(tap: tuple[slice, slice], block: slice) -> tuple[slice, slice]:
    """A tap's cells of the output, and the part of the block that falls on them.

    >>> _within((slice(1, 8, 2), slice(0, 4)), slice(2, 9))
    (slice(5, 8, 2), slice(2, 4, None))
    """
    outputs, inputs = tap
    start = max(inputs.start, block.start)
    stop = max(start, min(inputs.stop, block.stop))
    first = outputs.start + (start - inputs.start) * outputs.step
    last = first + (stop - start - 1) * outputs.step + 1 if stop > start else first
    return slice(first, last, outputs.step), slice(start, stop)


def _fill_apart(x: np.ndarray, kernel: np.ndarray, geometry: Window, y: np.ndarray) -> None:
    """The same for stride 1: y[p] = the sum over taps of x[p + before - t*dilation] @ kernel[t].

    The first rows of all images of a block lie in a buffer of zeros, then the second ones, and so on; so far
    apart that what is read before the start of a row is zeros behind the one before it. Then each tap reads
    one long run of cells, those of the rows that it meets, from another cell on; nothing is copied but x.
    """
    rows, cols = geometry
    depth, filters = kernel.shape[2:]
    down, along = map(_offsets, geometry)
    weights = [in_form(ADDED, tap) for row in kernel for tap in row]
    width, most = _pitch(cols.out, along, cols.size), _cells_apart(geometry, depth, filters, x.itemsize)

    def work(parts: Iterable[Block]) -> None:
        ready: dict[tuple[int, ...], _Apart] = {}
        for images, band, _ in parts:
            start = min(max(0, band.start + down[-1]), rows.out)
            part = x[images, start : max(start, min(rows.out, band.stop + down[0]))]
            shift, target = band.start - start, y[images, band]
            key = (*part.shape[:2], shift, target.shape[1])
            if key not in ready:
                ready[key] = _Apart.of(key, width, [(i, j) for i in down for j in along], weights)
            ready[key].fill(part, target)

    in_parallel(work, Blocks(len(x), rows.size, cols.size, max(most, cols.size)))


def _worth_apart(geometry: Window, depth: int, filters: int, itemsize: int) -> bool:
    """Whether `_fill_apart` can do it, with bands of rows that are tall compared with their overlap."""
    rows, cols = geometry
    if not (rows.stride == cols.stride == 1 and VERY_FEW_FILTERS <= filters <= FEW_FILTERS):
        return False
    return _cells_apart(geometry, depth, filters, itemsize) >= min(rows.size, 4 * rows.extent) * cols.size


def _cells_apart(geometry: Window, depth: int, filters: int, itemsize: int) -> int:
    """Output cells in a block, its buffers within BLOCK_BYTES."""
    most = cells_at_once(ADDED, depth, filters, BLOCK_BYTES // ((depth + filters) * itemsize))
    cols = geometry.cols
    return most * cols.size // _pitch(cols.out, _offsets(cols), cols.size)


def _offsets(axis: Axis) -> range:
    """For each tap how far before or behind an output cell it reads, at stride 1."""
    return range(axis.before, axis.before - axis.extent, -axis.dilation)


def _pitch(size: int, offsets: Sequence[int], count: int) -> int:
    """How far apart rows of `size` cells must start if cells 0 .. count-1 are read, offset.

    The cells read before a row are the zeros behind the one before it: one gap serves both.
    """
    return max(size - min(offsets[-1], 0), count + max(offsets[0], 0))


class _Apart(NamedTuple):
    """The buffers of a block of `_fill_apart`, and the calls that turn `grid` into `sums`: (rows, N, ...)."""

    grid: np.ndarray
    steps: list[Call]
    sums: np.ndarray

    @classmethod
    def of(
        cls, sizes: tuple[int, ...], width: int, taps: list[tuple[int, int]], weights: list[np.ndarray]
    ) -> _Apart:
        """For sizes (images, rows of x, shift, rows of y): row r of y reads row r + shift + i, moved by j."""
        count, height, shift, size = sizes
        line, (depth, filters) = count * width, weights[0].shape
        lead, trail = max(0, -min(j for _, j in taps)), max(0, *(j for _, j in taps))
        buffer = np.zeros((lead + height * line + trail, depth), weights[0].dtype)
        sums = np.empty((size * line, filters), buffer.dtype)
        steps: list[Call] = []
        for place, ((i, j), weight) in enumerate(zip(taps, weights, strict=True)):
            first = min(max(0, -i - shift), size)
            last = max(first, min(size, height - i - shift))
            if not place:  # what the first tap does not reach begins as zeros
                steps += [partial(rest.fill, 0) for rest in (sums[: first * line], sums[last * line :])]
            if last > first:
                start = lead + (first + i + shift) * line + j
                read = buffer[start : start + (last - first) * line]
                steps.append(product(read, weight, sums[first * line : last * line], add=place > 0))
        grid = buffer[lead : lead + height * line].reshape(height, count, width, depth)
        return cls(grid, steps, sums.reshape(size, count, width, filters))

    def fill(self, x: np.ndarray, y: np.ndarray) -> None:
        self.grid[:, :, : x.shape[2]] = x.swapaxes(0, 1)
        run(self.steps)
        y[...] = self.sums[:, :, : y.shape[2]].swapaxes(0, 1)
