"""The rules of operations cell by cell, and each of them as a function of one number.

A rule is NumPy's function of that name, its slopes, and the formula. Slopes follow TensorFlow's gradients
where there is a choice: at the border of a clip they are 1, of equals the first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from cnnviz.layers.activations import ELEMENTARY, Activation, Branch, Function
from cnnviz.layers.layer import literal

ONE, TWO = ("x",), ("x1", "x2")


@dataclass(frozen=True)
class Elementwise:
    """What there is to know about one operation.

    Parameters
    ----------
    formula
        Of its arguments, in Python.
    slopes
        A function of the result and the arguments: how fast the result grows with each of them.
    roundings
        How many the result passes, on numbers of its own size; a slope passes as many and three more.
    parameters
        The arguments of its call.
    compute
        Where it is not NumPy's function of that name.
    signs
        Where the result is a sum: those of the arguments.
    merge
        The layer class that does the same with two tensors.
    decides
        Whether the result is true or false, which are 1 and 0.
    made_with
        The arguments that Keras takes when the operation is made, not when it is called.
    """

    formula: str
    slopes: Callable[..., tuple[Any, ...]]
    roundings: int = ELEMENTARY
    parameters: tuple[str, ...] = ONE
    compute: Callable[..., Any] | None = None
    signs: tuple[int, ...] = ()
    merge: str = ""
    decides: bool = False
    made_with: tuple[str, ...] = ()


def none(y: Any, *arguments: Any) -> tuple[Any, ...]:
    """Of what goes up and down in steps, through which TensorFlow lets no gradient come back."""
    return (0.0,) * len(arguments)


def _power(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    # x**0 is 1 everywhere, and 0**x is 0.
    return np.where(b == 0, 0, b * np.power(a, b - 1)), np.where(a > 0, y * np.log(np.where(a > 0, a, 1)), 0)


def _compared(sign: str) -> Elementwise:
    return Elementwise(f"x1 {sign} x2", none, 0, TWO, decides=True)


ELEMENTWISE: Mapping[str, Elementwise] = MappingProxyType(
    {
        # Of one or two tensors.
        "add": Elementwise("x1 + x2", lambda y, a, b: (1, 1), 1, TWO, signs=(1, 1), merge="Add"),
        "subtract": Elementwise("x1 - x2", lambda y, a, b: (1, -1), 1, TWO, signs=(1, -1), merge="Subtract"),
        "multiply": Elementwise("x1 * x2", lambda y, a, b: (b, a), 1, TWO, merge="Multiply"),
        "divide": Elementwise("x1 / x2", lambda y, a, b: (1 / b, -a / b / b), 2, TWO),
        "true_divide": Elementwise("x1 / x2", lambda y, a, b: (1 / b, -a / b / b), 2, TWO),
        "power": Elementwise("pow(x1, x2)", _power, 2 * ELEMENTARY, TWO),
        "maximum": Elementwise(
            "max(x1, x2)", lambda y, a, b: (a >= b, np.logical_not(a >= b)), 0, TWO, merge="Maximum"
        ),
        "minimum": Elementwise(
            "min(x1, x2)", lambda y, a, b: (a <= b, np.logical_not(a <= b)), 0, TWO, merge="Minimum"
        ),
        "floor_divide": Elementwise("floor(x1 / x2)", none, 0, TWO, lambda a, b: np.floor(a / b)),
        "mod": Elementwise("mod(x1, x2)", lambda y, a, b: (1, -np.floor(a / b)), 2, TWO),
        "arctan2": Elementwise(
            "atan2(x1, x2)", lambda y, a, b: (b / (a * a + b * b), -a / (a * a + b * b)), parameters=TWO
        ),
        # Which is true is 1, which is false is 0.
        "greater": _compared(">"),
        "greater_equal": _compared(">="),
        "less": _compared("<"),
        "less_equal": _compared("<="),
        "equal": _compared("=="),
        "not_equal": _compared("!="),
        "logical_and": _compared("and"),
        "logical_or": _compared("or"),
        "logical_not": Elementwise("not x", none, 0, decides=True),
        "where": Elementwise(
            "x1 if condition else x2",
            lambda y, c, a, b: (0, c != 0, c == 0),
            0,
            ("condition", *TWO),
            lambda c, a, b: np.where(c != 0, a, b),
        ),
        # Of one.
        "negative": Elementwise("-x", lambda y, x: (-1,), 0, signs=(-1,)),
        "absolute": Elementwise("abs(x)", lambda y, x: (np.sign(x),), 0),
        "sign": Elementwise("sign(x)", lambda y, x: (0.0,), 0),
        "floor": Elementwise("floor(x)", none, 0),
        "ceil": Elementwise("ceil(x)", none, 0),
        "trunc": Elementwise("trunc(x)", none, 0),
        "round": Elementwise("round(x)", none, 0),
        "clip": Elementwise(
            "min(max(x, x_min), x_max)",
            lambda y, x, low, high: ((x >= low) & (x <= high), 0, 0),
            0,
            ("x", "x_min", "x_max"),
            made_with=("x_min", "x_max"),
        ),
        "square": Elementwise("x * x", lambda y, x: (2 * x,), 1),
        "reciprocal": Elementwise("1 / x", lambda y, x: (-1 / (x * x),), 1),
        "sqrt": Elementwise("sqrt(x)", lambda y, x: (0.5 / y,), 1),
        "rsqrt": Elementwise("1 / sqrt(x)", lambda y, x: (-0.5 * y / x,), compute=lambda x: 1 / np.sqrt(x)),
        "exp": Elementwise("exp(x)", lambda y, x: (y,)),
        "expm1": Elementwise("expm1(x)", lambda y, x: (np.exp(x),)),
        "log": Elementwise("log(x)", lambda y, x: (1 / x,)),
        "log2": Elementwise("log2(x)", lambda y, x: (1 / x / np.log(2),)),
        "log10": Elementwise("log10(x)", lambda y, x: (1 / x / np.log(10),)),
        "log1p": Elementwise("log1p(x)", lambda y, x: (1 / (1 + x),)),
        "sin": Elementwise("sin(x)", lambda y, x: (np.cos(x),)),
        "cos": Elementwise("cos(x)", lambda y, x: (-np.sin(x),)),
        "tan": Elementwise("tan(x)", lambda y, x: (1 + y * y,), 2 * ELEMENTARY),
        "arcsin": Elementwise("asin(x)", lambda y, x: (1 / np.sqrt(1 - x * x),)),
        "arccos": Elementwise("acos(x)", lambda y, x: (-1 / np.sqrt(1 - x * x),)),
        "arctan": Elementwise("atan(x)", lambda y, x: (1 / (1 + x * x),)),
        "sinh": Elementwise("sinh(x)", lambda y, x: (np.cosh(x),)),
        "cosh": Elementwise("cosh(x)", lambda y, x: (np.sinh(x),)),
        "erf": Elementwise(
            "erf(x)", lambda y, x: (np.exp(-x * x) * (2 / np.sqrt(np.pi)),), compute=special.erf
        ),
    }
)
"""Every operation cell by cell, by its function in keras.ops."""


@dataclass(frozen=True)
class Applied(Activation):
    """One of the rules as a function of one number, all other arguments being constants."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return computed(self.name, self._arguments(x))

    def gradient(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return products_with_slopes(self.name, self._arguments(x), grad)[self.place]

    @property
    def function(self) -> Function:
        rule = ELEMENTWISE[self.name]
        steps = rule.roundings + 3
        return Function(self._written, np.inf, kinked=True, roundings=steps)

    @cached_property
    def place(self) -> int:
        """Which of the rule's arguments is the number."""
        return next(
            i for i, name in enumerate(ELEMENTWISE[self.name].parameters) if name not in self.arguments
        )

    def _arguments(self, z: Any) -> list[Any]:
        dtype = z.dtype.type if isinstance(z, np.ndarray) else float
        names = ELEMENTWISE[self.name].parameters
        return [dtype(self.arguments[name]) if name in self.arguments else z for name in names]

    def _written(self, z: float, arguments: Mapping[str, Any]) -> Branch:
        rule = ELEMENTWISE[self.name]
        values = {name: f"({v!r})" if v < 0 else repr(v) for name, v in arguments.items()}
        formula = with_names(rule.formula, {**values, rule.parameters[self.place]: "z"})
        if rule.decides:
            return ("1", formula) if self(np.array(z)) else ("0", f"not {formula}")
        chosen, condition, other = re.fullmatch(r"(.+?)(?: if (.+) else (.+))?", formula).groups()  # type: ignore[union-attr]
        if condition is None:
            return formula, ""
        holds = (z if condition == "z" else float(condition.strip("()"))) != 0
        return (chosen, f"{condition} is not 0") if holds else (other, f"{condition} is 0")

    def code(self, z: str, library: str = "cnnviz", arguments: Mapping[str, str] | None = None) -> str:
        names = ELEMENTWISE[self.name].parameters
        given = [literal(self.arguments[name]) if name in self.arguments else z for name in names]
        return call_of(self.name, given, library)


def with_names(formula: str, names: Mapping[str, str]) -> str:
    """A formula with names exchanged, whole words: x_min, max and exp hold an x too.

    >>> with_names("min(max(x, x_min), x_max)", {"x": "z", "x_min": "0.0", "x_max": "1.0"})
    'min(max(z, 0.0), 1.0)'
    """
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found.group(), found.group()), formula)


def call_of(name: str, arguments: Sequence[str], library: str) -> str:
    """A call of NumPy's function, or of Keras's; where NumPy has none, the formula."""
    rule = ELEMENTWISE[name]
    if library == "keras":
        call = f"keras.ops.{name}({', '.join(arguments)})"
        return f'keras.ops.cast({call}, "float32")' if rule.decides else call
    if rule.decides:
        return f"np.{name}({', '.join(arguments)}).astype(np.float32)"
    if rule.compute is None:
        return f"np.{name}({', '.join(arguments)})"
    names = dict(zip(rule.parameters, arguments, strict=True))
    if name == "where":
        return f"np.where({names['condition']}, {names['x1']}, {names['x2']})"
    return with_names(rule.formula, {"sqrt": "np.sqrt", "floor": "np.floor", "erf": "special.erf", **names})


def computed(name: str, arguments: Sequence[Any]) -> np.ndarray:
    """The result, in the dtype of the arguments."""
    rule = ELEMENTWISE[name]
    dtype = np.result_type(*arguments)
    with np.errstate(all="ignore"):
        return np.asarray((rule.compute or getattr(np, name))(*arguments)).astype(dtype)


def slopes_of(name: str, arguments: Sequence[Any]) -> list[np.ndarray]:
    """How fast the result grows with each argument."""
    dtype = np.result_type(*arguments)
    with np.errstate(all="ignore"):
        slopes = ELEMENTWISE[name].slopes(computed(name, arguments), *arguments)
    return [np.asarray(slope, dtype) for slope in slopes]


def products_with_slopes(name: str, arguments: Sequence[Any], grad: np.ndarray) -> list[np.ndarray]:
    """The gradient with respect to each argument, before it is summed over what was broadcast."""
    with np.errstate(all="ignore"):
        return [grad * slope for slope in slopes_of(name, arguments)]
