"""The 1x1 page: what it sends to the browser is the engine's, and accuracies are the network's."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, given, htmls, pictures, widget
from cnnviz import channels, kernels
from cnnviz.network.evaluation import evaluate
from cnnviz.numbers import number, percent

LAYER = "conv2d_2"


@pytest.fixture(scope="module")
def net():
    return cnnviz.load_model("mnist_14k")


def sent(at) -> dict:
    (data,) = given(at, "cnnviz.mixing")
    return data


def components(at) -> list[str]:
    return [element.proto.component_name for element in at.get("bidi_component")]


def array(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def test_the_browser_gets_the_engines_numbers(visit, net):
    data = sent(visit("one_by_one", digit=18))
    run = net.run(cnnviz.load_mnist()[1][0][18])
    layer = net[LAYER]
    np.testing.assert_array_equal(array(data["x"], 24, 24, 16), run.inputs(LAYER)[0][0])
    np.testing.assert_array_equal(array(data["matrix"], 16, 10), layer.weights["kernel"][0, 0])
    np.testing.assert_array_equal(array(data["bias"], 10), layer.weights["bias"])
    np.testing.assert_array_equal(array(data["before"], 24, 24, 10), run.pre_activation(LAYER)[0])
    np.testing.assert_array_equal(array(data["after"], 24, 24, 10), run[LAYER][0])


def test_a_link_keeps_the_pixel_and_the_output(visit, net):
    at = visit("one_by_one", digit=18, row=3, column=20, channel=7)
    assert not at.warning
    data = sent(at)
    assert (data["row"], data["column"], data["channel"]) == (3, 20, 7)
    at = visit("one_by_one", row=24, column="x", channel=-1)
    assert len(at.warning) == 3


def test_accuracy_is_that_of_the_changed_network_on_as_many_digits_as_it_says(visit, net):
    at = visit("one_by_one", kept=7, by="outputs")
    images, labels = cnnviz.load_mnist()[1]
    x = net.run(images[:1000]).inputs(LAYER)[0]
    matrix, bias = net[LAYER].weights["kernel"][0, 0], net[LAYER].weights["bias"]
    dropped = np.argsort(np.square(x @ matrix + bias).sum(axis=(0, 1, 2)))[:3]
    matrix, bias = matrix.copy(), bias.copy()
    matrix[:, dropped], bias[dropped] = 0, 0
    changed = net.with_weights({f"{LAYER}/kernel": matrix[None, None], f"{LAYER}/bias": bias})
    expected = evaluate(changed, images[:1000], labels[:1000])
    assert f"<dd>{100 * expected.accuracy:.1f} %</dd><dt>accuracy on 1,000 test digits" in htmls(at)
    next(button for button in at.button if "10,000" in button.label).click().run()
    whole = evaluate(changed, images, labels)
    assert f"On all 10,000 test digits: **{100 * whole.accuracy:.2f} %**" in "".join(
        m.value for m in at.markdown
    )
    widget(at.slider, "kept").set_value(6).run()
    assert "On all 10,000" not in "".join(m.value for m in at.markdown)


def test_costs_are_of_the_layer_on_its_maps(visit):
    page = htmls(visit("one_by_one", kept=4, by="singular"))
    parameters, products = 16 * 4 + 4 * 10 + 10, (16 * 4 + 4 * 10) * 24 * 24
    assert f"<dd>{parameters:,}</dd><dt>parameters of 170" in page
    assert f"<dd>{products:,}</dd><dt>multiply-adds of 92,160" in page


def test_what_it_costs_here_is_set_against_what_it_saves(visit):
    text = " ".join(element.value for element in visit("one_by_one", about="cost").markdown)
    own, saved = 24 * 24 * 16 * 10, 10 * 10 * 9 * (16 - 10) * 16
    assert f"costs **{own:,}** multiply-adds and saves **{saved:,}** in conv2d_3" in text
    assert f": {own - saved:,} more in all." in text
    # Its batch norm has 4 numbers for each of the 10 channels, and is there only for it.
    assert f"batch_normalization_2 210 parameters of its own and saves {9 * 6 * 16:,} in conv2d_3" in text
    assert f": {9 * 6 * 16 - 170 - 40:,} fewer" in text


def test_outputs_are_ranked_by_what_leaves_unless_asked_otherwise(visit, net):
    images, labels = cnnviz.load_mnist()[1]
    run = net.run(images[:1000])
    before = run.pre_activation(LAYER).astype(float)
    variance = np.maximum(before, 0).var(axis=(0, 1, 2))
    cut = np.square(np.minimum(before, 0)).sum() / np.square(before).sum()
    for by, order in (("leaving", -variance), ("outputs", -np.square(before).sum(axis=(0, 1, 2)))):
        dropped = np.argsort(order)[5:]
        weights = {f"{LAYER}/{part}": net[LAYER].weights[part].copy() for part in ("kernel", "bias")}
        for array in weights.values():
            array[..., dropped] = 0
        right = evaluate(net.with_weights(weights), images[:1000], labels[:1000]).accuracy
        page = htmls(visit("one_by_one", kept=5, by=by) if by != "leaving" else visit("one_by_one", kept=5))
        assert f"<dd>{100 * right:.1f} %</dd><dt>accuracy on 1,000" in page
        assert (f"<dd>{100 * cut:.0f} %</dd><dt>of the mean square never leaves" in page) == (by == "outputs")


def test_the_browser_gets_the_photograph_and_what_the_learner_keeps(visit):
    (data,) = given(visit("one_by_one"), "cnnviz.colour")
    photograph = kernels.colour_photograph()
    assert base64.b64decode(data["photograph"]) == photograph.tobytes()
    assert data["kept"]["weights"] == pytest.approx([0.299, 0.587, 0.114])
    at = visit("one_by_one", mix="1,-0.5,-0.25", relu=1, y=3, x=81)
    assert not at.warning
    kept = given(at, "cnnviz.colour")[0]["kept"]
    assert kept == {"weights": [1, -0.5, -0.25], "row": 3, "col": 81, "relu": True}
    for asked in ({"mix": "1,2,0"}, {"mix": "1,0"}, {"y": 96}, {"relu": "yes"}):
        assert len(visit("one_by_one", **asked).warning) == 1, asked


def test_the_network_is_the_second_thing_that_is_mixed(visit):
    at = visit("one_by_one", of="network")
    assert "cnnviz.live_view" in components(at)
    assert "cnnviz.colour" not in components(at)
    assert "5,760 numbers" in at.radio[0].label
    first = visit("one_by_one")
    assert "cnnviz.live_view" not in components(first)
    assert "96 × 82 pixels and 3 planes" in first.radio[0].label


@pytest.mark.parametrize("pair", ["0~2", "0~1", "1~2"])
def test_a_relu_between_two_mixtures_makes_what_no_mixture_makes(visit, pair):
    one, other = map(int, pair.split("~"))
    planes = kernels.colour_photograph() / 255
    wanted = np.abs(planes[..., one] - planes[..., other])
    page = htmls(visit("one_by_one", pair=pair))
    assert f"<dd>{number(wanted.max())}</dd><dt>the largest number of the sum" in page
    share = channels.nearest_mixture(planes, wanted).share_left
    assert share > 0.2
    assert f"<dd>{percent(share, 0)}</dd><dt>of it no single mixture makes" in page
    page = htmls(visit("one_by_one", pair=pair, bent=0))
    assert "<dd>0</dd><dt>the largest number of the sum" in page


@pytest.mark.parametrize(("model", "layer"), [("mnist_14k", "conv2d_1"), ("mnist_maxpool", "conv2d_1")])
def test_two_steps_are_counted_on_the_networks_own_layer(visit, model, layer):
    at = visit("one_by_one", model=model, where="separable")
    node = cnnviz.load_model(model)[layer]
    rows, cols, outputs = node.output_shape
    inputs = node.weights["kernel"].shape[2]
    one, two = 9 * inputs * outputs, (9 * inputs, inputs * outputs)
    area = rows * cols
    assert f"{layer}, 3×3|{one:,}|{one * area:,}" in cells(at)
    assert f"both steps|{sum(two):,}|{sum(two) * area:,}" in cells(at)
    left = channels.nearest_separable(node.weights["kernel"]).share_left
    assert f"<dd>{percent(left, 0)}</dd><dt>of {layer}’s squares two steps miss" in htmls(at)


def test_a_network_without_one_says_so_and_still_calculates(visit):
    at = visit("one_by_one", model="mnist_maxpool", where="bottleneck")
    assert "has no 1×1 convolution" in at.info[0].value
    assert "direct over bottleneck|8.43 times|8.47 times" in cells(at)
    assert pictures(at) == []
    next(button for button in at.button if "mnist_14k" in button.label).click().run()
    assert re.search(r"largest difference to ops\.dense", htmls(at))
