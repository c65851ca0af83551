"""Questions about 1x1 convolutions: one answer is right, and another road leads to it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnnviz import Layer, Network, load_mnist, load_model
from cnnviz.teaching.questions import one_by_one as questions


def number(text: str) -> int:
    return int(re.match(r"[\d,]+", text)[0].replace(",", ""))


def mixing(channels_in: int, channels_out: int, rows: int, cols: int, bias: bool = True) -> Layer:
    rng = np.random.default_rng(channels_in * 100 + channels_out)
    weights = {"kernel": rng.standard_normal((1, 1, channels_in, channels_out)).astype("float32")}
    if bias:
        weights["bias"] = rng.standard_normal(channels_out).astype("float32")
    config = {"filters": channels_out, "kernel_size": 1, "use_bias": bias}
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, rows, cols, channels_in)})
    return Network([image, Layer.from_config("mix", "Conv2D", config, weights=weights, inputs=("image",))])[
        "mix"
    ]


SHAPES = [
    (16, 10, 24, 24, True),
    (1, 1, 5, 4, True),
    (3, 3, 2, 2, False),
    (4, 9, 6, 7, False),
    (2, 1, 3, 3, True),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("corner", [True, False])
def test_what_changes_is_one_number_a_map(shape, corner):
    layer = mixing(*shape)
    x = np.random.default_rng(0).random((shape[2], shape[3], shape[0]))
    row, col = (0, 0) if corner else (shape[2] // 2, shape[3] // 2)
    found = questions.numbers_that_change(layer, x, row, col)
    assert number(found.answer.text) == shape[1]
    assert len(found.choices) >= 3
    assert sum(choice.right for choice in found.choices) == 1


def test_it_holds_on_the_networks_own_activations():
    net = load_model("mnist_14k")
    run = net.run(load_mnist()[1][0][:1])
    x, layer = run.inputs("conv2d_2")[0][0], net["conv2d_2"]
    for row, col in [(0, 0), (12, 9), (23, 23)]:
        found = questions.numbers_that_change(layer, x, row, col)

        def grow(maps, row=row, col=col):
            maps[0, row, col] += 1
            return maps

        changed = net.run(run.input, edits={net["conv2d_2"].inputs[0]: grow})
        differs = changed.pre_activation("conv2d_2") != run.pre_activation("conv2d_2")
        assert number(found.answer.text) == differs.sum() == 10
        near = {number(c.text) for c in found.choices if "neighbouring" in c.misconception}
        assert near == {40 if (row, col) != (12, 9) else 90}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_on_larger_maps_has_that_many_parameters(shape):
    channels_in, channels_out, rows, cols, bias = shape
    found = questions.weights_on_larger_maps(mixing(*shape))
    assert number(found.answer.text) == mixing(channels_in, channels_out, 2 * rows, 2 * cols, bias).params
    assert len(found.choices) >= 3


@pytest.mark.parametrize(
    ("side", "channels", "filters"), [(14, 256, 64), (2, 8, 8), (7, 3, 100), (512, 1, 2)]
)
def test_the_shape_is_the_networks(side, channels, filters):
    found = questions.shape_that_comes_out(side, channels, filters)
    layer = mixing(channels, filters, side, side)
    assert found.answer.text == " × ".join(map(str, layer.output_shape))
    assert len(found.choices) >= 2 + (filters != channels)


def test_maps_of_one_pixel_are_no_question():
    with pytest.raises(ValueError, match="side must be at least 2, got 1"):
        questions.shape_that_comes_out(1, 4, 2)


@pytest.mark.parametrize(
    ("rows", "cols", "planes"), [(96, 82, 3), (2, 2, 1), (1, 3, 3), (1, 1, 1), (1, 9, 3), (3, 9, 3)]
)
def test_a_picture_takes_a_weight_a_plane(rows, cols, planes):
    found = questions.weights_for_planes(rows, cols, planes)
    assert number(found.answer.text) == planes
    assert sum(choice.right for choice in found.choices) == 1
    assert len({choice.text for choice in found.choices}) == len(found.choices)
