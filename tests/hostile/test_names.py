"""A network whose every name is hostile: in every page, command, receipt and file it is shown as words."""

from __future__ import annotations

import ast
import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from apps.conftest import PAGES, given, htmls
from cnnviz import Network
from cnnviz.commands import main
from cnnviz.resources import app
from cnnviz.stage.export import export
from harness.hostile import NAMES, Tags, imported, markdown, marks, printed, renamed

DIGIT = cnnviz.load_mnist()[1][0][0]


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with hostile names, in a file with a hostile name."""
    path = tmp_path_factory.mktemp("files") / "![a](b) \x1b[31m=1+1 <img src=x onerror=1>.keras"
    renamed(path)
    return path


@pytest.fixture(scope="module")
def hostile(hostile_file) -> Network:
    return cnnviz.load_model(hostile_file)


@pytest.fixture(scope="module")
def explorer(visit, hostile) -> Iterator:
    """visit(page) in an explorer that has this network, and no other."""
    visit("overview")
    cached = sys.modules["cached"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cached, "available_models", lambda: [NAMES[0]])
        patch.setattr(cached, "network", lambda which: hostile)
        patch.setattr(cached, "saved", lambda model: hostile)
        yield visit


VIEWS = [(page, "") for page in PAGES] + [("feature_maps", view) for view in ("sums", "two")]


@pytest.mark.parametrize(("page", "view"), VIEWS)
def test_a_page_shows_names_as_words(explorer, page, view):
    at = explorer(page, **({"look": view} if view else {}))
    assert not at.exception
    found = list(markdown(at))
    assert len(found) > 10
    assert not [text for text in found if marks(text)]
    tables = given(at, "cnnviz.table")
    drawn = [data["svg"] for data in given(at, "cnnviz.picture")]
    for text in (htmls(at), *(data["table"] for data in tables), *drawn):
        tags = Tags(text)
        assert not tags.acting
        assert not {"script", "iframe"} & set(tags.names)
        assert "<img src=x" not in text
    for row in (row for data in tables for row in csv.reader(io.StringIO(data["csv"]))):
        assert not [cell for cell in row if cell[:1] in ("=", "@") or not printed(cell)]
    for code in at.code:
        assert "os" not in imported(code.value)
        assert printed(code.value)


COMMANDS = (
    ("info", "MODEL"),
    ("evaluate", "MODEL", "--images", "20"),
    ("predict", "IMAGE", "--model", "MODEL"),
    ("info", "\x1b[31m none"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_writes_nothing_that_a_terminal_obeys(capsys, tmp_path, hostile_file, command):
    image = tmp_path / "\x1b[31m.png"
    Image.fromarray(np.kron(DIGIT, np.ones((4, 4), np.uint8))).save(image, "PNG")
    places = {"MODEL": str(hostile_file), "IMAGE": str(image)}
    main([places.get(word, word) for word in command])
    out, err = capsys.readouterr()
    assert out or err
    assert printed(out + err)


def test_the_library_prints_names_on_one_line(hostile):
    run, fields = hostile.run(DIGIT), cnnviz.receptive_field(hostile)
    things = [hostile, run, fields, *hostile, *fields.values(), cnnviz.view(hostile, DIGIT)]
    assert all(printed(repr(thing)) and "\n" not in repr(thing) for thing in things)
    assert printed(str(fields))
    for layer in hostile:
        receipt = cnnviz.explain(run, layer.name, at=(0,) * len(layer.output_shape))
        assert printed(f"{receipt}{receipt.to_latex()}")
        tags = Tags(receipt.to_html())
        assert not tags.acting
        assert not {"script", "img", "svg"} & set(tags.names)
        assert "os" not in imported(receipt.to_code("cnnviz")) | imported(receipt.to_code("keras"))


def test_an_exported_page_has_no_tag_more(hostile_file, tmp_path):
    usual = Tags(export(tmp_path / "usual.html", digits=[0]).read_text("utf-8"))
    made = Tags(export(tmp_path / "hostile.html", digits=[0], model=str(hostile_file)).read_text("utf-8"))
    assert made.names == usual.names
    assert made.acting == usual.acting


SAYING = {"markdown", "caption", "info", "warning", "error", "success", "header", "subheader", "title"}
SAYING |= {"button", "expander", "progress", "page_link", "toggle", "checkbox", "write"}
"""What takes Markdown of Streamlit's `st`."""
FROM_OUTSIDE = re.compile(r"(?<!digit\.)\b(name|model|layer|error|reason|nearest|label)\b")
SAFE = {"plain", "percent", "number", "probability"}


def unescaped(node: ast.AST) -> Iterator[str]:
    """What a piece of code puts into a text that may come from a file or an address, not through `plain`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in SAFE:
        return
    if isinstance(node, ast.FormattedValue) and FROM_OUTSIDE.search(ast.unparse(node.value)):
        yield from unescaped(node.value)
        if not isinstance(node.value, ast.Call):
            yield ast.unparse(node.value)
    for child in ast.iter_child_nodes(node):
        yield from unescaped(child)


def test_no_page_puts_a_name_into_markdown_as_it_is():
    found = set()
    for path in app().parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"st.{kind}" for kind in SAYING}:
                said = [word.value for word in node.keywords if word.arg in ("label", "text", "help")]
                found |= {
                    f"{path.name}: {words}" for text in (*node.args, *said) for words in unescaped(text)
                }
    assert found == set()


def test_no_command_prints_but_by_what_makes_lines_safe():
    folder = Path(cnnviz.__file__).parent / "commands"
    printing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
    }
    assert printing <= {"shared.py", "cli.py"}
