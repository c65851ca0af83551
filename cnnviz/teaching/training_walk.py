"""The Training page's walk: what is said of runs that were made, with their own numbers.

Expressions in `walks.training` may call, k being the first run of a step, 0, or the second, 1:

    steps(k)                    steps that were made, up to as many as the step asks for
    loss(k), right(k)           means over its last 20 batches up to there
    held_out(k), error(k)       the accuracy on the held-out images, as it was last looked at up to there, and
                                its standard error
    silent(k, layer)            channels of a layer that ends in a ReLU which are 0 for a whole batch,
    channels(k, layer)          of how many
    gradient(k, layer)          the length of the gradient with respect to a layer's weights
    alike()                     the correlation of the first kernels of both, from -1 to 1; its magnitude
    apart()                     the standard error of the difference of both accuracies
    shown()                     whether what the step is about has come true
    chance, held_out_images     the loss of guessing among ten, and how many images are held out
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz.network.evaluation import standard_error
from cnnviz.stage.expressions import Scope, evaluate, sentence
from cnnviz.teaching.walks.training import TRAINING
from cnnviz.training.watched_run import Curves
from cnnviz.training.watched_training import HELD_OUT, Measures, RunSettings

STEPS: Mapping[str, Mapping[str, Any]] = {step["name"]: step for step in TRAINING["steps"]}
"""The steps by their names in addresses, in order."""

LAST = 20
"""Batches whose mean is taken: one alone says little."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is known of a run: its curves, and how it was when it was looked at last.

    Parameters
    ----------
    curves
        As of `WatchedRun`.
    layers
        Those whose gradients' sizes a picture tells.
    picture
        The run after a step, as `WatchedRun.picture` gives it; {} if it was not looked at.
    """

    curves: Curves = field(default_factory=Curves)
    layers: tuple[str, ...] = ()
    picture: Mapping[str, Any] = field(default_factory=dict)


def settings_of(name: str) -> list[RunSettings]:
    """The settings of a step's runs.

    >>> [settings.learning_rate for settings in settings_of("rate")]
    [0.1, 0.01]
    """
    return [settings for _, settings in STEPS[name]["runs"]]


def told(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    """What a step says of its runs, as far as they were made.

    >>> told("by_heart", [Outcome()])[1]
    "Watch both accuracies, the batches' and that of the held-out images."
    """
    scope = _scope(name, outcomes)
    said = (("1 == 1", each) if isinstance(each, str) else each for each in STEPS[name]["say"])
    return [sentence(text, scope) for condition, text in said if evaluate(condition, scope)]


def has_shown(name: str, outcomes: Sequence[Outcome]) -> bool:
    """Whether the runs of a step were made, and show what it is about."""
    return bool(_scope(name, outcomes)["shown"]())  # type: ignore[operator]


def _scope(name: str, outcomes: Sequence[Outcome]) -> Scope:
    step = STEPS[name]
    until = step["until"]

    def made(k: float) -> list[Measures]:
        return list(outcomes[int(k)].curves.training[:until])

    def mean(measure: str) -> Callable[[float], float]:
        def of(k: float) -> float:
            values = [getattr(each, measure) for each in made(k)[-LAST:]]
            return sum(values) / len(values) if values else math.nan

        return of

    def held_out(k: float) -> float:
        looks = [look.accuracy for look in list(outcomes[int(k)].curves.held_out) if look.step <= until]
        return looks[-1] if looks else math.nan

    def error(k: float) -> float:
        share = held_out(k)
        return math.nan if math.isnan(share) else standard_error(share, HELD_OUT)

    def silent(k: float, layer: str, which: int = 0) -> float:
        counts = outcomes[int(k)].picture.get("silent", {}).get(layer)
        return math.nan if counts is None else float(counts[which])

    def gradient(k: float, layer: str) -> float:
        outcome = outcomes[int(k)]
        return dict(zip(outcome.layers, outcome.picture.get("gradients", ()), strict=False)).get(
            layer, math.nan
        )

    def shown() -> bool:
        whole = all(len(made(k)) == until and outcomes[k].picture for k in range(len(step["runs"])))
        return whole and bool(evaluate(step["shows"], scope))

    scope: Scope = {
        "chance": math.log(10),
        "held_out_images": float(HELD_OUT),
        "steps": lambda k: float(len(made(k))),
        "loss": mean("loss"),
        "right": mean("accuracy"),
        "held_out": held_out,
        "error": error,
        "silent": silent,
        "channels": lambda k, layer: silent(k, layer, 1),
        "gradient": gradient,
        "alike": lambda: _alike(outcomes),
        "apart": lambda: math.hypot(error(0), error(1)),
        "shown": shown,
    }
    return scope


def _alike(outcomes: Sequence[Outcome]) -> float:
    """The magnitude of the correlation of the first kernels, number for number."""
    kernels = [
        next(
            (
                array.ravel()
                for key, array in each.picture.get("arrays", {}).items()
                if key.endswith("/kernel")
            )
        )
        for each in outcomes
    ]
    return abs(float(np.corrcoef(*kernels)[0, 1]))
