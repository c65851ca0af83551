"""A bar on stderr that shows how far a long work has come."""

from __future__ import annotations

import sys
from collections.abc import Callable

from cnnviz.resources import one_line


class ProgressBar:
    """A bar on stderr, if that is a terminal; called with how much is done, of how much (0: not known).

    Parameters
    ----------
    what
        The word before the bar.
    check
        Called first, each time; what it raises ends the work.
    shown
        Whether it is drawn; None is where stderr is a terminal.
    """

    def __init__(self, what: str, check: Callable[[], None] | None = None, shown: bool | None = None) -> None:
        self.what = one_line(what)
        self.shown = sys.stderr.isatty() if shown is None else shown
        self.check = check

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if self.check is not None:
            self.check()
        far = f"[{'#' * (30 * done // total):.<30}] {done:,}/{total:,}" if total else f"{done:,}"
        self._write(f"\r{self.what} {far} {note}\x1b[K")

    def clear(self) -> None:
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self.shown:
            sys.stderr.write(text)
            sys.stderr.flush()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
