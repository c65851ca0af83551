"""What a kernel does to waves, drawn over their frequency: its gain in every direction.

The numbers come from `kernels.frequency_response`; phases are left out.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import Canvas
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.kernels import FrequencyResponse, frequency_response
from cnnviz.numbers import number


@figure
def frequency_map(
    kernel: Any,
    *,
    scale: Scale | None = None,
    width: float = 340.0,
    **look: Unpack[Look],
) -> Picture:
    """A kernel's gain for waves of every frequency and direction, and the wave that it answers to most.

    Parameters
    ----------
    kernel
        (height, width), or its `kernels.FrequencyResponse`.
    scale
        To share with other kernels; None is from 0 to the largest gain here.

    Returns
    -------
    Picture
        Its artists are "gain", the image, "peak", the rings around the largest gain (none where all
        gains are the same), and "legend".

    Examples
    --------
    >>> picture = frequency_map([[-1.0, 0.0, 1.0]] * 3)
    >>> float(picture["gain"].get_array().max()).__round__(6)
    6.0
    """
    response = kernel if isinstance(kernel, FrequencyResponse) else frequency_response(kernel)
    gain = response.magnitude
    scale = scale or Scale.of(gain, signed=False)
    left, top = 40.0, 22.0
    side = width - left - 12
    canvas = Canvas(width, top + side + 36 + 62, **look)
    image = canvas.image(gain, left, top, side, scale=scale)
    limit = float(response.frequencies[-1])
    for share, words in ((0.0, f"−{limit:g}"), (0.5, "0"), (1.0, f"{limit:g}")):
        x, y = left + share * side, top + share * side
        if share == 0.5:
            canvas.line([(x, top), (x, top + side)], "line", 0.8)
            canvas.line([(left, y), (left + side, y)], "line", 0.8)
        ha = ("left", "center", "right")[int(2 * share)]
        canvas.note(x, top + side + 16, words, ha=ha)
        canvas.note(left - 11, y + (10, 4, 0)[int(2 * share)], words, ha="right")
    canvas.note(left, top - 8, "down, in cycles per pixel")
    canvas.note(left + side, top + side + 32, "across, in cycles per pixel", ha="right")
    peak = response.peak
    rings = []
    if gain.min() < gain.max() * (1 - 1e-9):
        angle = np.radians(peak.angle or 0.0)
        away = peak.frequency * np.cos(angle), peak.frequency * np.sin(angle)
        for sign in (1, -1) if peak.frequency else (1,):
            x, y = (left + side * (0.5 + sign * part / (2 * limit)) for part in away)
            canvas.dot(x, y - left + top, 7.6, "background", filled=False)
            rings.append(canvas.dot(x, y - left + top, 6, filled=False))
    legend = canvas.legend(
        scale, left, top + side + 36 + 28, min(200.0, side), "gain: times as large as it went in"
    )
    return canvas.picture(_words(response), gain=image, peak=rings, legend=legend)


def _words(response: FrequencyResponse) -> str:
    peak = response.peak
    if response.magnitude.min() >= peak.gain * (1 - 1e-9):
        return f"The gain is {number(peak.gain)} at all frequencies."
    where = (
        "at frequency 0, an image of one brightness"
        if peak.angle is None
        else f"at {number(peak.frequency)} cycles per pixel, {peak.angle:.0f} degrees"
    )
    return (
        f"The gain over the frequencies from −0.5 to 0.5 cycles per pixel is largest {where}: "
        f"{number(peak.gain)}. An image of one brightness is multiplied by {number(response.uniform)}."
    )
