"""What the commands share: arguments, JSON, tables, a progress bar, quiet imports."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.resources import one_line

if TYPE_CHECKING:
    from cnnviz.training.progress import ProgressBar

MOST_SAID = 1000
"""Letters of a complaint: names in it can be long."""


@dataclass(frozen=True)
class Command:
    """One command: `arguments` adds its options to its parser, `run` returns the exit code."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: tuple[str, ...] = ()


def add_model(parser: argparse.ArgumentParser, default: str | None = "mnist_14k") -> None:
    shown = default or "both bundled ones"
    parser.add_argument(
        "model", nargs="?", default=default, metavar="MODEL", help=f"the model (default: {shown})"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_limits(parser: argparse.ArgumentParser, *, memory: int = 4, work: int = 2000) -> None:
    """--memory-limit and --work-limit; `memory` and `work` are what holds without, in the options' units."""
    parser.add_argument(
        "--memory-limit",
        type=partial(amount, "gigabytes", 1e9),
        metavar="GB",
        help=f"what activations may take (default: {memory}); a network that needs more is refused before "
        "it runs",
    )
    parser.add_argument(
        "--work-limit",
        type=partial(amount, "billions", 1e9),
        metavar="BILLIONS",
        help=f"multiply-adds that one image may take, in billions (default: {work}); the same",
    )


def amount(unit: str, scale: float, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        from cnnviz.numbers import brief

        raise argparse.ArgumentTypeError(f"must be a positive number of {unit}, got {brief(text)}")
    return value * scale


LARGEST_COUNT = 2**31 - 1


def count(text: str) -> int:
    return _whole(text, 1, "a positive whole number")


def seed(text: str) -> int:
    return _whole(text, 0, "a whole number from 0")


def _whole(text: str, least: int, what: str) -> int:
    """A whole number that no count of anything here exceeds; `int` would read 4,300 digits, and no more."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if text.isascii() and text.isdigit() and not 0 <= value <= LARGEST_COUNT:
        what += f", at most {LARGEST_COUNT:,}"
        value = -1
    if value < least:
        from cnnviz.numbers import brief

        raise argparse.ArgumentTypeError(f"must be {what}, got {brief(text)}")
    return value


def refuse_to_replace(output: str, read: Iterable[str]) -> None:
    """ValueError where the output would replace a file that it is made of."""
    if not os.path.isfile(output):
        return
    for path in read:
        if os.path.isfile(path) and os.path.samefile(output, path):
            raise ValueError(f"{output} would be replaced, and is read too: choose another name for -o")


def say(*lines: object, flush: bool = False) -> None:
    """Print lines of a result; what a terminal would obey and not show is a question mark in them.

    So is a line break: names have them too, and a name is never taken for a line.
    """
    print("\n".join(one_line(str(line)) for line in lines), flush=flush)


def folder_of(output: str) -> Path:
    """The folder to write into; ValueError where a file is in its place."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder to write into: choose another name for -o")
    return folder


def whole_numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 20 for part in parts):
        from cnnviz.numbers import brief

        raise argparse.ArgumentTypeError(f"must be whole numbers with commas between, got {brief(text)}")
    return tuple(map(int, parts))


def print_json(value: Any) -> None:
    """Print JSON, in which a number that is NaN or infinite is null: it has no such numbers."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(rows: Sequence[Sequence[str]], right: frozenset[int]) -> Iterator[str]:
    """Lines of a table; the columns in `right` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def progress_bar(what: str, check: Callable[[], None] | None = None) -> ProgressBar:
    """A bar on stderr, if that is a terminal; `check` is called first at each of its calls."""
    from cnnviz.training.progress import ProgressBar

    return ProgressBar(what, check)


@contextmanager
def words_beside(output: str | os.PathLike[str]) -> Iterator[None]:
    """Print on stderr meanwhile, if the file that is written is stdout."""
    same = False
    with suppress(OSError):
        same = os.path.samestat(os.stat(output), os.fstat(1))
    with redirect_stdout(sys.stderr) if same else nullcontext():
        yield


class Interruption:
    """Ctrl-C while libraries work, which now and then drop the KeyboardInterrupt that is raised inside them.

    TensorFlow does, and Python itself where it comes into a callback, which it then prints as a traceback.
    Inside the context `check` raises it again, and leaving the context does, whatever came of it meanwhile.
    An inner context shares what the outer one has heard.
    """

    def __init__(self) -> None:
        self._heard: list[bool] = []

    def _note(self, *_: object) -> None:
        self._heard.append(True)
        raise KeyboardInterrupt

    def _drop(self, dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            self._say_dropped(dropped)

    def check(self) -> None:
        if self._heard:
            raise KeyboardInterrupt from None

    def __enter__(self) -> Interruption:
        # Whoever started us deaf to Ctrl-C, or handles it, goes on so; only the main thread hears it.
        handler = signal.getsignal(signal.SIGINT)
        outer = getattr(handler, "__self__", None)
        main_thread = threading.current_thread() is threading.main_thread()
        self._ours = main_thread and handler is signal.default_int_handler
        if main_thread and isinstance(outer, Interruption):
            self._heard = outer._heard
        if self._ours:
            self._say_dropped = sys.unraisablehook
            sys.unraisablehook = self._drop
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._say_dropped
        self.check()


def import_tensorflow() -> None:
    """Import TensorFlow without the lines that it prints past its own log level."""
    from cnnviz.resources import tensorflow

    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        tensorflow().constant(0)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def mnist_test_set(count: int | None) -> tuple[Any, Any]:
    from cnnviz.images.mnist import load_mnist

    x, y = load_mnist()[1]
    return x[:count], y[:count]


def complain(message: str) -> int:
    """One line on stderr, as far as that takes any; the exit code of bad input."""
    line = one_line(" ".join(message.split()))
    line = line if len(line) <= MOST_SAID else f"{line[:MOST_SAID]}..."
    with suppress(OSError):
        print(f"cnnviz: {line}", file=sys.stderr, flush=True)
    return 2
