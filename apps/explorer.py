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
import state  # noqa: E402

PAGES = {
    "The network": [
        ("overview", "Overview"),
        ("feature_maps", "Feature maps"),
        ("receptive_field", "Receptive field"),
    ],
    "Its parts": [
        ("convolution", "Convolution"),
        ("kernels", "Kernels"),
        ("three_by_three", "3×3"),
        ("one_by_one", "1×1"),
        ("activation_functions", "Activation functions"),
    ],
    "How it came about": [("epochs", "Epochs"), ("verification", "Verification")],
}

st.set_page_config(page_title="cnnviz", page_icon="🔍", layout="wide")
st.html(_HERE / "style.css")
parts = {
    part: [
        st.Page(_HERE / "pages" / f"{file}.py", title=title, default=file == "overview")
        for file, title in pages
    ]
    for part, pages in PAGES.items()
}
page = st.navigation(parts, position="hidden")
state.begin()
chrome.look_around()
chrome.header()
chrome.sidebar(parts)
notices = st.empty()
page.run()
chrome.notices(notices)
state.finish()
