"""Commands whose output is closed, full, or knows few letters: a result or one line, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnviz.resources import asset

CNNVIZ = f"{sys.executable} -m cnnviz"


def shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        ["sh", "-c", command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (f"{CNNVIZ} info >&-", 0, b""),
        (f"{CNNVIZ} info nothing >&-", 2, b"cnnviz: there is no file 'nothing'"),
        (f"{CNNVIZ} info nothing <&- >&- 2>&-", 2, b""),
        (f"{CNNVIZ} info > /dev/full", 2, b"No space left on device"),
        (f"{CNNVIZ} info --json | head -c 1", 0, b""),
    ],
)
def test_an_output_that_takes_nothing_gives_no_traceback(
    command: str, status: int, said: bytes, tmp_path: Path
) -> None:
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("there is no full device here")
    done = shell(command, tmp_path)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert done.stderr.count(b"\n") <= 1


def test_a_letter_that_the_terminal_does_not_know_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "numbers \u6570.keras").write_bytes(asset("mnist_14k.keras").read_bytes())
    ascii_only = {"LANG": "C", "PYTHONIOENCODING": "ascii"}
    done = shell(f"{CNNVIZ} info *.keras", tmp_path, **ascii_only)
    assert done.returncode == 0, done.stderr
    assert b"14,060" in done.stdout
    refused = shell(f"{CNNVIZ} info *.h5", tmp_path, **ascii_only)
    assert refused.returncode == 2
    (tmp_path / "\u6570.h5").write_bytes(b"nothing")
    refused = shell(f"{CNNVIZ} info *.h5", tmp_path, **ascii_only)
    assert b"cnnviz: \\u6570.h5: this is not a model file" in refused.stderr
