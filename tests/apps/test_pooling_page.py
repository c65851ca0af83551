"""The pooling page: winners, windows, sizes and changes are the library's."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from apps.conftest import MODELS, cells, given, htmls, pictures
from cnnviz import ops
from cnnviz.concepts import downsampling as pooling
from cnnviz.numbers import percent

DIGIT = cnnviz.load_mnist()[1][0][4]


@pytest.mark.parametrize("model", MODELS)
def test_sizes_are_the_networks(visit, model):
    at = visit("pooling", model=model)
    chain = pooling.size_chain(cnnviz.load_model(model))
    assert " → ".join(str(part.size[0]) for part in chain) in htmls(at)
    for part in chain:
        assert f"{part.name}|{part.size[0]} × {part.size[1]}|{part.channels}|{part.parameters:,}" in cells(at)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
def test_windows_are_pooled_as_the_engine_does(visit, kind):
    at = visit("pooling", digit=4, layer="conv2d_1", channel=5, window=3, stride=2, padding="same", kind=kind)
    scene = given(at, "cnnviz.walk")[0]["scene"]
    x = cnnviz.load_model("mnist_14k").run(DIGIT)["conv2d_1"][0, :, :, 5]
    assert scene["operation"] == kind
    corner = re.findall(r"rows from (\d+), 8 columns from (\d+)", given(at, "cnnviz.walk")[0]["caption"])
    top, left = (int(number) for number in corner[0])
    piece = x[top : top + 8, left : left + 8]
    pooled = getattr(ops, kind)(piece, 3, strides=2, padding="same")
    assert len(scene["steps"]) == pooled.size
    shown = [float(step["result"].removeprefix("= ").replace("−", "-")) for step in scene["steps"]]
    np.testing.assert_allclose(shown, pooled.ravel(), rtol=5.1e-3, atol=1e-9)
    winners = pooling.winners(piece, 3, strides=2, padding="same").reshape(-1, 2).tolist()
    assert [step["winner"] for step in scene["steps"]] == (
        winners if kind == "max_pool2d" else [None] * len(winners)
    )


def test_a_move_changes_what_the_library_says(visit):
    at = visit("pooling", digit=4, down=1, right=-1)
    net = cnnviz.load_model("mnist_14k")
    move = pooling.pooled_move(net, DIGIT, pooling.pooled_layer(net), 1, -1)
    for change in move.changes:
        assert f"<dd>{percent(change, 0)}</dd>" in htmls(at)
    still = visit("pooling", digit=4, down=0, right=0)
    assert "The map 0 %, Max 0 %, Average 0 %" in " ".join(picture["alt"] for picture in pictures(still))


def test_what_does_not_fit_is_said_and_the_page_goes_on(visit):
    at = visit("pooling", window=1, padding=1)
    assert "padding must be smaller than the window" in at.warning[0].value
    assert "In mnist_14k" in [header.value for header in at.header]
    assert at.radio


def test_the_size_that_is_asked_for_is_not_the_one_above(visit):
    at = visit("pooling", window=3, stride=2, padding=1)
    asked = next(radio for radio in at.radio if "how large is the result" in radio.label)
    assert "A map of 25 × 25, pooled with windows of 3 × 3, stride 2, 1 cell of padding" in asked.label
    side = ops.max_pool2d(np.zeros((25, 25)), 3, strides=2, padding=((1, 1), (1, 1))).shape[0]
    assert f"{side} × {side}" in asked.options
