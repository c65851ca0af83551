"""The README's code runs as written, and its commands are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnnviz.commands import main
from cnnviz.commands.cli import COMMANDS

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON)
def test_the_code_runs_as_written(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert "[7 2 1 0 4] [7 2 1 0 4]" in capsys.readouterr().out


def test_there_is_code_to_run():
    assert len(PYTHON) == 1
    assert len([line for line in PYTHON[0].splitlines() if line]) <= 10


def test_the_commands_exist():
    named = set(re.findall(r"(?:`|bin/)cnnviz ([a-z]+)\b", TEXT))
    assert named
    assert named <= {command.name for command in COMMANDS}


def test_the_classes_that_are_read_are_listed(capsys):
    assert main(["supported"]) == 0
    assert f"```text\n{capsys.readouterr().out}```" in TEXT, "paste what `cnnviz supported` prints"


def test_files_that_it_shows_or_names_are_there():
    named = set(re.findall(r"\]\(([^)#:]+)\)|`(assets/[\w.]+)`", TEXT))
    for link, code in named:
        assert (README.parent / (link or code)).exists(), link or code


def test_nothing_is_left_to_fill_in():
    assert "TODO" not in TEXT
