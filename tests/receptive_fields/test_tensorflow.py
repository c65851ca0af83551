"""The exact cells of every unit against TensorFlow: those where the unit's gradient is not zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnviz
from cnnviz import Layer, Network
from cnnviz.receptive_fields import ReceptiveField, receptive_field
from harness import spec_networks
from harness.authority import keras
from harness.keras_models import STACKS, policy, sequential, write
from harness.spec_networks import networks, reach

L = keras.layers


@given(networks(), st.randoms(use_true_random=False))
def test_generated_networks(network: spec_networks.Network, random: Any) -> None:
    fields = list(receptive_field(network.twin.specs, network.shape).values())[1:]
    for field, reached in zip(fields, network.reach(), strict=True):
        _check_units(field, reached, random.sample)
        row, col = (random.randrange(n) for n in network.shape[:2])
        np.testing.assert_array_equal(field.projective_mask(row, col), reached[..., row, col])


def _check_units(field: ReceptiveField, reached: np.ndarray, sample: Any) -> None:
    """Hold boxes, masks, intervals and cells against which cells reach which unit."""
    units = reached.shape[:-2]
    assert field.shape[: len(units)] == units
    places = list(np.ndindex(*units))
    for unit in places:
        assert field.box(unit=unit) == _box(reached[unit])
    for unit in sample(places, min(3, len(places))):
        np.testing.assert_array_equal(field.mask(unit=unit), reached[unit])
    if len(units) != 2:
        return
    for axis, along in enumerate(field.axes):
        rows = reached.any(axis=(1 - axis, 3 - along))
        assert field.intervals(axis).tolist() == [list(_ends(row)) for row in rows]
        for u, row in enumerate(rows):
            assert field.cells(axis, u) == tuple(np.flatnonzero(row).tolist())


def _box(mask: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple(_ends(mask.any(axis=1 - axis)) for axis in (0, 1))


def _ends(cells: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(cells)
    return (int(places[0]), int(places[-1])) if len(places) else (0, -1)


# Networks read from files ---------------------------------------------------------------------------


def _residual(x: Any) -> Any:
    """A ResNet's stem and two stages, as Keras's ResNet50 pads them, and a head."""
    x = L.ZeroPadding2D(2)(x)
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(2, 5, strides=2)(x)))
    x = L.AveragePooling2D(3, strides=2)(L.ZeroPadding2D(1)(x))
    for strides in (1, 2):
        shortcut = L.Conv2D(3, 1, strides=strides)(x)
        y = L.Conv2D(2, 1, strides=strides, activation="relu")(x)
        y = L.Conv2D(3, 3, padding="same", activation="relu")(y)
        x = L.Activation("relu")(L.Add()([shortcut, y]))
    return L.Dense(2)(L.GlobalAveragePooling2D()(x))


def _inverted_residual(x: Any) -> Any:
    """A MobileNet's blocks, with uneven padding and squeeze-and-excitation."""
    x = L.Conv2D(2, 3, strides=2, padding="same", activation="relu6")(x)
    y = L.ReLU(max_value=6.0)(L.Conv2D(4, 1)(x))
    y = L.DepthwiseConv2D(3, strides=2)(L.ZeroPadding2D(((0, 1), (0, 1)))(y))
    y = L.Conv2D(3, 1)(y)
    z = L.SeparableConv2D(3, 3, dilation_rate=2, padding="same")(y)
    y = L.Add()([y, z])
    s = L.Reshape((1, 1, 3))(L.GlobalAveragePooling2D()(y))
    s = L.Conv2D(3, 1, activation="sigmoid")(L.Conv2D(1, 1, activation="relu")(s))
    return L.Multiply()([y, s])


def _inception(x: Any) -> Any:
    """Branches of many kernels, and one that shares no centre with them."""
    a = L.Conv2D(2, 1)(x)
    b = L.Conv2D(2, (1, 5), padding="same")(L.Conv2D(1, (5, 1), padding="same")(x))
    c = L.AveragePooling2D(3, strides=1, padding="same")(x)
    d = L.Conv2D(1, 2, padding="same")(x)
    x = L.Concatenate()([a, b, c, d])
    y = L.Conv2D(3, 3, strides=2, padding="same")(x)
    z = L.Cropping2D(((0, 1), (0, 0)))(L.AveragePooling2D(2, strides=2)(L.ZeroPadding2D(((1, 2), (1, 0)))(x)))
    return L.Flatten()(L.Concatenate(axis=3)([y, z]))


def _u_net(x: Any) -> Any:
    """Down and up again, with transposed and repeated cells joined to what was there."""
    a = L.Conv2D(2, 3, padding="same")(x)
    b = L.Conv2D(2, 3, padding="same")(L.AveragePooling2D(2)(a))
    c = L.Conv2D(2, 3, padding="same", dilation_rate=2)(L.AveragePooling2D(2)(b))
    b = L.Concatenate()([b, L.Conv2DTranspose(2, 2, strides=2)(c)])
    b = L.Conv2DTranspose(2, 3, strides=2, padding="same")(b)
    return L.Concatenate()([L.Conv2D(1, 3, padding="same")(b), a, L.UpSampling2D(4)(c)])


def _shuffles(x: Any) -> Any:
    """Channels shuffled between groups, and turned into rows and columns."""
    height, width, _ = x.shape[1:]
    x = L.Conv2D(4, 3, padding="same", groups=1)(x)
    x = L.Permute((1, 2, 4, 3))(L.Reshape((height, width, 2, 2))(x))
    x = L.DepthwiseConv2D(3, padding="same")(L.Reshape((height, width, 4))(x))
    x = L.Permute((1, 3, 2, 4))(L.Reshape((height, width, 2, 2))(x))
    x = L.Reshape((2 * height, 2 * width, 1))(x)
    x = L.Permute((2, 1, 3))(L.Conv2D(2, (1, 3))(x))
    x = L.Concatenate(axis=1)([x, L.Cropping2D(((1, 0), (0, 0)))(x)])
    return L.Softmax(axis=2)(x)


def _tokens(x: Any) -> Any:
    """Positions in one axis, with dense layers that work on each by itself or on all."""
    height, width, channels = x.shape[1:]
    x = L.Dense(3)(L.Conv2D(2, 2, strides=2)(x))
    height, width, channels = x.shape[1:]
    x = L.Dense(2, activation="softmax")(L.Reshape((height * width, channels))(x))
    x = L.Conv2D(1, 2)(L.Reshape((height, width, 2))(x))
    x = L.Activation("softmax")(L.Flatten()(x))
    return L.Conv2D(1, 1)(L.Reshape((1, -1, 1))(x))


def _normalised(x: Any) -> Any:
    """Statistics of a pixel, of a row, of some rows, and of whole maps."""
    x = L.Conv2D(4, 3)(L.LayerNormalization()(x))
    x = L.GroupNormalization(2, axis=1)(L.Conv2D(4, 2)(L.LayerNormalization(axis=2)(x)))
    x = L.Conv2D(3, 2)(L.GroupNormalization(2)(L.AveragePooling2D(2)(x)))
    return L.Dense(2)(L.Flatten()(L.LayerNormalization(axis=(1, 2))(x)))


def _resized(x: Any) -> Any:
    """Made larger along one axis and smaller along the other, with uneven steps, and cropped."""
    x = L.Conv2D(2, 2)(L.CenterCrop(9, 5)(x))
    x = L.Resizing(7, 11, pad_to_aspect_ratio=True)(L.Resizing(8, 7, interpolation="nearest")(x))
    x = L.CenterCrop(5, 3)(L.Resizing(6, 9)(x))
    return L.Add()([L.Conv2D(1, 3, padding="same")(x), L.CenterCrop(5, 3)(L.AveragePooling2D(2)(x))])


def _nested(x: Any) -> Any:
    """A model within a model, called twice, and a layer that is shared."""
    block = keras.Sequential([keras.Input((None, None, 2)), L.Conv2D(2, 3, padding="same")], name="block")
    shared = L.Conv2D(2, 3, strides=2, padding="same", name="shared")
    x = L.Conv2D(2, (1, 2))(x)
    return shared(L.Add()([block(block(x)), shared(L.UpSampling2D(2)(x))]))


BUILDERS = {
    "residual": (_residual, (21, 18, 2)),
    "inverted_residual": (_inverted_residual, (19, 16, 1)),
    "inception": (_inception, (8, 9, 2)),
    "u_net": (_u_net, (12, 8, 1)),
    "shuffles": (_shuffles, (5, 4, 1)),
    "tokens": (_tokens, (8, 6, 2)),
    "normalised": (_normalised, (9, 8, 2)),
    "resized": (_resized, (6, 8, 2)),
    "nested": (_nested, (9, 8, 1)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_networks_from_files(name: str, tmp_path: Path) -> None:
    build, shape = BUILDERS[name]
    with policy("float64"):
        image = keras.Input(shape, name="image", dtype="float64")
        model = _averaging(keras.Model(image, build(image), name=name))
    net = cnnviz.load_model(write(model, tmp_path / f"{name}.keras"))
    # A layer that is called once goes by its name, the model's output by the network's.
    tensors = {layer.name: layer.output for layer in model.layers[1:] if len(layer._inbound_nodes) == 1}
    tensors[net.outputs[0]] = model.output
    probe = keras.Model(image, list(tensors.values()))
    table = receptive_field(net)
    for layer, reached in zip(tensors, reach(probe, shape), strict=True):
        _check_units(table[layer], reached, lambda places, n: places[:: max(len(places) // n, 1)])
        assert table[layer].shape == net[layer].output_shape


def _averaging(model: Any) -> Any:
    """Every kernel averages what it reads: positive inputs stay positive, and no activation saturates."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "kernel" in weight.name:
            drawn = rng.uniform(0.5, 1.5, weight.shape)
            weight.assign(drawn / drawn.sum(axis=tuple(range(drawn.ndim - 1)), keepdims=True))
    return model


@pytest.mark.parametrize("name", STACKS)
def test_shapes_are_the_networks(name: str, tmp_path: Path) -> None:
    net = cnnviz.load_model(write(sequential(STACKS[name]), tmp_path / "stack.keras"))
    for layer, field in receptive_field(net).items():
        assert field.shape == net[layer].output_shape


def test_maximum_and_average_pools_see_the_same() -> None:
    fields = []
    for kind in ("MaxPooling2D", "AveragePooling2D"):
        image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 11, 8, 1)})
        pool = Layer.from_config("pool", kind, {"pool_size": 3, "padding": "same"}, inputs=("image",))
        fields.append(receptive_field(Network([image, pool]))["pool"])
    assert fields[0].size == fields[1].size == (3, 3)
    assert fields[0].intervals(1).tolist() == fields[1].intervals(1).tolist() == [[0, 2], [3, 5], [6, 7]]
