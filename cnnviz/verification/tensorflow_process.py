"""TensorFlow in a process of its own, so that a server which asks it stays small.

`TensorFlowProcess` starts a program of this package, feeds it, hands on what it writes, and says why it
failed; `OneAtATime` works through the jobs of a server. The last two functions are for the program itself.
"""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Lock, Thread, Timer
from typing import BinaryIO
from weakref import WeakSet

import numpy as np


@lru_cache
def available() -> bool:
    """Whether TensorFlow is installed, found without importing it."""
    return find_spec("tensorflow") is not None


class TensorFlowProcess:
    """One run of a program in a process of its own.

    Parameters
    ----------
    arguments
        Python's own: "-m", the program's module, and what it is called with.
    images
        An array for `sent_images`; None sends nothing.
    timeout
        Seconds that it may take; None lets it run.
    environment
        What is set besides `PYTHONPATH`, which makes it find this very package, and the variables that
        leave any GPU alone and keep TensorFlow quiet.
    """

    def __init__(
        self,
        *arguments: str,
        images: np.ndarray | None = None,
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.arguments = arguments
        self.images = images
        self.timeout = timeout
        self.environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._end = ""
        self._lock = Lock()
        _PROCESSES.add(self)

    def run(self, take: Callable[[bytes], object]) -> None:
        """Start it, hand each line that it writes to `take`, and wait for its end.

        Raises
        ------
        OSError
            with the reason, if it cannot start, fails, or is stopped; what `take` raises ends it too.
        """
        with TemporaryFile() as sent, TemporaryFile() as errors:
            if self.images is not None:
                np.save(sent, self.images, allow_pickle=False)
                sent.seek(0)
            with self._start(sent, errors) as process:
                clock = Timer(self.timeout or 0, self.stop, [f"it took longer than {self.timeout} seconds"])
                clock.daemon = True
                if self.timeout is not None:
                    clock.start()
                try:
                    for line in process.stdout or ():
                        take(line)
                except BaseException:
                    process.kill()
                    raise
                finally:
                    process.wait()
                    clock.cancel()
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines()
        if self._end:
            raise ChildProcessError(self._end)
        if process.returncode:
            raise ChildProcessError(words[-1] if words else f"exit code {process.returncode}")

    def stop(self, reason: str = "it was stopped") -> None:
        """End it, whether it runs or is still to start."""
        with self._lock:
            self._end = self._end or reason
            if self._process is not None:
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)

    def _start(self, sent: BinaryIO, errors: BinaryIO) -> subprocess.Popen[bytes]:
        package = str(Path(__file__).resolve().parents[2])
        paths = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
        with self._lock:
            if self._end:
                raise ChildProcessError(self._end)
            # -P: a numpy.py in the current folder is not NumPy.
            self._process = subprocess.Popen(
                [sys.executable, "-P", *self.arguments],
                stdin=sent,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([package, *paths]),
                    "CUDA_VISIBLE_DEVICES": "-1",
                    "TF_CPP_MIN_LOG_LEVEL": "2",
                    **self.environment,
                },
            )
            return self._process


_PROCESSES: WeakSet[TensorFlowProcess] = WeakSet()


@atexit.register
def _stop_all() -> None:
    for process in list(_PROCESSES):
        process.stop()


class OneAtATime:
    """A server's jobs, one after the other, in a thread that does not keep the server from ending."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._worker: Thread | None = None
        self._lock = Lock()

    def put(self, job: Callable[[], object]) -> None:
        """Call `job` when those before it are over; how it ended is the job's own business."""
        self._waiting.put(job)
        with self._lock:
            if self._worker is None:
                self._worker = Thread(target=self._work, name="tensorflow", daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            self._waiting.get()()


def sent_images() -> np.ndarray:
    """What the program was sent."""
    return np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)


def answer_stream() -> BinaryIO:
    """Where the program writes its answer; from now on, what TensorFlow's libraries print goes to stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answer
