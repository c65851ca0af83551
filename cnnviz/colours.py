"""Colours, scales, and the ink that reads on them: the one place that decides them for every picture.

Palettes are built in OKLCh (Björn Ottosson, "A perceptual color space for image processing", 2020)
so that CIE lightness runs linearly with magnitude: they read in greyscale, and blue against orange
stays apart for colour-blind eyes. Which picture uses which palette is not decided here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnviz.numbers import brief, cell_number, number

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

STOPS = 33
"""Colours in an exported one-sided palette; a two-sided one has 2*STOPS - 1."""


@dataclass(frozen=True)
class Theme:
    """The colours around the data.

    `low` and `high` are the CIE lightness of zero and of the scale's end.
    """

    name: str
    background: str
    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    low: float
    high: float

    @property
    def ink_end(self) -> float:
        """The lightness at which the ink palette ends: it has no hue to keep and goes further."""
        return 12.0 if self.high < self.low else 97.0

    @property
    def positive(self) -> str:
        """A solid colour for what is above zero: a line, a bar, a plus sign."""
        return palette("positive", self.name)[int(0.72 * STOPS)]

    @property
    def negative(self) -> str:
        """A solid colour for what is below zero."""
        return palette("signed", self.name)[STOPS - 1 - int(0.72 * STOPS)]


THEMES = {
    "light": Theme(
        "light", "#fbfaf8", "#f2f0ec", "#22252b", "#5f6570", "#d8d5cf", "#a3195b", low=98.5, high=30.0
    ),
    "dark": Theme(
        "dark", "#16181d", "#1f2229", "#e9e7e3", "#a2a7b1", "#393e48", "#ff8ab8", low=12.0, high=84.0
    ),
}
"""The themes by name; the explorer's config and style sheet repeat these values, tested equal."""

PALETTES = ("ink", "positive", "signed")
"""Pixels, from paper to ink; data that is never negative; data of either sign."""


def theme(name: str | Theme = "light") -> Theme:
    """A theme by its name, "light" or "dark".

    >>> theme("dark").name
    'dark'
    """
    if isinstance(name, Theme):
        return name
    if not isinstance(name, str) or name not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {brief(name)}")
    return THEMES[name]


@lru_cache
def palette(name: str, theme_name: str = "light") -> tuple[str, ...]:
    """A palette as evenly spaced colours "#rrggbb", to be joined by straight lines in sRGB.

    Parameters
    ----------
    name
        "ink" or "positive" (zero to largest), "signed" (most negative to most positive, with zero in
        the middle), or "brightness" (black to white, for photographs).
    theme_name
        "light" or "dark": zero is the colour of the paper, larger magnitudes stand out from it; but
        for brightness, which is the same in both.

    Raises
    ------
    ValueError
        for another name.

    Examples
    --------
    >>> len(palette("positive")), len(palette("signed"))
    (33, 65)
    """
    chosen = theme(theme_name)
    if name == "signed":
        negative = _arm(chosen, *_ORANGE)
        return (*reversed(negative), *_arm(chosen, *_BLUE)[1:])
    if name == "positive":
        return _arm(chosen, *_BLUE)
    if name == "ink":
        return _arm(chosen, *_GREY)
    if name == "brightness":
        return tuple(reversed(_arm(THEMES["light"], *_GREY)))
    raise ValueError(f"palette must be one of {', '.join(PALETTES)} or brightness, got {name!r}")


@lru_cache
def colormap(name: str, theme_name: str = "light") -> Colormap:
    """A palette as a matplotlib colour map; cells that are no number stay clear.

    >>> colormap("signed").N % 2
    1
    """
    from matplotlib.colors import LinearSegmentedColormap

    # An odd number of entries gives zero a colour of its own.
    colours = LinearSegmentedColormap.from_list(f"cnnviz.{name}.{theme_name}", palette(name, theme_name), 513)
    return colours.with_extremes(bad=(0, 0, 0, 0))


@dataclass(frozen=True)
class Scale:
    """How numbers become colours: a palette, and the magnitude at which it ends.

    A signed scale runs from -limit to limit, any other from 0 to limit.
    """

    kind: str
    limit: float

    @classmethod
    def of(cls, *arrays: Any, signed: bool | None = None) -> Scale:
        """The one scale that all these arrays share.

        It is signed if anything in them is negative, or if `signed` says so; it ends at the
        largest finite magnitude, at 1 if there is none.

        >>> Scale.of([1.0, 3.0]), Scale.of([1.0], [-4.0])
        (Scale(kind='positive', limit=3.0), Scale(kind='signed', limit=4.0))
        """
        numbers = [np.asarray(array, float) for array in arrays]
        finite = [array[np.isfinite(array)] for array in numbers]
        largest = max((float(np.abs(array).max()) for array in finite if array.size), default=0.0)
        lowest = min((float(array.min()) for array in finite if array.size), default=0.0)
        if signed is None:
            signed = lowest < 0
        elif not signed and lowest < 0:
            raise ValueError(f"an unsigned scale starts at 0, but the data goes down to {lowest:g}")
        return cls("signed" if signed else "positive", largest or 1.0)

    @classmethod
    def of_pixels(cls, pixels: Any) -> Scale:
        """The scale of a digit's pixels: from 0 to 1, or to 255 if they are integers.

        >>> Scale.of_pixels(np.zeros((28, 28), np.uint8))
        Scale(kind='ink', limit=255.0)
        """
        return cls("ink", 255.0) if np.asarray(pixels).dtype.kind in "iu" else INK

    @property
    def signed(self) -> bool:
        return self.kind == "signed"

    @property
    def low(self) -> float:
        """Where the scale starts."""
        return -self.limit if self.signed else 0.0

    def colormap(self, theme_name: str = "light") -> Colormap:
        return colormap(self.kind, theme_name)

    def write(self, value: float, digits: int = 3) -> str:
        """A number in a cell, with the decimals that the scale's end asks for.

        >>> Scale("signed", 0.4).write(0.0058), Scale("positive", 7.0).write(4.249, 2)
        ('+0.006', '4.2')
        """
        return cell_number(value, self.limit, digits, signed=self.signed)

    def __str__(self) -> str:
        return f"{number(self.low)} to {number(self.limit)}"


INK = Scale("ink", 1.0)
"""The scale of a digit's pixels, 0 to 1."""

BRIGHTNESS = Scale("brightness", 1.0)
"""The scale of a photograph's pixels, 0 to 1."""


def cell_colours(array: Any, scale: Scale, theme_name: str = "light") -> np.ndarray:
    """Each cell's colour, as the scale's colour map gives it, many times faster for small arrays.

    Parameters
    ----------
    array
        (H, W); what lies beyond the scale gets the colour of its end.
    scale, theme_name
        The palette and its ends; "light" or "dark".

    Returns
    -------
    uint8 array (H, W, 3)
        (H, W, 4), with an alpha channel, if some cells are no number or masked: they are clear.

    Examples
    --------
    >>> cell_colours([[0.0, 1.0]], INK).tolist()
    [[[251, 251, 251], [33, 31, 28]]]
    """
    values: np.ndarray = np.ma.filled(np.ma.asarray(array, float), np.nan)
    table = _table(scale.kind, theme_name)
    last = len(table) - 1
    shares = (values - scale.low) / (scale.limit - scale.low) * (last + 1)
    clear = np.isnan(shares)
    colours = table[np.clip(np.where(clear, 0, shares), 0, last).astype(np.intp)]
    if not clear.any():
        return np.ascontiguousarray(colours[:, :, :3])
    colours[clear] = 0
    return colours


def cell_colour(value: float, scale: Scale, theme_name: str = "light") -> str:
    """One cell's colour.

    >>> cell_colour(1.0, INK)
    '#211f1c'
    """
    return f"#{cell_colours([[value]], scale, theme_name).tobytes().hex()}"


def ink_on(value: float, scale: Scale, theme_name: str | Theme = "light") -> str:
    """Black or white, whichever reads on a cell of this value (a contrast of 4.5 at least).

    >>> ink_on(0.1, INK), ink_on(0.9, INK)
    ('#000000', '#ffffff')
    """
    low, end = _lightness(scale.kind, theme(theme_name))
    lightness = low + min(abs(value) / scale.limit, 1.0) * (end - low)
    return "#000000" if lightness > BLACK_ABOVE else "#ffffff"


BLACK_ABOVE = 49.4
"""The CIE lightness at which black and white have the same contrast by WCAG: a luminance of 0.179."""


def _lightness(kind: str, chosen: Theme) -> tuple[float, float]:
    """The CIE lightness of a palette at zero and at its end, between which it changes evenly."""
    return chosen.low, chosen.ink_end if kind == "ink" else chosen.high


def for_browser(*themes: str) -> dict[str, Any]:
    """The palettes of some themes and what decides the ink on them, as colours.js reads it; none is all."""
    chosen = {name: THEMES[name] for name in themes or THEMES}
    return {
        "palettes": {name: {kind: palette(kind, name) for kind in PALETTES} for name in chosen},
        "lightness": {
            name: {kind: _lightness(kind, each) for kind in PALETTES} for name, each in chosen.items()
        },
        "black_above": BLACK_ABOVE,
    }


@lru_cache
def _table(kind: str, theme_name: str) -> np.ndarray:
    """A palette's colour map as a table of RGBA, uint8."""
    colours = colormap(kind, theme_name)
    return colours(np.arange(colours.N), bytes=True)


def png(colours: np.ndarray) -> bytes:
    """A PNG file of colours (H, W, 3) or (H, W, 4), uint8, of its own size.

    >>> png(cell_colours(np.eye(28), INK))[1:4]
    b'PNG'
    """
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(colours).save(content, "PNG")
    return content.getvalue()


def ink_png(pixels: np.ndarray, theme_name: str = "light") -> bytes:
    """An image as a PNG of its own size, from paper to ink: a thumbnail, where a figure would be too slow.

    Parameters
    ----------
    pixels
        (H, W), uint8, 255 is ink.
    theme_name
        "light" or "dark".

    Examples
    --------
    >>> ink_png(np.eye(28, dtype=np.uint8) * 255)[1:4]
    b'PNG'
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 (H, W), got {pixels.dtype} {pixels.shape}")
    return png(cell_colours(pixels, Scale("ink", 255.0), theme_name))


# Building the palettes --------------------------------------------------------------------------

_BLUE = (238.0, 266.0, 0.175)
_ORANGE = (75.0, 38.0, 0.175)
_GREY = (80.0, 80.0, 0.006)
"""Hue where light, hue where dark (degrees in OKLCh), largest chroma."""


@lru_cache
def _arm(chosen: Theme, light_hue: float, dark_hue: float, chroma: float) -> tuple[str, ...]:
    """One-sided palette: CIE lightness linear from `low` to `high`, chroma as the gamut allows."""
    end = chosen.ink_end if chroma == _GREY[2] else chosen.high
    t = np.linspace(0, 1, STOPS)
    lightness = chosen.low + t * (end - chosen.low)
    hue = np.radians(dark_hue + (light_hue - dark_hue) * lightness / 100)
    wanted = chroma * t**0.8
    low, high = np.zeros(STOPS), np.ones(STOPS)
    for _ in range(12):
        middle = (low + high) / 2
        rgb = _at_lightness(lightness, middle * wanted, hue)
        fits = (rgb.min(axis=0) >= -1e-9) & (rgb.max(axis=0) <= 1 + 1e-9)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return tuple(_hex(colour) for colour in _at_lightness(lightness, low * wanted, hue).T)


def _at_lightness(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """Linear RGB (3, N) of CIE lightnesses, with OKLCh's chroma and hue."""
    y = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.2963)
    low, high = np.zeros_like(y), np.ones_like(y)
    for _ in range(18):
        middle = (low + high) / 2
        dark = _LUMINANCE @ _rgb(middle, chroma, hue) < y
        low, high = np.where(dark, middle, low), np.where(dark, high, middle)
    return _rgb(low, chroma, hue)


_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def _rgb(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """OKLCh to linear sRGB (3, N). Source: Ottosson, 2020."""
    return _RGB @ (_CONES @ np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])) ** 3


def _hex(rgb: np.ndarray) -> str:
    """Linear RGB as sRGB "#rrggbb". Source: IEC 61966-2-1."""
    rgb = np.clip(rgb, 0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * float(channel)):02x}" for channel in encoded)
