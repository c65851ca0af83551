"""Where the files that come with cnnviz are: beside the package in a clone, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def asset(name: str) -> Path:
    """The path of a bundled file: data, a trained model, a history.

    >>> asset("mnist.npz").name
    'mnist.npz'
    """
    return _folder("assets") / name


def app() -> Path:
    """The path of the explorer's Streamlit script.

    >>> app().name
    'explorer.py'
    """
    return _folder("apps") / "explorer.py"
