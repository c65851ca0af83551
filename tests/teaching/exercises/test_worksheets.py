"""A class's worksheets: right answers, by a second way; no two keys alike; mistakes are no answers."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import settings

import cnnviz
from cnnviz.teaching.exercises import EXERCISES, Worksheet, worksheets
from cnnviz.teaching.exercises.paper import paper
from cnnviz.teaching.lessons import LESSONS
from harness.worksheet_solver import SOLVERS, PrintedSheet, solve

CLASSES = [
    *(("mnist_14k", lesson) for lesson in EXERCISES),
    *(("mnist_maxpool", lesson) for lesson in ("convolution", "feature_maps", "receptive_field", "pooling")),
]

FEW = 30 if settings().max_examples > 200 else 6


@cache
def sheets(model: str, lesson: str) -> tuple[Worksheet, ...]:
    """A whole class for two lessons, for the others in the thorough run."""
    count = 30 if lesson in ("one_by_one", "pooling") and model == "mnist_14k" else FEW
    return tuple(worksheets(lesson, count, 7, cnnviz.load_model(model)))


def printed(sheet: Worksheet) -> str:
    return paper([(sheet.lesson, sheet.number, sheet.model, sheet.digit, sheet.image, sheet.tasks)])


@pytest.mark.parametrize(("model", "lesson"), CLASSES)
def test_every_answer_is_found_a_second_time_from_the_printed_sheet(model, lesson):
    for sheet in sheets(model, lesson):
        found = solve(printed(sheet))
        assert len(found) == len(sheet.tasks)
        for theirs, answers in zip(found, sheet.answers, strict=True):
            # Both compute with at most 20 numbers below 1,000 in float64: 20 * 20 * 2^-53 * 1e3 < 1e-10.
            assert theirs == pytest.approx([answer.value for answer in answers], rel=0, abs=1e-9)


@pytest.mark.parametrize(("model", "lesson"), CLASSES)
def test_thirty_sheets_have_thirty_keys_and_thirty_digits(model, lesson):
    made = sheets(model, lesson)
    keys = {tuple(answer.value for answers in sheet.answers for answer in answers) for sheet in made}
    assert len(keys) == len({sheet.digit for sheet in made}) == len(made)
    assert [sheet.number for sheet in made] == list(range(1, len(made) + 1))


@pytest.mark.parametrize(("model", "lesson"), CLASSES)
def test_a_tolerance_holds_what_rounding_does_and_no_mistake(model, lesson):
    """Rounded as the sheet asks the answer is right; a mistake with a name is not."""
    for sheet in sheets(model, lesson):
        for task, answers in zip(sheet.tasks, sheet.answers, strict=True):
            for asked, answer in zip(task.asked, answers, strict=True):
                assert abs(round(answer.value, asked.decimals) - answer.value) <= answer.tolerance + 1e-9
                assert answer.tolerance == 0 or asked.decimals > 0
                for wrong, words in answer.mistakes:
                    assert abs(wrong - answer.value) > answer.tolerance, words


def test_a_pupil_who_rounds_every_product_stays_within_the_tolerance():
    """And one who rounds the worst way comes close to it: the tolerance is not wider than it must be."""
    shares = []
    for lesson in ("convolution", "one_by_one"):
        for sheet in sheets("mnist_14k", lesson):
            kind, given, _ = PrintedSheet(printed(sheet)).tasks[0]
            names = ("patch", "kernel") if kind == "cell" else ("pixel", "weights")
            flat = [
                [each for row in rows for each in (row if isinstance(row, list) else [row])]
                for rows in map(given.get, names)
            ]
            by_hand = round(sum(round(float(x * w), 2) for x, w in zip(*flat, strict=True)), 2)
            answer = sheet.answers[0][0]
            assert abs(by_hand - answer.value) <= answer.tolerance + 1e-9
            shares.append(abs(by_hand - answer.value) / answer.tolerance if answer.tolerance else 0)
    assert max(shares) > 0.3


@pytest.mark.parametrize(("model", "lesson"), CLASSES)
def test_the_network_s_own_number_is_as_near_as_the_rounding_of_the_sheet_allows(model, lesson):
    for sheet in sheets(model, lesson):
        for answers in sheet.answers:
            for answer in answers:
                if answer.exact is not None:
                    assert abs(answer.exact - answer.value) <= answer.spread


def test_the_network_s_own_number_is_the_network_s():
    """The unit that a sheet speaks of, read from a run."""
    images = cnnviz.load_mnist()[1][0]
    net = cnnviz.load_model("mnist_14k")
    for sheet in sheets("mnist_14k", "one_by_one")[:5]:
        row, col, out = map(
            int, re.search(r"row (\d+), column (\d+) .* output (\d+)", sheet.tasks[0].text).groups()
        )
        value = net.run(images[sheet.digit]).pre_activation("conv2d_2")[0, row, col, out]
        # Two sums of 16 float32 products, in another order.
        assert sheet.answers[0][1].exact == pytest.approx(float(value), abs=1e-4)


def test_the_same_seed_gives_the_same_sheets_and_a_larger_class_begins_with_them():
    net = cnnviz.load_model("mnist_14k")
    again = tuple(worksheets("pooling", 3, 7, net))
    assert [(s.tasks, s.answers) for s in again] == [
        (s.tasks, s.answers) for s in sheets("mnist_14k", "pooling")[:3]
    ]
    other = next(iter(worksheets("pooling", 1, 8, net)))
    assert other.tasks != again[0].tasks


def test_every_kind_is_asked_and_every_name_is_a_lesson():
    kinds = {task.kind for lesson in EXERCISES for task in sheets("mnist_14k", lesson)[0].tasks}
    assert kinds == SOLVERS.keys()
    assert EXERCISES.keys() <= LESSONS.keys()


@pytest.mark.parametrize(
    ("lesson", "students", "seed", "model", "said"),
    [
        (
            "epochs",
            2,
            0,
            "mnist_14k",
            "the lesson epochs has no exercises; those are for feature_maps, .*one_by_one",
        ),
        ("nothing", 2, 0, "mnist_14k", "there is no lesson 'nothing'; the lessons are overview"),
        ("pooling", 0, 0, "mnist_14k", "students must be from 1 to 200, got 0"),
        ("pooling", 201, 0, "mnist_14k", "students must be from 1 to 200, got 201"),
        ("pooling", 2, -1, "mnist_14k", "seed must be at least 0, got -1"),
        ("one_by_one", 2, 0, "mnist_maxpool", "mnist_maxpool has no 1×1 convolution; .* is mnist_14k"),
        ("batch_norm_and_dropout", 2, 0, "mnist_maxpool", "mnist_maxpool has no batch normalisation"),
    ],
)
def test_what_cannot_be_made_is_said(lesson, students, seed, model, said):
    with pytest.raises(ValueError, match=said):
        list(worksheets(lesson, students, seed, cnnviz.load_model(model)))
