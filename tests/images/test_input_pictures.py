"""What is drawn of a network's input is the picture that it came from; what was done is said."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.colours import INK, Scale
from cnnviz.images.input_pictures import input_picture
from cnnviz.images.loading import load_as
from cnnviz.images.preprocessing import MODES, preprocess

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (7, 5, 3)).astype(np.uint8)
PIXELS[0, 0], PIXELS[0, 1] = 0, 255


@pytest.mark.parametrize("mode", MODES)
def test_preprocessing_is_undone(mode):
    x = preprocess(PIXELS, mode)
    picture = input_picture(x, mode)
    np.testing.assert_array_equal(np.rint(255 * picture.of(x)), PIXELS)
    assert picture.planes == (("blue", "green", "red") if mode == "caffe" else ("red", "green", "blue"))
    assert (mode in picture.said) == (mode in ("tf", "caffe", "torch"))
    for channel, plane in enumerate(picture.planes):
        share = picture.share(x[3, 2, channel], channel)
        assert round(255 * share) == PIXELS[3, 2, ("red", "green", "blue").index(plane)]


@pytest.mark.parametrize("mode", ["unit", "tf", "caffe", "torch", "none"])
def test_a_loaded_image_says_itself_how_it_was_prepared(mode):
    x = load_as(PIXELS, PIXELS.shape, mode)
    np.testing.assert_array_equal(np.rint(255 * input_picture(x).of(x)), PIXELS)


@pytest.mark.parametrize("mode", ["unit", "tf", "none"])
def test_the_range_tells_the_plain_scales(mode):
    x = preprocess(PIXELS, mode)
    np.testing.assert_array_equal(np.rint(255 * input_picture(x).of(x)), PIXELS)


@pytest.mark.parametrize("mode", ["tf", "caffe", "torch"])
def test_numbers_that_no_picture_becomes_by_the_mode_are_drawn_by_their_range(mode):
    x = 300 * RNG.standard_normal((7, 5, 3))
    picture = input_picture(x, mode)
    np.testing.assert_allclose(picture.of(x), (x - x.min()) / np.ptp(x), atol=1e-12)
    assert picture.said.startswith("drawn from -")


def test_grey_pixels_are_drawn_as_they_are():
    for pixels, scale in ((PIXELS[:, :, 0], Scale("ink", 255.0)), (PIXELS[:, :, :1] / 255, INK)):
        drawn, found = input_picture(pixels).drawn(pixels)
        np.testing.assert_array_equal(drawn, pixels.reshape(7, 5))
        assert found == scale
    x = PIXELS[:, :, 0] / 127.5 - 1
    drawn, found = input_picture(x).drawn(x)
    np.testing.assert_array_equal(np.rint(255 * drawn), PIXELS[:, :, 0])
    assert found == INK


def test_what_is_no_range_is_no_error():
    assert (
        input_picture(np.full((2, 2, 3), -3.0)).of(np.full((2, 2, 3), -3.0)).tolist() == [[[0.5] * 3] * 2] * 2
    )
    values = np.array([[np.nan, 0.5], [np.inf, 0.25]])
    assert np.isnan(input_picture(values).of(values)[0, 0])
    assert input_picture(np.ones((2, 2), bool)).of(np.ones((2, 2), bool)).min() == 1
    for bad in (np.ones(3), np.ones((2, 2, 4)), np.ones((0, 2, 3))):
        with pytest.raises(ValueError, match=r"pixels must be \(H, W\)"):
            input_picture(bad)
    with pytest.raises(ValueError, match="got 'imagenet'"):
        input_picture(PIXELS, "imagenet")
