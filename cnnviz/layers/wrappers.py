"""Wrappers: classes that hold another layer, and do what it does.

A wrapper's entry is made for the class of the layer that it holds; see `Entry.of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.activations import Activation, is_keras
from cnnviz.layers.browser import BrowserStage, Drawn, drawn_shape
from cnnviz.layers.draws import Draws
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer, Weights, normalize_config
from cnnviz.layers.links import Link, Links, Regroup, Transpose
from cnnviz.layers.operands import Operands, Position
from cnnviz.layers.options import Shape
from cnnviz.layers.work import Effort, Sizes


class WrapperEntry(Entry):
    """What wrappers have in common: "layer" in the config is the class of the one that is held."""

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        held = config.get("layer")
        if not isinstance(held, Mapping) or not isinstance(held.get("config"), Mapping):
            raise ValueError(f"layer must be a layer as Keras writes it, got {held!r}")
        kind = held.get("class_name")
        if not is_keras(held.get("module")):
            raise ValueError(
                f"layer is a {kind}, custom code, which is never run: wrap one of Keras's layers"
            )
        if kind in ("Sequential", "Functional"):
            raise ValueError("layer is a model, which is not supported: wrap its layers one by one")
        options = normalize_config(str(kind), held["config"])
        return {**self.held(str(kind), options), **super().training_options(config)}

    def held(self, kind: str, options: dict[str, Any]) -> dict[str, Any]:
        """The config for a layer of this class with these options; ValueError where it cannot be held."""
        raise NotImplementedError(f"{type(self).__name__} says no config")

    def weight_groups(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        return self.of(config).weight_groups(config)


def _written(kind: str, options: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras writes for a wrapper of a layer of this class with these options."""
    held = raw.get("layer") or {}
    inner = {**held.get("config", {}), "dtype": raw["dtype"]}
    config = ENTRIES[kind].of(options).serialized(options, inner)
    layer = {"module": ENTRIES[kind].module, "class_name": kind, "config": config, "registered_name": None}
    return {**raw, "layer": layer}


def _groups(inner: Entry, options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Where the weights of the layer that is held lie, counted from the wrapper's group."""
    groups = inner.of(options).weight_groups(options)
    return {f"layer/{group}".rstrip("/"): names for group, names in groups.items()}


# Spectral normalisation -------------------------------------------------------------------------


class SpectralNormalizationEntry(WrapperEntry):
    """At inference the layer that is held: the file has its kernel as training divided it.

    Its config is that of the layer; Miyato et al., "Spectral Normalization for Generative Adversarial
    Networks", ICLR 2018.
    """

    def held(self, kind: str, options: dict[str, Any]) -> dict[str, Any]:
        if "kernel" not in ENTRIES[kind].weights:
            raise ValueError(f"layer must have a kernel, {kind} has none")
        return {"layer": kind, **options}

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        iterations = read.count(config.get("power_iterations", 1), "power_iterations")
        return {**super().normalize(config), "power_iterations": iterations}

    def of(self, config: Mapping[str, Any]) -> Entry:
        return _divided(ENTRIES[config["layer"]])


VECTOR = "vector_u"
"""What training divides by comes from this weight."""
DRAWN = {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}}
"""How Keras draws it."""


@lru_cache(maxsize=64)
def _divided(inner: Entry) -> Entry:
    """The entry of a layer with one weight more, which only training uses."""
    kind, vector = type(inner), VECTOR

    class Divided(kind):  # type: ignore[misc, valid-type]
        weights = (*inner.weights, vector)
        statistics = inner.statistics | {vector}
        initializers = {**inner.initializers, vector: DRAWN}

        def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
            return (*inner.weight_names(config), vector)

        def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
            own = ("layer", "power_iterations")
            options = {name: value for name, value in config.items() if name not in own}
            return {
                **_written(config["layer"], options, raw),
                "power_iterations": config["power_iterations"],
            }

        def weight_groups(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
            # Keras writes the kernel twice.
            return {"": ("kernel", vector), **_groups(inner, config)}

        def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
            shapes = inner.weight_shapes(config, shape)
            return {**shapes, vector: (1, shapes["kernel"][-1])}

        def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
            layer = super().in_training(layer, inputs, draws)
            kernel, u = layer.weights["kernel"], layer.weights[vector]
            # Keras divides anew at every call, and leaves a kernel of zeros as it is.
            if kernel.any():
                kernel, u = divided(kernel, u, layer.config["power_iterations"])
            return replace(layer, weights={**layer.weights, "kernel": kernel, vector: u})

        def after_training(self, layer: Layer, weights: Weights) -> dict[str, np.ndarray]:
            changed = {name: layer.weights[name] for name in ("kernel", vector)}
            return {**super().after_training(layer, weights), **changed}

        def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
            if weight == vector:
                return np.zeros_like(layer.weights[vector], grad.dtype)
            return super().weight_gradient(_held(layer), weight, inputs, grad)  # type: ignore[no-any-return]

        def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
            return 0 if of == vector else super().gradient_roundings(_held(layer), of, inputs, grad)

        def gradient_magnitude(
            self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
        ) -> tuple[np.ndarray, ...]:
            if of == vector:
                return (np.zeros_like(layer.weights[vector]),)
            return super().gradient_magnitude(_held(layer), of, inputs, grad)  # type: ignore[no-any-return]

        def weight_slopes(
            self, layer: Layer, weight: str, index: Position, inputs: Arrays
        ) -> np.ndarray | None:
            if weight == vector:
                return np.zeros_like(self.compute(layer, *(x[:1] for x in inputs)))
            return super().weight_slopes(_held(layer), weight, index, inputs)  # type: ignore[no-any-return]

        def uses(
            self, layer: Layer, weight: str, index: Position, inputs: Arrays, grad: np.ndarray
        ) -> Operands:
            if weight == vector:
                return Entry.uses(self, layer, weight, index, inputs, grad)
            return super().uses(_held(layer), weight, index, inputs, grad)  # type: ignore[no-any-return]

    entry = copy(inner)
    entry.__class__ = Divided
    return entry


def divided(kernel: np.ndarray, u: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """A kernel divided by its largest singular value, estimated by power iterations from u; the new u."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    for _ in range(iterations):
        v = _unit(u @ matrix.T)
        u = _unit(v @ matrix)
    return kernel / (v @ matrix @ u.T), u


def _unit(vector: np.ndarray) -> np.ndarray:
    """Divided by its length, as keras.ops.normalize does it: times 1e7 at most."""
    return vector * min(1 / np.sqrt(np.square(vector).sum()), vector.dtype.type(1e7))


def _held(layer: Layer) -> Layer:
    """The layer that a spectral normalisation holds."""
    weights = {name: array for name, array in layer.weights.items() if name != VECTOR}
    return replace(layer, kind=layer.config["layer"], weights=weights)


# A layer for each step of time --------------------------------------------------------------------


class TimeDistributedEntry(WrapperEntry):
    """A layer at every step of a sequence, with the same weights: steps are as good as more images."""

    label = "each step"
    inner: Entry = Entry()

    def held(self, kind: str, options: dict[str, Any]) -> dict[str, Any]:
        if not ENTRIES[kind].least_inputs <= 1 <= ENTRIES[kind].most_inputs:
            raise ValueError(f"layer must take one input, {kind} does not")
        # An activation is exchanged where other layers have theirs.
        return {"layer": kind, "options": options, **_fused(options)}

    def of(self, config: Mapping[str, Any]) -> Entry:
        entry_of = _one_after_another if STEPS in config else _at_each_step
        return entry_of(ENTRIES[config["layer"]].of(config["options"]))

    def weight_groups(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        return _groups(ENTRIES[config["layer"]], config["options"])

    def weight_option(self, config: Mapping[str, Any], weight: str, what: str) -> Any:
        return self.inner.weight_option(config["options"], weight, what)

    def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
        written = _written(config["layer"], {**config["options"], **_fused(config)}, raw)
        if "activity_regularizer" in config:
            written["activity_regularizer"] = config["activity_regularizer"].serialized()
        return written

    def step(self, layer: Layer) -> Layer:
        """The layer that is held, with the shapes that it has at one step."""
        return replace(
            layer,
            kind=layer.config["layer"],
            config={**layer.config["options"], **_fused(layer.config)},
            input_shapes=tuple(shape[1:] for shape in layer.input_shapes),
            output_shape=layer.output_shape[1:],
        )

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return self.inner.weight_names(config["options"])

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        if len(shape) < 2:
            raise ValueError(f"its input must be (N, steps, ...), got {('N', *shape)}")
        if self.inner.rank not in (None, len(shape)):
            raise ValueError(
                f"{config['layer']} must have {self.inner.rank} axes at each step, batch included, "
                f"its input is {('N', *shape)}"
            )
        return self.inner.weight_shapes(config["options"], shape[1:])

    @property
    def computes(self) -> bool:
        return self.inner.computes

    @property
    def keeps_scale(self) -> bool:
        return self.inner.keeps_scale

    def activation(self, layer: Layer) -> Activation | None:
        activation = self.inner.activation(self.step(layer))
        if activation is None or activation.axis is None or activation.axis <= 0:
            return activation
        return Activation(activation.name, {**activation.arguments, "axis": activation.axis + 1})

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        return _steps(self.inner.compute(self.step(layer), _as_images(x)), x)

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        step = self.step(layer)
        trained = self.inner.in_training(step, [_as_images(x) for x in inputs], draws)
        if trained is step:
            return layer
        if trained.entry.after_training(trained, step.weights):
            return self._step_by_step(layer, inputs, draws)
        options = {**layer.config, "options": trained.config, **_fused(trained.config)}
        return replace(layer, config=options)

    def _step_by_step(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        """Where a step changes weights: each begins with what those before it have left."""
        layers, weights = [], dict(layer.weights)
        for place in range(inputs[0].shape[1]):
            step = replace(self.step(layer), weights=weights)
            trained = self.inner.in_training(step, [x[:, place] for x in inputs], draws)
            weights = {**weights, **trained.entry.after_training(trained, weights)}
            layers.append(trained)
        return replace(layer, config={**layer.config, STEPS: tuple(layers)})

    def of_images(self, layer: Layer, images: slice) -> Layer:
        steps = layer.input_shape[0] or 0
        flat = slice(images.start * steps, images.stop * steps)
        options = self.inner.of_images(self.step(layer), flat).config
        return replace(layer, config={**layer.config, "options": options})

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        images, grad = [_as_images(x) for x in inputs], _as_images(grad)
        (each,) = self.inner.input_gradients(self.step(layer), images, grad)
        return (_steps(each, inputs[0]),)

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        images = [_as_images(x) for x in inputs]
        return self.inner.weight_gradient(self.step(layer), weight, images, _as_images(grad))

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        (links,) = self.inner.links(self.step(layer), [shape[1:]])
        return [tuple(_behind(link, shape[0]) for link in links)]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """Those at one step."""
        at, *rest = position
        step = self.inner.of_images(self.step(layer), slice(at, at + 1))
        found = self.inner.operands(step, [x[at] for x in inputs], tuple(rest))
        return replace(found, position=np.insert(found.position, 0, at, axis=-1))

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        at, *rest = cell
        step = self.inner.of_images(self.step(layer), slice(at, at + 1))
        found = self.inner.returns(step, [x[at] for x in inputs], place, tuple(rest), grad[at])
        return replace(found, position=np.insert(found.position, 0, at, axis=-1))

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray | None:
        (x,) = inputs
        slopes = self.inner.weight_slopes(self.step(layer), weight, index, [_as_images(x)])
        if slopes is None or len(slopes) == x.shape[0] * x.shape[1]:
            return None if slopes is None else _steps(slopes, x)
        return np.broadcast_to(slopes, (1, x.shape[1], *slopes.shape[1:]))

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        """What is computed at one step, at each of them."""
        (steps, *shape), step = drawn.inputs[0], self.step(layer)
        source = drawn_shape(tuple(shape))
        each = Drawn((tuple(shape),), drawn.output[1:], (source,))
        stages = []
        for stage in self.inner.browser(step, each):
            if stage.op["type"] == "given":
                return super().browser(layer, drawn)
            made = stage.shape or each.shape
            op = {"type": "each", "steps": steps, "op": stage.op, "source": source, "shape": made}
            stages.append(
                replace(
                    stage,
                    op={**op, "label": stage.op["label"]},
                    shape=stage.shape and (steps * made[0], *made[1:]),
                    value=stage.value and self._at_all(stage.value),
                )
            )
            source = made
        return stages

    def _at_all(self, value: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        """What a layer gives at each step, from what it gives for images."""
        return lambda layer, x: _steps(value(self.step(layer), _as_images(x)), x)

    def kernel_positions(self, layer: Layer) -> Shape:
        step = self.step(layer)
        return (layer.input_shape[0], *self.inner.kernel_positions(step))

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        each = self.inner.effort(self.step(layer), [shape[1:] for shape in shapes], out[1:])
        return each.times(out[0])

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        each = self.inner.gradient_effort(self.step(layer), [shape[1:] for shape in shapes], out[1:])
        return each.times(out[0])

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return self.inner.roundings(self.step(layer), [_as_images(x) for x in inputs])

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        return _steps(self.inner.magnitude(self.step(layer), [_as_images(x) for x in inputs]), inputs[0])

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        images = [_as_images(x) for x in inputs]
        return self.inner.gradient_roundings(self.step(layer), of, images, _as_images(grad))

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        images = [_as_images(x) for x in inputs]
        magnitudes = self.inner.gradient_magnitude(self.step(layer), of, images, _as_images(grad))
        return magnitudes if of else tuple(_steps(each, inputs[0]) for each in magnitudes)


STEPS = "steps"
"""What a layer that was trained step by step has in its config: the layer of each step."""


class StepByStepEntry(TimeDistributedEntry):
    """A layer in training that is another at each step, by the statistics of its batch, for example."""

    def after_training(self, layer: Layer, weights: Weights) -> dict[str, np.ndarray]:
        left: dict[str, np.ndarray] = {}
        for step in layer.config[STEPS]:
            left |= step.entry.after_training(step, {**weights, **left})
        return left

    def of_images(self, layer: Layer, images: slice) -> Layer:
        steps = tuple(step.entry.of_images(step, images) for step in layer.config[STEPS])
        return replace(layer, config={**layer.config, STEPS: steps})

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return self._stacked(layer, lambda step, x: step.entry.compute(step, x), inputs[0])

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        def back(step: Layer, x: np.ndarray, g: np.ndarray) -> np.ndarray:
            return step.entry.input_gradients(step, [x], g)[0]

        return (self._stacked(layer, back, inputs[0], grad),)

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        def back(step: Layer, x: np.ndarray, g: np.ndarray) -> np.ndarray:
            return step.entry.weight_gradient(step, weight, [x], g)

        return self._each(layer, back, inputs[0], grad).sum(axis=0)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        (shape,) = shapes
        step = layer.config[STEPS][0]
        (links,) = step.entry.links(step, [shape[1:]])
        return [tuple(_behind(link, shape[0]) for link in links)]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        at, *rest = position
        step = layer.config[STEPS][at]
        found = step.entry.operands(step, [x[at] for x in inputs], tuple(rest))
        return replace(found, position=np.insert(found.position, 0, at, axis=-1))

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        return max(step.entry.roundings(step, [inputs[0][:, 0]]) for step in layer.config[STEPS])

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        return self._stacked(layer, lambda step, x: step.entry.magnitude(step, [x]), inputs[0])

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        most = max(
            step.entry.gradient_roundings(step, of, [inputs[0][:, 0]], grad[:, 0])
            for step in layer.config[STEPS]
        )
        # A weight's gradient is the sum over the steps.
        return most + len(layer.config[STEPS]) if of else most

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        def back(step: Layer, x: np.ndarray, g: np.ndarray) -> np.ndarray:
            return step.entry.gradient_magnitude(step, of, [x], g)[0]

        found = self._each(layer, back, inputs[0], grad)
        return (found.sum(axis=0) if of else np.moveaxis(found, 0, 1),)

    def _each(self, layer: Layer, work: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
        """What is computed at each step from (N, steps, ...): the steps in front."""
        return np.stack(
            [
                work(step, *(array[:, place] for array in arrays))
                for place, step in enumerate(layer.config[STEPS])
            ]
        )

    def _stacked(self, layer: Layer, work: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
        return np.moveaxis(self._each(layer, work, *arrays), 0, 1)


@lru_cache(maxsize=64)
def _one_after_another(inner: Entry) -> Entry:
    """The same for one that is another at each step."""
    return _said(inner, StepByStepEntry)


@lru_cache(maxsize=64)
def _at_each_step(inner: Entry) -> Entry:
    """The entry for a layer whose class says this of itself."""
    return _said(inner, TimeDistributedEntry)


def _said(inner: Entry, kind: type[TimeDistributedEntry]) -> Entry:
    names = (
        "weights",
        "statistics",
        "activates",
        "moves_values_only",
        "multiplies",
        "selects",
        "scales_input",
        "breaks_gradients",
    )
    said = {name: getattr(inner, name) for name in names}
    said["options"] = _fused(inner.options)
    return type(kind.__name__, (kind,), {"inner": inner, **said})()


def _fused(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name == "activation"}


def _as_images(x: np.ndarray) -> np.ndarray:
    """(N, steps, ...) as (N * steps, ...)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _steps(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The way back, for what came of x."""
    return y.reshape(*x.shape[:2], *y.shape[1:])


def _behind(link: Link, steps: int) -> Link:
    """A link between arrays that have one axis more in front."""
    match link:
        case Regroup():
            return Regroup((steps, *link.old), (steps, *link.new))
        case Transpose():
            return Transpose((0, *(axis + 1 for axis in link.order)))
    return replace(link, axis=link.axis + 1)


ENTRIES.update(
    {"SpectralNormalization": SpectralNormalizationEntry(), "TimeDistributed": TimeDistributedEntry()}
)
