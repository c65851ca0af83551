"""Digits as people hand them in: MNIST's training digits on every kind of paper, table, light and screen.

A style is a function of ink (H, W), 0..1, and a generator; without ink it gives the empty sheet. What is
drawn is known, so that what is read can be counted. Real handwriting and real cameras are left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image
from scipy import ndimage

from cnnviz.images.mnist import load_mnist

SIDE = 280
TUNING, JUDGING = range(30_000), range(45_000, 60_000)
"""Indices of training digits: what the preparation was tuned on, and what it is judged by.
Some of those between were looked at on the way."""

Style = Callable[[np.ndarray, np.random.Generator], np.ndarray]
_ROWS, _COLUMNS = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]


def specimens(count: int, among: range, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Digits (count, 28, 28) and their labels, drawn from the training set, as many of each class."""
    images, labels = load_mnist()[0]
    rng = np.random.default_rng(seed)
    indices = np.arange(among.start, among.stop)
    classes = [rng.permutation(indices[labels[indices] == k]) for k in range(10)]
    chosen = np.array([classes[n % 10][n // 10] for n in range(count)])
    return images[chosen], labels[chosen]


def picture(digit: np.ndarray | None, style: str, seed: int) -> np.ndarray:
    """A digit (28, 28) in a style, somewhere near the middle; None is the sheet without it."""
    rng = np.random.default_rng([seed, *style.encode()])
    factor = rng.uniform(6.0, 8.5)
    ink = np.zeros((SIDE, SIDE))
    if digit is not None:
        large = np.asarray(Image.fromarray(digit).resize((round(28 * factor),) * 2, Image.Resampling.BICUBIC))
        top, left = (SIDE - len(large)) // 2 + rng.integers(-14, 15, 2)
        ink[top : top + len(large), left : left + len(large)] = large / 255
    return STYLES[style](ink, rng)


# What styles are made of ------------------------------------------------------------------------


def write(paper: np.ndarray, ink: np.ndarray, pen: float | tuple[float, ...]) -> np.ndarray:
    """Ink of a tone or colour on paper (H, W) or (H, W, 3)."""
    if paper.ndim == 3 or not isinstance(pen, float):
        paper = paper if paper.ndim == 3 else paper[:, :, None]
        ink = ink[:, :, None]
    return paper * (1 - ink) + np.asarray(pen) * ink


def plain(ink, rng, *, paper=1.0, pen=0.0):
    return write(np.full(ink.shape, paper), ink, pen)


def coloured(ink, rng, *, paper, pen):
    return write(np.ones((*ink.shape, 3)) * paper, ink, pen)


def bordered(ink, rng, *, width, tone, sides="tblr", inset=0, paper=1.0, pen=0.0):
    image = plain(ink, rng, paper=paper, pen=pen)
    n = SIDE - inset
    bars = {
        "t": (slice(inset, inset + width), slice(inset, n)),
        "b": (slice(n - width, n), slice(inset, n)),
        "l": (slice(inset, n), slice(inset, inset + width)),
        "r": (slice(inset, n), slice(n - width, n)),
    }
    for side in sides:
        image[bars[side]] = tone
    return image


def on_table(ink, rng, *, sides, tone=0.15, paper=0.92, pen=0.12, tilt=0.0, grain=0.02):
    """A sheet whose edge runs through the picture on some sides, a table beyond it."""
    table = np.zeros(ink.shape, bool)
    for side in sides:
        depth, slope = rng.uniform(0.84, 0.93), rng.uniform(-tilt, tilt)
        across, along = (_ROWS, _COLUMNS) if side in "tb" else (_COLUMNS, _ROWS)
        sign = -1 if side in "tl" else 1
        table |= sign * across + slope * along > depth
    wood = tone + rng.normal(0, grain, ink.shape)
    return np.clip(np.where(table, wood, write(np.full(ink.shape, paper), ink, pen)), 0, 1)


def shadowed(ink, rng, *, strength, soft=0.0, pen=0.1):
    """A shadow over part of the sheet, taking some of the light; its edge may cross the digit."""
    turn = rng.uniform(0, 2 * np.pi)
    shade = (np.cos(turn) * _COLUMNS + np.sin(turn) * _ROWS > rng.uniform(-0.3, 0.6)).astype(float)
    if soft:
        shade = ndimage.gaussian_filter(shade, soft)
    return write(np.full(ink.shape, 0.95), ink, pen) * (1 - strength * shade)


def ruled(ink, rng, *, tone, width=2, step=28, across=True, down=False, pen=0.1, slant=0.0, paper=1.0):
    """Lined or squared paper; ink covers the lines."""
    rows, columns = (np.arange(SIDE) + rng.integers(step) for _ in range(2))
    slope = rng.uniform(-slant, slant)
    tilted = rows[:, None] + slope * np.arange(SIDE), columns + slope * np.arange(SIDE)[:, None]
    sheet = np.full(ink.shape, paper)
    for wanted, place in zip((across, down), tilted, strict=True):
        if wanted:
            sheet = np.where(place % step < width, tone, sheet)
    return write(sheet, ink, pen)


def margin(ink, rng, *, pen=(0.1, 0.1, 0.3)):
    """A school exercise book: blue rules, a red line at the left."""
    sheet = np.ones((*ink.shape, 3)) * (0.97, 0.97, 0.95)
    sheet[(np.arange(SIDE) + rng.integers(30)) % 30 < 2] = 0.65, 0.75, 0.92
    place = rng.integers(24, 40)
    sheet[:, place : place + 3] = 0.85, 0.2, 0.25
    return write(sheet, ink, pen)


def dotted_paper(ink, rng, *, tone=0.6):
    sheet = np.ones(ink.shape)
    for down in range(2):
        for across in range(2):
            sheet[10 + down :: 20, 10 + across :: 20] = tone
    return write(sheet, ink, 0.1)


def pencil(ink, rng):
    grain = ndimage.gaussian_filter(rng.normal(0, 1, ink.shape), 0.8)
    return write(np.full(ink.shape, 0.95), ink * np.clip(0.75 + 0.5 * grain, 0, 1), 0.45)


def chalk(ink, rng):
    grain = ndimage.gaussian_filter(rng.normal(0, 1, ink.shape), 0.7)
    board = 0.12 + 0.03 * ndimage.gaussian_filter(rng.normal(0, 8, ink.shape), 12)
    return np.clip(write(board, ink * np.clip(0.8 + 0.5 * grain, 0, 1), 0.9), 0, 1)


def kraft(ink, rng):
    fibres = ndimage.gaussian_filter(rng.normal(0, 1, ink.shape), (0.6, 2.5)) * 0.12
    paper = np.array([0.72, 0.56, 0.38]) + fibres[:, :, None] * np.array([1, 0.9, 0.7])
    return np.clip(write(paper, ink, (0.12, 0.1, 0.1)), 0, 1)


def neon(ink, rng):
    glow = ndimage.gaussian_filter(ink, 9)[:, :, None] * np.array([0.1, 0.9, 0.8])
    core = ink[:, :, None] * np.array([0.7, 1.0, 1.0])
    return np.clip(0.04 + glow + core, 0, 1)


def dots(ink, rng):
    """A digit of round dots, as a matrix display or a pegboard has it."""
    place = np.arange(SIDE) % 10 - 4.5
    near = np.hypot(place[:, None], place) < 4.2
    blocks = ink.reshape(28, 10, 28, 10).mean(axis=(1, 3)).repeat(10, 0).repeat(10, 1)
    return 0.05 + 0.9 * (near & (blocks > 0.4))


def cut_out(ink, rng, *, tone):
    image = np.full((*ink.shape, 4), tone)
    image[..., 3] = ink
    return image


def rounded_photograph(ink, rng):
    image = np.ones((*ink.shape, 4))
    image[..., :3] = plain(ink, rng, paper=0.9, pen=0.1)[..., None]
    image[..., 3] = np.hypot(_ROWS, _COLUMNS) < 1.25
    return image


def vignette(ink, rng, *, strength=0.6, paper=0.9, pen=0.1):
    return write(np.full(ink.shape, paper), ink, pen) * (1 - strength * (_ROWS**2 + _COLUMNS**2) / 2)


def noisy(ink, rng, *, sigma, paper=0.85, pen=0.15):
    return np.clip(plain(ink, rng, paper=paper, pen=pen) + rng.normal(0, sigma, ink.shape), 0, 1)


def salted(ink, rng):
    image, kind = plain(ink, rng), rng.random(ink.shape)
    image[kind < 0.01], image[kind > 0.99] = 0, 1
    return image


def compressed(ink, rng, *, quality, style=None):
    image = (style or partial(coloured, paper=(0.9, 0.88, 0.84), pen=(0.1, 0.1, 0.25)))(ink, rng)
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def gradient(ink, rng, *, low, high, pen):
    turn = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(turn) * _COLUMNS + np.sin(turn) * _ROWS) / 2.83 + 0.5
    return write(low + (high - low) * ramp, ink, pen)


def two_tone(ink, rng, *, tones, pen):
    return write(np.where(rng.uniform(-0.3, 0.3) > _COLUMNS, *tones), ink, pen)


def sheet_on_table(ink, rng, *, tone=0.2, paper=0.9, pen=0.12, noise=0.02, light=0.0):
    """A sheet seen from the side: a trapezoid, turned a little, the table all round it."""
    sheet = np.full(ink.shape, paper) * (1 + light * _COLUMNS)
    flat = np.dstack([write(sheet, ink, pen), np.ones(ink.shape)])
    turn, squeeze = rng.uniform(-0.12, 0.12), rng.uniform(-0.12, 0.12)
    cosine, sine, scale = np.cos(turn), np.sin(turn), 1.25
    depth = 1 + squeeze * _ROWS
    places = [
        (np.array([(cosine * _ROWS + sine * _COLUMNS) * scale, (cosine * _COLUMNS - sine * _ROWS) * scale]))
        / depth
    ][0]
    places = (places + 1) / 2 * (SIDE - 1)
    seen = np.dstack([ndimage.map_coordinates(flat[..., k], places, order=1, cval=0) for k in range(2)])
    image = seen[..., 0] + (1 - seen[..., 1]) * tone
    return np.clip(image + rng.normal(0, noise, ink.shape), 0, 1)


def punched(ink, rng, *, hole=0.2):
    image = plain(ink, rng, paper=0.93, pen=0.12)
    for row in (-0.55, 0.55):
        image[np.hypot(_ROWS - row, _COLUMNS + 0.9) < 0.05] = hole
    return image


def stapled(ink, rng):
    image = plain(ink, rng, paper=0.93, pen=0.12)
    image[12:15, 10:34], image[15:17, 10:34] = 0.55, 0.8
    return image


def folded(ink, rng):
    crease = np.abs(_COLUMNS - rng.uniform(-0.4, 0.4))
    light = np.where(_COLUMNS > 0, 0.93, 0.85) - 0.12 * np.exp(-((crease / 0.02) ** 2))
    return write(light, ink, 0.12)


def blurred(ink, rng, *, sigma):
    return ndimage.gaussian_filter(plain(ink, rng, paper=0.9, pen=0.1), sigma)


def specked(ink, rng):
    image = plain(ink, rng)
    for row, column in rng.integers(5, SIDE - 8, (12, 2)):
        image[row : row + 3, column : column + 3] = 0.2
    return image


def cropped(ink, rng, *, margin=2):
    """Cut out close to the ink, as a careful person does it."""
    if not ink.any():
        return plain(ink, rng)
    rows, columns = np.flatnonzero(ink.max(1) > 0.3), np.flatnonzero(ink.max(0) > 0.3)
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return 1 - ink[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]


def far_away(ink, rng):
    """Small on a large page."""
    page = np.full((2 * SIDE, 3 * SIDE), 0.94)
    top, left = rng.integers(0, 2 * SIDE - 94), rng.integers(0, 3 * SIDE - 94)
    small = ndimage.zoom(ink, 1 / 3, order=1)
    page[top : top + len(small), left : left + len(small)] *= 1 - 0.9 * small
    return page


def smartboard(ink, rng):
    """White on a dark screen with a light frame."""
    return bordered(ink, rng, width=12, tone=0.8, paper=0.08, pen=0.95)


def shelf_and_shadow(ink, rng):
    """A table at the right and a shadow over the paper at once."""
    image = shadowed(ink, rng, strength=0.4, soft=3)
    image[:, -20:] = 0.12
    return np.clip(image + rng.normal(0, 0.015, ink.shape), 0, 1)


STYLES: dict[str, Style] = {
    "dark on white": plain,
    "light on black": partial(plain, paper=0.0, pen=1.0),
    "grey on grey": partial(plain, paper=0.9, pen=0.55),
    "light grey on grey": partial(plain, paper=0.35, pen=0.6),
    "weak contrast": partial(plain, paper=0.85, pen=0.72),
    "black border of one pixel": partial(bordered, width=1, tone=0.0),
    "black border": partial(bordered, width=8, tone=0.0),
    "grey border of one pixel": partial(bordered, width=1, tone=0.5),
    "grey border": partial(bordered, width=8, tone=0.5),
    "light border, light on black": partial(bordered, width=6, tone=1.0, paper=0.0, pen=1.0),
    "border on two sides": partial(bordered, width=5, tone=0.1, sides="tl"),
    "line above": partial(bordered, width=4, tone=0.1, sides="t"),
    "inset frame": partial(bordered, width=3, tone=0.0, inset=14),
    "thick inset frame": partial(bordered, width=8, tone=0.1, inset=10),
    "grey inset frame": partial(bordered, width=4, tone=0.5, inset=18),
    "light inset frame, light on black": partial(bordered, width=4, tone=0.9, inset=12, paper=0.05, pen=0.9),
    "table on one side": partial(on_table, sides="r"),
    "table on two sides": partial(on_table, sides="tl"),
    "table on three sides": partial(on_table, sides="tlr"),
    "table on four sides": partial(on_table, sides="tblr"),
    "grey table on three sides": partial(on_table, sides="blr", tone=0.5),
    "grey table on four sides": partial(on_table, sides="tblr", tone=0.5),
    "tilted table on two sides": partial(on_table, sides="br", tilt=0.15),
    "light table, dark board": partial(on_table, sides="tblr", tone=0.85, paper=0.1, pen=0.9),
    "shadow of 0.4": partial(shadowed, strength=0.4),
    "shadow of 0.6": partial(shadowed, strength=0.6),
    "shadow of 0.8": partial(shadowed, strength=0.8),
    "soft shadow of 0.6": partial(shadowed, strength=0.6, soft=8),
    "squared paper, 200": partial(ruled, tone=200 / 255, down=True),
    "squared paper, 150": partial(ruled, tone=150 / 255, down=True),
    "squared paper, 100": partial(ruled, tone=100 / 255, down=True),
    "fine squared paper, 180": partial(ruled, tone=180 / 255, down=True, width=1, step=14),
    "squared paper, turned": partial(ruled, tone=170 / 255, down=True, slant=0.08),
    "lined paper, 200": partial(ruled, tone=200 / 255, step=36),
    "lined paper, 150": partial(ruled, tone=150 / 255, step=36),
    "lined paper, 100": partial(ruled, tone=100 / 255, step=36),
    "lined paper, turned": partial(ruled, tone=150 / 255, step=36, slant=0.08),
    "squared blackboard": partial(ruled, tone=0.35, down=True, paper=0.1, pen=0.9),
    "margin line in red": margin,
    "dotted paper": dotted_paper,
    "pencil": pencil,
    "chalk": chalk,
    "kraft paper": kraft,
    "neon": neon,
    "dots": dots,
    "blue on white": partial(coloured, paper=(1.0, 1.0, 1.0), pen=(0.1, 0.2, 0.8)),
    "yellow on white": partial(coloured, paper=(1.0, 1.0, 1.0), pen=(1.0, 1.0, 0.0)),
    "red on green": partial(coloured, paper=(0.1, 0.45, 0.1), pen=(0.8, 0.1, 0.1)),
    "white on blue": partial(coloured, paper=(0.1, 0.25, 0.7), pen=(1.0, 1.0, 1.0)),
    "yellow sticky note": partial(coloured, paper=(1.0, 0.93, 0.5), pen=(0.15, 0.15, 0.2)),
    "transparent, black": partial(cut_out, tone=0.0),
    "transparent, white": partial(cut_out, tone=1.0),
    "transparent corners": rounded_photograph,
    "vignette": vignette,
    "strong vignette": partial(vignette, strength=0.85),
    "vignette, light on dark": partial(vignette, paper=0.3, pen=0.95),
    "noise": partial(noisy, sigma=0.05),
    "strong noise": partial(noisy, sigma=0.12),
    "salt and pepper": salted,
    "JPEG of quality 30": partial(compressed, quality=30),
    "JPEG of quality 8": partial(compressed, quality=8),
    "JPEG of a table": partial(compressed, quality=25, style=partial(on_table, sides="tblr")),
    "gradient": partial(gradient, low=0.5, high=1.0, pen=0.1),
    "steep gradient": partial(gradient, low=0.25, high=1.0, pen=0.05),
    "gradient, light on dark": partial(gradient, low=0.0, high=0.5, pen=0.95),
    "two tones": partial(two_tone, tones=(0.95, 0.6), pen=0.1),
    "two tones, light on dark": partial(two_tone, tones=(0.1, 0.4), pen=0.95),
    "sheet on a table": sheet_on_table,
    "sheet on a grey table": partial(sheet_on_table, tone=0.5),
    "sheet on a light table": partial(sheet_on_table, tone=0.75, paper=0.95),
    "sheet in uneven light": partial(sheet_on_table, light=0.25),
    "hole punch": punched,
    "hole punch, black holes": partial(punched, hole=0.0),
    "staple": stapled,
    "folded": folded,
    "out of focus": partial(blurred, sigma=5),
    "specks": specked,
    "cut out closely": cropped,
    "cut at the ink": partial(cropped, margin=0),
    "far away": far_away,
    "frame of a screen": smartboard,
    "table and shadow": shelf_and_shadow,
}
