"""A question with several choices, made from numbers that the engine computed.

Every wrong choice is a mistake with a name, and says what is mistaken about it. Who asks (a page, a
notebook, a terminal) shows the choices and the words; nothing here draws.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from cnnviz.resources import one_line


@dataclass(frozen=True)
class Choice:
    """One answer: its text, why it is right or what is mistaken, and the mistake's name ("" if right)."""

    text: str
    why: str
    misconception: str = ""

    @property
    def right(self) -> bool:
        return not self.misconception


@dataclass(frozen=True)
class Question:
    """A prompt and its choices, of which exactly one is right; printing it asks it.

    >>> q = question("Is 0 even?", Choice("yes", "0 = 2 * 0"), [Choice("no", "2 divides 0", "0 is special")])
    >>> print(q)
    Is 0 even?
      a) yes
      b) no
    >>> q.check("a").right, q.answer.why
    (True, '0 = 2 * 0')
    """

    prompt: str
    choices: tuple[Choice, ...]

    @property
    def answer(self) -> Choice:
        """The right choice."""
        return next(choice for choice in self.choices if choice.right)

    def check(self, letter: str) -> Choice:
        """The choice with that letter; ValueError if there is none."""
        letters = ascii_lowercase[: len(self.choices)]
        if len(letter) != 1 or letter not in letters:
            raise ValueError(f"letter must be one of {', '.join(letters)}, got {letter!r}")
        return self.choices[letters.index(letter)]

    def with_answer(self) -> str:
        """The question as it prints, with its right answer below."""
        return f"{self}\n{one_line(f'  -> {self.answer.text}: {self.answer.why}')}"

    def __str__(self) -> str:
        lines = [
            f"  {letter}) {choice.text}"
            for letter, choice in zip(ascii_lowercase, self.choices, strict=False)
        ]
        return "\n".join(map(one_line, [*self.prompt.split("\n"), *lines]))


class NothingToAsk(ValueError):
    """What is asked about leaves no wrong answer, as a network may whose numbers are all 0."""


def question(prompt: str, right: Choice, wrong: Iterable[Choice], *, most: int = 4) -> Question:
    """A question whose wrong choices are those that differ from the right one, and from each other.

    Parameters
    ----------
    prompt
        What is asked, with the numbers that it is about.
    right, wrong
        The right choice, and wrong ones, the likeliest first. One whose text is the right answer's, as
        may happen with numbers, is left out, and so is one that says the same as an earlier one.
    most
        The most choices to offer.

    Returns
    -------
    Question
        Choices in order of their numbers if each begins with one, else in an order that depends on
        nothing but their words.

    Raises
    ------
    ValueError
        If the right choice has a misconception, or a wrong one has none; `NothingToAsk` if no wrong one is
        left.
    """
    if not right.right:
        raise ValueError(f"right must be a choice without misconception, got {right.misconception!r}")
    kept = {right.text: right}
    for choice in wrong:
        if choice.right:
            raise ValueError(f"wrong must name each choice's misconception, {choice.text!r} has none")
        if len(kept) < most:
            kept.setdefault(choice.text, choice)
    if len(kept) == 1:
        raise NothingToAsk(f"wrong must have a choice other than the right one, {right.text!r}")
    return Question(prompt, tuple(sorted(kept.values(), key=_place(kept))))


def choice_by(write: Callable[[Any], str]) -> Callable[..., Choice]:
    """A `Choice` by its value, which `write` writes: for questions whose answers are all of one kind."""

    def choice(value: Any, why: str, misconception: str = "") -> Choice:
        return Choice(write(value), why, misconception)

    return choice


def square(cells: int) -> str:
    """The size of a kernel or field that is as high as wide: "3 × 3"."""
    return f"{cells} × {cells}"


def _place(texts: Iterable[str]):
    """The order of choices: by number where all have one in front, else shuffled by their words."""
    numbers = {text: _number(text) for text in texts}
    if None not in numbers.values():
        return lambda choice: (numbers[choice.text], choice.text)
    return lambda choice: hashlib.blake2b(choice.text.encode()).digest()


def _number(text: str) -> float | None:
    first = re.match(r"[+−-]?[\d,]*\.?\d+(?:e[+−-]?\d+)?", text)
    return float(first[0].replace(",", "").replace("−", "-")) if first else None
