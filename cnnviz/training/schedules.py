"""Learning rates that change with the steps, by the names and arguments of keras.optimizers.schedules.

A schedule is called with the number of steps done before, and gives the rate of the next one.
Source: keras/src/optimizers/schedules/learning_rate_schedule.py; cosine decay with restarts after Loshchilov
and Hutter, "SGDR", ICLR 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields


class Schedule:
    """What schedules have in common: their numbers are finite, and a decay takes steps.

    Raises
    ------
    ValueError, TypeError
        for another number, naming it.
    """

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():
            if not np.isfinite(np.asarray(0 if value is None else value, float)).all():
                raise ValueError(f"{name} must be finite, got {brief(value)}")
            if name.endswith("decay_steps") and value <= 0:
                raise ValueError(f"{name} must be positive, got {brief(value)}")


@dataclass(frozen=True)
class _ByTimesPassed(Schedule):
    """A rate that goes down each time that decay_steps have passed, in one go if staircase."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def times(self, step: int) -> float:
        """How often decay_steps have passed."""
        passed = step / self.decay_steps
        return math.floor(passed) if self.staircase else passed


class ExponentialDecay(_ByTimesPassed):
    """initial_learning_rate * decay_rate ** (step / decay_steps), in whole powers if staircase.

    >>> ExponentialDecay(0.1, 100, 0.5)(200)
    0.025
    """

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate * self.decay_rate ** self.times(step)


class InverseTimeDecay(_ByTimesPassed):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps), in whole steps if staircase.

    >>> InverseTimeDecay(0.1, 100, 1.0)(100)
    0.05
    """

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate / (1 + self.decay_rate * self.times(step))


@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """values[i] up to and including step boundaries[i], the last value behind them all.

    >>> [PiecewiseConstantDecay([10, 20], [3.0, 2.0, 1.0])(step) for step in (10, 11, 21)]
    [3.0, 2.0, 1.0]
    """

    boundaries: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must be one more than the {len(self.boundaries)} boundaries, got {len(self.values)}"
            )

    def __call__(self, step: int) -> float:
        return self.values[sum(step > boundary for boundary in self.boundaries)]


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """From initial_learning_rate to end_learning_rate in decay_steps steps, along a power of the distance.

    >>> PolynomialDecay(0.1, 100, 0.0)(50)
    0.05
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1 - min(step, steps) / steps
        return (
            self.initial_learning_rate - self.end_learning_rate
        ) * left**self.power + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from initial_learning_rate, or warmup_target after warmup_steps, down to alpha times it.

    >>> CosineDecay(0.1, 100)(50)
    0.05
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __call__(self, step: int) -> float:
        first, top = self.initial_learning_rate, self.warmup_target
        if top is None:
            return self._decayed(step, first)
        if step < self.warmup_steps:
            return first + (top - first) * step / self.warmup_steps
        return self._decayed(step - self.warmup_steps, top)

    def _decayed(self, step: int, top: float) -> float:
        share = (1 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps)) / 2
        return top * ((1 - self.alpha) * share + self.alpha)


@dataclass(frozen=True)
class CosineDecayRestarts(Schedule):
    """Cosine decays one after the other, each t_mul times as long and m_mul times as high as the one before.

    >>> CosineDecayRestarts(0.1, 100)(100)
    0.1
    """

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.t_mul >= 1:
            raise ValueError(f"t_mul must be 1 or more, got {self.t_mul!r}")

    def __call__(self, step: int) -> float:
        left, length, height = float(step), float(self.first_decay_steps), 1.0
        while left >= length:
            left, length, height = left - length, length * self.t_mul, height * self.m_mul
        share = height * (1 + math.cos(math.pi * left / length)) / 2
        return self.initial_learning_rate * ((1 - self.alpha) * share + self.alpha)


def as_keras(optimizer: Any, iteration: int) -> Any:
    """An optimizer's learning rate as a file of Keras has it: a number, or one of these schedules."""
    rate = optimizer.learning_rate
    if is_dataclass(rate) and type(rate).__module__ == __name__:
        return {"class_name": type(rate).__name__, "config": asdict(rate)}  # type: ignore[arg-type]
    return optimizer.rate(iteration)
