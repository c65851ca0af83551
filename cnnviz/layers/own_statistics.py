"""Normalisations by statistics of the input itself: each number by those of the numbers around it.

Ba, Kiros and Hinton, "Layer Normalization", arXiv 1607.06450; Wu and He, "Group Normalization", ECCV
2018; Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019. The steps are in Keras's
order, so that float32 rounds alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn, strides
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.links import Links, Slide, Spread, mix
from cnnviz.layers.normalization import axes_of, scale_and_shift
from cnnviz.layers.operands import Equation, Operands, Position, one_number
from cnnviz.ops.arguments import broadcasts_to
from cnnviz.ops.padding import Axis

Shape = tuple[int, ...]

quiet = np.errstate(all="ignore")

SHORTEST = 1e-12
"""The least length that Keras's UnitNormalization divides by."""


@dataclass(frozen=True)
class GroupedAxes:
    """An input, with its batch, as a normalisation sees it.

    `shape` is the input's, with the groups in an axis of their own. Statistics are taken over `axes`;
    gamma and beta have the shape `weights`, axes of length 1 included.
    """

    shape: Shape
    axes: Shape
    weights: Shape

    @property
    def count(self) -> int:
        """How many numbers share a mean and a variance."""
        return math.prod(self.shape[axis] for axis in self.axes)


class OwnStatistics(NamedTuple):
    """Of an input in its layout; `squares` is the sum of the squared distances from the mean, or from 0."""

    sum: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    variance: np.ndarray
    inverse: np.ndarray
    """What is multiplied by: 1 / sqrt(variance + epsilon)."""


class OwnStatisticsEntry(Entry):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta."""

    weights: ClassVar[tuple[str, ...]] = ("gamma", "beta")
    """What is multiplied by, and what is added."""
    initializers = {"gamma": "ones", "scale": "ones"}
    label = "norm"
    # With a scale that is made of the input.
    multiplies = True
    about_mean: ClassVar[bool] = True
    """Whether squares are of distances from the mean, else of the numbers themselves."""

    def layout(self, layer: Layer, shape: Shape) -> GroupedAxes:
        """How it sees an input of this shape, the batch included."""
        raise NotImplementedError(f"{type(self).__name__} says no layout")

    def centres(self, layer: Layer) -> bool:
        """Whether the mean is taken off."""
        return self.about_mean

    def shares(self, layout: GroupedAxes) -> int:
        """What a sum of squares is divided by."""
        return layout.count

    def gain(self, layer: Layer, layout: GroupedAxes) -> Any:
        """What the normalised numbers are multiplied by."""
        return _weight(layer, layout, self.weights[0], 1) if self.weights else 1

    def inverse(self, layer: Layer, variance: np.ndarray) -> np.ndarray:
        """What a number is multiplied by, before gamma."""
        return 1 / np.sqrt(variance + layer.config["epsilon"])

    def statistics_of(self, layer: Layer, layout: GroupedAxes, x: np.ndarray) -> OwnStatistics:
        total = _sum(x, layout.axes)
        mean = total / layout.count if self.about_mean else np.zeros_like(total)
        squares = _sum(np.square(x - mean), layout.axes)
        variance = squares / self.shares(layout)
        return OwnStatistics(total, mean, squares, variance, self.inverse(layer, variance))

    @quiet
    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        x, layout = self._laid_out(layer, inputs[0])
        scale, shift = self._affine(layer, layout, self.statistics_of(layer, layout, x))
        return (x * scale + shift).reshape(inputs[0].shape)

    def _laid_out(self, layer: Layer, x: np.ndarray) -> tuple[np.ndarray, GroupedAxes]:
        layout = self.layout(layer, x.shape)
        return x.reshape(layout.shape), layout

    def _affine(self, layer: Layer, layout: GroupedAxes, statistics: OwnStatistics) -> tuple[Any, Any]:
        scale = statistics.inverse * self.gain(layer, layout)
        beta = _weight(layer, layout, "beta", 0)
        return scale, -statistics.mean * scale + beta if self.centres(layer) else beta

    def _normalised(self, layer: Layer, x: np.ndarray, statistics: OwnStatistics) -> np.ndarray:
        """What gamma is multiplied by."""
        return (x - statistics.mean if self.centres(layer) else x) * statistics.inverse

    # Gradients ----------------------------------------------------------------------------------

    @quiet
    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        """A number acts on its own output, through the mean on all, and through the variance on all."""
        x, layout = self._laid_out(layer, inputs[0])
        statistics = self.statistics_of(layer, layout, x)
        by_itself = grad.reshape(layout.shape) * self.gain(layer, layout)
        by_mean = _mean(layout, by_itself) if self.centres(layer) else 0
        normalised = self._normalised(layer, x, statistics)
        along = _sum(by_itself * normalised, layout.axes) / self.shares(layout)
        by_variance = (x - statistics.mean) * statistics.inverse * along
        return (((by_itself - by_mean - by_variance) * statistics.inverse).reshape(inputs[0].shape),)

    @quiet
    def gamma_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        x, layout = self._laid_out(layer, inputs[0])
        normalised = self._normalised(layer, x, self.statistics_of(layer, layout, x))
        return _of_weight(layer, layout, self.weights[0], grad.reshape(layout.shape) * normalised)

    @quiet
    def beta_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        grad, layout = self._laid_out(layer, grad)
        return _of_weight(layer, layout, "beta", grad)

    @quiet
    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        """On itself, through the mean on all that share it, and through the variance."""
        x, layout = self._laid_out(layer, inputs[0])
        statistics = self.statistics_of(layer, layout, x)
        itself = np.zeros(inputs[0].shape, x.dtype)
        itself[(0, *cell)] = 1
        itself = itself.reshape(layout.shape)
        share = _sum(itself, layout.axes)
        by_mean = share / layout.count if self.centres(layer) else 0
        distance = _sum(itself * (x - statistics.mean) * statistics.inverse, layout.axes)
        by_variance = self._normalised(layer, x, statistics) * distance / self.shares(layout)
        slopes = (itself - by_mean - by_variance) * (share * statistics.inverse)
        return np.asarray(slopes * self.gain(layer, layout)).reshape(inputs[0].shape[1:])

    # Receipts -----------------------------------------------------------------------------------

    @quiet
    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        image = inputs[0]
        x, layout = self._laid_out(layer, image[np.newaxis])
        place = np.unravel_index(np.ravel_multi_index(position, image.shape), layout.shape)

        def here(array: Any) -> Any:
            return np.broadcast_to(array, layout.shape)[place]

        statistics = self.statistics_of(layer, layout, x)
        scale, shift = map(here, self._affine(layer, layout, statistics))
        total, mean, squares, variance, _ = map(here, statistics)
        gamma, beta = (
            here(_weight(layer, layout, name, 0)) if name in layer.weights else None for name in self.weights
        )
        from_input = (
            Equation("mean", "sum / count", {"sum": total, "count": layout.count}, mean),
            Equation("variance", "squares / count", {"squares": squares, "count": layout.count}, variance),
        )
        from_statistics = scale_and_shift(scale, shift, mean, variance, layer.config["epsilon"], gamma, beta)
        if not self.centres(layer):
            return one_number(image, position, scale, preparation=(*from_input, from_statistics[0]))
        preparation = (*from_input, *from_statistics)
        return one_number(image, position, scale, bias=shift, bias_name="shift", preparation=preparation)

    # The browser --------------------------------------------------------------------------------

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        """Axes as length, and how far the numbers and the weights go on with a step along them."""
        layout = self.layout(layer, (1, *drawn.inputs[0]))
        sizes = layout.weights
        steps = [step if n > 1 else 0 for n, step in zip(sizes, strides(sizes), strict=True)]
        along = list(zip(layout.shape, strides(layout.shape), steps, strict=True))
        names = {name: f"{layer.owner}/{name}" for name in layer.weights}
        gain, *shift = (names.get(name) for name in self.weights) if self.weights else (None,)
        op: dict[str, Any] = {"type": "normalize", "label": self.label}
        op |= {"over": [along[axis] for axis in layout.axes]}
        op |= {"kept": [each for axis, each in enumerate(along) if axis not in layout.axes]}
        op |= {"mean": self.about_mean, "centres": self.centres(layer), "shares": self.shares(layout)}
        op |= {"epsilon": layer.config.get("epsilon"), "gain": gain, "shift": shift[0] if shift else None}
        return [BrowserStage(op, {names[name]: array for name, array in layer.weights.items()})]

    # Rounding -----------------------------------------------------------------------------------
    #
    # With u the unit roundoff, g(n) = n*u / (1 - n*u), and n numbers that share their statistics:
    #
    # The mean is within g(n)*size of exact, `size` being the mean of |x|. Squared distances from a mean
    # that is off by d have the mean variance + d*d; each of them, their sum and epsilon leave g(n + 4) more.
    # The root, the division and gamma are five more at most. What d*d takes away from the scale is at most
    # d*d / (2*(variance + epsilon)) of it, which is g(n)*doubt. So the scale is within g(n + 9)*(1 + doubt)
    # of exact, mean*scale within g(2*n + 10)*(1 + doubt)*size*scale, and two additions make 2*n + 12.
    # Where nothing is a distance from the mean, size and doubt are 0.

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return 2 * self.layout(layer, inputs[0].shape).count + 12

    @quiet
    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        _, normalised, layout = self._magnitudes(layer, inputs[0])
        gamma, beta = np.abs(self.gain(layer, layout)), np.abs(_weight(layer, layout, "beta", 0))
        return np.asarray(normalised * gamma + beta).reshape(inputs[0].shape)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        count = self.layout(layer, inputs[0].shape).count
        if not of:
            # Those of the variance's share: its three factors have 2*n + 12 (two normalised numbers) and
            # n + 9; then n for the sum along the gradient, and no more than 17 for products and differences.
            return 6 * count + 50
        # A weight's gradient adds up all numbers that it served.
        return grad.size // max(layer.weights[of].size, 1) + (0 if of == "beta" else 2 * count + 16)

    @quiet
    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        inverse, normalised, layout = self._magnitudes(layer, inputs[0])
        grad = np.abs(grad).reshape(layout.shape)
        if of:
            return (_of_weight(layer, layout, of, grad if of == "beta" else grad * normalised),)
        grad = grad * np.abs(self.gain(layer, layout))
        along = _sum(grad * normalised, layout.axes) / self.shares(layout)
        return (((grad + _mean(layout, grad) + normalised * along) * inverse).reshape(inputs[0].shape),)

    def _magnitudes(self, layer: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, GroupedAxes]:
        """1 / sqrt(variance + epsilon) and (|x| + size) times it, times 1 + doubt; in float64."""
        roundoff = float(np.finfo(x.dtype).eps) / 2
        x, layout = self._laid_out(layer, x.astype(np.float64))
        statistics = self.statistics_of(layer, layout, x)
        size = _mean(layout, np.abs(x)) if self.about_mean else np.zeros_like(statistics.squares)
        # g(n) is at most 2*n*u.
        doubt = layout.count * roundoff * np.square(size * statistics.inverse)
        inverse = statistics.inverse * (1 + doubt)
        return inverse, (np.abs(x) + size) * inverse, layout


def _sum(x: np.ndarray, axes: Shape) -> np.ndarray:
    """Over some axes, which are kept.

    NumPy adds float32 one by one where the last axis is not among them: that would lose digits.
    """
    return x.sum(axes, keepdims=True, dtype=np.float64).astype(x.dtype)


def _mean(layout: GroupedAxes, x: np.ndarray) -> np.ndarray:
    return _sum(x, layout.axes) / layout.count


def _weight(layer: Layer, layout: GroupedAxes, name: str, default: int) -> Any:
    """gamma or beta against the layout; a layer without it has the default."""
    return layer.weights[name].reshape(layout.weights) if name in layer.weights else default


def _of_weight(layer: Layer, layout: GroupedAxes, name: str, shares: np.ndarray) -> np.ndarray:
    """The gradient of a weight from what each number adds to it."""
    shared = tuple(axis for axis, size in enumerate(layout.weights) if size == 1)
    return _sum(shares, shared).reshape(layer.weights[name].shape)


def _in_keras_order(value: Any, name: str) -> tuple[int, ...]:
    """Axes as Keras sorts them: as they are written, so that -1 comes before 1."""
    return tuple(sorted(read.ints(value, name)))


class LayerNormalizationEntry(OwnStatisticsEntry):
    options = {
        "axis": (_in_keras_order, -1),
        "epsilon": (read.number, 1e-3),
        "center": (read.flag, True),
        "scale": (read.flag, True),
        "rms_scaling": (read.flag, False),
    }

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return ("gamma",) if config["rms_scaling"] else super().weight_names(config)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        axes_of(config, len(shape) + 1)
        return dict.fromkeys(self.weights, tuple((None, *shape)[axis] for axis in config["axis"]))

    def layout(self, layer: Layer, shape: Shape) -> GroupedAxes:
        axes = axes_of(layer.config, len(shape))
        return GroupedAxes(shape, tuple(axes), tuple(n if i in axes else 1 for i, n in enumerate(shape)))

    def centres(self, layer: Layer) -> bool:
        return not layer.config["rms_scaling"]

    def links(self, layer: Layer, shapes: Sequence[Shape]) -> list[Links]:
        axes = axes_of(layer.config, len(shapes[0]) + 1)
        return [tuple(link for axis in axes for link in mix(shapes[0], axis - 1))]


class AboutZeroEntry(OwnStatisticsEntry):
    """Each number over the size of all along some axes; nothing is taken off."""

    about_mean = False

    @quiet
    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        image = inputs[0]
        x, layout = self._laid_out(layer, image[np.newaxis])
        statistics = self.statistics_of(layer, layout, x)
        scale, _ = self._affine(layer, layout, statistics)
        numbers = statistics.squares, statistics.variance, self.gain(layer, layout), scale
        squares, variance, gain, scale = (np.broadcast_to(each, x.shape)[(0, *position)] for each in numbers)
        steps = self.written(layer, layout.count, squares, variance, gain, scale)
        return one_number(image, position, scale, preparation=steps)

    def written(
        self, layer: Layer, count: int, squares: Any, variance: Any, gain: Any, scale: Any
    ) -> tuple[Equation, ...]:
        """How the scale of a number comes from the sum of the squares."""
        raise NotImplementedError(f"{type(self).__name__} does not write out its scale")

    def links(self, layer: Layer, shapes: Sequence[Shape]) -> list[Links]:
        axes = axes_of(layer.config, len(shapes[0]) + 1)
        return [tuple(link for axis in axes for link in mix(shapes[0], axis - 1))]


class RMSNormalizationEntry(AboutZeroEntry):
    """x * scale / sqrt(mean(x**2) + epsilon)."""

    options = {"axis": (_in_keras_order, -1), "epsilon": (read.number, 1e-6)}
    weights = ("scale",)
    scale_gradient = OwnStatisticsEntry.gamma_gradient

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        axes_of(config, len(shape) + 1)
        sizes = tuple((None, *shape)[axis] for axis in config["axis"])
        # Keras multiplies by the scale as it is: its axes lie on the last ones of the input.
        if not broadcasts_to(sizes, shape):
            raise ValueError(f"axis={config['axis']} gives scale the shape {sizes}, which must fit {shape}")
        return {"scale": sizes}

    def layout(self, layer: Layer, shape: Shape) -> GroupedAxes:
        scale = layer.weights["scale"].shape
        return GroupedAxes(
            shape, tuple(axes_of(layer.config, len(shape))), (1,) * (len(shape) - len(scale)) + scale
        )

    def written(
        self, layer: Layer, count: int, squares: Any, variance: Any, gain: Any, scale: Any
    ) -> tuple[Equation, ...]:
        values = {"weight": gain, "mean_square": variance, "epsilon": layer.config["epsilon"]}
        return (
            Equation("mean_square", "squares / count", {"squares": squares, "count": count}, variance),
            Equation("scale", "weight / sqrt(mean_square + epsilon)", values, scale),
        )


class UnitNormalizationEntry(AboutZeroEntry):
    """x over its length, the root of the sum of the squares; Keras multiplies by 1e12 at most."""

    options = {"axis": (read.ints, -1)}
    weights = ()

    def layout(self, layer: Layer, shape: Shape) -> GroupedAxes:
        return GroupedAxes(shape, tuple(axes_of(layer.config, len(shape))), (1,) * len(shape))

    def shares(self, layout: GroupedAxes) -> int:
        return 1

    def inverse(self, layer: Layer, variance: np.ndarray) -> np.ndarray:
        return np.minimum(1 / np.sqrt(variance), variance.dtype.type(1 / SHORTEST))

    def written(
        self, layer: Layer, count: int, squares: Any, variance: Any, gain: Any, scale: Any
    ) -> tuple[Equation, ...]:
        return (Equation("scale", f"1 / max(sqrt(squares), {SHORTEST})", {"squares": squares}, scale),)


def _groups(value: Any, name: str) -> int:
    """A number of groups; -1 is a group for each channel."""
    return value if value == -1 else read.count(value, name)


class GroupNormalizationEntry(OwnStatisticsEntry):
    """Statistics for each group of neighbouring channels, or of rows or columns, over the whole map."""

    options = {
        "groups": (_groups, 32),
        "axis": (read.axis, -1),
        "epsilon": (read.number, 1e-3),
        "center": (read.flag, True),
        "scale": (read.flag, True),
    }

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        axis, _ = _grouped(config, (None, *shape))
        return dict.fromkeys(self.weights, (shape[axis - 1],))

    def layout(self, layer: Layer, shape: Shape) -> GroupedAxes:
        axis, size = _grouped(layer.config, shape)
        split = (*shape[:axis], shape[axis] // size, size, *shape[axis + 1 :])
        axes = tuple(i for i in range(1, len(split)) if i != axis)
        return GroupedAxes(split, axes, tuple(n if i in (axis, axis + 1) else 1 for i, n in enumerate(split)))

    def links(self, layer: Layer, shapes: Sequence[Shape]) -> list[Links]:
        (shape,) = shapes
        axis, size = _grouped(layer.config, (0, *shape))
        others = (link for i in range(len(shape)) if i != axis - 1 for link in mix(shape, i))
        # One unit for each group, and back to one for each entry.
        groups = Axis(shape[axis - 1], size, stride=size)
        return [(*others, Slide(axis - 1, groups), Spread(axis - 1, groups))]


def _grouped(config: Mapping[str, Any], shape: Sequence[Any]) -> tuple[int, int]:
    """The axis along which an input, of this shape with its batch, is grouped, and the size of a group."""
    (axis,) = axes_of({"axis": (config["axis"],)}, len(shape))
    groups = shape[axis] if config["groups"] == -1 else config["groups"]
    if shape[axis] % groups:
        raise ValueError(f"groups={groups} must divide the {shape[axis]} entries along axis={config['axis']}")
    return axis, shape[axis] // groups


ENTRIES.update(
    {
        "LayerNormalization": LayerNormalizationEntry(),
        "GroupNormalization": GroupNormalizationEntry(),
        "RMSNormalization": RMSNormalizationEntry(),
        "UnitNormalization": UnitNormalizationEntry(),
    }
)
