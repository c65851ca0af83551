"""Layer specs: just enough of a layer to know what its units see, for networks without weights.

A spec has the options of a Keras class, whose entry in `layers` says what a unit reads. Here are the layers
that pool everything, rearrange and join; those that slide windows are in `window_specs`. Arguments and
defaults are Keras's. Numbers of filters matter only where channels turn into units, as behind a Flatten, and
may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any, ClassVar

from cnnviz.layers import ENTRIES, Layer
from cnnviz.layers import options as read
from cnnviz.layers.links import Expand, Gather, Links, Regroup, Shape
from cnnviz.numbers import brief
from cnnviz.ops.annotations import checked

MOST_LAYERS, MOST_DEPTH = 10_000, 100
"""Of Branches: in all their paths together, and in one another."""


@dataclass(frozen=True)
class Spec:
    """One layer: how its units read those of the layers that feed it.

    Every kind takes a `name`; without one it gets its kind's, numbered.
    """

    name: str | None = field(default=None, kw_only=True, repr=False)

    keras_class: ClassVar[str] = ""
    """The class whose entry says what its units read."""

    def __post_init__(self) -> None:
        """Options are read as the Keras class reads them; a default of None stays."""
        options = ENTRIES[self.keras_class].options if self.keras_class else {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in options and not (value is None and each.default is None):
                reader, _ = options[each.name]
                self._set(**{each.name: reader(value, each.name)})

    @property
    def kind(self) -> str:
        """What it is called in a table."""
        return type(self).__name__

    def links(self, *shapes: Shape) -> list[Links]:
        """From each input, of these shapes, to the units.

        Raises ValueError where the layer does not fit its inputs.
        """
        return Layer(self.kind, self.keras_class, self.config()).links(shapes)

    def config(self) -> dict[str, Any]:
        """The options that Keras's class has."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "name"}

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

    keras_class: ClassVar[str] = "GlobalMaxPooling2D"


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

    def __post_init__(self) -> None:
        read.optional(read.count)(self.units, "units")

    def links(self, *shapes: Shape) -> list[Links]:
        (shape,) = shapes
        return [(Regroup(shape, (prod(shape),)), Gather(0), Expand(0, self.units or 1))]


@dataclass(frozen=True)
class Flatten(Spec):
    """Unit j of the vector is the j-th cell of the map, channels fastest, then columns.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Flatten()], (2, 3, 4))["flatten"].box(unit=21)
    ((1, 1), (2, 2))
    """

    keras_class: ClassVar[str] = "Flatten"


@dataclass(frozen=True)
class Reshape(Spec):
    """The same cells in another shape, (height, width, channels) or a vector's; one entry may be -1.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Reshape((3, 2, -1))], (2, 3, 1))["reshape"].box(1, 1)
    ((1, 1), (0, 0))
    """

    target_shape: Sequence[int]

    keras_class: ClassVar[str] = "Reshape"


@dataclass(frozen=True)
class Permute(Spec):
    """The axes in another order, counted from 1 as in Keras: (2, 1, 3) swaps rows and columns.

    >>> from cnnviz.receptive_fields import Conv, receptive_field
    >>> receptive_field([Conv((3, 5)), Permute()])["permute"].size
    (5, 3)
    """

    dims: Sequence[int] = (2, 1, 3)

    keras_class: ClassVar[str] = "Permute"


@dataclass(frozen=True)
class Identity(Spec):
    """A layer that leaves every cell where it is: an activation, a normalisation, dropout."""

    keras_class: ClassVar[str] = "Identity"


@dataclass(frozen=True)
class Join(Spec):
    """The layer in which branches meet: a sum, product, mean or maximum, or side by side."""

    merge: str = "add"

    @property
    def kind(self) -> str:
        return self.merge.capitalize()

    def links(self, *shapes: Shape) -> list[Links]:
        side_by_side = {"axis": -1} if self.merge == "concatenate" else {}
        return Layer(self.merge, self.kind, side_by_side).links(shapes)


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
        for another merge, no path, or more than 10,000 layers or 100 Branches in one another.

    Examples
    --------
    >>> from cnnviz.receptive_fields import Conv, receptive_field
    >>> residual = Branches([Conv(3, padding="same"), Conv(3, padding="same")], [])
    >>> receptive_field([residual])["add"].size
    (5, 5)
    """

    paths: tuple[tuple[Spec, ...], ...]
    merge: str

    _size: ClassVar[int]
    _depth: ClassVar[int]
    MERGES: ClassVar[tuple[str, ...]] = ("add", "multiply", "average", "maximum", "concatenate")

    @checked
    def __init__(self, *paths: Sequence[Spec], merge: str = "add", name: str | None = None) -> None:
        if merge not in self.MERGES:
            raise ValueError(f"merge must be one of {', '.join(self.MERGES)}, got {brief(merge)}")
        if not paths:
            raise ValueError("Branches needs at least one path, got none")
        self._set(paths=tuple(map(tuple, paths)), merge=merge, name=name)
        inside = [each for path in self.paths for each in path]
        branches = [each for each in inside if isinstance(each, Branches)]
        size = len(inside) + sum(each._size for each in branches)
        depth = 1 + max((each._depth for each in branches), default=0)
        if size > MOST_LAYERS or depth > MOST_DEPTH:
            raise ValueError(
                f"paths must hold at most {MOST_LAYERS:,} layers and {MOST_DEPTH} Branches in one another, "
                f"got {size:,} and {depth}"
            )
        self._set(_size=size, _depth=depth)

    @property
    def join(self) -> Spec:
        """The layer in which the paths meet."""
        return Join(self.merge, name=self.name)
