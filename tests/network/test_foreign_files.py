"""Files that are no Keras model, said by their content whatever they are called, and what to do with them."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnviz import ModelFileError, load_model
from harness.authority import keras, tf

L = keras.layers


def model() -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 1)), L.Conv2D(2, 3), L.Flatten(), L.Dense(2)], name="small")


def in_zip(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return data.getvalue()


def npz() -> bytes:
    data = io.BytesIO()
    np.savez(data, kernel=np.zeros(3))
    return data.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"kernel": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


# Beginnings as the formats' specifications give them; what follows does not matter.
FOREIGN = {
    "empty": (b"", "an empty file; download or save it again"),
    "LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "a Git LFS .*git lfs pull",
    ),
    "page": (b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "a web page in place of the file"),
    "JSON": (b'{"class_name": "Sequential", "config": {}}', "JSON, .*model_from_json"),
    "npz": (npz(), r"NumPy arrays \(.npz\); .*layer.set_weights"),
    "npy": (b"\x93NUMPY\x01\x00", "a NumPy array; .*layer.set_weights"),
    "PyTorch": (in_zip(net__data_dot_pkl=b"\x80\x02}", net__data__0=b""), "a PyTorch .*never opened"),
    "old PyTorch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a Python pickle .*never opened"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle .*never opened"),
    "safetensors": (safetensors(), "a safetensors file: .*layer.set_weights"),
    "TFLite": (
        b"\x1c\x00\x00\x00TFL3\x14\x00",
        "a TensorFlow Lite model, from which no Keras model can be made",
    ),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x051.8.0", "an ONNX model; .*onnx2tf"),
    "ONNX without a producer": (b"\x08\x09\x3a\x90\x01\x0a", "an ONNX model"),
    "graph": (b"\x0a\x2c\x0a\x05image\x12\x0bPlaceholder", r"a TensorFlow graph \(.pb\)"),
    "gzip": (b"\x1f\x8b\x08\x00", "a gzip archive; unpack it"),
    "tar": (b"net.keras".ljust(257, b"\0") + b"ustar\x0000", "a tar archive; unpack it"),
    "model in a zip": (in_zip(net_dot_keras=b""), "a zip archive with 'net.keras' in it; unpack it"),
    "other zip": (in_zip(readme_dot_txt=b""), "a zip archive, but not a .keras file"),
    "cut zip": (in_zip(config_dot_json=b"{}")[:40], "a zip archive that is cut off"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "text": (b"weights: see the README", "not a model file that Keras writes; model.save"),
}


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_model_is_called_by_its_name(kind, name, tmp_path):
    content, message = FOREIGN[kind]
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, f"this is {message}")


def refused(path: Path, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as error:
        load_model(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_tensorflow_and_keras_write_beside_models(tmp_path):
    net = model()
    net.save(tmp_path / "model.keras")
    for name in ("of_3.weights.h5", "weights.keras"):
        net.save_weights(tmp_path / "of_3.weights.h5")
        if name == "weights.keras":
            shutil.copy(tmp_path / "of_3.weights.h5", tmp_path / name)
        refused(tmp_path / name, r"weights without their network; .*load_weights\(.*model.save")
    with h5py.File(tmp_path / "of_2.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv2d"]
    refused(tmp_path / "of_2.h5", "weights without their network")
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
    refused(
        tmp_path / "saved", "the folder of a TensorFlow SavedModel, as model.export writes it: .*model.save"
    )
    refused(tmp_path / "saved" / "saved_model.pb", "a TensorFlow SavedModel, as model.export writes it")
    (tmp_path / "saved" / "keras_metadata.pb").touch()
    refused(tmp_path / "saved", "the folder of a TensorFlow SavedModel; tf_keras")
    refused(tmp_path / "saved" / "saved_model.pb", "a TensorFlow SavedModel; tf_keras")
    shutil.unpack_archive(tmp_path / "model.keras", tmp_path / "unpacked", "zip")
    refused(tmp_path / "unpacked", "the folder of an unpacked .keras file; zip what is in it")
    refused(tmp_path, "a folder, not a model file")


def test_a_model_is_read_whatever_it_is_called(tmp_path):
    net = model()
    for name, other in (("model.keras", "archive.h5"), ("model.h5", "hdf5.keras")):
        net.save(tmp_path / name)
        shutil.copy(tmp_path / name, tmp_path / other)
        assert load_model(tmp_path / other).output_shape == (2,)
