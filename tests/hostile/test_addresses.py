"""Every parameter of every page with values that nobody offers, and messages that no component sends.

A page never ends in an error, shows nothing of them as markup, and takes no longer than usual.
"""

from __future__ import annotations

import ast
import itertools
import json
import sys
import time
import tomllib
from collections.abc import Iterator

import numpy as np
import pytest
from streamlit import config
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

import cnnviz
from apps.conftest import PAGES
from cnnviz.resources import app
from cnnviz.stage.component import answer
from cnnviz.stage.intervention import InterventionError, intervene
from harness.hostile import WORDS, markdown, marks
from harness.networks import image, layer

LIMIT = 20.0
"""Seconds; a page with an address of its own takes less than one."""

VALUES = (
    *("", " ", "0", "-0", "+1", "-1", " 1 ", "01", "1_000", "1.5", "1e3", "0x10", "٣", "１"),
    *("9" * 18, "9" * 19, "9" * 4301, "-" + "9" * 100_000, "1e400", "nan", "inf", "-inf", "true", "None"),
    *("[]", "{}", "null", "'", '"', "\x00", "a\x00b", "%00", "%ED%A0%80", "../../etc/passwd"),
    *("💥" * 50, "é" * 100_000, "1," * 50_000, "1;" * 50_000, "=" * 1000),
    *("conv3." * 20_000, "transposed99s64d99p99", "conv" + "9" * 4301),
    *(word for word in WORDS if "\ud800" not in word),
)
"""What an address may ask for, by any name; a lone surrogate cannot stand in one."""

WAYS_IN = [
    *((page, {}) for page in PAGES),
    ("convolution", {"source": "cells"}),
    ("convolution", {"padding": "explicit"}),
    ("convolution", {"transposed": "1"}),
    ("feature_maps", {"view": "sums"}),
    ("feature_maps", {"view": "two"}),
    ("feature_maps", {"view": "off"}),
    ("feature_maps", {"view": "network"}),
    ("kernels", {"on": "own"}),
    ("receptive_field", {"layer": "conv2d_7"}),
    ("try_it", {"by": "Upload"}),
    ("try_it", {"by": "Photograph"}),
    ("one_by_one", {"model": "mnist_maxpool"}),
]
"""Pages, and what makes them read parameters that they do not read otherwise."""


def write(page: str, way_in: dict[str, str]) -> str:
    return "-".join((page, *way_in.values()))


@pytest.fixture(scope="module")
def asked_for(visit) -> Iterator:
    """asked_for(page, way in): the names of all parameters that the page reads, as its own code says them."""
    visit("overview")
    state = sys.modules["state"]
    remember, names, known = state._remember, set(), {}

    def note(name, *rest):
        names.add(name)
        return remember(name, *rest)

    def asked(page: str, way_in: dict[str, str]) -> list[str]:
        key = write(page, way_in)
        if key not in known:
            names.clear()
            assert not visit(page, **way_in).exception
            known[key] = sorted({*names, "view"} - set(way_in))
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_remember", note)
        yield asked


def check(at, took: float) -> None:
    assert not at.exception
    assert took < LIMIT
    assert not [text for text in markdown(at) if marks(text)]
    assert all(len(warning.value) < 400 for warning in at.warning)


READERS = {f"state.{kind}" for kind in ("option", "integer", "toggle", "text", "place")}
READERS |= {"cells_editor.edit", "player.show"}
"""What pages read a parameter by, its name first."""


def test_each_parameter_that_a_page_names_is_asked_for(asked_for):
    known = {name for page, way_in in WAYS_IN for name in (*asked_for(page, way_in), *way_in)}
    calls = [
        node
        for path in app().parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS
    ]
    named = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert len(named) > 50
    assert named <= known


def thorough(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--hypothesis-profile") == "thorough"


@pytest.mark.parametrize("place", range(len(WAYS_IN)), ids=[write(*way) for way in WAYS_IN])
def test_a_page_bears_any_value_of_each_of_its_parameters(visit, asked_for, request, place):
    page, way_in = WAYS_IN[place]
    names = asked_for(page, way_in)
    # All parameters in one address, each with another value, and with others in each turn and on each page.
    for turn in range(len(VALUES)) if thorough(request) else (7 * place, 7 * place + 23):
        query = {name: VALUES[(turn + k) % len(VALUES)] for k, name in enumerate(names)}
        began = time.monotonic()
        at = visit(page, **way_in, **query)
        check(at, time.monotonic() - began)


def test_a_parameter_may_be_there_twice_and_unknown_ones_too(visit):
    at = visit("feature_maps")
    at.query_params["channel"] = ["1", "![](//host.example)"]
    at.query_params["**b**"] = ["<b>", "2"]
    at.run()
    check(at, 0)
    assert "!\\[\\](//host.example)" in at.warning[0].value


# Messages ----------------------------------------------------------------------------------------------

ANSWERS = (
    *(None, True, False, 0, 1, -1, 2.5, 10**30, float("nan"), float("inf"), "", "1", "![](//h/b.png)"),
    *("9" * 5000, [], [1], [[]], {}, {"row": 10**20, "col": -1, "out": True}),
    *({"row": "1", "col": None, "out": []}, {"of": 1, "side": 28, "pixels": "AAAA"}),
    *({"side": True, "pixels": 5}, {"side": 10**20, "pixels": "ä" * 100}, {"version": {}}),
    *({"edits": 5, "of": "x"}, {"edits": [1, None, {"kind": "weight"}], "of": "x", "count": []}),
    *({"width": [], "dark": {}}, {"width": "328"}, {"width": float("nan"), "dark": "no"}),
)
"""What a browser may send of a component in place of what its script sends."""

HEARD = ("picked", "typed", "kept", "step", "drawing", "told", "have", "edits", "compare", "use")
"""What the components' scripts say."""


def sent(at, turn: int, *, trigger: bool, content: str = "") -> WidgetStates:
    """The widgets as they are, and answers to everything that any component listens to."""
    states = at._tree.get_widget_states()
    for place, element in enumerate(at.get("bidi_component")):
        answers = {name: ANSWERS[(turn + place + k) % len(ANSWERS)] for k, name in enumerate(HEARD)}
        state = states.widgets.add()
        if trigger:
            state.id = _make_trigger_id(element.proto.id, "events")
            events = [{"event": name, "value": answer} for name, answer in answers.items()]
            state.json_trigger_value = json.dumps(events)
        else:
            state.id = element.proto.id
            state.json_value = content or json.dumps(answers)
    return states


@pytest.mark.parametrize("trigger", [True, False])
@pytest.mark.parametrize("page", ["overview", "try_it", "convolution", "kernels", "one_by_one"])
def test_a_page_bears_any_message_of_its_components(visit, request, page, trigger):
    at = visit(page)
    for turn in range(0, len(ANSWERS), 1 if thorough(request) else 14):
        began = time.monotonic()
        at._run(sent(at, turn, trigger=trigger))
        check(at, time.monotonic() - began)


def test_what_streamlit_itself_cannot_read_shows_no_traceback():
    # A visit of its own: what was sent stays with the session.
    at = AppTest.from_file(str(app()), default_timeout=60).run()
    settings = tomllib.loads((app().parent / ".streamlit" / "config.toml").read_text("utf-8"))
    shown = config.get_option("client.showErrorDetails")
    config.set_option("client.showErrorDetails", settings["client"]["showErrorDetails"])
    try:
        at._run(sent(at, 0, trigger=False, content='{"step": %s}' % ("9" * 4301)))
    finally:
        config.set_option("client.showErrorDetails", shown)
    assert at.exception
    for failed in at.exception:
        assert not failed.stack_trace
        assert str(app().parent) not in failed.message


def edits() -> Iterator[dict[str, object]]:
    """Changes that a stage's script does not ask for."""
    right: dict[str, object] = {"layer": "conv2d", "channel": 1, "name": "conv2d/bias"}
    right |= {"index": 0, "value": 1, "row": 2, "col": 3}
    for kind, wrong in itertools.product(("channel", "weight", "pixel", "x", None, 5, []), ANSWERS):
        for name in right:
            yield {"kind": kind, **right, name: wrong}


def test_the_stage_answers_any_message_about_its_image():
    digit = np.zeros((28, 28), np.uint8)
    net, visit = cnnviz.load_model("mnist_maxpool"), {}
    of = answer(net, digit, {}, visit=visit).host["item"]
    for edit in itertools.islice(edits(), 0, None, 7):
        scene = answer(net, digit, {"edits": {"of": of, "edits": [edit], "count": 1}}, visit=visit)
        assert scene.host["edits"] == 1 or len(scene.host["error"]) < 200
    for one in ANSWERS:
        told = {"of": of, "edits": one, "side": 28, "pixels": one, "version": one, "count": one}
        for name in ("edits", "drawing", "compare", "have", "use"):
            for asked in ({name: one}, {name: told}):
                assert bytes(answer(net, digit, asked, visit=visit))


def test_an_edit_outside_an_image_of_any_size_is_refused():
    net = cnnviz.Network([image(None, None, 1), layer("maps", "ReLU", "image")])
    for row, col in ((4, 0), (0, 5), (2**31 - 1, 0)):
        edit = {"kind": "pixel", "row": row, "col": col, "channel": 0, "value": 1}
        with pytest.raises(InterventionError, match=r"must be a whole number below [45]"):
            intervene(net, np.zeros((4, 5, 1), np.float32), [edit])


@pytest.mark.parametrize("name", ["7.png", "x.exe", "![](//host.example/b.png).png", "\x1b[31m", ""])
@pytest.mark.parametrize("page", ["try_it", "kernels"])
def test_an_upload_that_was_never_made_is_none(visit, page, name):
    at = visit(page, **({"by": "Upload"} if page == "try_it" else {"on": "own"}))
    (uploader,) = at.get("file_uploader")
    states = at._tree.get_widget_states()
    state = next((one for one in states.widgets if one.id == uploader.proto.id), None) or states.widgets.add()
    state.id = uploader.proto.id
    state.file_uploader_state_value.uploaded_file_info.add(file_id="no such upload", name=name, size=2**40)
    at._run(states)
    check(at, 0)


def test_a_files_name_is_shown_as_words(visit):
    at = visit("kernels", on="own")
    at.file_uploader(key="kernels.file").upload(
        "![a](//host.example/b.png) **b**.png", b"no picture", "image/png"
    ).run()
    check(at, 0)
    assert "**" not in at.warning[0].value
