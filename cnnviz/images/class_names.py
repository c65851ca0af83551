"""The names of a network's classes, from a file, a folder or a list."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cnnviz.images.image_files import ImageError, opened
from cnnviz.numbers import brief
from cnnviz.resources import read_json

MAX_BYTES = 10 * 2**20
MAX_CLASSES = 1_000_000
LONGEST = 1000
"""Letters of a name that are kept."""


def class_names(
    source: str | os.PathLike[str] | Iterable[Any] | Mapping[Any, Any], count: int | None = None
) -> list[str]:
    """The names of classes, in the order of the network's outputs.

    Parameters
    ----------
    source
        A text file with one name a line; a JSON file with a list, an object {"0": "tench", ...}, or
        Keras's imagenet_class_index.json, {"0": ["n01440764", "tench"], ...}; a folder, whose sub-folders
        are the classes in the order of their sorted names, as Keras takes them; or a list or mapping of
        the same kinds.
    count
        How many classes the network has; None takes what comes.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        for a file of another kind, numbers that are not 0, 1, 2, ..., and another count.
    OSError
        for a file that cannot be read.

    Examples
    --------
    >>> class_names({"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}, 2)
    ['tench', 'goldfish']
    """
    where = "classes"
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        where = str(path)
        source = [each.name for each in class_folders(path)] if path.is_dir() else _content(path)
    names = _in_order(source, where)
    if count is not None and len(names) != count:
        raise ValueError(
            f"{where} must have one name for each of the network's {count} classes, got {len(names)}"
        )
    return names


def class_folders(folder: Path) -> list[Path]:
    """The sub-folders that stand for classes, in the order in which Keras numbers them.

    ImageError if there is none that is not hidden.
    """
    found = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not found:
        raise ImageError(f"{folder} has no sub-folders, whose names would be the classes")
    return found


def _content(path: Path) -> Any:
    with opened(path) as file:
        try:
            content = file.read(MAX_BYTES + 1)
        except OSError as error:  # Of a file that is open it does not say which.
            raise OSError(error.errno, error.strerror, str(path)) from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES // 2**20} MB: it holds no names of classes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} must be a text or JSON file in UTF-8, with the names of classes") from None
    if path.suffix.lower() != ".json" and not text.lstrip().startswith(("{", "[")):
        return [line.strip() for line in text.rstrip().splitlines()]
    return read_json(text, str(path))


def _in_order(source: Any, where: str) -> list[str]:
    if isinstance(source, Mapping):
        keys = {str(key): value for key, value in source.items()}
        missing = next((i for i in range(len(keys)) if str(i) not in keys), None)
        if missing is not None:
            raise ValueError(f"{where} must number its {len(keys)} classes from 0: there is no {missing}")
        source = [keys[str(i)] for i in range(len(keys))]
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise ValueError(f"{where} must be a list of names, or name them by number, got {brief(source)}")
    if len(source := list(source)) > MAX_CLASSES:
        raise ValueError(f"{where} must have at most {MAX_CLASSES:,} names, got {len(source):,}")
    names = [_name(each, i, where) for i, each in enumerate(source)]
    if not names:
        raise ValueError(f"{where} has no names")
    return names


def _name(value: Any, number: int, where: str) -> str:
    # Keras's index has WordNet's number before the name.
    name = value[-1] if isinstance(value, list | tuple) and value else value
    if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
        raise ValueError(f"{where} must have a name for class {number}, got {brief(value)}")
    return as_name(str(name))


def as_name(text: str) -> str:
    """A class's name as it is written into a line of text; those of two classes may become one."""
    return "".join(c if c.isprintable() else "?" for c in text.strip()[:LONGEST])
