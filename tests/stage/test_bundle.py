"""The bundle: modules joined in the order of their imports, for the view and for every component."""

from __future__ import annotations

import re

import pytest

from cnnviz.stage import bundle

MODULES = sorted((bundle.HERE / "js").glob("*.js"))
COMPONENTS = sorted(path.stem for path in (bundle.HERE / "components").glob("*.js"))


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_modules_are_joined_in_the_order_of_their_imports(path):
    joined = bundle.script(path.stem)
    order = re.findall(r"^const (\w+)_module = ", joined, re.MULTILINE)
    assert len(order) == len(set(order))
    assert order[-1] == path.stem
    for name in order:
        source = bundle.HERE / "js" / f"{name}.js"
        used = bundle.imports_of(source)
        assert all(order.index(other.stem) < order.index(name) for other in used)
        assert all(other.parent == bundle.HERE / "js" for other in used), "shared modules know no component"
        named = r'^(?:import .*|}) from "|new URL\("'
        assert len(used) == len(re.findall(named, source.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_a_module_that_streamlit_can_call(name):
    code = bundle.component(name)["js"]
    assert code is not None
    assert code.endswith(f"\nexport default {name}_module.show;\n")
    assert len(re.findall(r"^(import|export) ", code, re.MULTILINE)) == 1
    assert re.search(r"^return { .*\bshow\b.* };$", code, re.MULTILINE)


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_all_components_look_like_is_said_once(name):
    css = bundle.component(name)["css"] or ":host { display: block; }"
    assert css.count(":host { display: block; }") == 1
    assert css.count("--muted:") <= 1 >= css.count("font-family: var(--st-font)")


def test_a_circle_and_a_name_used_twice_are_refused(tmp_path, monkeypatch):
    (tmp_path / "js" / "inner").mkdir(parents=True)
    for name, source in {
        "one": 'import { b } from "./two.js";\n',
        "two": 'import { a } from "./one.js";\n',
        "four": 'import { a } from "./five.js";\nimport { b } from "./inner/five.js";\n',
        "five": "export const a = 1;\n",
        "inner/five": "export const b = 1;\n",
    }.items():
        (tmp_path / "js" / f"{name}.js").write_text(source)
    monkeypatch.setattr(bundle, "HERE", tmp_path)
    with pytest.raises(ValueError, match="must not import each other: one > two > one"):
        bundle.script.__wrapped__("one")
    with pytest.raises(ValueError, match="two modules of a bundle must not have one name: five"):
        bundle.script.__wrapped__("four")
