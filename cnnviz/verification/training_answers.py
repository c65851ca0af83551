"""NumPy and Keras trained side by side, in a process of its own.

`python -m cnnviz.verification.training_answers STRIDE [WORDS ...]` trains the cases whose names have one of
the words, all without any, of pairs of classes one in STRIDE. It writes a line of JSON for each: a
`TrainingCheck`.

Both sides begin with the same weights and see the same batches. Keras draws what it draws; the numbers are
then read from its seeds and handed to our trainer. A weight whose exact gradient is 0 moves by the rounding
of its gradient alone, in Keras too, and by as much as any other where the optimizer divides by its length:
it is known by the size of its gradient, which both sides must have, and then goes on with Keras's value.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.layers.draws import Draws
from cnnviz.network import Network
from cnnviz.network.keras_file import load_model
from cnnviz.network.run import training_pass
from cnnviz.resources import keras, tensorflow, versions
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.losses import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from cnnviz.training.optimizers import AVERAGE
from cnnviz.training.trainer import Trainer
from cnnviz.training.training_step import TrainingStep
from cnnviz.verification.tensorflow_process import answer_stream
from cnnviz.verification.training_cases import TrainingCase, cases
from cnnviz.verification.training_verification import BOUND, STEPS, TrainingCheck

SILENT = 2.0**-40
"""A gradient that is a smaller share of the magnitudes of its terms than this is 0 but for rounding.

Rounding in float64 is 2**-53 of them, at each of some hundred terms and some ten layers."""


class Twins:
    """A model of Keras and our trainer of the same network, weight by weight the same."""

    def __init__(self, case: TrainingCase, seed: int = 0) -> None:
        kit = keras()
        kit.backend.clear_session()
        kit.utils.set_random_seed(seed)
        self.case = case
        self.model = case.build(kit)
        self.random = np.random.default_rng(seed)
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        variables = [each for each in variables if "seed_generator" not in each.path]
        for variable in variables:
            variable.assign(self._first_value(variable))
        for layer in self.model._flatten_layers():
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
        net = self._network()
        losses = dict.fromkeys(net.outputs, case.loss)
        self.model.compile(
            optimizer=keras_like(kit.optimizers, case.optimizer),
            loss=[keras_like(kit.losses, loss) for loss in losses.values()],
        )
        self.trainer = Trainer(net, case.optimizer, losses, metrics=())
        # Every array is drawn, so that its numbers say whose it is.
        arrays = weights_of(net)
        self.variables = {
            key: next(each for each in variables if _same(each, array)) for key, array in arrays.items()
        }
        self.layers = dict(_named(self.model, ""))
        self._step = tensorflow().function(self._keras_step)

    def _first_value(self, variable: Any) -> np.ndarray:
        if "float" not in variable.dtype:
            return np.asarray(variable)
        if self.case.about == "network":
            # As training begins, but for what tells arrays of zeros apart.
            return np.asarray(variable) + self.random.normal(0, 0.01, variable.shape)
        value = self.random.normal(0, 0.4, variable.shape)
        if len(variable.shape) > 1:
            value /= np.sqrt(max(np.prod(variable.shape[:-1]) / 4, 1))
        return 0.5 + np.abs(value) if "variance" in variable.path else value

    def _network(self) -> Network:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            self.model.save(path)
            return load_model(path).astype(keras().config.floatx())

    def _keras_step(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """What `Model.train_step` does, with its gradients."""
        with tensorflow().GradientTape() as tape:
            outputs = self.model(images, training=True)
            loss = self.model.compute_loss(x=images, y=labels, y_pred=outputs, training=True)
        weights = self.model.trainable_weights
        # On TensorFlow, Keras squares what each place of a batch adds to a row of a table by itself, and not
        # their sum; they are added up here.
        gradients = [
            None if each is None else tensorflow().convert_to_tensor(each)
            for each in tape.gradient(loss, weights)
        ]
        self.model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss, [0 if each is None else each for each in gradients]

    def step(
        self, images: list[np.ndarray], labels: list[np.ndarray]
    ) -> tuple[TrainingStep, float, set[str]]:
        """One step of both: ours, Keras's loss, and the weights whose gradient was 0 but for rounding."""
        net = self.trainer.network
        given = dict(zip(net.inputs, images, strict=True))
        masks = self._masks(net, given)
        loss, gradients = self._step(_single(images), _single(labels))
        step = self.trainer.step(given, _single(labels) if len(labels) == 1 else labels, masks=masks)
        theirs = dict(zip(map(id, self.model.trainable_weights), gradients, strict=True))
        silent = set()
        largest = max((np.abs(g).max(initial=0) for g in step.gradients.values()), default=0)
        for key, gradient in step.gradients.items():
            if not 0 < np.abs(gradient).max(initial=0) <= 1e-8 * largest:
                continue
            magnitude = magnitude_of(step, key)
            both = np.maximum(np.abs(gradient), np.abs(np.asarray(theirs[id(self.variables[key])])))
            if (both <= SILENT * magnitude.max()).all():
                silent.add(key)
        return step, float(loss), silent

    def follow(self, keys: set[str]) -> None:
        """Take Keras's values of some weights, and what its optimizer remembers of them."""
        if not keys:
            return
        state = self.trainer.state
        slots = dict(state.slots)
        optimizer = self.model.optimizer
        for key in keys:
            index = optimizer._get_variable_index(self.variables[key])
            slots[key] = {name: np.asarray(_slot(optimizer, name, index)) for name in slots[key]}
        network = state.network.with_weights({key: np.asarray(self.variables[key]) for key in keys})
        self.trainer.state = replace(state, network=network, slots=slots)

    def differences(self, rate: float) -> dict[str, tuple[float, float]]:
        """Of every weight how far both are apart, and what that is measured by."""
        found = {}
        steps = self.trainer.steps
        for key, ours in weights_of(self.trainer.network).items():
            theirs = np.asarray(self.variables[key])
            found[key] = _apart(ours, theirs), float(np.abs(theirs).max(initial=0)) + rate * steps
        optimizer = self.model.optimizer
        if self.case.optimizer.use_ema:
            for key, remembered in self.trainer.state.slots.items():
                index = optimizer._get_variable_index(self.variables[key])
                theirs = np.asarray(_slot(optimizer, AVERAGE, index))
                scale = float(np.abs(theirs).max(initial=0)) + rate * steps
                found[f"{key} (average)"] = _apart(remembered[AVERAGE], theirs), scale
        return found

    def batch(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Images and labels that fit, drawn; of digits those of MNIST."""
        kind, random, count = np.dtype(keras().config.floatx()), self.random, self.case.batch
        if self.case.about == "network":
            digits, labels = load_mnist()[0]
            chosen = random.integers(0, 1000, count)
            return [(digits[chosen] / 255).astype(kind)[..., np.newaxis]], [labels[chosen].astype(np.int64)]
        images = [random.normal(size=(count, *x.shape[1:])).astype(kind) for x in self.model.inputs]
        # Of an EinsumDense with an ellipsis Keras says another shape than it computes.
        net = self.trainer.network
        shapes = [net[name].output_shape for name in net.outputs]
        return images, [self._labels((count, *shape), kind) for shape in shapes]

    def _labels(self, shape: Any, kind: np.dtype) -> np.ndarray:
        random, loss = self.random, self.case.loss
        if isinstance(loss, SparseCategoricalCrossentropy):
            return random.integers(0, shape[-1], shape[:-1])
        if isinstance(loss, CategoricalCrossentropy):
            return random.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(kind)
        if isinstance(loss, BinaryCrossentropy):
            return random.integers(0, 2, shape).astype(kind)
        return random.normal(size=shape).astype(kind)

    def _masks(self, net: Network, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What Keras's layers are going to draw, by the names of ours."""
        generators = {
            layer.name: drawing.seed_generator
            for layer in net
            if (drawing := _drawing(self.layers.get(layer.owner))) is not None
        }
        if not generators:
            return {}
        before = {id(each): np.asarray(each.state) for each in generators.values()}
        draws = _KerasDraws(self.layers, {layer.name: layer.owner for layer in net})
        training_pass(net, images, draws)
        for each in generators.values():
            each.state.assign(before[id(each)])
        return draws.drawn


class _KerasDraws(Draws):
    """Draws what Keras's layers draw, by their seeds, which move on."""

    def __init__(self, layers: Mapping[str, Any], owners: Mapping[str, str]) -> None:
        super().__init__()
        self.layers, self.owners = layers, owners
        self.drawn: dict[str, np.ndarray] = {}

    def __call__(self, name: str, shape: tuple[int, ...], draw: Callable[..., np.ndarray]) -> np.ndarray:
        layer = self.layers[self.owners[name]]
        is_kept = draw(np.random.default_rng(0), (1,)).dtype == bool
        each_step = isinstance(layer, keras().layers.TimeDistributed)
        if each_step:
            steps = layer.input.shape[1]
            parts = [self._one(layer, (shape[0] // steps, *shape[1:]), is_kept) for _ in range(steps)]
            array = np.stack(parts, axis=1).reshape(shape)
        else:
            array = self._one(layer, shape, is_kept)
        self.drawn[name] = array
        return array

    def _one(self, layer: Any, shape: tuple[int, ...], is_kept: bool) -> np.ndarray:
        random, drawing = keras().random, _drawing(layer)
        if not is_kept:
            return np.asarray(random.normal(shape, seed=drawing.seed_generator))
        return np.asarray(random.uniform(shape, seed=drawing.seed_generator)) >= _rate(layer)


def _inner(layer: Any) -> Any:
    while hasattr(layer, "layer"):
        layer = layer.layer
    return layer


def _drawing(layer: Any) -> Any:
    """The layer of Keras that draws for one, itself or one within it; None where nothing is drawn."""
    layer = _inner(layer)
    layer = getattr(layer, "_dropout_layer", layer)
    return layer if getattr(layer, "seed_generator", None) is not None else None


def _rate(layer: Any) -> float:
    layer = _inner(layer)
    rate = getattr(layer, "rate", None)
    return float(layer.dropout if rate is None else rate)


def magnitude_of(step: TrainingStep, key: str) -> np.ndarray:
    """The sum of the magnitudes of the terms of a weight's gradient."""
    name, _, weight = key.rpartition("/")
    total: Any = 0
    for call in step.run.network:
        if call.owner == step.run.network[name].owner:
            before = (
                step.gradient[call.name] if call.is_activation else step.gradient.pre_activation(call.name)
            )
            inputs = step.run.inputs(call.name)
            total = total + call.entry.gradient_magnitude(call, weight, inputs, before)[0]
    return np.asarray(total)


def keras_like(module: Any, value: Any) -> Any:
    """Keras's object of the same class with the same settings."""
    config = {each.name: getattr(value, each.name) for each in fields(value)}
    for name, setting in config.items():
        if is_dataclass(setting):
            config[name] = keras_like(keras().optimizers.schedules, setting)
        elif module is keras().optimizers.schedules:
            # Of Python's floats Keras makes float32, whatever it computes in.
            config[name] = _in_floatx(setting)
    return getattr(module, type(value).__name__)(**config)


def _in_floatx(setting: Any) -> Any:
    if isinstance(setting, list | tuple):
        return [_in_floatx(each) for each in setting]
    return np.asarray(setting, keras().config.floatx()) if isinstance(setting, float) else setting


SLOTS = {
    "momentum": ("momentums", "_momentums"),
    "velocity": ("_velocities",),
    "velocity_hat": ("_velocity_hats",),
    AVERAGE: ("_model_variables_moving_average",),
}
"""The attributes of Keras's optimizers that hold what is remembered of each weight."""


def _slot(optimizer: Any, name: str, index: int) -> Any:
    attribute = next(each for each in SLOTS[name] if hasattr(optimizer, each))
    return getattr(optimizer, attribute)[index]


def _named(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        yield f"{prefix}{layer.name}", layer
        if hasattr(layer, "layers"):
            yield from _named(layer, f"{prefix}{layer.name}/")


def _single(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _same(variable: Any, array: np.ndarray) -> bool:
    return tuple(variable.shape) == array.shape and np.array_equal(np.asarray(variable), array)


def _ratio(gap: float, scale: float) -> float:
    """Infinite where there is a gap and nothing to measure it by."""
    return gap / scale if scale and np.isfinite(scale) else float("inf") if gap or scale else 0.0


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        gap = np.abs(np.asarray(ours, np.float64) - theirs).max(initial=0)
    return float(gap) if np.isfinite(gap) else float("inf")


def train(
    case: TrainingCase,
    steps: Sequence[int] = STEPS,
    silent: Sequence[str] | None = None,
    twins: Twins | None = None,
) -> tuple[dict[int, float], str, tuple[str, ...]]:
    """Both sides side by side: how far apart they are after these steps, where most, and what is silent.

    Distances are in units of (the tensor's largest weight + learning rate * steps). `silent` says which
    weights are, where that is known.
    """
    twins = Twins(case) if twins is None else twins
    rate, distances, worst, heard = 0.0, {}, "", set(silent or ())
    loss_off = 0.0
    for number in range(1, max(steps) + 1):
        rate = max(rate, case.optimizer.rate(number - 1))
        step, loss, quiet = twins.step(*twins.batch())
        quiet = quiet if silent is None else set(silent)
        heard |= quiet
        twins.follow(quiet)
        loss_off = max(
            loss_off, _ratio(_apart(np.array(step.loss), np.array(loss)), abs(loss) + rate * number)
        )
        if number in steps:
            gaps = {key: _ratio(gap, scale) for key, (gap, scale) in twins.differences(rate).items()}
            gaps["loss"] = loss_off
            worst = max(gaps, key=lambda key: gaps[key])
            distances[number] = gaps[worst]
    return distances, worst, tuple(sorted(heard))


def check(case: TrainingCase, steps: Sequence[int] = STEPS) -> TrainingCheck:
    """What comes of one case; where it cannot be trained the reason, since the others go on."""
    said = TrainingCheck(case.name, case.about, case.classes, type(case.optimizer).__name__)
    try:
        _compute_in("float64")
        twins = Twins(case)
        said = replace(said, classes=case.classes_of(twins.layers))
        distances, worst, silent = train(case, steps, twins=twins)
        single: dict[int, float] = {}
        if case.about in IN_FLOAT32:
            _compute_in("float32")
            single = train(case, steps, silent)[0]
    except Exception as error:
        return replace(said, error=f"{type(error).__name__}: {str(error).strip()[-300:]}")
    shares = {number: distance / BOUND for number, distance in distances.items()}
    return replace(said, shares=shares, worst=worst, single=single, silent=silent)


IN_FLOAT32 = ("network", "class", "structure")
"""Kinds of cases of which it is measured how rounding grows."""


def _compute_in(dtype: str) -> None:
    keras().config.set_floatx(dtype)
    keras().config.set_dtype_policy(dtype)


def main(stride: str, *words: str) -> None:
    with answer_stream() as stream:

        def say(said: Mapping[str, Any]) -> None:
            stream.write(json.dumps(said, allow_nan=False).encode() + b"\n")
            stream.flush()

        # What Keras warns of is known: weights that no gradient reaches, a softmax that is seen through.
        warnings.simplefilter("ignore")
        say({"versions": versions()})
        for case in cases(int(stride)):
            if case.is_called(words):
                say(check(case).to_dict())


if __name__ == "__main__":
    main(*sys.argv[1:])
