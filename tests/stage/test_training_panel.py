"""What the panel beside the stage is given of a run, and what is said of it in each of its states."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from cnnviz import explain
from cnnviz.receipts.html import to_html
from cnnviz.stage.training_panel import initial_picture, panel_part, shown_weights, status
from cnnviz.stage.training_program import PROGRAM
from cnnviz.training.watched_run import Curves, WatchedRun
from cnnviz.training.watched_training import (
    HeldOut,
    Measures,
    RunSettings,
    WatchedTraining,
    network_of,
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
        (
            of(curves=after(3), playing=True),
            3,
            {"turn": (2, 61.0)},
            "It trains: step 3, batch 3 of 3 in epoch 1. 2 others wait: it makes room in 2 minutes at the "
            "latest.",
        ),
        (
            of(curves=after(3)),
            3,
            {"turn": (1, 0.0)},
            "Paused: step 3, batch 3 of 3 in epoch 1. 1 other waits: it makes room in 1 minute at the "
            "latest.",
        ),
    ],
)
def test_what_is_said_is_so(run, step, more, words):
    assert status(run, SMALL, step, **more) == words


def test_held_out_images_of_a_long_run_are_shown_from_its_beginning():
    curves = Curves([Measures(901, 1.0, 0.5)], [HeldOut(step, 1.0, 0.5) for step in range(1, 902)])
    net = network_of(SMALL)
    part = panel_part(curves, ("conv2d",), net, initial_picture(net))
    steps = read(part, part.header["heldOut"]).reshape(-1, 3)[:, 0]
    assert (steps[0], steps[-1], len(steps)) == (1, 901, 301)


def test_before_the_first_step_there_are_kernels_and_nothing_else():
    net = network_of(SMALL)
    part = panel_part(Curves(), (), net, initial_picture(net))
    header = part.header
    assert (header["step"], header["steps"], header["batch"], header["gradients"]) == (0, 0, None, [])
    assert len(read(part, header["training"])) == 0
    weights = header["weights"]
    assert weights["names"] == shown_weights(net)
    assert (weights["name"], weights["inputs"], weights["channel"]) == ("conv2d/kernel", 1, 0)
    assert np.array_equal(
        read(part, weights["array"]).reshape(weights["shape"]), net["conv2d"].weights["kernel"][:, :, 0]
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
    part = panel_part(run.curves, run.layers, network_of(SMALL), run.picture(2), "conv2d_1/kernel", 3)
    header, step = part.header, here.step_at(2)
    assert (header["step"], header["steps"], header["together"]) == (2, 3, 1)
    rows = read(part, header["training"]).reshape(-1, 3)
    assert rows[1].tolist() == [2, np.float32(step.loss), np.float32(step.metrics["accuracy"])]
    assert read(part, header["heldOut"]).reshape(-1, 3)[:, 0].tolist() == [1, 2, 3]
    kernel = step.network["conv2d_1"].weights["kernel"]
    assert (header["weights"]["inputs"], header["weights"]["channel"]) == (4, 3)
    assert np.array_equal(read(part, header["weights"]["array"]), kernel[:, :, 3].ravel())
    batch = header["batch"]
    assert batch["labels"] == step.labels["dense"][:24].tolist()
    images = read(part, batch["images"]).reshape(-1, 28, 28)
    assert np.array_equal(images, np.rint(step.run["input"][:24, ..., 0] * 255))
    assert [name for name, *_ in header["gradients"]] == ["conv2d", "conv2d_1", "dense"]
    json.dumps(header, allow_nan=False)


def test_a_gradient_that_is_no_number_is_said_and_can_be_sent(run):
    picture = {**run.picture(2), "gradients": [float("nan"), 1.0, float("inf")]}
    header = panel_part(run.curves, run.layers, network_of(SMALL), picture).header
    assert [size for _, size, _ in header["gradients"]] == [None, 1.0, None]
    json.dumps(header, allow_nan=False)


def test_every_trained_number_can_be_pointed_at(run, here):
    """Kernels for any input channel, biases, those of a dense layer: each has its receipt."""
    net, picture = network_of(SMALL), run.picture(2)
    step = here.step_at(2)
    names = shown_weights(net)
    assert sorted(names) == sorted(step.gradients)
    for name in names:
        array = step.after[name]
        channel = array.shape[-2] - 1 if array.ndim > 1 else 0
        shown = panel_part(Curves(), run.layers, net, picture, name, channel).header["weights"]
        # As components/training.js makes a place of them: in the window, the input channel, the kernel.
        at = [*(size - 1 for size in shown["window"]), *([channel] if shown["inputs"] else []), 1]
        assert len(at) == array.ndim
        assert math.prod(shown["shape"]) == array[..., channel, :].size if shown["inputs"] else array.size
        found = run.ask("receipt", step=2, weight=name, at=at)
        assert found["title"].startswith(f"step 2, {name}[{', '.join(map(str, at))}]")


def test_what_is_chosen_and_is_not_there_is_replaced(run):
    net, picture = network_of(SMALL), run.picture(2)
    shown = panel_part(Curves(), run.layers, net, picture, "nothing/kernel", 10**9).header["weights"]
    assert (shown["name"], shown["channel"]) == ("conv2d/kernel", 0)
    assert (
        panel_part(Curves(), run.layers, net, picture, "dense/kernel", -3).header["weights"]["channel"] == 0
    )


def test_the_receipt_is_that_of_the_step(run, here):
    found = run.ask("receipt", step=2, weight="conv2d/kernel", at=[1, 2, 0, 3])
    assert found["html"] == to_html(explain(here.step_at(2), "conv2d/kernel", (1, 2, 0, 3)))
    with pytest.raises(ChildProcessError, match="index 0 of at 9 is outside"):
        run.ask("receipt", step=2, weight="conv2d/kernel", at=[9, 2, 0, 3])
