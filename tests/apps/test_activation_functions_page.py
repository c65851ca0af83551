"""The page on activation functions: its accuracies, zeros and affine map are the library's."""

from __future__ import annotations

from base64 import b64decode

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, given, htmls, pictures, widget
from cnnviz.concepts.activation_exchange import exchange, function_named, hidden_activations
from cnnviz.concepts.affine_collapse import collapse
from cnnviz.concepts.dead_channels import sparsity_over, zeros_in
from cnnviz.concepts.saturation import flat_below, hearing, places_around, slopes_at
from cnnviz.network.evaluation import evaluate
from cnnviz.numbers import number, percent, probability
from cnnviz.training.history import read_history

IMAGES, LABELS = cnnviz.load_mnist()[1]


@pytest.mark.parametrize("where", ["all", "one"])
def test_an_exchange_costs_what_the_library_says(visit, where):
    at = visit(
        "activation_functions", model="mnist_maxpool", function="sigmoid", where=where, layer="conv2d_1"
    )
    net = cnnviz.load_model("mnist_maxpool")
    layers = None if where == "all" else ["conv2d_1"]
    found = evaluate(exchange(net, "sigmoid", layers), IMAGES[:1000], LABELS[:1000])
    shown = htmls(at)
    place = "both layers" if where == "all" else "conv2d_1"
    assert f"<dd>{percent(found.accuracy)}</dd><dt>right with sigmoid in {place}" in shown
    assert f"<dd>{percent(evaluate(net, IMAGES[:1000], LABELS[:1000]).accuracy)}</dd>" in shown


def test_every_function_is_tried_on_demand_and_the_address_keeps_it(visit):
    at = visit("activation_functions", model="mnist_maxpool", where="one", layer="conv2d_1")
    before = len(pictures(at))
    next(button for button in at.button if button.label == "Try every function").click().run()
    assert at.query_params["compare"] in ("1", ["1"])
    drawn = pictures(at)
    assert len(drawn) == before + 1
    alt = next(picture["alt"] for picture in drawn if "hard_sigmoid:" in picture["alt"])
    assert "tanh: " in alt
    assert "linear: " in alt


@pytest.mark.parametrize(
    ("layer", "function", "place"),
    [("conv2d", "relu", None), ("conv2d_3", "tanh", 7), ("conv2d_6", "mish", 300)],
)
def test_the_curve_its_slope_and_its_numbers_are_the_librarys(visit, layer, function, place):
    at = visit("activation_functions", layer=layer, function=function, digit=3, at=place)
    data = given(at, "cnnviz.curve")[0]
    numbers = cnnviz.load_model("mnist_14k").run(IMAGES[3]).pre_activation(layer)
    curve = function_named(function)
    places = places_around(numbers)
    for name, values in (
        ("places", places),
        ("values", curve(places)),
        ("slopes", curve.gradient(places, np.ones_like(places))),
    ):
        np.testing.assert_array_equal(np.frombuffer(b64decode(data[name]), "<f4"), values.astype("<f4"))
    assert data["flat"] == flat_below(curve)
    assert sum(data["bins"]["counts"]) == numbers.size
    assert data["place"] == (np.abs(places - numbers.min()).argmin() if place is None else place)
    assert bool(data["own"]) == (function != "relu")
    share = slopes_at(curve, numbers)
    assert f"<dd>{percent(share.none)}</dd><dt>of {layer}&#x27;s numbers on this digit stand" in htmls(at)
    assert ("saturated" in htmls(at)) == (share.flat != share.none)


def test_what_the_network_says_with_another_function_stands_beside_its_curve(visit):
    at = visit("activation_functions", function="gelu", digit=247)
    net = cnnviz.load_model("mnist_14k")
    for words, other in (("as trained", net), ("with gelu in all 7 layers", exchange(net, "gelu"))):
        output = other.predict(IMAGES[247])[0]
        said = f"<dd>{probability(output.max())}</dd><dt>{words}, mnist_14k says {output.argmax()}"
        assert said in htmls(at).replace("&gt;", ">").replace("&lt;", "<")


def test_a_relu_dies_by_the_epoch(visit):
    """What is drawn for an epoch is that epoch's; the three kernels hear next to nothing at the end."""
    net, history = cnnviz.load_model("mnist_14k"), read_history("mnist_14k")
    for epoch in (0, 40):
        at = visit("activation_functions", epoch=epoch, digit=3)
        heard = hearing(net.with_weights(history.weights_after(epoch)), "conv2d", IMAGES[:50], LABELS[:50])
        active, gradient = (picture["alt"] for picture in pictures(at) if picture["name"] == "cnnviz-bars")
        for channel in (0, 8, 13):
            assert f"{channel}: {percent(float(heard.active[channel]))}" in active
            share = float(heard.gradient[channel] / heard.gradient.max())
            assert f"{channel}: {percent(share)}" in gradient
            assert epoch == 0 or share < 1e-3
        assert epoch == 40 or heard.active[[0, 8, 13]].min() > 0.01


def test_zeros_and_dead_channels_are_counted(visit):
    text = cells(visit("activation_functions", model="mnist_maxpool", digit=4, dies="zeros"))
    net = cnnviz.load_model("mnist_maxpool")
    run, over = net.run(IMAGES[4]), sparsity_over(net, IMAGES[:1000], hidden_activations(net))
    for name, found in over.items():
        here = zeros_in(run[name])
        dead = ", ".join(map(str, found.silent)) or "none"
        scarce = ", ".join(map(str, found.scarce)) or "none"
        silent = f"{len(here.silent)} of {here.channels}"
        shares = f"{percent(here.share)}|{percent(found.share)}"
        assert f"{name}|{here.values:,}|{shares}|{silent}|{dead}|{scarce}" in text


def test_all_test_digits_are_behind_a_button(visit):
    at = visit("activation_functions", model="mnist_maxpool")
    labels = [button.label for button in at.button]
    assert "Over all 10,000 test digits" in labels
    zeros = visit("activation_functions", model="mnist_maxpool", dies="zeros")
    assert "Count over all 10,000" in [button.label for button in zeros.button]
    at = visit("activation_functions", model="mnist_maxpool")
    next(button for button in at.button if button.label == "Over all 10,000 test digits").click().run()
    found = evaluate(cnnviz.load_model("mnist_maxpool"), IMAGES, LABELS)
    assert f"<dd>{percent(found.accuracy)}</dd><dt>of all 10,000 test digits right with relu" in htmls(at)
    widget(at.selectbox, "function").set_value("elu").run()
    assert "Over all 10,000 test digits" in [button.label for button in at.button]
    at = visit("activation_functions", model="mnist_maxpool", over="nonsense")
    assert "The address asks for over “nonsense”" in at.warning[0].value


def test_without_any_the_network_is_one_affine_map_and_each_digits_row_is_drawn(visit):
    at = visit("activation_functions", does="none", digit=4)
    affine = collapse(cnnviz.load_model("mnist_14k"))
    logits = affine(IMAGES[4])[0]
    assert f"<dd>{number(logits.max())}</dd><dt>largest logit of this digit" in htmls(at)
    assert f"<dd>{percent(affine.accuracy(IMAGES, LABELS))}</dd><dt>of 10,000 test digits right" in htmls(at)
    assert {"cnnviz-feature-maps", "cnnviz-class-columns"} <= {picture["name"] for picture in pictures(at)}
