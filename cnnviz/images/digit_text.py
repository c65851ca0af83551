"""A user's own digit as a short text, which an address or a line of code can carry.

The text is URL-safe base64 of the zlib-compressed pixels, a byte each. Reading one executes nothing and
never unpacks more than one digit's 784 bytes.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np

from cnnviz.images.digit_preparation import SIDE

_MOST = 1600
"""Longer than any text of a digit: zlib stores what it cannot compress with 11 bytes around it."""


def digit_to_text(image: np.ndarray) -> str:
    """A digit's pixels as text.

    Parameters
    ----------
    image
        One prepared digit (28, 28), uint8, 255 is ink, as `prepare_digit` returns it.

    Returns
    -------
    str
        Letters, digits, `-` and `_`: some 200 to 400 of them for a written digit.

    Raises
    ------
    ValueError
        If the image has another shape or dtype.

    Examples
    --------
    >>> image = np.zeros((28, 28), np.uint8)
    >>> text = digit_to_text(image)
    >>> len(text) < 50, bool((digit_from_text(text) == image).all())
    (True, True)
    """
    if image.shape != (SIDE, SIDE) or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 ({SIDE}, {SIDE}), got {image.dtype} {image.shape}")
    return base64.urlsafe_b64encode(zlib.compress(image.tobytes(), 9)).decode().rstrip("=")


def digit_from_text(text: str) -> np.ndarray:
    """The digit (28, 28), uint8, that `digit_to_text` wrote; ValueError for any other text.

    >>> digit_from_text("eNpjYBgFo2AUwAAAAxAAAQ").shape
    (28, 28)
    """
    try:
        packed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        unpacking = zlib.decompressobj()
        pixels = unpacking.decompress(packed, SIDE * SIDE + 1) if len(text) <= _MOST else b""
        whole = unpacking.eof and not unpacking.unused_data
    except (UnicodeEncodeError, binascii.Error, zlib.error):
        pixels, whole = b"", False
    if len(pixels) != SIDE * SIDE or not whole:
        raise ValueError(f"text must be a digit as digit_to_text writes it, got {text[:40]!r}")
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
