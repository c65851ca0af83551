"""Every page, for both networks: it draws, says what it draws, and bears nonsense in its address."""

from __future__ import annotations

import ast
import re
from urllib.parse import parse_qsl

import pytest

import cnnviz
from apps.conftest import ASPECTS, MODELS, PAGES, REFERENCE, given, htmls, pictures
from cnnviz.network.evaluation import evaluate
from cnnviz.numbers import probability
from cnnviz.resources import app
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.opening_digits import opening_digit


def test_the_pages_are_those_of_the_navigation(visit):
    at = visit("overview")
    links = [link.proto.page for link in at.sidebar.get("page_link")]
    assert sorted(link or "overview" for link in links) == sorted([*PAGES, *REFERENCE])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_chosen_digit(visit, page, model):
    at = visit(page, model=model, digit=8)
    assert not at.exception
    assert not at.warning
    assert at.title[0].value
    drawn = pictures(at)
    assert drawn
    for picture in drawn:
        assert picture["svg"].startswith("<svg ")
        assert re.search(r"\d", picture["alt"]), "a text alternative has the picture's numbers"
    _, (images, labels) = cnnviz.load_mnist()
    probabilities = cnnviz.load_model(model).predict(images[8:9])[0]
    card = htmls(at)
    assert f"<b>{labels[8]}</b>" in card
    assert f"<b>{probabilities.argmax()}</b> with" in card
    shown = re.search(r"</b> with ([^\n]*)", card).group(1)
    assert shown.strip() == probability(probabilities.max()).replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("page", "name", "aspect"), ASPECTS)
def test_each_aspect_of_a_part_is_shown_where_the_address_says_it(visit, page, name, aspect, model):
    at = visit(page, model=model, digit=8, **{name: aspect})
    assert not at.exception
    assert not at.warning
    chosen = [each for each in at.button_group if each.key.split(".")[1] == name]
    # One network has no 1x1 convolution, of which there is nothing to choose.
    lacks = (page, name, model) == ("one_by_one", "about", "mnist_maxpool")
    assert [each.value for each in chosen] == ([] if lacks else [aspect])


@pytest.mark.parametrize("page", [*PAGES, *REFERENCE])
def test_a_page_has_one_title(visit, page):
    (title,) = visit(page).title
    assert title.value


@pytest.mark.parametrize("page", [*PAGES, *REFERENCE])
def test_no_text_of_a_page_s_own_code_is_shown(page):
    """Streamlit writes a text that stands alone onto the page; only the first one is a docstring."""
    code = ast.parse((app().parent / "pages" / f"{page}.py").read_text("utf-8"))
    alone = [
        node.value.value
        for node in code.body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    assert alone == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_ends_with_a_half_truth_set_right_and_the_functions_that_do_it(visit, page):
    at = visit(page, model="mnist_maxpool", digit=8)
    assert "Often heard" in htmls(at)
    assert "In fact" in htmls(at)
    assert "Show the code" in [expander.label for expander in at.expander]
    links = [link.proto for link in at.main.get("page_link") if link.proto.page == "in_python"]
    expected = LESSONS[page].in_python
    assert [link.label for link in links] == [f"`{path}`" for path in expected]
    for link, path in zip(links, expected, strict=True):
        room, name = path.split(".")[-2:]
        query = {"digit": "8", "model": "mnist_maxpool", "room": room, "name": name}
        assert dict(parse_qsl(link.query_string)) == query


def test_both_networks_are_introduced_by_their_layers_and_what_they_get_right(visit):
    both = [picture for picture in pictures(visit("overview")) if picture["name"] == "cnnviz-bars"]
    _, (images, labels) = cnnviz.load_mnist()
    for model, picture in zip(MODELS, both, strict=True):
        net = cnnviz.load_model(model)
        assert picture["caption"].startswith(f"{model}: ")
        assert f" {net.count_params()[0]:,} parameters." in picture["caption"]
        right = int(re.search(r"learn from, ([\d,]+) are right", picture["caption"])[1].replace(",", ""))
        assert right == evaluate(net, images, labels).correct
        for layer in net:
            if layer.is_convolution:
                rows, columns, maps = layer.output_shape
                assert f"{layer.name}, " in picture["alt"]
                assert f"{maps} of {rows} × {columns}" in picture["alt"]


NONSENSE = dict.fromkeys(
    ("digit", "layer", "channel", "row", "column", "epoch", "kernel", "size", "by", "kept", "function"),
    "💥 <b>999999999999999999999</b>",
)


@pytest.mark.parametrize("model", ["mnist_maxpool", "../../etc/passwd"])
@pytest.mark.parametrize("page", PAGES)
def test_nonsense_in_the_address_is_noticed_and_replaced(visit, page, model):
    at = visit(page, model=model, **NONSENSE, shared="maybe", width="-1", depth="1e9", unknown="x")
    assert not at.exception
    notices = " ".join(warning.value for warning in at.warning)
    assert "The address asks for digit “💥" in notices
    shown = "mnist_maxpool" if model == "mnist_maxpool" else "mnist_14k"
    opening = opening_digit(LESSONS[page].opens_on, cnnviz.load_model(shown)) or 0
    assert f"this is digit “{opening}”" in notices
    assert ("this is model “mnist_14k”" in notices) == (model != "mnist_maxpool")


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("convolution", {"deep_layer": "conv2d_7", "kind": "depthwise", "model": "mnist_14k"}),
        ("convolution", {"a": -2, "b": 2, "other": 9999, "with_bias": 1, "with_relu": 1, "window": 8}),
        ("feature_maps", {"layer": "conv2d_7", "channel": 9}),
        ("receptive_field", {"layer": "conv2d_7"}),
        ("receptive_field", {"layer": "max_pooling2d", "row": 11, "column": 11}),
        ("kernels", {"kernel": "gabor 45°", "size": 11, "layer": "conv2d_7", "input": 15}),
        ("kernels", {"kernel": "roberts x"}),
        ("kernels", {"kernel": "identity", "size": 1}),
        ("one_by_one", {"by": "singular", "kept": 0}),
        ("one_by_one", {"by": "outputs", "kept": 10, "wide": 1, "narrow": 4096, "side": 512}),
        ("three_by_three", {"depth": 6, "wanted": "diagonal line"}),
        ("activation_functions", {"layer": "conv2d_6", "function": "softplus"}),
        ("epochs", {"epoch": 0}),
        ("epochs", {"epoch": 1, "digit": 9999}),
    ],
)
def test_the_ends_of_every_choice(visit, page, query):
    at = visit(page, **query)
    assert not at.exception
    assert not at.warning
    assert pictures(at)


def test_the_code_for_verification_compiles(visit):
    # It starts TensorFlow, which takes seconds; test_verification runs the same call.
    compile(visit("verification").code[-1].value, "verification", "exec")


def test_an_answer_is_still_there_on_the_way_back_and_no_link_holds_it(visit):
    at = visit("three_by_three")
    assert given(at, "cnnviz.copy_link")[0]["without"] == ""
    asked = next(radio for radio in at.radio if radio.key.startswith("answer."))
    asked.set_value(1).run()
    verdict = next(part for part in htmls(at).split("<div") if "verdict" in part)
    visit("overview")
    at = visit("three_by_three")
    assert next(radio for radio in at.radio if radio.key == asked.key).value == 1
    assert verdict in htmls(at)
    assert given(at, "cnnviz.copy_link")[0]["without"] == "your answers"


@pytest.mark.parametrize(
    ("page", "query", "drawn"),
    [
        ("one_by_one", {}, ["feature-maps"]),
        ("one_by_one", {"about": "reduce"}, ["feature-maps", "error-curve"]),
        ("one_by_one", {"where": "separable", "kept": 3}, ["error-curve"]),
        ("scores_to_loss", {}, ["class-columns", "probabilities", "single-map"]),
        ("scores_to_loss", {"about": "loss"}, ["cross-entropy-curve", "class-columns", "single-map"]),
        ("scores_to_loss", {"step": 0.5}, ["pixel-gradient", "single-map"]),
        ("epochs", {}, ["epoch-batches", "training-curves"]),
        ("epochs", {"input": 1}, ["epoch-batches", "feature-maps", "kernels-over-epochs"]),
    ],
)
def test_only_the_chosen_aspect_is_worked_out(visit, page, query, drawn):
    """A link that asks for what is in one shows that one."""
    names = [picture["name"].removeprefix("cnnviz-") for picture in pictures(visit(page, **query))]
    assert names == drawn
