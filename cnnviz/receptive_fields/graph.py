"""Graph: a network as nodes and steps, for one input size, and what its units see and feed.

Built from a list of layer specs or from a `Network`, whose weights play no part. Softmax is the one
activation that mixes cells; everything else that Keras does cell by cell is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property, reduce
from heapq import heappop, heappush
from math import gcd, lcm, prod
from operator import or_

from cnnviz.layers.links import MOST_CELLS, Gather, Links, Shape, Slide, Spread, after
from cnnviz.network import LayerGraph
from cnnviz.network.keras_config import snake_case
from cnnviz.receptive_fields import extents, specs, window_specs
from cnnviz.receptive_fields.extents import MOST_TABLE_CELLS, Bounds, Field, UnitGrid, unit_axes
from cnnviz.receptive_fields.marks import Marks
from cnnviz.receptive_fields.specs import Spec

FEW_UNITS = 1 << 20
"""Units of all layers together, as the channels share them, whose first and last cells are little to keep."""


@dataclass(frozen=True, eq=False)
class Node:
    """One layer: its shape without the batch, the nodes that feed it, and the links from each."""

    name: str
    kind: str
    shape: Shape
    inputs: tuple[int, ...] = ()
    links: tuple[Links, ...] = ()
    channels_known: bool = True
    """Whether the last entry of the shape is real; it is 1 where no filters were given."""

    @property
    def countable(self) -> bool:
        """Whether its units can be counted: those of a vector are made of channels."""
        return self.channels_known or len(self.shape) > 1


class Graph:
    """Nodes in an order in which each comes after those that feed it. It never changes."""

    def __init__(self, nodes: Sequence[Node], aliases: Mapping[str, str] | None = None) -> None:
        self.nodes = tuple(nodes)
        self.index = {node.name: i for i, node in enumerate(self.nodes)}
        self.index.update({alias: self.index[name] for alias, name in (aliases or {}).items()})
        # Kept for every layer that was looked at, for as long as the graph.
        self.bounds = cache(self._bounds)
        self.theory = cache(self._theory)

    @cached_property
    def small(self) -> bool:
        """Whether tables with an entry for every unit are little to keep."""
        return sum(prod(node.shape[: unit_axes(node.shape)]) for node in self.nodes) <= FEW_UNITS

    @cached_property
    def local(self) -> tuple[Graph, frozenset[int]] | None:
        """The same without the paths that gather whole rows or columns, where they meet others that do not.

        A squeeze-and-excitation multiplies a map by what global pooling made of all of it: there the map's
        own path is left. With the nodes that are fed by such a place and do not gather all themselves; None
        where there are none.
        """
        whole: list[bool] = []
        nodes: list[Node] = []
        behind: set[int] = set()
        for i, node in enumerate(self.nodes):
            gathers = [
                whole[source] or _gathers(steps, self.nodes[source].shape)
                for source, steps in zip(node.inputs, node.links, strict=True)
            ]
            whole.append(bool(gathers) and all(gathers))
            kept = [n for n, each in enumerate(gathers) if whole[i] or not each]
            inputs = tuple(node.inputs[n] for n in kept)
            nodes.append(replace(node, inputs=inputs, links=tuple(node.links[n] for n in kept)))
            if not whole[i] and (len(kept) < len(gathers) or behind.intersection(inputs)):
                behind.add(i)
        aliases = {name: self.nodes[i].name for name, i in self.index.items()}
        return (Graph(nodes, aliases), frozenset(behind)) if behind else None

    def _bounds(self, origin: int) -> dict[int, Bounds]:
        """For each node that the origin feeds, the cells of the origin that its units see."""
        fields = {origin: Bounds.of_origin(self.nodes[origin].shape)}
        cells = 0
        for i, paths in self._downstream(origin):
            cells = self._check_tables(i, cells)
            fields[i] = Bounds.union([fields[source].after(steps) for source, steps in paths])
        return fields

    def _theory(self, origin: int) -> dict[int, Field]:
        """The same with borders ignored, in closed form where there is one."""
        shape = self.nodes[origin].shape
        fields: dict[int, Field] = {
            origin: UnitGrid.of_origin(shape) if len(shape) in (2, 3) else Bounds.of_origin(shape)
        }
        cells = 0
        for i, paths in self._downstream(origin):
            if any(isinstance(fields[j], Bounds) for j, _ in paths):
                cells = self._check_tables(i, cells)
            reached = [extents.after(fields[j], steps, self.nodes[j].shape) for j, steps in paths]
            fields[i] = extents.union(reached, self.nodes[i].shape)
        return fields

    def feeding(self, node: int, place: Sequence[int | None], origin: int = 0) -> dict[int, Marks]:
        """All cells, of all nodes from the origin on, that reach the units of a node at a place."""
        self._check_work(origin, node)
        marks = {node: Marks.at(self.nodes[node].shape, place)}
        for i in range(node, origin, -1):
            for source, steps in zip(self.nodes[i].inputs, self.nodes[i].links, strict=True):
                if i in marks and source >= origin:
                    seen = marks[i].backward(steps, self.nodes[source].shape)
                    marks[source] = marks[source] | seen if source in marks else seen
        return marks

    def fed(self, origin: int, place: Sequence[int | None]) -> dict[int, Marks]:
        """All units, of all nodes, that the cells of a node at a place reach."""
        self._check_work(origin, len(self.nodes) - 1)
        marks = {origin: Marks.at(self.nodes[origin].shape, place)}
        for i, paths in self._downstream(origin):
            marks[i] = reduce(or_, (marks[source].forward(steps) for source, steps in paths))
        return marks

    def _check_work(self, origin: int, last: int) -> None:
        """ValueError where what units see takes too much, known from the layers' sizes alone."""
        lengths = [sum(node.shape[: unit_axes(node.shape)]) for node in self.nodes[origin : last + 1]]
        if sum(lengths) > MOST_CELLS:
            longest = self.nodes[origin + lengths.index(max(lengths))]
            raise ValueError(
                f"the layers up to {self.nodes[last].name!r} have {sum(lengths):,} rows and columns of units "
                f"together ({longest.name!r} is {longest.shape}); what single units see is worked out up to "
                f"{MOST_CELLS:,}"
            )

    def _check_tables(self, i: int, cells: int) -> int:
        """How many places the tables up to a node have, of `cells` before it; ValueError for too many."""
        node = self.nodes[i]
        if any(node.links):
            cells += sum(node.shape[: unit_axes(node.shape)])
        if cells > MOST_TABLE_CELLS:
            raise ValueError(
                f"the receptive fields of {node.name!r} {node.shape} take tables of {cells:,} rows and "
                f"columns of units; they are worked out up to {MOST_TABLE_CELLS:,}"
            )
        return cells

    @cached_property
    def _readers(self) -> list[list[int]]:
        """The nodes that each node feeds, in their order."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for source in dict.fromkeys(node.inputs):
                readers[source].append(i)
        return readers

    def period(self) -> int:
        """A number that every layer's stride divides: input sizes that differ by it are laid out alike."""
        # A layer's size grows by one where the input's does by its stride, which upsampling makes smaller.
        strides, period = [Fraction(1)] * len(self.nodes), 1
        for i, node in enumerate(self.nodes):
            for source, steps in zip(node.inputs, node.links, strict=True):
                if len(self.nodes[source].shape) in (2, 3):
                    slides, spreads = (_strides(steps, kind) for kind in (Slide, Spread))
                    path = strides[source] * prod({*slides}) / (gcd(*spreads) if len(spreads) == 2 else 1)
                    common = lcm(strides[i].numerator, path.numerator)
                    strides[i] = Fraction(common, gcd(strides[i].denominator, path.denominator))
                    period = lcm(period, strides[i].numerator)
        return period

    def _downstream(self, origin: int) -> Iterator[tuple[int, list[tuple[int, Links]]]]:
        """The nodes that the origin feeds, each with its links from such nodes or the origin."""
        reached = {origin}
        waiting = [*self._readers[origin]]
        while waiting:
            i = heappop(waiting)
            if i not in reached:
                node = self.nodes[i]
                reached.add(i)
                for reader in self._readers[i]:
                    heappush(waiting, reader)
                yield (
                    i,
                    [(j, steps) for j, steps in zip(node.inputs, node.links, strict=True) if j in reached],
                )


def _gathers(steps: Links, shape: Shape) -> bool:
    """Whether they make one unit of whole rows or columns."""
    for step in steps:
        if isinstance(step, Gather) and step.axis < min(2, len(shape) - 1) and shape[step.axis] > 1:
            return True
        shape = after([step], shape)
    return False


def _strides(steps: Links, kind: type[Slide | Spread]) -> list[int]:
    """Along rows and columns."""
    return [step.window.stride for step in steps if isinstance(step, kind) and step.axis < 2]


# From layer specs -------------------------------------------------------------------------------


def graph_of_specs(layers: Sequence[Spec], shape: Shape, channels_known: bool) -> Graph:
    """The graph of layers one after the other, the first reading an input of this shape."""
    nodes = [Node("input", "Input", shape, channels_known=channels_known)]
    _append(nodes, {"input": 1}, layers, 0)
    return Graph(nodes)


def _append(nodes: list[Node], names: dict[str, int], layers: Sequence[Spec], source: int) -> int:
    """Append the nodes of layers that start from node `source`; returns the last one's index.

    `names` are those that are taken, each with the number that it would next be told apart by.
    """
    for spec in layers:
        if isinstance(spec, specs.Branches):
            ends = [_append(nodes, names, path, source) for path in spec.paths]
            nodes.append(_node(nodes, names, spec.join, ends))
        elif isinstance(spec, Spec):
            nodes.append(_node(nodes, names, spec, [source]))
        else:
            raise TypeError(f"layers must be specs such as Conv(3) or Pool(2), got {spec!r}")
        source = len(nodes) - 1
    return source


def _node(nodes: Sequence[Node], names: dict[str, int], spec: Spec, sources: Sequence[int]) -> Node:
    kind, default = spec.kind, snake_case(spec.kind)
    if spec.name in names:
        raise ValueError(f"names must be unique, got {spec.name!r} twice")
    name = spec.name or default
    while name in names:
        name = f"{default}_{names[default]}"
        names[default] += 1
    names[name] = 1
    fed = [nodes[source] for source in sources]
    known = all(node.channels_known for node in fed)
    try:
        if not known and isinstance(spec, specs.Reshape):
            raise ValueError(
                "a Reshape needs the number of channels: give the layers before it their filters"
            )
        if not known and isinstance(spec, window_specs.Conv):
            spec = replace(spec, groups=1)
        links = spec.links(*(node.shape for node in fed))
    except ValueError as error:
        raise ValueError(f"layer {name!r} ({kind}): {error}") from error
    count = getattr(spec, "filters", getattr(spec, "units", known))
    return Node(name, kind, after(links[0], fed[0].shape), tuple(sources), tuple(links), bool(count))


# From a network ---------------------------------------------------------------------------------


def graph_of_network(net: LayerGraph, shapes: Mapping[str, Shape]) -> Graph:
    """The graph of a network whose inputs have these shapes."""
    nodes: list[Node] = []
    index: dict[str, int] = {}
    for layer in net:
        sources = tuple(index[name] for name in layer.inputs)
        fed = [nodes[source].shape for source in sources]
        try:
            links = layer.links(fed) if fed else []
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
        shape = after(links[0], fed[0]) if fed else shapes[layer.name]
        index[layer.name] = len(nodes)
        nodes.append(Node(layer.name, layer.kind, shape, sources, tuple(links)))
    return Graph(nodes, net.aliases)
