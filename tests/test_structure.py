"""The house: which rooms there are, that imports only go down in no circle, and that one name is one thing.

Imports are read from the source, wherever they stand: at the top, in a function, or for type checkers only.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from cnnviz.layers import ENTRIES

ROOT = Path(__file__).parents[1]
STOREYS = (
    {"apps"},
    {"cnnviz.__main__"},
    {"cnnviz.commands"},
    {"cnnviz.teaching"},
    {"cnnviz.stage"},
    {"cnnviz.animate", "cnnviz.figures"},
    {"cnnviz.receipts"},
    {"cnnviz.concepts"},
    {"cnnviz.channels", "cnnviz.kernels"},
    {"cnnviz.verification"},
    {"cnnviz.training"},
    {"cnnviz.receptive_fields"},
    {"cnnviz.network"},
    {"cnnviz.layers"},
    {"cnnviz.ops"},
    {"cnnviz.images"},
    {"cnnviz.colours", "cnnviz.numbers", "cnnviz.resources"},
)
"""The rooms from the top to the bottom: each imports from those below it, never from one above."""

STOREY = {room: number for number, rooms in enumerate(STOREYS) for room in rooms}

PAGES, LESSONS, QUESTIONS = "apps/pages", "apps/lessons", "cnnviz/teaching/questions"
WALKS = "cnnviz/teaching/walks"
MIRRORS = (
    # A page, its lesson, its walk and its questions are called alike, after the concept whose code they show.
    (
        PAGES,
        (
            *(LESSONS, QUESTIONS, WALKS, "cnnviz/teaching"),
            *("cnnviz/concepts", "cnnviz/figures", "cnnviz/ops", "cnnviz/layers"),
        ),
    ),
    # A figure is found under the name of what it draws.
    (
        "cnnviz/figures",
        (
            *("cnnviz/concepts", "cnnviz/channels", "cnnviz/kernels", "cnnviz/receptive_fields"),
            *("cnnviz/receipts", "cnnviz/layers", "cnnviz/ops", "cnnviz/network", "cnnviz/images"),
        ),
    ),
    # A layer's entry says of a network's layer what its operation computes.
    ("cnnviz/layers", ("cnnviz/ops",)),
    # A command is called like what it runs.
    ("cnnviz/commands", ("cnnviz/concepts", "cnnviz/stage")),
)
"""Rooms whose files may have one name, since they are about one thing."""

Imports = Mapping[str, Iterable[str]]
"""What each module imports: names of modules."""


def modules(root: Path) -> dict[str, Path]:
    """All modules of the house by name; the scripts in apps/ import each other by their bare names."""
    found = {}
    for folder in ("cnnviz", "apps"):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of the house that a module imports, with the packages whose doors open on the way."""
    asked = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            asked.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            asked.update(f"{node.module}.{alias.name}" for alias in node.names)
    found = set()
    for target in asked:
        target = f"apps.{target}" if f"apps.{target.split('.')[0]}" in known else target
        while target and target not in known:
            target = target.rpartition(".")[0]
        if target:
            found.add(target)
    # Importing a.b.c opens the door a/b/__init__.py, unless one is inside already. cnnviz's own door
    # imports nothing until it is asked.
    doors = {module.rpartition(".")[0] for module in found} & known.keys()
    inside = {door for door in doors if name.startswith(f"{door}.")}
    return (found | (doors - inside)) - {name, "cnnviz"}


def house(root: Path) -> dict[str, set[str]]:
    known = modules(root)
    return {name: imports_of(name, path, known) for name, path in known.items() if name != "cnnviz"}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "apps" else ".".join(parts[:2])


def upward(imports: Imports) -> list[str]:
    """The imports that go up, and those between two rooms of one storey that go both ways."""
    between = defaultdict(set)
    for name, targets in imports.items():
        for target in targets:
            if room_of(name) != room_of(target):
                between[room_of(name), room_of(target)].add(f"{name} imports {target}")
    wrong = []
    for (above, below), lines in between.items():
        both = STOREY[above] == STOREY[below] and (below, above) in between
        if STOREY[above] > STOREY[below] or both:
            wrong += sorted(lines)
    return wrong


def circles(imports: Imports) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in imports.get(module, ()):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in index:
            visit(module)
    return found


@pytest.fixture(scope="module")
def imports():
    found = house(ROOT)
    assert len(found) > 200
    return found


def test_the_top_level_holds_rooms_and_nothing_else(imports):
    rooms = {room_of(name) for name in imports}
    assert rooms <= STOREY.keys()
    names = {path.name for path in (ROOT / "cnnviz").iterdir() if path.name != "__pycache__"}
    allowed = {room.removeprefix("cnnviz.") for room in STOREY} | {"__init__"}
    assert {name.removesuffix(".py") for name in names} - {"py.typed"} <= allowed


def test_imports_only_go_down(imports):
    assert upward(imports) == []


def test_no_files_import_each_other_in_a_circle(imports):
    assert circles(imports) == []


def test_a_circle_and_an_import_that_goes_up_are_found(imports, tmp_path):
    """In the real house with one import more, wherever it stands."""
    assert circles({**imports, "cnnviz.ops.padding": {"cnnviz.ops.gemm"}}) != []
    assert upward({**imports, "cnnviz.ops.padding": {"cnnviz.network.run"}}) == [
        "cnnviz.ops.padding imports cnnviz.network.run"
    ]
    hidden = """
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from cnnviz.ops.im2col import im2col

        def later():
            import cnnviz.network.run
    """
    path = tmp_path / "padding.py"
    path.write_text(dedent(hidden), encoding="utf-8")
    found = imports_of("cnnviz.ops.padding", path, modules(ROOT))
    assert found == {"cnnviz.ops.im2col", "cnnviz.network.run", "cnnviz.network"}


def connected(folders: Iterable[str]) -> bool:
    """Whether files of one name in these folders are all about one thing."""
    pairs = {frozenset((room, other)) for room, others in MIRRORS for other in others}
    first, *left = folders
    reached = [first]
    for room in reached:
        found = [other for other in left if frozenset((room, other)) in pairs]
        reached += found
        left = [other for other in left if other not in found]
    return not left


def test_one_name_one_file():
    folders = defaultdict(list)
    for path in modules(ROOT).values():
        if path.name not in ("__init__.py", "__main__.py"):
            folders[path.name].append(path.parent.relative_to(ROOT).as_posix())
    assert {name: rooms for name, rooms in folders.items() if not connected(rooms)} == {}


def test_one_name_one_class():
    homes = defaultdict(list)
    for name, path in modules(ROOT).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


OTHER_TESTS = {"apps", "benchmarks", "browser", "harness", "hostile"}
"""Folders of tests/ beside those that are called like rooms of cnnviz."""

ACROSS = {
    "apps/test_changed_weights.py": "all of apps/pages",
    "apps/test_opened_network.py": "all of apps/pages",
    "apps/test_pages.py": "all of apps/pages",
    "apps/test_lessons.py": "all of apps/lessons",
    "apps/test_theme.py": "apps/style.css and Streamlit's configuration",
    "figures/test_channels_drawn.py": "all figures of channels",
    "figures/test_data_drawn.py": "what figures keep of their data",
    "figures/test_every_figure.py": "all figures",
    "figures/test_kernel_figures.py": "all figures of kernels",
    "figures/test_receptive_field_figures.py": "all figures of receptive fields",
    "layers/test_entry.py": "all entries",
    "layers/test_gradients.py": "all entries' gradients",
    "network/test_gradient.py": "run.py's gradients, and those of whole networks",
    "teaching/walks/test_every_walk.py": "all walks",
    "teaching/walks/test_lesson_walks.py": "what the lessons' walks claim",
    "teaching/questions/test_claims.py": "what all questions claim",
    "stage/test_backward.py": "the gradients of all stages, from Python through Node",
    "stage/test_every_pair.py": "the numbers of all stages, from Python through Node",
    "ops/test_finite_differences.py": "all gradients",
    "ops/test_gradients.py": "all gradients",
    "receipts/test_receipts_shown.py": "a receipt as text, LaTeX, HTML, code and figure",
    "receptive_fields/test_local_fields.py": "fields beside global pooling, in Python and in the page",
    "receptive_fields/test_tensorflow.py": "all layers' fields",
    "stage/test_javascript.py": "all of stage/js and stage/components, without a page",
    "stage/test_tracing.py": "contributions and ways to the pixels, through Node",
    "training/test_lesson_runs.py": "the small recorded runs among the assets",
}
"""Tests of several modules, by what they are about; others are called like the module that they test."""


def has_its_module(path: Path) -> bool:
    """Whether a file of tests is called like a module, in the folder of its room."""
    room = path.parent.relative_to(ROOT / "tests")
    name = path.stem.removeprefix("test_")
    if room.parts[0] == "apps":
        homes = [ROOT / "apps" / f"{name}.py", ROOT / "apps" / "pages" / f"{name.removesuffix('_page')}.py"]
    elif room.parts[0] == "harness":
        homes = [path.with_name(f"{name}.py")]
    else:
        homes = [ROOT / "cnnviz" / room / f"{name}.py"]
    whole_room = name == room.name
    return whole_room or any(home.is_file() for home in homes)


def test_tests_mirror_the_rooms():
    rooms = {room.removeprefix("cnnviz.") for room in STOREY}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= rooms | OTHER_TESTS
    files = sorted((ROOT / "tests").glob("*/**/test_*.py"))
    free = ("benchmarks", "browser", "hostile")
    files = [path for path in files if path.relative_to(ROOT / "tests").parts[0] not in free]
    strays = {path.relative_to(ROOT / "tests").as_posix() for path in files if not has_its_module(path)}
    assert strays == ACROSS.keys()


def test_a_layer_class_is_named_in_two_modules_at_most():
    """What a class is, its entry says: outside `layers` no room decides anything by the name of a class."""
    named = defaultdict(set)
    for name, path in modules(ROOT).items():
        if room_of(name) not in ("apps", "cnnviz.layers"):
            for text in strings(ast.parse(path.read_text(encoding="utf-8"))):
                if text in ENTRIES:
                    named[text].add(name)
    assert len(named) > 10
    assert {kind: places for kind, places in named.items() if len(places) > 2} == {}


def strings(tree: ast.Module) -> set[str]:
    """The texts in a module but its docstrings and the names in __all__."""
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            left_out |= {id(each) for each in ast.walk(node)}
    constants = (
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in left_out
    )
    return {node.value for node in constants if isinstance(node.value, str)}
