"""Keras models that between them have every operation of keras.ops that cnnviz reads, in every use.

The lists follow the tables of rules: an operation that is added there is in these models, or a test says
that it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import FUNCTIONS
from cnnviz.layers.elementwise_rules import ELEMENTWISE
from cnnviz.layers.tensor_operations import kind_of
from harness.authority import keras

L, ops = keras.layers, keras.ops

Calls = dict[str, Callable[..., Any]]
"""Calls of two tensors (N, 4, 5, 3) of numbers from 0.1 to 0.9."""

ARRAY = np.array([0.2, 0.5, 0.7], np.float32)
MAP = np.linspace(0.2, 0.8, 20, dtype=np.float32).reshape(4, 5, 1)


def arithmetic() -> Calls:
    """Numbers, arrays and tensors in any place."""
    calls: Calls = {
        "x / 255": lambda x, y: x / 255,
        "2 * x - 1": lambda x, y: 2 * x - 1,
        "1.0 - x": lambda x, y: 1.0 - x,
        "x + 0.1 * y": lambda x, y: x + 0.1 * y,
        "x * x": lambda x, y: x * x,
        "-x": lambda x, y: -x,
        "2 ** x": lambda x, y: 2**x,
        "in float64": lambda x, y: (x - np.array([0.485, 0.456, 0.406])) / np.array([0.2, 0.3, 0.4]),
        "by name": lambda x, y: ops.subtract(x1=0.3, x2=x),
        "a column": lambda x, y: x * y[:, :, :1],
        "a vector with the axes of a map": lambda x, y: x + ops.mean(y, axis=(1, 2), keepdims=True),
        "larger than the tensor": lambda x, y: x[..., :1] + ARRAY,
    }
    for name, rule in ELEMENTWISE.items():
        if rule.parameters == ("x1", "x2"):
            function = getattr(ops, name)
            calls |= {
                f"{name}(x, y)": lambda x, y, f=function: f(x, y),
                f"{name}(x, 0.375)": lambda x, y, f=function: f(x, 0.375),
            }
            if rule.decides:
                continue
            calls |= {
                f"{name}(0.375, x)": lambda x, y, f=function: f(0.375, x),
                f"{name}(x, array)": lambda x, y, f=function: f(x, ops.convert_to_tensor(ARRAY)),
                f"{name}(map, x)": lambda x, y, f=function: f(MAP, x),
            }
    return calls


def functions() -> Calls:
    """Of one tensor, activations among them."""
    calls: Calls = {
        name: lambda x, y, name=name: getattr(ops, name)(x)
        for name, rule in ELEMENTWISE.items()
        if rule.parameters == ("x",)
    }
    calls |= {
        "clip": lambda x, y: ops.clip(x, 0.3, 0.6),
        "where": lambda x, y: ops.where(x > 0.5, x, y),
        "where, constants": lambda x, y: ops.where(x > 0.5, 2.0, 1.0),
        "where, one constant": lambda x, y: ops.where(x > y, x, 0.0),
        "negative numbers": lambda x, y: abs((x - 0.5) ** 3),
        "cast": lambda x, y: ops.cast(x > 0.5, x.dtype),
        "stop_gradient": lambda x, y: x * ops.stop_gradient(y),
    }
    for name in FUNCTIONS:
        if kind_of(name) in ENTRIES:
            said = {"threshold": (0.25, 0.5)}.get(name, ())
            calls[name] = lambda x, y, name=name, said=said: getattr(ops, name)(4 * x - 2, *said)
    calls["leaky_relu, 1/4"] = lambda x, y: ops.leaky_relu(x - 0.5, negative_slope=0.25)
    calls["gelu, exact"] = lambda x, y: ops.gelu(4 * x - 2, approximate=False)
    calls["softmax, rows"] = lambda x, y: ops.softmax(x, axis=1)
    calls["sparsemax, rows"] = lambda x, y: ops.sparsemax(x, axis=1)
    calls["glu"] = lambda x, y: ops.glu(ops.concatenate([x, y], axis=-1))
    calls["glu, rows"] = lambda x, y: ops.glu(x, axis=1)
    return calls


def moves() -> Calls:
    """Slices, other axes, padding, copies, parts."""

    def parts(x: Any, y: Any) -> Any:
        first, _, last = ops.split(x, 3, axis=-1)
        return ops.concatenate([last, first], axis=2)

    return {
        "rows and columns": lambda x, y: x[:, 1:3, ::-1],
        "steps": lambda x, y: x[:, ::2, 4:0:-2, 1:],
        "a channel": lambda x, y: x[..., 0],
        "the last row": lambda x, y: x[:, -1],
        "a new axis": lambda x, y: x[:, None, 2],
        "a cell": lambda x, y: x[:, 1, 2, 0:1],
        "reshape": lambda x, y: ops.reshape(x, (-1, 10, 6)),
        "reshape, -1": lambda x, y: ops.reshape(x, (-1, 4, 15)),
        "squeeze": lambda x, y: ops.squeeze(x[:, :1], 1),
        "squeeze, negative": lambda x, y: ops.squeeze(x[..., :1], -1),
        "expand_dims": lambda x, y: ops.expand_dims(x, 1)[:, 0],
        "expand_dims, last": lambda x, y: ops.expand_dims(x, -1),
        "transpose": lambda x, y: ops.transpose(x, (0, 3, 1, 2)),
        "swapaxes": lambda x, y: ops.swapaxes(x, 1, -1),
        "moveaxis": lambda x, y: ops.moveaxis(x, -1, 1),
        "pad": lambda x, y: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))),
        "pad with a number": lambda x, y: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), constant_values=0.3),
        "reflect": lambda x, y: ops.pad(x, ((0, 0), (3, 2), (0, 1), (0, 0)), mode="reflect"),
        "symmetric": lambda x, y: ops.pad(x, ((0, 0), (4, 2), (0, 1), (0, 0)), mode="symmetric"),
        "flip": lambda x, y: ops.flip(x, axis=(1, 3)),
        "repeat": lambda x, y: ops.repeat(x, 2, axis=1),
        "tile": lambda x, y: ops.tile(x, (1, 2, 1, 2)),
        "roll": lambda x, y: ops.roll(x, 2, axis=2),
        "stack": lambda x, y: ops.stack([x, y, x], axis=2),
        "stack, last": lambda x, y: ops.stack([x[..., 0], y[..., 1]], axis=-1),
        "concatenate": lambda x, y: ops.concatenate([x, y], axis=-1),
        "split": parts,
        "split at": lambda x, y: ops.split(x, (1, 3), axis=1)[1],
        "unstack": lambda x, y: ops.unstack(x, axis=-1)[2],
        "zeros_like": lambda x, y: x + ops.zeros_like(x),
        "ones_like": lambda x, y: x * ops.ones_like(x),
        "full_like": lambda x, y: ops.full_like(x, 0.5) - y,
    }


def reductions() -> Calls:
    """Means, sums, extremes; products of matrices."""
    calls: Calls = {}
    for name in ("mean", "sum", "max", "min", "amax", "amin", "var"):
        function = getattr(ops, name)
        calls |= {
            f"{name} of maps": lambda x, y, f=function: f(x, axis=(1, 2)),
            f"{name} of channels": lambda x, y, f=function: f(x, axis=-1, keepdims=True),
            f"{name} of columns": lambda x, y, f=function: f(x, axis=2),
            f"{name} of everything": lambda x, y, f=function: f(x, axis=(1, 2, 3), keepdims=True),
        }
    matrix = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    return calls | {
        "equals": lambda x, y: ops.max(ops.round(x), axis=1),
        "matmul": lambda x, y: ops.matmul(x, ops.transpose(y, (0, 1, 3, 2))),
        "matmul, broadcast": lambda x, y: ops.matmul(x[:, :1], ops.transpose(y, (0, 1, 3, 2))),
        "@ a constant": lambda x, y: x @ ops.convert_to_tensor(matrix),
        "a constant @": lambda x, y: ops.matmul(
            matrix[:, :4].T.copy()[:, :3], ops.transpose(x, (0, 1, 3, 2))
        ),
        "of vectors": lambda x, y: ops.matmul(ops.mean(x, axis=(1, 2)), matrix),
    }


def images() -> Calls:
    """What is computed in float32 whatever comes in."""
    return {
        "resize": lambda x, y: ops.image.resize(x, (7, 4)),
        "nearest": lambda x, y: ops.image.resize(x, (3, 8), interpolation="nearest"),
    }


FAMILIES: dict[str, Callable[[], Calls]] = {
    each.__name__: each for each in (arithmetic, functions, moves, reductions, images)
}


def operations(family: str, dtype: str = "float32") -> tuple[Any, dict[str, Any]]:
    """A model with all calls of a family side by side, and the calls' results."""
    x = keras.Input((4, 5, 3), name="image", dtype=dtype)
    y = ops.flip(x, axis=1)
    tensors = {name: call(x, y) for name, call in FAMILIES[family]().items()}
    flat = [
        L.Flatten(name=f"end_flat_{i}", dtype=dtype)(L.Identity(name=f"end_cast_{i}", dtype=dtype)(tensor))
        for i, tensor in enumerate(tensors.values())
    ]
    return keras.Model(x, L.Concatenate(name="side_by_side", dtype=dtype)(flat), name=family), tensors


def numbers(count: int = 2, dtype: str = "float32") -> np.ndarray:
    """What goes in."""
    return np.random.default_rng(3).uniform(0.1, 0.9, (count, 4, 5, 3)).astype(dtype)
