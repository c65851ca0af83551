"""How much a network may ask for: limits that an argument, a command's option or a context changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from cnnviz.numbers import brief


class Limit:
    """A limit that holds unless an argument of its name gives another one."""

    def __init__(self, name: str, default: float, unit: str) -> None:
        self.name, self.unit = name, unit
        self._allowed: ContextVar[float] = ContextVar(name, default=default)

    def of(self, given: Any = None) -> float:
        """The argument, checked; None is the limit that holds here."""
        if given is None:
            return self._allowed.get()
        if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
            raise ValueError(f"{self.name} must be a positive number of {self.unit}, got {brief(given)}")
        return given

    @contextmanager
    def changed_to(self, given: Any) -> Iterator[None]:
        """Another limit for what is called within; None changes nothing.

        >>> with MEMORY.changed_to(1e12):
        ...     MEMORY.of()
        1000000000000.0
        """
        token = self._allowed.set(self.of(given))
        try:
            yield
        finally:
            self._allowed.reset(token)


MEMORY_LIMIT = 4 * 10**9
"""Bytes that the activations of one `predict` or `run` may take, unless it is given another limit."""

WORK_LIMIT = 2 * 10**12
"""What computing one image may take, in multiply-adds of a matrix product: some minutes on two cores."""

MEMORY = Limit("memory_limit", MEMORY_LIMIT, "bytes")
WORK = Limit("work_limit", WORK_LIMIT, "multiply-adds")
