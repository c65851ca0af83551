"""The walk through recorded runs: its figures are those of the records, its sentences true of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from cnnviz.resources import asset
from cnnviz.teaching.walks import epochs
from cnnviz.teaching.walks.epochs import epoch_steps, recorded_runs
from cnnviz.training import learning_curves
from harness.wording import slips

MODELS = ("mnist_14k", "mnist_maxpool")


def rows(run: str) -> list[dict[str, float]]:
    return json.loads(asset(f"{run}.history.json").read_text(encoding="utf-8"))["epochs"]


def steps_of(model: str, run: str) -> list[epochs.EpochStep]:
    return [step for step in epoch_steps(model) if step.run == run]


@pytest.mark.parametrize("model", MODELS)
def test_it_has_three_to_eight_steps_each_a_state_of_the_player(model):
    steps, runs = epoch_steps(model), recorded_runs(model)
    assert 3 <= len(steps) <= 8
    for step in steps:
        for run in runs[step.run]:
            assert 0 <= step.epoch <= len(rows(run))
        assert not slips(step.say)
        assert len(re.findall(r"[.:](?= |$)", step.say)) <= 5
    assert list(dict.fromkeys(step.run for step in steps)) == list(runs), "each run at one stretch"


@pytest.mark.parametrize("model", MODELS)
def test_the_first_epoch_is_the_biggest_jump(model):
    """Before, after one epoch and the next largest gain, of the predictions themselves."""
    with np.load(asset(f"{model}.predictions.npz")) as found:
        right = (found["predictions"] == found["labels"]).mean(axis=1)
        seen = found["training accuracy"]
    _, before, first, end = steps_of(model, "final")
    assert (before.epoch, first.epoch, end.epoch) == (0, 1, len(right) - 1)
    assert f"{100 * right[0]:.2f} % ± " in before.say
    gains = 100 * np.diff(right)
    assert gains[0] > gains[1:].max()
    assert first.title == "The biggest jump of all"
    assert f"a change of {gains[0]:+.2f} percentage points" in first.say
    assert f"next largest gain is {gains[1:].max():+.2f}, in epoch {gains[1:].argmax() + 2};" in first.say
    assert first.say.endswith(f"in {(gains < 0).sum()} epochs fewer were right than before.")
    gap = 100 * (seen - right)
    error = 100 * np.hypot(binom(10_000, seen[-1]).std(), binom(10_000, right[-1]).std()) / 10_000
    assert gap[-1] > 2 * error
    assert end.title == "The curves part"
    assert f"is {gap[-1]:+.2f} percentage points, with a standard error of {error:.2f}" in end.say
    assert f"after epoch 1 it was {gap[1]:+.2f}".replace("-", "−") in end.say


def test_few_images_are_learned_by_heart():
    heart, loss = steps_of("mnist_14k", "by_heart")
    record = rows(recorded_runs("mnist_14k")["by_heart"][0])
    assert record[-1]["accuracy"] == 1
    assert heart.title == "500 images by heart"
    assert "trained on 500 images only, and saw each 60 times" in heart.say
    assert f"5,000 others it gets {100 * record[-1]['val_accuracy']:.2f} % ± " in heart.say
    losses = [row["val_loss"] for row in record]
    best = int(np.argmin(losses))
    assert (loss.measure, loss.epoch) == ("loss", best + 1)
    assert f"lowest after epoch {best + 1}: {losses[best]:.3f}, with " in loss.say
    assert f"At the end it is {losses[-1]:.3f}, with {100 * record[-1]['val_accuracy']:.2f} %" in loss.say
    assert losses[-1] > losses[best]
    assert record[-1]["val_accuracy"] > record[best]["val_accuracy"]
    assert loss.say.endswith("need not agree on when to stop.")


def test_two_seeds_have_the_error_of_their_difference():
    first, last = steps_of("mnist_14k", "seeds")
    one, other = (rows(run) for run in recorded_runs("mnist_14k")["seeds"])
    apart = [100 * abs(a["val_accuracy"] - b["val_accuracy"]) for a, b in zip(one, other, strict=True)]
    assert first.say.endswith(f"{apart[0]:.2f} percentage points apart.")
    assert apart[-1] < 0.005, "the record is a tie"
    assert "no difference. Which 5,000 images" in last.say
    ends = [binom(5_000, run[-1]["val_accuracy"]).std() / 5_000 for run in (one, other)]
    assert f"of two it is {100 * np.hypot(*ends):.2f}," in last.say


def test_other_figures_make_other_sentences(monkeypatch):
    """No run that is bundled is like that: its first epoch adds little, and its curves stay together."""

    def curves(runs, measure="accuracy"):
        found = learning_curves.learning_curves(runs, measure)
        if len(runs) > 1 or measure == "loss":
            return found
        length = len(found[0].values)
        values = (0.1, 0.2, 0.9, *[0.9] * (length - 3))
        return [replace(curve, values=values) for curve in found]

    monkeypatch.setattr(epochs, "learning_curves", curves)
    _, _, first, end = steps_of("mnist_14k", "final")
    assert first.title == "The first epoch"
    assert "The largest gain is +70.00, in epoch 2; in no epoch fewer were right than before." in first.say
    assert end.title == "Images it learned from, and others"
    assert end.say.endswith("can be chance.")
    heart, loss = steps_of("mnist_14k", "by_heart")
    assert heart.title == "500 images only"
    assert "90.00 % ± 1.34 of them right" in heart.say
    assert not loss.say.endswith("when to stop.")
