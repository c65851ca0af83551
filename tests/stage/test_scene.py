"""Scenes: what the browser gets is what the run holds, for the bundled network and every layer class."""

from __future__ import annotations

import gc
import json
import struct
import weakref
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.layers import Entry
from cnnviz.layers.browser import OPERATIONS
from cnnviz.stage.parts import MAGIC
from cnnviz.stage.plan import _drawn
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stages import take_apart, values_of
from harness.authority import keras
from harness.keras_models import ONLY_FLOAT32, STACKS, L, save
from harness.networks import conv, image, layer, merges, normal, run_of
from harness.operation_models import FAMILIES

TYPES = {"f4": "<f4", "i4": "<i4", "i2": "<i2"}


def unpacked(scene: Scene):
    """The headers of both parts in one, and for each part a function that reads an array by its place."""
    content = bytes(scene)
    header: dict = {}
    readers = []
    while content:
        assert content[:8] == MAGIC
        text, length = struct.unpack("<II", content[8:16])
        header = {**json.loads(content[16 : 16 + text]), **header}
        body, content = content[16 + text :][:length], content[16 + text + length :]

        def read(place, body=body):
            offset, count, dtype = place[:3]
            assert offset % 8 == 0
            return np.frombuffer(body, TYPES[dtype], count, offset)

        readers.append(read)
    return header, *readers


@pytest.fixture(scope="module")
def digit_run():
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:2])


def test_the_work_of_a_layer_is_that_of_its_steps():
    net = Network(
        [
            image(6, 4),
            layer("dense", "Dense", "image", weights={"kernel": normal(4, 5), "bias": normal(5)}, units=5),
            layer("attention", "Attention", "dense", "dense"),
        ]
    )
    run = net.run(np.zeros((1, 6, 4), np.float32))
    work = {layer.name: 0 for layer in net}
    for stage in unpacked(build_scene(run, 0))[0]["stages"]:
        if stage["op"]["type"] in ("conv", "contract"):
            work[stage["layer"]] += stage["work"]
    assert work == {layer.name: layer.multiply_adds for layer in net}


RESIZING = {"CenterCrop", "Resizing", "UpSampling2D"}


def branching() -> Network:
    """Two branches of different depth that are added, a concatenation, a transposed convolution."""
    return Network(
        [
            image(8, 8, 1),
            conv("a", "image", 1, 4, padding="same", activation="relu"),
            conv("b", "image", 1, 4, padding="same", strides=1),
            conv("c", "b", 4, 4, padding="same"),
            layer("sum", "Add", "a", "c"),
            layer("both", "Concatenate", "sum", "a"),
            layer("pool", "MaxPooling2D", "both"),
            layer("up", "UpSampling2D", "pool"),
            layer("flat", "Flatten", "up"),
            layer("dense", "Dense", "flat", weights={"kernel": normal(512, 3), "bias": normal(3)}, units=3),
        ]
    )


def test_a_network_is_taken_apart_into_its_single_steps(digit_run):
    header, *_ = unpacked(build_scene(digit_run, 0))
    stages = header["stages"]
    assert len(stages) == 25
    assert [stage["label"] for stage in stages[:5]] == ["input", "conv", "ReLU", "norm", "conv"]
    assert {name for stage in stages for name in stage["hidden"]} == {
        layer.name for layer in digit_run.network if layer.passes_on and layer.kind != "InputLayer"
    } | {"flatten"}
    assert sum(stage["params"] for stage in stages) == digit_run.network.count_params()[0]


def test_every_number_that_is_sent_is_the_run_s(digit_run):
    scene = build_scene(digit_run)
    header, plan, numbers = unpacked(scene)
    assert len(header["items"]) == 2
    for index, item in enumerate(header["items"]):
        for number, place in item["tensors"].items():
            stage = scene.plan.taken.stages[int(number)]
            np.testing.assert_array_equal(numbers(place), values_of(stage, digit_run, index).ravel())
    for name, place in header["arrays"].items():
        np.testing.assert_array_equal(plan(place), np.ravel(scene.plan.taken.arrays[name]))


def test_receptive_fields_are_cnnviz_s_own(digit_run):
    net = digit_run.network
    header, read, _ = unpacked(build_scene(digit_run, 0))
    table = cnnviz.receptive_field(net)
    rng = np.random.default_rng(0)
    pairs = list(header["fields"].items())
    for _ in range(200):
        key, axes = pairs[rng.integers(len(pairs))]
        unit, earlier = (header["layers"][int(n)] for n in key.split(","))
        height, width, _ = net[unit].output_shape if len(net[unit].output_shape) == 3 else (1, 1, 10)
        row, col = int(rng.integers(height)), int(rng.integers(width))
        found = []
        for place in axes:
            shape = place[3:]
            ends = read(place).reshape(*shape, 2)
            at = [min(i, n - 1) for i, n in zip((row, col, 0), shape, strict=True)]
            found.append(tuple(map(int, ends[tuple(at)])))
        vector = len(net[unit].output_shape) == 1
        box = table.between(unit, earlier).box(**({"unit": 0} if vector else {"row": row, "col": col}))
        assert tuple(found) == box, (unit, earlier, row, col)


@pytest.mark.parametrize("name", [*STACKS, *ONLY_FLOAT32])
def test_every_layer_class_has_a_scene(name):
    run = run_of(name)
    scene = build_scene(run, 1)
    header, *_ = unpacked(scene)
    for number, stage in enumerate(scene.plan.taken.stages):
        assert values_of(stage, run, 1).shape == stage.shape
        assert all(source < number for source in stage.reads)
        operation = header["stages"][number]["op"]["type"]
        assert operation in OPERATIONS
        # Only what says nothing of the browser is shown as Python's values.
        assert operation != "given" or type(stage.layer.entry).browser is Entry.browser


ARITHMETIC = {"ops.Add", "ops.Subtract", "ops.Multiply", "ops.Negative"}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_operation_has_a_scene(name):
    run = run_of(name)
    taken = build_scene(run, 1).plan.taken
    for stage in taken.stages:
        assert values_of(stage, run, 1).shape == stage.shape
        if stage.layer.kind in ARITHMETIC and stage.layer.input_shape == stage.layer.output_shape:
            assert stage.op["type"] in ("affine", "merge"), stage.name


def test_arithmetic_is_labelled_with_its_numbers():
    labels = [stage.label for stage in build_scene(run_of("arithmetic"), 0).plan.taken.stages]
    assert {"x / 255", "2 * x", "x - 1", "1 - x", "x * array", "-x"} <= set(labels)


@pytest.mark.parametrize("net", [merges(), branching()], ids=["merges", "branching"])
def test_a_graph_becomes_columns_in_its_order(net):
    run = net.run(normal(*net.input_shape).astype(np.float32))
    header, *_ = unpacked(build_scene(run, 0))
    names = [stage["layer"] for stage in header["stages"]]
    shown = [layer.name for layer in net if layer.name in names]
    assert list(dict.fromkeys(names)) == shown
    last = header["stages"][-1]
    assert last["name"] == net.layers[-1].name


def siamese() -> Any:
    """Two pictures through one nested model."""
    base = keras.Sequential(
        [L.Conv2D(3, 3, name="conv"), L.Flatten(), L.Dense(2, name="scores")], name="base"
    )
    inputs = [keras.Input((6, 5, 1), name=name) for name in ("left", "right")]
    return keras.Model(inputs, L.Subtract()([base(x) for x in inputs]), name="siamese")


def transfer() -> Any:
    """A new head behind a frozen base."""
    parts = [L.Conv2D(3, 3), L.BatchNormalization(), L.SeparableConv2D(4, 2)]
    base = keras.Sequential([keras.Input((8, 8, 3)), *parts], name="base")
    base.trainable = False
    x = image = keras.Input((8, 8, 3))
    for each in (L.Rescaling(1 / 255), base, L.GlobalAveragePooling2D(), L.Dense(2)):
        x = each(x)
    return keras.Model(image, x, name="transfer")


def three_deep() -> Any:
    model = keras.Sequential([keras.Input((5, 5, 2)), L.Conv2D(3, 2), L.PReLU()], name="innermost")
    for name in ("inner", "outer"):
        model = keras.Sequential([keras.Input((5, 5, 2)), model, L.Dense(3)], name=name)
    return model


@pytest.mark.parametrize("build", [siamese, transfer, three_deep])
def test_nested_models_have_their_weights_in_their_columns(build, tmp_path):
    net = cnnviz.load_model(save(build(), tmp_path))
    shapes = [net[name].output_shape for name in net.inputs]
    images = [normal(1, *shape).astype(np.float32) for shape in shapes]
    header, *_ = unpacked(build_scene(net.run(images if len(images) > 1 else images[0]), 0))
    assert sum(stage["params"] for stage in header["stages"]) == net.count_params()[0]
    kernels = {layer.owner for layer in net if any(name.endswith("kernel") for name in layer.weights)}
    assert kernels <= {name.rpartition("/")[0] for name in header["arrays"]}
    assert any("/" in owner for owner in kernels)


def test_a_dense_layer_behind_a_flatten_reads_the_map_itself():
    net = branching()
    taken = take_apart(net, {layer.name: layer.output_shape for layer in net})
    dense = taken.stages[-1]
    assert dense.op["rows"][:2] == [8, 8]
    assert taken.stages[dense.reads[0]].name == "up"


def test_a_reshape_is_a_column_where_its_map_is_drawn_in_another_shape():
    net = run_of("a vector as a map").network
    taken = take_apart(net, {layer.name: layer.output_shape for layer in net})
    shapes = [(stage.layer.kind, stage.shape) for stage in taken.stages]
    assert shapes == [
        ("InputLayer", (1, 1, 6)),
        ("Dense", (1, 1, 12)),
        ("Reshape", (2, 3, 2)),
        ("Conv2D", (2, 3, 4)),
        ("Reshape", (6, 1, 4)),
        ("Dense", (6, 1, 5)),
        ("BatchNormalization", (6, 1, 5)),
    ]


def test_the_field_on_a_sequence_has_the_one_column_that_it_is_drawn_in():
    header, read, _ = unpacked(build_scene(run_of("a vector as a map"), 0))
    sequence, dense = 4, 5
    rows, cols = header["fields"][f"{dense},{sequence}"]
    np.testing.assert_array_equal(read(rows).reshape(-1, 2), [[row, row] for row in range(6)])
    assert read(cols).tolist() == [0, 0]


def test_the_field_behind_a_new_axis_is_that_of_each_row_and_column():
    expand = layer("expand", "ops.ExpandDims", "image", axis=3)
    net = Network([image(3, 2, 4), expand])
    header, read, _ = unpacked(build_scene(net.run(normal(1, 3, 2, 4)), 0))
    rows, cols = (read(table).reshape(-1, 2)[:, 0] for table in header["fields"]["1,0"])
    # Rows and columns are drawn as one.
    assert (rows.tolist(), cols.tolist()) == ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])


def test_one_number_for_an_image_is_a_column_of_one_cell():
    net = Network(
        [
            image(3, 2, 4),
            layer("mean", "ops.Mean", "image", axis=(1, 2, 3)),
            layer("less", "ops.Negative", "mean"),
            layer("vector", "Reshape", "less", target_shape=(1,)),
        ]
    )
    run = net.run(normal(1, 3, 2, 4))
    stages = build_scene(run, 0).plan.taken.stages
    assert [stage.shape for stage in stages[1:]] == [(1, 1, 1)] * len(stages[1:])
    assert values_of(stages[1], run, 0) == run["mean"][0]
    assert cnnviz.receptive_field(net)["vector"].size == (3, 2)


def test_a_normalisation_of_rows_says_how_its_scale_comes_about():
    norm = build_scene(run_of("batch normalisation of rows"), 0).plan.taken.stages[1]
    assert norm.op["parts"].keys() == {"mean", "variance", "gamma", "beta"}
    assert len(norm.computed.arrays[norm.op["a"]]) == 5
    # A row has 4 cells of 3 channels.
    assert norm.op["repeat"] == 12


def test_a_network_s_plan_is_made_once(digit_run):
    first, again = build_scene(digit_run, 0), build_scene(digit_run, 1)
    assert again.plan is first.plan
    assert first.key != again.key
    assert build_scene(digit_run, 0).key == first.key


def test_a_part_of_a_network_is_what_it_needs(digit_run):
    scene = build_scene(digit_run, 0, layers=["conv2d_1", "input"])
    header, *_ = unpacked(scene)
    assert header["shown"] == ["conv2d_1", "input"]
    assert [stage["layer"] for stage in header["stages"]] == [
        *("input", "conv2d", "conv2d", "batch_normalization", "conv2d_1", "conv2d_1"),
    ]
    assert {name.split("/")[0] for name in header["arrays"]} == {
        *("conv2d", "batch_normalization", "conv2d_1"),
    }
    assert header["cut"]
    assert not unpacked(build_scene(digit_run, 0))[0]["cut"]


def test_a_part_of_a_graph_leaves_out_the_other_branch():
    net = branching()
    run = net.run(normal(*net.input_shape).astype(np.float32))
    header, *_ = unpacked(build_scene(run, 0, layers=["c"]))
    assert [stage["layer"] for stage in header["stages"]] == ["image", "b", "c"]
    assert [stage["reads"] for stage in header["stages"]] == [[], [0], [1]]


def test_a_pinned_cell_is_named_as_links_name_it(digit_run):
    start = build_scene(digit_run, 0, pinned=("conv2d_3", 4, 5, 7), play=True).numbers.header["start"]
    assert [place[1:] for place in start["path"]] == [[4, 5, 7]]
    assert start["play"]
    start = build_scene(digit_run, 0, pinned=("softmax", 7)).numbers.header["start"]
    assert start["path"] == [["softmax", 0, 0, 7]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["nothing"]}, "names of the network's layers, got 'nothing'"),
        ({"layers": ["dropout"]}, "at least one that is computed, got dropout"),
        ({"pinned": ("conv2d", 26, 0, 0)}, r"a cell of 'conv2d' \(26, 26, 16\), got \(26, 0, 0\)"),
        ({"pinned": ("conv2d", 1)}, "a cell of 'conv2d'"),
        ({"layers": ["conv2d"], "pinned": ("softmax", 1)}, "a layer that is shown, got 'softmax'"),
    ],
)
def test_a_part_that_is_not_there_is_named(digit_run, options, message):
    with pytest.raises(ValueError, match=message):
        build_scene(digit_run, 0, **options)


def test_bad_index_is_named(digit_run):
    with pytest.raises(IndexError, match="one of the run's 2 images, got 2"):
        build_scene(digit_run, 2)


def test_layers_that_work_cell_by_cell_see_what_their_input_sees(digit_run):
    """Every pair of layers, as cone.js looks it up, in a network with branches that are read twice."""
    for run in (digit_run, merges().run(np.zeros((1, *merges().input_shape)))):
        net = run.network
        header, read, _ = unpacked(build_scene(run, 0))
        names, fields, alike, read_as = (header[key] for key in ("layers", "fields", "alike", "read_as"))
        whole = cnnviz.receptive_field(net)
        assert alike
        for origin, earlier in enumerate(names):
            for number, name in enumerate(names):
                unit = number
                while unit != origin and str(unit) in alike:
                    unit = alike[str(unit)]
                key = f"{unit},{read_as.get(str(origin), origin)}"
                if number == origin or name not in whole.wrt(earlier):
                    assert number == origin or (unit != origin and key not in fields)
                    continue
                expected = whole.between(name, earlier).ends()
                if unit == origin:
                    for axis, (first, last) in enumerate(expected):
                        np.testing.assert_array_equal(first, last)
                        assert first.ravel().tolist() == list(range(net[name].output_shape[axis]))
                    continue
                for place, ends in zip(fields[key], expected, strict=False):
                    np.testing.assert_array_equal(
                        read(place).reshape(*place[3:], 2), _drawn(*ends, net[name].output_shape)
                    )


def test_what_is_kept_of_a_network_goes_with_it():
    """A server shows one network after the other, some of hundreds of megabytes."""
    net = Network([image(6, 6, 1), conv("conv", "image", 1, 2)])
    plan = build_scene(net.run(normal(1, 6, 6, 1))).plan
    there = weakref.ref(net)
    del net
    gc.collect()
    assert there() is None
    assert plan.owner() is None


def test_one_number_for_two_classes_is_called_like_the_second():
    layers = [image(4, 4, 3)]
    for kind, config in (("GlobalAveragePooling2D", {}), ("Dense", {"units": 1, "activation": "sigmoid"})):
        layers.append(Layer.from_config(kind, kind, config, inputs=(layers[-1].name,)))
    run = Network(layers, seed=0).run(np.zeros((4, 4, 3)))
    assert build_scene(run, classes=["cat", "dog"]).numbers.header["classes"] == ["dog"]
    assert build_scene(run).numbers.header["classes"] == ["1"]
    with pytest.raises(
        ValueError, match="classes must have one name for each of the network's 2 classes, got 3"
    ):
        build_scene(run, classes=["cat", "dog", "cow"])
