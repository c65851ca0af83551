"""Files that are written here, loaded by Keras: it computes what it did before, and goes on training.

A file that is read and written again must give Keras the same numbers to the last bit, since it is the same
model; networks built in Python are compared with what they compute here.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network, load_model
from cnnviz.layers import ENTRIES
from cnnviz.layers.tensor_operations import OperationEntry
from harness import keras2_models
from harness.authority import keras
from harness.generated_networks import IMAGES, behind
from harness.keras_graphs import branches, deep, nested, several, shared
from harness.keras_models import ONLY_FLOAT32, STACKS, policy, save, sequential, write
from harness.networks import image
from harness.operation_models import FAMILIES, operations
from harness.operation_models import numbers as operation_numbers
from harness.random_networks import random_model

THOROUGH = settings.get_current_profile_name() == "thorough"
UNIT = 2.0**-24


def in_keras(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras.models.load_model(path)


def called(model: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    """What Keras computes at inference, all outputs in order."""
    return flat(model(xs if len(xs) > 1 else xs[0], training=False))


def flat(values: Any) -> list[np.ndarray]:
    return [np.asarray(value) for value in keras.tree.flatten(values)]


def pictures(model: Any, dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = [[9 if n is None else n for n in tensor.shape[1:]] for tensor in model.inputs]
    return [rng.normal(size=(2, *shape)).astype(dtype) for shape in shapes]


def assert_same_to_keras(net: Network, model: Any, xs: list[np.ndarray], folder: Path) -> Network:
    """Saved and loaded by Keras, the model computes the same bits; loaded here, the network is the same."""
    path = folder / "again.keras"
    net.save(path)
    ours, theirs = called(in_keras(path), xs), called(model, xs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    again = load_model(path)
    assert_same_networks(again.astype(net.dtype), net)
    again.save(folder / "once more.keras")
    assert (folder / "once more.keras").read_bytes() == path.read_bytes()
    return again


def assert_same_networks(again: Network, net: Network) -> None:
    assert [layer.name for layer in again] == [layer.name for layer in net]
    assert (again.inputs, again.outputs, again.aliases) == (net.inputs, net.outputs, net.aliases)
    for one, other in zip(again, net, strict=True):
        for name in ("kind", "trainable", "owner", "inputs", "precision", "lora_rank", "output_shape"):
            assert getattr(one, name) == getattr(other, name), (other, name)
        assert repr(one.config) == repr(other.config), other
        assert one.weights.keys() == other.weights.keys()
        for weight in one.weights:
            np.testing.assert_array_equal(one.weights[weight], other.weights[weight])


# What Keras wrote, written again ------------------------------------------------------------------

FEW = (
    *("convolution", "time distributed", "batch normalisation", "scales", "identities", "unknown sizes"),
    *("adaptive pooling", "adaptive pooling of sequences"),
)


@pytest.mark.parametrize("name", [name for name in STACKS if THOROUGH or name in FEW])
def test_a_file_of_keras_that_is_written_again(name, tmp_path):
    with policy("float64"):
        model = sequential(STACKS[name])
        net = load_model(save(model, tmp_path))
        assert_same_to_keras(net, model, pictures(model, "float64"), tmp_path)


@pytest.mark.parametrize("name", ONLY_FLOAT32 if THOROUGH else ["rounded constants"])
def test_a_file_of_keras_in_float32_that_is_written_again(name, tmp_path):
    model = sequential(ONLY_FLOAT32[name])
    assert_same_to_keras(load_model(save(model, tmp_path)), model, pictures(model, "float32"), tmp_path)


@pytest.mark.parametrize(
    "build",
    [
        branches,
        shared,
        nested,
        deep,
        several,
        *(lambda seed=seed: random_model(seed) for seed in range(40 if THOROUGH else 2)),
    ],
)
@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
def test_graphs_stay_as_they_are_nested(build, tmp_path):
    with policy("float64"):
        model, _ = build()
        net = load_model(save(model, tmp_path))
        xs = pictures(model, "float64")
        again = assert_same_to_keras(net, model, xs, tmp_path)
        # Built of the same layers, it is one model, with other names.
        one = Network(net.layers, net.outputs, inputs=net.inputs)
        one.save(tmp_path / "one.keras")
        theirs = called(model, xs)
        for ours, other in zip(called(in_keras(tmp_path / "one.keras"), xs), theirs, strict=True):
            np.testing.assert_array_equal(ours, other)
        assert not any("/" in layer.name for layer in load_model(tmp_path / "one.keras"))
    assert again.name == net.name


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_and_their_constants(family, tmp_path):
    model, _ = operations(family)
    net = load_model(write(model, tmp_path / "model.keras"))
    again = assert_same_to_keras_but_for_precision(net, tmp_path)
    x = operation_numbers()
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(in_keras(tmp_path / "again.keras")(x)))
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


def assert_same_to_keras_but_for_precision(net: Network, folder: Path) -> Network:
    net.save(folder / "again.keras")
    again = load_model(folder / "again.keras")
    assert_same_networks(again, net)
    return again


@pytest.mark.parametrize(
    ("build", "file"),
    [
        (keras2_models.plain, "model.h5"),
        (keras2_models.other_sizes_in_training, "model.keras"),
        (keras2_models.shared_and_nested, "model.keras"),
        (keras2_models.ending_in_models, "model.h5"),
        (keras2_models.several, "whole_hdf5.keras"),
        (keras2_models.partly_frozen, "model.h5"),
        (keras2_models.operations, "model.keras"),
        (keras2_models.slashes, "model.h5"),
    ],
)
def test_files_of_keras2_become_files_of_keras3(build, file, tmp_path):
    keras2_models.tf_keras.utils.set_random_seed(0)
    model, _ = build()
    net = load_model(keras2_models.saved(model, tmp_path, file))
    net.save(tmp_path / "again.keras")
    xs = pictures(model, "float32")
    theirs = called(in_keras(tmp_path / "again.keras"), xs)
    for one, other in zip(theirs, called(model, xs), strict=True):
        # As in test_keras2_config: sums of at most 100 products that cancel at most tenfold.
        np.testing.assert_allclose(one, other, rtol=0, atol=1000 * UNIT * np.abs(other).max())
    again = load_model(tmp_path / "again.keras")
    assert again.count_params() == net.count_params()
    if build not in (keras2_models.shared_and_nested, keras2_models.slashes):
        # In these a model is in two others, which Keras 3 cannot restore: they become one model.
        assert_same_networks(again, net)


# Networks built in Python -------------------------------------------------------------------------

MUST_BE_SAID = {
    "factor": 1.0,
    "height_factor": 0.1,
    "width_factor": 0.1,
    "height": 2,
    "width": 2,
    "rate": 0.5,
    "stddev": 0.1,
    "max_number": 3,
    "init_values": 0.5,
}
"""What Keras must be told of classes with which nothing is computed."""


SEEN_ABOVE = {"SpatialDropout3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D"}
"""One reads inputs with five axes; with some sizes, Keras's others divide by 0 and take Python with them."""


def of_every_class(seed: int) -> tuple[Network, set[str]]:
    """A network with a layer of each class, side by side, and the classes of which none was found."""
    rng = np.random.default_rng(seed)
    starts = [replace(image(*shape, name=f"image{n}"), output_shape=shape) for n, shape in enumerate(IMAGES)]
    picture = replace(image(5, 4, 3, name="picture"), output_shape=(5, 4, 3))
    layers, missing, ends = [*starts, picture], set(), []
    for kind in sorted({kind for kind, entry in ENTRIES.items() if entry.most_inputs} - SEEN_ABOVE):
        entry = ENTRIES[kind]
        # What works in training alone mostly wants pictures.
        alone = not (entry.computes or entry.activates or isinstance(entry, OperationEntry))
        for start in [picture] if alone else [starts[n] for n in rng.permutation(3 * list(range(3)))]:
            new = behind(kind, kind.lower().replace(".", "_"), start, [], rng)
            if new and (last := _sayable(new[-1])):
                layers += [*new[:-1], last]
                ends.append(last.name)
                break
        else:
            missing.add(kind)
    return Network(layers, ends, name="every_class"), missing


def _sayable(layer: Layer) -> Layer | None:
    """The layer with all that Keras must be told; None for what it refuses, or computes otherwise."""
    if np.max(layer.config.get("strides", 1)) > 1 and np.max(layer.config.get("dilation_rate", 1)) > 1:
        return None
    if "..." in layer.config.get("equation", ""):
        # Keras mixes up the axes that stand there.
        return None
    needed = [name for name in layer.entry.required if layer.config.get(name) is None]
    said = {name: MUST_BE_SAID.get(name, layer.output_shape[-1]) for name in needed}
    options = {name: value for name, value in said.items() if name in layer.config}
    layer = replace(layer, config={**layer.config, **options}, raw_config=said)
    try:
        layer.entry.serialized(layer.config, {**said, "dtype": "float32"})
    except ValueError:
        return None
    return layer


@pytest.mark.parametrize("seed", range(10 if THOROUGH else 1))
def test_every_class_that_is_computed_here_is_loaded_by_keras(seed, tmp_path):
    net, missing = of_every_class(seed)
    assert not missing
    net.save(tmp_path / "every.keras")
    model = in_keras(tmp_path / "every.keras")
    rng = np.random.default_rng(seed)
    xs = [rng.uniform(0.1, 0.9, (2, *shape)).astype(np.float32) for shape in (*IMAGES, (5, 4, 3))]
    run = net.run(xs)
    for name, ours, theirs in zip(net.outputs, run.output, called(model, xs), strict=True):
        with np.errstate(invalid="ignore"):
            scale = np.nanmax(np.abs(theirs), initial=0, where=np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1000 * UNIT * scale, err_msg=name)
    again = load_model(tmp_path / "every.keras")
    for ours, other in zip(again.run(xs).output, run.output, strict=True):
        np.testing.assert_array_equal(ours, other)
