"""Every public name of cnnviz as its docstring tells it: what it does, how it is called, and an example.

There is no second text: summaries, signatures and examples are read from the docstrings, whose examples the
tests run. An example is completed by the imports that its module has for it.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import cnnviz
from cnnviz.numbers import brief

ROOMS = {
    "cnnviz": "Networks, runs, receipts, the stage",
    "ops": "The engine's operations and their gradients",
    "figures": "Pictures",
    "animate": "Animations",
    "receptive_fields": "Receptive fields",
    "channels": "1×1 convolutions and channels",
    "kernels": "Named and trained kernels",
    "receipts": "Receipts",
    "training": "Training",
}
"""What is public, and what each part is about."""

_DRAWN = ("Picture", "Animation", "Receipt")
"""Classes of what can be looked at, as functions say that they return it."""


@dataclass(frozen=True)
class PublicName:
    """One function or class.

    Parameters
    ----------
    room, name
        Where it is found: `cnnviz.<room>.<name>`, or `cnnviz.<name>`.
    signature
        How it is called.
    summary, text
        The first sentence of its docstring, and the whole of it without the example.
    example
        A program that runs as it is; "" if the docstring has none. What its lines give stands in comments.
    draws
        Whether it returns something to look at.
    """

    room: str
    name: str
    signature: str
    summary: str
    text: str
    example: str
    draws: bool

    @property
    def path(self) -> str:
        return f"cnnviz.{self.name}" if self.room == "cnnviz" else f"cnnviz.{self.room}.{self.name}"


@lru_cache
def public_names(room: str) -> dict[str, PublicName]:
    """The public functions and classes of a room, by name.

    >>> public_names("ops")["conv2d"].path
    'cnnviz.ops.conv2d'

    Raises ValueError for a room that is not public.
    """
    if room not in ROOMS:
        raise ValueError(f"room must be one of {', '.join(ROOMS)}, got {brief(room)}")
    found = {name: _described(room, name, value) for name, value in sorted(_values(room).items())}
    return {name: each for name, each in found.items() if each.summary}


def _values(room: str) -> dict[str, Any]:
    if room == "cnnviz":
        values = {name: getattr(cnnviz, name) for name in cnnviz.__all__}
    else:
        module = import_module(f"cnnviz.{room}")
        values = {name: value for name, value in vars(module).items() if _lives_in(value, room)}
    return {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and isinstance(value, type | FunctionType)
    }


def _lives_in(value: Any, room: str) -> bool:
    return (getattr(value, "__module__", None) or "").startswith(f"cnnviz.{room}")


class _Written(str):
    """An annotation as the source has it: without the quotes that a text is shown in."""

    __repr__ = str.__str__


def _as_written(signature: inspect.Signature) -> inspect.Signature:
    def bare(annotation: Any) -> Any:
        return _Written(annotation) if isinstance(annotation, str) else annotation

    parameters = [each.replace(annotation=bare(each.annotation)) for each in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=bare(signature.return_annotation))


def _described(room: str, name: str, value: Any) -> PublicName:
    text = inspect.getdoc(value) or ""
    if isinstance(value, type) and (not vars(value).get("__doc__") or text.startswith(f"{name}(")):
        text = ""  # Its parent's, or what a dataclass makes up.
    try:
        signature = f"{name}{_as_written(inspect.signature(value))}"
    except ValueError:
        signature = name
    return PublicName(
        room,
        name,
        signature,
        text.partition("\n")[0].strip(),
        _without_example(text),
        _program(value, text),
        getattr(value, "__annotations__", {}).get("return") in _DRAWN,
    )


def _without_example(text: str) -> str:
    """A docstring up to its example, and what follows after it."""
    lines, kept, inside = text.splitlines(), [], False
    for number, line in enumerate(lines):
        heading = number + 1 < len(lines) and set(lines[number + 1].strip()) == {"-"}
        if line.startswith(">>>"):
            inside = True
        elif heading:
            inside = line.strip() == "Examples"
        elif not line.strip() and inside and not any(after.startswith(">>>") for after in lines[number:]):
            inside = False
        if not inside:
            kept.append(line)
    return "\n".join(kept).strip()


def _program(value: Any, text: str) -> str:
    """The examples of a docstring as one program, with the imports that its module has for them."""
    examples = doctest.DocTestParser().get_examples(text)
    if not examples:
        return ""
    code = "".join(each.source for each in examples)
    names = vars(inspect.getmodule(inspect.unwrap(value)) or builtins)
    imports = sorted({_import_of(name, names[name]) for name in _free(code) if name in names})
    lines = []
    for each in examples:
        want = each.want.rstrip("\n").splitlines()
        source = each.source.rstrip("\n")
        short = len(want) == 1 and "\n" not in source and len(source) + len(want[0]) < 90
        lines += [f"{source}  # {want[0]}"] if short else [source, *(f"# {line}" for line in want)]
    return "\n".join([*imports, *([""] if imports else []), *lines])


def _free(code: str) -> set[str]:
    """The names that a piece of code reads and does not make."""
    tree = ast.parse(code)
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    made = {
        (alias.asname or alias.name).split(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
        for alias in n.names
    }
    return read - made - set(dir(builtins))


def _import_of(name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        parent, _, last = value.__name__.rpartition(".")
        if parent and last == name:
            return f"from {parent} import {name}"
        return f"import {value.__name__}" + (f" as {name}" if value.__name__ != name else "")
    for room in ROOMS:
        if room != "cnnviz" and inspect.unwrap(_values(room).get(name, ast)) is inspect.unwrap(value):
            return f"from cnnviz.{room} import {name}"
    if name in cnnviz.__all__:
        return f"from cnnviz import {name}"
    return f"from {value.__module__} import {name}"


def drawn_by(each: PublicName, **arguments: Any) -> Any:
    """What a function that draws makes of its example: a `Picture`, an `Animation`, or a `Receipt`.

    Parameters
    ----------
    each
        Of those that `draws` is true for. Its example is the docstring's own: what runs is cnnviz's code.
    **arguments
        Handed to the function too, if it takes them: theme="dark".

    Examples
    --------
    >>> drawn_by(public_names("figures")["bars"]).alt != ""
    True
    """
    drawn: list[Any] = []

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        taken = {
            name: value for name, value in arguments.items() if name in inspect.signature(function).parameters
        }

        def call(*given: Any, **named: Any) -> Any:
            drawn.append(function(*given, **{**taken, **named}))
            return drawn[-1]

        return call

    names: dict[str, Any] = {}
    for node in ast.parse(each.example).body:
        exec(compile(ast.Module([node], []), each.path, "exec"), names)
        if isinstance(node, ast.Import | ast.ImportFrom) and isinstance(names.get(each.name), FunctionType):
            names[each.name] = noting(names[each.name])
    return drawn[-1] if drawn else None
