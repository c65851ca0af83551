"""The receptive field page: what it says is the library's, and the builder's stack is in the address."""

from __future__ import annotations

import re
from base64 import b64decode
from itertools import pairwise
from urllib.parse import parse_qs

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, given, pictures, said, tables, widget
from cnnviz.concepts.field_growth import EXAMPLES
from cnnviz.receptive_fields import check_field
from cnnviz.receptive_fields.architectures import vgg16
from cnnviz.receptive_fields.notation import write_stack


def captions(at) -> str:
    return " ".join(picture["caption"] for picture in pictures(at))


def test_the_effective_field_is_the_librarys(visit):
    at = visit("receptive_field", layer="conv2d_5", row=2, column=3, about="counts")
    images = cnnviz.load_mnist()[1][0][:20]
    found = cnnviz.effective_receptive_field(cnnviz.load_model("mnist_14k"), "conv2d_5", images, row=2, col=3)
    shares = [f"{100 * share:.0f} %" for share in found.shares.values()]
    assert (
        f"mean of the first 20 test digits|{found.sigma[0]:.2f}|{found.sigma[1]:.2f}|{'|'.join(shares)}"
        in cells(at)
    )
    assert "before training" not in cells(at)
    assert "before training" in cells(visit("receptive_field", layer="conv2d_1", about="training"))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_every_layer_whose_spread_is_compared_is_counted_once(visit, model):
    at = visit("receptive_field", model=model, about="training")
    (table,) = [table for table in tables(at) if "Luo and others" in table["caption"]]
    counted = re.search(r"in (\d+) of (\d+) layers?, narrower in (\d+)", table["caption"])
    wider, layers, narrower = map(int, counted.groups())
    others = [int(count) for count in re.findall(r"; in (\d+) ", table["caption"])]
    assert 0 not in others
    assert wider + narrower + sum(others) == layers
    shown = re.findall(r"([+−][\d.]+) ± ([\d.]+) %", table["table"])
    changes = [(float(change.replace("−", "-")), float(error)) for change, error in shown]
    # Rounded as they are shown, a change that is about twice its error could be either.
    clear = [change > 2 * error + 0.2 for change, error in changes]
    assert sum(clear) <= wider <= sum(change > 2 * error - 0.2 for change, error in changes)


def test_the_recurrence_has_the_networks_own_numbers(visit):
    text = cells(visit("receptive_field"))
    assert "conv2d_3|3|1|2|6 + (3 − 1) · 2 = 10|1 · 2 = 2|0" in text
    assert "conv2d_7|4|1|2|22 + (4 − 1) · 2 = 28|1 · 2 = 2|0" in text


def test_what_no_unit_sees_is_said(visit):
    at = visit("receptive_field", model="mnist_maxpool", layer="max_pooling2d_1")
    assert "No unit of max_pooling2d_1 sees the last 2 rows and the last 2 columns" in " ".join(said(at))


def test_the_ladder_has_the_librarys_fields_links_and_maps(visit):
    data = given(visit("receptive_field", layer="conv2d_4", row=1, column=6, digit=3), "cnnviz.ladder")[0]
    net = cnnviz.load_model("mnist_14k")
    run, fields = net.run(cnnviz.load_mnist()[1][0][3]), cnnviz.receptive_field(net)
    assert data["rungs"][data["rung"]]["name"] == "conv2d_4"
    assert (data["row"], data["col"]) == (1, 6)
    for below, rung in pairwise(data["rungs"]):
        name, sees = rung["name"], rung["sees"]
        rows, cols, _ = net[name].output_shape
        box = [sees["rows"][rows - 1], sees["cols"][cols // 2]]
        place = (rows - 1, cols // 2)
        assert [tuple(each["kept"]) for each in box] == list(fields[name].box(*place))
        assert [tuple(each["all"]) for each in box] == list(fields[name].box(*place, clip=False))
        (reads,) = rung["reads"]
        assert data["rungs"][reads["below"]]["name"] == below["name"]
        assert tuple(reads["cells"][cols // 2]) == fields.between(name, below["name"]).cells(1, cols // 2)
        channel = int(run[name][0].max(axis=(0, 1)).argmax())
        numbers = np.frombuffer(b64decode(rung["map"]["values"]), "<f4").reshape(rows, cols)
        np.testing.assert_array_equal(numbers, run[name][0, :, :, channel])
        assert f"channel {channel}, its strongest on test digit 3" in rung["map"]["said"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_ways_meet_and_where_holes_are_is_drawn(visit, name):
    example = EXAMPLES[name]
    at = visit("receptive_field", grows=example.about, **{example.about: name})
    data = given(at, "cnnviz.ladder")[-1]
    fields = example.fields()
    assert [rung["name"] for rung in data["rungs"]] == list(fields)
    assert len(data["rungs"][-1]["reads"]) == len(fields[-1].inputs)
    assert example.words() in [element.value for element in at.markdown]


def stack(at) -> str:
    """The address's stack, which AppTest hands out as a list or as it is."""
    found = at.query_params["stack"]
    return found if isinstance(found, str) else found[0]


@pytest.mark.parametrize(("size", "offset"), [(224, "90"), (321, "90")])
def test_a_preset_is_in_the_address(visit, size, offset):
    at = visit("receptive_field", stack=write_stack(vgg16()), input=size)
    assert not at.warning
    assert f"pool5|2|2|1|valid|{size // 32}|212|32|{offset}" in cells(at)


def test_offsets_under_same_depend_on_the_inputs_size(visit):
    words = "conv7s2same.pool3s2same"
    even, odd = (cells(visit("receptive_field", stack=words, input=size)) for size in (224, 321))
    assert "pool 2|3|2|1|same|56|11|4|2" in even
    assert "pool 2|3|2|1|same|81|11|4|5" in odd


def test_layers_are_changed_added_and_removed(visit):
    at = visit("receptive_field", stack="conv3.pool2")
    at.number_input(key="builder.kernel").set_value(3).run()
    assert stack(at) == "conv3.pool3s2"
    at.button(key="builder.add").click().run()
    assert stack(at) == "conv3.pool3s2.conv3same"
    at.selectbox(key="builder.kind").set_value("transposed").run()
    assert stack(at) == "conv3.pool3s2.transposed2s2"
    widget(at.number_input, "at").set_value(1).run()
    at.number_input(key="builder.dilation").set_value(2).run()
    assert stack(at) == "conv3d2.pool3s2.transposed2s2"
    at.button(key="builder.remove").click().run()
    assert stack(at) == "pool3s2.transposed2s2"
    assert not at.warning
    assert not at.exception


def test_a_preset_replaces_the_stack(visit):
    at = visit("receptive_field", grows="own")
    at.button(key="builder.preset.ResNet-50").click().run()
    assert "conv5_block3|3|1|1|same|7|483|32|241" in cells(at)
    at.button(key="builder.preset.five layers").click().run()
    assert "stack" not in at.query_params


def test_impossible_layers_are_refused_and_explained(visit):
    at = visit("receptive_field", stack="pool2", input=28)
    at.selectbox(key="builder.padding").set_value("3").run()
    assert "smaller than its window of 2, got 3" in at.warning[0].value
    assert stack(at) == "pool2"
    at = visit("receptive_field", stack="conv30", input=28)
    assert "does not fit an input of 28 pixels" in at.warning[0].value
    at = visit("receptive_field", stack="dense3")
    assert "The address asks for stack “dense3”" in at.warning[0].value


def test_the_unit_is_open_in_the_live_view_behind_a_link(visit):
    at = visit("receptive_field", layer="conv2d_4", row=1, column=6, digit=3)
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][3])
    # The layer's strongest channel, which stays the same wherever the unit is.
    channel = int(run["conv2d_4"][0].max(axis=(0, 1)).argmax())
    link, *_ = (link.proto for link in at.main.get("page_link"))  # Others lead to other pages.
    asked = {"digit": ["3"], "view": [f"trail=conv2d_4~1~6~{channel}"]}
    assert (link.page, parse_qs(link.query_string)) == ("", asked)


def test_its_questions_are_about_the_chosen_layer_or_the_nearest_with_room_for_them(visit):
    prompts = [radio.label for radio in visit("receptive_field", layer="conv2d_4").radio]
    assert "A unit of conv2d_4 sees 14 pixels across" in prompts[0]
    assert "Two units of conv2d_4 are neighbours" in prompts[1]
    prompts = [radio.label for radio in visit("receptive_field", layer="conv2d_7").radio]
    assert "A unit of conv2d_5 sees 18 pixels across" in prompts[0], "the last on which a 5 × 5 kernel fits"
    assert "Two units of conv2d_6 are neighbours" in prompts[1]


def facts(at) -> str:
    return " ".join(html.proto.body for html in at.get("html") if 'class="facts"' in html.proto.body)


@pytest.mark.parametrize(
    ("model", "layer", "channels", "inside"),
    [("mnist_14k", "conv2d_1", 16, 25), ("mnist_maxpool", "max_pooling2d_1", 32, 100)],
)
def test_the_field_is_put_to_the_test(visit, model, layer, channels, inside):
    at = visit("receptive_field", model=model, layer=layer, digit=18)
    image = cnnviz.load_mnist()[1][0][18]
    rows, cols, _ = cnnviz.load_model(model)[layer].output_shape
    check = check_field(cnnviz.load_model(model), image, layer, rows // 2, cols // 2)
    assert f"{channels} of {channels}" in facts(at)
    assert f"all {784 - inside} pixels outside are changed" in facts(at)
    assert f"{check.matters.sum()} of {inside}" in facts(at)
    assert any("noise outside" in picture["alt"] for picture in pictures(at))
    assert "the box could not be smaller" in captions(at)


def test_a_large_field_is_put_to_the_test_when_asked(visit):
    at = visit("receptive_field", layer="conv2d_7")
    assert not facts(at)
    at = visit("receptive_field", layer="conv2d_7", check=1)
    assert "the field is the whole image" in facts(at)
    assert "of 784" in facts(at)


def test_what_the_path_leaves_out_is_said(visit):
    words = " ".join(said(visit("receptive_field", layer="conv2d_3", digit=18))).replace("\\", "")
    assert "BatchNormalization, in front of conv2d_1, conv2d_2 and max_pooling2d." in words
    assert "Hence max_pooling2d has numbers below zero and conv2d_2 none." in words
    assert "Not shown" not in " ".join(said(visit("receptive_field", model="mnist_maxpool")))


@pytest.mark.parametrize(
    ("stack", "size", "seen"),
    [
        ("transposed99s64d99p99", 224, "conv|"),
        (".".join(["conv1s99same"] * 100), 1024, "conv 100|"),
        (".".join(["bottleneck99s99d99"] * 100), 1024, "bottleneck 100|"),
    ],
)
def test_stacks_of_extreme_sizes_are_drawn(visit, stack, size, seen):
    at = visit("receptive_field", stack=stack, input=size)
    assert not at.exception
    assert seen.replace("conv|", "transposed 1|") in cells(at)
    assert "The first unit of" in captions(at)
