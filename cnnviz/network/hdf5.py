"""Arrays and attributes of an HDF5 file, read with care: no link is followed, and sizes are limited."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import count
from mmap import mmap
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from cnnviz.numbers import shortened

MOST_BYTES = 2**30
"""Limit on what the arrays of a file may say they hold."""
MOST_ATTACHED = 2**28
"""The same for what is attached to one place: a model's description, lists of names."""
MOST_CHUNK = 2**20
"""Bytes of the pieces of an array that is smaller than one of them."""
MOST_PACKED = 2000
"""What is packed with deflate becomes at most 1,032 times as long (zlib's technical details)."""
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
"""How the numbers of an array may be packed: what libhdf5 does itself, and within a limit."""


class Hdf5:
    """An HDF5 file, or the bytes of one.

    `what` is what its errors call it, `longest` the bytes of its longest text: see `check_heaps`.
    """

    def __init__(self, file: Path | BytesIO, what: str, longest: int = 0) -> None:
        self.left = MOST_BYTES
        self.longest = longest
        try:
            self.file = h5py.File(file, "r")
        except OSError as error:
            raise ValueError(f"{what} is not an HDF5 file, or a damaged one ({error})") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def has(self, name: str) -> bool:
        """Whether the file has such a member, or is too damaged to tell."""
        try:
            return bool(self.file.id.links.exists(name.encode()))
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

    def _attached(self, place: Any, name: str) -> Any:
        """What is attached to a place under a name, if it states no more than is read; None if nothing is."""
        try:
            if not h5py.h5a.exists(place.id, name.encode()):
                return None
            stated = h5py.h5a.open(place.id, name.encode())
            # Each of many texts can be the longest one again.
            each = self.longest if h5py.check_string_dtype(stated.dtype) and stated.dtype.kind == "O" else 0
            size = math.prod(stated.shape or ()) * (stated.dtype.itemsize + each)
            if size > MOST_ATTACHED:
                raise ValueError(f"{size:,} bytes; at most {MOST_ATTACHED:,} are read")
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
        place = name.encode()
        # Whether a name is in a group, h5py asks of what its link points to, in another file too.
        if "/" in name or not name or not group.id.links.exists(place):
            return None
        kind = group.id.links.get_info(place).type
        if kind != h5py.h5l.TYPE_HARD:
            called = {h5py.h5l.TYPE_SOFT: "SoftLink", h5py.h5l.TYPE_EXTERNAL: "ExternalLink"}
            raise ValueError(f"{name!r} is a {called.get(kind, 'link')}; links are not followed")
        return group.get(name)

    def stated(self, data: Any, name: str) -> np.ndarray:
        """An array of a weight's shape and dtype, without its numbers: it takes no memory.

        ValueError for what is no array of numbers in this file, or would take more than may be read.
        """
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise ValueError(f"{name} is not an array in this file")
        dtype = _read_as(data.dtype, name)
        if data.shape is None:
            raise ValueError(f"{name} is not an array, it is empty")
        size = math.prod(data.shape) * data.dtype.itemsize
        self.left -= size
        if self.left < 0:
            raise ValueError(f"arrays of more than {MOST_BYTES:,} bytes in all")
        _check_storage(data, name, size)
        return np.broadcast_to(np.zeros((), dtype), data.shape)

    @staticmethod
    def numbers(data: h5py.Dataset, name: str) -> np.ndarray:
        """The numbers of an array whose shape was looked at before: half precision as float32."""
        if data.chunks is not None:
            _check_chunks(data, name)
        stored = data[()]
        if data.dtype.kind == "V":
            # What HDF5 has no name for is bfloat16, the upper half of a float32. The attribute that says
            # so stays unread: libhdf5 can hang on the heap that holds it in a damaged file.
            stored = (stored.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        array = np.ascontiguousarray(stored, _read_as(data.dtype, name)).reshape(data.shape)
        array.flags.writeable = False
        return array


def _read_as(stored: np.dtype, name: str) -> np.dtype:
    """The dtype in which numbers stored as this one are read; ValueError for what holds no floats."""
    if stored.kind == "f" and stored.itemsize <= 8:
        return np.dtype(np.float64 if stored.itemsize == 8 else np.float32)
    if stored.kind == "V" and stored.itemsize == 2 and stored.names is None:
        return np.dtype(np.float32)
    if name == "count" and stored.kind in "iu":
        return np.dtype(np.int64)
    raise ValueError(f"{name} must hold floats, it holds {shortened(str(stored), 80)}")


def _check_storage(data: h5py.Dataset, name: str, size: int) -> None:
    """ValueError where the file has fewer numbers than it states, or needs a plug-in to unpack them."""
    plan = data.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if not set(filters) <= FILTERS or len(set(filters)) < len(filters):
        raise ValueError(f"{name} is packed in a way that is not read; save the file without compression")
    stored = min(data.id.get_storage_size(), data.file.id.get_filesize())
    if size > stored * (MOST_PACKED if filters else 1):
        raise ValueError(f"{name} {data.shape} should have {size:,} bytes, the file has {stored:,}")


def _check_chunks(data: h5py.Dataset, name: str) -> None:
    """ValueError where a chunk of an array unpacks to more than it may: libhdf5 has no limit for it."""
    plan = data.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    size = math.prod(data.chunks) * data.dtype.itemsize
    if size > max(math.prod(data.shape) * data.dtype.itemsize, MOST_CHUNK):
        raise ValueError(f"{name} lies in pieces of {size:,} bytes, which is more than it has")
    for number in range(data.id.get_num_chunks()):
        place = data.id.get_chunk_info(number).chunk_offset
        skipped, packed = data.id.read_direct_chunk(place)
        if h5py.h5z.FILTER_DEFLATE in filters and not skipped:
            unpacked = zlib.decompressobj().decompress(packed, size + 64)
            if len(unpacked) > size + 8:
                raise ValueError(f"{name} is damaged: a piece of it unpacks to more than {size:,} bytes")


HEAP = b"GCOL\x01\0\0\0"
"""What a heap of texts begins with: its name and version; its size comes next."""


def check_heaps(data: bytes | mmap) -> int:
    """The bytes of the longest text in an HDF5 file's heaps.

    ValueError where such a heap is damaged: libhdf5 can walk it for ever.

    Source: HDF5 File Format Specification 3.0, III.E, "Global Heap".
    """
    longest = 0
    start = data.find(HEAP)
    while start >= 0:
        end = start + int.from_bytes(data[start + 8 : start + 16], "little")
        place = start + 16
        if end > len(data):
            raise ValueError(f"it is damaged: a heap of texts at byte {start} does not end in it")
        while place + 16 <= end:
            number = int.from_bytes(data[place : place + 2], "little")
            size = int.from_bytes(data[place + 8 : place + 16], "little")
            longest = max(longest, size if number else 0)
            # An object has a header and fills eights; number 0 is what is left, its header included.
            size = 16 + -(-size // 8) * 8 if number else size
            place += size
            if size < 16 or place > end:
                raise ValueError(f"it is damaged: a heap of texts at byte {start} has no order")
        start = data.find(HEAP, start + 1)
    return longest
