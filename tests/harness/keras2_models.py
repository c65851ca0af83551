"""Models of Keras 2 (tf_keras), and their files: what it wrote otherwise than Keras 3."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from harness.authority import tf

with warnings.catch_warnings():
    # It is as old as what it stands for.
    warnings.simplefilter("ignore")
    import tf_keras

L = tf_keras.layers
FORMATS = ("model.h5", "model.keras", "whole_hdf5.keras")


def saved(model: Any, folder: Path, name: str) -> Path:
    """The model with random weights, as Keras 2 writes it; the last of FORMATS was the default until 2.12."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.name:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif "count" not in weight.name:
            weight.assign(rng.normal(0.0, 0.5, weight.shape))
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    return written(model, folder / name)


def written(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path, save_format="h5" if path.name != "model.keras" else None)
    return path


def plain() -> tuple[Any, dict[str, Any]]:
    """What Keras 2 called otherwise, and a shape that is said of the first layer alone."""
    model = tf_keras.Sequential(
        [
            L.RandomFlip(input_shape=(9, 8, 2), name="random_flip"),
            L.Conv2D(4, 3, padding="same", activation=tf_keras.layers.LeakyReLU(alpha=0.4)),
            L.BatchNormalization(),
            L.LeakyReLU(alpha=0.2),
            L.LeakyReLU(),
            L.DepthwiseConv2D(2, depth_multiplier=2),
            L.BatchNormalization(axis=[-1], scale=False),
            L.PReLU(shared_axes=[1, 2]),
            L.SeparableConv2D(3, 2, strides=2),
            L.ThresholdedReLU(0.1),
            L.ELU(0.7),
            L.Conv2DTranspose(3, 2, strides=2, activation="swish"),
            L.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.2),
            L.LayerNormalization(),
            L.Normalization(),
            L.UpSampling2D(2),
            L.ZeroPadding2D(1),
            L.Dropout(0.5),
            L.Activation("gelu"),
            L.AveragePooling2D(3, padding="same"),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ],
        name="chain",
    )
    return model, {layer.name: layer.output for layer in model.layers}


def other_sizes_in_training() -> tuple[Any, dict[str, Any]]:
    model = tf_keras.Sequential(
        [L.Conv2D(2, 3, input_shape=(9, 8, 2)), L.RandomHeight(0.2), L.RandomWidth(0.2), L.Conv2D(2, 3)],
        name="sizes",
    )
    return model, {layer.name: layer.output for layer in model.layers}


def shared_and_nested() -> tuple[Any, dict[str, Any]]:
    """A layer called twice; a Functional and a Sequential model, both called twice, and one in the other."""
    inner_image = L.Input((6, 6, 3), name="inner_image")
    ic = L.Conv2D(3, 1, name="ic")
    inner = tf_keras.Model(inner_image, L.Add(name="add")([ic(inner_image), inner_image]), name="inner")
    image = L.Input((6, 6, 3), name="image")
    conv, relu = L.Conv2D(3, 3, padding="same", activation="tanh", name="conv"), L.ReLU(name="relu")
    t = {"conv": conv(image)}
    t["conv:1"] = conv(t["conv"])
    t["relu"] = relu(t["conv:1"])
    t["inner"] = inner(t["relu"])
    t["inner:1"] = inner(t["inner"])
    stack = [L.Conv2D(3, 1, name="cc"), L.BatchNormalization(name="norm"), inner, L.Dropout(0.1)]
    sequence = tf_keras.Sequential([*stack, L.BatchNormalization(name="norm_2")], name="sequence")
    t["sequence"] = sequence(t["inner:1"])
    t["sequence:1"] = sequence(t["sequence"])
    t["relu:1"] = relu(t["sequence:1"])
    t["second"] = L.Conv2D(2, 1, name="second")(t["relu:1"])
    t["joined"] = L.Concatenate(name="joined")([t["second"], t["conv"]])
    return tf_keras.Model(image, t["joined"], name="nested"), t


def ending_in_models() -> tuple[Any, dict[str, Any]]:
    """Outputs that are the second calls of models."""
    image = L.Input((4, 4, 2), name="image")
    graph_image = L.Input((4, 4, 2))
    graph = tf_keras.Model(graph_image, L.Conv2D(2, 1, name="c")(graph_image), name="graph")
    sequence = tf_keras.Sequential([L.Conv2D(2, 1, name="s")], name="sequence")
    t = {"graph": graph(image), "sequence": sequence(image)}
    t["graph:1"], t["sequence:1"] = graph(t["sequence"]), sequence(t["graph"])
    return tf_keras.Model(image, [t["graph:1"], t["sequence:1"]], name="ends"), t


def several() -> tuple[Any, dict[str, Any]]:
    """Several inputs and outputs, of the model and of one in it."""
    a, b = L.Input((3,), name="a"), L.Input((4,), name="b")
    both = L.Concatenate(name="both")([a, b])
    pair = tf_keras.Model([a, b], [L.Dense(2, name="y")(both), both], name="pair")
    p, q = L.Input((4,), name="p"), L.Input((3,), name="q")
    y, joined = pair([q, p])
    t = {"pair/y": y, "pair/both": joined, "last": L.Dense(3, name="last")(y)}
    return tf_keras.Model([p, q], [t["last"], joined], name="several"), t


def slashes() -> tuple[Any, dict[str, Any]]:
    """Names as in keras.applications; here a slash stands between a model and its layers."""
    image = L.Input((6, 6, 2), name="in/image")
    y = L.BatchNormalization(name="block/conv_")(L.Conv2D(2, 3, name="block/conv")(image))
    inner_image = L.Input((4, 4, 2), name="inner/image")
    inner = tf_keras.Model(inner_image, L.Conv2D(1, 1, name="in/conv")(inner_image), name="a/model")
    chain = tf_keras.Sequential([inner, L.ReLU(name="re/lu")], name="a/chain")
    t = {"block_conv__": y, "a_model": inner(y), "a_chain": chain(y)}
    t["block_conv"] = L.Concatenate(name="block_conv")([t["a_model"], t["a_chain"]])
    return tf_keras.Model(image, t["block_conv"], name="slashes"), t


def operations() -> tuple[Any, dict[str, Any]]:
    """Functions of TensorFlow, and what prepares pictures in a graph."""
    image = L.Input((6, 6, 3), name="image")
    prepared = tf_keras.applications.mobilenet_v2.preprocess_input(image)
    caffe = image[:, :, :, ::-1] - [103.939, 116.779, 123.68]
    y = L.Conv2D(4, 3, name="conv")(tf.concat([prepared, caffe], axis=-1))
    y = tf.nn.relu(y) * 0.5 + 1.0 - y / L.GlobalAveragePooling2D(keepdims=True, name="mean")(y) ** 2.0
    cut = y[:, 1:, ::2]
    t = {"all": L.Activation("linear", name="all")(tf.reduce_max(cut, axis=[1, 2]))}
    return tf_keras.Model(image, t["all"], name="operations"), t


def partly_frozen() -> tuple[Any, dict[str, Any]]:
    """Keras 2 stores what it trains first: here that is another order than the layers'."""
    image = L.Input((5, 5, 2), name="image")
    base = tf_keras.Sequential(
        [
            L.Conv2D(2, 1, name="a"),
            L.BatchNormalization(name="na"),
            L.Conv2D(2, 1, name="b"),
            L.BatchNormalization(name="nb"),
        ],
        name="base",
    )
    t = {"base": base(image)}
    base.get_layer("a").trainable = False
    base.get_layer("nb").trainable = False
    t["pool"] = L.GlobalAveragePooling2D(name="pool")(t["base"])
    t["scores"] = L.Dense(2, name="scores")(t["pool"])
    return tf_keras.Model(image, t["scores"], name="frozen"), t
