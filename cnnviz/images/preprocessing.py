"""The scales that networks want pixels in: the modes of Keras's `preprocess_input`, and three more.

Pixels are 0..255, colour as red, green, blue. Which mode a network was trained with is for
`cnnviz.network.expected_pixels` to say.

Source of the modes "tf", "caffe" and "torch", their means and deviations, and their order of operations:
keras/src/applications/imagenet_utils.py, `_preprocess_numpy_input`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

MODES = {
    "unit": "0..255 divided by 255, to 0..1",
    "tf": "0..255 divided by 127.5, less 1, to -1..1",
    "caffe": "red, green, blue turned to blue, green, red, less ImageNet's means, not divided",
    "torch": "0..255 divided by 255, less ImageNet's means, divided by its deviations",
    "none": "0..255 as they are",
    "digit": "a digit's ink found, scaled and centred as in MNIST, to 0..1",
}
"""What is done to pixels in each mode."""

COLOUR_MODES = ("caffe", "torch")
"""Those that need three channels."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Blue, green, red."""


def check_mode(mode: str) -> str:
    """The mode, if there is one of that name; else ValueError."""
    if mode not in MODES:
        raise ValueError(f"preprocess must be 'auto', {', '.join(map(repr, MODES))}, got {mode!r}")
    return mode


def preprocess(pixels: np.ndarray, mode: str, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Pixels in the scale that a network wants.

    Parameters
    ----------
    pixels
        (..., C), 0..255; three channels are red, green, blue. A new array is returned.
    mode
        "unit", "tf", "caffe", "torch" or "none" (see `MODES`); "digit" counts as "unit": it is said of
        pixels that are a digit already.
    dtype
        Of the result.

    Returns
    -------
    np.ndarray
        The same numbers, to the bit, as `preprocess_input` of `keras.applications` gives in that mode.

    Raises
    ------
    ValueError
        for another mode, and for "caffe" and "torch" where there are not three channels.

    Examples
    --------
    >>> pixels = np.array([[0, 127.5, 255]])
    >>> preprocess(pixels, "tf"), preprocess(pixels, "unit")
    (array([[-1.,  0.,  1.]], dtype=float32), array([[0. , 0.5, 1. ]], dtype=float32))
    """
    check_mode(mode)
    x = np.array(pixels, dtype, order="C")
    _check_channels(x, mode)
    if mode == "tf":
        x /= x.dtype.type(127.5)
        x -= x.dtype.type(1)
    elif mode in ("unit", "digit", "torch"):
        x /= x.dtype.type(255)
    if mode == "torch":
        x -= np.array(IMAGENET_MEAN, x.dtype)
        x /= np.array(IMAGENET_DEVIATION, x.dtype)
    elif mode == "caffe":
        x = np.ascontiguousarray(x[..., ::-1])
        x -= np.array(CAFFE_MEAN, x.dtype)
    return x


def _check_channels(x: np.ndarray, mode: str) -> None:
    if mode in COLOUR_MODES and x.shape[-1:] != (3,):
        raise ValueError(f"preprocess={mode!r} takes three channels, red, green, blue: got shape {x.shape}")
