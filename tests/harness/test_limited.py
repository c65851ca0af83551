"""The limits themselves: what stays within them, what breaks out of them, and what ends its process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from harness.limited import MEGABYTE, limited_calls, limited_command

LINUX = pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is measured on Linux")


def behave(case: tuple[str, float] | None) -> float:
    """What a case asks for."""
    deed, size = case or ("return", 0)
    if deed == "hold":
        return len(bytearray(int(size) * MEGABYTE))
    if deed == "raise":
        raise ValueError(f"no {size}")
    if deed == "sleep":
        time.sleep(size)
    if deed == "work":
        begin = time.process_time()
        while time.process_time() < begin + size:
            pass
    if deed == "end":
        os._exit(int(size))
    return size


@LINUX
def test_one_child_says_what_came_of_each_case() -> None:
    cases = [
        ("return", 3),
        ("hold", 80),
        ("raise", 7),
        ("hold", 4000),
        ("end", 5),
        ("sleep", 60),
        ("sleep", 0.4),
        ("work", 60),
    ]
    ends = list(limited_calls(behave, cases, seconds=0.5, grace=0.5))
    assert [end.value for end in ends] == [3, 80 * MEGABYTE, None, None, None, None, 0.4, None]
    errors = ["", "", "ValueError", "MemoryError", "ChildProcessError", "TimeoutError", "", "TimeoutError"]
    assert [end.error for end in ends] == errors
    assert ends[0].peak < 5 * MEGABYTE < 79 * MEGABYTE < ends[1].peak < 90 * MEGABYTE
    assert ends[2].message == "no 7"
    assert "in behave" in ends[2].trace
    assert ends[4].status == 5
    assert ends[5].seconds >= 1
    assert ends[6].seconds >= 0.4 > 0.2 > ends[6].worked


def work_beside_others(seconds: float | None) -> None:
    """Works on a processor that four others want too."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    busy = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    others = [subprocess.Popen(busy) for _ in range(4 if seconds else 0)]
    behave(("work", seconds or 0))
    for other in others:
        other.kill()
        other.wait()


@LINUX
def test_waiting_for_a_processor_does_not_count() -> None:
    (end,) = limited_calls(work_beside_others, [0.4], seconds=0.5, grace=0.3)
    assert not end.error
    assert end.worked < 0.5 < 0.9 < end.seconds


def work_in_a_child(seconds: float | None) -> None:
    """Starts a process that works, and sleeps until it has ended."""
    program = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", program, str(seconds or 0)], check=True)


@LINUX
def test_the_work_of_what_a_case_has_started_counts_once() -> None:
    ends = list(limited_calls(work_in_a_child, [0.4, 60.0], seconds=0.6, grace=0.4))
    assert [end.error for end in ends] == ["", "TimeoutError"]


@LINUX
def test_a_command_has_its_memory_and_its_time() -> None:
    program = "import sys; x = bytearray({} * 2**20); print(len(sys.stdin.read())); sys.exit(3)"
    end = limited_command(sys.executable, "-c", program.format(80), memory=100 * MEGABYTE, sent=b"four")
    assert (end.value, end.message, end.status, end.error) == ("4\n", "", 3, "")
    assert 80 * MEGABYTE <= end.peak < 110 * MEGABYTE
    end = limited_command(sys.executable, "-c", program.format(4000), memory=100 * MEGABYTE)
    assert end.status == 1
    assert "MemoryError" in end.message
    end = limited_command(sys.executable, "-c", "import time; time.sleep(60)", seconds=0.3)
    assert end.error == "TimeoutError"
