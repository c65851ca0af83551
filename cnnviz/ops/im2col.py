"""Convolution as a matrix product: every window becomes a row, the kernel a matrix.

The rows are written block by block into a buffer that stays in the cache, so the nine-fold copy
of the input that a 3x3 kernel asks for never reaches the main memory. Where it can, only the
width is unrolled: the kernel's rows then read the same buffer, one image row further down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import Step, accumulate, block_input, blocks, run, windows
from cnnviz.ops.geometry import Window

LONG_RUN = 8
"""Copying windows costs by the run, not by the byte, below about this many numbers in a row."""


def im2col(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Every output is a sum of K = kh*kw*C/groups products and a bias: K + 1 roundings at most on
    any term, so its error is below (K + 1)*u*(sum|x||w| + |bias|) in any order of summation.
    """
    filters = kernel.shape[3]
    y = np.empty((x.shape[0], *geometry.out, filters), x.dtype)
    if not y.size:
        return y
    layout = choose_layout(kernel, geometry, groups)
    cuts = list(
        blocks(x.shape[0], geometry.rows.out, geometry.cols.out, filters // groups, layout.length, x.itemsize)
    )
    # One long run adds four times as fast as many short ones.
    tile = None if bias is None else np.tile(bias, cuts[0][1].stop * geometry.cols.out)
    everything = None if geometry.padded else layout.view(x, geometry.rows.out)
    matrix = None if everything is None or groups > 1 else as_matrix(everything, layout.length)
    if matrix is not None:
        multiply_rows(matrix, kernel.reshape(-1, filters), tile, y, cuts)
        return y
    ready: dict[tuple[int, int], Block] = {}
    for images, rows in cuts:
        shape = images.stop - images.start, rows.stop - rows.start
        if shape not in ready:
            ready[shape] = layout.block(*shape, x.dtype)
        block = ready[shape]
        if everything is None:
            part = layout.view(block_input(x, geometry, images, rows), shape[1])
        else:
            part = everything[images, layout.rows_read(rows)]
        np.copyto(block.columns, part)
        run(block.steps)
        finish(block.sums, tile, y[images, rows].reshape(shape[0], -1))()
    return y


@dataclass(frozen=True)
class Block:
    """Buffers of one block and the matrix products that turn `columns` into `sums`.

    `columns` has the shape of the layout's view of the input; `sums` is (images, cells * filters).
    """

    columns: np.ndarray
    steps: list[Step]
    sums: np.ndarray


class Layout(Protocol):
    """How windows become rows of a matrix."""

    @property
    def length(self) -> int:
        """Numbers in a row."""

    def view(self, block: np.ndarray, out_rows: int) -> np.ndarray:
        """What is copied to the buffer, as a view of the padded input (N, rows to read, ...)."""

    def rows_read(self, out_rows: slice) -> slice:
        """The view's rows that these output rows need."""

    def block(self, count: int, out_rows: int, dtype: np.dtype) -> Block:
        """Buffers and steps for `count` images, `out_rows` rows of each."""


def choose_layout(kernel: np.ndarray, geometry: Window, groups: int = 1) -> Layout:
    """`Runs` for several kernel rows of some length one below the other, else `Columns`."""
    kh, kw, depth, _ = kernel.shape
    several = kh > 1 and geometry.out != (1, 1)
    if several and groups == 1 and geometry.rows.stride == 1 and kw * depth > LONG_RUN:
        return Runs(kernel, geometry)
    return Columns(kernel, geometry, groups)


@dataclass(frozen=True)
class Columns:
    """Each window a row of kh*kw*C numbers; one matrix product for each group.

    Where a window's runs are short, the buffer is laid out tap by tap: one tap of all windows is
    a long run, and BLAS takes the transposed matrix as it is.
    """

    kernel: np.ndarray
    geometry: Window
    groups: int = 1

    @property
    def length(self) -> int:
        return self.kernel[..., 0].size

    def view(self, block: np.ndarray, out_rows: int) -> np.ndarray:
        taps = windows(block, self.geometry, out_rows)
        return taps.reshape(*taps.shape[:5], self.groups, self.kernel.shape[2])

    def rows_read(self, out_rows: slice) -> slice:
        return out_rows

    def block(self, count: int, out_rows: int, dtype: np.dtype) -> Block:
        kh, kw, depth, filters = self.kernel.shape
        place, taps = (count, out_rows, self.geometry.cols.out), (kh, kw, depth)
        cells = count * out_rows * self.geometry.cols.out
        if kw * depth < LONG_RUN:
            buffer = np.empty((self.groups, *taps, *place), dtype)
            columns = buffer.transpose(4, 5, 6, 1, 2, 0, 3)
            matrices = buffer.reshape(self.groups, self.length, cells).transpose(0, 2, 1)
        else:
            buffer = np.empty((self.groups, *place, *taps), dtype)
            columns = buffer.transpose(1, 2, 3, 4, 5, 0, 6)
            matrices = buffer.reshape(self.groups, cells, self.length)
        sums = np.empty((cells, filters), dtype)
        weights, share = self.kernel.reshape(self.length, filters), filters // self.groups
        steps: list[Step] = []
        for group, matrix in enumerate(matrices):
            mine = slice(group * share, (group + 1) * share)
            steps.append(partial(np.matmul, matrix, weights[:, mine], out=sums[:, mine]))
        return Block(columns, steps, sums.reshape(count, -1))


@dataclass(frozen=True)
class Runs:
    """Each run of kw cells a row of kw*C numbers; one matrix product for each kernel row.

    Kernel row u reads the rows of the same buffer from u*dilation image rows further down, which
    saves kh - 1 copies out of kh. Over several images that also sums across their borders; those
    few sums are left behind.
    """

    kernel: np.ndarray
    geometry: Window

    @property
    def length(self) -> int:
        return self.kernel[0, ..., 0].size

    def view(self, block: np.ndarray, out_rows: int) -> np.ndarray:
        cols = self.geometry.cols
        n, h, w, c = block.strides
        return as_strided(
            block,
            (*block.shape[:2], cols.out, cols.kernel, block.shape[3]),
            (n, h, w * cols.stride, w * cols.dilation, c),
            writeable=False,
        )

    def rows_read(self, out_rows: slice) -> slice:
        return slice(out_rows.start, out_rows.stop + self.geometry.rows.extent - 1)

    def block(self, count: int, out_rows: int, dtype: np.dtype) -> Block:
        kh, kw, depth, filters = self.kernel.shape
        rows, cols = self.geometry
        height = out_rows + rows.extent - 1
        columns = np.empty((count, height, cols.out, kw, depth), dtype)
        flat = columns.reshape(-1, self.length)
        down = rows.dilation * cols.out
        used = len(flat) - (kh - 1) * down
        everywhere = np.empty((len(flat), filters), dtype)
        sums = everywhere[:used]
        weights = self.kernel.reshape(kh, self.length, filters)
        steps: list[Step] = [partial(np.matmul, flat[:used], weights[0], out=sums)]
        for u in range(1, kh):
            steps.append(accumulate(flat[u * down : u * down + used], weights[u], sums))
        wanted = everywhere.reshape(count, -1)[:, : out_rows * cols.out * filters]
        return Block(columns, steps, wanted)


def finish(sums: np.ndarray, tile: np.ndarray | None, target: np.ndarray) -> Step:
    """Sums plus bias into the result."""
    if tile is None:
        return partial(np.copyto, target, sums)
    return partial(np.add, sums, tile[: target.shape[1]], out=target)


def as_matrix(view: np.ndarray, length: int) -> np.ndarray | None:
    """A view of windows as a matrix of rows, if that needs no copy: 1x1 kernels, whole images."""
    try:
        return np.reshape(view, (-1, length), copy=False)
    except ValueError:
        return None


def multiply_rows(
    matrix: np.ndarray, weights: np.ndarray, tile: np.ndarray | None, y: np.ndarray, cuts: list
) -> None:
    """y = matrix @ weights + bias, block by block, where no window needs a copy."""
    flat, (rows, cols) = y.reshape(len(matrix), -1), y.shape[1:3]
    for images, band in cuts:
        first = (images.start * rows + band.start) * cols
        last = ((images.stop - 1) * rows + band.stop) * cols
        np.matmul(matrix[first:last], weights, out=flat[first:last])
        if tile is not None:
            target = y[images, band].reshape(images.stop - images.start, -1)
            target += tile[: target.shape[1]]
