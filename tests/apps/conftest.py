"""One AppTest a network, which the tests move from page to page."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnnviz.resources import app
from cnnviz.teaching.lessons import LESSONS
from harness.wording import slips

PAGES = sorted(LESSONS)
REFERENCE = sorted({path.stem for path in (app().parent / "pages").glob("*.py")} - LESSONS.keys())
MODELS = ("mnist_14k", "mnist_maxpool")


def aspects(page: str) -> list[tuple[str, str, str]]:
    """(page, parameter, aspect) of what a page shows one at a time: of a dict in the call, or named there."""
    nodes = list(ast.walk(ast.parse(page_code(page))))
    stored: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            stored.setdefault(ast.unparse(node.targets[0]), []).extend(_keys(node.value))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            (place,) = node.targets
            stored.setdefault(ast.unparse(place.value), []).append(getattr(place.slice, "value", ""))
    return [
        (page, node.args[0].value, key)
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("aspects", "closer_in_aspects")
        for parts in node.args[-1:]
        for key in (_keys(parts) if isinstance(parts, ast.Dict) else stored[ast.unparse(parts)])
    ]


def _keys(node: ast.Dict) -> list[str]:
    return [getattr(key, "value", "") for key in node.keys]


def page_code(page: str) -> str:
    return (app().parent / "pages" / f"{page}.py").read_text(encoding="utf-8")


ASPECTS = [each for page in PAGES for each in aspects(page)]


def pictures(at: AppTest) -> list[dict[str, Any]]:
    """What the page gave its picture components: svg, alt, caption."""
    return given(at, "cnnviz.picture")


def drawn(at: AppTest, name: str) -> dict[str, Any]:
    """What the page gave the picture of a figure."""
    return next(picture for picture in pictures(at) if picture["name"] == f"cnnviz-{name}")


def tables(at: AppTest) -> list[dict[str, Any]]:
    """What the page gave its table components: table (HTML), csv, caption."""
    return given(at, "cnnviz.table")


def cells(at: AppTest) -> str:
    """The text of all tables, cells parted by bars."""
    return "|".join(re.findall(r"<t[dh][^>]*>([^<]*)<", "".join(table["table"] for table in tables(at))))


def given(at: AppTest, name: str) -> list[dict[str, Any]]:
    """What the page gave its components of a name."""
    components = [element.proto for element in at.get("bidi_component")]
    return [json.loads(c.json) for c in components if c.component_name == name]


def widget(kind: Any, name: str) -> Any:
    """The widget of a choice, of one of AppTest's lists; it is made anew when code sets it."""
    return next(found for found in kind if re.fullmatch(rf"choice\.{name}(\.\d+)?", found.key))


def said(at: AppTest) -> list[str]:
    """All sentences of the page: its own, and those that its components were given."""
    own = [element.value for kind in (at.markdown, at.caption, at.info) for element in kind]
    own += [re.sub("<[^>]*>", " ", body) for body in map(htmls_of, at.get("html")) if "<style" not in body]
    for picture in pictures(at):
        own += [picture["alt"], picture["caption"]]
    return [*own, *(table["caption"] for table in tables(at))]


def htmls_of(element: Any) -> str:
    return element.proto.body


def htmls(at: AppTest) -> str:
    """All of the page's own HTML."""
    return "".join(element.proto.body for element in at.get("html"))


@pytest.fixture(scope="module")
def visit() -> Callable[..., AppTest]:
    """visit("kernels", digit=3): that page by a link with that query, on digit 0; what is folded is open."""
    at = AppTest.from_file(str(app()), default_timeout=60)
    at.run()

    def go(page: str, **query: Any) -> AppTest:
        at.query_params.clear()
        query = {"closer": "all", "digit": 0, **query}
        at.query_params.update({name: str(value) for name, value in query.items() if value is not None})
        at.switch_page(str(Path("pages") / f"{page}.py"))
        at.run()
        assert not [(text, found) for text in said(at) if (found := slips(text))]
        return at

    return go
