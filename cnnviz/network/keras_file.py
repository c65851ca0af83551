"""load_model: a .keras archive (Keras 3) as a Network, read with h5py and json alone.

Only config.json and model.weights.h5 are read. Nothing in them is executed or imported, sizes are
limited, and what does not fit is an error here and not later. Where the weights lie is as in
keras/src/saving/saving_lib.py. Optimizers, losses and custom objects are left out.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cnnviz.layers import ENTRIES
from cnnviz.network.keras_config import read_model
from cnnviz.network.network import Network
from cnnviz.network.unfolding import unfold
from cnnviz.resources import BUNDLED, asset

MOST_CONFIG_BYTES = 64 * 2**20
MOST_WEIGHT_BYTES = 2**30
"""Limits on what an archive may unpack to, and on what its arrays may say they hold."""


class ModelFileError(ValueError):
    """A model file is damaged, hostile, or holds something that cnnviz does not compute."""


def load_model(name_or_path: str | os.PathLike[str]) -> Network:
    """A network from a .keras file, without TensorFlow.

    Parameters
    ----------
    name_or_path
        "mnist_14k" or "mnist_maxpool", which come with cnnviz, or the path of a file that Keras 3
        saved: a Sequential or Functional model of the layers in `cnnviz.layers.ENTRIES`.

    Returns
    -------
    Network
        Loading a bundled model again gives the same object; networks never change.

    Raises
    ------
    FileNotFoundError
        if there is no such file.
    ModelFileError
        (a ValueError) if the file is damaged, does not fit together, or holds a layer, an option or
        custom code that cnnviz does not compute; it names the file and the layer.

    Examples
    --------
    >>> net = load_model("mnist_14k")
    >>> net.count_params()
    (14060, 13848, 212)
    """
    if isinstance(name_or_path, str) and name_or_path in BUNDLED:
        return _bundled(name_or_path)
    path = Path(name_or_path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}; bundled models are {', '.join(BUNDLED)}")
    return _read(path)


@cache
def _bundled(name: str) -> Network:
    path = asset(f"{name}.keras")
    if not path.exists():
        raise FileNotFoundError(f"the bundled model {name} is missing: {path}; reinstall cnnviz")
    return _read(path)


def _read(path: Path) -> Network:
    try:
        config, weights = _unpack(path)
        model = read_model(_parse(config))
        with _Weights(weights) as stored:
            for entry in model.entries():
                for group, names in ENTRIES[entry.kind].weight_places(entry.config):
                    entry.weights |= stored.read(f"{entry.group}/{group}".strip("/"), entry.name, names)
        graph = unfold(model)
        return Network(
            graph.layers,
            graph.outputs,
            name=model.name,
            inputs=graph.inputs,
            aliases=graph.aliases,
            source=path.resolve(),
        )
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    except RecursionError:
        raise ModelFileError(f"{path}: its models are nested too deeply") from None


def _unpack(path: Path) -> tuple[bytes, bytes]:
    """The two members of the archive that are read."""
    if path.is_dir():
        raise ValueError("this is a folder, not a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            return (
                _member(archive, "config.json", MOST_CONFIG_BYTES),
                _member(archive, "model.weights.h5", MOST_WEIGHT_BYTES),
            )
    except zipfile.BadZipFile as error:
        raise ValueError(f"not a .keras file, or a damaged one ({error})") from None


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if name not in archive.namelist():
        raise ValueError(f"not a .keras file that Keras 3 saved: it has no {name}")
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ValueError(f"{name} unpacks to {size:,} bytes, more than the {limit:,} that are read")
    try:
        return archive.read(name)
    except Exception as error:  # Each compression method has its own exceptions.
        raise ValueError(f"{name} is damaged or encrypted ({error})") from None


def _parse(config: bytes) -> Any:
    try:
        return json.loads(config)
    except ValueError as error:
        raise ValueError(f"config.json is not JSON ({error})") from None


class _Weights:
    """Reads the arrays of a weights file. It follows no link and reads no more than the limit."""

    def __init__(self, data: bytes) -> None:
        self.left = MOST_WEIGHT_BYTES
        try:
            self.file = h5py.File(BytesIO(data), "r")
        except OSError as error:
            raise ValueError(f"model.weights.h5 is not an HDF5 file, or a damaged one ({error})") from None

    def __enter__(self) -> _Weights:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, group: str, layer: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """A layer's arrays by name; they must be as many as there are names."""
        try:
            variables = self._variables(group)
            if sorted(variables) != sorted(map(str, range(len(names)))):
                stored = f"{len(variables)} arrays" if variables else "none"
                raise ValueError(f"{len(names)} weights ({', '.join(names)}) expected, the file has {stored}")
            return {name: self._array(variables[str(i)], name) for i, name in enumerate(names)}
        except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"weights of layer {layer!r} (at {group!r} in the file): {error}") from error

    def _variables(self, group: str) -> dict[str, h5py.Dataset]:
        if not group:
            return {}
        place: Any = self.file
        for step in [*group.split("/"), "vars"]:
            # A layer in a layer is called as in Keras's code, in some versions with an underscore.
            place = self._child(place, step) or self._child(place, f"_{step}")
            if place is None:
                return {}
            if not isinstance(place, h5py.Group):
                raise ValueError(f"{step!r} is not a group")
        return {name: self._child(place, name) for name in place}

    @staticmethod
    def _child(group: h5py.Group, name: str) -> Any:
        """A member that lies in this file itself; None if there is no such member."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r} is a {type(link).__name__}; links are not followed")
        return group.get(name)

    def _array(self, data: Any, name: str) -> np.ndarray:
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise ValueError(f"{name} is not an array in this file")
        self.left -= math.prod(data.shape) * data.dtype.itemsize
        if self.left < 0:
            raise ValueError(f"arrays of more than {MOST_WEIGHT_BYTES:,} bytes in all")
        if data.dtype.kind == "V" and data.dtype.itemsize == 2:
            # What HDF5 has no name for is bfloat16, the upper half of a float32. The attribute that says
            # so stays unread: libhdf5 can hang on the heap that holds it in a damaged file.
            array = (data[()].view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        elif data.dtype.kind == "f" and data.dtype.itemsize <= 8:
            array = data[()].astype(np.float64 if data.dtype.itemsize == 8 else np.float32)
        elif name == "count" and data.dtype.kind in "iu":
            array = np.asarray(data[()], np.int64)
        else:
            raise ValueError(f"{name} must hold floats, it holds {data.dtype}")
        array = np.ascontiguousarray(array).reshape(data.shape)
        array.flags.writeable = False
        return array
