"""What Python answers to the state of a component, whatever a browser may send."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import cnnviz
from cnnviz.liveview.component import answer
from cnnviz.liveview.stages import values_of


@pytest.fixture(scope="module")
def net():
    return cnnviz.load_model("mnist_14k")


@pytest.fixture(scope="module")
def digit():
    return cnnviz.load_mnist()[1][0][0]


def pad(image: np.ndarray, version: int = 1) -> dict[str, object]:
    return {
        "of": "0",
        "side": len(image),
        "pixels": base64.b64encode(image.tobytes()).decode(),
        "version": version,
    }


def seven() -> np.ndarray:
    image = np.zeros((168, 168), np.uint8)
    image[40:54, 50:120] = 255
    image[40:140, 106:120] = 255
    return image


def test_without_state_it_is_the_image(net, digit):
    scene = answer(net, digit, {}, title="test digit 0", label=7, item="0")
    (item,) = scene.header["items"]
    assert (item["title"], item["label"], item["key"]) == ("test digit 0", 7, "0")
    assert scene.header["host"] == {"edits": 0, "item": "0"}


def test_a_drawing_takes_the_image_s_place(net, digit):
    scene = answer(net, digit, {"drawing": pad(seven(), 3)}, item="0")
    (item,) = scene.header["items"]
    assert item["key"] == "drawing"
    assert scene.header["host"]["drawing"] == {"version": 3}
    prepared = cnnviz.mnist.prepare_digit(seven())
    sent = scene.blob.__bytes__()[item["tensors"]["0"][0] :][: 4 * 784]
    np.testing.assert_array_equal(np.frombuffer(sent, "<f4").reshape(28, 28), np.float32(prepared / 255))


@pytest.mark.parametrize(
    "drawing",
    [
        pad(np.zeros((168, 168), np.uint8)),
        {"of": "0", "side": 168, "pixels": "AAAA", "version": 1},
        {"of": "0", "side": 168, "pixels": "?", "version": 1},
        {"of": "0", "side": 10**9, "pixels": "", "version": 1},
        {"of": "0", "side": 168, "pixels": None},
        {"of": "0", "side": "168"},
    ],
)
def test_a_bad_drawing_is_said_and_the_image_stays(net, digit, drawing):
    scene = answer(net, digit, {"drawing": drawing}, item="0")
    assert scene.header["items"][0]["key"] == "0"
    assert scene.header["host"]["drawing"]["error"]


def test_edits_are_applied_to_what_they_were_made_on(net, digit):
    edits = [{"kind": "channel", "layer": "batch_normalization_6", "channel": 1}]
    state = {"edits": {"of": "mnist_14k/0", "edits": edits}}
    scene = answer(net, digit, state, item="0")
    assert scene.header["host"]["edits"] == 1
    assert answer(net, digit, state, item="1").header["host"]["edits"] == 0


@pytest.mark.parametrize("edits", [[{"kind": "?"}], "abc", [1]])
def test_a_bad_edit_is_said_and_nothing_is_changed(net, digit, edits):
    scene = answer(net, digit, {"edits": {"of": "mnist_14k/0", "edits": edits}}, item="0")
    assert "cannot be made" in scene.header["host"]["error"]
    plain = net.run(digit)
    stage = scene.taken.stages[-1]
    place = scene.header["items"][0]["tensors"][str(len(scene.taken.stages) - 1)]
    sent = np.frombuffer(bytes(scene.blob)[place[0] :][:40], "<f4")
    np.testing.assert_array_equal(sent, values_of(stage, plain, 0).ravel())


@pytest.mark.parametrize(
    "state",
    [
        {"edits": 3},
        {"edits": None},
        {"edits": {"of": 1}},
        {"drawing": ["nonsense"]},
        {"drawing": {"of": "1"}},
    ],
)
def test_state_of_another_shape_is_no_state(net, digit, state):
    assert answer(net, digit, state, item="0").header["host"] == {"edits": 0, "item": "0"}
