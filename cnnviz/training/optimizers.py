"""Optimizers: how a weight changes with its gradient. Arguments, defaults and the order of steps are Keras's.

An optimizer is its settings alone; what it remembers of each weight (its slots) is handed in and given
back. Its arithmetic is written once: the same lines that change a weight say, where asked, what they did.

Sources: Kingma and Ba, "Adam", ICLR 2015, algorithm 1, in the form before section 2.1; Loshchilov and
Hutter, "Decoupled Weight Decay Regularization", ICLR 2019; Sutskever et al., "On the importance of
initialization and momentum in deep learning", ICML 2013; Reddi et al., "On the Convergence of Adam and
Beyond", ICLR 2018 (amsgrad); Polyak and Juditsky, 1992 (averaging).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers.operands import Equation
from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields

Arrays = Mapping[str, np.ndarray]
Rate = float | Callable[[int], float]
"""A learning rate, or a schedule: a function of the number of steps done before."""

Note = Callable[[Equation], None]
"""What is told of each step of arithmetic."""

AVERAGE = "average"
"""The slot of the moving average of a weight."""


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What all optimizers share.

    Parameters
    ----------
    weight_decay
        Before each step a weight loses this share of itself, times the learning rate; None is none.
    clipnorm, global_clipnorm, clipvalue
        Gradients are scaled down to this length, each by itself or all together, or cut off at this
        magnitude. At most one may be given.
    use_ema, ema_momentum, ema_overwrite_frequency
        Whether an exponential moving average of the weights is kept; how much of it stays in each step;
        after how many steps the weights are replaced by it (None: only at the end of `fit`).

    Raises
    ------
    ValueError
        for a number out of its range, naming the argument.
    """

    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None

    learning_rate: Rate
    slots: ClassVar[tuple[str, ...]] = ()
    """What is remembered of each weight, in the order in which Keras keeps it; zeros at first."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not callable(self.learning_rate):
            _check_from_0("learning_rate", self.learning_rate)
        for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"):
            if getattr(self, name) is not None:
                _check_from_0(name, getattr(self, name))
        clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name)]
        if len(clips) > 1:
            raise ValueError(f"only one of clipnorm, clipvalue, global_clipnorm may be given, got {clips}")
        _check_share("ema_momentum", self.ema_momentum)
        frequency = self.ema_overwrite_frequency
        if frequency is not None and (not isinstance(frequency, int) or frequency < 1):
            raise ValueError(
                f"ema_overwrite_frequency must be a positive int or None, got {brief(frequency)}"
            )

    @property
    def names_of_slots(self) -> tuple[str, ...]:
        """The slots that an optimizer with these settings keeps, the average included."""
        return (*self.slots, AVERAGE) if self.use_ema else self.slots

    def empty_slots(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        """What is remembered of a weight before its first step: zeros."""
        return {name: np.zeros_like(weight) for name in self.names_of_slots}

    def rate(self, iteration: int) -> float:
        """The learning rate of the step that so many came before."""
        return float(self.learning_rate(iteration) if callable(self.learning_rate) else self.learning_rate)

    def config(self) -> dict[str, Any]:
        """The settings by Keras's names."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def clipped(self, gradients: Arrays) -> dict[str, np.ndarray]:
        """Gradients as the settings of clipping make them."""
        if self.clipnorm:
            limit = self.clipnorm
            return {key: g * limit / max(_length([g]), g.dtype.type(limit)) for key, g in gradients.items()}
        if self.global_clipnorm:
            length, limit = _length(gradients.values()), self.global_clipnorm
            # As in Keras, a length that is not finite makes everything NaN.
            scale = limit * np.minimum(1 / length, 1 / limit) + (length - length) if length else 1.0
            return {key: g * g.dtype.type(scale) for key, g in gradients.items()}
        if self.clipvalue:
            return {key: np.clip(g, -self.clipvalue, self.clipvalue) for key, g in gradients.items()}
        return dict(gradients)

    @np.errstate(all="ignore")  # A step that is far too long gives infinities, which the loss tells of.
    def update(
        self,
        weight: np.ndarray,
        gradient: np.ndarray,
        slots: Arrays,
        iteration: int,
        note: Note | None = None,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """A weight after one step, and what is then remembered of it.

        Parameters
        ----------
        weight, gradient
            Of one shape and dtype.
        slots
            By the names in `names_of_slots`, of that shape.
        iteration
            How many steps came before.
        note
            Called with each equation, in order, if given.
        """
        rate, note = weight.dtype.type(self.rate(iteration)), note or _unheard
        if self.weight_decay is not None:
            weight = _decayed(weight, _cast(self.weight_decay, weight), rate, note)
        weight, kept = self._step(weight, gradient, slots, rate, iteration, note)
        if not self.use_ema:
            return weight, kept
        # The first step's average is the weight itself.
        momentum = weight.dtype.type(self.ema_momentum if iteration else 0)
        old = slots[AVERAGE]
        average = momentum * old + (1 - momentum) * weight
        numbers = {"average": old, "ema_momentum": momentum, "w": weight}
        note(Equation("average", "ema_momentum*average + (1 - ema_momentum)*w", numbers, average))
        if self.ema_overwrite_frequency and (iteration + 1) % self.ema_overwrite_frequency == 0:
            weight = average
            note(Equation("w", "average", {"average": average}, weight))
        return weight, {**kept, AVERAGE: average}

    def _step(
        self, w: np.ndarray, g: np.ndarray, slots: Arrays, rate: np.floating, iteration: int, note: Note
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        raise NotImplementedError(f"{type(self).__name__} says no step")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: w - learning_rate * g, with momentum and Nesterov's look ahead if asked for.

    >>> SGD(0.1).update(np.array([1.0]), np.array([2.0]), {}, 0)[0]
    array([0.8])
    """

    learning_rate: Rate = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    slots: ClassVar[tuple[str, ...]] = ("momentum",)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_share("momentum", self.momentum)

    @property
    def names_of_slots(self) -> tuple[str, ...]:
        names = super().names_of_slots
        return names if self.momentum else tuple(name for name in names if name != "momentum")

    def _step(
        self, w: np.ndarray, g: np.ndarray, slots: Arrays, rate: np.floating, iteration: int, note: Note
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        numbers: dict[str, Any] = {"w": w, "learning_rate": rate, "g": g}
        if not self.momentum:
            after = w - g * rate
            note(Equation("w", "w - g*learning_rate", numbers, after))
            return after, {}
        share, m = _cast(self.momentum, w), slots["momentum"]
        moved = m * share - g * rate
        step = {"m": m, "momentum": share, "g": g, "learning_rate": rate}
        note(Equation("m", "m*momentum - g*learning_rate", step, moved))
        if self.nesterov:
            after = w + (moved * share - g * rate)
            step = {"w": w, **step, "m": moved}
            note(Equation("w", "w + (m*momentum - g*learning_rate)", step, after))
        else:
            after = w + moved
            note(Equation("w", "w + m", {"w": w, "m": moved}, after))
        return after, {"momentum": moved}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps of nearly equal length: the mean gradient over the root of the mean squared one, both moving.

    >>> adam, w = Adam(0.1), np.array([1.0])
    >>> adam.update(w, np.array([2.0]), adam.empty_slots(w), 0)[0].round(4)
    array([0.9])
    """

    learning_rate: Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    slots: ClassVar[tuple[str, ...]] = ("momentum", "velocity", "velocity_hat")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_share("beta_1", self.beta_1, below_1=True)
        _check_share("beta_2", self.beta_2, below_1=True)
        _check_from_0("epsilon", self.epsilon)

    @property
    def names_of_slots(self) -> tuple[str, ...]:
        names = super().names_of_slots
        return names if self.amsgrad else tuple(name for name in names if name != "velocity_hat")

    def _step(
        self, w: np.ndarray, g: np.ndarray, slots: Arrays, rate: np.floating, iteration: int, note: Note
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        step = w.dtype.type(iteration + 1)
        first, second = _cast(self.beta_1, w), _cast(self.beta_2, w)
        # Corrects both means for having begun at 0.
        corrected = rate * np.sqrt(1 - second**step) / (1 - first**step)
        numbers = {"learning_rate": rate, "beta_1": first, "beta_2": second, "t": iteration + 1}
        formula = "learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)"
        note(Equation("rate", formula, numbers, corrected))
        m, v = slots["momentum"], slots["velocity"]
        beta_1, beta_2 = self.beta_1, self.beta_2
        mean = m + (g - m) * (1 - beta_1)
        note(Equation("m", "m + (g - m)*(1 - beta_1)", {"m": m, "g": g, "beta_1": beta_1}, mean))
        squares = v + (np.square(g) - v) * (1 - beta_2)
        note(Equation("v", "v + (g**2 - v)*(1 - beta_2)", {"v": v, "g": g, "beta_2": beta_2}, squares))
        kept = {"momentum": mean, "velocity": squares}
        if self.amsgrad:
            old = slots["velocity_hat"]
            kept["velocity_hat"] = largest = np.maximum(old, squares)
            note(Equation("v", "max(v_hat, v)", {"v_hat": old, "v": squares}, largest))
            squares = largest
        after = w - mean * corrected / (np.sqrt(squares) + self.epsilon)
        numbers = {"w": w, "m": mean, "rate": corrected, "v": squares, "epsilon": self.epsilon}
        note(Equation("w", "w - m*rate / (sqrt(v) + epsilon)", numbers, after))
        return after, kept


@dataclass(frozen=True, init=False)
class AdamW(Adam):
    """Adam with weight decay, 0.004 if nothing else is said; it is the second argument, as in Keras."""

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **others)


def _decayed(w: np.ndarray, decay: np.floating, rate: np.floating, note: Note) -> np.ndarray:
    after = w - w * decay * rate
    numbers = {"w": w, "weight_decay": decay, "learning_rate": rate}
    note(Equation("w", "w - w*weight_decay*learning_rate", numbers, after))
    return after


def _cast(value: float, like: np.ndarray) -> np.floating:
    """A setting as Keras casts it: to float32 first, even where it computes in float64."""
    return like.dtype.type(np.float32(value))


def _unheard(equation: Equation) -> None:
    pass


def _length(gradients: Any) -> Any:
    return np.sqrt(sum(np.square(g).sum() for g in gradients))


def _check_from_0(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number, 0 or more, got {brief(value)}")


def _check_share(name: str, value: Any, below_1: bool = False) -> None:
    _check_from_0(name, value)
    if value > 1 or (below_1 and value == 1):
        raise ValueError(f"{name} must be from 0 to {'below ' * below_1}1, got {brief(value)}")
