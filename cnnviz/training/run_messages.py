"""What a run's process and its owner send each other: a line of JSON, and arrays behind it.

The line says of each array its name, dtype and shape; their bytes follow one after the other. No message is
ever more than numbers and words: nothing in it is executed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np


@dataclass(frozen=True)
class Message:
    """Its kind, what it says, and the arrays that it brings.

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
        """Send it, in one piece."""
        arrays = [(name, np.ascontiguousarray(array)) for name, array in self.arrays.items()]
        places = [(name, array.dtype.str, array.shape) for name, array in arrays]
        line = json.dumps([self.kind, self.said, places]).encode() + b"\n"
        stream.write(line + b"".join(array.tobytes() for _, array in arrays))
        stream.flush()

    @classmethod
    def read(cls, stream: BinaryIO) -> Message | None:
        """The next one; None at the stream's end, wherever that comes."""
        line = stream.readline()
        if not line.endswith(b"\n"):
            return None
        kind, said, places = json.loads(line)
        arrays = {}
        for name, dtype, shape in places:
            kept = np.dtype(dtype)
            size = kept.itemsize * math.prod(shape)
            content = stream.read(size)
            if len(content) < size:
                return None
            arrays[name] = np.frombuffer(content, kept).reshape(shape)
        return cls(kind, said, arrays)
