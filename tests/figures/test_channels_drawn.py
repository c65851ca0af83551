"""Figures of channels switched off, taken apart and excited: their artists hold the numbers given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import figures

RNG = np.random.default_rng(11)
PARTS = RNG.standard_normal((5, 6, 3)).astype("float32")
CHANCES = RNG.dirichlet(np.ones(4), 6)


def test_a_bar_is_as_long_as_what_is_left():
    picture = figures.channels_off(CHANCES[0], CHANCES[1:], silent=[2])
    best = CHANCES[0].argmax()
    lengths = np.array([bar.get_width() for bar in picture["bars"]])
    assert_allclose(lengths / lengths[0], CHANCES[1:, best] / CHANCES[1, best])
    line = picture["lines"][0].get_xdata()[0] - picture["bars"][0].get_x()
    assert line / lengths[0] == pytest.approx(CHANCES[0, best] / CHANCES[1, best])
    for channel, row in enumerate(CHANCES[1:]):
        told = picture.alt.lower().split(f"without channel {channel}: ")[1].split(";")[0]
        assert told.startswith(f"{100 * row[best]:.2f} %")
        assert (f"{row.argmax()} is predicted" in told) == (row.argmax() != best)


def test_parts_their_sum_and_the_value_share_one_scale():
    value = PARTS.sum(axis=2) + np.float32(0.5)
    picture = figures.sum_of_parts(PARTS, 0.5, value, cell=(2, 4))
    for k, image in enumerate(picture["parts"]):
        assert_array_equal(image.get_array(), PARTS[..., k])
    assert_array_equal(picture["total"].get_array(), PARTS.sum(axis=2, dtype=float) + 0.5)
    assert_array_equal(picture["value"].get_array(), value)
    ends = {image.norm.vmax for image in (*picture["parts"], picture["total"], picture["value"])}
    assert len(ends) == 1


def test_a_wrong_sum_is_told():
    right = figures.sum_of_parts(PARTS, 0.0, PARTS.sum(axis=2))
    wrong = figures.sum_of_parts(PARTS, 0.0, PARTS.sum(axis=2) + 1)
    assert "differ by 1.00 at most" in wrong.alt
    assert "differ by 1.00 at most" not in right.alt


def test_the_patch_is_what_the_box_holds():
    images = RNG.integers(0, 256, (2, 9, 9)).astype("uint8")
    picture = figures.exciting_digits(
        images,
        [((0, 2), (1, 4)), ((8, 8), (0, 8))],
        [2.5, 1.0],
        titles=["digit 3", "digit 1"],
        labels=["8", "0"],
    )
    assert_array_equal(picture["patches"][0].get_array(), images[0, :3, 1:5])
    assert_array_equal(picture["patches"][1].get_array(), images[1, 8:, :])
    assert "digit 3, an 8: 2.50, seen are rows 0 to 2 and columns 1 to 4" in picture.alt


def test_accuracies_are_a_second_curve():
    picture = figures.error_curve([1.0, 0.5, 0.0], 1, accuracies=[0.1, np.nan, 0.9])
    assert picture["accuracies"] is None
    picture = figures.error_curve([1.0, 0.5, 0.0], 2, accuracies=[0.1, np.nan, 0.9])
    assert_array_equal(picture["accuracies"].get_ydata(), [0.1, np.nan, 0.9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.channels_off([0.5, 0.5], [[1.0]]), r"without must be \(C, 2\), .*\(1, 1\)"),
        (lambda: figures.channels_off([0.5, 0.5], [[2.0, -1.0]]), "must be probabilities, from 0 to 1"),
        (lambda: figures.sum_of_parts(PARTS, 0, PARTS), r"value must be \(5, 6\) with a label for each of 3"),
        (
            lambda: figures.exciting_digits(np.ones((1, 4, 4)), [((0, 4), (0, 1))], [1.0], titles=["a"]),
            "boxes must lie on 4 by 4 pixels, got",
        ),
        (lambda: figures.exciting_digits(np.ones((1, 4, 4)), [], [1.0], titles=["a"]), "with a box, value"),
        (lambda: figures.error_curve([1.0, 0.5], 1, accuracies=[1.0]), "one for each of 2 errors"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
