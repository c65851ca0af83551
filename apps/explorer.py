"""The explorer: a Streamlit app that shows, concept by concept, what a trained network does to a digit.

Start it with `cnnviz explore`, or `streamlit run apps/explorer.py`. Pages are under pages/.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).resolve().parent
if str(_HERE) not in sys.path:
    sys.path.insert(0, str(_HERE))

import chrome  # noqa: E402
import navigation  # noqa: E402
import state  # noqa: E402


@st.cache_resource(show_spinner=False)
def settle() -> None:
    """Spare the garbage collector what is kept for good.

    Streamlit collects everything after every run, which would cost each click 70 ms for the libraries alone.
    """
    gc.collect()
    gc.freeze()


st.set_page_config(page_title="cnnviz", page_icon="🔍", layout="wide")
st.html(_HERE / "style.css")
parts = navigation.parts()
page = st.navigation(parts, position="hidden")
state.begin()
chrome.look_around()
chrome.header()
chrome.sidebar(parts)
notices = st.empty()
page.run()
chrome.notices(notices)
state.finish()
del st.session_state["current"]
settle()
