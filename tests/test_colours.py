"""Palettes: linear in lightness, apart for colour-blind eyes, readable; scales."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnnviz.colours import INK, PALETTES, STOPS, THEMES, Scale, colormap, ink_on, ink_png, palette
from cnnviz.colours import theme as theme_named

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009: severity 1.0, for linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    """sRGB "#rrggbb" as linear RGB, by IEC 61966-2-1."""
    encoded = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear sRGB as CIELAB under D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    t = xyz / (0.9505, 1.0, 1.0890)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def luminance(colour: str) -> float:
    return float(linear(colour) @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["ink", "positive"])
def test_lightness_runs_linearly_with_magnitude(name, theme):
    lightness = [lab(linear(colour))[0] for colour in palette(name, theme)]
    assert len(lightness) == STOPS
    even = np.linspace(lightness[0], lightness[-1], STOPS)
    # Eight bits a channel round the lightness by up to half a unit.
    assert np.abs(lightness - even).max() < 0.6
    assert abs(lightness[-1] - lightness[0]) > 60


@pytest.mark.parametrize("theme", THEMES)
def test_both_signs_of_a_magnitude_are_the_same_grey(theme):
    lightness = np.array([lab(linear(colour))[0] for colour in palette("signed", theme)])
    assert len(lightness) == 2 * STOPS - 1
    assert np.abs(lightness - lightness[::-1]).max() < 0.6
    assert palette("signed", theme)[STOPS - 1 :] == palette("positive", theme)


@pytest.mark.parametrize("theme", THEMES)
def test_zero_is_the_same_neutral_in_all_palettes(theme):
    zero = palette("positive", theme)[0]
    assert zero == palette("ink", theme)[0] == palette("signed", theme)[STOPS - 1]
    assert np.abs(lab(linear(zero))[1:]).max() < 1


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_signs_stay_apart_for_colour_blind_eyes(theme, kind):
    colours = palette("signed", theme)
    seen = [lab(np.clip(np.array(DEFICIENCIES[kind]) @ linear(colour), 0, 1)) for colour in colours]
    for k in range(STOPS // 3, STOPS):
        assert np.linalg.norm(seen[STOPS - 1 + k] - seen[STOPS - 1 - k]) > 20
    # And magnitude still reads: each arm runs one way, from zero outwards.
    arm = np.array([colour[0] for colour in seen[STOPS - 1 :]])
    assert (np.sign(np.diff(arm)) == np.sign(arm[-1] - arm[0])).mean() > 0.95


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_words_are_readable_on_the_page_and_on_panels(theme):
    for ink in (theme.ink, theme.muted, theme.accent):
        assert contrast(ink, theme.background) >= 4.5
        assert contrast(ink, theme.panel) >= 4.5
    for mark in (theme.positive, theme.negative):
        assert contrast(mark, theme.background) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", PALETTES)
def test_numbers_are_readable_on_every_cell(kind, theme):
    scale = Scale(kind, 2.0)
    colours = palette(kind, theme)
    for value in np.linspace(scale.low, scale.limit, len(colours)):
        at = round((value - scale.low) / (scale.limit - scale.low) * (len(colours) - 1))
        assert contrast(ink_on(value, scale, theme), colours[at]) >= 4.4


@pytest.mark.parametrize("theme", THEMES)
def test_a_colour_map_passes_through_its_palettes_colours(theme):
    from matplotlib.colors import to_hex

    for name in PALETTES:
        colours, stops = colormap(name, theme), palette(name, theme)
        shares = np.linspace(0, 1, len(stops))
        assert [to_hex(colours(share)) for share in shares] == list(stops)
        assert colours(np.ma.masked)[3] == 0, "what is no number is clear"


def test_a_scale_is_shared_centred_and_finite():
    assert Scale.of([0, 2], [1, 5]) == Scale("positive", 5.0)
    assert Scale.of([0, 2], [-1, 0]) == Scale("signed", 2.0)
    assert Scale.of([1.0, np.nan, -np.inf, np.inf]) == Scale("positive", 1.0)
    assert Scale.of([0.0]) == Scale("positive", 1.0)
    assert Scale.of([], [np.nan]) == Scale("positive", 1.0)
    assert Scale.of([3.0], signed=True) == Scale("signed", 3.0)
    assert (Scale("signed", 2.0).low, Scale("positive", 2.0).low, INK.low) == (-2.0, 0.0, 0.0)
    assert str(Scale("signed", 2.0)) == "−2.00 to 2.00"


def test_an_unsigned_scale_refuses_negative_data():
    with pytest.raises(ValueError, match="starts at 0, but the data goes down to -1"):
        Scale.of([-1.0], signed=False)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="theme must be one of light, dark, got 'blue'"):
        theme_named("blue")
    with pytest.raises(
        ValueError, match="palette must be one of ink, positive, signed or brightness, got 'jet'"
    ):
        palette("jet")


@pytest.mark.parametrize("name", THEMES)
def test_a_png_in_ink_has_the_palettes_ends(name):
    pixels = np.zeros((3, 5), np.uint8)
    pixels[1, 2] = 255
    with Image.open(io.BytesIO(ink_png(pixels, name))) as image:
        drawn = np.asarray(image)
    paper, ink = (tuple(bytes.fromhex(palette("ink", name)[end][1:])) for end in (0, -1))
    assert drawn.shape == (3, 5, 3)
    assert tuple(drawn[1, 2]) == ink
    assert tuple(drawn[0, 0]) == paper


@pytest.mark.parametrize("pixels", [np.zeros((3, 5)), np.zeros((3, 5, 3), np.uint8)])
def test_other_pixels_are_refused(pixels):
    with pytest.raises(ValueError, match=r"pixels must be uint8 \(H, W\), got "):
        ink_png(pixels)
