"""Dropout and noise: at inference they pass their input on, in training they multiply and add what they draw.

Srivastava et al., "Dropout", JMLR 15, 2014, scaled in training as Keras does it ("inverted dropout");
Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015 (spatial dropout);
Klambauer et al., "Self-Normalizing Neural Networks", NIPS 2017 (alpha dropout).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers import draws as drawing
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.draws import Draws
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Links
from cnnviz.layers.operands import Operands, Position, one_number
from cnnviz.layers.passing import PassingEntry
from cnnviz.ops.cellwise import combined, in_bands, kept_where
from cnnviz.ops.recycling import empty

FACTOR, SCALE, ADDEND = "factor", "scale", "addend"
"""What a layer in training has in its config: arrays that broadcast to its input, or None.

With a scale, which is a number, the factor is an array of bool: what is kept is scaled, all else is 0.
"""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al., section 2."""


class NoiseEntry(PassingEntry):
    """What these layers have in common; a subclass says what it draws and what comes of it."""

    single: ClassVar[tuple[int, ...]] = ()
    """Axes along which all numbers share what is drawn."""

    def of(self, config: Mapping[str, Any]) -> Entry:
        return NOISY if FACTOR in config else self

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        (x,) = inputs
        if not self.is_active(layer.config):
            return layer
        shape = self.drawn_shape(layer.config, x.shape)
        drawn = draws(layer.name, shape, partial(self.draw, layer.config))
        noise = {FACTOR: None, SCALE: None, ADDEND: None, **self.noise(layer.config, drawn, x.dtype)}
        return replace(layer, config={**layer.config, **noise})

    def is_active(self, config: Mapping[str, Any]) -> bool:
        """Whether training differs from inference."""
        return bool(config["rate"])

    def drawn_shape(self, config: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what is drawn for an input of this shape."""
        noise_shape = config.get("noise_shape")
        if noise_shape is None:
            return tuple(1 if axis in self.single else size for axis, size in enumerate(shape))
        sizes = tuple(size if n is None else n for n, size in zip(noise_shape, shape, strict=False))
        if len(noise_shape) != len(shape) or any(n not in (1, s) for n, s in zip(sizes, shape, strict=True)):
            raise ValueError(f"noise_shape must fit an input {shape}, got {noise_shape}")
        return sizes

    def draw(
        self, config: Mapping[str, Any], random: np.random.Generator, shape: tuple[int, ...]
    ) -> np.ndarray:
        """What is drawn: here which numbers are kept."""
        return drawing.kept(random, shape, config["rate"])

    def noise(self, config: Mapping[str, Any], drawn: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
        """What the input is multiplied by, and what is added: FACTOR, SCALE, ADDEND as far as there are."""
        raise NotImplementedError(f"{type(self).__name__} says no noise")


class DropoutEntry(NoiseEntry):
    options = {
        "rate": (read.optional(read.share), None),
        "noise_shape": (read.optional(read.noise_shape), None),
    }

    def noise(self, config: Mapping[str, Any], drawn: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
        kept = 1 - config["rate"]
        scale = dtype.type(1 / kept if kept else 0)
        return {FACTOR: drawn.astype(bool, copy=False), SCALE: scale}


class SpatialDropoutEntry(DropoutEntry):
    """Whole channels are dropped."""

    def __init__(self, axes: int) -> None:
        self.rank = axes + 2  # type: ignore[misc]
        self.single = tuple(range(1, axes + 1))  # type: ignore[misc]

    options = {"rate": (read.optional(read.share), None)}
    required = ("rate",)


class AlphaDropoutEntry(DropoutEntry):
    """What is dropped becomes the lowest value of a SELU; mean and variance are kept."""

    def noise(self, config: Mapping[str, Any], drawn: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
        rate, lowest = config["rate"], -SELU_ALPHA * SELU_SCALE
        a = ((1 - rate) * (1 + rate * lowest**2)) ** -0.5 if rate < 1 else 0.0
        b = -a * lowest * rate
        addend = np.where(drawn, b, a * lowest + b).astype(dtype)
        return {FACTOR: drawn.astype(bool, copy=False), SCALE: dtype.type(a), ADDEND: addend}


class GaussianDropoutEntry(NoiseEntry):
    """Each number times one drawn around 1, with the variance that dropout has."""

    options = {"rate": (read.optional(read.share), None)}
    required = ("rate",)

    def draw(self, config: Mapping[str, Any], random: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return random.standard_normal(shape, np.float32)

    def noise(self, config: Mapping[str, Any], drawn: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
        rate = config["rate"]
        deviation = math.sqrt(rate / (1 - rate)) if rate < 1 else math.inf
        return {FACTOR: 1 + drawn.astype(dtype) * dtype.type(deviation)}


class GaussianNoiseEntry(NoiseEntry):
    options = {"stddev": (read.optional(read.number), None)}
    required = ("stddev",)

    def is_active(self, config: Mapping[str, Any]) -> bool:
        return bool(config["stddev"])

    draw = GaussianDropoutEntry.draw

    def noise(self, config: Mapping[str, Any], drawn: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
        return {ADDEND: drawn.astype(dtype) * dtype.type(config["stddev"])}


class NoisyEntry(Entry):
    """One of these layers in a step of training: its input times what was drawn, plus what was drawn."""

    label = "noise"

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        y, addend = _times_factor(inputs[0], layer), layer.config[ADDEND]
        return y if addend is None else y + addend

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (_times_factor(grad, layer),)

    def of_images(self, layer: Layer, images: slice) -> Layer:
        return _with_noise(layer, lambda array: array[images])

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [()]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,) = inputs
        one, zero = x.dtype.type(1), x.dtype.type(0)
        factor, addend = (
            absent if array is None else np.broadcast_to(array, (1, *x.shape))[(0, *position)]
            for array, absent in zip(_noise_of(layer), (one, zero), strict=True)
        )
        if layer.config[SCALE] is not None:
            factor = layer.config[SCALE] if factor else zero
        return one_number(x, position, factor, bias=addend, bias_name="noise")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [BrowserStage({"type": "given", "label": self.label})]

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return 2

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return 1

    def absolute(self, layer: Layer) -> Layer:
        # What is kept stays kept, and scales are not negative.
        return _with_noise(layer, np.abs)


def _times_factor(x: np.ndarray, layer: Layer) -> np.ndarray:
    factor, scale = layer.config[FACTOR], layer.config[SCALE]
    if factor is None:
        return x
    if scale is None:
        return combined(np.multiply, x, factor)
    if factor.shape != x.shape:
        return combined(np.multiply, x, np.multiply(factor, scale, dtype=x.dtype))

    def scaled(part: np.ndarray, keeps: np.ndarray, out: np.ndarray) -> None:
        np.multiply(part, scale, out=out)
        kept_where(keeps, out, out)

    y = empty(x.shape, x.dtype)
    in_bands(scaled, x, factor, y)
    return y


def _noise_of(layer: Layer) -> tuple[np.ndarray | None, np.ndarray | None]:
    return layer.config[FACTOR], layer.config[ADDEND]


def _with_noise(layer: Layer, change: Callable[[np.ndarray], np.ndarray]) -> Layer:
    arrays = zip((FACTOR, ADDEND), _noise_of(layer), strict=True)
    changed = {name: None if array is None else change(array) for name, array in arrays}
    return replace(layer, config={**layer.config, **changed})


NOISY = NoisyEntry()

ENTRIES.update(
    {
        "Dropout": DropoutEntry(),
        "SpatialDropout1D": SpatialDropoutEntry(1),
        "SpatialDropout2D": SpatialDropoutEntry(2),
        "SpatialDropout3D": SpatialDropoutEntry(3),
        "AlphaDropout": AlphaDropoutEntry(),
        "GaussianDropout": GaussianDropoutEntry(),
        "GaussianNoise": GaussianNoiseEntry(),
    }
)
