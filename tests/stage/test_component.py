"""What Python answers to the state of a component, whatever a browser may send."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import cnnviz
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.stage.component import answer
from cnnviz.stage.stages import values_of


def pad(image: np.ndarray, version: int = 1) -> dict[str, object]:
    return {
        "side": len(image),
        "pixels": base64.b64encode(image.tobytes()).decode(),
        "version": version,
    }


def seven() -> np.ndarray:
    image = np.zeros((168, 168), np.uint8)
    image[40:54, 50:120] = 255
    image[40:140, 106:120] = 255
    return image


@pytest.fixture
def visit(net, digit):
    """What is kept of a view that shows the digit, and by which name it is asked about it."""
    kept: dict[str, object] = {}
    answer(net, digit, {}, item="0", visit=kept)
    return kept


def test_without_state_it_is_the_image(net, digit):
    visit: dict[str, object] = {}
    scene = answer(net, digit, {}, title="test digit 0", label=7, item="0", visit=visit)
    (item,) = scene.items
    assert (item["title"], item["label"], item["key"]) == ("test digit 0", 7, "0")
    assert scene.host == {"edits": 0, "item": visit["of"], "asked": ["None", "None"]}


def test_a_drawing_takes_the_image_s_place(net, digit, visit):
    drawing = {"of": visit["of"], **pad(seven(), 3)}
    scene = answer(net, digit, {"drawing": drawing}, item="0", visit=visit)
    (item,) = scene.items
    assert item["key"] == "drawing"
    assert scene.host["drawing"] == {"version": 3}
    prepared = prepare_digit(seven(), ink="drawn")
    sent = scene.numbers.body[item["tensors"]["0"][0] :][: 4 * 784]
    np.testing.assert_array_equal(np.frombuffer(sent, "<f4").reshape(28, 28), np.float32(prepared / 255))


@pytest.mark.parametrize(
    "drawing",
    [
        pad(np.zeros((168, 168), np.uint8)),
        {"side": 168, "pixels": "AAAA", "version": 1},
        {"side": 168, "pixels": "?", "version": 1},
        {"side": 10**9, "pixels": "", "version": 1},
        {"side": 168, "pixels": None},
        {"side": "168"},
    ],
)
def test_a_bad_drawing_is_said_and_the_image_stays(net, digit, visit, drawing):
    scene = answer(net, digit, {"drawing": {"of": visit["of"], **drawing}}, item="0", visit=visit)
    assert scene.items[0]["key"] == "0"
    assert scene.host["drawing"]["error"]


SILENT = [{"kind": "channel", "stage": "batch_normalization_6", "channel": 1}]


def test_edits_are_applied_to_what_they_were_made_on(net, digit, visit):
    state = {"edits": {"of": visit["of"], "edits": SILENT}}
    assert answer(net, digit, state, item="0", visit=visit).host["edits"] == 1
    other = cnnviz.load_mnist()[1][0][1]
    assert answer(net, other, state, item="1", visit=visit).host["edits"] == 0
    # Coming back is another visit.
    assert answer(net, digit, state, item="0", visit=visit).host["edits"] == 0


def test_only_what_an_edit_changed_is_sent_to_who_has_the_rest(net, digit, visit):
    plain = answer(net, digit, {}, item="0", visit=visit)
    state = {"edits": {"of": visit["of"], "edits": SILENT}}
    whole = answer(net, digit, state, item="0", visit=visit)
    part = answer(net, digit, state | {"have": plain.key}, item="0", visit=visit)
    assert part.numbers.header["base"] == plain.key
    edited = next(i for i, s in enumerate(plain.plan.taken.stages) if s.name == "batch_normalization_6")
    # The stages from there on, but those that the browser derives.
    sent = [number for number, stage in enumerate(plain.plan.taken.stages) if not stage.exact]
    assert sorted(map(int, part.items[0]["tensors"])) == sorted({edited, *(n for n in sent if n > edited)})
    for number, place in part.items[0]["tensors"].items():
        assert at(part, place) == at(whole, whole.items[0]["tensors"][number])


def test_who_has_the_numbers_gets_none(net, digit, visit):
    plain = answer(net, digit, {}, item="0", visit=visit)
    again = answer(net, digit, {"have": plain.key}, item="0", visit=visit)
    assert (again.key, again.numbers.header["base"], again.items[0]["tensors"]) == (plain.key, plain.key, {})
    assert answer(net, digit, {"have": "other"}, item="0", visit=visit).items[0]["tensors"]


def test_every_answer_names_the_cell_that_is_pinned(net, digit, visit):
    pinned = {"item": "0", "visit": visit, "pinned": ("conv2d_3", 4, 5, 7)}
    first = answer(net, digit, {}, **pinned)
    start = first.numbers.header["start"]
    assert start["trail"] == "conv2d_3 relu~4~5~7"
    again = answer(net, digit, {"have": first.key}, **pinned)
    edit = {"of": visit["of"], "edits": [{"kind": "values", "stage": "input", "at": [88], "values": [1.0]}]}
    edited = answer(net, digit, {"have": first.key, "edits": edit}, **pinned)
    assert again.numbers.header["start"] == edited.numbers.header["start"] == start


def test_a_changed_weight_goes_down_with_what_follows_from_it(net, digit, visit):
    plain = answer(net, digit, {}, item="0", visit=visit)
    edits = [{"kind": "weights", "array": "batch_normalization_6/gamma", "at": [2], "values": [0.5]}]
    state = {"edits": {"of": visit["of"], "edits": edits}, "have": plain.key}
    part = answer(net, digit, state, item="0", visit=visit)
    assert set(part.numbers.header["arrays"]) == {
        *("batch_normalization_6/a", "batch_normalization_6/b", "batch_normalization_6/gamma")
    }


def test_no_answer_about_tensorflow_is_the_one_before_it(net, digit, visit, monkeypatch):
    """Streamlit keeps from the browser what is the same as before, and the view would wait for ever."""
    monkeypatch.setattr("cnnviz.stage.component.COMPARISONS.ask", lambda run: "running")
    plain = answer(net, digit, {}, item="0", visit=visit)
    sent = set()
    for count in (1, 2):
        state = {"compare": {"of": plain.key, "count": count}, "have": plain.key}
        scene = answer(net, digit, state, item="0", visit=visit)
        assert scene.host["tensorflow"] == "running"
        sent.add(bytes(scene.numbers))
    assert len(sent) == 2


def at(scene, place) -> bytes:
    offset, count, _ = place
    return scene.numbers.body[offset : offset + 4 * count]


@pytest.mark.parametrize("edits", [[{"kind": "?"}], "abc", [1]])
def test_a_bad_edit_is_said_and_nothing_is_changed(net, digit, visit, edits):
    state = {"edits": {"of": visit["of"], "edits": edits}}
    scene = answer(net, digit, state, item="0", visit=visit)
    assert "cannot be made" in scene.host["error"]
    stages = scene.plan.taken.stages
    sent = np.frombuffer(at(scene, scene.items[0]["tensors"][str(len(stages) - 1)]), "<f4")
    np.testing.assert_array_equal(sent, values_of(stages[-1], net.run(digit), 0).ravel())


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
def test_state_of_another_shape_is_no_state(net, digit, visit, state):
    host = answer(net, digit, state, item="0", visit=visit).host
    assert (host["edits"], host["item"], "tensorflow" in host) == (0, visit["of"], False)
