"""How much work a layer is, from its shapes alone.

The unit is one multiply-add of a matrix product, some 10**10 of which a core does in a second: what is
computed number by number counts as often as it takes so long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

Sizes = tuple[int, ...]

ELEMENTWISE_COST = 10
"""How many multiply-adds of a matrix product take as long as one that is not part of it."""
PASS_COST = 50
"""How many take as long as reading or writing a number once more, with what is made of it."""
CALL_COST = 50_000
"""How many take as long as one more call from Python."""


class Effort(NamedTuple):
    """What it takes to compute something for one image."""

    work: int
    """In multiply-adds of a matrix product."""
    numbers: int = 0
    """What is held meanwhile, beside what is read and what comes of it."""

    def times(self, count: int) -> Effort:
        """As often."""
        return Effort(count * self.work, count * self.numbers)


def by_cell(*shapes: Sequence[int]) -> int:
    """The work of looking once at each number of arrays with these shapes.

    >>> by_cell((28, 28, 1), (10,))
    39700
    """
    return PASS_COST * sum(map(prod, shapes))


def along_axes(shape: Sequence[int], axes: Iterable[tuple[int, int]], cost: int) -> Effort:
    """Of making units of cells along one axis after the other, at a cost for each cell that one reads.

    `axes` are (units, cells read by each) of the first axes of `shape`.

    >>> along_axes((28, 28, 1), [(14, 2), (14, 2)], ELEMENTWISE_COST)
    Effort(work=211760, numbers=392)
    """
    work, between, sizes = 0, 0, list(shape)
    for axis, (units, taps) in enumerate(axes):
        sizes[axis] = units
        work += taps * (cost * prod(sizes) + CALL_COST)
        between = between or prod(sizes)
    return Effort(work, between)
