"""The images that a network gets wrong, and how sure it was of what it said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network.evaluation import probabilities
from cnnviz.network.network import Network

SURE = 0.9
"""A network counts as sure if its best probability is at least this."""


@dataclass(frozen=True)
class Mistake:
    """An image that a network gets wrong: its index, what it is, and the likeliest classes.

    `ranked` are (class, probability), the likeliest first.
    """

    index: int
    label: int
    ranked: tuple[tuple[int, float], ...]

    @property
    def predicted(self) -> int:
        return self.ranked[0][0]

    @property
    def sure(self) -> bool:
        return self.ranked[0][1] >= SURE


def mistakes(
    net: Network,
    images: Any,
    labels: Any,
    *,
    predicted: Any = None,
    top: int = 2,
    batch_size: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> list[Mistake]:
    """The images that a network gets wrong, each with its likeliest classes.

    Parameters
    ----------
    net
        A classifier: its output is probabilities, (N, classes).
    images
        (N, H, W) or (N, H, W, C), as `net.predict` takes them.
    labels
        (N,): the true classes, integers.
    predicted
        (N,): the classes that the network predicts, if they are known. Then only the images whose class is
        wrong are predicted again, and those that turn out right are left out.
    top
        How many of the likeliest classes to give.
    batch_size
        Images between two reports of progress.
    progress
        Called as progress(images done, images).

    Returns
    -------
    list of Mistake
        By index.

    Raises
    ------
    ValueError
        if there is not one label (and one known prediction) for each image, or the output is not
        probabilities.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> _, (images, labels) = load_mnist()
    >>> found = mistakes(load_model("mnist_14k"), images[:1000], labels[:1000])
    >>> all(mistake.predicted != mistake.label for mistake in found)
    True
    """
    images, labels = np.asarray(images), np.asarray(labels)
    for name, given in (("labels", labels), ("predicted", predicted)):
        if given is not None and np.shape(given) != (len(images),):
            raise ValueError(
                f"{name} must be ({len(images)},), one for each image, got shape {np.shape(given)}"
            )
    suspects = np.arange(len(images)) if predicted is None else np.flatnonzero(predicted != labels)
    wrong = []
    for start in range(0, len(suspects), batch_size):
        chosen = suspects[start : start + batch_size]
        shares = probabilities(net, images[chosen])
        wrong += [
            Mistake(int(index), int(labels[index]), likeliest(row, top))
            for index, row in zip(chosen, shares, strict=True)
            if row.argmax() != labels[index]
        ]
        if progress is not None:
            progress(start + len(chosen), len(suspects))
    return wrong


def likeliest(shares: Any, top: int = 2) -> tuple[tuple[int, float], ...]:
    """The classes with the largest probabilities, the largest first, as (class, probability).

    >>> likeliest([0.25, 0.5, 0.125, 0.125])
    ((1, 0.5), (0, 0.25))
    """
    shares = np.asarray(shares).ravel()
    return tuple((int(k), float(shares[k])) for k in np.argsort(-shares, kind="stable")[:top])


def surest(wrong: Sequence[Mistake]) -> float:
    """The largest probability that was given to a wrong class; 0 if there is no mistake.

    >>> surest([Mistake(8, 3, ((5, 0.5),)), Mistake(18, 3, ((5, 0.75),))])
    0.75
    """
    return max((mistake.ranked[0][1] for mistake in wrong), default=0.0)


def least_sure(wrong: Sequence[Mistake]) -> Mistake | None:
    """The mistake whose likeliest class had the smallest probability; None if there is no mistake.

    >>> least_sure([Mistake(8, 3, ((5, 0.5),)), Mistake(18, 3, ((5, 0.75),))]).index
    8
    """
    return min(wrong, key=lambda mistake: mistake.ranked[0][1], default=None)


def next_mistake(wrong: Sequence[Mistake], after: int) -> int | None:
    """The index of the first mistake behind an index, going on at the start when the end is reached.

    None if there is no mistake at all.

    >>> one, two = (Mistake(index, 3, ((5, 0.9),)) for index in (8, 18))
    >>> next_mistake([one, two], 8), next_mistake([one, two], 18)
    (18, 8)
    """
    if not wrong:
        return None
    return wrong[bisect_right([mistake.index for mistake in wrong], after) % len(wrong)].index
