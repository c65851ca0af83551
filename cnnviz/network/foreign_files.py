"""What a file is that is not a Keras model, by its content, and the line that makes a .keras file of it.

Nothing of such a file is loaded: the first bytes tell the formats apart, and in a zip archive the names.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from cnnviz.resources import SmallReads

HEAD = 512
"""Bytes at the beginning that are looked at."""

SAVE = 'model.save("model.keras")'

WEIGHTS_ONLY = (
    "these are weights without their network; build the model in Python as it was built, "
    f'then model.load_weights("..."); {SAVE}'
)

DAMAGED_ZIP = (
    "a zip archive that is cut off or damaged, so not a whole .keras file; download or save it again"
)

_ARRAYS = f"build the same network in Keras, give its layers these arrays with layer.set_weights, then {SAVE}"
_SAVED_MODEL = (
    'tf_keras.models.load_model("its folder").save("model.keras") makes a .keras file of it '
    "(pip install tf-keras)"
)
_EXPORTED = (
    "as model.export writes it: the computation, without the Keras model; "
    f"where the model was made, {SAVE} makes a .keras file of it"
)

BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", ""),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, which stands for the file; git lfs pull brings the file",
    ),
    (b"\x93NUMPY", f"a NumPy array; {_ARRAYS}"),
    (b"GGUF", f"a GGUF file of weights; {_ARRAYS}"),
    (b"model_checkpoint_path", f"a note of TensorFlow checkpoints, which are {WEIGHTS_ONLY}"),
    (b"\x1f\x8b", "a gzip archive; unpack it and load what is in it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and load what is in it"),
    (b"Rar!", "a RAR archive; unpack it and load what is in it"),
    (b"\x89PNG", "a picture; the model comes first, then the picture"),
    (b"\xff\xd8\xff", "a picture; the model comes first, then the picture"),
)
"""What a file begins with and so is; "" is what Keras itself writes."""


def what_it_is(path: Path) -> str:
    """A sentence about a file that is not a Keras model, and what to do; "" for what Keras writes.

    >>> what_it_is(Path("/"))
    'this is a folder, not a model file'
    """
    return said if (said := _said(path)) in ("", WEIGHTS_ONLY) else f"this is {said}"


def _said(path: Path) -> str:
    if path.is_dir():
        return _folder({entry.name for entry in path.iterdir()})
    if not path.is_file():
        return "a pipe or a device, not a file; write what it gives into one"
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "an empty file; download or save it again"
    if zipfile.is_zipfile(path):
        return _archive(path)
    if head.startswith(b"PK"):
        return DAMAGED_ZIP
    for beginning, said in BEGINNINGS:
        if head.startswith(beginning):
            return said
    if head.startswith(b"\x08\x01\x12"):
        return f"a TensorFlow SavedModel{_its_model({entry.name for entry in path.parent.iterdir()})}"
    return _by_structure(head, path.stat().st_size)


def _folder(names: set[str]) -> str:
    if "saved_model.pb" in names:
        return f"the folder of a TensorFlow SavedModel{_its_model(names)}"
    if {"config.json", "model.weights.h5"} <= names:
        return "the folder of an unpacked .keras file; zip what is in it, and name it model.keras"
    return "a folder, not a model file"


def _its_model(names: set[str]) -> str:
    """What to do about a SavedModel, by what is in its folder: only Keras 2 keeps the Keras model there."""
    return f"; {_SAVED_MODEL}" if "keras_metadata.pb" in names else f", {_EXPORTED}"


def _archive(path: Path) -> str:
    try:
        with SmallReads(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, OSError):
        return DAMAGED_ZIP
    if "config.json" in names or "model.weights.h5" in names:
        return ""
    if any(name.endswith("/data.pkl") for name in names):
        return f"a PyTorch file, a pickle, which could run code and is never opened; {_ARRAYS}"
    if names and all(name.endswith(".npy") for name in names):
        return f"NumPy arrays (.npz); {_ARRAYS}"
    models = [name for name in names if name.endswith((".keras", ".h5", ".hdf5"))]
    if models:
        return f"a zip archive with {models[0]!r} in it; unpack it and load that"
    return "a zip archive, but not a .keras file: it has no config.json"


def _by_structure(head: bytes, size: int) -> str:
    """What no fixed beginning tells."""
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        return "a web page in place of the file; download the file itself (the raw file)"
    if head[4:8] == b"TFL3":
        return f"a TensorFlow Lite model, from which no Keras model can be made; {SAVE} where it was made"
    if head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") < size:
        return f"a safetensors file: weights without their network; {_ARRAYS}"
    if text.startswith((b"{", b"[")):
        return (
            "JSON, at best a model without its weights; "
            f'model = keras.models.model_from_json(text); model.load_weights("..."); {SAVE}'
        )
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return (
            f"a Python pickle (of PyTorch, for example), which could run code and is never opened; {_ARRAYS}"
        )
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it and load what is in it"
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x3a", b"\x42"):
        # Its first field is a version; the next its producer, the graph, or the operators' version.
        return (
            "an ONNX model; convert it (onnx2tf -i model.onnx -okv3, for example), or save it from Keras: "
            f"{SAVE}"
        )
    if head[:1] == b"\x0a" and b"\x0a" in head[2:4]:
        return f"a TensorFlow graph (.pb); if it is a SavedModel's, {_SAVED_MODEL}"
    return f"not a model file that Keras writes; {SAVE} makes one"
