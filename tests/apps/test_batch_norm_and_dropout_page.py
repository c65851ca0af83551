"""The page on batch norm and dropout: statistics, folding and masks are the library's."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, drawn, htmls, pictures, said, tables, widget
from cnnviz.concepts import dropout
from cnnviz.concepts.batch_normalization import fold, normalization_over
from cnnviz.numbers import number, percent, signed_number
from cnnviz.training.history import read_history

IMAGES = cnnviz.load_mnist()[1][0]


def test_statistics_are_measured_over_what_is_said(visit):
    at = visit("batch_norm_and_dropout", layer="batch_normalization_6", channel=4)
    net = cnnviz.load_model("mnist_14k")
    found = normalization_over(net, "batch_normalization_6", IMAGES[:1000])
    row = (found.before.mean, found.before.variance, found.moving.mean, found.moving.variance)
    assert "|".join(["4", *(number(float(values[4])) for values in row)]) in cells(at)
    assert "first 1,000 test digits, 16,000 numbers a channel" in drawn(at, "channel-spreads")["caption"]


def test_the_batch_is_chosen_and_kept_in_the_address(visit):
    at = visit("batch_norm_and_dropout", layer="batch_normalization_6", about="forms", batch=1)
    assert "Marked is 1." in drawn(at, "distance-by-batch")["alt"]
    widget(at.select_slider, "batch").set_value(64).run()
    assert at.query_params["batch"] in ("64", ["64"])
    assert "Marked is 64." in drawn(at, "distance-by-batch")["alt"]


@pytest.mark.parametrize(
    ("size", "words"), [(1, "alone."), (2, "and the first other test digits, 2 in all.")]
)
def test_who_is_in_the_batch_is_said(visit, size, words):
    at = visit("batch_norm_and_dropout", about="forms", digit=18, batch=size)
    assert f"The batch is test digit 18 {words}" in [table["caption"] for table in tables(at)]


def test_folding_is_told_with_its_numbers(visit):
    at = visit("batch_norm_and_dropout", layer="batch_normalization_2", digit=3, channel=7, about="fold")
    net = cnnviz.load_model("mnist_14k")
    folding = fold(net, "batch_normalization_2")
    assert "conv2d_3 can do its work" in " ".join(element.value for element in at.markdown)
    facts = htmls(at)
    weight = float(net["conv2d_3"].weights["kernel"][0, 0, 7, 0])
    scale = float(folding.scale[7])
    for value, name in (
        (number(folding.largest_difference(net.run(IMAGES[3]))), "largest difference of conv2d_3"),
        (signed_number(scale), "scale of channel 7"),
        (f"{signed_number(weight)} → {signed_number(scale * weight)}", "conv2d_3&#x27;s first weight for it"),
        ("40", "numbers of batch_normalization_2 no longer needed"),
    ):
        assert f"<dd>{value}</dd><dt>{name}" in facts


def test_masks_are_those_of_the_seed(visit):
    at = visit("batch_norm_and_dropout", model="mnist_maxpool", seed=7, rate=0.25, steps=10, digit=3)
    values = cnnviz.load_model("mnist_maxpool").run(IMAGES[3])["flatten"][0]
    found = dropout.drop_in_steps(values, 0.25, 10, seed=7, layer="dropout")
    counts = ", ".join(str(np.count_nonzero(~kept)) for kept in found.kept)
    assert f"4 steps drop {counts} of them" in drawn(at, "dropout-steps")["alt"]
    assert f"<dd>{number(found.distance)}</dd>" in htmls(at)
    at = visit("batch_norm_and_dropout", model="mnist_maxpool", drop="answers", digit=3)
    assert "What comes out of dropout now equals what goes in, in each of its 800 numbers." in " ".join(
        element.value for element in at.markdown
    )


def test_answers_under_dropout_are_those_of_the_seed(visit):
    at = visit("batch_norm_and_dropout", seed=7, digit=3, drop="answers")
    net = cnnviz.load_model("mnist_14k")
    best = int(net.predict(IMAGES[3]).argmax())
    for step in range(4):
        run = dropout.run_with_dropout(net, IMAGES[3], seed=7, step=step)
        shown = f"{dropout.count_dropped(net, seed=7, step=step):,}|{percent(float(run.output[0, best]))}"
        assert f"step {step}, dropout at work|{shown}" in unescape(cells(at))


def test_a_digit_of_which_it_is_not_sure_is_a_click_away(visit):
    at = visit("batch_norm_and_dropout", digit=0, drop="answers")
    next(button for button in at.button if "not sure" in button.label).click().run()
    found = [cells(at).split(f"step {k}, dropout at work|")[1].split("|")[2] for k in range(4)]
    assert len(set(found)) > 1
    assert not any("not sure" in button.label for button in at.button)


def test_the_batch_holds_no_digit_twice(visit):
    at = visit(
        "batch_norm_and_dropout", layer="batch_normalization_6", channel=3, digit=1, batch=2, about="forms"
    )
    read = cnnviz.load_model("mnist_14k").run(IMAGES[[1, 0]]).inputs("batch_normalization_6")[0]
    assert f"training: the batch's|{signed_number(read[..., 3].mean())}" in unescape(cells(at))


def test_a_network_without_batch_norm_says_so_and_shows_dropout(visit):
    at = visit("batch_norm_and_dropout", model="mnist_maxpool")
    assert at.info[0].value == "mnist_maxpool has no batch normalisation."
    next(button for button in at.button if button.label == "Show those in mnist_14k").click().run()
    assert len(pictures(at)) == 2


@pytest.mark.parametrize("about", ["spread", "forms"])
def test_of_which_images_the_moving_averages_are_is_told_by_the_recorded_recipe(visit, about):
    recipe = read_history("mnist_14k").recipe
    assert recipe["augmentation"]
    assert recipe["dropout"]
    words = " ".join(said(visit("batch_norm_and_dropout", about=about)))
    assert "The moving averages are of training images distorted at random, with dropout at work; " in words
