"""Functions and commands under limits of memory and time, in a process of their own.

`limited_calls` calls one function with many cases in one child, which a case that breaks out of the limits
ends (the next case gets a new one); `limited_command` runs one command. Both say what came of it, the most
memory it held and the time it took. Memory is what is resident (Linux's VmHWM); RLIMIT_AS stops what goes
far over the limit before the machine feels it. The module itself imports nothing but the standard library:
it is the child's program too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

MEGABYTE = 2**20
HEADROOM = 512 * MEGABYTE
"""What RLIMIT_AS lets a child ask for beside its limit: threads' stacks and allocators' reserves."""

STARTING = 120.0
"""Seconds for a child to start and import."""

TICK = 0.05
"""Seconds between two looks at what a child does."""


@dataclass(frozen=True)
class Outcome:
    """What came of one call or command.

    Attributes
    ----------
    value
        What the function returned; of a command its standard output.
    error, message, trace
        The exception's class and words, and its traceback; of a command, `message` is its standard error.
        "TimeoutError" is one that was stopped, "ChildProcessError" one that ended its process.
    status
        A command's exit code.
    peak
        Bytes resident at most; a function's are counted from where its call began.
    seconds, worked
        How long it took; the processor time of a call, which other work on the machine does not lengthen.
    """

    value: Any = None
    error: str = ""
    message: str = ""
    trace: str = ""
    status: int = 0
    peak: int = 0
    seconds: float = 0.0
    worked: float = 0.0


def limited_calls(
    function: Callable[..., Any],
    cases: Iterable[Any],
    *,
    memory: int = 100 * MEGABYTE,
    seconds: float = 1.0,
    grace: float = 10.0,
) -> Iterator[Outcome]:
    """`function(case)` for each case, one after the other, in a child.

    Parameters
    ----------
    function
        A function of a module's top level; the child imports its file anew. Call it with pickled cases, let
        it return small things that can be pickled. `function(None)` is called first, unmeasured, for what is
        imported and kept: it has to take it.
    memory, seconds
        What a case may take: `Outcome.peak` and `.worked` are for the test to compare. A case that asks for
        far more memory meets a MemoryError (RLIMIT_AS), one that takes `seconds` + `grace` is stopped; what
        it waits for a processor on a busy machine does not count.
    """
    child: _Child | None = None
    try:
        for case in cases:
            child = child or _Child(function, memory)
            outcome = child.ask(case, seconds + grace)
            if outcome.error in ("TimeoutError", "ChildProcessError"):
                child.end()
                child = None
            yield outcome
    finally:
        if child is not None:
            child.end()


def limited_command(
    *arguments: str | os.PathLike[str],
    memory: int = 1024 * MEGABYTE,
    seconds: float = 30.0,
    cwd: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    sent: bytes = b"",
) -> Outcome:
    """A command's end: `limited_command(sys.executable, "-m", "cnnviz", "info", path)`.

    Parameters
    ----------
    memory, seconds
        RLIMIT_AS is `memory` and a headroom; after `seconds`, not counted what it waits for a processor, it
        is stopped.
    cwd, environment, sent
        Its folder, variables beside this process's, and its standard input.
    """
    with (
        TemporaryFile() as report,
        TemporaryFile() as out,
        TemporaryFile() as errors,
        TemporaryFile() as given,
    ):
        given.write(sent)
        given.seek(0)
        # A child of a small process: one of this process would count our own pages as its peak.
        launcher = [
            sys.executable,
            "-I",
            __file__,
            "command",
            str(report.fileno()),
            str(memory),
            str(seconds),
        ]
        subprocess.run(
            [*launcher, *map(os.fspath, arguments)],
            stdin=given,
            stdout=out,
            stderr=errors,
            cwd=cwd,
            env=_environment(environment),
            pass_fds=[report.fileno()],
            check=False,
        )
        for file in (report, out, errors):
            file.seek(0)
        return Outcome(
            value=out.read().decode(errors="replace"),
            message=errors.read().decode(errors="replace"),
            **json.loads(report.read()),
        )


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, with this tree's packages, and without the threads that only take address space."""
    tests = Path(__file__).parents[1]
    paths = [str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")]
    few = {"MALLOC_ARENA_MAX": "2", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return {**os.environ, **few, **(more or {})}


class _Child:
    """A process that calls one function with what it is sent."""

    def __init__(self, function: Callable[..., Any], memory: int) -> None:
        file = function.__code__.co_filename
        self._errors = TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, "calls", file, function.__qualname__, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            start_new_session=True,
        )
        ready = self._answer(STARTING)
        if ready.error:
            self.end()
            raise RuntimeError(f"the child did not start: {ready.message}\n{ready.trace}")

    def ask(self, case: Any, seconds: float) -> Outcome:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            pickle.dump(case, self._process.stdin)
            self._process.stdin.flush()
        return self._answer(seconds)

    def _answer(self, seconds: float) -> Outcome:
        assert self._process.stdout is not None
        start = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            clock = _Clock(self._process.pid)
            while not selector.select(TICK):
                if clock.tick() > seconds:
                    taken = time.monotonic() - start
                    return Outcome(error="TimeoutError", message=f"over {seconds:g} s", seconds=taken)
        try:
            return pickle.load(self._process.stdout)
        except EOFError:
            status = self._process.wait()
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace")
            return Outcome(
                error="ChildProcessError", message=words, status=status, seconds=time.monotonic() - start
            )

    def end(self) -> None:
        with suppress(ProcessLookupError):  # What it has started ends with it.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._errors.close()


class _Clock:
    """How long a process has worked and slept: all time but what it waits for a processor or a disk.

    It sleeps where what it has started sleeps too, and has worked as long as the longest of these.
    """

    def __init__(self, process: int) -> None:
        self._process = str(process)
        self._looked, self._slept = time.monotonic(), 0.0
        self._begin = _worked(self._process)

    def tick(self) -> float:
        """Seconds until now; it has to be asked often, for what happens between two looks is not seen."""
        before, self._looked = self._looked, time.monotonic()
        processes = self._all()
        # A thread that runs or waits for a processor is in R, one that waits for a disk in D.
        threads = (file for one in processes for file in Path("/proc", one).glob("task/*/stat"))
        if not any(_fields(file)[:1] in (["R"], ["D"]) for file in threads):
            self._slept += self._looked - before
        own, *others = map(_worked, processes)
        return max([own - self._begin, *others]) + self._slept

    def _all(self) -> list[str]:
        """The process, and all that it has started and that are still there."""
        found = [self._process]
        for one in found:
            for file in Path("/proc", one).glob("task/*/children"):
                with suppress(OSError):
                    found += file.read_text().split()
        return found


def _worked(process: str) -> float:
    """Seconds that a process has had processors."""
    return sum(map(int, _fields(Path("/proc", process, "stat"))[11:13])) / os.sysconf("SC_CLK_TCK")


def _fields(file: Path) -> list[str]:
    """What /proc says of a process or thread, from its state on; nothing if it is gone."""
    with suppress(OSError):
        return file.read_text().rpartition(")")[2].split()
    return []


def _serve_calls(file: str, name: str, memory: int) -> None:
    """The child of `limited_calls`: a pickle in, an Outcome out."""
    answers, questions = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)  # What the function prints is no answer.
    # Under this name, so that the answers' class is found on the other side.
    outcome = importlib.import_module("harness.limited").Outcome

    def send(answer: Outcome) -> None:
        answers.write(pickle.dumps(answer))
        answers.flush()

    try:
        spec = importlib.util.spec_from_file_location(Path(file).stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = getattr(module, name)
        function(None)
    except BaseException as error:
        send(outcome(error=type(error).__name__, message=str(error), trace=traceback.format_exc()))
        return
    send(outcome())
    while True:
        try:
            case = pickle.load(questions)
        except EOFError:
            return
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew.
        before, room = _status("VmRSS"), _status("VmSize") + 2 * memory + HEADROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
        start, worked = time.perf_counter(), time.process_time()
        try:
            answer = outcome(value=function(case))
        except BaseException as error:
            answer = outcome(error=type(error).__name__, message=str(error), trace=traceback.format_exc())
        taken, worked = time.perf_counter() - start, time.process_time() - worked
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        send(replace(answer, seconds=taken, worked=worked, peak=max(0, _status("VmHWM") - before)))


def _status(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def _run_command(report: int, memory: int, seconds: float, arguments: list[str]) -> None:
    """The child of `limited_command`: starts the command, and writes how it ended."""
    room = memory + HEADROOM
    start = time.perf_counter()
    process = subprocess.Popen(
        arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (room, room))
    )
    error, clock = "", _Clock(process.pid)
    while process.poll() is None and not error:
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK)
        if clock.tick() > seconds:
            error = "TimeoutError"
            process.kill()
            process.wait()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    seconds = time.perf_counter() - start
    end = {"error": error, "status": process.returncode, "peak": peak, "seconds": seconds}
    os.write(report, json.dumps(end).encode())


if __name__ == "__main__":
    if sys.argv[1] == "calls":
        _serve_calls(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        _run_command(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
