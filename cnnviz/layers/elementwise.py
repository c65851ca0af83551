"""Operations cell by cell: arithmetic with numbers, arrays and tensors, and functions of one number.

Of one tensor, what is linear is a product and a sum; what is not is an activation. Several tensors must have
as many axes each: by NumPy's rule for arrays that differ there the batch of one would meet another axis.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activation_layers import ActivationEntry
from cnnviz.layers.activations import FUNCTIONS, Activation
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.elementwise_rules import (
    ELEMENTWISE,
    Applied,
    call_of,
    computed,
    none,
    products_with_slopes,
    slopes_of,
    with_names,
)
from cnnviz.layers.layer import ENTRIES, Arrays, Layer
from cnnviz.layers.links import Expand, Links
from cnnviz.layers.merging import merge_stage
from cnnviz.layers.normalization import affine_stage
from cnnviz.layers.operands import Operands, Position, one_number
from cnnviz.layers.options import Options
from cnnviz.layers.slopes import slopes_cell_by_cell
from cnnviz.layers.tensor_operations import OperationEntry, common, constant, kind_of
from cnnviz.numbers import short
from cnnviz.ops.arguments import sum_to


class ElementwiseEntry(OperationEntry):
    """One of the rules, for any of its arguments tensors and the others constants."""

    def __init__(self, name: str) -> None:
        self.name, self.rule = name, ELEMENTWISE[name]
        self.parameters, self.made_with = self.rule.parameters, self.rule.made_with
        several = len(self.parameters) > 1
        self.options: Options = {each: (constant, None) for each in self.parameters if several}
        self.most_inputs = len(self.parameters)
        self.breaks_gradients = self.rule.slopes is none
        # Where one of two tensors is chosen, their mean can stand in.
        self.averaging = "Average" if self.rule.merge in ("Maximum", "Minimum") else ""

    # What it is of the tensors that it has ---------------------------------------------------------

    def only_activates(self, layer: Layer) -> bool:
        return self._of_one(layer) and not self._is_linear(layer)

    def activation(self, layer: Layer) -> Activation | None:
        if not self.only_activates(layer):
            return None
        return Applied(self.name, {name: float(value) for name, value in self._constants(layer).items()})

    def bends(self, layer: Layer) -> bool:
        if len(layer.inputs) == 1:
            return not (self._is_linear(layer) or self.only_activates(layer))
        return not (self.rule.signs or self.averaging)

    def scales_pixels(self, layer: Layer) -> bool:
        """A number that is large beside 0..1, or a factor that is small, is meant for pixels 0..255."""
        sizes = [np.abs(value).max() for value in self._constants(layer).values() if np.size(value)]
        if len(layer.inputs) != 1 or not sizes:
            return False
        if self.rule.signs:
            return bool(max(sizes) > 1)
        return (self._divides and sizes[0] > LARGE) or (self.name == "multiply" and sizes[0] < 1 / LARGE)

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
        return bool(
            self.rule.signs or self.name == "multiply" or (self._divides and layer.config["x1"] is None)
        )

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
            return computed(self.name, arrays)
        except ValueError:
            raise ValueError(f"shapes must broadcast, got {_shapes(arrays)}") from None

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.only_activates(layer):
            return (grad,)
        return self._of_tensors(
            layer, inputs, products_with_slopes(self.name, self.values(layer, inputs), grad)
        )

    def _of_tensors(
        self, layer: Layer, inputs: Arrays, grads: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """Of the gradients of all arguments those of the tensors, summed over what was broadcast."""
        wanted = (g for g, name in zip(grads, self.parameters, strict=True) if layer.config.get(name) is None)
        return tuple(sum_to(each, x.shape) for each, x in zip(wanted, inputs, strict=True))

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        return slopes_cell_by_cell(layer, inputs, place, cell)

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
        return call_of(self.name, self.written_arguments(layer, reads), "keras")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        if len(drawn.inputs) > 1 and self.rule.merge:
            return ENTRIES[self.rule.merge].browser(layer, drawn)
        if len(drawn.inputs) == 1 and drawn.inputs[0] == drawn.output and self._is_linear(layer):
            return [self._affine_stage(layer, drawn)]
        arguments = [
            value if value is None or np.ndim(value) == 0 else _without_batch(np.asarray(value), drawn.output)
            for value in (layer.config.get(name) for name in self.parameters)
        ]
        return [merge_stage(layer, self.name, drawn, arguments, self.name)]

    def _label(self, layer: Layer) -> str:
        """The formula with the constants in it: "x / 255"."""
        words = {
            name: "x" if value is None else short(value) if np.ndim(value) == 0 else "array"
            for name, value in layer.config.items()
        }
        return with_names(self.rule.formula, words)

    def _affine_stage(self, layer: Layer, drawn: Drawn) -> BrowserStage:
        a, b = self._affine(layer, np.float32)
        form = "x*a+b"
        if self._divides:
            # (x - 0) / b is x / b to the last bit.
            form, a, b = "(x-a)/b", b, np.asarray(layer.config["x2"], np.float32)
        return affine_stage(layer, a, b, drawn, form=form, label=self._label(layer))

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        if self.only_activates(layer):
            return reads[0]
        return call_of(self.name, self.written_arguments(layer, reads), "cnnviz")

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
        return np.abs(computed(self.name, arrays))

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        if self.only_activates(layer):
            return 0
        return self.rule.roundings + 3 + grad.size // max(min(x.size for x in inputs), 1)

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        if self.only_activates(layer):
            return (np.abs(grad),)
        slopes = slopes_of(self.name, self.values(layer, inputs))
        return self._of_tensors(layer, inputs, [np.abs(grad) * np.abs(slope) for slope in slopes])


LARGE = 16
"""No number is divided by more, or multiplied by less than its reciprocal, that is already from 0 to 1."""


def last(position: Position, array: np.ndarray) -> Position:
    """The place along the axes that a constant has; along those in front it has none."""
    return (0, *position)[len(position) + 1 - array.ndim :]


def _without_batch(array: np.ndarray, output: tuple[int, ...]) -> np.ndarray:
    """A constant as it meets one image."""
    return array[0] if array.ndim > len(output) else array


def _shapes(arrays: Sequence[np.ndarray]) -> str:
    return " and ".join(str(array.shape) for array in arrays)


def _option(parameter: inspect.Parameter) -> tuple[str, tuple[Any, Any]]:
    """An argument of an activation, with its reader and default; one that must be said has None."""
    default = None if parameter.default is parameter.empty else parameter.default
    by_type = read.flag if isinstance(default, bool) else read.number
    return parameter.name, (read.axis if parameter.name == "axis" else by_type, default)


class ActivationOperationEntry(ActivationEntry, OperationEntry):
    """An activation of a Keras layer as a function: keras.ops.relu."""

    def __init__(self, function: str) -> None:
        self.name = function
        parameters = list(inspect.signature(getattr(ops, function)).parameters.values())[1:]
        # Keras's function takes none of the ReLU layer's options.
        self.options = {} if function == "relu" else dict(map(_option, parameters))

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
