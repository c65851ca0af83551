"""Arguments of public functions, checked by their annotations: a wrong kind is refused by name at the door.

What a value must be beyond its kind (a range, a shape) is each function's own to say. Aliases and `Any` are
left to the function; so are the arguments of `ops`, which has checkers that convert.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dis import opmap
from functools import cache, wraps
from types import FunctionType
from typing import Any, cast, get_origin

import numpy as np

from cnnviz.numbers import brief

Check = Callable[[Any], bool]
MOST_ITEMS = 10**7
"""No longer sequence is looked through: a range can have any number of items."""
MOST_AXES = 64
"""NumPy's."""
MOST_NUMBERS = 10**8
"""Of nested lists: an array of as many takes 0.8 GB, and some seconds to be made of them."""
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

PLURALS = {"an int of at most 64 bits": "ints", "a number": "numbers", "a string": "strings"}


def checked(
    function: Callable[..., Any], rules: Mapping[str, tuple[Check, str]] | None = None
) -> Callable[..., Any]:
    """A function that raises a TypeError for an argument of another kind than its annotation says.

    An argument of more numbers than memory has room for is a ValueError, and an error that names no argument
    gets their names and values. `rules` say more of arguments by their names: what is not so is a ValueError.

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
        for name, (check, rule) in (rules or {}).items():
            value = named.get(name, bound.get(name))
            if value is not None and not check(value):
                raise ValueError(f"{name} must be {rule}, got {brief(value)}")
        for name, value in bound.items():
            check_numbers(value, name)
        try:
            return function(*args, **named)
        except AttributeError as error:
            _name_arguments(error, function, bound)
            raise TypeError(*error.args) from error
        except (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
            _name_arguments(error, function, bound)
            raise

    for name in ("cache_clear", "cache_info"):
        if hasattr(function, name):
            setattr(call, name, getattr(function, name))
    return call


def check_numbers(value: Any, name: str) -> None:
    """ValueError for what would be an array of more than 100 million numbers, or a sequence without end.

    And for an array with masked cells: NumPy would drop the mask, and what it hides would be computed with.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must have no masked cells, as {name}.filled(0) has none")
    if not isinstance(value, np.ndarray) and _items_in(value, {}, MOST_AXES) > MOST_NUMBERS:
        raise ValueError(
            f"{name} must hold at most {MOST_NUMBERS:,} numbers, if it is no NumPy array, got {brief(value)}"
        )


def _items_in(value: Any, seen: dict[int, int], axes: int) -> int:
    """How many numbers an array of a value would have; `seen` are lists that were counted already."""
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, list | tuple):
        if id(value) not in seen:
            seen[id(value)] = 0  # One that holds itself has an end too.
            some = value if axes else ()
            seen[id(value)] = sum(
                1 if type(each) in (int, float) else _items_in(each, seen, axes - 1) for each in some
            )
        return seen[id(value)]
    kind = type(value)
    if issubclass(kind, str | bytes | bytearray | Mapping) or hasattr(kind, "__array__"):
        return 1
    if not (hasattr(kind, "__len__") and hasattr(kind, "__getitem__")):
        return 1
    try:
        # What is no list is not looked into: it may open a file for each of its items.
        return len(value) if len(value) <= MOST_ITEMS else MOST_NUMBERS + 1
    except OverflowError:
        return MOST_NUMBERS + 1
    except Exception:  # It says so itself when it is read.
        return 1


def _name_arguments(error: Exception, function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Add the arguments to the words of an error that names none of them, as NumPy's and Python's do.

    What a `raise` of our own says is left as it is.
    """
    words = str(error.args[0]) if error.args else type(error).__name__
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    if _raised_by_us(error) or len(error.args) > 1 or any(re.search(rf"\b{name}\b", words) for name in names):
        return
    shown = ", ".join(f"{name}{in_brief(given[name])}" for name in names if name in given)
    error.args = (f"{words} ({function.__name__} was called with {shown})",)


def _raised_by_us(error: Exception) -> bool:
    """Whether an error comes from a `raise` in this package, and not from a call that failed."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not last.tb_frame.f_globals.get("__name__", "").startswith("cnnviz."):
        return False
    # The instruction tells: what C code raises has no frame of its own.
    return last.tb_frame.f_code.co_code[last.tb_lasti] == opmap["RAISE_VARARGS"]


def in_brief(value: Any) -> str:
    """An argument in a message: an array's shape, and anything else as it is."""
    return f".shape={value.shape}" if isinstance(value, np.ndarray) else f"={brief(value, 40)}"


def check_fields(made: object) -> None:
    """A TypeError for a field of a data class that is of another kind than its annotation says."""
    for name, (check, rule) in _checks(cast(Any, type(made)))[1].items():
        if not check(getattr(made, name)):
            raise TypeError(f"{name} must be {rule}, got {brief(getattr(made, name))}")


def check_public(room: dict[str, Any], **rules: tuple[Check, str]) -> None:
    """Let the functions that a package hands on check their arguments: called with its `globals()`.

    `rules` are those of `checked`.
    """
    for name, value in list(room.items()):
        if isinstance(value, FunctionType | Cached) and name[0] != "_" and value is not check_public:
            room[name] = checked(value, rules)
    del room["check_public"]


@cache
def _checks(function: Any) -> tuple[inspect.Signature, dict[str, tuple[Check, str]]]:
    """A function's signature, and of its parameters those that can be checked."""
    signature = inspect.signature(function)
    known = vars(sys.modules[function.__module__])
    checks = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD or not isinstance(parameter.annotation, str):
            continue
        if kind := _all_kinds(parameter.annotation, known):
            checks[name] = kind
    return signature, checks


def _any_of(kinds: Collection[tuple[Check, str]]) -> tuple[Check, str]:
    words = list(dict.fromkeys(word for _, word in kinds))
    rule = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    return lambda value: any(check(value) for check, _ in kinds), rule


def _check(annotation: str, known: Mapping[str, Any]) -> tuple[Check, str] | None:
    """How a value of one annotation is told; None where it cannot be."""
    head, _, inner = annotation.partition("[")
    if head in ("Sequence", "list") and inner and (each := _all_kinds(inner[:-1], known)):
        return _sequence_of(each)
    if head == "Mapping" and inner and (of := _mapping_of(_parts(inner[:-1], ","), known)):
        return of
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


def _all_kinds(annotation: str, known: Mapping[str, Any]) -> tuple[Check, str] | None:
    """How a value of any of the kinds of an annotation is told; None where one of them cannot be."""
    kinds = [_check(each, known) for each in _parts(annotation, "|")]
    return None if None in kinds else _any_of([kind for kind in kinds if kind])


def _sequence_of(each: tuple[Check, str]) -> tuple[Check, str]:
    check, word = each
    rule = f"a sequence of {PLURALS[word]}" if word in PLURALS else f"a sequence, each place {word}"
    return lambda value: _is_sequence(value) and len(value) <= MOST_ITEMS and all(map(check, value)), rule


def _mapping_of(annotations: Sequence[str], known: Mapping[str, Any]) -> tuple[Check, str] | None:
    kinds = [_all_kinds(each, known) for each in annotations]
    if len(kinds) != 2 or kinds[0] is None or kinds[1] is None:
        return None
    (key, _), (item, word) = kinds[0], kinds[1]
    return (
        lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items()),
        f"a mapping to {word}",
    )


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
