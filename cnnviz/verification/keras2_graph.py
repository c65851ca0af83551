"""What Keras 2, the package tf-keras, computes for every layer of a file that it wrote: `Keras2Graph`.

Keras 3 reads few of these files. Its graph is in `comparison`; here the same is said in Keras 2's terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.network.keras2_config import without_slashes
from cnnviz.network.unfolding import call_labels
from cnnviz.resources import tensorflow


def load_with_keras2(path: Path) -> Any:
    """The model as Keras 2 loads it, in its safe mode; ModuleNotFoundError without the package tf-keras."""
    tensorflow()
    import tf_keras

    return tf_keras.models.load_model(path, compile=False)


class Keras2Graph:
    """A graph with all its calls as outputs, and those of the models within it, by our names."""

    def __init__(self, model: Any, prefix: str = "") -> None:
        import tf_keras

        layers = list(model._self_tracked_trackables)
        own = without_slashes(layer.name for layer in layers)
        called = [
            (layer, node)
            for layer in layers
            for number, node in enumerate(layer.inbound_nodes)
            if f"{layer.name}_ib-{number}" in model._network_nodes
        ]
        labels = call_labels(own[layer.name] for layer, _ in called).values()
        self.input_names = [prefix + own[tensor._keras_history.layer.name] for tensor in model.inputs]
        self.names: list[str] = []
        self.nested: list[tuple[int, int, Keras2Graph]] = []
        wanted: list[Any] = []
        flat = tensorflow().nest.flatten
        for (layer, node), name in zip(called, labels, strict=True):
            label = prefix + name
            if isinstance(layer, tf_keras.Model):
                feeds = flat(node.input_tensors)
                self.nested.append((len(wanted), len(feeds), Keras2Graph(layer, f"{label}/")))
                self.names += [""] * len(feeds)
                wanted += feeds
            elif not node.is_input:
                made = flat(node.outputs)
                self.names += [f"{label}[{i}]" if len(made) > 1 else label for i in range(len(made))]
                wanted += made
        self.model = tf_keras.Model(model.inputs, {str(i): tensor for i, tensor in enumerate(wanted)})

    def __call__(self, inputs: list[Any]) -> Iterator[tuple[str, np.ndarray]]:
        yield from ((name, np.asarray(x)) for name, x in zip(self.input_names, inputs, strict=True))
        outputs = self.model(inputs if len(inputs) > 1 else inputs[0], training=False)
        values = [outputs[str(i)] for i in range(len(outputs))]
        for name, value in zip(self.names, values, strict=True):
            if name:
                yield name, np.asarray(value)
        for first, count, graph in self.nested:
            yield from graph(values[first : first + count])
