"""Stages: a network's layers taken apart into the single steps that the live view shows as columns.

A fused activation is a stage of its own, and so are the two halves of a separable convolution. Layers
that pass their input on are hidden, and so are those that lay it out as a vector, or as it is drawn.
What a stage computes is said by the layer's entry in a few plain operations, so that the browser knows
no layer classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz.layers import Layer
from cnnviz.layers.activation_layers import activation_stages
from cnnviz.layers.browser import BrowserStage, Drawn, drawn_shape
from cnnviz.network import LayerGraph, Run

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Stage:
    """One column of the view.

    `shape` is (height, width, channels) as drawn, a vector being one pixel with many channels. `reads`
    are the indices of the stages that it reads, through layers that are hidden. `part` says what of the
    layer it gives: its "output", what is "before" the activation, or the name of an intermediate result.
    """

    name: str
    layer: Layer
    part: str
    shape: Shape
    reads: tuple[int, ...]
    computed: BrowserStage
    hidden: tuple[str, ...] = ()
    """The layers between this stage and those that it reads, which are not shown."""
    blocked: tuple[int, ...] = ()
    """Which of its inputs no gradient goes back to, since it or a layer between lets none through."""

    @property
    def op(self) -> dict[str, Any]:
        """What it computes, in terms that `forward.js` knows."""
        return self.computed.op

    @property
    def exact(self) -> bool:
        """Whether the browser computes the same bits."""
        return self.computed.exact

    @property
    def label(self) -> str:
        """A short word for what the stage does."""
        return str(self.op["label"])


@dataclass
class Taken:
    """A network taken apart: its stages, and the arrays that their operations name."""

    stages: list[Stage] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def take_apart(net: LayerGraph, shapes: Mapping[str, Shape]) -> Taken:
    """The stages of a network whose layers have these output shapes, each after those that it reads."""
    taken = Taken()
    last: dict[str, int] = {}
    hidden: dict[str, tuple[str, ...]] = {}
    for layer in net:
        source = layer.inputs[0] if layer.inputs else ""
        before = taken.stages[last[source]].shape if source else ()
        if source and (layer.passes_on or _draws_nothing_new(layer, shapes[layer.name], before)):
            last[layer.name] = last[source]
            hidden[layer.name] = (*hidden.get(source, ()), layer.name)
            continue
        reads = tuple(last[name] for name in layer.inputs)
        behind = tuple(name for source in layer.inputs for name in hidden.get(source, ()))
        drawn = Drawn(
            tuple(shapes[name] for name in layer.inputs),
            shapes[layer.name],
            tuple(taken.stages[i].shape for i in reads),
        )
        blocked = tuple(
            i
            for i, source in enumerate(layer.inputs)
            if layer.entry.breaks_gradients
            or any(net[name].entry.breaks_gradients for name in hidden.get(source, ()))
        )
        for stage in _stages_of(layer, drawn, reads, behind, blocked, len(taken.stages)):
            taken.stages.append(stage)
            taken.arrays.update(stage.computed.arrays)
        last[layer.name] = len(taken.stages) - 1
    return taken


def _draws_nothing_new(layer: Layer, shape: Shape, column: Shape) -> bool:
    """Whether it only lays its input out anew, as a vector or in the shape that it is drawn in already."""
    return layer.entry.relays and (len(shape) == 1 or drawn_shape(shape) == column)


def values_of(stage: Stage, run: Run, index: int) -> np.ndarray:
    """What a stage gave for one image of a run, in its drawn shape."""
    name = stage.layer.name
    if stage.computed.value is not None:
        inputs = (x[index : index + 1] for x in run.inputs(name))
        value = stage.computed.value(run.network[name], *inputs)[0]
    else:
        value = (run[name] if stage.part == "output" else run.pre_activation(name))[index]
    return value.reshape(stage.shape)


def activity_of(maps: np.ndarray) -> np.ndarray:
    """How active each channel is: the largest magnitude of its numbers. NaN is more than any number.

    `activityOf` in channels.js is the same.

    >>> activity_of(np.array([[[1.0, -4.0]], [[3.0, 2.0]]])).tolist()
    [3.0, 4.0]
    """
    most = np.abs(maps).reshape(-1, maps.shape[-1]).max(axis=0)
    return np.nan_to_num(most, nan=np.inf, posinf=np.inf)


def _stages_of(
    layer: Layer,
    drawn: Drawn,
    reads: tuple[int, ...],
    hidden: tuple[str, ...],
    blocked: tuple[int, ...],
    first: int,
) -> Iterator[Stage]:
    """The stages of one layer, the first of which gets the number `first`."""
    fused = layer.activation is not None and not layer.is_activation
    number = first

    def drawn_steps(
        computed: Sequence[BrowserStage], part: str, named: str, inputs: tuple[tuple[int, bool], ...]
    ) -> Iterator[Stage]:
        """Steps that read these first; a flag says where a source is blocked."""
        nonlocal number
        steps: dict[int | str, tuple[int, bool]] = dict(enumerate(inputs))
        before = inputs
        for each in computed:
            shape = each.shape or drawn.shape
            name = f"{layer.name} {each.name}" if each.name else named
            read = before if each.reads is None else [steps[source] for source in each.reads]
            sources = tuple(source for source, _ in read)
            stopped = tuple(i for i, (_, is_blocked) in enumerate(read) if is_blocked)
            yield Stage(
                name,
                layer,
                each.name or part,
                shape,
                sources,
                each,
                hidden if number == first else (),
                stopped,
            )
            before = (steps.setdefault(each.name, (number, False)),)
            number += 1

    read = tuple(zip(reads, (i in blocked for i in range(len(reads))), strict=True))
    yield from drawn_steps(
        layer.entry.browser(layer, drawn), "before" if fused else "output", layer.name, read
    )
    if fused:
        name = f"{layer.name} {layer.activation.name}"  # type: ignore[union-attr]
        yield from drawn_steps(activation_stages(layer, drawn), "output", name, ((number - 1, False),))
