"""The explorer as `cnnviz explore` serves it, for the benchmarks: a process, its address, its memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

STARTING = 180.0
"""Seconds in which it must answer: a machine that does other things too takes longer, and says so."""
SOURCE = Path(__file__).resolve().parents[2]


class Serving:
    """A server on a free port; `served` is the seconds from the command to the first answer."""

    def __enter__(self) -> Serving:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "cnnviz", "explore", "--port", str(port), "--no-browser"]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        self.place = f"localhost:{port}"
        self.url = f"http://{self.place}"
        while self.process.poll() is None and time.perf_counter() < self.started + STARTING:
            try:
                urlopen(self.url, timeout=5).read()
            except (OSError, HTTPException):
                time.sleep(0.02)
            else:
                self.served = self.elapsed()
                return self
        self.__exit__()
        raise SystemExit("the explorer did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def elapsed(self) -> float:
        """Seconds since the command."""
        return time.perf_counter() - self.started

    def memory(self) -> float:
        """Resident memory of the server and its children, in MB of 10^6 bytes."""
        return sum(map(_resident, [self.process.pid, *_children(self.process.pid)])) / 1e6

    def processor(self) -> float:
        """Seconds of processor time that the server took, and its children that ended."""
        numbers = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # The thread has ended since.
            for child in map(int, task.read_text().split()):
                found += [child, *_children(child)]
    return found
