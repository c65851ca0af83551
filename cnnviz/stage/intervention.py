"""Interventions: numbers of a network and its image changed, and the run that follows.

Changes are plain data, as changes.js reads them for the engine of the page: same kinds, same meaning, same
ones refused, but for numbers of a step within a layer, which only the page can set. What comes from a browser
is checked like any input: a change that does not fit the network is refused with a sentence, and nothing is
applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cnnviz.network import Network, Run
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.run import forward_pass
from cnnviz.numbers import brief
from cnnviz.stage.plan import Shapes, shapes_of
from cnnviz.stage.stages import Stage, take_apart

MOST = 200
"""Changes at a time."""
LARGEST = float(np.finfo(np.float32).max)

Change = Mapping[str, Any]
Edit = Callable[[np.ndarray], np.ndarray]


class InterventionError(ValueError):
    """A change does not fit the network; the message is one sentence for whoever made it."""


def intervene(
    net: Network, image: Any, changes: Sequence[Change], base: Run | None = None
) -> tuple[Run, frozenset[str]]:
    """Run a network with some of its numbers changed.

    Parameters
    ----------
    net
        The network; it stays as it is.
    image
        One image, as `Network.run` takes it.
    changes
        In the order in which they are made. Indices are those of the flat array; of a stage, in the shape in
        which it is drawn.
        {"kind": "values", "stage": name, "at": indices, "values": numbers} sets numbers that a stage gives,
        and of an input the image's; {"kind": "channel", "stage": name, "channel": k} sets a channel to 0;
        {"kind": "weights", "array": "conv2d/kernel", "at": indices, "values": numbers} changes weights;
        {"kind": "shift", "rows": r, "cols": c} moves the image by whole pixels, before anything is set in it:
        what leaves it is lost, what comes in is 0.
    base
        A run of the network on the same image, or one with some of these changes: only what lies behind
        what is not as it was there is computed.

    Returns
    -------
    (Run, stages)
        `stages` are the names of those in which numbers were set by hand.

    Raises
    ------
    InterventionError
        (a ValueError) for a change that does not fit the network.

    Examples
    --------
    >>> import cnnviz
    >>> change = {"kind": "channel", "stage": "conv2d relu", "channel": 3}
    >>> run, stages = intervene(cnnviz.load_model("mnist_14k"), np.zeros((28, 28)), [change])
    >>> float(np.abs(run["conv2d"][..., 3]).max()), sorted(stages)
    (0.0, ['conv2d relu'])
    """
    made = read_changes(net, shapes_of(net, image), changes)
    return forward_pass(made.network, image, made.outputs, inner=made.inner, base=base), made.stages


def with_changed_weights(net: Network, changes: Sequence[Change]) -> Network:
    """The network with those weights that are changed; what else is changed is no part of it.

    Raises
    ------
    InterventionError
        (a ValueError) for a change that does not fit the network.

    Examples
    --------
    >>> import cnnviz
    >>> change = {"kind": "weights", "array": "conv2d/bias", "at": [0], "values": [2.5]}
    >>> changed = with_changed_weights(cnnviz.load_model("mnist_14k"), [change])
    >>> float(changed["conv2d"].weights["bias"][0])
    2.5
    """
    weights: dict[str, np.ndarray] = {}
    _check_list(changes)
    for change in changes:
        if isinstance(change, Mapping) and change.get("kind") == "weights":
            _change_weights(net, change, weights)
    return net.with_weights(weights) if weights else net


class Made(NamedTuple):
    """Changes as a network and edits of what its layers give, by their names."""

    network: LayerGraph
    outputs: dict[str, Edit]
    inner: dict[str, Edit]
    """In front of the activation."""
    stages: frozenset[str]
    """The names of those in which numbers are set."""


def read_changes(net: LayerGraph, shapes: Shapes, changes: Sequence[Change]) -> Made:
    """Changes, checked against a network whose layers have these output shapes (no batch)."""
    _check_list(changes)
    taken = take_apart(net, shapes)
    stages = {stage.name: stage for stage in taken.stages}
    weights: dict[str, np.ndarray] = {}
    edits: dict[str, list[Change]] = {}
    shifts: list[tuple[int, int]] = []
    for change in changes:
        kind = change.get("kind") if isinstance(change, Mapping) else None
        if kind == "weights":
            _change_weights(net, change, weights)
        elif kind == "shift":
            shifts.append((_whole(change.get("rows"), "rows"), _whole(change.get("cols"), "cols")))
        elif kind in ("values", "channel"):
            stage = _stage(stages, change.get("stage"))
            if kind == "values":
                _numbers(change, math.prod(stage.shape))
            else:
                _place(change.get("channel"), "channel", stage.shape[-1])
            edits.setdefault(stage.name, []).append(change)
        else:
            raise InterventionError(
                f"kind must be 'values', 'weights', 'channel' or 'shift', got {brief(kind, 40)}"
            )
    moved = {
        stage.layer.name: _Shifting(tuple(stage.shape), tuple(shifts))
        for stage in stages.values()
        if shifts and _is_input(stage)
    }
    outputs: dict[str, Edit] = dict(moved)
    inner: dict[str, Edit] = {}
    for name, listed in edits.items():
        stage = stages[name]
        if stage.part == "before":
            inner[stage.layer.name] = _Setting(tuple(stage.shape), tuple(listed))
        else:
            before = moved.get(stage.layer.name)
            outputs[stage.layer.name] = _Setting(tuple(stage.shape), tuple(listed), before)
    changed = net.with_weights(weights) if weights else net
    return Made(changed, outputs, inner, frozenset(edits))


def _check_list(changes: Sequence[Change]) -> None:
    if not isinstance(changes, Sequence) or isinstance(changes, str) or len(changes) > MOST:
        raise InterventionError(f"changes must be a list of at most {MOST}")


def _is_input(stage: Stage) -> bool:
    return bool(stage.op["type"] == "input")


@dataclass(frozen=True)
class _Shifting:
    """The image moved, as often as it is said."""

    shape: tuple[int, ...]
    shifts: tuple[tuple[int, int], ...]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        maps = images.reshape(self.shape)
        for rows, cols in self.shifts:
            moved = np.zeros_like(maps)
            (to_rows, from_rows), (to_cols, from_cols) = map(_shares, (rows, cols), maps.shape[:2])
            moved[to_rows, to_cols] = maps[from_rows, from_cols]
            maps = moved
        return maps.reshape(images.shape)


def _shares(by: int, size: int) -> tuple[slice, slice]:
    """Where along an axis the cells go that stay, and where they come from."""
    by = min(max(by, -size), size)
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


@dataclass(frozen=True)
class _Setting:
    """What a stage gives with numbers set in it, after something else was done."""

    shape: tuple[int, ...]
    changes: tuple[Change, ...]
    first: Edit | None = None

    def __call__(self, output: np.ndarray) -> np.ndarray:
        output = np.ascontiguousarray(self.first(output) if self.first else output)
        numbers = output.reshape(self.shape)
        for change in self.changes:
            if change["kind"] == "channel":
                numbers[..., change["channel"]] = 0
            else:
                for place, value in zip(change["at"], change["values"], strict=True):
                    numbers.flat[place] = value
        return output


def _change_weights(net: LayerGraph, change: Change, weights: dict[str, np.ndarray]) -> None:
    name = change.get("array")
    layer, _, weight = name.rpartition("/") if isinstance(name, str) else ("", "", "")
    if layer not in net or weight not in net[layer].weights:
        raise InterventionError(f"there are no weights called {brief(name, 40)}")
    array = weights.setdefault(str(name), np.array(net[layer].weights[weight]))
    at, values = _numbers(change, array.size)
    for place, value in zip(at, values, strict=True):
        array.flat[place] = value


def _stage(stages: Mapping[str, Stage], name: Any) -> Stage:
    stage = stages.get(name) if isinstance(name, str) else None
    if stage is None:
        raise InterventionError(f"there is no stage called {brief(name, 40)}")
    if stage.part not in ("output", "before"):
        raise InterventionError(
            f"{brief(name, 40)} is a step within its layer: what it gives is set in the page, not in Python"
        )
    return stage


def _numbers(change: Change, size: int) -> tuple[list[int], list[float]]:
    at, values = change.get("at"), change.get("values")
    if not (isinstance(at, list) and isinstance(values, list)) or len(at) != len(values) or not at:
        raise InterventionError("at and values must be lists of one length, with at least one number each")
    for place in at:
        _place(place, "at", size)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise InterventionError(
                f"values must be finite numbers within float32's range, got {brief(value, 40)}"
            )
    return at, values


def _place(value: Any, name: str, size: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < size:
        raise InterventionError(f"{name} must be a whole number from 0 to {size - 1}, got {brief(value, 40)}")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**53:
        raise InterventionError(f"{name} must be a whole number, got {brief(value, 40)}")
    return value
