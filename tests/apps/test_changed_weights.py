"""Weights that were changed on the stage: what is about one digit is computed with them, on every page."""

from __future__ import annotations

from urllib.parse import unquote

import numpy as np
import pytest

import cnnviz
from apps.conftest import PAGES, htmls
from cnnviz.stage.stage_state import entry_text

CHANGES = [
    {"kind": "weights", "array": "conv2d_7/bias", "at": [3], "values": [40.0]},
    {"kind": "weights", "array": "conv2d/kernel", "at": [0, 5], "values": [0.5, -1.0]},
]
TEXT = entry_text("changes", CHANGES)
OF_SETS = ("epochs", "verification")


def said(at) -> str:
    return next(each.value for each in at.markdown if "changed** in" in each.value)


def test_the_change_shows_in_the_prediction():
    net = cnnviz.load_model("mnist_14k")
    kernel, bias = (
        np.array(net[name].weights[part]) for name, part in (("conv2d", "kernel"), ("conv2d_7", "bias"))
    )
    kernel.flat[[0, 5]], bias[3] = (0.5, -1.0), 40
    changed = net.with_weights({"conv2d/kernel": kernel, "conv2d_7/bias": bias})
    assert net.predict(cnnviz.load_mnist()[1][0][:1]).argmax() == 7
    assert changed.predict(cnnviz.load_mnist()[1][0][:1]).argmax() == 3


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_it_computes_with(visit, page):
    at = visit(page, changes=TEXT)
    assert not at.exception
    assert not at.warning
    assert "**3 weights are changed** in conv2d_7, conv2d" in said(at)
    keeps = "keeps the saved network" in said(at)
    assert keeps == (page in OF_SETS)
    assert "mnist_14k, changed, says<br><b>3</b>" in htmls(at)
    assert f"changes={TEXT}" in unquote(at.sidebar.get("page_link")[1].proto.query_string)


def test_what_is_about_one_digit_follows_and_one_button_takes_all_back(visit):
    at = visit("try_it", by="Upload", changes=TEXT)
    assert "mnist_14k says **3**" in " ".join(each.value for each in at.markdown)
    [button] = [each for each in at.button if each.label == "Take all back"]
    button.click().run()
    assert "changes" not in at.query_params
    assert not [each for each in at.markdown if "changed** in" in each.value]
    assert "mnist_14k says<br><b>7</b>" in htmls(at)


@pytest.mark.parametrize(
    "text", ["weights~conv2d/kernel~99999~1", "channel~conv2d~1", "weights~none/kernel~0~1", "<b>"]
)
def test_what_does_not_fit_is_noticed(visit, text):
    at = visit("feature_maps", changes=text)
    assert not at.exception
    assert "The address asks for changes" in at.warning[0].value
    assert "mnist_14k says" in htmls(at)


def test_another_network_has_nothing_changed(visit):
    at = visit("feature_maps", changes=TEXT, model="mnist_maxpool")
    assert not at.exception
    assert "mnist_maxpool says" in htmls(at)
