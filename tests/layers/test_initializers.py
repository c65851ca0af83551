"""Initialisers: names, defaults, fans and bounds are Keras's; the numbers have its distributions.

A mean of n numbers with deviation s is off by more than 5 s / sqrt(n) once in two million times. A variance
is off by more than 5 sqrt((k - s**4) / n), k the fourth moment, as seldom; k is at most 3 s**4 here.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from cnnviz import Layer, Network, load_model
from cnnviz.layers import ENTRIES
from cnnviz.layers.initializers import CLASSES, TRUNCATED, Initializer, fans
from cnnviz.layers.layer import ABOUT_WEIGHTS
from harness.authority import keras
from harness.keras_models import L
from harness.networks import image

SHAPES = ((40, 50), (3, 3, 8, 16), (2, 2, 12, 1), (7, 6, 10), (60,))


def drawn(name: str, shape: tuple[int, ...] = (40, 50), **arguments: Any) -> np.ndarray:
    initializer = Initializer.parse({"class_name": name, "config": arguments})
    return initializer.draw(shape, np.random.default_rng(0), np.float64)


def test_every_initialiser_of_keras_is_here_with_its_arguments():
    theirs = {
        value
        for value in vars(keras.initializers).values()
        if inspect.isclass(value) and value is not keras.initializers.Initializer
    }
    assert {each.__name__ for each in theirs} == set(CLASSES)
    for each in theirs:
        config = each().get_config()
        parsed = Initializer.parse(keras.initializers.serialize(each()))
        assert parsed.unknown is None
        # Keras forgets the gain of an Identity.
        assert config.items() <= parsed.arguments.items(), each
        assert keras.initializers.deserialize(parsed.serialized()).get_config() == config


@pytest.mark.parametrize(
    "alias",
    ["uniform", "normal", "one", "zero", "he_normal", "glorot_uniform", "OrthogonalInitializer", "stft"],
)
def test_names_mean_what_they_mean_in_keras(alias):
    assert Initializer.parse(alias).name == type(keras.initializers.get(alias)).__name__


@pytest.mark.parametrize("shape", [*SHAPES, (), (1, 1, 1, 1)])
def test_fans_are_keras_s(shape):
    from keras.src.initializers.random_initializers import compute_fans

    assert fans(shape) == compute_fans(shape)
    if len(shape) > 2:
        assert fans(shape, (0,), (1, 2)) == compute_fans(shape, (0,), (1, 2))


def test_the_correction_of_truncated_normals():
    assert pytest.approx(0.87962566103423978, rel=1e-14) == TRUNCATED


UNIFORM = {"GlorotUniform": (1, "avg"), "HeUniform": (2, "in"), "LecunUniform": (1, "in")}
NORMAL = {"GlorotNormal": (1, "avg"), "HeNormal": (2, "in"), "LecunNormal": (1, "in")}


@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
@pytest.mark.parametrize("shape", SHAPES)
def test_variances_follow_the_fans(name, shape):
    scale, mode = {**UNIFORM, **NORMAL}[name]
    fan_in, fan_out = fans(shape)
    variance = scale / {"in": fan_in, "avg": (fan_in + fan_out) / 2}[mode]
    ours = np.concatenate(
        [drawn(name, shape).ravel()]
        + [
            Initializer.parse(name).draw(shape, np.random.default_rng(i), np.float64).ravel()
            for i in range(1, 20)
        ]
    )
    theirs = np.asarray(keras.initializers.get(name)(shape))
    limit = math.sqrt(3 * variance) if name in UNIFORM else 2 * math.sqrt(variance) / TRUNCATED
    # Keras's are rounded to float32.
    for numbers, slack in ((ours, 0), (theirs, 2.0**-22)):
        assert np.abs(numbers).max() <= limit * (1 + slack)
        assert abs(numbers.mean()) < 5 * math.sqrt(variance / numbers.size)
        assert (
            abs(numbers.var() - variance)
            < 5 * variance * math.sqrt(2 / numbers.size) + variance / numbers.size
        )
    assert np.abs(ours).max() > 0.9 * limit


def test_plain_distributions():
    normal = drawn("RandomNormal", mean=2.0, stddev=0.5)
    assert abs(normal.mean() - 2) < 5 * 0.5 / math.sqrt(normal.size)
    assert abs(normal.var() - 0.25) < 5 * 0.25 * math.sqrt(2 / normal.size)
    cut = drawn("TruncatedNormal", mean=2.0, stddev=0.5)
    assert np.abs(cut - 2).max() <= 1
    assert abs(cut.std() - 0.5 * TRUNCATED) < 0.05
    uniform = drawn("RandomUniform", minval=-1.0, maxval=3.0)
    assert uniform.min() >= -1
    assert uniform.max() < 3
    scaled = drawn("VarianceScaling", scale=2.0, mode="fan_out", distribution="untruncated_normal")
    assert abs(scaled.var() - 2 / 50) < 5 * 2 / 50 * math.sqrt(2 / scaled.size)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (2, 3, 5), (3, 3, 2, 40)])
def test_orthogonal_rows_or_columns(shape):
    matrix = drawn("Orthogonal", shape, gain=2.0).reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-13)
    theirs = np.asarray(keras.initializers.Orthogonal(2.0)(shape)).reshape(matrix.shape)
    product = theirs @ theirs.T if theirs.shape[0] < theirs.shape[1] else theirs.T @ theirs
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("Zeros", (3, 2), {}),
        ("Ones", (3, 2), {}),
        ("Constant", (2,), {"value": 0.25}),
        ("Identity", (2, 4), {"gain": 3.0}),
        ("STFT", (8, 1, 5), {"side": "imag", "window": "hann", "scaling": "spectrum", "periodic": True}),
        ("STFT", (8, 1, 5), {}),
        ("STFT", (8, 1, 5), {"window": None}),
    ],
)
def test_what_is_not_drawn_equals_keras(name, shape, arguments):
    theirs = getattr(keras.initializers, name)(**arguments)(shape, dtype="float64")
    np.testing.assert_allclose(drawn(name, shape, **arguments), theirs, rtol=0, atol=1e-14)


def test_float32_and_float64_get_the_same_numbers():
    wide = Initializer.parse("he_normal").draw((3, 4), np.random.default_rng(1), np.float64)
    narrow = Initializer.parse("he_normal").draw((3, 4), np.random.default_rng(1))
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("identity", (3,), "Identity makes matrices, got the shape"),
        ("orthogonal", (3,), "Orthogonal makes matrices"),
        ("stft", (3, 3), "STFT makes kernels"),
        ("my_own", (3,), "'my_own' is none of keras.initializers as Keras writes them"),
        ({"class_name": "VarianceScaling", "config": {"scale": -1}}, (3,), "as Keras writes them"),
    ],
)
def test_what_cannot_be_drawn(name, shape, message):
    with pytest.raises(ValueError, match=message):
        Initializer.parse(name).draw(shape, np.random.default_rng(0))


# Defaults -----------------------------------------------------------------------------------------

SAYS = {
    "Conv1D": {"filters": 2, "kernel_size": 2},
    "Conv2D": {"filters": 2, "kernel_size": 2},
    "Conv1DTranspose": {"filters": 2, "kernel_size": 2},
    "Conv2DTranspose": {"filters": 2, "kernel_size": 2},
    "DepthwiseConv1D": {"kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": 2},
    "SeparableConv1D": {"filters": 2, "kernel_size": 2},
    "SeparableConv2D": {"filters": 2, "kernel_size": 2},
    "Dense": {"units": 2},
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": (None, 2), "bias_axes": "d"},
    "Embedding": {"input_dim": 3, "output_dim": 2},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
    "GroupNormalization": {"groups": 1},
    "Attention": {"use_scale": True, "score_mode": "concat"},
    "SpectralNormalization": {"layer": L.Dense(2)},
    "TimeDistributed": {"layer": L.Dense(2)},
}
"""What a class must be told to have all its weights."""


@pytest.mark.parametrize(
    "kind", [kind for kind, entry in ENTRIES.items() if hasattr(L, kind) and (entry.weights or kind in SAYS)]
)
def test_defaults_are_those_of_keras(kind):
    """A config as Keras writes it leaves nothing behind, and each weight begins as Keras's does."""
    theirs = getattr(L, kind)(**SAYS.get(kind, {}))
    config = keras.saving.serialize_keras_object(theirs)["config"]
    layer = Layer.from_config("it", kind, config)
    assert not [name for name in layer.config if name.rpartition("_")[2] in ABOUT_WEIGHTS]
    rank = layer.entry.rank or (2 if kind == "Dense" else 3)
    shape = (2, *((4, 4, 2)[: rank - 2]), 2) if rank > 2 else (2, 2)
    many = {"MultiHeadAttention": 2, "GroupQueryAttention": 2}.get(kind, 0)
    x = keras.Input(batch_shape=(2, 4, 2) if many or kind in ("Attention", "AdditiveAttention") else shape)
    theirs(*[x] * many) if many else theirs([x, x] if "Attention" in kind else x)
    seen = x.shape[1:]
    sizes = layer.entry.weight_shapes(layer.config, [seen, seen] if "Attention" in kind else seen)
    # Those within a wrapper come behind its own.
    values = sorted(theirs.weights, key=lambda variable: variable.name == "vector_u")
    for name, theirs_value in zip(
        layer.entry.weight_names(layer.config), map(np.asarray, values), strict=True
    ):
        initializer = layer.initializer(name)
        if initializer.name in ("Zeros", "Ones", "Constant"):
            ours = initializer.draw(sizes[name], np.random.default_rng(0))
            np.testing.assert_array_equal(ours, theirs_value, err_msg=name)
        else:
            assert np.ptp(theirs_value) > 0, name
            own = _said(theirs, name)
            if own is not None:
                assert Initializer.parse(keras.initializers.serialize(own)) == initializer, name


def _said(layer: Any, weight: str) -> Any:
    """Keras's initialiser of a weight, where the layer has it under a public name."""
    names = [f"{weight}_initializer", f"{weight.rpartition('_')[2]}_initializer"]
    names += [f"{weight.removesuffix('_kernel')}_initializer", "depthwise_initializer"]
    held = getattr(layer, "layer", None)
    found = [
        getattr(each, f"{under}{name}", None)
        for each in (layer, held)
        for name in names
        for under in ("", "_")
    ]
    return next((each for each in found if each is not None), None)


# Networks without weights -------------------------------------------------------------------------


def test_weights_are_drawn_for_the_shapes_of_the_graph_and_shared_once():
    conv = Layer.from_config(
        "conv", "Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"}, inputs=("image",)
    )
    again = Layer.from_config("conv:1", "Conv2D", conv.raw_config, inputs=("conv",), owner="conv")
    norm = Layer.from_config("norm", "BatchNormalization", {}, inputs=("conv:1",))
    flat = Layer.from_config("flat", "Flatten", {}, inputs=("norm",))
    dense = Layer.from_config("dense", "Dense", {"units": 2, "bias_initializer": "ones"}, inputs=("flat",))
    layers = [image(5, 4, 3), conv, again, norm, flat, dense]
    net = Network(layers, seed=1)
    assert net["conv:1"].weights is net["conv"].weights
    assert net["dense"].weights["kernel"].shape == (60, 2)
    assert net["dense"].weights["bias"].tolist() == [1, 1]
    assert net["norm"].weights["moving_variance"].tolist() == [1, 1, 1]
    assert net.count_params() == (3 * 3 * 3 * 3 + 3 + 12 + 122, 3 * 3 * 3 * 3 + 3 + 6 + 122, 6)
    same, other = Network(layers, seed=1), Network(layers, seed=2)
    for name in ("conv", "dense"):
        np.testing.assert_array_equal(net[name].weights["kernel"], same[name].weights["kernel"])
        assert not np.array_equal(net[name].weights["kernel"], other[name].weights["kernel"])
    with pytest.raises(ValueError, match=r"layer 'conv' \(Conv2D\): it must have .* seed="):
        Network(layers)


def test_weights_that_are_there_stay_and_sizes_must_be_known():
    kernel = np.ones((3, 2), np.float32)
    dense = Layer.from_config("dense", "Dense", {"units": 2}, weights={"kernel": kernel}, inputs=("image",))
    net = Network([image(3), dense], seed=0)
    assert net["dense"].weights["kernel"] is kernel
    assert net["dense"].weights["bias"].tolist() == [0, 0]
    flat = Layer.from_config("flat", "Flatten", {}, inputs=("image",))
    late = Layer.from_config("dense", "Dense", {"units": 2}, inputs=("flat",))
    with pytest.raises(ValueError, match="kernel must have shape"):
        Network([image(None, 3), flat, late], seed=0)


def test_a_network_that_begins_anew():
    net = load_model("mnist_14k")
    fresh = net.initialized(3)
    assert fresh.count_params() == net.count_params()
    for layer in fresh:
        for name, array in layer.weights.items():
            assert not array.flags.writeable
            expected = {"moving_variance": 1, "gamma": 1, "bias": 0, "beta": 0, "moving_mean": 0}
            if name in expected:
                assert (array == expected[name]).all()
            else:
                assert not np.array_equal(array, net[layer.name].weights[name])
    again, wide = net.initialized(3), net.astype("float64").initialized(3)
    np.testing.assert_array_equal(again["conv2d"].weights["kernel"], fresh["conv2d"].weights["kernel"])
    np.testing.assert_array_equal(
        wide["conv2d"].weights["kernel"].astype(np.float32), fresh["conv2d"].weights["kernel"]
    )
