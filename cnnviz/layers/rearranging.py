"""Operations that only move numbers: slices, other axes, padding, copies, parts.

Each is a short rule: its options, what NumPy does, and which cells that reads. Gradients, receipts and the
browser's part follow from where numbered cells end up (see `moves`). The batch stays where it is, the first
axis; what would touch it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Layer, literal
from cnnviz.layers.links import (
    Links,
    Regroup,
    Resample,
    Segment,
    Shape,
    Slide,
    Spread,
    Transpose,
    mix,
)
from cnnviz.layers.merging import ConcatenateEntry
from cnnviz.layers.moves import MovingEntry, moving_stage, origins
from cnnviz.layers.operands import Operands, Position, no_products
from cnnviz.layers.options import Options
from cnnviz.layers.slicing import Config, cells_along, read_key, regrouped, sliced, sliced_links
from cnnviz.layers.tensor_operations import OperationEntry, kind_of, not_the_batch
from cnnviz.numbers import brief
from cnnviz.ops.padding import Axis


@dataclass(frozen=True)
class Rearrangement:
    """What there is to know about one operation that only moves numbers.

    Parameters
    ----------
    compute
        Makes the result of the tensors, with their batch, and the config.
    links
        From the shapes of the tensors, without the batch, and the config: which cells each unit reads.
    options, parameters
        Of the config and of the call; a parameter that is no tensor is an option too.
    relays
        Whether the result holds the same numbers in the same order.
    most_inputs
        How many tensors it takes, in one list if several.
    splits
        Whether it has several results; the option "output" says which one is meant.
    fill
        The number that padding holds.
    """

    compute: Callable[..., np.ndarray]
    links: Callable[[Sequence[Shape], Config], list[Links]]
    options: Options
    parameters: tuple[str, ...] = ("x",)
    relays: bool = False
    most_inputs: float = 1
    splits: bool = False
    fill: Callable[[Config], float] = lambda config: 0.0


# Shapes -----------------------------------------------------------------------------------------


def _sizes(value: Any, name: str) -> tuple[int, ...]:
    """Sizes, None or -1 where one follows from the others."""
    return read.ints(
        [-1 if size is None else size for size in value] if isinstance(value, list) else value, name
    )


def _new_shape(config: Config, shape: Shape) -> Shape:
    """The new shape behind the batch."""
    asked, total = config["newshape"], prod(shape)
    target = list(asked[1:])
    known = prod(size for size in target if size != -1)
    if target.count(-1) == 1 and known > 0 and total % known == 0:
        target[target.index(-1)] = total // known
    if not asked or asked[0] != -1 or min(target, default=1) < 1 or prod(target) != total:
        raise ValueError(
            f"newshape must begin with -1, the batch, and then hold the {total} cells of {shape}, got "
            f"{asked}: a reshape that changes the number of images is not supported"
        )
    return tuple(target)


def _squeezed(config: Config, shape: Shape) -> Shape:
    axes = config["axis"] or [i for i, size in enumerate(shape, 1) if size == 1]
    dropped = not_the_batch(axes, len(shape) + 1)
    if any(shape[axis - 1] != 1 for axis in dropped):
        raise ValueError(f"axis={config['axis']} must be axes with one cell, of an input {shape}")
    return tuple(size for i, size in enumerate(shape, 1) if i not in dropped)


def _expanded(config: Config, shape: Shape) -> Shape:
    places = not_the_batch(config["axis"], len(shape) + 1 + len(config["axis"]))
    rest = iter(shape)
    return tuple(1 if i in places else next(rest) for i in range(1, len(shape) + 1 + len(places)))


def _relaying(new_shape: Callable[[Config, Shape], Shape], options: Options) -> Rearrangement:
    """The same numbers in another shape."""
    return Rearrangement(
        lambda x, c: x.reshape(len(x), *new_shape(c, x.shape[1:])),
        lambda shapes, c: [regrouped(shapes[0], new_shape(c, shapes[0]))],
        options,
        relays=True,
    )


# Other axes -------------------------------------------------------------------------------------


def _order(config: Config, rank: int) -> tuple[int, ...]:
    """The axes of a transposed array, counted with the batch, from any of the three operations."""
    if "axis1" in config:
        (one,), (other,) = (not_the_batch((config[name],), rank) for name in ("axis1", "axis2"))
        axes = list(range(rank))
        axes[one], axes[other] = other, one
        return tuple(axes)
    if "source" in config:
        source, target = (not_the_batch(config[name], rank) for name in ("source", "destination"))
        rest = [axis for axis in range(rank) if axis not in source]
        for axis, place in sorted(zip(source, target, strict=True), key=lambda pair: pair[1]):
            rest.insert(place, axis)
        return tuple(rest)
    axes = config["axes"]
    if axes is None or sorted(axes) != list(range(rank)) or axes[0] != 0:
        raise ValueError(f"axes must be 0, the batch, and then 1 to {rank - 1} in some order, got {axes}")
    return tuple(axes)


def _transposing(options: Options) -> Rearrangement:
    def links(shapes: Sequence[Shape], config: Config) -> list[Links]:
        order = _order(config, len(shapes[0]) + 1)
        return [(Transpose(tuple(axis - 1 for axis in order[1:])),)]

    return Rearrangement(lambda x, c: x.transpose(_order(c, x.ndim)), links, options)


# Padding and copies -----------------------------------------------------------------------------


def _pairs(config: Config, rank: int) -> list[tuple[int, int]]:
    """The padding of each axis, the batch's first, which must be none."""
    width = config["pad_width"]
    if isinstance(width, int):
        width = ((width, width),)
    pairs = [tuple(pair) for pair in (width * rank if len(width) == 1 else width)]
    if len(pairs) != rank or pairs[0] != (0, 0):
        raise ValueError(
            f"pad_width must be a pair for each of the {rank} axes, (0, 0) for the batch, got {width}"
        )
    return pairs  # type: ignore[return-value]


def _pad_width(value: Any, name: str) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    pairs = tuple(read.ints(pair, name) for pair in value) if isinstance(value, list | tuple) else ()
    pairs = tuple(pair * 2 if len(pair) == 1 else pair for pair in pairs)
    if not pairs or any(len(pair) != 2 or min(pair) < 0 or max(pair) > read.LARGEST for pair in pairs):
        raise ValueError(f"{name} must be pairs of numbers of cells, got {brief(value)}")
    return pairs


def _padded(x: np.ndarray, config: Config) -> np.ndarray:
    pairs = _pairs(config, x.ndim)
    if config["mode"] == "constant":
        return np.pad(x, pairs, constant_values=config["constant_values"])
    beyond = config["mode"] == "reflect"
    if any(max(pair) + beyond > size for pair, size in zip(pairs[1:], x.shape[1:], strict=True)):
        raise ValueError(
            f"pad_width={pairs} must not be more than there is to mirror in {x.shape[1:]} "
            f"(mode={config['mode']!r})"
        )
    return np.pad(x, pairs, config["mode"])


def _padded_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    pairs = _pairs(config, len(shapes[0]) + 1)[1:]
    links: list[Any] = []
    for axis, (size, (before, after)) in enumerate(zip(shapes[0], pairs, strict=True)):
        if not before and not after:
            continue
        if config["mode"] == "constant":
            links.append(Slide(axis, Axis(size, 1, before=before, after=after)))
        else:
            cells = np.pad(np.arange(size), (before, after), config["mode"]).reshape(-1, 1)
            links.append(Resample(axis, size, cells, Fraction(-before), Fraction(1), between=False))
    return [tuple(links)]


def _flipped_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    axes = not_the_batch(_named(config["axis"]), len(shapes[0]) + 1)
    sizes = [(axis - 1, shapes[0][axis - 1]) for axis in axes]
    return [tuple(link for axis, n in sizes for link in cells_along(axis, range(n - 1, -1, -1), n))]


def _named(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Axes, of which there must be at least one: all of them would be the batch too."""
    if not axes:
        raise ValueError("axis=None takes the batch along: images do not see each other; name the other axes")
    return axes


def _along(config: Config, rank: int) -> int:
    axis = config["axis"]
    (place,) = not_the_batch(_named(() if axis is None else (axis,)), rank)
    return place


def _repeated_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    axis = _along(config, len(shapes[0]) + 1) - 1
    size, count = shapes[0][axis], config["repeats"]
    return [(Spread(axis, Axis(size * count, count, count)),)]


def _copies(config: Config, rank: int) -> tuple[int, ...]:
    copies = config["repeats"]
    copies = (1,) * (rank - len(copies)) + copies
    if len(copies) != rank or copies[0] != 1 or min(copies) < 1:
        raise ValueError(
            f"repeats must be positive, one for each of the {rank} axes, 1 for the batch, "
            f"got {config['repeats']}"
        )
    return copies


def _tiled_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    copies = _copies(config, len(shapes[0]) + 1)[1:]
    sizes = enumerate(zip(shapes[0], copies, strict=True))
    return [tuple(link for i, (n, k) in sizes if k > 1 for link in mix(shapes[0], i, n * k))]


def _rolled_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    return [mix(shapes[0], axis - 1) for axis in [_along(config, len(shapes[0]) + 1)]]


def _rolled(x: np.ndarray, config: Config) -> np.ndarray:
    return np.roll(x, config["shift"], _along(config, x.ndim))


# Joining and parts ------------------------------------------------------------------------------


def _stacked(*xs_and_config: Any) -> np.ndarray:
    *xs, config = xs_and_config
    (axis,) = not_the_batch((config["axis"],), xs[0].ndim + 1)
    if len({x.shape for x in xs}) > 1:
        raise ValueError(f"x must be tensors of one shape, got {[x.shape for x in xs]}")
    return np.stack(xs, axis)


def _stacked_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    (axis,) = not_the_batch((config["axis"],), len(shapes[0]) + 2)
    count, axis = len(shapes), axis - 1
    places = [Axis(1, 1, before=i, after=count - 1 - i) for i in range(count)]
    return [
        (Regroup(shape, (*shape[:axis], 1, *shape[axis:])), Segment(axis, place))
        for shape, place in zip(shapes, places, strict=True)
    ]


def _part(config: Config, size: int) -> range:
    """The cells along the axis that one result of a split holds."""
    asked, output = config["indices_or_sections"], config["output"]
    if isinstance(asked, int):
        if asked < 1 or size % asked:
            raise ValueError(f"indices_or_sections={asked} must divide the {size} cells along the axis")
        ends = [i * (size // asked) for i in range(asked + 1)]
    else:
        ends = [0, *(min(max(end, 0), size) for end in asked), size]
    if output + 1 >= len(ends) or ends[output + 1] <= ends[output]:
        raise ValueError(f"output {output} of a split of {size} cells at {asked} does not exist, or is empty")
    return range(ends[output], ends[output + 1])


def _split(x: np.ndarray, config: Config) -> np.ndarray:
    axis = _along(config, x.ndim)
    cells = _part(config, x.shape[axis])
    return x[(slice(None),) * axis + (slice(cells.start, cells.stop),)]


def _split_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    axis = _along(config, len(shapes[0]) + 1) - 1
    size = shapes[0][axis]
    return [cells_along(axis, _part(config, size), size)]


def _sections(value: Any, name: str) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else read.ints(value, name)


def _output(value: Any, name: str) -> int:
    (number,) = read.ints(value, name)
    if number < 0:
        raise ValueError(f"{name} must be 0 or more, got {brief(value)}")
    return number


def _unstack_key(config: Config, rank: int) -> Config:
    return {"key": (slice(None),) * _along(config, rank) + (config["output"],)}


# Numbers from nowhere ---------------------------------------------------------------------------


def _filled(value: Callable[[Config], float], **more: Any) -> Rearrangement:
    """As many numbers as the input has, all the same."""

    def links(shapes: Sequence[Shape], config: Config) -> list[Links]:
        # Each unit reads one cell, which lies in front of all.
        size = shapes[0][0]
        return [(Slide(0, Axis(size, 1, before=size, after=-size)),)]

    return Rearrangement(lambda x, c: np.full_like(x, value(c)), links, fill=value, **{"options": {}, **more})


REARRANGEMENTS: Mapping[str, Rearrangement] = MappingProxyType(
    {
        "get_item": Rearrangement(sliced, sliced_links, {"key": (read_key, None)}, ("x", "key")),
        "reshape": _relaying(_new_shape, {"newshape": (_sizes, None)}),
        "squeeze": _relaying(_squeezed, {"axis": (read.axes, None)}),
        "expand_dims": _relaying(_expanded, {"axis": (read.axes, None)}),
        "transpose": _transposing({"axes": (read.optional(read.ints), None)}),
        "swapaxes": _transposing({"axis1": (read.axis, None), "axis2": (read.axis, None)}),
        "moveaxis": _transposing({"source": (read.ints, None), "destination": (read.ints, None)}),
        "pad": Rearrangement(
            _padded,
            _padded_links,
            {
                "pad_width": (_pad_width, None),
                "mode": (read.choice("constant", "reflect", "symmetric"), "constant"),
                "constant_values": (read.number, 0.0),
            },
            ("x", "constant_values"),
            fill=lambda c: c["constant_values"],
        ),
        "flip": Rearrangement(
            lambda x, c: np.flip(x, not_the_batch(_named(c["axis"]), x.ndim)),
            _flipped_links,
            {"axis": (read.axes, None)},
        ),
        "repeat": Rearrangement(
            lambda x, c: np.repeat(x, c["repeats"], _along(c, x.ndim)),
            _repeated_links,
            {"repeats": (read.count, None), "axis": (read.optional(read.axis), None)},
        ),
        "tile": Rearrangement(
            lambda x, c: np.tile(x, _copies(c, x.ndim)), _tiled_links, {"repeats": (read.ints, None)}
        ),
        "roll": Rearrangement(
            _rolled, _rolled_links, {"shift": (read.axis, None), "axis": (read.optional(read.axis), None)}
        ),
        "stack": Rearrangement(_stacked, _stacked_links, {"axis": (read.axis, 0)}, most_inputs=np.inf),
        "split": Rearrangement(
            _split,
            _split_links,
            {"indices_or_sections": (_sections, None), "axis": (read.axis, 0), "output": (_output, 0)},
            splits=True,
        ),
        "unstack": Rearrangement(
            lambda x, c: sliced(x, _unstack_key(c, x.ndim)),
            lambda shapes, c: sliced_links(shapes, _unstack_key(c, len(shapes[0]) + 1)),
            {"axis": (read.axis, 0), "output": (_output, 0)},
            splits=True,
        ),
        "zeros_like": _filled(lambda c: 0.0),
        "ones_like": _filled(lambda c: 1.0),
        "full_like": _filled(
            lambda c: c["fill_value"],
            options={"fill_value": (read.number, None)},
            parameters=("x", "fill_value"),
        ),
    }
)
"""Every operation that only moves numbers, by its function in keras.ops."""


class RearrangingEntry(OperationEntry, MovingEntry):
    """One of the rules."""

    def __init__(self, name: str) -> None:
        self.name, self.rule = name, REARRANGEMENTS[name]
        self.parameters, self.options = self.rule.parameters, self.rule.options
        self.relays, self.splits = self.rule.relays, self.rule.splits
        self.most_inputs = self.rule.most_inputs
        self.joins = self.most_inputs > 1
        self.label = name

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return self.rule.compute(*inputs, layer.config)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        came_from = origins(layer, tuple(x.shape[1:] for x in inputs)).ravel()
        inside = np.flatnonzero(came_from >= 0)
        ends = np.cumsum([x[0].size for x in inputs]) if len(grad) else [0]
        total = np.zeros((int(ends[-1]), len(grad)), grad.dtype)
        np.add.at(total, came_from[inside], grad.reshape(len(grad), -1).T[inside])
        parts = np.split(total.T, ends[:-1], axis=1)
        return tuple(part.reshape(x.shape) for part, x in zip(parts, inputs, strict=True))

    def links(self, layer: Layer, shapes: Sequence[Shape]) -> list[Links]:
        return self.rule.links(shapes, layer.config)

    def padded(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return no_products(inputs[0], self.rule.fill(layer.config), "constant")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [moving_stage(layer, drawn, self.rule.fill(layer.config) or 0.0)]

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        if "key" in layer.config:
            return f"{reads[0]}[{literal(layer.config['key'])}]"
        return super().code(layer, reads)

    def keras_code(self, layer: Layer, reads: Sequence[str]) -> str:
        if "key" in layer.config:
            return self.code(layer, [f"keras.ops.convert_to_tensor({reads[0]})"])
        # What is put into padding is only said where it is padded with a number.
        unsaid = {"output"} if layer.config.get("mode") in (None, "constant") else {"constant_values"}
        named = [f"{name}={literal(value)}" for name, value in layer.config.items() if name not in unsaid]
        given = f"[{', '.join(reads)}]" if self.joins else reads[0]
        code = f"keras.ops.{self.name}({', '.join([given, *named])})"
        return f"{code}[{layer.config['output']}]" if self.splits else code

    def serialized_call(
        self, config: Mapping[str, Any], tensors: list[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        # What is put into padding is only said where it is padded with a number.
        said = config.get("mode") in (None, "constant")
        return super().serialized_call(config if said else {**config, "constant_values": None}, tensors)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        came_from = origins(layer, tuple(x.shape[1:] for x in inputs)).ravel()
        # A number that is copied adds up what comes back from its copies.
        return int(np.bincount(came_from[came_from >= 0], minlength=1).max()) - 1


class ConcatenateOperationEntry(OperationEntry, ConcatenateEntry):
    """The layer's operation; its axis is the batch if nothing is said."""

    options = {"axis": (read.axis, 0)}
    parameters = ("xs",)


ENTRIES.update({kind_of(name): RearrangingEntry(name) for name in REARRANGEMENTS})
ENTRIES[kind_of("concatenate")] = ConcatenateOperationEntry()
