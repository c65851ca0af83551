"""Sharing blocks among threads: NumPy and BLAS let go of the interpreter while they work.

OpenBLAS's own threads do not help with the small matrices of a block, so it is the blocks that are
shared, among as many threads as OpenBLAS is told to use, by the same environment variables. Meanwhile it
is held to one thread: its pool serves one caller at a time, and ours would wait for each other.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from cnnviz.ops.recycling import zeros

Item = TypeVar("Item")

MOST_THREADS = 4
"""Each thread has its own buffers, of up to two megabytes: with more threads they would take too much."""

TOTALS_BYTES = 8 << 20
"""What the partial sums of several threads may take together."""


@lru_cache
def threads() -> int:
    """OPENBLAS_NUM_THREADS or OMP_NUM_THREADS where set, else the machine's cores; at most MOST_THREADS."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    return min(_cores(), MOST_THREADS)


def is_busy() -> bool:
    """Whether other work keeps the cores busy: twice as much is ready to run, our own threads included.

    Threads that wait for each other then take longer than one alone.
    """
    return hasattr(os, "getloadavg") and os.getloadavg()[0] >= 2 * _cores()


@lru_cache
def _cores() -> int:
    """Asking the system takes as long as a small matrix product."""
    return os.cpu_count() or 1


def in_parallel(work: Callable[[Iterable[Item]], Any], items: Sequence[Item]) -> None:
    """Call work(iterator) in several threads that take from the same items; all done when this returns.

    A thread that is held up takes fewer items, so which thread does which is not fixed: what is computed
    for an item must not depend on it. One item, or a call from within another's work, stays in its thread;
    without items there is no call.
    """
    count = min(threads(), len(items))
    if count < 2 or getattr(_here, "working", False):
        if items:
            work(items)
        return
    left = iter(items)

    def share() -> None:
        _here.working = True
        try:
            # NumPy's error state does not follow into a thread.
            with np.errstate(all="ignore"):
                work(left)
        finally:
            _here.working = False

    with one_blas_thread():
        waiting = [_pool().submit(share) for _ in range(count - 1)]
        try:
            share()
        finally:
            # A thread that has not started by now would find nothing left.
            running = [future for future in waiting if not future.cancel()]
            errors = [future.exception() for future in running]
    for error in filter(None, errors):
        raise error


def summed(
    work: Callable[[Sequence[Item], np.ndarray], Any],
    items: Sequence[Item],
    shape: tuple[int, ...],
    dtype: Any,
) -> np.ndarray:
    """The sum of what work(some items, total) adds to a total, of zeros at first.

    There are as many totals, and they are added in the same order, whatever the number of threads: so
    the result does not depend on it.
    """
    if not items:
        return zeros(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    parts = shares(items, max(1, min(MOST_THREADS, TOTALS_BYTES // max(size, 1))))
    totals = zeros((len(parts), *shape), dtype)

    def fill(places: Iterable[int]) -> None:
        for place in places:
            work(parts[place], totals[place])

    in_parallel(fill, range(len(parts)))
    return totals[0] if len(parts) == 1 else totals.sum(axis=0)


def shares(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """Items in at most `most` runs of nearly equal length, none empty.

    >>> shares("abcde", 2)
    ['abc', 'de']
    """
    count = max(1, min(most, len(items)))
    ends = [-(-len(items) * share // count) for share in range(count + 1)]
    return [items[first:last] for first, last in pairwise(ends)]


@contextmanager
def in_this_thread() -> Iterator[None]:
    """What is computed in here stays in its thread: the other cores are for somebody else."""
    before = getattr(_here, "working", False)
    _here.working = True
    try:
        with one_blas_thread():
            yield
    finally:
        _here.working = before


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS on one thread for as long as anyone is in here.

    The limit is the whole process's: the first one in sets it, and the last one out restores what was
    before; they may be in different threads.
    """
    global _users, _limit
    from threadpoolctl import OpenBLASController

    with _lock:
        if not _users:
            _limit = _libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                # By default only the thread that set a limit can lift it.
                OpenBLASController.clear_controlling_thread(force=True)
                _limit.restore_original_limits()
                OpenBLASController.clear_controlling_thread(force=True)


_here = threading.local()
_lock = threading.Lock()
_users = 0
_limit: Any = None


@lru_cache
def _libraries() -> Any:
    """The BLAS libraries that are loaded; finding them takes a while."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@lru_cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="cnnviz")
