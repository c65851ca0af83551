"""WatchedRun: a run in a process of its own, seen from the program that shows it.

The process can be killed at any moment, has limits of memory and time, and ends with its owner. `run_queue`
lets one run at a time onto the machine.
"""

from __future__ import annotations

import atexit
import math
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from tempfile import TemporaryFile
from threading import Condition, Thread
from typing import Any
from weakref import WeakSet

from cnnviz.network.messages import Message
from cnnviz.resources import start_python
from cnnviz.training.watched_training import HeldOut, Measures, RunSettings

MEMORY = 2 * 2**30
"""Bytes that a run may ask for beside what its program takes."""
SECONDS = 3600.0
"""Processor time that a run may take, on all cores together."""
STARTING = 120.0
"""Seconds that a process may take to begin, on a busy machine."""
ANSWERING = 60.0
"""Seconds that it may take for an answer."""

PROGRAM = "cnnviz.training.run_process"


@dataclass(frozen=True)
class Curves:
    """What was measured, step by step; the held-out images after some of the steps."""

    training: list[Measures] = field(default_factory=list)
    held_out: list[HeldOut] = field(default_factory=list)


class WatchedRun:
    """One run, from its settings to its end.

    Parameters
    ----------
    settings
        See `RunSettings`.
    program
        The module that the process runs: one that answers more than `run_process` does.
    memory, seconds
        Limits of bytes, and of processor time.

    Examples
    --------
    >>> with WatchedRun(RunSettings("small", images=64, batch_size=32)) as run:
    ...     run.step()
    ...     run.wait_for(lambda: run.steps == 1)
    ...     run.picture()["step"]
    True
    1
    """

    def __init__(
        self,
        settings: RunSettings,
        *,
        program: str = PROGRAM,
        memory: int = MEMORY,
        seconds: float = SECONDS,
    ) -> None:
        self.settings = settings
        self.curves = Curves()
        self.layers: tuple[str, ...] = ()
        """Those whose gradients' sizes a picture tells, once the run is ready."""
        self.ready = self.playing = False
        self.over = ""
        """Why no more steps are made, in words; the steps that were made can be looked at all the same."""
        self.gone = False
        """Whether the process has ended."""
        self._changed = Condition()
        self._answers: dict[int, Message | None] = {}
        """By the numbers of the questions that are waited for."""
        self._glance: int | None = None
        self._stale = False
        """Whether something was done since a picture was asked for that a glance is to show."""
        self._newest: dict[str, Any] | None = None
        self._numbers = count(1)
        self._errors = TemporaryFile()  # noqa: SIM115
        self._process = start_python(
            *("-m", program),
            environment={"MALLOC_ARENA_MAX": "2"},  # Each takes 64 MB of its address space.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        _RUNS.add(self)
        self._send("begin", settings=asdict(settings), memory=memory, seconds=seconds)
        Thread(target=self._listen, name="watched run", daemon=True).start()

    def __enter__(self) -> WatchedRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def moves(self) -> bool:
        """Whether there will be something new to see without another command."""
        waits = self._stale or self._glance is not None
        return not self.gone and (self.playing or not (self.ready or self.over) or waits)

    @property
    def steps(self) -> int:
        """How many steps were made, as far as is known here."""
        return self.curves.training[-1].step if self.curves.training else 0

    def play(self, until: int | None = None) -> None:
        """Make step after step; only until so many are made in all, where that is said."""
        with self._changed:
            self.playing = not self.over
        self._send("play", until=until)

    def pause(self) -> None:
        """Stop after the step that is on."""
        with self._changed:
            self.playing = False
        self._send("pause")
        self._stale = True

    def step(self) -> None:
        """Make one step."""
        self._send("step")
        self._stale = True

    def picture(self, step: int | None = None) -> dict[str, Any]:
        """The run after a step, None for the last one: what `run_process` says of it, and "arrays".

        Raises
        ------
        ChildProcessError
            if the process has ended, or answers with a refusal, in words.
        """
        return self.ask("picture", step=step)

    def glance(self, than: int = -1, seconds: float = 0.2) -> dict[str, Any] | None:
        """The newest picture that came, as `picture`, of another step than one that is known; None for none.

        It is waited for so long and no longer: whoever shows it comes again. However many look, the process
        is asked for one picture at a time, and once more after a command.
        """
        number = None
        with self._changed:
            if (self._glance is None or self._stale) and not self.gone:
                number = self._glance = next(self._numbers)
                self._stale = False
        if number is not None:
            self._send("picture", step=None, number=number)
        self.wait_for(lambda: self._glance is None or self.gone, seconds)
        newest = self._newest
        return newest if newest is not None and newest["step"] != than else None

    def keras_file(self, step: int | None = None) -> bytes:
        """The network after a step as a .keras file, with the optimizer's state.

        Raises
        ------
        ChildProcessError
            as of `picture`.
        """
        return self.ask("file", step=step)["arrays"]["content"].tobytes()

    def ask(self, kind: str, **said: Any) -> dict[str, Any]:
        """Any question, and what the process answers.

        Raises
        ------
        ChildProcessError
            as of `picture`.
        """
        number = next(self._numbers)
        self._answers[number] = None
        self._send(kind, **said, number=number)
        self.wait_for(lambda: self._answers[number] is not None or self.gone, ANSWERING)
        with self._changed:
            answer = self._answers.pop(number)
        if answer is None:
            raise ChildProcessError(self.over or "the run did not answer in time")
        if answer.kind == "refused":
            raise ChildProcessError(str(answer.said["words"]))
        return {**answer.said, "arrays": dict(answer.arrays)}

    def wait_for(self, is_so: Callable[[], bool], seconds: float = STARTING) -> bool:
        """Wait until something is so, or the time is over: whether it is so."""
        with self._changed:
            return self._changed.wait_for(is_so, seconds)

    def end(self) -> None:
        """Kill the process; what is known here stays."""
        if not self.over:
            self.over = "it was ended"
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _send(self, kind: str, **said: Any) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            Message(kind, said).write(self._process.stdin)  # type: ignore[arg-type]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as stream:
                while message := Message.read(stream):  # type: ignore[arg-type]
                    with self._changed:
                        self._take(message)
                        self._changed.notify_all()
        except Exception:  # Whatever it said, no more of it can be understood.
            self.over = self.over or "its process said what is not understood"
            self._process.kill()
        status = self._process.wait()
        with self._changed:
            self.gone, self.playing = True, False
            self.over = self.over or self._why(status)
            self._changed.notify_all()
        self._errors.close()

    def _take(self, message: Message) -> None:
        said = message.said
        if message.kind == "step":
            self.curves.training.append(Measures(*said["measures"]))
            if "held_out" in said:
                self.curves.held_out.append(HeldOut(*said["held_out"]))
        elif message.kind == "ready":
            self.ready, self.layers = True, tuple(said["layers"])
        elif message.kind == "state":
            self.playing = bool(said["playing"])
            # What was shown last may be a step before the one that it stopped after.
            self._stale = self._stale or not self.playing
        elif message.kind == "ended":
            self.over, self.playing, self._stale = str(said["words"]), False, True
        elif said["number"] == self._glance:
            self._glance = None
            if message.kind == "picture":
                self._newest = {**said, "arrays": dict(message.arrays)}
        elif said["number"] in self._answers:
            self._answers[int(said["number"])] = message

    def _why(self, status: int) -> str:
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        if status == -getattr(signal, "SIGXCPU", math.inf):
            return "its process computed for longer than it may"
        if status < 0:
            return f"its process was killed (signal {-status})"
        return f"its process ended: {words[-1]}" if words else "its process ended"


_RUNS: WeakSet[WatchedRun] = WeakSet()


@atexit.register
def _end_all() -> None:
    for run in list(_RUNS):
        run.end()


def thinned(values: Sequence[Measures], most: int = 400) -> tuple[int, list[Measures]]:
    """The means of so many steps that at most `most` points are left, and of how many steps each is.

    The last point is that of the steps that are left over.

    >>> thinned([Measures(1, 4.0, 0.0), Measures(2, 2.0, 1.0), Measures(3, 1.0, 1.0)], most=2)
    (2, [Measures(step=2, loss=3.0, accuracy=0.5), Measures(step=3, loss=1.0, accuracy=1.0)])
    """
    together = max(1, -(-len(values) // most))
    points = []
    for first in range(0, len(values), together):
        group = values[first : first + together]
        loss = sum(each.loss for each in group) / len(group)
        points.append(Measures(group[-1].step, loss, sum(each.accuracy for each in group) / len(group)))
    return together, points
