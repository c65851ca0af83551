"""Pictures, arrays of them and lists of names that state more than they hold: a sentence, little memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

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
            elif path.suffix == ".png":
                load_as(path, (28, 28, 1), "torch")
            else:
                open_images(path)
        except ValueError as error:
            return str(error)
    return None


def png(width: int, height: int) -> bytes:
    """A white picture of so many pixels, packed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 4 * width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


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
    ("half.json", b'["\\ud800"]', "half of a character"),
]


def test_what_a_file_states_is_looked_at_before_it_is_read() -> None:
    cases = [(name, content) for name, content, _ in CASES]
    outcomes = limited_calls(read, cases, memory=150 * MEGABYTE, seconds=2)
    for (name, _, said), outcome in zip(CASES, outcomes, strict=True):
        assert not outcome.error, f"{name}: {outcome.trace}"
        assert said in str(outcome.value), f"{name}: {outcome.value}"
        assert len(outcome.value) < 400, name
        assert outcome.peak < 150 * MEGABYTE, f"{name}: {outcome.peak / MEGABYTE:.0f} MB"
