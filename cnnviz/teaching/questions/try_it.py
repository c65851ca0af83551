"""Questions about the learner's own digits: what the preparation takes away, and what a probability says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.images.digit_preparation import SIDE, prepare_digit
from cnnviz.network.mistakes import SURE, Mistake
from cnnviz.numbers import counted
from cnnviz.teaching.questions.question import Choice, Question, question

_ENLARGED, _PAD = 6, 16 * SIDE
"""How many times as large a digit is drawn on a pad, and how many pixels that has a side."""


def what_makes_no_difference(digit: np.ndarray) -> Question:
    """Which way to draw a digit differently is gone when it has been prepared.

    The digit is drawn large on a pad, and elsewhere, smaller, wider and turned; all are prepared.

    Parameters
    ----------
    digit
        (28, 28) uint8, prepared.

    Returns
    -------
    Question
        Its answer is the way that leaves all numbers that the network gets as they were.

    Raises
    ------
    ValueError
        for a digit without ink, or one that looks the same in all these ways.

    Examples
    --------
    >>> digit = np.zeros((28, 28), np.uint8); digit[4:24, 12:15] = 255
    >>> what_makes_no_difference(digit).answer.text
    'In a corner of the pad instead of its middle'
    """
    as_it_is = _prepared(digit)
    ways = [
        (
            "In a corner of the pad instead of its middle",
            _prepared(digit, corner=0),
            "The preparation finds the ink, scales its box to 20 pixels and puts its centre of mass in the "
            "middle. Where it was is gone before the network sees anything",
            "taking the pad for the network's input",
        ),
        (
            "Half as large",
            _prepared(digit, rows=_ENLARGED // 2, cols=_ENLARGED // 2),
            "Its box becomes 20 pixels all the same, but from fewer pixels, so that the greys at its edges "
            "come out a little different",
            "that nothing of the size is left",
        ),
        (
            "Twice as wide, and as high as it is",
            _prepared(digit, cols=2 * _ENLARGED),
            "Height and width are scaled alike, so that the longer one is 20 pixels. Proportions stay",
            "that the preparation takes all differences away",
        ),
        (
            "Turned by a quarter, to the left",
            _prepared(np.rot90(digit)),
            "Nothing turns it back",
            "that the preparation sets digits upright",
        ),
    ]
    choices = []
    for text, prepared, why, misconception in ways:
        changed = int((prepared != as_it_is).sum())
        counts = (
            f"{changed:,} of the {SIDE * SIDE} numbers are different"
            if changed != 1
            else "1 number is different"
        )
        said = f"{why}: {counts if changed else 'not one number is different'}."
        choices.append((changed, Choice(text, said, misconception if changed else "")))
    (_, right), *others = choices
    return question(
        "Suppose this digit had been drawn differently on the pad. Which of these makes no difference at all "
        f"to the {SIDE * SIDE} numbers that the network gets?",
        right,
        [choice for changed, choice in others if changed],
    )


def how_sure_it_was(mistakes: Sequence[Mistake], images: int) -> Question:
    """How many of its mistakes a network makes with a high probability.

    Parameters
    ----------
    mistakes
        From `cnnviz.network.mistakes.mistakes`.
    images
        How many images were looked at.

    Returns
    -------
    Question
        Its answer is how many have a best probability of at least `SURE`.

    Examples
    --------
    >>> one, two = Mistake(1, 4, ((9, 0.95), (4, 0.05))), Mistake(2, 3, ((5, 0.5), (3, 0.4)))
    >>> how_sure_it_was([one, two, two], 100).answer.text
    '1'
    """
    count, sure = len(mistakes), sum(mistake.sure for mistake in mistakes)
    second = sum(mistake.ranked[1][0] == mistake.label for mistake in mistakes)
    return question(
        f"This network gets {count:,} of {images:,} test digits wrong. For how many of those {count:,} did "
        f"it give its wrong answer a probability of {100 * SURE:.0f}\u00a0% or more?",
        Choice(
            f"{sure:,}",
            f"{counted(count - sure, 'mistake')} had less. Softmax makes positive numbers that sum to 1; "
            "nothing makes the largest of them small when an image is unlike all that the network was "
            "trained on. A low number is a warning, a high one is no proof.",
        ),
        [
            Choice(
                "0",
                "Then a high probability would prove the answer right. Look at the probabilities of the "
                "mistakes.",
                "that a sure network is a right one",
            ),
            Choice(
                f"{count:,}",
                f"{counted(count - sure, 'mistake')} had less. In {second} of the {count} the right class "
                "came second.",
                "that a network is sure of whatever it says",
            ),
            Choice(
                f"{count - sure:,}",
                f"So many were below {100 * SURE:.0f}\u00a0%.",
                "counting the unsure ones",
            ),
        ],
    )


def _prepared(
    digit: np.ndarray, *, rows: int = _ENLARGED, cols: int = _ENLARGED, corner: int = 2 * SIDE
) -> np.ndarray:
    """A digit drawn so many times as high and as wide on a blank pad, at (corner, corner), and prepared."""
    large = digit.repeat(rows, axis=0).repeat(cols, axis=1)
    pad = np.zeros((_PAD, _PAD), np.uint8)
    pad[corner : corner + large.shape[0], corner : corner + large.shape[1]] = large
    return prepare_digit(pad, ink="drawn")
