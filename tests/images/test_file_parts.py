"""How many parts an image file may have: those that Pillow writes, up to the limits, and one more."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnnviz.images.file_parts import MOST_CHUNKS, MOST_SCANS, MOST_SEGMENTS, too_many

NOISE = np.random.default_rng(0).integers(0, 256, (90, 80, 3), np.uint8)

MORE = Image.fromarray(NOISE).convert("L")


def saved(form: str, side: int = 90, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE[:side]).convert("L" if form == "GIF" else "RGB").save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "quality": 100, "subsampling": 0}),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(60_000), "icc_profile": bytes(500_000)}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("GIF", {"comment": b"c" * 60_000, "save_all": True, "append_images": [MORE]}),
        ("WEBP", {"exif": bytes(9000)}),
        ("TIFF", {}),
    ],
)  # fmt: skip
def test_a_picture_as_programs_save_it_has_not_too_many(form, options):
    content = saved(form, **options)
    assert too_many(content) == ""
    ends = (*range(40), *range(40, len(content), 1 + len(content) // 20))
    assert all(too_many(content[:end]) == "" for end in ends)


def png(chunks: int) -> bytes:
    """Of so many before the end: a header, pixels, and others that say nothing."""
    content = saved("PNG", 1)
    assert content.count(b"IDAT") == 1
    return content[:33] + (bytes(4) + b"aaAa" + bytes(4)) * (chunks - 2) + content[33:]


def jpeg(segments: int) -> bytes:
    """Of so many, the scan among them."""
    content, place, usual = saved("JPEG", 1), 2, 1
    while content[place + 1] != 0xDA:
        place, usual = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big"), usual + 1
    return content[:2] + b"\xff\xfe\0\2" * (segments - usual) + content[2:]


def scans(count: int) -> bytes:
    content = saved("JPEG", 1)
    scan = content.index(b"\xff\xda")
    return content[:-2] + content[scan:-2] * (count - 1) + content[-2:]


def gif(blocks: int) -> bytes:
    """Of so many before the first frame, an extension's beginning and its end among them."""
    content = saved("GIF", 1)
    frame = content.index(b",\0\0\0\0")  # It begins at the corner.
    return content[:frame] + b"!\xfe" + b"\1," * (blocks - 2) + b"\0" + content[frame:]


@pytest.mark.parametrize(
    ("made", "most", "said"),
    [
        (png, MOST_CHUNKS - 1, "more than 10,000 chunks"),
        (jpeg, MOST_SEGMENTS, "more than 1,000 segments"),
        (scans, MOST_SCANS, "more than 100 scans"),
        (gif, MOST_CHUNKS - 1, "more than 10,000 blocks"),
    ],
)
def test_the_limits_are_where_they_are_said_to_be(made, most, said):
    assert too_many(made(most)) == ""
    assert too_many(made(most + 1)) == said
