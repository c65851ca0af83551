"""Answers on pages: kept and shown again, joined with what the browser kept, hidden where the address says
so."""

from __future__ import annotations

import json
from itertools import count

import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id

from apps.conftest import given, htmls
from cnnviz.teaching.answer_record import AnswerRecord, GivenAnswer, read_record

EDITIONS = count(1000, 1000)
"""Widgets of another edition are other ones, though the session is the same."""


@pytest.fixture
def fresh(visit):
    """Pages, and nothing answered before."""

    def go(page, **query):
        at = visit(page, **query)
        at.session_state["kept answers"] = AnswerRecord()
        at.session_state["answers heard of"] = 0
        at.session_state["times answers were deleted"] = next(EDITIONS)
        return at.run()

    return go


def shown(at):
    """What the page gave the component below the questions."""
    return next(data for data in given(at, "cnnviz.record") if "count" in data)


def answer_all(at):
    for number in range(len(at.radio)):
        at.radio[number].set_value(0).run()


def tell(at, name, value):
    """A message of the component that listens, or of the one that is shown."""
    states = at._tree.get_widget_states()
    for element in at.get("bidi_component"):
        if element.proto.component_name == "cnnviz.record":
            state = states.widgets.add()
            state.id = _make_trigger_id(element.proto.id, "events")
            state.json_trigger_value = json.dumps([{"event": name, "value": value}])
    return at._run(states)


def test_answers_are_kept_shown_again_and_tick_the_page(fresh, visit):
    at = fresh("pooling", digit=3)
    assert shown(at)["count"] == ""
    assert not any("✓" in link.proto.label for link in at.sidebar.get("page_link"))
    answer_all(at)
    assert not at.exception
    record = read_record(shown(at)["text"], "it")
    assert len(record.answers) == len(at.radio) == 2
    assert {answer.page for answer in record.answers} == {"pooling"}
    assert record.done == ("pooling",)
    assert [link.proto.label for link in at.sidebar.get("page_link") if "✓" in link.proto.label] == [
        "Pooling ✓"
    ]
    assert read_record(shown(at)["csv"], "it").answers == record.answers
    visit("convolution", digit=3)
    at = visit("pooling", digit=3)
    assert [radio.value for radio in at.radio] == [0, 0]
    assert len(read_record(shown(at)["text"], "it").answers) == 2


def test_a_second_try_is_kept_beside_the_first(fresh):
    at = fresh("pooling", digit=3)
    at.radio[0].set_value(0).run()
    at.radio[0].set_value(1).run()
    first, second = read_record(shown(at)["text"], "it").answers
    assert first.question == second.question
    assert first.choice != second.choice
    assert shown(at)["count"].startswith("1 question answered so far")


def test_what_the_browser_kept_is_taken_up_and_nonsense_is_not(fresh):
    at = fresh("pooling", digit=3)
    radio = at.radio[0]
    told = AnswerRecord(
        (GivenAnswer("2026-03-01T09:30:00+00:00", "pooling", radio.label, radio.options[2], False),)
    )
    for nonsense in ("[]", "x" * 100, None, 5, {"a": 1}):
        at = tell(at, "kept", nonsense)
        assert not at.exception
        assert at.radio[0].value is None
    at = tell(at, "kept", told.to_json())
    assert at.radio[0].value == 2
    assert given(at, "cnnviz.record")[0]["heard"] == 6
    at = tell(at, "deleted", True)
    assert at.radio[0].value is None
    assert shown(at)["text"] == ""


def answer_in_walk(at, answer):
    """An answer to a question of the guided walk, as the stage hands it on."""
    states = at._tree.get_widget_states()
    for element in at.get("bidi_component"):
        if element.proto.component_name == "cnnviz.live_view":
            state = states.widgets.add()
            state.id = element.proto.id
            state.json_value = json.dumps({"answered": answer})
    return at._run(states)


def test_answers_in_a_walk_are_kept_and_nonsense_is_not(fresh):
    at = fresh("pooling", digit=3)
    given_in_walk = {"count": 1, "question": "What comes out?", "choice": "The sum", "right": False}
    for n, nonsense in enumerate((None, 5, {}, {"question": 5}, given_in_walk | {"right": "yes"}), 2):
        at = answer_in_walk(at, nonsense if not isinstance(nonsense, dict) else nonsense | {"count": n})
        assert not at.exception
        assert shown(at)["count"] == ""
    at = answer_in_walk(at, given_in_walk)
    assert not at.exception
    assert shown(at)["count"] == "1 question answered so far, 0 of them right at the first try."
    (kept,) = read_record(shown(at)["text"], "it").answers
    assert (kept.page, kept.question, kept.choice, kept.right) == (
        *("pooling", "What comes out?", "The sum"),
        False,
    )


def test_hidden_answers_are_noted_and_links_go_on_hiding(fresh, visit):
    at = fresh("pooling", digit=3, answers="hidden")
    answer_all(at)
    page = htmls(at)
    assert "Noted." in page
    assert not any(words in page for words in ("Right.", "Not so.", "The mistake"))
    assert "right" not in shown(at)["count"]
    links = [link.proto.query_string for link in at.get("page_link")]
    assert all("answers=hidden" in query for query in links)
    at = visit("pooling", answers="shown")
    assert "The address asks for answers" in at.warning[0].value


def test_every_lesson_leads_to_the_next(fresh):
    at = fresh("pooling", digit=3)
    labels = [link.proto.label for link in at.main.get("page_link")]
    assert labels[-2:] == ["← 1×1", "Next: Activation functions →"]
    assert [link.proto.label for link in fresh("verification").main.get("page_link")][-1] == "← Epochs"
