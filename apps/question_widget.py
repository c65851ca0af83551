"""Questions on a page: one of several answers, judged at once."""

from __future__ import annotations

import hashlib
import html

import streamlit as st
from plain import plain

from cnnviz.teaching.questions import Choice, Question


def ask(*questions: Question) -> None:
    """Questions about what the page shows; an answer is judged at once, without a run of the whole page."""
    st.header("Before you go on" if len(questions) > 1 else "A question", anchor=False)
    for question in questions:
        _ask(question)


@st.fragment
def _ask(question: Question) -> None:
    with st.container(key=f"question.{_digest(question)}"):
        texts = [plain(choice.text) for choice in question.choices]
        picked = st.radio(
            plain(question.prompt),
            range(len(texts)),
            index=None,
            format_func=texts.__getitem__,
            key=f"answer.{_digest(question)}",
            persist_state="session",
        )
        if picked is not None:
            st.html(_verdict(question.choices[picked]))


def _verdict(choice: Choice) -> str:
    kind, mark = ("right", "✓ Right.") if choice.right else ("wrong", "✗ Not so.")
    why = html.escape(choice.why)
    if choice.misconception:
        why += f" <em>The mistake: {html.escape(choice.misconception)}.</em>"
    return f'<div class="verdict {kind}" role="status"><p><b>{mark}</b> {why}</p></div>'


def _digest(question: Question) -> str:
    return hashlib.blake2b(repr(question).encode(), digest_size=8).hexdigest()
