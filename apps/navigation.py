"""The explorer's pages, in parts: the lessons in their order, and what is there to look things up."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import state
import streamlit as st

from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lessons import LESSONS

WORKSHOP = {"training": "Training"}
"""Titles by file of the pages on which something is made; likewise no lessons."""
REFERENCE = {"glossary": "Glossary", "in_python": "In Python"}
"""Titles by file of the pages to look things up."""


def parts() -> dict[str, list[Any]]:
    """The pages as st.navigation takes them; the first is the one that opens."""
    pages = lessons()
    grouped = groupby(LESSONS.values(), lambda lesson: lesson.part)
    found = {part: [pages[lesson.name] for lesson in those] for part, those in grouped}
    found["Before your eyes"] = [_page(*page) for page in WORKSHOP.items()]
    return found | {"To look up": [_page(*page) for page in REFERENCE.items()]}


def lessons() -> dict[str, Any]:
    """The lessons' pages by name, in order."""
    first = next(iter(LESSONS))
    return {name: _page(name, lesson.title, name == first) for name, lesson in LESSONS.items()}


def page(name: str) -> Any:
    """One page by its name: a lesson's, or another one's."""
    return lessons().get(name) or _page(name, (WORKSHOP | REFERENCE)[name])


def name_of(page: Any) -> str:
    """The name of a page's file: a lesson's name."""
    return page.url_path or next(iter(LESSONS))


def has_stage(page: Any) -> bool:
    """Whether a page begins with the stage: a lesson that has a walk on it."""
    lesson = LESSONS.get(name_of(page))
    return lesson is not None and walk_of(lesson) is not None


def carried() -> dict[str, str]:
    """What a link to another page carries along: the digit, the network, its changes, hidden answers."""
    return state.kept("digit", "own", "model", "picture", "brought", "changes", "answers")


def _page(file: str, title: str, opens: bool = False) -> Any:
    return st.Page(Path(__file__).resolve().parent / "pages" / f"{file}.py", title=title, default=opens)
