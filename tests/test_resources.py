"""Bundled files and atomic writes."""

from __future__ import annotations

import hashlib
import stat

import numpy as np
import pytest

from cnnviz import resources
from cnnviz.resources import app, asset, checksum, write_arrays, write_atomically


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


def test_what_cannot_be_written_is_named_as_it_was_given(tmp_path):
    def never(temporary):
        raise AssertionError

    (tmp_path / "file").touch()
    for path, kind, message in (
        (
            tmp_path / "no" / "a.html",
            FileNotFoundError,
            f"there is no folder {tmp_path}/no to write a.html in",
        ),
        (tmp_path / "file" / "a.html", OSError, f"cannot write a.html in {tmp_path}/file: Not a directory"),
        (tmp_path, IsADirectoryError, f"{tmp_path} is a folder, not a file to write"),
    ):
        with pytest.raises(kind) as refused:
            write_atomically(path, never)
        assert str(refused.value) == message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_arrays_are_read_as_they_were_written_and_have_a_checksum(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"x/y": np.arange(3), "n": np.array(5)})
    with np.load(path, allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in archive.files} == {"x/y": [0, 1, 2], "n": 5}
    assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()
