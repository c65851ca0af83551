"""Words that are more than words to Markdown, HTML, a terminal, a spreadsheet or Python; their readers."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from cnnviz.resources import asset

MARKDOWN = (
    "![](//host.example/b.png)",
    "[a](//host.example)",
    "**b**",
    "_i_",
    "`c`",
    "~~s~~",
    "$x^2$",
    ":red[r]",
    ":red-background[r]",
    ":material/home:",
    ":smile:",
    ":streamlit:",
    "https://host.example",
    "www.host.example",
    "a@host.example",
    "<b>h</b>",
    "&lt;",
    "[^1]",
)
"""Each is shown as something else than these letters where it is taken for Markdown, Streamlit's included."""

WORDS = (
    *MARKDOWN,
    '<img src=x onerror="document.title=1">',
    "</script><script>document.title=1</script>",
    "'\"><svg onload=document.title=1>",
    "\x1b[31m\x1b]0;t\x07",
    "\x9b31m\u202e\u2066",
    "=1+1",
    "@SUM(A1)",
    "-1+cmd|' /C calc'!A1",
    '"; import os; "',
    "\\end{aligned} \\input{x}",
    "two\nlines\r\n\tand\x00more",
    "\ud800 alone",
)
"""For whoever shows words from outside."""

NAMES = tuple(word.replace("/", "∕") for word in WORDS if word.isascii() or word.isprintable())
"""Those that can be names of layers, without a slash."""


def renamed(path: Path, *, model: str = "mnist_14k") -> dict[str, str]:
    """Write a bundled model with hostile names to a file; the new names by the old ones."""
    with zipfile.ZipFile(asset(f"{model}.keras")) as source:
        files = {name: source.read(name) for name in source.namelist()}
    config = json.loads(files["config.json"])
    new = {}
    for k, layer in enumerate(config["config"]["layers"]):
        # Two words a name, so that a model's few layers have them all.
        first, second = (NAMES[(2 * k + n) % len(NAMES)] for n in (0, 1))
        new[layer["config"]["name"]] = f"{first} {second}{k}"
        layer["config"]["name"] = f"{first} {second}{k}"
    # A file with half a character in a text is refused.
    config["config"]["name"] = "".join(WORDS).replace("\ud800", "")
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return new


def markdown(at: Any) -> Iterator[str]:
    """All that a page gives Streamlit as Markdown: texts, notices, labels, options of some widgets."""
    for element in (*at.main, *at.sidebar):
        proto = getattr(element, "proto", None)
        if type(proto).__name__ in ("Code", "Html", "Selectbox", "Slider"):
            continue
        for field in ("body", "label", "help"):
            yield str(getattr(proto, field, ""))
        for option in getattr(proto, "options", ()):
            yield str(getattr(option, "content", option))


def marks(markdown: str) -> list[str]:
    """The pieces of `MARKDOWN` that stand in a text with nothing to take their meaning."""
    return [piece for piece in MARKDOWN if re.search(r"(?<!\\)" + re.escape(piece), markdown)]


def imported(code: str) -> set[str]:
    """The modules that a piece of Python imports by name."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import)]
    return {alias.name for node in nodes for alias in node.names}


def printed(text: str) -> bool:
    """Whether a terminal shows all of a text, line by line, and obeys none of it."""
    return all(c in "\n\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}" or c.isprintable() for c in text)


class Tags(HTMLParser):
    """What a browser makes of a piece of HTML: its tags, and attributes that would act."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.acting: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, Any]]) -> None:
        self.names.append(tag)
        self.acting += [name for name, _ in attributes if name.startswith("on")]
        self.acting += [value for _, value in attributes if str(value).lower().startswith("javascript:")]
