"""The digit that all pages are about: one of the test set, or the learner's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import state

from cnnviz import load_mnist
from cnnviz.images.digit_text import digit_from_text, digit_to_text
from cnnviz.images.no_digits import no_digits
from cnnviz.stage.export import digit_code


def test_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test images and their labels; loaded once, and shared."""
    return load_mnist()[1]


@dataclass(frozen=True)
class Digit:
    """A test digit by its index, or, where `own` is not empty, the learner's by its text."""

    index: int
    own: str = ""

    @property
    def image(self) -> np.ndarray:
        """The pixels (28, 28), uint8, 255 is ink."""
        return digit_from_text(self.own) if self.own else test_digits()[0][self.index]

    @property
    def label(self) -> int | None:
        """What it is, if that is known."""
        return None if self.own else int(test_digits()[1][self.index])

    @property
    def name(self) -> str:
        """What to call it in a sentence: "test digit 7", "your digit", or what is no digit: "a face"."""
        if not self.own:
            return f"test digit {self.index:,}"
        return next((name for name, text in _no_digit_texts().items() if text == self.own), "your digit")

    @property
    def title(self) -> str:
        """The same to begin a line with."""
        return self.name.capitalize()

    @property
    def code(self) -> str:
        """A Python expression that gives the pixels, where cnnviz is imported."""
        return f'cnnviz.digit_from_text("{self.own}")' if self.own else digit_code(self.index)

    @property
    def exact_code(self) -> str:
        """The same, where it gives just these pixels; "" where they must be written out."""
        return self.code


@cache
def _no_digit_texts() -> dict[str, str]:
    return {name: digit_to_text(image) for name, image in no_digits().items()}


def is_own(text: str) -> bool:
    """Whether a text is empty, or a digit as `digit_to_text` writes it."""
    try:
        return not text or digit_from_text(text) is not None
    except ValueError:
        return False


def choose_own(text: str) -> None:
    """Make the learner's digit the one that all pages are about; "" goes back to the test digit."""
    state.put("own", text)


def choose_image(image: np.ndarray) -> None:
    """The same for a prepared image (28, 28)."""
    choose_own(digit_to_text(image))


def choose_shown(image: np.ndarray | str) -> None:
    """What the stage shows now: an image, or the name that it gives one (`Current.live_view`)."""
    if not isinstance(image, str):
        choose_image(image)
    elif image.isdecimal() and len(image) <= 5 and int(image) < len(test_digits()[0]):
        choose_test_digit(int(image))
    elif is_own(image):
        choose_own(image)


def choose_test_digit(index: int) -> None:
    """Make a digit of the test set the one that all pages are about."""
    choose_own("")
    state.put("digit", index)
