"""Activation functions, said once: the op, how it is written out, its rounding, what the browser does.

Follows Keras 3's names and its ways of writing an activation down: a name, a function, a layer.
Functions of the user's own are refused: nothing from a file is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.options import Options
from cnnviz.layers.sparsemax_rounding import sparsemax_allowance
from cnnviz.numbers import brief, short
from cnnviz.ops.rectifiers import SELU_ALPHA, SELU_SCALE

Arguments = Mapping[str, Any]
Branch = tuple[str, str]
"""The formula that holds for a number, and the condition under which it does ("" is always)."""
Magnitude = Callable[[np.ndarray, np.ndarray, Arguments], np.ndarray]

ELEMENTARY = 8
"""Roundings that one exp, log, tanh, ... counts for: NumPy tests its float32 functions to 4 units in
the last place (numpy/_core/tests/test_umath_accuracy.py), and such a unit is at most 2u."""
SIGMOID = ELEMENTARY + 2
"""Roundings of a sigmoid: exp, sum, quotient."""


@dataclass(frozen=True)
class Activation:
    """An activation function: the name of an op and the arguments it is called with.

    >>> Activation("relu", {"max_value": 6.0})(np.array([-1.0, 3.0, 9.0]))
    array([0., 3., 6.])
    """

    name: str
    arguments: Arguments = field(default_factory=dict)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return getattr(ops, self.name)(x, **self.arguments)

    def gradient(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """From the gradient with respect to the result to that with respect to x."""
        return getattr(ops, f"{self.name}_grad")(x, grad, **self.arguments)

    def code(self, z: str, library: str = "cnnviz", arguments: Mapping[str, str] | None = None) -> str:
        """A Python expression of it; `arguments` are given as expressions, else its own as literals."""
        given = arguments if arguments is not None else {k: repr(v) for k, v in self.arguments.items()}
        named = [z, *(f"{name}={value}" for name, value in given.items())]
        return f"{'ops' if library == 'cnnviz' else 'keras.activations'}.{self.name}({', '.join(named)})"

    def serialized(self) -> Any:
        """What Keras writes for it: its name, or a layer; ValueError where Keras has neither."""
        if not self.arguments:
            return self.name
        for kind, (function, options) in ACTIVATION_LAYERS.items():
            if function == self.name and self.arguments.keys() <= options.keys():
                config = dict(self.arguments)
                return {
                    "module": "keras.layers",
                    "class_name": kind,
                    "config": config,
                    "registered_name": None,
                }
        raise ValueError(f"Keras has no activation {self}: take one of keras.activations by its name")

    @property
    def function(self) -> Function:
        """What there is to know about it."""
        return FUNCTIONS[self.name]

    @property
    def axis(self) -> int | None:
        """The axis, counted with the batch, whose numbers it mixes; None if it takes each by itself."""
        return self.arguments.get("axis", -1) if self.function.mixes else None

    def written(self, z: float) -> Branch:
        """The formula that holds for a number z, and the condition under which it does.

        >>> Activation("relu").written(-0.5), Activation("elu").written(-0.5)
        (('max(z, 0)', ''), ('exp(z) - 1', 'z <= 0'))
        """
        form = self.function.written
        return (form, "") if isinstance(form, str) else form(z, self.arguments)

    def written_slope(self, z: float) -> Branch:
        """The formula of its derivative at a number z, and the condition; "" where only its value is given.

        >>> Activation("sigmoid").written_slope(0.5)
        ('1 / ((1 + exp(-z)) * (1 + exp(z)))', '')
        """
        form = self.function.slope
        return (form, "") if isinstance(form, str) else form(z, self.arguments)

    @property
    def steepest(self) -> float:
        """The largest |slope|, that of the arguments included; in the maximum norm where it mixes."""
        slopes = [self.arguments.get(name, 0.0) for name in ("negative_slope", "alpha")]
        return max(self.function.steepest, *(float(np.abs(slope).max()) for slope in slopes))

    def __str__(self) -> str:
        shown = (f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.name}({', '.join(shown)})" if self.arguments else self.name


# How each is written out ------------------------------------------------------------------------


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


def _pieces(z: float, below: str, above: str = "z") -> Branch:
    return (above, "z > 0") if z > 0 else (below, "z <= 0")


def _leaky(z: float, arguments: Arguments) -> Branch:
    return _pieces(z, f"{float(arguments.get('negative_slope', 0.2))!r} * z")


def _prelu(z: float, arguments: Arguments) -> Branch:
    return _pieces(z, "alpha * z")


def _elu(z: float, arguments: Arguments) -> Branch:
    alpha = float(arguments.get("alpha", 1.0))
    return _pieces(z, "exp(z) - 1" if alpha == 1 else f"{alpha!r} * (exp(z) - 1)")


def _selu(z: float, arguments: Arguments) -> Branch:
    return _pieces(z, f"{SELU_SCALE} * {SELU_ALPHA} * (exp(z) - 1)", above=f"{SELU_SCALE} * z")


def _celu(z: float, arguments: Arguments) -> Branch:
    alpha = float(arguments.get("alpha", 1.0))
    if alpha == 1:
        return _elu(z, arguments)
    return _pieces(z, f"{alpha!r} * (exp(z / {alpha!r}) - 1)")


def _gelu(z: float, arguments: Arguments) -> Branch:
    if arguments.get("approximate"):
        return "z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z * z * z)))", ""
    return "z / 2 * erfc(-z / sqrt(2))", ""


def _hard_shrink(z: float, arguments: Arguments) -> Branch:
    least = float(arguments.get("threshold", 0.5))
    return ("z", f"abs(z) > {least!r}") if abs(z) > least else ("0", f"abs(z) <= {least!r}")


def _soft_shrink(z: float, arguments: Arguments) -> Branch:
    least = float(arguments.get("threshold", 0.5))
    if abs(z) > least:
        return (f"z - {least!r}", f"z > {least!r}") if z > 0 else (f"z + {least!r}", f"z < {-least!r}")
    return "0", f"abs(z) <= {least!r}"


def _threshold(z: float, arguments: Arguments) -> Branch:
    least, rest = float(arguments["threshold"]), float(arguments["default_value"])
    return ("z", f"z > {least!r}") if z > least else (repr(rest), f"z <= {least!r}")


def _squareplus(z: float, arguments: Arguments) -> Branch:
    return f"(z + sqrt(z * z + {float(arguments.get('b', 4))!r})) / 2", ""


def _sparse_plus(z: float, arguments: Arguments) -> Branch:
    if z >= 1:
        return "z", "z >= 1"
    return ("(z + 1) * (z + 1) / 4", "-1 < z < 1") if z > -1 else ("0", "z <= -1")


# How the derivative of each is written out; that of straight pieces is a number -------------------------


def _elu_derivative(z: float, arguments: Arguments) -> Branch:
    alpha = float(arguments.get("alpha", 1.0))
    return _pieces(z, "exp(z)" if alpha == 1 else f"{alpha!r} * exp(z)", above="1")


def _selu_derivative(z: float, arguments: Arguments) -> Branch:
    if z >= 0:
        return f"{SELU_SCALE}", "z >= 0"
    return f"{SELU_SCALE} * {SELU_ALPHA} * exp(z)", "z < 0"


def _celu_derivative(z: float, arguments: Arguments) -> Branch:
    return _pieces(z, f"exp(z / {float(arguments.get('alpha', 1.0))!r})", above="1")


def _gelu_derivative(z: float, arguments: Arguments) -> Branch:
    if not arguments.get("approximate"):
        return "erfc(-z / sqrt(2)) / 2 + z * exp(-z * z / 2) / sqrt(2 * pi)", ""
    inner = "sqrt(2 / pi) * (z + 0.044715 * z * z * z)"
    rate = "sqrt(2 / pi) * (1 + 3 * 0.044715 * z * z)"
    return f"(1 + tanh({inner})) / 2 + z / 2 * {rate} / (cosh({inner}) * cosh({inner}))", ""


def _hard_silu_derivative(z: float, arguments: Arguments) -> Branch:
    if -3 < z < 3:
        return "(2 * z + 3) / 6", "-3 < z < 3"
    return ("1", "z >= 3") if z > 0 else ("0", "z <= -3")


def _squareplus_derivative(z: float, arguments: Arguments) -> Branch:
    return f"(1 + z / sqrt(z * z + {float(arguments.get('b', 4))!r})) / 2", ""


def _sparse_plus_derivative(z: float, arguments: Arguments) -> Branch:
    if z >= 1:
        return "1", "z >= 1"
    return ("(z + 1) / 2", "-1 < z < 1") if z > -1 else ("0", "z <= -1")


_MISH = "log(1 + exp(z))"

# Where a function jumps: how far from the jump a number is, and how high it is ---------------------


def _hard_shrink_jump(z: np.ndarray, arguments: Arguments) -> tuple[np.ndarray, float]:
    least = float(arguments.get("threshold", 0.5))
    return np.abs(np.abs(z) - least), least


def _threshold_jump(z: np.ndarray, arguments: Arguments) -> tuple[np.ndarray, float]:
    least, rest = float(arguments["threshold"]), float(arguments["default_value"])
    return np.abs(z - least), abs(least - rest)


# On what numbers the roundings of a gradient fall -------------------------------------------------


def _slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """The derivative itself: every factor of it is off by a few roundings."""
    return slope


def _celu_slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """x / alpha is rounded before its exponential is taken."""
    return slope * (1 + np.abs(np.minimum(x, 0) / arguments.get("alpha", 1.0)))


def _gelu_slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """The share below x and x times the density, each at an argument that has been rounded."""
    if arguments.get("approximate"):
        far = np.clip(x, -100, 100)
        z = np.sqrt(8 / np.pi) * np.abs(far + 0.044715 * far**3)
        rate = np.sqrt(8 / np.pi) * (1 + 3 * 0.044715 * far**2)
        s, t = special.expit(np.sign(x) * z), special.expit(np.sign(x) * -z)
        return s * (1 + z * t) + np.abs(far) * rate * s * t * (1 + z)
    density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return special.ndtr(x) + np.abs(x) * density * (2 + 0.5 * x * x)


def _silu_slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """Both terms of sigmoid(x) * (1 + x * sigmoid(-x)), which cancel for negative x."""
    return special.expit(x) * (1 + np.abs(x) * special.expit(-x))


def _hard_silu_slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """Both terms, which cancel for negative x."""
    return ops.hard_sigmoid(x) + np.where(np.abs(x) < 3, np.abs(x) / 6, 0)


def _mish_slope(x: np.ndarray, slope: np.ndarray, arguments: Arguments) -> np.ndarray:
    """Both terms; the softplus s has been rounded, by which 1/cosh(s)**2 changes 2*s times as much."""
    s = ops.softplus(x)
    decline = 4 * special.expit(2 * s) * special.expit(-2 * s)
    return np.tanh(s) + np.abs(x) * special.expit(x) * decline * (1 + 2 * s)


# The table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """What there is to know about one activation function.

    Parameters
    ----------
    written
        A Python expression of z, or a function of z and the arguments that gives a `Branch`.
    steepest
        The largest |slope|; in the maximum norm where it mixes.
    kinked
        Whether it consists of straight pieces, so that its argument is not rounded on the way.
    through_one
        Whether it may be computed as exp(x) - 1 or log(1 + exp(x)), which rounds a number near 1.
    mixes
        Whether it takes all numbers along an axis together.
    label
        The name by which people know it, where that is not the op's.
    roundings, magnitude
        How many roundings its derivative passes, and on what numbers.
    slope
        Its derivative, as `written`; "" where it consists of straight pieces.
    exact
        Whether the browser computes it to the last bit, without a transcendental function.
    jump
        Where it jumps: how far each number is from there, and how high it is.
    apart
        How far two evaluations may lie apart, where the above does not say it: of the numbers, how far
        those may, the axis, and the unit roundoff.
    """

    written: str | Callable[[float, Arguments], Branch]
    steepest: float = 1.0
    kinked: bool = False
    through_one: bool = False
    mixes: bool = False
    label: str = ""
    roundings: int = 0
    magnitude: Magnitude = _slope
    slope: str | Callable[[float, Arguments], Branch] = ""
    exact: bool = False
    jump: Callable[[np.ndarray, Arguments], tuple[np.ndarray, float]] | None = None
    apart: Callable[[np.ndarray, np.ndarray, int, float], np.ndarray] | None = None


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "linear": Function("z", kinked=True, exact=True),
        # Slope cast, product.
        "relu": Function(_relu, kinked=True, exact=True, label="ReLU", roundings=2),
        "relu6": Function("min(max(z, 0), 6)", kinked=True, exact=True, label="ReLU6"),
        "leaky_relu": Function(_leaky, kinked=True, exact=True, label="leaky ReLU", roundings=2),
        "prelu": Function(_prelu, kinked=True, exact=True, label="PReLU", roundings=1),
        # exp; alpha cast, two products.
        "elu": Function(_elu, through_one=True, label="ELU", roundings=ELEMENTARY + 3, slope=_elu_derivative),
        "selu": Function(_selu, 1.7581, through_one=True, roundings=ELEMENTARY + 3, slope=_selu_derivative),
        # alpha cast, quotient; exp; product.
        "celu": Function(
            _celu, through_one=True, roundings=ELEMENTARY + 3, magnitude=_celu_slope, slope=_celu_derivative
        ),
        # Sigmoid twice; z: 7; the slope's other factors: 5.
        "gelu": Function(
            _gelu, 1.1290, roundings=2 * SIGMOID + 12, magnitude=_gelu_slope, slope=_gelu_derivative
        ),
        # Sigmoid twice; three products, sum.
        "silu": Function(
            "z / (1 + exp(-z))",
            1.0999,
            roundings=2 * SIGMOID + 4,
            magnitude=_silu_slope,
            slope="(1 + z / (1 + exp(z))) / (1 + exp(-z))",
        ),
        # Sum, quotient; quotient; sum, product.
        "hard_silu": Function(
            "z * min(max(z + 3, 0), 6) / 6",
            1.5,
            roundings=5,
            magnitude=_hard_silu_slope,
            slope=_hard_silu_derivative,
        ),
        # Softplus; three sigmoids; six more.
        "mish": Function(
            "z * tanh(log(1 + exp(z)))",
            1.0885,
            through_one=True,
            roundings=2 * ELEMENTARY + 1 + 3 * SIGMOID + 6,
            magnitude=_mish_slope,
            slope=f"tanh({_MISH}) + z / (1 + exp(-z)) / (cosh({_MISH}) * cosh({_MISH}))",
        ),
        # Sigmoid twice; two products.
        "sigmoid": Function(
            "1 / (1 + exp(-z))", 0.25, roundings=2 * SIGMOID + 2, slope="1 / ((1 + exp(-z)) * (1 + exp(z)))"
        ),
        # Quotient.
        "hard_sigmoid": Function("min(max(z + 3, 0), 6) / 6", 1 / 6, roundings=1),
        # Sigmoid twice; three products.
        "tanh": Function("tanh(z)", roundings=2 * SIGMOID + 3, slope="1 / (cosh(z) * cosh(z))"),
        # Sigmoid; product.
        "softplus": Function(
            "log(1 + exp(z))", through_one=True, roundings=SIGMOID + 1, slope="1 / (1 + exp(-z))"
        ),
        # Sum, counted twice in its square; square; quotient.
        "softsign": Function("z / (1 + abs(z))", roundings=4, slope="1 / ((1 + abs(z)) * (1 + abs(z)))"),
        # exp; product. It has no steepest slope: the result is the slope.
        "exponential": Function("exp(z)", np.inf, roundings=ELEMENTARY + 1, slope="exp(z)"),
        "hard_tanh": Function("min(max(z, -1), 1)", kinked=True, exact=True),
        "hard_shrink": Function(_hard_shrink, kinked=True, exact=True, jump=_hard_shrink_jump),
        "soft_shrink": Function(_soft_shrink, kinked=True, exact=True),
        "threshold": Function(_threshold, kinked=True, exact=True, jump=_threshold_jump),
        # tanh, counted twice in its square; square, product.
        "tanh_shrink": Function("z - tanh(z)", roundings=2 * ELEMENTARY + 2, slope="tanh(z) * tanh(z)"),
        # b cast, also in its root; the hypotenuse, twice; sum, two products, quotient, product.
        "squareplus": Function(_squareplus, roundings=2 + 2 * ELEMENTARY + 5, slope=_squareplus_derivative),
        # Sum; two products.
        "sparse_plus": Function(_sparse_plus, roundings=3, slope=_sparse_plus_derivative),
        "sparse_sigmoid": Function("min(max((z + 1) / 2, 0), 1)", 0.5),
        # Sigmoid; product.
        "log_sigmoid": Function(
            "-log(1 + exp(-z))", through_one=True, roundings=SIGMOID + 1, slope="1 / (1 + exp(z))"
        ),
        "softmax": Function("exp(z - largest) / sum", mixes=True),
        "log_softmax": Function("z - largest - log(sum)", 2.0, mixes=True),
        "sparsemax": Function("max(z - threshold, 0)", mixes=True, apart=sparsemax_allowance),
    }
)
"""Every activation function that cnnviz computes, by the name of its op."""

ACTIVATIONS = MappingProxyType(
    {name: name for name in FUNCTIONS if name not in ("prelu", "threshold")}
    | {"swish": "silu", "hard_swish": "hard_silu"}
)
"""The activations that Keras knows by name, each with the op that computes it."""

REFUSED_ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "glu": "it halves its axis, which Keras leaves out of the layer's output shape; put keras.ops.glu or "
        "Activation('glu') behind the layer",
        "threshold": "it has no defaults, so that a name alone does not say it",
    }
)
"""Those of keras.activations that are not read by name, and why."""

ACTIVATION_LAYERS: Mapping[str, tuple[str, Options]] = MappingProxyType(
    {
        "ReLU": (
            "relu",
            {
                "max_value": (read.optional(read.number), None),
                "negative_slope": (read.number, 0.0),
                "threshold": (read.number, 0.0),
            },
        ),
        "LeakyReLU": ("leaky_relu", {"negative_slope": (read.number, 0.3)}),
        "ELU": ("elu", {"alpha": (read.number, 1.0)}),
        "Softmax": ("softmax", {"axis": (read.axis, -1)}),
    }
)
"""Keras's activation layers without weights: the op of each, and its options."""


def parse_activation(value: Any, name: str = "activation") -> Activation | None:
    """An activation as Keras writes it: None, a name, or a serialised function or layer.

    >>> str(parse_activation("swish")), parse_activation("linear")
    ('silu', None)
    """
    if value is None or isinstance(value, Activation):
        return value
    if isinstance(value, Mapping):
        function, config = value.get("class_name"), value.get("config")
        module = value.get("module")
        if module not in (None, "builtins") and not is_keras(module):
            raise ValueError(
                f"{name} is custom code ({module!r}), which is never run: "
                "put one of keras.activations in its place"
            )
        if function == "function":
            return parse_activation(config, name)
        if function == "Activation" and isinstance(config, Mapping):
            return parse_activation(config.get("activation"), name)
        if function == "PReLU":
            raise ValueError(f"{name} is a PReLU, which has weights of its own; make it a layer of its own")
        if (
            not isinstance(function, str)
            or function not in ACTIVATION_LAYERS
            or not isinstance(config, Mapping)
        ):
            raise ValueError(_unknown(name, function))
        op, options = ACTIVATION_LAYERS[function]
        return Activation(op, read.all_of(options, config))
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ValueError(_unknown(name, value))
    return None if value == "linear" else Activation(ACTIVATIONS[value])


def _unknown(name: str, value: Any) -> str:
    if isinstance(value, str) and value in REFUSED_ACTIVATIONS:
        return f"{name}={value!r} is not supported: {REFUSED_ACTIVATIONS[value]}"
    known = "must be one of keras.activations, which cnnviz knows by name, such as 'relu'"
    return f"{name} {known}, got {brief(value)}"


def is_keras(module: Any) -> bool:
    """Whether a serialised object says that it is Keras's own."""
    return isinstance(module, str) and module.split(".")[0] == "keras"
