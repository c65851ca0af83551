"""The learner's own digit while a network trains: what counts for a layer's middle, its maps, the answer.

The field is the effective one, of one image: the magnitude of a unit's gradient with respect to each pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from cnnviz.colours import Scale
from cnnviz.network import LayerGraph, Network, Run
from cnnviz.network.mistakes import likeliest
from cnnviz.numbers import counted, probability
from cnnviz.receptive_fields import effective_receptive_field
from cnnviz.receptive_fields.effective import EffectiveReceptiveField
from cnnviz.stage.parts import Part

HALF = 0.5
"""The share of all that counts whose pixels are counted."""


def field_layers(net: LayerGraph) -> list[str]:
    """The convolutions whose middle may have a field to be drawn; the last one is the most telling.

    >>> from cnnviz import load_model
    >>> field_layers(load_model("mnist_maxpool"))
    ['conv2d', 'conv2d_1']
    """
    return [
        layer.name
        for layer in net
        if layer.is_convolution
        and len(layer.output_shape) == 3
        # The scores of a softmax always sum to 1: their sum answers to nothing.
        and not (layer.activation is not None and layer.activation.name == "softmax")
    ]


@dataclass(frozen=True, eq=False)
class DigitField:
    """The effective field of the middle of a layer on one image, after a step of training."""

    step: int
    field: EffectiveReceptiveField
    before: int | None = None
    """Pixels that held half of it before training; None if there were none, or that is not known."""

    @property
    def half(self) -> int | None:
        """The fewest pixels that hold half of all that counts; None if nothing counts."""
        share = self.field.share(HALF)
        return None if math.isnan(share) else round(share * self.field.box_area)

    @property
    def words(self) -> str:
        """What there is to be seen, in two sentences."""
        (top, bottom), (left, right) = self.field.box
        sees = f"The middle of {self.field.layer} can see {bottom - top + 1} × {right - left + 1} pixels"
        if self.half is None:
            return f"{sees}. On this digit none counts: a ReLU on the way lets nothing through."
        before = "" if self.before is None or not self.step else f"; before training it was in {self.before}"
        return f"{sees}. On this digit half of what counts lies in {counted(self.half, 'pixel')}{before}."


def field_of(run: Run, layer: str, step: int, before: int | None = None) -> DigitField:
    """The field of a layer's middle units, all channels together, on a run's one image."""
    return DigitField(step, effective_receptive_field(cast(Network, run.network), layer, run), before)


def field_header(part: Part, shown: DigitField, layers: Sequence[str], image: np.ndarray) -> dict[str, Any]:
    """What the panel draws of a field on its image (1, H, W, C); all numbers go into the part."""
    values = shown.field.map
    return {
        "layers": list(layers),
        "layer": shown.field.layer,
        "step": shown.step,
        "shape": list(values.shape),
        "array": part.add(values),
        "scale": _scale(values),
        "box": shown.field.box,
        "words": shown.words,
        "image": _image_header(part, image),
    }


def digit_header(part: Part, run: Run, layer: str, title: str, label: int | None) -> dict[str, Any]:
    """What the panel draws of the digit itself, where no stage stands beside it: its answer and its maps."""
    maps, answers = run[layer][0], run.output[0]
    (best, share), *_ = likeliest(answers)
    right = "" if label is None else " ✓" if best == label else " ✗"
    return {
        "image": _image_header(part, run.input),
        "words": f"{title}: {best} with {probability(share)}{right}",
        "maps": {
            "layer": layer,
            "shape": list(maps.shape),
            "array": part.add(maps),
            "scale": _scale(maps),
        },
    }


def _scale(values: np.ndarray) -> Mapping[str, Any]:
    return vars(Scale.of(values))


def _image_header(part: Part, image: np.ndarray) -> dict[str, Any]:
    """The first channel of an image, as ink on paper."""
    scale = {"kind": "ink", "limit": float(np.abs(image).max()) or 1.0}
    return {"shape": list(image.shape[1:3]), "array": part.add(image[0, ..., 0]), "scale": scale}
