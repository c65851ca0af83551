"""Losses: one number for what a network says of a batch, and its gradient; as Keras computes them.

Where a network ends in a softmax or a sigmoid, Keras takes the numbers before it, whichever of the two the
loss is made for, and so do we: no probability is then too small. Elsewhere probabilities are kept 1e-7 away
from 0 and 1 (keras.backend.epsilon). The mean is over all numbers that there is a label for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cnnviz import ops
from cnnviz.layers.operands import Equation
from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields

SMALLEST_PROBABILITY = 1e-7
SEEN_THROUGH = frozenset({"softmax", "sigmoid"})
"""Keras keeps what these were made of beside their output, and every cross-entropy takes that."""


class Measured(NamedTuple):
    """A loss of one batch."""

    value: float
    gradient: np.ndarray
    """With respect to the numbers that were measured, of their shape."""


@dataclass(frozen=True)
class LossFunction:
    """What losses have in common.

    Parameters
    ----------
    from_logits
        Whether the network's outputs are numbers before the softmax or the sigmoid, and not probabilities.
    """

    undoes: ClassVar[frozenset[str]] = frozenset()
    """The activations at the end of a network whose input is taken instead of their output."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= getattr(self, "label_smoothing", 0) <= 1:
            raise ValueError(
                f"label_smoothing must be from 0 to 1, got {brief(vars(self)['label_smoothing'])}"
            )

    def smoothed(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Labels of which `label_smoothing`, of a loss that has it, is spread evenly over all classes."""
        share = getattr(self, "label_smoothing", 0.0)
        return labels * (1 - share) + share / classes if share else labels

    def __call__(self, output: np.ndarray, labels: np.ndarray, logits: bool = False) -> Measured:
        """The mean loss and its gradient; `logits` says that `output` stands before `undoes`."""
        raise NotImplementedError(f"{type(self).__name__} says no loss")

    def written(
        self, output: np.ndarray, labels: np.ndarray, place: tuple[int, ...], logits: bool = False
    ) -> list[Equation]:
        """How the gradient at one place comes about, equation by equation; the last is the gradient."""
        raise NotImplementedError(f"{type(self).__name__} does not write its gradient out")


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(LossFunction):
    """-log of the probability of the right class; labels are integers.

    >>> loss = SparseCategoricalCrossentropy(from_logits=True)
    >>> loss(np.array([[0.0, 0.0]]), np.array([1])).gradient
    array([[ 0.5, -0.5]])
    """

    from_logits: bool = False
    undoes: ClassVar[frozenset[str]] = SEEN_THROUGH

    def __call__(self, output: np.ndarray, labels: np.ndarray, logits: bool = False) -> Measured:
        labels = _classes(output, labels)
        if logits or self.from_logits:
            return _softmax_loss(output, labels)
        # As Keras: the logarithms of the probabilities are taken for logits.
        log, slope = _clipped_log(output)
        loss, gradient = _softmax_loss(log, labels)
        return Measured(loss, gradient * slope)

    def written(
        self, output: np.ndarray, labels: np.ndarray, place: tuple[int, ...], logits: bool = False
    ) -> list[Equation]:
        right = (_classes(output, labels)[..., np.newaxis] == np.arange(output.shape[-1])).astype(
            output.dtype
        )
        if logits or self.from_logits:
            return _softmax_written(output, right, place)
        log, slope = _clipped_log(output)
        share, before = _softmax_written(log, right, place)
        values = {"before": before.result, "slope": slope[place]}
        seed = Equation("seed", "before * slope", values, before.result * slope[place])
        return [share, replace(before, name="before"), seed]


@dataclass(frozen=True)
class CategoricalCrossentropy(LossFunction):
    """-sum of label * log(probability) over the classes; labels are a probability for each class.

    Parameters
    ----------
    label_smoothing
        This share of each label is spread evenly over all classes.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    undoes: ClassVar[frozenset[str]] = SEEN_THROUGH

    def __call__(self, output: np.ndarray, labels: np.ndarray, logits: bool = False) -> Measured:
        labels = self.smoothed(_like(output, labels), output.shape[-1])
        if logits or self.from_logits:
            return _softmax_loss(output, labels)
        total = output.sum(axis=-1, keepdims=True)
        shares = output / total
        log, slope = _clipped_log(shares)
        count = output.size // output.shape[-1]
        wrt_shares = -labels * slope / count
        along = (wrt_shares * shares).sum(axis=-1, keepdims=True)
        return Measured(float(-(labels * log).sum(axis=-1).mean()), (wrt_shares - along) / total)

    def written(
        self, output: np.ndarray, labels: np.ndarray, place: tuple[int, ...], logits: bool = False
    ) -> list[Equation]:
        labels = self.smoothed(_like(output, labels), output.shape[-1])
        if logits or self.from_logits:
            return _softmax_written(output, labels, place)
        total = output.sum(axis=-1, keepdims=True)
        shares, count = output / total, output.size // output.shape[-1]
        slopes = _clipped_log(shares)[1]
        own = -labels * slopes / count
        along = (own * shares).sum(axis=-1, keepdims=True)
        line, each = (*place[:-1], 0), own[place]
        return [
            Equation("own", "-y * slope / N", {"y": labels[place], "slope": slopes[place], "N": count}, each),
            Equation(
                "seed",
                "(own - along) / total",
                {"own": each, "along": along[line], "total": total[line]},
                (each - along[line]) / total[line],
            ),
        ]


@dataclass(frozen=True)
class BinaryCrossentropy(LossFunction):
    """-log of the probability of what is the case, for each output by itself; labels are 0, 1 or between."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    undoes: ClassVar[frozenset[str]] = SEEN_THROUGH

    def __call__(self, output: np.ndarray, labels: np.ndarray, logits: bool = False) -> Measured:
        labels = self.smoothed(_like(output, labels), 2)
        if logits or self.from_logits:
            # log(1 + exp(-|z|)) never overflows.
            losses = np.maximum(output, 0) - output * labels + np.log1p(np.exp(-np.abs(output)))
            gradient = ops.sigmoid(output) - labels
        else:
            log, slope = _clipped_log(output)
            other = 1 - np.clip(output, *_bounds(output))
            losses = -(labels * log + (1 - labels) * np.log(other))
            gradient = np.where(slope == 0, 0, (1 - labels) / other) - labels * slope
        return Measured(float(losses.mean()), gradient / output.size)

    def written(
        self, output: np.ndarray, labels: np.ndarray, place: tuple[int, ...], logits: bool = False
    ) -> list[Equation]:
        z, y, count = output[place], self.smoothed(_like(output, labels), 2)[place], output.size
        if logits or self.from_logits:
            p = ops.sigmoid(output)[place]
            return [
                Equation("p", "1 / (1 + exp(-z))", {"z": z}, p),
                Equation("seed", "(p - y) / N", {"p": p, "y": y, "N": count}, (p - y) / count),
            ]
        slope = _clipped_log(output)[1][place]
        other = 1 / (1 - np.clip(output, *_bounds(output)))[place] if slope else slope
        values = {"y": y, "other_slope": other, "slope": slope, "N": count}
        gradient = ((1 - y) * other - y * slope) / count
        return [Equation("seed", "((1 - y) * other_slope - y * slope) / N", values, gradient)]


@dataclass(frozen=True)
class MeanSquaredError(LossFunction):
    """The mean of (output - label)**2.

    >>> MeanSquaredError()(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]])).value
    2.0
    """

    def __call__(self, output: np.ndarray, labels: np.ndarray, logits: bool = False) -> Measured:
        off = output - _like(output, labels)
        return Measured(float(np.square(off).mean()), 2 * off / off.size)

    def written(
        self, output: np.ndarray, labels: np.ndarray, place: tuple[int, ...], logits: bool = False
    ) -> list[Equation]:
        values = {"output": output[place], "y": _like(output, labels)[place], "N": output.size}
        gradient = 2 * (values["output"] - values["y"]) / output.size
        return [Equation("seed", "2 * (output - y) / N", values, gradient)]


LOSSES: Mapping[str, type[LossFunction]] = MappingProxyType(
    {
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
        "categorical_crossentropy": CategoricalCrossentropy,
        "binary_crossentropy": BinaryCrossentropy,
        "mean_squared_error": MeanSquaredError,
        "mse": MeanSquaredError,
    }
)
"""By the names that `compile` of Keras takes."""


def parse_loss(value: Any) -> LossFunction:
    """A loss by its name, or one as it is; ValueError for an unknown name."""
    if isinstance(value, LossFunction):
        return value
    if not isinstance(value, str) or value not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, or a LossFunction, got {brief(value)}")
    return LOSSES[value]()


def _softmax_loss(logits: np.ndarray, labels: np.ndarray) -> Measured:
    value = float(ops.softmax_cross_entropy(logits, labels, reduction="mean"))
    return Measured(value, ops.softmax_cross_entropy_grad(logits, labels, reduction="mean"))


def _softmax_written(logits: np.ndarray, labels: np.ndarray, place: tuple[int, ...]) -> list[Equation]:
    line = logits[place[:-1]]
    largest, count = line.max(), logits.size // logits.shape[-1]
    total, p, y = np.exp(line - largest).sum(), ops.softmax(logits)[place], labels[place]
    values = {"z": logits[place], "largest": largest, "sum": total}
    return [
        Equation("p", "exp(z - largest) / sum", values, p),
        Equation("seed", "(p - y) / N", {"p": p, "y": y, "N": count}, (p - y) / count),
    ]


def _classes(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels as whole numbers, one for each line of outputs."""
    if labels.ndim == output.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    with np.errstate(invalid="ignore"):  # NaN is no class, whatever it becomes.
        whole = labels.astype(np.int64, copy=False)
    if labels.dtype.kind not in "iu" and not np.array_equal(labels, whole):
        raise TypeError(f"labels must be integers, classes from 0, got dtype {labels.dtype}")
    return whole


def _bounds(x: np.ndarray) -> tuple[Any, Any]:
    return x.dtype.type(SMALLEST_PROBABILITY), x.dtype.type(1 - SMALLEST_PROBABILITY)


def _clipped_log(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of what is kept away from 0 and 1, and its slope: 0 where it was cut off."""
    low, high = _bounds(probabilities)
    clipped = np.clip(probabilities, low, high)
    inside = (probabilities >= low) & (probabilities <= high)
    return np.log(clipped), np.where(inside, 1 / clipped, 0)


def _like(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels of the output's shape and dtype; those without the last axis, if that is 1 long, get it."""
    if labels.ndim == output.ndim - 1 and output.shape[-1] == 1:
        labels = labels[..., np.newaxis]
    if labels.shape != output.shape:
        raise ValueError(f"labels must have the output's shape {output.shape}, got {labels.shape}")
    return labels.astype(output.dtype, copy=False)
