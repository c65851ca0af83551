"""Cutting a convolution into blocks that stay in the cache, and padding only the block at hand.

A block is a few whole images, or a band of one image's output rows, or part of one row. Its input
is a view where no padding is read and a small zero-bordered copy where some is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from itertools import product
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.padding import Axis, Window
from cnnviz.ops.processor import cache_bytes
from cnnviz.ops.recycling import zeros

BLOCK_BYTES = min(max(cache_bytes(2), 256 << 10), 2 << 20)
"""What a block's buffer may take: what stays in a core's second-level cache."""

MOST_PLACES = 128
"""How many places of blocks are kept: about a kilobyte each."""

Call = Callable[[], Any]
"""One NumPy call with its arguments, on arrays that are already there."""

Finish = Callable[[np.ndarray], Iterable[Call]]
"""The calls that finish a block of the result, while it is still in the cache."""


def as_it_is(block: np.ndarray) -> Iterable[Call]:
    """Nothing is left to do with a block."""
    return ()


View = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


class Block(NamedTuple):
    """Which output cells are computed at one time."""

    images: slice
    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        images, rows, cols = self
        return images.stop - images.start, rows.stop - rows.start, cols.stop - cols.start


def run(calls: Iterable[Call]) -> None:
    for call in calls:
        call()


class Blocks(Sequence[Block]):
    """Blocks of at most `cells` cells (at least one) that cover count x rows x cols, the largest first.

    Each is made when it is asked for: all blocks of a large image would take more memory than their buffers.

    >>> [block.shape for block in Blocks(3, 4, 5, cells=40)]
    [(2, 4, 5), (1, 4, 5)]
    >>> [block.shape for block in Blocks(1, 4, 5, cells=11)]
    [(1, 2, 5), (1, 2, 5)]
    """

    def __init__(self, count: int, rows: int, cols: int, cells: int) -> None:
        images_at_once = max(1, cells // max(rows * cols, 1))
        rows_at_once = rows if images_at_once > 1 else min(rows, max(1, cells // max(cols, 1)))
        cols_at_once = cols if rows_at_once > 1 else min(cols, max(1, cells))
        self._stops = count, rows, cols
        self._starts = starts(count, images_at_once), starts(rows, rows_at_once), starts(cols, cols_at_once)
        self._places = range(math.prod(map(len, self._starts)))

    def __len__(self) -> int:
        return len(self._places)

    def shapes(self) -> Counter[tuple[int, int, int]]:
        """How many blocks there are of each shape; to ask each would take long where they are many.

        >>> Blocks(3, 4, 5, cells=40).shapes()
        Counter({(2, 4, 5): 1, (1, 4, 5): 1})
        """
        images, rows, cols = map(_lengths, self._starts, self._stops)
        return Counter({(n, h, w): images[n] * rows[h] * cols[w] for n, h, w in product(images, rows, cols)})

    @overload
    def __getitem__(self, place: int) -> Block: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Block]: ...
    def __getitem__(self, place: int | slice) -> Block | Sequence[Block]:
        if isinstance(place, slice):
            some = copy(self)
            some._places = self._places[place]
            return some
        return self._block(self._places[place])

    def _block(self, place: int) -> Block:
        images, rows, cols = self._starts
        rest, part = divmod(place, len(cols))
        image, band = divmod(rest, len(rows))
        count, height, width = self._stops
        return Block(_from(images, image, count), _from(rows, band, height), _from(cols, part, width))

    def __iter__(self) -> Iterator[Block]:
        """An iterator that several threads may share, as they may not share a generator."""
        return map(self._block, self._places)


def images_at_once(x: np.ndarray) -> int:
    """As many images as stay in the cache."""
    return max(1, BLOCK_BYTES // max(x[:1].nbytes, 1))


def batches(x: np.ndarray) -> list[slice]:
    """Slices of at most so many images, nearly equal; of several an even number, for two threads to share."""
    pieces = -(-len(x) // images_at_once(x))
    if pieces > 1:
        pieces += pieces % 2
    return list(evenly(len(x), -(-len(x) // max(pieces, 1))))


def starts(total: int, most: int) -> range:
    """Where pieces of nearly equal length begin, none longer than `most`."""
    pieces = max(1, -(-total // max(most, 1)))
    return range(0, total, max(1, -(-total // pieces)))


def evenly(total: int, most: int) -> Iterator[slice]:
    """Slices of nearly equal length, none longer than `most`."""
    pieces = starts(total, most)
    return (_from(pieces, place, total) for place in range(len(pieces)))


def _from(pieces: range, place: int, stop: int) -> slice:
    """One of the pieces that begin where `starts` says."""
    first = pieces[place]
    return slice(first, min(first + pieces.step, stop))


def _lengths(places: range, stop: int) -> Counter[int]:
    """How many pieces there are of each length, the longest first."""
    longest = Counter({places.step: len(places) - 1} if len(places) > 1 else {})
    return longest + Counter([stop - places[-1]] if places else [])


def reads(axis: Axis, out: slice) -> tuple[int, int]:
    """The first input cell that these outputs read and the one behind the last, padding included."""
    first = out.start * axis.stride - axis.before
    return first, (out.stop - 1) * axis.stride - axis.before + axis.extent


class BlockInput:
    """The padded input cells that each block's outputs read: a view of x where nothing is padding.

    Else they are copied to one buffer for all blocks, as large as the largest needs: what a call returns
    holds until the next. `view` is what to make of the cells (N, rows, cols, C) for `out` outputs.
    `steps` says which calls copy them instead; made in the same order, they can be made again.
    """

    def __init__(
        self, x: np.ndarray, geometry: Window, largest: Block, view: View = lambda cells, out: cells
    ) -> None:
        self._x, self._geometry, self._view = x, geometry, view
        size = math.prod(self._size(largest)) if geometry.padded else 0
        self._memory = zeros((size * largest.shape[0] * x.shape[3],), x.dtype)
        self._places: dict[tuple[int, ...], _Place] = {}
        self._border: Any = None

    def __call__(self, block: Block) -> np.ndarray:
        cells, calls = self.steps(block)
        run(calls)
        return cells

    def steps(self, block: Block) -> tuple[np.ndarray, list[Call]]:
        """Where the cells are once the calls are made, and the calls."""
        images, rows, cols = block
        key = images.stop - images.start, rows.start, rows.stop, cols.start, cols.stop
        if key not in self._places:  # bands are the same in every image
            if len(self._places) == MOST_PLACES:
                self._places.clear()
            self._places[key] = self._place(block)
        place = self._places[key]
        part = self._x[images, *place.inside]
        if place.cells is None:
            return self._view(part, block.shape[1:]), []
        calls: list[Call] = [partial(np.copyto, place.target, part)]
        if place.border != self._border:  # else what lies around the input is still zero
            calls.insert(0, partial(place.cells.fill, 0))
            self._border = place.border
        return place.view, calls

    def _place(self, block: Block) -> _Place:
        spans = [reads(axis, out) for axis, out in zip(self._geometry, block[1:], strict=True)]
        inside, target = zip(*map(_within, self._geometry, spans), strict=True)
        size = self._size(block)
        if all(part.stop - part.start == length for part, length in zip(inside, size, strict=True)):
            return _Place(inside, None)
        shape = block.shape[0], *size, self._x.shape[3]
        cells = self._memory[: math.prod(shape)].reshape(shape)
        view = self._view(cells, block.shape[1:])
        return _Place(inside, cells, (shape, target), cells[:, *target], view)

    def _size(self, block: Block) -> tuple[int, ...]:
        """Rows and columns that a block reads."""
        return tuple(
            (cells - 1) * axis.stride + axis.extent
            for axis, cells in zip(self._geometry, block.shape[1:], strict=True)
        )


class _Place(NamedTuple):
    """Which cells of the input a block reads; if some are padding, the buffer and where they go in it."""

    inside: tuple[slice, ...]
    cells: np.ndarray | None
    border: Any = None
    target: Any = None
    view: Any = None


def _within(axis: Axis, span: tuple[int, int]) -> tuple[slice, slice]:
    """The cells of a span that are not padding, counted in the input and in the span."""
    start, stop = min(max(span[0], 0), axis.size), max(min(span[1], axis.size), 0)
    stop = max(start, stop)
    return slice(start, stop), slice(start - span[0], stop - span[0])


class Buffers:
    """Memory for what block after block needs, by its use: as much as the largest block so far needed.

    >>> buffer = Buffers()
    >>> buffer("sums", (2, 3), float).base is buffer("sums", (3,), float).base
    True
    """

    def __init__(self) -> None:
        self._flat: dict[str, np.ndarray] = {}

    def __call__(self, use: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array of this shape, whatever is in it; what the same use had before is no longer valid."""
        size = math.prod(shape)
        if use not in self._flat or self._flat[use].size < size:
            self._flat[use] = np.empty(size, dtype)
        return self._flat[use][:size].reshape(shape)


def pixels(cells: np.ndarray) -> np.ndarray:
    """All channels of a cell as one item (N, H, W), which NumPy copies in half the time; not empty."""
    return cells.view(f"V{cells.shape[3] * cells.itemsize}")[..., 0]


def windows(x: np.ndarray, out: tuple[int, int], geometry: Window) -> np.ndarray:
    """All windows of a padded input, as a view (N, H_out, W_out, kh, kw, C)."""
    rows, cols = geometry
    n, h, w, c = x.strides
    return as_strided(
        x,
        (x.shape[0], *out, rows.kernel, cols.kernel, x.shape[3]),
        (n, h * rows.stride, w * cols.stride, h * rows.dilation, w * cols.dilation, c),
        writeable=False,
    )
