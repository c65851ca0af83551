"""The explorer: a Streamlit app that shows, concept by concept, what a trained network does to a digit.

Start it with `cnnviz explore`, or `streamlit run apps/explorer.py`. Pages are under pages/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).resolve().parent
if str(_HERE) not in sys.path:
    sys.path.insert(0, str(_HERE))

import chrome  # noqa: E402
import glossary_words  # noqa: E402
import header  # noqa: E402
import kept_answers  # noqa: E402
import navigation  # noqa: E402
import pager  # noqa: E402
import state  # noqa: E402
import surroundings  # noqa: E402
import turns  # noqa: E402

from cnnviz.stage.incoming import guard  # noqa: E402

guard()
st.set_page_config(page_title="cnnviz", page_icon="🔍", layout="wide")
st.html(_HERE / "style.css")
parts = navigation.parts()
page = st.navigation(parts, position="hidden")
with turns.taken():
    state.begin()
    surroundings.look_around()
    st.session_state["lesson"] = navigation.name_of(page)
    st.title(page.title, anchor=False)
    header.show()
    glossary_words.begin()
    kept_answers.listen()
    header.sidebar(parts)
    notices = st.empty()
    try:
        header.run_page(page)
        pager.show()
    finally:
        # What is left of a page that failed would make the next one believe that it runs in this app.
        del st.session_state["current"]
    header.notices(notices)
    state.finish()
    chrome.printed_address()
