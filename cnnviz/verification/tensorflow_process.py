"""TensorFlow in a process of its own, so that a server which asks it stays small.

`TensorFlowProcess` starts a program of this package, feeds it, hands on what it writes, and says why it
failed; `OneAtATime` works through the jobs of a server. The last two functions are for the program itself.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import lru_cache
from importlib.util import find_spec
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Lock, Thread, Timer
from typing import BinaryIO
from weakref import WeakSet

import numpy as np

from cnnviz.resources import start_python


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
        with ExitStack() as files:
            try:
                sent, errors = (files.enter_context(TemporaryFile()) for _ in range(2))
                if self.images is not None:
                    np.save(sent, self.images, allow_pickle=False)
                    sent.seek(0)
            except OSError as error:
                with suppress(OSError):
                    files.close()
                raise OSError(
                    f"the temporary folder cannot be written in: {error.strerror or error}"
                ) from None
            with self._start(sent, errors) as process:
                clock = Timer(self.timeout or 0, self.stop, [f"it took longer than {self.timeout} seconds"])
                clock.daemon = True
                try:
                    if self.timeout is not None:
                        clock.start()
                    for line in process.stdout or ():
                        take(line)
                except BaseException:
                    _kill(process)
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
                _kill(self._process)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)

    def _start(self, sent: BinaryIO, errors: BinaryIO) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._end:
                raise ChildProcessError(self._end)
            self._process = start_python(
                *self.arguments,
                environment={"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", **self.environment},
                stdin=sent,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            return self._process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started, which would keep its output open."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):
        process.kill()


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
        """Call `job` when those before it are over; how it ended is the job's own business.

        Raises
        ------
        RuntimeError
            if there is no thread to be had; the job is not called then.
        """
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                worker = Thread(target=self._work, name="tensorflow", daemon=True)
                worker.start()
                self._worker = worker
        self._waiting.put(job)

    def _work(self) -> None:
        while True:
            job = self._waiting.get()
            try:
                job()
            except BaseException:  # Even what ends a program must not leave the others waiting for ever.
                traceback.print_exc()


def sent_images() -> np.ndarray:
    """What the program was sent."""
    return np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)


def answer_stream() -> BinaryIO:
    """Where the program writes its answer; from now on, what TensorFlow's libraries print goes to stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answer
