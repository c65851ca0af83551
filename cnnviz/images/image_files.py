"""Reading the image files that a user hands in, with limits that are checked before decoding.

PNG, JPEG, WebP and the first frame of a GIF, by Pillow; other formats are refused unread, since
some of their decoders run programs. Every way in which a file can be bad ends in one `ImageError`.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, BinaryIO

import numpy as np

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 25_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_AT_MOST = f"at most {MAX_PIXELS // 10**6} megapixels are read"


class ImageError(ValueError):
    """An image cannot be read, or holds no digit; the message is one sentence for its owner."""


def read_image(source: str | os.PathLike[str] | bytes | BinaryIO) -> np.ndarray:
    """Decode a PNG, JPEG or WebP image, or the first frame of a GIF.

    Size and pixel count are checked before anything is decoded: at most 10 MB and 25 megapixels.

    Parameters
    ----------
    source
        A path, the file's content, or an open binary file.

    Returns
    -------
    np.ndarray
        Grey (H, W) as uint8, or uint16 for a 16-bit image; colour as uint8 (H, W, 3), with
        transparency (H, W, 4). The photograph's orientation tag is applied.

    Raises
    ------
    ImageError
        (a ValueError) for a file that is missing, empty, too large, damaged, or of another kind.

    Examples
    --------
    >>> read_image(b"")
    Traceback (most recent call last):
    cnnviz.images.image_files.ImageError: the image file is empty (0 bytes)
    """
    from PIL import Image, ImageOps

    content = _content(source)
    if not content:
        raise ImageError("the image file is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Pillow warns of a large image and refuses a huge one; to us both are too large.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", "Truncated File Read|Corrupt EXIF data", UserWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ImageError(f"the image has {width} x {height} pixels; {_AT_MOST}")
            picture.load()
            return _array(ImageOps.exif_transpose(picture))
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(f"the image is too large; {_AT_MOST}") from None
    except Image.UnidentifiedImageError:
        raise ImageError("the file is not a PNG, JPEG, WebP or GIF image") from None
    except Exception as error:
        # A damaged file makes Pillow's decoders raise nearly anything: OSError, SyntaxError, zlib.error, ...
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ImageError(f"the image is damaged and cannot be decoded ({reason})") from None


def _content(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    """The file's bytes, never more than one past the limit."""
    try:
        if isinstance(source, bytes):
            content = source
        elif isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        else:
            content = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"cannot read the image: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise ImageError(f"the image file is larger than {MAX_BYTES // 2**20} MB")
    return content


def _array(picture: Any) -> np.ndarray:
    """A decoded Pillow image as an array of one of `read_image`'s kinds."""
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if picture.has_transparency_data:
        return np.asarray(picture.convert("RGBA"))
    return np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
