"""The list of lessons: every lesson has its page, its program and its questions, and knows its neighbours."""

from __future__ import annotations

import pytest

from cnnviz.resources import app
from cnnviz.teaching.lessons import LESSONS, lesson_named, neighbours
from cnnviz.teaching.public_names import public_names


def test_every_lesson_has_its_page_its_program_and_its_questions():
    here = app().parent
    questions = app().parent.parent / "cnnviz" / "teaching" / "questions"
    for name in LESSONS:
        for folder in (here / "pages", here / "lessons", questions):
            assert (folder / f"{name}.py").is_file(), f"{folder.name} has no {name}"
    programs = {path.stem for path in (here / "lessons").glob("*.py")}
    # One more is for Python alone: to train a network of one's own and open it in the explorer.
    assert programs == {*LESSONS, "your_own_network"}


def test_every_lesson_ends_with_public_functions_that_an_example_shows():
    for lesson in LESSONS.values():
        assert lesson.in_python
        for path in lesson.in_python:
            room, name = path.split(".")[-2:]
            each = public_names(room)[name]
            assert each.path == path
            assert each.example, path


def test_the_order_is_one_way_there_and_back():
    forward = [(name, after.name) for name in LESSONS if (after := neighbours(name)[1])]
    back = [(before.name, name) for name in LESSONS if (before := neighbours(name)[0])]
    assert forward == back == list(zip(list(LESSONS), list(LESSONS)[1:], strict=False))


def test_an_unknown_lesson_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"there is no lesson 'poling'; the lessons are overview, .*pooling"):
        lesson_named("poling")
