"""Values that no widget of a page can hold, for each of its widgets, and files and messages without end.

A browser that sends them has left its page's script; what it sends is as if it had not been sent.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator

import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from apps.conftest import PAGES, htmls, widget
from cnnviz.stage import incoming
from cnnviz.stage.incoming import DEEPEST, FORWARDED, MOST_FILES, from_this_machine, guard
from harness.hostile import WORDS, markdown, marks

WORD = [word for word in WORDS if "\ud800" not in word]
NUMBERS = [0.0, -1.0, 1.5, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324, 2.0**53]
WHOLE = [0, 1, -1, 10**9, 2**63 - 1, -(2**63)]
DEEP = "[" * 900 + "]" * 900
MESSAGES = ["", "{", "null", "5", '"x"', "[[]]", "NaN", '{"step": 1e400}', '{"step": ' + "9" * 4301 + "}"]
MESSAGES += [DEEP, f'{{"drawing": {DEEP}}}', f'[{{"event": "picked", "value": {DEEP}}}]', '{"__proto__": 1}']
KINDS: dict[str, list] = {
    "trigger_value": [True, False],
    "bool_value": [True, False],
    "double_value": NUMBERS,
    "int_value": WHOLE,
    "string_value": [*WORD, "", "conv2d_3", "x" * 100_000],
    "double_array_value": [[], NUMBERS, [5.0, 1.0], [1.0] * 100_000],
    "int_array_value": [[], WHOLE, [0, 0], [0] * 100_000],
    "string_array_value": [[], WORD, ["mnist_maxpool"], ["x"] * 1000],
    "json_value": MESSAGES,
    "json_trigger_value": MESSAGES,
    "string_trigger_value": ["x"],
    "arrow_value": [b"\0"],
    "bytes_value": [b"\xff"],
    "file_uploader_state_value": WORD,
}
"""Every kind of value in Streamlit's protocol that says something of a widget, and values of it."""
SHOWN = ("convolution", "kernels", "overview", "receptive_field", "try_it", "verification")
"""Pages that have a widget of each kind among them."""
FORGED = [(kind, value) for kind, values in KINDS.items() for value in values]


def forged(states: WidgetStates, name: str, kind: str, value) -> None:
    state: WidgetState = states.widgets.add(id=name)
    if kind == "file_uploader_state_value":
        state.file_uploader_state_value.uploaded_file_info.add(file_id="7", name=value, size=2**40)
    elif kind.endswith("array_value"):
        getattr(state, kind).data.extend(value)
    elif kind in ("string_trigger_value", "arrow_value"):
        getattr(state, kind).data = value
    else:
        setattr(state, kind, value)


def widgets(at) -> Iterator[str]:
    """The ids of all that a page could be sent something for, and of what it has not."""
    for element in (*at.main, *at.sidebar):
        if name := getattr(getattr(element, "proto", None), "id", ""):
            yield name
            if element.type == "bidi_component":
                yield _make_trigger_id(name, "events")
    yield from ("", "x", "choice.digit", f"$$ID-{7:032x}-choice.digit", "x" * 100_000)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_widget_cannot_read_is_as_if_it_had_not_been_sent(visit, request, caplog, page):
    thorough = request.config.getoption("--hypothesis-profile") == "thorough"
    if not (thorough or page in SHOWN):
        pytest.skip("the same kinds of widgets are on other pages")
    at = visit(page)
    # Each widget gets another kind of value, and in each turn the next.
    for turn in range(len(FORGED)) if thorough else (7 * PAGES.index(page),):
        states, values = WidgetStates(), itertools.cycle(FORGED[turn:] + FORGED[:turn])
        for name in widgets(at):
            forged(states, name, *next(values))
        at._run(states)
        assert not at.exception
        assert not [text for text in markdown(at) if marks(text)]
        assert "Traceback" not in caplog.text
    at = visit(page, digit=7)
    assert not at.exception
    assert 'alt="Test digit 7' in htmls(at)


@pytest.mark.parametrize(
    "message",
    ["[" + "[0,[[0,1,1]]]," * 300_000 + "0]", '{"have": [' + "0," * 1_100_000 + "0]}", "{" * 1_100_000],
)
def test_a_message_of_very_many_values_is_not_even_read(visit, message):
    """Which would take seconds of what all readers share, and hundreds of megabytes."""
    at = visit("overview")
    (stage,) = (
        each.proto.id for each in at.get("bidi_component") if each.proto.component_name == "cnnviz.live_view"
    )
    states = WidgetStates()
    forged(states, stage, "json_value", message)
    forged(states, _make_trigger_id(stage, "events"), "json_trigger_value", message)
    read, parsed = [0], json.loads

    def noting(text, **how):
        read.append(len(text))
        return parsed(text, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "loads", noting)
        at._run(states)
    assert not at.exception
    assert max(read) < 10**6


def test_what_a_widget_can_read_is_taken(visit):
    at = visit("feature_maps", model="mnist_14k")
    states = WidgetStates()
    forged(states, widget(at.number_input, "digit").proto.id, "int_value", 11)
    drawn = next(one.proto.id for one in at.get("bidi_component") if "cnnviz.picture" in str(one.proto))
    deepest = "[" * (DEEPEST - 2) + "]" * (DEEPEST - 2)
    forged(states, _make_trigger_id(drawn, "events"), "json_trigger_value", json.dumps([
        {"event": "picked", "value": 4}, {"event": "other", "value": json.loads(deepest)}]))  # fmt: skip
    at._run(states)
    named = {"closer": "all", "digit": "11", "channel": "4"}
    assert {name: at.query_params[name] for name in at.query_params} == named


@pytest.mark.parametrize("word", ["", "0", "conv2d_3", "9" * 4301])
def test_an_answer_that_a_question_does_not_offer_is_not_noted(visit, word):
    at = visit("pooling")
    states = WidgetStates()
    for radio in at.radio:
        forged(states, radio.proto.id, "string_value", word)
    assert states.widgets
    at._run(states)
    assert not at.exception
    assert not [
        radio.value for radio in at.radio if radio.key.startswith("answer.") and radio.value is not None
    ]


def test_a_reader_does_not_clear_what_all_share(visit):
    visit("overview")
    shared = sys.modules["cached"].network("mnist_14k")
    AppSession._handle_clear_cache_request(None)
    assert sys.modules["cached"].network("mnist_14k") is shared


def test_a_session_keeps_few_files_the_last_ones():
    guard()
    files = MemoryUploadedFileManager("/upload")
    for number in range(50):
        for session in ("one", "other"):
            files.add_file(session, UploadedFileRec(str(number), "7.png", "image/png", bytes(1000)))
    for session in ("one", "other"):
        kept = [file.file_id for file in files.get_files(session, [str(k) for k in range(50)])]
        assert kept == [str(k) for k in range(50 - MOST_FILES, 50)]
    files.remove_session_files("one")
    (stat,) = next(iter(files.get_stats().values()))
    assert stat.byte_length == MOST_FILES * 1000


def test_a_large_file_is_taken_of_a_session_that_may_open_a_network(monkeypatch):
    guard()
    files, asked = MemoryUploadedFileManager("/upload"), []

    def may(session: str) -> bool:
        asked.append(session)
        return session == "one"

    monkeypatch.setattr(incoming, "_may_upload", may)
    monkeypatch.setattr(incoming, "MOST_BYTES", 1000)
    for session in ("one", "other"):
        for size in (1000, 1001):
            files.add_file(session, UploadedFileRec(str(size), "x.keras", "", bytes(size)))
    kept = {session: list(files.file_storage.get(session, ())) for session in ("one", "other")}
    assert kept == {"one": ["1000", "1001"], "other": ["1000"]}
    assert asked == ["one", "other"]


def test_files_of_a_session_that_was_left_go(monkeypatch):
    guard()
    files, left = MemoryUploadedFileManager("/upload"), incoming.LeftFiles()
    for session in ("one", "other"):
        files.add_file(session, UploadedFileRec("7", "7.png", "", bytes(1000)))
    left.look(files, lambda session: True)
    monkeypatch.setattr(incoming, "LEFT", -1.0)
    left.look(files, lambda session: session == "one")
    assert list(files.file_storage) == ["one"]


def test_a_message_that_asks_for_places_of_files_gets_few():
    guard()
    names = ["7.png"] * 1_000_000
    assert len(MemoryUploadedFileManager("/upload").get_upload_urls("one", names)) == MOST_FILES
    (place,) = MemoryUploadedFileManager("/upload").get_upload_urls("one", ["7.png"])
    assert place.upload_url.startswith("/upload/one/")


@pytest.mark.parametrize("part", ["kind", "padding"])
@pytest.mark.parametrize("word", WORDS[:1])
def test_a_layer_that_no_browser_offers_is_not_built(visit, part, word):
    at = visit("receptive_field", grows="own")
    states = WidgetStates()
    forged(states, at.selectbox(key=f"builder.{part}").proto.id, "string_value", word)
    at._run(states)
    assert not at.exception
    assert not [text for text in markdown(at) if marks(text)]


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1:8501", "[::1]:8501"])
def test_a_browser_on_this_machine_is_known(host):
    assert from_this_machine(None, {"Host": host})
    assert from_this_machine("::1", {"host": host})
    assert from_this_machine(None, {"Host": host, "Origin": f"http://{host}"})


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {"Host": "localhost:8501"}),
        (None, {}),
        (None, {"Host": "cnnviz.example"}),
        (None, {"Host": "localhost.example:8501"}),
        *((None, {"Host": "localhost:8501", name.title(): "127.0.0.1"}) for name in FORWARDED),
        (None, {"Host": "localhost:8501", "X-Forwarded-Proto": "https"}),
        (None, {"Host": "localhost:8501", "Origin": "https://cnnviz.example"}),
        (None, {"Host": "localhost:8501", "Origin": "null"}),
        (None, {"Host": "[localhost"}),
    ],
)
def test_a_proxy_s_requests_and_other_machines_are_others(address, headers):
    assert not from_this_machine(address, headers)
