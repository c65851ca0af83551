"""Activations as layers of their own, PReLU with its weights among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activations import ACTIVATION_LAYERS, Activation, parse_activation
from cnnviz.layers.browser import BrowserStage, Drawn, broadcast_places, drawn_shape, strides
from cnnviz.layers.gating import GatedEntry
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer, chosen
from cnnviz.layers.operands import Operands, Position, one_number
from cnnviz.layers.options import Options
from cnnviz.layers.slopes import slopes_with_copies
from cnnviz.ops.shrinking import sparsemax_threshold

GLU = Activation("glu")
"""The one function of keras.activations that changes the shape; `gating` says what it does."""


def _alone(value: Any, name: str) -> Activation | None:
    """An activation that is a layer of its own."""
    return GLU if value in ("glu", GLU) else parse_activation(value, name)


class ActivationEntry(Entry):
    """An activation and nothing else: the pre-activation is the input."""

    options: Options = {"activation": (_alone, None)}
    activates = True

    def of(self, config: Mapping[str, Any]) -> Entry:
        return GLU_LAYER if config.get("activation") == GLU else self

    def activation(self, layer: Layer) -> Activation:
        return layer.config["activation"] or Activation("linear")

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return one_number(inputs[0], position)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return activation_stages(layer, drawn)

    def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
        written = super().serialized(config, raw)
        # It must be said.
        return (
            {**written, "activation": written.get("activation") or "linear"}
            if "activation" in config
            else written
        )


class GluLayerEntry(GatedEntry):
    """An Activation that halves its axis."""

    options: Options = ActivationEntry.options


GLU_LAYER = GluLayerEntry()


class NamedActivationEntry(ActivationEntry):
    """A class of its own for one function, with its options."""

    def __init__(self, function: str) -> None:
        self.function, self.options = ACTIVATION_LAYERS[function]

    def activation(self, layer: Layer) -> Activation:
        return Activation(self.function, chosen(layer.config, tuple(self.options)))


class PReLUEntry(ActivationEntry):
    options = {"shared_axes": (read.axes, None)}
    weights = ("alpha",)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        shared = config["shared_axes"]
        if any(not 1 <= axis <= len(shape) for axis in shared):
            raise ValueError(f"shared_axes={shared} must be axes of an input {shape}, counted from 1")
        return {"alpha": tuple(1 if axis in shared else size for axis, size in enumerate(shape, 1))}

    def activation(self, layer: Layer) -> Activation:
        return Activation("prelu", {"alpha": layer.weights["alpha"]})

    def alpha_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return ops.prelu_alpha_grad(inputs[0], grad, layer.weights["alpha"].shape)

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray:
        return slopes_with_copies(layer, weight, index, inputs[0], lambda alpha: alpha)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        # A product, and the sum over what alpha was broadcast to.
        return grad.size // max(layer.weights["alpha"].size, 1) if of else 0

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        # Only what is below 0 is multiplied by alpha.
        if of:
            return (np.abs(self.alpha_gradient(layer, [-np.abs(inputs[0]) * (inputs[0] < 0)], np.abs(grad))),)
        return super().gradient_magnitude(layer, of, inputs, grad)


def _line_stages(layer: Layer, activation: Activation, drawn: Drawn) -> list[BrowserStage]:
    """Of a function that takes all numbers along an axis: `count` of them, `step` apart."""
    axis = activation.axis
    if not axis:
        # Along the batch: the browser has one image of it.
        return [BrowserStage({"type": "given", "label": activation.name})]
    # Keras counts the batch as axis 0.
    place = (axis - 1 if axis > 0 else axis) % len(drawn.output)
    along = list(zip(drawn.output, strides(drawn.output), strict=True))
    count, step = along.pop(place)
    if activation.name != "sparsemax":
        op = {"type": "softmax", "log": activation.name == "log_softmax", "count": count, "step": step}
        return [BrowserStage({**op, "label": "softmax"})]
    lines = tuple(1 if i == place else size for i, size in enumerate(drawn.output))
    lower = {"type": "reduce", "mode": "threshold", "over": [(count, step)], "kept": along}
    cells = np.broadcast_to(np.arange(math.prod(lines), dtype=np.int32).reshape(lines), drawn.output)
    name = f"{layer.name}/line"

    def threshold(layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return sparsemax_threshold(layer.before_activation(*inputs), axis)

    def above(layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return layer.before_activation(*inputs) - threshold(layer, *inputs)

    difference = {"type": "merge", "mode": "subtract", "maps": [None, name]}
    cut = {"type": "merge", "mode": "maximum", "maps": [None], "arguments": [0, {"value": 0.0}]}
    return [
        BrowserStage(
            {**lower, "label": "threshold"}, shape=drawn_shape(lines), name="threshold", value=threshold
        ),
        BrowserStage(
            {**difference, "label": "subtract"},
            {name: cells.ravel()},
            name="above",
            value=above,
            reads=(0, "threshold"),
        ),
        BrowserStage({**cut, "label": activation.name}),
    ]


def activation_stages(layer: Layer, drawn: Drawn) -> list[BrowserStage]:
    """A layer's activation as the browser computes it, fused or alone; its first input is what it reads."""
    activation = layer.activation
    assert activation is not None
    function, arguments = activation.function, dict(activation.arguments)
    if activation.axis is not None:
        return _line_stages(layer, activation, drawn)
    label = function.label or activation.name
    op: dict[str, Any] = {
        "type": "activation",
        "name": activation.name,
        "arguments": arguments,
        "label": label,
    }
    arrays = {}
    if "alpha" in layer.weights:
        alpha = layer.weights["alpha"]
        arguments["alpha"] = f"{layer.owner}/alpha"
        arrays[f"{layer.owner}/alpha"] = alpha
        if (places := broadcast_places(alpha.shape, drawn.output)) is not None:
            arrays[f"{layer.name}/from"] = places
            op["from"] = f"{layer.name}/from"
    return [BrowserStage(op, arrays, exact=function.exact)]


ENTRIES.update(
    {
        "Activation": ActivationEntry(),
        "PReLU": PReLUEntry(),
        **{name: NamedActivationEntry(name) for name in ACTIVATION_LAYERS},
    }
)
