"""The sheet that a digit is written on: told from the table or the frame round it, and rid of its ruling.

A sheet is an area of one tone that is four-sided and holds the ink wholly; its ruling is what runs from one
side to the other. Both are looked for by shape alone, whatever is light and whatever dark.
"""

from __future__ import annotations

import math

import numpy as np

_LOOKED_AT = 140
"""Pixels a side: a sheet is found in a small picture."""
_LEAST = 0.25
"""A sheet's share of the picture; what is smaller is a square on the paper, or the hole of a digit."""
_FOUR_SIDED = 0.88
"""How much of the turned rectangle round it a four-sided area fills; an oval fills pi/4 = 0.785."""

_FAINT = 0.03
"""Contrast of the faintest ruling that is looked for."""
_SLOPES = np.array(sorted(np.linspace(-0.15, 0.15, 61), key=abs))


def sheet_of(grey: np.ndarray) -> np.ndarray | None:
    """Where the sheet is, (H, W) of bool; None if it fills the picture.

    The picture is cut at several tones. Of the areas that are found the smallest is taken which is
    four-sided, holds something, and lets nothing that it holds cross its edge.
    """
    from scipy import ndimage

    step = -(-max(grey.shape) // _LOOKED_AT)
    small = _shrunk(grey, step)
    low, high = np.quantile(small, [0.01, 0.99])
    best, least = None, small.size
    for tone in low + (high - low) * np.linspace(0.1, 0.9, 9):
        for side in (small > tone, small <= tone):
            parts, count = ndimage.label(side)
            areas = np.bincount(parts.ravel(), minlength=count + 1)
            for part in np.flatnonzero(areas[1:] > _LEAST * small.size) + 1:
                sheet = ndimage.binary_fill_holes(parts == part)
                area = int(sheet.sum())
                if area < least and _holds_ink(sheet, parts == part) and is_four_sided(sheet):
                    best, least = sheet, area
    if best is None:
        return None
    best = ndimage.binary_erosion(best, iterations=2, border_value=1)
    grown = np.kron(best, np.ones((step, step), bool))
    rows, columns = (
        np.minimum(np.arange(length), end - 1) for length, end in zip(grey.shape, grown.shape, strict=True)
    )
    return grown[np.ix_(rows, columns)]


def _shrunk(grey: np.ndarray, step: int) -> np.ndarray:
    down, across = (min(step, length) for length in grey.shape)
    rows, columns = grey.shape[0] // down, grey.shape[1] // across
    return grey[: rows * down, : columns * across].reshape(rows, down, columns, across).mean(axis=(1, 3))


def _holds_ink(sheet: np.ndarray, area: np.ndarray) -> bool:
    """Whether a hole of an area is as large as a digit on it would leave."""
    from scipy import ndimage

    holes, count = ndimage.label(sheet & ~area)
    if not count:
        return False
    boxes = ndimage.find_objects(holes)
    longest = max(max(part.stop - part.start for part in box) for box in boxes)
    return longest > 0.12 * max(sheet.shape)


def is_four_sided(sheet: np.ndarray) -> bool:
    """Whether an area fills a rectangle, turned by up to 20 degrees, but for a little."""
    from scipy import ndimage

    edge = sheet & ~ndimage.binary_erosion(sheet)
    rows, columns = np.nonzero(edge)
    turns = np.deg2rad(np.arange(-20, 21, 2))[:, None]
    along = np.cos(turns) * rows + np.sin(turns) * columns
    across = np.cos(turns) * columns - np.sin(turns) * rows
    boxes = (np.ptp(along, axis=1) + 1) * (np.ptp(across, axis=1) + 1)
    return bool(sheet.sum() >= _FOUR_SIDED * boxes.min())


def without_ruling(light: np.ndarray) -> np.ndarray:
    """A picture (H, W) without the straight thin light lines that run from one side of it to the other.

    What crosses a line stays: across it, a picture is continued from both of its sides, and what is lighter
    than the line is left as it is.
    """
    found = light
    for turned in (False, True):
        across = found.T if turned else found
        across = _without_rows(across)
        found = across.T if turned else across
    return found


def _without_rows(light: np.ndarray) -> np.ndarray:
    """The same for lines that are nearly level."""
    from scipy import ndimage

    thick = max(3, round(max(light.shape) / 25))
    above = light - ndimage.grey_opening(light, size=(thick, 1), mode="nearest")
    end = max(1, above.shape[1] // 10)
    if any(np.median(stretch.max(axis=0)) < _FAINT for stretch in (above[:, :end], above[:, -end:])):
        return light
    slope = _sharpest(_shrunk(above, -(-max(above.shape) // _LOOKED_AT)), _SLOPES)
    slope = _sharpest(above, slope + np.linspace(-0.005, 0.005, 5)[[2, 1, 3, 0, 4]])
    # Some lines leave through the top or the bottom: only what is inside the picture counts.
    outside = math.ceil(abs(slope) * light.shape[1] / 2) + 1
    margin = ((outside, outside), (0, 0))
    inside = _sheared(np.pad(np.ones(light.shape, bool), margin), slope)
    straight = _sheared(np.pad(above, margin), slope)
    # Behind a digit half of a line may be hidden, but a line reaches both sides and a stroke does not.
    sides = (slice(None), 0.1), (slice(end), 0.5), (slice(-end, None), 0.5)
    middles = [_quantiles(straight[:, side], inside[:, side], 0.5, least) for side, least in sides]
    level = np.nan_to_num(np.fmin.reduce(middles))
    lines = level > max(_FAINT, 4 * float(np.median(level)))
    if not lines.any():
        return light
    lines = ndimage.binary_dilation(lines, iterations=2)
    if lines.mean() > 0.6:
        return light
    straight = _sheared(np.pad(light, margin, mode="edge"), slope)
    kept, covered = np.flatnonzero(~lines), np.flatnonzero(lines)
    after = np.searchsorted(kept, covered).clip(1, len(kept) - 1)
    upper, lower = kept[after - 1], kept[after]
    share = ((covered - upper) / (lower - upper)).clip(0, 1)[:, None]
    bridged = straight[upper] * (1 - share) + straight[lower] * share
    # Beside its middle a line that is not quite straight comes and goes: what counts is its middle.
    tones = np.nan_to_num(_quantiles(straight, inside, 0.6, 0.1))
    tone = ndimage.maximum_filter1d(tones, 5)[covered, None]
    over = straight[covered] > tone + np.maximum(0.4 * (light.max() - tone), _FAINT)
    straight[covered] = np.where(over, straight[covered], np.minimum(bridged, straight[covered]))
    return _sheared(straight, -slope)[outside:-outside]


def _quantiles(rows: np.ndarray, inside: np.ndarray, share: float, least: float) -> np.ndarray:
    """A quantile of each row's pixels that are inside; NaN where they are less than such a part of it."""
    quantiles = np.full(len(rows), np.nan)
    whole = inside.all(axis=1)
    quantiles[whole] = np.quantile(rows[whole], share, axis=1)
    for n in np.flatnonzero(~whole & (inside.mean(axis=1) >= least)):
        quantiles[n] = np.quantile(rows[n, inside[n]], share)
    return quantiles


def _sharpest(image: np.ndarray, slopes: np.ndarray) -> float:
    """The first of the slopes along which the means of an image's rows differ most."""
    sharp = [float((_sheared(image, slope).mean(axis=1) ** 2).sum()) for slope in slopes]
    return float(slopes[int(np.argmax(sharp))])


def _sheared(image: np.ndarray, slope: float) -> np.ndarray:
    """Each column moved up by `slope` for each column before it, the rows that come out coming in again."""
    rows, columns = image.shape
    shifts = np.rint(slope * (np.arange(columns) - columns // 2)).astype(int)
    return image[(np.arange(rows)[:, None] + shifts) % rows, np.arange(columns)]
