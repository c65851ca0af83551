"""The page on activation functions: its accuracies, zeros and affine map are the library's."""

from __future__ import annotations

import pytest

import cnnviz
from apps.conftest import cells, htmls, pictures, widget
from cnnviz.concepts.activation_exchange import exchange, hidden_activations
from cnnviz.concepts.dead_channels import sparsity_over, zeros_in
from cnnviz.network.evaluation import evaluate
from cnnviz.numbers import percent

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


def test_zeros_and_dead_channels_are_counted(visit):
    text = cells(visit("activation_functions", model="mnist_maxpool", digit=4))
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
    assert "Count over all 10,000" in labels
    next(button for button in at.button if button.label == "Over all 10,000 test digits").click().run()
    found = evaluate(cnnviz.load_model("mnist_maxpool"), IMAGES, LABELS)
    assert f"<dd>{percent(found.accuracy)}</dd><dt>of all 10,000 test digits right with relu" in htmls(at)
    widget(at.selectbox, "function").set_value("elu").run()
    assert "Over all 10,000 test digits" in [button.label for button in at.button]
    at = visit("activation_functions", model="mnist_maxpool", over="nonsense")
    assert "The address asks for over “nonsense”" in at.warning[0].value
