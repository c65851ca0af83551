"""What the panel beside the stage is given of a run, and what is said of it in each of its states."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import explain
from cnnviz.receipts.html import to_html
from cnnviz.stage.training_panel import TRIALS, initial_picture, panel_part, settings_in_words, status
from cnnviz.stage.training_program import PROGRAM
from cnnviz.training.watched_run import Curves, WatchedRun
from cnnviz.training.watched_training import (
    HeldOut,
    Measures,
    RunSettings,
    WatchedTraining,
    network_of,
    silent_channels,
)

SMALL = RunSettings("small", images=96, batch_size=32, learning_rate=0.01)


def read(part, place):
    offset, count, kind = place
    return np.frombuffer(part.body, {"f4": "<f4", "i2": "<i2"}[kind], count, offset)


def of(**known):
    """A run in some state."""
    plain = {"curves": Curves(), "layers": ("conv2d",), "ready": True, "playing": False, "over": ""}
    found = SimpleNamespace(**(plain | known))
    found.steps = found.curves.training[-1].step if found.curves.training else 0
    return found


def after(steps):
    return Curves([Measures(step, 1.0, 0.5) for step in range(1, steps + 1)], [HeldOut(steps, 2.0, 0.25)])


@pytest.mark.parametrize(
    ("run", "step", "more", "words"),
    [
        (None, 0, {}, "Before the first step: the weights are drawn at random, by seed 0."),
        (of(ready=False), 0, {}, "The run is starting in a process of its own."),
        (of(), 0, {}, "Paused: step 0, no image seen yet."),
        (of(curves=after(4), playing=True), 4, {}, "It trains: step 4, batch 1 of 3 in epoch 2."),
        (of(curves=after(5), playing=True), 4, {}, "It trains: step 4 of 5, batch 1 of 3 in epoch 2."),
        (of(curves=after(3)), 3, {}, "Paused: step 3, batch 3 of 3 in epoch 1."),
        (of(curves=after(3)), 2, {}, "Looking back at step 2 of 3."),
        (of(over="it was killed"), 0, {}, "No more steps: it was killed."),
        (
            of(curves=after(3), over="it was killed"),
            2,
            {},
            "No more steps: it was killed. Shown is step 2 of 3.",
        ),
        (None, 0, {"before": 1}, "One run is on at a time here. 1 run before yours: it begins by itself."),
        (
            of(curves=after(3)),
            3,
            {"before": 2, "watching": True},
            "One run is on at a time here. 2 runs before yours: it begins by itself. "
            "Meanwhile you watch the one that is on, step 3.",
        ),
        (
            of(curves=after(3), playing=True),
            3,
            {"watching": True},
            "Another reader's run, small, 96 images in batches of 32, Adam at 0.01, seed 0. "
            "It trains: step 3, batch 3 of 3 in epoch 1.",
        ),
    ],
)
def test_what_is_said_is_so(run, step, more, words):
    assert status(run, SMALL, step, **more) == words


def test_held_out_images_of_a_long_run_are_shown_from_its_beginning():
    curves = Curves([Measures(901, 1.0, 0.5)], [HeldOut(step, 1.0, 0.5) for step in range(1, 902)])
    net = network_of(SMALL)
    part = panel_part(of(curves=curves), SMALL, net, initial_picture(net))
    steps = read(part, part.header["heldOut"]).reshape(-1, 3)[:, 0]
    assert (steps[0], steps[-1], len(steps)) == (1, 901, 301)


def test_before_the_first_step_there_are_kernels_and_nothing_else():
    net = network_of(SMALL)
    part = panel_part(None, SMALL, net, initial_picture(net))
    header = part.header
    assert (header["step"], header["steps"], header["batch"], header["gradients"]) == (0, 0, None, [])
    assert len(read(part, header["training"])) == 0
    kernels = header["kernels"]
    assert (kernels["layers"], kernels["layer"], kernels["inputs"]) == (["conv2d", "conv2d_1"], "conv2d", 1)
    assert np.array_equal(
        read(part, kernels["array"]).reshape(kernels["shape"]), net["conv2d"].weights["kernel"][:, :, 0]
    )
    json.dumps(header, allow_nan=False)


@pytest.fixture(scope="module")
def run():
    with WatchedRun(SMALL, program=PROGRAM) as found:
        for _ in range(3):
            found.step()
        assert found.wait_for(lambda: found.steps == 3)
        yield found


@pytest.fixture(scope="module")
def here():
    watched = WatchedTraining(SMALL)
    watched.run(until=3)
    return watched


def test_a_picture_is_drawn_with_the_runs_own_numbers(run, here):
    part = panel_part(run, SMALL, network_of(SMALL), run.picture(2), "conv2d_1")
    header, step = part.header, here.step_at(2)
    assert (header["step"], header["steps"], header["together"]) == (2, 3, 1)
    rows = read(part, header["training"]).reshape(-1, 3)
    assert rows[1].tolist() == [2, np.float32(step.loss), np.float32(step.metrics["accuracy"])]
    assert read(part, header["heldOut"]).reshape(-1, 3)[:, 0].tolist() == [1, 2, 3]
    kernel = step.network["conv2d_1"].weights["kernel"]
    assert header["kernels"]["inputs"] == 4
    assert np.array_equal(read(part, header["kernels"]["array"]), kernel[:, :, 0].ravel())
    batch = header["batch"]
    assert batch["labels"] == step.labels["dense"][:24].tolist()
    images = read(part, batch["images"]).reshape(-1, 28, 28)
    assert np.array_equal(images, np.rint(step.run["input"][:24, ..., 0] * 255))
    assert [name for name, *_ in header["gradients"]] == ["conv2d", "conv2d_1", "dense"]
    json.dumps(header, allow_nan=False)


def test_a_gradient_that_is_no_number_is_said_and_can_be_sent(run):
    picture = {**run.picture(2), "gradients": [float("nan"), 1.0, float("inf")]}
    header = panel_part(run, SMALL, network_of(SMALL), picture).header
    assert [size for _, size, _ in header["gradients"]] == [None, 1.0, None]
    json.dumps(header, allow_nan=False)


def test_the_receipt_is_that_of_the_step(run, here):
    found = run.ask("receipt", step=2, weight="conv2d/kernel", at=[1, 2, 0, 3])
    assert found["html"] == to_html(explain(here.step_at(2), "conv2d/kernel", (1, 2, 0, 3)))
    with pytest.raises(ChildProcessError, match="index 0 of at 9 is outside"):
        run.ask("receipt", step=2, weight="conv2d/kernel", at=[9, 2, 0, 3])


def test_trials_are_told_apart_by_their_words():
    words = [settings_in_words(trial.settings) for trial in TRIALS.values()]
    assert len(set(words)) == len(words)
    assert settings_in_words(TRIALS["shuffled"].settings).endswith("labels shuffled")
    assert "without batch norm" in settings_in_words(TRIALS["no_norm"].settings)


def after_steps(chosen, steps):
    watched, rows = WatchedTraining(chosen), []
    watched.run(lambda step: rows.append((step.loss, step.metrics["accuracy"])), until=steps)
    return watched, np.array(rows)


@pytest.mark.skipif(settings.get_current_profile_name() != "thorough", reason="thousands of steps")
def test_each_trial_shows_what_it_is_called():
    chance = np.log(10)
    rate = TRIALS["rate"].settings
    assert after_steps(rate, 100)[1][-20:, 0].mean() > 0.9 * chance
    assert (
        after_steps(replace(rate, learning_rate=rate.learning_rate / 10), 100)[1][-20:, 0].mean() < chance / 4
    )
    for name in ("by_heart", "shuffled"):
        watched, rows = after_steps(TRIALS[name].settings, 200)
        assert rows[-20:, 1].mean() > 0.98
        held_out = watched.look_at_held_out(at_once=True).accuracy
        assert (held_out < 0.2) if name == "shuffled" else (0.5 < held_out < 0.8)
    watched, _ = after_steps(TRIALS["dead"].settings, 100)
    silent = silent_channels(watched.step_at(100).run)
    assert silent["conv2d_1"] == (8, 8)
    assert not np.any(watched.step_at(100).gradients["conv2d_1/kernel"])
    bare = TRIALS["no_norm"].settings
    assert (
        after_steps(bare, 50)[1][-20:, 0].mean()
        > 1.5 * after_steps(replace(bare, batch_norm=True), 50)[1][-20:, 0].mean()
    )
    seed = TRIALS["seeds"].settings
    pair = [after_steps(replace(seed, seed=number), 200)[0] for number in (0, 1)]
    first, second = (each.trainer.network["conv2d"].weights["kernel"].ravel() for each in pair)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5
    accuracies = [each.look_at_held_out(at_once=True).accuracy for each in pair]
    assert abs(accuracies[0] - accuracies[1]) < 0.04
