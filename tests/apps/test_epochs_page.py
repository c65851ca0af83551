"""The epochs page: its arithmetic, cursor and flips are the library's; scrubbing is in the address."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binom

import cnnviz
from apps.conftest import cells, given, htmls, pictures, widget
from cnnviz.numbers import with_article
from cnnviz.teaching.walks.epochs import epoch_steps, recorded_runs
from cnnviz.training.epoch_predictions import read_predictions
from cnnviz.training.history import read_history, read_selection
from cnnviz.training.learning_curves import learning_curves


def picture(at, figure: str):
    return [p for p in pictures(at) if p["name"] == f"cnnviz-{figure.replace('_', '-')}"]


def fact(at, name: str) -> str:
    found = re.search(rf"<dd>([^<]*)</dd><dt>{re.escape(name)}</dt>", htmls(at))
    assert found, name
    return found[1]


def test_another_batch_size_is_worked_out(visit):
    at = visit("epochs", batch=1000)
    latex = " ".join(element.value for element in at.latex)
    assert r"\lceil 60.00 \rceil = 60" in latex
    assert r"40 \cdot 60 = 2{,}400" in latex
    assert fact(at, "steps an epoch") == "60"
    assert fact(at, "images in the last batch") == "1,000"
    assert "60 batches of 1,000." in picture(at, "epoch_batches")[0]["alt"]


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_numbers_at_the_cursor_are_the_runs(visit, model):
    at = visit("epochs", model=model, epoch=7)
    history, found, selection = read_history(model), read_predictions(model), read_selection(model)
    assert fact(at, "steps so far") == "3,283"
    test = found.accuracies["test"][7]
    error = float(binom(10_000, test).std()) / 10_000
    assert fact(at, "accuracy on test images") == f"{100 * test:.2f} % ± {100 * error:.2f}"
    gap = f"{100 * found.gap(7):+.2f}".replace("-", "−")
    assert fact(at, "gap between the two, in percentage points") == gap
    (curves,) = picture(at, "training_curves")
    assert "cursor at epoch 7" in curves["alt"]
    assert f"{100 * history.rows[6]['accuracy']:.2f} % at the cursor" in curves["alt"]
    at = visit("epochs", model=model, epoch=7, about="validation")
    (chosen,) = picture(at, "training_curves")
    gap = f"{100 * selection.gap(7):+.2f}".replace("-", "−")
    assert fact(at, "training less validation, in percentage points") == gap
    validation = selection.rows[6]["val_accuracy"]
    error = float(binom(5_000, validation).std()) / 5_000
    assert fact(at, "validation accuracy, epoch 7") == f"{100 * validation:.2f} % ± {100 * error:.2f}"
    assert f"to {100 * selection.rows[-1]['val_accuracy']:.2f} %" in chosen["alt"]


@pytest.mark.parametrize(("epoch", "since"), [(12, 12), (39, 20), (40, 20)])
def test_what_is_asked_does_not_stand_above(visit, epoch, since):
    at = visit("epochs", epoch=epoch)
    assert any(f"After epoch {since} the network gets" in radio.label for radio in at.radio)


def test_flips_are_listed_with_label_before_and_after(visit):
    at = visit("epochs", epoch=37, about="digits")
    flips = read_predictions("mnist_14k").flips(37)
    assert fact(at, "became right") == str(sum(flip.gained for flip in flips))
    for flip in flips:
        became = "right" if flip.gained else "wrong"
        assert f"{flip.index:,}|{flip.label}|{flip.before}|{flip.after}|{became}" in cells(at)
        assert (
            f"{flip.index:,}, {with_article(flip.label)}: first {flip.before}, then {flip.after}"
            in (picture(at, "flipped_digits")[0]["alt"])
        )


def test_a_flipped_digit_becomes_the_one_of_all_pages(visit):
    at = visit("epochs", epoch=37, about="digits")
    chosen = read_predictions("mnist_14k").flips(37)[-1].index
    at.button_group(key="flips.chosen").set_value(chosen).run()
    assert not at.exception
    assert at.query_params["digit"] == str(chosen)
    assert widget(at.number_input, "digit").value == chosen
    assert at.query_params["epoch"] == "37"


def test_steps_through_the_epochs_are_in_the_address(visit):
    at = visit("epochs", epoch=1)
    next(button for button in at.button if button.label == "Later").click().run()
    assert at.query_params["epoch"] == "2"
    assert widget(at.slider, "epoch").value == 2
    widget(at.slider, "epoch").set_value(39).run()
    assert at.query_params["epoch"] == "39"
    next(button for button in at.button if button.label == "Later").click().run()
    assert "epoch" not in at.query_params
    assert next(button for button in at.button if button.label == "Later").disabled


def test_before_training_nothing_has_flipped(visit):
    assert fact(visit("epochs", epoch=0), "steps so far") == "0"
    at = visit("epochs", epoch=0, about="digits")
    assert "Nothing came before the initial weights" in at.info[0].value
    assert not picture(at, "flipped_digits")


def test_the_network_is_shown_as_it_was(visit):
    at = visit("epochs", epoch=1, digit=18, about="network", layer="conv2d_1", input=3)
    history = read_history("mnist_14k")
    net = cnnviz.load_model("mnist_14k").with_weights(history.weights_after(1))
    probabilities = net.predict(cnnviz.load_mnist()[1][0][18:19])[0]
    shares = player(at)["shares"]
    assert shares["texts"][shares["places"][1]][8] == f"{100 * probabilities[8]:.2f} %"
    assert int(np.argmax(shares["rows"][shares["places"][1]])) == probabilities.argmax()
    assert "conv2d_1 on test digit 18 after epoch 1" in picture(at, "feature_maps")[0]["caption"]
    assert "input channel 3" in picture(at, "kernels_over_epochs")[0]["caption"]


def player(at):
    return given(at, "cnnviz.epochs")[0]


def test_the_run_plays_until_an_epoch_is_chosen(visit):
    data = player(visit("epochs", closer=None))
    assert (data["plays"], data["epoch"], data["epochs"]) == (True, 40, 40)
    data = player(visit("epochs", closer=None, epoch=3))
    assert (data["plays"], data["epoch"]) == (False, 3)


def test_the_player_shows_each_epochs_own_numbers(visit):
    data = player(visit("epochs", closer=None, digit=18))
    history, found = read_history("mnist_14k"), read_predictions("mnist_14k")
    for epoch in (0, 1, 40):
        for name in ("training", "test"):
            assert f"{100 * found.accuracies[name][epoch]:.2f} % ± " in data["said"][epoch]
        net = cnnviz.load_model("mnist_14k").with_weights(history.weights_after(epoch))
        shares = net.predict(cnnviz.load_mnist()[1][0][18:19])[0]
        assert np.allclose(data["shares"]["rows"][data["shares"]["places"][epoch]], shares, atol=1e-6)
    # Halving the mistakes is one length, the best number stands at the top.
    test, places = found.accuracies["test"], data["curves"][1]["places"]
    mistakes = -np.log2(1 - test)
    slope = (
        np.diff(places)[np.abs(np.diff(mistakes)) > 0.1] / np.diff(mistakes)[np.abs(np.diff(mistakes)) > 0.1]
    )
    assert np.allclose(slope, slope[0], rtol=0.02)
    assert slope[0] < 0


def test_the_run_that_learns_by_heart_is_told_by_its_record(visit):
    at = visit("epochs", closer=None, run="by_heart", measure="loss", epoch=5)
    rows = read_history("mnist_maxpool.by_heart").rows
    losses = [row["val_loss"] for row in rows]
    best = int(np.argmin(losses)) + 1
    words = player(at)["steps"][player(at)["step"]]
    assert words["title"] == "500 images by heart"
    assert any(
        f"lowest after epoch {best}: {losses[best - 1]:.3f}" in step["say"] for step in player(at)["steps"]
    )
    assert losses[-1] > losses[best - 1], "more is not always better"
    assert rows[-1]["accuracy"] == 1
    data = player(at)
    assert (data["epochs"], data["epoch"]) == (60, 5)
    assert f"<b>{losses[4]:.3f}</b>" in data["said"][5]
    assert data["curves"][0]["places"][0] is None, "nothing was measured before training"
    assert {name: at.query_params[name] for name in ("run", "measure", "epoch")} == {
        "run": "by_heart",
        "measure": "loss",
        "epoch": "5",
    }


def test_two_seeds_stand_side_by_side(visit):
    at = visit("epochs", closer=None, run="seeds")
    assert [curve["name"] for curve in player(at)["curves"]] == ["seed 0", "seed 1"]
    step = player(at)["steps"][player(at)["step"]]
    assert step["title"] == "Another random start"
    assert (step["here"], step["epoch"], player(at)["epoch"]) == (True, 1, 1)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_each_step_of_the_walk_is_a_state_of_the_page(visit, model):
    steps = epoch_steps(model)
    for number, step in enumerate(steps):
        at = visit("epochs", closer=None, model=model, run=step.run, walk=number)
        assert not at.warning
        data = player(at)
        assert (data["step"], data["epoch"]) == (number, step.epoch)
        assert data["steps"][number] == {
            "title": step.title,
            "say": step.say,
            "epoch": step.epoch,
            "here": True,
        }
        assert widget(at.button_group, "measure").value == step.measure
        assert data["plays"] == step.plays
        curve = learning_curves(recorded_runs(model)[step.run], step.measure)[-1]
        assert f"<b>{curve.text(step.epoch)}</b>" in data["said"][step.epoch]


def test_a_run_that_is_chosen_is_where_its_steps_begin(visit):
    at = visit("epochs", closer=None, walk=2, epoch=5)
    assert [step["here"] for step in player(at)["steps"]] == [
        step.run == "final" for step in epoch_steps("mnist_14k")
    ]
    widget(at.button_group, "run").set_value("by_heart").run()
    data = player(at)
    assert (data["epoch"], data["epochs"]) == (60, 60)
    assert data["steps"][data["step"]]["title"] == "500 images by heart"
    assert {name: at.query_params[name] for name in ("run",)} == {"run": "by_heart"}
    assert not {"walk", "epoch", "measure"} & set(at.query_params)


def test_an_epoch_that_another_run_does_not_have_gives_way(visit):
    at = visit("epochs", closer=None, run="by_heart", epoch=55)
    widget(at.button_group, "run").set_value("final").run()
    assert not at.exception
    assert player(at)["epoch"] == 40
