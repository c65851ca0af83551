"""What the system says of the processor is read, and what was measured is kept once for all processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cnnviz.ops import processor
from cnnviz.ops.processor import cache_bytes, measured_once


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys of a processor with 48 KB for each core, and 4 MB for each four cores of two threads."""
    caches = (
        ("1", "Data", "48K", "0,8"),
        ("1", "Instruction", "32K", "0,8"),
        ("2", "Unified", "4M", "0-3,8-11"),
    )
    for place, (level, kind, size, shared) in enumerate(caches):
        folder = tmp_path / "cache" / f"index{place}"
        folder.mkdir(parents=True)
        for name, value in zip(
            ("level", "type", "size", "shared_cpu_list"), (level, kind, size, shared), strict=True
        ):
            (folder / name).write_text(f"{value}\n")
    (tmp_path / "topology").mkdir()
    (tmp_path / "topology" / "thread_siblings_list").write_text("0,8\n")
    monkeypatch.setattr(processor, "CACHES", tmp_path / "cache")
    cache_bytes.cache_clear()
    yield tmp_path
    cache_bytes.cache_clear()


def test_a_cores_part_of_a_cache(linux: Path) -> None:
    assert (cache_bytes(1), cache_bytes(2)) == (48 << 10, 1 << 20)


def test_an_unknown_processor_has_caches_too(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (linux / "cache" / "index2" / "size").write_text("large\n")
    monkeypatch.setattr(os, "sysconf", lambda name: 0)
    assert cache_bytes(2) == processor.UNKNOWN[2]


def test_this_processor_and_its_blas_have_names() -> None:
    assert processor.processor_name()
    assert processor.blas_name() != ""


def test_the_first_measurement_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path))

    def beaten() -> list[int]:
        """Another process is done while this one measures."""
        assert measured_once("speed", lambda: [1]) == [1]
        return [2]

    assert measured_once("speed", beaten) == [1]
    assert measured_once("speed", lambda: [3]) == [1]
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text()) == [1]
    kept.write_text("[1")  # a damaged file is no measurement, and is not mended behind others' backs
    assert measured_once("speed", lambda: [3]) is None


def test_another_blas_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path))
    assert measured_once("speed", lambda: 1) == 1
    monkeypatch.setattr(processor, "blas_name", lambda: "another")
    assert measured_once("speed", lambda: 2) == 2


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user stands in no list: `Path.home` then raises RuntimeError."""
    pwd = pytest.importorskip("pwd")

    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME", "CNNVIZ_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert measured_once("speed", lambda: 1) is None
