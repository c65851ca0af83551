"""Verification while somebody waits: `verify` in a short-lived process, with progress, one at a time.

The jobs are shared by a server's sessions. What they find is kept in memory only, unlike the record that
`cnnviz verify --record` makes.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from threading import Lock

import numpy as np

from cnnviz.network import Network
from cnnviz.verification.comparison import Verification
from cnnviz.verification.tensorflow_process import OneAtATime, TensorFlowProcess

TIMEOUT = 900
"""Seconds that a process may take."""
KEPT = 16
"""Jobs that are remembered."""


class VerificationJob:
    """One comparison: waiting, running, done, failed or stopped.

    `done` of `images` are compared; `result` is there when the state is "done", and `error` says in words
    why it is "failed".
    """

    def __init__(self, process: TensorFlowProcess, images: int) -> None:
        self.images = images
        self.done = 0
        self.state = "waiting"
        self.result: Verification | None = None
        self.error = ""
        self._process = process
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
        self._process.stop()

    def run(self) -> None:
        """Start the process and follow it to its end."""
        with self._lock:
            if self.over:
                return
            self.state = "running"
        error = "it ended without a result"
        try:
            self._process.run(self._take)
        except BaseException as problem:  # Whatever it is: it is said, and the next job runs.
            error = str(problem) or type(problem).__name__
        with self._lock:
            if self.state == "running":
                self.state, self.error = "failed", error

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if "result" in said:
                # TensorFlow takes seconds to leave; nobody needs to wait for that.
                self.result = Verification.from_dict(said["result"])
                with self._lock:
                    self.state = "done" if self.state == "running" else self.state
            else:
                self.done = int(said["done"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"its answer cannot be read: {line[:60]!r}") from None


class Verifications:
    """The jobs of a server, shared by its sessions; one process runs at a time."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, VerificationJob] = OrderedDict()
        self._lock = Lock()
        self._queue = OneAtATime()

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
            earlier = self._jobs.get(key)
            if earlier is not None and earlier.state not in ("failed", "stopped"):
                return earlier
            process = TensorFlowProcess(
                *("-m", "cnnviz.verification.tensorflow_answers", "verify", str(net.source)),
                images=np.asarray(images),
                timeout=TIMEOUT,
            )
            job = self._jobs[key] = VerificationJob(process, len(images))
            self._jobs.move_to_end(key)
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)[1].stop()
            try:
                self._queue.put(job.run)
            except RuntimeError as error:
                job.state, job.error = "failed", str(error)
        return job


def _key(net: Network, images: np.ndarray) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(images).tobytes(), digest_size=16)
    changed = net.source.stat().st_mtime_ns if net.source else 0
    digest.update(f"{net.source} {changed} {images.shape}".encode(errors="surrogatepass"))
    return digest.hexdigest()


VERIFICATIONS = Verifications()
