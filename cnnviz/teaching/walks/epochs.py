"""Epochs: from chance to what a network knows, in recorded runs.

No stage has epochs, so this walk is none of `WALKS`: what a step shows is a state of the page's player, and
its sentences are made of the runs' figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnviz.numbers import counted, percent, points
from cnnviz.training.history import TrainingHistory, read_history
from cnnviz.training.learning_curves import LearningCurve, error_of_difference, learning_curves

BY_HEART = "mnist_maxpool.by_heart"
SEEDS = ("mnist_maxpool.short", "mnist_maxpool.second_seed")


@dataclass(frozen=True)
class EpochStep:
    """One step: what is said, and of which run, measure and epoch.

    `run` is one of `recorded_runs`; `plays` is whether the run first comes to that epoch from its start.
    """

    title: str
    say: str
    run: str
    epoch: int
    measure: str = "accuracy"
    plays: bool = False


def recorded_runs(model: str) -> dict[str, tuple[str, ...]]:
    """The runs that the walk is about, by short names: the model's own, and small ones of mnist_maxpool.

    >>> recorded_runs("mnist_14k")["final"]
    ('mnist_14k',)
    """
    return {"final": (model,), "by_heart": (BY_HEART,), "seeds": SEEDS}


def run_titles() -> dict[str, str]:
    """What the runs are of, by their short names.

    >>> run_titles()["by_heart"]
    '500 images by heart'
    """
    few = counted(_history(BY_HEART).images, "image")
    return {"final": "All images", "by_heart": f"{few} by heart", "seeds": "Two seeds"}


def epoch_steps(model: str) -> tuple[EpochStep, ...]:
    """The walk's steps, with the figures of a model's own run and of the others.

    Parameters
    ----------
    model
        Whose training is recorded.

    Raises
    ------
    ValueError
        if there is no record of one of the runs.

    Examples
    --------
    >>> [step.title for step in epoch_steps("mnist_14k")][1:3]
    ['Before training', 'The biggest jump of all']
    """
    return (*_own(model), *_by_heart(), *_two_seeds())


def _own(model: str) -> Iterator[EpochStep]:
    """From before training to the end, in the model's own run."""
    history, (seen, *others) = _history(model), learning_curves([model])
    last = history.epochs
    yield EpochStep(
        "From chance to what it knows",
        "An epoch is one pass over all training images, in batches; after each batch all weights change a "
        f"little, which is one step. Watch {model} learn, or point at an epoch.",
        "final",
        last,
        plays=True,
    )
    if not others or others[0].values[0] is None:
        return  # Of a run whose predictions were not recorded less is known.
    new = others[0]
    yield EpochStep(
        "Before training",
        f"Nothing is learned yet: the kernels hold random numbers. Of {new.images:,} {new.name} "
        f"{new.text(0)} are right; guessing one of ten digits gets about {percent(1 / 10, 0)}.",
        "final",
        0,
    )
    yield _first_epoch(history, new)
    gaps = [float(seen.values[n] or 0) - float(new.values[n] or 0) for n in (1, last)]
    error = error_of_difference(seen, new, last)
    parted = gaps[1] > 2 * error
    yield EpochStep(
        "The curves part" if parted else "Images it learned from, and others",
        f"After epoch {last} it gets {seen.text(last)} of {seen.images:,} {seen.name} right, and "
        f"{new.text(last)} of {new.images:,} {new.name}, from which it never learned. The difference is "
        f"{points(gaps[1])} percentage points, with a standard error of {100 * error:.2f}; after epoch 1 it "
        f"was {points(gaps[0])}. "
        + (
            "What it has learned from, it knows better than what is new."
            if parted
            else "A difference as small as that can be chance."
        ),
        "final",
        last,
    )


def _first_epoch(history: TrainingHistory, new: LearningCurve) -> EpochStep:
    """What the first epoch adds, against all others."""
    gains = np.diff(np.array(new.values, float))
    later, falls = gains[1:], int((gains < 0).sum())
    biggest = not later.size or gains[0] > later.max()
    compared = ""
    if later.size:
        which = "next largest" if biggest else "largest"
        fell = f"in {counted(falls, 'epoch') if falls else 'no epoch'} fewer were right than before"
        where = int(later.argmax()) + 2
        compared = f" The {which} gain is {points(later.max())}, in epoch {where}; {fell}."
    return EpochStep(
        "The biggest jump of all" if biggest else "The first epoch",
        f"After one epoch, {counted(history.steps_per_epoch, 'step')}, {new.text(1)} of the {new.name} are "
        f"right, a change of {points(gains[0])} percentage points.{compared}",
        "final",
        1,
    )


def _by_heart() -> Iterator[EpochStep]:
    """A run on few images, which more epochs do not make better."""
    history = _history(BY_HEART)
    seen, new = learning_curves([BY_HEART])
    loss = learning_curves([BY_HEART], "loss")[1]
    last, best = history.epochs, loss.best()
    whole = seen.values[last] == 1
    yield EpochStep(
        f"{counted(history.images, 'image')}{' by heart' if whole else ' only'}",
        f"This {_network(BY_HEART)} was trained on {counted(history.images, 'image')} only, and saw each "
        f"{counted(last, 'time')}. In the last epoch it had "
        f"{'all of them' if whole else seen.text(last) + ' of them'} right as they came by; of "
        f"{new.images:,} others it gets {new.text(last)}.",
        "by_heart",
        last,
        plays=True,
    )
    worse = (loss.values[last] or 0) > (loss.values[best] or 0)
    more = (new.values[last] or 0) > (new.values[best] or 0)
    yield EpochStep(
        "More epochs are not always better" if worse else "The loss on other images",
        f"On those others its loss is lowest after epoch {best}: {loss.text(best)}, with {new.text(best)} "
        f"right. At the end it is {loss.text(last)}, with {new.text(last)} right."
        + (" Loss and accuracy need not agree on when to stop." if worse and more else ""),
        "by_heart",
        best,
        "loss",
    )


def _two_seeds() -> Iterator[EpochStep]:
    """Two runs of one recipe: how far chance alone puts them apart."""
    one, other = learning_curves(SEEDS)
    last = len(one.values) - 1
    yield EpochStep(
        "Another random start",
        f"Two of {_network(SEEDS[0])}, with the same {_history(SEEDS[0]).images:,} images and the same "
        "recipe; only the random start and the order of the images differ. After one epoch they get "
        f"{one.text(1)} and {other.text(1)} of {one.images:,} other images right: {_apart(one, other, 1)}.",
        "seeds",
        1,
    )
    yield EpochStep(
        "What ± says",
        f"After {last} epochs it is {one.text(last)} and {other.text(last)}: {_apart(one, other, last)}. "
        f"Which {one.images:,} images they are tried on is chance too: ± is one standard error of a share, "
        f"and of the difference of two it is {100 * error_of_difference(one, other, last):.2f}, as if each "
        "had images of its own. A smaller difference does not say which is better.",
        "seeds",
        last,
    )


def _apart(one: LearningCurve, other: LearningCurve, epoch: int) -> str:
    """How far two accuracies are apart."""
    away = 100 * abs((one.values[epoch] or 0) - (other.values[epoch] or 0))
    return f"{away:.2f} percentage points apart" if f"{away:.2f}" != "0.00" else "no difference"


def _network(run: str) -> str:
    return run.partition(".")[0]


def _history(name: str) -> TrainingHistory:
    history = read_history(name)
    if history is None:
        raise ValueError(f"there is no record of a run {name!r}")
    return history
