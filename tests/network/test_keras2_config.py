"""Files of Keras 2, archives and HDF5, read as what Keras 2 itself (tf_keras) computes with the same model.

keras_2_13.keras is one that Keras 2.13.1 wrote, compressed: no later version lays weights out in this way.
"""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import cnnviz
from cnnviz import ModelFileError, load_model
from cnnviz.network.keras2_config import as_keras3
from harness.authority import keras
from harness.keras2_models import (
    FORMATS,
    L,
    ending_in_models,
    operations,
    other_sizes_in_training,
    partly_frozen,
    plain,
    saved,
    several,
    shared_and_nested,
    slashes,
    tf_keras,
    written,
)

UNIT = 2.0**-24
# As in test_keras_file: sums of at most 100 products that cancel at most tenfold.
TOLERANCE = 1000 * UNIT


def assert_same(model: Any, tensors: dict[str, Any], path: Path) -> cnnviz.Network:
    """Every tensor, the output and the parameter counts are Keras 2's."""
    net = load_model(path)
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=(3, *(9 if n is None else n for n in t.shape[1:]))) for t in model.inputs]
    xs = [x.astype(np.float32) for x in xs]
    run = net.run(xs if len(xs) > 1 else xs[0])
    values = tf_keras.Model(model.inputs, list(tensors.values()))(xs, training=False)
    for name, value in zip(tensors, values if len(tensors) > 1 else [values], strict=True):
        wanted = value.numpy()
        assert run[name].shape == wanted.shape, name
        bound = TOLERANCE * np.abs(wanted).max(initial=0)
        np.testing.assert_allclose(run[name], wanted, rtol=0, atol=bound, err_msg=name)
    sizes = [
        sum(int(np.prod(weight.shape)) for weight in weights)
        for weights in (model.weights, model.trainable_weights, model.non_trainable_weights)
    ]
    assert net.count_params() == tuple(sizes)
    return net


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "build",
    [
        plain,
        other_sizes_in_training,
        shared_and_nested,
        ending_in_models,
        several,
        partly_frozen,
        operations,
        slashes,
    ],
)
def test_files_of_keras2_are_what_keras2_computes(build, name, tmp_path):
    tf_keras.utils.set_random_seed(0)
    model, tensors = build()
    net = assert_same(model, tensors, saved(model, tmp_path, name))
    assert net.name == model.name


def test_a_config_may_be_the_bare_list_of_layers_and_say_model_for_functional(tmp_path):
    """So Keras wrote until 2.2.3; and a file without a version is of Keras 2."""
    model, tensors = plain()
    path = saved(model, tmp_path, "model.h5")
    changed(path, lambda config: config.update(config=config["config"]["layers"]))
    with h5py.File(path, "r+") as file:
        del file.attrs["keras_version"]
    net = load_model(path)
    assert [layer.name for layer in net][1:] == list(tensors)
    model, tensors = shared_and_nested()
    path = saved(model, tmp_path, "model.h5")
    changed(path, lambda config: config.update(class_name="Model"))
    assert_same(model, tensors, path)


def test_long_lists_of_names_are_in_pieces(tmp_path):
    model, tensors = shared_and_nested()
    path = saved(model, tmp_path, "model.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights/sequence"].attrs
        names = attributes["weight_names"]
        del attributes["weight_names"]
        attributes["weight_names0"], attributes["weight_names1"] = names[:4], names[4:]
    assert_same(model, tensors, path)


def test_the_state_of_a_random_generator_is_no_weight(tmp_path):
    """Keras 2.6 stored it among the weights."""
    model, tensors = plain()
    path = saved(model, tmp_path, "model.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/random_flip"]
        group["random_flip/StateVar:0"] = np.arange(3)
        group.attrs["weight_names"] = [b"random_flip/StateVar:0"]
    assert_same(model, tensors, path)


def test_a_whole_model_in_hdf5_by_keras3(tmp_path):
    k = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    frozen = keras.Sequential([k.Conv2D(2, 1), k.BatchNormalization(), k.Conv2D(2, 1)], name="frozen")
    y = frozen(frozen(image))
    y = k.Dense(3, name="scores")(k.Flatten()(k.Dropout(0.2)(y * y + image)))
    model = keras.Model(image, y, name="three")
    frozen.layers[1].trainable = False
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    x = rng.normal(size=(2, 6, 6, 2)).astype(np.float32)
    net = load_model(written(model, tmp_path / "three.h5"))
    wanted = np.asarray(model(x, training=False))
    np.testing.assert_allclose(net.predict(x), wanted, rtol=0, atol=TOLERANCE * np.abs(wanted).max())


OF_213 = Path(__file__).with_name("keras_2_13.keras")
WRITTEN_BY_213 = [0.73198235, 0.205762506, 0.0622551218]
"""What Keras 2.13.1 computed with it for linspace(-1, 1, 72)."""


def on_windows(folder: Path) -> Path:
    """The same file as Keras 2.13 wrote it there: a backslash is part of a group's name."""
    with zipfile.ZipFile(OF_213) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    there = BytesIO()
    with h5py.File(BytesIO(members["model.weights.h5"])) as old, h5py.File(there, "w") as new:

        def put(path: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                place, _, number = path.rpartition("/vars/")
                new[place.replace("/", "\\") + f"/vars/{number}"] = item[()]

        old.visititems(put)
    members["model.weights.h5"] = there.getvalue()
    with zipfile.ZipFile(folder / "windows.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "windows.keras"


@pytest.mark.parametrize("place", [lambda folder: OF_213, on_windows])
def test_an_archive_of_keras_2_13(place, tmp_path):
    net = load_model(place(tmp_path))
    x = np.linspace(-1, 1, 72, dtype=np.float32).reshape(1, 6, 6, 2)
    np.testing.assert_allclose(net.predict(x)[0], WRITTEN_BY_213, rtol=0, atol=TOLERANCE)
    assert net.count_params() == (91, 87, 4)
    assert net["leaky"].config["negative_slope"] == pytest.approx(0.1)


# What is refused --------------------------------------------------------------------------------


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    """Change the config of a whole model in HDF5."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def small(folder: Path, *layers: Any) -> Path:
    model = tf_keras.Sequential([L.Input((6, 6, 2)), *layers, L.Conv2D(2, 1, name="last")], name="small")
    return saved(model, folder, "model.h5")


@tf_keras.utils.register_keras_serializable("teacher")
class Tripling(L.Layer):
    def call(self, x):
        return x * 3


REFUSED = {
    "hard sigmoid": (
        lambda: L.Conv2D(2, 1, activation="hard_sigmoid", name="odd"),
        r"layer 'odd': hard_sigmoid was another function in Keras 2 \(0.2 \* x \+ 0.5\)",
    ),
    "custom": (lambda: Tripling(name="odd"), "layer 'odd' is a Tripling from module 'teacher': custom code"),
    "lambda": (lambda: L.Lambda(lambda x: x, name="odd"), "layer 'odd' is a Lambda.*never run"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("name", FORMATS[:2])
def test_what_is_refused(case, name, tmp_path):
    build, message = REFUSED[case]
    model = tf_keras.Sequential([L.Input((6, 6, 2)), build()], name="small")
    with pytest.raises(ModelFileError, match=message):
        load_model(saved(model, tmp_path, name))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = small(tmp_path)
    for change, message in (
        (lambda group: group.attrs.update(weight_names=[b"last/kernel:0"]), "2 weights .* has 1 arrays"),
        (lambda group: group["last"].__delitem__("bias:0"), "bias is not an array in this file"),
        (lambda group: group["last"].__setitem__("bias:0", h5py.SoftLink("/x")), "links are not followed"),
        (lambda group: group.attrs.__delitem__("weight_names"), "the file has none"),
    ):
        spoiled = tmp_path / "spoiled.h5"
        spoiled.write_bytes(path.read_bytes())
        with h5py.File(spoiled, "r+") as file:
            group = file["model_weights/last"]
            if "SoftLink" in message or "links" in message:
                del group["last/bias:0"]
            change(group)
        with pytest.raises(ModelFileError, match=f"weights of layer 'last': .*{message}"):
            load_model(spoiled)


def test_keras1_is_refused(tmp_path):
    path = small(tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "1.2.2"
    with pytest.raises(
        ModelFileError, match=r"Keras 1.2.2 saved this; load it with Keras 2 and save it again"
    ):
        load_model(path)


JUNK = [None, True, -1, 3, "x", "", [], {}, [[1]], [["conv", 0, 0, {}]], {"class_name": "Conv2D"}]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((value, key), *places(item))]


def test_junk_anywhere_is_refused_or_harmless(tmp_path):
    """No other exception than ModelFileError gets out, whatever value stands wherever."""
    model, _ = shared_and_nested()
    path = saved(model, tmp_path, "model.h5")
    draw, refusals = random.Random(0), 0
    whole = path.read_bytes()
    for _ in range(120):
        path.write_bytes(whole)

        def spoil(config: Any) -> None:
            container, key = draw.choice(places(config))
            container[key] = draw.choice(JUNK)

        changed(path, spoil)
        try:
            load_model(path)
        except ModelFileError:
            refusals += 1
    assert 30 < refusals < 120


def test_flipped_bytes_are_refused_or_change_numbers_only(tmp_path):
    path = small(tmp_path)
    # Among them one that libhdf5 would read without end.
    whole, draw, refusals = path.read_bytes(), random.Random(0), 0
    for _ in range(80):
        spoiled = bytearray(whole)
        for _ in range(20):
            spoiled[draw.randrange(len(spoiled))] = draw.randrange(256)
        path.write_bytes(spoiled)
        try:
            load_model(path)
        except ModelFileError:
            refusals += 1
    assert refusals > 10


def test_nothing_is_done_to_what_is_no_model():
    assert as_keras3([1]) == [1]
    assert as_keras3({"class_name": 3}) == {"class_name": 3}
