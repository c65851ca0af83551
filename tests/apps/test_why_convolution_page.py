"""The page on why convolution: errors layer by layer, the prediction, the matrix and the counts."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, drawn
from cnnviz.concepts.translation import compare_shift, padded_with_zeros
from cnnviz.concepts.weight_sharing import connections
from cnnviz.images.digit_text import digit_to_text
from cnnviz.numbers import percent


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (-1, -4), (-8, 8)])
def test_every_layers_error_is_the_librarys(visit, model, rows, columns):
    at = visit("why_convolution", model=model, digit=6, rows=rows, columns=columns)
    found = compare_shift(cnnviz.load_model(model), cnnviz.load_mnist()[1][0][6], rows, columns)
    bars = drawn(at, "bars")["alt"]
    for name, maps in found.items():
        if not name.startswith("dropout"):
            words = "no cell left" if maps.error is None else percent(maps.error, 1)
            assert f"{name}: {words}" in bars
    words = " ".join(markdown.value for markdown in at.markdown)
    after = found.after.output[0]
    assert f"says {after.argmax()}." in words


def test_half_cells_are_said(visit):
    at = visit("why_convolution", layer="max_pooling2d", columns=3)
    assert (
        "The move is 0 down and 1.5 right in cells of this layer, which is no whole number"
        in (drawn(at, "moved-maps")["caption"])
    )
    at = visit("why_convolution", layer="max_pooling2d", columns=-2)
    caption = drawn(at, "moved-maps")["caption"]
    assert "0 down and −1 right in cells of this layer. Error over the cells that stay: 0.0 %." in caption


def test_nothing_left_to_compare(visit):
    at = visit("why_convolution", layer="conv2d_7", rows=8)
    assert not at.exception
    assert "Nothing of the map is left to compare." in drawn(at, "moved-maps")["caption"]


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_padded_with_zeros_the_border_shows(visit, model):
    at = visit("why_convolution", model=model, digit=2, padded=1, layer="conv2d_1", rows=4, columns=0)
    padded = padded_with_zeros(cnnviz.load_model(model))
    maps = compare_shift(padded, cnnviz.load_mnist()[1][0][2], 4, 0)["conv2d_1"]
    caption = drawn(at, "moved-maps")["caption"]
    assert f"Error over the cells that stay: {percent(maps.error, 1)}." in caption
    assert "Where no border is seen, before or after: 0.0 %." in caption
    assert maps.error > 0.005


def test_ink_that_is_lost_is_counted(visit):
    image = np.zeros((28, 28), np.uint8)
    image[10:20, 24:28] = 255
    at = visit("why_convolution", own=digit_to_text(image), columns=2)
    assert "50 % of the ink went over the border." in " ".join(markdown.value for markdown in at.markdown)


def test_what_is_saved_is_counted(visit):
    text = cells(visit("why_convolution"))
    counts = connections(cnnviz.load_model("mnist_14k")["conv2d"])
    assert f"conv2d|{counts.dense:,}|{counts.local:,}|{counts.shared:,}|87|676" in text


def test_an_output_is_picked_in_the_address(visit):
    at = visit("why_convolution", output=15, kernel=4)
    assert "Output 3, 3 is" in drawn(at, "weight-matrix")["alt"]
    assert "give the same numbers" in drawn(at, "weight-matrix")["caption"]
