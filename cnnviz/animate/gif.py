"""Frames as an animated GIF, frame by frame, so that a long animation needs no more memory than a short one.

Pillow compresses each frame's changed rectangle; the file around them is written here, after the GIF89a
specification (CompuServe, 1990) and Netscape's extension for loops. One palette serves all frames.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops
from PIL.GifImagePlugin import getdata

_CLEAR = 255
"""The palette's last entry: what has not changed."""


def encode(frames: Iterable[Image.Image], durations: Sequence[int], samples: Sequence[Image.Image]) -> bytes:
    """A GIF that loops forever.

    Parameters
    ----------
    frames
        RGB images of one size, as many as durations.
    durations
        Milliseconds that each is shown, in steps of 10.
    samples
        Images that have all the colours among them; the palette is made from these.

    Returns
    -------
    bytes
        The file.
    """
    palette = _palette(samples)
    width, height = samples[0].size
    file = io.BytesIO()
    file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0))
    file.write(bytes(palette.getpalette() or ()).ljust(768, b"\0"))
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    before: Image.Image | None = None
    for frame, duration in zip(frames, durations, strict=True):
        indexed = frame.quantize(palette=palette, dither=Image.Dither.NONE)
        box = (0, 0, width, height)
        if before is not None:
            changed = ImageChops.difference(indexed.convert("RGB"), before.convert("RGB"))
            box = changed.getbbox() or (0, 0, 1, 1)
            mask = changed.crop(box).convert("L").point([255] + [0] * 255)
            piece = indexed.crop(box)
            piece.paste(_CLEAR, mask=mask)
        else:
            piece = indexed
        for part in getdata(piece, box[:2], duration=duration, disposal=1, transparency=_CLEAR):
            file.write(part)
        before = indexed
    file.write(b";")
    return file.getvalue()


def _palette(samples: Sequence[Image.Image]) -> Image.Image:
    """At most 255 colours for all samples, one under the other."""
    width, height = samples[0].size
    montage = Image.new("RGB", (width, height * len(samples)))
    for place, sample in enumerate(samples):
        montage.paste(sample, (0, place * height))
    return montage.quantize(colors=_CLEAR, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
