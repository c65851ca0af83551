"""The steps of a preparation: each follows from the one before it, and the last is the digit."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.images.digit_preparation import BOX, CENTRE, STROKE, Preparation, prepare_digit, prepare_in_steps
from cnnviz.images.mnist import load_mnist

IMAGES = load_mnist()[1][0]


def pad(width: int = 14) -> np.ndarray:
    """A seven as wide as tall, left of the middle."""
    image = np.zeros((168, 168), np.uint8)
    image[40 : 40 + width, 20:100] = 255
    image[40:120, 100 - width : 100] = 255
    return image


def assert_consistent(steps: Preparation) -> None:
    (top, bottom), (left, right) = steps.box
    rows, columns = bottom - top + 1, right - left + 1
    assert steps.ink[top : bottom + 1, left : right + 1].sum() == pytest.approx(steps.ink.sum(), rel=0.02)
    height, width = steps.scaled.shape
    assert max(height, width) in (BOX - 1, BOX)
    # A shorter side is rounded up to whole pixels; thickening adds as much to both sides.
    assert abs(height / width - rows / columns) < 0.35
    row, column = steps.corner
    placed = np.zeros((28, 28))
    placed[row : row + height, column : column + width] = steps.scaled
    np.testing.assert_array_equal(steps.digit, np.rint(255 * placed))
    assert max(abs(place - CENTRE) for place in steps.centre) <= 0.51


def test_a_drawing_step_by_step():
    steps = prepare_in_steps(pad())
    assert steps.box == ((40, 119), (20, 99))
    assert steps.given.shape == steps.ink.shape == (168, 168)
    assert (steps.inverted, steps.as_it_was) == (False, False)
    assert steps.scaled.shape == (20, 20)
    np.testing.assert_array_equal(steps.digit, prepare_digit(pad()))
    assert_consistent(steps)


@pytest.mark.parametrize("width", [4, 8, 14, 30])
def test_strokes_come_into_mnist_s_range(width):
    before, after = prepare_in_steps(pad(width)).stroke
    # A stroke of so many of the 80 pixels that become 20; corners count as a little wider.
    assert before == pytest.approx(width / 4, rel=0.3)
    assert after == np.clip(before, *STROKE)


def test_dark_on_light_is_the_same_digit_inverted():
    light, dark = prepare_in_steps(pad()), prepare_in_steps(255 - pad())
    assert (light.inverted, dark.inverted) == (False, True)
    np.testing.assert_array_equal(light.digit, dark.digit)
    assert_consistent(dark)


def test_an_mnist_digit_is_left_alone():
    for image in IMAGES[:20]:
        steps = prepare_in_steps(image)
        assert steps.as_it_was
        np.testing.assert_array_equal(steps.digit, image)
        assert_consistent(steps)


def test_colours_are_kept_to_be_shown_and_transparency_is_laid_on_paper():
    colour = np.stack([255 - pad(), 255 - pad(), np.full((168, 168), 255, np.uint8)], axis=-1)
    assert prepare_in_steps(colour).given.shape == (168, 168, 3)
    cut_out = np.dstack([np.zeros((168, 168, 3), np.uint8), pad()])
    steps = prepare_in_steps(cut_out)
    assert steps.given.shape == (168, 168, 3)
    np.testing.assert_allclose(steps.given[..., 0], 1 - pad() / 255, atol=1e-6)
    assert steps.inverted
    np.testing.assert_array_equal(steps.digit, prepare_digit(pad()))
