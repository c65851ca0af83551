"""Steps: what follows a sum (activations, written out), and what precedes it (scale and shift).

Each step is a formula with the numbers in it and its result; results come from the engine's own
functions. Definitions are those of `cnnviz.ops.activations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.activations import Activation
from cnnviz.numbers import short
from cnnviz.ops.activations import SELU_ALPHA, SELU_SCALE
from cnnviz.receipts import formulas


@dataclass(frozen=True, eq=False)
class Shares:
    """What a softmax divides up: the numbers along its axis, their exponentials, and the results.

    `own` is the entry of the cell in question; `labels` name the entries.
    """

    z: np.ndarray
    powers: np.ndarray
    results: np.ndarray
    own: int
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of arithmetic beside the sum of products.

    Parameters
    ----------
    name
        What is done ("relu"), or what comes of it ("scale").
    formula
        A Python expression of the names in `values`; functions are those of the field: exp, sqrt, max.
    values
        The numbers that go in, by name.
    result
        What comes out, in the run's dtype.
    condition
        When this branch of the function holds: "z > 0".
    shares
        For a softmax: all entries along its axis.
    """

    name: str
    formula: str
    values: Mapping[str, Any]
    result: Any
    condition: str = ""
    shares: Shares | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The formula, with names and then with numbers, and the result.

        >>> print(activation_step(Activation("relu"), np.float32([-0.5])))
        relu = max(z, 0) = max(-0.5, 0) = 0
        """
        return " = ".join((self.name, *self.written(), short(self.result)))

    @cached_property
    def digits(self) -> int:
        """How many digits its numbers are written with: those that give the result as written."""
        return formulas.digits_for(self.formula, self.values, self.result)

    def written(self) -> list[str]:
        """The formula with names and with numbers; once only where that is the same as the result."""
        with_names = formulas.text(self.formula)
        with_numbers = formulas.text(self.formula, self.values, self.digits)
        condition = f" (as {self.condition})" if self.condition else ""
        same = with_numbers in (with_names, short(self.result))
        return [with_names + condition] if same else [with_names + condition, with_numbers]


def activation_step(activation: Activation, z: Any, own: int = 0, labels: tuple[str, ...] = ()) -> Step:
    """An activation of one number, written out.

    Parameters
    ----------
    activation
        The function; an alpha is a single number here.
    z
        (1,): the argument; for a softmax all (n,) numbers along its axis.
    own
        Which of them is meant.
    labels
        Names of the entries along a softmax's axis.

    Returns
    -------
    Step
    """
    z = np.asarray(z)
    result = activation(z)
    if activation.name in ("softmax", "log_softmax"):
        return _shared(activation.name, z, result, own, labels)
    formula, condition = _WRITTEN[activation.name](float(z[0]), activation.arguments)
    values = {"z": z[0], **activation.arguments}
    used = {name: values[name] for name in formulas.names(formula) & values.keys()}
    return Step(activation.name, formula, used, result[0], condition)


def _shared(name: str, z: np.ndarray, result: np.ndarray, own: int, labels: tuple[str, ...]) -> Step:
    with np.errstate(all="ignore"):
        largest = z.max()
        powers = np.exp(z - largest)
        values = {"z": z[own], "largest": largest, "sum": powers.sum()}
    formula = "exp(z - largest) / sum" if name == "softmax" else "z - largest - log(sum)"
    shares = Shares(z, powers, result, own, labels or tuple(str(i) for i in range(len(z))))
    return Step(name, formula, values, result[own], shares=shares)


# What each activation computes ------------------------------------------------------------------

Arguments = Mapping[str, Any]
Branch = tuple[str, str]
"""The formula that holds for a number, and the condition under which it does."""


def _relu(z: float, arguments: Arguments) -> Branch:
    most, slope = arguments.get("max_value"), float(arguments.get("negative_slope") or 0)
    start = float(arguments.get("threshold") or 0)
    kept = "z" if most is None else f"min(max(z, 0), {float(most)!r})"
    if not start and not slope:
        return ("max(z, 0)" if most is None else kept), ""
    if not z <= start:
        return kept, f"z > {short(start)}"
    below = "z" if not start else f"(z - {start!r})"
    return (f"{slope!r} * {below}" if slope else "0"), f"z <= {short(start)}"


def _leaky(z: float, arguments: Arguments) -> Branch:
    slope = float(arguments.get("negative_slope", 0.2))
    return ("z", "z > 0") if z > 0 else (f"{slope!r} * z", "z <= 0")


def _prelu(z: float, arguments: Arguments) -> Branch:
    return ("z", "z > 0") if z > 0 else ("alpha * z", "z <= 0")


def _elu(z: float, arguments: Arguments) -> Branch:
    if z > 0:
        return "z", "z > 0"
    alpha = float(arguments.get("alpha", 1.0))
    return "exp(z) - 1" if alpha == 1 else f"{alpha!r} * (exp(z) - 1)", "z <= 0"


def _selu(z: float, arguments: Arguments) -> Branch:
    if z > 0:
        return f"{SELU_SCALE} * z", "z > 0"
    return f"{SELU_SCALE} * {SELU_ALPHA} * (exp(z) - 1)", "z <= 0"


def _celu(z: float, arguments: Arguments) -> Branch:
    alpha = float(arguments.get("alpha", 1.0))
    if alpha == 1:
        return _elu(z, arguments)
    return ("z", "z > 0") if z > 0 else (f"{alpha!r} * (exp(z / {alpha!r}) - 1)", "z <= 0")


def _gelu(z: float, arguments: Arguments) -> Branch:
    if arguments.get("approximate"):
        return "z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z * z * z)))", ""
    return "z / 2 * erfc(-z / sqrt(2))", ""


def _always(formula: str) -> Any:
    return lambda z, arguments: (formula, "")


_WRITTEN: Mapping[str, Any] = {
    "linear": _always("z"),
    "relu": _relu,
    "relu6": _always("min(max(z, 0), 6)"),
    "leaky_relu": _leaky,
    "prelu": _prelu,
    "elu": _elu,
    "selu": _selu,
    "celu": _celu,
    "gelu": _gelu,
    "silu": _always("z / (1 + exp(-z))"),
    "hard_silu": _always("z * min(max(z + 3, 0), 6) / 6"),
    "mish": _always("z * tanh(log(1 + exp(z)))"),
    "sigmoid": _always("1 / (1 + exp(-z))"),
    "hard_sigmoid": _always("min(max(z + 3, 0), 6) / 6"),
    "tanh": _always("tanh(z)"),
    "softplus": _always("log(1 + exp(z))"),
    "softsign": _always("z / (1 + abs(z))"),
    "exponential": _always("exp(z)"),
}


# What normalisations prepare --------------------------------------------------------------------


def batch_norm_steps(
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    epsilon: float,
) -> tuple[Step, Step]:
    """The scale and the shift of one channel; arrays are (1,)."""
    scale, shift = ops.batch_norm_affine(mean, variance, gamma, beta, epsilon=epsilon)
    inputs = {"variance": variance[0], "epsilon": epsilon}
    if gamma is not None:
        inputs = {"gamma": gamma[0], **inputs}
    moved = {"mean": mean[0], "scale": scale[0]}
    if beta is not None:
        moved = {"beta": beta[0], **moved}
    return (
        Step("scale", f"{'1' if gamma is None else 'gamma'} / sqrt(variance + epsilon)", inputs, scale[0]),
        Step("shift", f"{'' if beta is None else 'beta '}-mean * scale", moved, shift[0]),
    )


def normalization_steps(mean: Any, variance: Any, invert: bool) -> tuple[Step, ...]:
    """The scale and the shift that a Normalization amounts to, or the scale alone if it is undone."""
    with np.errstate(all="ignore"):
        # The same lower bound as in ops.normalize.
        deviation = np.maximum(np.sqrt(variance), mean.dtype.type(1e-7))
        step = Step("deviation", "max(sqrt(variance), 1e-07)", {"variance": variance}, deviation)
        if invert:
            return (step,)
        scale = 1 / deviation
        shift = -mean * scale
    return (
        step,
        Step("scale", "1 / deviation", {"deviation": deviation}, scale),
        Step("shift", "-mean * scale", {"mean": mean, "scale": scale}, shift),
    )
