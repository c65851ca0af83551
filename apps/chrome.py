"""What every page has in common: the header, how a concept is put, pictures, tables, code.

Pages say what; how it looks is here, in style.css and in components/.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import cached
import navigation
import state
import streamlit as st
from digits import Digit, choose_own, choose_test_digit, is_own, test_digits

from cnnviz.colours import ink_png
from cnnviz.network.mistakes import next_mistake
from cnnviz.numbers import probability
from cnnviz.teaching.questions import Choice, Question

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
_TABLE = _component("table", with_html=True)
_COPY_LINK = _component("copy_link", with_html=True)
_SURROUNDINGS = _component("surroundings", with_html=False)


@dataclass(frozen=True)
class Current:
    """The model and the digit that the header shows, and the run that a page draws."""

    model: str
    digit: Digit

    @property
    def network(self) -> Any:
        return cached.network(self.model)

    @property
    def run(self) -> Any:
        return cached.run(self.model, self.digit)

    @property
    def label(self) -> int | None:
        """What the digit is, if that is known."""
        return self.digit.label

    @property
    def predicted(self) -> int:
        """What the network takes it for."""
        return int(self.run.output[0].argmax())


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
    count = len(test_digits()[0])
    own = state.text("own", "", is_own)
    with st.container(key="header", horizontal=True, vertical_alignment="bottom", gap="medium"):
        card = st.empty()
        with st.container(
            key="picker", horizontal=True, vertical_alignment="bottom", gap="small", width="content"
        ):
            index = state.integer("digit", 0, count - 1, 0, "Test digit", on_change=choose_own, args=("",))
            if own:
                st.button("Back to the test digit", on_click=choose_own, args=("",))
            else:
                st.button("Random", on_click=_go_to, args=(count,), help="Any of the 10,000 test digits")
                mistake = st.empty()
        models = cached.available_models()
        with st.container(
            key="network", horizontal=True, vertical_alignment="bottom", gap="small", width="content"
        ):
            model = state.option(
                "model", models, models[0], st.segmented_control, "Network", required=True, width="content"
            )
            _COPY_LINK(key="copy_link", data={}, width="content")
    if not own:
        mistake.button(
            "Next mistake",
            on_click=_go_to_mistake,
            args=(model, index),
            help="The next test digit that this network gets wrong",
        )
    here = Current(model, Digit(index, own))
    st.session_state["current"] = here
    card.html(_card(here))


def notices(place: Any) -> None:
    """Say under the header what had to be replaced in the address."""
    with place.container():
        for sentence in state.notices():
            st.warning(sentence)


def _go_to(count: int) -> None:
    choose_test_digit(random.randrange(count))


def _go_to_mistake(model: str, index: int) -> None:
    found = next_mistake(cached.hard_cases(model), index)
    if found is not None:
        choose_test_digit(found)


def _card(here: Current) -> str:
    """The digit as a picture, its label, the prediction."""
    drawing = base64.b64encode(ink_png(here.digit.image, surroundings()["theme"])).decode()
    chance = html.escape(probability(here.run.output[0][here.predicted]))
    says = f"{here.model} says<br><b>{here.predicted}</b> with {chance}"
    if here.label is None:
        words, alt = f"<p>This is<br><b>{here.digit.name}</b></p><p>{says}</p>", here.digit.name.capitalize()
    else:
        right = here.predicted == here.label
        verdict, mark = ("right", "✓") if right else ("wrong", "✗")
        alt = f"{here.digit.name.capitalize()}, a {here.label}"
        words = f"""<p>The label says<br><b>{here.label}</b></p>
      <p class="{verdict}">{says}
        <span class="mark" role="img" aria-label="{verdict}">{mark}</span></p>"""
    return f"""
    <div class="card">
      <img src="data:image/png;base64,{drawing}" width="64" height="64" alt="{alt}">
      {words}
    </div>"""


def sidebar(parts: Mapping[str, Sequence[Any]]) -> None:
    """The pages, in parts; their links keep the digit and the network."""
    with st.sidebar:
        for part, pages in parts.items():
            st.caption(part)
            for page in pages:
                st.page_link(page, query_params=state.kept("digit", "own", "model"))


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
    _PICTURE(
        key=f"picture.{_next_place()}",
        data={
            "key": f"{hash((svg, caption))}",
            "svg": svg,
            "alt": alt,
            "caption": caption,
            "name": f"cnnviz-{figure.replace('_', '-')}",
        },
    )


def pick(
    figure: str,
    caption: str,
    names: Sequence[str],
    chosen: int | None,
    on_pick: Callable[[int], None],
    **arguments: Any,
) -> None:
    """A figure whose tiles are buttons: `names` says them in words, `on_pick` gets the number of one.

    `chosen` is the tile that is outlined.
    """
    around = surroundings()
    svg, alt, tiles = cached.picture_in_tiles(
        figure, width=float(around["width"]), theme=around["theme"], **arguments
    )
    key = f"picture.{_next_place()}"

    def picked() -> None:
        number = st.session_state[key].picked
        if isinstance(number, int) and 0 <= number < len(names):
            on_pick(number)

    _PICTURE(
        key=key,
        data={
            "key": f"{hash((svg, caption))}",
            "svg": svg,
            "alt": alt,
            "caption": caption,
            "name": f"cnnviz-{figure.replace('_', '-')}",
            "tiles": [{"box": box, "name": name} for box, name in zip(tiles, names, strict=True)],
            "chosen": chosen,
        },
        on_picked_change=picked,
    )


def _next_place() -> int:
    """A number that no picture or table of this run has yet."""
    st.session_state["pictures"] += 1
    return st.session_state["pictures"]


def columns(*shares: float) -> list[Any]:
    """Columns of a page that stack on a narrow screen."""
    return st.columns(shares, gap="medium")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    caption: str = "",
    mark: int | None = None,
    name: str = "table",
) -> None:
    """A small table, to be saved as CSV: the first column names its row, the others are numbers or words."""

    # Columns of words stand left, of numbers right.
    words = [all(str(row[k])[:1].isalpha() for row in rows if row[k] != "") for k in range(len(heads))]

    def cell(tag: str, value: Any, k: int, scope: str) -> str:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        scope = f' scope="{scope}"' if tag == "th" else ""
        return f"<{tag}{scope}{' class=words' if words[k] else ''}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th" if head else "td", head, k, "col") for k, head in enumerate(heads))
    body = "".join(
        f"<tr{' class=marked' if r == mark else ''}>"
        + "".join(cell("th" if k == 0 else "td", value, k, "row") for k, value in enumerate(row))
        + "</tr>"
        for r, row in enumerate(rows)
    )
    sheet = io.StringIO()
    csv.writer(sheet).writerows([heads, *rows])
    content = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    _TABLE(
        key=f"table.{_next_place()}",
        data={
            "key": f"{hash((content, caption))}",
            "table": content,
            "csv": sheet.getvalue(),
            "caption": caption,
            "name": f"cnnviz-{name}",
        },
    )


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


def gif(name: str, make: Callable[[], bytes]) -> None:
    """A button that saves an animation; it is made when somebody asks for it."""
    st.download_button(
        "Save as GIF",
        data=make,
        file_name=f"cnnviz-{name}.gif",
        mime="image/gif",
        on_click="ignore",
        key=f"gif.{_next_place()}",
    )


# Questions --------------------------------------------------------------------------------------


def ask(*questions: Question) -> None:
    """Questions about what the page shows; an answer is judged at once, without the page anew."""
    st.header("Before you go on" if len(questions) > 1 else "A question", anchor=False)
    for question in questions:
        _ask(question)


@st.fragment
def _ask(question: Question) -> None:
    with st.container(key=f"question.{_digest(question)}"):
        texts = [choice.text for choice in question.choices]
        picked = st.radio(
            question.prompt,
            range(len(texts)),
            index=None,
            format_func=texts.__getitem__,
            key=f"answer.{_digest(question)}",
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
