"""load_image and load_images: what a network wants, and the words for it."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from cnnviz.images.preprocessing import MODES, preprocess
from cnnviz.network.image_loading import load_image, load_images
from harness.networks import conv, image, layer

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def mobile() -> Network:
    return Network([image(32, 24, 3), conv("Conv1", "image", 3, 2)], name="mobilenetv2_1.00_32")


def test_it_is_what_the_network_wants_and_says_why():
    net = mobile()
    loaded = cnnviz.load_image(PIXELS, like=net)
    assert loaded.shape == net.input_shape
    assert loaded.said.endswith(
        "because the model called mobilenetv2_1.00_32 is MobileNetV2, which Keras trains so"
    )
    np.testing.assert_array_equal(loaded, preprocess(loaded.pixels, "tf"))
    np.testing.assert_array_equal(net.predict(loaded), net.predict(loaded.pixels))
    np.testing.assert_array_equal(net.run(loaded).input[0], loaded)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "digit"])
def test_a_mode_that_is_said_is_taken(mode):
    loaded = load_image(PIXELS, mobile(), mode)
    np.testing.assert_array_equal(loaded, preprocess(loaded.pixels, mode))
    assert loaded.said.endswith(MODES[mode])


def test_a_digit_for_a_bundled_network():
    net = cnnviz.load_model("mnist_maxpool")
    (x, _) = cnnviz.load_mnist()[1]
    # Ink on paper, eight times as large.
    paper = np.kron(255 - x[7].astype(int), np.ones((8, 8), int)).astype(np.uint8)
    loaded = load_image(paper, like=net)
    assert loaded.mode == "digit"
    assert net.predict(loaded).argmax() == net.predict(x[7]).argmax() == 9


def test_many_images_are_as_one_by_one():
    net = mobile()
    images = load_images([PIXELS, PIXELS[::-1], PIXELS[:, ::-1]], like=net, limit=2)
    assert len(images) == 2
    np.testing.assert_array_equal(images[1], load_image(PIXELS[:, ::-1], like=net))
    (batch,) = images.batches()
    np.testing.assert_array_equal(batch.images, [images[0], images[1]])
    assert images.said.startswith(
        "a list; 2 of them taken, evenly spread; the first: an array of 50 x 40 pixels"
    )


def test_several_inputs():
    net = Network(
        [
            image(8, 8, 3, name="left"),
            image(6, 6, 1, name="right"),
            layer("scaled", "Rescaling", "left", scale=1 / 255),
            conv("a", "scaled", 3, 2),
            conv("b", "right", 1, 2, size=1),
            layer("sum", "Add", "a", "b"),
        ]
    )
    left, right = load_image(PIXELS, net, input="left"), load_image(PIXELS, net, "unit", input="right")
    assert (left.mode, left.shape, right.shape) == ("none", (8, 8, 3), (6, 6, 1))
    assert net.predict([left, right]).shape == (1, 6, 6, 2)
    with pytest.raises(ValueError, match="input must be one of network's inputs, left, right, got None"):
        load_image(PIXELS, net)


def test_a_shape_in_place_of_a_network():
    assert load_image(PIXELS, (10, 10, 1), "tf").shape == (10, 10, 1)
    with pytest.raises(ValueError, match="'auto' asks a network: give like=net, or say which mode"):
        load_image(PIXELS, (10, 10, 1))
    with pytest.raises(ValueError, match=r"preprocess must be 'auto', 'unit'.* got 'keras'"):
        load_image(PIXELS, mobile(), "keras")


def test_a_network_without_pictures():
    with pytest.raises(ValueError, match=r"a picture fits an input \(height, width\).* not \(10,\)"):
        load_image(PIXELS, Network([image(10), layer("same", "Identity", "image")]))
