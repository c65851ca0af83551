"""The small recorded runs are what they claim to be; every figure is computed from their files."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from cnnviz import load_model
from cnnviz.network.evaluation import evaluate
from cnnviz.resources import asset
from cnnviz.training import RECIPES, Recipe, read_data, split
from cnnviz.training.history import read_history
from cnnviz.training.runs import data_digest
from cnnviz.training.selection import standard_error

RUNS = {
    "short": ("short", 0),
    "second_seed": ("short", 1),
    "too_fast": ("too_fast", 0),
    "by_heart": ("by_heart", 0),
    "shuffled": ("shuffled", 0),
}
"""Recipe and seed, by the name of the run."""
CHANCE = 0.1


@cache
def sets():
    return split(*read_data())


@cache
def history(run):
    return read_history(f"mnist_maxpool.{run}")


@cache
def measured(run, labels="validation", epoch=None):
    """How a run's network does after an epoch, computed by NumPy from the weights that were kept."""
    record = history(run)
    net = load_model("mnist_maxpool").with_weights(record.weights_after(epoch or record.epochs))
    (images, true), validation = sets()
    if labels == "validation":
        return evaluate(net, *validation)
    return evaluate(net, *Recipe.of(record.recipe).training_set(images, true, record.seed))


@pytest.mark.parametrize("run", RUNS)
def test_a_run_tells_what_made_it(run):
    recipe, seed = RUNS[run]
    record = json.loads(asset(f"mnist_maxpool.{run}.history.json").read_text())
    found = history(run)
    assert (Recipe.of(record["recipe"]), record["seed"]) == (RECIPES["mnist_maxpool"][recipe], seed)
    assert found.epochs == RECIPES["mnist_maxpool"][recipe].epochs
    assert (found.images, found.validation_images) == (RECIPES["mnist_maxpool"][recipe].images, 5_000)
    trained_on = Recipe.of(record["recipe"]).training_set(*sets()[0], seed)
    assert record["data_sha256"] == data_digest(trained_on[0], trained_on[1])


@pytest.mark.parametrize("run", RUNS)
def test_the_weights_that_were_kept_do_what_the_history_says(run):
    for epoch in (1, history(run).epochs):
        row = history(run).rows[epoch - 1]
        found = measured(run, epoch=epoch)
        # A rounding may turn a digit whose two largest probabilities are equal to the last bits.
        assert found.accuracy == pytest.approx(row["val_accuracy"], abs=1.5 / 5_000)
        assert found.loss == pytest.approx(row["val_loss"], rel=1e-4)


def test_by_heart_knows_all_its_images_and_no_more_than_before_of_others():
    found = history("by_heart")
    assert found.images == 500
    assert measured("by_heart", "training").accuracy == found.rows[-1]["accuracy"] == 1.0
    assert measured("by_heart").accuracy < 1 - 10 * standard_error(measured("by_heart").accuracy, 5_000)
    losses = np.array(found.series("val_loss"))
    best = losses.argmin()
    assert 0 < best < found.epochs // 2, "the validation loss falls at first"
    assert losses[-1] > 1.2 * losses[best], "and then rises, while the training loss goes to nothing"
    assert found.rows[-1]["loss"] < 0.1 * found.rows[best]["loss"]
    # Ten times as many images are what helps.
    better = history("short").rows[-1]["val_accuracy"] - measured("by_heart").accuracy
    assert better > 4 * standard_error(measured("by_heart").accuracy, 5_000)


def test_ten_times_too_high_a_rate_learns_nothing():
    short, fast = history("short"), history("too_fast")
    assert fast.rows[0]["learning_rate"] == pytest.approx(10 * short.rows[0]["learning_rate"])
    assert {**fast.recipe, "learning_rate": 0} == {**short.recipe, "learning_rate": 0}
    losses = [row["val_loss"] for row in fast.rows]
    assert not np.isfinite(losses).all() or measured("too_fast").accuracy < 0.5 * measured("short").accuracy


def test_shuffled_labels_are_learned_by_heart_and_mean_nothing():
    heart, shuffled = history("by_heart"), history("shuffled")
    assert {**shuffled.recipe, "shuffled_labels": False} == dict(heart.recipe)
    (images, true), _ = sets()
    labels = Recipe.of(shuffled.recipe).training_set(images, true, shuffled.seed)[1]
    np.testing.assert_array_equal(np.sort(labels), np.sort(true[:500]))
    still_right = (labels == true[:500]).mean()
    # One label in ten stays right by chance, give or take; that share is all there is to learn.
    allowed = 4 * np.sqrt(CHANCE * (1 - CHANCE) / 500)
    assert abs(still_right - CHANCE) < allowed
    assert abs(measured("shuffled").accuracy - CHANCE) < allowed
    assert measured("shuffled", "training").accuracy == 1.0
    # What has no rule takes longer to learn.
    first = [next(i for i, row in enumerate(run.rows) if row["accuracy"] > 0.9) for run in (heart, shuffled)]
    assert first[1] > 2 * first[0]


def test_another_seed_ends_as_well_with_other_kernels():
    first, second = history("short"), history("second_seed")
    assert first.recipe == second.recipe
    accuracies = measured("short").accuracy, measured("second_seed").accuracy
    assert abs(accuracies[0] - accuracies[1]) < 3 * standard_error(accuracies[0], 5_000)
    for epoch in (0, first.epochs):
        kernels = [run.weights_after(epoch)["conv2d/kernel"].reshape(9, 16) for run in (first, second)]
        one, other = (kernel / np.linalg.norm(kernel, axis=0) for kernel in kernels)
        cosines = np.abs((one * other).sum(axis=0))
        # Two directions drawn at random in nine dimensions have a cosine of 1/3 at the root mean square.
        assert np.sqrt((cosines**2).mean()) < 0.6


def test_weights_are_kept_of_some_epochs_and_said_of_which():
    for run, kept in (("by_heart", (0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60)), ("short", None)):
        assert history(run).kept == kept
    with pytest.raises(ValueError, match=r"epoch must be one of 0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, got 4"):
        history("by_heart").weights_after(4)


def test_they_are_small():
    files = [asset(f"mnist_maxpool.{run}.{end}") for run in RUNS for end in ("history.json", "epochs.npz")]
    assert sum(file.stat().st_size for file in files) < 3 * 10**6
