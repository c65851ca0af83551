"""Arrays and attributes of an HDF5 file, read with care: no link is followed, and sizes are limited."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import count
from mmap import mmap
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

MOST_BYTES = 2**30
"""Limit on what the arrays of a file may say they hold."""


class Hdf5:
    """An HDF5 file, or the bytes of one; `what` is what its errors call it."""

    def __init__(self, file: Path | bytes, what: str) -> None:
        self.left = MOST_BYTES
        try:
            self.file = h5py.File(BytesIO(file) if isinstance(file, bytes) else file, "r")
        except OSError as error:
            raise ValueError(f"{what} is not an HDF5 file, or a damaged one ({error})") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def has(self, name: str) -> bool:
        """Whether the file has such a member, or is too damaged to tell."""
        try:
            return name in self.file
        except (OSError, KeyError, RuntimeError):
            return True

    def attribute(self, place: Any, name: str) -> str | None:
        """A text that is attached to a place; None if there is none. `check_heaps` comes before."""
        value = self._attached(place, name)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return None if value is None else str(value)

    def names(self, place: Any, name: str) -> list[str]:
        """A list of texts; Keras cuts a long one into pieces, which it numbers."""
        whole = self._attached(place, name)
        pieces: Iterable[Any] = [whole] if whole is not None else self._pieces(place, name)
        texts = (text for piece in pieces for text in np.ravel(piece))
        return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]

    def _pieces(self, place: Any, name: str) -> Iterator[Any]:
        for number in count():
            piece = self._attached(place, f"{name}{number}")
            if piece is None:
                return
            yield piece

    @staticmethod
    def _attached(place: Any, name: str) -> Any:
        try:
            return place.attrs.get(name)
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise ValueError(f"its {name} is damaged ({error})") from None

    def group(self, path: str) -> h5py.Group | None:
        """The group at a path; None if there is none."""
        place: Any = self.file
        for step in path.split("/"):
            place = self.child(place, step)
            if place is None:
                return None
            if not isinstance(place, h5py.Group):
                raise ValueError(f"{step!r} is not a group")
        return place

    @staticmethod
    def child(group: h5py.Group, name: str) -> Any:
        """A member that lies in this file itself; None if there is no such member."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r} is a {type(link).__name__}; links are not followed")
        return group.get(name)

    def array(self, data: Any, name: str) -> np.ndarray:
        """A weight's numbers: float32 of half precision, else as they are stored."""
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise ValueError(f"{name} is not an array in this file")
        self.left -= math.prod(data.shape) * data.dtype.itemsize
        if self.left < 0:
            raise ValueError(f"arrays of more than {MOST_BYTES:,} bytes in all")
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


HEAP = b"GCOL\x01\0\0\0"
"""What a heap of texts begins with: its name and version; its size comes next."""


def check_heaps(data: bytes | mmap) -> None:
    """ValueError where a heap that holds an HDF5 file's texts is damaged: libhdf5 can walk it for ever.

    Source: HDF5 File Format Specification 3.0, III.E, "Global Heap".
    """
    start = data.find(HEAP)
    while start >= 0:
        end = start + int.from_bytes(data[start + 8 : start + 16], "little")
        place = start + 16
        if end > len(data):
            raise ValueError(f"it is damaged: a heap of texts at byte {start} does not end in it")
        while place + 16 <= end:
            number = int.from_bytes(data[place : place + 2], "little")
            size = int.from_bytes(data[place + 8 : place + 16], "little")
            # An object has a header and fills eights; number 0 is what is left, its header included.
            size = 16 + -(-size // 8) * 8 if number else size
            place += size
            if size < 16 or place > end:
                raise ValueError(f"it is damaged: a heap of texts at byte {start} has no order")
        start = data.find(HEAP, start + 1)
