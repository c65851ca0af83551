"""The key: a row for each answer of each sheet, in which a spreadsheet finds nothing to compute."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

import cnnviz
from cnnviz.teaching.exercises import worksheets
from cnnviz.teaching.exercises.answer_key import HEADS, answer_key


@pytest.fixture(scope="module")
def sheets():
    return list(worksheets("one_by_one", 3, 7, cnnviz.load_model("mnist_14k")))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_answer_has_its_row(sheets):
    found = rows(answer_key((f"{sheet.number}.html", sheet) for sheet in sheets))
    answers = [answer for sheet in sheets for answers in sheet.answers for answer in answers]
    assert len(found) == len(answers)
    assert tuple(found[0]) == HEADS
    for row, answer in zip(found, answers, strict=True):
        # Six decimals are written.
        assert float(row["answer"]) == pytest.approx(answer.value, abs=6e-7)
        assert float(row["right from"]) <= answer.value <= float(row["right to"]) + 1e-6
        assert row["how to grade"].endswith(".")
    assert [row["question"] for row in found[:5]] == ["1a", "1b", "1c", "2a", "2b"]


def test_no_cell_is_a_formula(sheets):
    (first, *_), sheet = sheets[0].answers, sheets[0]
    hostile = replace(first[0], grading="=HYPERLINK(1).", mistakes=((-5.0, "a"),))
    sheet = replace(sheet, answers=((hostile, *first[1:]), *sheet.answers[1:]))
    for row in rows(answer_key([("=1+1.html", sheet)])):
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@"))
            assert not cell.startswith("-") or float(cell) < 0
