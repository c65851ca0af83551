"""Blocks are found by structure, in networks of keras.applications and in small ones; names do not decide."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from cnnviz import Network
from cnnviz.stage.stage_blocks import MOST_COLUMNS, StageBlock, _Graph, blocks_of, finishing
from cnnviz.stage.stages import Stage, take_apart
from harness.authority import keras
from harness.keras_models import write
from harness.networks import conv, image, layer

THOROUGH = settings.get_current_profile_name() == "thorough"
MORE = ["InceptionV3", "Xception", "NASNetMobile", "VGG16", "MobileNet", "ResNet50V2", "MobileNetV3Small"]


def taken(net: Network) -> list[Stage]:
    return take_apart(net, {each.name: each.output_shape for each in net}).stages


def top(blocks: Sequence[StageBlock], within: int | None = None) -> list[StageBlock]:
    return [block for block in blocks if block.within == within]


@cache
def stages_of(application: str) -> list[Stage]:
    """An application's network with an eighth of its filters, where its sizes are not written down in it."""
    model = getattr(keras.applications, application)(weights=None)

    def slim(each):
        config = each.get_config()
        if "filters" in config:
            config["filters"] = max(1, config["filters"] // 8)
        return type(each).from_config(config)

    if application in ("ResNet50", "DenseNet121"):
        model = keras.models.clone_model(model, clone_function=slim)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return taken(cnnviz.load_model(write(model, Path(folder) / "model.keras")))


EXPECTED = {
    "ResNet50": [
        ("conv2_block", "3 residual blocks"),
        ("conv3_block", "4 residual blocks"),
        ("conv4_block", "6 residual blocks"),
        ("conv5_block", "3 residual blocks"),
    ],
    "MobileNetV2": [
        ("expanded_conv", "inverted residual"),
        ("block_1 – block_2", "2 inverted residuals"),
        ("block_3 – block_5", "3 inverted residuals"),
        ("block_6 – block_9", "4 inverted residuals"),
        ("block_10 – block_12", "3 inverted residuals"),
        ("block_13 – block_15", "3 inverted residuals"),
        ("block_16", "inverted residual"),
    ],
    "DenseNet121": [
        ("zero_padding2d – pool1", ""),
        ("conv2_block", "dense block of 6 layers"),
        ("pool2", ""),
        ("conv3_block", "dense block of 12 layers"),
        ("pool3", ""),
        ("conv4_block", "dense block of 24 layers"),
        ("pool4", ""),
        ("conv5_block", "dense block of 16 layers"),
    ],
}
SE = " with squeeze-and-excitation"
USUAL = list(EXPECTED) if THOROUGH else ["ResNet50", "MobileNetV2"]


@pytest.mark.parametrize("application", USUAL)
def test_blocks_of_well_known_networks(application):
    blocks = blocks_of(stages_of(application))
    found = [(block.caption, block.what) for block in top(blocks)]
    assert [what for _, what in found] == [what for _, what in EXPECTED[application]]
    # Keras numbers layers that were not named.
    assert [caption for caption, _ in found][1:] == [caption for caption, _ in EXPECTED[application]][1:]


def test_squeeze_and_excitation_is_in_inverted_residuals():
    blocks = blocks_of(stages_of("EfficientNetB0"))
    found = [(block.caption, block.what) for block in top(blocks)]
    many = [("block2", 2), ("block3", 2), ("block4", 3), ("block5", 3), ("block6", 4)]
    assert found[1:] == [
        ("block1a", f"inverted residual{SE}"),
        *((name, f"{count} inverted residuals{SE}") for name, count in many),
        ("block7a", f"inverted residual{SE}"),
    ]


@pytest.mark.parametrize("application", [*USUAL, "EfficientNetB0", *(MORE if THOROUGH else [])])
def test_every_level_fits_its_screen_and_holds_each_stage_once(application):
    stages = stages_of(application)
    blocks = blocks_of(stages)
    graph = _Graph(stages)
    for number, block in enumerate([None, *blocks], -1):
        inside = range(len(stages)) if block is None else block.stages
        children = top(blocks, None if block is None else number)
        held = [s for child in children for s in child.stages]
        assert len(held) == len(set(held))
        assert set(held) <= set(inside)
        single = [i for i in inside if i not in set(held) and not finishing(stages)[i]]
        fits = graph.fits(
            [
                graph.order[graph.place[step]]
                for step, members in enumerate(graph.members)
                if members[0] in single
            ],
            99,
        )
        assert len(children) + len(single) <= MOST_COLUMNS + 3 * (not children) + 12 * (not fits)
    assert len({block.name for block in blocks}) == len(blocks)


def test_names_do_not_decide():
    stages = stages_of("MobileNetV2")
    number = itertools.count()
    names = {each.layer.name: f"x{next(number)}" for each in stages}
    hidden = [
        replace(each, layer=replace(each.layer, name=names[each.layer.name]), name=f"s{i}")
        for i, each in enumerate(stages)
    ]
    assert [(b.what, b.stages) for b in blocks_of(hidden)] == [(b.what, b.stages) for b in blocks_of(stages)]


def chain(first: str, channels: int, count: int, prefix: str) -> list:
    names = [first, *(f"{prefix}{i}" for i in range(count))]
    return [
        conv(after, before, channels, channels, padding="same") for before, after in itertools.pairwise(names)
    ]


def test_a_network_that_fits_has_no_blocks():
    assert not blocks_of(taken(cnnviz.load_model("mnist_14k")))
    # Branches stand under each other: only the longest way counts.
    two = [
        image(8, 8, 2),
        *chain("image", 2, 8, "a"),
        *chain("image", 2, 8, "b"),
        layer("sum", "Add", "a7", "b7"),
    ]
    assert not blocks_of(taken(Network(two)))


def test_a_u_net_is_taken_together_by_its_resolutions():
    down = [image(16, 16, 2)]
    last = "image"
    for depth in range(3):
        down += chain(last, 2, 2, f"down{depth}_")
        down.append(layer(f"pool{depth}", "MaxPooling2D", f"down{depth}_1"))
        last = f"pool{depth}"
    down += chain(last, 2, 2, "deepest")
    last = "deepest1"
    for depth in (2, 1, 0):
        down.append(layer(f"up{depth}", "UpSampling2D", last))
        down.append(layer(f"join{depth}", "Concatenate", f"up{depth}", f"down{depth}_1"))
        down.append(conv(f"up{depth}_0", f"join{depth}", 4, 2, padding="same"))
        last = f"up{depth}_0"
    blocks = blocks_of(taken(Network([*down, conv("out", last, 2, 1, size=1)])))
    shapes = [
        taken(Network([*down, conv("out", last, 2, 1, size=1)]))[block.stages[-1]].shape[0]
        for block in blocks
    ]
    assert shapes == [16, 8, 4, 2, 4, 8, 16]
    assert not any(block.what for block in blocks)


def test_a_dense_block_is_one_and_its_layers_are_in_it():
    layers = [image(8, 8, 2)]
    last, channels = "image", 2
    for block in range(2):
        for n in range(7):
            name = f"b{block}_{n}"
            layers += [
                layer(f"{name}_relu", "ReLU", last),
                conv(f"{name}_conv", f"{name}_relu", channels, 1, padding="same"),
                layer(f"{name}_join", "Concatenate", last, f"{name}_conv"),
            ]
            last, channels = f"{name}_join", channels + 1
        layers.append(layer(f"pool{block}", "MaxPooling2D", last))
        last = f"pool{block}"
    blocks = blocks_of(taken(Network(layers)))
    assert [block.what for block in top(blocks)] == ["dense block of 7 layers"] * 2
    assert [block.what for block in top(blocks, 0)] == ["dense layer"] * 7


def test_a_nested_model_is_a_block():
    base = keras.Sequential(
        [keras.Input((9, 9, 2)), *(keras.layers.Conv2D(2, 1) for _ in range(14))], name="base"
    )
    given = keras.Input((9, 9, 2))
    model = keras.Model(given, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(base(given))))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        blocks = blocks_of(taken(cnnviz.load_model(write(model, Path(folder) / "nested.keras"))))
    (whole, *inside) = blocks
    assert (whole.caption, whole.what, whole.layers) == ("base", "nested model", 14)
    assert inside
    assert all(block.within == 0 for block in inside)


def test_what_finishes_is_read_by_nobody_else():
    layers = [
        image(8, 8, 2),
        conv("a", "image", 2, 2, padding="same", activation="relu"),
        layer("relu", "ReLU", "a"),
        layer("sum", "Add", "a", "relu"),
        layer("end", "ReLU", "sum"),
    ]
    assert finishing(taken(Network(layers))) == [False, False, True, False, False, True]


def test_columns_are_counted_of_what_is_shown():
    net = Network([image(8, 8, 2), *chain("image", 2, 20, "c")])
    assert blocks_of(taken(net))
    assert not blocks_of(taken(net), [f"c{i}" for i in range(8)])
    assert np.all([block.layers for block in blocks_of(taken(net))])
