"""Checkpoints of a Trainer: the state that it is in, in one .npz file of numbers and one text."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.numbers import brief
from cnnviz.ops.padding import LIMIT, integer
from cnnviz.resources import read_arrays, stated_arrays, write_arrays

KEPT = "state"
"""The array that holds the text, as bytes: everything that is no array."""

COUNTS = ("steps", "epoch", "batches", "until")

Row = dict[str, float]
"""What is said of an epoch: loss and metrics by name, with "val_" before those of the validation images."""


@dataclass(frozen=True, eq=False)
class TrainerState:
    """All that a trainer is at one moment; it is exchanged as a whole, so that it stays whole."""

    network: Network
    slots: Mapping[str, Mapping[str, np.ndarray]]
    """What the optimizer remembers of each weight."""
    steps: int = 0
    epoch: int = 0
    """Whole epochs done."""
    batches: int = 0
    """Batches done of the epoch that is on."""
    sums: Mapping[str, float] = field(default_factory=dict)
    """Of loss and metrics over the images of that epoch so far."""
    until: int = 0
    """The epoch at which the `fit` that is on ends."""
    history: tuple[Row, ...] = ()


def weights_of(net: Any) -> dict[str, np.ndarray]:
    """All weights by "layer/weight", shared ones under their first layer."""
    return {
        f"{layer.name}/{name}": array
        for layer in net
        if layer.owner == layer.name
        for name, array in layer.weights.items()
    }


def write_checkpoint(path: str | os.PathLike[str], state: TrainerState, settings: Mapping[str, Any]) -> None:
    """Keep a state; `settings` are what two trainers must agree in for one to go on where the other was."""
    position = {name: getattr(state, name) for name in COUNTS}
    # JSON writes floats so that they are read back to the bit.
    said = {**settings, **position, "sums": dict(state.sums), "history": list(state.history)}
    text = np.frombuffer(json.dumps(said).encode(), np.uint8)
    write_arrays(Path(path), {**dict(_arrays(state)), KEPT: text})


def read_checkpoint(
    path: str | os.PathLike[str], state: TrainerState, settings: Mapping[str, Any]
) -> TrainerState:
    """The state that was kept of a trainer with these settings, whose arrays are like those of `state`.

    Raises
    ------
    ValueError
        if there is no such file, or it is damaged or of another trainer.
    """
    expected = dict(_arrays(state))
    try:
        stated = stated_arrays(path)
        for name, array in expected.items():
            there = stated.get(name)
            if there is None or (there.shape, there.dtype) != (array.shape, array.dtype):
                raise ValueError(f"it must hold {name}, {array.dtype} {array.shape}")
        arrays = read_arrays(path, [*expected, KEPT])
        said = json.loads(arrays.pop(KEPT).tobytes())
        for key, value in settings.items():
            if said[key] != value:
                raise ValueError(f"it is of a trainer with {key}={said[key]}, this one has {key}={value}")
        counts = {name: integer(said[name], name) for name in COUNTS}
        if not all(0 <= count < LIMIT for count in counts.values()) or counts["epoch"] > counts["until"]:
            raise ValueError(f"its counts cannot be: {brief(counts)}")
        sums = {str(name): float(value) for name, value in said["sums"].items()}
        if not all(map(math.isfinite, sums.values())):
            raise ValueError(f"its sums must be finite, got {brief(sums)}")
        history = tuple({str(name): value for name, value in row.items()} for row in said["history"])
        for row in history:
            if any(isinstance(value, bool) or not isinstance(value, int | float) for value in row.values()):
                raise ValueError(f"its history must be of numbers, got {brief(row)}")
    except FileNotFoundError:
        raise ValueError(f"there is no checkpoint {os.fspath(path)!r}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)} is no checkpoint of this training: {error}") from None
    weights = {key: arrays[f"weight:{key}"] for key in weights_of(state.network)}
    slots = {
        key: {name: arrays[f"{name}:{key}"] for name in remembered} for key, remembered in state.slots.items()
    }
    network = state.network.with_weights(weights)
    return TrainerState(network, slots, **counts, sums=sums, history=history)


def _arrays(state: TrainerState) -> Iterator[tuple[str, np.ndarray]]:
    """Weights and slots, under names that tell them apart."""
    for key, array in weights_of(state.network).items():
        yield f"weight:{key}", array
    for key, remembered in state.slots.items():
        for name, array in remembered.items():
            yield f"{name}:{key}", array
