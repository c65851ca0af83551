"""One's own digit: it stands in the address, is on every page, and gives way to a test digit."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from apps.conftest import PAGES, htmls, widget
from cnnviz.images.digit_text import digit_from_text, digit_to_text
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.opening_digits import OPENING_RULES, opening_digit


@pytest.fixture
def own() -> str:
    return digit_to_text(np.flipud(cnnviz.load_mnist()[1][0][3]).copy())


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_it_without_a_label(visit, page, own):
    at = visit(page, own=own)
    assert not at.exception
    assert not at.warning
    card = htmls(at)
    assert "your digit" in card
    assert "The label says" not in card
    predicted = cnnviz.load_model("mnist_14k").predict(digit_from_text(own)[None])[0].argmax()
    assert f"<b>{predicted}</b> with" in card
    assert f"own={own}" in at.sidebar.get("page_link")[1].proto.query_string


def test_a_test_digit_takes_its_place(visit, own):
    at = visit("feature_maps", own=own)
    widget(at.number_input, "digit").set_value(4).run()
    assert not at.exception
    assert "The label says<br><b>4</b>" in htmls(at)
    assert "own" not in at.query_params
    assert at.query_params["digit"] == "4"


def test_there_is_a_way_back_to_the_test_digit(visit, own):
    at = visit("feature_maps", own=own, digit=3)
    labels = [button.label for button in at.button]
    assert "Random" not in labels
    at.button[labels.index("Back to the test digit")].click().run()
    assert not at.exception
    assert "The label says<br><b>0</b>" in htmls(at)
    assert at.query_params["digit"] == "3"
    assert "own" not in at.query_params
    assert "Random" in [button.label for button in at.button]


@pytest.mark.parametrize("text", ["nonsense", "eNpjYBgFo2AUwA", "<script>alert(1)</script>"])
def test_what_is_no_digit_is_noticed(visit, text):
    at = visit("feature_maps", own=text)
    assert not at.exception
    assert "The address asks for own" in at.warning[0].value
    assert "The label says<br><b>7</b>" in htmls(at)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_page_opens_on_the_digit_of_its_rule_until_one_is_chosen(visit, model):
    net = cnnviz.load_model(model)
    default = {rule: opening_digit(rule, net) for rule in OPENING_RULES}
    for page in ("scores_to_loss", "pooling"):
        rule = LESSONS[page].opens_on
        at = visit(page, model=model, digit=None, closer=None)
        assert widget(at.number_input, "digit").value == default[rule]
        assert OPENING_RULES[rule].words in htmls(at)
        assert "digit" not in at.query_params
    # The digit of this page's rule, chosen, is a choice as any other: it goes along to the next page.
    widget(at.number_input, "digit").set_value(3).run()
    widget(at.number_input, "digit").set_value(default["doubtful"]).run()
    assert at.query_params["digit"] == str(default["doubtful"])
    assert OPENING_RULES["doubtful"].words not in htmls(at)
    assert f"digit={default['doubtful']}" in at.sidebar.get("page_link")[1].proto.query_string
    at.switch_page("pages/scores_to_loss.py").run()
    assert widget(at.number_input, "digit").value == default["doubtful"]


def test_the_rules_digit_of_another_network_is_taken_where_none_was_chosen(visit):
    at = visit("pooling", digit=None)
    widget(at.button_group, "model").set_value("mnist_maxpool").run()
    expected = opening_digit("doubtful", cnnviz.load_model("mnist_maxpool"))
    assert widget(at.number_input, "digit").value == expected
