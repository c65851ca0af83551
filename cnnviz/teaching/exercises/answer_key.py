"""The key of a class: all answers of all sheets, and how to grade them, as one CSV file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnnviz.teaching.csv_tables import csv_text
from cnnviz.teaching.exercises.exercise import Answer, Asked
from cnnviz.teaching.exercises.worksheets import Worksheet

HEADS = (
    *("sheet", "file", "test digit", "question", "what is asked", "answer", "tolerance"),
    *("right from", "right to", "how to grade", "what wrong numbers tell"),
    *("the network's own number", "which rounding explains up to"),
)


def answer_key(sheets: Iterable[tuple[str, Worksheet]]) -> str:
    """The key as CSV, a row for each thing that is asked: sheets with the names of their files."""
    rows = [
        _row(file, sheet, f"{place}{letter}", asked, answer)
        for file, sheet in sheets
        for place, (task, answers) in enumerate(zip(sheet.tasks, sheet.answers, strict=True), 1)
        for letter, asked, answer in zip("abcdefgh", task.asked, answers, strict=False)
    ]
    return csv_text(HEADS, rows)


def _row(file: str, sheet: Worksheet, question: str, asked: Asked, answer: Answer) -> list[Any]:
    mistakes = "; ".join(f"{_plain(wrong)}: {words}" for wrong, words in answer.mistakes)
    own = [] if answer.exact is None or answer.spread is None else [answer.exact, answer.spread]
    return [
        sheet.number,
        file,
        sheet.digit,
        question,
        asked.words,
        _plain(answer.value),
        _plain(answer.tolerance),
        _plain(answer.value - answer.tolerance),
        _plain(answer.value + answer.tolerance),
        answer.grading,
        mistakes,
        *(_plain(number) for number in own),
        *([""] * (2 - len(own))),
    ]


def _plain(value: float) -> int | float:
    """A number without the digits that only binary fractions have; whole ones as such."""
    short = round(float(value), 6) + 0.0
    return int(short) if short == int(short) else short
