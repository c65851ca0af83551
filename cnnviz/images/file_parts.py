"""How many parts an image file has: chunks, segments, blocks, and the scans of a progressive JPEG.

Pillow goes through parts one by one, and through the whole image once more for every scan, so a small file
of very many takes minutes. They are counted first, as the decoders would meet them, until there are too many;
of a GIF up to its first frame. A WebP's are libwebp's own, which is quick. After the PNG specification
(W3C, 2003), ITU-T T.81 (JPEG, 1992) and CompuServe's GIF89a (1990).
"""

from __future__ import annotations

import re

MOST_CHUNKS = 10_000
"""Of a PNG, or blocks of a GIF: an encoder makes one for some thousand bytes."""
MOST_SEGMENTS = 1000
"""Of a JPEG: a segment has up to 64 kB."""
MOST_SCANS = 100
"""Of a progressive JPEG: encoders make about ten."""

_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", (b"GIF87a", b"GIF89a")
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A JPEG's marker with its fill bytes; those that may stand in a scan are none."""
_END, _SCAN, _WITHOUT_LENGTH = 0xD9, 0xDA, (0x01, 0xD8)


def too_many(content: bytes) -> str:
    """What an image file has too many of, in words; nothing if it has not.

    >>> too_many(b"GIF89a" + bytes(7) + b"!\\xfe\\0" * 5000 + b";")
    'more than 10,000 blocks'
    """
    for beginnings, count in ((_PNG, _of_png), (_JPEG, _of_jpeg), (_GIF, _of_gif)):
        if content.startswith(beginnings):
            return count(content)
    return ""


def _of_png(content: bytes) -> str:
    place = len(_PNG)
    for _ in range(MOST_CHUNKS):
        kind = content[place + 4 : place + 8]
        if len(kind) < 4 or kind == b"IEND":
            return ""
        place += 12 + int.from_bytes(content[place : place + 4], "big")
    return f"more than {MOST_CHUNKS:,} chunks"


def _of_jpeg(content: bytes) -> str:
    place, segments, scans = len(_JPEG), 0, 0
    while segments <= MOST_SEGMENTS and scans <= MOST_SCANS:
        found = _MARKER.search(content, place)
        if found is None or found[1][0] == _END:
            return ""
        # Before the first scan, Pillow looks at each byte between two segments.
        segments += 1 if scans else found.end() - place - 1
        scans += found[1][0] == _SCAN
        place = found.end()
        if found[1][0] not in _WITHOUT_LENGTH:
            place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return f"more than {MOST_SCANS} scans" if scans > MOST_SCANS else f"more than {MOST_SEGMENTS:,} segments"


def _of_gif(content: bytes) -> str:
    flags = content[10] if len(content) > 10 else 0
    place = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    within = False  # an extension, whose blocks end with an empty one
    for _ in range(MOST_CHUNKS):
        first = content[place : place + 1]
        if not first or (not within and first in b",;"):
            return ""
        if within:
            within, place = first != b"\0", place + 1 + first[0]
        else:
            within, place = first == b"!", place + (2 if first == b"!" else 1)
    return f"more than {MOST_CHUNKS:,} blocks"
