"""The 3x3 page: the table's arithmetic, the drawn fields, and what excites the first layer's kernels."""

from __future__ import annotations

import re

import numpy as np
import pytest

from apps.conftest import cells, drawn, htmls, pictures, widget
from cnnviz import kernels
from cnnviz.images.array_text import array_to_text
from cnnviz.numbers import percent
from cnnviz.ops import conv2d
from cnnviz.receptive_fields import Conv, receptive_field


@pytest.mark.parametrize(("model", "width", "side"), [("mnist_14k", 16, 26), ("mnist_maxpool", 32, 26)])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_the_table_counts_weights_products_and_memory_one_by_one(visit, model, width, side, depth):
    text = cells(visit("three_by_three", model=model, width=width, depth=depth))
    large = 2 * depth + 1
    stack, one = depth * (9 * width * width + width), large**2 * width * width + width
    sees = list(receptive_field([Conv(3)] * depth).values())[-1].size[0]
    assert f"{depth} × 3×3|one {sees}×{sees}|times" in text
    assert f"parameters|{stack:,}|{one:,}|{one / stack:.2f}" in text
    adds = depth * 9 * width * width * side**2, large**2 * width * width * side**2
    assert f"multiply-adds|{adds[0]:,}|{adds[1]:,}|{adds[1] / adds[0]:.2f}" in text
    # What the way back reads: the outputs of every layer, as the engine makes them.
    maps, kernel = np.zeros((1, side, side, width), np.float32), np.zeros((3, 3, width, width), np.float32)
    kept = conv2d(maps, kernel, padding="same").size
    assert f"numbers to keep|{depth * kept:,}|{kept:,}|{1 / depth:.2f}" in text


@pytest.mark.parametrize("depth", [1, 4, 6])
def test_what_a_stack_sees_is_drawn(visit, depth):
    at = visit("three_by_three", depth=depth)
    side = 2 * depth + 1
    alt = drawn(at, "stacked-fields")["alt"]
    assert re.search(rf"sees? {side} by {side} cells", alt)
    assert f"{kernels.stack_paths(depth).max():,} begin at the middle" in alt


def test_the_nearest_that_a_stack_makes_is_shown_with_what_is_left(visit):
    examples = kernels.large_kernels()
    for name, exact in (("three corners", False), ("diagonal line", True)):
        at = visit("three_by_three", wanted=name)
        found = kernels.nearest_stack(examples[name])
        left = percent(0 if exact else found.share_left)
        assert f"<dd>{left}</dd><dt>of its squares are left" in htmls(at).replace("&lt;", "<")
        captions = " ".join(picture["caption"] for picture in pictures(at))
        assert ("make this kernel exactly" in captions) == exact
        assert ("out of their reach" in captions) != exact
    typed = array_to_text(np.eye(7) + np.eye(7)[::-1])
    at = visit("three_by_three", cells=typed)
    found = kernels.nearest_stack(np.eye(7) + np.eye(7)[::-1])
    assert f"<dd>{percent(found.share_left)}</dd>" in htmls(at)
    widget(at.selectbox, "wanted").set_value("cross").run()
    assert "cells" not in at.query_params
    assert f"<dd>{percent(kernels.nearest_stack(examples['cross']).share_left)}</dd>" in htmls(at)


def test_a_network_without_the_subject_says_so(visit):
    assert "no two 3×3 convolutions follow" in visit("three_by_three", model="mnist_maxpool").info[0].value
    assert not visit("three_by_three").info
