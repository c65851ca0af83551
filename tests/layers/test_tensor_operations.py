"""Every operation of keras.ops that cnnviz reads, in models that hold each in every use, against Keras."""

from __future__ import annotations

import json
import random
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import special

import cnnviz
from cnnviz import Network, explain, receptive_field, verify
from cnnviz.layers import ENTRIES
from cnnviz.layers.rounding import allowance
from cnnviz.layers.tensor_operations import PREFIX, OperationEntry, function_name, kind_of
from cnnviz.network.keras_config import read_model
from cnnviz.network.keras_file import ModelFileError
from cnnviz.network.unfolding import unfold
from cnnviz.receptive_fields.extents import unit_axes
from harness.authority import keras, tf
from harness.keras_models import save, write
from harness.networks import run_of
from harness.operation_models import FAMILIES, numbers, operations

L, ops = keras.layers, keras.ops
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


NOT_EXACT = {"ops.Tile", "ops.Roll", "ops.StopGradient"}
"""The first two say that each unit reads the whole axis; the third has no slope."""


@pytest.mark.parametrize("family", FAMILIES)
def test_receptive_fields_hold_all_cells_that_a_unit_depends_on(family):
    """Those that have a slope; of what moves and adds up numbers they are all."""
    run = run_of(family)
    table = receptive_field(run.network)
    rng = np.random.default_rng(0)
    exact = {"image"}
    for layer in run.network:
        if not layer.inputs:
            continue
        entry = layer.entry
        if (
            not entry.selects
            and (entry.moves_values_only or layer.kind in ("ops.Mean", "ops.Sum", "ops.Matmul"))
            and layer.kind not in NOT_EXACT
            and set(layer.inputs) <= exact
        ):
            exact.add(layer.name)
        shape = layer.output_shape
        unit = tuple(int(rng.integers(n)) for n in shape[: unit_axes(shape)])
        weights = np.zeros(shape)
        weights[unit] = rng.uniform(1, 2, shape[len(unit) :])
        mask = table[layer.name].mask(unit=unit)
        reached = run.gradient(layer.name, weights=weights).wrt_input[0].any(axis=-1)
        assert (mask >= reached).all(), layer.name
        if layer.name in exact:
            assert (mask == reached).all(), layer.name
        rows, cols = table[layer.name].box(unit=unit)
        if mask.any():
            assert rows == (mask.any(1).argmax(), 3 - mask.any(1)[::-1].argmax()), layer.name
            assert cols == (mask.any(0).argmax(), 4 - mask.any(0)[::-1].argmax()), layer.name
        table[layer.name].box(unit=unit, clip=False)


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


JUNK = [None, True, -1, 0, 3, 10**30, 1e308, "x", "", [], {}, [1, 2, 3], [[1]], {"class_name": "__slice__"}]
JUNK += [
    {"class_name": "__numpy__", "config": {"value": each, "dtype": "float64"}}
    for each in ("x", [[1], [1, 2]])
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((value, key), *places(item))]


def test_junk_anywhere_in_an_operation_is_refused_or_harmless():
    x = keras.Input((4, 5, 3), name="image")
    y = ops.where(x > 0.5, 1 - x / 255, ops.clip(x, 0.25, 0.5))[:, ::2, None, 1:]
    y = ops.pad(ops.reshape(y, (-1, 8, 3)), ((0, 0), (1, 1), (0, 0)))
    y = ops.concatenate(ops.split(y + np.array([1.0, 2.0, 3.0]), 2, axis=1), axis=-1)
    y = ops.max(ops.matmul(y, ops.transpose(ops.expand_dims(y, 1)[:, 0], (0, 2, 1))), axis=1)
    config = keras.Model(x, ops.softmax(y)).to_json()
    draw, refusals = random.Random(0), 0
    for _ in range(300):
        data = json.loads(config)
        operation = draw.choice(data["config"]["layers"][1:])
        container, key = draw.choice(places(operation))
        container[key] = draw.choice(JUNK)
        try:
            graph = unfold(read_model(data))
            Network(graph.layers, graph.outputs, inputs=graph.inputs)
        except (ValueError, TypeError, OverflowError):
            refusals += 1
    assert 100 < refusals < 300


# Networks as people build them -------------------------------------------------------------------


def test_an_activation_layer_halves_the_axis_whose_half_keras_does_not_declare(tmp_path):
    model = keras.Sequential([keras.Input((5, 6)), L.Activation("glu", name="gate")], name="gated")
    x = np.linspace(-3, 3, 60, dtype=np.float32).reshape(2, 5, 6)
    run = cnnviz.load_model(write(model, tmp_path / "gated.keras")).run(x)
    theirs = np.asarray(model(x))
    assert model.output_shape == (None, 5, 6)
    assert run["gate"].shape == theirs.shape == (2, 5, 3)
    layer = run.network["gate"]
    assert (np.abs(run["gate"] - theirs) <= allowance(layer, *run.inputs("gate"))).all()
    with pytest.raises(ValueError, match="halves its axis, so that must have an even number"):
        layer.before_activation(np.zeros((1, 5, 3), np.float32))


def test_a_split_is_a_layer_for_each_part(tmp_path):
    x = keras.Input((4, 4, 6), name="image")
    parts = ops.split(x, 3, axis=-1)
    model = keras.Model(x, L.Concatenate(name="y")([parts[2], parts[0]]))
    net = cnnviz.load_model(write(model, tmp_path / "split.keras"))
    name = parts[0]._keras_history.operation.name
    assert [layer.name for layer in net] == ["image", f"{name}[0]", f"{name}[2]", "y"]
    assert net[f"{name}[2]"].output_shape == (4, 4, 2)
    x = np.arange(96.0).reshape(1, 4, 4, 6)
    np.testing.assert_array_equal(net.run(x)["y"], x[..., [4, 5, 0, 1]])


def test_an_array_of_float64_makes_what_follows_float64_up_to_the_next_layer(tmp_path):
    x = keras.Input((4, 4, 3), name="image")
    wide = ops.tanh(x * np.array([0.1, 0.2, 0.3]))
    pooled = L.GlobalAveragePooling2D(name="pooled")(wide)
    model = keras.Model(x, L.Dense(2, name="y")(ops.concatenate([pooled, ops.max(wide, axis=(1, 2))], -1)))
    path = write(model, tmp_path / "wide.keras")
    net = cnnviz.load_model(path)
    run = net.run(numbers()[:, :, :4])
    dtypes = {layer.kind: run[layer.name].dtype for layer in net}
    assert dtypes == {
        **dict.fromkeys(("InputLayer", "GlobalAveragePooling2D", "Dense"), np.float32),
        **dict.fromkeys(("ops.Multiply", "ops.Tanh", "ops.Max", "ops.Concatenate"), np.float64),
    }
    assert run.gradient("y", unit=0).wrt_input.shape == (2, 4, 4, 3)
    for layer in net:
        receipt = explain(run, layer.name, at=(0,) * (run[layer.name].ndim - 1))
        assert abs(float(receipt.residual)) <= receipt.bound
    assert verify(path, numbers()[:, :, :4])


PREPROCESSED = {"caffe": "vgg16", "torch": "densenet", "tf": "mobilenet_v2"}


@pytest.mark.parametrize("mode", PREPROCESSED)
def test_preprocess_input_in_a_graph(mode, tmp_path):
    """Pixels 0..255 go in as they are, integers too."""
    x = keras.Input((8, 8, 3), name="image")
    y = getattr(keras.applications, PREPROCESSED[mode]).preprocess_input(x)
    model = keras.Model(x, L.GlobalMaxPooling2D()(L.Conv2D(4, 3)(y)), name=mode)
    path = save(model, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    assert verify(path, pixels.astype(np.float32))
    net = cnnviz.load_model(path)
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.astype(np.float32), mode=mode)
    prepared = net.run(pixels)[next(layer for layer in net if layer.kind == "Conv2D").inputs[0]]
    # Of each mode's up to three steps, numbers of at most 255.
    np.testing.assert_allclose(prepared, expected, rtol=0, atol=4 * 255 * 2.0**-24)


def test_transfer_learning_as_in_tensorflow_s_tutorial(tmp_path):
    """tensorflow.org/tutorials/images/transfer_learning, with a small base in MobileNetV2's place."""
    layer = keras.Input((16, 16, 3))
    y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(layer)))
    base = keras.Model(layer, y, name="base")
    base.trainable = False
    augmentation = keras.Sequential([L.RandomFlip("horizontal"), L.RandomRotation(0.2)], name="augmentation")
    x = keras.Input((16, 16, 3), name="image")
    y = keras.applications.mobilenet_v2.preprocess_input(augmentation(x))
    y = L.Dropout(0.2)(L.GlobalAveragePooling2D()(base(y, training=False)))
    path = save(keras.Model(x, L.Dense(1, activation="sigmoid")(y), name="cats_and_dogs"), tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    result = verify(path, pixels.astype(np.float32))
    assert result.passed
    assert {row.kind for row in result.layers} >= {"ops.TrueDivide", "ops.Subtract", "RandomFlip"}


def test_the_gates_of_mobilenet_v3(tmp_path):
    """x * relu6(x + 3) / 6, written with operators (keras/src/applications/mobilenet_v3.py)."""
    x = keras.Input((6, 6, 4), name="image")
    y = L.Conv2D(4, 1)(x)
    pooled = L.GlobalAveragePooling2D(keepdims=True)(y)
    gate = L.ReLU(6.0)(pooled + 3.0) * (1.0 / 6.0)
    model = keras.Model(x, L.Multiply()([y, gate]), name="gates")
    assert verify(save(model, tmp_path), np.random.default_rng(0).normal(size=(3, 6, 6, 4)))


@pytest.mark.parametrize(
    ("build", "pixels"),
    [
        (lambda x: x / 255, True),
        (lambda x: x * (1 / 255), True),
        (lambda x: x / 127.5 - 1, True),
        (lambda x: x - 127.5, True),
        (lambda x: ops.flip(x, axis=2) - 100.0, True),
        (lambda x: 2 * x - 1, False),
        (lambda x: x - 0.5, False),
        (lambda x: (x - 0.5) / 0.25, False),
    ],
)
def test_a_network_that_begins_with_arithmetic_says_which_pixels_it_wants(build, pixels, tmp_path):
    x = keras.Input((4, 4, 1), name="image")
    net = cnnviz.load_model(write(keras.Model(x, build(x)), tmp_path / "pixels.keras"))
    white = np.full((1, 4, 4, 1), 255, np.uint8)
    np.testing.assert_array_equal(net.run(white)["image"], 255.0 if pixels else 1.0)


def test_sizes_that_are_not_known(tmp_path):
    x = keras.Input((None, None, 3), name="image")
    y = (x / 127.5 - 1)[:, ::2, :, ::-1]
    y = ops.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
    model = keras.Model(x, ops.mean(L.Conv2D(4, 3)(y), axis=(1, 2)))
    net = cnnviz.load_model(write(model, tmp_path / "unknown.keras"))
    assert next(layer for layer in net if layer.kind == "ops.Pad").output_shape == (None, None, 3)
    images = np.random.default_rng(0).uniform(0, 255, (2, 9, 8, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model(images).numpy()
    # 27 products and 72 numbers of at most 1.
    np.testing.assert_allclose(net.predict(images), expected, rtol=0, atol=100 * 2.0**-24)
