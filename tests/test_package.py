"""What importing pulls in, and what the wheel carries."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import zipfile
from importlib import import_module
from inspect import ismodule
from pathlib import Path

import pytest

import cnnviz

ROOT = Path(__file__).parents[1]
LAZY = ("tensorflow", "keras", "streamlit", "matplotlib")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(cnnviz.__path__, "cnnviz.")
    if not module.name.startswith(("cnnviz.apps", "cnnviz.__main__"))
)
PROGRAM = """
import sys
from importlib import import_module
for name in {modules!r}:
    import_module(name)
sys.exit(f"imported: {{sorted(set(sys.modules) & set({lazy!r}))}}" if set(sys.modules) & set({lazy!r}) else 0)
"""


def imported(modules: list[str]) -> str:
    program = PROGRAM.format(modules=modules, lazy=LAZY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    return done.stderr.strip()


def test_no_module_imports_tensorflow_streamlit_or_matplotlib():
    assert len(MODULES) > 150
    assert imported(MODULES) == ""


def test_that_the_test_of_imports_can_fail():
    assert imported(["cnnviz.figures", "matplotlib.figure"]) == "imported: ['matplotlib']"


def test_no_public_callable_shares_a_submodules_name():
    """Importing a submodule would put it in the place of the function."""
    for module in MODULES:
        import_module(module)
    for name in cnnviz.__all__:
        value = getattr(cnnviz, name)
        if f"cnnviz.{name}" in MODULES:
            assert value is sys.modules[f"cnnviz.{name}"]
        else:
            assert callable(value), name


def test_no_figure_shares_a_submodules_name():
    modules = {name.rpartition(".")[2] for name in MODULES if name.startswith("cnnviz.figures.")}
    assert {name for name in modules if not ismodule(vars(cnnviz.figures)[name])} == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    build = "import os, hatchling.build as b; print(b.build_wheel(os.environ['OUT']))"
    done = subprocess.run(
        [sys.executable, "-c", build],
        cwd=ROOT,
        env={"OUT": str(out), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(out / done.stdout.split()[-1])


def test_the_wheel_carries_the_package_the_app_and_the_assets(wheel):
    names = set(wheel.namelist())
    needed = {"cnnviz/commands/cli.py", "cnnviz/apps/explorer.py", "cnnviz/assets/mnist.npz"}
    needed |= {f"cnnviz/assets/{name}.keras" for name in ("mnist_14k", "mnist_maxpool")}
    tracked = (path.relative_to(ROOT) for path in (ROOT / "apps").rglob("*") if path.is_file())
    needed |= {f"cnnviz/{path.as_posix()}" for path in tracked if "__pycache__" not in path.parts}
    assert needed <= names
    assert not [name for name in names if "test" in name or name.endswith(".png") or "pycache" in name]
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cnnviz"}


def test_the_wheel_needs_no_tensorflow(wheel):
    metadata = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    needs = [line for line in wheel.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
    base = {line.split()[1].split(">")[0] for line in needs if "extra ==" not in line}
    assert base == {"numpy", "scipy", "matplotlib", "streamlit", "h5py", "pillow", "threadpoolctl"}
