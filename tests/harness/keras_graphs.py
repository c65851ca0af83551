"""Keras models whose layers form graphs: branches, shared layers, models in models, several ends.

With each come its tensors, under the names that a network has for them.
"""

from __future__ import annotations

from typing import Any

from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from harness.authority import keras
from harness.keras_models import L


def branches() -> tuple[Any, dict[str, Any]]:
    """Every merging layer, broadcasting included, and operators between tensors."""
    image = keras.Input((6, 5, 4), name="image", dtype="float64")
    t = {"image": image}
    t["left"] = L.Conv2D(4, 3, padding="same", activation="relu", name="left")(image)
    t["right"] = L.Conv2D(4, 1, name="right")(image)
    t["pooled"] = L.GlobalAveragePooling2D(name="pooled")(t["left"])
    for merge in (L.Add, L.Multiply, L.Average, L.Maximum, L.Minimum):
        name = merge.__name__
        t[name] = merge(name=name)([t["left"], t["right"], image])
        t[f"{name}_scaled"] = merge(name=f"{name}_scaled")([t[name], t["pooled"]])
    t["Subtract"] = L.Subtract(name="Subtract")([t["left"], t["right"]])
    t["Concatenate"] = L.Concatenate(name="Concatenate")([t["Add"], t["Subtract"], image])
    t["Dot"] = L.Dot((1, 1), name="Dot")([t["left"], t["right"]])
    t["Dot_vectors"] = L.Dot(-1, name="Dot_vectors")([t["pooled"], t["pooled"]])
    t["Dot_ranks"] = L.Dot((3, 1), name="Dot_ranks")([t["right"], t["pooled"]])
    t["rows"] = L.Concatenate(axis=1, name="rows")([t["left"], t["right"]])
    t["scaled"] = CustomScaleLayer(-0.17, name="scaled")([t["Subtract"], t["left"]])
    total = t["Add"] + t["Minimum"]
    total = total * t["left"] - image
    t["total"] = L.Identity(name="total")(keras.ops.maximum(total, image))
    return keras.Model(image, list(t.values())[1:], name="branches"), t


def shared() -> tuple[Any, dict[str, Any]]:
    """One convolution called three times, at two depths, and a shared activation."""
    image = keras.Input((6, 5, 3), name="image", dtype="float64")
    conv, relu = L.Conv2D(3, 3, padding="same", name="conv", activation="tanh"), L.ReLU(name="relu")
    t = {"conv": conv(image)}
    t["relu"] = relu(t["conv"])
    t["conv:1"] = conv(t["relu"])
    t["sum"] = L.Add(name="sum")([t["conv:1"], relu(image)])
    t["conv:2"] = conv(t["sum"])
    return keras.Model(image, list(t.values()), name="shared"), t


def nested() -> tuple[Any, dict[str, Any]]:
    """Functional in Functional, called twice and last; Sequential in Functional, called twice."""
    inner_image = keras.Input((6, 6, 4), name="inner_image", dtype="float64")
    conv = L.Conv2D(4, 3, padding="same", name="conv", activation="relu")
    inner = keras.Model(inner_image, L.Add(name="add")([conv(inner_image), inner_image]), name="inner")
    chain = keras.Sequential([L.Conv2D(4, 1, name="conv"), L.BatchNormalization(name="norm")], name="chain")
    image = keras.Input((6, 6, 3), name="image", dtype="float64")
    t = {"conv": L.Conv2D(4, 1, name="conv")(image)}
    t["inner"] = t["inner/add"] = inner(t["conv"])
    t["chain"] = t["chain/norm"] = chain(t["inner"])
    t["chain:1"] = chain(t["chain"])
    t["pool"] = L.MaxPooling2D(2, strides=1, padding="same", name="pool")(t["chain:1"])
    t["inner:1"] = t["inner:1/add"] = inner(t["pool"])
    return keras.Model(image, t["inner:1"], name="nested"), t


def deep() -> tuple[Any, dict[str, Any]]:
    """A Functional model in a Sequential one in a Sequential one, without Input layers."""
    image = keras.Input((6, 6, 2), name="image", dtype="float64")
    core = keras.Model(image, L.Conv2D(3, 3, name="conv")(image), name="core")
    middle = keras.Sequential([core, L.PReLU(name="slope")], name="middle")
    model = keras.Sequential([middle, L.Flatten(name="flat"), L.Dense(2, name="scores")], name="deep")
    model.build((None, 6, 6, 2))
    return model, {layer.name: layer.output for layer in model.layers[1:]}


def several() -> tuple[Any, dict[str, Any]]:
    """Several inputs and outputs, also of a nested model, which names them."""
    a, b = (keras.Input((n,), name=name, dtype="float64") for n, name in ((3, "a"), (4, "b")))
    both = L.Concatenate(name="both")([a, b])
    pair = keras.Model({"one": a, "two": b}, {"y": L.Dense(2, name="y")(both), "x": both}, name="pair")
    p, q = (keras.Input((n,), name=name, dtype="float64") for n, name in ((4, "p"), (3, "q")))
    found = pair({"two": p, "one": q})
    t = {"pair/y": found["y"], "pair/both": found["x"], "last": L.Dense(3, name="last")(found["y"])}
    return keras.Model([p, q], [t["last"], found["x"]], name="several"), t
