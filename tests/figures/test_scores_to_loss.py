"""Pictures of scores, loss and gradients draw the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import figures


def test_columns_are_as_tall_as_their_numbers():
    values = np.array([4.0, -2.0, 0.0, 1.0])
    heights = [bar.get_height() for bar in figures.class_columns(values)["columns"]]
    assert_allclose(np.divide(heights, heights[0]), np.abs(values) / 4)
    tiny = figures.class_columns(1e-7 * values, title="gradient")
    assert_allclose([bar.get_height() for bar in tiny["columns"]], heights)
    assert any("in units of 1e−07" in text.get_text() for text in tiny.ax.texts)
    assert "1: −2.00e−07" in tiny.alt


def test_of_many_classes_the_selected_one_and_the_largest_are_drawn():
    values = np.arange(1000.0) - 500
    picture = figures.class_columns(
        values, classes=[f"c{k}" for k in range(1000)], selected=500, title="logits"
    )
    assert len(picture["columns"]) == 10
    assert picture.alt.startswith("logits, 10 of the largest of 1,000 by class: c0: −500")
    assert "c500: 0" in picture.alt
    assert "c999: +499" in picture.alt
    assert "c900" not in picture.alt


def test_the_curve_is_minus_log_p():
    picture = figures.cross_entropy_curve(0.25)
    p, loss = picture["curve"].get_data()
    assert_allclose(np.exp(-loss), p, rtol=1e-12)
    assert_allclose(picture["point"].get_xydata(), [[0.25, np.log(4)]])
    beyond = figures.cross_entropy_curve(0.0)
    assert beyond["point"].get_marker() == "^"
    assert "it is inf" in beyond.alt


def test_pixels_and_gradient_are_drawn_as_they_are():
    image, gradient = np.eye(4), np.arange(16.0).reshape(4, 4) - 3
    picture = figures.pixel_gradient(image, gradient, after=image / 2)
    for name, values in (("image", image), ("gradient", gradient), ("after", image / 2)):
        assert_array_equal(picture[name].get_array(), values)
    assert picture["gradient"].norm.vmax == 12 == -picture["gradient"].norm.vmin
    assert "from −3.00 at row 0, column 0 to +12.0 at row 3, column 3" in picture.alt


def test_a_picture_in_colour_is_drawn_in_its_colours():
    image = np.random.default_rng(0).random((4, 5, 3))
    picture = figures.pixel_gradient(image, image[..., 0] - 0.5, after=1 - image)
    assert_array_equal(picture["image"].get_array()[..., :3], image)
    assert_array_equal(picture["after"].get_array()[..., :3], 1 - image)
    assert "of ink" not in picture.alt
    with pytest.raises(ValueError, match=r"image must be \(H, W\) or \(H, W, 3\)"):
        figures.pixel_gradient(image[..., :2], image[..., 0])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="finite"):
        figures.class_columns([np.inf, 1.0])
    with pytest.raises(ValueError, match="probability must be from 0 to 1, got 2"):
        figures.cross_entropy_curve(2)
    with pytest.raises(ValueError, match=r"image and gradient must both be \(H, W\)"):
        figures.pixel_gradient(np.eye(3), np.eye(4))
