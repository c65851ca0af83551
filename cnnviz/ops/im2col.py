"""Convolution as a matrix product: every window becomes a row, the kernel a matrix.

The rows are written block by block into a buffer that stays in the cache, so the nine-fold copy
of the input that a 3x3 kernel asks for never reaches the main memory. Where it can, only the
width is unrolled: the kernel's rows then read the same buffer, one image row further down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import BLOCK_BYTES, Block, BlockInput, Blocks, Step, evenly, run, windows
from cnnviz.ops.gemm import product
from cnnviz.ops.geometry import Axis, Window
from cnnviz.ops.parallel import in_parallel

LONG_RUN = 8
"""Copying windows costs by the run, not by the byte, below about this many numbers in a row."""

STRIP = 2
"""Runs of up to this many times an output row's length are better copied tap by tap along the whole row."""

SMALL_GEMM = 1_000_000
"""OpenBLAS multiplies matrices with M*N*K up to this without packing them first (its small-matrix
kernels), which is faster; with few columns nearly twice."""

FEW_ROWS = 16
"""With fewer rows in a product that no longer holds."""

FEW_FILTERS = 32

Tiled = Callable[[int], np.ndarray | None]
"""The bias repeated for so many numbers, if there is one."""


def im2col(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Every output is a sum of K = kh*kw*C/groups products and a bias: K + 1 roundings at most on
    any term, so its error is below (K + 1)*u*(sum|x||w| + |bias|) in any order of summation.
    """
    y = np.empty((x.shape[0], *geometry.out, kernel.shape[3]), x.dtype)
    parts = im2col_blocks(len(x), kernel.shape, geometry, groups, x.itemsize)
    tiled = repeated(bias)
    in_parallel(
        lambda share: run(im2col_steps(x, kernel, tiled, geometry, groups, y, parts[0], share)), parts
    )
    return y


def repeated(bias: np.ndarray | None) -> Tiled:
    """One long run of numbers is added four times as fast as many short ones."""

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
    tiled: Tiled,
    geometry: Window,
    groups: int,
    y: np.ndarray,
    largest: Block,
    parts: Iterable[Block],
) -> Iterator[Step]:
    """The calls that compute these parts of y (N, H_out, W_out, F) from x, to be made as they come.

    Where x is not padded they can also be kept, and made again whenever x has changed.
    """
    layout = choose_layout(kernel.shape, geometry, groups)
    if not geometry.padded and groups == 1 and isinstance(layout, Columns):
        matrix = as_matrix(layout.view(x, geometry.out), layout.length)
        if matrix is not None:
            yield from product_steps(matrix, kernel.reshape(layout.length, -1), tiled, y, parts)
            return
    padded = BlockInput(x, geometry, largest, layout.view) if geometry.padded else None
    everything = layout.view(x, geometry.out)
    memory = [np.empty(count, x.dtype) for count in layout.numbers(largest.shape)[:2]]
    ready: dict[tuple[int, int, int], Buffers] = {}
    for block in parts:
        shape = block.shape
        if shape not in ready:
            ready[shape] = layout.buffers(shape, kernel, *memory)
        buffers = ready[shape]
        if padded is None:
            read = everything[block.images, layout.rows_read(block.rows), layout.cols_read(block.cols)]
        else:
            read = padded(block)
        yield partial(np.copyto, buffers.columns, read)
        yield from buffers.steps(tiled, y[block])


class Buffers(Protocol):
    """Arrays for one block, and what makes its sums of them."""

    @property
    def columns(self) -> np.ndarray:
        """In the shape of the layout's view of the input, which is copied here."""

    def steps(self, tiled: Tiled, y: np.ndarray) -> Iterator[Step]:
        """The calls that put the sums and the bias in this block of the result."""


@dataclass(frozen=True)
class Buffered:
    """Products that make `sums` of `columns`: (N, cells * F)."""

    columns: np.ndarray
    products: list[Step]
    sums: np.ndarray

    def steps(self, tiled: Tiled, y: np.ndarray) -> Iterator[Step]:
        yield from self.products
        yield finish(self.sums, tiled, y)


@dataclass(frozen=True)
class InPlace:
    """Matrices (images, rows, columns, K) whose products with `weights` are the sums just as y holds them."""

    columns: np.ndarray
    matrices: np.ndarray
    weights: np.ndarray

    def steps(self, tiled: Tiled, y: np.ndarray) -> Iterator[Step]:
        most = rows_at_once(*self.weights.shape) or y.shape[2]
        for cols in evenly(y.shape[2], most):
            yield partial(np.matmul, self.matrices[:, :, cols], self.weights, out=y[:, :, cols])
        by_row = y.reshape(*y.shape[:2], -1)
        if tiled(by_row.shape[2]) is not None:
            yield finish(by_row, tiled, by_row)


class Held(NamedTuple):
    """Numbers in a block's columns, in its sums beside the result, and in the repeated bias of all blocks."""

    columns: int
    sums: int
    biases: int


class Layout(Protocol):
    """How windows become rows of a matrix."""

    @property
    def length(self) -> int:
        """Numbers in a row."""

    def cells(self, itemsize: int) -> int:
        """Output cells in a block."""

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        """What is copied to the buffer, as a view of the padded input (N, rows, columns, ...)."""

    def rows_read(self, out_rows: slice) -> slice:
        """The view's rows that these output rows need."""

    def cols_read(self, out_cols: slice) -> slice:
        """The view's columns that these output columns need."""

    def buffers(
        self, shape: tuple[int, int, int], kernel: np.ndarray, columns: np.ndarray, sums: np.ndarray
    ) -> Buffers:
        """Buffers and steps for a block of this shape, in flat arrays for `numbers` of it or more."""

    def numbers(self, shape: tuple[int, int, int]) -> Held:
        """How many numbers the arrays for a block of this shape hold."""


def cells_in_block(numbers_per_cell: int, length: int, filters: int, itemsize: int, products: int = 1) -> int:
    """Output cells in a block: within BLOCK_BYTES, and so many SMALL_GEMMs where filters are few."""
    cells = BLOCK_BYTES // (numbers_per_cell * itemsize)
    return min(cells, products * SMALL_GEMM // (length * filters)) if filters <= FEW_FILTERS else cells


def choose_layout(kernel_shape: tuple[int, ...], geometry: Window, groups: int = 1) -> Layout:
    """`Strips` or, for longer runs, `Runs` where kernel rows read one below the other; else `Columns`."""
    kh, kw, depth, _ = kernel_shape
    (rows, cols), run_length = geometry, kw * depth
    if kh > 1 and groups == 1 and geometry.out != (1, 1):
        adjacent = rows.dilation == 1 and rows.stride <= kh
        if adjacent and cols.out > LONG_RUN and run_length <= STRIP * cols.out:
            return Strips(kernel_shape, geometry)
        if rows.stride == 1 and run_length > LONG_RUN:
            return Runs(kernel_shape, geometry)
    return Columns(kernel_shape, geometry, groups)


@dataclass(frozen=True)
class Columns:
    """Each window a row of kh*kw*C numbers; one matrix product for each group.

    Where a window's runs are short, the buffer is laid out tap by tap: one tap of all windows is
    a long run, and BLAS takes the transposed matrix as it is.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window
    groups: int = 1

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[:3])

    def cells(self, itemsize: int) -> int:
        filters = self.kernel_shape[3]
        held = (
            self.length * self.groups
            + filters
            + self.geometry.read_by_cell * self.kernel_shape[2] * self.groups
        )
        return cells_in_block(held, self.length, filters // self.groups, itemsize)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        taps = windows(block, out, self.geometry)
        return taps.reshape(*taps.shape[:5], self.groups, self.kernel_shape[2])

    def rows_read(self, out_rows: slice) -> slice:
        return out_rows

    def cols_read(self, out_cols: slice) -> slice:
        return out_cols

    def buffers(
        self, shape: tuple[int, int, int], kernel: np.ndarray, columns: np.ndarray, sums: np.ndarray
    ) -> Buffers:
        kh, kw, depth, filters = self.kernel_shape
        place, taps, cells = shape, (kh, kw, depth), math.prod(shape)
        columns, sums = _cut(columns, cells * self.groups, self.length), _cut(sums, cells, filters)
        if kw * depth < LONG_RUN:
            matrices = columns.reshape(self.groups, self.length, cells).transpose(0, 2, 1)
            columns = columns.reshape(self.groups, *taps, *place).transpose(4, 5, 6, 1, 2, 0, 3)
        else:
            matrices = columns.reshape(self.groups, cells, self.length)
            columns = columns.reshape(self.groups, *place, *taps).transpose(1, 2, 3, 4, 5, 0, 6)
        weights, share = kernel.reshape(self.length, filters), filters // self.groups
        steps: list[Step] = []
        for group, matrix in enumerate(matrices):
            mine = slice(group * share, (group + 1) * share)
            steps += stacked(matrix, weights[:, mine], sums[:, mine])
        return Buffered(columns, steps, sums.reshape(shape[0], -1))

    def numbers(self, shape: tuple[int, int, int]) -> Held:
        cells, filters = math.prod(shape), self.kernel_shape[3]
        return Held(cells * self.length * self.groups, cells * filters, shape[1] * shape[2] * filters)


@dataclass(frozen=True)
class Runs:
    """Each run of kw cells a row of kw*C numbers; one matrix product for each kernel row.

    Kernel row u reads the rows of the same buffer from u*dilation image rows further down, which
    saves kh - 1 copies out of kh. Over several images that also sums across their borders; those
    few sums are left behind.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[1:3])

    def cells(self, itemsize: int) -> int:
        # A block holds extent - 1 more rows than it has outputs: the more rows, the better.
        rows, cols = self.geometry
        filters, more = self.kernel_shape[3], rows.extent - 1
        held = self.length + filters + self.geometry.read_by_cell * self.kernel_shape[2]
        fit = cells_in_block(held, self.length, filters, itemsize, products=2)
        return whole_rows(fit, rows.out, cols.out, more)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        return runs_along(block, out[1], self.geometry.cols)

    def rows_read(self, out_rows: slice) -> slice:
        return slice(out_rows.start, out_rows.stop + self.geometry.rows.extent - 1)

    def cols_read(self, out_cols: slice) -> slice:
        return out_cols

    def buffers(
        self, shape: tuple[int, int, int], kernel: np.ndarray, columns: np.ndarray, sums: np.ndarray
    ) -> Buffers:
        kh, kw, depth, filters = self.kernel_shape
        count, out_rows, out_cols = shape
        rows = self.geometry.rows
        read_rows = out_rows + rows.extent - 1
        flat = _cut(columns, count * read_rows * out_cols, self.length)
        down = rows.dilation * out_cols
        used = len(flat) - (kh - 1) * down
        everywhere = _cut(sums, len(flat), filters)
        weights = np.require(kernel, requirements=("C", "A")).reshape(kh, self.length, filters)
        most = rows_at_once(self.length, filters) or used
        steps = [
            product(flat[down * u : down * u + used][part], weights[u], everywhere[part], add=u > 0)
            for part in evenly(used, most)
            for u in range(kh)
        ]
        wanted = everywhere.reshape(count, -1)[:, : out_rows * out_cols * filters]
        return Buffered(flat.reshape(count, read_rows, out_cols, kw, depth), steps, wanted)

    def numbers(self, shape: tuple[int, int, int]) -> Held:
        count, rows, cols = shape
        cells, filters = count * (rows + self.geometry.rows.extent - 1) * cols, self.kernel_shape[3]
        return Held(cells * self.length, cells * filters, rows * cols * filters)


@dataclass(frozen=True)
class Strips:
    """Each image row as kw*C rows of numbers: what one tap reads of one channel, for all outputs in a row.

    The windows of an output row are then kh image rows of the buffer, one below the other: a matrix as it
    stands, transposed, which BLAS takes as it is. One product for each output row, all in one call.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[:3])

    def cells(self, itemsize: int) -> int:
        rows, cols = self.geometry
        kh, kw, depth, filters = self.kernel_shape
        held = rows.stride * kw * depth + self.geometry.read_by_cell * depth
        fit, more = 2 * BLOCK_BYTES // ((held + max(held, filters)) * itemsize), -(-kh // rows.stride) - 1
        return whole_rows(fit, rows.out, cols.out, more)

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        return runs_along(block, out[1], self.geometry.cols)

    def rows_read(self, out_rows: slice) -> slice:
        rows = self.geometry.rows
        return slice(out_rows.start * rows.stride, (out_rows.stop - 1) * rows.stride + rows.extent)

    def cols_read(self, out_cols: slice) -> slice:
        return out_cols

    def buffers(
        self, shape: tuple[int, int, int], kernel: np.ndarray, columns: np.ndarray, sums: np.ndarray
    ) -> Buffers:
        _, kw, depth, filters = self.kernel_shape
        count, out_rows, out_cols = shape
        read_rows = self._read_rows(out_rows)
        read = columns[: count * read_rows * kw * depth * out_cols].reshape(count, read_rows, -1, out_cols)
        n, h, tap, col = read.strides
        strips = as_strided(read, (*shape, self.length), (n, self.geometry.rows.stride * h, col, tap))
        by_cell = read.reshape(count, read_rows, kw, depth, out_cols).transpose(0, 1, 4, 2, 3)
        return InPlace(by_cell, strips, kernel.reshape(self.length, filters))

    def numbers(self, shape: tuple[int, int, int]) -> Held:
        _, kw, depth, filters = self.kernel_shape
        return Held(shape[0] * self._read_rows(shape[1]) * kw * depth * shape[2], 0, shape[2] * filters)

    def _read_rows(self, out_rows: int) -> int:
        rows = self.geometry.rows
        return (out_rows - 1) * rows.stride + rows.extent


def runs_along(block: np.ndarray, out: int, cols: Axis) -> np.ndarray:
    """What each of so many outputs in a row reads of each image row: a view (N, H, out, kw, C)."""
    n, h, w, c = block.strides
    shape = (*block.shape[:2], out, cols.kernel, block.shape[3])
    return as_strided(block, shape, (n, h, w * cols.stride, w * cols.dilation, c), writeable=False)


def whole_rows(fit: int, rows: int, cols: int, more: int) -> int:
    """Cells in a block where so many fit, and a band needs the buffer of `more` rows beyond its own."""
    whole = (rows + more) * cols
    if fit >= whole:
        return fit // whole * rows * cols
    return max(1, fit // cols - more) * cols if fit > more * cols else max(1, fit // (more + 1))


def rows_at_once(length: int, filters: int) -> int:
    """Rows of a matrix whose product with length x filters weights is within SMALL_GEMM, 0 if too few."""
    rows = SMALL_GEMM // (length * filters)
    return rows if rows >= FEW_ROWS else 0


def stacked(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> list[Step]:
    """out = a @ b, as a stack of products within SMALL_GEMM in one call, and one of what is left."""
    rows = rows_at_once(*b.shape) or len(a)
    whole = len(a) // rows * rows
    stack, sums = (matrix[:whole].reshape(-1, rows, matrix.shape[1]) for matrix in (a, out))
    steps: list[Step] = [partial(np.matmul, stack, b, out=sums)]
    if whole < len(a):
        steps.append(partial(np.matmul, a[whole:], b, out=out[whole:]))
    return steps


def _cut(memory: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """A matrix in the first part of flat memory."""
    return memory[: rows * cols].reshape(rows, cols)


def finish(sums: np.ndarray, tiled: Tiled, y: np.ndarray) -> Step:
    """Sums (N, cells * F) or (N, rows, cols * F) plus the bias into a block of the result."""
    bias = tiled(sums.shape[-1])
    target = y.reshape(sums.shape)
    return partial(np.copyto, target, sums) if bias is None else partial(np.add, sums, bias, out=target)


def as_matrix(view: np.ndarray, length: int) -> np.ndarray | None:
    """A view of windows as a matrix of rows, if that needs no copy: 1x1 kernels, whole images."""
    try:
        return np.reshape(view, (-1, length), copy=False)
    except ValueError:
        return None


def product_steps(
    matrix: np.ndarray, weights: np.ndarray, tiled: Tiled, y: np.ndarray, parts: Iterable[Block]
) -> Iterator[Step]:
    """y = matrix @ weights + bias, block by block, where no window needs a copy."""
    flat, (rows, cols) = y.reshape(len(matrix), -1), y.shape[1:3]
    for block in parts:
        first = (block.images.start * rows + block.rows.start) * cols + block.cols.start
        cells = slice(first, first + math.prod(block.shape))
        yield from stacked(matrix[cells], weights, flat[cells])
        bias = tiled(block.shape[1] * block.shape[2] * y.shape[3])
        if bias is not None:
            target = flat[cells].reshape(block.shape[0], -1)
            yield partial(np.add, target, bias, out=target)
