"""Images that are no digit, made by computation: a blank sheet, noise, a letter, a face.

What a classifier of digits says of them shows that a probability is not knowledge. After Nguyen, Yosinski and
Clune, "Deep neural networks are easily fooled", CVPR 2015.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from cnnviz.images.digit_preparation import SIDE, prepare_digit

_SHEET, _STROKE = 200, 18
"""Pixels a side of the sheet that is drawn on, and across a line."""

Line = tuple[tuple[float, float], ...]


def _arc(x: float, y: float, radius: float, begins: float, ends: float) -> Line:
    """A part of a circle, in turns clockwise from the right, as a line of many points."""
    angles = (2 * math.pi * (begins + (ends - begins) * step / 40) for step in range(41))
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


_LETTER: tuple[Line, ...] = (((50, 170), (100, 30), (150, 170)), ((68, 120), (132, 120)))
_FACE: tuple[Line, ...] = (
    _arc(100, 100, 78, 0, 1),
    ((72, 76), (73, 76)),
    ((128, 76), (129, 76)),
    _arc(100, 108, 38, 0.07, 0.43),
)


@cache
def no_digits() -> MappingProxyType[str, np.ndarray]:
    """Images that are no digit, by what they are; the drawings are prepared as a digit is.

    Returns
    -------
    mapping
        uint8 (28, 28), 255 is ink: "a blank sheet", "noise" (each pixel any grey, always the same ones),
        "a letter" (A) and "a face".

    Examples
    --------
    >>> {name: round(float(image.mean())) for name, image in no_digits().items()}["a blank sheet"]
    0
    """
    made = {
        "a blank sheet": np.zeros((SIDE, SIDE), np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8),
        "a letter": prepare_digit(_drawn(_LETTER), ink="drawn"),
        "a face": prepare_digit(_drawn(_FACE), ink="drawn"),
    }
    for image in made.values():
        image.flags.writeable = False
    return MappingProxyType(made)


def _drawn(lines: tuple[Line, ...]) -> np.ndarray:
    """Lines of points (across, down) as ink on a sheet."""
    down, across = np.mgrid[:_SHEET, :_SHEET] + 0.5
    nearest = np.full((_SHEET, _SHEET), np.inf)
    for line in lines:
        for (x0, y0), (x1, y1) in pairwise(line):
            along = ((across - x0) * (x1 - x0) + (down - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
            share = np.clip(along, 0, 1)
            distance = np.hypot(across - x0 - share * (x1 - x0), down - y0 - share * (y1 - y0))
            nearest = np.minimum(nearest, distance)
    return np.uint8(255) * (nearest <= _STROKE / 2)
