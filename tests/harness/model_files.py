"""Model files without Keras: small sound ones, as bytes, and ways to put other members into them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]


def layer(kind: str, name: str, reads: str = "", **options: Any) -> Config:
    """A layer's config as Keras 3 writes it in a Functional model."""
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 6, 6, 1], "dtype": "float32", "keras_history": [reads, 0, 0]},
    }
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "trainable": True, **options},
        "registered_name": None,
        "name": name,
        "inbound_nodes": [{"args": [tensor], "kwargs": {}}] if reads else [],
    }


def functional(layers: list[Config], name: str = "small") -> Config:
    """A Functional model of one input, its first layer, and one output, its last."""
    ends = {"input_layers": [layers[0]["name"], 0, 0], "output_layers": [layers[-1]["name"], 0, 0]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": name, "trainable": True, "layers": layers, **ends},
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
    }


def small_config() -> Config:
    """Image, convolution, normalization, pooling, flatten, dense."""
    return functional(
        [
            layer("InputLayer", "image", batch_shape=[None, 6, 6, 1]),
            layer("Conv2D", "conv", "image", filters=2, kernel_size=[3, 3], activation="relu"),
            layer("BatchNormalization", "norm", "conv"),
            layer("MaxPooling2D", "pool", "norm", pool_size=[2, 2]),
            layer("Flatten", "flat", "pool"),
            layer("Dense", "scores", "flat", units=3, activation="softmax"),
        ]
    )


def small_weights() -> dict[str, list[np.ndarray]]:
    """The arrays of `small_config`, by the groups of an archive."""
    draw = np.random.default_rng(0).normal
    return {
        "conv2d": [draw(size=(3, 3, 1, 2)).astype("f4"), np.zeros(2, "f4")],
        "batch_normalization": [np.ones(2, "f4"), np.zeros(2, "f4"), np.zeros(2, "f4"), np.ones(2, "f4")],
        "dense": [draw(size=(8, 3)).astype("f4"), np.zeros(3, "f4")],
    }


def archived_weights(change: Callable[[h5py.File], Any] | None = None) -> bytes:
    """The model.weights.h5 of the small model, with a change."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for group, arrays in small_weights().items():
            for number, array in enumerate(arrays):
                file[f"layers/{group}/vars/{number}"] = array
        if change is not None:
            change(file)
    return buffer.getvalue()


def archive(**changed: bytes | Config | None) -> bytes:
    """The small model as a .keras file; `config`, `weights` and `metadata` exchange or drop a member."""
    names = {"config": "config.json", "metadata": "metadata.json", "weights": "model.weights.h5"}
    sound: dict[str, Any] = {"config": small_config(), "metadata": {"keras_version": "3.9.0"}}
    members = {**sound, "weights": None, **changed}
    if "weights" not in changed:
        members["weights"] = archived_weights()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            if content is not None:
                text = content if isinstance(content, bytes) else json.dumps(content).encode()
                file.writestr(names[name], text)
    return buffer.getvalue()


def whole_hdf5(change: Callable[[h5py.File], Any] | None = None, config: Any = None) -> bytes:
    """The small model as a legacy .h5 file, with a change."""
    buffer = io.BytesIO()
    names = {"conv2d": "conv", "batch_normalization": "norm", "dense": "scores"}
    config = config or small_config()
    with h5py.File(buffer, "w") as file:
        file.attrs["keras_version"] = "3.9.0"
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [each.encode() for each in names.values()]
        for group, arrays in small_weights().items():
            place = root.create_group(names[group])
            weights = [f"{names[group]}/{number}" for number in range(len(arrays))]
            place.attrs["weight_names"] = [each.encode() for each in weights]
            for weight, array in zip(weights, arrays, strict=True):
                place[weight] = array
        if change is not None:
            change(file)
    return buffer.getvalue()
