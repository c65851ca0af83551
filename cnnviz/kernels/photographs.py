"""A photograph to try kernels on, in colour too, and any image made grey and small enough to be drawn.

The photograph comes with matplotlib and is read from its files, offline. Reading users' files is left to
`images`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.images.image_files import read_image

SIDE, SMALL_SIDE = 192, 96
"""The longer side, in pixels, of a picture that one kernel is tried on, and of one for many kernels."""

LUMA = np.array([0.299, 0.587, 0.114])
"""How bright red, green and blue look. Source: ITU-R BT.601, section 2.5.1."""


def grey(image: Any, side: int = SIDE) -> np.ndarray:
    """An image as brightness, no larger than `side`; pixels are averaged where it is made smaller.

    Parameters
    ----------
    image
        As `images.read_image` returns it: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16. What is
        transparent is laid on white.
    side
        The most pixels on the longer side; smaller images stay as they are.

    Returns
    -------
    np.ndarray
        float32 (h, w), 0 (black) to 1 (white).

    Raises
    ------
    ValueError
        for another shape or dtype.

    Examples
    --------
    >>> grey(np.full((400, 200), 255, np.uint8)).shape
    (192, 96)
    """
    from PIL import Image

    image = np.asarray(image)
    if image.dtype not in (np.uint8, np.uint16) or not image.size:
        raise ValueError(f"image must be uint8 or uint16 and not empty, got {image.dtype} {image.shape}")
    if image.ndim != 2 and (image.ndim != 3 or image.shape[2] not in (3, 4)):
        raise ValueError(f"image must be (H, W), (H, W, 3) or (H, W, 4), got shape {image.shape}")
    channels = image[:, :, np.newaxis] if image.ndim == 2 else image
    scale = min(1.0, side / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))

    def shrunk(plane: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(plane.astype(np.float32))
        return np.asarray(picture.resize(size, Image.Resampling.BOX), np.float64)

    # One channel after the other, since those of a large image take much room as floats.
    resized = [shrunk(plane) for plane in np.moveaxis(channels, 2, 0)]
    small = np.stack(resized, axis=2) / np.iinfo(image.dtype).max
    bright = small[:, :, 0] if small.shape[2] == 1 else small[:, :, :3] @ LUMA
    if small.shape[2] == 4:
        bright = bright * small[:, :, 3] + 1 - small[:, :, 3]
    return np.clip(bright, 0, 1).astype(np.float32)


@lru_cache(maxsize=4)
def photograph(side: int = SIDE) -> np.ndarray:
    """A portrait of Grace Hopper, grey, from matplotlib's sample data: float32, read-only.

    >>> photograph().shape, photograph(96).shape
    ((192, 164), (96, 82))

    Source: James S. Davis, United States Navy; in the public domain.
    """
    bright = grey(_read(), side)
    bright.flags.writeable = False
    return bright


@lru_cache(maxsize=4)
def colour_photograph(side: int = SMALL_SIDE) -> np.ndarray:
    """The same portrait in its colours: uint8 (h, w, 3), red, green and blue, read-only.

    >>> colour_photograph().shape, colour_photograph().dtype
    ((96, 82, 3), dtype('uint8'))

    Source: as `photograph`.
    """
    from PIL import Image

    image = _read()[:, :, :3]
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    small.flags.writeable = False
    return small


def _read() -> np.ndarray:
    from matplotlib import get_data_path

    return read_image(f"{get_data_path()}/sample_data/grace_hopper.jpg")
