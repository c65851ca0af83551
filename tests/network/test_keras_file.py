"""Files that Keras really saved, read without it: every layer class, graphs, and files to refuse.

The models are built in float64 wherever TensorFlow can, so that a comparison sees any difference
that is not rounding: weights from the wrong place, an option that is not read.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import warnings
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
from cnnviz.layers import ENTRIES
from cnnviz.layers.tensor_operations import PREFIX
from cnnviz.network.keras_config import weight_groups
from harness.authority import keras
from harness.keras_graphs import branches, deep, nested, several, shared
from harness.keras_models import (
    ONLY_FLOAT32,
    STACKS,
    L,
    counts,
    outputs,
    policy,
    randomise,
    save,
    sequential,
    write,
)

# A value of these stacks is a sum of at most about 100 products that cancel at most tenfold, or a few
# roundings of one number, and no layer amplifies what went wrong before: 100 * 10 * u of the largest.
TOLERANCE = {"float64": 1000 * 2.0**-53, "float32": 1000 * 2.0**-24}


def assert_equal(ours: np.ndarray, keras_value: np.ndarray, dtype: str, what: str) -> None:
    assert ours.dtype == dtype, what
    assert ours.shape == keras_value.shape, what
    scale = np.abs(keras_value).max(initial=0)
    np.testing.assert_allclose(ours, keras_value, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=what)


def assert_same_network(model: Any, tensors: dict[str, Any], folder: Path, dtype: str) -> cnnviz.Network:
    """Save, load, and compare every tensor, every shape and the parameter counts with Keras's."""
    net = load_model(save(model, folder)).astype(dtype)
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=(3, *(9 if n is None else n for n in t.shape[1:]))) for t in model.inputs]
    xs = [x.astype(dtype) for x in xs]
    run = net.run(xs[0] if len(xs) == 1 else xs)
    for name, value in outputs(model, tensors, xs).items():
        assert_equal(run[name], value, dtype, name)
        assert net[name].output_shape == tuple(tensors[name].shape[1:]), name
    assert net.count_params() == counts(model)
    if len(net.outputs) == 1:
        # predict may fold layers into their neighbours: other sums, of as many terms.
        assert_equal(net.predict(xs if len(xs) > 1 else xs[0]), run.output, dtype, "predict")
    return net


# Layer classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STACKS)
def test_layers_equal_keras(name, tmp_path):
    with policy("float64"):
        model = sequential(STACKS[name])
        net = assert_same_network(model, {k.name: k.output for k in model.layers}, tmp_path, "float64")
    assert [layer.kind for layer in net] == ["InputLayer", *(type(k).__name__ for k in model.layers)]


@pytest.mark.parametrize("name", ONLY_FLOAT32)
def test_layers_equal_keras_in_float32(name, tmp_path):
    model = sequential(ONLY_FLOAT32[name])
    assert_same_network(model, {k.name: k.output for k in model.layers}, tmp_path, "float32")


def test_every_kind_is_compared_with_keras():
    merging = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
    used = {type(layer).__name__ for _, build in STACKS.values() for layer in build()}
    merging.add("CustomScaleLayer")
    # These read several inputs or whole numbers, and are compared in tests/layers.
    merging |= {"MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention", "Embedding"}
    # Operations are in test_tensor_operations.
    layers = {kind for kind in ENTRIES if not kind.startswith(PREFIX)}
    assert used | merging | {"InputLayer"} == layers


def test_a_random_crop_passes_on_all_of_an_image_at_inference(tmp_path):
    """As Keras's own prediction does, though the shape that it tells the next layer is another."""
    crop = L.RandomCrop(4, 3, name="crop")
    model = keras.Sequential([keras.Input((6, 7, 2)), crop, L.Conv2D(3, 2), L.GlobalMaxPooling2D()])
    net = load_model(save(model, tmp_path))
    x = np.random.default_rng(0).normal(size=(2, 6, 7, 2)).astype(np.float32)
    np.testing.assert_array_equal(net.run(x)["crop"], x)
    np.testing.assert_allclose(net.predict(x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "kind",
    [
        "TimeDistributed",
        "GRUCell",
        "Conv2DTranspose",
        "X2D3",
        *(kind for kind in ENTRIES if PREFIX not in kind),
    ],
)
def test_weight_groups_are_named_as_keras_names_them(kind):
    from keras.src.utils.naming import to_snake_case

    # One class is exported under another name than it has.
    name = getattr(L, kind).__name__ if hasattr(L, kind) else kind
    assert weight_groups("layers")(kind) == f"layers/{to_snake_case(name)}"


@pytest.mark.parametrize("name", ["mnist_14k", "mnist_maxpool"])
def test_the_bundled_architectures(name, tmp_path):
    from cnnviz.training import build

    model = build(name, dropout=0.1)
    net = assert_same_network(model, {k.name: k.output for k in model.layers}, tmp_path, "float32")
    assert net.name == name
    if name == "mnist_14k":
        assert net.count_params() == (14060, 13848, 212)


def test_half_precision_weights_are_read_as_float32(tmp_path):
    for dtype in ("bfloat16", "float16", "mixed_bfloat16"):
        with policy(dtype):
            model = keras.Sequential([keras.Input((4,)), L.Dense(3)], name=dtype)
            net = load_model(save(model, tmp_path))
        kernel = np.asarray(model.layers[0].kernel.numpy(), np.float32)
        assert net["dense" if "dense" in net else model.layers[0].name].weights["kernel"].dtype == np.float32
        np.testing.assert_array_equal(net[model.layers[0].name].weights["kernel"], kernel)


# Graphs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [branches, shared, nested, deep, several])
def test_graphs_equal_keras(build, tmp_path):
    with policy("float64"), warnings.catch_warnings():
        # Keras says that the keys "one" and "two" are not the inputs' names.
        warnings.filterwarnings("ignore", message="When providing `inputs` as a dict")
        model, tensors = build()
        net = assert_same_network(model, tensors, tmp_path, "float64")
    order = {layer.name: position for position, layer in enumerate(net)}
    assert all(order[feeder] < order[layer.name] for layer in net for feeder in layer.inputs)


def test_names_of_shared_and_nested_layers(tmp_path):
    with policy("float64"):
        net = load_model(save(nested()[0], tmp_path))
        again = load_model(save(shared()[0], tmp_path))
    assert [layer.name for layer in net] == [
        *("image", "conv", "inner/conv", "inner/add", "chain/conv", "chain/norm"),
        *("chain:1/conv", "chain:1/norm", "pool", "inner:1/conv", "inner:1/add"),
    ]
    assert net["inner:1/conv"].owner == "inner/conv"
    assert net["inner:1/conv"].weights is net["inner/conv"].weights
    assert net["inner:1"].name == "inner:1/add"
    assert net["chain:1/conv"].inputs == ("chain/norm",)
    assert [layer.name for layer in again if layer.owner == "conv"] == ["conv", "conv:1", "conv:2"]


def test_inputs_and_outputs_in_the_order_of_the_model(tmp_path):
    with policy("float64"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = load_model(save(several()[0], tmp_path))
    assert net.inputs == ("p", "q")
    assert net.input_shape == ((4,), (3,))
    assert net.output_shape == ((3,), (7,))
    p, q = np.ones((2, 4)), np.zeros((2, 3))
    scores, both = net.predict({"q": q, "p": p})
    np.testing.assert_array_equal(both, np.concatenate([q, p], axis=1))
    np.testing.assert_array_equal(scores, net.predict([p, q])[0])


def test_frozen_layers_count_as_keras_counts_them(tmp_path):
    frozen = keras.Sequential([L.Dense(4), L.BatchNormalization()], name="frozen")
    model = keras.Sequential([keras.Input((3,)), L.Dense(2), frozen, L.Normalization()], name="part")
    frozen.trainable = False
    assert load_model(save(model, tmp_path)).count_params() == counts(model)
    assert counts(model)[1] == 8
    model.trainable = False
    assert load_model(save(model, tmp_path)).count_params() == counts(model)
    assert counts(model)[1] == 0


def test_a_sequential_model_without_its_input_layer(tmp_path):
    """Older versions leave it out and say the shape in build_config."""
    path = save(sequential(STACKS["dense"]), tmp_path)

    def drop(config):
        del config["config"]["layers"][0], config["config"]["build_input_shape"]

    assert load_model(rewritten(path, drop)).output_shape == (3,)

    def drop_all(config):
        drop(config)
        del config["build_config"]

    with pytest.raises(ModelFileError, match="was saved before it was built"):
        load_model(rewritten(path, drop_all))


# Names, paths and TensorFlow --------------------------------------------------------------------


def test_bundled_models_are_cached():
    net = load_model("mnist_14k")
    assert net is load_model("mnist_14k")
    assert net.count_params() == (14060, 13848, 212)
    assert net.source is not None
    assert net.source.name == "mnist_14k.keras"


def test_a_missing_file_names_the_bundled_models(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*nothing.keras'; bundled .* mnist_14k"):
        load_model(tmp_path / "nothing.keras")


WITHOUT_TENSORFLOW = """
import sys, cnnviz
{extra}
cnnviz.load_model(sys.argv[1]).predict([[0.0] * 6])
found = sorted({{"tensorflow", "keras", "streamlit", "matplotlib"}} & set(sys.modules))
sys.exit(f"imported: {{found}}" if found else 0)
"""


@pytest.mark.parametrize(("extra", "code"), [("", 0), ("import matplotlib", 1)])
def test_loading_imports_no_tensorflow(extra, code, tmp_path):
    """The second case shows that the first one can fail."""
    path = save(sequential(STACKS["dense"]), tmp_path)
    program = WITHOUT_TENSORFLOW.format(extra=extra)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (code, "imported: ['matplotlib']" if code else "")


# Files to refuse --------------------------------------------------------------------------------

Config = dict[str, Any]


def rewritten(
    path: Path,
    config: Callable[[Config], Any] | None = None,
    weights: Callable[[h5py.File], Any] | None = None,
    *,
    compression: int = zipfile.ZIP_STORED,
    **members: bytes | None,
) -> Path:
    """A copy of an archive with its config or its weights changed, or members exchanged or dropped."""
    with zipfile.ZipFile(path) as archive:
        content: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    if config:
        data = json.loads(content["config.json"] or b"")
        result = config(data)
        content["config.json"] = json.dumps(data if result is None else result).encode()
    if weights:
        buffer = BytesIO(content["model.weights.h5"] or b"")
        with h5py.File(buffer, "r+") as file:
            weights(file)
        content["model.weights.h5"] = buffer.getvalue()
    content |= {name.replace("__", "."): value for name, value in members.items()}
    target = path.with_name("rewritten.keras")
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return target


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A small Sequential model: image, conv, norm, flat, scores."""
    layers = [
        keras.Input((6, 6, 1), name="image"),
        L.Conv2D(2, 3, name="conv", activation="relu"),
        L.BatchNormalization(name="norm"),
        L.Flatten(name="flat"),
        L.Dense(3, name="scores"),
    ]
    return save(keras.Sequential(layers, name="plain"), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Path:
    """The nested Functional model."""
    with policy("float64"):
        return save(nested()[0], tmp_path_factory.mktemp("graph"))


def layer_of(config: Config, name: str) -> Config:
    return next(d for d in config["config"]["layers"] if d["config"]["name"] == name)


def refused(path: Path, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as error:
        load_model(path)
    assert str(error.value).startswith(str(path))


@keras.saving.register_keras_serializable("teacher")
class Doubling(keras.layers.Layer):
    def call(self, x):
        return x * 2


@keras.saving.register_keras_serializable("teacher")
def cube(x):
    return x**3


REFUSED_LAYERS: dict[str, tuple[Callable[[], Any], str]] = {
    "lambda": (
        lambda: L.Lambda(lambda x: x, name="odd"),
        r"layer 'odd' is a Lambda.*never run: put layers or functions of keras.ops in its place",
    ),
    "custom": (
        lambda: Doubling(name="odd"),
        r"layer 'odd' is a Doubling from module '.*': custom code is never loaded; put Keras's own layers",
    ),
    "unsupported": (
        lambda: L.Masking(name="odd"),
        r"layer 'odd': cnnviz does not compute Masking \(what it masks .*get_layer\(\"odd\"\).input\)",
    ),
    "channels first": (
        lambda: L.Conv2D(2, 1, data_format="channels_first", name="odd"),
        r"layer 'odd' \(Conv2D\): data_format='channels_first' is not supported: build the model with",
    ),
    "renorm": (
        lambda: L.BatchNormalization(renorm=True, name="odd"),
        r"layer 'odd' \(BatchNormalization\): renorm=True is not supported",
    ),
    "softmax over several axes": (
        lambda: L.Softmax(axis=[1, 2], name="odd"),
        r"layer 'odd' \(Softmax\): axis must be one axis, got \[1, 2\]",
    ),
    "custom activation": (
        lambda: L.Conv2D(2, 1, activation=cube, name="odd"),
        r"layer 'odd' \(Conv2D\): activation must be one of keras.activations.* got 'teacher>cube'",
    ),
    "activation with weights": (
        lambda: L.Conv2D(2, 1, activation=L.PReLU(), name="odd"),
        r"layer 'odd' \(Conv2D\): activation is a PReLU, which has weights of its own",
    ),
    "unknown activation": (
        lambda: L.Activation("threshold", name="odd"),
        r"layer 'odd' \(Activation\): activation='threshold' is not supported: it has no defaults",
    ),
    "activation that changes the shape": (
        lambda: L.Conv2D(2, 1, activation="glu", name="odd"),
        r"layer 'odd' \(Conv2D\): activation='glu' is not supported: it halves its axis",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", REFUSED_LAYERS)
def test_layers_that_are_refused(case, tmp_path):
    build, message = REFUSED_LAYERS[case]
    model = keras.Sequential([keras.Input((4, 4, 3)), build()], name="odd_model")
    refused(write(model, tmp_path / "odd.keras"), message)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quantised_weights_are_refused(tmp_path):
    dense = L.Dense(4, name="odd")
    model = keras.Sequential([keras.Input((8,)), dense], name="quantised")
    dense.quantize("int8")
    refused(
        write(model, tmp_path / "quantised.keras"),
        r"layer 'odd' \(Dense\): quantised weights are not supported",
    )


def test_a_subclassed_model_is_refused(tmp_path):
    @keras.saving.register_keras_serializable("teacher")
    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.zeros((1, 3)))
    refused(
        write(model, tmp_path / "own.keras"), r"the model is a Own from module .*custom code is never loaded"
    )


def test_a_layer_in_two_models_that_keras_cannot_restore_either(tmp_path):
    conv, image, again = L.Conv2D(4, 1, name="conv"), keras.Input((8, 8, 4)), keras.Input((8, 8, 4))
    a, b = keras.Model(image, conv(image), name="a"), keras.Model(again, conv(again), name="b")
    start = keras.Input((8, 8, 4))
    path = save(keras.Model(start, b(a(start)), name="twice"), tmp_path)
    refused(path, r"weights of layer 'conv' \(at 'layers/functional_1/.*2 weights .* the file has none")


def _set(name: str, /, **options: Any) -> Callable[[Config], None]:
    return lambda config: layer_of(config, name)["config"].update(options)


def _put(name: str, /, **entries: Any) -> Callable[[Config], None]:
    return lambda config: layer_of(config, name).update(entries)


def _swap_layers(config: Config) -> None:
    layers = config["config"]["layers"]
    layers[1], layers[2] = layers[2], layers[1]


REFUSED_CONFIGS: dict[str, tuple[Callable[[Config], Any], str]] = {
    "not an object": (lambda c: [c], "config.json must be an object, got"),
    "not a model": (lambda c: c["config"]["layers"][1], "must describe a model, it describes a layer"),
    "no class": (lambda c: c.pop("class_name") and None, "the model has no class_name"),
    "no config": (lambda c: c.pop("config") and None, "config of the model must be an object, got None"),
    "no layers": (lambda c: c["config"].update(layers=[]), "the model has no layers"),
    "layers are text": (lambda c: c["config"].update(layers="abc"), "layers of the model must be a list"),
    "a layer is a number": (lambda c: c["config"]["layers"].append(3), "a layer of the model must be an obj"),
    "slash in a name": (_set("flat", name="a/b"), "name must be text without '/'"),
    "name twice": (_set("flat", name="norm"), "the model has two layers called 'norm'"),
    "module os": (_put("flat", module="os", class_name="system"), "'flat' is a system from module 'os'"),
    "no module": (
        _put("flat", module=None, class_name="Swirl", registered_name="mine>Swirl"),
        "'flat' is a Swirl of its author's own: custom code is never loaded",
    ),
    "module this": (
        _put("flat", module="this", class_name="Flatten", registered_name="this>Flatten"),
        "'flat' is a Flatten from module 'this': custom code is never loaded",
    ),
    "activation in os": (
        _set("conv", activation={"module": "os", "class_name": "function", "config": "system"}),
        r"'conv' \(Conv2D\): activation is custom code \('os'\)",
    ),
    "Python in a config": (
        _set("conv", activation={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}),
        r"'conv' \(Conv2D\): activation must be one of .* got '__lambda__'",
    ),
    "strides 0": (_set("conv", strides=[0, 1]), r"'conv' \(Conv2D\): strides must be at least 1 .*got \[0"),
    "strides 1.5": (_set("conv", strides=[1.5, 1]), r"strides must be an int or a \(height, width\) pair"),
    "strides huge": (_set("conv", strides=[10**30, 1]), "strides must be at (least 1 and below|most)"),
    "padding": (_set("conv", padding="causal"), "padding must be 'valid', 'same' or .* got 'causal'"),
    "filters": (_set("conv", filters=-2), "filters must be a positive int, got -2"),
    "filters true": (_set("conv", filters=True), "filters must be a positive int, got True"),
    "no kernel size": (_set("conv", kernel_size=None), "kernel_size must be an int or .* got None"),
    "groups": (_set("conv", groups=3), "groups=3 must divide the 1 input channels and the 2 filters"),
    "use_bias": (_set("conv", use_bias="no"), "use_bias must be true or false, got 'no'"),
    "epsilon": (_set("norm", epsilon="tiny"), "epsilon must be a finite number, got 'tiny'"),
    "input shape": (_set("image", batch_shape=[None, 6, "6", 1]), "batch_shape must be"),
    "input too small": (_set("image", batch_shape=[None, 2, 2, 1]), r"'conv' \(Conv2D\): kernel of height 3"),
    "other input": (
        _set("image", batch_shape=[None, 9, 9, 1]),
        r"'scores' \(Dense\): kernel must have shape \(98, 3\), got \(32, 3\) \(its input is \(98,\)\)",
    ),
    "rank": (_set("image", batch_shape=[None, 6, 6]), r"'conv' \(Conv2D\): its input must be \(N, H, W, C\)"),
    "other filters": (_set("conv", filters=4), r"kernel must have shape \(3, 3, 1, 4\), got \(3, 3, 1, 2\)"),
    "other size": (_set("conv", kernel_size=[2, 3]), r"kernel must have shape \(2, 3, 1, 2\)"),
    "no bias wanted": (_set("conv", use_bias=False), r"1 weights \(kernel\) expected, the file has 2 arrays"),
    "order": (_swap_layers, r"'conv' \(Conv2D\): kernel must have shape|'norm'"),
}


@pytest.mark.parametrize("case", REFUSED_CONFIGS)
def test_configs_that_are_refused(case, plain):
    change, message = REFUSED_CONFIGS[case]
    refused(rewritten(plain, change), message)
    assert "this" not in sys.modules


def _history(name: str, call: int, /, **entries: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        tensor = layer_of(config, name)["inbound_nodes"][call]["args"][0]
        tensor["config"].update(entries)

    return change


def _laugh(config: Config) -> None:
    """Thirty models, each of which calls the next one twice on its input: 2**30 activations."""

    def tensor(*history: Any) -> Config:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": [*history]}}

    def entry(name: str, kind: str, config: Config, *reads: Config) -> Config:
        nodes = [{"args": [read], "kwargs": {}} for read in reads]
        entry = {"module": "keras", "class_name": kind, "config": config | {"name": name}}
        return entry | {"name": name, "inbound_nodes": nodes}

    image = entry("image", "InputLayer", {"batch_shape": [None, 3]})
    inner: tuple[str, Config] = ("ReLU", {})
    for _ in range(30):
        nested = entry("inner", *inner, tensor("image", 0, 0), tensor("inner", 0, 0))
        outputs = ["inner", 1 + (inner[0] == "Functional"), 0]
        ends = {"input_layers": ["image", 0, 0], "output_layers": outputs}
        inner = ("Functional", {"layers": [image, nested], **ends})
    config.update(entry("laugh", *inner))


REFUSED_GRAPHS: dict[str, tuple[Callable[[Config], Any], str]] = {
    "loop": (_history("conv", 0, keras_history=["pool", 0, 0]), "model has a loop at layer 'conv'"),
    "no such layer": (
        _history("pool", 0, keras_history=["nobody", 0, 0]),
        "'pool' .* call 0 of 'nobody', which",
    ),
    "no such call": (
        _history("pool", 0, keras_history=["chain", 7, 0]),
        "'pool' .* reads call 7 of 'chain', which",
    ),
    "no such output": (_history("pool", 0, keras_history=["chain", 1, 3]), "'pool' reads an output that"),
    "history": (_history("pool", 0, keras_history="chain"), r"reads must be \[layer, call, output\]"),
    "no outputs": (lambda c: c["config"].update(output_layers=None), "output_layers of the model must be"),
    "wrong output": (
        lambda c: c["config"].update(output_layers=["pool", 5, 0]),
        "an output of the model is not the output of any",
    ),
    "wrong input": (lambda c: c["config"].update(input_layers=["pool", 0, 0]), "inputs must be the InputLay"),
    "Keras 2": (
        lambda c: layer_of(c, "pool").update(inbound_nodes=[[["chain", 1, 0, {}]]]),
        "a call of layer 'pool' must be an object, got",
    ),
    "a number": (
        lambda c: layer_of(c, "pool")["inbound_nodes"][0].update(args=[2.0]),
        "layer 'pool' is called with 2.0, which is not a tensor",
    ),
    "a mask": (
        lambda c: layer_of(c, "pool")["inbound_nodes"][0].update(kwargs={"mask": [1]}),
        r"layer 'pool' is called with mask=\[1\], which is not supported",
    ),
    "no arguments": (
        lambda c: layer_of(c, "pool")["inbound_nodes"][0].update(args=[]),
        "'pool': a MaxPooling2D cannot have 0 inputs",
    ),
    "arguments": (
        lambda c: layer_of(c, "inner")["inbound_nodes"][0].update(args=[[]]),
        "model 'inner' takes 1 inputs and is called on 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED_GRAPHS)
def test_graphs_that_are_refused(case, graph):
    change, message = REFUSED_GRAPHS[case]
    refused(rewritten(graph, change), message)


def _relink(kind: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["layers/conv2d"]
        file["layers/conv2d"] = kind

    return change


def _store(**options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars"].create_dataset("0", **options)

    return change


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(3, 3, 1, 2), dtype="f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape=(3, 3, 1, 2))
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars"].create_virtual_dataset("0", layout)


def _swap(file: h5py.File) -> None:
    kernel = file["layers/conv2d/vars/0"][()]
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = kernel.swapaxes(0, 3)


REFUSED_WEIGHTS: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "missing group": (lambda f: f.__delitem__("layers/conv2d"), r"2 weights .* the file has none"),
    "missing array": (lambda f: f.__delitem__("layers/conv2d/vars/1"), "the file has 1 arrays"),
    "one too many": (lambda f: f.create_dataset("layers/conv2d/vars/2", data=[1.0]), "has 3 arrays"),
    "odd name": (lambda f: f.move("layers/conv2d/vars/1", "layers/conv2d/vars/b"), "the file has 2 arrays"),
    "weights where none are": (lambda f: f.create_dataset("layers/flatten/vars/0", data=[1.0]), "0 weights"),
    "a group for an array": (
        lambda f: (f.__delitem__("layers/conv2d/vars/1"), f.create_group("layers/conv2d/vars/1")),
        "bias is not an array in this file",
    ),
    "an array for a group": (_relink(np.zeros(3)), "'conv2d' is not a group"),
    "soft link": (_relink(h5py.SoftLink("/layers/dense")), "'conv2d' is a SoftLink; links are not followed"),
    "external link": (_relink(h5py.ExternalLink("/etc/passwd", "/")), "is a ExternalLink; links are not"),
    "virtual": (_virtual, "kernel is not an array in this file"),
    "external": (
        _store(shape=(3, 3, 1, 2), dtype="f4", external=[("/etc/passwd", 0, 72)]),
        "kernel is not an array in this file",
    ),
    "text": (_store(data=["import os"]), "kernel must hold floats, it holds object"),
    "integers": (_store(data=np.ones((3, 3, 1, 2), int)), "kernel must hold floats, it holds int64"),
    "complex": (_store(data=np.ones((3, 3, 1, 2), complex)), "kernel must hold floats, it holds complex128"),
    "shape": (_swap, r"'conv' \(Conv2D\): kernel must have shape \(3, 3, 1, 2\), got \(2, 3, 1, 3\)"),
    "a shape without numbers": (
        _store(shape=(2**20, 2**20), dtype="f4", chunks=(1, 1024)),
        "arrays of more than 1,073,741,824 bytes in all",
    ),
}


@pytest.mark.parametrize("case", REFUSED_WEIGHTS)
def test_weights_that_are_refused(case, plain):
    change, message = REFUSED_WEIGHTS[case]
    refused(rewritten(plain, weights=change), message)


def test_archives_that_are_refused(plain, tmp_path):
    empty, text, cut = (tmp_path / name for name in ("empty.keras", "text.keras", "cut.keras"))
    empty.touch()
    text.write_text("not a model")
    cut.write_bytes(plain.read_bytes()[:-100])
    for path, message in ((empty, "this is an empty file"), (text, "this is not a model"), (cut, "cut off")):
        refused(path, message)
    refused(tmp_path, "this is a folder, not a model file")
    refused(rewritten(plain, config__json=None), "it has no config.json")
    refused(rewritten(plain, model__weights__h5=None), "it has no model.weights.h5")
    refused(rewritten(plain, config__json=b"\xff{}"), "config.json is not JSON")
    refused(rewritten(plain, config__json=b'{"class_name": '), "config.json is not JSON")
    refused(rewritten(plain, config__json=b"[" * 100_000), "nested too deeply")
    refused(rewritten(plain, model__weights__h5=b"\x89HDF\r\n\x1a\n garbage"), "not an HDF5 file")
    refused(rewritten(plain, model__weights__h5=b""), "not an HDF5 file")


def test_a_damaged_member_is_refused(plain, tmp_path):
    data = bytearray(plain.read_bytes())
    data[data.index(b'"filters"') + 1] ^= 1
    path = tmp_path / "flipped.keras"
    path.write_bytes(data)
    refused(path, "config.json is damaged .*CRC")


def test_an_archive_that_unpacks_to_too_much_is_refused(plain, monkeypatch):
    monkeypatch.setattr("cnnviz.network.keras_file.MOST_JSON_BYTES", 2**20)
    bomb = rewritten(plain, config__json=b" " * 2**21, compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**16
    refused(bomb, "config.json unpacks to 2,097,152 bytes, more than the 1,048,576 that are read")


def test_models_that_unfold_without_end_are_refused(graph):
    refused(rewritten(graph, _laugh), "the model has more than 10,000 layer calls")


def test_a_recompressed_archive_loads(plain):
    packed = load_model(rewritten(plain, compression=zipfile.ZIP_DEFLATED))
    np.testing.assert_array_equal(
        packed["conv"].weights["kernel"], load_model(plain)["conv"].weights["kernel"]
    )


JUNK = [None, True, -1, 0, 3, 10**30, 1e308, "x", "", [], {}, [1, 2, 3], [[1]], {"class_name": "function"}]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((value, key), *_places(item))]


def test_junk_anywhere_in_a_config_is_refused_or_harmless(graph):
    """No other exception than ModelFileError gets out, whatever value stands wherever."""
    draw = random.Random(0)
    refusals = 0
    for _ in range(300):

        def spoil(config: Config) -> None:
            container, key = draw.choice(_places(config))
            container[key] = draw.choice(JUNK)

        try:
            load_model(rewritten(graph, spoil))
        except ModelFileError:
            refusals += 1
    assert 100 < refusals < 300


def test_flipped_bytes_in_the_weights_are_refused_or_change_numbers_only(plain):
    draw = random.Random(0)
    with zipfile.ZipFile(plain) as archive:
        weights = archive.read("model.weights.h5")
    refusals = 0
    for _ in range(150):
        spoiled = bytearray(weights)
        for _ in range(20):
            spoiled[draw.randrange(len(spoiled))] = draw.randrange(256)
        try:
            net = load_model(rewritten(plain, model__weights__h5=bytes(spoiled)))
            assert net.count_params() == load_model(plain).count_params()
        except ModelFileError:
            refusals += 1
    assert refusals > 10


def test_layers_with_lora_factors_count_as_keras_counts_them(tmp_path):
    """The file holds their product in the kernel; Keras counts what it would train."""
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), L.Conv2D(4, 3), L.Conv2D(3, 1), L.Flatten(), L.Dense(5)], name="lora"
    )
    randomise(model)
    for layer, rank in ((model.layers[0], 2), (model.layers[3], 3)):
        layer.enable_lora(rank)
    for weight in model.weights:
        if "lora" in weight.path:
            weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    net = load_model(write(model, tmp_path / "lora.keras"))
    assert net.count_params() == counts(model)
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 2)).astype(np.float32)
    assert_equal(net.predict(x), np.asarray(model(x)), "float32", "the merged kernel")


def test_a_call_gives_way_to_a_layer_of_its_name(tmp_path):
    image = keras.Input((5, 5, 2), name="image")
    shared = L.Conv2D(2, 1, name="c")
    y = L.Conv2D(2, 1, name="c:1", activation="relu")(shared(shared(image)))
    model = keras.Model(image, L.Add(name="sum")([shared(y), y]), name="colons")
    net = load_model(save(model, tmp_path))
    assert [layer.name for layer in net] == ["image", "c", "c:2", "c:1", "c:3", "sum"]
    assert [layer.name for layer in net if layer.owner == "c"] == ["c", "c:2", "c:3"]
    x = np.random.default_rng(1).normal(size=(2, 5, 5, 2)).astype(np.float32)
    assert_equal(net.predict(x), np.asarray(model(x)), "float32", "colons")
    assert cnnviz.verify(net, x)
