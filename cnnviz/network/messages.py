"""What two processes send each other: a line of JSON, and arrays behind it.

The line says of each array its names, dtype and shape; their bytes follow one after the other. No message is
ever more than numbers and words: nothing in it is executed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

MOST_SAID = 2**26
"""Bytes of a message's line."""
MOST_AXES = 32
"""Of an array, as NumPy takes them at least."""


class NoMessage(ValueError):
    """What came is no message, or a larger one than may come."""


@dataclass(frozen=True)
class Message:
    """Its kind, what it says, and the arrays that it brings; one that has several names is sent once.

    >>> import io
    >>> stream = io.BytesIO()
    >>> Message("picture", {"step": 3}, {"conv2d/bias": np.zeros(2, np.float32)}).write(stream)
    >>> _ = stream.seek(0)
    >>> Message.read(stream).arrays
    {'conv2d/bias': array([0., 0.], dtype=float32)}
    """

    kind: str
    said: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def write(self, stream: BinaryIO) -> None:
        """Send it; a message without arrays in one piece."""
        names: dict[int, list[str]] = {}
        for name, array in self.arrays.items():
            names.setdefault(id(array), []).append(name)
        sent = [(each, np.ascontiguousarray(self.arrays[each[0]])) for each in names.values()]
        places = [(each, array.dtype.str, array.shape) for each, array in sent]
        stream.write(json.dumps([self.kind, self.said, places]).encode() + b"\n")
        for _, array in sent:
            stream.write(array.reshape(-1).view(np.uint8).data)
        stream.flush()

    @classmethod
    def read(cls, stream: BinaryIO, most: float = 2**62) -> Message | None:
        """The next one, with arrays of `most` bytes; None at the stream's end, wherever that comes.

        Raises
        ------
        NoMessage
            for anything else: where the next one begins is then not known.
        """
        line = stream.readline(MOST_SAID)
        if not line.endswith(b"\n") and len(line) < MOST_SAID:
            return None
        try:
            kind, said, places = json.loads(line)
            rooms = [(list(names), np.dtype(str(dtype)), tuple(shape)) for names, dtype, shape in places]
            sizes = [math.prod(max(each, 1) for each in shape) * dtype.itemsize for _, dtype, shape in rooms]
            right = all(type(each) is int and each >= 0 for _, _, shape in rooms for each in shape)
            right = right and all(isinstance(each, str) for names, _, _ in rooms for each in names)
            right = right and max((len(shape) for _, _, shape in rooms), default=0) <= MOST_AXES
            right = right and isinstance(kind, str) and isinstance(said, dict) and sum(sizes) <= most
        except (ValueError, TypeError, RecursionError):
            right = False
        if not right or any(dtype.hasobject for _, dtype, _ in rooms):
            raise NoMessage(f"a message must be a line of JSON and its arrays, got {line[:40]!r}")
        arrays: dict[str, np.ndarray] = {}
        for names, dtype, shape in rooms:
            array = np.empty(shape, dtype)
            room, done = array.reshape(-1).view(np.uint8).data, 0
            while done < len(room):
                some = stream.readinto(room[done:])  # type: ignore[attr-defined]
                if not some:
                    return None
                done += some
            arrays.update(dict.fromkeys(names, array))
        return cls(kind, said, arrays)
