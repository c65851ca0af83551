"""What stands beside the stage while a network trains: its curves, its batch, its gradients, its kernels.

A part (`parts`) goes to components/training.js whenever there is something new. What is said in it about the
run is said here, so that it is true of what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnviz.colours import for_browser
from cnnviz.network import LayerGraph
from cnnviz.numbers import counted, number
from cnnviz.stage.parts import Part
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.watched_run import Curves, WatchedRun, thinned
from cnnviz.training.watched_training import HELD_OUT, NETWORKS, SMALL, HeldOut, RunSettings

Picture = Mapping[str, Any]
"""A run after a step, as `WatchedRun.picture` gives it."""

OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


@dataclass(frozen=True)
class Trial:
    """Something to find out: settings to train with, and what to look at."""

    title: str
    settings: RunSettings
    look: str


_PLAIN = RunSettings(images=2_000, batch_size=64, learning_rate=0.01)
_BY_HEART = replace(_PLAIN, images=100, batch_size=20, learning_rate=0.003)

TRIALS = {
    "rate": Trial(
        "A rate ten times too high",
        replace(_PLAIN, learning_rate=0.1),
        "Play a hundred steps, then do it with a rate of 0.01, in the settings: where does the loss go?",
    ),
    "by_heart": Trial(
        "A hundred images by heart",
        _BY_HEART,
        "Play until the batches are all right: how many of the held-out images are?",
    ),
    "no_norm": Trial(
        "No batch norm",
        replace(_PLAIN, network="mnist_14k", learning_rate=0.005, batch_norm=False),
        "Play a hundred steps, then switch batch norm on and start again: compare the losses at one step.",
    ),
    "dead": Trial(
        "A ReLU that dies",
        replace(_PLAIN, network=SMALL, optimizer="sgd", learning_rate=0.5),
        "Play a hundred steps and watch the silent channels: one that is 0 for every image gets no gradient.",
    ),
    "seeds": Trial(
        "Two seeds",
        replace(_PLAIN, learning_rate=0.003, seed=1),
        "Play three hundred steps, look at the first kernels, then take another seed: what is alike?",
    ),
    "shuffled": Trial(
        "Labels shuffled",
        replace(_BY_HEART, shuffled_labels=True),
        "Nothing connects these images with their labels. Play on: how right can it get on them?",
    ),
}
"""By their names in the address."""


def settings_in_words(settings: RunSettings) -> str:
    """What decides a run, in one line.

    >>> settings_in_words(RunSettings("small", images=500))
    'small, 500 images in batches of 128, Adam at 0.001, seed 0'
    """
    words = [
        settings.network if settings.network in NETWORKS else "the open network",
        f"{settings.images:,} images in batches of {settings.batch_size}",
        f"{OPTIMIZER_NAMES[settings.optimizer]} at {settings.learning_rate:g}",
        f"seed {settings.seed}",
    ]
    if not settings.batch_norm:
        words.append("without batch norm")
    if settings.shuffled_labels:
        words.append("labels shuffled")
    return ", ".join(words)


def initial_picture(net: LayerGraph) -> Picture:
    """A run before its first step, of which only the weights are there."""
    return {"step": 0, "arrays": weights_of(net)}


def status(
    run: WatchedRun | None, settings: RunSettings, step: int, *, before: int = 0, watching: bool = False
) -> str:
    """How a run is, in a sentence or two.

    Parameters
    ----------
    run
        None if there is none yet.
    settings
        Those of the run, or of the one that is to come.
    step
        After how many steps it is shown.
    before
        How many runs have to end before it begins.
    watching
        Whether it is somebody else's.
    """
    steps = 0 if run is None else run.steps
    if before:
        waits = f"One run is on at a time here. {counted(before, 'run')} before yours: it begins by itself."
        return (
            waits if not watching else f"{waits} Meanwhile you watch the one that is on, {_at(step, steps)}."
        )
    if run is None:
        return "Before the first step" + (
            ": the weights are those of the file."
            if settings.network not in NETWORKS
            else f": the weights are drawn at random, by seed {settings.seed}."
        )
    whose = f"Another reader's run, {settings_in_words(settings)}. " if watching else ""
    if run.over:
        return f"{whose}No more steps: {run.over}." + (f" Shown is {_at(step, steps)}." if steps else "")
    if not run.ready:
        return f"{whose}The run is starting in a process of its own."
    if step < steps and not run.playing:
        return f"{whose}Looking back at {_at(step, steps)}."
    how = "It trains" if run.playing else "Paused"
    return f"{whose}{how}: {_at(step, steps)}, {_epoch(step, settings)}."


def _at(step: int, steps: int) -> str:
    return f"step {step:,}" if step == steps else f"step {step:,} of {steps:,}"


def _epoch(step: int, settings: RunSettings) -> str:
    """Where in which pass over the images a step is."""
    if not step:
        return "no image seen yet"
    epoch, batch = divmod(step - 1, settings.steps_per_epoch)
    return f"batch {batch + 1:,} of {settings.steps_per_epoch:,} in epoch {epoch + 1:,}"


def panel_part(
    run: WatchedRun | None, settings: RunSettings, net: LayerGraph, picture: Picture, layer: str = ""
) -> Part:
    """What the panel draws of a run.

    Parameters
    ----------
    run
        None before there is one.
    settings, net
        Of the run; the network's weights do not matter.
    picture
        The run after the step that is shown.
    layer
        Whose kernels are drawn; "" is the first convolution.
    """
    part = Part(dict(for_browser()))
    curves = Curves() if run is None else run.curves
    # Another thread goes on adding to it.
    together, points = thinned(list(curves.training))
    arrays = picture["arrays"]
    steps = max(picture["step"], 0 if run is None else run.steps)
    part.header |= {
        "step": picture["step"],
        "steps": steps,
        "together": together,
        "training": _added(part, points),
        "heldOut": _added(part, _some(list(curves.held_out))),
        "heldOutImages": HELD_OUT,
        "measures": picture.get("measures"),
        "gradients": _gradients(run, picture),
        "silent": [[name, *counts] for name, counts in picture.get("silent", {}).items()],
        "batch": _batch(part, picture),
        "kernels": _kernels(part, net, arrays, layer),
    }
    return part


def _added(part: Part, rows: list[Any]) -> list[Any]:
    """Rows of step, loss and accuracy, one after the other."""
    return part.add(np.array(rows, np.float64).reshape(-1, 3))


def _some(looks: list[HeldOut], most: int = 400) -> list[HeldOut]:
    """So many of them at most, as far apart as it takes, with the last one."""
    return looks[:: -max(1, -(-len(looks) // most))][::-1]


def _gradients(run: WatchedRun | None, picture: Picture) -> list[list[Any]]:
    if run is None or "gradients" not in picture:
        return []
    # What is no number JSON does not know.
    return [
        [name, size if math.isfinite(size) else None, number(size)]
        for name, size in zip(run.layers, picture["gradients"], strict=True)
    ]


def _batch(part: Part, picture: Picture) -> dict[str, Any] | None:
    arrays = picture["arrays"]
    if "batch images" not in arrays:
        return None
    return {
        "images": part.add(arrays["batch images"], "<i2"),
        "labels": arrays["batch labels"].tolist(),
        "answers": arrays["batch answers"].tolist(),
        # An epoch's last batch may be smaller than the others.
        "size": picture["images"],
    }


def _kernels(
    part: Part, net: LayerGraph, arrays: Mapping[str, np.ndarray], layer: str
) -> dict[str, Any] | None:
    """The kernels of one convolution for its first input channel."""
    names = [each.name for each in net if each.is_convolution]
    if not names:
        return None
    name = layer if layer in names else names[0]
    kernel = arrays[f"{name}/kernel"]
    return {
        "layers": names,
        "layer": name,
        "inputs": kernel.shape[2],
        "shape": [*kernel.shape[:2], kernel.shape[3]],
        "array": part.add(kernel[:, :, 0]),
    }
