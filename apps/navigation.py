"""The explorer's pages, in parts: the lessons in their order, and what is there to look things up."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import state
import streamlit as st

from cnnviz.teaching.lessons import LESSONS

REFERENCE = {"glossary": "Glossary", "in_python": "In Python"}
"""Titles by file of the pages that are no lessons."""


def parts() -> dict[str, list[Any]]:
    """The pages as st.navigation takes them; the first is the one that opens."""
    grouped = groupby(zip(LESSONS.values(), lessons(), strict=True), lambda pair: pair[0].part)
    found = {part: [page for _, page in pairs] for part, pairs in grouped}
    return found | {"To look up": [_page(*page) for page in REFERENCE.items()]}


def lessons() -> list[Any]:
    """The lessons' pages, in order."""
    first = next(iter(LESSONS))
    return [_page(lesson.name, lesson.title, lesson.name == first) for lesson in LESSONS.values()]


def lesson_names() -> list[str]:
    """Their names."""
    return list(LESSONS)


def name_of(page: Any) -> str:
    """The name of a page's file: a lesson's name."""
    return page.url_path or next(iter(LESSONS))


def carried() -> dict[str, str]:
    """What a link to another page carries along: the digit, the network, its changes, hidden answers."""
    return state.kept("digit", "own", "model", "changes", "answers")


def _page(file: str, title: str, opens: bool = False) -> Any:
    return st.Page(Path(__file__).resolve().parent / "pages" / f"{file}.py", title=title, default=opens)
