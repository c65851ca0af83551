"""What cnnviz needs from outside itself: the files that come with it, and TensorFlow.

Files are beside the package in a clone and inside it in a wheel. TensorFlow and Keras are imported here
and nowhere else, when a function first needs them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unicodedata import category

if TYPE_CHECKING:
    import numpy as np

BUNDLED = ("mnist_14k", "mnist_maxpool")
"""The names of the models that come with cnnviz."""

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


def write_atomically(path: Path, write: Callable[[str], Any]) -> None:
    """Call write(temporary path) beside `path`, then put the file in its place in one step.

    If anything fails, what was at `path` before is untouched and nothing is left beside it. An OSError
    names the path or its folder as given, never the temporary file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file to write")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} in") from None
    except OSError as error:
        raise type(error)(f"cannot write {path.name} in {path.parent}: {error.strerror}") from None
    os.close(handle)
    try:
        write(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file by one that holds arrays by name, as `np.load` reads them."""
    import numpy as np

    write_atomically(path, lambda temporary: np.savez_compressed(temporary, **cast(Any, arrays)))


def checksum(path: Path) -> str:
    """The SHA-256 of a file, which records keep of what they were made with."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensorflow() -> Any:
    """The tensorflow module; ModuleNotFoundError with the line to type where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ModuleNotFoundError(
            "TensorFlow is not installed; training and live verification need it: "
            "pip install 'cnnviz[tensorflow]'",
            name="tensorflow",
        ) from None
    return tensorflow


def keras() -> Any:
    """The keras module, on TensorFlow."""
    tensorflow()
    import keras

    return keras


def versions() -> dict[str, str]:
    """The versions of what computes: TensorFlow, Keras and NumPy."""
    import numpy as np

    return {"tensorflow": tensorflow().__version__, "keras": keras().__version__, "numpy": np.__version__}


def one_line(words: str) -> str:
    """A text without line breaks and other marks that do not print: names come from files.

    Spaces of all widths stay, as the one between a number and its percent sign.

    >>> one_line("conv\\nimport os")
    'conv?import os'
    """
    return "".join(c if c.isprintable() or category(c) == "Zs" else "?" for c in words)
