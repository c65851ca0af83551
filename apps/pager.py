"""The way on: the lessons before and after this one, as links and by the keyboard."""

from __future__ import annotations

import chrome
import navigation
import streamlit as st
from components import component

from cnnviz.teaching.lessons import LESSONS, neighbours

_PAGER = component("pager")


def show() -> None:
    """Links to the lessons before and after this one; nothing on a page that is no lesson."""
    here = st.session_state["lesson"]
    if here not in LESSONS:
        return
    pages = navigation.lessons()
    with chrome.row("pager"):
        for way, lesson in zip(("previous", "next"), neighbours(here), strict=True):
            if lesson is not None:
                with st.container(key=f"pager-{way}", width="content"):
                    label = f"← {lesson.title}" if way == "previous" else f"Next: {lesson.title} →"
                    st.page_link(pages[lesson.name], label=label, query_params=navigation.carried())
        st.caption("By keyboard: Alt + Page Up, Alt + Page Down", width="content")
        _PAGER(key="pager.keys", data={})
