"""The digit that a lesson opens on, by a rule in words: one for which its experiment does something.

Rules look at the first `FEW` test digits, which a network answers at once, or at what was recorded while it
was trained. They count only as long as neither an address nor the learner has chosen a digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network
from cnnviz.network.evaluation import probabilities
from cnnviz.training.epoch_predictions import read_predictions

FEW = 500


@dataclass(frozen=True)
class OpeningRule:
    """A rule: the few words that stand beside the digit's number, and which digit it picks, if one fits."""

    words: str
    pick: Callable[[Network], int | None]


def _least_sure_but_right(net: Network) -> int | None:
    """Of the first digits that are classified right, the one whose class has the lowest probability."""
    shares, labels = _answers(net)
    right = shares.argmax(axis=1) == labels
    return int(np.where(right, shares.max(axis=1), np.inf).argmin()) if right.any() else None


def _first_mistake(net: Network) -> int | None:
    shares, labels = _answers(net)
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels)
    return int(wrong[0]) if len(wrong) else None


def _most_ink(net: Network) -> int | None:
    images = load_mnist()[1][0][:FEW]
    return int(images.reshape(FEW, -1).sum(axis=1, dtype=np.int64).argmax())


def _most_wavering(net: Network) -> int | None:
    """Of all digits, the one whose prediction changed most often from one epoch to the next."""
    recorded = read_predictions(net.name)
    if recorded is None:
        return None
    said = recorded.predictions
    changes = (said[1:] != said[:-1]).sum(axis=0)
    return int(changes.argmax()) if changes.any() else None


OPENING_RULES = {
    "doubtful": OpeningRule(f"its least sure right answer in {FEW}", _least_sure_but_right),
    "mistake": OpeningRule("its first mistake", _first_mistake),
    "inky": OpeningRule(f"the most ink in {FEW}", _most_ink),
    "wavering": OpeningRule("the answer changed most in training", _most_wavering),
}
"""By name, as a lesson says which is its own."""


def opening_digit(rule: str, net: Network) -> int | None:
    """The test digit that a rule picks for a network; None if none fits, or it classifies no digits.

    Parameters
    ----------
    rule
        A name in `OPENING_RULES`; "" is no rule.
    net
        The network that the page is about.

    Examples
    --------
    >>> import cnnviz
    >>> net = cnnviz.load_model("mnist_14k")
    >>> opening_digit("doubtful", net), opening_digit("", net)
    (247, None)
    """
    if not rule:
        return None
    try:
        return OPENING_RULES[rule].pick(net)
    except ValueError:  # It takes other images, or says no probabilities.
        return None


def _answers(net: Network) -> tuple[np.ndarray, np.ndarray]:
    """What a network says of the first test digits (FEW, classes), and their labels."""
    images, labels = load_mnist()[1]
    return probabilities(net, images[:FEW]), labels[:FEW]
