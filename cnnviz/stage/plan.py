"""StagePlan: what the browser gets of a network, whatever the image: stages, weights, fields, colours.

It goes down once; the numbers of each image follow in a part of their own (`scene`). Receptive fields
are `cnnviz.receptive_field`'s, for every pair of layers that are there.

A plan that is far is that of a network too large to be sent whole: of its larger arrays of weights it says
only how many numbers they have, and the page asks for what it shows of them (`answers`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from cnnviz.colours import THEMES, for_browser
from cnnviz.kernels import gallery
from cnnviz.layers.browser import Shape, drawn_shape
from cnnviz.layers.layer import Layer
from cnnviz.network import LayerGraph, Network
from cnnviz.network.inputs import images_of
from cnnviz.network.memory import one_image
from cnnviz.receptive_fields import receptive_field
from cnnviz.resources import bundled_name
from cnnviz.stage.agreement import recorded_agreement
from cnnviz.stage.parts import Part
from cnnviz.stage.stage_blocks import blocks_of, finishing
from cnnviz.stage.stages import Stage, Taken, take_apart
from cnnviz.stage.view_memory import check_layers
from cnnviz.verification.comparison import recorded

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class StagePlan:
    """A network, or the part of it that is looked at, ready to be sent."""

    owner: ref[LayerGraph] = field(repr=False)
    """Its network, which it does not keep: the network keeps it (`plan_of`)."""
    taken: Taken = field(repr=False)
    part: Part = field(repr=False)
    shown: tuple[str, ...] | None = None
    """The layers that have columns; None is all."""
    far: bool = False
    """Whether weights and numbers are sent as they are asked for."""

    @cached_property
    def sent(self) -> bytes:
        """What the browser gets."""
        return bytes(self.part)

    @property
    def computable(self) -> bool:
        """Whether the browser knows every operation."""
        return all(stage.op["type"] != "given" for stage in self.taken.stages)

    @property
    def key(self) -> str:
        """The name under which the browser keeps it: the same for the same content."""
        return str(self.part.header["key"])


_PLANS: WeakKeyDictionary[LayerGraph, dict[Any, StagePlan]] = WeakKeyDictionary()
_MOST = 8
"""Plans that are kept of one network."""
_MAKING = Lock()
"""One is made at a time: who asks for the same one waits for it."""

SENT_WHOLE = 14 * 10**6
"""Bytes of weights and of one image's numbers that are sent at once: more is sent as it is asked for."""
SMALL = 2**14
"""Numbers of an array that is always sent."""


def plan_of(
    net: LayerGraph, shapes: Shapes, layers: Iterable[str] | None = None, far: bool | None = None
) -> StagePlan:
    """The plan of a network whose layers have these output shapes (no batch); kept as long as the network.

    `layers` are those to be shown: what they need stays behind them, what they do not need is left out.
    `far` says whether it is one of a network too large to be sent whole; None decides by its size.
    ValueError if there is no such layer.
    """
    shown = None if layers is None else tuple(dict.fromkeys(layers))
    plans = _PLANS.setdefault(net, {})
    key = (tuple(shapes[name] for name in net.inputs), shown, far)
    found = plans.get(key)
    if found is None:
        with _MAKING:
            found = plans.get(key) or _make(net, shapes, shown, far)
            plans[key] = found
            while len(plans) > _MOST:
                plans.pop(next(iter(plans)))
    return found


def plan_for(net: Network, image: Any, layers: Iterable[str] | None = None) -> StagePlan:
    """The plan of a network, or of a part, on an image, which is only looked at where sizes are unknown."""
    return plan_of(net, shapes_of(net, image), layers)


def sent_bytes(taken: Taken) -> int:
    """What the weights and one image's numbers take that the page does not work out itself."""
    numbers = sum(math.prod(stage.shape) for stage in taken.stages if not stage.exact)
    return 4 * (numbers + sum(array.size for array in taken.arrays.values()))


def shapes_of(net: Network, image: Any) -> dict[str, tuple[int, ...]]:
    """The layers' output shapes (no batch) on an image, which is only looked at where sizes are unknown.

    >>> import cnnviz
    >>> shapes_of(cnnviz.load_model("mnist_14k"), None)["conv2d"]
    (26, 26, 16)
    """
    shapes: dict[str, Any] = {layer.name: layer.output_shape for layer in net}
    if any(None in shape for shape in shapes.values()):
        return dict(one_image(net, images_of(net, image)).shapes)
    return shapes


def _make(net: LayerGraph, shapes: Shapes, shown: tuple[str, ...] | None, far: bool | None) -> StagePlan:
    taken = take_apart(net, shapes)
    end = taken.stages[-1].name
    if shown is not None:
        taken = _needed(net, taken, shown)
    if far is None:
        far = sent_bytes(taken) > SENT_WHOLE
    if not far:
        check_layers(net, shapes, shown)
    part = Part()
    apart = [name for name, array in taken.arrays.items() if far and array.size > SMALL]
    part.header = {
        "model": _model(net),
        "far": far,
        "stages": [
            _described(stage) | {"finishes": finishes}
            for stage, finishes in zip(taken.stages, finishing(taken.stages), strict=True)
        ],
        "shown": _names(net, shown),
        "blocks": [asdict(block) for block in blocks_of(taken.stages, _names(net, shown))],
        "outputs": _outputs(net, taken.stages),
        "cut": taken.stages[-1].name != end,
        "arrays": {
            name: [None, array.size, "f4", list(array.shape)] if name in apart else place_of(part, array)
            for name, array in taken.arrays.items()
        },
        "weights": weight_names(net, taken),
        **for_browser(),
        "themes": {
            name: {
                key: getattr(theme, key)
                for key in ("background", "panel", "ink", "muted", "line", "accent", "positive", "negative")
            }
            for name, theme in THEMES.items()
        },
        "recorded": recorded_differences(net),
        "kernels": _kernels(taken),
        "agreement": recorded_agreement(),
    }
    _write_fields(net, taken.stages, shapes, part)
    digest = hashlib.blake2b(bytes(part), digest_size=12)
    for name in apart:
        digest.update(np.ascontiguousarray(taken.arrays[name]).data)
    part.header["key"] = digest.hexdigest()
    return StagePlan(ref(net), taken, part, shown, far)


def _names(net: LayerGraph, shown: Sequence[str] | None) -> list[str] | None:
    return None if shown is None else [net[name].name for name in shown]


def _outputs(net: LayerGraph, stages: Sequence[Stage]) -> list[int]:
    """The stages that are the network's outputs, as far as they are there, in their own order."""
    last = {stage.layer.name: i for i, stage in enumerate(stages)}
    return [last[name] for name in map(net.resolve, net.outputs) if name in last]


def weight_names(net: LayerGraph, taken: Taken) -> list[str]:
    """The arrays of a network taken apart that are its own weights, under `with_weights`' names."""
    own = {f"{layer.owner}/{name}" for layer in net for name in layer.weights}
    return [name for name in taken.arrays if name in own]


def _kernels(taken: Taken) -> dict[str, dict[str, list[float]]]:
    """Named kernels of the sizes that the network has, "3x3", row by row, to take a learned one's place."""
    sizes = {
        shape[0]
        for name, array in taken.arrays.items()
        if name.endswith("kernel") and array.ndim == 4 and 1 < (shape := array.shape)[0] == shape[1] <= 7
    }
    return {
        f"{size}x{size}": {each.name: [float(x) for x in each.kernel.ravel()] for each in gallery(size)}
        for size in sorted(sizes)
    }


def layers_until(net: LayerGraph, last: str) -> list[str]:
    """The names of all layers up to one, which is among them; ValueError if there is none of that name.

    >>> import cnnviz
    >>> layers_until(cnnviz.load_model("mnist_14k"), "conv2d")
    ['input', 'conv2d']
    """
    names = [layer.name for layer in net]
    if last not in net:
        raise ValueError(f"last must be the name of one of the network's layers, got {last!r}")
    return names[: names.index(net[last].name) + 1]


def place_of(part: Part, array: np.ndarray) -> list[Any]:
    """Put an array into a part: [offset, length, dtype, shape]."""
    return [*part.add(array, "<i4" if array.dtype.kind == "i" else "<f4"), list(array.shape)]


def _needed(net: LayerGraph, taken: Taken, shown: Sequence[str]) -> Taken:
    """Only the stages of some layers and those that they are computed from."""
    for name in shown:
        if name not in net:
            raise ValueError(f"layers must be names of the network's layers, got {name!r}")
    wanted = {net[name].name for name in shown}
    needed = {i for i, stage in enumerate(taken.stages) if stage.layer.name in wanted}
    if not needed:
        raise ValueError(f"layers must have at least one that is computed, got {', '.join(shown)}")
    for i in range(len(taken.stages) - 1, -1, -1):
        if i in needed:
            needed.update(taken.stages[i].reads)
    kept = sorted(needed)
    number = {old: new for new, old in enumerate(kept)}
    stages = [
        replace(taken.stages[i], reads=tuple(number[source] for source in taken.stages[i].reads))
        for i in kept
    ]
    used = {name for stage in stages for name in _named(stage.op)}
    return Taken(stages, {name: array for name, array in taken.arrays.items() if name in used})


def _named(op: Any) -> Iterable[str]:
    """All texts in an operation: the arrays that it names are among them."""
    if isinstance(op, str):
        yield op
    elif isinstance(op, Mapping):
        for value in op.values():
            yield from _named(value)
    elif isinstance(op, list | tuple):
        for value in op:
            yield from _named(value)


MOST_TABLES = 160_000
"""Pairs of layers that fields are written for: of about 560 layers that look at their neighbours."""


def _write_fields(net: LayerGraph, stages: Sequence[Stage], shapes: Shapes, part: Part) -> None:
    """First and last cells that every unit sees of every earlier layer, in compact int16 tables.

    The header's `fields` maps "unit's layer,earlier layer", by their numbers in `layers`, to a table for
    each axis of the earlier layer, [offset, length, dtype, rows, columns, channels]: first and last in
    the last axis, to be broadcast over the units as drawn. `local` has those over paths without global
    pooling, on inputs, of layers where such paths meet others. What works cell by cell sees what its input
    sees, and has no tables: `alike` is the input of such a layer, and `read_as` the layer of this kind
    through which alone a layer is read.
    """
    names = tuple(dict.fromkeys(stage.layer.name for stage in stages))
    number = {name: i for i, name in enumerate(names)}
    alike, read_as = _cell_by_cell(net, shapes, number)
    units = [name for name in names if number[name] not in alike]
    origins = [name for name in names if number[name] not in read_as]
    if len(units) * len(origins) > 2 * MOST_TABLES:
        raise ValueError(
            f"a view shows at most {MOST_TABLES:,} pairs of layers, one of which sees the other, and "
            f"{net.name} has up to {len(units) * len(origins) // 2:,}: say which layers to show, by layers= "
            "or last="
        )
    sizes = {name: shapes[name] for name in net.inputs}
    whole = receptive_field(net, sizes if len(sizes) > 1 else sizes[net.inputs[0]])
    fields: dict[str, list[Any]] = {}
    local: dict[str, list[Any]] = {}
    labels: dict[str, str] = {}
    local_labels: dict[str, str] = {}
    for earlier in net.inputs:
        if earlier in number:
            for name, field in whole.wrt(earlier).items():
                labels.setdefault(name, "1" if name == earlier else field.label.replace(" x ", "×"))
                if field.local is not None:
                    local_labels.setdefault(name, field.local.label.replace(" x ", "×"))
    written: dict[tuple[int, int, Shape], list[Any]] = {}

    def place(first: np.ndarray, last: np.ndarray, shape: Shape) -> list[Any]:
        """Where a table for units of this shape is; many layers share one."""
        key = id(first), id(last), shape
        if key not in written:
            table = _drawn(first, last, shape)
            written[key] = [*part.add(table, "<i2"), *table.shape[:-1]]
        return written[key]

    for earlier in origins:
        seen = whole.wrt(earlier)
        for name in units:
            if name == earlier or name not in seen:
                continue
            near = seen[name].local if earlier in net.inputs else None
            for each, into in ((seen[name], fields), (near, local)):
                if each is None:
                    continue
                tables = [place(*ends, shapes[name]) for ends in each.ends()]
                if len(shapes[earlier]) == 2:
                    # A sequence is drawn as one column.
                    tables.append(place(_ZERO, _ZERO, shapes[name]))
                into[f"{number[name]},{number[earlier]}"] = tables
    part.header |= {"layers": names, "fields": fields, "local": local, "alike": alike, "read_as": read_as}
    for stage in part.header["stages"]:
        stage["rf"] = labels.get(stage["layer"], "1")
        stage["rf_local"] = local_labels.get(stage["layer"])


_ZERO = np.zeros((1, 1, 1), np.int64)


def _cell_by_cell(
    net: LayerGraph, shapes: Shapes, number: Mapping[str, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Layers each of whose cells reads the one at its own place: their inputs, and what is read as them."""
    alike, readers = {}, Counter(name for layer in net for name in layer.inputs)
    read_as: dict[int, int] = {}
    for layer in reversed(net.layers):
        (source, *others) = layer.inputs or ("",)
        if layer.name in number and source in number and not others and layer.links([shapes[source]]) == [()]:
            own = number[layer.name]
            alike[own] = number[source]
            if readers[source] == 1:
                read_as[number[source]] = read_as.get(own, own)
    return alike, read_as


def _drawn(first: np.ndarray, last: np.ndarray, units: Shape) -> np.ndarray:
    """First and last cells, int16, of units in their drawn shape; axes of length 1 are the same for all."""
    ends = np.stack(np.broadcast_arrays(first, last), axis=-1).clip(-(2**15), 2**15 - 1).astype(np.int16)
    if set(ends.shape[:-3]) - {1}:
        # Leading axes are drawn as one, so that all of them must be there or none.
        ends = np.broadcast_to(ends, (*units[:-2], *ends.shape[len(units[:-2]) :]))
    return ends.reshape(*drawn_shape(ends.shape[:-1]), 2)


def recorded_differences(net: LayerGraph) -> dict[str, Any]:
    """What the bundled verification found for a network's very file, by layer; {} if nothing."""
    comparison = recorded(net)
    if comparison is None:
        return {}
    layers = {row.name: row.difference for row in comparison.layers}
    return {"images": comparison.images, "layers": layers}


def _model(net: LayerGraph) -> dict[str, Any]:
    total, trainable, fixed = net.count_params()
    # Where the file lies is nobody's business but its owner's.
    name, file = (net.source.stem, net.source.name) if net.source else (net.name, f"{net.name}.keras")
    named = {"name": name, "file": file, "bundled": bundled_name(net.source) is not None}
    return {**named, "params": [total, trainable, fixed]}


def _described(stage: Stage) -> dict[str, Any]:
    layer = stage.layer
    return {
        "name": stage.name,
        "layer": layer.name,
        "kind": layer.kind,
        "part": stage.part,
        "label": stage.label,
        "shape": stage.shape,
        "axes": len(layer.output_shape) if stage.part in ("output", "before", "depthwise") else 3,
        "reads": stage.reads,
        "op": stage.op,
        "params": _params(stage, layer),
        "work": _work(stage),
        "shared": layer.owner if layer.owner != layer.name else None,
        "hidden": stage.hidden,
        "blocked": stage.blocked,
        "exact": stage.exact,
    }


def _work(stage: Stage) -> int:
    """The multiply-adds of a stage: of sums over windows and of products, and one for any other number."""
    kernel = stage.computed.arrays.get(stage.op.get("kernel", ""))
    if kernel is not None:
        return math.prod(stage.shape) * (kernel.size // stage.shape[-1])
    if stage.op["type"] == "contract":
        return math.prod(stage.shape) * math.prod(length for length, *_ in stage.op["over"])
    return math.prod(stage.shape)


def _params(stage: Stage, layer: Layer) -> int:
    """The parameters of a stage; those of a shared layer are counted where it owns them."""
    if layer.owner != layer.name:
        return 0
    names = [stage.op[role] for role in ("kernel", "bias") if role in stage.op]
    if names:
        return sum(stage.computed.arrays[name].size for name in names)
    owns = stage.part != "output" or layer.activation is None or layer.is_activation
    return layer.params if owns else 0
