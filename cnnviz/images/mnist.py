"""The MNIST data set. How a picture becomes a digit is in `digit_preparation`.

All 70,000 digits as LeCun, Cortes and Burges published them, checked against their checksum before a
byte is used. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import io
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnviz.resources import asset

SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
"""SHA-256 of mnist.npz in Keras's own layout; its arrays equal the canonical IDX files."""

_HOW_TO_GET_IT = (
    "restore it with `git checkout -- assets/mnist.npz` in a clone, or reinstall cnnviz "
    "(it is the file that Keras distributes as mnist.npz, 11,490,434 bytes)"
)


class DataError(ValueError):
    """A data file is missing or is not what its checksum says."""


def load_mnist(
    path: str | os.PathLike[str] | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The full MNIST data set, its checksum verified before a byte of it is used.

    Parameters
    ----------
    path
        Where mnist.npz lies; None is the copy that comes with cnnviz.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images as uint8 (60000, 28, 28) and (10000, 28, 28), 0 is background and 255 ink;
        labels as uint8 (60000,) and (10000,). The arrays are read-only and shared between calls.

    Raises
    ------
    DataError
        (a ValueError) if the file is missing or its SHA-256 is not `cnnviz.images.mnist.SHA256`.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()
    >>> x_train.shape, x_test.shape, int(y_test[0])
    ((60000, 28, 28), (10000, 28, 28), 7)

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    return _load(os.fspath(asset("mnist.npz") if path is None else path))


@lru_cache(maxsize=2)
def _load(path: str):
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the MNIST file {path}: {error.strerror}; {_HOW_TO_GET_IT}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DataError(
            f"{path} is damaged or is not MNIST: its SHA-256 is {digest}, expected {SHA256}; {_HOW_TO_GET_IT}"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    for array in arrays.values():
        array.flags.writeable = False
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
