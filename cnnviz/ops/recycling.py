"""Memory for large results, used again by a computation that makes the same arrays over and over.

The system gives out new memory page by page, which takes longer than writing to it: a third of a step of
training. What `Recycling` has given out comes back when nothing refers to it any more, views included.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from cnnviz.resources import memory as memory_of_machine

LEAST_BYTES = 1 << 16
"""Smaller arrays are quickly made anew."""

LARGE_BYTES = 1 << 27
"""Any machine has as much as this."""


class Recycling:
    """Blocks of memory by their size, those in use and those that came back; for one thread at a time.

    >>> memory = Recycling()
    >>> with memory.used():
    ...     first = empty((300, 100), np.float32)
    ...     place = first.ctypes.data
    ...     del first
    ...     empty((100, 300), np.float32).ctypes.data == place
    True
    """

    def __init__(self) -> None:
        self._blocks: dict[int, list[np.ndarray]] = defaultdict(list)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within this block, and in its thread, `empty` takes this memory."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST_BYTES or _references is None:
            return np.empty(shape, dtype)
        blocks = self._blocks[size]
        # The last ones first: they may still be in the cache.
        for place in reversed(range(len(blocks))):
            if _references(blocks[place]) == UNUSED:
                blocks.append(blocks.pop(place))
                break
        else:
            blocks.append(np.empty(size, np.uint8))
        return blocks[-1].view(dtype).reshape(shape)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array for a result, whatever is in it, from the memory that is used here, or new."""
    check_memory(shape, dtype)
    memory = _current.get()
    return np.empty(shape, dtype) if memory is None else memory.empty(shape, np.dtype(dtype))


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros, which the system makes while they are written to."""
    check_memory(shape, dtype)
    return np.zeros(shape, dtype)


def check_memory(shape: tuple[int, ...], dtype: Any) -> None:
    """MemoryError for an array that this machine cannot hold, which some systems promise and cannot give."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > LARGE_BYTES and size > (most := memory_of_machine()):
        raise MemoryError(
            f"{size / 1e9:,.1f} GB for an array of shape {shape}; there are {most / 1e9:,.1f} GB"
        )


_current: ContextVar[Recycling | None] = ContextVar("memory", default=None)
_references = getattr(sys, "getrefcount", None)
_example = [np.empty(0)]
UNUSED = 0 if _references is None else _references(_example[0])
"""References to a block of which there is no view: from its list, and from the question itself."""
