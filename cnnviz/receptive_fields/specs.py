"""Layer specs: just enough of a layer to know what its units see, for networks without weights.

Here are the layers that pool everything, rearrange and join; those that slide windows are in
`window_specs`. Arguments and defaults are Keras's. Numbers of filters matter only where channels
turn into units, as behind a Flatten, and may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

from cnnviz.layers import options as read
from cnnviz.ops.padding import Axis
from cnnviz.receptive_fields.steps import Expand, Gather, Place, Shape, Step, Transpose
from cnnviz.receptive_fields.steps import Reshape as ReshapeStep

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Spec:
    """One layer: how its units read those of the layers that feed it.

    Every kind takes a `name`; without one it gets its kind's, numbered.
    """

    name: str | None = field(default=None, kw_only=True, repr=False)

    default_name: ClassVar[str] = "layer"

    def links(self, *shapes: Shape) -> list[Steps]:
        """The steps from each input to the output, for inputs of these shapes.

        Raises ValueError where the layer does not fit its inputs.
        """
        raise NotImplementedError

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class GlobalPool(Spec):
    """Global max or average pooling: one unit per channel sees all that feeds the map.

    With `keepdims` the result is a map of one row and one column, else a vector.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([GlobalPool()], (6, 8))["global_pool"].box()
    ((0, 5), (0, 7))
    """

    keepdims: bool = False

    default_name: ClassVar[str] = "global_pool"

    def links(self, *shapes: Shape) -> list[Steps]:
        *_, channels = map_shape(shapes)
        gathered: Steps = (Gather(0), Gather(1))
        return [gathered if self.keepdims else (*gathered, ReshapeStep((1, 1, channels), (channels,)))]


@dataclass(frozen=True)
class Dense(Spec):
    """A fully connected layer: every unit sees all that feeds the layer, of a map too.

    Keras's Dense on a map works on each position by itself; as a spec that is Conv(1). `units` is
    their number, None if it does not matter.

    >>> from cnnviz.receptive_fields import Conv, receptive_field
    >>> receptive_field([Conv(1, 2), Dense()], (6, 8))["dense"].box()
    ((0, 4), (0, 6))
    """

    units: int | None = None

    default_name: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        read.optional(read.count)(self.units, "units")

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        cells = prod(shape)
        return [(ReshapeStep(shape, (cells,)), Gather(0), Expand(0, self.units or 1))]


@dataclass(frozen=True)
class LastAxis(Spec):
    """All units along the last axis read all cells along it, position by position.

    `units` is their new number, None to keep it: Keras's Dense, or a softmax over channels.
    """

    units: int | None = None

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        return [mix(shape, -1, self.units)]


@dataclass(frozen=True)
class Flatten(Spec):
    """Unit j of the vector is the j-th cell of the map, channels fastest, then columns.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Flatten()], (2, 3, 4))["flatten"].box(unit=21)
    ((1, 1), (2, 2))
    """

    default_name: ClassVar[str] = "flatten"

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        return [(ReshapeStep(shape, (prod(shape),)),)]


@dataclass(frozen=True)
class Reshape(Spec):
    """The same cells in another shape, (height, width, channels) or a vector's; one entry may be -1.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Reshape((3, 2, -1))], (2, 3, 1))["reshape"].box(1, 1)
    ((1, 1), (0, 0))
    """

    target_shape: Sequence[int]

    default_name: ClassVar[str] = "reshape"

    def __post_init__(self) -> None:
        self._set(target_shape=read.ints(self.target_shape, "target_shape"))

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        target, total = list(self.target_shape), prod(shape)
        known = prod(size for size in target if size != -1)
        if target.count(-1) == 1 and known > 0 and total % known == 0:
            target[target.index(-1)] = total // known
        if min(target, default=1) < 1 or prod(target) != total:
            raise ValueError(
                f"target_shape must hold the {total} cells of its input {shape}, got {self.target_shape}"
            )
        return [(ReshapeStep(shape, tuple(target)),)]


@dataclass(frozen=True)
class Permute(Spec):
    """The axes in another order, counted from 1 as in Keras: (2, 1, 3) swaps rows and columns.

    >>> from cnnviz.receptive_fields import Conv, receptive_field
    >>> receptive_field([Conv((3, 5)), Permute()])["permute"].size
    (5, 3)
    """

    dims: Sequence[int] = (2, 1, 3)

    default_name: ClassVar[str] = "permute"

    def __post_init__(self) -> None:
        self._set(dims=read.ints(self.dims, "dims"))

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            raise ValueError(
                f"dims must be 1 to {len(shape)} in some order for an input {shape}, got {self.dims}"
            )
        return [(Transpose(tuple(axis - 1 for axis in self.dims)),)]


@dataclass(frozen=True)
class Identity(Spec):
    """A layer that leaves every cell where it is: an activation, a normalisation, dropout."""

    default_name: ClassVar[str] = "identity"

    def links(self, *shapes: Shape) -> list[Steps]:
        return [()]


@dataclass(frozen=True)
class Merge(Spec):
    """Branches joined cell by cell: a sum, product, mean or maximum; shapes broadcast as in Keras."""

    def links(self, *shapes: Shape) -> list[Steps]:
        rank = max(map(len, shapes))
        full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
        sizes = [max(lengths) for lengths in zip(*full, strict=True)]
        if any(length not in (1, size) for shape in full for length, size in zip(shape, sizes, strict=True)):
            raise ValueError(
                f"branches must have shapes that broadcast, got {' and '.join(map(str, shapes))}"
            )
        return [
            (
                *([] if shape == same else [ReshapeStep(shape, same)]),
                *(Expand(i, size) for i, size in enumerate(sizes) if same[i] < size),
            )
            for shape, same in zip(shapes, full, strict=True)
        ]


@dataclass(frozen=True)
class Concatenate(Spec):
    """Branches side by side along an axis, counted without the batch; the last is the channels'."""

    axis: int = -1

    def links(self, *shapes: Shape) -> list[Steps]:
        rank = len(shapes[0])
        axis = self.axis % rank if -rank <= self.axis < rank else rank
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) > 1 or axis == rank:
            raise ValueError(
                f"branches must agree in all but axis {self.axis}, got {' and '.join(map(str, shapes))}"
            )
        starts = [sum(shape[axis] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        places = (
            Axis(shape[axis], 1, before=start, after=starts[-1] - start - shape[axis])
            for shape, start in zip(shapes, starts, strict=False)
        )
        return [(Place(axis, place),) for place in places]


@dataclass(frozen=True, init=False)
class Branches(Spec):
    """Several paths from the same layer, joined again; an empty path is a shortcut.

    Parameters
    ----------
    *paths
        A list of specs each.
    merge
        "add", "multiply", "average", "maximum" or "concatenate" (along the channels).

    Raises
    ------
    ValueError
        for another merge, or no path.

    Examples
    --------
    >>> from cnnviz.receptive_fields import Conv, receptive_field
    >>> residual = Branches([Conv(3, padding="same"), Conv(3, padding="same")], [])
    >>> receptive_field([residual])["add"].size
    (5, 5)
    """

    paths: tuple[tuple[Spec, ...], ...]
    merge: str

    MERGES: ClassVar[tuple[str, ...]] = ("add", "multiply", "average", "maximum", "concatenate")

    def __init__(self, *paths: Sequence[Spec], merge: str = "add", name: str | None = None) -> None:
        if merge not in self.MERGES:
            raise ValueError(f"merge must be one of {', '.join(self.MERGES)}, got {merge!r}")
        if not paths:
            raise ValueError("Branches needs at least one path, got none")
        self._set(paths=tuple(map(tuple, paths)), merge=merge, name=name)

    @property
    def join(self) -> Spec:
        """The layer in which the paths meet."""
        joined = Concatenate if self.merge == "concatenate" else Merge
        return joined(name=self.name)


def mix(shape: Shape, axis: int, units: int | None = None) -> Steps:
    """Steps in which all units along an axis read all cells along it."""
    axis %= len(shape)
    return Gather(axis), Expand(axis, units or shape[axis])


def map_shape(shapes: Sequence[Shape]) -> tuple[int, int, int]:
    """The one input's shape, if it is a map's."""
    (shape,) = shapes
    if len(shape) != 3:
        raise ValueError(f"its input must be a map (height, width, channels), got {shape}")
    return shape[0], shape[1], shape[2]
