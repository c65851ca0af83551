"""Public names as their docstrings tell them: none is left out, and every example runs as it is shown."""

from __future__ import annotations

import ast

import pytest
from hypothesis import settings

import cnnviz
from cnnviz import ops
from cnnviz.figures import Picture
from cnnviz.teaching.public_names import ROOMS, drawn_by, public_names

THOROUGH = settings().max_examples > 200
EVERY = [each for room in ROOMS for each in public_names(room).values()]


def test_no_public_name_is_left_out():
    assert set(ops.__all__) == public_names("ops").keys()
    missing = set(cnnviz.__all__) - public_names("cnnviz").keys() - ROOMS.keys()
    assert not missing
    assert len(EVERY) > 300


def test_everything_is_the_docstring_s():
    for each in EVERY:
        assert each.summary
        assert ">>>" not in each.text
        assert each.text.startswith(each.summary)
        ast.parse(each.example)


def test_what_draws_has_its_picture():
    drawing = [each for each in EVERY if each.draws]
    assert len(drawing) > 45
    assert [each.path for each in drawing if not each.example] == ["cnnviz.figures.plot"]
    for each in drawing if THOROUGH else drawing[::8]:
        if each.example:
            drawn = drawn_by(each, theme="dark")
            assert drawn is not None
            assert not isinstance(drawn, Picture) or drawn.alt


@pytest.mark.parametrize(
    "each", [e for e in EVERY if e.example][:: 1 if THOROUGH else 25], ids=lambda e: e.path
)
def test_an_example_runs_by_itself(each, tmp_path, monkeypatch):
    """Its docstring's doctest checks what comes out; here its imports are what is tried."""
    monkeypatch.chdir(tmp_path)
    exec(compile(each.example, each.path, "exec"), {"__name__": "__main__"})


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match=r"room must be one of cnnviz, ops, .*, got 'os'"):
        public_names("os")
