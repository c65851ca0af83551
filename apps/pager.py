"""The way on: the functions that do what the lesson is about, the lessons before and after it, and keys."""

from __future__ import annotations

import chrome
import navigation
import streamlit as st
from components import component

from cnnviz.teaching.lessons import LESSONS, neighbours

_PAGER = component("pager")


def show() -> None:
    """Links to what does it in Python, and to the lessons before and after; nothing on another page."""
    here = st.session_state["lesson"]
    if here not in LESSONS:
        return
    with chrome.row("in-python", gap="small", vertical_alignment="center"):
        st.caption("In Python", width="content")
        for path in LESSONS[here].in_python:
            st.page_link(navigation.page("in_python"), label=f"`{path}`", query_params=_at(path))
    pages = navigation.lessons()
    with chrome.row("pager"):
        for way, lesson in zip(("previous", "next"), neighbours(here), strict=True):
            if lesson is not None:
                with st.container(key=f"pager-{way}", width="content"):
                    label = f"← {lesson.title}" if way == "previous" else f"Next: {lesson.title} →"
                    st.page_link(pages[lesson.name], label=label, query_params=navigation.carried())
        st.caption("By keyboard: Alt + Page Up, Alt + Page Down", width="content")
        _PAGER(key="pager.keys", data={})


def _at(path: str) -> dict[str, str]:
    """The address of a public name on the page that tells of them all."""
    room, name = path.split(".")[-2:]
    return {**navigation.carried(), "room": room, "name": name}
