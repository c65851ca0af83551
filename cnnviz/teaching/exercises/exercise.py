"""What an exercise is made of: numbers that are given, what is asked, and answers with their tolerance.

All numbers on a sheet are rounded first and computed with afterwards: the engine's answer is that of the
printed numbers. What a pupil's own rounding can add to it is derived, step by step, and is the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network import Network, Run
from cnnviz.numbers import minus

Numbers = float | str | tuple[Any, ...]
"""One number, a row of them, or rows; or a word."""


@dataclass(frozen=True)
class Given:
    """Numbers on a sheet.

    Parameters
    ----------
    name
        What a notebook calls them.
    words
        What the sheet calls them.
    value
        The numbers as they are printed: one, a row, or rows.
    decimals
        With how many decimals.
    heads
        What the columns are called, where there are several.
    """

    name: str
    words: str
    value: Numbers
    decimals: int = 0
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """One thing to be found: its words, and with how many decimals it is to be written."""

    words: str
    decimals: int = 0


@dataclass(frozen=True)
class Task:
    """What stands on a sheet: nothing in it tells the answers.

    Parameters
    ----------
    kind
        What is to be computed, in one word: a solver goes by it.
    title, text
        A heading, and what is to be done.
    given, asked
        The numbers, and what is to be found.
    """

    kind: str
    title: str
    text: str
    given: tuple[Given, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class Answer:
    """What is right, and how to grade what was found instead.

    Parameters
    ----------
    value
        What the engine computes from the numbers on the sheet.
    tolerance
        How far a right answer can be off, by the rounding that the sheet allows and by no more.
    grading
        Where the tolerance comes from, and what else to look at.
    mistakes
        Wrong numbers that tell what was mistaken, with the mistake.
    exact, spread
        The network's own number, where there is one, and how far the rounding of the sheet's numbers can
        take the answer from it.
    """

    value: float
    tolerance: float = 0.0
    grading: str = "A whole number: no other is right."
    mistakes: tuple[tuple[float, str], ...] = ()
    exact: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Exercise:
    """A task with its answers, one for each thing that is asked."""

    task: Task
    answers: tuple[Answer, ...]


@dataclass(frozen=True, eq=False)
class Material:
    """What the exercises of one sheet are about: a network's run on one test digit, and chance."""

    run: Run
    digit: int
    label: int
    chance: np.random.Generator

    @property
    def network(self) -> Network:
        return self.run.network  # type: ignore[return-value]

    def one_of(self, options: Sequence[Any]) -> Any:
        """Any of them, each as likely as the others."""
        return options[int(self.chance.integers(len(options)))]

    def some(self, low: int, high: int) -> int:
        """Any whole number from low to high."""
        return int(self.chance.integers(low, high + 1))

    def in_order(self, options: Sequence[Any]) -> list[Any]:
        """All of them, in any order."""
        return [options[int(place)] for place in self.chance.permutation(len(options))]

    def units(self, name: str, count: int = 400) -> list[tuple[int, ...]]:
        """So many cells of a layer's output, in any order: (row, column, channel)."""
        shape = self.run[name].shape[1:]
        places = self.chance.permutation(math.prod(shape))[:count]
        return [tuple(int(i) for i in np.unravel_index(place, shape)) for place in places]


def rounded(values: Any, decimals: int) -> np.ndarray:
    """Numbers as they are printed, in float64; zero has no sign."""
    return np.round(np.asarray(values, np.float64), decimals) + 0.0


def decimals_for(values: Any, digits: int, least: int = 1) -> int:
    """How many decimals give the largest of some numbers so many digits that say something; at least `least`.

    >>> decimals_for([0.83, 0.02], 2, 2), decimals_for([7.2], 1), decimals_for([0.04], 2)
    (2, 1, 3)
    """
    largest = float(np.abs(np.asarray(values, np.float64)).max(initial=0.0))
    return least if largest == 0 else max(least, digits - 1 - math.floor(math.log10(largest)))


def listed(values: np.ndarray) -> Numbers:
    """An array as a `Given` holds it."""
    return float(values) if values.ndim == 0 else tuple(listed(each) for each in values)


def written(value: float, decimals: int) -> str:
    """A number as a sheet prints it.

    >>> written(-0.5, 2), written(3.0, 0)
    ('−0.50', '3')
    """
    return minus(f"{value + 0.0:.{decimals}f}")


def half_a_unit(decimals: int) -> float:
    """How far rounding to so many decimals can take a number.

    >>> half_a_unit(2)
    0.005
    """
    return 0.5 / 10**decimals


def rounding_of_a_sum(terms: int, digits: int, decimals: int) -> tuple[float, str]:
    """How far a sum of products can be off where each product and the sum are rounded; and why, in words.

    `digits` is how many decimals a product has: where these are not more than those asked for, nothing is
    rounded.
    """
    if digits <= decimals:
        return 0.0, f"Nothing needs rounding: the products have {digits} decimals."
    off = (terms + 1) * half_a_unit(decimals)
    return off, (
        f"{terms} products other than 0, each rounded to {decimals} decimals, and the sum rounded too: "
        f"{terms + 1} times {half_a_unit(decimals):g}."
    )


def telling(mistakes: Iterable[tuple[float, str]], value: float, tolerance: float) -> tuple[Any, ...]:
    """The mistakes whose number is not taken for the right one."""
    return tuple((float(wrong), words) for wrong, words in mistakes if abs(wrong - value) > 2 * tolerance)
