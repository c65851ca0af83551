"""One page at a time: sessions take turns at the interpreter, which runs only one of them at a time anyway.

Sessions that draw at the same time pass it back and forth, and all of them are late; in turn each is as fast
as alone. What takes long steps aside meanwhile. At the end of a turn nothing is half done, so what is alive
then is there to stay, and the garbage collector need not look at it again.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLOW = 0.02
"""Seconds. Streamlit collects all garbage after every run; a collection that takes longer is felt."""

AGAIN = 50
"""After setting aside what is alive so many times, all of it is looked through once more."""

_turn = threading.Lock()
_mine = threading.local()


class _Collector:
    """Watches how long full collections take, and keeps them short."""

    def __init__(self) -> None:
        self.slow = True  # the first time, for the libraries
        self.settled = 0
        self._began = 0.0
        gc.callbacks.append(self._watch)

    def _watch(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.slow = self.slow or time.perf_counter() - self._began > SLOW

    def settle(self) -> None:
        """Set aside all that is alive, if it has made collections slow."""
        if not self.slow:
            return
        self.settled += 1
        if self.settled % AGAIN == 0:
            gc.unfreeze()  # some of it may have died
        gc.collect()
        gc.freeze()
        self.slow = False


collector = _Collector()


@contextmanager
def taken() -> Iterator[None]:
    """Wait for the turn, and have it meanwhile; who has it already goes on."""
    if getattr(_mine, "turn", False):
        yield
        return
    with _turn:
        _mine.turn = True
        try:
            yield
            collector.settle()
        finally:
            _mine.turn = False


@contextmanager
def aside() -> Iterator[None]:
    """Let others have the turn meanwhile, if it was taken, and wait for it again."""
    if not getattr(_mine, "turn", False):
        yield
        return
    _turn.release()
    _mine.turn = False
    try:
        yield
    finally:
        _turn.acquire()
        _mine.turn = True
