"""The feature maps page: what each of its views says is the library's."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

import cnnviz
from apps.conftest import MODELS, drawn, given, htmls, pictures, widget
from cnnviz.channels.ablation import ablate, rank_agreement
from cnnviz.concepts.exciting import read_exciting
from cnnviz.concepts.partial_sums import partial_sums
from cnnviz.images.array_text import array_from_text, array_to_text
from cnnviz.numbers import number, percent, probability, with_article

LOOKS = ("channel", "sums", "slice", "two", "worth")


@pytest.fixture(scope="module")
def digits():
    return cnnviz.load_mnist()[1]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("layer", ["conv2d", "batch_normalization_1", "max_pooling2d", "conv2d_7"])
def test_every_look_at_every_kind_of_layer(visit, look, layer):
    at = visit("feature_maps", look=look, layer=layer, digit=3)
    assert not at.exception
    assert not at.warning
    assert pictures(at)


def test_the_digits_that_excite_are_the_recorded_ones_and_can_be_chosen(visit, digits):
    at = visit("feature_maps", layer="conv2d_3", channel=7)
    found = read_exciting("mnist_14k").of("conv2d_3", 7)
    shown = next(one for one in pictures(at) if "the most exciting first" in one["alt"])
    names = [tile["name"] for tile in shown["tiles"]]
    assert names == [f"Show test digit {one.image}, {with_article(digits[1][one.image])}" for one in found]
    box = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))["conv2d_3"].box(found[0].row, found[0].col)
    (top, bottom), (left, right) = box
    assert (
        f"{number(found[0].value)}, seen are rows {top} to {bottom} and columns {left} to {right}"
        in shown["alt"]
    )


def test_a_channel_that_is_always_silent_is_said_to_be(visit):
    found = read_exciting("mnist_maxpool")
    silent = [
        (name, int(c)) for name in found.values for c in np.flatnonzero(~found.values[name].any(axis=1))
    ]
    for name, channel in silent[:1]:
        at = visit("feature_maps", model="mnist_maxpool", layer=name, channel=channel)
        assert "is zero for every one of the 10,000" in at.info[0].value


def test_partial_sums_add_up_to_what_the_network_computed(visit, digits):
    at = visit("feature_maps", look="sums", layer="conv2d_3", channel=7, row=4, column=5, digit=8)
    run = cnnviz.load_model("mnist_14k").run(digits[0][8])
    value = float(run.pre_activation("conv2d_3")[0, 4, 5, 7])
    page = htmls(at)
    assert f"<dd>{number(value, 6)}</dd><dt>the network’s pre-activation" in page
    alt = next(one["alt"] for one in pictures(at) if "partial sums" in one["alt"])
    parts = alt.split("they are ")[1].split(", with the bias")[0].split(", ")
    total = sum(float(part.split(": ")[1].replace("−", "-")) for part in parts)
    bias = float(run.network["conv2d_3"].weights["bias"][7])
    # Each of the ten parts is written with three digits.
    assert total + bias == pytest.approx(value, abs=10 * 0.005 * 10)


def test_a_layer_without_sums_leads_to_one_that_has_them(visit):
    at = visit("feature_maps", look="sums", layer="max_pooling2d")
    assert "max_pooling2d is a MaxPooling2D" in at.info[0].value
    next(button for button in at.button if button.label == "Show conv2d_2").click().run()
    assert widget(at.selectbox, "layer").value == "conv2d_2"
    assert any("partial sums" in one["alt"] for one in pictures(at))


def test_two_digits_are_drawn_on_one_scale(visit, digits):
    at = visit("feature_maps", look="two", layer="conv2d_1", digit=18, other=7)
    net = cnnviz.load_model("mnist_14k")
    one, two = (net.run(digits[0][k])["conv2d_1"] for k in (18, 7))
    alt = next(one["alt"] for one in pictures(at) if "above" in one["alt"])
    assert "test digit 18, a 3 above test digit 7, a 9" in alt
    assert f"0 to {number(max(one.max(), two.max()))}" in alt


def test_switching_off_says_what_is_left(visit, digits):
    at = visit("feature_maps", look="worth", layer="conv2d_3", digit=18)
    found = ablate(cnnviz.load_model("mnist_14k").run(digits[0][18]), "conv2d_3")
    alt = next(one["alt"] for one in pictures(at) if "ithout channel 0" in one["alt"])
    for channel, share in enumerate(found.remaining):
        assert f"ithout channel {channel}: {percent(float(share))}" in alt
    assert widget(at.number_input, "off").value == found.remaining.argmin()
    widget(at.number_input, "off").set_value(2).run()
    after = [one["alt"] for one in pictures(at) if one["name"] == "cnnviz-probabilities"][-1]
    assert after.startswith(f"Predicted {found.predictions[2]}")
    assert percent(float(found.without[2, 3])) in after


@pytest.mark.parametrize(("layer", "digit"), [("conv2d", 247), ("conv2d_3", 18), ("max_pooling2d", 0)])
def test_strength_is_set_against_effect(visit, digits, layer, digit):
    page = htmls(visit("feature_maps", look="worth", layer=layer, digit=digit))
    run = cnnviz.load_model("mnist_14k").run(digits[0][digit])
    found, values = ablate(run, layer), np.abs(run[layer][0])
    strong = values.mean(axis=(0, 1)).argmax()
    place = sum(found.remaining < found.remaining[strong]) + 1
    # Channels that change the answer equally may come in either order.
    last = sum(found.remaining <= found.remaining[strong])
    shown = re.search(rf"<dd>(\d+)</dd><dt>place by effect, of \d+: map {strong}, the strongest", page)
    assert place <= int(shown[1]) <= last
    agreement = rank_agreement(values.mean(axis=(0, 1)), -found.remaining)
    assert f"<dd>{number(agreement, 2)}</dd><dt>agreement of both rankings" in page


@pytest.mark.parametrize("model", MODELS)
def test_shuffled_channels_say_the_same(visit, digits, model):
    at = visit("feature_maps", model=model, closer="order", digit=18)
    run = cnnviz.load_model(model).run(digits[0][18])
    chance = probability(run.output.max()).replace("<", "&lt;").replace(">", "&gt;")
    assert htmls(at).count(f"<dd>{chance}</dd><dt>says {run.output.argmax()}, ") == 2
    difference = re.search(r"<dd>([\d.e−]+)</dd><dt>largest difference of 10", htmls(at))[1]
    assert 0 <= float(difference.replace("−", "-")) < 1e-5
    first = next(one["alt"] for one in pictures(at) if one["name"] == "cnnviz-feature-maps")
    next(button for button in at.button if button.label == "Shuffle").click().run()
    assert at.query_params["shuffle"] == "2"
    assert next(one["alt"] for one in pictures(at) if one["name"] == "cnnviz-feature-maps") != first
    next(button for button in at.button if button.label == "As it was").click().run()
    assert "<dd>0</dd><dt>largest difference of 10" in htmls(at)
    assert "changed places" not in drawn(at, "feature-maps")["caption"] + htmls(at)
    assert f"says {run.output.argmax()}, not shuffled" in htmls(at)


def test_no_slice_is_the_map(visit, digits):
    page = htmls(visit("feature_maps", look="sums", layer="conv2d_3", channel=7, digit=8))
    sums = partial_sums(cnnviz.load_model("mnist_14k").run(digits[0][8]), "conv2d_3", 7)
    # By another road: the square of the correlation with the whole.
    squares = [
        np.corrcoef(part.ravel(), sums.total.ravel())[0, 1] ** 2 for part in np.moveaxis(sums.parts, 2, 0)
    ]
    assert f"<dd>{percent(max(squares), 0)}</dd><dt>of the map is explained by its best slice" in page
    assert "best slice" not in htmls(visit("feature_maps", look="sums", layer="conv2d"))
    assert "best slice" not in htmls(visit("feature_maps", look="sums", layer="conv2d_7"))


@pytest.mark.parametrize(("layer", "channel"), [("conv2d_3", 7), ("conv2d", 2)])
def test_a_slice_is_edited_and_neither_alone_nor_missing_is_it_the_map(visit, digits, layer, channel):
    """By another road: the network with that slice, built by hand."""
    at = visit("feature_maps", look="slice", layer=layer, channel=channel, digit=247)
    net, image = cnnviz.load_model("mnist_14k"), digits[0][247]
    run = net.run(image)
    said, kernel = int(run.output[0].argmax()), net[layer].weights["kernel"]
    count = kernel.shape[2]
    grid = given(at, "cnnviz.cells")[0]
    assert "with this slice" not in htmls(at)
    place = int(widget(at.number_input, "slice").value) if count > 1 else 0
    assert array_from_text(grid["text"], np.float32).tolist() == kernel[:, :, place, channel].tolist()
    next(button for button in at.button if button.label == "Set it to zero").click().run()
    other = kernel.copy()
    other[:, :, place, channel] = 0
    without = net.with_weights({f"{layer}/kernel": other}).run(image)
    page = htmls(at)
    assert f"<dd>{probability(without.output[0][said])}</dd><dt>with this slice at zero" in unescape(page)
    if count > 1:
        assert "<dd>0 %</dd><dt>of map" in page
        left = without.pre_activation(layer)[0, :, :, channel]
        whole = run.pre_activation(layer)[0, :, :, channel]
        assert not np.allclose(left, whole), "the others alone are not the map either"
    edited = np.full(kernel.shape[:2], 0.25, np.float32)
    (name,) = [name for name in at.query_params if name.startswith("slice_")]
    at = visit(
        "feature_maps",
        look="slice",
        layer=layer,
        channel=channel,
        digit=247,
        **{"slice": place if count > 1 else None, name: array_to_text(edited)},
    )
    other[:, :, place, channel] = edited
    after = net.with_weights({f"{layer}/kernel": other}).run(image)
    assert f"<dd>{probability(after.output[0][said])}</dd><dt>with this slice edited" in unescape(htmls(at))


def test_its_parts_cost_nothing_until_one_is_opened_or_asked_for(visit):
    assert pictures(visit("feature_maps", closer=None)) == []
    at = visit("feature_maps", closer=None, layer="conv2d_1")
    assert {one["name"] for one in pictures(at)} >= {"cnnviz-feature-maps", "cnnviz-single-map"}
    at = visit("feature_maps", closer=None, look="worth")
    assert {one["name"] for one in pictures(at)} == {"cnnviz-channels-off", "cnnviz-probabilities"}
    assert widget(at.selectbox, "layer").value == "conv2d"
