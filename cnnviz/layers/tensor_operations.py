"""Operations: nodes of a functional Keras model that are no layers, such as x / 255 or keras.ops.mean(x).

The kind of an operation is "ops." and its class in keras.ops: "ops.Mean". Its config has Keras's options,
and under the names of the call's arguments those that are constants; an argument that is missing there is a
tensor, read from the layer's inputs in the order of the call. So 1 - x is "ops.Subtract" with {"x1": 1}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers.layer import Entry, Layer, literal
from cnnviz.layers.options import as_json, number, numbers
from cnnviz.numbers import brief

PREFIX = "ops."


class OperationEntry(Entry):
    """An operation of keras.ops on one tensor."""

    parameters: tuple[str, ...] = ("x",)
    """The arguments of its call, in order."""
    made_with: tuple[str, ...] = ()
    """Those of them that Keras takes when the operation is made."""
    namespace: ClassVar[str] = ""
    """Where in keras.ops it is, if not there itself: "image."."""
    casts = False
    splits: bool = False
    """Whether it has several results; each is a layer, and the option "output" says which it is."""

    def training_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    @property
    def module(self) -> str:  # type: ignore[override]
        return f"keras.src.ops.{self.namespace}".rstrip(".")

    def class_name(self, layer: Layer) -> str:
        return layer.kind.removeprefix(PREFIX)

    def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
        # What it is called with stands in its calls, and which result a layer is, in what reads it.
        elsewhere = {name for name in self.parameters if name not in self.made_with}
        elsewhere |= {"output"} if self.splits else set()
        own = {
            name: as_json(config[name], name, reader)
            for name, (reader, _) in self.options.items()
            if name not in elsewhere
        }
        if tensors := [name for name in self.made_with if config.get(name) is None]:
            raise ValueError(f"Keras takes no tensor for its {tensors[0]}: give it a number")
        return {**{name: value for name, value in raw.items() if name not in elsewhere}, **own}

    def serialized_call(
        self, config: Mapping[str, Any], tensors: list[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        if self.joins:
            return [tensors], {}
        waiting, args = list(tensors), []
        for name in self.parameters:
            if name not in self.made_with and config.get(name) is not None:
                args.append(_constant(config[name]))
            elif name not in self.made_with and waiting:
                args.append(waiting.pop(0))
        return args, {}

    def arguments(self, layer: Layer, given: Sequence[Any]) -> list[Any]:
        """The call's arguments in order: constants from the config, and what is given for the tensors."""
        wanted = [name for name in self.parameters if layer.config.get(name) is None]
        if len(wanted) != len(given):
            raise ValueError(
                f"its arguments {', '.join(self.parameters)} need {len(wanted)} tensors beside the "
                f"constants, got {len(given)}"
            )
        tensors = dict(zip(wanted, given, strict=True))
        return [tensors[name] if name in tensors else layer.config[name] for name in self.parameters]

    def keras_code(self, layer: Layer, reads: Sequence[str]) -> str:
        """The call of keras.ops that computes it; `reads` are the expressions of its tensors."""
        given = [f"[{', '.join(reads)}]"] if self.joins else self.written_arguments(layer, reads)
        named = [
            f"{name}={literal(layer.config[name])}" for name in self.options if name not in self.parameters
        ]
        return f"keras.ops.{self.namespace}{function_name(layer.kind)}({', '.join([*given, *named])})"

    def written_arguments(self, layer: Layer, reads: Sequence[str]) -> list[str]:
        """The call's arguments as Python expressions, those of its tensors being given."""
        return [each if isinstance(each, str) else _written(each) for each in self.arguments(layer, reads)]


def function_name(kind: str) -> str:
    """The function of keras.ops that makes an operation.

    >>> function_name("ops.TrueDivide"), function_name("ops.Log1p"), function_name("RGBToGrayscale")
    ('true_divide', 'log1p', 'rgb_to_grayscale')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.removeprefix(PREFIX)).lower()


def kind_of(function: str) -> str:
    """The kind of an operation, from its function in keras.ops.

    >>> kind_of("true_divide")
    'ops.TrueDivide'
    """
    return PREFIX + "".join(word[:1].upper() + word[1:] for word in function.split("_"))


def _constant(value: Any) -> Any:
    """A constant of a call as Keras writes it."""
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": str(value.dtype)}}
    return as_json(value, "a constant")


def _written(value: Any) -> str:
    return (
        f"np.array({value.tolist()}, np.{value.dtype})" if isinstance(value, np.ndarray) else literal(value)
    )


def constant(value: Any, name: str) -> float | np.ndarray | None:
    """None, where a tensor is read; a finite number; or an array of numbers, which stays as it is.

    An array of float64 makes the result float64, as in Keras; a number has the dtype of what it meets.
    """
    if value is None or not isinstance(value, list | tuple | np.ndarray):
        return None if value is None else number(value, name)
    array = np.array(numbers(value, name))
    wide = isinstance(value, np.ndarray) and value.dtype == np.float64
    array = array if wide else array.astype(np.float32)
    array.flags.writeable = False
    return array


def common(layer: Layer, inputs: Sequence[np.ndarray]) -> np.dtype:
    """The dtype in which an operation computes: the widest of its tensors and arrays."""
    arrays = [value.dtype for value in layer.config.values() if isinstance(value, np.ndarray)]
    return np.result_type(np.float32, *inputs, *arrays)


def not_the_batch(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes of an array with a batch, counted from the front; ValueError for axis 0, one twice, and others."""
    for axis in axes:
        if not -rank <= axis < rank:
            raise ValueError(f"axis={axis} must be an axis of an array with {rank} axes, its batch included")
        if axis % rank == 0:
            raise ValueError(
                f"axis={axis} is the batch: images do not see each other in cnnviz; name the other axes"
            )
    counted = tuple(axis % rank for axis in axes)
    if len(set(counted)) < len(counted):
        raise ValueError(f"axis={brief(tuple(axes))} must name no axis twice, of an array with {rank} axes")
    return counted
