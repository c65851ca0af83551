"""The modes of preprocessing, against every `preprocess_input` of keras.applications."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from cnnviz.images.preprocessing import COLOUR_MODES, MODES, check_mode, preprocess
from harness.authority import keras

MODULES = {
    name: module
    for name, module in vars(keras.applications).items()
    if isinstance(module, ModuleType) and hasattr(module, "preprocess_input")
}
"""Of `resnet` and `resnet50`, for example, one has what the other has."""

IN_MODE = {
    "caffe": {"resnet", "resnet50", "vgg16", "vgg19"},
    "torch": {"densenet"},
    "none": {"convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"},
    "tf": {
        *("inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "nasnet"),
        *("resnet_v2", "xception", "imagenet_utils"),
    },
}


def modes(name: str) -> list[str]:
    return [mode for mode, names in IN_MODE.items() if name in names]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_mode_is_keras_preprocess_input_to_the_bit(name):
    (mode,) = modes(name) or ["caffe"]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    options = {"mode": mode} if name == "imagenet_utils" else {}
    theirs = MODULES[name].preprocess_input(pixels.astype(np.float32), **options)
    np.testing.assert_array_equal(preprocess(pixels, mode), theirs)
    np.testing.assert_array_equal(preprocess(pixels[0], mode), theirs[0])


def test_every_application_is_in_one_mode():
    assert len(MODULES) >= 13
    assert {name: len(modes(name)) for name in MODULES} == dict.fromkeys(MODULES, 1)


def test_the_two_modes_that_keras_does_with_a_layer():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    # 1/255 and the product round once more than a division: a unit of roundoff each.
    np.testing.assert_allclose(preprocess(pixels, "unit"), scaled, rtol=2 * 2.0**-24 * 1.001)
    np.testing.assert_array_equal(preprocess(pixels, "none"), pixels)


@pytest.mark.parametrize("mode", MODES)
def test_pixels_stay_and_the_dtype_is_as_wanted(mode):
    pixels = np.full((2, 2, 3), 100.0)
    for dtype in (np.float32, np.float64):
        assert preprocess(pixels, mode, dtype).dtype == dtype
    assert (pixels == 100).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"preprocess must be 'auto', 'unit', .* got 'imagenet'"):
        check_mode("imagenet")
    for mode in COLOUR_MODES:
        with pytest.raises(
            ValueError, match=r"takes three channels, red, green, blue: got shape \(8, 8, 1\)"
        ):
            preprocess(np.zeros((8, 8, 1)), mode)
