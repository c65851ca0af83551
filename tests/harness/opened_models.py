"""Twelve kinds of networks that somebody may open, small, with drawn weights, as files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from cnnviz import Layer, Network
from harness.generated_networks import image
from harness.model_files import archive, functional, layer

Layers = list[Layer]


def _add(layers: Layers, kind: str, name: str, *reads: str, **config: object) -> Layers:
    return [*layers, Layer.from_config(name, kind, config, inputs=reads or (layers[-1].name,))]


def _chain(first: Layer, *rest: tuple[str, str, dict[str, object]]) -> Layers:
    layers = [first]
    for kind, name, config in rest:
        layers = _add(layers, kind, name, **config)
    return layers


def _conv(name: str, filters: int, **config: object) -> tuple[str, str, dict[str, object]]:
    return "Conv2D", name, {"filters": filters, "kernel_size": 3, "activation": "relu", **config}


def _dense(units: int, name: str = "scores", **config: object) -> tuple[str, str, dict[str, object]]:
    return "Dense", name, {"units": units, **config}


_MEAN: tuple[str, str, dict[str, object]] = ("GlobalAveragePooling2D", "mean", {})
_SOFTMAX = {"activation": "softmax"}


def residual() -> Network:
    layers = _chain(
        image(12, 12, 3),
        _conv("first", 4, padding="same"),
        ("BatchNormalization", "norm", {}),
        _conv("second", 4, padding="same"),
    )
    layers = _add(layers, "Add", "sum", "second", "first")
    for kind, name, config in (_MEAN, ("Dropout", "drop", {"rate": 0.3}), _dense(3, **_SOFTMAX)):
        layers = _add(layers, kind, name, **config)
    return Network(layers, seed=0, name="residual")


def two_inputs() -> Network:
    layers = [image(8, 8, 3), image(5, name="numbers")]
    layers = _add(layers, "Conv2D", "conv", "image", filters=3, kernel_size=3)
    layers = _add(layers, "GlobalMaxPooling2D", "largest", "conv")
    layers = _add(layers, "Concatenate", "both", "largest", "numbers")
    return Network(_add(layers, "Dense", "scores", units=2, activation="softmax"), seed=0, name="two_inputs")


def pair() -> Network:
    layers = [image(8, 8, 3, name="left"), image(8, 8, 1, name="right")]
    for side in ("left", "right"):
        layers = _add(layers, "GlobalMaxPooling2D", f"largest_{side}", side)
    layers = _add(layers, "Concatenate", "both", "largest_left", "largest_right")
    return Network(_add(layers, "Dense", "same", units=1, activation="sigmoid"), seed=0, name="pair")


def logits_only() -> Network:
    layers = _chain(image(10, 10, 3), _conv("conv", 4), ("Flatten", "flat", {}), _dense(5))
    return Network(layers, seed=0, name="logits_only")


def dense_only() -> Network:
    layers = _chain(image(28, 28, 1), ("Flatten", "flat", {}), _dense(8, "hidden"), _dense(10, **_SOFTMAX))
    return Network(layers, seed=0, name="dense_only")


def no_dropout() -> Network:
    layers = _chain(
        image(28, 28, 1),
        _conv("conv", 4),
        ("MaxPooling2D", "pool", {}),
        ("Flatten", "flat", {}),
        _dense(10, **_SOFTMAX),
    )
    return Network(layers, seed=0, name="no_dropout")


def colour() -> Network:
    layers = _chain(
        image(16, 16, 3),
        _conv("first", 4),
        ("MaxPooling2D", "pool", {}),
        _conv("second", 4),
        ("GlobalMaxPooling2D", "largest", {}),
        _dense(4, **_SOFTMAX),
    )
    return Network(layers, seed=0, name="colour")


def one_axis() -> Network:
    layers = _chain(
        image(20, 2),
        ("Conv1D", "conv", {"filters": 3, "kernel_size": 3, "activation": "relu"}),
        ("GlobalAveragePooling1D", "mean", {}),
        _dense(2, **_SOFTMAX),
    )
    return Network(layers, seed=0, name="one_axis")


def any_size() -> Network:
    layers = _chain(image(None, None, 3), _conv("conv", 3), _MEAN, _dense(3, **_SOFTMAX))
    return Network(layers, seed=0, name="any_size")


def one_layer() -> Network:
    return Network(_chain(image(4), _dense(3)), seed=0, name="one_layer")


def thousand_classes() -> Network:
    layers = _chain(
        image(12, 12, 3),
        ("Rescaling", "scale", {"scale": 1 / 255}),
        _conv("conv", 4, strides=2),
        _MEAN,
        _dense(1000, **_SOFTMAX),
    )
    return Network(layers, seed=0, name="thousand_classes")


def segmentation() -> Network:
    layers = _chain(
        image(12, 12, 3),
        _conv("down", 4, padding="same"),
        ("MaxPooling2D", "pool", {}),
        _conv("deep", 4, padding="same"),
        ("UpSampling2D", "up", {}),
    )
    layers = _add(layers, "Concatenate", "skip", "up", "down")
    layers = _add(layers, "Conv2D", "classes", filters=2, kernel_size=1, activation="softmax")
    return Network(layers, seed=0, name="segmentation")


def bottleneck() -> Network:
    """ResNet50 in small: its stem, one block with a shortcut, and a hundred classes."""
    layers = _chain(
        image(32, 32, 3),
        ("ZeroPadding2D", "pad", {"padding": 3}),
        ("Conv2D", "stem", {"filters": 6, "kernel_size": 7, "strides": 2}),
        ("BatchNormalization", "stem_norm", {}),
        ("Activation", "stem_relu", {"activation": "relu"}),
        ("ZeroPadding2D", "pool_pad", {"padding": 1}),
        ("MaxPooling2D", "pool", {"pool_size": 3, "strides": 2}),
    )
    layers = _add(layers, "Conv2D", "shortcut", "pool", filters=8, kernel_size=1)
    layers = _add(layers, "BatchNormalization", "shortcut_norm")
    reads = "pool"
    for name, filters, size in (("narrow", 4, 1), ("middle", 4, 3), ("widen", 8, 1)):
        layers = _add(layers, "Conv2D", name, reads, filters=filters, kernel_size=size, padding="same")
        layers = _add(layers, "BatchNormalization", f"{name}_norm")
        reads = f"{name}_norm"
        if name != "widen":
            layers = _add(layers, "Activation", f"{name}_relu", activation="relu")
            reads = f"{name}_relu"
    layers = _add(layers, "Add", "sum", "shortcut_norm", "widen_norm")
    for kind, name, config in (("Activation", "out", {"activation": "relu"}), _MEAN, _dense(100, **_SOFTMAX)):
        layers = _add(layers, kind, name, **config)
    return Network(layers, seed=0, name="bottleneck")


def nested() -> bytes:
    """A file, as the nesting is Keras's: a model within the model."""
    inner = functional(
        [
            layer("InputLayer", "pixels", batch_shape=[None, 8, 8, 3]),
            layer("Conv2D", "conv", "pixels", filters=3, kernel_size=[3, 3], activation="relu"),
        ],
        "inner",
    )
    inner = {**inner, "name": "inner", "inbound_nodes": layer("", "", "image")["inbound_nodes"]}
    outer = functional(
        [
            layer("InputLayer", "image", batch_shape=[None, 8, 8, 3]),
            inner,
            layer("GlobalAveragePooling2D", "mean", "inner"),
            layer("Dense", "scores", "mean", units=3, activation="softmax"),
        ],
        "nested",
    )
    draw = np.random.default_rng(0).normal
    stored = {
        "layers/functional/layers/conv2d": [draw(size=(3, 3, 3, 3)), np.zeros(3)],
        "layers/dense": [draw(size=(3, 3)), np.zeros(3)],
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for group, arrays in stored.items():
            for number, array in enumerate(arrays):
                file[f"{group}/vars/{number}"] = array.astype("f4")
    return archive(config=outer, weights=buffer.getvalue())


KINDS: tuple[Callable[[], Network | bytes], ...] = (
    *(residual, two_inputs, logits_only, dense_only, no_dropout, nested),
    *(colour, one_axis, any_size, one_layer, thousand_classes, segmentation),
)
"""All twelve, by their names."""


def opened_file(kind: Callable[[], Network | bytes], folder: Path) -> Path:
    """The file of one of them."""
    path = folder / f"{kind.__name__}.keras"
    made = kind()
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made.save(path)
    return path
