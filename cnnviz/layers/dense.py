"""The dense layer: every unit along the last axis reads all numbers along it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.convolutions import FUSED, pixelwise_stage
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Links, mix
from cnnviz.layers.operands import Operands, Position, label, operands, weighted
from cnnviz.layers.slopes import over_images


class DenseEntry(Entry):
    options = {"units": (read.count, None), **FUSED}
    weights = ("kernel", "bias")
    op_weights = weights
    op = "dense"
    label = "dense"

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        return {"kernel": (shape[-1], config["units"]), "bias": (config["units"],)}

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (ops.dense_input_grad(grad, layer.weights["kernel"]),)

    def kernel_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return ops.dense_kernel_grad(inputs[0], grad)

    def bias_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return ops.dense_bias_grad(grad)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [mix(shapes[0], -1, layer.config["units"])]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,), unit = inputs, position[-1]
        channels = np.arange(x.shape[-1])
        before = np.tile(np.array(position[:-1], int), (len(channels), 1))
        index = np.stack([channels, np.full(len(channels), unit)], axis=-1)
        cut = {
            "factor": x[position[:-1]].reshape(-1, 1, 1),
            "position": np.concatenate([before, channels[:, None]], axis=1)[:, None, None],
            "labels": tuple(label(x.ndim, (c,)) for c in channels.tolist()),
        }
        return weighted(x, layer.weights, "kernel", index[:, None, None], cut, unit)

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        """One group for each unit."""
        *before, c = cell
        units = np.arange(grad.shape[-1])
        places = np.stack([*(np.full(len(units), i) for i in before), units], axis=-1)
        index = np.stack([np.full(len(units), c), units], axis=-1)
        return operands(
            [grad],
            grad[tuple(before)].reshape(-1, 1, 1),
            layer.weights["kernel"][c].reshape(-1, 1, 1),
            places[:, None, None],
            weight_name="kernel",
            weight_index=index[:, None, None],
            labels=tuple(label(grad.ndim, (unit,)) for unit in units.tolist()),
        )

    def uses(self, layer: Layer, weight: str, index: Position, inputs: Arrays, grad: np.ndarray) -> Operands:
        if weight == "bias":
            return super().uses(layer, weight, index, inputs, grad)
        (x,), (c, unit) = inputs, index
        places = np.moveaxis(np.indices((*x.shape[1:-1], 1)), 0, -1)
        read, reached = (places + np.eye(x.ndim - 1, dtype=int)[-1] * number for number in (c, unit))
        return over_images(x[..., c], grad[..., unit], read, reached)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        if len(drawn.inputs[0]) > 1:
            return [pixelwise_stage(layer, drawn.sources[0], "kernel", self.label)]
        column = drawn.columns[0]
        return [pixelwise_stage(layer, column, "kernel", self.label, column[:2])]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return len(layer.weights["kernel"]) + 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return math.prod(grad.shape[:-1]) if of else layer.weights["kernel"].shape[1]

    def as_convolution(self, layer: Layer) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]] | None:
        if len(layer.input_shape) != 1:
            return None
        kernel = layer.weights["kernel"][np.newaxis, np.newaxis]
        one_cell = {"strides": (1, 1), "padding": "valid", "dilation_rate": (1, 1), "groups": 1}
        return kernel, layer.weights.get("bias"), one_cell


ENTRIES["Dense"] = DenseEntry()
