"""The explorer's pages, in parts: the lessons in their order, and what is there to look things up."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import streamlit as st

from cnnviz.teaching.lessons import LESSONS

REFERENCE: dict[str, str] = {}
"""Titles by file of the pages that are no lessons."""


def parts() -> dict[str, list[Any]]:
    """The pages as st.navigation takes them; the first is the one that opens."""
    first = next(iter(LESSONS))
    found = {
        part: [_page(lesson.name, lesson.title, lesson.name == first) for lesson in lessons]
        for part, lessons in groupby(LESSONS.values(), lambda lesson: lesson.part)
    }
    return found | ({"To look up": [_page(*page) for page in REFERENCE.items()]} if REFERENCE else {})


def _page(file: str, title: str, opens: bool = False) -> Any:
    return st.Page(Path(__file__).resolve().parent / "pages" / f"{file}.py", title=title, default=opens)
