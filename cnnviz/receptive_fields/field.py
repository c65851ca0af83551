"""ReceptiveField: one layer's row of the table, and every question about its units.

Sizes, strides and offsets are the definition's, with borders ignored; boxes, cells and masks are
what really reaches a unit, with padding left out. Weights play no part: effective fields are
another matter. A size that is not known stands for all sizes: what they agree on is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from cnnviz.receptive_fields.graph import Graph, Node
from cnnviz.receptive_fields.sized import Box, Interval, SizedField, place_in
from cnnviz.resources import one_line

Number = int | Fraction
Answer = TypeVar("Answer")


class ReceptiveField:
    """What the units of one layer see of an earlier one, the origin: as a rule the network's input.

    Unit u sees the cells -padding + u*stride to -padding + u*stride + size - 1 along its axis; those
    outside the origin are padding (Araujo, Norris and Sim, "Computing Receptive Fields of
    Convolutional Neural Networks", Distill, 2019). Pairs are along rows and columns of the layer;
    behind a permutation these run along columns and rows of the origin. Boxes, cells and masks are
    always the origin's. A vector's units have one index, `unit`, which may stand in place of `row`;
    behind a Flatten it belongs to one row, column and channel of the map.

    What reaches a unit over one path is a product, rows x columns. Over several paths it is a union of
    products: `mask` shows it, `box` and `cells` project it on the axes.

    Made by `receptive_field`.
    """

    def __init__(self, graphs: Sequence[Graph], name: str, origin: str) -> None:
        node, source = graphs[0].index[name], graphs[0].index[origin]
        self._sized = [SizedField(graph, node, source) for graph in graphs]
        self.name = graphs[0].nodes[node].name
        """The layer."""
        self.origin = graphs[0].nodes[source].name
        """The layer that it looks at."""
        self.kind = graphs[0].nodes[node].kind
        """The layer's class: Keras's, or the spec's."""
        self.inputs = tuple(graphs[0].nodes[i].name for i in graphs[0].nodes[node].inputs)
        """The names of the layers that feed it."""
        self.shape = common_shape([sized.node for sized in self._sized])
        """The layer's output shape without the batch, None where not known."""
        self.origin_shape = common_shape([sized.origin for sized in self._sized])
        """The same of the origin."""

    def __repr__(self) -> str:
        stride, padding = pair_text(self.stride), pair_text(self.padding)
        return one_line(
            f"<ReceptiveField of {self.name}: size {self.label}, stride {stride}, padding {padding}>"
        )

    # Theory -------------------------------------------------------------------------------------

    @cached_property
    def size(self) -> tuple[int | None, ...]:
        """(height, width) of a unit's field if no border cuts it, holes included; the largest.

        On a sequence it is (length,); stride and padding have one entry too.

        None where it depends on a size that is not known, as where a unit sees everything. Of a vector,
        and where paths run along different axes, along rows and columns of the origin.
        """
        return self._common(lambda sized: sized.sizes)

    @cached_property
    def stride(self) -> tuple[Number | None, ...]:
        """How many cells the field moves from one unit to the next; a Fraction where it must be.

        0 where all units see the same; None where paths disagree or units are in no such order.
        """
        return self._common(lambda sized: tuple(map(_number, sized.strides)))

    @cached_property
    def padding(self) -> tuple[Number | None, ...]:
        """The offset: how many cells before cell 0 the field of unit 0 begins.

        None where stride is, and where it depends on a size that is not known. With a fractional
        stride single fields lie up to a cell off it; the offset is that of their mean.
        """
        return self._common(lambda sized: tuple(map(_number, sized.paddings)))

    @cached_property
    def aligned(self) -> bool:
        """Whether all paths agree on the stride and on every unit's centre."""
        return all(sized.aligned for sized in self._sized)

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """Along which axis of the origin each of the layer's runs: (1, 0) behind a permutation."""
        return self._agreed(lambda sized: sized.axes)

    @cached_property
    def local(self) -> ReceptiveField | None:
        """What it sees over the paths that pass no global pooling, where such paths meet others that do.

        Behind a squeeze-and-excitation, whose gates see the whole image, that of the convolutions alone.
        None where all paths are alike.
        """
        first = self._sized[0].graph
        node, source = first.index[self.name], first.index[self.origin]
        found = [sized.graph.local for sized in self._sized]
        graphs = [each[0] for each in found if each is not None and node in each[1]]
        if len(graphs) < len(found) or node not in graphs[0].theory(source):
            return None
        return ReceptiveField(graphs, self.name, self.origin)

    @property
    def label(self) -> str:
        """The size in short, for a heading: "14" or "3 x 5".

        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> receptive_field([Conv((3, 5))])["conv"].label
        '3 x 5'
        """
        return pair_text(self.size)

    def center(
        self, row: int | None = None, col: int | None = None, *, unit: Any = None
    ) -> tuple[float, ...]:
        """The (row, column) around which a unit's field lies, borders ignored; halves lie between cells.

        Parameters
        ----------
        row, col, unit
            As for `box`. May be left out where all units see the same.

        Raises
        ------
        MisalignedError
            if paths disagree on it.
        IndexError, ValueError
            as for `box`.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Conv, Pool, receptive_field
        >>> receptive_field([Conv(3), Pool(2)])["pool"].center(0, 5)
        (1.5, 11.5)
        """
        return self._agreed(lambda sized: sized.center(place_in(sized.node, row, col, unit)))

    # Units --------------------------------------------------------------------------------------

    def box(
        self, row: int | None = None, col: int | None = None, clip: bool = True, *, unit: Any = None
    ) -> Box:
        """The first and last row and column that reach a unit: ((top, bottom), (left, right)).

        Parameters
        ----------
        row, col
            The unit's position in a map; without any, the union over all units.
        clip
            True: what is really read, ((0, -1), (0, -1)) if that is nothing. False: borders are
            ignored, so that cells of the padding and beyond it count.
        unit
            The unit's index in a vector; in any other shape, a tuple.

        Returns
        -------
        ((top, bottom), (left, right)), both ends included
            ((first, last),) if the origin is a vector or a sequence.

        Raises
        ------
        IndexError
            for a unit that does not exist.
        ValueError
            for indices that do not fit the layer; if the answer depends on a size that is not known.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> rf = receptive_field([Conv(3, padding="same")], (8, 8))
        >>> rf["conv"].box(0, 4), rf["conv"].box(0, 4, clip=False)
        (((0, 1), (3, 5)), ((-1, 1), (3, 5)))
        """
        return self._agreed(lambda sized: sized.box(place_in(sized.node, row, col, unit), clip))

    def interval(self, axis: int, u: int, clip: bool = True) -> Interval:
        """The first and last cell that reach row `u` (axis 0) or column `u` (axis 1) of the layer.

        Parameters
        ----------
        axis
            Of the layer. For a vector: of the origin, and `u` is the unit.
        u
            The row or column.
        clip
            As for `box`.

        Raises
        ------
        IndexError, ValueError
            as for `box`.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> receptive_field([Conv(3, dilation_rate=2)], (9, 9))["conv"].interval(0, 1)
        (1, 5)
        """
        return self._agreed(lambda sized: sized.interval(axis, u, clip))

    def intervals(self, axis: int, clip: bool = True) -> np.ndarray:
        """`interval` of every row, every column or every unit of a vector at once: int array (n, 2).

        Parameters and errors as for `interval`; ValueError if the size is not known.

        >>> from cnnviz.receptive_fields import Pool, receptive_field
        >>> receptive_field([Pool(2)], (4, 6))["pool"].intervals(0).tolist()
        [[0, 1], [2, 3]]
        """
        return self._known.intervals(axis, clip)

    def ends(self, clip: bool = True) -> list[tuple[np.ndarray, np.ndarray]]:
        """The first and the last cell that every unit sees, along each axis of the origin.

        Each an int array of the layer's shape without the batch, in which axes along which nothing changes
        have length 1; a unit that sees nothing has a last cell before its first. Errors as for `intervals`.

        >>> from cnnviz.receptive_fields import Pool, receptive_field
        >>> (first, last), _ = receptive_field([Pool(2)], (4, 6))["pool"].ends()
        >>> first.ravel().tolist(), last.ravel().tolist()
        ([0, 2], [1, 3])
        """
        return self._known.bounds(clip).ends

    def cells(self, axis: int, u: int) -> tuple[int, ...]:
        """Exactly the rows or columns that reach row `u` (axis 0) or column `u` (axis 1) of the layer.

        With the holes of dilation, the phases of a transposed convolution, and what borders cut off.
        Parameters and errors as for `interval`.

        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> receptive_field([Conv(3, dilation_rate=2)], (9, 9))["conv"].cells(0, 1)
        (1, 3, 5)
        """
        return self._agreed(lambda sized: sized.cells(axis, u))

    def mask(self, row: int | None = None, col: int | None = None, *, unit: Any = None) -> np.ndarray:
        """Exactly the cells that reach a unit: a bool array of the origin's (height, width).

        Parameters and errors as for `box`; ValueError if the size is not known.

        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> receptive_field([Conv(2, dilation_rate=2)], (3, 3))["conv"].mask(0, 0).astype(int)
        array([[1, 0, 1],
               [0, 0, 0],
               [1, 0, 1]])
        """
        sized = self._known
        return sized.mask(place_in(sized.node, row, col, unit))

    # The other way round ------------------------------------------------------------------------

    def projective_box(self, row: int | None = None, col: int | None = None, *, unit: Any = None) -> Box:
        """The first and last row and column of units that a cell of the origin feeds.

        Parameters
        ----------
        row, col, unit
            A cell of the origin, given as a unit is for `box`.

        Returns
        -------
        ((top, bottom), (left, right)) of the layer's units, both ends included
            ((first, last),) if the layer is a vector or a sequence.

        Raises
        ------
        IndexError, ValueError
            as for `box`; ValueError if the size is not known.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Conv, receptive_field
        >>> receptive_field([Conv(3)], (8, 8))["conv"].projective_box(0, 4)
        ((0, 0), (2, 4))
        """
        sized = self._known
        return sized.projective_box(place_in(sized.origin, row, col, unit))

    def projective_mask(
        self, row: int | None = None, col: int | None = None, *, unit: Any = None
    ) -> np.ndarray:
        """Exactly the units that a cell of the origin feeds: a bool array of the layer's (height, width).

        Parameters and errors as for `projective_box`.
        """
        sized = self._known
        return sized.projective_mask(place_in(sized.origin, row, col, unit))

    # Sizes that are not known -------------------------------------------------------------------

    @property
    def _known(self) -> SizedField:
        """The field, if the input's size is known."""
        if len(self._sized) > 1:
            raise ValueError(f"the input's size is not known, which this needs: {_REMEDY}")
        return self._sized[0]

    def _agreed(self, query: Callable[[SizedField], Answer]) -> Answer:
        """The answer that all sizes agree on."""
        if len(self._sized) == 1:
            return query(self._sized[0])
        try:
            answers = [query(sized) for sized in self._sized]
        except IndexError:
            answers = []
        if not answers or any(answer != answers[0] for answer in answers):
            raise ValueError(f"this depends on the input's size, which is not known: {_REMEDY}")
        return answers[0]

    def _common(self, query: Callable[[SizedField], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Entry by entry what all sizes agree on, or None."""
        return common([query(sized) for sized in self._sized])


_REMEDY = "pass receptive_field an input_shape=(height, width)"


def common(answers: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Entry by entry what all tuples have in common, None elsewhere."""
    return tuple(
        entries[0] if all(entry == entries[0] for entry in entries) else None
        for entries in zip(*answers, strict=True)
    )


def common_shape(nodes: Sequence[Node]) -> tuple[int | None, ...]:
    shape = common([node.shape for node in nodes])
    return shape if nodes[0].channels_known else (*shape[:-1], None)


def pair_text(values: Sequence[Number | None]) -> str:
    """A pair in short: "3" if both are, else "3 x 5"; a dash where there is no number."""
    texts = ["–" if value is None else str(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)


def _number(value: Fraction | None) -> Number | None:
    return value.numerator if value is not None and value.denominator == 1 else value
