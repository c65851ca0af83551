"""Questions about sharing: one right choice each, held against moved digits and larger networks."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from cnnviz.concepts.translation import compare_shift
from cnnviz.teaching.questions.why_convolution import how_far_a_map_moves, weights_for_larger_images
from harness.networks import conv, image

DIGIT = cnnviz.load_mnist()[1][0][2]


@pytest.mark.parametrize("pixels", [1, 4, 6])
@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_maps_move_as_they_do(model, pixels):
    net = cnnviz.load_model(model)
    for name, maps in compare_shift(net, DIGIT, pixels, 0).items():
        if maps.before.shape[0] <= maps.moved[0]:
            with pytest.raises(ValueError, match="layer must have maps of more than"):
                how_far_a_map_moves(net, name, pixels)
            continue
        asked = how_far_a_map_moves(net, name, pixels)
        assert float(asked.answer.text.split()[0]) == float(maps.moved[0])
        assert [choice.right for choice in asked.choices].count(True) == 1
        assert len(asked.choices) > 2


def test_vectors_have_no_cells_that_move():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="layer must have maps"):
        how_far_a_map_moves(net, "softmax")


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_larger_image_needs_the_same_weights(model, times):
    for one in cnnviz.load_model(model):
        if one.kind != "Conv2D":
            continue
        asked = weights_for_larger_images(one, times)
        rows, cols, deep = one.input_shape
        size, filters = one.config["kernel_size"][0], one.output_shape[2]
        larger = Network([image(times * rows, times * cols, deep), conv("one", "image", deep, filters, size)])
        assert asked.answer.text == f"{larger['one'].weights['kernel'].size:,}"
        assert [choice.right for choice in asked.choices].count(True) == 1
        dense = np.prod(larger["one"].input_shape) * np.prod(larger["one"].output_shape)
        assert f"{dense:,}" in [choice.text for choice in asked.choices]


def test_only_convolutions_are_asked_about():
    with pytest.raises(ValueError, match="layer must be a Conv2D"):
        weights_for_larger_images(cnnviz.load_model("mnist_maxpool")["dense"])
