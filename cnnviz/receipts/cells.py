"""Cell: the place of one number in a run, and how the arguments of `explain` become one.

Maps have a row, a column and a channel, sequences a row and a channel, vectors a channel, which is
called a unit. Outputs with other numbers of axes are addressed by the tuple of all their indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.ops.padding import integer
from cnnviz.resources import one_line

_AXES: dict[int, tuple[str, ...]] = {1: ("channel",), 2: ("row", "channel"), 3: ("row", "col", "channel")}
"""Names of the indices by the number of axes, the batch not counted."""


@dataclass(frozen=True, order=True)
class Cell:
    """One number of a layer's output: the layer's name, and its index along each axis but the batch.

    >>> cell = Cell("conv2d_3", (4, 5, 7))
    >>> print(cell, "|", cell.row, cell.col, cell.channel)
    conv2d_3, row 4, column 5, channel 7 | 4 5 7
    """

    layer: str
    position: tuple[int, ...]

    @property
    def row(self) -> int | None:
        """None in a vector."""
        return self._index("row")

    @property
    def col(self) -> int | None:
        """None in a vector and in a sequence."""
        return self._index("col")

    @property
    def channel(self) -> int | None:
        """The unit of a vector; None where there are no axes, or more than three."""
        return self._index("channel")

    def _index(self, name: str) -> int | None:
        names = _AXES.get(len(self.position), ())
        return self.position[names.index(name)] if name in names else None

    @property
    def place(self) -> str:
        """The indices in words.

        >>> Cell("scores", (3,)).place, Cell("cube", (0, 1, 2, 3)).place
        ('unit 3', 'position (0, 1, 2, 3)')
        """
        match self.position:
            case ():
                return "the only number"
            case (unit,):
                return f"unit {unit}"
            case (row, channel):
                return f"row {row}, channel {channel}"
            case (row, col, channel):
                return f"row {row}, column {col}, channel {channel}"
        return f"position {self.position}"

    def __str__(self) -> str:
        return f"{one_line(self.layer)}, {self.place}"


def locate(
    layer: str, shape: tuple[int, ...], row: Any, col: Any, channel: Any, at: Sequence[int] | None
) -> Cell:
    """The cell that the arguments of `explain` mean, in an output of this shape (no batch).

    >>> locate("conv", (5, 5, 2), 1, 4, 0, None).position
    (1, 4, 0)

    Raises
    ------
    ValueError
        for an index that is missing or that this output does not have.
    IndexError
        for one outside the output.
    TypeError
        for one that is not an int.
    """
    indices = {"row": row, "col": col, "channel": channel}
    named = [name for name, value in indices.items() if value is not None]
    if at is not None:
        if named:
            raise ValueError(
                f"at={at!r} takes the place of row, col and channel, but {named[0]} is given too"
            )
        names = _AXES.get(len(shape), tuple(f"index {axis} of at" for axis in range(len(shape))))
        if len(tuple(at)) != len(shape):
            raise ValueError(f"at must have {len(shape)} indices for {layer!r} {shape}, got {at!r}")
        return Cell(layer, _checked(layer, shape, names, tuple(at)))
    if len(shape) not in _AXES:
        raise ValueError(f"{layer!r} {shape} has {len(shape)} axes: say which number with at=(...)")
    names = _AXES[len(shape)]
    if indices["channel"] is None and shape[-1] == 1:
        indices["channel"] = 0
    for name in named:
        if name not in names:
            raise ValueError(f"{_what(layer, shape)}, which has no {name}, got {name}={indices[name]!r}")
    missing = [name for name in names if indices[name] is None]
    if missing:
        ranges = ", ".join(f"{name} 0 .. {shape[names.index(name)] - 1}" for name in missing)
        raise ValueError(f"{_what(layer, shape)}: give {ranges}")
    return Cell(layer, _checked(layer, shape, names, tuple(indices[name] for name in names)))


def checked_index(name: str, value: Any, size: int, what: str) -> int:
    """An int from 0 to size - 1; IndexError or TypeError for anything else."""
    number = integer(value, name)
    if not 0 <= number < size:
        raise IndexError(f"{name} {number} is outside 0 .. {size - 1} of {what}")
    return number


def _checked(
    layer: str, shape: tuple[int, ...], names: Sequence[str], values: Sequence[Any]
) -> tuple[int, ...]:
    what = f"{layer!r} {shape}"
    return tuple(checked_index(*entry, what) for entry in zip(names, values, shape, strict=True))


def _what(layer: str, shape: tuple[int, ...]) -> str:
    kind = {1: "a vector", 2: "a sequence (row, channel)", 3: "maps (row, col, channel)"}[len(shape)]
    return f"{layer!r} {shape} is {kind}"
