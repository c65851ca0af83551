"""RunQueue: one run at a time on a machine, and who is next.

On two cores a second run would make both slow. Whoever comes later waits, sees the place, and can watch the
run that is on. A run makes room when its owner is gone or leaves it alone for long, and when others wait and
it has had its turn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, RLock, Thread

from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings

LEFT_ALONE, WANTED = 600.0, 60.0
"""Seconds that a run may stand still, with nobody waiting and with somebody; one that plays, and that nobody
looks at for the longer time, stands still from then on."""
TURN = 900.0
"""Seconds that a run may go on in all while somebody waits."""
GONE = 15.0
"""Seconds that an owner may be away: a connection that breaks is soon there again."""
EACH = 1.0
"""Seconds between two looks at who is gone."""
MOST_WAITING = 40


@dataclass
class _Entry:
    owner: str
    settings: RunSettings
    run: WatchedRun | None = None
    then: Callable[[WatchedRun], object] | None = None
    moved: float = 0.0
    """When its owner last looked at it, or told it to do something."""
    alone: float = 0.0
    """When nobody waited last: from then on it has its turn."""
    seen: float = 0.0
    """When its owner was last there."""


class RunQueue:
    """The run that is on, and those that wait for it.

    Parameters
    ----------
    alive
        Whether an owner is still there, by the name it entered with.
    start
        What makes a run of settings.
    clock
        Seconds, for tests.

    Examples
    --------
    >>> queue = RunQueue(alive=lambda owner: True)
    >>> queue.enter("a reader", RunSettings("small", images=64)); queue.enter("another", RunSettings("small"))
    >>> queue.place("a reader"), queue.place("another"), queue.place("a third")
    (0, 1, None)
    >>> queue.close()
    """

    def __init__(
        self,
        alive: Callable[[str], bool],
        start: Callable[[RunSettings], WatchedRun] = WatchedRun,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alive, self._start, self._clock = alive, start, clock
        self._entries: list[_Entry] = []
        self._removed: dict[str, str] = {}
        """Why the runs of owners who are still there were ended, in words."""
        self._lock = RLock()
        self._closed = Event()
        self._sweeper: Thread | None = None

    def enter(
        self, owner: str, settings: RunSettings, then: Callable[[WatchedRun], object] | None = None
    ) -> None:
        """Begin a run, or wait for one; who is in the queue keeps the place, and begins anew.

        Parameters
        ----------
        owner
            Who it is.
        settings
            Of the run.
        then
            Called with the run once it begins, which may be later.

        Raises
        ------
        OSError
            if the run cannot be started, or too many wait.
        """
        with self._lock:
            self._removed.pop(owner, None)
            entry = self._of(owner)
            if entry is None:
                if len(self._entries) > MOST_WAITING:
                    raise OSError(f"{MOST_WAITING} others wait already; come again later")
                entry = _Entry(owner, settings, seen=self._clock())
                self._entries.append(entry)
            elif entry.run is not None:
                entry.run.end()
                entry.run = None
            entry.settings, entry.then = settings, then
            self._advance()
            if self._sweeper is None or not self._sweeper.is_alive():
                self._closed.clear()
                self._sweeper = Thread(target=self._sweep_often, name="run queue", daemon=True)
                self._sweeper.start()

    def leave(self, owner: str) -> None:
        """End an owner's run, or give up the place."""
        with self._lock:
            entry = self._of(owner)
            if entry is not None:
                self._remove(entry)
                self._advance()

    def place(self, owner: str) -> int | None:
        """How many are before an owner: 0 has the run that is on, None is not in the queue."""
        with self._lock:
            places = [entry.owner for entry in self._entries]
            return places.index(owner) if owner in places else None

    def why_ended(self, owner: str) -> str:
        """Why the queue ended an owner's run, in words; "" if it did not."""
        return self._removed.get(owner, "")

    def turn(self, owner: str) -> tuple[int, float]:
        """How many wait for an owner's run, and the seconds that it has at most if they go on waiting."""
        with self._lock:
            waiting = len(self._entries) - 1
            if self.place(owner) != 0 or not waiting:
                return 0, math.inf
            return waiting, max(0.0, self._entries[0].alone + TURN - self._clock())

    @property
    def on(self) -> WatchedRun | None:
        """The run that is on, whoever's it is: anybody may watch it."""
        with self._lock:
            return self._entries[0].run if self._entries else None

    def run_of(self, owner: str) -> WatchedRun | None:
        """An owner's run, to be commanded; None while it waits."""
        with self._lock:
            entry = self._of(owner)
            if entry is None:
                return None
            entry.moved = self._clock()
            return entry.run

    def sweep(self) -> None:
        """End what nobody is there for, or what stands still in the others' way; the next one begins."""
        with self._lock:
            now = self._clock()
            for entry in list(self._entries):
                if self._alive(entry.owner):
                    entry.seen = now
                elif now - entry.seen > GONE:
                    self._remove(entry)
            self._removed = {owner: why for owner, why in self._removed.items() if self._alive(owner)}
            if self._entries and self._entries[0].run is not None:
                self._make_room(self._entries[0], self._entries[0].run, now)
            self._advance()

    def close(self) -> None:
        """End everything."""
        with self._lock:
            self._closed.set()
            for entry in list(self._entries):
                self._remove(entry)

    def _make_room(self, first: _Entry, run: WatchedRun, now: float) -> None:
        """End a run that had its turn, or stands still in the others' way."""
        waited = len(self._entries) > 1
        if not waited:
            first.alone = now
        left = now - first.moved
        if run.playing and left > LEFT_ALONE:
            run.pause()
            first.moved = now
        elif waited and now - first.alone > TURN:
            self._end(first, f"it had its turn of {TURN / 60:.0f} minutes, and others waited")
        elif not run.playing and left > (WANTED if waited else LEFT_ALONE):
            self._end(first, "it stood still, and others waited" if waited else "it stood still for long")

    def _end(self, entry: _Entry, why: str) -> None:
        self._remove(entry)
        self._removed[entry.owner] = why

    def _of(self, owner: str) -> _Entry | None:
        return next((entry for entry in self._entries if entry.owner == owner), None)

    def _remove(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        if entry.run is not None:
            entry.run.end()

    def _advance(self) -> None:
        """Start the run of who is first."""
        if self._entries and self._entries[0].run is None:
            first = self._entries[0]
            first.moved = first.alone = self._clock()
            try:
                first.run = self._start(first.settings)
            except BaseException:
                # The place would be nobody's.
                self._entries.remove(first)
                raise
            if first.then is not None:
                first.then(first.run)

    def _sweep_often(self) -> None:
        while not self._closed.wait(EACH):
            # Whatever failed, the next look may not; nobody else would end what nobody is there for.
            with suppress(OSError, RuntimeError, MemoryError):
                self.sweep()
            with self._lock:
                if not self._entries:
                    self._sweeper = None
                    return
