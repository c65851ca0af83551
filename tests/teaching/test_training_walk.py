"""The Training page's walk: each step's runs show what it is called, and what is said has their numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from cnnviz.stage.training_panel import settings_in_words
from cnnviz.teaching.training_walk import LAST, STEPS, Outcome, has_shown, settings_of, told
from cnnviz.training.watched_run import Curves
from cnnviz.training.watched_training import (
    HELD_OUT,
    HeldOut,
    Measures,
    WatchedTraining,
    measures_of,
    picture_of,
)

SLOW = "thousands of steps"
QUICK = ("dead",)
"""Steps of the walk whose runs take a second or two."""


def outcome_of(chosen, steps):
    """A run as the page knows it, made here by the engine, without a process and a browser."""
    watched, curves = WatchedTraining(chosen), Curves()
    watched.run(lambda step: curves.training.append(measures_of(step)), until=steps)
    curves.held_out.append(watched.look_at_held_out(at_once=True))
    said, arrays = picture_of(watched.step_at(steps), watched.layers)
    return Outcome(curves, watched.layers, {**said, "arrays": arrays})


@pytest.mark.parametrize("name", STEPS)
def test_each_step_shows_what_it_is_called(name):
    if name not in QUICK and settings.get_current_profile_name() != "thorough":
        pytest.skip(SLOW)
    outcomes = [outcome_of(chosen, STEPS[name]["until"]) for chosen in settings_of(name)]
    assert has_shown(name, outcomes), told(name, outcomes)
    assert told(name, outcomes) != told(name, [Outcome()] * len(outcomes))
    if name == "dead":
        # What the step says of a dead layer, from the step itself.
        picture = outcomes[0].picture
        assert picture["silent"]["conv2d_1"] == (8, 8)
        assert dict(zip(outcomes[0].layers, picture["gradients"], strict=True))["conv2d_1"] == 0


@pytest.mark.parametrize("name", STEPS)
def test_one_to_three_sentences_stand_in_every_state(name):
    outcomes = [Outcome()] * len(settings_of(name))
    assert len(told(name, outcomes)) in (2, 3)
    assert not has_shown(name, outcomes)
    for k in range(len(outcomes)):
        outcomes[k] = made(STEPS[name]["until"], loss=4 / (1 + k), accuracy=1.0, held_out=0.15)
        assert 1 <= len(told(name, outcomes)) <= 3
        assert "{" not in " ".join(told(name, outcomes))


def made(steps, loss, accuracy, held_out):
    """A run that went evenly."""
    curves = Curves(
        [Measures(step, loss, accuracy) for step in range(1, steps + 1)], [HeldOut(steps, loss, held_out)]
    )
    kernel = np.random.default_rng(int(1000 * loss)).normal(size=(3, 3, 1, 8))
    silent = {"conv2d_1": (8 if loss > 3 else 0, 8)}
    picture = {"silent": silent, "gradients": [1.0, 0.0], "arrays": {"conv2d/kernel": kernel}}
    return Outcome(curves, ("conv2d", "conv2d_1"), picture)


def test_the_numbers_said_are_those_of_the_run_up_to_where_it_is_looked_at():
    until = STEPS["by_heart"]["until"]
    curves = Curves(
        # What comes after the step that is looked at does not count, nor does what was long before.
        [Measures(step, 9.0, 0.0 if step <= until - LAST else 0.75) for step in range(1, until + 1)]
        + [Measures(until + 1, 9.0, 0.0)],
        [HeldOut(until, 1.0, 0.5), HeldOut(until + 1, 1.0, 0.25)],
    )
    text = " ".join(told("by_heart", [Outcome(curves)]))
    error = 100 * np.sqrt(0.25 / HELD_OUT)
    assert f"After {until} steps 75.00 % of the last batches are right, and 50.00 % ± {error:.2f} of" in text


def test_a_run_that_did_not_come_true_is_not_said_to_have():
    good = [made(100, 2.2, 0.1, 0.1), made(100, 0.5, 0.1, 0.1)]
    assert has_shown("rate", good)
    for outcomes in (
        [good[1], good[1]],
        [good[0], good[0]],
        [good[0], Outcome()],
        [made(99, 2.2, 0.1, 0.1), good[1]],
    ):
        assert not has_shown("rate", outcomes)


def test_runs_are_told_apart_by_their_words():
    words = [settings_in_words(each) for name in STEPS for each in settings_of(name)]
    assert len(set(words)) == len(words)
    assert settings_in_words(settings_of("shuffled")[0]).endswith("labels shuffled")
    assert "without batch norm" in settings_in_words(settings_of("no_norm")[0])
