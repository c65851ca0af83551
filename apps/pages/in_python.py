"""In Python: every public function with its docstring, an example that runs, and its picture."""

import cached
import chrome
import header
import state
import streamlit as st
from surroundings import surroundings

from cnnviz.teaching.public_names import ROOMS, public_names

header.within_app()
st.markdown(
    "Everything on these pages can be done in Python. Choose a part and a name: what is shown is its "
    "docstring, and its example runs as it stands."
)
with chrome.controls("names"):
    room = state.option(
        "room",
        {name: f"cnnviz.{name}".replace("cnnviz.cnnviz", "cnnviz") for name in ROOMS},
        "ops",
        st.selectbox,
        "Part",
    )
    names = public_names(room)
    first = "conv2d" if "conv2d" in names else next(iter(names))
    name = state.option("name", list(names), first, st.selectbox, "Name")
each = names[name]
st.header(each.path, anchor=False)
st.code(each.signature, language="python", wrap_lines=True)
if each.example:
    st.code(each.example, language="python")
if each.draws and each.example:
    theme = surroundings()["theme"]
    kind, content, words = cached.example_drawn(room, name, theme)
    if kind == "svg":
        chrome.show_drawn(name, content, words, "What the example draws.")
    elif kind == "gif":
        st.image(content, caption=words)
    elif kind == "text":
        st.code(content, language=None)
st.code(each.text, language=None, wrap_lines=True)
chrome.section(ROOMS[room], "All names of this part.")
chrome.table(
    ["name", "what it does"],
    [(other.name, other.summary) for other in names.values()],
    mark=list(names).index(name),
    name=room,
)
