"""verify: what it must pass, and above all what it must not."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

import cnnviz
from cnnviz.images.mnist import load_mnist
from cnnviz.resources import asset
from cnnviz.verification.comparison import LayerCheck, Verification, read_record, verify, write_record
from harness.authority import keras
from harness.keras_models import ONLY_FLOAT32, STACKS, L, policy, save, sequential, write

IMAGES = load_mnist()[1][0][:40]
ARCHITECTURES = {**STACKS, **ONLY_FLOAT32}


@pytest.fixture(scope="module")
def small():
    """The trained network, on few images."""
    return cnnviz.load_model("mnist_14k")


def test_the_trained_network_passes_on_every_layer(small):
    result = verify(small, IMAGES)
    assert result
    assert [row.name for row in result.layers] == [layer.name for layer in small]
    assert (result.images, result.identical) == (40, 40)
    convolution = next(row for row in result.layers if row.name == "conv2d_1")
    assert 0 < convolution.difference < 1e-4
    assert 0 < convolution.numpy_error < 1e-4
    assert 0 < convolution.tensorflow_error < 1e-4
    assert convolution.difference <= convolution.numpy_error + convolution.tensorflow_error


def test_batches_and_progress_do_not_change_the_result(small):
    done = []
    whole = verify(small, IMAGES[:7], batch_size=7)
    parts = verify(small, IMAGES[:7], batch_size=3, progress=lambda *counts: done.append(counts))
    assert done == [(3, 7), (6, 7), (7, 7)]
    assert [row.name for row in whole.layers] == [row.name for row in parts.layers]
    assert whole.passed
    assert parts.passed


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_kind_of_layer_stays_within_its_bound(tmp_path, name):
    stack = ARCHITECTURES[name]
    shape = tuple(size or 12 for size in stack[0])
    path = save(sequential(stack), tmp_path)
    x = np.random.default_rng(1).normal(0, 1, (6, *shape)).astype(np.float32)
    result = verify(path, x)
    assert all(row.passed for row in result.layers), str(result)
    assert result.predict_difference < 1e-2


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("name", ["convolution", "batch normalisation", "activations", "pooling", "shapes"])
def test_half_precision_stays_within_its_own_bound(tmp_path, dtype, name):
    with policy(dtype):
        path = save(sequential(STACKS[name]), tmp_path)
    net = cnnviz.load_model(path)
    x = np.random.default_rng(1).normal(0, 1, (3, *STACKS[name][0])).astype(np.float32)
    result = verify(net, x)
    assert result, str(result)
    assert result.notes == net.notes
    half = dtype.removeprefix("mixed_")
    assert str(net.notes) in str((f"Keras computes all layers in {half}; here they run in float32.",))
    assert f"{net.notes[0]}\nPASSED" in str(result)
    assert Verification.from_dict(json.loads(result.to_json())) == result
    # With wide bounds: those of float32 would not hold.
    if name == "convolution":
        assert max(row.alone for row in result.layers) > 1e-4
        kernel = f"{net.layers[1].name}/kernel"
        wrong = net.with_weights({kernel: net.layers[1].weights["kernel"][::-1]})
        assert not verify(wrong, x)


def test_operations_are_compared_in_the_precision_of_what_they_read(tmp_path):
    with policy("mixed_bfloat16"):
        image = keras.Input((8, 8, 3), name="image")
        maps = L.Conv2D(4, 3, name="conv")(image)
        y = keras.ops.relu(maps * 0.1 + 1.0)[:, 1:, ::2] / 3.0
        scores = L.Dense(5, activation="softmax", dtype="float32", name="scores")(L.Flatten()(y))
        net = cnnviz.load_model(save(keras.Model(image, scores, name="operations"), tmp_path))
    whole = [layer.name for layer in net if layer.precision == "float32"]
    assert whole == ["image", "scores"]
    result = verify(net, np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32))
    assert result, str(result)
    # A receipt is about our own arithmetic, which is float32.
    run = net.run(np.ones((8, 8, 3), np.float32))
    assert cnnviz.explain(run, "conv", row=1, col=1, channel=0).bound < 1e-4


def test_single_layers_in_half_precision_are_counted(tmp_path):
    layers = [keras.Input((4,)), L.Dense(3, dtype="mixed_float16", name="half"), L.Dense(2, name="whole")]
    net = cnnviz.load_model(save(keras.Sequential(layers, name="mixed"), tmp_path))
    assert [layer.precision for layer in net] == ["float32", "float16", "float32"]
    assert net.notes == ("Keras computes 1 of 3 layers in float16; here they run in float32.",)
    assert verify(net, np.ones((2, 4), np.float32))
    assert cnnviz.load_model("mnist_14k").notes == ()


def test_nested_and_shared_layers_are_compared_each_call(tmp_path):
    image = keras.Input((6, 5, 2), name="image")
    shared = L.Conv2D(2, 3, padding="same", activation="tanh", name="shared")
    inner_in = keras.Input((6, 5, 2), name="inner_in")
    own = L.Conv2D(2, 3, padding="same", activation="tanh", name="own")
    inner = keras.Model(inner_in, L.ReLU(name="bend")(own(own(inner_in))), name="inner")
    block = keras.Sequential([keras.Input((6, 5, 2)), L.DepthwiseConv2D(2, name="depth")], name="block")
    y = L.Add(name="sum")([inner(image), inner(shared(image)), shared(image)])
    model = keras.Model(image, L.Flatten(name="flat")(block(y)), name="nested")
    x = np.random.default_rng(0).normal(0, 1, (4, 6, 5, 2)).astype(np.float32)
    result = verify(save(model, tmp_path), x)
    assert result, str(result)
    named = {row.name for row in result.layers}
    assert {"inner/own:1", "inner:1/bend", "shared", "shared:1", "block/depth", "sum"} <= named


@pytest.mark.parametrize("change", [1e-3, np.nan, np.inf])
def test_one_changed_weight_fails_in_its_layer(small, change):
    kernel = small["conv2d_4"].weights["kernel"].copy()
    kernel[1, 1, 3, 5] += change
    with np.errstate(all="ignore"):
        result = verify(small.with_weights({"conv2d_4/kernel": kernel}), IMAGES[:10])
    assert not result
    assert not result.passed
    assert [row.name for row in result.layers if row.share > 1] == ["conv2d_4"]
    names = [row.name for row in result.layers]
    before = result.layers[: names.index("conv2d_4")]
    assert all(row.passed for row in before)
    assert "FAILED" in str(result)


def test_a_changed_activation_fails(small):
    assert not verify(small.with_activation({"conv2d": "elu"}), IMAGES[:2])


def test_another_prediction_alone_fails():
    row = LayerCheck("a", "Flatten", (3,), 0.0, 0.0, 0.0, 0.0, 0.0)
    same = Verification("m", "0" * 64, 10, 10, 0.0, (row,), {}, "2026-01-01")
    assert same.passed
    assert not Verification("m", "0" * 64, 10, 9, 0.0, (row,), {}, "2026-01-01").passed


@pytest.mark.parametrize(
    ("last", "identical"),
    [
        (lambda: L.Dense(1, "sigmoid"), 3),
        (lambda: L.Dense(1), None),
        (lambda: L.Reshape((4, 2)), None),
        (lambda: L.Dense(2), 3),
    ],
)
def test_the_class_is_compared_where_there_are_classes(tmp_path, last, identical):
    """Of a single number the largest is always itself: what a sigmoid says are two classes."""
    path = save(sequential(((4, 4, 1), lambda: [L.Flatten(), L.Dense(8), last()])), tmp_path)
    result = verify(path, np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype(np.float32))
    assert (result.passed, result.identical) == (True, identical)
    assert Verification.from_dict(json.loads(result.to_json())) == result
    assert ("the same class on 3 of 3 images" in str(result)) == (identical is not None)
    assert not replace(result, identical=2)


def test_one_image_is_an_image(small):
    assert str(verify(small, IMAGES[:1])).startswith("mnist_14k: 1 image, tensorflow")


def test_keras_reads_the_file_itself_and_not_our_reading_of_it(tmp_path, small):
    """A network whose file is exchanged under it is compared with the file as it now is."""
    path = tmp_path / "model.keras"
    shutil.copy(small.source, path)
    net = cnnviz.load_model(path)
    assert verify(net, IMAGES[:2])
    model = keras.models.load_model(path, compile=False)
    model.get_layer("conv2d_6").bias.assign_add([0.01] * 16)
    write(model, path)
    assert [row.name for row in verify(net, IMAGES[:2]).layers if row.share > 1] == ["conv2d_6"]


def test_json_keeps_everything_and_holds_no_infinity():
    row = LayerCheck("a", "Conv2D", (None, 3, 2), math.inf, 1e-6, 2e-6, math.inf, math.inf)
    result = Verification("m", "0" * 64, 10, 10, math.inf, (row,), {"numpy": "2"}, "2026-01-01")
    data = json.loads(result.to_json())
    assert data["passed"] is False
    assert data["layers"][0]["difference"] is None
    assert Verification.from_dict(data) == result


def test_the_record_is_written_and_read(tmp_path):
    row = LayerCheck("a", "Conv2D", (4, 3, 2), 1e-6, 1e-6, 2e-6, 1e-6, 0.1)
    result = Verification("m", "0" * 64, 10, 10, 1e-6, (row,), {"numpy": "2"}, "2026-01-01")
    path = tmp_path / "verification.json"
    write_record([result], path)
    assert read_record(path) == {"m": result}
    assert [file.name for file in tmp_path.iterdir()] == ["verification.json"]


def test_the_bundled_record_is_of_the_bundled_models():
    from hashlib import sha256

    record = read_record()
    assert set(record) == {"mnist_14k", "mnist_maxpool"}
    for name, result in record.items():
        assert result.passed
        assert (result.images, result.identical) == (10_000, 10_000)
        assert result.sha256 == sha256(asset(f"{name}.keras").read_bytes()).hexdigest()
        assert [row.name for row in result.layers] == [layer.name for layer in cnnviz.load_model(name)]


def test_bad_input_is_named(small, tmp_path):
    flat = cnnviz.Layer("flat", "Flatten", inputs=("image",))
    image = cnnviz.Layer.from_config("image", "InputLayer", {"batch_shape": (None, 2, 2, 1)})
    with pytest.raises(ValueError, match="was not read from a file"):
        verify(cnnviz.Network([image, flat]), np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="x holds no images"):
        verify(small, IMAGES[:0])
    with pytest.raises(ValueError, match="28"):
        verify(small, np.zeros((1, 5, 5)))


def test_a_missing_tensorflow_says_what_to_type(monkeypatch, small):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'cnnviz\[tensorflow\]'"):
        verify(small, IMAGES[:1])
