"""Small networks by hand, and runs of the Keras models in `keras_models`, read from their files."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import cnnviz
from cnnviz import Layer, Network, Run
from harness.generated_networks import image
from harness.keras_models import ONLY_FLOAT32, STACKS, save, sequential
from harness.operation_models import FAMILIES, numbers, operations

_FOLDER = tempfile.TemporaryDirectory(prefix="cnnviz-models-")


def normal(*shape: int, seed: int = 7) -> np.ndarray:
    """The same random numbers in whatever order tests run."""
    return np.random.default_rng(seed).normal(size=shape)


def layer(name: str, kind: str, *inputs: str, weights: dict[str, Any] | None = None, **config: Any) -> Layer:
    arrays = {key: np.asarray(value, np.float32) for key, value in (weights or {}).items()}
    return Layer.from_config(name, kind, config, weights=arrays, inputs=inputs)


def conv(name: str, feeder: str, channels: int, filters: int, size: int = 3, **config: Any) -> Layer:
    seed = sum(map(ord, name))
    weights = {
        "kernel": normal(size, size, channels, filters, seed=seed),
        "bias": normal(filters, seed=seed + 1),
    }
    return layer(name, "Conv2D", feeder, weights=weights, filters=filters, kernel_size=size, **config)


def attention(name: str, kind: str, *inputs: str, shape: tuple[int, ...], **config: Any) -> Layer:
    """With random weights, for inputs of one shape."""
    bare = Layer.from_config(name, kind, config, inputs=inputs)
    expected = bare.entry.weight_shapes(bare.config, [shape] * len(inputs))
    names = bare.entry.weight_names(bare.config)
    weights = {each: normal(*expected[each], seed=seed) for seed, each in enumerate(names)}
    return layer(name, kind, *inputs, weights=weights, **config)


def merges() -> Network:
    """Every way of joining, with axes that are repeated and ranks that differ."""
    names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    pairs = [layer(kind.lower(), kind, "left", "right") for kind in names]
    threes = [
        layer(f"{kind.lower()}_3", kind, "left", "vector", "column") for kind in names if kind != "Subtract"
    ]
    return Network(
        [
            image(4, 3, 2),
            conv("left", "image", 2, 2, padding="same", activation="tanh"),
            conv("right", "image", 2, 2, size=1),
            layer("vector", "GlobalAveragePooling2D", "left"),
            layer("column", "MaxPooling2D", "right", pool_size=(1, 3)),
            *pairs,
            *threes,
            layer("one", "Multiply", "left"),
            attention(
                "attention", "MultiHeadAttention", "left", "right", shape=(4, 3, 2), num_heads=2, key_dim=3
            ),
            layer("sequence", "Reshape", "left", target_shape=(12, 2)),
            attention(
                "grouped",
                "GroupQueryAttention",
                *("sequence", "sequence", "sequence"),
                shape=(12, 2),
                head_dim=2,
                num_query_heads=4,
                num_key_value_heads=2,
            ),
            attention("products", "Attention", "sequence", "grouped", shape=(12, 2), use_scale=True),
            attention("sums", "AdditiveAttention", "sequence", "grouped", shape=(12, 2)),
            layer("whole", "ReLU", "left", max_value=4.5),
            attention("table", "Embedding", "whole", shape=(4, 3, 2), input_dim=5, output_dim=3),
            layer("scaled", "CustomScaleLayer", "left", "vector", scale=-0.17),
            layer("channels", "Concatenate", "left", "image", "right"),
            layer("rows", "Concatenate", "left", "right", axis=1),
            layer("flat", "Concatenate", "vector", "vector", axis=-1),
            layer("dot", "Dot", "left", "right", axes=(1, 1)),
            layer("dot of vectors", "Dot", "vector", "vector", axes=-1),
            layer("dot of ranks", "Dot", "left", "vector", axes=(3, 1)),
        ]
    )


@cache
def model_of(name: str) -> Any:
    """One of the Keras models, of layers or operations."""
    return operations(name)[0] if name in FAMILIES else sequential({**STACKS, **ONLY_FLOAT32}[name])


@cache
def run_of(name: str) -> Run:
    """A run of two images through one of the Keras models, of layers or operations, read from its file."""
    folder = Path(_FOLDER.name, name.replace(" ", "_"))
    folder.mkdir()
    net = cnnviz.load_model(save(model_of(name), folder))
    if name in FAMILIES:
        return net.run(numbers())
    shape, _ = {**STACKS, **ONLY_FLOAT32}[name]
    return net.run(normal(2, *(6 if n is None else n for n in shape)).astype(np.float32))
