"""Which tone is ink: borders, tables, shadows and ruled paper do not turn a digit inside out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import cnnviz
from cnnviz.images.digit_preparation import prepare_digit, prepare_in_steps
from cnnviz.images.image_files import ImageError
from tests.harness.digit_styles import STYLES, TUNING, picture, specimens, write
from tests.harness.odd_pictures import columns_and_dots, odd_picture

THOROUGH = settings.get_current_profile_name() == "thorough"
IMAGES, LABELS = specimens(10, TUNING, 1000)
EMPTY_IS_A_MARK = {"staple"}
"""An empty sheet of these styles bears a mark that could be a digit's stroke."""


@pytest.mark.parametrize("style", STYLES)
def test_digits_are_read_in_every_style(style):
    """A sample; `python -m tests.benchmarks.digit_styles` reads fifty of each."""
    n = list(STYLES).index(style) % 10
    digit = prepare_digit(picture(IMAGES[n], style, 1000 + n))
    assert cnnviz.load_model("mnist_14k").predict(digit[None]).argmax() == LABELS[n]


@pytest.mark.parametrize(
    "style", [style for style in STYLES if style not in EMPTY_IS_A_MARK][:: 1 if THOROUGH else 3]
)
def test_an_empty_sheet_is_no_digit(style):
    with pytest.raises(ImageError, match="no digit was found"):
        prepare_digit(picture(None, style, 7))


def test_a_small_soft_digit_is_read_light_on_black():
    """MNIST's own look, enlarged: the soft edges of its light strokes are no light that falls on paper."""
    net = cnnviz.load_model("mnist_14k")
    for image, label in zip(IMAGES, LABELS, strict=True):
        large = np.asarray(Image.fromarray(image).resize((60, 60), Image.Resampling.BICUBIC)) / 255
        for paper, pen in ((0.0, 0.92), (0.04, 1.0), (1.0, 0.08)):
            page = write(np.full((120, 120), paper), np.pad(large, 30), pen)
            assert net.predict(prepare_digit(page)[None]).argmax() == label, (label, paper)


def a_seven(tone: float = 0.0, paper: float = 1.0) -> np.ndarray:
    image = np.full((120, 100), paper)
    image[30:40, 30:70] = image[30:95, 60:70] = tone
    return image


def test_the_reading_can_be_asked_for():
    seven = a_seven()
    steps = prepare_in_steps(seven)
    assert steps.inverted
    np.testing.assert_array_equal(prepare_digit(seven, ink="dark"), steps.digit)
    with pytest.raises(ImageError, match="no digit was found"):
        prepare_digit(seven, ink="light")
    with pytest.raises(ValueError, match="ink must be one of auto, dark, light, drawn, got 'blue'"):
        prepare_digit(seven, ink="blue")


def test_a_crop_leaves_out_the_rest():
    page = np.hstack([a_seven().T[::-1], np.ones((100, 20)), np.pad(a_seven(), ((0, 0), (0, 0)))[:100]])
    half = ((0.0, 1.0), (140 / 240, 1.0))
    np.testing.assert_array_equal(prepare_digit(page, crop=half), prepare_digit(page[:, 140:]))
    for crop in (((0.5, 0.5), (0, 1)), ((0, 1), (0, 1.5)), ((0, float("nan")), (0, 1))):
        with pytest.raises(ValueError, match=r"crop must be \(\(top, bottom\), \(left, right\)\)"):
            prepare_digit(page, crop=crop)


def test_the_sheet_that_was_found_is_told():
    framed = np.pad(a_seven(), 12)
    sheet = prepare_in_steps(framed).sheet
    assert sheet is not None
    assert not sheet[:10].any()
    assert sheet[40:100, 40:80].all()
    assert prepare_in_steps(a_seven()).sheet is None


def test_what_leaves_nothing_says_so():
    image = columns_and_dots()
    for ink in ("auto", "dark", "light"):
        with pytest.raises(ImageError, match="no digit was found"):
            prepare_digit(image, ink=ink)
    # On a pad all of it is ink: what runs along the edge is dropped, and of the rest nothing is a speck.
    assert prepare_digit(1 - image, ink="drawn").any()


def test_whatever_the_picture_it_is_a_digit_or_there_is_said_to_be_none():
    count = 6000 if THOROUGH else 300
    none = 0
    for seed in range(count):
        try:
            assert prepare_digit(odd_picture(seed)).max() == 255
        except ImageError:
            none += 1
    assert count / 10 < none < count
