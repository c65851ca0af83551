"""load_model: a .keras archive or a whole model in HDF5 as a Network, read with h5py and json alone.

Only config and weights are read. Nothing in them is executed or imported, sizes are limited, and what does
not fit is an error here and not later. Weights lie as in saving_lib.py and legacy_h5_format.py of
keras/src/saving and of Keras 2. Optimizers, losses and custom objects are left out.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import h5py

from cnnviz.layers import ENTRIES
from cnnviz.network.foreign_files import WEIGHTS_ONLY, what_it_is
from cnnviz.network.hdf5 import MOST_BYTES, Hdf5, check_heaps
from cnnviz.network.keras2_config import as_keras3, with_modules, without_slashes
from cnnviz.network.keras_config import FileLayer, Model, read_model
from cnnviz.network.network import Network
from cnnviz.network.unfolding import unfold
from cnnviz.numbers import shortened
from cnnviz.resources import BUNDLED, MOST_JSON_BYTES, SmallReads, asset, read_json, read_member

MOST_SAID = 500
"""Letters of what is wrong with a file: values in it can be long."""


class ModelFileError(ValueError):
    """A model file is damaged, hostile, or holds something that cnnviz does not compute."""


def load_model(name_or_path: str | os.PathLike[str]) -> Network:
    """A network from a .keras file, without TensorFlow.

    Parameters
    ----------
    name_or_path
        "mnist_14k" or "mnist_maxpool", which come with cnnviz, or the path of a file that Keras 2 or 3
        saved, .keras or .h5: a Sequential or Functional model of the layers and operations in
        `cnnviz.layers.ENTRIES`.

    Returns
    -------
    Network
        Loading a bundled model again gives the same object; networks never change.

    Raises
    ------
    FileNotFoundError
        if there is no such file.
    ModelFileError
        (a ValueError) if the file is of another kind, is damaged, does not fit together, or holds a layer,
        an option or custom code that cnnviz does not compute; it names the file, the layer, and what to do.

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
        with _opened(path) as file:
            model = read_model(file.config, file.container)
            file.find_weights(model)
            graph = unfold(model)
            # It checks the weights' shapes, before a number of them is read.
            network = Network(
                graph.layers,
                graph.outputs,
                name=model.name,
                inputs=graph.inputs,
                aliases=graph.aliases,
                source=path.resolve(),
                structure=model,
            )
            file.read_weights()
        for layer in model.entries():
            # They are the network's now, and the structure outlives them.
            layer.weights = {}
        return network
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"{path}: {shortened(str(error), MOST_SAID)}") from error
    except OSError as error:
        if error.filename is None and error.strerror:  # Of a file that is open it does not say which.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    except MemoryError:
        raise ModelFileError(f"{path}: there is not enough memory to read it") from None
    except RecursionError:
        raise ModelFileError(f"{path}: its models are nested too deeply") from None


def _opened(path: Path) -> _Archive | _WholeHdf5:
    """The file, by what it holds: there are archives called .h5, and HDF5 files called .keras."""
    if foreign := what_it_is(path):
        raise ValueError(foreign)
    return _Archive(path) if zipfile.is_zipfile(path) else _WholeHdf5(path)


def _in_words_of_keras3(config: Any, version: Any) -> Any:
    """A config that any version of Keras wrote, as Keras 3 writes it."""
    if str(version).startswith("1."):
        raise ValueError(f"Keras {version} saved this; load it with Keras 2 and save it again")
    return config if str(version)[:1] >= "3" else as_keras3(config)


class _Stored(Hdf5):
    """A file's weights, which are found first and read when their shapes have been checked."""

    def __init__(self, *file: Any) -> None:
        super().__init__(*file)
        self._found: list[tuple[FileLayer, str, h5py.Dataset]] = []

    def find(self, layer: FileLayer, name: str, data: Any) -> None:
        """Give a layer a weight of the shape that the file states."""
        layer.weights[name] = self.stated(data, name)
        self._found.append((layer, name, data))

    def read_weights(self) -> None:
        """Put the numbers in the place of the shapes; the layers of a network have the same mappings."""
        for layer, name, data in self._found:
            try:
                layer.weights[name] = self.numbers(data, name)
            except DAMAGED as error:
                raise ValueError(f"weights of layer {layer.name!r}: {error}") from error


DAMAGED = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, zlib.error)
"""What h5py raises for a damaged file."""


# The archive ------------------------------------------------------------------------------------


class _Archive(_Stored):
    """A .keras file: config.json, and each layer's weights in a group of its own, numbered."""

    def __init__(self, path: Path) -> None:
        try:
            with SmallReads(path) as file, zipfile.ZipFile(file) as archive:
                config = _described(archive, "config.json")
                about = {}
                if "metadata.json" in archive.namelist():
                    about = _described(archive, "metadata.json")
                weights = read_member(archive, "model.weights.h5", MOST_BYTES)
        except zipfile.BadZipFile as error:
            raise ValueError(f"not a .keras file, or a damaged one ({error})") from None
        version = about.get("keras_version", 3) if isinstance(about, dict) else 3
        self.config = _in_words_of_keras3(config, version)
        super().__init__(weights, "model.weights.h5")
        # Before 2.15 it was a group of another name; on Windows, of several such names.
        self.container = "layers" if self.has("layers") else "_layer_checkpoint_dependencies"

    def find_weights(self, model: Model) -> None:
        """Find the weights of every layer of the model, its own and those of layers within it."""
        for layer in model.entries():
            for part, names in ENTRIES[layer.kind].weight_groups(layer.config).items():
                self._find(layer, f"{layer.group}/{part}".rstrip("/"), names)

    def _find(self, layer: FileLayer, group: str, names: tuple[str, ...]) -> None:
        """Find the arrays of one group; they must be as many as there are names."""
        try:
            variables = self._variables(group)
            if sorted(variables) != sorted(map(str, range(len(names)))):
                raise ValueError(_other_count(names, len(variables)))
            for i, name in enumerate(names):
                self.find(layer, name, variables[str(i)])
        except DAMAGED as error:
            place = f"weights of layer {layer.name!r} (at {group!r} in the file)"
            raise ValueError(f"{place}: {error}") from error

    def _variables(self, group: str) -> dict[str, h5py.Dataset]:
        if not group:
            return {}
        # A layer in a layer is called as in Keras's code, in some versions with an underscore.
        above, _, last = group.rpartition("/")
        paths = f"{group}/vars", f"{above}/_{last}/vars", group.replace("/", "\\") + "/vars"
        place = next((found for path in paths if (found := self.group(path)) is not None), None)
        return {} if place is None else {name: self.child(place, name) for name in place}


def _described(archive: zipfile.ZipFile, name: str) -> Any:
    return read_json(read_member(archive, name, MOST_JSON_BYTES).getvalue(), name)


def _other_count(names: tuple[str, ...], count: int) -> str:
    stored = f"{count} arrays" if count else "none"
    return f"{len(names)} weights ({', '.join(names)}) expected, the file has {stored}"


# The older format -------------------------------------------------------------------------------


class _WholeHdf5(_Stored):
    """A model in one HDF5 file: its config an attribute, and a group of arrays for each of its layers.

    A model within the model has one group for all its layers.
    """

    container = "layers"

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            longest = check_heaps(content)
        super().__init__(path, "this", longest)
        try:
            self.config = self._described()
        except ValueError:
            self.file.close()
            raise

    def _described(self) -> Any:
        config = self.attribute(self.file, "model_config")
        if config is None:
            raise ValueError(WEIGHTS_ONLY)
        version = self.attribute(self.file, "keras_version") or 2
        return with_modules(_in_words_of_keras3(read_json(config, "model_config"), version))

    def find_weights(self, model: Model) -> None:
        """Find the weights of every layer of the model."""
        originals = self._originals()
        for name, member in model.members.items():
            layers = list(member.entries()) if isinstance(member, Model) else [member]
            wanted = [(layer, weight) for layer in dict.fromkeys(layers) for weight in layer.weight_names]
            # Keras stores what it trains first.
            wanted.sort(key=lambda pair: not pair[0].trains(pair[1]))
            try:
                stored = list(self._stored(originals.get(name, name)))
                if len(stored) != len(wanted):
                    raise ValueError(_other_count(tuple(weight for _, weight in wanted), len(stored)))
                for (layer, weight), data in zip(wanted, stored, strict=True):
                    self.find(layer, weight, data)
            except DAMAGED as error:
                raise ValueError(f"weights of layer {name!r}: {error}") from error

    def _originals(self) -> dict[str, str]:
        """The layers' own names, by those that they have here."""
        try:
            root = self.group("model_weights")
            names = [] if root is None else self.names(root, "layer_names")
        except DAMAGED as error:
            raise ValueError(f"model_weights is damaged ({error})") from error
        return {new: name for name, new in without_slashes(names).items()}

    def _stored(self, layer: str) -> Iterator[Any]:
        """The arrays of one of the model's layers, in Keras's order."""
        group = self.group(f"model_weights/{layer}")
        for name in [] if group is None else self.names(group, "weight_names"):
            place, _, last = name.rpartition("/")
            # The state of a random layer's generator.
            if not last.startswith("StateVar"):
                folder = self.group(f"model_weights/{layer}/{place}") if place else group
                yield None if folder is None else self.child(folder, last)
