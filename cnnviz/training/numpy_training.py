"""Training of a run with the NumPy engine: a `Trainer` that follows a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.network.keras_file import load_model
from cnnviz.numbers import brief
from cnnviz.training.checkpoints import Row, weights_of
from cnnviz.training.engines import TrainingTask
from cnnviz.training.losses import (
    BinaryCrossentropy,
    LossFunction,
    SparseCategoricalCrossentropy,
)
from cnnviz.training.optimizers import Adam, AdamW, Optimizer
from cnnviz.training.recipes import RECIPES, Recipe
from cnnviz.training.trainer import Trainer
from cnnviz.training.training_step import TrainingStep


class NumpyEngine:
    """The `Engine` that trains any network."""

    def __init__(self, task: TrainingTask) -> None:
        self.task, net = task, task.model
        if isinstance(net, str):
            net = architecture(net, task.recipe.dropout, task.seed)
        optimizer = optimizer_of(task.recipe, task.steps)
        self.trainer = Trainer(net, optimizer, loss_of(net), seed=task.seed)

    def weights(self) -> dict[str, np.ndarray]:
        return weights_of(self.trainer.averaged)

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def train(self, after_epoch: Callable[[Row], None]) -> None:
        task, state = self.task, self.trainer.state
        left = task.recipe.epochs - state.epoch
        if left <= 0 and not state.batches:
            return

        def stop(row: Row) -> bool:
            after_epoch(row)
            return False

        self.trainer.fit(
            task.images,
            task.labels,
            max(left, 1),
            task.recipe.batch_size,
            task.validation,
            augment=task.recipe.augmentation,
            stop=stop,
            on_step=self._tell,
            resume=state.epoch > 0,
            progress=False,
        )

    def _tell(self, step: TrainingStep) -> None:
        task, state = self.task, self.trainer.state
        if task.progress is not None:
            task.progress(state.epoch, task.recipe.epochs, state.batches, task.steps, {"loss": step.loss})

    def save(self, path: str) -> None:
        self.trainer.averaged.save(path)

    def save_checkpoint(self, path: Path) -> None:
        self.trainer.save_checkpoint(path)

    def keep_place(self, path: Path, epochs: int) -> None:
        if self.trainer.state.epoch == epochs:
            self.save_checkpoint(path)

    def load_checkpoint(self, path: Path) -> int:
        self.trainer.load_checkpoint(path)
        state, steps = self.trainer.state, self.task.steps
        fits = state.batches <= steps and state.steps == state.epoch * steps + state.batches
        if not fits or state.until != self.task.recipe.epochs:
            raise ValueError(
                f"{path} is no checkpoint of this training: it tells of {state.steps} steps, "
                f"{state.epoch} of {state.until} epochs and {state.batches} batches of {steps}"
            )
        return state.epoch


@dataclass(frozen=True)
class RateByEpoch:
    """A recipe's learning rate, as a schedule over steps; `steps` are an epoch's."""

    recipe: Recipe
    steps: int

    def __call__(self, step: int) -> float:
        return self.recipe.rate(step // self.steps)


def architecture(model: str, dropout: float, seed: int) -> Network:
    """A bundled network with random weights, and another rate of dropout.

    Raises ValueError for another name.
    """
    if model not in RECIPES:
        raise ValueError(f"model must be one of {sorted(RECIPES)}, got {brief(model)}")
    net = load_model(model).initialized(seed)
    return net.with_layers(
        replace(layer, config={**layer.config, "rate": dropout}) if layer.kind == "Dropout" else layer
        for layer in net
    )


def optimizer_of(recipe: Recipe, steps: int) -> Optimizer:
    """What a recipe says of the optimizer; `steps` are an epoch's."""
    average: dict[str, Any] = (
        {} if recipe.average is None else {"use_ema": True, "ema_momentum": recipe.average}
    )
    rate = RateByEpoch(recipe, steps)
    if recipe.weight_decay is None:
        return Adam(rate, **average)
    return AdamW(rate, weight_decay=recipe.weight_decay, **average)


def loss_of(net: Network) -> LossFunction:
    """The cross-entropy that goes with a classifier's output, for labels that are integers.

    >>> loss_of(load_model("mnist_14k"))
    SparseCategoricalCrossentropy(from_logits=False)
    """
    if len(net.outputs) > 1:
        raise ValueError(
            f"{net.name} has several outputs: train it with a Trainer, which takes a loss for each"
        )
    activation = net[net.outputs[0]].activation
    ending = "linear" if activation is None else activation.name
    if net.output_shape[-1] == 1:
        return BinaryCrossentropy(from_logits=ending != "sigmoid")
    return SparseCategoricalCrossentropy(from_logits=ending != "softmax")
