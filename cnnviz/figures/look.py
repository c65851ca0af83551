"""What all figures have in common: where they are drawn and in which theme, said and described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from cnnviz.colours import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DESCRIBED = """
width
    In pixels.
ax
    Axes to draw on; None makes a figure.
theme
    "light" or "dark".

Returns
-------"""


class Look(TypedDict, total=False):
    """The last keyword arguments of every figure."""

    ax: Axes | None
    theme: str | Theme


AnyFigure = TypeVar("AnyFigure", bound=Callable[..., Any])


def figure(function: AnyFigure) -> AnyFigure:
    """Name and describe `width`, `ax` and `theme` in a figure's signature and docstring, for help().

    >>> from cnnviz import figures
    >>> list(inspect.signature(figures.bars).parameters)[-3:]
    ['width', 'ax', 'theme']
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    given = (("ax", "Axes | None", None), ("theme", "str | Theme", "light"))
    look = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in given
    ]
    marked: Any = function
    marked.__signature__ = signature.replace(parameters=[*own, *look])
    if function.__doc__:  # Not under python -OO.
        marked.__doc__ = inspect.cleandoc(function.__doc__).replace("\nReturns\n-------", _DESCRIBED, 1)
    return function
