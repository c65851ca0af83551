"""The 3x3 page: the table's arithmetic, the drawn fields, and what excites the first layer's kernels."""

from __future__ import annotations

import re

import pytest

import cnnviz
from apps.conftest import cells, drawn, widget
from cnnviz import kernels
from cnnviz.ops import conv2d
from cnnviz.receptive_fields import Conv, receptive_field


@pytest.mark.parametrize(("model", "width", "side"), [("mnist_14k", 16, 26), ("mnist_maxpool", 32, 26)])
def test_the_table_counts_weights_and_products_one_by_one(visit, model, width, side):
    text = cells(visit("three_by_three", model=model, width=width))
    for depth in range(1, 7):
        large = 2 * depth + 1
        stack, one = depth * (9 * width * width + width), large**2 * width * width + width
        sees = list(receptive_field([Conv(3)] * depth).values())[-1].size[0]
        adds = depth * 9 * width * width * side**2, large**2 * width * width * side**2
        row = f"{depth} × 3×3|{sees}×{sees}|{stack:,}|{one:,}|{one / stack:.2f}|{adds[0]:,}|{adds[1]:,}"
        assert row in text


@pytest.mark.parametrize("depth", [1, 4, 6])
def test_what_a_stack_sees_is_drawn(visit, depth):
    at = visit("three_by_three", depth=depth)
    side = 2 * depth + 1
    alt = drawn(at, "stacked-fields")["alt"]
    assert re.search(rf"sees? {side} by {side} cells", alt)
    assert f"{kernels.stack_paths(depth).max():,} begin at the middle" in alt


def test_the_kernel_that_answers_most_is_looked_at_first(visit):
    at = visit("three_by_three", digit=4)
    images = cnnviz.load_mnist()[1][0]
    answers = cnnviz.load_model("mnist_14k").run(images[4]).pre_activation("conv2d")[0]
    assert widget(at.number_input, "channel").value == answers.max(axis=(0, 1)).argmax()


def test_the_part_that_excites_a_kernel_is_outlined_where_it_is(visit):
    at = visit("three_by_three", channel=7, model="mnist_maxpool")
    weights = cnnviz.load_model("mnist_maxpool")["conv2d"].weights["kernel"]
    images = cnnviz.load_mnist()[1][0]
    found = kernels.exciting_patches(weights, images)[7]
    rows, columns = f"rows {found.row} to {found.bottom}", f"columns {found.col} to {found.right}"
    assert drawn(at, "image-of")["caption"] == f"Test digit {found.image:,}, {rows}, {columns}."
    answers = conv2d(images[found.image] / 255, weights[..., 7:8])
    assert answers.max() == pytest.approx(found.response, rel=1e-5)
