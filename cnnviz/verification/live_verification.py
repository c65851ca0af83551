"""Verification while somebody waits: `verify` in a short-lived process, with progress, one at a time.

The process is `verification_process`; here are the jobs that a server's sessions share. What was found
is kept in memory only, unlike the record that `cnnviz verify --record` makes.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Lock, Thread, Timer
from typing import IO

import numpy as np

from cnnviz.network import Network
from cnnviz.verification.comparison import Verification

TIMEOUT = 900
"""Seconds that a process may take."""
KEPT = 16
"""Jobs that are remembered."""


class VerificationJob:
    """One comparison: waiting, running, done, failed or stopped.

    `done` of `images` are compared; `result` is there when the state is "done", and `error` says in words
    why it is "failed".
    """

    def __init__(self, command: Sequence[str], images: np.ndarray) -> None:
        self.images = len(images)
        self.done = 0
        self.state = "waiting"
        self.result: Verification | None = None
        self.error = ""
        self._command = list(command)
        self._pixels = np.asarray(images)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return min(self.done / self.images, 1.0) if self.images else 1.0

    @property
    def words(self) -> str:
        """Where it is, in words."""
        if self.state == "waiting":
            return "Waiting for another comparison to end"
        if self.state == "running" and not self.done:
            return "Starting TensorFlow"
        return f"{self.done:,} of {self.images:,} digits compared"

    def stop(self) -> None:
        """End it, whether it runs or waits."""
        with self._lock:
            if not self.over:
                self.state = "stopped"
            if self._process is not None:
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)

    def run(self) -> None:
        """Start the process and follow it to its end."""
        with TemporaryFile() as given, TemporaryFile() as errors:
            np.save(given, self._pixels, allow_pickle=False)
            given.seek(0)
            if not self._begin(given, errors):
                return
            process = self._process
            assert process is not None
            assert process.stdout is not None
            clock = Timer(TIMEOUT, process.kill)
            clock.daemon = True
            clock.start()
            with process:
                for line in process.stdout:
                    self._take(line)
            clock.cancel()
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines()
        with self._lock:
            if self.state == "running":
                self.state, self.error = "failed", words[-1] if words else f"exit code {process.returncode}"

    def _begin(self, given: IO[bytes], errors: IO[bytes]) -> bool:
        with self._lock:
            if self.over:
                return False
            self.state = "running"
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=_surroundings()
                )
            except OSError as error:
                self.state, self.error = "failed", str(error)
        return self._process is not None

    def _take(self, line: bytes) -> None:
        found = json.loads(line)
        if "result" in found:
            # TensorFlow takes seconds to leave; nobody needs to wait for that.
            self.result = Verification.from_dict(found["result"])
            with self._lock:
                self.state = "done" if self.state == "running" else self.state
        else:
            self.done = int(found["done"])


class Verifications:
    """The jobs of a server, shared by its sessions; one process runs at a time."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, VerificationJob] = OrderedDict()
        self._waiting: SimpleQueue[VerificationJob] = SimpleQueue()
        self._lock = Lock()
        self._worker: Thread | None = None

    def find(self, net: Network, images: np.ndarray) -> VerificationJob | None:
        """The job that compares a network on these images, if it was started."""
        return self._jobs.get(_key(net, images))

    def start(self, net: Network, images: np.ndarray) -> VerificationJob:
        """Begin a comparison, or join the one that runs or is done; a failed one begins anew.

        Parameters
        ----------
        net
            A network that was read from a file.
        images
            (N, H, W) or (N, H, W, C), as `Network.predict` takes them.

        Raises
        ------
        ValueError
            for a network without a file.
        """
        if net.source is None:
            raise ValueError(f"{net.name} was not read from a file, so there is nothing to compare it with")
        key = _key(net, images)
        with self._lock:
            known = self._jobs.get(key)
            if known is not None and known.state not in ("failed", "stopped"):
                return known
            command = [sys.executable, "-m", "cnnviz.verification.process", str(net.source)]
            job = self._jobs[key] = VerificationJob(command, images)
            self._jobs.move_to_end(key)
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)[1].stop()
            self._waiting.put(job)
            if self._worker is None:
                # A server that is to end does not wait for a daemon.
                self._worker = Thread(target=self._work, name="verification", daemon=True)
                self._worker.start()
                atexit.register(self.stop)
        return job

    def stop(self) -> None:
        """End all that runs or waits."""
        for job in list(self._jobs.values()):
            job.stop()

    def _work(self) -> None:
        while True:
            self._waiting.get().run()


def _key(net: Network, images: np.ndarray) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(images).tobytes(), digest_size=16)
    changed = net.source.stat().st_mtime_ns if net.source else 0
    digest.update(f"{net.source} {changed} {images.shape}".encode())
    return digest.hexdigest()


def _surroundings() -> dict[str, str]:
    """The process finds this very package, and leaves any GPU alone."""
    package = str(Path(__file__).resolve().parents[2])
    known = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([package, *known]),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


VERIFICATIONS = Verifications()
