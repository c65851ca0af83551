"""Worksheets as notebooks, from the same tasks as on paper.

Cells follow otter-grader's student notebooks: each answer is a name that is set to `...` in a cell with the
tag `otter_answer_cell`. The tests that otter-grader runs are left out, as they would hold the answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cnnviz.teaching.exercises.exercise import Given, Numbers, Task
from cnnviz.teaching.lessons import Lesson


def notebook(lesson: Lesson, number: int, model: str, digit: int, tasks: Sequence[Task]) -> str:
    """The text of an .ipynb file (nbformat 4.5)."""
    cells = [
        _words(
            "title",
            f"# {lesson.title}\n\nSheet {number}. The network is {model}, the digit is test digit "
            f"{digit:,}.\n\n"
            "Numbers are rounded: compute with them as they stand here, by hand or in Python, and put each "
            "answer in the place of its `...`.",
        ),
        _code(
            "start",
            "import numpy as np\n\nimport cnnviz\nfrom cnnviz import ops\n\n"
            f"image = cnnviz.load_mnist()[1][0][{digit}]",
        ),
    ]
    for place, task in enumerate(tasks, 1):
        cells.append(_words(f"task-{place}", f"## {place}. {task.title}\n\n{task.text}"))
        cells.append(_code(f"given-{place}", "\n".join(map(_given, task.given))))
        for letter, asked in zip("abcdefgh", task.asked, strict=False):
            how = "a whole number" if not asked.decimals else f"decimals: {asked.decimals}"
            cells.append(_words(f"asked-{place}{letter}", f"**{place}{letter})** {asked.words} ({how})."))
            cells.append(_code(f"answer-{place}{letter}", f"q{place}{letter} = ...", ["otter_answer_cell"]))
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _words(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": _lines(text)}


def _code(name: str, text: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": metadata,
        "outputs": [],
        "source": _lines(text),
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _given(given: Given) -> str:
    """A line of Python: its words, and the numbers."""
    names = f" ({', '.join(given.heads)})" if given.heads else ""
    return f"# {given.words}{names}\n{given.name} = {_literal(given.value, given.decimals)}"


def _literal(value: Numbers, decimals: int) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"np.array({_list(value, decimals)})"
    return f"{value + 0.0:.{decimals}f}"


def _list(value: Any, decimals: int) -> str:
    if not isinstance(value, tuple):
        return f"{value + 0.0:.{decimals}f}"
    return f"[{', '.join(_list(each, decimals) for each in value)}]"
