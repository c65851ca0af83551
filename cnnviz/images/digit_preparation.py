"""From a picture of a digit to one like the MNIST digits, step by step.

Follows the preparation described by LeCun, Cortes and Burges on the MNIST page: a digit is
scaled into a 20x20 box with its aspect ratio kept, anti-aliased, and centred in 28x28 by its
centre of mass. An image is expected to hold one digit on a background of its own, not a page of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cnnviz.images.ink import drawn_ink, edge_of, opaque, read_ink, to_grey

SIDE = 28
BOX = 20
CENTRE = 14.0
"""Row and column of an MNIST digit's centre of mass: all 70,000 lie within half a pixel of it."""
STROKE = (1.9, 4.3)
"""Stroke widths, in pixels, of the middle 90 % of the MNIST training digits (see `_stroke_width`)."""

Ink = Literal["auto", "dark", "light", "drawn"]
Crop = tuple[tuple[float, float], tuple[float, float]]
Box = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Preparation:
    """What `prepare_in_steps` made of an image.

    Parameters
    ----------
    given
        (H, W) or (H, W, 3): the image as float32 0..1, at most 400 pixels a side, what was transparent
        laid on a background.
    ink
        (H, W) float32: how much ink each of its pixels holds, 0..1, whatever was light and whatever dark.
    box
        ((top, bottom), (left, right)): the ink's rows and columns, inclusive.
    scaled
        (h, w): the ink in the box, scaled so that its longer side is 20 (19 where it was already).
    corner
        (row, column) of `scaled` in the digit, so that the centre of mass is in the middle.
    digit
        uint8 (28, 28): 0 is background, 255 ink.
    stroke
        Mean width of the strokes in pixels of the digit, before and after they were thickened or
        thinned into MNIST's range.
    as_it_was
        Whether the image was an MNIST digit already, and was left alone (or only inverted).
    sheet
        (H, W) bool: where the sheet was found that the digit is on, None if it fills the image.
    """

    given: np.ndarray
    ink: np.ndarray
    box: Box
    scaled: np.ndarray
    corner: tuple[int, int]
    digit: np.ndarray
    stroke: tuple[float, float]
    as_it_was: bool = False
    sheet: np.ndarray | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the digit's centre of mass."""
        return _centre_of_mass(self.digit)

    @property
    def inverted(self) -> bool:
        """Whether the ink was darker than what is around it."""
        grey = self.given.mean(axis=2) if self.given.ndim == 3 else self.given
        inked = self.ink > 0.5
        return bool(grey[inked].mean() < grey[~inked].mean())


def prepare_digit(image: np.ndarray, *, ink: Ink = "auto", crop: Crop | None = None) -> np.ndarray:
    """Turn a drawn or photographed digit into one like the MNIST digits.

    The sheet is told from the table or frame round it and rid of its ruling, the ink is separated from it
    (lighter or darker, unevenly lit, half in shadow), and specks are dropped. A stroke outside MNIST's
    range of widths is thickened or thinned, and the digit is scaled into 20x20 and placed by its centre of
    mass. An image that already is an MNIST digit, 28x28 with its ink so placed, is taken as it is (inverted,
    if it is dark on light).

    Parameters
    ----------
    image
        (H, W) or (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGBA:
        unsigned integers over their whole range, booleans, or floats within 0..1.
    ink
        What is ink: "dark" or "light" on its paper; "auto" chooses the reading whose outline explains more of
        the picture's edges; "drawn" takes the pixels for ink already, 0 where there is none, as a pad has it.
    crop
        ((top, bottom), (left, right)) of the part to look at, in shares of the height and the width, 0..1;
        None is all of it.

    Returns
    -------
    np.ndarray
        uint8 (28, 28): 0 is background, 255 ink.

    Raises
    ------
    ImageError
        (a ValueError) if nothing in the image is ink on a sheet.
    ValueError
        for another shape or dtype, floats that are not within 0..1, another `ink`, or a crop that is empty.

    Examples
    --------
    >>> paper = np.ones((200, 300)); paper[40:160, 150:160] = 0.1
    >>> digit = prepare_digit(paper)
    >>> digit.shape, digit.dtype, int((digit.max(axis=1) > 0).sum())
    ((28, 28), dtype('uint8'), 20)

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    return prepare_in_steps(image, ink=ink, crop=crop).digit


def prepare_in_steps(image: np.ndarray, *, ink: Ink = "auto", crop: Crop | None = None) -> Preparation:
    """The same, with every step on the way.

    Parameters
    ----------
    image, ink, crop
        As for `prepare_digit`, which raises the same errors.

    Returns
    -------
    Preparation
        The image, its ink, the ink scaled, and the digit.

    Examples
    --------
    >>> paper = np.ones((200, 300)); paper[40:160, 150:160] = 0.1
    >>> steps = prepare_in_steps(paper)
    >>> steps.box, steps.scaled.shape[0], steps.inverted
    (((39, 160), (149, 160)), 20, True)
    """
    if ink not in get_args(Ink):
        raise ValueError(f"ink must be one of {', '.join(get_args(Ink))}, got {ink!r}")
    given = opaque(image)
    if crop is not None:
        given = _cropped(given, crop)
    grey = to_grey(given)
    framed = _already_framed(grey) if ink in ("auto", "drawn") else None
    sheet = None
    if framed is None:
        if ink == "drawn":
            level = drawn_ink(grey)
        else:
            reading = read_ink(grey, ink)
            level, sheet = reading.level, reading.sheet
        box, scaled, stroke = _scale(level)
        corner = _corner(scaled)
    else:
        level, box = framed, _extent(framed > 0)
        scaled, corner = framed[box], (box[0].start, box[1].start)
        stroke = (_stroke_width(_fit(scaled, 8 * BOX) > 0.5) / 8,) * 2
    digit = np.zeros((SIDE, SIDE))
    digit[corner[0] : corner[0] + scaled.shape[0], corner[1] : corner[1] + scaled.shape[1]] = scaled
    return Preparation(
        given=(given[..., 0] if given.shape[2] == 1 else given).astype(np.float32),
        ink=level.astype(np.float32),
        box=((box[0].start, box[0].stop - 1), (box[1].start, box[1].stop - 1)),
        scaled=scaled,
        corner=corner,
        digit=np.rint(255 * digit).astype(np.uint8),
        stroke=stroke,
        as_it_was=framed is not None,
        sheet=sheet,
    )


def _cropped(image: np.ndarray, crop: Crop) -> np.ndarray:
    """A part of an image, in shares of its height and width."""
    ends = []
    for (first, last), length in zip(crop, image.shape, strict=False):
        if not 0 <= first < last <= 1:
            raise ValueError(
                f"crop must be ((top, bottom), (left, right)) with 0 <= first < last <= 1, got {crop}"
            )
        start = min(math.floor(first * length), length - 1)
        ends.append(slice(start, max(start + 1, math.ceil(last * length))))
    return image[tuple(ends)]


def _already_framed(grey: np.ndarray) -> np.ndarray | None:
    """The image as it is, light on dark, if it meets what every MNIST digit meets; else None."""
    if grey.shape != (SIDE, SIDE):
        return None
    digit = grey if np.median(edge_of(grey)) < 0.5 else 1 - grey
    if np.median(digit) > 0.02 or digit.max() < 0.9:
        return None
    rows, columns = _extent(digit > 0.02)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    off_centre = max(abs(place - CENTRE) for place in _centre_of_mass(digit))
    return digit if BOX - 1 <= longest <= BOX and off_centre <= 0.51 else None


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the smallest box that holds a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _centre_of_mass(digit: np.ndarray) -> tuple[float, float]:
    total = digit.sum()
    rows, columns = np.arange(digit.shape[0]), np.arange(digit.shape[1])
    return float(digit.sum(axis=1) @ rows / total), float(digit.sum(axis=0) @ columns / total)


def _scale(level: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray, tuple[float, float]]:
    """Where the ink is, it scaled into the 20x20 box, and its strokes' width before and after."""
    box = _extent(level > 0.02)
    if max(level[box].shape) not in (BOX - 1, BOX):
        box = _extent(level > 0.3)
    digit = level[box]
    oversampled = _fit(digit, 8 * BOX)
    width = _stroke_width(oversampled > 0.5) / 8
    wanted = float(np.clip(width, *STROKE))
    if wanted != width:
        digit = _restroke(oversampled > 0.5, 4 * (wanted - width))
    if wanted != width or max(digit.shape) not in (BOX - 1, BOX):
        digit = _fit(digit, BOX)
    return box, digit / digit.max(), (width, wanted)


def _corner(digit: np.ndarray) -> tuple[int, int]:
    """Where a scaled digit goes in 28x28, so that its centre of mass is in the middle."""
    row, column = (
        int(np.clip(round(CENTRE - place), 0, SIDE - length))
        for place, length in zip(_centre_of_mass(digit), digit.shape, strict=True)
    )
    return row, column


def _fit(digit: np.ndarray, longest: int) -> np.ndarray:
    """Scale so that the longer side is `longest`, anti-aliased, the aspect ratio kept exactly."""
    from PIL import Image

    factor = max(digit.shape) / longest
    if factor == 1:
        return digit
    # The shorter side is padded to a whole number of output pixels rather than stretched to it.
    sizes = [max(1, math.ceil(length / factor - 1e-9)) for length in digit.shape]
    margins = [(size * factor - length) / 2 for size, length in zip(sizes, digit.shape, strict=True)]
    borders = [math.ceil(margin) for margin in margins]
    padded = np.pad(digit, [(border, border) for border in borders]).astype(np.float32)
    top, left = (border - margin for border, margin in zip(borders, margins, strict=True))
    right, bottom = left + sizes[1] * factor, top + sizes[0] * factor
    box = left, top, min(right, padded.shape[1]), min(bottom, padded.shape[0])
    scaled = Image.fromarray(padded).resize((sizes[1], sizes[0]), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(scaled, np.float64), 0, 1)


def _stroke_width(mask: np.ndarray) -> float:
    """Mean width of the strokes: a bar of width w has a mean distance to its edge of w/4."""
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return 4 * float(distance[mask].mean()) if mask.any() else 0.0


def _restroke(mask: np.ndarray, change: float) -> np.ndarray:
    """Move the outline of the ink by `change` pixels, outwards if positive."""
    from scipy import ndimage

    if change > 0:
        border = math.ceil(change) + 1
        mask = np.pad(mask, border)
        grown = np.clip(1 + change - ndimage.distance_transform_edt(~mask), 0, 1)
        return grown[_extent(grown > 0.5)]
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    # A part thinner than what is taken away keeps its ridge.
    ridge = distance >= 0.9 * ndimage.maximum_filter(distance, size=3)
    thinned = np.clip(distance + change, 0, 1)
    thinned = np.maximum(thinned, ridge & mask)
    return thinned[_extent(thinned > 0.5)]
