"""Every lesson runs from top to bottom as a plain program, reads as a notebook, and asks its questions."""

from __future__ import annotations

import ast
import re
import runpy
import sys

import pytest

from apps.conftest import PAGES
from cnnviz.resources import app
from cnnviz.teaching.questions import Question

LESSONS = {path.stem: path for path in sorted((app().parent / "lessons").glob("*.py"))}
WITHOUT_PAGE = {"your_own_network"}
"""Lessons that no page of the explorer shows: it has the network open on all of them."""
CELL = re.compile(r"^# %%(?P<kind> \[markdown\])?$", re.MULTILINE)


def cells(text: str) -> list[tuple[bool, str]]:
    """(whether it is markdown, its lines) of each cell of a percent-format script."""
    marks = list(CELL.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [
        (mark["kind"] is not None, text[mark.end() : end].strip("\n"))
        for mark, end in zip(marks, ends, strict=False)
    ]


def test_there_is_a_lesson_for_every_page():
    assert sorted(LESSONS.keys() - WITHOUT_PAGE) == PAGES


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_opens_as_a_notebook(name):
    text = LESSONS[name].read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # "), "a title in markdown comes first"
    assert 30 <= len(text.splitlines()) <= 80
    found = cells(text)
    assert sum(line.startswith("# %%") for line in text.splitlines()) == len(found), "no other cell marks"
    assert {markdown for markdown, _ in found} == {True, False}
    for markdown, content in found:
        assert content
        if markdown:
            assert all(line.startswith("# ") or line == "#" for line in content.splitlines())
        else:
            assert ast.parse(content).body, "a code cell holds whole statements"


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_uses_public_names_only(name):
    tree = ast.parse(LESSONS[name].read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {alias.name for node in imported for alias in node.names}
    modules = {getattr(node, "module", None) or "" for node in imported}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    parts = {part for path in names | modules | attributes for part in path.split(".")}
    assert not [part for part in parts if part.startswith("_") and part != "__version__"]
    assert {path.split(".")[0] for path in names | modules} & {"streamlit", "apps"} == set()


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_and_asks_its_questions(name, tmp_path, monkeypatch, capsys):
    asked: list[str] = []
    original = Question.__str__

    def noting(question: Question) -> str:
        asked.append(question.prompt)
        return original(question)

    monkeypatch.setattr(Question, "__str__", noting)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(LESSONS[name]), run_name="__main__")
    said = capsys.readouterr().out
    assert re.search(r"\d", said), "it prints numbers"
    assert asked
    assert all(prompt in said for prompt in asked)
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums(), "figures need no global state"


def test_cells_are_told_apart():
    text = "# %% [markdown]\n# # A title\n\n# %%\nprint(1)\n"
    assert cells(text) == [(True, "# # A title"), (False, "print(1)")]
    assert cells("print(1)\n") == []
