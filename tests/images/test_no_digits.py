"""What is no digit is an image as a digit is, and the same at every call."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.no_digits import no_digits


def test_they_are_images_of_a_digit_s_size_that_nobody_can_change():
    found = no_digits()
    assert list(found) == ["a blank sheet", "noise", "a letter", "a face"]
    for image in found.values():
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            image[0, 0] = 1
    assert not found["a blank sheet"].any()
    assert len(np.unique(found["noise"])) > 200


@pytest.mark.parametrize("name", ["a letter", "a face"])
def test_drawings_are_prepared_as_a_digit_is(name):
    image = no_digits()[name]
    np.testing.assert_array_equal(prepare_digit(image), image)


def test_a_letter_is_symmetric_and_a_face_has_eyes_and_a_mouth():
    for name in ("a letter", "a face"):
        image = no_digits()[name].astype(int)
        inked = np.flatnonzero(image.any(axis=0))
        middle = image[:, inked[0] : inked[-1] + 1]
        assert np.abs(middle - middle[:, ::-1]).mean() < 20
    face = no_digits()["a face"]
    # From top to bottom through an eye: rim, eye, mouth, rim.
    column = face[:, 10] > 100
    assert (np.diff(column.astype(int)) == 1).sum() == 4
