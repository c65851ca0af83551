"""What pages are made of: a head, sections, rows of controls, columns, pictures, tables.

Pages say what; how it looks is here, in style.css and in the components.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import cached
import state
import streamlit as st
from components import component
from glossary_words import explained
from plain import plain
from surroundings import surroundings

from cnnviz.teaching.csv_tables import csv_text
from cnnviz.teaching.lessons import LESSONS

_PICTURE = component("picture")
_TABLE = component("table")


def half_truth(heard: str, instead: str) -> None:
    """What is often heard, and what is so."""
    st.html(
        f'<div class="half-truth"><p><b>Often heard</b> {html.escape(heard)}</p>'
        f"<p><b>In fact</b> {html.escape(instead)}</p></div>"
    )


def printed_address() -> None:
    """What stands below a page on paper: where to find it again."""
    query = urlencode({name: value for name, value in st.query_params.to_dict().items() if len(value) < 100})
    if st.context.url:
        words = of_the_page(st.context.url.split("?")[0]) + (f"?{query}" if query else "")
        st.html(f'<p class="printed">{html.escape(words)}</p>')


def of_the_page(url: str) -> str:
    """The address that is meant where Streamlit took the end of a page's name for another page.

    It cuts "convolution" off "why_convolution" and puts the whole name behind what is left.
    """
    base, _, page = url.rpartition("/")
    for other in LESSONS:
        if page != other and page.endswith(other):
            base = base.removesuffix(f"/{page.removesuffix(other)}")
    return f"{base}/{page}"


def section(name: str, words: str = "") -> None:
    """A part of a page: a heading, and words on what it shows; both are plain, as names stand in them."""
    st.header(plain(name), anchor=False)
    if words:
        st.markdown(explained(plain(words)))


def note(words: str) -> None:
    """Small words beside what they are about; plain, as names stand in them."""
    st.caption(explained(plain(words)))


def row(key: str, **arguments: Any) -> Any:
    """A row of widgets, which wraps where it must; style.css knows it by its key."""
    arguments = {"gap": "medium", "vertical_alignment": "bottom", **arguments}
    return st.container(key=key, horizontal=True, **arguments)


def controls(key: str) -> Any:
    """A row for a section's widgets."""
    return row(f"controls-{key}")


def show(
    figure: str, caption: str = "", *, share: float = 1.0, limit: float | None = None, **arguments: Any
) -> None:
    """A figure of `cnnviz.figures` with its caption, its alternative in words, and downloads.

    `share` is how much of the column's width it has where columns stand side by side.
    """
    width, theme = _width(share, limit), surroundings()["theme"]
    drawn = cached.picture(figure, width=width, theme=theme, **arguments)
    data = _picture_data(figure, drawn, caption, arguments)
    _PICTURE(key=f"picture.{_next_place()}", data=data)


def _width(share: float, limit: float | None) -> float:
    width = float(surroundings()["width"])
    if width >= 640:
        width = width * share - (16 if share < 1 else 0)
    return min(width, limit or width)


def show_drawn(name: str, svg: str, alt: str, caption: str) -> None:
    """A picture that was drawn already."""
    drawn = cached.PagePicture(svg, alt, [], [])
    _PICTURE(key=f"picture.{_next_place()}", data=_picture_data(name, drawn, caption))


def pick(
    figure: str,
    caption: str,
    names: Sequence[str],
    chosen: int | None,
    on_pick: Callable[[int], None],
    *,
    share: float = 1.0,
    limit: float | None = None,
    **arguments: Any,
) -> None:
    """A figure whose tiles are buttons: `names` says them in words, `on_pick` gets the number of one.

    `chosen` is the tile that is outlined; `share` and `limit` are as for `show`.
    """
    width, theme = _width(share, limit), surroundings()["theme"]
    drawn = cached.picture(figure, width=width, theme=theme, **arguments)
    key = f"picture.{_next_place()}"

    def picked() -> None:
        number = st.session_state[key].picked
        if state.is_place(number, len(names)):
            on_pick(number)

    _PICTURE(
        key=key,
        data={
            **_picture_data(figure, drawn, caption, arguments),
            "tiles": [{"box": box, "name": name} for box, name in zip(drawn.tiles, names, strict=True)],
            "chosen": chosen,
        },
        on_picked_change=picked,
    )


def _picture_data(
    figure: str, drawn: cached.PagePicture, caption: str, arguments: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """What the component gets of every picture; of a photograph it must know, whose colours stay on paper."""
    return {
        "key": f"{hash((drawn.svg, caption))}",
        "svg": drawn.svg,
        "alt": drawn.alt,
        "grids": drawn.grids,
        "caption": caption,
        "name": f"cnnviz-{figure.replace('_', '-')}",
        "photograph": bool(arguments.get("photograph")),
    }


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

    # Columns of words are aligned left, of numbers right.
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
    content = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    _TABLE(
        key=f"table.{_next_place()}",
        data={
            "key": f"{hash((content, caption))}",
            "table": content,
            "csv": csv_text(heads, rows),
            "caption": caption,
            "name": f"cnnviz-{name}",
        },
    )


def facts(*pairs: tuple[str, str]) -> None:
    """A row of numbers with what they are."""
    st.html(facts_html(*pairs))


def facts_html(*pairs: tuple[str, str]) -> str:
    """The same, for a place that is kept free for it."""
    items = "".join(
        f"<div><dd>{html.escape(value)}</dd><dt>{html.escape(name)}</dt></div>" for name, value in pairs
    )
    return f'<dl class="facts">{items}</dl>'
