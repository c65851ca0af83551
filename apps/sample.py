"""What pages measure a network over where labels do not matter: test digits, or the user's own pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chosen_digit import test_digits

from cnnviz.network.inputs import images_of
from cnnviz.network.memory import billions, work_of_one
from cnnviz.network.network import Network
from cnnviz.network.open_networks import OPEN
from cnnviz.numbers import counted

MOST_OPENED, MOST_MADE = 100, 20
"""Pictures of the user's own, and of made ones where nobody has opened any."""

DIGITS_WORK = 5 * 10**12
"""Multiply-adds that a network of the user's own may take to read test digits: some minutes on two cores."""


def most_digits(net: Network) -> int:
    """How many test digits a network may be asked to read while somebody waits."""
    return int(DIGITS_WORK / max(1, work_of_one(net, images_of(net, test_digits()[0][:1]))))


def check_digits(net: Network) -> None:
    """ValueError if it may not be asked to read all of them."""
    images = test_digits()[0]
    if most_digits(net) < len(images):
        total = len(images) * work_of_one(net, images_of(net, images[:1]))
        raise ValueError(
            f"{len(images):,} of them would take {billions(total)} multiply-adds; the limit is "
            f"{billions(DIGITS_WORK)}"
        )


@dataclass(frozen=True)
class Sample:
    """The first `count` test digits; of an open `network` as many of its examples, or made ones.

    `of` tells examples apart that were opened one after the other.
    """

    count: int
    network: str = ""
    of: int = 0

    @property
    def images(self) -> Any:
        """(N, ...) as `Network.run` takes them; fewer where some cannot be read. ValueError for none."""
        if not self.network:
            return test_digits()[0][: self.count]
        own = OPEN.named(self.network)
        if own is None:
            raise ValueError(f"{self.network} was closed")
        # Where the network takes any size, a batch ends where the next picture has another one.
        for _, images in own.sample(self.count).batches(self.count):
            return images
        raise ValueError(f"no picture of {self.network} can be read")

    @property
    def words(self) -> str:
        """Which of what."""
        own = OPEN.named(self.network) if self.network else None
        if own is None:
            return f"the first {self.count:,} test digits"
        if own.examples is own.made:
            return counted(self.count, "made picture")
        return counted(self.count, "picture")
