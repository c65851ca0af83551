"""What is done to all numbers alike, or to all cells channel by channel: in bands that stay in the cache.

NumPy is quick with long runs, and the numbers of a cell's channels are a short one. So cells are put side by
side in rows, and what each channel has is repeated along a row. Bands of rows are shared among threads;
a sum over cells is made of the sums over the bands, which do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, evenly
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import empty

BAND = BLOCK_BYTES // 8
"""Numbers in a band: two arrays of as many, in single precision, stay in the second-level cache."""

ROW = 1 << 11
"""Numbers in a row: NumPy's start at each row no longer matters, nor does repeating a channel's number."""


def in_bands(work: Callable[..., Any], *arrays: np.ndarray) -> None:
    """Call work on the same band of each array, all of one size, as flat arrays; a result is C-contiguous.

    >>> x, y = np.arange(6.0), np.empty(6)
    >>> in_bands(lambda part, out: np.multiply(part, 2, out=out), x, y)
    >>> y
    array([ 0.,  2.,  4.,  6.,  8., 10.])
    """
    flat = [array.reshape(-1) for array in arrays]
    bands = list(evenly(flat[0].size, BAND)) if flat[0].size else []

    def share(some: Iterable[slice]) -> None:
        for band in some:
            work(*(array[band] for array in flat))

    in_parallel(share, bands)


def combined(function: np.ufunc, *arrays: np.ndarray) -> np.ndarray:
    """function(*arrays), in bands if they have one shape."""
    result = empty(np.broadcast_shapes(*(array.shape for array in arrays)), arrays[0].dtype)
    if any(array.shape != result.shape for array in arrays):
        return function(*arrays, out=result)
    in_bands(lambda *parts: function(*parts[:-1], out=parts[-1]), *arrays, result)
    return result


def kept_where(passes: np.ndarray, grad: np.ndarray, out: np.ndarray) -> None:
    """out = grad where `passes` is True, else 0, whatever grad is there.

    A mask of bits takes a quarter of the time of `np.where`: the processor need not guess.

    >>> out = np.empty(3)
    >>> kept_where(np.array([True, False, True]), np.array([2.0, np.inf, np.nan]), out)
    >>> out
    array([ 2.,  0., nan])
    """
    bits = np.dtype(f"i{grad.itemsize}")
    # -1 has all bits set.
    np.bitwise_and(grad.view(bits), np.negative(passes.view(np.int8)), out=out.view(bits))


class Rows:
    """The cells of arrays (..., C), several in a row: how they are looked at, cut, repeated and summed.

    >>> rows = Rows((2, 3, 4))
    >>> rows.of(np.ones((2, 3, 4))).shape, rows.along(np.arange(4)).shape, rows.sums(np.ones((2, 3, 4)))
    ((1, 24), (24,), array([6., 6., 6., 6.]))
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.cells, self.channels = math.prod(shape[:-1]), shape[-1]
        self._beside = cells_in_row(self.cells, self.channels)
        self.length = self._beside * self.channels
        self.bands = list(evenly(self.cells // self._beside, max(1, BAND // max(self.length, 1))))

    def of(self, array: np.ndarray) -> np.ndarray:
        """An array of this shape as (rows, length)."""
        return array.reshape(-1, self.length)

    def along(self, numbers: np.ndarray) -> np.ndarray:
        """Each channel's number (C,) at all of its places in a row."""
        return np.tile(numbers, self._beside)

    def sums(self, array: np.ndarray) -> np.ndarray:
        """(..., C) summed over all cells."""
        rows = self.of(array)
        return self.reduced(array.dtype, 1, lambda band, buffer: [rows[band].sum(axis=0)]).sum(axis=0)[0]

    def reduced(
        self, dtype: np.dtype, count: int, work: Callable[[slice, np.ndarray], Iterable[np.ndarray]]
    ) -> np.ndarray:
        """For each band `count` numbers a channel: (bands, count, C).

        work(band, buffer) returns sums place by place, (length,); the buffer has the shape of the band.
        """
        found = np.zeros((len(self.bands), count, self.channels), dtype)
        most = max((band.stop - band.start for band in self.bands), default=0)

        def share(places: Iterable[int]) -> None:
            buffer = np.empty((most, self.length), dtype)
            for place in places:
                band = self.bands[place]
                for which, sums in enumerate(work(band, buffer[: band.stop - band.start])):
                    found[place, which] = self.folded(sums)

        in_parallel(share, range(len(self.bands)))
        return found

    def folded(self, sums: np.ndarray) -> np.ndarray:
        """Sums place by place (length,) as sums channel by channel (C,)."""
        return sums.reshape(-1, self.channels).sum(axis=0)


@lru_cache(maxsize=4096)
def cells_in_row(cells: int, channels: int) -> int:
    """How many cells make a row: as many as divide their number and have up to ROW numbers.

    >>> cells_in_row(6, 4), cells_in_row(1352, 16)
    (6, 104)
    """
    most = min(ROW // max(channels, 1), cells)
    return next((count for count in range(most, 1, -1) if cells % count == 0), 1)
