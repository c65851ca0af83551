"""Networks in which every layer class follows every other one, generated from what the entries say.

A class joins by being in ENTRIES: options and weights are drawn from what its entry asks for. Only an option
that no other class has needs a line here, and a test says so. Classes that share one entry are the same to
cnnviz, and one stands for all. Operations are many and short: each is behind and before a few classes, which
another seed makes others, and behind and before all where `every` pair is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz import Layer, Network
from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import ACTIVATIONS
from cnnviz.layers.shapes import with_shapes
from cnnviz.layers.tensor_operations import OperationEntry

Shape = tuple[int, ...]

TRIES = 40
IMAGES: tuple[Shape, ...] = ((5, 4, 6), (6, 4), (8,))
"""Inputs: a map, a sequence, a vector."""
KINDS = sorted({entry: kind for kind, entry in sorted(ENTRIES.items(), reverse=True)}.values())
"""One class of each entry."""
FEW = 12
"""One in so many pairs with an operation."""


def image(*shape: int | None, name: str = "image") -> Layer:
    return Layer.from_config(name, "InputLayer", {"batch_shape": (None, *shape)})


def followers(first: str, seed: int = 0, every: bool = False) -> list[str]:
    """The classes that are put behind one: those that read something, and of pairs with operations a few."""
    return [
        kind
        for place, kind in enumerate(KINDS, KINDS.index(first) + seed)
        if ENTRIES[kind].most_inputs
        and (
            every
            or place % FEW == 0
            or not any(isinstance(ENTRIES[each], OperationEntry) for each in (first, kind))
        )
    ]


def choices(shape: Shape, rng: np.random.Generator) -> dict[str, list[Any]]:
    """Values of options by name, for an input of this shape; those that a class refuses are drawn anew."""
    axes = range(1, len(shape) + 1)
    channels = rng.uniform(0.5, 2, shape[-1]).round(3).tolist()
    height, width = (*shape, 1)[:2]
    batch = "bcdefgh"[: len(shape)]
    matrix = rng.normal(0, 0.5, (shape[-1], 3)).round(3).tolist()
    return {
        "activation": [None, None, *ACTIVATIONS],
        "alpha": [0.3, 1.5],
        "approximate": [True, False],
        "attention_axes": [None, 1, -2],
        "axes": [-1, 1, len(shape), (len(shape), 1), (0, *rng.permutation(axes).tolist())],
        "axis": [-1, -1, *axes, tuple(axes), None],
        "axis1": [*axes],
        "axis2": [-1, *axes],
        "b": [1.0, 4.0],
        "bias_axes": [None, "z"],
        "center": [True, False],
        "condition": [None, 1.0],
        "constant_values": [0.0, 0.5],
        "crop_to_aspect_ratio": [True, False],
        "cropping": [0, 1, ((0, 1), (1, 0))],
        "data_format": ["channels_last"],
        "default_value": [0.0, -1.5],
        "depth_multiplier": [1, 2],
        "destination": [1, -1],
        "dilation_rate": [1, 1, 2, (1, 2)],
        "dims": [tuple(rng.permutation(axes).tolist())],
        "dropout": [0.0, 0.3],
        "dtype": ["float32"],
        "epsilon": [1e-3, 1e-5, 0.1],
        "equation": [
            f"a{batch},{batch[-1]}z->a{batch[:-1]}z",
            f"...{batch[-1]},{batch[-1]}z->...z",
            "ab...,bz->az...",
        ],
        "fill_value": [0.0, 0.5],
        "filters": [2, 4],
        "groups": [1, 2, -1],
        "head_dim": [2, 4],
        "height": [int(rng.integers(1, 2 * height + 1))],
        "indices_or_sections": [1, 2, (1,), (1, 3)],
        "input_dim": [2, 5],
        "interpolation": ["nearest", "bilinear"],
        "init_values": [0.5],
        "invert": [True, False],
        "keepdims": [True, False],
        "kernel_size": [1, 2, 3, (3, 2), (1, 3)],
        "key": [
            (..., slice(None, None, -1)),
            (slice(None), 0),
            (..., None),
            (slice(None), slice(1, None)),
            (..., slice(0, 3, 2)),
        ],
        "key_dim": [2, 3],
        "layer": [
            _held("Dense", units=3, activation="relu"),
            _held("Conv2D", filters=3, kernel_size=2, padding="same"),
            _held("Activation", activation="tanh"),
        ],
        "max_value": [None, 1.0],
        "l1": [0.0, 0.1],
        "l2": [0.0, 0.1],
        "mask_zero": [False],
        "mean": [None, channels, 0.25],
        "mode": ["constant", "reflect", "symmetric", "dot", "scale"],
        "n": [1, 3],
        "negative_slope": [0.0, 0.25],
        "newshape": [(-1, *shape_of(math.prod(shape), int(rng.integers(1, 4)), rng))],
        "noise_shape": [None, (None, *shape[:-1], 1)],
        "normalize": [True, False],
        "num_heads": [1, 2],
        "num_key_value_heads": [1, 2],
        "num_query_heads": [2, 4],
        "offset": [0.0, 0.5, channels],
        "output": [0, 1],
        "output_dim": [1, 3],
        "output_shape": [(*(None,) * (len(shape) - 1), 3), None, 2],
        "output_size": [1, 2, (2, 1)],
        "output_padding": [None, None, 0, 1],
        "pad_to_aspect_ratio": [True, False],
        "pad_width": [((0, 0), *(tuple(rng.integers(0, 3, 2).tolist()) for _ in axes))],
        "padding": ["valid", "same", "same", "causal", 1, ((1, 0), (0, 2))],
        "pool_size": [1, 2, 3, (2, 1)],
        "rate": [0.5],
        "repeats": [1, 2, (1, *rng.integers(1, 3, len(shape)).tolist())],
        "rms_scaling": [True, False],
        "scale": [True, False, 0.5, channels],
        "score_mode": ["dot", "concat"],
        "shared_axes": [None, (1,), tuple(axes)],
        "shift": [1, -2],
        "size": [1, 2, (1, 3)],
        "sliding_window": [None, 2],
        "source": [1, -1],
        "stddev": [0.5],
        "strides": [None, 1, 2, (1, 2)],
        "target_shape": [shape_of(math.prod(shape), int(rng.integers(1, 4)), rng)],
        "threshold": [0.0, 0.5],
        "units": [3, 5],
        "use_bias": [True, False],
        "use_causal_mask": [True, False],
        "use_gate": [True, False],
        "use_scale": [True, False],
        "value_dim": [None, 2],
        "variance": [None, channels, 0.5],
        "width": [int(rng.integers(1, 2 * width + 1))],
        "x": [None],
        "x1": [None, None, 0.5, channels],
        "x2": [None, None, 1.5, channels, matrix],
        "x_max": [None, 1.0],
        "x_min": [None, -0.5],
    }


def _held(kind: str, **config: Any) -> dict[str, Any]:
    """A layer as a wrapper's config has it."""
    return {"module": "keras.layers", "class_name": kind, "config": config}


def shape_of(size: int, rank: int, rng: np.random.Generator) -> Shape:
    """A shape of so many cells; axes of length 1 are likelier than not among the possible ones."""
    shape: list[int] = []
    for _ in range(rank - 1):
        divisors = [n for n in range(1, size + 1) if size % n == 0]
        shape.append(divisors[rng.integers(len(divisors))])
        size //= shape[-1]
    return (*shape, size)


def drawn(kind: str, name: str, reads: Sequence[Layer], rng: np.random.Generator) -> Layer | None:
    """A layer of a class with random options and weights that reads these layers; None if none is found."""
    entry, shapes = ENTRIES[kind], [layer.output_shape for layer in reads]
    if () in shapes:
        return None
    inputs = tuple(layer.name for layer in reads)
    if entry.rank not in (None, len(shapes[0]) + 1):
        return None
    for attempt in range(TRIES if entry.options or entry.most_inputs == 1 else 1):
        if attempt % 10 == 0:
            values = choices(shapes[0], rng)  # type: ignore[arg-type]
        config = {
            option: values[option][rng.integers(len(values[option]))]
            for option, (_, default) in {**entry.options, "layer": (None, None)}.items()
            if option in values and (default is None or rng.random() < 0.6)
        }
        try:
            layer = Layer.from_config(name, kind, config, inputs=inputs)
            seen = shapes if len(shapes) > 1 else shapes[0]
            return _shaped(weighted(layer, seen, rng), reads)
        except (ValueError, TypeError):
            continue
    return None


def weighted(layer: Layer, shape: Any, rng: np.random.Generator) -> Layer:
    """The layer with random weights for an input of this shape."""
    sizes = layer.entry.weight_shapes(layer.config, shape)
    weights = {}
    for name in layer.entry.weight_names(layer.config):
        array = rng.normal(0, 0.5, sizes[name])
        if "variance" in name:
            array = 0.5 + np.abs(array)
        weights[name] = np.asarray(array, np.float32)
    return Layer(layer.name, layer.kind, layer.config, weights, layer.inputs)


def _shaped(layer: Layer, reads: Sequence[Layer]) -> Layer | None:
    """The layer with its shapes, as a network knows it; None if it is large. ValueError: it does not fit."""
    inputs = [image(*each.output_shape, name=each.name) for each in dict.fromkeys(reads)]
    shaped = with_shapes([*inputs, layer], np.dtype("float32"))[-1]
    size = math.prod(shaped.output_shape)  # type: ignore[arg-type]
    return shaped if 0 < size < 2000 else None


def behind(
    kind: str, name: str, source: Layer, others: Sequence[Layer], rng: np.random.Generator
) -> list[Layer]:
    """A layer of a class behind another one, perhaps with a Flatten or a Reshape between; [] if none fits."""
    size = math.prod(source.output_shape)  # type: ignore[arg-type]
    usual = (0, 1, *([2, 3] if rng.random() < 0.5 else [3, 2]), 2, 3, 3)
    taken = (ENTRIES[kind].rank or 1) - 1
    for rank in usual if taken <= 3 else (0, taken):
        if rank == 0:
            between, read = [], source
        elif rank == 1:
            between = [Layer.from_config(f"{name}_flat", "Flatten", {}, inputs=(source.name,))]
        else:
            target = {"target_shape": shape_of(size, rank, rng)}
            between = [Layer.from_config(f"{name}_reshaped", "Reshape", target, inputs=(source.name,))]
        if between:
            between = [_shaped(between[0], [source])]  # type: ignore[list-item]
            read = between[0]
        if "input_dim" in ENTRIES[kind].options:
            # It looks up rows of a table, by numbers that must be there.
            row = Layer.from_config(f"{name}_row", "ops.Greater", {"x2": 0.0}, inputs=(read.name,))
            read = _shaped(row, [read])  # type: ignore[assignment]
            between = [*between, read]
        # Classes whose inputs must be alike have the same one several times at last.
        for also in (*[others] * 5, []) if ENTRIES[kind].most_inputs > 1 else ([],):
            reads = [read, *_partners(kind, read, also, rng)]
            layer = drawn(kind, name, reads, rng)
            if layer:
                return [*between, layer]
    return []


def _partners(kind: str, read: Layer, others: Sequence[Layer], rng: np.random.Generator) -> list[Layer]:
    """What else a class with several inputs reads, the same once more or others: they fit, or do not."""
    entry = ENTRIES[kind]
    most = min(int(min(entry.most_inputs, 3)), 3)
    count = int(rng.integers(entry.least_inputs, most + 1)) - 1
    return [
        others[rng.integers(len(others))] if others and rng.random() < 0.5 else read
        for _ in range(max(count, 0))
    ]


def pairs_of(first: str, seed: int = 0, every: bool = False) -> tuple[Network, set[str]]:
    """A network in which the `followers` follow `first`, and those of which none that fits was found."""
    rng = np.random.default_rng([seed, KINDS.index(first)])
    for shape in rng.permutation(np.array(3 * IMAGES, object)).tolist():
        start = list(Network([image(*shape)]))
        twin = Layer.from_config("twin", "Activation", {"activation": "tanh"}, inputs=("image",))
        start.append(_shaped(twin, start))  # type: ignore[arg-type]
        source = [start[0]] if first == "InputLayer" else behind(first, "first", start[0], start[1:], rng)
        if source and source[-1].output_shape:
            break
    else:
        return Network(start), {first}
    layers, missing = [*start, *(source if first != "InputLayer" else [])], set()
    like = Layer.from_config("like", "Activation", {"activation": "tanh"}, inputs=(source[-1].name,))
    layers.append(_shaped(like, source[-1:]))  # type: ignore[arg-type]
    others = [start[0], *start[1:], layers[-1]]
    for kind in followers(first, seed, every):
        new = behind(kind, kind.lower(), source[-1], others, rng)
        layers += new
        if not new:
            missing.add(kind)
    return Network(layers, name=f"{first} and all others"), missing
