"""Files that are written here, loaded by Keras: it computes what it did before, and goes on training.

A file that is read and written again must give Keras the same numbers to the last bit, since it is the same
model; networks built in Python are compared with what they compute here.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network, load_model
from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import Activation
from cnnviz.layers.tensor_operations import OperationEntry
from cnnviz.network import Compiled
from harness import keras2_models
from harness.authority import keras
from harness.generated_networks import IMAGES, behind
from harness.keras_graphs import branches, deep, nested, several, shared
from harness.keras_models import ONLY_FLOAT32, STACKS, L, policy, save, sequential, write
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
    *("each step", "spectral normalisation", "scales", "identities", "unknown sizes"),
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


@pytest.mark.parametrize("family", FAMILIES if THOROUGH else ["moves", "reductions"])
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
        (keras2_models.shared_and_nested, "model.keras"),
        (keras2_models.ending_in_models, "model.h5"),
        (keras2_models.partly_frozen, "model.h5"),
        *(
            [
                (keras2_models.other_sizes_in_training, "model.keras"),
                (keras2_models.several, "whole_hdf5.keras"),
                (keras2_models.operations, "model.keras"),
                (keras2_models.slashes, "model.h5"),
            ]
            if THOROUGH
            else []
        ),
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
        for start in [picture] if alone else [starts[n] for n in rng.permutation(20 * list(range(3)))]:
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
    equation = layer.config.get("equation", "->?")
    said = len(layer.config["output_shape"]) if "equation" in layer.config else 0
    if "..." in equation or len(equation.split(">")[1]) != said + 1:
        # Keras mixes up the axes of "...", and wants all others said.
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
@pytest.mark.filterwarnings(
    "ignore:[\\s\\S]*rms_scaling"
)  # an option of layer normalisation that Keras will drop
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


# What training needs ------------------------------------------------------------------------------


def test_what_training_needs_survives(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2), name="image"),
            L.Conv2D(
                3,
                3,
                kernel_initializer=keras.initializers.HeNormal(seed=3),
                kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
                bias_constraint="non_neg",
                activity_regularizer="l2",
                name="conv",
            ),
            L.BatchNormalization(momentum=0.5, beta_initializer="ones", synchronized=False, name="norm"),
            L.SpatialDropout2D(0.25, name="drop"),
            L.DepthwiseConv2D(2, depthwise_constraint=keras.constraints.MaxNorm(3, [0, 1]), name="depthwise"),
            L.GlobalAveragePooling2D(name="mean"),
            L.Dense(2, trainable=False, name="scores"),
        ],
        name="needs",
    )
    net = load_model(save(model, tmp_path))
    assert_same_to_keras(net, model, pictures(model, "float32"), tmp_path)
    again = in_keras(tmp_path / "again.keras")
    for one, other in zip(again.layers, model.layers, strict=True):
        assert one.get_config() == other.get_config()
        assert one.trainable == other.trainable
    assert again.count_params() == model.count_params()
    assert [w.path for w in again.trainable_weights] == [w.path for w in model.trainable_weights]


@pytest.mark.parametrize("kind", ["mixed_float16", "bfloat16", "float64"])
def test_dtype_policies_survive(kind, tmp_path):
    with policy(kind):
        model = sequential(((4,), lambda: [L.Dense(3, name="a"), L.Dense(2, dtype="float32", name="b")]))
        net = load_model(save(model, tmp_path))
    net.save(tmp_path / "again.keras")
    again = in_keras(tmp_path / "again.keras")
    expected = ["float64"] * 2 if kind == "float64" else [kind, "float32"]
    assert [layer.dtype_policy.name for layer in again.layers] == expected
    net.astype("float64").save(tmp_path / "wide.keras")
    wide = in_keras(tmp_path / "wide.keras")
    assert {layer.dtype_policy.name for layer in wide.layers} == {"float64"}
    assert wide.inputs[0].dtype == "float64"


def test_a_network_of_two_dtypes_is_written_in_the_wider_one(tmp_path):
    net = load_model("mnist_maxpool").astype("float64")
    net.save(tmp_path / "wide.keras")
    x = np.random.default_rng(0).uniform(size=(2, 28, 28, 1))
    wide = in_keras(tmp_path / "wide.keras")
    assert wide.layers[0].dtype == "float64"
    # Sums of at most a few thousand products of numbers near 1.
    np.testing.assert_allclose(wide(x), net.predict(x), rtol=0, atol=1e-12)


def test_objects_of_others_are_kept_and_never_run(tmp_path):
    """A network with them can be used and saved again; only training refuses them."""
    mine = {
        "module": "os",
        "class_name": "system",
        "config": {"command": "touch /tmp/x"},
        "registered_name": None,
    }
    named = {"class_name": "package>Mine", "config": {}, "registered_name": "package>Mine"}
    config = {"units": 2, "kernel_regularizer": mine, "kernel_initializer": named, "bias_constraint": "odd"}
    dense = Layer.from_config("dense", "Dense", config, inputs=("x",))
    net = Network(
        [image(3, name="x"), replace(dense, weights={"kernel": np.ones((3, 2)), "bias": np.ones(2)})]
    )
    assert net.predict(np.ones((1, 3))).tolist() == [[4.0, 4.0]]
    net.save(tmp_path / "x.keras")
    again = load_model(tmp_path / "x.keras")["dense"]
    assert again.regularizer("kernel") == dense.regularizer("kernel")
    with zipfile.ZipFile(tmp_path / "x.keras") as archive:
        written = json.loads(archive.read("config.json"))["config"]["layers"][1]["config"]
    assert written["kernel_regularizer"] == mine
    assert written["bias_constraint"] == "odd"
    with pytest.raises(ValueError, match=r"is none of keras\.regularizers as Keras writes them"):
        again.regularizer("kernel").penalty(np.ones(3))
    with pytest.raises(ValueError, match=r"'odd' is none of keras\.constraints"):
        again.constraint("bias").apply(np.ones(3))
    with pytest.raises(ValueError, match=r"layer 'dense' .* code of others is never run"):
        net.initialized(0)


# An optimiser that goes on ------------------------------------------------------------------------


def small(regularizer: str | None = "l2") -> Any:
    """Weights that are trained, frozen ones, statistics, and a model in the model."""
    x = keras.Input((6, 6, 1), name="image")
    y = L.Conv2D(3, 3, name="conv", kernel_regularizer=regularizer)(x)
    inner = keras.Sequential([L.BatchNormalization(name="norm"), L.Conv2D(2, 2, name="last")], name="inner")
    y = L.Flatten(name="flat")(inner(y))
    y = L.Dense(4, trainable=False, activation="tanh", name="frozen")(y)
    return keras.Model(x, L.Dense(3, activation="softmax", name="scores")(y), name="small")


@contextmanager
def everything_in(dtype: str) -> Iterator[None]:
    """Layers, and the learning rate and the loss too."""
    keras.config.set_floatx(dtype)
    try:
        with policy(dtype):
            yield
    finally:
        keras.config.set_floatx("float32")


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5),
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "averages": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 10)),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
}


def state_of(model: Any) -> Compiled:
    """What Keras's optimiser remembers, read from it, as a trainer has it."""
    optimizer, places = model.optimizer, {}
    for layer in model._flatten_layers():
        prefix = "inner/" if layer.name in ("norm", "last") else ""
        for weight in layer._trainable_variables:
            places[id(weight)] = f"{prefix}{layer.name}/{weight.name}"
    slots: dict[str, dict[str, np.ndarray]] = {}
    lists = {
        "average": getattr(optimizer, "_model_variables_moving_average", []),
        "momentum": getattr(optimizer, "_momentums", getattr(optimizer, "momentums", [])),
        "velocity": getattr(optimizer, "_velocities", []),
        "velocity_hat": getattr(optimizer, "_velocity_hats", []),
        "average_gradient": getattr(optimizer, "_average_gradients", []),
    }
    if isinstance(optimizer, keras.optimizers.RMSprop):
        lists = {name: lists[name] for name in ("velocity", "momentum", "average_gradient")}
    for number, weight in enumerate(optimizer._trainable_variables):
        slots[places[id(weight)]] = {name: np.asarray(each[number]) for name, each in lists.items() if each}
    config = optimizer.get_config()
    steps = int(optimizer.iterations)
    return Compiled(
        type(optimizer).__name__, config, steps, slots, "sparse_categorical_crossentropy", ("accuracy",)
    )


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name in OPTIMIZERS
        for dtype in ("float32", "float64")
        if THOROUGH or dtype == "float64" or name == "Adam"
    ],
)
def test_keras_goes_on_training_where_it_was(name, dtype, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 8, 6, 6, 1)).astype(dtype), rng.integers(0, 3, (4, 8))
    with everything_in(dtype):
        keras.utils.set_random_seed(1)
        model = small()
        model.compile(
            OPTIMIZERS[name](), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        for step in range(3):
            model.train_on_batch(x[step], y[step])
        write(model, tmp_path / "keras.keras")
        load_model(tmp_path / "keras.keras").save(tmp_path / "ours.keras", state_of(model))
        again = in_keras(tmp_path / "ours.keras")
        again.run_eagerly = True
        assert again.optimizer.get_config() == model.optimizer.get_config()
        for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=other.path)
        losses = [each.train_on_batch(x[3], y[3], return_dict=True)["loss"] for each in (again, model)]
        # The first is of one batch, the second a mean of four.
        assert np.isfinite(losses).all()
        for one, other in zip(again.variables, model.variables, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=other.path)
        assert int(again.optimizer.iterations) == 4


def test_a_trainer_of_numpy_hands_over_to_keras(tmp_path):
    """Steps that are made here and one that Keras makes, and the same steps by Keras alone."""
    from cnnviz.training import Adam, Trainer

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 8, 6, 6, 1)), rng.integers(0, 3, (3, 8))
    with everything_in("float64"):
        keras.utils.set_random_seed(1)
        model = small(regularizer=None)
        write(model, tmp_path / "keras.keras")
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", run_eagerly=True)
        trainer = Trainer(load_model(tmp_path / "keras.keras"), Adam(0.01))
        for step in range(2):
            model.train_on_batch(x[step], y[step])
            trainer.step(x[step], y[step])
        state = trainer.state
        compiled = Compiled(
            "Adam", trainer.optimizer.config(), state.steps, state.slots, "sparse_categorical_crossentropy"
        )
        state.network.save(tmp_path / "ours.keras", compiled)
        again = in_keras(tmp_path / "ours.keras")
        again.run_eagerly = True
        for each in (model, again):
            each.train_on_batch(x[2], y[2])
        for one, other in zip(again.weights, model.weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-9, err_msg=other.path)


def test_several_outputs_have_a_loss_each(tmp_path):
    from cnnviz.training import SGD, Trainer

    both = [Layer.from_config(name, "Dense", {"units": 2}, inputs=("image",)) for name in ("one", "two")]
    spare = Layer.from_config("spare", "Dense", {"units": 2}, inputs=("image",))
    net = Network([image(3), *both, spare], ["one", "two"], seed=0)
    loss = {"one": "mean_squared_error", "two": "sparse_categorical_crossentropy"}
    trainer = Trainer(net, SGD(0.1, momentum=0.9), loss, metrics=("accuracy",))
    x, y = np.ones((4, 3), np.float32), [np.ones((4, 2), np.float32), np.array([0, 1, 1, 0])]
    trainer.step(x, y)
    trainer.save(tmp_path / "x.keras")
    model = in_keras(tmp_path / "x.keras")
    model.run_eagerly = True
    assert int(model.optimizer.iterations) == 1
    again = trainer.step(x, y)
    model.train_on_batch(x, y)
    for layer in ("one", "two"):
        for weight in model.get_layer(layer).weights:
            # A few sums of 12 products of numbers near 1.
            ours = again.network[layer].weights[weight.name]
            np.testing.assert_allclose(ours, weight, rtol=0, atol=100 * UNIT)


# What cannot be written ---------------------------------------------------------------------------


def chain(*layers: Layer) -> Network:
    """Layers one behind the other, behind an image."""
    names = ["image", *(layer.name for layer in layers)]
    linked = [replace(layer, inputs=(name,)) for layer, name in zip(layers, names, strict=False)]
    return Network([image(6, 6, 2), *linked], seed=0)


def test_what_keras_cannot_be_told_is_refused_by_name(tmp_path):
    conv = {"filters": 2, "kernel_size": 2}
    padded = chain(Layer.from_config("conv", "Conv2D", {**conv, "padding": ((1, 0), (0, 0))}))
    with pytest.raises(
        ValueError, match=r"layer 'conv' \(Conv2D\): padding=.* put a ZeroPadding layer in front"
    ):
        padded.save(tmp_path / "x.keras")
    bent = chain(Layer.from_config("conv", "Conv2D", conv))
    approximate = Activation("gelu", {"approximate": True})
    with pytest.raises(ValueError, match=r"Keras has no activation gelu\(approximate=True\)"):
        bent.with_activation({"conv": approximate}).save(tmp_path / "x.keras")
    with pytest.raises(
        ValueError, match=r"layer 'turn' .* needs its factor: make it with Layer\.from_config"
    ):
        chain(Layer("turn", "RandomRotation")).save(tmp_path / "x.keras")
    with pytest.raises(ValueError, match=r"path must end in \.keras, got '.*x\.h5'"):
        bent.save(tmp_path / "x.h5")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        bent.save(tmp_path / "nowhere" / "x.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_does_not_fit_is_refused_and_the_old_file_stays(tmp_path):
    net = chain(Layer.from_config("conv", "Conv2D", {"filters": 2, "kernel_size": 2}))
    path = tmp_path / "x.keras"
    net.save(path)
    before = path.read_bytes()
    zeros = {f"conv/{name}": {"momentum": np.zeros_like(w)} for name, w in net["conv"].weights.items()}
    wrong = {**zeros, "conv/bias": {"momentum": np.zeros(3)}}
    for slots, message in [
        ({"conv/kernel": zeros["conv/kernel"]}, r"'conv/bias' is in one alone"),
        (wrong, r"slots\['conv/bias'\] must hold 'momentum' with shape \(2,\), got shape \(3,\)"),
        ({**zeros, "conv/bias": {}}, r"with shape \(2,\), got nothing"),
    ]:
        with pytest.raises(ValueError, match=message):
            net.save(path, Compiled("SGD", {"learning_rate": 0.1, "momentum": 0.9}, 1, slots))
    with pytest.raises(ValueError, match="must say the learning_rate"):
        net.save(path, Compiled("SGD", {}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_activations_that_were_exchanged_and_layers_that_nothing_reads(tmp_path):
    net = chain(
        Layer.from_config("conv", "Conv2D", {"filters": 3, "kernel_size": 2, "activation": "relu"}),
        Layer.from_config("bent", "ELU", {"alpha": 0.5}),
        Layer.from_config("unread", "Flatten", {}),
    )
    other = Network(net.layers, ["bent"]).with_activation({"conv": None, "bent": "tanh"})
    other.save(tmp_path / "x.keras")
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    model = in_keras(tmp_path / "x.keras")
    # Sums of 8 products, and a tanh, whose slope is 1 at most.
    np.testing.assert_allclose(model(x), other.predict(x), rtol=0, atol=100 * UNIT)
    assert [layer.name for layer in model.layers] == ["image", "conv", "bent"]
