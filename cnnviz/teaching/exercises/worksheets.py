"""The worksheets of a class: for each student another digit and other numbers, and no two keys alike."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network
from cnnviz.teaching.exercises import counting, single_numbers, weighted_sums
from cnnviz.teaching.exercises.exercise import Answer, Exercise, Material, Task
from cnnviz.teaching.lessons import Lesson, lesson_named

MOST_STUDENTS = 200
TRIES = 50
"""How often a sheet is drawn anew, because another has its answers or its digit does not suit."""

Maker = Callable[[Material], Exercise]

EXERCISES: dict[str, tuple[Maker, ...]] = {
    "feature_maps": (weighted_sums.sum_of_channels, weighted_sums.cell_by_hand),
    "receptive_field": (counting.field_of_a_unit, counting.size_after_a_convolution),
    "convolution": (weighted_sums.cell_by_hand, counting.size_after_a_convolution),
    "kernels": (weighted_sums.named_kernel_by_hand, weighted_sums.named_kernel_by_hand),
    "three_by_three": (counting.stack_of_small_kernels, counting.field_of_a_unit),
    "one_by_one": (weighted_sums.pixel_by_hand, counting.weights_of_a_mixing),
    "pooling": (single_numbers.window_by_hand, counting.size_after_pooling),
    "activation_functions": (single_numbers.activations_by_hand, weighted_sums.cell_by_hand),
    "batch_norm_and_dropout": (single_numbers.normalised_by_hand, single_numbers.normalised_by_hand),
    "why_convolution": (counting.shared_weights, weighted_sums.cell_by_hand),
    "scores_to_loss": (single_numbers.softmax_by_hand,),
}
"""What is asked, by the names of the lessons that have exercises."""

SUITS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"scores_to_loss": single_numbers.in_doubt}
"""Lessons whose exercises suit some digits only: which, by the network's probabilities and the labels."""

CHUNK = 500
"""Digits that are looked at together, where not all suit."""


@dataclass(frozen=True, eq=False)
class Worksheet:
    """One student's sheet: what is printed on it, and, apart from that, the answers.

    Parameters
    ----------
    lesson
        What it is about.
    number
        Of the student, from 1.
    model, digit, image
        The network's name, the test digit's index, and its pixels (28, 28).
    tasks
        What stands on the sheet.
    answers
        Of each task, in order.
    """

    lesson: Lesson
    number: int
    model: str
    digit: int
    image: np.ndarray
    tasks: tuple[Task, ...]
    answers: tuple[tuple[Answer, ...], ...]


def worksheets(lesson: str, students: int, seed: int, network: Network) -> Iterator[Worksheet]:
    """The sheets of a class, one a student.

    The first sheets are the same however many there are.

    Parameters
    ----------
    lesson
        The name of one that has exercises.
    students
        How many, 1 to 200.
    seed
        A whole number, at least 0: the same gives the same sheets.
    network
        One that reads digits of 28 x 28 pixels.

    Raises
    ------
    ValueError
        for a lesson without exercises, a number out of range, and a network that lacks what is asked about.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> first, second = worksheets("pooling", 2, 7, load_model("mnist_14k"))
    >>> first.tasks[0].title, first.digit != second.digit
    ('One window, pooled', True)
    """
    about = with_exercises(lesson)
    if not 1 <= students <= MOST_STUDENTS:
        raise ValueError(f"students must be from 1 to {MOST_STUDENTS}, got {students}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    images, labels = load_mnist()[1]
    start = [seed, zlib.crc32(about.name.encode())]
    digits = _digits(about.name, network, start)
    seen: set[tuple[float, ...]] = set()
    for number in range(1, students + 1):
        for attempt in range(TRIES):
            digit = next(digits, None)
            if digit is None:
                raise ValueError(
                    f"{network.name} has too few test digits that suit {about.name}: fewer students"
                )
            chance = np.random.default_rng([*start, number, attempt])
            material = Material(network.run(images[digit]), digit, int(labels[digit]), chance)
            try:
                made = [make(material) for make in EXERCISES[about.name]]
            except ValueError:
                if attempt == TRIES - 1:
                    raise
                continue
            key = tuple(answer.value for exercise in made for answer in exercise.answers)
            if key not in seen:
                break
        else:
            raise ValueError(f"there are not {students} different sheets for {about.name}")
        seen.add(key)
        yield Worksheet(
            about,
            number,
            network.name,
            digit,
            images[digit],
            tuple(exercise.task for exercise in made),
            tuple(exercise.answers for exercise in made),
        )


def with_exercises(lesson: str) -> Lesson:
    """The lesson of that name, if it has exercises.

    >>> with_exercises("one-by-one").title
    '1×1'

    Raises ValueError for another name, which says which there are.
    """
    found = lesson_named(lesson)
    if found.name not in EXERCISES:
        raise ValueError(f"the lesson {found.name} has no exercises; those are for {', '.join(EXERCISES)}")
    return found


def _digits(lesson: str, network: Network, seed: list[int]) -> Iterator[int]:
    """Test digits that suit a lesson, in the class's order."""
    images, labels = load_mnist()[1]
    order = np.random.default_rng(seed).permutation(len(images))
    suits = SUITS.get(lesson)
    if suits is None:
        yield from order.tolist()
        return
    for first in range(0, len(order), CHUNK):
        some = order[first : first + CHUNK]
        yield from some[suits(network.predict(images[some]), labels[some])].tolist()
