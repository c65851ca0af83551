"""Pictures, arrays of them and lists of names that state more than they hold: a sentence, little memory."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from harness.limited import MEGABYTE, limited_calls


def read(case: tuple[str, bytes] | None) -> str | None:
    """In the child: what is said of a file of this name."""
    from cnnviz.images.class_names import class_names
    from cnnviz.images.loading import load_as
    from cnnviz.images.sources import open_images

    if case is None:
        return None
    name, content = case
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            if path.suffix == ".json":
                class_names(path)
            elif path.suffix in (".png", ".jpg", ".gif"):
                load_as(path, (28, 28, 1), "torch")
            else:
                open_images(path)
        except ValueError as error:
            return str(error)
    return None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, more: bytes = b"") -> bytes:
    """A white picture of so many pixels, packed; `more` chunks behind its pixels."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 4 * width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = chunk(b"IHDR", header) + chunk(b"IDAT", rows)
    return b"\x89PNG\r\n\x1a\n" + pixels + more + chunk(b"IEND", b"")


def white(form: str, side: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), 255).save(file, form, progressive=True)
    return file.getvalue()


def jpeg(more: bytes) -> bytes:
    """With `more` segments before the usual ones."""
    return b"\xff\xd8" + more + white("JPEG", 40)[2:]


def scans(count: int) -> bytes:
    """A progressive JPEG of 25 megapixels that has its second scan, 42 bytes, so many times more."""
    content = white("JPEG", 5000)
    first, second, third = (found.start() for found in islice(re.finditer(b"\xff\xda", content), 3))
    del first
    scan = content[second : content.index(b"\xff", second + 2)]
    assert len(scan) < 100 < third
    return content[:second] + scan * count + content[second:]


def gif(more: bytes) -> bytes:
    """With `more` blocks before its frame."""
    content = white("GIF", 40)
    frame = content.index(b",", 13)
    return content[:frame] + more + content[frame:]


def npy(shape: str, descr: str = "'|u1'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()


def npz(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


CASES = [
    ("large.png", png(9000, 5000), "the image has 9000 x 5000 pixels; at most 25 megapixels are read"),
    (
        "sum.png",
        png(5, 5).replace(b"\0\0\0\5\0\0\0\5", b"\0\0\0\6\0\0\0\5"),
        "begins as a PNG image does, but is",
    ),
    (
        "stated.npz",
        npz(x=npy("(1000000, 700, 700)")),
        "is not a NumPy file of images",
    ),
    ("stated.npy", npy("(1000000, 700, 700)"), "is not a NumPy file of images"),
    ("objects.npz", npz(x=npy("(3, 5, 5)", "'|O'") + b"x" * 600), "is not a NumPy file of images"),
    ("objects.npy", npy("(3, 5, 5)", "'|O'") + b"x" * 600, "is not a NumPy file of images"),
    ("deep.json", b"[" * 10**6, "is nested too deeply"),
    ("wide.json", b"[" + b"[]," * 3 * 10**6 + b"[]]", "values; at most 2,000,000 are read"),
    ("digits.json", b"[" + b"9" * 5000 + b"]", "is not JSON"),
    ("chunks.png", png(5, 5, chunk(b"aaAa", b"") * 500_000), "has more than 10,000 chunks"),
    ("segments.jpg", jpeg(b"\xff\xfe\0\2" * 1_000_000), "has more than 1,000 segments"),
    ("photographs.jpg", jpeg(b"\xff\xe1\0\x09Exif\0\0a" * 500_000), "has more than 1,000 segments"),
    ("filled.jpg", jpeg(b"\xff" * 9_000_000), "has more than 1,000 segments"),
    ("scans.jpg", scans(4000), "has more than 100 scans"),
    ("comments.gif", gif(b"!\xfe\1A\0" * 1_000_000), "has more than 10,000 blocks"),
    ("comment.gif", gif(b"!\xfe" + b"\1A" * 4_000_000 + b"\0"), "has more than 10,000 blocks"),
    ("half.json", b'["\\ud800"]', "half of a character"),
]


def test_what_a_file_states_is_looked_at_before_it_is_read() -> None:
    cases = [(name, content) for name, content, _ in CASES]
    outcomes = limited_calls(read, cases, memory=150 * MEGABYTE, seconds=2)
    for (name, _, said), outcome in zip(CASES, outcomes, strict=True):
        assert not outcome.error, f"{name}: {outcome.trace}"
        assert said in str(outcome.value), f"{name}: {outcome.value}"
        assert len(outcome.value) < 400, name
        assert outcome.worked < 2, f"{name}: {outcome.worked:.1f} s"
        assert outcome.peak < 150 * MEGABYTE, f"{name}: {outcome.peak / MEGABYTE:.0f} MB"
