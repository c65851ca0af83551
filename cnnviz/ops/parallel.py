"""Sharing blocks among threads: NumPy and BLAS let go of the interpreter while they work.

OpenBLAS's own threads do not help with the small matrices of a block, so it is the blocks that
are shared. As many threads as OpenBLAS is told to use, by the same environment variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

MOST_THREADS = 4
"""Each thread has buffers of its own, of up to two megabytes; more than eight are not taken."""


@lru_cache
def threads() -> int:
    """OPENBLAS_NUM_THREADS or OMP_NUM_THREADS where set, else the machine's cores; at most MOST_THREADS."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    return min(os.cpu_count() or 1, MOST_THREADS)


def shares(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """Items in at most `most` runs of nearly equal length, none empty.

    >>> shares("abcde", 2)
    ['abc', 'de']
    """
    count = max(1, min(most, len(items)))
    ends = [-(-len(items) * share // count) for share in range(count + 1)]
    return [items[first:last] for first, last in pairwise(ends)]


def in_parallel(work: Callable[[Sequence[Item]], None], items: Sequence[Item]) -> None:
    """work(share) for each thread's share of the items, all done when this returns."""
    parts = shares(items, threads())
    if len(parts) == 1:
        work(items)
        return

    def quietly(part: Sequence[Item]) -> None:
        # NumPy's error state does not follow into a thread.
        with np.errstate(all="ignore"):
            work(part)

    waiting = [_pool().submit(quietly, part) for part in parts[1:]]
    work(parts[0])
    for future in waiting:
        future.result()


@lru_cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="cnnviz")
