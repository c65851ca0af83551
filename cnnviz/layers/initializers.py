"""Initialisers: how Keras draws a weight before any training, by Keras's names and with its distributions.

Follows keras/src/initializers; the numbers come from NumPy's generator, so that a seed gives other numbers
than in Keras, of the same distribution. The seed in an initialiser's own config is kept and not used.
Glorot and Bengio, AISTATS 2010; He et al., arXiv 1502.01852; LeCun et al., "Efficient BackProp", 1998.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike
from scipy import special

from cnnviz.layers import options as read
from cnnviz.layers.keras_object import KerasObject
from cnnviz.layers.options import Options

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape, Mapping[str, Any]], np.ndarray]

TRUNCATED = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
"""The deviation of a standard normal number that is drawn anew beyond 2: 0.87962566."""


def fans(shape: Shape, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """How many numbers one output reads, and one input feeds, by the shape of a weight, as Keras counts.

    >>> fans((3, 3, 16, 32)), fans((784, 10)), fans((5,))
    ((144, 288), (784, 10), (5, 5))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    cells = math.prod(shape[:-2])
    return shape[-2] * cells, shape[-1] * cells


def _truncated(generator: np.random.Generator, shape: Shape) -> np.ndarray:
    """Standard normal numbers between -2 and 2, through the inverse of their distribution."""
    low = special.ndtr(-2.0)
    return special.ndtri(generator.uniform(low, 1 - low, shape))  # type: ignore[no-any-return]


def _zeros(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    return np.zeros(shape)


def _ones(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    return np.ones(shape)


def _constant(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    return np.full(shape, arguments["value"])


def _identity(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    if len(shape) != 2:
        raise ValueError(f"Identity makes matrices, got the shape {shape}: choose another initializer")
    return arguments["gain"] * np.eye(*shape)


def _normal(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    return generator.normal(arguments["mean"], arguments["stddev"], shape)


def _truncated_normal(
    generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]
) -> np.ndarray:
    return arguments["mean"] + arguments["stddev"] * _truncated(generator, shape)


def _uniform(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    return generator.uniform(arguments["minval"], arguments["maxval"], shape)


def _variance_scaling(
    generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]
) -> np.ndarray:
    fan_in, fan_out = fans(shape, arguments["input_axes"], arguments["output_axes"])
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[arguments["mode"]]
    variance = arguments["scale"] / max(1.0, fan)
    if arguments["distribution"] == "uniform":
        limit = math.sqrt(3 * variance)
        return generator.uniform(-limit, limit, shape)
    if arguments["distribution"] == "untruncated_normal":
        return generator.normal(0.0, math.sqrt(variance), shape)
    return math.sqrt(variance) / TRUNCATED * _truncated(generator, shape)


def _scaled(scale: float, mode: str, distribution: str) -> Draw:
    fixed = {"scale": scale, "mode": mode, "distribution": distribution}
    return lambda generator, shape, arguments: _variance_scaling(generator, shape, {**arguments, **fixed})


def _orthogonal(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    if len(shape) < 2:
        raise ValueError(f"Orthogonal makes matrices, got the shape {shape}: choose another initializer")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
    # Without the signs some matrices would come more often than others.
    q = q * np.sign(np.diag(r))
    return arguments["gain"] * (q.T if rows < columns else q).reshape(shape)  # type: ignore[no-any-return]


def _stft(generator: np.random.Generator, shape: Shape, arguments: Mapping[str, Any]) -> np.ndarray:
    """The waves of a short-time Fourier transform, for a kernel (frame, 1, frequencies)."""
    if len(shape) != 3:
        raise ValueError(f"STFT makes kernels (frame, 1, frequencies), got the shape {shape}")
    length, _, frequencies = shape
    angles = -2 * np.pi * np.arange(length)[:, None, None] * np.arange(frequencies) / (2 * (frequencies - 1))
    waves = np.cos(angles) if arguments["side"] == "real" else np.sin(angles)
    if arguments["window"] is None:
        return waves
    from scipy.signal import get_window  # It takes longer to import than all of cnnviz.

    window = get_window(arguments["window"], length, arguments["periodic"])[:, None, None]
    sums = {"density": np.sqrt(np.square(window).sum()), "spectrum": np.abs(window).sum(), None: 1}
    return waves * window / sums[arguments["scaling"]]  # type: ignore[no-any-return]


def _word(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a word, got {value!r}")
    return value


def _distribution(value: Any, name: str) -> str:
    word = _word(value, name).lower()
    word = {"normal": "truncated_normal"}.get(word, word)
    return read.choice("uniform", "truncated_normal", "untruncated_normal")(word, name)


def _positive(value: Any, name: str) -> float:
    if read.number(value, name) <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return float(value)


SEED: Options = {"seed": (lambda value, name: value, None)}
AXES: Options = {
    "input_axes": (read.optional(read.ints), None),
    "output_axes": (read.optional(read.ints), None),
}
GAIN: Options = {"gain": (read.number, 1.0)}

CLASSES: Mapping[str, tuple[Draw, Options]] = MappingProxyType(
    {
        "Zeros": (_zeros, {}),
        "Ones": (_ones, {}),
        "Constant": (_constant, {"value": (read.number, 0.0)}),
        "Identity": (_identity, GAIN),
        "RandomNormal": (_normal, {"mean": (read.number, 0.0), "stddev": (read.number, 0.05), **SEED}),
        "TruncatedNormal": (
            _truncated_normal,
            {"mean": (read.number, 0.0), "stddev": (read.number, 0.05), **SEED},
        ),
        "RandomUniform": (_uniform, {"minval": (read.number, -0.05), "maxval": (read.number, 0.05), **SEED}),
        "VarianceScaling": (
            _variance_scaling,
            {
                "scale": (_positive, 1.0),
                "mode": (read.choice("fan_in", "fan_out", "fan_avg"), "fan_in"),
                "distribution": (_distribution, "truncated_normal"),
                **SEED,
                **AXES,
            },
        ),
        "GlorotUniform": (_scaled(1.0, "fan_avg", "uniform"), {**SEED, **AXES}),
        "GlorotNormal": (_scaled(1.0, "fan_avg", "truncated_normal"), {**SEED, **AXES}),
        "LecunNormal": (_scaled(1.0, "fan_in", "truncated_normal"), {**SEED, **AXES}),
        "LecunUniform": (_scaled(1.0, "fan_in", "uniform"), {**SEED, **AXES}),
        "HeNormal": (_scaled(2.0, "fan_in", "truncated_normal"), {**SEED, **AXES}),
        "HeUniform": (_scaled(2.0, "fan_in", "uniform"), {**SEED, **AXES}),
        "Orthogonal": (_orthogonal, {**GAIN, **SEED}),
        "STFT": (
            _stft,
            {
                "side": (read.choice("real", "imag"), "real"),
                "window": (read.optional(_word), "hann"),
                "scaling": (read.optional(read.choice("density", "spectrum")), "density"),
                "periodic": (read.flag, False),
            },
        ),
    }
)
"""Keras's initialisers: how each draws, and its arguments."""


@dataclass(frozen=True)
class Initializer(KerasObject):
    """How a weight is drawn.

    >>> Initializer.parse("glorot_uniform").draw((2, 4), np.random.default_rng(0)).round(3)
    array([[ 0.274, -0.46 , -0.918, -0.967],
           [ 0.627,  0.826,  0.213,  0.459]], dtype=float32)
    """

    known: ClassVar[Mapping[str, Options]] = {name: arguments for name, (_, arguments) in CLASSES.items()}
    aliases: ClassVar[Mapping[str, str]] = {
        "normal": "randomnormal",
        "uniform": "randomuniform",
        "one": "ones",
        "zero": "zeros",
        "identityinitializer": "identity",
        "orthogonalinitializer": "orthogonal",
        "stftinitializer": "stft",
    }
    module: ClassVar[str] = "initializers"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = np.float32) -> np.ndarray:
        """A weight of this shape; float32 and float64 networks get the same numbers, up to rounding.

        Raises ValueError for an initialiser that is not known, or that cannot make such a shape.
        """
        draw, _ = CLASSES[self.checked().name]
        return np.ascontiguousarray(draw(generator, tuple(shape), self.arguments), dtype).reshape(shape)
