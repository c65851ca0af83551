"""What Python answers to the state of a component, whatever a browser may send."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from cnnviz.stage.component import _at, answer, chosen, raster_of
from cnnviz.stage.scene import build_scene


def test_without_state_it_is_the_image(net, digit):
    scene = answer(net, digit, {}, title="test digit 0", label=7, item="0")
    (item,) = scene.items
    assert (item["title"], item["label"], item["key"]) == ("test digit 0", 7, "0")
    assert scene.host == {"asked": "None"}


def pad(image: np.ndarray) -> dict[str, object]:
    return {"side": len(image), "pixels": base64.b64encode(image.tobytes()).decode()}


def test_a_drawing_is_read_as_it_was_drawn():
    image = np.random.default_rng(0).integers(0, 256, (168, 168)).astype(np.uint8)
    np.testing.assert_array_equal(raster_of(pad(image)), image)


@pytest.mark.parametrize(
    "drawing",
    [
        {"side": 168, "pixels": "AAAA", "version": 1},
        {"side": 168, "pixels": "?", "version": 1},
        {"side": 10**9, "pixels": "", "version": 1},
        {"side": True, "pixels": "AA=="},
        {"side": 168, "pixels": None},
        {"side": "168"},
        ["nonsense"],
        3,
    ],
)
def test_a_drawing_that_is_none_is_refused(drawing):
    with pytest.raises(ValueError, match="pad"):
        raster_of(drawing)


def test_undo_leads_back_to_an_image_or_its_name(digit):
    pixels = {"pixels": base64.b64encode(digit.tobytes()).decode()}
    np.testing.assert_array_equal(chosen(pixels), digit)
    assert chosen({"item": "7", "count": 1}) == "7"
    for asked in ({}, {"item": 7}, {"pixels": "AA=="}, "7", None):
        with pytest.raises(ValueError, match="the pad must have 784 pixels, got"):
            chosen(asked)


def test_who_has_the_numbers_gets_none(net, digit):
    plain = answer(net, digit, {}, item="0")
    again = answer(net, digit, {"have": plain.key}, item="0")
    assert (again.key, again.numbers.header["base"], again.items[0]["tensors"]) == (plain.key, plain.key, {})
    assert answer(net, digit, {"have": "other"}, item="0").items[0]["tensors"]


def test_every_answer_names_the_cell_that_is_pinned(net, digit):
    pinned = {"item": "0", "pinned": ("conv2d_3", 4, 5, 7)}
    first = answer(net, digit, {}, **pinned)
    start = first.numbers.header["start"]
    assert start["path"] == [["conv2d_3 relu", 4, 5, 7]]
    again = answer(net, digit, {"have": first.key}, **pinned)
    assert again.numbers.header["start"] == start


def test_other_weights_of_the_same_layers_go_down_with_what_follows_from_them(net, digit):
    plain = answer(net, digit, {}, item="0")
    gamma = np.array(net["batch_normalization_6"].weights["gamma"])
    gamma[2] = 0.5
    changed = net.with_weights({"batch_normalization_6/gamma": gamma})
    scene = build_scene(changed.run(digit), 0, plan=plain.plan)
    assert set(scene.numbers.header["arrays"]) == {
        *("batch_normalization_6/a", "batch_normalization_6/b", "batch_normalization_6/gamma")
    }


def test_no_answer_about_tensorflow_is_the_one_before_it(net, digit, monkeypatch):
    """Streamlit keeps from the browser what is the same as before, and the view would wait for ever."""
    monkeypatch.setattr("cnnviz.stage.component.COMPARISONS.ask", lambda run: "running")
    plain = answer(net, digit, {}, item="0")
    sent = set()
    for count in (1, 2):
        state = {"compare": {"of": plain.key, "count": count}, "have": plain.key}
        scene = answer(net, digit, state, item="0")
        assert scene.host["tensorflow"] == "running"
        sent.add(bytes(scene.numbers))
    assert len(sent) == 2


def test_no_layers_name_stands_in_the_place_of_what_is_said(net, digit, monkeypatch):
    """Numbers of a layer called cell stood where the page looks for which cell they are of."""
    numbers = {"output cell": np.ones((1, 2, 3)), "output numbers": np.ones((1, 2, 3))}
    monkeypatch.setattr("cnnviz.stage.component.COMPARISONS.ask", lambda run: numbers)
    key = answer(net, digit, {}, item="0").key
    host = answer(net, digit, {"compare": {"of": key, "count": 1}}, item="0").host
    assert host["tensorflow"]["cell"] is None
    assert host["tensorflow"]["numbers"].keys() == numbers.keys()


@pytest.mark.parametrize(
    "state", [{"compare": 3}, {"compare": {"of": 1}}, {"have": ["x"]}, {"made up": None}]
)
def test_state_of_another_shape_is_no_state(net, digit, state):
    scene = answer(net, digit, state, item="0")
    assert "tensorflow" not in scene.host
    assert scene.items[0]["tensors"]


def test_of_a_large_network_tensorflows_numbers_are_those_of_one_cell():
    six = np.arange(6.0).reshape(1, 2, 3)
    numbers = {"output conv": six, "before conv": -six}
    found = {name: array.tolist() for name, array in _at(numbers, ["conv", 4]).items()}
    assert found == {"output conv": [4.0], "before conv": [-4.0]}
    for cell in (None, ["conv"], ["conv", "4"], [["conv"], 4], ["other", 4], ["conv", -1], ["conv", True]):
        assert _at(numbers, cell) == {}
