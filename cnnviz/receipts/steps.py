"""Steps: what follows a sum (activations, written out), and what precedes it (scale and shift).

Each step is a formula with the numbers in it and its result; results come from the engine's own
functions. The formulas are those of `cnnviz.layers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.operands import Equation
from cnnviz.numbers import short
from cnnviz.ops.shrinking import sparsemax_threshold, sparsemax_threshold_slopes
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
class Derivation(Equation):
    """An equation beside the sum of products that can be written out; an activation is one too.

    Parameters
    ----------
    condition
        When this branch of the function holds: "z > 0".
    line
        Of a function that takes all numbers along an axis: those, and which of them is meant.
    shares
        For a softmax: all entries along its axis.
    """

    condition: str = ""
    line: tuple[np.ndarray, int] | None = field(default=None, repr=False)
    shares: Shares | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The formula, with names and then with numbers, and the result.

        >>> print(activation_step(Activation("relu"), np.float32([-0.5])))
        relu = max(z, 0) = max(-0.5, 0) = 0
        """
        return f"{self.name} = {self.equation}"

    @property
    def equation(self) -> str:
        """The same without its name."""
        done = formulas.text(self.formula) == short(self.result)
        return " = ".join(self.written() if done else [*self.written(), short(self.result)])

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


def activation_step(activation: Activation, z: Any, own: int = 0, labels: tuple[str, ...] = ()) -> Derivation:
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
    Derivation
    """
    z = np.asarray(z)
    result = activation(z)
    if activation.axis is not None:
        return _shared(activation, z, result, own, labels)
    formula, condition = activation.written(float(z[0]))
    values = {"z": z[0], **activation.arguments}
    used = {name: values[name] for name in formulas.names(formula) & values.keys()}
    return Derivation(activation.name, formula, used, result[0], condition)


def slope_steps(activation: Activation, z: Any, back: Any, own: int = 0) -> tuple[Derivation, ...]:
    """From the gradient with respect to an activation's result to that with respect to its argument.

    Parameters
    ----------
    activation
        The function; an alpha is a single number here.
    z, back
        (1,): the argument, and what came back to the result; for a softmax all (n,) along its axis.
    own
        Which of them is meant.
    """
    name, result = activation.name, activation.gradient(z, back)[own]
    if activation.axis is not None:
        if name == "sparsemax":
            with np.errstate(all="ignore"):
                passed = np.where(z - sparsemax_threshold(z) >= 0, back, 0)
            slope = sparsemax_threshold_slopes(z)[own]
            values = {"passed": passed[own], "slope": slope, "sum": passed.sum()}
            return (Derivation(f"through {name}", "passed - slope * sum", values, result),)
        share = activation(z)
        if name == "softmax":
            with np.errstate(all="ignore"):
                values = {"result": share[own], "back": back[own], "mean": (share * back).sum()}
            return (Derivation(f"through {name}", "result * (back - mean)", values, result),)
        with np.errstate(all="ignore"):
            values = {"back": back[own], "share": np.exp(share)[own], "sum": back.sum()}
        return (Derivation(f"through {name}", "back - share * sum", values, result),)
    slope = activation.gradient(z, np.ones_like(back))[own]
    formula, condition = activation.written_slope(float(z[0]))
    if not formula:
        formula, condition = short(slope), f"z = {short(z[0])}"
    named = {"z": z[0], "slope": slope, **activation.arguments}
    used = {each: named[each] for each in formulas.names(formula) & named.keys()}
    return (
        Derivation(f"slope of {name}", formula, used, slope, condition),
        Derivation(f"through {name}", "sum * slope", {"sum": back[0], "slope": slope}, result),
    )


def _shared(
    activation: Activation, z: np.ndarray, result: np.ndarray, own: int, labels: tuple[str, ...]
) -> Derivation:
    formula, _ = activation.written(float(z[own]))
    if activation.name == "sparsemax":
        values = {"z": z[own], "threshold": sparsemax_threshold(z)[0]}
        return Derivation(activation.name, formula, values, result[own], line=(z, own))
    with np.errstate(all="ignore"):
        largest = z.max()
        powers = np.exp(z - largest)
        values = {"z": z[own], "largest": largest, "sum": powers.sum()}
    shares = Shares(z, powers, result, own, labels or tuple(str(i) for i in range(len(z))))
    return Derivation(activation.name, formula, values, result[own], line=(z, own), shares=shares)
