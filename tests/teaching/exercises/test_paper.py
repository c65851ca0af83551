"""What a student gets: pages and notebooks that are made without the answers, and that say what is asked."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

import cnnviz
from cnnviz.teaching.exercises import worksheets
from cnnviz.teaching.exercises.exercise import Asked, Given, Task, written
from cnnviz.teaching.exercises.notebooks import notebook
from cnnviz.teaching.exercises.paper import paper
from cnnviz.teaching.lessons import LESSONS


@pytest.fixture(scope="module")
def sheet():
    return next(iter(worksheets("convolution", 1, 7, cnnviz.load_model("mnist_14k"))))


def files(sheet):
    about = (sheet.lesson, sheet.number, sheet.model, sheet.digit)
    return paper([(*about, sheet.image, sheet.tasks)]), notebook(*about, sheet.tasks)


def test_what_a_student_gets_is_made_of_tasks_which_hold_no_answers(sheet):
    fields = {field.name for kind in (Task, Given, Asked) for field in dataclasses.fields(kind)}
    assert fields == {
        "kind",
        "title",
        "text",
        "given",
        "asked",
        "name",
        "words",
        "value",
        "decimals",
        "heads",
    }
    without = dataclasses.replace(sheet, answers=())
    assert files(without) == files(sheet)
    # Nor does an answer of several digits stand there by chance.
    for answers in sheet.answers:
        for answer in answers:
            for decimals in (2, 3, 4):
                if abs(answer.value) >= 0.01 and answer.value != int(answer.value):
                    for text in files(sheet):
                        assert written(answer.value, decimals) not in text
                        assert f"{answer.value:.{decimals}f}" not in text


def test_a_page_is_a_whole_document_that_fetches_nothing(sheet):
    page, _ = files(sheet)
    assert page.startswith("<!doctype html>")
    assert not re.search(r"<script|https?://|<link", page)
    assert page.count('<section class="task"') == len(sheet.tasks)
    assert f'alt="Test digit {sheet.digit}"' in page


def test_words_are_escaped():
    task = Task("cell", "<b>", "a < b & c", (Given("x", "<i>", 1.5, 1, ("<u>",)),), (Asked("<s>", 2),))
    page = paper([(LESSONS["pooling"], 1, "<net>", 3, sheet_image(), (task,))])
    assert not re.search(r"<(b|i|u|s|net)>[^<]*(?<!/)$", page.split("<body>")[1].replace("<b data", ""))
    assert "a &lt; b &amp; c" in page
    assert "&lt;net&gt;" in page


def sheet_image():
    return cnnviz.load_mnist()[1][0][3]


def test_a_notebook_is_one_whose_answers_are_left_open(sheet):
    document = json.loads(files(sheet)[1])
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    cells = document["cells"]
    names = [cell["id"] for cell in cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    answers = [cell for cell in cells if cell["metadata"]]
    assert [cell["metadata"] for cell in answers] == [{"tags": ["otter_answer_cell"]}] * len(answers)
    asked = [f"q{p}{'abcdefgh'[k]}" for p, task in enumerate(sheet.tasks, 1) for k in range(len(task.asked))]
    assert ["".join(cell["source"]) for cell in answers] == [f"{name} = ..." for name in asked]
    assert document["metadata"].keys() == {"kernelspec", "language_info"}
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")


def test_a_notebook_runs_and_holds_the_numbers_of_the_page(sheet):
    cells = json.loads(files(sheet)[1])["cells"]
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    for given in sheet.tasks[1].given:
        assert given.name in names
    first = sheet.tasks[0].given[0]
    assert tuple(map(tuple, names[first.name].tolist())) == first.value
    assert names["image"].shape == (28, 28)
