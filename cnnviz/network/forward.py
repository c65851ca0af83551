"""The forward pass, layer by layer, with edits on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.simplifying import RELU

Edits = Mapping[str, Callable[[np.ndarray], np.ndarray]]
"""A function for each edited layer: what it makes of the layer's output is what later layers read instead."""


class Base(NamedTuple):
    """What an earlier pass computed: its network, its layers' outputs and pre-activations, by name."""

    graph: LayerGraph
    outputs: Mapping[str, np.ndarray]
    before: Mapping[str, np.ndarray]
    edited: frozenset[str]

    def computed_alike(self, layer: Layer, read: Sequence[np.ndarray]) -> bool:
        """Whether the pass computed the same layer from the same numbers, with no edit of its own."""
        if layer.name in self.edited:
            return False
        if not layer.inputs:
            return np.array_equal(read[0], self.outputs[layer.name])
        old = self.graph[layer.name]
        weights = all(old.weights[name] is array for name, array in layer.weights.items())
        return weights and all(x is self.outputs[name] for name, x in zip(layer.inputs, read, strict=True))


def relus_before_pooling(graph: LayerGraph) -> dict[str, str]:
    """The layers that end in a ReLU which a max pooling alone reads, by the poolings' names.

    The largest number behind a ReLU is the ReLU of the largest: it may as well come behind the pooling, where
    fewer numbers are left. A gradient that comes back to a negative number is 0 either way.
    """
    readers = Counter(name for layer in graph for name in layer.inputs)
    pools = [layer for layer in graph if layer.entry.op == "max_pool2d" and readers[layer.inputs[0]] == 1]
    return {pool.name: pool.inputs[0] for pool in pools if graph[pool.inputs[0]].activation == RELU}


def forward(
    graph: LayerGraph,
    inputs: Mapping[str, np.ndarray],
    before: dict[str, np.ndarray] | None = None,
    edits: Edits | None = None,
    in_training: Callable[[Layer, Sequence[np.ndarray]], Layer] | None = None,
    inner: Edits | None = None,
    base: Base | None = None,
    relus_behind: Mapping[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """The outputs of all layers; pre-activations go into `before`.

    Without `before` every output is dropped as soon as nothing needs it. `in_training` says, of a layer and
    what it reads, the layer that computes in its place. `inner` are edits in front of the activation. With
    `before`, what a pass of the same network with other weights or edits computed alike is taken from it,
    the very arrays, so that only what lies behind a difference is computed: `base`. Of the layers in
    `relus_behind`, as from `relus_before_pooling`, the ReLU is left to the pooling.
    """
    values: dict[str, np.ndarray] = {}
    relus = relus_behind or {}
    left_out = set(relus.values())
    last_reader = {name: layer.name for layer in graph for name in layer.inputs}
    last_reader.update(dict.fromkeys(map(graph.resolve, graph.outputs), ""))
    for layer in graph:
        read: Sequence[np.ndarray] = [values[name] for name in layer.inputs] or [inputs[layer.name]]
        edited = layer.name in (edits or ()) or layer.name in (inner or ())
        if base is not None and before is not None and not edited and base.computed_alike(layer, read):
            values[layer.name], before[layer.name] = base.outputs[layer.name], base.before[layer.name]
            continue
        read = layer.cast(read, graph.dtype)
        if in_training is not None:
            layer = in_training(layer, read)
        z = layer.before_activation(*read)
        if inner and layer.name in inner:
            z = _edited(layer, z, inner[layer.name])
        if layer.name in relus:
            z = RELU(z)
        values[layer.name] = z if layer.name in left_out else layer.after_activation(z)
        if before is not None:
            before[layer.name] = z
            if edits and layer.name in edits:
                values[layer.name] = _edited(layer, values[layer.name], edits[layer.name])
        else:
            for name in {*layer.inputs, layer.name}:
                if last_reader.get(name, layer.name) == layer.name:
                    values.pop(name, None)
    for name in left_out:
        del values[name]
    return values


def _edited(layer: Layer, value: np.ndarray, edit: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    result = np.array(edit(value.copy()), value.dtype)
    if result.shape != value.shape:
        raise ValueError(f"an edit must keep the shape of {layer.name}, {value.shape}, got {result.shape}")
    return result
