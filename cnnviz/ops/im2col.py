"""Convolution as a matrix product: every window becomes a row, the kernel a matrix.

The rows are written block by block into a buffer that stays in the cache, so the nine-fold copy
of the input that a 3x3 kernel asks for never reaches the main memory. Where it can, only the
width is unrolled, or nothing: the kernel's rows then read the same buffer, one image row further down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import BLOCK_BYTES, Block, BlockInput, Step, blocks, evenly, run, windows
from cnnviz.ops.gemm import product
from cnnviz.ops.geometry import Window
from cnnviz.ops.parallel import in_parallel

LONG_RUN = 8
"""Copying windows costs by the run, not by the byte, below about this many numbers in a row."""

SHORT_RUN = 48
"""Up to about this many numbers in a run, reading the input in phases beats copying its runs."""

SMALL_GEMM = 1_000_000
"""OpenBLAS multiplies matrices with M*N*K up to this without packing them first (its small-matrix
kernels), which is faster; with few columns nearly twice."""

FEW_ROWS = 16
"""With fewer rows in a product that no longer holds."""

FEW_FILTERS = 32

Tiled = Callable[[int], np.ndarray | None]
"""The bias repeated for so many cells, if there is one."""


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
    def tiled(cells: int) -> np.ndarray | None:
        return None if bias is None else np.tile(bias, cells)

    return tiled


def im2col_blocks(
    count: int, kernel_shape: tuple[int, ...], geometry: Window, groups: int, itemsize: int
) -> list[Block]:
    """The blocks that the output for `count` images is cut into."""
    return list(blocks(count, *geometry.out, choose_layout(kernel_shape, geometry, groups).cells(itemsize)))


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
    memory = [np.empty(count, x.dtype) for count in layout.numbers(largest.shape)]
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
        yield from buffers.steps
        yield finish(buffers.sums, tiled, y[block])


@dataclass(frozen=True)
class Buffers:
    """Arrays for one block, and the matrix products that turn `columns` into `sums`.

    `columns` has the shape of the layout's view of the input, `sums` is (images, cells * filters) or
    (images, rows, columns * filters).
    """

    columns: np.ndarray
    steps: list[Step]
    sums: np.ndarray


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
        """Buffers and steps for a block of this shape, in memory for `numbers` of it or more."""

    def numbers(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """How many numbers the columns and the sums of such a block hold."""


def cells_in_block(numbers_per_cell: int, length: int, filters: int, itemsize: int, products: int = 1) -> int:
    """Output cells in a block: within BLOCK_BYTES, and so many SMALL_GEMMs where filters are few."""
    cells = BLOCK_BYTES // (numbers_per_cell * itemsize)
    return min(cells, products * SMALL_GEMM // (length * filters)) if filters <= FEW_FILTERS else cells


def choose_layout(kernel_shape: tuple[int, ...], geometry: Window, groups: int = 1) -> Layout:
    """`Phases` or `Runs` for several kernel rows of some length one below the other, else `Columns`."""
    kh, kw, depth, _ = kernel_shape
    several = kh > 1 and geometry.out != (1, 1)
    if several and groups == 1 and geometry.rows.stride == 1 and kw * depth > LONG_RUN:
        if kw > 1 and geometry.cols.stride == geometry.cols.dilation == 1 and kw * depth <= SHORT_RUN:
            return Phases(kernel_shape, geometry)
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
        return Buffers(columns, steps, sums.reshape(shape[0], -1))

    def numbers(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        cells = math.prod(shape)
        return cells * self.length * self.groups, cells * self.kernel_shape[3]


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
        whole = (rows.out + more) * cols.out
        if fit >= whole:
            return fit // whole * rows.out * cols.out
        return (
            max(1, fit // cols.out - more) * cols.out if fit > more * cols.out else max(1, fit // (more + 1))
        )

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        cols = self.geometry.cols
        n, h, w, c = block.strides
        return as_strided(
            block,
            (*block.shape[:2], out[1], cols.kernel, block.shape[3]),
            (n, h, w * cols.stride, w * cols.dilation, c),
            writeable=False,
        )

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
        return Buffers(flat.reshape(count, read_rows, out_cols, kw, depth), steps, wanted)

    def numbers(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        cells = shape[0] * (shape[1] + self.geometry.rows.extent - 1) * shape[2]
        return cells * self.length, cells * self.kernel_shape[3]


@dataclass(frozen=True)
class Phases:
    """The input's cells as they are: of the runs of kw cells, every kw-th begins where another ends.

    So from each of kw phases on, the input is a matrix whose rows are kw*C numbers long, and its product
    with a kernel row belongs in every kw-th row of the sums. Runs across the end of an image row are
    summed too; those few sums are left behind.
    """

    kernel_shape: tuple[int, ...]
    geometry: Window

    @property
    def length(self) -> int:
        return math.prod(self.kernel_shape[1:3])

    def cells(self, itemsize: int) -> int:
        rows, cols = self.geometry
        _, kw, depth, filters = self.kernel_shape
        more, wide = rows.extent - 1, cols.out + kw - 1
        fit = cells_in_block(2 * depth + filters, self.length, filters, itemsize, products=kw)
        whole = (rows.out + more) * wide
        if fit >= whole:
            return fit // whole * rows.out * cols.out
        return max(1, fit // wide - more) * cols.out

    def view(self, block: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        return block[:, :, : out[1] + self.kernel_shape[1] - 1]

    def rows_read(self, out_rows: slice) -> slice:
        return slice(out_rows.start, out_rows.stop + self.geometry.rows.extent - 1)

    def cols_read(self, out_cols: slice) -> slice:
        return slice(out_cols.start, out_cols.stop + self.geometry.cols.extent - 1)

    def buffers(
        self, shape: tuple[int, int, int], kernel: np.ndarray, columns: np.ndarray, sums: np.ndarray
    ) -> Buffers:
        kh, kw, depth, filters = self.kernel_shape
        count, out_rows, out_cols = shape
        read_rows, wide = out_rows + self.geometry.rows.extent - 1, out_cols + kw - 1
        cells = count * read_rows * wide
        read = columns[: cells * depth]
        down = self.geometry.rows.dilation * wide
        used = cells - (kh - 1) * down - (kw - 1)  # the last window of all ends with the last cell
        everywhere = _cut(sums, cells, filters)
        weights = np.require(kernel, requirements=("C", "A")).reshape(kh, self.length, filters)
        steps = []
        for phase in range(min(kw, used)):
            windows_here = -(-(used - phase) // kw)
            for u in range(kh):
                first = (phase + u * down) * depth
                matrix = read[first : first + windows_here * self.length].reshape(-1, self.length)
                steps.append(product(matrix, weights[u], everywhere[phase:used:kw], add=u > 0))
        rows = everywhere.reshape(count, read_rows, wide * filters)
        wanted = rows[:, :out_rows, : out_cols * filters]
        return Buffers(read.reshape(count, read_rows, wide, depth), steps, wanted)

    def numbers(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        _, kw, depth, filters = self.kernel_shape
        cells = shape[0] * (shape[1] + self.geometry.rows.extent - 1) * (shape[2] + kw - 1)
        return cells * depth, cells * filters


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
    bias = tiled(sums.shape[-1] // y.shape[3])
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
        bias = tiled(block.shape[1] * block.shape[2])
        if bias is not None:
            target = flat[cells].reshape(block.shape[0], -1)
            yield partial(np.add, target, bias, out=target)
