"""What Python sets on a live view is checked before it is taken over, and reads back as it was set."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.stage.intervention import intervene
from harness.networks import conv, image, layer, normal


@pytest.fixture
def view(net):
    return cnnviz.view(net, cnnviz.load_mnist()[1][0][:2])


def test_a_view_begins_with_its_first_image_and_nothing_changed(net, view):
    digit = cnnviz.load_mnist()[1][0][0]
    assert (view.cell, view.changes) == (None, [])
    np.testing.assert_array_equal(view.image, net.run(digit)["input"][0])
    np.testing.assert_array_equal(view.run.output, net.run(digit).output)


@pytest.mark.parametrize("cell", [("conv2d_3", 4, 5, 7), ("input", 3, 27, 0), ("softmax", 9), None])
def test_a_cell_reads_back_and_can_be_explained(view, cell):
    view.cell = ("conv2d", 0, 0, 0)
    view.cell = cell
    assert view.cell == cell
    if cell and cell[0] != "input":
        assert (
            cnnviz.explain(view.run, cell[0], **_position(cell)).value
            == view.run[cell[0]][0].flat[_flat(view, cell)]
        )


def _position(cell):
    return (
        {"channel": cell[-1]}
        if len(cell) == 2
        else dict(zip(("row", "col", "channel"), cell[1:], strict=True))
    )


def _flat(view, cell):
    return np.ravel_multi_index(cell[1:], view.run[cell[0]].shape[1:])


def test_a_step_within_a_layer_keeps_its_own_name(net):
    fused = cnnviz.Network([image(6, 6, 1), conv("conv", "image", 1, 2, activation="relu")])
    view = cnnviz.view(fused, normal(6, 6))
    for name in ("conv", "conv relu"):
        view.cell = (name, 1, 2, 1)
        assert view.state["path"] == [[name, 1, 2, 1]]
        assert view.cell == (name, 1, 2, 1)


@pytest.mark.parametrize("kind", ["digit", "item", "floats", "half"])
def test_an_image_is_shown_to_the_last_bit(net, view, kind):
    digits = cnnviz.load_mnist()[1][0]
    given = {"digit": digits[5], "item": digits[1], "floats": normal(28, 28), "half": digits[5] / 255}[kind]
    view.changes = [
        {"kind": "shift", "rows": 3, "cols": 0},
        {"kind": "channel", "stage": "conv2d", "channel": 3},
    ]
    view.image = given
    np.testing.assert_array_equal(
        view.image, net.run(np.asarray(given, np.float32) if kind == "floats" else given)["input"][0]
    )
    assert [change["kind"] for change in view.changes if change.get("stage") != "input"] == ["channel"]
    assert (view.run["conv2d"][..., 3] == 0).all()


def test_a_colour_picture_is_shown_as_the_network_gets_it():
    small = cnnviz.Network([image(8, 8, 3), conv("conv", "image", 3, 2)])
    pixels = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    view = cnnviz.view(small, pixels[0])
    view.image = pixels[1]
    np.testing.assert_array_equal(view.image, small.run(pixels[1])["image"][0])


def test_several_inputs_are_a_mapping():
    other = layer("other", "InputLayer", batch_shape=[None, 4, 4, 1])
    two = cnnviz.Network([image(4, 4, 1), other, layer("sum", "Add", "image", "other")])
    view = cnnviz.view(two, [normal(4, 4), normal(4, 4)])
    wanted = {"image": normal(4, 4, 1), "other": 2 * normal(4, 4, 1)}
    view.image = wanted
    for name, array in view.image.items():
        np.testing.assert_array_equal(array, wanted[name].astype(np.float32))


def test_changes_lead_to_the_run_of_intervene(net, view):
    changes = [{"kind": "weights", "array": "conv2d/bias", "at": [0], "values": [2.5]}]
    view.changes = changes
    wanted, _ = intervene(net, cnnviz.load_mnist()[1][0][0], changes)
    np.testing.assert_array_equal(view.run.output, wanted.output)
    view.changes = []
    assert not np.array_equal(view.run.output, wanted.output)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cell", ("nothing", 1, 2, 3), "cell must name a layer that is shown .*got 'nothing'"),
        ("cell", ("conv2d", 99, 2, 3), r"cell must be a cell of 'conv2d' \(26, 26, 16\), got \(99, 2, 3\)"),
        ("cell", ("conv2d", -1, 2, 3), "cell must be a cell"),
        ("cell", ("conv2d", 1.0, 2, 3), "cell must be a cell"),
        ("cell", ("conv2d", 1), "cell must be a cell"),
        ("cell", "conv2d", r"cell must be \(layer, row, column, channel\)"),
        ("image", np.zeros((5, 5)), r"got x.shape=\(5, 5\)"),
        ("image", np.zeros((2, 28, 28)), "image must be one image, got 2"),
        ("image", np.full((28, 28), np.nan), "image must hold finite numbers"),
        ("image", np.array(["x"]), "image must be numbers"),
        ("image", range(10**12), "x must hold at most 100,000,000 numbers"),
        ("changes", [{"kind": "channel", "stage": "x", "channel": 1}], "there is no stage called 'x'"),
        ("changes", [{"kind": "weights", "array": "conv2d/bias", "at": [99], "values": [1]}], "at must be"),
        ("changes", 3, "changes must be a list"),
        ("state", 3, "state must be a mapping, got int"),
        ("state", {"far": 1}, "state has no entry 'far'; its entries are version, "),
        ("state", {"version": 99}, "state must be of version 1, got 99"),
        ("state", {"model": "other"}, "state is of the network 'other'; here is 'mnist_14k'"),
        ("state", {"zoom": "far"}, "state's zoom must be one of network, layer, cell, got 'far'"),
        ("state", {"item": "x"}, "state's item must be one of 0, 1, got 'x'"),
        ("state", {"path": [["conv2d", 1, 2]]}, "state's path must hold cells"),
        ("state", {"image": {"title": "a", "pixels": "abcd"}}, "state's image must have 784 pixels, got 3"),
        ("state", {"path": [["conv2d", 1, 2, 3]] * 10_001}, "state's path must have at most 10,000 cells"),
        ("state", {"image": np.array("x")}, "state's image must be a mapping of a title and pixels"),
        ("state", {"changes": [3]}, "state's changes must be a list of words and numbers by name, got"),
        ("state", {"changes": [{"kind": "values", "at": [[0]]}]}, "state's changes must be a list of words"),
        ("state", {"open": [3]}, "state's open must be a list of names"),
        ("state", {"first": -1}, "state's first must be a whole number from 0, got -1"),
        ("state", {"play": ["conv2d", 1]}, "state's play must be a name and 2 whole numbers, or None"),
        ("state", {"walk": ["a", "b"]}, "state's walk must be a name and 1 whole number, or None"),
        ("state", {"image": {"title": "a"}}, "state's image must be a mapping of a title and pixels"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(view, name, value, message):
    view.cell = ("conv2d", 1, 2, 3)
    before = view.state
    with pytest.raises(ValueError, match=message):
        setattr(view, name, value)
    assert view.state == before


def test_from_the_page_a_state_that_does_not_fit_changes_nothing(view):
    view.take({"path": [["conv2d", 1, 2, 3]]})
    before = view.state
    for wrong in (None, 3, {"path": [["conv2d", 99, 2, 3]]}, {"item": []}, {"image": 5}):
        view.take(wrong)
        assert view.state == before


def test_from_the_page_nothing_is_taken_that_no_page_could_be_sent(view):
    """Deep lists were kept as they came, and every later word of Python's to the view failed."""
    deep: list = []
    for _ in range(900):
        deep = [deep]
    before = view.state
    for entry in before:
        for wrong in (deep, {"a": deep}, [{"kind": "values", "at": deep}]):
            view.take({**before, entry: wrong})
            assert view.state == before, entry


def test_a_view_is_saved_as_it_was_left(view, tmp_path):
    plain = bytes(view)
    view.cell = ("conv2d", 1, 2, 3)
    assert b'"path":[["conv2d",1,2,3]]' in bytes(view)
    view.cell = None
    assert bytes(view) == plain
