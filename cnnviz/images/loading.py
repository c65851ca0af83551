"""One image, from wherever it comes, as a network wants it; and in words what was done to it.

A file, an array or a Pillow image is brought to a shape and a scale, which come as plain values. Many
images at once are in `sources`.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.images.digit_preparation import Crop, Ink, Preparation, prepare_in_steps
from cnnviz.images.image_files import FORMATS, MAX_PIXELS, ImageError, content_of, plain, read_image, upright
from cnnviz.images.ink import LARGEST
from cnnviz.images.preprocessing import MODES, check_mode, preprocess

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
"""As `keras.utils.load_img` calls them. All but "nearest" average over what becomes one pixel."""

_GREY = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow's and TensorFlow's conversions to grey."""

_ORIENTATION = 0x0112
"""The tag of a photograph that says how the camera was held (EXIF 2.32, table 4)."""

Shape = Sequence[int | None]


class LoadedImage(np.ndarray):
    """An image as a network wants it: an array like any other, which says where it came from.

    What is computed from it is a plain image of numbers: it says nothing.
    """

    said: str = ""
    """In words what was done, from the file to the numbers."""
    mode: str = ""
    """The scale that its pixels were brought to, one of `preprocessing.MODES`."""
    pixels: np.ndarray | None = None
    """The image before that, uint8 (H, W, C), red, green, blue, to be shown."""


def load_as(
    source: Any,
    shape: Shape,
    mode: str,
    *,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    ink: Ink = "auto",
    crop: Crop | None = None,
    because: str = "",
) -> LoadedImage:
    """One image as float32 in a shape and a scale.

    Parameters
    ----------
    source
        A path, a file's content, an open binary file, a Pillow image, or an array (H, W) or (H, W, C):
        unsigned integers over their whole range, booleans, floats within 0..1, or others within 0..255.
    shape
        (H, W, 1), (H, W, 3), (H, W, 4) or, grey, (H, W); None for a size keeps the image's own.
    mode
        One of `preprocessing.MODES`.
    interpolation
        One of `INTERPOLATIONS`.
    crop_to_aspect_ratio
        Cut the largest part of the wanted shape from the middle before resizing; else the image is
        squeezed into it.
    ink, crop
        As for `digit_preparation.prepare_digit`, which `mode` "digit" runs: what is ink, and where to look.
    because
        Why this mode, to be said with it.

    Returns
    -------
    LoadedImage
        float32 in `shape`.

    Raises
    ------
    ImageError
        (a ValueError) for a file that cannot be read, and for numbers that are NaN or infinite.
    ValueError, TypeError
        for a shape that is not an image's, and for arguments that are none of the above.

    Examples
    --------
    >>> image = load_as(np.zeros((20, 40, 3), np.uint8), (10, 10, 1), "tf")
    >>> image.shape, float(image.max())
    ((10, 10, 1), -1.0)
    >>> print(image.said)
    an array of 40 x 20 pixels; colour turned to grey; resized to 10 x 10 (bilinear), squeezed; preprocess='tf': 0..255 divided by 127.5, less 1, to -1..1
    """  # noqa: E501
    check_mode(mode)
    check_digit_options(mode, ink, crop)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be {', '.join(map(repr, INTERPOLATIONS))}, got {interpolation!r}"
        )
    height, width, channels = _wanted(shape)
    given, said = _read(source, _enough(height, width, interpolation, digit=mode == "digit"))
    if given.dtype.kind == "f" and not (finite := np.isfinite(given)).all():
        raise ImageError(
            "pixels must be finite numbers, got NaN or infinite in "
            f"{given.size - int(finite.sum()):,} of {given.size:,}"
        )
    if mode == "digit":
        steps = prepare_in_steps(given, ink=ink, crop=crop)
        said.append(_said_of_digit(steps, ink, crop))
        array = steps.digit[..., None]
    else:
        array = _in_channels(_pixels(given, said), channels, said)
    array = _resized(array, height, width, interpolation, crop_to_aspect_ratio, said)
    if mode == "digit":
        array = np.repeat(array, channels, axis=2)
    x = preprocess(array, mode).reshape(array.shape[: len(shape)]).view(LoadedImage)
    x.mode = mode
    x.pixels = array if array.dtype == np.uint8 else np.rint(array).astype(np.uint8)
    x.said = "; ".join([*said, f"preprocess={mode!r}: {MODES[mode]}"]) + (f", {because}" if because else "")
    return x


def check_digit_options(mode: str, ink: str, crop: Crop | None) -> None:
    """ValueError where what is ink, or where to look for it, is said of a picture that is no digit."""
    if mode != "digit" and (ink, crop) != ("auto", None):
        raise ValueError(
            f"ink and crop are for preprocess='digit', which makes a digit of a picture: "
            f"got ink={ink!r}, crop={crop} with preprocess={mode!r}"
        )


def _said_of_digit(steps: Preparation, ink: str, crop: Crop | None) -> str:
    """What was taken for a digit, in words."""
    said = ""
    if crop is not None:
        rows, columns = (f"{100 * first:.3g} to {100 * last:.3g} %" for first, last in crop)
        said = f"rows from {rows} and columns from {columns} looked at; "
    if steps.as_it_was:
        return said + "a digit of MNIST's already" + (", turned light on dark" if steps.inverted else "")
    if ink == "drawn":
        return said + "its pixels are the ink"
    said += f"{'dark' if steps.inverted else 'light'} ink, {'found' if ink == 'auto' else 'as asked'}"
    if steps.sheet is not None:
        said += f" on a sheet that is {steps.sheet.mean():.0%} of it"
    return said


def _wanted(shape: Shape) -> tuple[int | None, int | None, int]:
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape if len(shape) == 3 else (0, 0, 0)
    if channels not in (1, 3, 4):
        raise ValueError(
            f"a picture fits an input (height, width), or with 1, 3 or 4 channels, not {tuple(shape)}"
        )
    return height, width, channels


def _read(source: Any, side: Callable[[int, int], int | None]) -> tuple[np.ndarray, list[str]]:
    """What a source holds, as an array, and what was done to read it.

    `side` says, of a file's width and height, how many pixels its longer side is to have; None is all.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            raise ImageError(f"{path} is a folder: load_images reads the images in it")
        array, said = _read_file(path, side)
        return array, [f"{path.name}: {said}"]
    if isinstance(source, bytes) or hasattr(source, "read"):
        array, said = _read_file(source, side)
        return array, [said]
    if hasattr(source, "has_transparency_data"):
        try:
            return from_pillow(source), [f"a Pillow image: {_said_of(source)}"]
        except Exception as error:  # Pillow reads late, and raises nearly anything.
            raise ImageError(f"the image is damaged and cannot be decoded ({error})") from None
    array = np.asarray(source)
    fits = array.ndim in (2, 3) and array.shape[2:] <= (4,) and array.size and array.dtype.kind in "buif"
    if not fits:
        raise ValueError(
            f"an image must be (H, W) or (H, W, 1..4) numbers and not empty, got {array.dtype} {array.shape}"
        )
    return array, [f"an array of {array.shape[1]} x {array.shape[0]} pixels"]


def _read_file(source: Any, side: Callable[[int, int], int | None]) -> tuple[np.ndarray, str]:
    from PIL import Image

    content = content_of(source)
    said, most = "", None
    # What is wrong with a picture, read_image says.
    with (
        suppress(Exception),
        warnings.catch_warnings(action="ignore"),
        Image.open(io.BytesIO(content), formats=FORMATS) as picture,
    ):
        # To look for the orientation of a PNG, Pillow decodes it.
        if picture.width * picture.height <= MAX_PIXELS:
            said, most = _said_of(picture), side(*picture.size)
    return read_image(content, side=most), said + (f"; read at up to {most} pixels a side" if most else "")


def _enough(
    height: int | None, width: int | None, how: str, *, digit: bool
) -> Callable[[int, int], int | None]:
    """How much of a file is read: of one that is four times too large, twice what is wanted."""

    def side(across: int, down: int) -> int | None:
        if digit:
            return LARGEST
        if not height or not width or how == "nearest":
            return None
        factor = min(across, down) // (2 * max(height, width))
        return -(-max(across, down) // factor) if factor > 1 else None

    return side


def from_pillow(picture: Any) -> np.ndarray:
    """A Pillow image as an array of one of `read_image`'s kinds, turned upright.

    >>> from PIL import Image
    >>> from_pillow(Image.new("CMYK", (3, 2))).shape
    (2, 3, 3)
    """
    picture = upright(picture)
    if picture.mode in ("I", "F"):
        array = np.asarray(picture)
        # Pillow holds images of 16 bits as "I" too, once something was done to them.
        deep = picture.mode == "I" and array.min() >= 0 and 255 < array.max() < 2**16
        return array.astype(np.uint16) if deep else array
    array = np.asarray(plain(picture))
    return array.astype(np.uint16) if array.dtype.itemsize > 1 else array


def _said_of(picture: Any) -> str:
    """Size and kind of a Pillow image, and whether it was turned."""
    kinds = {
        "1": "black and white",
        "L": "grey",
        "P": "a palette",
        "RGB": "colour",
        "RGBA": "colour and alpha",
    }
    said = (
        f"{picture.format or ''} {picture.width} x {picture.height}, {kinds.get(picture.mode, picture.mode)}"
    )
    turned = picture.getexif().get(_ORIENTATION, 1) in range(2, 9)
    return said.strip() + ("; turned upright" if turned else "")


def _pixels(array: np.ndarray, said: list[str]) -> np.ndarray:
    """(H, W, C) as uint8, or as float32 0..255 where eight bits would lose something."""
    array = array if array.ndim == 3 else array[..., None]
    kind, low, high = array.dtype, array.min(), array.max()
    if kind == np.uint8:
        return array
    if kind.kind == "b":
        said.append("yes and no read as 255 and 0")
        return array.astype(np.uint8) * np.uint8(255)
    if kind.kind == "u":
        said.append(f"{8 * kind.itemsize} bits a channel read as 0..255")
        return (array / (np.iinfo(kind).max / 255)).astype(np.float32)
    if not (low >= 0 and high <= 255):
        raise ValueError(
            f"an image of {kind} must lie within 0..255, or 0..1, got {low} to {high}: "
            "numbers in a network's own scale go to predict as they are"
        )
    if kind.kind == "f" and high <= 1:
        said.append("0..1 read as 0..255")
        return (array * 255).astype(np.float32)
    return array.astype(np.float32)


def _in_channels(pixels: np.ndarray, wanted: int, said: list[str]) -> np.ndarray:
    """The image in as many channels as are wanted: grey, colour, colour and alpha."""
    colour, alpha = (pixels[..., :-1], pixels[..., -1:]) if pixels.shape[2] in (2, 4) else (pixels, None)
    if wanted == 4:
        colour = np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour
        full = np.full_like(colour[..., :1], 255)
        if alpha is None:
            said.append("made opaque")
        return np.concatenate([colour, full if alpha is None else alpha], axis=2)
    if alpha is not None and alpha.min() < 255:
        share = alpha.astype(np.float32) / 255
        laid = colour * share + 255 * (1 - share)
        colour = laid if colour.dtype.kind == "f" else np.rint(laid).astype(np.uint8)
        said.append("what is transparent laid on white")
    if wanted == colour.shape[2]:
        return colour
    if wanted == 3:
        said.append("grey taken for all three colours")
        return np.repeat(colour, 3, axis=2)
    said.append("colour turned to grey")
    if colour.dtype == np.uint8:
        from PIL import Image

        return np.asarray(Image.fromarray(colour).convert("L"))[..., None]
    return (colour @ np.array(_GREY, np.float32))[..., None]


def _resized(
    pixels: np.ndarray, height: int | None, width: int | None, how: str, crop: bool, said: list[str]
) -> np.ndarray:
    """The image at a size, by Pillow, channel by channel."""
    from PIL import Image

    rows, cols = pixels.shape[:2]
    height, width = height or rows, width or cols
    if (height, width) == (rows, cols):
        return pixels
    box = (0, 0, cols, rows)
    words = "" if height * cols == width * rows else ", squeezed"
    if crop:
        # keras.utils.load_img's keep_aspect_ratio.
        tall, wide = min(rows, cols * height // width), min(cols, rows * width // height)
        if not (tall and wide):
            raise ValueError(f"no part of {cols} x {rows} pixels has the shape of {width} x {height}")
        top, left = (rows - tall) // 2, (cols - wide) // 2
        box, words = (left, top, left + wide, top + tall), ""
        if (tall, wide) != (rows, cols):
            said.append(f"the middle {wide} x {tall} cut out")
    said.append(f"resized to {width} x {height} ({how}){words}")
    method = Image.Resampling[how.upper()]
    resized = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(pixels[..., channel])).resize((width, height), method, box)
        )
        for channel in range(pixels.shape[2])
    ]
    # Bicubic and Lanczos overshoot; in eight bits Pillow cuts that off itself.
    return np.clip(np.stack(resized, axis=2), 0, 255)
