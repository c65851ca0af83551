"""Two classes differ in colour alone, two in form alone."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.concepts.colour_shapes import BRIGHTNESS, CLASSES, colour_shapes, in_grey


def test_discs_are_equally_bright_and_the_others_of_one_colour():
    images, labels = colour_shapes(400, seed=3)
    middle = [np.median(_drawn(images[labels == k]), axis=0) for k in range(len(CLASSES))]
    brightness = [BRIGHTNESS @ colour for colour in middle]
    assert brightness[0] == pytest.approx(brightness[1], abs=0.01)
    assert np.abs(middle[0] - middle[1]).max() > 0.5
    np.testing.assert_allclose(middle[2], middle[3], atol=0.01)
    # In grey the discs' pixels are distributed alike, whatever a network makes of them.
    red, blue = (in_grey(images[labels == k]).ravel() for k in (0, 1))
    levels = np.linspace(0, 1, 11)
    assert np.abs(np.histogram(red, levels)[0] - np.histogram(blue, levels)[0]).sum() < 0.02 * len(red)


def _drawn(images: np.ndarray) -> np.ndarray:
    pixels = images.reshape(-1, 3)
    return pixels[pixels.min(axis=1) < 0.6]


def test_the_same_seed_gives_the_same_pictures_and_each_class_has_as_many():
    images, labels = colour_shapes(40, seed=5)
    np.testing.assert_array_equal(images, colour_shapes(40, seed=5)[0])
    assert np.bincount(labels).tolist() == [10] * len(CLASSES)
    assert images.dtype == np.float32
    with pytest.raises(ValueError, match="side must be at least 16"):
        colour_shapes(4, side=8)
