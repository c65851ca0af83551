"""The pooling page: winners, windows, sizes and changes are the library's."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from apps.conftest import MODELS, given, htmls, pictures
from cnnviz import ops
from cnnviz.concepts import downsampling as pooling
from cnnviz.numbers import percent

DIGIT = cnnviz.load_mnist()[1][0][4]


@pytest.mark.parametrize("model", MODELS)
def test_sizes_are_the_networks(visit, model):
    at = visit("pooling", model=model)
    chain = pooling.size_chain(cnnviz.load_model(model))
    assert " → ".join(str(part.size[0]) for part in chain) in htmls(at)
    assert " → ".join(str(part.channels) for part in chain) in htmls(at)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
def test_windows_are_pooled_as_the_engine_does(visit, kind):
    at = visit("pooling", digit=4, layer="conv2d_1", channel=5, window=3, stride=2, padding="same", kind=kind)
    scene = given(at, "cnnviz.walk")[0]["scene"]
    x = cnnviz.load_model("mnist_14k").run(DIGIT)["conv2d_1"][0, :, :, 5]
    assert scene["operation"] == kind
    corner = re.findall(r"rows from (\d+), 6 columns from (\d+)", given(at, "cnnviz.walk")[0]["caption"])
    top, left = (int(number) for number in corner[0])
    piece = x[top : top + 6, left : left + 6]
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
    assert any("maps of mnist_14k get smaller" in expander.label for expander in at.expander)
    assert at.radio


@pytest.mark.parametrize("model", MODELS)
def test_the_size_that_is_asked_for_is_not_the_one_on_the_stage(visit, model):
    at = visit("pooling", model=model)
    asked = next(radio for radio in at.radio if "how large is the result" in radio.label)
    net = cnnviz.load_model(model)
    side = net[pooling.pooled_layer(net)].output_shape[0] + 1
    assert f"A map of {side} × {side}, pooled with windows of 2 × 2, stride 2" in asked.label
    side = ops.max_pool2d(np.zeros((side, side))).shape[0]
    assert f"{side} × {side}" in asked.options


def test_its_parts_cost_nothing_until_one_is_opened_or_asked_for(visit):
    assert pictures(visit("pooling", closer=None)) == []
    at = visit("pooling", closer=None, window=3)
    assert [picture["name"] for picture in pictures(at)] == ["cnnviz-max-and-average"]
    at = visit("pooling", closer="move", right=2)
    assert [picture["name"] for picture in pictures(at)] == ["cnnviz-moved-and-pooled"]
    assert [each.label for each in at.number_input if "Window" in each.label] == ["Window"]
