"""Reading the image files that a user hands in, with limits that are checked before decoding.

PNG, JPEG, WebP and the first frame of a GIF, by Pillow; other formats are refused unread, since
some of their decoders run programs. Every way in which a file can be bad ends in one `ImageError`.
Files are decoded one at a time and no larger than is asked for, so that several uploads need no more
room than one.
"""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from typing import Any, BinaryIO

import numpy as np

from cnnviz.images.file_parts import too_many

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 25_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
BEGINNINGS = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WebP", b"GIF8": "GIF"}
_BAND = 64
"""Rows of the reduced image that are made at once."""
_one_at_a_time = threading.Lock()
_AT_MOST = f"at most {MAX_PIXELS // 10**6} megapixels are read"


class ImageError(ValueError):
    """An image cannot be read, or holds no digit; the message is one sentence for its owner."""


def read_image(source: str | os.PathLike[str] | bytes | BinaryIO, *, side: int | None = None) -> np.ndarray:
    """Decode a PNG, JPEG or WebP image, or the first frame of a GIF.

    Size and pixel count are checked before anything is decoded: at most 10 MB and 25 megapixels. One image
    is decoded at a time; others wait.

    Parameters
    ----------
    source
        A path, the file's content, or an open binary file.
    side
        The most pixels that the longer side is to have: a larger image is reduced to it, by the means of its
        pixels, and a JPEG is decoded to an eighth, a quarter or half of its size where that is enough. None:
        every pixel is read.

    Returns
    -------
    np.ndarray
        Grey (H, W) as uint8, or uint16 for a 16-bit image; colour as uint8 (H, W, 3), with
        transparency (H, W, 4). The photograph's orientation tag is applied.

    Raises
    ------
    ImageError
        (a ValueError) for a file that is missing, empty, too large, damaged, or of another kind.
    ValueError
        if `side` is less than 1.

    Examples
    --------
    >>> read_image(b"")
    Traceback (most recent call last):
    cnnviz.images.image_files.ImageError: the image file is empty (0 bytes)
    """
    if side is not None and side < 1:
        raise ValueError(f"side must be at least 1 pixel, got {side}")
    content = content_of(source)
    with _one_at_a_time:
        return _decoded(content, side)


def _decoded(content: bytes, side: int | None) -> np.ndarray:
    """A file's content as an array; what Pillow needed for it is free again when this returns."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Of what stands beside the pixels and is damaged, Pillow warns once for each piece.
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            # It warns of a large image and refuses a huge one; to us both are too large.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ImageError(f"the image has {width} x {height} pixels; {_AT_MOST}")
            return _array(picture, side or max(picture.size))
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(f"the image is too large; {_AT_MOST}") from None
    except Image.UnidentifiedImageError:
        for beginning, kind in BEGINNINGS.items():
            if content.startswith(beginning):
                raise ImageError(
                    f"the file begins as a {kind} image does, but is damaged; download or save it again"
                ) from None
        raise ImageError("the file is not a PNG, JPEG, WebP or GIF image") from None
    except Exception as error:
        # A damaged file makes Pillow's decoders raise nearly anything: OSError, SyntaxError, zlib.error, ...
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ImageError(f"the image is damaged and cannot be decoded ({reason})") from None


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A file to be read; a pipe that nobody writes into is empty, where `open` would wait for ever."""
    unhindered = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | unhindered))  # noqa: SIM115
    if unhindered:
        os.set_blocking(file.fileno(), True)
    return file


def content_of(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    """An image file's bytes, never more than one past the limit; ImageError where they need no decoding."""
    try:
        if isinstance(source, bytes):
            content = source
        elif isinstance(source, str | os.PathLike):
            with opened(source) as file:
                content = file.read(MAX_BYTES + 1)
        else:
            content = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"cannot read the image: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise ImageError(f"the image file is larger than {MAX_BYTES // 2**20} MB")
    if not content:
        raise ImageError("the image file is empty (0 bytes)")
    if excess := too_many(content):
        raise ImageError(
            f"the image has {excess}, which take long to read; save it again with another program"
        )
    return content


def _array(picture: Any, side: int) -> np.ndarray:
    """An opened Pillow image as an array of one of `read_image`'s kinds, upright."""
    size = picture.size
    if max(size) > side:
        size = tuple(max(1, round(length * side / max(size))) for length in size)
        if picture.format == "JPEG":
            # Twice the size asked for: what is left to reduce then need not be a whole factor.
            picture.draft(None, (2 * size[0], 2 * size[1]))
    picture.load()
    picture = plain(picture) if size == picture.size else _reduced(picture, size)
    array = np.asarray(upright(picture))
    return array.astype(np.uint16) if array.dtype.itemsize > 1 else array


def upright(picture: Any) -> Any:
    """A Pillow image turned as its orientation tag says; as it is where its tags are damaged."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # Pillow raises SyntaxError, struct.error and others for them.
        return picture


def plain(picture: Any) -> Any:
    """A Pillow image as grey of 8 or 16 bits, RGB, or RGBA where something may be transparent."""
    if picture.mode.startswith("I;16"):
        return picture
    mode = "RGBA" if picture.has_transparency_data else "L" if picture.mode in ("1", "L") else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _reduced(picture: Any, size: tuple[int, int]) -> Any:
    """A Pillow image made smaller by the means of its pixels, band by band: no second one of its size."""
    from PIL import Image

    (columns, rows), factor = size, picture.size[1] / size[1]
    bands = []
    for top in range(0, rows, _BAND):
        first, last = top * factor, min(top + _BAND, rows) * factor
        above, below = math.floor(first), min(math.ceil(last - 1e-9), picture.size[1])
        band = plain(picture.crop((0, above, picture.size[0], below)))
        if band.mode.startswith("I;16"):
            band = band.convert("I")
        box = (0, first - above, picture.size[0], min(last - above, below - above))
        bands.append(band.resize((columns, min(_BAND, rows - top)), Image.Resampling.BOX, box=box))
    small = Image.new(bands[0].mode, size)
    for top, band in zip(range(0, rows, _BAND), bands, strict=True):
        small.paste(band, (0, top))
    small.info = picture.info
    return small
