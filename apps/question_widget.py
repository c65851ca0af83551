"""Questions on a page: one of several answers, judged at once, or noted only where the address says so."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable
from contextlib import suppress

import kept_answers
import streamlit as st
from plain import plain

from cnnviz.teaching.questions import Choice, Question
from cnnviz.teaching.questions.question import NothingToAsk


def ask(*questions: Question | Callable[[], Question]) -> None:
    """Questions about what the page shows; an answer is judged at once, without a run of the whole page.

    One about a network's or a picture's numbers is given as what makes it: it is not asked where they leave
    no wrong answer.
    """
    asked = []
    for each in questions:
        with suppress(NothingToAsk):
            asked.append(each if isinstance(each, Question) else each())
    if asked:
        _asked(*asked)


@st.fragment
def _asked(*questions: Question) -> None:
    st.header("Before you go on" if len(questions) > 1 else "A question", anchor=False)
    with st.container(key="questions"):
        answered = [_ask(question) for question in questions]
    kept_answers.show()
    # The ticks are outside of this fragment.
    if (all(answered) and kept_answers.note_done()) or kept_answers.just_deleted():
        st.rerun()


def _ask(question: Question) -> bool:
    """Ask one; whether it is answered."""
    name = f"{_digest(question)}.{kept_answers.edition()}"
    with st.container(key=f"question.{name}"):
        texts = [plain(choice.text) for choice in question.choices]
        key = f"answer.{name}"

        def note() -> None:
            number = st.session_state[key]
            # Streamlit hands on whatever text a browser sends for it.
            if number in range(len(texts)):
                kept_answers.note(question, number)

        picked = st.radio(
            plain(question.prompt),
            range(len(texts)),
            index=kept_answers.chosen(question),
            format_func=texts.__getitem__,
            key=key,
            on_change=note,
        )
        if picked is not None:
            st.html(_noted() if kept_answers.hidden() else _verdict(question.choices[picked]))
    return picked is not None


def _noted() -> str:
    return '<div class="verdict" role="status"><p><b>Noted.</b> What is right, you will hear later.</p></div>'


def _verdict(choice: Choice) -> str:
    kind, mark = ("right", "✓ Right.") if choice.right else ("wrong", "✗ Not so.")
    why = html.escape(choice.why)
    if choice.misconception:
        why += f" <em>The mistake: {html.escape(choice.misconception)}.</em>"
    return f'<div class="verdict {kind}" role="status"><p><b>{mark}</b> {why}</p></div>'


def _digest(question: Question) -> str:
    return hashlib.blake2b(repr(question).encode(), digest_size=8).hexdigest()
