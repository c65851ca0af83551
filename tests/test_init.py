"""The package's front door: public names, found on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cnnviz

HEAVY = ("numpy", "scipy", "h5py", "tensorflow", "keras", "streamlit", "matplotlib")
PROGRAM = """
import sys, {module}
found = sorted(set(sys.modules) & set({heavy!r}))
sys.exit(f"imported: {{found}}" if found else 0)
"""


@pytest.mark.parametrize(("module", "clean"), [("cnnviz", True), ("cnnviz.ops", False)])
def test_importing_cnnviz_imports_nothing_heavy(module, clean):
    """The second case shows that the first one can fail."""
    program = PROGRAM.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ("" if clean else "imported: ['numpy', 'scipy']")


def test_public_names_are_found_on_first_use():
    assert set(cnnviz.__all__) <= set(dir(cnnviz))
    assert cnnviz.load_model is cnnviz.load_model
    assert cnnviz.load_model.__module__ == "cnnviz.network.keras_file"
    assert cnnviz.ops.__name__ == "cnnviz.ops"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cnnviz' has no attribute 'load_modle'"):
        _ = cnnviz.load_modle
    assert not hasattr(cnnviz, "keras")
