"""Answers that take seconds: each is worked out once, however many sessions ask for it at the same time.

The work has a thread of its own, so that it does not end with the session that asked first; it ends early
when nobody waits for it any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

FIRST, AGAIN = 0.3, 0.2
"""Seconds until it is said how far the work is, and between one time and the next."""

Progress = Callable[[int, int], None]


class _NobodyWaits(Exception):
    """Ends a work that is no longer asked for."""


class _Work:
    """One answer in the making: how far it is, how many wait for it, what came of it."""

    def __init__(self) -> None:
        self.share = 0.0
        self.waiting = 0
        self.over = threading.Event()
        self.error: BaseException | None = None


class LongAnswers:
    """Answers by key."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}
        self._works: dict[Hashable, _Work] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._answers

    def __getitem__(self, key: Hashable) -> Any:
        return self._answers[key]

    def work_out(
        self,
        key: Hashable,
        compute: Callable[[Progress], Any],
        say: Callable[[float], Any] = lambda share: None,
    ) -> None:
        """Wait until there is the answer compute(progress); the first who asks has it computed.

        `say` is called again and again with the share that is done, 0 to 1, and may raise to stop waiting.
        An error of `compute` is raised for all who wait; the next who asks tries anew.
        """
        with self._lock:
            if key in self._answers:
                return
            work = self._works.get(key)
            if work is None:
                work = self._works[key] = _Work()
                threading.Thread(target=self._compute, args=(key, work, compute), daemon=True).start()
            work.waiting += 1
        try:
            pause = FIRST
            while not work.over.wait(pause):
                say(work.share)
                pause = AGAIN
        finally:
            with self._lock:
                work.waiting -= 1
        if work.error is not None:
            raise work.error

    def _compute(self, key: Hashable, work: _Work, compute: Callable[[Progress], Any]) -> None:
        def progress(done: int, of_all: int) -> None:
            work.share = min(done / of_all, 1.0)
            with self._lock:
                if not work.waiting:
                    # Whoever asks from now on has it computed anew.
                    del self._works[key]
                    raise _NobodyWaits

        try:
            answer = compute(progress)
        except _NobodyWaits:
            return
        except BaseException as error:
            work.error = error
        with self._lock:
            if work.error is None:
                self._answers[key] = answer
            del self._works[key]
        work.over.set()
