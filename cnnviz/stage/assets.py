"""The browser's part as one script: the modules under js/ joined in the order of their imports.

They are plain ES modules that a browser takes as they are; each becomes a function that is called once
and returns what it exports, so that a page needs one script and no requests. Only what these modules
use is understood: named imports from "./x.js", and `export` before a function, class or const.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@lru_cache
def script(entry: str) -> str:
    """The module `entry`.js and all that it imports, as one script; what it exports is `entry_module`'s.

    Raises ValueError for modules that import each other in a circle.

    >>> script("scene").count("const scene_module")
    1
    """
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"modules must not import each other: {' > '.join((*path, name))}")
        if name in order:
            return
        for _, imported in _IMPORT.findall(_source(name)):
            visit(imported, (*path, name))
        order.append(name)

    visit(entry, ())
    return "\n".join(map(_called_once, order))


@lru_cache
def style() -> str:
    """The style sheet."""
    return (_HERE / "view.css").read_text(encoding="utf-8")


def _source(name: str) -> str:
    return (_HERE / "js" / f"{name}.js").read_text(encoding="utf-8")


def _called_once(name: str) -> str:
    source = _source(name)
    exported = ", ".join(_EXPORT.findall(source))
    body = _IMPORT.sub(r"const \1 = \2_module;\n", _EXPORT.sub("", source))
    return f"const {name}_module = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"
