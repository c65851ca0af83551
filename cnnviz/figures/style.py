"""Type sizes of pictures, and `cnnviz.colours` under the name that figures know it by."""

from cnnviz.colours import (
    BRIGHTNESS,
    INK,
    PALETTES,
    STOPS,
    THEMES,
    Scale,
    Theme,
    cell_number,
    colormap,
    number,
    palette,
    percent,
    probability,
    signed_number,
    theme,
)

__all__ = [
    "BRIGHTNESS",
    "INK",
    "LABEL",
    "PALETTES",
    "SMALL",
    "STOPS",
    "THEMES",
    "TITLE",
    "Scale",
    "Theme",
    "cell_number",
    "colormap",
    "number",
    "palette",
    "percent",
    "probability",
    "signed_number",
    "theme",
]

TITLE, LABEL, SMALL = 15.0, 13.0, 11.0
"""Type sizes of pictures, in CSS pixels; a picture's unit is one pixel too."""
