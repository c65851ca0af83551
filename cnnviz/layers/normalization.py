"""Layers that scale and shift: normalisations with given statistics, rescaling, ConvNeXt's LayerScale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.draws import Draws
from cnnviz.layers.initializers import Initializer
from cnnviz.layers.layer import ENTRIES, Affine, Arrays, Entry, Layer, Weights, quoted
from cnnviz.layers.links import Links, mix
from cnnviz.layers.operands import Equation, Operands, Position, one_number
from cnnviz.layers.slopes import over_images, slopes_with_copies
from cnnviz.ops.normalization import SMALLEST_DEVIATION, deviation_of


class AffineEntry(Entry):
    """Each number times a scale plus a shift."""

    label = "norm"

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        return [()]

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray | None:
        (x,) = inputs
        options = {"axis": self.on_a_vector}
        return slopes_with_copies(layer, weight, index, x, lambda w: self.lies(layer, w, x.shape), **options)

    on_a_vector: ClassVar[Any] = -1
    """Its option axis on a vector."""

    def lies(self, layer: Layer, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """A weight against an input of this shape, its batch included: by default along the last axis."""
        return weight

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        # At most: variance + epsilon, root, reciprocal, times gamma, x - mean, their product, + beta.
        return 8

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if not of:
            return 5
        # A weight's gradient adds up all numbers that it served; before and after, at most nine more.
        return grad.size // max(layer.weights[of].size, 1) + 9


def affine_stage(layer: Layer, a: np.ndarray, b: np.ndarray, drawn: Drawn, **more: Any) -> BrowserStage:
    """x*a + b as the browser computes it, or another `form` of it; a and b are what `ops` works with.

    Where they differ along one axis only, as by channel, there is one of each for an entry of that axis,
    which `repeat` cells after each other share; else there is one for each cell.
    """
    a, b = np.broadcast_arrays(a, b)
    behind = [-axis - 1 for axis, size in enumerate(reversed(a.shape)) if size > 1]
    if len(behind) > 1:
        a, b = (np.broadcast_to(v, (1, *drawn.output)) for v in (a, b))
    repeat = math.prod(drawn.output[behind[0] :][1:]) if len(behind) == 1 else 1
    names = {"a": f"{layer.name}/a", "b": f"{layer.name}/b"}
    op = {"type": "affine", "form": "x*a+b", "repeat": repeat, "label": layer.entry.label, **names, **more}
    return BrowserStage(op, {names["a"]: a.ravel(), names["b"]: b.ravel()}, exact=True)


class BatchNormalizationEntry(AffineEntry):
    options = {
        "axis": (read.axis, -1),
        "epsilon": (read.number, 1e-3),
        "momentum": (read.number, 0.99),
        "center": (read.flag, True),
        "scale": (read.flag, True),
        "renorm": (read.only(False, "batch renormalisation keeps other statistics"), False),
    }
    weights = ("gamma", "beta", "moving_mean", "moving_variance")
    statistics = frozenset({"moving_mean", "moving_variance"})
    initializers = {"gamma": "ones", "moving_variance": "ones"}
    op = "batch_norm"
    op_weights = ("moving_mean", "moving_variance", "gamma", "beta")
    op_options = ("epsilon",)

    def of(self, config: Mapping[str, Any]) -> Entry:
        return BY_BATCH if config.get("by_batch") else self

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        if not layer.trainable:
            return layer
        mean, variance = ops.batch_statistics(*_axis_last(layer, inputs))
        statistics = {"moving_mean": mean, "moving_variance": variance}
        return replace(
            layer, weights={**layer.weights, **statistics}, config={**layer.config, "by_batch": True}
        )

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        (axis,) = axes_of({"axis": (config["axis"],)}, len(shape) + 1)
        return dict.fromkeys(self.weights, (shape[axis - 1],))

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,) = _axis_last(layer, inputs)
        return np.moveaxis(super().compute(layer, x), -1, layer.config["axis"])

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        (grad,), c, w = _axis_last(layer, [grad]), layer.config, layer.weights
        moved = ops.batch_norm_input_grad(grad, w["moving_variance"], w.get("gamma"), epsilon=c["epsilon"])
        return (np.moveaxis(moved, -1, c["axis"]),)

    def gamma_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        arrays = *_axis_last(layer, [*inputs, grad]), *_moving(layer)
        return ops.batch_norm_gamma_grad(*arrays, epsilon=layer.config["epsilon"])

    def beta_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return ops.batch_norm_beta_grad(*_axis_last(layer, [grad]))

    def moving_mean_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        (grad,), c, w = _axis_last(layer, [grad]), layer.config, layer.weights
        return ops.batch_norm_mean_grad(grad, w["moving_variance"], w.get("gamma"), epsilon=c["epsilon"])

    def moving_variance_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        arrays = *_axis_last(layer, [*inputs, grad]), *_moving(layer), layer.weights.get("gamma")
        return ops.batch_norm_variance_grad(*arrays, epsilon=layer.config["epsilon"])

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,), w, epsilon = inputs, layer.weights, layer.config["epsilon"]
        axis = layer.config["axis"]
        entry = position[axis - 1 if axis > 0 else axis]
        channel = slice(entry, entry + 1)
        parts = [w[name][channel].astype(x.dtype) if name in w else None for name in self.op_weights]
        scale, shift = (array[0] for array in ops.batch_norm_affine(*parts, epsilon=epsilon))  # type: ignore[arg-type]
        mean, variance, gamma, beta = (None if array is None else array[0] for array in parts)
        equations = scale_and_shift(scale, shift, mean, variance, epsilon, gamma, beta)
        return one_number(x, position, scale, bias=shift, bias_name="shift", preparation=equations)

    def lies(self, layer: Layer, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        along = [1] * len(shape)
        along[layer.config["axis"]] = -1
        return weight.reshape(along)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        w = layer.weights
        names = {name.removeprefix("moving_"): f"{layer.owner}/{name}" for name in w}
        a, b = (self.lies(layer, each, (1, *drawn.output)) for each in self.scale_and_shift(layer))
        stage = affine_stage(layer, a, b, drawn, epsilon=layer.config["epsilon"], parts=names)
        kept = {f"{layer.owner}/{name}": array for name, array in w.items()}
        return [replace(stage, arrays={**stage.arrays, **kept})]

    def absolute(self, layer: Layer) -> Layer:
        # x - mean becomes |x| + |mean|.
        return replace(layer, weights=_positive(layer.weights, "moving_mean"))

    def as_affine(self, layer: Layer) -> Affine | None:
        return self.scale_and_shift(layer) if self.is_last(layer, len(layer.input_shape)) else None

    def is_last(self, layer: Layer, axes: int) -> bool:
        """Whether its axis is the channels' of an input with as many axes, the batch not counted."""
        return layer.config["axis"] in (-1, axes)

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        if self.is_last(layer, len(layer.input_shape)):
            return super().code(layer, reads)
        return f"net[{quoted(layer.name)}].before_activation({', '.join(reads)})"

    def scale_and_shift(self, layer: Layer) -> Affine:
        parts = (layer.weights.get(name) for name in self.op_weights)
        return Affine(*ops.batch_norm_affine(*parts, epsilon=layer.config["epsilon"]))  # type: ignore[arg-type]


class BatchStatisticsEntry(BatchNormalizationEntry):
    """Batch normalisation in training: in place of the moving statistics it has those of the batch."""

    mixes_images = True

    def after_training(self, layer: Layer, weights: Weights) -> dict[str, np.ndarray]:
        momentum = layer.config["momentum"]
        return {
            name: weights[name] * momentum + layer.weights[name] * (1 - momentum) for name in self.statistics
        }

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.gradients(layer, inputs, grad, ())[0]

    def gradients(
        self, layer: Layer, inputs: Arrays, grad: np.ndarray, weights: Sequence[str], of_inputs: bool = True
    ) -> tuple[tuple[np.ndarray, ...], dict[str, np.ndarray]]:
        if not of_inputs:
            return super().gradients(layer, inputs, grad, weights, of_inputs)
        (x, last), w = _axis_last(layer, [*inputs, grad]), layer.weights
        mean, variance = _moving(layer)
        moved, gamma, beta = ops.batch_norm_training_grad(
            x, last, w.get("gamma"), epsilon=layer.config["epsilon"], mean=mean, variance=variance
        )
        found = {"gamma": gamma, "beta": beta}
        wanted = {
            name: found[name] if name in found else self.weight_gradient(layer, name, inputs, grad)
            for name in weights
        }
        return (np.moveaxis(moved, -1, layer.config["axis"]),), wanted

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        # By its statistics a number depends on all of its channel.
        axis = layer.config["axis"] - 1 if layer.config["axis"] > 0 else layer.config["axis"]
        axes = range(len(shapes[0]))
        return [tuple(link for each in axes if each != axes[axis] for link in mix(shapes[0], each))]

    def returns_in_batch(
        self, layer: Layer, inputs: Arrays, place: int, index: int, cell: Position, grad: np.ndarray
    ) -> Operands:
        """On its own output, and through its channel's mean and variance on those of all images."""
        (x,), w, axis = inputs, layer.weights, layer.config["axis"] % inputs[0].ndim
        at = [index, *cell]
        channel, at[axis] = at[axis], 0
        mean, variance = (w[name][channel] for name in ("moving_mean", "moving_variance"))
        inverse = 1 / np.sqrt(variance + x.dtype.type(layer.config["epsilon"]))
        normal, back = ((array.take([channel], axis)) for array in ((x - mean) * inverse, grad))
        slopes = -(1 + normal * normal[tuple(at)]) / x.dtype.type(normal.size)
        slopes[tuple(at)] += 1
        slopes *= inverse * w["gamma"][channel] if "gamma" in w else inverse
        cells = np.moveaxis(np.indices(x.shape[1:]).take([channel], axis), 0, -1)
        return replace(over_images(back, slopes, cells, cells), weight_index=None)

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if of:
            return super().gradient_roundings(layer, of, inputs, grad)
        # Two sums over all numbers of a channel, each of numbers that were centred and scaled.
        return grad.size // layer.weights["moving_mean"].size + 20

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        if of:
            return super().gradient_magnitude(layer, of, inputs, grad)
        (x, grad), c, w = _axis_last(layer, [*inputs, np.abs(grad)]), layer.config, layer.weights
        scale = np.abs(self.scale_and_shift(layer).scale)
        deviation = np.sqrt(w["moving_variance"] + c["epsilon"])
        z = (np.abs(x) + np.abs(w["moving_mean"])) / deviation
        axes = tuple(range(x.ndim - 1))
        total = scale * (grad + grad.mean(axes) + z * (grad * z).mean(axes))
        return (np.moveaxis(total, -1, c["axis"]),)

    def as_affine(self, layer: Layer) -> Affine | None:
        return None


BY_BATCH = BatchStatisticsEntry()


def _axis_last(layer: Layer, arrays: Arrays) -> list[np.ndarray]:
    """Arrays of the input's shape with the axis that is normalised in the last place."""
    axis = layer.config["axis"]
    return [array if axis in (-1, array.ndim - 1) else np.moveaxis(array, axis, -1) for array in arrays]


def _moving(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    return layer.weights["moving_mean"], layer.weights["moving_variance"]


def scale_and_shift(
    scale: Any, shift: Any, mean: Any, variance: Any, epsilon: float, gamma: Any, beta: Any
) -> tuple[Equation, Equation]:
    """How a normalisation's scale and shift come from its statistics and weights, None if it has none."""
    numerator, weights = ("1", {}) if gamma is None else ("gamma", {"gamma": gamma})
    added, weight = ("", {}) if beta is None else ("beta ", {"beta": beta})
    return (
        Equation(
            "scale",
            f"{numerator} / sqrt(variance + epsilon)",
            {**weights, "variance": variance, "epsilon": epsilon},
            scale,
        ),
        Equation("shift", f"{added}-mean * scale", {**weight, "mean": mean, "scale": scale}, shift),
    )


class NormalizationEntry(AffineEntry):
    """Keras's preprocessing layer: (x - mean) / deviation, or the way back."""

    options = {
        "axis": (read.axes, -1),
        "mean": (read.optional(read.numbers), None),
        "variance": (read.optional(read.numbers), None),
        "invert": (read.flag, False),
    }
    weights = ("mean", "variance", "count")
    statistics = frozenset(weights)
    counts = frozenset({"count"})
    initializers = {"variance": "ones"}
    scales_input = True

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return self.weights if config["mean"] is None else ()

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        kept = axes_of(config, len(shape) + 1)
        configured = [config[name] for name in ("mean", "variance")]
        one_is_missing = (configured[0] is None) != (configured[1] is None)
        if (
            one_is_missing
            or np.shape(configured[0]) != np.shape(configured[1])
            or np.ndim(configured[0]) > len(kept)
        ):
            raise ValueError(
                f"mean and variance must both be None, or of one shape that fits axis={config['axis']}"
            )
        statistics = tuple(shape[axis - 1] for axis in kept)
        return {"mean": statistics, "variance": statistics, "count": ()}

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,), (mean, variance) = inputs, _statistics(layer, inputs[0].shape, inputs[0].dtype)
        if not layer.config["invert"]:
            return ops.normalize(x, mean, variance)
        return ops.add(ops.multiply(x, deviation_of(variance)), mean)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        _, variance = _statistics(layer, inputs[0].shape, inputs[0].dtype)
        if layer.config["invert"]:
            # x times the deviation, plus the mean; dividing by a number undoes multiplying by it.
            return (ops.multiply(grad, deviation_of(variance)),)
        return (ops.normalize_grad(grad, variance),)

    def mean_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        mean, variance = _statistics(layer, inputs[0].shape, inputs[0].dtype)
        if layer.config["invert"]:
            mean_grad = ops.add_grad(grad, [mean.shape, grad.shape])[0]
        else:
            mean_grad = ops.normalize_mean_grad(grad, mean.shape, variance)
        return mean_grad.reshape(layer.weights["mean"].shape)

    def variance_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        mean, variance = _statistics(layer, inputs[0].shape, inputs[0].dtype)
        if layer.config["invert"]:
            deviation = deviation_of(variance)
            lowest = SMALLEST_DEVIATION**2
            slope = np.where(variance.astype(grad.dtype) >= lowest, 0.5 / deviation, 0).astype(grad.dtype)
            variance_grad = ops.multiply_grad([deviation, inputs[0]], grad)[0] * slope
        else:
            variance_grad = ops.normalize_variance_grad(inputs[0], grad, mean, variance)
        return variance_grad.reshape(layer.weights["variance"].shape)

    def count_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return np.zeros((), grad.dtype)

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,), invert = inputs, layer.config["invert"]
        mean, variance = (
            np.broadcast_to(array, (1, *x.shape))[(0, *position)]
            for array in _statistics(layer, (1, *x.shape), x.dtype)
        )
        with np.errstate(all="ignore"):
            deviation = deviation_of(variance)
            scale = deviation if invert else 1 / deviation
            shift = mean if invert else -mean * scale
        equations = [Equation("deviation", "max(sqrt(variance), 1e-07)", {"variance": variance}, deviation)]
        if not invert:
            equations += [
                Equation("scale", "1 / deviation", {"deviation": deviation}, scale),
                Equation("shift", "-mean * scale", {"mean": mean, "scale": scale}, shift),
            ]
        name = "mean" if invert else "shift"
        return one_number(x, position, scale, bias=shift, bias_name=name, preparation=tuple(equations))

    on_a_vector = (-1,)

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray | None:
        # The count changes nothing.
        without = {name: w for name, w in layer.weights.items() if name != "count"}
        if weight not in without:
            return np.zeros_like(inputs[0][:1])
        return super().weight_slopes(replace(layer, weights=without), weight, index, inputs)

    def lies(self, layer: Layer, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return weight.reshape(_against(layer, weight.shape, shape))

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        mean, variance = _statistics(layer, (1, *drawn.output), np.float32)
        deviation = deviation_of(variance)
        form, a, b = ("x*a+b", deviation, mean) if layer.config["invert"] else ("(x-a)/b", mean, deviation)
        return [affine_stage(layer, a, b, drawn, form=form)]

    def absolute(self, layer: Layer) -> Layer:
        # x - mean becomes |x| + |mean|; a normalisation that is undone adds its mean.
        sign = 1 if layer.config["invert"] else -1
        config = dict(layer.config)
        if config["mean"] is not None:
            config["mean"] = sign * np.abs(config["mean"])
        return replace(layer, weights=_positive(layer.weights, "mean", sign), config=config)


class RescalingEntry(AffineEntry):
    options = {"scale": (read.numbers, None), "offset": (read.numbers, 0.0)}
    op = "rescale"
    op_options = ("scale", "offset")
    required = op_options
    scales_input = True

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (ops.rescale_grad(grad, layer.config["scale"]),)

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        (x,) = inputs
        scale, offset = (
            np.broadcast_to(np.asarray(layer.config[name], x.dtype), x.shape)[position]
            for name in self.op_options
        )
        return one_number(x, position, scale, bias=offset, bias_name="offset")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        a, b = (np.asarray(layer.config[name], np.float32) for name in self.op_options)
        return [affine_stage(layer, a, b, drawn)]

    def absolute(self, layer: Layer) -> Layer:
        config = {name: np.abs(layer.config[name]) for name in self.op_options}
        return replace(layer, config=config)


class LayerScaleEntry(AffineEntry):
    """gamma * x, channel by channel: the class of keras.applications' ConvNeXt, after arXiv 2103.17239."""

    options = {"init_values": (read.optional(read.number), None)}
    module = "keras.src.applications.convnext"
    required = ("init_values", "projection_dim")
    weights = ("gamma",)
    op = "multiply"
    op_weights = weights
    label = "scale"

    def weight_option(self, config: Mapping[str, Any], weight: str, what: str) -> Any:
        if what != "initializer":
            return None
        if config.get("init_values") is None:
            raise ValueError("init_values says what its gamma begins with; give it in the config")
        return Initializer("Constant", {"value": config["init_values"]})

    def training_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        return {"gamma": (shape[-1],)}

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        return (ops.multiply(grad, layer.weights["gamma"]),)

    def gamma_gradient(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        return ops.multiply_grad([inputs[0], layer.weights["gamma"]], grad)[1]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        channel = np.full((1, 1, 1, 1), position[-1])
        gamma = layer.weights["gamma"][position[-1]]
        return one_number(inputs[0], position, gamma, weight_name="gamma", weight_index=channel)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        gamma, name = layer.weights["gamma"], f"{layer.owner}/gamma"
        stage = affine_stage(layer, gamma, np.zeros_like(gamma), drawn)
        # The scale goes by its own name, under which it can be changed.
        kept = {name: gamma, stage.op["b"]: stage.arrays[stage.op["b"]]}
        return [replace(stage, op={**stage.op, "a": name}, arrays=kept)]

    def as_affine(self, layer: Layer) -> Affine:
        gamma = layer.weights["gamma"]
        return Affine(gamma, np.zeros_like(gamma))


def _statistics(layer: Layer, shape: tuple[int, ...], dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
    """The mean and variance of a Normalization, shaped to broadcast against an input (with its batch)."""
    source: Mapping[str, Any] = layer.weights or layer.config
    mean, variance = source["mean"], source["variance"]
    target = _against(layer, np.shape(mean), shape)
    return np.asarray(mean, dtype).reshape(target), np.asarray(variance, dtype).reshape(target)


def _against(layer: Layer, sizes: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """The shape in which statistics of these sizes broadcast against an input (with its batch)."""
    # The statistics' axes belong to the kept axes of x, counted from the right.
    target = [1] * len(shape)
    for axis, size in zip(reversed(axes_of(layer.config, len(shape))), reversed(sizes), strict=False):
        if size not in (1, shape[axis]):
            raise ValueError(f"mean has {size} entries where the input has {shape[axis]}")
        target[axis] = size
    return target


def axes_of(config: Mapping[str, Any], rank: int) -> list[int]:
    """The axes that a config names, of an input with its batch, in order and counted from the front."""
    axes = sorted({axis % rank for axis in config["axis"] if -rank <= axis < rank})
    if len(axes) != len(config["axis"]) or 0 in axes:
        raise ValueError(f"axis={config['axis']} must be axes of an input of rank {rank}, and not the batch")
    return axes


def _positive(weights: Weights, mean: str, sign: int = -1) -> dict[str, np.ndarray]:
    """The magnitudes of weights. A mean gets this sign, as it is subtracted."""
    return {name: np.abs(value) * (sign if name == mean else 1) for name, value in weights.items()}


ENTRIES.update(
    {
        "BatchNormalization": BatchNormalizationEntry(),
        "Normalization": NormalizationEntry(),
        "Rescaling": RescalingEntry(),
        "LayerScale": LayerScaleEntry(),
    }
)
