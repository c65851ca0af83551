"""Options of commands that ask for too much, or for what cannot be: one short line, and no work is done."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cnnviz.commands import explore, main
from harness.limited import MEGABYTE, limited_command

ALL_DIGITS = ",".join(map(str, range(10_000)))
REFUSED = [
    ("exercises pooling --students 1000000000 -o out", "--students must be up to 200, got 1000000000"),
    (
        f"exercises pooling --seed {'9' * 5000} -o out",
        "must be a whole number from 0 up, of at most 18 digits",
    ),
    ("exercises pooling -o a.json", "a.json is a file, not a folder to write into"),
    (f"export --digits {ALL_DIGITS} -o out.html", "a page shows up to 1,000 digits, got 10,000"),
    (f"export --course --digits {ALL_DIGITS} -o out", "a page shows up to 1,000 digits, got 10,000"),
    (f"export --digits {'9' * 5000} -o out.html", "must be whole numbers with commas between"),
    ("export --course -o a.json", "a.json is a file, not a folder to write into"),
    *(
        (
            f"export --digits 0 --size {size} -o out.html",
            f"must be a positive number of megabytes, got '{size}'",
        )
        for size in ("nan", "inf", "-1", "0", "x")
    ),
    (f"export --digits 0 --memory-limit {'9' * 4500} -o out.html", "must be a positive number of gigabytes"),
    ("export --digits 0 --last 0 -o out.html", "must be a positive whole number, got '0'"),
    ("export --digits 0 --crop nan 1 0 1 -o out.html", "--ink and --crop are for pictures of a digit"),
    ("answers table.csv -o out.csv", "answer 1 must be right or wrong, got 'True'"),
]


def ended(command: str) -> object:
    """A command's status, also where argparse ends it."""
    try:
        return main(command.split())
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize(("command", "said"), REFUSED, ids=lambda text: text[:40])
def test_a_command_refuses_it_in_one_short_line(
    command: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text("{}")
    Path("table.csv").write_text(
        "time,page,question,choice,right\n2026-03-01T09:30:00+00:00,pooling,q,c,True\n"
    )
    assert ended(command) == 2
    words = capsys.readouterr().err
    assert said in words
    assert words.count("\n") == 1
    assert len(words) < 400
    assert sorted(os.listdir()) == ["a.json", "table.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are Linux's")
def test_too_many_sheets_cost_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cnnviz",
        "exercises",
        "pooling",
        "--students",
        "2147483647",
        "-o",
        "out",
    ]
    end = limited_command(*command, memory=600 * MEGABYTE, seconds=15, cwd=tmp_path)
    assert end.status == 2, end.message
    assert end.peak < 300 * MEGABYTE


def test_the_explorer_starts_for_a_user_without_a_home(monkeypatch):
    """As in a container whose user stands in no list: Streamlit asks for the home."""
    pwd = pytest.importorskip("pwd")

    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    explore._give_a_home()
    assert Path.home() == Path(os.sep)
