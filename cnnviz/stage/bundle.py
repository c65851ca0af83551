"""How the JavaScript is bundled: a module and all that it imports, joined into one script.

They are plain ES modules that a browser and Node take as they are: js/ holds the view and what is shared,
components/ the small components of pages. In the bundle each becomes a function that is called once and
returns what it exports, so that a page needs one script and no requests. Only what these modules use is
understood: named imports from a relative path, and `export` before a function, class or const. The address of
a worker's module, `new URL("./x.js", import.meta.url)`, becomes that of a script made of the sources that are
there already, so that a worker needs no file either.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\.[./\w]*)";\n', re.MULTILINE)
_WORKER = re.compile(r'new URL\("(\./\w+\.js)", import\.meta\.url\)')
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@lru_cache
def script(entry: str) -> str:
    """The module `entry`.js of js/ and all that it imports, as one script; its exports are `entry_module`'s.

    Raises ValueError for modules that import each other in a circle, and for two of one name.

    >>> script("scene").count("const scene_module")
    1
    """
    return _joined(HERE / "js" / f"{entry}.js")


@lru_cache
def component(name: str) -> dict[str, Any]:
    """The HTML, CSS and JavaScript of a component in components/, as Streamlit takes them.

    Its module exports `show`, which Streamlit calls; its style sheet, if it has one, follows base.css.

    >>> sorted(component("table"))
    ['css', 'html', 'js']
    """
    folder = HERE / "components"
    own = {ending: folder / f"{name}.{ending}" for ending in ("html", "css")}
    parts = {ending: _text(path) if path.exists() else None for ending, path in own.items()}
    if parts["css"] is not None:
        parts["css"] = _text(folder / "base.css") + parts["css"] + _text(folder / "print.css")
    return {"js": f"{_joined(folder / f'{name}.js')}\nexport default {name}_module.show;\n", **parts}


@lru_cache
def hosted(name: str, entry: str) -> str:
    """A component's module and the module `entry`.js of js/ that is its host elsewhere, as one script.

    >>> hosted("epochs", "recorded_runs").count("const dom_module")
    1
    """
    return _joined(HERE / "components" / f"{name}.js", HERE / "js" / f"{entry}.js")


@lru_cache
def style() -> str:
    """The view's style sheet."""
    return _text(HERE / "view.css")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def imports_of(path: Path) -> list[Path]:
    """The files that a module imports, and those that it starts as workers."""
    source = _source(path)
    names = [imported for _, imported in _IMPORT.findall(source)] + _WORKER.findall(source)
    return [(path.parent / name).resolve() for name in names]


def _joined(*entries: Path) -> str:
    return "\n".join(map(_called_once, _in_order(*entries)))


def _in_order(*entries: Path) -> list[Path]:
    """Modules and all that they need, each behind those that it imports."""
    order: list[Path] = []

    def visit(path: Path, way: tuple[str, ...]) -> None:
        if path.stem in way:
            raise ValueError(f"modules must not import each other: {' > '.join((*way, path.stem))}")
        if path in order:
            return
        if path.stem in [other.stem for other in order]:
            raise ValueError(f"two modules of a bundle must not have one name: {path.stem}")
        for imported in imports_of(path):
            visit(imported, (*way, path.stem))
        order.append(path)

    for entry in entries:
        visit(entry, ())
    return order


_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
"""A comment that has its lines to itself; no text of these modules looks like one."""


def _source(path: Path) -> str:
    """A module as it is sent: its comments are for who reads the sources, and a third of it."""
    return _COMMENT.sub("", _text(path))


def _called_once(path: Path) -> str:
    source = _source(path)
    exported = ", ".join(_EXPORT.findall(source))
    body = _IMPORT.sub(
        lambda found: f"const {found[1]} = {Path(found[2]).stem}_module;\n", _EXPORT.sub("", source)
    )
    body = _WORKER.sub(lambda found: _own_script((path.parent / found[1]).resolve()), body)
    stem = path.stem
    return (
        f"const {stem}_source = () => {{\n{body}\nreturn {{ {exported} }};\n}};\n"
        f"const {stem}_module = {stem}_source();"
    )


def _own_script(entry: Path) -> str:
    """An expression for the address of a script that is a module and all that it imports."""
    sources = ", ".join(f"{path.stem}: {path.stem}_source" for path in _in_order(entry))
    line = "`const ${name}_module = (${source})();\\n`"
    joined = f"Object.entries({{ {sources} }}).map(([name, source]) => {line})"
    return f'URL.createObjectURL(new Blob({joined}, {{ type: "text/javascript" }}))'
