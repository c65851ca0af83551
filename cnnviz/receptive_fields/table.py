"""receptive_field, and the table that it returns: a network's receptive fields by layer name.

A network or a list of layer specs becomes a graph for one input size, or, where the size is not
known, one for each way in which its layers can fall on the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from operator import index
from typing import Any

from cnnviz.network import LayerGraph
from cnnviz.network.layer_graph import names_like
from cnnviz.receptive_fields.extents import unit_axes
from cnnviz.receptive_fields.field import ReceptiveField, pair_text
from cnnviz.receptive_fields.graph import Graph, graph_of_network, graph_of_specs
from cnnviz.receptive_fields.marks import Marks
from cnnviz.receptive_fields.sized import Box, SizedField, place_in
from cnnviz.receptive_fields.specs import Spec
from cnnviz.resources import one_line

AnyShape = tuple[int | None, ...]


def receptive_field(
    net: LayerGraph | Sequence[Spec], input_shape: Any = None, *, wrt: str | None = None
) -> ReceptiveFields:
    """What every unit of a network sees: size, stride and offset of each layer, boxes of each unit.

    Parameters
    ----------
    net
        A network, whose weights play no part, or layer specs such as [Conv(3), Pool(2)].
    input_shape
        (height, width) or (height, width, channels), None where not known; an int is a square. By
        default the network's own; a spec list's is not known. For several inputs, a mapping by name.
    wrt
        The layer that is looked at; by default the network's input, the first if there are several.

    Returns
    -------
    ReceptiveFields
        A mapping from layer names, in the network's order, to `ReceptiveField`.

    Raises
    ------
    ValueError, TypeError
        for a shape that the network cannot take, naming the layer that fails.
    KeyError
        for a layer `wrt` that does not exist.

    Examples
    --------
    >>> from cnnviz.receptive_fields import Conv, Pool
    >>> rf = receptive_field([Conv(3), Pool(2), Conv(3)], (28, 28))
    >>> rf["conv_1"].size, rf["conv_1"].stride, rf["conv_1"].box(0, 1)
    ((8, 8), (2, 2), ((0, 7), (2, 9)))

    Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    Distill, 2019, https://distill.pub/2019/computing-receptive-fields
    """
    if isinstance(net, LayerGraph):
        shapes = _network_shapes(net, input_shape)
        graphs = _graphs(lambda known: graph_of_network(net, known), shapes)
        first = net.inputs[0]
    elif isinstance(net, Sequence) and not isinstance(net, str):
        first, layers = "input", list(net)
        shape = _shape(input_shape, (None, None, None))
        channels = shape[-1] if len(shape) > 1 else shape[0]
        inner = shape if len(shape) == 1 else (*shape[:-1], channels or 1)
        graphs = _graphs(
            lambda known: graph_of_specs(layers, known[first], channels is not None), {first: inner}
        )
    else:
        raise TypeError(f"net must be a Network or a list of layer specs, got {type(net).__name__}")
    return ReceptiveFields(graphs, first if wrt is None else wrt)


class ReceptiveFields(Mapping[str, ReceptiveField]):
    """The receptive fields of all layers that one layer, the origin, feeds: a mapping by name, in order.

    An int is a layer's place in the table, the origin's being 0. Printing it shows the table. Made by
    `receptive_field`.
    """

    def __init__(self, graphs: Sequence[Graph], origin: str) -> None:
        self._graphs = tuple(graphs)
        source = _find(self._graphs[0], origin)
        self.origin = self._graphs[0].nodes[source].name
        """The layer that is looked at."""
        self._names = [self._graphs[0].nodes[i].name for i in self._graphs[0].theory(source)]
        self._fed = frozenset(self._names)
        self._field = cache(lambda name: ReceptiveField(self._graphs, name, self.origin))
        self._tables = cache(lambda name: ReceptiveFields(self._graphs, name))

    def __getitem__(self, name: str | int) -> ReceptiveField:
        if isinstance(name, int) and not isinstance(name, bool):
            return self._field(self._names[name])
        layer = self._graphs[0].nodes[_find(self._graphs[0], name)].name
        if layer not in self._fed:
            raise KeyError(f"{name} is not fed by {self.origin}")
        return self._field(layer)

    def __contains__(self, name: object) -> bool:
        place = self._graphs[0].index.get(name) if isinstance(name, str) else None
        return place is not None and self._graphs[0].nodes[place].name in self._fed

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return one_line(f"<ReceptiveFields of {len(self)} layers on {self.origin}>")

    def __str__(self) -> str:
        table = [_HEADINGS, *map(_cells, self.values())]
        widths = [max(len(row[i]) for row in table) for i in range(len(_HEADINGS))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in table
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        def row(tag: str, texts: Sequence[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts) + "</tr>"

        body = "".join(row("td", _cells(field)) for field in self.values())
        caption = f"<caption>Receptive fields on {escape(one_line(self.origin))}</caption>"
        return f"<table>{caption}<thead>{row('th', _HEADINGS)}</thead><tbody>{body}</tbody></table>"

    def rows(self) -> list[dict[str, Any]]:
        """The table as data that JSON and CSV can hold, one dict a layer; fractions are text ("1/2").

        >>> from cnnviz.receptive_fields import Upsample
        >>> receptive_field([Upsample(2)], (3, 3)).rows()[1]["stride"]
        ['1/2', '1/2']
        """
        return [
            {
                "name": field.name,
                "kind": field.kind,
                "output_shape": list(field.shape),
                "size": list(field.size),
                "stride": [_plain(value) for value in field.stride],
                "padding": [_plain(value) for value in field.padding],
                "aligned": field.aligned,
            }
            for field in self.values()
        ]

    def wrt(self, layer: str) -> ReceptiveFields:
        """The table of what is seen of another layer, by the layers that it feeds.

        Raises KeyError for a layer that does not exist.

        >>> from cnnviz.receptive_fields import Conv, Pool
        >>> receptive_field([Conv(5), Pool(2), Conv(3)], (28, 28)).wrt("pool")["conv_1"].size
        (3, 3)
        """
        return self._tables(self._graphs[0].nodes[_find(self._graphs[0], layer)].name)

    def between(self, layer: str, earlier: str) -> ReceptiveField:
        """What units of a layer see of an earlier one.

        Raises KeyError for a layer that does not exist, or that the earlier one does not feed.

        >>> from cnnviz.receptive_fields import Conv, Pool
        >>> receptive_field([Conv(5), Pool(2), Conv(3)], (28, 28)).between("conv_1", "conv").size
        (6, 6)
        """
        return self.wrt(earlier)[layer]

    def cone(
        self, layer: str, row: int | None = None, col: int | None = None, *, unit: Any = None
    ) -> dict[str, Box]:
        """The boxes of all cells that reach a unit, on every layer from the origin to the one before it.

        Parameters
        ----------
        layer
            Where the unit is.
        row, col, unit
            The unit, as for `ReceptiveField.box`.

        Returns
        -------
        {layer name: ((top, bottom), (left, right))}
            Ends included; ((first, last),) on a vector, which is left out if its channels are not known.

        Raises
        ------
        KeyError, IndexError, ValueError
            for a layer or a unit that does not exist; ValueError if the size is not known.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Conv, Pool
        >>> receptive_field([Conv(5), Pool(2)], (28, 28)).cone("pool", 0, 1)
        {'input': ((0, 5), (2, 7)), 'conv': ((0, 1), (2, 3))}
        """
        sized = self[layer]._known
        marks = sized.feeding(place_in(sized.node, row, col, unit))
        return self._boxes(sized, marks, leave_out=self[layer].name)

    def reads(self, layer: str, axis: int) -> dict[str, list[tuple[int, ...]]]:
        """Which rows (axis 0) or columns (1) of each layer before it every row or column of a layer reads.

        Directly, not over what lies between: a sum reads the same cell of each branch.

        Raises
        ------
        KeyError
            for a layer that does not exist.
        ValueError
            for an axis that is not the layer's; if the size is not known.

        Examples
        --------
        >>> from cnnviz.receptive_fields import Branches, Conv
        >>> rf = receptive_field([Branches([Conv(3, padding="same")], [])], (4, 4))
        >>> rf.reads("conv", 1)
        {'input': [(0, 1), (0, 1, 2), (1, 2, 3), (2, 3)]}
        >>> rf.reads("add", 1)["input"]
        [(0,), (1,), (2,), (3,)]
        """
        sized = self[layer]._known
        graph, node = sized.graph, sized.node
        if axis not in range(min(len(node.shape) - 1, 2)):
            raise ValueError(
                f"axis must be one of {layer}'s, {node.shape}, but not its channels, got {axis!r}"
            )
        places = [tuple(u if a == axis else None for a in range(axis + 1)) for u in range(node.shape[axis])]
        return {
            graph.nodes[source].name: [
                tuple(
                    Marks.at(node.shape, place)
                    .backward(steps, graph.nodes[source].shape)
                    .along(axis)
                    .nonzero()[0]
                    .tolist()
                )
                for place in places
            ]
            for source, steps in zip(node.inputs, node.links, strict=True)
        }

    def projection(
        self, layer: str, row: int | None = None, col: int | None = None, *, unit: Any = None
    ) -> dict[str, Box]:
        """The boxes of all units that a cell reaches, on every layer behind its own.

        Parameters, result and errors as for `cone`, with the cell in place of the unit.

        >>> from cnnviz.receptive_fields import Conv, Pool
        >>> receptive_field([Conv(5), Pool(2)], (28, 28)).projection("conv", 4, 7)
        {'pool': ((2, 2), (3, 3))}
        """
        table = self.wrt(layer)
        sized = table[0]._known
        marks = sized.graph.fed(sized.graph.index[layer], place_in(sized.node, row, col, unit))
        return table._boxes(sized, marks, leave_out=table.origin)

    def _boxes(self, sized: SizedField, marks: Mapping[int, Marks], leave_out: str) -> dict[str, Box]:
        nodes = sized.graph.nodes
        return {
            nodes[i].name: marks[i].box(unit_axes(nodes[i].shape))
            for i in sorted(marks)
            if nodes[i].name in self._fed and nodes[i].name != leave_out and nodes[i].countable
        }


_HEADINGS = ("layer", "kind", "output", "size", "stride", "padding", "")


def _cells(field: ReceptiveField) -> tuple[str, ...]:
    output = " x ".join("?" if size is None else str(size) for size in field.shape)
    numbers = (field.label, pair_text(field.stride), pair_text(field.padding))
    # A vector has no places that fields could be centred on.
    remark = "" if field.aligned or len(field.origin_shape) < 2 else "misaligned"
    return (one_line(field.name), field.kind, output, *numbers, remark)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)


def _find(graph: Graph, name: Any) -> int:
    if name not in graph.index:
        raise KeyError(f"there is no layer {name!r}; {names_like(name, graph.index)}")
    return graph.index[name]


# Input shapes -----------------------------------------------------------------------------------

_PROBES = (1024, 5040, 40320)
"""Stand-ins for a size that is not known, until one fits: with many divisors, as U-Nets need it."""
_MOST_GRAPHS = 256


def _graphs(build: Callable[[dict[str, Any]], Graph], shapes: Mapping[str, AnyShape]) -> list[Graph]:
    """The graph for these input shapes; with unknown sizes, one for each remainder that matters.

    All layers fall alike on inputs whose sizes differ by the product of the strides. A last, larger
    size tells what depends on the size itself.
    """

    def at(size: int) -> Graph:
        return build({name: tuple(size if n is None else n for n in s) for name, s in shapes.items()})

    if all(None not in shape for shape in shapes.values()):
        return [build(dict(shapes))]
    for probe in _PROBES:
        try:
            graph = at(probe)
            break
        except ValueError:
            if probe == _PROBES[-1]:
                raise
    period = graph.period()
    base = -(-probe // period) * period
    _check_sizes(graph, min(period, _MOST_GRAPHS) + 1, -(-base // probe))
    remainders = range(period)
    if period > _MOST_GRAPHS:
        # Neighbouring sizes tell the early layers apart, spread ones the late layers.
        half = _MOST_GRAPHS // 2
        remainders = sorted({*range(half), *(i * period // half for i in range(half))})  # type: ignore[assignment]
    graphs = []
    for size in (*(base + rest for rest in remainders), 2 * base):
        try:
            graphs.append(at(size))
        except ValueError:  # a size that the network cannot take, as an odd one in a U-Net
            if size == base:
                raise
    return graphs


_MOST_PLACES = 2 * 10**7
_PLACES_OF_A_LAYER = 300
"""A layer takes as long as so many rows or columns of its units, beside those that it has."""


def _check_sizes(graph: Graph, count: int, larger: int) -> None:
    """ValueError where so many sizes, `larger` times the graph's, take too long to be compared."""
    units = [sum(node.shape[: unit_axes(node.shape)]) for node in graph.nodes]
    places = count * (len(units) * _PLACES_OF_A_LAYER + larger * sum(units))
    if places > _MOST_PLACES:
        raise ValueError(
            f"the input's size is not known, and {count} sizes would have to be compared of {len(units):,} "
            "layers, which takes too long: pass an input_shape=(height, width)"
        )


def _network_shapes(net: LayerGraph, given: Any) -> dict[str, AnyShape]:
    if not isinstance(given, Mapping):
        if given is not None and len(net.inputs) > 1:
            raise ValueError(
                f"input_shape must be a mapping by name for the inputs {net.inputs}, got {given!r}"
            )
        given = dict.fromkeys(net.inputs, given)
    if unknown := set(given) - set(net.inputs):
        raise ValueError(f"input_shape names {sorted(unknown)}, but the inputs are {net.inputs}")
    return {name: _shape(given.get(name), net[name].output_shape) for name in net.inputs}


def _shape(given: Any, default: AnyShape) -> AnyShape:
    """An input_shape argument, without the batch; a map's channels may be left out."""
    if given is None:
        return default
    try:
        sizes = (given, given) if not isinstance(given, Sequence) else tuple(given)
        shape = tuple(None if size is None else index(size) for size in sizes)
    except TypeError:
        shape = ()
    if not shape or any(size is not None and size < 1 for size in shape):
        raise ValueError(f"input_shape must be (height, width) or (height, width, channels), got {given!r}")
    if len(shape) == 2 and len(default) == 3:
        shape = (*shape, default[-1])
    if default[-1] is None:
        return shape
    if len(shape) != len(default) or shape[-1] not in (None, default[-1]):
        raise ValueError(f"input_shape must fit the network's input {default}, got {given!r}")
    return (*shape[:-1], default[-1])
