"""Parts: what goes to the browser as bytes, a JSON header and the arrays that it names.

A part is an eight-byte mark, the lengths of its text and of its body, and these two, each a multiple
of eight bytes long; a header names an array by [offset in the body, length, dtype]. scene.js reads it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAGIC = b"cnnviz02"


@dataclass
class Part:
    """A header, and the arrays that were added for it, little-endian."""

    header: dict[str, Any] = field(default_factory=dict)
    _body: list[bytes] = field(default_factory=list, repr=False)
    _length: int = 0

    def add(self, array: np.ndarray, dtype: str = "<f4") -> list[Any]:
        """Append an array; returns [offset, length, dtype] for the header."""
        content = np.ascontiguousarray(array, dtype).tobytes()
        place = [self._length, int(np.size(array)), dtype[1:]]
        padding = -len(content) % 8
        self._body += [content, bytes(padding)]
        self._length += len(content) + padding
        return place

    def copy(self, header: dict[str, Any]) -> Part:
        """The same arrays under another header; what is added to either is not in the other."""
        return Part(header, list(self._body), self._length)

    @property
    def body(self) -> bytes:
        """All arrays, one after the other."""
        return b"".join(self._body)

    def __bytes__(self) -> bytes:
        text = json.dumps(self.header, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 8)
        return MAGIC + struct.pack("<II", len(text), self._length) + text + self.body
