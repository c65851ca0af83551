"""Every parameter of every page with values that nobody offers, and messages that no component sends.

A page never ends in an error, shows nothing of them as markup, and takes no longer than usual.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetStates

import cnnviz
from apps.conftest import ASPECTS, PAGES, REFERENCE
from cnnviz.resources import app
from cnnviz.stage import component
from cnnviz.stage.component import answer, raster_of
from cnnviz.stage.intervention import InterventionError, intervene
from cnnviz.teaching.walks.epochs import epoch_steps
from harness.hostile import WORDS, markdown, marks
from harness.networks import image, layer

LIMIT = 20.0
"""Seconds of the processor; a page with an address of its own takes less than one."""

VALUES = (
    *("", " ", "0", "-0", "+1", "-1", " 1 ", "01", "1_000", "1.5", "1e3", "0x10", "٣", "１"),
    *("9" * 18, "9" * 19, "9" * 4301, "-" + "9" * 20_000, "1e400", "nan", "inf", "-inf", "true", "None"),
    *("[]", "{}", "null", "'", '"', "\x00", "a\x00b", "%00", "%ED%A0%80", "../../etc/passwd"),
    *("💥" * 50, "é" * 3_000, "1," * 5_000, "1;" * 5_000, "=" * 1000),
    *(
        "conv3." * 3_000,
        "transposed99s64d99p99",
        "conv" + "9" * 4301,
        "!" * 5_000,
        "weights~a" + "~1" * 3_000,
    ),
    *(word for word in WORDS if "\ud800" not in word),
)
"""What an address may ask for, by any name; a lone surrogate cannot stand in one."""

EVERY = [*PAGES, *REFERENCE]
"""The lessons, and what is no lesson."""


WAYS_IN = [
    *((page, {}) for page in EVERY),
    *((page, {name: aspect}) for page, name, aspect in ASPECTS),
    ("convolution", {"source": "cells", "sliding": "slide"}),
    ("activation_functions", {"dies": "training"}),
    ("activation_functions", {"dies": "zeros"}),
    ("batch_norm_and_dropout", {"about": "forms"}),
    ("convolution", {"padding": "explicit"}),
    ("convolution", {"transposed": "1"}),
    *(("feature_maps", {"look": look}) for look in ("sums", "slice", "two", "worth")),
    ("kernels", {"on": "own"}),
    ("receptive_field", {"layer": "conv2d_7"}),
    ("try_it", {"by": "Upload"}),
    ("try_it", {"by": "Photograph"}),
    ("one_by_one", {"model": "mnist_maxpool"}),
]
"""Pages, and what makes them read parameters that they do not read otherwise."""
DYNAMIC = {"look", "row", "column", "channel", *(f"pad_{end}" for end in ("top", "bottom", "left", "right"))}
"""Parameters whose names stand in no call."""
OF_AN_OPEN_NETWORK = {"picture", "brought", "other"}
"""Parameters that are read only where a network of one's own is open."""


READERS = {f"state.{kind}" for kind in ("option", "integer", "toggle", "text", "place")}
READERS |= {"cells_editor.edit", "player.show"}
"""What pages read a parameter by, its name first."""


def named_by(page: str) -> set[str]:
    """The parameters that a page's code names, its own and that of the modules beside the pages it uses."""
    found, files = set(), [app().parent / "pages" / f"{page}.py"]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                used = (app().parent / f"{alias.name}.py" for alias in node.names)
                files += [module for module in used if module.exists() and module not in files]
            if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS:
                found |= {name.value for name in node.args[:1] if isinstance(name, ast.Constant)}
    return found


@pytest.fixture(scope="module")
def read(visit) -> Iterator[set[str]]:
    """The names of the parameters that pages have read; to be cleared."""
    visit("overview")
    state, names = sys.modules["state"], set()
    remember = state._remember

    def note(name, *rest):
        names.add(name)
        return remember(name, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_remember", note)
        yield names


def check(at, took: float) -> None:
    assert not at.exception
    assert took < LIMIT
    assert not [text for text in markdown(at) if marks(text)]
    assert all(len(warning.value) < 400 for warning in at.warning)


def thorough(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--hypothesis-profile") == "thorough"


@pytest.mark.parametrize("page", EVERY)
def test_a_page_bears_any_value_of_each_of_its_parameters(visit, read, request, page):
    named = named_by(page)
    assert len(named) > 2
    read.clear()
    for place, way_in in enumerate(way_in for opened, way_in in WAYS_IN if opened == page):
        # All parameters in one address, each with another value, and with others in each turn, way and page.
        for turn in range(len(VALUES)) if thorough(request) else (7 * place + 3 * EVERY.index(page),):
            query = {name: VALUES[(turn + k) % len(VALUES)] for k, name in enumerate(sorted(named | DYNAMIC))}
            assert len(urlencode(query)) < 2**19, "Streamlit reads no longer addresses"
            began = time.process_time()
            at = visit(page, **query | way_in)
            check(at, time.process_time() - began)
    assert named - OF_AN_OPEN_NETWORK <= read


@pytest.mark.parametrize("size", [10**5, 10**6])
def test_an_address_of_any_length_is_borne(visit, size):
    began = time.process_time()
    own, changes = "é" * (size // 12), "!" * size
    at = visit("receptive_field", stack="conv3." * (size // 12), own=own, changes=changes)
    check(at, time.process_time() - began)


@pytest.mark.parametrize("page", EVERY)
def test_weights_may_be_changed_to_the_largest_numbers(visit, request, page):
    """With which the network's answers are none."""
    if not thorough(request) and page not in ("pooling", "receptive_field"):
        pytest.skip("the thorough profile visits all pages")
    changes = "weights~conv2d/bias~0~3e38~1~-3e38!weights~conv2d/kernel~0~3e38"
    check(visit(page, model="mnist_maxpool", changes=changes), 0)


def test_a_parameter_may_be_there_twice_and_unknown_ones_too(visit):
    at = visit("feature_maps")
    at.query_params["channel"] = ["1", "![](//host.example)"]
    at.query_params["**b**"] = ["<b>", "2"]
    at.run()
    check(at, 0)
    assert "!\\[\\](//host.example)" in at.warning[0].value


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_step_of_the_walk_through_another_run_is_borne(visit, model):
    """One about a run of more epochs: the network was to be shown as it was after the 60th of 40."""
    steps = epoch_steps(model)
    longest = max(range(len(steps)), key=lambda number: steps[number].epoch)
    assert steps[longest].run != "final"
    for about in ("numbers", "network", "digits", "validation"):
        check(visit("epochs", model=model, walk=longest, about=about), 0)


# Messages ----------------------------------------------------------------------------------------------

ANSWERS = (
    *(None, True, False, 0, 1, -1, 2.5, 10**30, float("nan"), float("inf"), "", "1", "![](//h/b.png)"),
    *("9" * 5000, [], [1], [[]], {}, {"row": 10**20, "col": -1, "out": True}),
    *({"row": "1", "col": None, "out": []}, {"of": 1, "side": 28, "pixels": "AAAA"}),
    *({"side": True, "pixels": 5}, {"side": 10**20, "pixels": "ä" * 100}, {"version": {}}),
    *({"edits": 5, "of": "x"}, {"edits": [1, None, {"kind": "weight"}], "of": "x", "count": []}),
    *({"width": [], "dark": {}}, {"width": "328"}, {"width": float("nan"), "dark": "no"}),
    *(10**400, -(10**400), {"weights": [10**400, 0, 1]}, {"weights": [True, float("nan"), None]}),
    *({"weights": [0.5] * 10**5}, {"row": 10**400, "col": 0.5}, {"rung": 10**400, "row": 0, "col": 0}),
    *({"text": "!" * 10**6}, {"text": "weights~conv2d/kernel" + "~1" * 10**5}, {"text": "weights~a~" * 300}),
    *({"text": "weights~conv2d/bias~0~1e38", "count": 10**400}, {"text": None}, {"cleared": True}),
    *(
        {"key": "x", "question": {"of": {"changes": "!"}}},
        {"count": 1, "of": {}, "numbers": [[0, [[0, 1, 1]]]]},
    ),
    *({"do": ["play"]}, {"do": "show", "step": 10**400}, {"do": "receipt", "at": [10**400] * 4}),
    *({"do": "layer", "layer": {"x": "y" * 10**5}}, {"do": "use"}, {"do": "keras"}, {"do": "html"}),
    *({"do": "watch"}, {"do": "leave"}, {"do": "newest"}, {"do": "close"}, {"do": "\ud800"}),
)
"""What a browser may send of a component in place of what its script sends."""

HEARD = sorted(
    {
        name
        for path in (*app().parent.rglob("*.py"), Path(component.__file__))
        for name in re.findall(r"\bon_(\w+)_change=", path.read_text("utf-8"))
    }
)
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
@pytest.mark.parametrize("page", EVERY)
def test_a_page_bears_any_message_of_its_components(visit, request, page, trigger):
    if not thorough(request) and page not in LISTENING:
        pytest.skip("the same components are on other pages")
    at = visit(page)
    for turn in range(0, len(ANSWERS), 1 if thorough(request) else 14):
        began = time.process_time()
        at._run(sent(at, turn, trigger=trigger))
        check(at, time.process_time() - began)


LISTENING = ("convolution", "feature_maps", "kernels", "one_by_one", "overview", "training", "try_it")
"""Pages that have each kind of component among them."""


def edits() -> Iterator[dict[str, object]]:
    """Changes that a stage's script does not ask for."""
    right: dict[str, object] = {"stage": "conv2d", "channel": 1, "array": "conv2d/bias"}
    right |= {"at": [0], "values": [1], "rows": 2, "cols": 3}
    for kind, wrong in itertools.product(
        ("channel", "weights", "values", "shift", "x", None, 5, []), ANSWERS
    ):
        for name in right:
            yield {"kind": kind, **right, name: wrong}


def test_the_stage_answers_any_message_about_its_image():
    digit = np.zeros((28, 28), np.uint8)
    net = cnnviz.load_model("mnist_maxpool")
    plain = answer(net, digit, {})
    for one in ANSWERS:
        told = {"of": plain.key, "side": 28, "pixels": one, "version": one, "count": one}
        for name in ("drawing", "compare", "have"):
            for asked in ({name: one}, {name: told}):
                assert bytes(answer(net, digit, asked))
        for drawing in (one, told):
            with pytest.raises(ValueError, match="pad"):
                raster_of(drawing)
    usual = len(bytes(plain))
    for name, field in itertools.product(("drawing", "compare"), ("of", "side", "pixels", "count")):
        asked = {name: {"of": "none", field: "9" * 10**6}}
        assert len(bytes(answer(net, digit, asked))) < usual + 1000


def test_any_edit_is_made_or_refused_in_a_sentence():
    digit = np.zeros((28, 28), np.uint8)
    net = cnnviz.load_model("mnist_maxpool")
    refusals, made = [], 0
    for edit in itertools.islice(edits(), 0, None, 7):
        try:
            intervene(net, digit, [edit])
            made += 1
        except InterventionError as error:
            refusals.append(str(error))
    assert made
    assert max(map(len, refusals)) < 200


def test_an_edit_outside_an_image_of_any_size_is_refused():
    net = cnnviz.Network([image(None, None, 1), layer("maps", "ReLU", "image")])
    for place in (20, -1, 2**31 - 1):
        edit = {"kind": "values", "stage": "image", "at": [place], "values": [1]}
        with pytest.raises(InterventionError, match="at must be a whole number from 0 to 19, got"):
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
        f"![a](//host.example/b.png) **b**{'x' * 3000}.png", b"no picture", "image/png"
    ).run()
    check(at, 0)
    assert "**" not in at.warning[0].value


def test_what_a_message_counts_by_is_sent_back_only_where_it_is_a_number(visit):
    """It was sent back as it came, which no message to a browser can hold."""
    at = visit("overview")
    states = at._tree.get_widget_states()
    (view,) = (each for each in at.get("bidi_component") if each.proto.component_name == "cnnviz.live_view")
    odd = {"count": float("nan"), "version": float("inf"), "of": [float("nan")]}
    states.widgets.add(
        id=view.proto.id,
        json_value=json.dumps(dict.fromkeys(("changes", "drawing", "compare", "numbers", "digit"), odd)),
    )
    at._run(states)
    check(at, 0)
