"""In Python: names by part, their docstrings, examples and pictures."""

from __future__ import annotations

import pytest

from apps.conftest import pictures, tables
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.public_names import ROOMS, public_names


@pytest.mark.parametrize("room", ROOMS)
def test_a_part_lists_its_names(visit, room):
    at = visit("in_python", room=room)
    assert not at.exception
    assert not at.warning
    (table,) = tables(at)
    assert all(f">{name}</th>" in table["table"] for name in public_names(room))


def test_a_name_shows_its_docstring_example_and_picture(visit):
    at = visit("in_python", room="figures", name="kernel_gallery")
    each = public_names("figures")["kernel_gallery"]
    assert [code.value for code in at.code] == [each.signature, each.example, each.text]
    (picture,) = pictures(at)
    assert picture["svg"].startswith("<svg ")
    at = visit("in_python", room="ops", name="conv2d")
    assert not pictures(at)
    at = visit("in_python", room="cnnviz", name="explain")
    assert any("products" in code.value for code in at.code)
    at = visit("in_python", room="animate", name="max_pool2d")
    assert not at.exception
    assert "image" in {element.type for element in at.main}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_s_functions_are_there(visit, lesson):
    for path in LESSONS[lesson].in_python:
        room, name = path.split(".")[-2:]
        at = visit("in_python", room=room, name=name)
        assert not at.warning
        assert at.header[0].value == path


def test_nonsense_in_the_address_is_noticed(visit):
    at = visit("in_python", room="os", name="system")
    assert not at.exception
    assert len(at.warning) == 2
