"""Arguments of public functions, checked by their annotations: a wrong kind is refused by name at the door.

What a value must be beyond its kind (a range, a shape) is each function's own to say. Aliases and `Any` are
left to the function; so are the arguments of `ops`, which has checkers that convert.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, wraps
from types import FunctionType
from typing import Any, cast, get_origin

import numpy as np

from cnnviz.numbers import brief

Check = Callable[[Any], bool]
Cached = type(cache(len))


def _is_number(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, float | np.integer | np.floating)


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) < 2**63


def _is_sequence(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


KINDS: Mapping[str, tuple[Check, str]] = {
    "None": (lambda value: value is None, "None"),
    "int": (_is_int, "an int of at most 64 bits"),
    "float": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool | np.bool_), "True or False"),
    "str": (lambda value: isinstance(value, str), "a string"),
    "os.PathLike": (lambda value: isinstance(value, os.PathLike), "a path"),
    "np.ndarray": (lambda value: isinstance(value, np.ndarray), "a NumPy array"),
    "Sequence": (_is_sequence, "a sequence"),
    "tuple": (_is_sequence, "a tuple"),
    "list": (_is_sequence, "a list"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a mapping"),
    "Callable": (callable, "a function"),
}
"""How the kinds that annotations name are told, and what they are called."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that raises a TypeError for an argument of another kind than its annotation says.

    >>> def halves(size: int, name: str | None = None): return size // 2
    >>> checked(halves)(9)
    4
    >>> checked(halves)(9, name=3)
    Traceback (most recent call last):
    TypeError: name must be a string or None, got 3
    """

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        signature, checks = _checks(function)
        try:
            bound = signature.bind(*args, **named).arguments
        except TypeError as error:
            raise TypeError(f"{function.__name__}(): {error}") from None
        for name, value in bound.items():
            if name in checks:
                check, rule = checks[name]
                values = (
                    value if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL else [value]
                )
                for each in values:
                    if not check(each):
                        raise TypeError(f"{name} must be {rule}, got {brief(each)}")
        return function(*args, **named)

    for name in ("cache_clear", "cache_info"):
        if hasattr(function, name):
            setattr(call, name, getattr(function, name))
    return call


def check_fields(made: object) -> None:
    """A TypeError for a field of a data class that is of another kind than its annotation says."""
    for name, (check, rule) in _checks(cast(Any, type(made)))[1].items():
        if not check(getattr(made, name)):
            raise TypeError(f"{name} must be {rule}, got {brief(getattr(made, name))}")


def check_public(room: dict[str, Any]) -> None:
    """Let the functions that a package hands on check their arguments: called with its `globals()`."""
    for name, value in list(room.items()):
        if isinstance(value, FunctionType | Cached) and name[0] != "_" and value is not check_public:
            room[name] = checked(value)
    del room["check_public"]


@cache
def _checks(function: Any) -> tuple[inspect.Signature, dict[str, tuple[Check, str]]]:
    """A function's signature, and of its parameters those that can be checked."""
    signature = inspect.signature(function)
    known = vars(sys.modules[function.__module__])
    checks = {}
    for name, parameter in signature.parameters.items():
        if isinstance(parameter.annotation, str) and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            kinds = [_check(each, known) for each in _parts(parameter.annotation, "|")]
            if None not in kinds:
                checks[name] = _any_of([kind for kind in kinds if kind])
    return signature, checks


def _any_of(kinds: Collection[tuple[Check, str]]) -> tuple[Check, str]:
    words = list(dict.fromkeys(word for _, word in kinds))
    rule = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    return lambda value: any(check(value) for check, _ in kinds), rule


def _check(annotation: str, known: Mapping[str, Any]) -> tuple[Check, str] | None:
    """How a value of one annotation is told; None where it cannot be."""
    head, _, inner = annotation.partition("[")
    if head == "Sequence" and inner.rstrip("]") in ("int", "float", "str"):
        return _sequence_of(inner.rstrip("]"))
    if head in KINDS:
        return KINDS[head]
    kind = known.get(head)
    if (
        kind is not Any
        and isinstance(kind, type)
        and get_origin(kind) is None
        and not getattr(kind, "_is_protocol", False)
    ):
        return lambda value: isinstance(value, kind), f"a {head}"
    return None


def _sequence_of(kind: str) -> tuple[Check, str]:
    check, word = KINDS[kind]
    plural = {"an int of at most 64 bits": "ints", "a number": "numbers", "a string": "strings"}[word]
    return lambda value: _is_sequence(value) and all(map(check, value)), f"a sequence of {plural}"


def _parts(annotation: str, separator: str) -> list[str]:
    """An annotation, cut at what stands outside brackets."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == separator and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
