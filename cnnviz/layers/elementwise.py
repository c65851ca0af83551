"""Operations cell by cell: arithmetic with numbers, arrays and tensors, and functions of one number.

Each is a short rule: NumPy's function of that name, its slopes, the formula. Of one tensor, what is linear
is a product and a sum; what is not is an activation. Several tensors must have as many axes each: by NumPy's
rule for arrays that differ there the batch of one would meet another axis.

Slopes follow TensorFlow's gradients where there is a choice: at the border of a clip they are 1, of equals
the first one counts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activation_layers import ActivationEntry
from cnnviz.layers.activations import ELEMENTARY, FUNCTIONS, Activation, Branch, Function
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Layer, literal
from cnnviz.layers.links import Expand, Links
from cnnviz.layers.operands import Operands, Position, one_number
from cnnviz.layers.options import Options
from cnnviz.layers.tensor_operations import OperationEntry, common, constant, kind_of
from cnnviz.ops.arguments import sum_to

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
    exact
        Whether the browser computes it to the last bit, if it is of one number.
    """

    formula: str
    slopes: Callable[..., tuple[Any, ...]]
    roundings: int = ELEMENTARY
    parameters: tuple[str, ...] = ONE
    compute: Callable[..., Any] | None = None
    signs: tuple[int, ...] = ()
    merge: str = ""
    decides: bool = False
    exact: bool = False


def _flat(y: Any, *arguments: Any) -> tuple[Any, ...]:
    """Of what goes up and down in steps."""
    return (0.0,) * len(arguments)


def _power(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    # x**0 is 1 everywhere, and 0**x is 0.
    return np.where(b == 0, 0, b * np.power(a, b - 1)), np.where(a > 0, y * np.log(np.where(a > 0, a, 1)), 0)


def _compared(sign: str) -> Elementwise:
    return Elementwise(f"x1 {sign} x2", _flat, 0, TWO, decides=True)


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
            "max(x1, x2)", lambda y, a, b: (a >= b, a < b), 0, TWO, merge="Maximum", exact=True
        ),
        "minimum": Elementwise(
            "min(x1, x2)", lambda y, a, b: (a <= b, a > b), 0, TWO, merge="Minimum", exact=True
        ),
        "floor_divide": Elementwise("floor(x1 / x2)", _flat, 0, TWO, lambda a, b: np.floor(a / b)),
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
        "logical_not": Elementwise("not x", _flat, 0, decides=True),
        "where": Elementwise(
            "x1 if condition else x2",
            lambda y, c, a, b: (0, c != 0, c == 0),
            0,
            ("condition", *TWO),
            lambda c, a, b: np.where(c != 0, a, b),
        ),
        # Of one.
        "negative": Elementwise("-x", lambda y, x: (-1,), 0, signs=(-1,)),
        "absolute": Elementwise("abs(x)", lambda y, x: (np.sign(x),), 0, exact=True),
        "sign": Elementwise("sign(x)", _flat, 0, exact=True),
        "floor": Elementwise("floor(x)", _flat, 0, exact=True),
        "ceil": Elementwise("ceil(x)", _flat, 0, exact=True),
        "trunc": Elementwise("trunc(x)", _flat, 0, exact=True),
        "round": Elementwise("round(x)", _flat, 0),
        "clip": Elementwise(
            "min(max(x, x_min), x_max)",
            lambda y, x, low, high: ((x >= low) & (x <= high), 0, 0),
            0,
            ("x", "x_min", "x_max"),
            exact=True,
        ),
        "square": Elementwise("x * x", lambda y, x: (2 * x,), 1, exact=True),
        "reciprocal": Elementwise("1 / x", lambda y, x: (-1 / (x * x),), 1, exact=True),
        "sqrt": Elementwise("sqrt(x)", lambda y, x: (0.5 / y,), 1, exact=True),
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
        return _computed(self.name, self._arguments(x))

    def gradient(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return _vjp(self.name, self._arguments(x), grad)[self.place]

    @property
    def function(self) -> Function:
        rule = ELEMENTWISE[self.name]
        steps = rule.roundings + 3
        return Function(self._written, np.inf, kinked=True, roundings=steps, exact=rule.exact)

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
        formula = _replaced(rule.formula, {**values, rule.parameters[self.place]: "z"})
        if rule.decides:
            return ("1", formula) if self(np.array(z)) else ("0", f"not {formula}")
        chosen, condition, other = re.fullmatch(r"(.+?)(?: if (.+) else (.+))?", formula).groups()  # type: ignore[union-attr]
        if condition is None:
            return formula, ""
        holds = (z if condition == "z" else float(condition)) != 0
        return (chosen, f"{condition} is not 0") if holds else (other, f"{condition} is 0")

    def code(self, z: str, library: str = "cnnviz", arguments: Mapping[str, str] | None = None) -> str:
        names = ELEMENTWISE[self.name].parameters
        given = [literal(self.arguments[name]) if name in self.arguments else z for name in names]
        return _call(self.name, given, library)


def _replaced(formula: str, names: Mapping[str, str]) -> str:
    """A formula with names exchanged, the longer ones first: x_min holds an x, as do max and exp.

    >>> _replaced("min(max(x, x_min), x_max)", {"x": "z", "x_min": "0.0", "x_max": "1.0"})
    'min(max(z, 0.0), 1.0)'
    """
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found.group(), found.group()), formula)


def _call(name: str, arguments: Sequence[str], library: str) -> str:
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
    return _replaced(rule.formula, {"sqrt": "np.sqrt", "floor": "np.floor", "erf": "special.erf", **names})


def _computed(name: str, arguments: Sequence[Any]) -> np.ndarray:
    """The result, in the dtype of the arguments."""
    rule = ELEMENTWISE[name]
    dtype = np.result_type(*arguments)
    with np.errstate(all="ignore"):
        return np.asarray((rule.compute or getattr(np, name))(*arguments)).astype(dtype)


def _slopes(name: str, arguments: Sequence[Any]) -> list[np.ndarray]:
    dtype = np.result_type(*arguments)
    with np.errstate(all="ignore"):
        slopes = ELEMENTWISE[name].slopes(_computed(name, arguments), *arguments)
    return [np.asarray(slope, dtype) for slope in slopes]


def _vjp(name: str, arguments: Sequence[Any], grad: np.ndarray) -> list[np.ndarray]:
    """The gradient with respect to each argument, before it is summed over what was broadcast."""
    with np.errstate(all="ignore"):
        return [grad * slope for slope in _slopes(name, arguments)]


class ElementwiseEntry(OperationEntry):
    """One of the rules, for any of its arguments tensors and the others constants."""

    def __init__(self, name: str) -> None:
        self.name, self.rule = name, ELEMENTWISE[name]
        self.parameters = self.rule.parameters
        several = len(self.parameters) > 1
        self.options: Options = {each: (constant, None) for each in self.parameters if several}
        self.most_inputs = len(self.parameters)
        self.multiplies = name == "multiply"

    # What it is of the tensors that it has ---------------------------------------------------------

    def only_activates(self, layer: Layer) -> bool:
        return self._of_one(layer) and not self._is_linear(layer)

    def activation(self, layer: Layer) -> Activation | None:
        if not self.only_activates(layer):
            return None
        return Applied(self.name, {name: float(value) for name, value in self._constants(layer).items()})

    def scales_pixels(self, layer: Layer) -> bool:
        """A number that is large beside 0..1, or a factor that is small, is meant for pixels 0..255."""
        sizes = [np.abs(value).max() for value in self._constants(layer).values() if np.size(value)]
        if len(layer.inputs) != 1 or not sizes:
            return False
        if self.rule.signs:
            return bool(max(sizes) > 1)
        return (self._divides and sizes[0] > LARGE) or (self.multiplies and sizes[0] < 1 / LARGE)

    @property
    def _divides(self) -> bool:
        return self.rule.formula == "x1 / x2"

    def _constants(self, layer: Layer) -> dict[str, Any]:
        return {name: value for name, value in layer.config.items() if value is not None}

    def _of_one(self, layer: Layer) -> bool:
        """Whether it is a function of one number."""
        return len(layer.inputs) == 1 and all(np.ndim(v) == 0 for v in self._constants(layer).values())

    def _is_linear(self, layer: Layer) -> bool:
        """Whether the one tensor is multiplied by numbers, and numbers are added."""
        return bool(self.rule.signs or self.multiplies or (self._divides and layer.config["x1"] is None))

    def _affine(self, layer: Layer, dtype: Any) -> tuple[Any, Any]:
        """The weight and the bias of the one tensor."""
        constants = [
            (sign, np.asarray(layer.config[name], dtype))
            for name, sign in zip(self.parameters, self.rule.signs or (1,) * 2, strict=False)
            if layer.config.get(name) is not None
        ]
        if self.rule.signs:
            (own,) = (
                sign
                for name, sign in zip(self.parameters, self.rule.signs, strict=True)
                if layer.config.get(name) is None
            )
            return np.asarray(own, dtype), sum((s * c for s, c in constants), np.zeros((), dtype))
        with np.errstate(all="ignore"):
            (_, c) = constants[0]
            return (1 / c).astype(dtype) if self._divides else c, np.zeros((), dtype)

    # What it computes ------------------------------------------------------------------------------

    def values(self, layer: Layer, inputs: Arrays) -> list[np.ndarray]:
        """Its arguments as arrays of one dtype; ValueError where their axes do not fit."""
        dtype, rank = common(layer, inputs), inputs[0].ndim
        arrays = [np.asarray(each, dtype) for each in self.arguments(layer, inputs)]
        if any(x.ndim != rank for x in inputs):
            raise ValueError(
                f"the tensors of an operation must have as many axes each, got {_shapes(inputs)}; "
                "reshape the smaller one first"
            )
        if any(array.ndim > rank or (array.ndim == rank and len(array) > 1) for array in self._given(layer)):
            raise ValueError(
                f"a constant must be the same for each image of a batch, and have at most the {rank} axes "
                f"of the tensor, got shapes {_shapes(self._given(layer))}"
            )
        return arrays

    def _given(self, layer: Layer) -> list[np.ndarray]:
        return [np.asarray(value) for value in self._constants(layer).values()]

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        arrays = self.values(layer, inputs)
        if self.only_activates(layer):
            return inputs[0]
        try:
            return _computed(self.name, arrays)
        except ValueError:
            raise ValueError(f"shapes must broadcast, got {_shapes(arrays)}") from None

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.only_activates(layer):
            return (grad,)
        return self._of_tensors(layer, inputs, _vjp(self.name, self.values(layer, inputs), grad))

    def _of_tensors(
        self, layer: Layer, inputs: Arrays, grads: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """Of the gradients of all arguments those of the tensors, summed over what was broadcast."""
        wanted = (g for g, name in zip(grads, self.parameters, strict=True) if layer.config.get(name) is None)
        return tuple(sum_to(each, x.shape) for each, x in zip(wanted, inputs, strict=True))

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        constants = [c.shape[c.ndim - len(shapes[0]) :] if c.ndim else () for c in self._given(layer)]
        out = np.broadcast_shapes(*shapes, *constants)
        return [tuple(Expand(i, size) for i, size in enumerate(out) if shape[i] < size) for shape in shapes]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        dtype = common(layer, inputs)
        inputs = [np.asarray(x, dtype) for x in inputs]
        if self.rule.merge and len(inputs) > 1:
            return ENTRIES[self.rule.merge].operands(layer, inputs, position)
        places = [tuple(0 if n == 1 else i for n, i in zip(x.shape, position, strict=True)) for x in inputs]
        if self._divides and len(inputs) == 2:
            with np.errstate(all="ignore"):
                weight = inputs[0].dtype.type(1) / inputs[1][places[1]]
            return one_number(
                inputs[0], places[0], weight, partner_places=((1, places[1]),), labels=layer.inputs[:1]
            )
        if len(inputs) == 1 and self._is_linear(layer):
            weight, bias = (
                array[
                    tuple(0 if n == 1 else i for n, i in zip(array.shape, last(position, array), strict=True))
                ]
                for array in self._affine(layer, inputs[0].dtype)
            )
            named = (
                {"bias": bias, "bias_name": "constant"} if self._constants(layer) and self.rule.signs else {}
            )
            return one_number(inputs[0], places[0], weight, **named)
        if self.only_activates(layer):
            return one_number(inputs[0], position)
        return super().operands(layer, inputs, position)

    # The browser, and code -------------------------------------------------------------------------

    def keras_code(self, layer: Layer, reads: Sequence[str]) -> str:
        return _call(self.name, self.written_arguments(layer, reads), "keras")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        if len(drawn.inputs) > 1 and self.rule.merge:
            return ENTRIES[self.rule.merge].browser(layer, drawn)
        if len(drawn.inputs) == 1 and drawn.inputs[0] == drawn.output and self._is_linear(layer):
            return [self._affine_stage(layer, drawn)]
        return [BrowserStage({"type": "given", "label": self.name})]

    def _affine_stage(self, layer: Layer, drawn: Drawn) -> BrowserStage:
        a, b = self._affine(layer, np.float32)
        form = "x*a+b"
        if self._divides:
            # (x - 0) / b is x / b to the last bit.
            form, a, b = "(x-a)/b", b, np.asarray(layer.config["x2"], np.float32)
        shape = drawn.output if max(a.size, b.size) > drawn.output[-1] else drawn.output[-1:]
        names = {"a": f"{layer.name}/a", "b": f"{layer.name}/b"}
        op = {"type": "affine", "form": form, "label": self.rule.formula, **names}
        arrays = {
            name: np.broadcast_to(v.reshape(v.shape[max(v.ndim - len(shape), 0) :]), shape).ravel()
            for name, v in zip(names.values(), (a, b), strict=True)
        }
        return BrowserStage(op, arrays, exact=True)

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        if self.only_activates(layer):
            return reads[0]
        return _call(self.name, self.written_arguments(layer, reads), "cnnviz")

    # How it rounds ---------------------------------------------------------------------------------

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        if self.only_activates(layer):
            return 0
        # A constant of Keras's in float64 is rounded here.
        return self.rule.roundings + 2

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        arrays = self.values(layer, inputs)
        if self.rule.signs:
            return np.asarray(sum(np.abs(array) for array in arrays))
        return np.abs(_computed(self.name, arrays))

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if self.only_activates(layer):
            return 0
        return self.rule.roundings + 3 + grad.size // max(min(x.size for x in inputs), 1)

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        if self.only_activates(layer):
            return (np.abs(grad),)
        slopes = _slopes(self.name, self.values(layer, inputs))
        return self._of_tensors(layer, inputs, [np.abs(grad) * np.abs(slope) for slope in slopes])


LARGE = 16
"""No number is divided by more, or multiplied by less than its reciprocal, that is already from 0 to 1."""


def last(position: Position, array: np.ndarray) -> Position:
    """The place along the axes that a constant has; along those in front it has none."""
    return (0, *position)[len(position) + 1 - array.ndim :]


def _shapes(arrays: Sequence[np.ndarray]) -> str:
    return " and ".join(str(array.shape) for array in arrays)


class ActivationOperationEntry(ActivationEntry, OperationEntry):
    """An activation of a Keras layer as a function: keras.ops.relu."""

    def __init__(self, function: str) -> None:
        self.name = function
        readers = {bool: read.flag, float: read.number, int: read.axis}
        defaults = {
            name: parameter.default
            for name, parameter in list(inspect.signature(getattr(ops, function)).parameters.items())[1:]
        }
        # Keras's function takes none of the ReLU layer's options.
        known = {} if function == "relu" else {k: v for k, v in defaults.items() if type(v) in readers}
        self.options = {name: (readers[type(v)], v) for name, v in known.items()}

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        if normal.get("axis") == 0:
            raise ValueError("axis=0 is the batch: images do not see each other in cnnviz")
        return normal

    def activation(self, layer: Layer) -> Activation:
        return Activation(self.name, layer.config)


ENTRIES.update({kind_of(name): ElementwiseEntry(name) for name in ELEMENTWISE})
ENTRIES.update(
    {
        kind_of(name): ActivationOperationEntry(name)
        for name in FUNCTIONS
        # Keras has no functions of tensors for these; its mish is made of others.
        if name not in ("prelu", "linear", "exponential", "mish")
    }
)
