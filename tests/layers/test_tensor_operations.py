"""Every operation of keras.ops that cnnviz reads, in models that hold each in every use, against Keras."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import special

import cnnviz
from cnnviz import Network, verify
from cnnviz.layers import ENTRIES
from cnnviz.layers.rounding import allowance
from cnnviz.layers.tensor_operations import PREFIX, OperationEntry, function_name, kind_of
from cnnviz.network.keras_file import ModelFileError
from harness.authority import keras, tf
from harness.keras_models import write
from harness.networks import run_of
from harness.operation_models import FAMILIES, numbers, operations

ops = keras.ops
OPERATIONS = {kind for kind, entry in ENTRIES.items() if isinstance(entry, OperationEntry)}


@cache
def net_of(family: str) -> Network:
    return run_of(family).network


def test_every_operation_is_in_a_model():
    assert {kind for kind in ENTRIES if kind.startswith(PREFIX)} == OPERATIONS
    assert {layer.kind for family in FAMILIES for layer in net_of(family)} >= OPERATIONS


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
def test_kinds_are_keras_s_classes(kind):
    function = ops
    for name in (ENTRIES[kind].namespace + function_name(kind)).split("."):
        function = getattr(function, name)
    assert kind_of(function_name(kind)) == kind


@pytest.mark.parametrize("family", FAMILIES)
def test_each_layer_is_within_its_bound_of_tensorflow(family):
    """On what Keras's layer got, and from the pixels on; the file was read by both."""
    result = verify(net_of(family), numbers())
    assert {layer.name for layer in result.layers if not layer.passed} == set()
    assert result.passed


@pytest.mark.parametrize("family", FAMILIES)
def test_the_code_computes_the_same(family):
    """As NumPy and as keras.ops, from what the layer read; roundings as between the engines."""
    run = run_of(family)
    net = run.network
    for layer in net:
        if not isinstance(layer.entry, OperationEntry):
            continue
        inputs = run.inputs(layer.name)
        reads = [f"x{i}" for i in range(len(inputs))]
        names = {"np": np, "ops": cnnviz.ops, "special": special, "keras": keras, "net": net}
        names |= dict(zip(reads, inputs, strict=True))
        code = layer.entry.code(layer, reads)
        if layer.activation is not None:
            code = layer.activation.code(code)
        for each in (code, layer.entry.keras_code(layer, reads)):
            result = np.asarray(eval(each, names))
            bound = allowance(layer, *inputs)
            assert (np.abs(result - run[layer.name]) <= bound).all(), (layer.name, each)


ROUNDED = ("leaky_relu", "gelu", "gelu, exact")
"""In these TensorFlow rounds constants to float32."""


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "images"])
def test_values_and_gradients_in_float64(family):
    """Of the sum of each call's results. Few roundings: of numbers below 100, slopes below 1000."""
    net, (model, tensors) = net_of(family).astype(np.float64), operations(family, "float64")
    x = numbers(dtype="float64")
    run = net.run(x)
    ours = dict(zip(tensors, map(source(net), net["side_by_side"].inputs), strict=True))
    probe = keras.Model(model.inputs, list(tensors.values()))
    with tf.GradientTape(persistent=True) as tape:
        image = tf.constant(x)
        tape.watch(image)
        results = probe(image)
    for number, (call, name) in enumerate(ours.items()):
        if call in ROUNDED:
            continue
        expected = tf.cast(results[number], "float64").numpy()
        np.testing.assert_allclose(run[name], expected, rtol=1e-13, atol=1e-13, err_msg=call)
        gradient = run.gradient(name, weights=np.ones(expected.shape)).wrt_input
        theirs = tape.gradient(results[number], image)
        # What TensorFlow does not go back through has no slope.
        theirs = np.zeros_like(gradient) if theirs is None else theirs.numpy()
        np.testing.assert_allclose(gradient, theirs, rtol=1e-11, atol=1e-11, err_msg=call)


def source(net: Network) -> Any:
    """The call's own layer, behind the cast and the flattening of the model's end."""

    def found(name: str) -> str:
        while name.startswith(("end_flat", "end_cast")):
            (name,) = net[name].inputs
        return name

    return found


# Refusals ---------------------------------------------------------------------------------------

MAP, VECTOR = (4, 5, 3), (6,)
REFUSED = {
    "a mean of all images": (lambda x, v: ops.mean(x), "axis=None makes one number of the whole batch"),
    "a sum over images": (lambda x, v: ops.sum(x, axis=0), "axis=0 is the batch"),
    "images that become rows": (lambda x, v: ops.reshape(x, (-1, 5, 3)), "newshape must begin with -1"),
    "other images first": (lambda x, v: x[::-1, :], "key must leave the batch"),
    "one image": (lambda x, v: x[0], "key must leave the batch"),
    "images last": (lambda x, v: ops.transpose(x), "axes must be 0, the batch"),
    "images moved": (lambda x, v: ops.swapaxes(x, 0, 1), "axis=0 is the batch"),
    "images joined": (lambda x, v: ops.concatenate([x, x], axis=0), "axis=0 is the batch"),
    "images stacked": (lambda x, v: ops.stack([x, x]), "axis=0 is the batch"),
    "images flipped": (lambda x, v: ops.flip(x), "axis=None takes the batch along"),
    "images padded": (lambda x, v: ops.pad(x, 1), "pad_width must be a pair for each of the 4 axes"),
    "a softmax over images": (lambda x, v: ops.softmax(v, axis=0), "axis=0 is the batch"),
    "images times images": (
        lambda x, v: ops.matmul(v, ops.transpose(v)),
        "axes must be 0, the batch",
    ),
    "axes that differ": (lambda x, v: x[..., 0] + v[:, None, None, :5], "must have as many axes each"),
    "whole numbers": (lambda x, v: ops.cast(x, "int32"), "dtype='int32' is not supported"),
    "an operation of its own": (lambda x, v: ops.cumsum(x, axis=1), "the operation keras.ops.cumsum, which"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_computed_is_refused_by_name(name, tmp_path):
    call, message = REFUSED[name]
    x, v = keras.Input(MAP), keras.Input(VECTOR)
    result = call(x, v)
    path = write(keras.Model([x, v], [result]), tmp_path / "refused.keras")
    with pytest.raises(ModelFileError, match=message) as error:
        cnnviz.load_model(path)
    assert "layer '" in str(error.value)


# Networks as people build them -------------------------------------------------------------------


def test_a_split_is_a_layer_for_each_part(tmp_path):
    x = keras.Input((4, 4, 6), name="image")
    parts = ops.split(x, 3, axis=-1)
    model = keras.Model(x, keras.layers.Concatenate(name="y")([parts[2], parts[0]]))
    net = cnnviz.load_model(write(model, tmp_path / "split.keras"))
    name = parts[0]._keras_history.operation.name
    assert [layer.name for layer in net] == ["image", f"{name}[0]", f"{name}[2]", "y"]
    assert net[f"{name}[2]"].output_shape == (4, 4, 2)
    x = np.arange(96.0).reshape(1, 4, 4, 6)
    np.testing.assert_array_equal(net.run(x)["y"], x[..., [4, 5, 0, 1]])


def test_sizes_that_are_not_known(tmp_path):
    x = keras.Input((None, None, 3), name="image")
    y = (x / 127.5 - 1)[:, ::2, :, ::-1]
    y = ops.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
    model = keras.Model(x, ops.mean(keras.layers.Conv2D(4, 3)(y), axis=(1, 2)))
    net = cnnviz.load_model(write(model, tmp_path / "unknown.keras"))
    assert next(layer for layer in net if layer.kind == "ops.Pad").output_shape == (None, None, 3)
    images = np.random.default_rng(0).uniform(0, 255, (2, 9, 8, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model(images).numpy()
    # 27 products and 72 numbers of at most 1.
    np.testing.assert_allclose(net.predict(images), expected, rtol=0, atol=100 * 2.0**-24)
