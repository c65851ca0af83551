"""What a network was given, as the picture that it came from: grey as ink on paper, colour in its colours.

The preprocessing is undone if its mode is given, else the range of the numbers decides, and what was done
is said. Preprocessing itself is left to `preprocessing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.images.preprocessing import preprocess as prepared
from cnnviz.numbers import short

COLOURS = ("red", "green", "blue")
"""The planes of a colour picture."""

_PLAIN = ("unit", "none", "digit")
"""Modes that leave a picture's own numbers."""

OVER = 0.05
"""How far a picture runs over its ends where it was resized along a curve; a share of its range."""


@dataclass(frozen=True)
class InputPicture:
    """How the numbers of a network's input are drawn: each times its channel's factor, plus its offset.

    Parameters
    ----------
    channels
        Which channel holds red, green and blue; of a grey picture the only one.
    factor, offset
        For each channel; they lead to 0..1, black to white, or paper to ink.
    said
        What was done to the numbers, where they are not a picture's own, 0..1 or 0..255; else "".
    """

    channels: tuple[int, ...]
    factor: tuple[float, ...]
    offset: tuple[float, ...]
    said: str = ""

    @property
    def planes(self) -> tuple[str, ...]:
        """What each channel holds; () for a grey picture.

        >>> input_picture(np.zeros((2, 2, 3)), "caffe").planes
        ('blue', 'green', 'red')
        """
        return tuple(COLOURS[self.channels.index(c)] for c in range(3)) if len(self.channels) == 3 else ()

    def of(self, values: Any) -> np.ndarray:
        """Values (H, W) or (H, W, C) as a picture from 0 to 1: grey (H, W), in colour (H, W, 3)."""
        shown = np.clip(self._undone(_with_channels(values)), 0, 1)[:, :, self.channels]
        return shown[:, :, 0] if len(self.channels) == 1 else shown

    def share(self, value: Any, channel: int) -> float:
        """What a number in a channel is of full brightness, 0 to 1."""
        return float(value) * self.factor[channel] + self.offset[channel]

    def drawn(self, values: Any) -> tuple[np.ndarray, Scale]:
        """What is drawn of values, and on which scale: grey pixels as they are, colour from 0 to 1."""
        if self.channels == (0,) and not self.said:
            return _with_channels(values)[:, :, 0], Scale("ink", 1 / self.factor[0])
        return self.of(values), INK

    def fits(self, values: np.ndarray) -> bool:
        """Whether these values can be this picture's."""
        ends = self._undone(values)
        ends = ends[np.isfinite(ends)]
        return not ends.size or (ends.min() >= -OVER and ends.max() <= 1 + OVER)

    def _undone(self, values: np.ndarray) -> np.ndarray:
        return values * np.array(self.factor) + np.array(self.offset)


def input_picture(values: Any, preprocess: str | None = None) -> InputPicture:
    """How the numbers that a network was given are to be drawn.

    Parameters
    ----------
    values
        (H, W), (H, W, 1) or (H, W, 3): one image as the network was given it, or a file's pixels.
    preprocess
        The mode of `preprocessing` that made these numbers of a picture's; None is a `LoadedImage`'s own.
        If it is not known, or no picture becomes these numbers by it, their range decides: 0..1, 0..255
        and -1..1 are taken for what they seem to be, and all else is drawn from the smallest number to
        the largest.

    Raises
    ------
    ValueError
        for another shape or an unknown mode.

    Examples
    --------
    >>> picture = input_picture([[-1.0, 0.0]])
    >>> picture.of([[-1.0, 0.0]]).tolist(), picture.said
    ([[0.0, 0.5]], 'drawn from -1 to 1')
    """
    preprocess = preprocess or getattr(values, "mode", None)
    values = _with_channels(values)
    if preprocess is not None:
        picture = _before(preprocess, values.shape[2])
        if picture.fits(values):
            return picture
    low, high, said = _ends(values)
    factor, offset = (1 / (high - low), -low / (high - low)) if high > low else (0.0, 0.5)
    channels = range(values.shape[2])
    return InputPicture(
        tuple(channels), tuple(factor for _ in channels), tuple(offset for _ in channels), said
    )


def _ends(values: np.ndarray) -> tuple[float, float, str]:
    """The numbers that are drawn as black and as white, and what is to be said of it."""
    if values.dtype.kind in "biu" and values.size and 0 <= values.min() <= values.max() <= 255:
        return 0.0, 1.0 if values.dtype.kind == "b" else 255.0, ""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0, ""
    # Next to nothing of a picture of 0..255 is darker than this; numbers a little over 1 are something else.
    if low >= 0 and 2 < high <= 255:
        return 0.0, 255.0, ""
    if low >= -1 and high <= 1:
        low, high = -1.0, 1.0
    return low, high, f"drawn from {short(low)} to {short(high)}"


def _with_channels(values: Any) -> np.ndarray:
    """(H, W, 1) or (H, W, 3)."""
    values = np.asarray(values)
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"pixels must be (H, W) or (H, W, 1) in grey or (H, W, 3) in colour, got shape {values.shape}"
        )
    return values


def _before(mode: str, channels: int) -> InputPicture:
    """The picture that a mode makes its numbers of: what it makes of black, white and red, undone."""
    black, white = (prepared(np.full((1, 1, channels), value), mode, np.float64)[0, 0] for value in (0, 255))
    order = [0] * channels
    for plane in range(channels):
        one = prepared(255 * np.eye(channels)[plane].reshape(1, 1, channels), mode, np.float64)[0, 0]
        order[plane] = int(np.argmax(one - black))
    factor = 1 / (white - black)
    said = "" if mode in _PLAIN else f"the preprocessing {mode!r} undone"
    return InputPicture(tuple(order), tuple(factor.tolist()), tuple((-black * factor).tolist()), said)
