"""What stands beside the stage while a network trains: its curves, its batch, its gradients, its kernels.

A part (`parts`) goes to components/training.js whenever there is something new. What is said in it about the
run is said here, so that it is true of what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.colours import for_browser
from cnnviz.network import Network
from cnnviz.numbers import counted, number
from cnnviz.stage.parts import Part
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.trainer import trained_weights
from cnnviz.training.watched_run import Curves, WatchedRun, thinned
from cnnviz.training.watched_training import HELD_OUT, NETWORKS, HeldOut, RunSettings

Picture = Mapping[str, Any]
"""A run after a step, as `WatchedRun.picture` gives it."""

OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


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


def initial_picture(net: Network) -> Picture:
    """A run before its first step, of which only the weights are there."""
    return {"step": 0, "arrays": weights_of(net)}


def status(
    run: WatchedRun | None,
    settings: RunSettings,
    step: int,
    *,
    before: int = 0,
    watching: bool = False,
    turn: tuple[int, float] = (0, math.inf),
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
    turn
        How many wait for it to end, and how many seconds it then has at most, as `RunQueue.turn` says.
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
    waiting, seconds = turn
    room = ""
    if waiting:
        waits = "waits" if waiting == 1 else "wait"
        left = counted(max(1, math.ceil(seconds / 60)), "minute")
        room = f" {counted(waiting, 'other')} {waits}: it makes room in {left} at the latest."
    return f"{whose}{how}: {_at(step, steps)}, {_epoch(step, settings)}.{room}"


def _at(step: int, steps: int) -> str:
    return f"step {step:,}" if step == steps else f"step {step:,} of {steps:,}"


def _epoch(step: int, settings: RunSettings) -> str:
    """Where in which pass over the images a step is."""
    if not step:
        return "no image seen yet"
    epoch, batch = divmod(step - 1, settings.steps_per_epoch)
    return f"batch {batch + 1:,} of {settings.steps_per_epoch:,} in epoch {epoch + 1:,}"


def panel_part(
    curves: Curves,
    layers: Sequence[str],
    net: Network,
    picture: Picture,
    weights: str = "",
    channel: int = 0,
) -> Part:
    """What the panel draws of a run.

    Parameters
    ----------
    curves
        What was measured so far.
    layers
        Those whose gradients' sizes the picture tells.
    net
        The run's network; its weights do not matter.
    picture
        The run after the step that is shown.
    weights, channel
        Which weights are drawn, "layer/weight", and for which input channel; "" are the first kernels.
    """
    part = Part(dict(for_browser()))
    # Another thread goes on adding to it.
    training = list(curves.training)
    together, points = thinned(training)
    steps = max(picture["step"], training[-1].step if training else 0)
    part.header |= {
        "step": picture["step"],
        "steps": steps,
        "together": together,
        "training": _added(part, points),
        "heldOut": _added(part, _some(list(curves.held_out))),
        "heldOutSaid": f"{HELD_OUT} test digits that it never learns from",
        "measures": picture.get("measures"),
        "gradients": _gradients(layers, picture),
        "silent": [[name, *counts] for name, counts in picture.get("silent", {}).items()],
        "batch": _batch(part, picture),
        "weights": _weights(part, net, picture["arrays"], weights, channel),
    }
    return part


def _added(part: Part, rows: list[Any]) -> list[Any]:
    """Rows of step, loss and accuracy, one after the other."""
    return part.add(np.array(rows, np.float64).reshape(-1, 3))


def _some(looks: list[HeldOut], most: int = 400) -> list[HeldOut]:
    """So many of them at most, as far apart as it takes, with the last one."""
    return looks[:: -max(1, -(-len(looks) // most))][::-1]


def _gradients(layers: Sequence[str], picture: Picture) -> list[list[Any]]:
    if "gradients" not in picture:
        return []
    # What is no number JSON does not know.
    return [
        [name, size if math.isfinite(size) else None, number(size)]
        for name, size in zip(layers, picture["gradients"], strict=True)
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


def shown_weights(net: Network) -> list[str]:
    """The trained weights that the panel can draw, "layer/weight", the first kernels before all others."""
    axes = {key: array.ndim for key, array in weights_of(net).items()}
    names = [key for key in trained_weights(net) if 1 <= axes[key] <= 4]
    first = next((key for key in names if axes[key] == 4), None)
    # The sort is stable: the others keep the network's order.
    return sorted(names, key=lambda key: key != first)


def _weights(
    part: Part, net: Network, arrays: Mapping[str, np.ndarray], name: str, channel: int
) -> dict[str, Any] | None:
    """One array of trained weights: kernels for one input channel, or what belongs to each channel."""
    names = shown_weights(net)
    if not names:
        return None
    name = name if name in names else names[0]
    array = arrays[name]
    inputs = array.shape[-2] if array.ndim > 1 else 0
    channel = min(max(channel, 0), max(inputs - 1, 0))
    window = array.shape[:-2]
    return {
        "names": names,
        "name": name,
        "inputs": inputs,
        "channel": channel,
        # A place in the array is one in the window, the input channel where there is one, and the kernel.
        "window": list(window),
        "shape": [*(*window, 1, 1)[:2], array.shape[-1]],
        "array": part.add(array[..., channel, :] if inputs else array),
    }
