"""How windows are laid out as rows of a matrix, and multiplied: a block of `im2col` at a time.

A window is what one output reads, kh*kw*C numbers; a run is one kernel row of a window, kw*C numbers that
lie side by side in the image unless the kernel is dilated. Windows overlap, and a layout copies:

- `WholeWindows`: every window. One matrix product.
- `Runs`: every run once, though kh windows share it. kh products, one for each kernel row, added up.
- `Strips`: every run once too, but transposed. A strip is one number of each run of an image row, side by
  side. One product for each output row, over whole windows, straight into the result.

A worked example: 3x3 kernels from 16 channels to 16 filters over an image of 26x26x16 (10,816 numbers) give
24x24 = 576 outputs of 16; a window is 3*3*16 = 144 numbers, a run 3*16 = 48. Each layout fills a buffer:

- `WholeWindows`: (576, 144), a row for each window. Product: (576, 144) @ (144, 16).
- `Runs`: (26*24, 48), a row for each run of each image row. Kernel row u, with its 48 x 16 weights, reads
  the 576 rows from 24*u on. Products: (576, 48) @ (48, 16), three times.
- `Strips`: (26, 48, 24), a strip of 24 outputs for each of 48 numbers. The windows of output row i are
  image rows i to i + 2: (144, 24) in one piece. Products: its transpose (24, 144) @ (144, 16), 24 times.

This is how many numbers each copies. The last is chosen:

>>> from cnnviz.ops.padding import window
>>> kernel, geometry = (3, 3, 16, 16), window((26, 26), (3, 3), (1, 1), "valid")
>>> [layout(kernel, geometry).held((1, 24, 24)).copied for layout in (WholeWindows, Runs, Strips)]
[82944, 29952, 29952]
>>> type(choose_layout(kernel, geometry)).__name__
'Strips'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import BLOCK_BYTES, Call, evenly, windows
from cnnviz.ops.gemm import ADDED, COLUMNS, ROWS, cells_at_once, in_form, product, rows_at_once, stacked
from cnnviz.ops.padding import Axis, Window

LONG_RUN = 8
"""Copying a shorter run takes about as long as copying one of this many numbers."""

RUN_PER_STRIP = 2
"""Strips are quicker to fill and to multiply where a run is at most this many times as long as a strip,"""

LONG_FOR_STRIPS = 128
"""and no longer than this: from there on it is copied just as quickly as it stands."""

FILTERS_PER_ROW = 8
"""`Runs` adds up a product for each kernel row, where `WholeWindows` takes one. With more filters than this
for each output row that costs more than copying the windows."""

WEIGHTY_BLOCK = 8
"""A block may take this many BLOCK_BYTES where as many bytes of weights have to be read for each block."""

Cells = tuple[int, int, int]
"""A block's images, output rows and output columns."""

RepeatedBias = Callable[[int], np.ndarray | None]
"""The bias repeated until it has this many numbers; None if there is no bias."""


# How windows are laid out -----------------------------------------------------------------------


class Held(NamedTuple):
    """How many numbers the arrays for a block hold; the bias serves all blocks."""

    copied: int
    sums: int
    bias: int


class Layout(Protocol):
    """How windows become rows of a matrix, for one kernel and geometry, block by block of the result."""

    @property
    def length(self) -> int:
        """Numbers in a row of the matrix."""

    def cells(self, itemsize: int) -> int:
        """Output cells in a block."""

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        """What is copied, as a view (N, rows, columns, ...) of the padded input (N, H, W, C)."""

    def rows_read(self, out_rows: slice) -> slice:
        """The view's rows that these output rows need; its columns are the output's."""

    def work(self, shape: Cells, kernel: np.ndarray, copied: np.ndarray, sums: np.ndarray) -> BlockWork:
        """The buffer and the products for a block, in two flat arrays of at least the sizes `held`."""

    def held(self, shape: Cells) -> Held:
        """How many numbers a block needs."""


class BlockWork(NamedTuple):
    """The arrays for blocks of one shape, and the products on them."""

    copied: np.ndarray
    """The buffer, in the shape of the layout's view of the input, which is copied here."""
    steps: Callable[[RepeatedBias, np.ndarray], Iterator[Call]]
    """The calls that then put the sums and the bias in a block of the result."""


def choose_layout(kernel_shape: tuple[int, ...], geometry: Window, groups: int = 1) -> Layout:
    """`Strips` or, for longer runs, `Runs` where kernel rows share what is copied; else `WholeWindows`."""
    kh, kw, depth, filters = kernel_shape
    (rows, cols), run = geometry, kw * depth
    if kh > 1 and groups == 1 and geometry.out != (1, 1):
        adjacent = rows.dilation == 1 and rows.stride <= kh
        short = run <= RUN_PER_STRIP * cols.out and (run <= LONG_FOR_STRIPS or rows.stride > 1)
        if adjacent and cols.out > LONG_RUN and short:
            return Strips(kernel_shape, geometry)
        if rows.stride == 1 and run > LONG_RUN and filters <= FILTERS_PER_ROW * rows.out:
            return Runs(kernel_shape, geometry)
    return WholeWindows(kernel_shape, geometry, groups)


# The three layouts ------------------------------------------------------------------------------


@dataclass(frozen=True)
class WholeWindows:
    """A row for each window, kh*kw*C numbers; one matrix product for each group of channels.

    Where runs are short the buffer is filled the other way round: one number of all windows side by side
    is long, and BLAS takes the transposed matrix as it is.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window
    groups: int = 1

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[:3])

    @property
    def _kind(self) -> str:
        """How the matrix lies in memory."""
        return COLUMNS if math.prod(self.kernel_shape[1:3]) < LONG_RUN else ROWS

    def cells(self, itemsize: int) -> int:
        depth, filters = self.kernel_shape[2:]
        each = self.length * self.groups + filters + self.geometry.read_by_cell * depth * self.groups
        weights = math.prod(self.kernel_shape)
        room = room_for_cells(each, itemsize, weights)
        return cells_at_once(self._kind, self.length, filters // self.groups, room)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        taps = windows(block, out, self.geometry)
        return taps.reshape(*taps.shape[:5], self.groups, self.kernel_shape[2])

    def rows_read(self, out_rows: slice) -> slice:
        return out_rows

    def work(self, shape: Cells, kernel: np.ndarray, copied: np.ndarray, sums: np.ndarray) -> BlockWork:
        kh, kw, depth, filters = self.kernel_shape
        place, taps, cells = shape, (kh, kw, depth), math.prod(shape)
        copied, sums = _cut(copied, cells * self.groups, self.length), _cut(sums, cells, filters)
        if self._kind == COLUMNS:
            matrices = copied.reshape(self.groups, self.length, cells).transpose(0, 2, 1)
            copied = copied.reshape(self.groups, *taps, *place).transpose(4, 5, 6, 1, 2, 0, 3)
        else:
            matrices = copied.reshape(self.groups, cells, self.length)
            copied = copied.reshape(self.groups, *place, *taps).transpose(1, 2, 3, 4, 5, 0, 6)
        weights, share = kernel.reshape(self.length, filters), filters // self.groups
        products: list[Call] = []
        for group, matrix in enumerate(matrices):
            mine = slice(group * share, (group + 1) * share)
            products += stacked(self._kind, matrix, in_form(self._kind, weights[:, mine]), sums[:, mine])
        return BlockWork(copied, partial(through_sums, products, sums.reshape(shape[0], -1)))

    def held(self, shape: Cells) -> Held:
        cells, filters = math.prod(shape), self.kernel_shape[3]
        return Held(cells * self.length * self.groups, cells * filters, shape[1] * shape[2] * filters)


@dataclass(frozen=True)
class Runs:
    """A row for each run, kw*C numbers; one matrix product for each kernel row, added to the others.

    Kernel row u reads the same buffer from u*dilation image rows further down. Of several images in a block
    the first rows lie side by side, then the second ones, and so on: one row further down for all of them.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[1:3])

    def cells(self, itemsize: int) -> int:
        rows, cols = self.geometry
        filters = self.kernel_shape[3]
        each = self.length + filters + self.geometry.read_by_cell * self.kernel_shape[2]
        weights = math.prod(self.kernel_shape)
        # Twice as many: the rows that windows share are copied again in each block.
        room = cells_at_once(ADDED, self.length, filters, room_for_cells(each, itemsize, weights), pieces=2)
        return cells_in_room(room, rows.out, cols.out, overlap=rows.extent - 1)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        return runs(block, out[1], self.geometry.cols)

    def rows_read(self, out_rows: slice) -> slice:
        return slice(out_rows.start, out_rows.stop + self.geometry.rows.extent - 1)

    def work(self, shape: Cells, kernel: np.ndarray, copied: np.ndarray, sums: np.ndarray) -> BlockWork:
        kh, kw, depth, filters = self.kernel_shape
        count, out_rows, out_cols = shape
        rows = self.geometry.rows
        read_rows, line = out_rows + rows.extent - 1, count * out_cols
        flat, down = _cut(copied, read_rows * line, self.length), rows.dilation * line
        cells = out_rows * line
        everything = _cut(sums, cells, filters)
        reads = [flat[down * u : down * u + cells] for u in range(kh)]
        weights = in_form(ADDED, kernel.reshape(kh, self.length, filters))
        products = [
            product(reads[u][part], weights[u], everything[part], add=u > 0)
            for part in evenly(cells, rows_at_once(ADDED, self.length, filters) or cells)
            for u in range(kh)
        ]
        buffer = flat.reshape(read_rows, count, out_cols, kw, depth).swapaxes(0, 1)
        by_image = everything.reshape(out_rows, count, out_cols * filters).swapaxes(0, 1)
        return BlockWork(buffer, partial(through_sums, products, by_image))

    def held(self, shape: Cells) -> Held:
        count, rows, cols = shape
        copied, filters = count * (rows + self.geometry.rows.extent - 1) * cols, self.kernel_shape[3]
        return Held(copied * self.length, count * rows * cols * filters, cols * filters)


@dataclass(frozen=True)
class Strips:
    """Each image row as kw*C strips: one number of its runs, for all outputs in the row.

    The windows of an output row are then kh image rows of the buffer, one below the other: a matrix as it
    stands, transposed, which BLAS takes as it is. One product for each output row, straight into the result.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[:3])

    def cells(self, itemsize: int) -> int:
        rows, cols = self.geometry
        kh, kw, depth, filters = self.kernel_shape
        each = rows.stride * kw * depth + self.geometry.read_by_cell * depth
        room = 2 * BLOCK_BYTES // ((each + max(each, filters)) * itemsize)
        return cells_in_room(room, rows.out, cols.out, overlap=-(-kh // rows.stride) - 1)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        return runs(block, out[1], self.geometry.cols)

    def rows_read(self, out_rows: slice) -> slice:
        rows = self.geometry.rows
        return slice(out_rows.start * rows.stride, (out_rows.stop - 1) * rows.stride + rows.extent)

    def work(self, shape: Cells, kernel: np.ndarray, copied: np.ndarray, sums: np.ndarray) -> BlockWork:
        _, kw, depth, filters = self.kernel_shape
        count, out_rows, out_cols = shape
        read_rows = self._read_rows(out_rows)
        strips = copied[: count * read_rows * kw * depth * out_cols].reshape(count, read_rows, -1, out_cols)
        n, h, strip, col = strips.strides
        matrices = as_strided(strips, (*shape, self.length), (n, self.geometry.rows.stride * h, col, strip))
        by_cell = strips.reshape(count, read_rows, kw, depth, out_cols).transpose(0, 1, 4, 2, 3)
        weights = in_form(COLUMNS, kernel.reshape(self.length, filters))
        return BlockWork(by_cell, partial(straight, matrices, weights))

    def held(self, shape: Cells) -> Held:
        _, kw, depth, filters = self.kernel_shape
        return Held(shape[0] * self._read_rows(shape[1]) * kw * depth * shape[2], 0, shape[2] * filters)

    def _read_rows(self, out_rows: int) -> int:
        rows = self.geometry.rows
        return (out_rows - 1) * rows.stride + rows.extent


def runs(block: np.ndarray, out: int, cols: Axis) -> np.ndarray:
    """All runs of a padded input, for `out` outputs in a row: a view (N, H, out, kw, C)."""
    n, h, w, c = block.strides
    shape = (*block.shape[:2], out, cols.kernel, block.shape[3])
    return as_strided(block, shape, (n, h, w * cols.stride, w * cols.dilation, c), writeable=False)


def _cut(memory: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """A matrix in the first part of flat memory."""
    return memory[: rows * cols].reshape(rows, cols)


# What is done with a block once it is copied ----------------------------------------------------


def through_sums(products: list[Call], sums: np.ndarray, bias: RepeatedBias, y: np.ndarray) -> Iterator[Call]:
    """Products that fill `sums`, as `with_bias` takes them, which go to the result with the bias added."""
    yield from products
    yield with_bias(sums, bias, y)


def straight(matrices: np.ndarray, weights: np.ndarray, bias: RepeatedBias, y: np.ndarray) -> Iterator[Call]:
    """Products of matrices (images, rows, columns, K) with weights: the sums, just as y holds them."""
    most = rows_at_once(COLUMNS, *weights.shape) or y.shape[2]
    for cols in evenly(y.shape[2], most):
        yield product(matrices[:, :, cols], weights, y[:, :, cols])
    by_row = y.reshape(*y.shape[:2], -1)
    if bias(by_row.shape[2]) is not None:
        yield with_bias(by_row, bias, by_row)


def with_bias(sums: np.ndarray, bias: RepeatedBias, y: np.ndarray) -> Call:
    """The call that puts sums (N, cells * F) or (N, rows, cols * F), and the bias, in y."""
    repeated = bias(sums.shape[-1])
    target = y.reshape(sums.shape)
    return (
        partial(np.copyto, target, sums) if repeated is None else partial(np.add, sums, repeated, out=target)
    )


# How large a block is ---------------------------------------------------------------------------


def room_for_cells(numbers_per_cell: int, itemsize: int, weights: int) -> int:
    """Output cells in a block: within BLOCK_BYTES, or a WEIGHTY_BLOCK if its weights take more."""
    room = max(BLOCK_BYTES, min(weights * itemsize, WEIGHTY_BLOCK * BLOCK_BYTES))
    return room // (numbers_per_cell * itemsize)


def cells_in_room(room: int, rows: int, cols: int, overlap: int) -> int:
    """Output cells in a block whose buffer holds `room` cells, if r output rows fill r + `overlap` of it.

    As many whole images (rows x cols outputs) as fit; else a band of one image's rows; else part of a row.

    >>> cells_in_room(160, 6, 10, 2), cells_in_room(50, 6, 10, 2), cells_in_room(12, 6, 10, 2)
    (120, 30, 4)
    """
    whole = (rows + overlap) * cols
    if room >= whole:
        return room // whole * rows * cols
    if room > overlap * cols:
        return max(1, room // cols - overlap) * cols
    return max(1, room // (overlap + 1))
