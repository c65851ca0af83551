"""Keras 2's operations on tensors in the words of Keras 3: TFOpLambda and SlicingOpLambda.

Keras 2 wrote TensorFlow's function and its arguments. What is computed is said by the operation of keras.ops
that does the same (`layers.tensor_operations`). The older TensorFlowOpLayer, a node of TensorFlow's graph, is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from cnnviz.layers import ENTRIES
from cnnviz.layers.tensor_operations import PREFIX, OperationEntry, kind_of

KINDS = ("TFOpLambda", "SlicingOpLambda")
"""The classes under which Keras 2 wrote them."""

XY = {"x": "x1", "y": "x2"}

FUNCTIONS: dict[str, tuple[str, dict[str, str]]] = {
    **{name: (name, XY) for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")},
    **{name: (name, XY) for name in ("greater", "greater_equal", "less", "less_equal", "equal")},
    **{name: (name, XY) for name in ("not_equal", "logical_and", "logical_or")},
    "truediv": ("true_divide", XY),
    "pow": ("power", XY),
    "floor_div": ("floor_divide", XY),
    "floordiv": ("floor_divide", XY),
    "floormod": ("mod", XY),
    "bias_add": ("add", {"value": "x1", "bias": "x2"}),
    "where": ("where", {"condition": "condition", "x": "x1", "y": "x2"}),
    **{name: (name, {"x": "x"}) for name in ("negative", "sign", "floor", "square", "sqrt", "rsqrt", "exp")},
    **{name: (name, {"x": "x"}) for name in ("expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh")},
    **{name: (name, {"x": "x"}) for name in ("erf", "reciprocal", "round", "logical_not", "tanh", "sigmoid")},
    **{name: (name, {"features": "x"}) for name in ("relu", "relu6", "elu", "selu", "silu", "softplus")},
    "abs": ("absolute", {"x": "x"}),
    "ceil": ("ceil", {"x": "x"}),
    "swish": ("silu", {"features": "x"}),
    "softsign": ("softsign", {"features": "x"}),
    "leaky_relu": ("leaky_relu", {"features": "x", "alpha": "negative_slope"}),
    "gelu": ("gelu", {"features": "x", "approximate": "approximate"}),
    "softmax": ("softmax", {"logits": "x", "axis": "axis"}),
    "log_softmax": ("log_softmax", {"logits": "x", "axis": "axis"}),
    "clip_by_value": ("clip", {"t": "x", "clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "cast": ("cast", {"x": "x", "dtype": "dtype"}),
    "stop_gradient": ("stop_gradient", {"input": "variable"}),
    **{
        f"reduce_{name}": (name, {"input_tensor": "x", "axis": "axis", "keepdims": "keepdims"})
        for name in ("mean", "sum", "max", "min")
    },
    "reduce_variance": ("var", {"input_tensor": "x", "axis": "axis", "keepdims": "keepdims"}),
    "matmul": ("matmul", {"a": "x1", "b": "x2"}),
    "concat": ("concatenate", {"values": "xs", "axis": "axis"}),
    "stack": ("stack", {"values": "x", "axis": "axis"}),
    "unstack": ("unstack", {"value": "x", "axis": "axis"}),
    "split": ("split", {"value": "x", "num_or_size_splits": "indices_or_sections", "axis": "axis"}),
    "reshape": ("reshape", {"tensor": "x", "shape": "newshape"}),
    "transpose": ("transpose", {"a": "x", "perm": "axes"}),
    "expand_dims": ("expand_dims", {"input": "x", "axis": "axis"}),
    "squeeze": ("squeeze", {"input": "x", "axis": "axis"}),
    "pad": (
        "pad",
        {"tensor": "x", "paddings": "pad_width", "mode": "mode", "constant_values": "constant_values"},
    ),
    "tile": ("tile", {"input": "x", "multiples": "repeats"}),
    "repeat": ("repeat", {"input": "x", "repeats": "repeats", "axis": "axis"}),
    "reverse": ("flip", {"tensor": "x", "axis": "axis"}),
    "roll": ("roll", {"input": "x", "shift": "shift", "axis": "axis"}),
    "ones_like": ("ones_like", {"input": "x"}),
    "zeros_like": ("zeros_like", {"input": "x"}),
    "getitem": ("get_item", {"tensor": "x", "slice_spec": "key"}),
    "image.resize": ("resize", {"images": "images", "size": "size", "method": "interpolation"}),
}
"""TensorFlow's functions, without the modules math, nn and so on: the one of keras.ops, and for TensorFlow's
names of the arguments, in order, Keras's."""

MODULES = ("compat.v1.", "__operators__.", "math.", "nn.", "linalg.")

DEFAULTS: dict[str, dict[str, Any]] = {
    "gelu": {"approximate": False},
    "split": {"axis": 0},
    "stack": {"axis": 0},
    "leaky_relu": {"negative_slope": 0.2},
}
"""What TensorFlow takes where nothing is said, if Keras's operation takes something else, or must be told."""

UNSAID = frozenset({"name", "conjugate", "data_format", "num", "validate_indices"})
"""Arguments that change nothing here."""


def as_operation(data: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras 3 would have written for a TFOpLambda or SlicingOpLambda.

    Parameters
    ----------
    data
        The layer as Keras 2 wrote it, but its `inbound_nodes` as Keras 3 does: {"args": [the first argument],
        "kwargs": the others}, a tensor being {"class_name": "__keras_tensor__", ...} and all else as it was.

    Returns
    -------
    dict
        The same layer as an operation of keras.ops, to be read by `keras_config.read_model`.

    Raises
    ------
    ValueError
        for a function that cnnviz does not compute, and for an argument that it does not know.

    Examples
    --------
    >>> node = {"args": [{"class_name": "__keras_tensor__", "config": {}}], "kwargs": {"y": 255.0}}
    >>> config = {"name": "scaled", "function": "math.truediv"}
    >>> made = as_operation({"class_name": "TFOpLambda", "config": config, "inbound_nodes": [node]})
    >>> made["class_name"], made["inbound_nodes"][0]["kwargs"]["x2"]
    ('TrueDivide', 255.0)
    """
    config = data["config"]
    function, where = str(config.get("function")), f"layer {config.get('name')!r}"
    name = function
    for module in MODULES:
        name = name.removeprefix(module)
    if name not in FUNCTIONS:
        raise ValueError(f"{where} is TensorFlow's function tf.{function}, which cnnviz does not compute")
    keras_name, names = FUNCTIONS[name]
    kind = kind_of(keras_name)
    entry = ENTRIES[kind]
    assert isinstance(entry, OperationEntry)
    options: dict[str, Any] = {"name": config.get("name")}
    calls = []
    for node in data["inbound_nodes"]:
        given = {**dict(zip(names, node["args"], strict=False)), **node["kwargs"]}
        arguments = dict(DEFAULTS.get(keras_name, {}))
        for each, value in given.items():
            if each in names:
                arguments[names[each]] = _in_keras_words(names[each], value)
            elif each not in UNSAID and value not in (None, False):
                raise ValueError(f"{where} (tf.{function}): {each}={value!r} is not supported")
        calls.append({"args": [], "kwargs": {k: v for k, v in arguments.items() if k in entry.parameters}})
        options |= {k: v for k, v in arguments.items() if k not in entry.parameters}
    return {
        **data,
        "module": "keras.ops",
        "class_name": kind.removeprefix(PREFIX),
        "config": options,
        "inbound_nodes": calls,
    }


def _in_keras_words(name: str, value: Any) -> Any:
    """An argument's value as Keras writes it."""
    if name == "mode":
        return str(value).lower()
    if name == "indices_or_sections" and isinstance(value, list):
        # TensorFlow is told how long the parts are, Keras where they end.
        return list(accumulate(value))[:-1]
    if name == "key":
        entries = value if isinstance(value, list) else [value]
        return [
            {"class_name": "__slice__", "config": each}
            if isinstance(each, Mapping) and each.keys() == {"start", "stop", "step"}
            else each
            for each in entries
        ]
    return value
