"""The learner's answers: kept in the browser, shown again where they were given, taken along as a file.

The browser keeps them under this address (its localStorage) and hands them in at the start of a visit; while
the page is open, the session has them. They go nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import state
import streamlit as st
from components import component

from cnnviz.numbers import counted
from cnnviz.resources import one_line
from cnnviz.teaching.answer_record import MOST_LETTERS, AnswerRecord, GivenAnswer, read_record
from cnnviz.teaching.questions import Question

_RECORD = component("record")
_KEPT, _HEARD = "kept answers", "answers heard of"
"""The session's record; how often the browser told of one."""
_ANEW, _JUST = "times answers were deleted", "answers were just deleted"


def record() -> AnswerRecord:
    """What the learner has answered so far."""
    return st.session_state.setdefault(_KEPT, AnswerRecord())


def take_up_hiding() -> None:
    """Read whether the address asks for pages that do not say what is right: `?answers=hidden`."""
    state.text("answers", "", lambda text: text in ("", "hidden"))


def hidden() -> bool:
    """Whether answers are noted, and not judged."""
    return bool(state.kept("answers"))


def listen() -> None:
    """Take up what the browser has kept from another visit; to be called once in every run."""

    def told() -> None:
        text = st.session_state["answers.kept"].kept
        st.session_state[_HEARD] = st.session_state.get(_HEARD, 0) + 1
        if isinstance(text, str):
            try:
                st.session_state[_KEPT] = record().joined(read_record(text, "what the browser kept"))
            except ValueError:
                return  # Somebody else's: it is replaced by the next answer.

    _RECORD(key="answers.kept", data={**_data(), "listens": True}, on_kept_change=told)


def chosen(question: Question) -> int | None:
    """The choice that was made last, if the question still offers it."""
    words = record().chosen(_page(), one_line(question.prompt))
    texts = [one_line(choice.text) for choice in question.choices]
    return texts.index(words) if words in texts else None


def note(question: Question, number: int) -> None:
    """Keep an answer."""
    choice = question.choices[number]
    _keep(question.prompt, choice.text, choice.right)


def _keep(question: str, choice: str, right: bool) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    answer = GivenAnswer(now, _page(), one_line(question), one_line(choice), right)
    st.session_state[_KEPT] = record().with_answer(answer)


def note_of_walk(answer: Mapping[str, Any]) -> None:
    """Keep an answer that was given within a guided walk, as the browser tells of it."""
    question, choice, right = (answer[name] for name in ("question", "choice", "right"))
    if isinstance(question, str) and isinstance(choice, str) and isinstance(right, bool) and question:
        _keep(question[:MOST_LETTERS], choice[:MOST_LETTERS], right)


def note_done() -> bool:
    """Tick this page; whether it was not ticked before."""
    before = record()
    st.session_state[_KEPT] = before.with_done(_page())
    return st.session_state[_KEPT] != before


def edition() -> str:
    """Which record this is: where another one was heard of, or all was deleted, widgets are other ones."""
    return f"{st.session_state.get(_HEARD, 0)}.{st.session_state.get(_ANEW, 0)}"


def just_deleted() -> bool:
    """Whether they were deleted since this was last asked."""
    return st.session_state.pop(_JUST, False)


def show() -> None:
    """The answers as files, where they are kept, and how to delete them."""

    def deleted() -> None:
        if st.session_state["answers.shown"].deleted:
            st.session_state[_KEPT] = AnswerRecord()
            st.session_state[_ANEW] = st.session_state.get(_ANEW, 0) + 1
            st.session_state[_JUST] = True

    found = record()
    first = {(a.page, a.question): a.right for a in reversed(found.answers)}
    right = sum(first.values())
    said = "" if hidden() else f", {right} of them right at the first try"
    count = f"{counted(len(first), 'question')} answered so far{said}."
    _RECORD(
        key="answers.shown",
        data={**_data(), "count": count if first else "", "csv": found.to_csv()},
        on_deleted_change=deleted,
    )


def _data() -> Mapping[str, Any]:
    empty = record() == AnswerRecord()
    return {"text": "" if empty else record().to_json(), "heard": st.session_state.get(_HEARD, 0)}


def _page() -> str:
    return st.session_state["lesson"]
