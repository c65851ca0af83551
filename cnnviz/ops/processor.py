"""The processor at hand: its name, its caches, and what was measured on it once and is kept.

What is measured may decide in which order sums are rounded. So it is measured once for a machine: where it
cannot be kept, in a home that is read-only, nothing is measured, and every run takes the same defaults.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN = {1: 32 << 10, 2: 1 << 20}
"""Bytes of a core's caches where the system does not say."""


@lru_cache
def cache_bytes(level: int) -> int:
    """Bytes of a core's data cache, 1 the first or 2 the second level; its part of one that cores share."""
    for ask in (_from_linux, _from_sysconf, _from_macos):
        try:
            size = ask(level)
        except (OSError, ValueError, AttributeError):
            continue
        if size > 0:
            return size
    return UNKNOWN[level]


def _from_linux(level: int) -> int:
    for folder in CACHES.glob("index*"):
        said = {name: (folder / name).read_text().strip() for name in ("level", "type", "size")}
        if said["level"] == str(level) and said["type"] != "Instruction":
            unit = {"K": 10, "M": 20}.get(said["size"][-1], 0)
            return (int(said["size"].rstrip("KM")) << unit) // _cores(folder)
    return 0


def _cores(folder: Path) -> int:
    """How many cores share a cache; threads of one core count once."""
    sharing = _numbers((folder / "shared_cpu_list").read_text())
    siblings = _numbers((CACHES.parent / "topology" / "thread_siblings_list").read_text())
    return max(1, sharing // max(siblings, 1))


def _numbers(ranges: str) -> int:
    """How many numbers a list like "0-3,8" has."""
    ends = [part.split("-") for part in ranges.strip().split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _from_sysconf(level: int) -> int:
    return os.sysconf({1: "SC_LEVEL1_DCACHE_SIZE", 2: "SC_LEVEL2_CACHE_SIZE"}[level])


def _from_macos(level: int) -> int:
    if sys.platform != "darwin":
        return 0
    size, room = ctypes.c_int64(0), ctypes.c_size_t(8)
    name = {1: b"hw.perflevel0.l1dcachesize", 2: b"hw.perflevel0.l2cachesize"}[level]
    ctypes.CDLL(None).sysctlbyname(name, ctypes.byref(size), ctypes.byref(room), None, ctypes.c_size_t(0))
    # Four cores or more share the second level.
    return size.value // (4 if level == 2 else 1)


@lru_cache
def processor_name() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


@lru_cache
def blas_name() -> str:
    """NumPy's BLAS, and for which processor's its kernels are: "openblas 0.3.31 SkylakeX"."""
    from threadpoolctl import threadpool_info

    # Of several NumPy's has the larger integers.
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    found.sort(key=lambda each: "64_" not in each["filepath"])
    parts = (
        (str(found[0].get(key) or "") for key in ("internal_api", "version", "architecture")) if found else ()
    )
    return " ".join(filter(None, parts)) or "an unknown BLAS"


def measured_once(name: str, measure: Callable[[], Any]) -> Any:
    """What `measure` returned on this machine, with this BLAS, the first time; None where it cannot be kept.

    `measure` returns what JSON can hold.
    """
    try:
        folder = cache_folder()
    except RuntimeError:  # A user without a home, as in many containers.
        return None
    try:
        known = hashlib.sha256(f"{processor_name()} {blas_name()}".encode()).hexdigest()[:16]
        path = folder / f"{name}-{known}.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False) as file:
                try:
                    json.dump(measure(), file)
                    file.flush()
                    # The first of several processes decides; os.replace would let the last one.
                    if not path.exists():
                        _appear(file.name, path)
                finally:
                    Path(file.name).unlink(missing_ok=True)
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _appear(made: str, path: Path) -> None:
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(made, path)


def cache_folder() -> Path:
    """Where a user's programs keep what they can make again; `CNNVIZ_CACHE` says another place."""
    own = os.environ.get("CNNVIZ_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "cnnviz"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cnnviz"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnviz"
