"""Bundled files and atomic writes."""

from __future__ import annotations

import stat

import pytest

from cnnviz import resources
from cnnviz.resources import app, asset, write_atomically


def test_bundled_files_are_found():
    assert asset("mnist.npz").is_file()
    assert app().is_file()


def test_a_wheel_looks_inside_the_package_and_a_clone_beside_it(tmp_path, monkeypatch):
    package = tmp_path / "cnnviz"
    package.mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert asset("a.txt") == tmp_path / "assets" / "a.txt"
    (package / "assets").mkdir()
    assert asset("a.txt") == package / "assets" / "a.txt"


def test_a_file_is_replaced_whole_and_readable(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    write_atomically(path, lambda temporary: open(temporary, "w").close())
    assert path.read_text() == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(temporary):
        with open(temporary, "w") as file:
            file.write("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
