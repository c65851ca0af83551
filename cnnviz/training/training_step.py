"""One step of training, as plain values that can be looked at: what came in, what came back, what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnviz.layers.operands import Equation
from cnnviz.network import Gradient, Network, Run
from cnnviz.training.losses import LossFunction
from cnnviz.training.optimizers import Optimizer

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """What a step did. Mappings are by "layer/weight", and hold the weights that a gradient came back to.

    Parameters
    ----------
    number
        1 for a trainer's first step.
    loss
        The mean over the batch, penalties of regularisers included, before the weights changed.
    metrics
        By name, likewise.
    run
        The forward pass as in training: its network's layers hold the batch's statistics and what was drawn.
    gradient
        Of the mean loss with respect to everything that came before it: penalties of outputs are in it, those
        of weights are not.
    gradients
        With respect to the weights, penalties included.
    clipped
        What the optimizer made of them before it used them.
    before, after
        The weights, as the forward pass left them and as the optimizer did.
    slots_before, slots
        What the optimizer remembered of each weight, and what it remembers now.
    optimizer
        The one that made the step.
    losses, labels
        By the outputs' names: what was made small, and what was to come out.
    network
        The network after it.
    """

    number: int
    loss: float
    metrics: Mapping[str, float]
    run: Run
    gradient: Gradient
    gradients: Arrays
    clipped: Arrays
    before: Arrays
    after: Arrays
    slots_before: Mapping[str, Arrays]
    slots: Mapping[str, Arrays]
    optimizer: Optimizer
    losses: Mapping[str, LossFunction]
    labels: Arrays
    network: Network

    def __repr__(self) -> str:
        return f"<TrainingStep {self.number}: loss {self.loss:.4g}, {len(self.gradients)} weights>"

    @property
    def learning_rate(self) -> float:
        """The rate of this step."""
        return self.optimizer.rate(self.number - 1)

    @cached_property
    def updates(self) -> dict[str, np.ndarray]:
        """By how much each weight changed."""
        return {key: self.after[key] - self.before[key] for key in self.after}

    def arithmetic(self, weight: str, position: tuple[int, ...] = ()) -> list[Equation]:
        """What the optimizer computed for one entry of a weight, equation by equation.

        Raises
        ------
        KeyError
            for a weight that is not trained.
        IndexError
            for a position outside of it.
        """
        if weight not in self.after:
            raise KeyError(f"{weight!r} is not trained in this step; trained are {', '.join(self.after)}")
        w, raw, g = (arrays[weight][position] for arrays in (self.before, self.gradients, self.clipped))
        if w.ndim:
            raise IndexError(f"position must have {self.before[weight].ndim} indices, got {position}")
        equations: list[Equation] = []
        if raw != g:
            equations.append(Equation("g", "clipped(g)", {"g": raw}, g))
        slots = {name: array[position] for name, array in self.slots_before[weight].items()}
        self.optimizer.update(w, g, slots, self.number - 1, equations.append)
        return equations

    def loss_arithmetic(self, output: str, place: tuple[int, ...]) -> list[Equation]:
        """How the loss's gradient at one number of an output comes about, the batch's index in front.

        Of a layer that ends in the softmax or sigmoid that the loss undoes it is that before it; of a layer
        on which no loss was taken there is none.
        """
        layer = self.run.network[output]
        before = layer.name in self.gradient.of_pre_activations
        values = self.run.pre_activation(output) if before else self.run[output]
        names = [each for each in self.losses if self.run.network[each].name == layer.name]
        return [
            equation
            for name in names
            for equation in self.losses[name].written(values, self.labels[name], place, logits=before)
        ]
