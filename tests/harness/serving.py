"""A server in a process of its own, on a free port: the explorer's, JupyterLab's, marimo's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import cnnviz

SOURCE = Path(cnnviz.__file__).resolve().parents[1]
PATIENCE = 60


@contextmanager
def served(
    command: list[str],
    *,
    folder: Path,
    log: Path,
    health: str,
    port: str = "--port",
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The address at which a module of this Python serves, once it answers at `health`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = str(free.getsockname()[1])
    command = [sys.executable, "-m", *command, port, number]
    changed = {**os.environ, "PYTHONPATH": str(SOURCE), **(environment or {})}
    with log.open("a") as out:
        server = subprocess.Popen(command, cwd=folder, env=changed, stdout=out, stderr=out)
        url = f"http://127.0.0.1:{number}"
        try:
            end = time.monotonic() + PATIENCE
            while not answers(f"{url}{health}"):
                assert server.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < end, "the server did not answer"
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:  # It may be told while it is busy, and forget it.
                server.kill()
                server.wait(10)


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=1).close()
    except (URLError, OSError):
        return False
    return True
