"""Embedding: rows of a table, looked up by whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Expand, Links, Regroup
from cnnviz.layers.operands import Position


class EmbeddingEntry(Entry):
    """Words, classes or positions as vectors."""

    options = {
        "input_dim": (read.count, None),
        "output_dim": (read.count, None),
        "mask_zero": (read.only(False, "what it masks changes what later layers compute"), False),
    }
    weights = ("embeddings",)
    initializers = {"embeddings": "uniform"}
    label = "embedding"
    # Which row it is does not change smoothly.
    breaks_gradients = True
    # Whole numbers are the rows that are meant.
    scales_input = True

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        return {"embeddings": (config["input_dim"], config["output_dim"])}

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return layer.weights["embeddings"][self._rows(layer, inputs[0])]

    def _rows(self, layer: Layer, x: np.ndarray) -> np.ndarray:
        # As Keras casts: towards 0.
        rows, count = np.trunc(x), layer.config["input_dim"]
        wrong = ~((rows >= 0) & (rows < count))
        if wrong.any():
            raise ValueError(f"an Embedding of {count} rows has the rows 0 to {count - 1}, got {x[wrong][0]}")
        return rows.astype(np.int64)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.zeros(inputs[0].shape, grad.dtype),)

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        (x,) = inputs
        return np.zeros((*x.shape[1:], layer.config["output_dim"]), x.dtype)

    def embeddings_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        table = np.zeros(layer.weights["embeddings"].shape, grad.dtype)
        np.add.at(table, self._rows(layer, inputs[0]), grad)
        return table

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        return [(Regroup(shape, (*shape, 1)), Expand(len(shape), layer.config["output_dim"]))]

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        name = f"{layer.owner}/embeddings"
        op = {"type": "lookup", "table": name, "label": self.label}
        op |= {"entries": layer.config["input_dim"], "width": layer.config["output_dim"]}
        return [BrowserStage(op, {name: layer.weights["embeddings"]}, exact=True)]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return 0

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return inputs[0].size if of else 0

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        if of:
            return (self.embeddings_gradient(layer, inputs, np.abs(grad)),)
        return self.input_gradients(layer, inputs, grad)


ENTRIES["Embedding"] = EmbeddingEntry()
