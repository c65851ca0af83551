"""Networks as .keras files, which Keras loads and goes on from: config.json and the weights, written anew.

The layout is that of keras/src/saving/saving_lib.py. The same network gives the same bytes.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cnnviz.network.keras_description import Description
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.resources import write_atomically

METADATA = {"keras_version": "3.15.1"}
"""The version whose layout this is; Keras writes the date too, with which no two files would be equal."""
FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""What a ZIP archive can say at the earliest."""


@dataclass(frozen=True)
class Compiled:
    """How a model is trained, and how far its optimiser is: what Keras needs to go on.

    Parameters
    ----------
    optimizer
        Its class in keras.optimizers: "Adam".
    config
        Its arguments, by Keras's names: {"learning_rate": 0.001}.
    iterations
        Steps that were made.
    slots
        What the optimiser keeps of each weight that is trained, as Keras calls it:
        {"conv2d/kernel": {"momentum": array, "velocity": array}, ...}; nothing for an optimiser that keeps
        nothing.
    loss
        As `compile` takes it: a name, or {"class_name": ..., "config": ...}; for several outputs a list or a
        mapping.
    metrics
        Names of metrics, of each output.
    """

    optimizer: str
    config: Mapping[str, Any] = field(default_factory=dict)
    iterations: int = 0
    slots: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    loss: Any = None
    metrics: tuple[Any, ...] = ()


def save(network: LayerGraph, path: str | os.PathLike[str], compiled: Compiled | None = None) -> None:
    """Write a network as a .keras file; see `Network.save`."""
    place = Path(path)
    if place.suffix != ".keras":
        raise ValueError(f"path must end in .keras, got {str(path)!r}: Keras loads no other name")
    members = _members(network, compiled)
    write_atomically(place, lambda temporary: _write(temporary, members))


def keras_file(network: LayerGraph, compiled: Compiled | None = None) -> bytes:
    """What `save` writes, for whom nothing is to be written."""
    buffer = io.BytesIO()
    _write(buffer, _members(network, compiled))
    return buffer.getvalue()


def _members(network: LayerGraph, compiled: Compiled | None) -> dict[str, bytes]:
    """The files in a .keras file."""
    description = Description(network)
    config = dict(description.config)
    arrays = _weights(network, description)
    if compiled is not None:
        config["compile_config"] = _compile_config(compiled, len(network.outputs))
        arrays |= _optimizer(network, description, compiled)
    return {
        "metadata.json": json.dumps(METADATA).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _hdf5(arrays),
    }


def _write(place: str | io.BytesIO, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, FIRST_DATE), content)


def _hdf5(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers")
        for path, array in arrays.items():
            file.create_dataset(path, data=array, track_times=False)
    return buffer.getvalue()


def _weights(network: LayerGraph, description: Description) -> dict[str, np.ndarray]:
    arrays = {}
    for name, group in description.places.items():
        layer = network[name]
        for part, weights in layer.entry.weight_groups(layer.config).items():
            for number, weight in enumerate(weights):
                arrays[f"{group}/{part}/vars/{number}".replace("//", "/")] = layer.weights[weight]
    return arrays


# How it is trained --------------------------------------------------------------------------------


def _compile_config(compiled: Compiled, outputs: int) -> dict[str, Any]:
    metrics = [_object("metrics", metric) for metric in compiled.metrics]
    return {
        "optimizer": _object("optimizers", {"class_name": compiled.optimizer, "config": compiled.config}),
        "loss": _object("losses", compiled.loss),
        # Of several outputs each has its own.
        "metrics": ([metrics] * outputs if outputs > 1 else metrics) if metrics else None,
    }


def _object(module: str, value: Any) -> Any:
    """An object of Keras's as Keras writes it, or several."""
    if isinstance(value, list | tuple):
        return [_object(module, each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {name: _object(module, each) for name, each in value.items()}
    config = {name: _object(f"{module}.schedules", each) for name, each in value["config"].items()}
    return {
        "module": f"keras.{module}",
        "class_name": value["class_name"],
        "config": config,
        "registered_name": None,
    }


def _optimizer(network: LayerGraph, description: Description, compiled: Compiled) -> dict[str, np.ndarray]:
    """The optimiser's variables, in the order in which Keras makes them."""
    layers = [network[name] for name in description.places]
    if factors := [layer.name for layer in layers if layer.lora_rank]:
        raise ValueError(
            f"{factors[0]} trains LoRA factors, which are not kept here: save without `compiled`"
        )
    weights = [f"{layer.name}/{name}" for layer in layers for name in layer.trained]
    shapes = {f"{layer.name}/{name}": layer.weights[name].shape for layer in layers for name in layer.trained}
    rate = compiled.config.get("learning_rate")
    variables = [np.array(compiled.iterations, np.int64)]
    if not isinstance(rate, Mapping):
        if rate is None:
            raise ValueError(f"compiled.config must say the learning_rate, got {dict(compiled.config)}")
        variables.append(np.array(rate, network.dtype))
    # A layer that no output reads is not in the file.
    kept = {key for key in compiled.slots if key.rpartition("/")[0] in description.places}
    if compiled.slots and kept != set(weights):
        other = min(kept ^ set(weights))
        raise ValueError(
            f"compiled.slots must hold the weights that are trained, {other!r} is in one alone of the two"
        )
    for together in _made_together(next(iter(compiled.slots.values()), {})):
        for weight in weights:
            for slot in together:
                array = compiled.slots[weight].get(slot)
                if array is None or array.shape != shapes[weight]:
                    stated = "nothing" if array is None else f"shape {array.shape}"
                    raise ValueError(
                        f"compiled.slots[{weight!r}] must hold {slot!r} with shape {shapes[weight]}, "
                        f"got {stated}"
                    )
                variables.append(array)
    return {f"optimizer/vars/{number}": np.asarray(array) for number, array in enumerate(variables)}


def _made_together(slots: Collection[str]) -> list[tuple[str, ...]]:
    """The slots in the order in which Keras makes them: these two in turn, weight by weight."""
    pair = ("momentum", "velocity")
    left = [slot for slot in slots if slot != "average"]
    first = [("average",)] if "average" in slots else []
    if tuple(left[:2]) == pair:
        return [*first, pair, *((slot,) for slot in left[2:])]
    return [*first, *((slot,) for slot in left)]
