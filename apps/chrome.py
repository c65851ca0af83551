"""What every page has in common: the header, how a concept is put, pictures, tables, code.

Pages say what; how it looks is here, in style.css and in components/.
"""

from __future__ import annotations

import base64
import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import cached
import navigation
import state
import streamlit as st

from cnnviz.figures.bar_charts import percent

_HERE = Path(__file__).parent
WIDTHS = (328, 460, 640, 800, 960)
"""Widths at which figures are drawn, in pixels at the usual type size."""


def _component(name: str, with_html: bool) -> Any:
    def read(ending: str) -> str:
        return (_HERE / "components" / f"{name}.{ending}").read_text(encoding="utf-8")

    if not with_html:
        return st.components.v2.component(f"cnnviz.{name}", js=read("js"))
    return st.components.v2.component(f"cnnviz.{name}", html=read("html"), css=read("css"), js=read("js"))


_PICTURE = _component("picture", with_html=True)
_SURROUNDINGS = _component("surroundings", with_html=False)


@dataclass(frozen=True)
class Current:
    """The model and the digit that the header shows, and the run that a page draws."""

    model: str
    digit: int

    @property
    def network(self) -> Any:
        return cached.network(self.model)

    @property
    def run(self) -> Any:
        return cached.run(self.model, self.digit)

    @property
    def label(self) -> int:
        return int(cached.test_digits()[1][self.digit])


def current() -> Current:
    """What the header shows, for a page to draw."""
    # Streamlit takes a folder named pages for an app of its older kind, and a new server may run a page
    # without the app around it, until st.navigation has been called once.
    if "current" not in st.session_state:
        st.navigation(navigation.parts(), position="hidden")
        st.rerun()
    return st.session_state["current"]


# The header -------------------------------------------------------------------------------------


def header() -> None:
    """The digit, how to pick another, what the network makes of it, and which network."""
    st.session_state["pictures"] = 0
    count = len(cached.test_digits()[0])
    with st.container(key="header", horizontal=True, vertical_alignment="bottom", gap="medium"):
        card = st.empty()
        with st.container(
            key="picker", horizontal=True, vertical_alignment="bottom", gap="small", width="content"
        ):
            digit = state.integer("digit", 0, count - 1, 0, "Test digit")
            st.button(
                "Random",
                on_click=lambda: state.put("digit", random.randrange(count)),
                help="Any of the 10,000 test digits",
            )
            mistake = st.empty()
        models = cached.available_models()
        model = state.option(
            "model", models, models[0], st.segmented_control, "Network", required=True, width="content"
        )
    mistake.button(
        "Next mistake",
        on_click=_go_to_mistake,
        args=(model, digit),
        help="The next test digit that this network gets wrong",
    )
    here = Current(model, digit)
    st.session_state["current"] = here
    card.html(_card(here))


def notices(place: Any) -> None:
    """Say under the header what had to be replaced in the address."""
    with place.container():
        for sentence in state.notices():
            st.warning(sentence)


def _go_to_mistake(model: str, digit: int) -> None:
    found = cached.mistake_after(model, digit)
    if found is not None:
        state.put("digit", found)


def _card(here: Current) -> str:
    """The digit as a picture, its label, the prediction."""
    pixels = cached.test_digits()[0][here.digit]
    drawing, _ = cached.picture("image_of", pixels=pixels, width=64.0, theme=surroundings()["theme"])
    probabilities = here.run.output[0]
    predicted = int(probabilities.argmax())
    right = predicted == here.label
    verdict = "right" if right else "wrong"
    mark = "✓" if right else "✗"
    return f"""
    <div class="card">
      <img src="{_data_uri(drawing)}" width="64" height="64" alt="Test digit {here.digit}, a {here.label}">
      <p>The label says<br><b>{here.label}</b></p>
      <p class="{verdict}">{here.model} says<br>
        <b>{predicted}</b> with {html.escape(percent(float(probabilities[predicted])))}
        <span class="mark" role="img" aria-label="{verdict}">{mark}</span></p>
    </div>"""


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def sidebar(parts: Mapping[str, Sequence[Any]]) -> None:
    """The pages, in parts; their links keep the digit and the network."""
    with st.sidebar:
        for part, pages in parts.items():
            st.caption(part)
            for page in pages:
                st.page_link(page, query_params=state.kept("digit", "model"))


# Pages ------------------------------------------------------------------------------------------


def surroundings() -> dict[str, Any]:
    """How wide the page's column is, of `WIDTHS`, and the theme: what the browser told."""
    return st.session_state.get("surroundings", {"width": WIDTHS[-1], "theme": "light"})


def look_around() -> None:
    """Ask the browser; a different answer than last time comes with a rerun."""
    known = surroundings()
    if "surroundings" not in st.session_state and st.context.theme.type in ("light", "dark"):
        known = {**known, "theme": st.context.theme.type}
    answer = _SURROUNDINGS(
        key="surroundings.component",
        data={"width": known["width"], "dark": known["theme"] == "dark", "widths": list(WIDTHS)},
        on_told_change=lambda: None,
    )
    told = getattr(answer, "told", None)
    if told:
        width = told["width"] if told["width"] in WIDTHS else WIDTHS[-1]
        known = {"width": width, "theme": "dark" if told["dark"] else "light"}
    st.session_state["surroundings"] = known


def title(name: str, definition: str, *, heard: str = "", instead: str = "") -> None:
    """A page's head: the concept, what it is, and the half-truth about it set right."""
    st.title(name, anchor=False)
    st.markdown(definition)
    if heard:
        st.html(
            f'<div class="half-truth"><p><b>Often heard</b> {html.escape(heard)}</p>'
            f"<p><b>In fact</b> {html.escape(instead)}</p></div>"
        )


def section(name: str, words: str = "") -> None:
    """A part of a page: a heading, and what is to be seen."""
    st.header(name, anchor=False)
    if words:
        st.markdown(words)


def controls(key: str) -> Any:
    """A row for a section's widgets, which wraps where it must."""
    return st.container(key=f"controls-{key}", horizontal=True, vertical_alignment="bottom", gap="medium")


def show(
    figure: str, caption: str = "", *, share: float = 1.0, limit: float | None = None, **arguments: Any
) -> None:
    """A figure of `cnnviz.figures` with its caption, its alternative in words, and downloads.

    `share` is how much of the column's width it has where columns stand side by side.
    """
    around = surroundings()
    width = float(around["width"])
    if width >= 640:
        width = width * share - (16 if share < 1 else 0)
    width = min(width, limit or width)
    svg, alt = cached.picture(figure, width=width, theme=around["theme"], **arguments)
    st.session_state["pictures"] = place = st.session_state["pictures"] + 1
    _PICTURE(
        key=f"picture.{place}",
        data={
            "key": f"{hash((svg, caption))}",
            "svg": svg,
            "alt": alt,
            "caption": caption,
            "name": f"cnnviz-{figure.replace('_', '-')}",
        },
    )


def columns(*shares: float) -> list[Any]:
    """Columns of a page that stack on a narrow screen."""
    return st.columns(shares, gap="medium")


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "", mark: int | None = None
) -> None:
    """A small table: the first column names its row, the others are numbers or words."""

    def cell(tag: str, value: Any, k: int) -> str:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        scope = ' scope="row"' if tag == "th" and k == 0 else ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th" if name else "td", name, k + 1) for k, name in enumerate(heads))
    body = "".join(
        f"<tr{' class=marked' if r == mark else ''}>"
        + "".join(cell("th" if k == 0 else "td", value, k) for k, value in enumerate(row))
        + "</tr>"
        for r, row in enumerate(rows)
    )
    below = f'<p class="caption">{html.escape(caption)}</p>' if caption else ""
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    st.html(f'<div class="table"><table>{inside}</table></div>{below}')


def facts(*pairs: tuple[str, str]) -> None:
    """A row of numbers with what they are."""
    items = "".join(
        f"<div><dd>{html.escape(value)}</dd><dt>{html.escape(name)}</dt></div>" for name, value in pairs
    )
    st.html(f'<dl class="facts">{items}</dl>')


def code(lines: str) -> None:
    """The lines that do the same, folded away."""
    with st.expander("Show the code"):
        st.code(dedent(lines).strip(), language="python")
