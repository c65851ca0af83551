"""Questions about the learner's own digits: what the preparation takes away, and what a probability says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.images.digit_preparation import SIDE, prepare_digit
from cnnviz.network.mistakes import SURE, Mistake
from cnnviz.teaching.questions.question import Choice, Question, question

_ENLARGED = 6


def where_it_is_drawn(digit: np.ndarray) -> Question:
    """What changes for the network when a digit is drawn elsewhere on the pad.

    The digit is drawn six times as large on two pads, in the middle and in the upper left corner, and
    both are prepared.

    Parameters
    ----------
    digit
        (28, 28) uint8, prepared.

    Returns
    -------
    Question
        Its answer is the number of pixels that differ.

    Examples
    --------
    >>> digit = np.zeros((28, 28), np.uint8); digit[4:24, 12:15] = 255
    >>> where_it_is_drawn(digit).answer.text
    '0'
    """
    pads = [_pad(digit, corner) for corner in (2 * SIDE, 0)]
    changed = int(np.not_equal(*(prepare_digit(pad, ink="drawn") for pad in pads)).sum())
    moved = np.zeros_like(digit)
    moved[:-4, :-4] = digit[4:, 4:]
    return question(
        "Suppose this digit had been drawn in the upper left corner of a larger pad instead of its middle. "
        f"How many of the {SIDE * SIDE} numbers that the network gets would be different?",
        Choice(
            f"{changed:,}",
            "The preparation finds the ink, scales its box to 20 pixels and puts its centre of mass in the "
            "middle. Where it was, and how large, is gone before the network sees anything.",
        ),
        [
            Choice(
                f"{int((moved != digit).sum()):,}",
                "So many would change if the 28 × 28 image itself were moved by four pixels. But the pad is "
                "not the image: it is prepared first.",
                "taking the pad for the network's input",
            ),
            Choice(
                f"{int((digit > 0).sum()):,}",
                "So many pixels hold ink. They would have to move if the network saw the pad as it is.",
                "that all ink moves and so all inked pixels change",
            ),
            Choice(
                f"{SIDE * SIDE:,}",
                "Even in an image that is not prepared, blank paper stays blank paper.",
                "that a moved picture is a wholly new one",
            ),
        ],
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
    return question(
        f"This network gets {count:,} of {images:,} test digits wrong. For how many of those {count:,} did "
        f"it give its wrong answer a probability of {100 * SURE:.0f}\u00a0% or more?",
        Choice(
            f"{sure:,}",
            f"The other {count - sure:,} were below. Softmax makes positive numbers that sum to 1; nothing "
            "makes the largest of them small when an image is unlike all that the network was trained on. A "
            "low number is a warning, a high one is no proof.",
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
                "Many of them were close: the second probability is often the right class.",
                "that a network is sure of whatever it says",
            ),
            Choice(
                f"{count - sure:,}",
                f"These are the ones that were below {100 * SURE:.0f}\u00a0%.",
                "counting the unsure ones",
            ),
        ],
    )


def _pad(digit: np.ndarray, corner: int) -> np.ndarray:
    """A digit drawn large on a blank pad, its upper left corner at (corner, corner)."""
    large = digit.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    pad = np.zeros((len(large) + 4 * SIDE,) * 2, np.uint8)
    pad[corner : corner + len(large), corner : corner + len(large)] = large
    return pad
