"""Trainer: a network that learns by the NumPy engine, step by step, as Keras's `train_on_batch` and `fit` do.

Everything random is a function of the seed, the step and the epoch, so that a run that is resumed from a
checkpoint ends in the bits of one that was not interrupted. Sample weights and several devices are left out.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from cnnviz.layers.draws import Draws
from cnnviz.layers.layer import Layer
from cnnviz.network import Gradient, Network, Run
from cnnviz.network.inputs import images_of
from cnnviz.network.layer_graph import single
from cnnviz.network.run import training_pass
from cnnviz.network.saving import Compiled, keras_file
from cnnviz.numbers import brief
from cnnviz.ops.annotations import checked
from cnnviz.ops.padding import integer
from cnnviz.ops.parallel import one_blas_thread
from cnnviz.ops.recycling import Recycling
from cnnviz.training.augmentation import Augment
from cnnviz.training.checkpoints import (
    Row,
    TrainerState,
    read_checkpoint,
    weights_of,
    write_checkpoint,
)
from cnnviz.training.losses import parse_loss
from cnnviz.training.metrics import parse_metric
from cnnviz.training.optimizers import AVERAGE, SGD, Adam, AdamW, Optimizer
from cnnviz.training.progress import ProgressBar
from cnnviz.training.schedules import as_keras
from cnnviz.training.training_step import TrainingStep

OPTIMIZERS: Mapping[str, Callable[[], Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


EVALUATED_AT_ONCE = 64
"""Images whose activations are kept at one time to look at them."""


class LossNotFinite(ArithmeticError):
    """The loss of a step is no number any more, and so is nothing that would come after it."""


class Trainer:
    """A network, what it is to get right, and how it learns.

    Parameters
    ----------
    net
        Where training begins; it stays as it is. `Network.initialized` draws weights anew.
    optimizer
        An `SGD`, `Adam` or `AdamW`, or one's name; None is Adam(0.001).
    loss
        A loss by Keras's name, or a `LossFunction`; for a network with several outputs one for each: a list,
        or a mapping by the outputs' names. Their sum is what is made small.
    metrics
        Names, measured on the outputs of each step, as in training.
    seed
        Of dropout and noise, of the order of images and of their changes; 0 or more.

    Raises
    ------
    ValueError
        for a network with nothing to train, or with layers that are not trained here.
    TypeError
        for another optimizer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> (images, labels), _ = load_mnist()
    >>> trainer = Trainer(load_model("mnist_maxpool"), Adam(1e-3))
    >>> step = trainer.step(images[:8], labels[:8])
    >>> step.number, sorted(step.gradients)[:2]
    (1, ['conv2d/bias', 'conv2d/kernel'])
    """

    @checked
    def __init__(
        self,
        net: Network,
        optimizer: Optimizer | str | None = None,
        loss: Any = "sparse_categorical_crossentropy",
        *,
        metrics: Sequence[str] = ("accuracy",),
        seed: int = 0,
    ) -> None:
        self.optimizer = _parse_optimizer(optimizer)
        self.losses = _by_output(net, loss, "loss", parse_loss)
        self.metrics = {name: parse_metric(name) for name in metrics}
        if integer(seed, "seed") < 0:
            raise ValueError(f"seed must be 0 or more, got {brief(seed)}")
        self.seed = int(seed)
        self.trained = trained_weights(net)
        weights = weights_of(net)
        slots = {key: self.optimizer.empty_slots(weights[key]) for key in self.trained}
        self.state = TrainerState(net, slots)
        # Each step makes arrays of the same sizes.
        self._memory = Recycling()

    def __repr__(self) -> str:
        return f"<Trainer of {self.network.name}: {self.steps} steps, {type(self.optimizer).__name__}>"

    @property
    def network(self) -> Network:
        """The network after the last step."""
        return self.state.network

    @property
    def averaged(self) -> Network:
        """The network with the moving averages of its weights, where the optimizer keeps them."""
        return _averaged(self.state)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self.state.steps

    @property
    def history(self) -> tuple[Row, ...]:
        """A row for each epoch that `fit` ended: epoch, learning_rate, loss, metrics, val_..., seconds."""
        return self.state.history

    @checked
    def step(self, images: Any, labels: Any, *, masks: Mapping[str, Any] | None = None) -> TrainingStep:
        """One step on one batch.

        Parameters
        ----------
        images
            As `Network.predict` takes them.
        labels
            As the loss wants them: integers (N, ...) or arrays of the output's shape; for several outputs a
            list or a mapping.
        masks
            By the names of layers, what dropout keeps (bool, of its input's shape) or the standard normal
            numbers of Gaussian noise, instead of drawing them.

        Returns
        -------
        TrainingStep
            Its loss may be NaN; the step is made all the same.

        Raises
        ------
        ValueError, TypeError
            for images and labels that do not fit the network, the loss, or each other.
        """
        step, self.state = self._made(images, labels, masks)
        return step

    def _made(
        self, images: Any, labels: Any, masks: Mapping[str, Any] | None = None
    ) -> tuple[TrainingStep, TrainerState]:
        """The step from where this is, and the state after it, which is for the caller to take."""
        state = self.state
        with self._memory.used(), one_blas_thread():
            run = training_pass(state.network, images, Draws(self.seed, state.steps, masks))
            given = _by_output(run.network, labels, "labels", np.asarray)
            loss, seeds, before_activation = self._measured(run, given)
            gradient = Gradient(run, seeds, before_activation)
            # As in Keras, a weight that no gradient comes back to stays as it is, weight decay or not.
            gradients = gradient.of_weights([key for key in self.trained if gradient.reaches(key)])
        weights = weights_of(state.network)
        # What the forward pass changes counts as before the optimizer's step.
        moved = _moved_by_forward(run, weights)
        for key, (penalty, slope) in _penalties(run.network, weights | moved, self.trained).items():
            loss += penalty
            gradients[key] = gradients[key] + slope if key in gradients else slope
        before = {key: moved.get(key, weights[key]) for key in self.trained if key in gradients}
        clipped = self.optimizer.clipped(gradients)
        after, slots = {}, dict(state.slots)
        for key, g in clipped.items():
            after[key], slots[key] = self.optimizer.update(before[key], g, state.slots[key], state.steps)
            name, _, weight = key.rpartition("/")
            constraint = run.network[name].constraint(weight)
            if constraint is not None:
                after[key] = constraint.apply(after[key])
        network = state.network.with_weights(moved | after)
        step = TrainingStep(
            number=state.steps + 1,
            loss=loss,
            metrics=self._metrics(run, given),
            run=run,
            gradient=gradient,
            gradients=gradients,
            clipped=clipped,
            before=before,
            after=after,
            slots_before=state.slots,
            slots=slots,
            optimizer=self.optimizer,
            losses=self.losses,
            labels=given,
            network=network,
        )
        return step, replace(state, network=network, slots=slots, steps=step.number)

    @checked
    def fit(
        self,
        images: Any,
        labels: Any,
        epochs: int = 1,
        batch_size: int = 128,
        validation_data: tuple[Any, Any] | None = None,
        *,
        augment: Augment | None = None,
        shuffle: bool = True,
        stop: Callable[[Row], bool] | None = None,
        on_step: Callable[[TrainingStep], Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: bool = True,
    ) -> tuple[Row, ...]:
        """Train for some epochs.

        Parameters
        ----------
        images, labels
            As `step` takes them, of all images.
        epochs
            How many more; fewer if `stop` says so.
        batch_size
            Images a step; an epoch's last batch may be smaller.
        validation_data
            Images and labels that are only looked at, after each epoch.
        augment
            Changes each batch of images at random; see `Augmentation`.
        shuffle
            Whether each epoch takes the images in another order.
        stop
            Called with the row of each epoch; training ends when it says True.
        on_step
            Called with each `TrainingStep`; what it raises ends the training, and nothing is lost.
        checkpoint
            A file that is written after each epoch and when training is interrupted, for `load_checkpoint`.
        resume
            Go on with the `fit` that a checkpoint was made in, from the batch that it had come to; `epochs`
            is then left as it was.
        progress
            Whether a bar on stderr shows it, where that is a terminal.

        Returns
        -------
        tuple of dict
            The history, as `Trainer.history`. Where the optimizer keeps averages, they are the network's
            weights from here on, as in Keras.

        Raises
        ------
        LossNotFinite
            (an ArithmeticError) at the first step whose loss is not a number, saying which, or that makes
            such weights; of an epoch's last step the loss after it counts too. The network is then the last
            one whose loss was a number.
        ValueError, TypeError
            as `step`; for no images, or a validation set that does not fit.
        """
        count = _count(images)
        batch_size, epochs = _positive(batch_size, "batch_size"), _positive(epochs, "epochs")
        _check_counts(count, labels)
        if not resume:
            self.state = replace(self.state, batches=0, sums={}, until=self.state.epoch + epochs)
        batches = math.ceil(count / batch_size)
        try:
            with ProgressBar(f"training {self.network.name}", shown=None if progress else False) as bar:
                while self.state.epoch < self.state.until:
                    start = time.perf_counter()
                    for step in self._epoch(images, labels, batch_size, augment, shuffle):
                        if on_step is not None:
                            on_step(step)
                        place = f"epoch {self.state.epoch + 1}/{self.state.until}"
                        bar(self.state.batches, batches, f"{place} loss {step.loss:.4f}")
                        del step
                    row = self._end_epoch(count, validation_data, time.perf_counter() - start)
                    if checkpoint is not None:
                        self.save_checkpoint(checkpoint)
                    if stop is not None and stop(row):
                        break
        except BaseException:
            if checkpoint is not None:
                self.save_checkpoint(checkpoint)
            raise
        self.state = replace(self.state, until=self.state.epoch, network=self.averaged)
        return self.history

    @checked
    def evaluate(self, images: Any, labels: Any, batch_size: int | None = None) -> Row:
        """Loss and metrics on images that nothing is learned from, computed as at inference.

        Where the optimizer keeps averages of the weights, they are what is looked at. The loss has the
        penalties of regularisers in it, as in training.
        """
        return self._evaluated(self.averaged, images, labels, batch_size)

    def _evaluated(self, net: Network, images: Any, labels: Any, batch_size: int | None = None) -> Row:
        at_once = _positive(batch_size or EVALUATED_AT_ONCE, "batch_size")
        inputs, given = images_of(net, images), _by_output(net, labels, "labels", np.asarray)
        count = _count(inputs)
        _check_counts(count, given)
        sums: Row = {}
        for first in range(0, count, at_once):
            places = np.arange(first, min(first + at_once, count))
            run, these = net.run(_taken(inputs, places)), _taken(given, places)
            found = {"loss": self._measured(run, these)[0], **self._metrics(run, these)}
            sums = {name: sums.get(name, 0.0) + value * len(places) for name, value in found.items()}
        row = {name: total / count for name, total in sums.items()}
        row["loss"] += sum(penalty for penalty, _ in _penalties(net, weights_of(net), self.trained).values())
        return row

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network as a .keras file that Keras loads and goes on from, with the optimizer's state.

        A learning rate that follows no schedule of Keras's is written as the number that it is at the next
        step. `save_checkpoint` keeps what else a run needs to be resumed here.
        """
        self.network.save(path, self._compiled)

    def keras_file(self) -> bytes:
        """What `save` writes, for whom nothing is to be written."""
        return keras_file(self.network, self._compiled)

    @property
    def _compiled(self) -> Compiled:
        """What Keras needs beside the network to go on from it."""
        losses: dict[str, Any] = {
            name: {"class_name": type(loss).__name__, "config": asdict(loss)}
            for name, loss in self.losses.items()
        }
        return Compiled(
            optimizer=type(self.optimizer).__name__,
            config={**self.optimizer.config(), "learning_rate": as_keras(self.optimizer, self.steps)},
            iterations=self.steps,
            slots={key: slots for key, slots in self.state.slots.items() if slots},
            loss=single(tuple(losses.values())),
            metrics=tuple(self.metrics),
        )

    @checked
    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Keep all that a run needs to go on, in one .npz file of numbers; it replaces the file at once."""
        write_checkpoint(path, self.state, self._settings)

    @checked
    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Go back to where a trainer like this one was when it kept a checkpoint.

        Raises
        ------
        ValueError
            if the file is damaged, or of a trainer with another network, optimizer, loss or seed.
        """
        self.state = read_checkpoint(path, self.state, self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        """What two trainers must agree in, so that one can go on where the other was."""
        return {
            "network": self.network.name,
            "optimizer": repr(self.optimizer),
            "loss": {name: repr(loss) for name, loss in self.losses.items()},
            "seed": self.seed,
        }

    def _measured(
        self, run: Run, labels: Mapping[str, np.ndarray]
    ) -> tuple[float, dict[str, np.ndarray], set[str]]:
        """The loss, and where its gradient begins: seeds by layer, and those of pre-activations."""
        total, before = 0.0, set()
        seeds: dict[str, np.ndarray] = {}
        for output, loss in self.losses.items():
            layer = _source(run.network, output)
            if layer.activation is not None and layer.activation.name in loss.undoes:
                before.add(layer.name)
                measured = loss(run.pre_activation(layer.name), labels[output], logits=True)
            else:
                measured = loss(run[layer.name], labels[output])
            total += measured.value
            seeds[layer.name] = measured.gradient + seeds.get(layer.name, 0)
        for name, (penalty, slope) in _output_penalties(run).items():
            total += penalty
            if name in before:
                activation = run.network[name].activation
                assert activation is not None
                slope = activation.gradient(run.pre_activation(name), slope)
            seeds[name] = slope + seeds.get(name, 0)
        return total, seeds, before

    def _wrong(self, step: TrainingStep, before: Network) -> str:
        """What of a step is not finite, its loss or a weight that it changed; nothing otherwise."""
        if not math.isfinite(step.loss):
            return f"the loss is {step.loss:g} at"
        old = weights_of(before)
        for key, array in weights_of(step.network).items():
            if array is not old[key] and not np.isfinite(array).all():
                return f"{key} is no longer finite after"
        return ""

    def _metrics(self, run: Run, labels: Mapping[str, np.ndarray]) -> dict[str, float]:
        several = len(labels) > 1
        return {
            f"{output}_{name}" if several else name: metric(run[output], labels[output])
            for output in labels
            for name, metric in self.metrics.items()
        }

    def _epoch(
        self, images: Any, labels: Any, batch_size: int, augment: Augment | None, shuffle: bool
    ) -> Iterator[TrainingStep]:
        """The steps that are left of the epoch that is on."""
        count = _count(images)
        random = np.random.default_rng([self.seed, self.state.epoch])
        order = random.permutation(count) if shuffle else np.arange(count)
        # All that an epoch draws is drawn at its beginning, so that it can be entered at any batch.
        draws = None if augment is None else augment.draw(random, count)
        before, sound = "", self.state
        for batch in range(self.state.batches, math.ceil(count / batch_size)):
            places = slice(batch * batch_size, (batch + 1) * batch_size)
            chosen = _taken(images, order[places])
            if augment is not None and draws is not None:
                chosen = augment(chosen, draws[places])
            these, state = _taken(labels, order[places]), self.state
            step, after = self._made(chosen, these)
            wrong = self._wrong(step, state.network)
            if math.isfinite(step.loss):
                sound = state
            if not wrong and (batch + 1) * batch_size >= count:
                # No step follows that would find it.
                loss = self._evaluated(_averaged(after), chosen, these)["loss"]
                wrong = "" if math.isfinite(loss) else f"the loss is {loss:g} after"
            if wrong:
                self.state = sound
                raise LossNotFinite(
                    f"{wrong} step {step.number} (epoch {state.epoch + 1}, batch {batch + 1}){before}; "
                    "a smaller learning rate, or clipnorm=1, may help"
                )
            before = f", after {step.loss:.4g} at the step before"
            size = len(order[places])
            sums = {
                name: state.sums.get(name, 0.0) + value * size
                for name, value in {"loss": step.loss, **step.metrics}.items()
            }
            # All at once: whoever is interrupted here keeps the state before the step or the one after it.
            self.state = replace(after, batches=batch + 1, sums=sums)
            yield step

    def _end_epoch(self, count: int, validation: tuple[Any, Any] | None, seconds: float) -> Row:
        state = self.state
        row: Row = {"epoch": state.epoch + 1, "learning_rate": self.optimizer.rate(state.steps - 1)}
        row |= {name: total / count for name, total in state.sums.items()}
        row["seconds"] = round(seconds, 2)
        if validation is not None:
            row |= {f"val_{name}": value for name, value in self.evaluate(*validation).items()}
        self.state = replace(state, epoch=state.epoch + 1, batches=0, sums={}, history=(*state.history, row))
        return row


def _averaged(state: TrainerState) -> Network:
    averages = {key: slots[AVERAGE] for key, slots in state.slots.items() if AVERAGE in slots and state.steps}
    return state.network.with_weights(averages)


def _moved_by_forward(run: Run, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights that the forward pass changes, call after call."""
    moved: dict[str, np.ndarray] = {}
    for layer in run.network:
        keys = {name: f"{layer.owner}/{name}" for name in layer.weights}
        changed = layer.entry.after_training(
            layer, {name: moved.get(key, weights[key]) for name, key in keys.items()}
        )
        moved |= {keys[name]: array for name, array in changed.items()}
    return moved


def _source(net: Any, output: str) -> Layer:
    """The layer that makes an output, where those behind it pass it on as it is."""
    layer: Layer = net[output]
    while layer.passes_on and layer.inputs and not layer.entry.breaks_gradients:
        layer = net[layer.inputs[0]]
    return layer


def _penalties(
    net: Any, weights: Mapping[str, np.ndarray], trained: Sequence[str]
) -> dict[str, tuple[float, np.ndarray]]:
    """What is added to the loss for the size of each weight that has a regulariser, and its gradient."""
    found = {}
    for key in trained:
        name, _, weight = key.rpartition("/")
        regularizer = net[name].regularizer(weight)
        if regularizer is not None:
            found[key] = regularizer.penalty(weights[key]), regularizer.gradient(weights[key])
    return found


def _output_penalties(run: Run) -> dict[str, tuple[float, np.ndarray]]:
    """The same for the outputs of layers, for each image."""
    found = {}
    for layer in run.network:
        regularizer = layer.activity_regularizer
        if regularizer is not None:
            output = run[layer.name]
            count = len(output)
            found[layer.name] = regularizer.penalty(output) / count, regularizer.gradient(output) / count
    return found


def trained_weights(net: Network) -> tuple[str, ...]:
    """The weights that training changes by gradients, in the network's order.

    Raises ValueError for none, and for layers that are trained in another way than by their weights.
    """
    found = []
    for layer in net:
        if layer.owner != layer.name:
            continue
        if layer.lora_rank and layer.trainable:
            raise ValueError(
                f"layer {layer.name!r} was prepared for LoRA, of which a file holds the merged kernel only: "
                "load it in Keras and save it without LoRA"
            )
        found += [f"{layer.name}/{name}" for name in layer.trained]
    if not found:
        raise ValueError(f"{net.name} has no weights to train")
    return tuple(found)


def _parse_optimizer(value: Any) -> Optimizer:
    if value is None:
        return Adam()
    if isinstance(value, str) and value.lower() in OPTIMIZERS:
        return OPTIMIZERS[value.lower()]()
    if not isinstance(value, Optimizer):
        raise TypeError(
            f"optimizer must be one of {', '.join(OPTIMIZERS)}, or an Optimizer, got {brief(value)}"
        )
    return value


def _by_output(net: Any, value: Any, name: str, parse: Callable[[Any], Any]) -> dict[str, Any]:
    """One value for each output, by its name."""
    outputs = net.outputs
    if isinstance(value, Mapping):
        if set(value) != set(outputs):
            raise ValueError(
                f"{name} must be for the outputs {', '.join(outputs)}, got {', '.join(map(brief, value))}"
            )
        return {output: parse(value[output]) for output in outputs}
    if len(outputs) == 1:
        return {outputs[0]: parse(value)}
    if isinstance(value, list | tuple) and len(value) == len(outputs):
        return {output: parse(each) for output, each in zip(outputs, value, strict=True)}
    if name == "loss":
        return {output: parse(value) for output in outputs}
    raise ValueError(f"{name} must be a list or a mapping, one for each of {', '.join(outputs)}")


def _count(x: Any) -> int:
    """How many images there are."""
    if isinstance(x, Mapping):
        x = next(iter(x.values()))
    elif isinstance(x, list | tuple) and x and isinstance(x[0], np.ndarray):
        x = x[0]
    return len(x)


def _check_counts(count: int, labels: Any) -> None:
    if not count or _count(labels) != count:
        raise ValueError(f"there must be images, and a label for each: got {count} and {_count(labels)}")


def _taken(x: Any, index: np.ndarray) -> Any:
    """Some of the images."""
    if isinstance(x, Mapping):
        return {name: np.asarray(each)[index] for name, each in x.items()}
    if isinstance(x, list | tuple) and x and isinstance(x[0], np.ndarray):
        return [each[index] for each in x]
    return np.asarray(x)[index]


def _positive(value: Any, name: str) -> int:
    if integer(value, name) < 1:
        raise ValueError(f"{name} must be 1 or more, got {brief(value)}")
    return int(value)
