"""Layers that pass their input on: the network's inputs, and what changes pictures in training only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.draws import Draws
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.operands import Operands, Position, no_products, one_number
from cnnviz.layers.regularizers import Regularizer
from cnnviz.layers.tensor_operations import OperationEntry


class PassingEntry(Entry):
    """Augmentation at inference, for example: the output is the input.

    Also RandomCrop's, whatever its size, in Keras 3.15; its documentation says that it cuts out the middle.
    """

    moves_values_only = True

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return one_number(inputs[0], position)

    def __init__(self, *required: str) -> None:
        self.required = required or self.required


class AugmentationEntry(PassingEntry):
    """What changes pictures at random in training, which is not computed here."""

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        raise ValueError(
            f"layer {layer.name!r} ({layer.kind}) changes its input at random in training, which cnnviz does "
            "not compute: leave it out, and change the images before they are given to the trainer"
        )


class ActivityRegularizationEntry(PassingEntry):
    options = {"l1": (read.number, 0.0), "l2": (read.number, 0.0)}

    def activity_regularizer(self, config: Mapping[str, Any]) -> Regularizer:
        return Regularizer("L1L2", {name: config[name] for name in ("l1", "l2")})


class InputEntry(PassingEntry):
    """An input of the network, which is given."""

    options = {"batch_shape": (read.batch_shape, None)}
    least_inputs = most_inputs = 0

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return no_products(inputs[0], inputs[0][position], "given")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [BrowserStage({"type": "input", "label": "input"})]


def _float(value: Any, name: str) -> str:
    if value not in ("float16", "bfloat16", "float32", "float64"):
        raise ValueError(
            f"{name}={value!r} is not supported: cnnviz computes in floats; "
            "leave the cast out, or cast to float32"
        )
    return str(value)


class CastEntry(OperationEntry, PassingEntry):
    """Numbers in another format, which is a float: cnnviz keeps its own."""

    options = {"dtype": (_float, None)}


class StopGradientEntry(OperationEntry, PassingEntry):
    """The input, of which nothing is said to change the output."""

    breaks_gradients = True
    parameters = ("variable",)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.zeros_like(grad),)


ENTRIES.update(
    {
        "InputLayer": InputEntry(),
        "ActivityRegularization": ActivityRegularizationEntry(),
        "ops.Cast": CastEntry(),
        "ops.StopGradient": StopGradientEntry(),
        "Identity": PassingEntry(),
        "MaxNumBoundingBoxes": PassingEntry("max_number"),
        "RandomTranslation": AugmentationEntry("height_factor", "width_factor"),
        "RandomZoom": AugmentationEntry("height_factor"),
        "RandomCrop": AugmentationEntry("height", "width"),
        **dict.fromkeys(
            (
                *("RandomRotation", "RandomContrast", "RandomBrightness", "RandomColorDegeneration"),
                *("RandomHue", "RandomPosterization", "RandomSaturation", "RandomSharpness"),
            ),
            AugmentationEntry("factor"),
        ),
        **dict.fromkeys(
            (
                *("RandomFlip", "RandomShear", "RandomPerspective", "RandomElasticTransform"),
                *("RandomErasing", "RandomColorJitter", "RandomGrayscale", "RandomInvert"),
                *("RandomGaussianBlur", "Solarization", "AugMix", "CutMix", "MixUp", "RandAugment"),
            ),
            AugmentationEntry(),
        ),
    }
)
