"""Commands whose output is closed, full, or knows few letters: a result or one line, never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.commands import main
from cnnviz.images.mnist import load_mnist
from cnnviz.resources import asset
from cnnviz.stage.recorded_runs import RecordedRuns

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
        (f"{CNNVIZ} info nothing 2> /dev/full", 2, b""),
        (f"{CNNVIZ} info $(printf a%.0s $(seq 3000))", 2, b"File name too long"),
        (f"ulimit -v 300000; {CNNVIZ} predict nothing.png", 2, b"cnnviz: "),
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


def test_a_class_of_any_size_fits_where_few_files_may_be_open(tmp_path: Path) -> None:
    """Each sheet is ready before the first is put into its place."""
    command = f"ulimit -Sn 40; {CNNVIZ} exercises one_by_one --students 32 --seed 1 -o sheets"
    done = shell(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "sheets").iterdir())) == 66
    done = shell(f"{CNNVIZ} exercises one_by_one --students 201 -o more", tmp_path)
    assert done.returncode == 2
    assert b"--students must be up to 200, got 201" in done.stderr


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


def test_a_page_never_replaces_what_it_is_made_of(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("digit.png", "photos/digit.png"):
        Image.fromarray(np.kron(load_mnist()[1][0][0], np.ones((4, 4), np.uint8))).save(tmp_path / name)
    (tmp_path / "link.html").symlink_to("digit.png")
    (tmp_path / "model.html").write_bytes(asset("mnist_14k.keras").read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    for command in (
        "digit.png -o digit.png",
        "digit.png -o ./photos/../digit.png",
        "digit.png -o link.html",
        "--images photos -o photos/digit.png",
        "digit.png --model model.html -o model.html",
    ):
        words = command.split()
        with contextlib.chdir(tmp_path), contextlib.redirect_stderr(io.StringIO()) as said:
            assert main(["export", *words]) == 2
        assert said.getvalue().endswith("would be replaced, and is read too: choose another name for -o\n")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_folder_of_odd_files_is_read_as_far_as_it_holds_pictures(tmp_path: Path) -> None:
    digit = np.kron(load_mnist()[1][0][0], np.ones((4, 4), np.uint8))
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("good.png", "new\nline.png"):
        Image.fromarray(digit).save(folder / name)
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(".")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "nowhere.png").symlink_to("nothing")
    (folder / "folder.png").mkdir()
    done = shell(f"{CNNVIZ} predict --images photos", tmp_path)
    summary, *said = [line.partition(":")[0] for line in done.stdout.decode().splitlines()]
    assert done.returncode == 2
    # The folder's link to itself is a class of its own, and a line break in a name is none of the output.
    assert (summary, sorted(said)) == ("photos", ["photos/loop/good.png", "photos/loop/new?line.png"])
    refused = {line.split()[1] for line in done.stderr.decode().splitlines()}
    assert refused == {f"photos/loop/{name}.png:" for name in ("pipe", "endless", "nowhere")}
    # A pipe that is written into is read, once.
    done = shell(f"cat photos/good.png | {CNNVIZ} predict /dev/stdin", tmp_path)
    assert done.returncode == 0, done.stderr
    assert b": 7 (" in done.stdout
    done = shell(f"{CNNVIZ} predict photos/good.png --classes photos/pipe.png", tmp_path)
    assert done.returncode == 2
    assert b"pipe.png has no names" in done.stderr


def test_no_title_changes_where_the_script_of_recorded_runs_ends():
    title = "<!--<script></script>--><img src=//host.example/b.png>"
    page = RecordedRuns(["mnist_maxpool.short"], load_mnist()[1][0][0], title=title)._repr_html_()
    (held,) = re.findall('<script type="application/json" data-part="runs">(.*?)</script>', page, re.DOTALL)
    assert "<" not in held
    assert title in str(json.loads(held))
    assert "<!--" not in page
