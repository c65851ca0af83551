"""Words that explain themselves where they stand: pointed at, reached by the keyboard, or tapped."""

from __future__ import annotations

import streamlit as st
from components import component

from cnnviz.teaching.glossary import GLOSSARY, linked

_TERMS = component("terms")
_DATA = {"terms": {each.slug: [each.term, each.meaning] for each in GLOSSARY.values()}}
_EXPLAINED = "explained"


def begin() -> None:
    """Nothing is explained yet on this page; to be called once in every run."""
    st.session_state[_EXPLAINED] = set()
    _TERMS(key="terms", data=_DATA)


def explained(markdown: str) -> str:
    """The text with the first mention on the page of each word of the glossary as a link that explains it."""
    return linked(markdown, st.session_state["lesson"], st.session_state[_EXPLAINED])
