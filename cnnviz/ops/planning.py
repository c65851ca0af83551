"""What a convolution would cost by each method, and which one "auto" takes.

The plan is made from shapes alone, before any work, and says method, geometry, multiply-adds,
bytes moved and working memory, so that a lesson can lay the methods side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops import fft, winograd
from cnnviz.ops.arguments import check_groups
from cnnviz.ops.blocks import Block, Blocks, reads
from cnnviz.ops.direct import cells_at_once
from cnnviz.ops.im2col import im2col_blocks
from cnnviz.ops.layouts import choose_layout
from cnnviz.ops.padding import LIMIT, Window, integer, integers, sliding_window
from cnnviz.ops.parallel import threads

METHODS = ("direct", "im2col", "fft", "winograd")


class Rate(NamedTuple):
    """Seconds that a method takes to start, for a multiply-add, and for a byte it moves.

    Orders of magnitude of one core at about 3 GHz with 512-bit vectors; only their ratios decide.
    """

    start: float
    multiply_add: float
    byte: float


RATES = {
    "direct": Rate(10e-6, 1e-9, 0.0),
    "im2col": Rate(40e-6, 1 / 45e9, 1 / 20e9),
    "fft": Rate(80e-6, 1 / 2e9, 1 / 10e9),
    "winograd": Rate(120e-6, 1 / 40e9, 1 / 10e9),
}
"""The cost model: start + multiply_adds * multiply_add + bytes_moved * byte.

Direct convolution adds one product at a time but starts at once, which makes it the quickest for
a patch of a few cells; a matrix product runs near the processor's peak; a Fourier transform is
bound by its many passes; Winograd's tiles are matrix products between two more copies.
"""

ELEMENTWISE = ("direct", "im2col")
"""Methods whose error stays within c*u*sum|x||w| of each window: those that "auto" may take.

FFT and Winograd mix in rounding errors (and NaN and infinity) of cells outside the window.
"""


@dataclass(frozen=True)
class Plan:
    """What one convolution does: see `plan`."""

    method: str
    tile: int | None
    window: Window
    output_shape: tuple[int, int, int, int]
    multiply_adds: int
    bytes_moved: int
    working_memory: int
    seconds: float

    def __str__(self) -> str:
        name = self.method if self.tile is None else f"{self.method} F({self.tile}x{self.tile}, 3x3)"
        return (
            f"{name}: {self.output_shape} by {self.multiply_adds:,} multiply-adds, "
            f"{self.bytes_moved:,} bytes moved, {self.working_memory:,} bytes of working memory"
        )


def plan(
    x: Any,
    kernel: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    method: str = "auto",
    tile: int = 2,
    dtype: Any = np.float32,
) -> Plan:
    """What `conv2d` would do with these arguments, without doing it.

    Parameters
    ----------
    x, kernel
        Shapes, (N, H, W, C) and (kh, kw, C // groups, F), or arrays of these shapes.
    strides, padding, dilation_rate, groups, method, tile
        As in `conv2d`.
    dtype
        float32 or float64: how many bytes a number takes.

    Returns
    -------
    Plan
        method: "direct", "im2col", "fft" or "winograd"; tile: Winograd's, else None;
        window: the geometry; output_shape (N, H_out, W_out, F);
        multiply_adds: multiplications of numbers, transforms included;
        bytes_moved: read and written by the method's passes over its arrays, buffers included;
        working_memory: bytes of buffers beside the output, at their peak, for all threads;
        seconds: by the cost model, for comparing methods only.

    Raises
    ------
    ValueError
        for shapes that do not fit, or a method that cannot do it, saying what it can.

    Examples
    --------
    >>> for method in ("im2col", "winograd"):
    ...     print(plan((1, 56, 56, 64), (3, 3, 64, 64), padding="same", method=method).multiply_adds)
    115605504
    67436544
    """
    x_shape, kernel_shape = _shape(x, "x"), _shape(kernel, "kernel")
    groups = check_groups(x_shape, kernel_shape, groups)
    geometry = sliding_window(x_shape, kernel_shape, strides, padding, dilation_rate)
    tile = check_method(method, geometry, tile)
    return make_plan(x_shape[0], kernel_shape, geometry, groups, method, tile, _itemsize(dtype))


def check_method(method: Any, geometry: Window, tile: Any) -> int:
    """The tile, as an int; ValueError for an unknown method or one that cannot do this convolution."""
    if not isinstance(method, str) or method not in ("auto", *METHODS):
        raise ValueError(
            f"method must be 'auto', 'direct', 'im2col', 'fft' or 'winograd', got {brief(method)}"
        )
    side = integer(tile, "tile")
    if side not in winograd.TILES:
        raise ValueError(f"tile must be 2 or 4, got {brief(tile)}")
    kernel, strides, dilation = zip(*((a.kernel, a.stride, a.dilation) for a in geometry), strict=True)
    if not is_possible(method, geometry):
        raise ValueError(
            "method='winograd' does 3x3 kernels with strides=1 and dilation_rate=1, got a "
            f"{kernel[0]}x{kernel[1]} kernel with strides={strides}, dilation_rate={dilation}; "
            "method='direct', 'im2col' and 'fft' do any"
        )
    return side


def is_possible(method: str, geometry: Window) -> bool:
    """Whether a method can do this convolution; only Winograd's cannot do all."""
    suits = all((axis.kernel, axis.stride, axis.dilation) == (3, 1, 1) for axis in geometry)
    return suits or method != "winograd"


@lru_cache(maxsize=1024)
def make_plan(
    count: int,
    kernel_shape: tuple[int, ...],
    geometry: Window,
    groups: int,
    method: str,
    tile: int,
    itemsize: int,
) -> Plan:
    """The plan for checked arguments; "auto" is the cheapest of the ELEMENTWISE methods."""
    job = _Job(count, kernel_shape, geometry, groups, tile, itemsize)
    candidates = ELEMENTWISE if method == "auto" else (method,)
    return min((_plan(name, job) for name in candidates), key=lambda each: each.seconds)


class _Job(NamedTuple):
    """A convolution whose arguments are checked."""

    images: int
    kernel: tuple[int, ...]
    geometry: Window
    groups: int
    tile: int
    itemsize: int

    @property
    def channels(self) -> int:
        return self.kernel[2] * self.groups

    @property
    def outputs(self) -> int:
        """Numbers in the output."""
        return self.images * math.prod(self.geometry.out) * self.kernel[3]

    @property
    def taps(self) -> int:
        """Products in each."""
        return math.prod(self.kernel[:3])

    def padded(self, block: Block) -> int:
        """Numbers in a block's padded copy of the input."""
        if not self.geometry.padded or not math.prod(block.shape):
            return 0
        spans = [reads(axis, out) for axis, out in zip(self.geometry, block[1:], strict=True)]
        return block.shape[0] * math.prod(last - first for first, last in spans) * self.channels


class _Work(NamedTuple):
    multiply_adds: int
    numbers_moved: int
    numbers_held: int


def _plan(method: str, job: _Job) -> Plan:
    work = _WORK[method](job)
    rate, moved = RATES[method], work.numbers_moved * job.itemsize
    return Plan(
        method=method,
        tile=job.tile if method == "winograd" else None,
        window=job.geometry,
        output_shape=(job.images, *job.geometry.out, job.kernel[3]),
        multiply_adds=work.multiply_adds,
        bytes_moved=moved,
        working_memory=work.numbers_held * job.itemsize,
        seconds=rate.start + work.multiply_adds * rate.multiply_add + moved * rate.byte,
    )


def _direct(job: _Job) -> _Work:
    cells = cells_at_once(job.channels, job.geometry, job.itemsize)
    block = _first(Blocks(job.images, *job.geometry.out, cells))
    # Every product reads a number and a weight; each output is written once.
    products = job.outputs * job.taps
    return _Work(products, 2 * products + job.outputs, job.padded(block))


def _im2col(job: _Job) -> _Work:
    count, kernel, geometry, groups, _, itemsize = job
    layout = choose_layout(kernel, geometry, groups)
    parts = im2col_blocks(count, kernel, geometry, groups, itemsize)
    image = geometry.rows.size * geometry.cols.size * job.channels
    moved = count * image + math.prod(kernel) + 2 * job.outputs
    shapes = parts.shapes()
    for shape, times in shapes.items():
        copied, sums, _ = layout.held(shape)
        moved += times * (2 * copied + sums)
    held = 0
    if shapes:
        copied, sums, bias = layout.held(parts[0].shape)
        held = (copied + sums + job.padded(parts[0])) * min(threads(), shapes.total()) + bias
    return _Work(job.outputs * job.taps, moved, held)


def _fft(job: _Job) -> _Work:
    count, (_, _, depth, filters), geometry, groups, _, itemsize = job
    size = fft.lengths(geometry)
    cells = size[0] * size[1]
    spectrum = size[0] * (size[1] // 2 + 1) * 2
    at_once = min(filters // groups, fft.filters_at_once(size, depth, itemsize))
    rounds = -(-(filters // groups) // at_once) * groups
    transforms = depth * filters + count * (rounds * depth + filters)
    # A real transform of n numbers takes about 5/2 n log2 n operations, half of them products.
    products = math.ceil(1.25 * cells * math.log2(max(cells, 2)))
    multiply_adds = transforms * products + 2 * spectrum * count * depth * filters
    moved = transforms * 4 * cells + 2 * spectrum * count * (rounds * depth + filters) + 2 * job.outputs
    spread = geometry.rows.extent * geometry.cols.extent * depth * filters
    image = Block(slice(0, 1), slice(0, geometry.rows.out), slice(0, geometry.cols.out))
    spectra = 2 * spectrum * (depth * at_once + depth + at_once)
    return _Work(multiply_adds, moved, spread + job.padded(image) + spectra + cells * at_once)


def _winograd(job: _Job) -> _Work:
    count, (_, _, depth, filters), geometry, groups, tile, itemsize = job
    channels, share = job.channels, filters // groups
    side = (tile + winograd.TAPS - 1) ** 2
    down, along = (-(-axis.out // tile) for axis in geometry)
    tiles = count * down * along
    multiply_adds = tiles * (side * side * channels + side * depth * filters + tile**2 * side * filters)
    parts = Blocks(count, down, along, winograd.cells_at_once(tile, channels, share, itemsize))
    images, rows, cols = _first(parts).shape
    padded = images * (rows * tile + 2) * (cols * tile + 2) * channels
    moved = tiles * (4 * side * channels + 3 * side * filters + 3 * tile**2 * filters) + job.outputs
    held = padded + images * rows * cols * (side * (channels + depth + share) + 2 * tile**2 * share)
    return _Work(multiply_adds, moved, held * min(threads(), parts.shapes().total()) + side * depth * filters)


_WORK = {"direct": _direct, "im2col": _im2col, "fft": _fft, "winograd": _winograd}


def _first(parts: Iterable[Block]) -> Block:
    """The first and largest of these blocks; an empty one if there are no blocks."""
    return next(iter(parts), Block(slice(0, 0), slice(0, 0), slice(0, 0)))


def _itemsize(dtype: Any) -> int:
    for kind in (np.float32, np.float64):
        if isinstance(dtype, str | type | np.dtype) and dtype in (kind, kind.__name__):
            return np.dtype(kind).itemsize
    raise ValueError(f"dtype must be float32 or float64, got {brief(dtype)}")


def _shape(value: Any, name: str) -> tuple[int, ...]:
    rule = f"{name} must be an array of rank 4 or its shape"
    shape = value.shape if isinstance(value, np.ndarray) else integers(value, name, rule)
    least = 1 if name == "kernel" else 0
    if len(shape) != 4 or min(shape) < least or max(shape) >= LIMIT:
        raise ValueError(f"{rule}, each size at least {least} and below 2**31, got {brief(value)}")
    return shape
