"""Keras 2's operations: nodes as tf-keras 2.15 wrote them, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnviz.layers import ENTRIES
from cnnviz.layers.tensor_operations import kind_of
from cnnviz.network import Network
from cnnviz.network.keras2_operations import FUNCTIONS, as_operation
from cnnviz.network.keras_config import read_model
from cnnviz.network.unfolding import unfold

X = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
TENSOR = {"class_name": "__keras_tensor__", "config": {"shape": [], "keras_history": ["image", 0, 0]}}


def all_of(start: Any = None, stop: Any = None, step: Any = None) -> dict[str, Any]:
    return {"start": start, "stop": stop, "step": step}


CALLS = {
    "math.truediv": (TENSOR, {"y": 255.0, "name": None}, X / np.float32(255)),
    "math.multiply": (2.0, {"y": TENSOR, "name": None}, 2 * X),
    "math.subtract": (1.0, {"y": TENSOR, "name": None}, 1 - X),
    "__operators__.add": (TENSOR, {"y": TENSOR, "name": None}, X + X),
    "math.pow": (TENSOR, {"y": 2, "name": None}, X**2),
    "math.abs": (TENSOR, {"name": None}, np.abs(X)),
    "compat.v1.floor_div": (TENSOR, {"y": 2, "name": None}, X // 2),
    "nn.bias_add": (TENSOR, {"bias": [1.0, 2.0, 3.0], "data_format": "NHWC"}, X + np.float32([1, 2, 3])),
    "nn.relu6": (TENSOR, {}, np.clip(X, 0, 6)),
    "nn.leaky_relu": (TENSOR, {}, np.where(X > 0, X, np.float32(0.2) * X)),
    "clip_by_value": (TENSOR, {"clip_value_min": 0.0, "clip_value_max": 1.0}, np.clip(X, 0, 1)),
    "cast": (TENSOR, {"dtype": "float32"}, X),
    "math.reduce_max": (TENSOR, {"axis": -1, "keepdims": True}, X.max(axis=-1, keepdims=True)),
    "reshape": (TENSOR, {"shape": [-1, 20, 3]}, X.reshape(2, 20, 3)),
    "compat.v1.transpose": (
        TENSOR,
        {"perm": [0, 3, 1, 2], "name": "transpose", "conjugate": False},
        X.transpose(0, 3, 1, 2),
    ),
    "concat": ([TENSOR, TENSOR], {"axis": -1}, np.concatenate([X, X], -1)),
    "stack": ([TENSOR, TENSOR], {"axis": 1}, np.stack([X, X], 1)),
    "expand_dims": (TENSOR, {"axis": 1}, X[:, None]),
    "compat.v1.pad": (
        TENSOR,
        {"paddings": [[0, 0], [1, 1], [0, 2], [0, 0]], "mode": "CONSTANT", "constant_values": 0},
        np.pad(X, [(0, 0), (1, 1), (0, 2), (0, 0)]),
    ),
    "tile": (TENSOR, {"multiples": [1, 2, 1, 1], "name": None}, np.tile(X, (1, 2, 1, 1))),
    "reverse": (TENSOR, {"axis": [-1], "name": None}, X[..., ::-1]),
    "split": (TENSOR, {"num_or_size_splits": [1, 2], "axis": -1}, X[..., :1]),
    "__operators__.getitem": (
        TENSOR,
        {"slice_spec": [all_of(), all_of(1, 3), {"class_name": "__ellipsis__"}, all_of(step=-1)]},
        X[:, 1:3, :, ::-1],
    ),
    "where": (TENSOR, {"x": TENSOR, "y": 0.0}, np.where(X != 0, X, 0)),
}
"""By TensorFlow's function: the first argument, the others, and what comes out."""


def operation(function: str, first: Any, others: dict[str, Any]) -> dict[str, Any]:
    """As tf-keras wrote it, but for how the call says what it reads."""
    kind = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
    config = {"name": "y", "trainable": True, "dtype": "float32", "function": function}
    node = {"args": [first], "kwargs": others}
    return {"class_name": kind, "name": "y", "config": config, "inbound_nodes": [node]}


@pytest.mark.parametrize("function", CALLS)
def test_operations_compute_what_tensorflow_s_functions_do(function):
    first, others, expected = CALLS[function]
    image = {"name": "image", "batch_shape": [None, 4, 5, 3]}
    layers = [
        {"class_name": "InputLayer", "module": "keras.layers", "config": image, "inbound_nodes": []},
        as_operation(operation(function, first, others)),
    ]
    config = {"layers": layers, "input_layers": [["image", 0, 0]], "output_layers": [["y", 0, 0]]}
    graph = unfold(read_model({"class_name": "Functional", "module": "keras", "config": config}))
    net = Network(graph.layers, graph.outputs, inputs=graph.inputs)
    np.testing.assert_allclose(net.run(X).output, expected, rtol=2**-23, atol=0)


def test_every_function_has_an_operation():
    for keras_name, names in FUNCTIONS.values():
        entry = ENTRIES[kind_of(keras_name)]
        size = {"size"} if keras_name == "resize" else set()
        assert set(names.values()) <= {*entry.parameters, *entry.options, *size}, keras_name


def test_other_functions_and_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match=r"layer 'y' is TensorFlow's function tf.math.cumsum, which"):
        as_operation(operation("math.cumsum", TENSOR, {"axis": 1}))
    with pytest.raises(
        ValueError, match=r"layer 'y' \(tf.linalg.matmul\): transpose_b=True is not supported"
    ):
        as_operation(operation("linalg.matmul", TENSOR, {"b": TENSOR, "transpose_b": True}))
