"""A training that can be watched: what it is of, its steps, and those behind it, looked at once more.

A state is kept every so many steps, as many as fit into 16 MB; a step between two of them is computed again
from the one before it, to the same bits, since all that is random follows from the seed, the epoch and the
step. Here is no process and no page: `watched_run` has the one, the explorer the other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network, Run
from cnnviz.network.keras_file import load_model
from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields
from cnnviz.training.checkpoints import TrainerState, weights_of
from cnnviz.training.numpy_training import architecture, loss_of
from cnnviz.training.recipes import RECIPES, Recipe
from cnnviz.training.trainer import OPTIMIZERS, LossNotFinite, Trainer
from cnnviz.training.training_step import TrainingStep

SMALL = "small"
"""The network that is quick on any machine, see `small_network`."""

FEWEST_IMAGES, MOST_IMAGES = 16, 60_000
LARGEST_BATCH = 512
MOST_STEPS = 20_000

SHOWN_OF_BATCH = 24
"""Images of a batch that are shown."""

HELD_OUT = 500
"""Test images that are looked at while the network learns, and never learned from."""
LOOKED_AT = 0.1
"""The share of the time that may go into that."""

ROOM = 16 * 2**20
"""Bytes that the kept states of a run take."""
OF_A_LAYER = 1536
"""Bytes of them that a layer takes beside its numbers: of a small network they are the most."""


@dataclass(frozen=True)
class RunSettings:
    """All that decides a run: the same settings give the same weights, to the bit, on one machine.

    Parameters
    ----------
    network
        "small", the name of a bundled architecture, whose weights are drawn anew, or the path of a .keras or
        .h5 file for pictures of 28 x 28 and ten classes, which goes on from its own.
    images
        Images of MNIST's training set, the first ones.
    batch_size, learning_rate, seed
        As of `Trainer` and its optimizer; the rate stays as it is.
    optimizer
        "sgd", "adam" or "adamw", with Keras's defaults.
    batch_norm
        Whether layers of batch normalisation stay in the network.
    shuffled_labels
        Whether the labels are handed out at random, once for the whole run.

    Raises
    ------
    ValueError
        for a setting outside of what there is.

    Examples
    --------
    >>> RunSettings("small", images=500, learning_rate=0.01).steps_per_epoch
    4
    """

    network: str = "mnist_maxpool"
    images: int = 5_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    seed: int = 0
    batch_norm: bool = True
    shuffled_labels: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.network not in NETWORKS and not self.network.endswith((".keras", ".h5")):
            raise ValueError(
                f"network must be one of {', '.join(NETWORKS)}, or the path of a .keras file, "
                f"got {brief(self.network)}"
            )
        _within("images", self.images, FEWEST_IMAGES, MOST_IMAGES)
        _within("batch_size", self.batch_size, 1, LARGEST_BATCH)
        _within("seed", self.seed, 0, 2**31 - 1)
        if not 0 < self.learning_rate <= 100:
            raise ValueError(f"learning_rate must be above 0, at most 100, got {brief(self.learning_rate)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {brief(self.optimizer)}")

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.images / self.batch_size)


NETWORKS = (SMALL, *sorted(RECIPES))


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:,} to {high:,}, got {brief(value)}")


def small_network(seed: int) -> Network:
    """`mnist_maxpool` with 4 and 8 kernels in place of 16 and 32: 2,346 parameters.

    >>> small_network(0).count_params()
    (2346, 2346, 0)
    """
    kernels = iter((4, 8))
    layers = []
    for layer in load_model("mnist_maxpool"):
        filters = {"filters": next(kernels)} if layer.is_convolution else {}
        layers.append(replace(layer, config={**layer.config, **filters}, weights={}, raw_config={}))
    return Network(layers, name=SMALL, seed=seed)


def network_of(settings: RunSettings) -> Network:
    """The network before the first step.

    Raises
    ------
    ValueError
        if a file is not of a network that can be trained on digits.
    """
    if settings.network == SMALL:
        net = small_network(settings.seed)
    elif settings.network in RECIPES:
        dropout = next(iter(RECIPES[settings.network].values())).dropout
        net = architecture(settings.network, dropout, settings.seed)
    else:
        net = load_model(settings.network)
        if net.input_shape != (28, 28, 1) or net.output_shape != (10,):
            raise ValueError(
                f"{net.name} must take pictures of (28, 28, 1) and give ten scores to be trained on digits; "
                f"it has {net.input_shape} and {net.output_shape}"
            )
    return net if settings.batch_norm else without_batch_norm(net)


def without_batch_norm(net: Network) -> Network:
    """The network whose layers of batch normalisation are left out, with the other weights as they are.

    >>> without_batch_norm(load_model("mnist_14k")).count_params()[0]
    13636
    """
    passed: dict[str, str] = {}
    layers = []
    for layer in net:
        if layer.entry.statistics:
            passed[layer.name] = passed.get(layer.inputs[0], layer.inputs[0])
        else:
            inputs = tuple(passed.get(name, name) for name in layer.inputs)
            layers.append(replace(layer, inputs=inputs))
    outputs = [passed.get(name, name) for name in map(net.resolve, net.outputs)]
    return Network(layers, outputs, name=net.name, source=net.source)


class Measures(NamedTuple):
    """What a step says of itself."""

    step: int
    loss: float
    accuracy: float
    """On the batch, in training: with dropout and the batch's own statistics."""


class HeldOut(NamedTuple):
    """The same of the images that nothing is learned from, as they are predicted after a step."""

    step: int
    loss: float
    accuracy: float


class Snapshots:
    """States of a run, one every so many steps; twice as far apart whenever they need too much room.

    >>> Snapshots(room=0).every
    1
    """

    def __init__(self, room: int = ROOM) -> None:
        self.room, self.every = room, 1
        self.states: dict[int, TrainerState] = {}

    @property
    def bytes(self) -> int:
        """What all of them take; the weights of a network are exchanged as a whole at every step."""
        return sum(map(_bytes_of, self.states.values()))

    def add(self, state: TrainerState) -> None:
        """Keep a state, if it is its turn; the one before the first step always stays."""
        if state.steps % self.every:
            return
        self.states[state.steps] = state
        # All of them are of one size.
        size = _bytes_of(state)
        while len(self.states) > 2 and len(self.states) * size > self.room:
            self.every *= 2
            self.states = {step: kept for step, kept in self.states.items() if step % self.every == 0}

    def before(self, step: int) -> TrainerState:
        """The last one that is kept from before a step; another thread may go on adding to them."""
        states = self.states
        return states[max(number for number in list(states) if number < step)]


def _bytes_of(state: TrainerState) -> int:
    arrays = [*weights_of(state.network).values()]
    arrays += [array for slots in state.slots.values() for array in slots.values()]
    return sum(array.nbytes for array in arrays) + OF_A_LAYER * len(state.network.layers)


class _Found(Exception):
    """Ends a computation at the step that was looked for."""


class WatchedTraining:
    """A run by its settings, whose steps can be looked at while it goes on, and afterwards.

    Parameters
    ----------
    settings
        See `RunSettings`.
    room
        Bytes that the kept states may take.

    Raises
    ------
    ValueError
        as of `network_of`.

    Examples
    --------
    >>> watched = WatchedTraining(RunSettings("small", images=64, batch_size=32))
    >>> watched.run(until=3)
    >>> watched.steps, watched.step_at(2).number
    (3, 2)
    """

    def __init__(self, settings: RunSettings, *, room: int = ROOM) -> None:
        self.settings = settings
        net = network_of(settings)
        (images, labels), (test_images, test_labels) = load_mnist()
        recipe = Recipe(images=settings.images, shuffled_labels=settings.shuffled_labels)
        self.images, self.labels = recipe.training_set(images, labels, settings.seed)
        self.held_out_images, self.held_out_labels = test_images[:HELD_OUT], test_labels[:HELD_OUT]
        self.trainer = self._trainer(net)
        self.snapshots = Snapshots(room)
        self.snapshots.add(self.trainer.state)
        self._again: tuple[TrainingStep, TrainerState] | None = None
        self._rest = 0.0
        """Not before this moment are the held-out images looked at again."""

    def _trainer(self, net: Network) -> Trainer:
        optimizer = replace(OPTIMIZERS[self.settings.optimizer](), learning_rate=self.settings.learning_rate)
        return Trainer(net, optimizer, loss_of(net), seed=self.settings.seed)

    @property
    def steps(self) -> int:
        """How many were made."""
        return self.trainer.steps

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers that have weights to be trained, in order."""
        return tuple(dict.fromkeys(key.rpartition("/")[0] for key in self.trainer.trained))

    def run(self, on_step: Callable[[TrainingStep], Any] | None = None, until: int = MOST_STEPS) -> None:
        """Go on, step by step, until so many are made in all.

        Parameters
        ----------
        on_step
            Called with each step once it is made; what it raises ends the run, and nothing is lost.

        Raises
        ------
        LossNotFinite
            (an ArithmeticError) at the first step whose loss is not a number; those before it stay made.
        """
        last = self.trainer.state

        def made(step: TrainingStep) -> None:
            nonlocal last
            # What was looked at again since the last step is as large as a step.
            self._again = None
            last = self.trainer.state
            self.snapshots.add(last)
            if on_step is not None:
                on_step(step)
            if step.number >= until:
                raise _Found

        self._again = None
        if self.steps < until:
            try:
                self._go_on(self.trainer, made)
            except LossNotFinite:
                # The trainer goes back to where the loss was measured last, before a step that was told of.
                self.trainer.state = last
                raise

    def _go_on(self, trainer: Trainer, on_step: Callable[[TrainingStep], Any]) -> None:
        settings, state = self.settings, trainer.state
        # All epochs that there can be, so that a state is one of the whole run wherever it was taken.
        trainer.state = replace(state, until=MOST_STEPS)
        with suppress(_Found):
            trainer.fit(
                self.images, self.labels, 1, settings.batch_size, on_step=on_step, resume=True, progress=False
            )

    def state_at(self, step: int) -> TrainerState:
        """The run's state after a step, 0 before the first; computed again where it was not kept.

        Raises
        ------
        ValueError
            for a step that was not made.
        """
        self._check(step, 0)
        newest = self.trainer.state
        if step == newest.steps:
            return newest
        kept = self.snapshots.states.get(step)
        return kept or self._computed_again(step)[1]

    def step_at(self, step: int) -> TrainingStep:
        """A step that was made, with all that it computed, computed again.

        Raises
        ------
        ValueError
            for a step that was not made.
        """
        self._check(step, 1)
        return self._computed_again(step)[0]

    def _computed_again(self, step: int) -> tuple[TrainingStep, TrainerState]:
        """A step and the state after it; the last one is kept until the run goes on."""
        known = self._again
        if known is not None and known[0].number == step:
            return known
        trainer = self._trainer(self.snapshots.states[0].network)
        trainer.state = self.snapshots.before(step)
        found: list[TrainingStep] = []

        def made(each: TrainingStep) -> None:
            if each.number == step:
                found.append(each)
                raise _Found

        self._go_on(trainer, made)
        known = self._again = found[0], trainer.state
        return known

    def _check(self, step: int, first: int) -> None:
        if not first <= step <= self.steps:
            raise ValueError(f"step must be from {first} to {self.steps}, got {brief(step)}")

    def trainer_at(self, step: int) -> Trainer:
        """A trainer as the run's was after a step, to be saved, or to go on with."""
        trainer = self._trainer(self.snapshots.states[0].network)
        trainer.state = self.state_at(step)
        return trainer

    def look_at_held_out(self, *, at_once: bool = False) -> HeldOut | None:
        """How the network does on the held-out images; None while it is too soon to look again.

        It is looked so seldom that a tenth of the time goes into it at most; `at_once` looks all the same.
        """
        began = time.monotonic()
        if began < self._rest and not at_once:
            return None
        net = self.trainer.network
        output = net.predict(self.held_out_images)
        (name,) = self.trainer.losses
        with np.errstate(all="ignore"):
            loss = self.trainer.losses[name](output, self.held_out_labels).value
        right = output.argmax(axis=-1) == self.held_out_labels
        end = time.monotonic()
        self._rest = end + (end - began) / LOOKED_AT
        return HeldOut(self.steps, float(loss), float(right.mean()))


def measures_of(step: TrainingStep) -> Measures:
    """Its accuracy is no number where none was measured."""
    return Measures(step.number, float(step.loss), float(step.metrics.get("accuracy", math.nan)))


def picture_of(step: TrainingStep, layers: Sequence[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is shown of a step: numbers and words, and arrays, the weights after it among them.

    Parameters
    ----------
    step
        Of a network that may be any; some of its batch is shown where that is digits of ten classes.
    layers
        Those whose gradients' sizes are told.
    """
    said = {
        "step": step.number,
        "measures": measures_of(step),
        "learning_rate": step.learning_rate,
        "gradients": gradient_sizes(step, layers),
        "silent": silent_channels(step.run),
    }
    arrays = dict(weights_of(step.network))
    images = [step.run[name] for name in step.run.network.inputs]
    outputs, labels = list(step.losses), list(step.labels.values())
    if len(images) == len(outputs) == 1 and images[0].shape[1:] == (28, 28, 1) and labels[0].ndim == 1:
        answers = step.run[outputs[0]][:SHOWN_OF_BATCH].argmax(axis=-1)
        pixels = np.clip(images[0][:SHOWN_OF_BATCH, ..., 0], 0, 1)
        said["images"] = len(images[0])
        arrays |= {
            "batch images": np.rint(pixels * 255).astype(np.uint8),
            "batch labels": labels[0][:SHOWN_OF_BATCH].astype(np.int32),
            "batch answers": answers.astype(np.int32),
        }
    return said, arrays


def gradient_sizes(step: TrainingStep, layers: Sequence[str]) -> list[float]:
    """The length of the gradient with respect to all weights of a layer, for each."""
    squares = dict.fromkeys(layers, 0.0)
    for key, gradient in step.gradients.items():
        squares[key.rpartition("/")[0]] += float(np.square(gradient, dtype=np.float64).sum())
    return [math.sqrt(squares[name]) for name in layers]


def silent_channels(run: Run) -> Mapping[str, tuple[int, int]]:
    """By layer that ends in a ReLU: channels that are 0 for all images of a run and everywhere, of how many.

    >>> silent_channels(small_network(0).run(np.zeros((2, 28, 28))))["conv2d"]
    (4, 4)
    """
    found = {}
    for layer in run.network:
        if layer.activation is not None and layer.activation.name == "relu":
            values = run[layer.name]
            highest = values.reshape(-1, values.shape[-1]).max(axis=0)
            found[layer.name] = int((highest <= 0).sum()), int(highest.size)
    return found
